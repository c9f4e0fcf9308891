"""What the tests of inventory share: warehouses, stock, and time that passes."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from sampan.kernel.db import Database
from sampan.kernel.ids import uuid7
from sampan.services.inventory.actions import InventoryActions
from sampan.services.inventory.contract import Delivery, Demand, Reservation


class Room:
    """Inventory with shortcuts. Warehouses are shared, variants and orders are each test's own."""

    def __init__(self, actions: InventoryActions, db: Database, hanoi: UUID, saigon: UUID) -> None:
        self.actions = actions
        self.db = db
        self.hanoi = hanoi
        self.saigon = saigon

    async def stocked(self, hanoi: int = 0, saigon: int = 0) -> UUID:
        """A new variant with so many in each warehouse."""
        variant = uuid7()
        deliveries = [(self.hanoi, hanoi), (self.saigon, saigon)]
        items = [Delivery(variant, place, quantity) for place, quantity in deliveries if quantity]
        if items:
            await self.actions.stock_up(cause=f"first {variant}", items=items)
        return variant

    async def reserve(
        self, order: UUID, *wanted: tuple[UUID, int], province: str = "01", minutes: int = 10, firm: bool = False
    ) -> Reservation:
        return await self.actions.reserve(
            order_id=order,
            demands=[Demand(variant, quantity) for variant, quantity in wanted],
            province_code=province,
            minutes=minutes,
            firm=firm,
        )

    async def placed(self, *wanted: tuple[UUID, int]) -> UUID:
        """A new order that is confirmed."""
        order = uuid7()
        await self.reserve(order, *wanted)
        await self.actions.confirm(order_id=order)
        return order

    async def available(self, variant: UUID) -> int:
        [found] = await self.actions.available_for(variants=[variant])
        return found.available

    async def level(self, variant: UUID, warehouse: UUID) -> tuple[int, int, int, int]:
        """on hand, held, allocated, unsellable."""
        async with self.db.read() as tx:
            row = await tx.connection.fetchrow(
                "SELECT on_hand, held, allocated, unsellable FROM inventory.level "
                "WHERE variant_id = $1 AND warehouse_id = $2",
                variant,
                warehouse,
            )
        return tuple(row)

    async def pass_time(self, order: UUID, seconds: float) -> None:
        """Time passes for one hold: its times are moved back instead of the clock forward."""
        async with self.db.begin() as tx:
            await tx.execute(
                "UPDATE inventory.hold SET expires_at = expires_at - make_interval(secs => $2), "
                "first_held_at = first_held_at - make_interval(secs => $2) WHERE order_id = $1",
                order,
                seconds,
            )
            await tx.execute(
                "UPDATE inventory.allocation SET held_until = held_until - make_interval(secs => $2) "
                "WHERE order_id = $1",
                order,
                seconds,
            )

    async def events(self, name: str, about: UUID) -> list[dict[str, Any]]:
        """The bodies of events that mention an id, in order."""
        async with self.db.read() as tx:
            return await tx.many(
                dict,
                "SELECT body FROM inventory.outbox WHERE name = $1 AND body::text LIKE '%' || $2 || '%' "
                "ORDER BY xid, position",
                name,
                str(about),
            )

    async def told(self, variant: UUID) -> list[int]:
        """What was told of a variant's availability, in the order of versions."""
        items = [
            item
            for body in await self.events("inventory.availability_changed.v1", variant)
            for item in body["items"]
            if item["variant_id"] == str(variant)
        ]
        versions = [item["version"] for item in items]
        assert sorted(versions) == list(range(1, len(versions) + 1))  # each word has its own version
        return [item["available"] for item in sorted(items, key=lambda item: item["version"])]

    async def check_books(self) -> None:
        """Every invariant of inventory holds."""
        assert await self.actions.invariants() == []


@pytest.fixture(scope="session")
async def room(shop: Any) -> Room:
    actions: InventoryActions = shop.actions("inventory")
    make: Callable[..., Awaitable[Any]] = actions.add_warehouse
    places = [
        await make(
            code=f"{code}-{uuid7().hex[-8:].upper()}",
            name=name,
            province_code=province,
            ward_code="00070",
            street="1 Phố Huế",
            priority=priority,
            provinces=[province],
        )
        for code, name, province, priority in (("HN", "Kho Hà Nội", "01", 1), ("SG", "Kho Sài Gòn", "79", 2))
    ]
    return Room(actions, shop.db("inventory"), places[0].id, places[1].id)
