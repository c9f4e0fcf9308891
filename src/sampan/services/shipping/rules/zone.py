"""What staff write: zones with their places, rates with their bands, services, days off."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from sampan.kernel.errors import ShopError, invalid
from sampan.services.shipping.rules.offer import EVERYWHERE, VIETNAM, Amount, Band, Days

SERVICE_CODE: Final = re.compile("[a-z][a-z0-9]{0,19}", re.ASCII)

ZoneCode = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=40)]
MarketCode = Annotated[str, Meta(pattern=r"^[A-Z]{2,8}\Z")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
ProvinceCode = Annotated[str, Meta(pattern=r"^[0-9]{2}\Z")]
WardCode = Annotated[str, Meta(pattern=r"^[0-9]{5}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=120)]
Priority = Annotated[int, Meta(ge=0, le=1000)]
Version = Annotated[int, Meta(ge=1)]
Weekday = Annotated[int, Meta(ge=1, le=7)]


class UnknownZone(ShopError, code="shipping.unknown_zone", status=404):
    """There is no such zone."""


class UnknownService(ShopError, code="shipping.unknown_service", status=422):
    """There is no such service."""


class ZoneExists(ShopError, code="shipping.zone_exists", status=409):
    """There is a zone of this code."""


class VersionChanged(ShopError, code="shipping.version_changed", status=409):
    """Somebody changed the zone after you read it; the fact `version` is the present one."""


class WardIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A ward, by its code and that of its province."""

    province_code: ProvinceCode
    ward_code: WardCode


class ZoneDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A zone as staff write it. `everywhere` makes it stand for the rest of its market.

    A lower `priority` number goes before, where two zones name the same place. `surcharge` lies on every price.
    """

    name: Name
    everywhere: bool = False
    provinces: Annotated[list[ProvinceCode], Meta(max_length=100)] = []
    wards: Annotated[list[WardIn], Meta(max_length=4000)] = []
    priority: Priority = 100
    surcharge: Amount = 0
    active: bool = True


class NewZone(ZoneDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A zone to be made. All zones of a market have one currency."""

    code: ZoneCode
    market: MarketCode
    currency: Currency


class ZoneChange(ZoneDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A zone written anew over the `version` that was read; its rates stay."""

    version: Version


class RateDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a service costs and promises in a zone; amounts in minor units of the market's currency.

    `cod_limit` null: no cash on delivery. Days are working days after the parcel left; `cutoff` is local time.
    """

    bands: Annotated[list[Band], Meta(min_length=1, max_length=50)]
    first_days: Days
    last_days: Days
    cutoff: Annotated[time, Meta(tz=False)]
    cod_fee: Amount = 0
    cod_limit: Amount | None = None
    active: bool = True


class RateChange(RateDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate set over the `version` of its zone that was read."""

    version: Version


class ServiceDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to deliver, with its names and the weekdays it works on (1 is Monday, 7 is Sunday)."""

    carrier: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z")]
    name: dict[Literal["vi", "en"], Name]
    weekdays: Annotated[list[Weekday], Meta(min_length=1, max_length=7)]
    active: bool = True


class HolidayDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A day on which no carrier works, and who says so."""

    name: Name
    source: Annotated[str, Meta(min_length=1, max_length=500)]


class ZoneRate(Struct, frozen=True):
    """A rate as it is kept."""

    service: str
    bands: list[Band]
    first_days: int
    last_days: int
    cutoff: time
    cod_fee: int
    cod_limit: int | None
    active: bool


class Zone(Struct, frozen=True):
    """A zone as it is kept, with all its rates. `version` grows with every change of it or of them."""

    code: str
    market: str
    currency: str
    name: str
    everywhere: bool
    provinces: list[str]
    wards: list[WardIn]
    priority: int
    surcharge: int
    active: bool
    version: int
    changed_at: datetime
    rates: list[ZoneRate]


class Service(Struct, frozen=True):
    code: str
    carrier: str
    name: dict[str, str]
    weekdays: list[int]
    active: bool


class Holiday(Struct, frozen=True):
    day: date
    name: str
    source: str


class Place(Struct, frozen=True):
    """A place that a zone names: a ward, a province, or everywhere. `province_code` is the ward's own."""

    code: str
    province_code: str


def places_of(draft: ZoneDraft) -> list[Place]:
    """Every place the zone names."""
    return [
        *([Place(EVERYWHERE, "")] if draft.everywhere else []),
        *(Place(code, code) for code in draft.provinces),
        *(Place(ward.ward_code, ward.province_code) for ward in draft.wards),
    ]


def check_places(draft: ZoneDraft, market: str) -> None:
    """A zone names at least one place, each once; provinces and wards are named in Vietnam only."""
    if market != VIETNAM and (draft.provinces or draft.wards):
        raise invalid("provinces", "value", f"only zones of {VIETNAM} name provinces and wards")
    if not (draft.everywhere or draft.provinces or draft.wards):
        raise invalid("provinces", "missing", "name a province or a ward, or everywhere")
    if len(set(draft.provinces)) != len(draft.provinces):
        raise invalid("provinces", "duplicate", "a province is named twice")
    if len({ward.ward_code for ward in draft.wards}) != len(draft.wards):
        raise invalid("wards", "duplicate", "a ward is named twice")


def check_rate(draft: RateDraft) -> None:
    """A rate has a price for every order value, one for each value and weight, and promises a first day before a last.

    So one of its bands begins at an order value of nothing.
    """
    if draft.first_days > draft.last_days:
        raise invalid("last_days", "range", "the last day is not before the first")
    if not any(band.from_value == 0 for band in draft.bands):
        raise invalid("bands", "missing", "one band begins at an order value of 0")
    if len({(band.from_value, band.up_to_grams) for band in draft.bands}) != len(draft.bands):
        raise invalid("bands", "duplicate", "two bands have the same order value and weight")


def check_service_code(code: str) -> None:
    """A service's code is 1 to 20 small letters and digits and begins with a letter."""
    if not SERVICE_CODE.fullmatch(code):
        raise invalid("code", "pattern", "a code is 1 to 20 small letters and digits and begins with a letter")


def check_service(draft: ServiceDraft) -> None:
    """A service has a Vietnamese name and names each weekday once."""
    if "vi" not in draft.name:
        raise invalid("name.vi", "missing", "the Vietnamese name is needed")
    if len(set(draft.weekdays)) != len(draft.weekdays):
        raise invalid("weekdays", "duplicate", "a weekday is named twice")


def check_wards(wards: Sequence[WardIn], known: dict[str, set[str]]) -> None:
    """A zone names wards of today, each in its province; `known` has the wards of each province named."""
    for place, ward in enumerate(wards):
        if ward.ward_code not in known[ward.province_code]:
            raise invalid(f"wards.{place}.ward_code", "unknown", "the province has no such ward today")
