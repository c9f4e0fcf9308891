"""Fulfilment over HTTP, for the people in the warehouse."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from msgspec import Struct

from sampan.kernel.context import Actor
from sampan.kernel.errors import ShopError
from sampan.kernel.http import Routes, staff
from sampan.kernel.pagination import Page
from sampan.services.fulfillment.actions import PERMISSION, FulfillmentActions
from sampan.services.fulfillment.contract import (
    Grams,
    IllegalStep,
    NotPicked,
    Pieces,
    Reason,
    UnknownWorkOrder,
    WorkOrder,
    WorkOrderFilter,
)

routes = Routes()
workers = staff(PERMISSION)


class Picked(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of each are picked by now, counted from nothing; null: everything."""

    lines: Pieces | None = None


class Packed(Struct, frozen=True, forbid_unknown_fields=True):
    """What the parcel weighs, if somebody weighed it."""

    grams: Grams | None = None


class Failed(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the parcel could not be handed over."""

    reason: Reason


class Received(Struct, frozen=True, forbid_unknown_fields=True):
    """What came back (null: everything; 0 of every line: nothing, it is lost), and whether it can be sold again."""

    lines: Pieces | None = None
    sellable: bool = True


def step(path: str, *errors: type[ShopError]) -> Callable[[Any], Any]:
    return routes.post(
        f"/admin/fulfillments/{{work_order_id}}/{path}",
        policy=workers,
        errors=(UnknownWorkOrder, IllegalStep, *errors),
    )


@routes.get("/admin/fulfillments", policy=workers, leads={"work_order_id": "/items/0/id"})
async def list_work_orders(fulfillment: FulfillmentActions, actor: Actor, query: WorkOrderFilter) -> Page[WorkOrder]:
    """Work orders, newest first or `sort=oldest`; `q` is the beginning of an order's or a tracking number."""
    return await fulfillment.list_work_orders(actor=actor, which=query)


@routes.get("/admin/fulfillments/{work_order_id}", policy=workers, errors=(UnknownWorkOrder,))
async def get_work_order(fulfillment: FulfillmentActions, actor: Actor, work_order_id: UUID) -> WorkOrder:
    """A work order with its history."""
    return await fulfillment.find_work_order(actor=actor, work_order_id=work_order_id)


@step("pick")
async def pick(fulfillment: FulfillmentActions, actor: Actor, work_order_id: UUID, data: Picked | None) -> WorkOrder:
    """Everything is picked, or with a body `{"lines": [{"variant_id", "quantity"}]}` so many of each by now."""
    return await fulfillment.pick(actor=actor, work_order_id=work_order_id, lines=data.lines if data else None)


@step("pack", NotPicked)
async def pack(fulfillment: FulfillmentActions, actor: Actor, work_order_id: UUID, data: Packed | None) -> WorkOrder:
    """All is in the parcel; a body `{"grams"}` says what it weighs."""
    return await fulfillment.pack(actor=actor, work_order_id=work_order_id, grams=data.grams if data else None)


@step("ship")
async def ship(fulfillment: FulfillmentActions, actor: Actor, work_order_id: UUID) -> WorkOrder:
    """The parcel leaves; from now on it has a tracking number and a label."""
    return await fulfillment.ship(actor=actor, work_order_id=work_order_id)


@step("deliver")
async def deliver(fulfillment: FulfillmentActions, actor: Actor, work_order_id: UUID) -> WorkOrder:
    """The parcel was handed over, at the first try or a later one."""
    return await fulfillment.deliver(actor=actor, work_order_id=work_order_id)


@step("fail")
async def fail(fulfillment: FulfillmentActions, actor: Actor, work_order_id: UUID, data: Failed) -> WorkOrder:
    """The parcel could not be handed over."""
    return await fulfillment.fail(actor=actor, work_order_id=work_order_id, reason=data.reason)


@step("return")
async def send_back(fulfillment: FulfillmentActions, actor: Actor, work_order_id: UUID) -> WorkOrder:
    """The parcel is on its way back."""
    return await fulfillment.send_back(actor=actor, work_order_id=work_order_id)


@step("receive")
async def receive(
    fulfillment: FulfillmentActions, actor: Actor, work_order_id: UUID, data: Received | None
) -> WorkOrder:
    """The parcel is back with everything, or with a body `{"lines", "sellable"}` with so many of each.

    With 0 of every line nothing is back, and the parcel is lost.
    """
    body = data or Received()
    return await fulfillment.receive(actor=actor, work_order_id=work_order_id, lines=body.lines, sellable=body.sellable)
