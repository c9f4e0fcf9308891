"""Public HTTP: a service declares routes with their policies; this module turns them into ASGI handlers.

A route's function says by its annotations what it needs:

- the service's actions (its class), or any client the service was built with
- `data: SomeStruct` the strict JSON body (`| None`: it may be left out) · `form: SomeStruct` a form's body
- `query: SomeStruct` the query string
- a parameter named like one in the path; a malformed UUID there is "not found"
- `actor: Actor`, `language: str` ("vi" or "en"), `request: Request`

and returns a Struct (JSON), an `Answer`, a `Stream`, or None (204). What it raises becomes an RFC 9457 problem.
"""

import asyncio
import inspect
import logging
import re
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl
from uuid import UUID

import asyncpg
import msgspec
from isal import igzip
from msgspec import Struct

from sampan.kernel import context, strict_json
from sampan.kernel.context import Actor
from sampan.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ShopError,
    Unauthenticated,
    invalid,
)
from sampan.kernel.limits import Limit

log = logging.getLogger(__name__)

JSON = b"application/json"
PROBLEM = b"application/problem+json"
HTML = b"text/html; charset=utf-8"
CANONICAL_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
CHARSET = re.compile(r"""(?:^|;)\s*charset\s*=\s*["']?([^"';\s]*)""", re.IGNORECASE)
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
BODY_SECONDS = 10.0  # for a body to arrive, and a second more for every
BODY_RATE = 100_000  # bytes that the route takes
# Two of these would be read one way here and another way by somebody in between.
SINGLE = frozenset(
    {
        b"authorization", b"content-encoding", b"content-length", b"content-type", b"host", b"idempotency-key",
        b"origin", b"sec-fetch-site", b"x-cart-token", b"x-csrf-token", b"x-order-token",
    }
)  # fmt: skip


class PayloadTooLarge(ShopError, code="kernel.payload_too_large", status=413):
    """The body is larger than this operation takes."""


class UnsupportedMediaType(ShopError, code="kernel.unsupported_media_type", status=415):
    """The body is not of the type this operation takes."""


class RequestTimeout(ShopError, code="kernel.request_timeout", status=408):
    """The body did not arrive in time."""


class MethodNotAllowed(ShopError, code="kernel.method_not_allowed", status=405):
    """This address does not do that."""


class BadRequest(ShopError, code="kernel.bad_request", status=400):
    """The request is not well formed."""


class Internal(ShopError, code="kernel.internal", status=500):
    """A fault of ours; the request id finds it in the log."""


class Policy(Struct, frozen=True):
    """Who may use a route. `name` is what documents show; `permission` is what staff need, if anything."""

    name: str
    permission: str = ""
    browser: bool = False  # a page: writes need the visitor's own token and a same-origin request
    token_header: str = ""  # the guest's secret that the object's loader compares

    def check(self, actor: Actor) -> None:
        """Raises Unauthenticated or Forbidden."""
        if not self.permission:
            return
        if actor.kind == "anonymous":
            raise Unauthenticated("this operation needs a member of staff or an API key")
        if not actor.may(self.permission):
            raise Forbidden(f"this operation needs the permission {self.permission}")


public = Policy("public")
page = Policy("page", browser=True)
cart_holder = Policy("cart holder", token_header="X-Cart-Token")  # noqa: S106 -- a header's name
order_holder = Policy("order holder", token_header="X-Order-Token")  # noqa: S106
provider = Policy("provider")  # a payment provider: its signature is checked by the handler, on the raw bytes


def staff(permission: str) -> Policy:
    """Members of staff and API keys that hold `permission`."""
    if not permission:
        raise ValueError("a staff policy names its permission")
    return Policy("staff", permission=permission)


