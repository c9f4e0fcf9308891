"""Inventory, as others see it: what can be sold, and who holds it."""

from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event


class OutOfStock(ShopError, code="inventory.out_of_stock", status=409):
    """Not enough to sell; the fact `lines` lists `{variant_id, wanted, available}`."""


class HoldGone(ShopError, code="inventory.hold_gone", status=409):
    """The order holds nothing any more: it lapsed, or it was given back."""


class AlreadyShipped(ShopError, code="inventory.already_shipped", status=409):
    """The goods have left the warehouse; they come back as a return, not as a release."""


class UnknownWarehouse(ShopError, code="inventory.unknown_warehouse", status=404):
    """There is no such warehouse."""


class Demand(Struct, frozen=True):
    """So many of a variant."""

    variant_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=100_000)]


class Availability(Struct, frozen=True):
    """How many can be sold now, over all warehouses; never below zero."""

    variant_id: UUID
    available: int


class Allocation(Struct, frozen=True):
    """So many of a variant out of a warehouse."""

    variant_id: UUID
    warehouse_id: UUID
    quantity: int


class Reservation(Struct, frozen=True):
    """What an order holds. `status`: held (until `expires_at`), confirmed, released, shipped (every part has left)."""

    order_id: UUID
    status: str
    expires_at: datetime | None
    allocations: list[Allocation]


class Warehouse(Struct, frozen=True):
    """A place that ships. A lower `priority` number is asked first; `provinces` it serves before others do."""

    id: UUID
    code: str
    name: str
    province_code: str
    ward_code: str
    street: str
    priority: int
    provinces: list[str]
    active: bool


class AvailabilityChanged(Event, name="inventory.availability_changed.v1"):
    """So many can be sold now."""

    items: list[Availability]


class HoldExpired(Event, name="inventory.hold_expired.v1"):
    """The order's hold lapsed before it was confirmed; the goods are for sale again."""

    order_id: UUID


class LowStock(Event, name="inventory.low_stock.v1"):
    """A level fell to its threshold or below."""

    variant_id: UUID
    warehouse_id: UUID
    available: int
    threshold: int


class Inventory(Protocol):
    """Warehouses, stock, holds. Every call about an order may be repeated: the same order, the same answer."""

    async def available_for(self, *, variants: list[UUID]) -> list[Availability]:
        """How many of each can be sold now; unknown variants have none."""
        ...

    async def reserve(
        self, *, order_id: UUID, demands: list[Demand], province_code: str, minutes: int
    ) -> Reservation:
        """Hold all of it or nothing for `minutes`; a lapsed hold of the same order is taken again.

        Raises OutOfStock with the lines that lack.
        """
        ...

    async def extend(self, *, order_id: UUID, minutes: int) -> Reservation:
        """Keep the hold alive for `minutes` from now. Raises HoldGone."""
        ...

    async def confirm(self, *, order_id: UUID) -> Reservation:
        """The order is placed: the hold no longer expires. Raises HoldGone when it has lapsed or was released."""
        ...

    async def release(self, *, order_id: UUID, reason: str) -> Reservation | None:
        """Give back what the order holds; None if it never held anything. Raises AlreadyShipped, and then nothing changes."""
        ...

    async def ship(self, *, order_id: UUID, warehouse_id: UUID) -> list[Allocation]:
        """The order's goods leave this warehouse. Raises HoldGone if the order was released before (it was cancelled)."""
        ...

    async def take_back(
        self, *, order_id: UUID, warehouse_id: UUID, demands: list[Demand], sellable: bool, reason: str
    ) -> None:
        """Goods that were shipped are back in the warehouse; restocked once, at most what was shipped."""
        ...

    async def list_warehouses(self) -> list[Warehouse]:
        """All warehouses by priority."""
        ...
