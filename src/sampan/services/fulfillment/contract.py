"""Fulfilment, as others see it: the work in a warehouse."""

from datetime import datetime
from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.context import Actor
from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event
from sampan.kernel.pagination import Page, Paged

Status = Literal[
    "allocated", "picking", "packed", "shipped", "delivered", "delivery_failed", "returning", "returned", "cancelled"
]
Step = Literal["pick", "pack", "ship", "deliver", "fail", "return", "receive", "cancel"]
Grams = Annotated[int, Meta(ge=1, le=1_000_000)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class IllegalStep(ShopError, code="fulfillment.illegal_step", status=409):
    """The work order is not where this step begins; the fact `state` says where it is."""


class NotPicked(ShopError, code="fulfillment.not_picked", status=409):
    """Not everything was picked; the fact `lines` lists `{variant_id, quantity, picked}` of what lacks."""


class UnknownWorkOrder(ShopError, code="fulfillment.unknown_work_order", status=404):
    """There is no such work order."""


class WorkOrderLine(Struct, frozen=True):
    variant_id: UUID
    sku: str
    name: str
    quantity: int
    picked: int
    returned: int = 0


class Change(Struct, frozen=True):
    """One change of a work order: what it became, when, by whom, and what was said."""

    version: int
    status: Status
    at: datetime
    by: str
    note: str


class WorkOrder(Struct, frozen=True):
    """What one warehouse does for one order. `steps` can be taken now; `history` is there when one is asked for."""

    id: UUID
    order_id: UUID
    order_number: str
    warehouse_id: UUID
    status: Status
    lines: list[WorkOrderLine]
    tracking_number: str | None
    made_at: datetime
    version: int
    steps: list[Step] = []
    shipment_id: UUID | None = None
    grams: int | None = None
    history: list[Change] = []


class Piece(Struct, frozen=True, forbid_unknown_fields=True):
    """So many of a variant."""

    variant_id: UUID
    quantity: Annotated[int, Meta(ge=0, le=100_000)]


Pieces = Annotated[list[Piece], Meta(min_length=1, max_length=1000)]


class WorkOrderFilter(Paged, frozen=True, forbid_unknown_fields=True):
    """Which work orders to list. `q`: the beginning of an order's or a tracking number."""

    status: Status | None = None
    warehouse_id: UUID | None = None
    q: Annotated[str, Meta(max_length=64)] = ""
    sort: Literal["newest", "oldest"] = "newest"


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
    """Pick, pack, ship, deliver, or fail and bring back.

    Every step may be repeated: a work order that is there already is the answer. Steps are for those who may
    `fulfillment.write`; they raise Forbidden, UnknownWorkOrder and IllegalStep.
    """

    async def work_orders_for(self, *, order_id: UUID) -> list[WorkOrder]:
        """An order's work orders, oldest first."""
        ...

    async def list_work_orders(self, *, actor: Actor, which: WorkOrderFilter) -> Page[WorkOrder]:
        """Raises Forbidden, and Invalid for a cursor that is not ours."""
        ...

    async def find_work_order(self, *, actor: Actor, work_order_id: UUID) -> WorkOrder:
        """With its history. Raises Forbidden, UnknownWorkOrder."""
        ...

    async def pick(self, *, actor: Actor, work_order_id: UUID, lines: Pieces | None = None) -> WorkOrder:
        """So many of each are picked by now; None: everything. Raises Invalid for what the work order does not have."""
        ...

    async def pack(self, *, actor: Actor, work_order_id: UUID, grams: Grams | None = None) -> WorkOrder:
        """All is in the parcel, which weighs `grams`. Raises NotPicked."""
        ...

    async def ship(self, *, actor: Actor, work_order_id: UUID) -> WorkOrder:
        """The parcel leaves. An order that was cancelled just before stays: the work order is cancelled then."""
        ...

    async def deliver(self, *, actor: Actor, work_order_id: UUID) -> WorkOrder:
        """The parcel was handed over, at the first try or a later one."""
        ...

    async def fail(self, *, actor: Actor, work_order_id: UUID, reason: Reason) -> WorkOrder:
        """The parcel could not be handed over."""
        ...

    async def send_back(self, *, actor: Actor, work_order_id: UUID) -> WorkOrder:
        """The parcel is on its way back."""
        ...

    async def receive(
        self, *, actor: Actor, work_order_id: UUID, lines: Pieces | None = None, sellable: bool = True
    ) -> WorkOrder:
        """The parcel is back with so many of each (None: with everything), to be sold again or not.

        A line that is not named did not come back. 0 of every line: the parcel is lost. Raises Invalid.
        """
        ...
