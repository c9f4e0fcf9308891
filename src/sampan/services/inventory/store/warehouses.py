"""Warehouses, and those whose levels do not all follow them yet."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.inventory.contract import Warehouse

WAREHOUSE_COLUMNS = "id, code, name, province_code, ward_code, street, priority, provinces, active"
WAREHOUSES = f"SELECT {WAREHOUSE_COLUMNS} FROM inventory.warehouse ORDER BY priority, code"
ADD_WAREHOUSE = f"""
INSERT INTO inventory.warehouse ({WAREHOUSE_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (code) DO NOTHING
"""
WAREHOUSE = f"SELECT {WAREHOUSE_COLUMNS} FROM inventory.warehouse WHERE id = $1 FOR NO KEY UPDATE"
CHANGE_WAREHOUSE = """
UPDATE inventory.warehouse
   SET name = $2, province_code = $3, ward_code = $4, street = $5, priority = $6, provinces = $7, active = $8,
       switching = switching OR active <> $8
 WHERE id = $1
"""
SWITCHING = """
SELECT id, active FROM inventory.warehouse WHERE switching ORDER BY id LIMIT 1 FOR NO KEY UPDATE
"""
LEVELS_TO_SWITCH = """
SELECT variant_id FROM inventory.level
 WHERE warehouse_id = $1 AND sells <> $2 ORDER BY variant_id LIMIT $3
"""
SWITCHED = "UPDATE inventory.warehouse SET switching = false WHERE id = $1"


class Switching(Struct):
    id: UUID
    active: bool


async def every(tx: Tx) -> list[Warehouse]:
    """All warehouses, by priority."""
    return await tx.many(Warehouse, WAREHOUSES)


async def add_warehouse(tx: Tx, new: Warehouse) -> bool:
    """False when there is one of this code."""
    return await tx.execute(ADD_WAREHOUSE, *columns(new)) == 1


async def locked(tx: Tx, warehouse_id: UUID) -> Warehouse | None:
    """The warehouse, locked."""
    return await tx.maybe(Warehouse, WAREHOUSE, warehouse_id)


async def change_warehouse(tx: Tx, changed: Warehouse) -> None:
    warehouse_id, _, *rest = columns(changed)
    await tx.execute(CHANGE_WAREHOUSE, warehouse_id, *rest)


def columns(warehouse: Warehouse) -> tuple[Any, ...]:
    return tuple(getattr(warehouse, name) for name in warehouse.__struct_fields__)


async def switching(tx: Tx) -> Switching | None:
    """A warehouse that was opened or closed and whose levels do not all follow yet, locked."""
    return await tx.maybe(Switching, SWITCHING)


async def levels_to_switch(tx: Tx, warehouse: Switching, *, limit: int) -> list[UUID]:
    """Variants whose level does not follow its warehouse yet."""
    return await tx.many(UUID, LEVELS_TO_SWITCH, warehouse.id, warehouse.active, limit)


async def switched(tx: Tx, warehouse: Switching) -> None:
    """All levels of the locked warehouse follow."""
    await tx.execute(SWITCHED, warehouse.id)
