"""When a provider is asked about a payment or a refund that nobody has told us the end of."""

from datetime import datetime, timedelta
from typing import Final

FIRST: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
HOURLY: Final = timedelta(days=3)
PATIENCE: Final = timedelta(hours=24)  # after the time to pay is over
SLOW: Final = timedelta(days=5)  # a refund takes its bank some days
AGAIN: Final = timedelta(minutes=1)  # at the earliest


def next_ask(*, since: datetime, asked: int, now: datetime) -> datetime:
    """A pending payment or refund is asked about after 1, 5 and 15 minutes, then every hour, after three days daily.

    `asked` is how often it was asked since `since`. Whoever slept through some of these moments asks once, and
    again a minute later at the earliest.
    """
    if now - since > HOURLY:
        return now + timedelta(days=1)
    hours = asked - len(FIRST) + 1
    due = since + (FIRST[asked] if asked < len(FIRST) else FIRST[-1] + timedelta(hours=hours))
    return max(due, now + AGAIN)


def is_over(*, expires_at: datetime, now: datetime) -> bool:
    """A payment that nobody knows a day after its time to pay was over will not come any more."""
    return now >= expires_at + PATIENCE


def is_slow(*, since: datetime, now: datetime) -> bool:
    """A refund whose end nobody knows after so long is looked at by a person."""
    return now >= since + SLOW
