"""Fulfilment, as others see it: the work in a warehouse."""

from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event

Status = Literal[
    "allocated", "picking", "packed", "shipped", "delivered", "delivery_failed", "returning", "returned", "cancelled"
]


class IllegalStep(ShopError, code="fulfillment.illegal_step", status=409):
    """The work order is not where this step begins; the fact `status` says where it is."""


class UnknownWorkOrder(ShopError, code="fulfillment.unknown_work_order", status=404):
    """There is no such work order."""


class WorkOrderLine(Struct, frozen=True):
    variant_id: UUID
    sku: str
    name: str
    quantity: int
    picked: int


class WorkOrder(Struct, frozen=True):
    """What one warehouse does for one order."""

    id: UUID
    order_id: UUID
    order_number: str
    warehouse_id: UUID
    status: Status
    lines: list[WorkOrderLine]
    tracking_number: str | None
    made_at: datetime
    version: int


class WorkOrderChanged(Event, name="fulfillment.work_order_changed.v1"):
    """A work order was made or moved on; `version` grows by one each time."""

    work_order_id: UUID
    order_id: UUID
    warehouse_id: UUID
    status: Status
    tracking_number: str | None
    of: int  # how many work orders the order has
    version: int


class Fulfillment(Protocol):
    """Pick, pack, ship, deliver, or fail and bring back."""

    async def work_orders_for(self, *, order_id: UUID) -> list[WorkOrder]:
        """An order's work orders, oldest first."""
        ...
