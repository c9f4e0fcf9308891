"""Which ways to deliver there are to a place, and what they cost.

A zone is a set of places with its own prices. The zone that names the ward goes before the one that names the
province, and that before the one that stands for the whole market; of two that name the same place the lower priority
number counts. Each service of the zone has bands of order value and weight, a surcharge lies on top of all of them, and
cash on delivery has its fee and its ceiling.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Annotated, Final

from msgspec import Meta, Struct

from sampan.kernel.catalogue import TIME_ZONE
from sampan.kernel.errors import invalid
from sampan.kernel.money import Money
from sampan.services.shipping.contract import Destination, Inspection, NotDeliverable, Option, Promise
from sampan.services.shipping.rules.promise import promise_for

EVERYWHERE: Final = ""  # the place that stands for a whole market
VIETNAM: Final = "VN"  # the market whose addresses have codes
PROVINCE: Final = re.compile("[0-9]{2}", re.ASCII)
WARD: Final = re.compile("[0-9]{5}", re.ASCII)

Amount = Annotated[int, Meta(ge=0, le=1_000_000_000)]  # minor units of the market's currency
Grams = Annotated[int, Meta(ge=1, le=1_000_000)]
Days = Annotated[int, Meta(ge=0, le=90)]


class Band(Struct, frozen=True, forbid_unknown_fields=True):
    """From this value of goods on, up to this weight: this price. Amounts in minor units of the market's currency."""

    from_value: Amount
    up_to_grams: Grams
    price: Amount


class Rate(Struct, frozen=True):
    """A service in the zone of a destination, with what its promise depends on: the clock and the days off ahead."""

    zone: str
    currency: str
    surcharge: int
    service: str
    carrier: str
    name: dict[str, str]
    weekdays: list[int]
    cod_fee: int
    cod_limit: int | None
    first_days: int
    last_days: int
    cutoff: time
    bands: list[Band]
    now: datetime
    holidays: list[date]

    @property
    def id(self) -> str:
        """The option's id; a service's code has no hyphen, so no two options share one."""
        return f"{self.zone}-{self.service}"


def places_for(to: Destination) -> list[str]:
    """The places a zone may name to reach an address, the most precise first.

    A Vietnamese address has both codes; without them it is nowhere.
    """
    if to.market != VIETNAM:
        return [EVERYWHERE]
    if not (PROVINCE.fullmatch(to.province_code) and WARD.fullmatch(to.ward_code)):
        return []
    return [to.ward_code, to.province_code, EVERYWHERE]


def price_for(bands: Sequence[Band], *, grams: int, value: int, surcharge: int) -> int | None:
    """The price of the band with the highest order value that is reached and that takes the weight.

    Of several such bands the one for the lightest parcels counts. The zone's surcharge is added, to a free delivery
    too. None: too heavy for this service.
    """
    fitting = [band for band in bands if band.from_value <= value and grams <= band.up_to_grams]
    if not fitting:
        return None
    return max(fitting, key=lambda band: (band.from_value, -band.up_to_grams)).price + surcharge


def free_from(bands: Sequence[Band], *, grams: int, surcharge: int) -> int | None:
    """The lowest order value at which this weight travels for nothing; None where it never does."""
    values = sorted(band.from_value for band in bands)
    return next((v for v in values if price_for(bands, grams=grams, value=v, surcharge=surcharge) == 0), None)


def is_in_time(rate: Rate, promise: Promise) -> bool:
    """A same-day service is offered only while the parcel can still arrive today."""
    return rate.last_days > 0 or promise.last == rate.now.astimezone(TIME_ZONE).date()


def options_for(
    rates: Sequence[Rate],
    *,
    grams: int,
    value: Money,
    language: str = "vi",
    late: bool = False,
    inspection: Inspection = "look",
) -> list[Option]:
    """Every service that takes the weight, in the currency of the goods: the cheapest first, then the earliest.

    `late` keeps what would no longer be offered now: what was chosen in time may be booked a little later.
    """
    found = []
    for rate in rates:
        if rate.currency != value.currency:
            continue
        price = price_for(rate.bands, grams=grams, value=value.amount, surcharge=rate.surcharge)
        if price is None:
            continue
        promise = promise_for(
            at=rate.now,
            cutoff=rate.cutoff,
            first_days=rate.first_days,
            last_days=rate.last_days,
            weekdays=rate.weekdays,
            holidays=rate.holidays,
        )
        if not (late or is_in_time(rate, promise)):
            continue
        free = free_from(rate.bands, grams=grams, surcharge=rate.surcharge)
        found.append(
            Option(
                id=rate.id,
                carrier=rate.carrier,
                service=rate.service,
                name=rate.name.get(language) or rate.name["vi"],
                price=Money(price, rate.currency),
                cod_fee=Money(rate.cod_fee, rate.currency),
                cod_limit=None if rate.cod_limit is None else Money(rate.cod_limit, rate.currency),
                promise=promise,
                cutoff=rate.cutoff,
                free_from=None if free is None else Money(free, rate.currency),
                inspection=inspection,
            )
        )
    return sorted(found, key=lambda o: (o.price.amount, o.promise.first, o.promise.last, o.id))


def chosen(options: Sequence[Option], option_id: str) -> Option:
    """What the customer chose, if it is still one of the ways to deliver there. Raises NotDeliverable."""
    for option in options:
        if option.id == option_id:
            return option
    raise NotDeliverable("we do not deliver there that way", option=option_id[:100])


def check_cash(option: Option, cash: Money | None) -> None:
    """Cash is collected only where the service takes it, up to its ceiling, and never a negative amount."""
    if cash is None:
        return
    if cash.amount < 0:
        raise invalid("cod_amount", "range", "the cash to collect is not negative")
    if option.cod_limit is None:
        raise NotDeliverable("this service takes no cash on delivery", option=option.id)
    if cash > option.cod_limit:
        raise NotDeliverable(
            "this is more cash than the service collects", option=option.id, limit=option.cod_limit.amount
        )
