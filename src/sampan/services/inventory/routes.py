"""Inventory over HTTP: levels, corrections, movements and warehouses, for staff."""

from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from sampan.kernel.changes import named_in
from sampan.kernel.context import Actor
from sampan.kernel.errors import invalid
from sampan.kernel.http import Request, Routes, staff
from sampan.kernel.pagination import Page, Paged
from sampan.services.inventory.actions import InventoryActions
from sampan.services.inventory.contract import StockCommitted, UnknownWarehouse, Warehouse, WarehouseExists
from sampan.services.inventory.store.levels import MovementEntry, StockLevel

routes = Routes()

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Province = Annotated[str, Meta(pattern=r"^[0-9]{2}\Z")]
Ward = Annotated[str, Meta(pattern=r"^[0-9]{5}\Z")]
Street = Annotated[str, Meta(min_length=1, max_length=255)]
Priority = Annotated[int, Meta(ge=0, le=1000)]
Provinces = Annotated[list[Province], Meta(max_length=100)]
Pieces = Annotated[int, Meta(ge=0, le=1_000_000)]


class StockWanted(Paged, frozen=True):
    sku: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    variant_id: UUID | None = None
    warehouse_id: UUID | None = None


class MovementsWanted(Paged, frozen=True):
    warehouse_id: UUID | None = None


class StockAdjustment(Struct, frozen=True, forbid_unknown_fields=True):
    """A correction of what is on hand by `change`, for a reason that the history keeps."""

    variant_id: UUID
    warehouse_id: UUID
    change: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class LevelLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """How many are kept back from sale (`safety`), and at how many left a warning goes out (`threshold`)."""

    variant_id: UUID
    warehouse_id: UUID
    safety: Pieces | None = None
    threshold: Pieces | None = None


class NewWarehouse(Struct, frozen=True, forbid_unknown_fields=True):
    """A place that ships. A lower `priority` is asked first; the provinces it serves before others do."""

    code: Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9-]{0,19}\Z")]
    name: Name
    province_code: Province
    ward_code: Ward
    street: Street
    priority: Priority = 100
    provinces: Provinces = []
    active: bool = True


class WarehouseChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: Name | UnsetType = UNSET
    province_code: Province | UnsetType = UNSET
    ward_code: Ward | UnsetType = UNSET
    street: Street | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    provinces: Provinces | UnsetType = UNSET
    active: bool | UnsetType = UNSET


@routes.get("/admin/stock", policy=staff("inventory.read"))
async def list_stock(inventory: InventoryActions, query: StockWanted) -> Page[StockLevel]:
    """Levels by variant and warehouse."""
    return await inventory.list_stock(
        sku=query.sku,
        variant_id=query.variant_id,
        warehouse_id=query.warehouse_id,
        limit=query.limit,
        cursor=query.cursor,
    )


@routes.post(
    "/admin/stock/adjustments",
    policy=staff("inventory.write"),
    idempotency="required",
    status=201,
    errors=(UnknownWarehouse, StockCommitted),
)
async def adjust(inventory: InventoryActions, actor: Actor, request: Request, data: StockAdjustment) -> StockLevel:
    """Correct what is on hand; the level after it. What orders hold cannot be taken away."""
    if data.change == 0:
        raise invalid("change", "range", "a correction changes something")
    return await inventory.adjust(
        actor=actor,
        key=request.header("Idempotency-Key"),
        variant_id=data.variant_id,
        warehouse_id=data.warehouse_id,
        change=data.change,
        reason=data.reason,
    )


@routes.put("/admin/stock/limits", policy=staff("inventory.write"), errors=(UnknownWarehouse,))
async def set_limits(inventory: InventoryActions, data: LevelLimits) -> StockLevel:
    """Set the safety stock and the warning threshold of a level; what is left out stays."""
    return await inventory.set_limits(
        variant_id=data.variant_id,
        warehouse_id=data.warehouse_id,
        safety=data.safety,
        threshold=data.threshold,
    )


@routes.get("/admin/stock/{variant_id}/movements", policy=staff("inventory.read"))
async def list_movements(inventory: InventoryActions, variant_id: UUID, query: MovementsWanted) -> Page[MovementEntry]:
    """Why a variant's levels are what they are, newest first."""
    return await inventory.list_movements(
        variant_id=variant_id, warehouse_id=query.warehouse_id, limit=query.limit, cursor=query.cursor
    )


@routes.get("/admin/warehouses", policy=staff("inventory.read"))
async def list_warehouses(inventory: InventoryActions) -> Page[Warehouse]:
    """All warehouses by priority."""
    return Page(items=await inventory.list_warehouses(), next=None)


@routes.post(
    "/admin/warehouses",
    policy=staff("inventory.write"),
    status=201,
    errors=(WarehouseExists,),
    leads={"warehouse_id": "/id"},
)
async def add_warehouse(inventory: InventoryActions, data: NewWarehouse) -> Warehouse:
    """A new warehouse without stock."""
    return await inventory.add_warehouse(
        code=data.code,
        name=data.name,
        province_code=data.province_code,
        ward_code=data.ward_code,
        street=data.street,
        priority=data.priority,
        provinces=data.provinces,
        active=data.active,
    )


@routes.patch("/admin/warehouses/{warehouse_id}", policy=staff("inventory.write"), errors=(UnknownWarehouse,))
async def change_warehouse(inventory: InventoryActions, warehouse_id: UUID, data: WarehouseChange) -> Warehouse:
    """Other properties of a warehouse. A closed one sells nothing more; what it owes it still ships."""
    return await inventory.change_warehouse(warehouse_id=warehouse_id, changes=named_in(data))
