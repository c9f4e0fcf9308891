"""The web side of a process: the edge every request passes, and the routes behind it.

The edge counts in microseconds: request id, size limits, rate limits, cached answers, security headers, metrics. Then
the router finds the address and one of our handlers answers.
"""

import hashlib
import hmac
import itertools
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec
from isal import isal_zlib

from sampan.kernel import context
from sampan.kernel.cache import Cache
from sampan.kernel.catalogue import negotiate
from sampan.kernel.connect import Served, refused
from sampan.kernel.context import Actor
from sampan.kernel.errors import Forbidden, NotFound, ShopError, TooManyRequests, Unauthenticated
from sampan.kernel.http import (
    HTML,
    UNSAFE,
    Answer,
    BadRequest,
    Handler,
    MethodNotAllowed,
    Request,
    Route,
    Stream,
    accepts_gzip,
    as_refusal,
    gzipped,
    problem,
    refusal_headers,
)
from sampan.kernel.idempotency import KeyMalformed, Keys, check_key
from sampan.kernel.limits import Limit, Limiter, address_block, client_behind, is_within
from sampan.kernel.metrics import metrics
from sampan.kernel.places import Overloaded, Places
from sampan.kernel.router import Router

log = logging.getLogger(__name__)

Authenticate = Callable[[str], Awaitable[Actor | None]]
Page = Callable[[Request, ShopError], Awaitable[Answer]]  # a refusal as a page for people

EDGE = "edge"  # the limit of all requests together
EVERYONE = Limit(times=200, seconds=1, burst=600)  # per address block: above it is no person and no honest integration
Plain = dict[tuple[str, bool], bytes]  # by the language, and whether something was sent


def plain_pages(language: str, title: str, text: str, *, read: str, sent: str) -> Plain:
    """Pages made without any work: whoever is refused because there is too much of it must not cause more.

    One that was only looked for loads itself again; what was sent is nowhere to be found again but by going back.
    """
    again = '<meta http-equiv="refresh" content="5">'
    return {
        (language, is_sent): (
            f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width">{"" if is_sent else again}'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{title}</title><h1>{title}</h1><p>{text} {sent if is_sent else read}</p></html>"
        ).encode()
        for is_sent in (False, True)
    }


VIETNAMESE = {
    "read": "Trang này tự tải lại sau vài giây. Giỏ hàng của Bạn vẫn còn nguyên.",
    "sent": "Điều Bạn vừa gửi chưa được nhận: sau vài giây, Bạn quay lại trang trước rồi gửi lại. "
    "Giỏ hàng của Bạn vẫn còn nguyên.",
}
ENGLISH = {
    "read": "This page loads again in a few seconds. Your cart is safe.",
    "sent": "What you sent was not taken in: go back in a few seconds and send it again. Your cart is safe.",
}
BUSY = {
    **plain_pages("vi", "Cửa hàng đang rất đông", "Cửa hàng chưa phục vụ kịp.", **VIETNAMESE),
    **plain_pages("en", "The shop is very busy", "There are more visitors than we can serve at once.", **ENGLISH),
}
TOO_FAST = {
    **plain_pages("vi", "Nhanh quá", "Mạng của Bạn gửi quá nhiều yêu cầu cùng lúc.", **VIETNAMESE),
    **plain_pages("en", "That was a little fast", "Your network sent too much at once.", **ENGLISH),
}
DEADLINE = 10.0

CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'; report-uri /csp-report"
)
SECURITY = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
SAFE_ID = re.compile(rb"[A-Za-z0-9-]{8,64}\Z")
COMPRESSIBLE = (b"text/", b"application/json", b"application/problem+json", b"image/svg")


class UriTooLong(ShopError, code="kernel.uri_too_long", status=414):
    """The address is longer than 8 KiB."""


class HeadersTooLarge(ShopError, code="kernel.headers_too_large", status=431):
    """The headers are larger than 16 KiB."""


