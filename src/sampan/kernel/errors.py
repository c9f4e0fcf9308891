"""Refusals. A `ShopError` is an answer the shop gives on purpose; it alone crosses a contract.

Every refusal is a class with a stable code (`orders.quote_changed`) and an HTTP status. In process it is raised as it
is; over HTTP it travels as code, detail and facts and is raised again as the same class on the other side.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class ShopError(Exception):
    """A refusal: `detail` says in English what happened, `facts` carry data a client can act on (JSON values only).

    Subclass it with `class CouponAlreadyUsed(ShopError, code="promotions.coupon_already_used", status=409)`.
    """

    code: ClassVar[str] = "kernel.error"
    status: ClassVar[int] = 500
    by_code: ClassVar[dict[str, type["ShopError"]]] = {}

    def __init_subclass__(cls, *, code: str, status: int) -> None:
        known = ShopError.by_code.get(code)
        if known is not None and known.__qualname__ != cls.__qualname__:
            raise TypeError(f"two errors share the code {code}: {known.__qualname__} and {cls.__qualname__}")
        cls.code, cls.status = code, status
        ShopError.by_code[code] = cls

    def __init__(self, detail: str = "", **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts: Mapping[str, Any] = facts

    def __reduce__(self) -> Any:
        return raised, (self.code, self.status, self.detail, dict(self.facts))


class Refusal(ShopError, code="kernel.refusal", status=500):
    """A refusal of a peer whose class this process does not know; keeps the peer's code and status."""


def raised(code: str, status: int, detail: str, facts: Mapping[str, Any]) -> ShopError:
    """The error that a peer sent: an instance of the class that bears `code`, else a `Refusal` with code and status."""
    cls = ShopError.by_code.get(code)
    if cls is not None:
        error = cls.__new__(cls)
    else:
        error = Refusal.__new__(Refusal)
        error.code, error.status = code, status  # type: ignore[misc]
    ShopError.__init__(error, detail, **facts)
    return error


class NotFound(ShopError, code="kernel.not_found", status=404):
    """Nothing there, or nothing there for you: foreign and missing look the same."""


class Forbidden(ShopError, code="kernel.forbidden", status=403):
    """You are known, and you may not."""


class Unauthenticated(ShopError, code="kernel.unauthenticated", status=401):
    """Say first who you are."""


class Conflict(ShopError, code="kernel.conflict", status=409):
    """The state does not allow it now."""


class Invalid(ShopError, code="kernel.invalid", status=422):
    """The input is not acceptable; the fact `errors` lists `{"field", "code", "detail"}`."""


class RemoteUnavailable(ShopError, code="kernel.remote_unavailable", status=503):
    """A peer did not answer. Exists only where services are apart."""


class TooManyRequests(ShopError, code="kernel.too_many_requests", status=429):
    """Slow down; the fact `retry_after` is in seconds."""


def invalid(field: str, code: str, detail: str) -> Invalid:
    """One field that is wrong, named the way validation names it."""
    return Invalid(detail, errors=[{"field": field, "code": code, "detail": detail}])
