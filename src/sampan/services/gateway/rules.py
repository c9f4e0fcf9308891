"""What must be true of forwarding."""

from collections.abc import Iterable

from sampan.kernel.http import Route
from sampan.kernel.router import Router

# Headers that belong to one connection, or that only we may set; never passed on.
NOT_FORWARDED = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
        b"transfer-encoding", b"upgrade", b"host", b"content-length", b"x-forwarded-for", b"x-forwarded-host",
        b"x-forwarded-proto", b"forwarded", b"x-real-ip", b"x-request-id", b"x-deadline",
    }
)  # fmt: skip
CONNECT_SECONDS = 2
ANSWER_SECONDS = 35  # until a service's next word
STREAMED = (b"text/event-stream", b"text/csv")  # answers that may be long: handed on as they come
NOT_RETURNED = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"content-length", b"date", b"server"}
)


def owners_for(table: Iterable[tuple[str, Route]]) -> Router[str]:
    """Which service serves an address: the one that declares a route there."""
    found: Router[str] = Router()
    for service, route in table:
        found.add(route.path, service)
    return found


def is_repeatable(method: str) -> bool:
    """Only reads are sent a second time; a write may have happened although its answer was lost."""
    return method in ("GET", "HEAD", "OPTIONS")
