"""When a parcel arrives: dates that a customer is told, so working days and days off are counted, not hoped for."""

from collections.abc import Collection
from datetime import date, datetime, time, timedelta

from sampan.kernel.catalogue import TIME_ZONE
from sampan.services.shipping.contract import Promise

DAY = timedelta(days=1)


def is_working_day(day: date, *, weekdays: Collection[int], holidays: Collection[date]) -> bool:
    """A carrier works on its weekdays (1 is Monday, 7 is Sunday) unless the day is a holiday."""
    return day.isoweekday() in weekdays and day not in holidays


def promise_for(
    *,
    at: datetime,
    cutoff: time,
    first_days: int,
    last_days: int,
    weekdays: Collection[int],
    holidays: Collection[date],
) -> Promise:
    """An order before the cut-off of a working day leaves that day, any other one on the next working day.

    It arrives between `first_days` and `last_days` working days after it left. Clock and calendar are those of
    Vietnam, wherever the customer is; `at` may be in any zone. `weekdays` names at least one day.
    """
    local = at.astimezone(TIME_ZONE)

    def working_day(day: date) -> date:
        while not is_working_day(day, weekdays=weekdays, holidays=holidays):
            day += DAY
        return day

    def after(day: date, count: int) -> date:
        for _ in range(count):
            day = working_day(day + DAY)
        return day

    today = local.date()
    leaves = working_day(today if local.time() < cutoff else today + DAY)
    return Promise(first=after(leaves, first_days), last=after(leaves, last_days))
