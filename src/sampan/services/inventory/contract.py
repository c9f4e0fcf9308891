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


class AlreadyConfirmed(ShopError, code="inventory.already_confirmed", status=409):
    """The order is placed; what it holds cannot become other goods."""


class NotConfirmed(ShopError, code="inventory.not_confirmed", status=409):
    """The order is not placed; its goods stay where they are."""


class StockCommitted(ShopError, code="inventory.stock_committed", status=409):
    """So many would not be left for the orders that hold them; the facts are `on_hand`, `held` and `allocated`."""


class StockBusy(ShopError, code="inventory.stock_busy", status=503):
    """Too many want the same goods at this moment; nothing was held. Try again at once."""


class WarehouseExists(ShopError, code="inventory.warehouse_exists", status=409):
    """There is a warehouse of this code."""


class Demand(Struct, frozen=True):
    """So many of a variant."""

    variant_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=100_000)]


class Availability(Struct, frozen=True):
    """How many can be sold now, over all warehouses; never below zero.

    In events `version` grows with every change of the variant: a reader keeps the highest. Answers to a question leave
    it at zero.
    """

    variant_id: UUID
    available: int
    version: int = 0


class Delivery(Struct, frozen=True):
    """So many of a variant that came into a warehouse."""

    variant_id: UUID
    warehouse_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]


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
        self, *, order_id: UUID, demands: list[Demand], province_code: str, minutes: int, firm: bool = False
    ) -> Reservation:
        """Hold all of it or nothing for `minutes`; a lapsed hold of the same order is taken again.

        Another demand (or province) of an order that is still held replaces the hold. A hold lives at most an hour
        from its beginning. `firm`: nobody has to be waited for, so it is confirmed in the same step.

        Raises OutOfStock with the lines that lack, AlreadyConfirmed, AlreadyShipped, HoldGone for an order that was
        released, StockBusy.
        """
        ...

    async def extend(self, *, order_id: UUID, minutes: int) -> Reservation:
        """Keep the hold alive for `minutes` from now. Raises HoldGone."""
        ...

    async def confirm(self, *, order_id: UUID) -> Reservation:
        """The order is placed: the hold no longer expires. Raises HoldGone when it has lapsed or was released."""
        ...

    async def release(self, *, order_id: UUID, reason: str) -> Reservation | None:
        """Give back what the order holds; it takes nothing any more. None if it never held anything.

        Raises AlreadyShipped, and then nothing changes.
        """
        ...

    async def ship(self, *, order_id: UUID, warehouse_id: UUID) -> list[Allocation]:
        """The order's goods leave this warehouse; nothing if it has none there.

        Raises HoldGone if the order was released before (it was cancelled), NotConfirmed.
        """
        ...

    async def take_back(
        self, *, order_id: UUID, warehouse_id: UUID, demands: list[Demand], sellable: bool, reason: str
    ) -> None:
        """Goods that were shipped are back in a warehouse (any): to be sold again, or put apart as unsellable.

        `reason` names the return: the same reason again is the same return, and changes nothing. What exceeds what was
        shipped and not yet brought back is left out. Raises UnknownWarehouse.
        """
        ...

    async def stock_up(self, *, cause: str, items: list[Delivery]) -> None:
        """Goods came in, any number of them at once. The same `cause` again changes nothing.

        Raises UnknownWarehouse.
        """
        ...

    async def list_warehouses(self) -> list[Warehouse]:
        """All warehouses by priority."""
        ...
