"""The one way out: every HTTP call to a provider, a webhook receiver or a supplied address.

Each dependency has limits of time, number and size, a circuit breaker and a retry budget. A call that fails
says which of two things happened: nothing reached the other side (`Unavailable`), or something may have
(`UnknownOutcome`), after which the caller must ask before doing it again.
"""

import asyncio
import random
import socket
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import msgspec
from msgspec import UNSET, Struct, UnsetType

from sampan.kernel import context
from sampan.kernel.breaker import Breaker
from sampan.kernel.errors import ShopError


class Unavailable(ShopError, code="kernel.dependency_unavailable", status=503):
    """The dependency was not asked, or not reached, or only asked for something that changes nothing.

    The fact `dependency` names it.
    """


class UnknownOutcome(ShopError, code="kernel.unknown_outcome", status=502):
    """The request may have taken effect on the other side; the fact `dependency` names it."""


class AnswerTooLarge(ShopError, code="kernel.answer_too_large", status=502):
    """The answer had more bytes than allowed. The request did reach the other side."""


class AddressRefused(ShopError, code="kernel.address_refused", status=422):
    """A supplied address does not lead to a public web server."""


class Bounds(Struct, frozen=True, kw_only=True):
    """The limits of one dependency. Times in seconds.

    `connect` and `read` bound one step, `total` the whole call with its retries. At most `concurrency` calls
    run at once. After `failures` in a row the dependency is left alone for `pause`. `retries` are waits of
    random length up to `backoff`, 2 × `backoff`, ….
    """

    connect: float = 2.0
    read: float = 5.0
    total: float = 10.0
    concurrency: int = 20
    max_bytes: int = 1 << 20
    failures: int = 5
    pause: float = 10.0
    retries: int = 2
    backoff: float = 0.1


