"""Shipping, as others see it: how goods can travel, what that costs, and where they are."""

from datetime import date, datetime, time
from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event
from sampan.kernel.money import Money

# The normalised tracking vocabulary. Terminal: delivered, partially_delivered, returned, cancelled, lost.
Tracking = Literal[
    "created", "awaiting_pickup", "pickup_failed", "picked_up", "in_transit", "out_for_delivery", "delivery_failed",
    "delivered", "partially_delivered", "returning", "return_failed", "returned", "cancelled", "lost", "damaged",
    "exception",
]  # fmt: skip

Inspection = Literal["try", "look", "none"]  # what the receiver may do with the goods before paying at the door


class NotDeliverable(ShopError, code="shipping.not_deliverable", status=422):
    """We do not deliver there, or not that way; the customer must choose another option."""


class UnknownShipment(ShopError, code="shipping.unknown_shipment", status=404):
    """There is no such shipment."""


class NotBooked(ShopError, code="shipping.not_booked", status=409):
    """Nobody said how and to whom this order travels; book it first."""


class BookingClosed(ShopError, code="shipping.booking_closed", status=409):
    """A parcel of the order is on its way already; how and to whom it travels no longer changes."""


class Destination(Struct, frozen=True):
    """Where to: a market, and in Vietnam a province and a ward."""

    market: str
    province_code: str
    ward_code: str


class Promise(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """The days between which the parcel arrives."""

    first: date
    last: date


class Option(Struct, frozen=True):
    """One way to deliver. `cod_limit` is None where cash on delivery is not offered; `cutoff` is local time.

    `free_from` is the value of goods from which it costs nothing, where it can become free.
    """

    id: str
    carrier: str
    service: str
    name: str
    price: Money
    cod_fee: Money
    cod_limit: Money | None
    promise: Promise
    cutoff: time
    free_from: Money | None = None
    inspection: Inspection = "look"


class Delivery(Struct, frozen=True):
    """Who receives a parcel and where; the lines of the address as they were written, with its codes and version."""

    name: str
    phone: str
    market: str
    province_code: str
    ward_code: str
    province: str
    ward: str
    street: str
    note: str
    version: str


class TrackingEvent(Struct, frozen=True):
    """What happened to a parcel, by the carrier's clock."""

    at: datetime
    status: Tracking
    text: str


class Shipment(Struct, frozen=True):
    """One parcel on its way. `status` is the last of the tracking vocabulary."""

    id: UUID
    order_id: UUID
    work_order_id: UUID
    carrier: str
    service: str
    tracking_number: str
    tracking_url: str | None
    status: Tracking
    cod_amount: Money | None
    events: list[TrackingEvent]


class ShipmentChanged(Event, name="shipping.shipment_changed.v1"):
    """A shipment was made or its status changed."""

    shipment_id: UUID
    order_id: UUID
    work_order_id: UUID
    carrier: str
    tracking_number: str
    status: Tracking
    at: datetime


RATES = "rates"  # the tag of what is kept of zones and rates


class ZoneChanged(Event, name="shipping.zone_changed.v1"):
    """A zone was made, or its places or rates changed."""

    zone: str
    market: str
    version: int

    def stale(self) -> list[str]:
        return [RATES]


class Shipping(Protocol):
    """Zones, rates, promises, shipments. Calls about an order or a work order may be repeated."""

    async def options_for(
        self,
        *,
        to: Destination,
        grams: Annotated[int, Meta(ge=0)],
        value: Money,
        language: str = "vi",
        recent: bool = False,
    ) -> list[Option]:
        """Every way to deliver so much weight and value there, cheapest first; empty where we do not deliver.

        `recent`: the rates of a moment ago will do.
        """
        ...

    async def book(
        self,
        *,
        order_id: UUID,
        option_id: str,
        delivery: Delivery,
        grams: int,
        value: Money,
        cod_amount: Money | None,
        version: int | None = None,
    ) -> None:
        """Remember how and to whom an order travels; its parcels are made of this.

        Booking again changes it until the first parcel leaves. `version` is the order's when this was decided: what
        was decided earlier and arrives later changes nothing; without one the last word counts. Raises
        NotDeliverable, BookingClosed.
        """
        ...

    async def create_shipment(
        self, *, order_id: UUID, work_order_id: UUID, reference: str = "", grams: int | None = None
    ) -> Shipment:
        """The parcel of a work order leaves; the first parcel of an order carries the cash to collect.

        `reference` is printed on the label (the order's number); `grams` is what the packed parcel weighs. The same
        work order again is the same parcel. Raises NotBooked.
        """
        ...

    async def record(
        self, *, work_order_id: UUID, status: Tracking, text: str = "", at: datetime | None = None
    ) -> Shipment:
        """Staff or a carrier says where the parcel is. Raises UnknownShipment; a terminal status stays.

        `at` is the carrier's time, and what is older than the known status does not change it; None means now. What
        was recorded before is not recorded again.
        """
        ...

    async def shipments_for(self, *, order_id: UUID) -> list[Shipment]:
        """An order's parcels, oldest first."""
        ...