class Answer(Struct):
    """A whole response. `headers` are lower-case names; content-length is added."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = []

    def with_cookie(
        self, name: str, value: str, *, secure: bool, max_age: int | None = None, http_only: bool = True
    ) -> "Answer":
        """Add a cookie; in production (`secure`) names begin with `__Host-`."""
        parts = [f"{'__Host-' if secure else ''}{name}={value}", "Path=/", "SameSite=Lax"]
        if secure:
            parts.append("Secure")
        if http_only:
            parts.append("HttpOnly")
        if max_age is not None:
            parts.append(f"Max-Age={max_age}")
        self.headers = [*self.headers, (b"set-cookie", "; ".join(parts).encode())]
        return self


class Stream(Struct):
    """A response whose body comes in pieces."""

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: bytes = b"application/octet-stream"
    headers: list[tuple[bytes, bytes]] = []


def html(text: str, *, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    return Answer(status, text.encode(), HTML, list(headers))


def redirect(path: str, *, status: int = 303) -> Answer:
    """To a path of our own. Raises ValueError for anything else."""
    if not path.startswith("/") or path.startswith(("//", "/\\")) or any(c < " " for c in path):
        raise ValueError("redirects go to our own paths")
    return Answer(status, b"", HTML, [(b"location", path.encode())])


def redirect_away(url: str) -> Answer:
    """To a provider's page; the caller takes the address from a provider's configured base URL."""
    return Answer(303, b"", HTML, [(b"location", url.encode("ascii"))])


def json(value: object, *, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value))


class Request:
    """One request as handlers see it."""

    __slots__ = (
        "_body",
        "_headers",
        "actor",
        "id",
        "language",
        "limit",
        "method",
        "params",
        "path",
        "receive",
        "scope",
    )

    def __init__(self, scope: Mapping[str, Any], receive: Any) -> None:
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.params: Mapping[str, str] = scope.get("path_params", {})
        self.id = context.request_id.get()
        self.actor = context.actor.get()
        self.language: str = scope.get("sampan.language", "vi")
        self.limit = 1 << 20
        self._headers: dict[bytes, bytes] | None = None
        self._body: bytes | None = None

    @property
    def headers(self) -> dict[bytes, bytes]:
        """By name in small letters. Raises BadRequest for two of what there is one of."""
        if self._headers is None:
            found: dict[bytes, bytes] = dict(self.scope["headers"])
            if len(found) != len(self.scope["headers"]):
                found = joined(self.scope["headers"])
            self._headers = found
        return self._headers

    def header(self, name: str) -> str:
        """A header's value, or an empty string."""
        return self.headers.get(name.lower().encode(), b"").decode("latin-1")

    def cookie(self, name: str, *, ours: bool = True) -> str:
        """A cookie's value, or an empty string. `ours`: it was set by `with_cookie`, and not by a script of a page.

        On HTTPS only `__Host-name` counts: any other could come from a neighbouring host.
        """
        wanted = f"__Host-{name}" if ours and self.scope.get("sampan.secure") else name
        for part in self.header("cookie").split(";"):
            key, _, value = part.strip().partition("=")
            if key == wanted:
                return value
        return ""

    @property
    def client_ip(self) -> str:
        """The client's address as providers want it; of IPv6 the network is known here, which serves them as well."""
        address = str(self.scope.get("sampan.client", "")).partition("/")[0]
        return address if address not in ("", "unknown") else "127.0.0.1"

    @property
    def raw_query(self) -> bytes:
        query: bytes = self.scope.get("query_string", b"")
        return query

    def query(self) -> list[tuple[str, str]]:
        """The parameters in order. Raises BadRequest for what is not a query string."""
        return pairs(self.raw_query)

    async def body(self) -> bytes:
        """The whole body. Raises PayloadTooLarge beyond the route's limit, RequestTimeout for one that dribbles in."""
        if self._body is None:
            declared = self.header("content-length")
            if declared.isdigit() and int(declared) > self.limit:
                raise PayloadTooLarge(f"the body may have {self.limit} bytes")
            try:
                async with asyncio.timeout(BODY_SECONDS + self.limit / BODY_RATE):
                    self._body = await self._received()
            except TimeoutError:
                raise RequestTimeout("the body did not arrive in time") from None
        return self._body

    async def _received(self) -> bytes:
        chunks, size = [], 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the client went away")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.limit:
                raise PayloadTooLarge(f"the body may have {self.limit} bytes")
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers of which some came several times (RFC 9110, 5.3; cookies of HTTP/2 by RFC 9113, 8.2.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in found:
            found[name] = value
        elif name in SINGLE:
            raise BadRequest(f"the header {name.decode('latin-1')} is given twice")
        else:
            found[name] += (b"; " if name == b"cookie" else b", ") + value
    return found


def pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        found = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=100, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise BadRequest("the query or form is not well formed") from None
    if any("\x00" in name or "\x00" in value for name, value in found):
        raise BadRequest("NUL is not a character of any text here")
    return found


Handler = Callable[[Request], Awaitable[Answer | Stream]]
Tags = Callable[[Request], list[str]]


class Route(Struct, frozen=True):
    """A declared operation."""

    method: str
    path: str  # with the prefix; parameters in braces
    function: Callable[..., Awaitable[Any]]
    policy: Policy
    status: int = 200
    idempotency: str = "none"  # none, accepted, required
    limit: Limit | None = None
    limit_name: str = ""  # routes that do the same share one limit under this name; else the route has its own
    cached: Tags | None = None  # a public answer; the tags, known from the request, that make it stale
    errors: tuple[type[ShopError], ...] = ()
    body_limit: int = 1 << 20
    takes: tuple[str, ...] = ()  # media types of a body that the function reads itself
    gives: str = ""  # media type of an Answer, for the documents
    leads: Mapping[str, str] = {}  # path parameters of other operations, and where the answer has them (JSON Pointer)
    in_documents: bool = True

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


class Routes:
    """The routes of one service, in the order of their declaration. An undeclared policy is a TypeError."""

    def __init__(self, prefix: str = "/api/v1", *, in_documents: bool = True) -> None:
        self.prefix = prefix
        self.in_documents = in_documents
        self.all: list[Route] = []

    def __iter__(self) -> Any:
        return iter(self.all)

    def _add(self, method: str, path: str, policy: Policy, **options: Any) -> Callable[[Any], Any]:
        if not isinstance(policy, Policy):
            raise TypeError(f"{method} {path} declares no policy")
        if method in UNSAFE and options.get("cached"):
            raise TypeError(f"{method} {path}: only reads are cached")

        def add(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            options.setdefault("in_documents", self.in_documents)
            self.all.append(Route(method, self.prefix + path, function, policy, **options))
            return function

        return add

    def get(self, path: str, *, policy: Policy, **options: Any) -> Callable[[Any], Any]:
        return self._add("GET", path, policy, **options)

    def post(self, path: str, *, policy: Policy, **options: Any) -> Callable[[Any], Any]:
        options.setdefault("idempotency", "none" if policy.browser or policy is provider else "accepted")
        return self._add("POST", path, policy, **options)

    def put(self, path: str, *, policy: Policy, **options: Any) -> Callable[[Any], Any]:
        return self._add("PUT", path, policy, **options)

    def patch(self, path: str, *, policy: Policy, **options: Any) -> Callable[[Any], Any]:
        options.setdefault("idempotency", "accepted")
        return self._add("PATCH", path, policy, **options)

    def delete(self, path: str, *, policy: Policy, **options: Any) -> Callable[[Any], Any]:
        return self._add("DELETE", path, policy, **options)


def struct_of(hint: Any) -> type[Struct] | None:
    """The Struct in an annotation such as `X` or `X | None`."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next((part for part in get_args(hint) if part is not type(None)), None)
    return hint if isinstance(hint, type) and issubclass(hint, Struct) else None


def bind(route: Route, parts: Iterable[object]) -> Handler:
    """The route's function with its arguments prepared; `parts` are the actions and clients it may ask for.

    Raises:
        TypeError: a parameter is nothing we know.
    """
    hints = get_type_hints(route.function)
    readers: list[Callable[[Request], Any]] = []
    body: tuple[str, type[Struct]] | None = None
    may_lack_body = False
    in_path = set(re.findall(r"{(\w+)(?:\.\.\.)?}", route.path))
    for name in inspect.signature(route.function).parameters:
        hint = hints.get(name)
        if name in in_path:
            readers.append(path_reader(name, hint))
        elif hint is Actor:
            readers.append(lambda request: request.actor)
        elif hint is Request:
            readers.append(lambda request: request)
        elif name == "language":
            readers.append(lambda request: request.language)
        elif name == "query" and (shape := struct_of(hint)):
            readers.append(query_reader(shape, strict=not route.policy.browser))
        elif name in ("data", "form") and (shape := struct_of(hint)):
            body, may_lack_body = (name, shape), type(None) in get_args(hint)
            readers.append(lambda request: None)
        else:
            part = next((part for part in parts if is_part(part, hint)), None)
            if part is None:
                raise TypeError(f"{route.name}: nothing fits the parameter {name}: {hint}")
            readers.append(constant(part))
    function, status = route.function, route.status
    place = next((i for i, n in enumerate(inspect.signature(function).parameters) if body and n == body[0]), -1)

    async def handle(request: Request) -> Answer | Stream:
        arguments = [read(request) for read in readers]
        if route.takes:
            check_media(request, *route.takes)
        if body is not None and not (may_lack_body and not await request.body()):
            reader = json_body if body[0] == "data" else form_body
            arguments[place] = await reader(request, body[1])
        result = await function(*arguments)
        if isinstance(result, Answer | Stream):
            return result
        if result is None:
            return Answer(204)
        return Answer(status, msgspec.json.encode(result))

    return handle


def constant(value: object) -> Callable[[Request], Any]:
    return lambda request: value


def is_part(part: object, hint: Any) -> bool:
    if not isinstance(hint, type):
        return False
    return (
        isinstance(part, hint)
        if not getattr(hint, "_is_protocol", False)
        else type(part).__name__ == (f"{hint.__name__}Client")
    )


def path_reader(name: str, hint: Any) -> Callable[[Request], Any]:
    if hint is UUID:

        def read_uuid(request: Request) -> UUID:
            text = request.params[name]
            if not CANONICAL_UUID.fullmatch(text):  # one object has one address; UUID() takes many more spellings
                raise NotFound("there is nothing at this address")
            return UUID(text)

        return read_uuid
    return lambda request: request.params[name]


def query_reader(shape: type[Struct], *, strict: bool) -> Callable[[Request], Struct]:
    """Reads the query string into `shape`. A field `attr: dict[str, list[str]]` collects `attr.<code>=…`."""
    hints = get_type_hints(shape, include_extras=True)
    lists = {name for name, hint in hints.items() if get_origin(hint) is list}
    nullable = {name for name, hint in hints.items() if reads_null(hint)}

    def read(request: Request) -> Struct:
        if not request.raw_query:
            return shape()
        values: dict[str, Any] = {}
        for name, value in request.query():
            head, _, rest = name.partition(".")
            if rest and head in hints and get_origin(hints[head]) is dict:
                values.setdefault(head, {}).setdefault(rest, []).append(value)
            elif name not in hints:
                if strict:
                    raise invalid(name, "unknown", "there is no such parameter")
            elif name in lists:
                values.setdefault(name, []).append(value)
            elif name in nullable and value.lower() == "null":
                raise invalid(name, "type", "what is not wanted is left out")
            elif name in values:
                raise BadRequest(f"the parameter {name} is given twice")
            else:
                values[name] = value
        return strict_json.convert(values, shape, strict=False)

    return read


def reads_null(hint: Any) -> bool:
    """True if the reader of texts would take the word `null` for nothing in this field."""
    try:
        return msgspec.convert("null", hint, strict=False) is None
    except msgspec.ValidationError:
        return False


def check_media(request: Request, *takes: str) -> None:
    """A body is of a type that is taken here, in UTF-8 where it is text, and as it is: nothing is unpacked.

    Raises UnsupportedMediaType.
    """
    kind, _, parameters = request.header("content-type").partition(";")
    if kind.strip().lower() not in takes:
        raise UnsupportedMediaType(f"send {' or '.join(takes)}")
    charset = CHARSET.search(parameters)
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("send it in UTF-8")
    if request.header("content-encoding").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("send it without a Content-Encoding")


async def json_body(request: Request, shape: type[Struct]) -> Struct:
    check_media(request, "application/json")
    found: Struct = strict_json.decode(await request.body(), shape)
    return found


async def form_body(request: Request, shape: type[Struct]) -> Struct:
    """A form's fields; empty ones count as absent, unknown ones are passed over (browsers add their own)."""
    check_media(request, "application/x-www-form-urlencoded")
    hints = get_type_hints(shape)
    values: dict[str, Any] = {}
    for name, value in pairs(await request.body()):
        if name not in hints:
            continue
        if get_origin(hints[name]) is list:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise BadRequest(f"the field {name} is given twice")
        elif value != "" or hints[name] is str:
            values[name] = value.replace("\r\n", "\n")
    found: Struct = strict_json.convert(values, shape, strict=False)
    return found


# --- refusals ---------------------------------------------------------------------------------------------------------


def as_refusal(failure: Exception) -> ShopError:
    """What an exception means to a client. What we did not expect is logged with its traceback."""
    if isinstance(failure, ShopError):
        return failure
    if isinstance(failure, asyncpg.DataError):
        log.warning("the database refused a value that validation let through", exc_info=failure)
        return Invalid("a value cannot be stored as it is")
    if isinstance(failure, asyncpg.IntegrityConstraintViolationError):
        log.error("a constraint held what a rule should have refused", exc_info=failure)
        return Conflict("this does not fit what is stored already")
    log.error("unexpected failure", exc_info=failure)
    return Internal("something went wrong on our side; please name the request id")


def title_of(error: ShopError) -> str:
    """`CouponAlreadyUsed` in words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).capitalize()


IN_HEADERS = ("retry_after", "allow", "rate_limit")  # facts that are said there


def refusal_headers(error: ShopError) -> list[tuple[bytes, bytes]]:
    """When to come again, who is let in, what is taken. The fields of a limit: draft-ietf-httpapi-ratelimit-headers."""
    headers: list[tuple[bytes, bytes]] = []
    retry = error.facts.get("retry_after")
    if retry is not None:
        headers.append((b"retry-after", str(int(retry)).encode()))
    elif error.status == 503:
        headers.append((b"retry-after", b"2"))
    if rate := error.facts.get("rate_limit"):
        name, quota, window = rate
        headers.append((b"ratelimit-policy", f'"{name}";q={quota};w={window}'.encode()))
        headers.append((b"ratelimit", f'"{name}";r=0;t={int(retry or 1)}'.encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if allow := error.facts.get("allow"):
        headers.append((b"allow", str(allow).encode()))
    return headers


def problem(error: ShopError) -> Answer:
    """RFC 9457: `type, title, status, code, detail, request_id`, then the facts."""
    body = {
        **{name: value for name, value in error.facts.items() if name not in IN_HEADERS},
        "type": f"urn:sampan:error:{error.code}",
        "title": title_of(error),
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "request_id": context.request_id.get(),
    }
    return Answer(error.status, msgspec.json.encode(body), PROBLEM, refusal_headers(error))


def gzipped(body: bytes) -> bytes:
    """The body for `Content-Encoding: gzip`. The next of ISA-L's levels takes twice as long and saves little."""
    packed: bytes = igzip.compress(body, 2, mtime=0)
    return packed


def accepts_gzip(scope: Any) -> bool:
    return any(name == b"accept-encoding" and is_gzip_wanted(value) for name, value in scope["headers"])


@lru_cache(maxsize=256)
def is_gzip_wanted(accepted: bytes) -> bool:
    """RFC 9110, 12.5.3, as far as it is about gzip: named, and not at a weight of zero."""
    for part in accepted.lower().split(b","):
        coding, _, weight = part.replace(b" ", b"").partition(b";q=")
        if coding in (b"gzip", b"x-gzip"):
            return weight.strip(b"0.") != b"" or weight == b""
    return False