class NoSuchAddress(NotFound, code="kernel.no_such_address", status=404):
    """There is nothing at this address."""


class Bound:
    """A route ready to run: `names` are its path's parameters in their order."""

    __slots__ = ("handler", "keys", "names", "route")

    def __init__(self, route: Route, handler: Handler, keys: Keys | None) -> None:
        self.route = route
        self.handler = handler
        self.keys = keys
        self.names = re.findall(r"{(\w+)(?:\.\.\.)?}", route.path)


class Web:
    """Everything the edge needs, put together by the composition."""

    def __init__(
        self,
        *,
        bound: Iterable[Bound],
        served: Mapping[str, Served],
        authenticate: Authenticate,
        limiter: Limiter | None,
        answers: Cache,
        pages: Page | None = None,
        fallback: Handler | None = None,
        trusted: frozenset[str] = frozenset(),
        secure: bool = False,
        csp: str = CSP,
    ) -> None:
        self.served = dict(served)
        self.authenticate = authenticate
        self.limiter = limiter
        self.answers = answers
        self.pages = pages
        self.fallback = fallback
        self.trusted = trusted
        self.secure = secure
        self._origin, self._count = secrets.token_hex(10), itertools.count()  # of request ids
        self.places = Places()  # for requests that do not wait for their client
        self.headers = [*SECURITY, (b"content-security-policy", csp.encode())]
        if not secure:
            self.headers = self.headers[1:]  # no HSTS for a shop on plain HTTP on one's own machine
        self._known: dict[str, tuple[float, Actor | None]] = {}
        self.router: Router[dict[str, Bound]] = Router()
        for entry in bound:
            methods = self.router.at(entry.route.path)
            if methods is None:
                methods = {}
                self.router.add(entry.route.path, methods)
            if entry.route.method in methods:
                raise TypeError(f"two routes are declared for {entry.route.name}")
            methods[entry.route.method] = entry

    # --- the edge -------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        headers = scope["headers"]
        identity, client, token = self._read_headers(scope, headers)
        request_token = context.request_id.set(identity)
        scope["sampan.client"] = client
        scope["sampan.secure"] = self.secure
        scope["sampan.token"] = token
        status, name = 500, "unmatched"
        places = self.places

        async def received() -> Any:
            places.working -= 1
            try:
                return await receive()
            finally:
                places.working += 1

        try:
            places.working += 1
            try:
                answer = await self._answer(scope, received)
            finally:
                places.working -= 1
            name = scope.get("sampan.route", "unmatched")
            status = answer.status
            await self._send(scope, send, answer)
        finally:
            context.request_id.reset(request_token)
            metrics.count_answer(name, status, time.perf_counter() - started)

    def _read_headers(self, scope: Any, headers: list[tuple[bytes, bytes]]) -> tuple[str, str, str]:
        """The request id, the client's address, and the bearer token."""
        address = scope["client"][0] if scope.get("client") else ""
        language, authorization, forwarded, given = b"", b"", b"", b""
        for name, value in headers:
            if name == b"accept-language":
                language = value
            elif name == b"authorization":
                authorization = value
            elif name == b"x-forwarded-for":
                forwarded = forwarded + b"," + value if forwarded else value
            elif name == b"x-request-id":
                given = value
        scope["sampan.language"] = negotiate(language.decode("latin-1")[:200]) if language else "vi"
        token = authorization.decode("latin-1")
        internal = is_of_a_peer(scope["path"], token) or is_within(address, self.trusted)
        identity = given.decode() if internal and SAFE_ID.match(given) else f"{self._origin}{next(self._count):012x}"
        return identity, address_block(client_behind(self.trusted, address, forwarded.decode("latin-1"))), token

    async def _answer(self, scope: Any, receive: Any) -> Answer | Stream:
        try:
            self._check_size(scope)
            if self.limiter is not None and not is_of_a_peer(scope["path"], scope["sampan.token"]):
                await self.limiter.spend(EDGE, scope["sampan.client"], EVERYONE)
            if scope["method"] == "GET" and (kept := self.answers.get(answer_key(scope))) is not None:
                scope["sampan.route"] = "cached"
                return cached_answer(kept, scope)
            await self.places.take(scope)
            return await self._route(scope, receive)
        except Exception as failure:
            return await self._refused(scope, receive, failure)

    def _check_size(self, scope: Any) -> None:
        path = scope["path"]
        if len(scope.get("raw_path") or path) + len(scope.get("query_string", b"")) > 8192:
            raise UriTooLong("the address is too long")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > 16384:
            raise HeadersTooLarge("the headers are too large")
        if not path.isprintable():
            raise BadRequest("the address has characters that no address has")

    async def _route(self, scope: Any, receive: Any) -> Answer | Stream:
        path: str = scope["path"]
        if path.startswith("/internal/"):
            return await self._internal(scope, receive)
        found = self.router.find(path)
        if found is None:
            if self.fallback is not None:
                return await self.fallback(Request(scope, receive))
            raise NoSuchAddress("there is nothing at this address")
        methods, values = found
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        entry = methods.get(method)
        if entry is None:
            allow = ", ".join(sorted({*methods, *(("HEAD",) if "GET" in methods else ()), "OPTIONS"}))
            if method == "OPTIONS":
                return Answer(204, headers=[(b"allow", allow.encode())])
            raise MethodNotAllowed(f"this address takes {allow}", allow=allow)
        scope["path_params"] = dict(zip(entry.names, values, strict=True))
        return await self._run(entry, scope, receive)

    async def _refused(self, scope: Any, receive: Any, failure: Exception) -> Answer:
        error = as_refusal(failure)
        if isinstance(error, Overloaded) and wants_page(scope):
            return Answer(503, BUSY[language_of(scope), scope["method"] in UNSAFE], HTML, [(b"retry-after", b"5")])
        if is_by_the_edge(error) and wants_page(scope):
            words = TOO_FAST[language_of(scope), scope["method"] in UNSAFE]
            return Answer(error.status, words, HTML, refusal_headers(error))
        if self.pages is not None and wants_page(scope):
            try:
                return await self.pages(Request(scope, receive), error)
            except ShopError:
                pass  # what was refused cannot be read for the page either
            except Exception as second:
                log.error("the error page failed", exc_info=second)
        return problem(error)

    async def _send(self, scope: Any, send: Any, answer: Answer | Stream) -> None:
        headers = [
            *self.headers,
            (b"x-request-id", context.request_id.get().encode()),
            (b"content-type", answer.content_type),
        ]
        named = {name for name, _ in answer.headers}
        if b"cache-control" not in named:
            headers.append((b"cache-control", b"no-store"))
        headers = [h for h in headers if h[0] not in named] + answer.headers
        if isinstance(answer, Stream):
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            async for chunk in answer.chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        body = answer.body
        if len(body) > SMALL and b"content-encoding" not in named and answer.content_type.startswith(COMPRESSIBLE):
            if (b"vary", b"accept-encoding") not in headers:  # a forwarded answer may say so already
                headers.append((b"vary", b"accept-encoding"))
            if accepts_gzip(scope):
                body = gzipped(body)
                headers.append((b"content-encoding", b"gzip"))
        if answer.status not in (204, 304):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    # --- routes -----------------------------------------------------------------------------------------------------

    async def _run(self, entry: Bound, scope: Any, receive: Any) -> Answer | Stream:
        route = entry.route
        scope["sampan.route"] = route.name
        if route.policy.browser:
            scope["sampan.page"] = True
        request = Request(scope, receive)
        request.limit = route.body_limit
        actor = await self._actor(request)
        request.actor = actor
        tokens = (context.actor.set(actor), context.deadline.set(time.monotonic() + DEADLINE))
        try:
            route.policy.check(actor)
            if route.limit is not None and self.limiter is not None:
                await self.limiter.spend(route.limit_name or route.name, actor.id or actor.address, route.limit)
            if route.policy.browser and route.method in UNSAFE:
                await self._check_same_origin(request)
            if route.idempotency != "none":
                return await self._once(entry, request)
            if route.cached is not None and request.method == "GET":
                return await self._through_cache(entry, request)
            return await entry.handler(request)
        finally:
            context.actor.reset(tokens[0])
            context.deadline.reset(tokens[1])

    async def _once(self, entry: Bound, request: Request) -> Answer | Stream:
        key = request.header("idempotency-key")
        if not key and b"idempotency-key" in request.headers:
            raise KeyMalformed("an Idempotency-Key is not empty")
        check_key(key, required=entry.route.idempotency == "required")
        if not key:
            return await entry.handler(request)
        if entry.keys is None:
            raise TypeError(f"{entry.route.name} takes keys, its service has no database")
        actor = request.actor
        # Who has no secret yet is told apart by his network: a key that somebody else thought of too opens nothing.
        held = f"{actor.cart_token}\n{actor.order_token}" if actor.cart_token or actor.order_token else actor.address
        who = actor.id or hashlib.sha256(held.encode()).hexdigest()
        return await entry.keys.once(
            scope=f"{entry.route.name} {actor.kind} {who}",
            key=key,
            request=request.path.encode() + b"\n" + request.raw_query + b"\n" + await request.body(),
            work=lambda: entry.handler(request),
        )

    async def _through_cache(self, entry: Bound, request: Request) -> Answer | Stream:
        """A public answer: loaded once however many ask, kept until an event with one of its tags.

        It is kept packed, as browsers take it; who does not gets it unpacked, which costs less than keeping both.
        """
        tags = entry.route.cached(request) if entry.route.cached else []

        async def load() -> bytes:
            answer = await entry.handler(request)
            if not isinstance(answer, Answer) or answer.status != 200:
                raise Uncached(answer)
            return gzipped(answer.body) if len(answer.body) > SMALL else answer.body

        try:
            kept = await self.answers.get_or_load(answer_key(request.scope), tags, load)
        except Uncached as other:
            return other.answer
        return cached_answer(kept, request.scope)

    async def _actor(self, request: Request) -> Actor:
        """Who asks: staff by API key, everybody else a guest with the secrets they sent."""
        token, address = request.scope["sampan.token"], request.scope["sampan.client"]
        if not token:
            cart, order = request.header("x-cart-token")[:200], request.header("x-order-token")[:200]
            return Actor(cart_token=cart, order_token=order, address=address)
        scheme, _, secret = token.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("send Authorization: Bearer and an API key")
        actor = await self._identified(secret.strip())
        if actor is None:
            raise Unauthenticated("this API key is not known, has expired or was withdrawn")
        return msgspec.structs.replace(
            actor,
            address=address,
            cart_token=request.header("x-cart-token")[:200],
            order_token=request.header("x-order-token")[:200],
        )

    async def _identified(self, secret: str) -> Actor | None:
        """Asks auth; the answer is believed for five seconds, so a withdrawn key dies within ten."""
        digest = hashlib.sha256(secret.encode()).hexdigest()
        now = time.monotonic()
        known = self._known.get(digest)
        if known is not None and known[0] > now:
            return known[1]
        actor = await self.authenticate(secret)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[digest] = (now + 5, actor)
        return actor

    async def _check_same_origin(self, request: Request) -> None:
        """A write by a browser comes from our own pages: the browser says so, and the visitor's token fits."""
        site, origin = request.header("sec-fetch-site"), request.header("origin")
        if site and site != "same-origin":
            raise Forbidden("this form was sent from another site")
        scheme, _, host = origin.partition("://")
        if not site and origin and (host != request.header("host") or (self.secure and scheme != "https")):
            raise Forbidden("this form was sent from another site")
        expected = request.cookie("csrf")
        given = request.header("x-csrf-token")
        if not given:
            match = re.search(rb"(?:^|&)_csrf=([A-Za-z0-9_-]{16,128})(?:&|$)", await request.body())
            given = match.group(1).decode() if match else ""
        if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
            raise Forbidden("the form is too old; load the page again", reason="csrf")

    async def _internal(self, scope: Any, receive: Any) -> Answer:
        """A call of a peer: `POST /internal/<service>/<method>`."""
        service, _, method = scope["path"][len("/internal/") :].partition("/")
        served = self.served.get(service)
        scheme, _, note = scope["sampan.token"].partition(" ")
        if served is None or scheme != "Service" or scope["method"] != "POST":
            raise NoSuchAddress("there is nothing at this address")
        scope["sampan.route"] = f"internal {service}"
        request = Request(scope, receive)
        request.limit = 32 << 20
        try:
            seconds = min(float(request.header("x-deadline") or DEADLINE), 40.0)
        except ValueError:
            seconds = DEADLINE
        try:
            claims = served.admit(note)  # before anything of the body is read
            status, body = await served.call(method, await request.body(), claims, context.request_id.get(), seconds)
        except Exception as failure:
            if isinstance(failure, Unauthenticated) and self.limiter is not None:
                await self.limiter.spend(EDGE, scope["sampan.client"], EVERYONE)  # a stranger, like any other
            status, body = refused(as_refusal(failure))
        return Answer(status, body, b"application/msgpack")


