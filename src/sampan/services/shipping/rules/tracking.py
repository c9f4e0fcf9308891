"""Where a parcel is, told by staff and carriers who may speak twice, late, and in any order."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sampan.kernel.errors import invalid
from sampan.services.shipping.contract import Tracking

TERMINAL: Final[frozenset[Tracking]] = frozenset(("delivered", "partially_delivered", "returned", "cancelled", "lost"))
CORRECTIONS: Final[Mapping[Tracking, frozenset[Tracking]]] = {
    "delivered": frozenset(("returned", "partially_delivered")),
}
AHEAD: Final = timedelta(minutes=10)  # how far another's clock may be ahead of ours


def is_repeated(known: Tracking, new: Tracking, at: datetime | None) -> bool:
    """Whoever says without a time what is known already says nothing new."""
    return at is None and new == known


def is_applied(known: Tracking, since: datetime, new: Tracking, at: datetime) -> bool:
    """A parcel's status follows the newest news by the carrier's clock, and a terminal status stays.

    Only a carrier's correction leaves one: delivered becomes returned or partly delivered, and what was lost may be
    found. A parcel is made once, so nothing becomes `created`, and anything is newer than that. The same status again
    counts as well: what lies between is old news then.
    """
    if new == "created":
        return False
    if known == "created":
        return True
    if at <= since:
        return False
    return known == "lost" or known not in TERMINAL or new in CORRECTIONS.get(known, ())


def check_time(at: datetime, now: datetime) -> None:
    """News from the future is refused, for nothing later would count against it; clocks may differ by ten minutes."""
    if at > now + AHEAD:
        raise invalid("at", "range", "this has not happened yet")