class Answer(Struct, frozen=True):
    """What came back, whatever its status. The body is decoded; names of headers ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    dependency: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON. Raises `UnknownOutcome` if it is none: what the other side did cannot be told."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UnknownOutcome("the answer is not JSON", dependency=self.dependency) from None

    def text(self) -> str:
        """The body as UTF-8, broken bytes replaced."""
        return self.body.decode(errors="replace")


class DependencyStats(Struct, frozen=True):
    """Since the start: calls, second and later attempts, failed ones, those not made. And the breaker."""

    calls: int
    retries: int
    failures: int
    refused: int
    breaker: str


class Outbound:
    """All dependencies of one process over one pool of connections.

    Redirects are not followed, cookies not kept, proxies and credentials of the environment not used. When `muted`
    nobody is asked, ever: each call raises `Unavailable`.
    """

    def __init__(self, *, guard: "PublicAddressOnly | None" = None, muted: bool = False) -> None:
        self._muted = muted
        self._guard = guard or PublicAddressOnly()
        self._client = _client(keepalive=100)
        # A pinned connection is known by its address only, not by the name its certificate was checked for.
        # So none is used twice.
        self._pinned_client = _client(keepalive=0)
        self._dependencies: dict[str, Dependency] = {}
        self._supplied: OrderedDict[str, Dependency] = OrderedDict()

    def dependency(self, name: str, bounds: Bounds | None = None) -> "Dependency":
        """The dependency of this name; the bounds are those of its first mention."""
        found = self._dependencies.get(name)
        if found is None:
            found = self._dependencies[name] = Dependency(
                name, bounds or Bounds(), self._client, None, muted=self._muted
            )
        return found

    def supplied(self, url: str, bounds: Bounds | None = None) -> "Dependency":
        """The host of an address that somebody supplied (webhook, picture, feed), reached only if public.

        Its calls raise `AddressRefused` for anything else.
        """
        host = _parsed(url).host
        found = self._supplied.get(host)
        if found is None:
            bounds = bounds or Bounds()
            found = Dependency(f"supplied:{host}", bounds, self._pinned_client, self._guard, muted=self._muted)
            self._supplied[host] = found
            if len(self._supplied) > 1000:
                self._supplied.popitem(last=False)
        self._supplied.move_to_end(host)
        return found

    def stats(self) -> dict[str, DependencyStats]:
        """Of the named dependencies."""
        return {name: dependency.stats() for name, dependency in self._dependencies.items()}

    async def close(self) -> None:
        await self._client.aclose()
        await self._pinned_client.aclose()


class Dependency:
    """One other side. Made by `Outbound`."""

    def __init__(
        self,
        name: str,
        bounds: Bounds,
        client: httpx.AsyncClient,
        guard: "PublicAddressOnly | None",
        *,
        muted: bool = False,
    ) -> None:
        self.name = name
        self.bounds = bounds
        self._client = client
        self._guard = guard
        self._muted = muted
        self._slots = asyncio.Semaphore(bounds.concurrency)
        self._breaker = Breaker(failures=bounds.failures, pause=bounds.pause)
        self._timeout = httpx.Timeout(bounds.read, connect=bounds.connect)
        self._credit = _RETRY_COST
        self._calls = self._retries = self._failures = self._refused = 0

    async def request(
        self,
        method: str,
        url: str,
        *,
        safe: bool | None = None,
        idempotency_key: str = "",
        deadline: float | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: object | UnsetType = UNSET,
        form: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> Answer:
        """Ask, and return the answer of whatever status.

        `safe` calls change nothing (by default GET, HEAD and OPTIONS); calls with an `idempotency_key`, which
        is sent as `Idempotency-Key`, take effect once. Only these are tried again, after no answer and after
        408, 429, 502, 503 and 504, while retries stay below a tenth of the calls. `deadline` is on the clock
        of `time.monotonic`; that of the current work holds as well. One of `content`, `json` and `form` is
        the body.

        Raises:
            Unavailable: it was not reached, is left alone after failures, or there was no time or place to
            ask.
                A safe call raises this for every failure.
            UnknownOutcome: it may have been reached, and did not answer properly.
            AnswerTooLarge: more than `max_bytes` came back.
            AddressRefused: a supplied address is not public.
        """
        self._calls += 1
        if self._muted:
            self._refused += 1
            raise Unavailable("this copy of the shop is muted", dependency=self.name)
        self._credit = min(self._credit + 1, 10 * _RETRY_COST)
        until = time.monotonic() + self.bounds.total
        for limit in (deadline, context.deadline.get()):
            if limit is not None:
                until = min(until, limit)
        if safe is None:
            safe = method.upper() in ("GET", "HEAD", "OPTIONS")
        all_headers = {**(headers or {})}
        if idempotency_key:
            all_headers["Idempotency-Key"] = idempotency_key
        body = _body(content, json, form, all_headers)
        call = _Call(method, url, params, all_headers, body, until, max_bytes or self.bounds.max_bytes)

        answer: Answer | None = None
        unknown: UnknownOutcome | None = None
        for attempt in range(self.bounds.retries + 1):
            failure: Unavailable | UnknownOutcome | None = None
            try:
                answer = await self._attempt(call)
            except UnknownOutcome as error:
                failure = unknown = error
            except Unavailable as error:
                failure = error
            if failure is None and answer is not None and answer.status not in _TRY_AGAIN:
                return answer
            delay = _CHANCE.uniform(0, self.bounds.backoff * 2**attempt)
            if failure is None and answer is not None:
                delay = max(delay, _retry_after(answer))
            last = attempt == self.bounds.retries or not (safe or idempotency_key)
            if last or self._credit < _RETRY_COST or time.monotonic() + delay >= until:
                break
            if self._breaker.state == "open":
                break
            self._credit -= _RETRY_COST
            self._retries += 1
            await asyncio.sleep(delay)
        # Nothing was answered but perhaps "not now", and that tells nothing of an attempt without an answer.
        if unknown is not None:
            if safe:
                raise Unavailable(unknown.detail, dependency=self.name) from unknown
            raise unknown
        if answer is not None:
            return answer
        assert failure is not None
        raise failure

    async def get(self, url: str, **options: Any) -> Answer:
        """`request("GET", …)`."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Any) -> Answer:
        """`request("POST", …)`."""
        return await self.request("POST", url, **options)

    def stats(self) -> DependencyStats:
        return DependencyStats(self._calls, self._retries, self._failures, self._refused, self._breaker.state)

    async def _attempt(self, call: "_Call") -> Answer:
        try:
            if time.monotonic() >= call.until:
                raise TimeoutError
            async with asyncio.timeout(call.until - time.monotonic()):
                await self._slots.acquire()
        except TimeoutError:
            self._refused += 1
            raise Unavailable("no time left to ask", dependency=self.name) from None
        try:
            if not self._breaker.enter():
                self._refused += 1
                raise Unavailable("left alone after failures", dependency=self.name)
            try:
                answer = await self._send(call)
            except (Unavailable, UnknownOutcome):
                self._failures += 1
                if call.was_given(self.bounds.read):
                    self._breaker.failed()
                else:
                    self._breaker.abandoned()  # it was we who had no time
                raise
            except BaseException:
                self._breaker.abandoned()
                raise
            if answer.status >= 500:
                self._failures += 1
                self._breaker.failed()
            else:
                self._breaker.succeeded()
            return answer
        finally:
            self._slots.release()

    async def _send(self, call: "_Call") -> Answer:
        progress = _Progress()
        call.begun = time.monotonic()
        try:
            async with asyncio.timeout(call.until - call.begun):
                request = await self._built(call, progress)
                response = await self._client.send(request, stream=True)
                try:
                    body = await _read(response, call.max_bytes)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise Unavailable(type(error).__name__, dependency=self.name) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            raise  # a mistake of ours
        except (httpx.TransportError, TimeoutError) as error:
            if progress.sent:
                raise UnknownOutcome(type(error).__name__, dependency=self.name) from error
            raise Unavailable(type(error).__name__, dependency=self.name) from error
        except _TooLarge:
            raise AnswerTooLarge("the answer is too large", dependency=self.name) from None
        except zlib.error:
            raise UnknownOutcome("the answer is not encoded as it says", dependency=self.name) from None
        return Answer(response.status_code, response.headers, body, self.name)

    async def _built(self, call: "_Call", progress: "_Progress") -> httpx.Request:
        url = _parsed(call.url)
        if call.params:
            url = url.copy_merge_params(dict(call.params))
        headers = dict(call.headers)
        extensions: dict[str, Any] = {"timeout": self._timeout.as_dict(), "trace": progress.note}
        if self._guard is not None:
            address = await self._guard.address_of(url)
            headers["Host"] = url.netloc.decode("ascii")
            extensions["sni_hostname"] = url.raw_host.decode("ascii")
            url = url.copy_with(host=address)
        return self._client.build_request(call.method, url, headers=headers, content=call.body, extensions=extensions)


