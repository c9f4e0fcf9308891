"""One way to call a service, in process or over HTTP.

`connect(Contract, live_object)` is a thin local client; `connect(Contract, Remote(…))` speaks msgpack to
`POST /internal/<service>/<method>`. Both are checked against the same Protocol at start, both refuse to be called
inside a transaction, and only `ShopError` crosses.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast, get_type_hints

import httpx
import msgspec

from sampan.kernel import context
from sampan.kernel.db import CalledInTransaction
from sampan.kernel.errors import RemoteUnavailable, ShopError, raised
from sampan.kernel.identity import Claims, Identity

C = TypeVar("C")
SAFE_TRIES = 2


class Method(msgspec.Struct, frozen=True):
    """One method of a contract: how its keyword arguments and its result are written on the wire."""

    name: str
    arguments: type[Any]
    decode_result: Callable[[bytes], Any]


class WireError(msgspec.Struct):
    code: str
    status: int
    detail: str
    facts: dict[str, Any]


def methods_of(contract: type[Any]) -> dict[str, Method]:
    """The methods a Protocol declares: public, async, keyword-only, fully annotated.

    Raises:
        TypeError: a method is not like that.
    """
    found = {}
    names = [
        name
        for cls in reversed(contract.__mro__)
        for name, value in vars(cls).items()
        if not name.startswith("_") and inspect.iscoroutinefunction(value)
    ]
    for name in dict.fromkeys(names):
        function = getattr(contract, name)
        hints = get_type_hints(function)
        fields: list[Any] = []
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or parameter.name not in hints:
                raise TypeError(f"{contract.__name__}.{name}: arguments are keyword-only and annotated")
            default = () if parameter.default is inspect.Parameter.empty else (parameter.default,)
            fields.append((parameter.name, hints[parameter.name], *default))
        if "return" not in hints:
            raise TypeError(f"{contract.__name__}.{name}: the result is not annotated")
        found[name] = Method(
            name=name,
            arguments=msgspec.defstruct(f"{contract.__name__}_{name}", fields, kw_only=True),
            decode_result=msgspec.msgpack.Decoder(hints["return"]).decode,
        )
    return found


def check_implements(contract: type[Any], target: object) -> None:
    """The live object has every method of the contract with the same keyword arguments.

    Raises:
        TypeError: it has not.
    """
    for name in methods_of(contract):
        method = getattr(target, name, None)
        if not inspect.iscoroutinefunction(method):
            raise TypeError(f"{type(target).__name__} lacks {contract.__name__}.{name}")
        expected = list(inspect.signature(getattr(contract, name)).parameters)[1:]
        actual = inspect.signature(method).parameters
        if list(actual) != expected:
            raise TypeError(f"{type(target).__name__}.{name} takes {list(actual)}, {contract.__name__} says {expected}")


class Remote(msgspec.Struct, frozen=True):
    """Where a peer is, and who calls it."""

    service: str
    url: str
    caller: str
    identity: Identity
    http: httpx.AsyncClient


def connect(contract: type[C], target: object) -> C:
    """A client for `contract`: of a live object, or of a `Remote`.

    Raises:
        TypeError: the live object does not fit the contract.
    """
    if isinstance(target, Remote):
        methods = {
            name: remote_call(target, method, safe=is_safe(name)) for name, method in methods_of(contract).items()
        }
    else:
        check_implements(contract, target)
        methods = {name: local_call(getattr(target, name)) for name in methods_of(contract)}
    client = type(f"{contract.__name__}Client", (), {"__slots__": (), **methods})
    return cast(C, client())


def is_safe(name: str) -> bool:
    """A method that only reads, by our naming: a noun, `…_for`, `…_after`. Those are tried again once."""
    return name.endswith(("_for", "_after", "_by_ids")) or name.startswith(("find_", "list_", "get_"))


def refuse_in_transaction(name: str) -> None:
    if context.in_transaction.get():
        raise CalledInTransaction(f"{name} was called inside a transaction")


def local_call(method: Callable[..., Awaitable[Any]]) -> Any:
    name = method.__qualname__

    def call(_: object, **arguments: Any) -> Awaitable[Any]:
        refuse_in_transaction(name)
        return method(**arguments)

    return call


def remote_call(remote: Remote, method: Method, *, safe: bool) -> Any:
    url = f"{remote.url}/internal/{remote.service}/{method.name}"

    async def call(_: object, **arguments: Any) -> Any:
        refuse_in_transaction(url)
        content = msgspec.msgpack.encode(method.arguments(**arguments))
        for attempt in range(SAFE_TRIES if safe else 1):
            seconds = context.seconds_left(10.0 + float(arguments.get("wait", 0.0)))
            headers = {
                "content-type": "application/msgpack",
                "authorization": "Service "
                + remote.identity.note(caller=remote.caller, audience=remote.service, actor=context.actor.get()),
                "x-request-id": context.request_id.get(),
                "x-deadline": f"{seconds:.3f}",
            }
            try:
                answer = await remote.http.post(
                    url, content=content, headers=headers, timeout=httpx.Timeout(seconds + 0.2, connect=2.0)
                )
            except httpx.HTTPError as failure:
                if attempt + 1 < SAFE_TRIES and safe:
                    continue
                raise RemoteUnavailable(f"{remote.service} did not answer", service=remote.service) from failure
            return result_of(remote, method, answer)
        raise AssertionError("unreachable")

    return call


def result_of(remote: Remote, method: Method, answer: httpx.Response) -> Any:
    if answer.status_code == 200:
        return method.decode_result(answer.content)
    if answer.headers.get("content-type") == "application/msgpack":
        error = msgspec.msgpack.decode(answer.content, type=WireError)
        raise raised(error.code, error.status, error.detail, error.facts)
    raise RemoteUnavailable(f"{remote.service} answered {answer.status_code}", service=remote.service)


class Served:
    """The other side: calls of peers to one contract of one service."""

    def __init__(self, service: str, contract: type[Any], target: object, identity: Identity) -> None:
        check_implements(contract, target)
        self.service = service
        self.target = target
        self.identity = identity
        self.methods = methods_of(contract)
        self._decoders = {name: msgspec.msgpack.Decoder(m.arguments) for name, m in self.methods.items()}

    def check(self, note: str) -> Claims:
        """Who calls, for whom. Raises Unauthenticated."""
        return self.identity.check(note, audience=self.service)

    async def call(self, name: str, body: bytes, note: str, request: str, seconds: float) -> tuple[int, bytes]:
        """Run one call; the HTTP status and the msgpack body of the answer."""
        try:
            claims = self.check(note)
            if name not in self.methods:
                raise raised("kernel.no_such_method", 404, f"{self.service} has no method {name}", {})
            try:
                arguments = self._decoders[name].decode(body)
            except msgspec.DecodeError as failure:
                raise raised("kernel.bad_call", 400, str(failure), {}) from None
            with context.working_as(claims.actor, request=request, seconds=seconds):
                result = await getattr(self.target, name)(
                    **{field: getattr(arguments, field) for field in arguments.__struct_fields__}
                )
            return 200, msgspec.msgpack.encode(result)
        except ShopError as error:
            return error.status, msgspec.msgpack.encode(
                WireError(error.code, error.status, error.detail, dict(error.facts))
            )
