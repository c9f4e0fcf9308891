"""Shipping: ways to deliver, bookings, parcels."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table
from tests.fulfillment.conftest import HOME
from tests.orders.conftest import vnd

from sampan.kernel.errors import Invalid
from sampan.kernel.ids import uuid7
from sampan.services.shipping.contract import (
    BookingClosed,
    Destination,
    NotBooked,
    NotDeliverable,
    Shipping,
    UnknownShipment,
)

table = Table(Shipping)


def booking(order: UUID, **more: Any) -> dict[str, Any]:
    given = {"order_id": order, "option_id": "hcm-standard", "delivery": HOME, "grams": 500}
    return {**given, "value": vnd(300_000), "cod_amount": vnd(320_000), **more}


async def booked(stage: Stage) -> UUID:
    order = uuid7()
    await stage.actions("shipping").book(**booking(order))
    return order


async def sent(stage: Stage) -> tuple[UUID, UUID]:
    """An order with a parcel on its way, and the parcel's work order."""
    order, work = await booked(stage), uuid7()
    await stage.actions("shipping").create_shipment(order_id=order, work_order_id=work)
    return order, work


@table.answers("options_for")
async def the_cheapest_first(stage: Stage) -> Call:
    to = Destination("VN", "79", "26743")
    return Call(
        {"to": to, "grams": 500, "value": vnd(300_000)},
        lambda found: found == sorted(found, key=lambda option: option.price.amount) and len(found) > 1,
    )


@table.answers("book", moves={"shipping.booking": ("made_at", "changed_at", "at")})
async def how_an_order_travels(stage: Stage) -> Call:
    return Call(booking(uuid7()), lambda answer: answer is None)


@table.refuses("book", NotDeliverable)
async def a_way_that_is_not_offered(stage: Stage) -> Call:
    return Call(booking(uuid7(), option_id="by-balloon"))


@table.refuses("book", BookingClosed)
async def another_way_after_a_parcel_left(stage: Stage) -> Call:
    order, _ = await sent(stage)
    return Call(booking(order, delivery=msgspec.structs.replace(HOME, street="6 Lê Lợi")))


@table.answers("create_shipment")
async def a_parcel_leaves(stage: Stage) -> Call:
    given = {"order_id": await booked(stage), "work_order_id": uuid7(), "reference": "SP1", "grams": 600}
    return Call(given, lambda parcel: parcel.status == "created" and parcel.cod_amount == vnd(320_000))


@table.refuses("create_shipment", NotBooked)
async def a_parcel_that_nobody_booked(stage: Stage) -> Call:
    return Call({"order_id": uuid7(), "work_order_id": uuid7()})


@table.answers("record")
async def staff_say_where_it_is(stage: Stage) -> Call:
    _, work = await sent(stage)
    return Call({"work_order_id": work, "status": "delivered", "text": "tận tay"}, lambda p: p.status == "delivered")


@table.answers("record")
async def a_carrier_says_where_it_was(stage: Stage) -> Call:
    _, work = await sent(stage)
    at = datetime.now(UTC)
    return Call({"work_order_id": work, "status": "in_transit", "at": at}, lambda p: p.status == "in_transit")


@table.refuses("record", UnknownShipment)
async def of_no_parcel(stage: Stage) -> Call:
    return Call({"work_order_id": uuid7(), "status": "delivered"})


@table.refuses("record", Invalid)
async def of_tomorrow(stage: Stage) -> Call:
    _, work = await sent(stage)
    return Call({"work_order_id": work, "status": "delivered", "at": datetime.now(UTC) + timedelta(days=1)})


@table.answers("shipments_for")
async def the_parcels_of_an_order(stage: Stage) -> Call:
    order, work = await sent(stage)
    return Call({"order_id": order}, lambda found: [parcel.work_order_id for parcel in found] == [work])