class Uncached(Exception):
    """An answer that is not kept."""

    def __init__(self, answer: Answer | Stream) -> None:
        self.answer = answer


def answer_key(scope: Any) -> str:
    """Under which an answer is kept."""
    # A line feed parts them, for no path has one; a question mark may stand in a path, encoded.
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope['sampan.language']} {scope['path']}\n{query}"


def cached_answer(kept: bytes, scope: Any) -> Answer:
    """Cacheable answers carry no cookie and vary on language."""
    if not kept.startswith(GZIP):
        return Answer(200, kept, headers=CACHED)
    if accepts_gzip(scope):
        return Answer(200, kept, headers=CACHED_PACKED)
    return Answer(200, isal_zlib.decompress(kept, isal_zlib.MAX_WBITS | 16), headers=CACHED)


GZIP = b"\x1f\x8b"  # how compressed bytes begin, and no JSON
SMALL = 1400  # bytes that fit into one packet are not worth compressing
CACHED = [(b"cache-control", b"public, max-age=5"), (b"vary", b"accept-language")]
CACHED_PACKED = [*CACHED, (b"vary", b"accept-encoding"), (b"content-encoding", b"gzip")]


def language_of(scope: Any) -> str:
    """The language of a page's address; of anything else what the client prefers."""
    if wants_page(scope):
        return "en" if scope["path"] == "/en" or scope["path"].startswith("/en/") else "vi"
    found: str = scope["sampan.language"]
    return found


def wants_page(scope: Any) -> bool:
    """True for a browser on a page's address; the API always answers problems."""
    if scope["path"].startswith(("/api/", "/internal/")):
        return False
    return scope.get("sampan.page", False) or any(
        name == b"accept" and b"text/html" in value for name, value in scope["headers"]
    )


def is_of_a_peer(path: str, token: str) -> bool:
    """True for a call of another service; elsewhere its word counts for nothing, and anybody could say it."""
    return path.startswith("/internal/") and token.startswith("Service ")


def is_by_the_edge(error: ShopError) -> bool:
    """True where the limit of all requests together refuses: as many refusals as anybody cares to cause."""
    return isinstance(error, TooManyRequests) and error.facts.get("rate_limit", ("",))[0] == EDGE
