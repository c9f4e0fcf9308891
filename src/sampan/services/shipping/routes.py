"""Shipping over HTTP: zones, rates and days off for those who set them; labels for those who pack."""

from datetime import date
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.errors import NotFound
from sampan.kernel.http import Answer, Routes, html, staff
from sampan.kernel.money import Money, UnknownCurrency
from sampan.kernel.pagination import Page, Paged
from sampan.services.locations.contract import UnknownPlace
from sampan.services.shipping.actions.shipping_actions import ShippingActions
from sampan.services.shipping.contract import Destination, Option, UnknownShipment
from sampan.services.shipping.label import POLICY, label_page
from sampan.services.shipping.rules.offer import Amount
from sampan.services.shipping.rules.zone import (
    Currency,
    Holiday,
    HolidayDraft,
    MarketCode,
    NewZone,
    RateChange,
    Service,
    ServiceDraft,
    UnknownService,
    UnknownZone,
    VersionChanged,
    Zone,
    ZoneChange,
    ZoneExists,
)

routes = Routes()


class Trial(Struct, frozen=True):
    """An address, a weight and a value to try the rates with."""

    market: MarketCode = "VN"
    province_code: Annotated[str, Meta(pattern=r"^([0-9]{2})?\Z")] = ""
    ward_code: Annotated[str, Meta(pattern=r"^([0-9]{5})?\Z")] = ""
    grams: Annotated[int, Meta(ge=0, le=1_000_000)] = 500
    value: Amount = 0
    currency: Currency = "VND"


class HolidaysWanted(Struct, frozen=True):
    year: Annotated[int, Meta(ge=2000, le=2100)] | None = None


@routes.get("/admin/shipping/zones", policy=staff("shipping.read"))
async def list_zones(shipping: ShippingActions, query: Paged) -> Page[Zone]:
    """All zones by code, with their places and rates."""
    return await shipping.list_zones(limit=query.limit, cursor=query.cursor)


@routes.post(
    "/admin/shipping/zones",
    policy=staff("shipping.write"),
    status=201,
    errors=(ZoneExists, UnknownPlace, UnknownCurrency),
)
async def create_zone(shipping: ShippingActions, data: NewZone) -> Zone:
    """A new zone without rates."""
    return await shipping.create_zone(new=data)


@routes.put(
    "/admin/shipping/zones/{code}",
    policy=staff("shipping.write"),
    errors=(UnknownZone, VersionChanged, UnknownPlace),
)
async def change_zone(shipping: ShippingActions, code: str, data: ZoneChange) -> Zone:
    """Write a zone anew, over the version that was read; its rates stay."""
    return await shipping.change_zone(code=code, draft=data, version=data.version)


@routes.put(
    "/admin/shipping/zones/{code}/rates/{service}",
    policy=staff("shipping.write"),
    errors=(UnknownZone, UnknownService, VersionChanged),
)
async def set_rate(shipping: ShippingActions, code: str, service: str, data: RateChange) -> Zone:
    """Set what a service costs and promises in a zone, over the version of the zone that was read."""
    return await shipping.set_rate(zone=code, service=service, draft=data, version=data.version)


@routes.get("/admin/shipping/options", policy=staff("shipping.read"), errors=(UnknownCurrency,))
async def try_options(shipping: ShippingActions, query: Trial, language: str) -> Page[Option]:
    """What a customer at this address is offered; an option's id names the zone and the service that made it."""
    options = await shipping.options_for(
        to=Destination(query.market, query.province_code, query.ward_code),
        grams=query.grams,
        value=Money(query.value, query.currency),
        language=language,
    )
    return Page(items=options, next=None)


@routes.get("/admin/shipping/services", policy=staff("shipping.read"))
async def list_services(shipping: ShippingActions) -> Page[Service]:
    """All services by code."""
    return Page(items=await shipping.list_services(), next=None)


@routes.put("/admin/shipping/services/{code}", policy=staff("shipping.write"))
async def put_service(shipping: ShippingActions, code: str, data: ServiceDraft) -> Service:
    """Add or change a service."""
    return await shipping.put_service(code=code, draft=data)


@routes.get("/admin/shipping/holidays", policy=staff("shipping.read"))
async def list_holidays(shipping: ShippingActions, query: HolidaysWanted) -> Page[Holiday]:
    """The days on which no carrier works, of a year or all."""
    return Page(items=await shipping.list_holidays(year=query.year), next=None)


@routes.put("/admin/shipping/holidays/{day}", policy=staff("shipping.write"))
async def put_holiday(shipping: ShippingActions, day: str, data: HolidayDraft) -> Holiday:
    """Add or change a day off (`2027-02-05`)."""
    return await shipping.put_holiday(day=day_in(day), draft=data)


@routes.delete("/admin/shipping/holidays/{day}", policy=staff("shipping.write"))
async def drop_holiday(shipping: ShippingActions, day: str) -> None:
    """The day is a working day again."""
    await shipping.drop_holiday(day=day_in(day))


@routes.get(
    "/admin/shipments/{shipment_id}/label",
    policy=staff("fulfillment.write"),
    gives="text/html",
    errors=(UnknownShipment,),
)
async def get_label(shipping: ShippingActions, shipment_id: UUID) -> Answer:
    """The parcel's label as a page to print (HTML, A6, in Vietnamese)."""
    label = await shipping.find_label(shipment_id=shipment_id)
    return html(label_page(label, shipping.settings), headers=[(b"content-security-policy", POLICY.encode())])


def day_in(text: str) -> date:
    """The day in an address. Raises NotFound for anything else."""
    try:
        if len(text) != 10:
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise NotFound("there is no such day") from None