class PublicAddressOnly:
    """Lets pass only http and https to ports 80 and 443 of public addresses.

    A name is resolved once and the connection made to that very address, so that it cannot resolve to
    something else a moment later. A name that resolves to any private address is refused. `also` are networks
    that are reached nevertheless, and then on any port: stand-ins in development and tests.
    """

    def __init__(
        self,
        *,
        also: Iterable[str] = (),
        resolve: Callable[[str, int], Awaitable[list[str]]] | None = None,
    ) -> None:
        self._also = [ip_network(network) for network in also]
        self._resolve = resolve or _resolved

    async def address_of(self, url: httpx.URL | str) -> str:
        """The address to connect to. Raises `AddressRefused`; `Unavailable` if the name does not resolve."""
        url = _parsed(url) if isinstance(url, str) else url
        if url.scheme not in ("http", "https") or not url.host:
            raise AddressRefused("only http and https addresses")
        if url.userinfo:
            raise AddressRefused("an address without user name and password")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            addresses = await self._resolve(url.raw_host.decode("ascii"), port)
        except (OSError, UnicodeError):
            raise Unavailable("the name does not resolve", dependency=f"supplied:{url.host}") from None
        if not addresses:
            raise Unavailable("the name does not resolve", dependency=f"supplied:{url.host}")
        for address in addresses:
            if self._is_excepted(address):
                continue
            if port not in (80, 443) or not is_public(address):
                raise AddressRefused("only ports 80 and 443 of public addresses")
        return addresses[0]

    def _is_excepted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._also)


