"""What must be true of forwarding."""

from collections.abc import Iterable

from msgspec import Struct

from sampan.kernel.http import BadRequest, Route
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


class Owner(Struct, frozen=True):
    """The service that serves an address, and the largest body that it takes there."""

    service: str
    body: int


def owners_for(table: Iterable[tuple[str, Route]]) -> Router[Owner]:
    """Which service serves an address: the one that declares a route there.

    Of several methods the largest body counts.
    """
    found: Router[Owner] = Router()
    for service, route in table:
        known = found.at(route.path)
        found.add(route.path, Owner(service, max(route.body_limit, known.body if known else 0)))
    return found


def unknown_pages_for(table: Iterable[tuple[str, Route]]) -> Owner | None:
    """Who answers where nobody declares a route: the storefront, which knows how to say so to people.

    It takes there what the least of its pages takes. None where there is no storefront.
    """
    bodies = [route.body_limit for service, route in table if service == "storefront"]
    return Owner("storefront", min(bodies)) if bodies else None


def check_path(raw: bytes) -> None:
    """An address that goes up (`/../`) or stays (`/./`), also in disguise (`%2e`), is not handed on: it could arrive
    elsewhere than at the one for whom it was let through.

    Raises BadRequest.
    """
    segments = raw.lower().replace(b"%2e", b".").split(b"/")
    if not raw.startswith(b"/") or b"." in segments or b".." in segments:
        raise BadRequest("an address begins with a slash and has no segments . and ..")


def is_repeatable(method: str) -> bool:
    """Only reads are sent a second time; a write may have happened although its answer was lost."""
    return method in ("GET", "HEAD", "OPTIONS")
