"""What the tests of fulfilment share: placed orders with real stock and a real booking."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import pytest

from sampan.kernel.context import Actor
from sampan.kernel.db import Database
from sampan.kernel.events import Event
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.fulfillment.actions import FulfillmentActions
from sampan.services.fulfillment.contract import WorkOrder
from sampan.services.fulfillment.handlers import on_order_cancelled, on_orders_placed
from sampan.services.inventory.actions import InventoryActions
from sampan.services.inventory.contract import Delivery as Goods
from sampan.services.inventory.contract import Demand
from sampan.services.orders.contract import EventAllocation, EventLine, OrderCancelled, OrderPlaced, Recipient
from sampan.services.pricing.contract import Totals
from sampan.services.shipping.actions.shipping_actions import ShippingActions
from sampan.services.shipping.contract import Delivery

ANNA = Actor(kind="staff", id="anna", permissions=frozenset({"fulfillment.write"}))
LAN = Recipient(name="Lan", email=None, phone="+84912345678", language="vi")
HOME = Delivery("Lan", "+84912345678", "VN", "79", "26743", "Hồ Chí Minh", "Phường Bến Thành", "5 Lê Lợi", "", "v")


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


def order_placed(order_id: UUID, parts: Sequence[tuple[UUID, UUID, int]], number: str = "") -> OrderPlaced:
    """The event of an order with these (variant, warehouse, quantity)."""
    quantities: dict[UUID, int] = {}
    for variant, _, quantity in parts:
        quantities[variant] = quantities.get(variant, 0) + quantity
    return OrderPlaced(
        order_id=order_id,
        number=number or f"SP{order_id.hex[-8:].upper()}",
        market="VN",
        payment_method="cod",
        lines=[
            EventLine(uuid7(), variant, f"SKU-{variant.hex[-6:]}", "Bát gốm", quantity, vnd(100_000 * quantity))
            for variant, quantity in quantities.items()
        ],
        totals=Totals(vnd(1), vnd(0), vnd(0), vnd(0), vnd(1)),
        allocations=[EventAllocation(variant, warehouse, quantity) for variant, warehouse, quantity in parts],
        recipient=LAN,
    )


def order_cancelled(order_id: UUID, *, placed: bool = True) -> OrderCancelled:
    return OrderCancelled(
        order_id=order_id,
        number=f"SP{order_id.hex[-8:].upper()}",
        reason="changed_mind",
        by="customer",
        placed=placed,
        refund=None,
        recipient=LAN,
    )


class Floor:
    """The warehouse floor, with shortcuts. Variants and orders are each test's own."""

    order_placed = staticmethod(order_placed)
    order_cancelled = staticmethod(order_cancelled)

    def __init__(self, shop: Any, hanoi: UUID, saigon: UUID) -> None:
        self.actions: FulfillmentActions = shop.actions("fulfillment")
        self.inventory: InventoryActions = shop.actions("inventory")
        self.shipping: ShippingActions = shop.actions("shipping")
        self.db: Database = shop.db("fulfillment")
        self.stock: Database = shop.db("inventory")
        self.hanoi = hanoi
        self.saigon = saigon

    async def tell(self, *events: Event) -> None:
        """Handle events, each in a transaction of its own."""
        for event in events:
            await self.tell_at_once(event)

    async def tell_at_once(self, *events: Event) -> None:
        """Handle events as a page: in one transaction, and what stands side by side in one call."""
        async with self.db.begin() as tx:
            for kind, batch in groupby(events, key=type):
                if kind is OrderPlaced:
                    await on_orders_placed(self.actions, tx, list(batch))
                else:
                    for event in batch:
                        await on_order_cancelled(self.actions, tx, event)

    async def placed(self, *quantities: int, split: int = 0, cash: int = 0) -> list[WorkOrder]:
        """The work orders of a new order: so many of each variant in Hà Nội, `split` of one more in Sài Gòn."""
        order_id, parts = uuid7(), [(uuid7(), self.hanoi, quantity) for quantity in quantities]
        if split:
            parts.append((uuid7(), self.saigon, split))
        goods = [Goods(variant, warehouse, quantity) for variant, warehouse, quantity in parts]
        await self.inventory.stock_up(cause=f"test {order_id}", items=goods)
        await self.inventory.reserve(
            order_id=order_id,
            demands=[Demand(variant, quantity) for variant, _, quantity in parts],
            province_code="01",
            minutes=10,
        )
        await self.inventory.confirm(order_id=order_id)
        await self.shipping.book(
            order_id=order_id,
            option_id="hcm-standard",
            delivery=HOME,
            grams=500,
            value=vnd(300_000),
            cod_amount=vnd(cash) if cash else None,
        )
        await self.tell(order_placed(order_id, parts))
        return await self.actions.work_orders_for(order_id=order_id)

    async def packed(self, *quantities: int, **more: Any) -> WorkOrder:
        """A new order's first work order, ready to leave."""
        work = (await self.placed(*(quantities or (1,)), **more))[0]
        await self.actions.pick(actor=ANNA, work_order_id=work.id)
        return await self.actions.pack(actor=ANNA, work_order_id=work.id)

    async def shipped(self, *quantities: int, **more: Any) -> WorkOrder:
        work = await self.packed(*quantities, **more)
        return await self.actions.ship(actor=ANNA, work_order_id=work.id)

    async def now(self, work_order_id: UUID) -> WorkOrder:
        return await self.actions.find_work_order(actor=ANNA, work_order_id=work_order_id)

    async def told(self, work_order_id: UUID) -> list[tuple[str, int]]:
        """Status and version of each event about a work order, in order."""
        async with self.db.read() as tx:
            bodies = await tx.many(
                dict,
                "SELECT body FROM fulfillment.outbox WHERE body ->> 'work_order_id' = $1 ORDER BY xid, position",
                str(work_order_id),
            )
        return [(body["status"], body["version"]) for body in bodies]

    async def level(self, variant: UUID, warehouse: UUID) -> tuple[int, int, int]:
        """on hand, allocated, unsellable."""
        async with self.stock.read() as tx:
            row = await tx.connection.fetchrow(
                "SELECT on_hand, allocated, unsellable FROM inventory.level "
                "WHERE variant_id = $1 AND warehouse_id = $2",
                variant,
                warehouse,
            )
        return tuple(row)

    async def time_passes(self, work_order_id: UUID) -> None:
        """The sweeper may take up the step that is half way now."""
        async with self.db.begin() as tx:
            await tx.execute("UPDATE fulfillment.work_order SET due_at = now() WHERE id = $1", work_order_id)

    async def minutes_pass(self, work_order_id: UUID, minutes: int) -> None:
        """The step that is half way was begun so long ago: its times are moved back instead of the clock forward."""
        async with self.db.begin() as tx:
            await tx.execute(
                "UPDATE fulfillment.work_order SET due_at = now(), intent = jsonb_set(intent, '{at}', "
                "to_jsonb((intent ->> 'at')::timestamptz - make_interval(mins => $2))) WHERE id = $1",
                work_order_id,
                minutes,
            )

    async def check_books(self, *works: WorkOrder) -> None:
        """No invariant names these work orders, and the stock's books are right."""
        ids = {str(each) for work in works for each in (work.id, work.order_id)}
        for line in (*await self.actions.invariants(), *await self.shipping.invariants()):
            assert not any(each in line for each in ids), line
        assert await self.inventory.invariants() == []


@pytest.fixture(scope="session")
async def floor(shop: Any) -> Floor:
    inventory: InventoryActions = shop.actions("inventory")
    places = [
        await inventory.add_warehouse(
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
    return Floor(shop, places[0].id, places[1].id)