# Where the standard library's table is older than IANA's, or a registered public address is not the public's.
_NOT_PUBLIC: Final = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, among them the metadata of one cloud
    IPv4Network("192.88.99.0/24"),  # the relay of 6to4
    IPv4Network("168.63.129.16/32"),  # the host of a virtual machine at Azure
    IPv6Network("2001::/23"),  # protocol assignments, among them Teredo, which contains an IPv4 address
    IPv6Network("2002::/16"),  # 6to4, which does too
    IPv6Network("3fff::/20"),  # documentation
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")


def is_public(address: str) -> bool:
    """Whether anyone on the internet could be there: no private, loopback, link-local, shared, reserved,
    multicast, tunnelled or metadata address, in whatever notation.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return is_public(str(parsed.ipv4_mapped))
        if parsed not in _GLOBAL_UNICAST:
            return False
    return parsed.is_global and not parsed.is_multicast and not any(parsed in network for network in _NOT_PUBLIC)


# --- one call

_RETRY_COST: Final = 10  # a call earns one, so one in ten may be a retry
_TRY_AGAIN: Final = frozenset((408, 429, 502, 503, 504))
_CHANCE: Final = random.SystemRandom()
_READ_STEP: Final = 1 << 16


class _Call(Struct):
    method: str
    url: str
    params: Mapping[str, str] | None
    headers: Mapping[str, str]
    body: bytes | None
    until: float
    max_bytes: int
    begun: float = 0.0

    def was_given(self, seconds: float) -> bool:
        """Whether the dependency had this long to answer before our deadline, or failed by itself before."""
        return self.until - self.begun >= seconds or time.monotonic() < self.until


class _Progress:
    """Whether any byte of the request may be under way. What httpcore does not tell is taken to be sent."""

    __slots__ = ("_connecting", "_sending")

    def __init__(self) -> None:
        self._connecting = False
        self._sending = False

    async def note(self, event: str, _: Mapping[str, Any]) -> None:
        if event.startswith("connection."):
            self._connecting = True
        elif event.endswith("send_request_headers.started"):
            self._sending = True

    @property
    def sent(self) -> bool:
        return self._sending or not self._connecting


class _TooLarge(Exception):
    pass


def no_cookies() -> CookieJar:
    """For a client that many share: a jar that takes nothing, so that nobody is sent what another one was given."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def _client(keepalive: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        cookies=no_cookies(),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=keepalive, keepalive_expiry=30),
        headers={"User-Agent": "sampan", "Accept-Encoding": "gzip, deflate"},
    )


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise AddressRefused("not an address") from None


def _body(content: bytes | None, json: object, form: Mapping[str, str] | None, headers: dict[str, str]) -> bytes | None:
    if json is not UNSET:
        headers.setdefault("Content-Type", "application/json")
        return msgspec.json.encode(json)
    if form is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return urlencode(form).encode()
    return content


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, decoded step by step, so that a small compressed one cannot become a huge one."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise zlib.error
    decoder = zlib.decompressobj(wbits=47) if encoding not in ("identity", "") else None
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw(_READ_STEP):
        if decoder is not None:
            part = decoder.decompress(part, limit - size + 1)
        size += len(part)
        if size > limit:
            raise _TooLarge
        parts.append(part)
    if decoder is not None and parts and not decoder.eof:
        raise zlib.error
    return b"".join(parts)


def _retry_after(answer: Answer) -> float:
    stated = answer.headers.get("retry-after", "")
    return float(stated) if stated.isascii() and stated.isdigit() and len(stated) < 6 else 0.0


async def _resolved(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
