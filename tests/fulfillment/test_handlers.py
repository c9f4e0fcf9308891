"""What fulfilment learns from orders' events; each may come twice, and either first."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from tests.conftest import dice, effort

from sampan.kernel.context import Actor
from sampan.kernel.events import Event
from sampan.kernel.ids import uuid7
from sampan.services.fulfillment.contract import IllegalStep

if TYPE_CHECKING:
    from tests.fulfillment.conftest import Floor
else:
    Floor = Any

ANNA = Actor(kind="staff", id="anna", permissions=frozenset({"fulfillment.write"}))


async def test_a_placed_order_becomes_work_for_each_warehouse(floor: Floor) -> None:
    order_id, bowl, cup = uuid7(), uuid7(), uuid7()
    event = floor.order_placed(order_id, [(bowl, floor.hanoi, 2), (cup, floor.hanoi, 1), (bowl, floor.saigon, 3)])
    await floor.tell(event, event)
    works = {work.warehouse_id: work for work in await floor.actions.work_orders_for(order_id=order_id)}
    assert set(works) == {floor.hanoi, floor.saigon}
    goods = [(line.variant_id, line.quantity, line.sku, line.name) for line in works[floor.hanoi].lines]
    assert goods == [(bowl, 2, f"SKU-{bowl.hex[-6:]}", "Bát gốm"), (cup, 1, f"SKU-{cup.hex[-6:]}", "Bát gốm")]
    assert [(line.variant_id, line.quantity) for line in works[floor.saigon].lines] == [(bowl, 3)]
    for work in works.values():
        assert (work.order_number, work.status, work.version) == (event.number, "allocated", 1)
        assert await floor.told(work.id) == [("allocated", 1)]
    async with floor.db.read() as tx:
        counts = await tx.many(
            int, "SELECT (body ->> 'of')::int FROM fulfillment.outbox WHERE body ->> 'order_id' = $1", str(order_id)
        )
    assert counts == [2, 2]
    await floor.check_books(*works.values())


async def test_an_order_without_goods_from_a_warehouse_is_no_work(floor: Floor) -> None:
    order_id = uuid7()
    await floor.tell(floor.order_placed(order_id, []), floor.order_cancelled(order_id))
    assert await floor.actions.work_orders_for(order_id=order_id) == []
    assert not any(str(order_id) in line for line in await floor.actions.invariants())


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_a_cancelled_order_is_not_sent(floor: Floor, steps: int) -> None:
    [work] = await floor.placed(1)
    for step in (floor.actions.pick, floor.actions.pack)[:steps]:
        await step(actor=ANNA, work_order_id=work.id)
    event = floor.order_cancelled(work.order_id)
    await floor.tell(event, event)
    assert (await floor.now(work.id)).status == "cancelled"
    assert (await floor.told(work.id))[-1] == ("cancelled", steps + 2)
    for step in (floor.actions.pick, floor.actions.pack, floor.actions.ship):
        with pytest.raises(IllegalStep):
            await step(actor=ANNA, work_order_id=work.id)
    assert not any(str(work.id) in line for line in await floor.actions.invariants())


async def test_an_order_that_was_cancelled_before_it_was_placed_is_no_work_to_do(floor: Floor) -> None:
    order_id = uuid7()
    cancelled = floor.order_cancelled(order_id)
    placed = floor.order_placed(order_id, [(uuid7(), floor.hanoi, 1), (uuid7(), floor.saigon, 1)])
    await floor.tell(cancelled, cancelled, placed, placed, cancelled)
    works = await floor.actions.work_orders_for(order_id=order_id)
    assert [(work.status, work.version, work.steps) for work in works] == [("cancelled", 1, [])] * 2
    for work in works:
        assert await floor.told(work.id) == [("cancelled", 1)]
    await floor.check_books(*works)


async def test_an_order_that_was_never_placed_leaves_no_work(floor: Floor) -> None:
    order_id = uuid7()
    await floor.tell(floor.order_cancelled(order_id, placed=False))
    assert await floor.actions.work_orders_for(order_id=order_id) == []
    assert not any(str(order_id) in line for line in await floor.actions.invariants())


async def test_what_has_left_stays_on_its_way_when_its_order_is_cancelled(floor: Floor) -> None:
    work = await floor.shipped(1)
    await floor.tell(floor.order_cancelled(work.order_id))
    assert (await floor.now(work.id)).status == "shipped"
    assert (await floor.actions.deliver(actor=ANNA, work_order_id=work.id)).status == "delivered"


async def test_of_a_parcel_that_is_just_leaving_the_stock_decides(floor: Floor) -> None:
    """The word of a cancellation comes while the parcel leaves; neither is lost, whoever was first in the stock."""
    work = await floor.packed(1)
    async with floor.db.begin() as tx:
        await tx.execute(
            "UPDATE fulfillment.work_order SET due_at = now(), intent = jsonb_build_object('step', 'ship', "
            "'by', 'staff:anna', 'at', now()) WHERE id = $1",
            work.id,
        )
    await floor.inventory.release(order_id=work.order_id, reason="cancelled")
    await floor.tell(floor.order_cancelled(work.order_id))
    waiting = await floor.now(work.id)
    assert (waiting.status, waiting.steps) == ("packed", ["ship"])
    await floor.actions.finish_steps()
    assert (await floor.now(work.id)).status == "cancelled"
    assert await floor.shipping.shipments_for(order_id=work.order_id) == []
    await floor.check_books(work)


async def left_of(floor: Floor, orders: list[UUID]) -> list[Any]:
    """What is known of these orders and was told of them, without ids and times."""
    found: list[Any] = []
    for order_id in orders:
        works = sorted(await floor.actions.work_orders_for(order_id=order_id), key=lambda work: work.warehouse_id)
        async with floor.db.read() as tx:
            facts = await tx.connection.fetch(
                "SELECT work_orders, placed_at IS NOT NULL, cancelled_at IS NOT NULL FROM fulfillment.order_fact "
                "WHERE order_id = $1",
                order_id,
            )
            parts = await tx.connection.fetch(
                "SELECT warehouse_id, (body ->> 'of')::int, body ->> 'status', (body ->> 'version')::int, actor "
                "FROM fulfillment.outbox o, LATERAL (SELECT (body ->> 'warehouse_id')::uuid AS warehouse_id) w "
                "WHERE body ->> 'order_id' = $1 ORDER BY 1, 4",
                str(order_id),
            )
        found.append(
            (
                [tuple(row) for row in facts],
                [tuple(row) for row in parts],
                [(work.warehouse_id, work.status, work.version, work.lines) for work in works],
                [
                    [(change.version, change.status, change.by) for change in (await floor.now(work.id)).history]
                    for work in works
                ],
            )
        )
    return found


async def test_a_page_of_orders_is_taken_as_one_after_the_other(floor: Floor) -> None:
    """Twice placed, cancelled before and after, without goods, from several warehouses, all mixed."""
    chance = dice("a page of orders")
    goods = [(uuid7(), place) for place in (floor.hanoi, floor.saigon, floor.hanoi, floor.saigon)]
    for _ in range(effort(4, 40)):
        plan = [(chance.sample(goods, chance.randrange(5)), chance.randrange(3), chance.randrange(3)) for _ in range(8)]
        sides = [[uuid7() for _ in plan] for _ in range(2)]
        pages: list[list[Event]] = [[], []]
        for orders, page in zip(sides, pages, strict=True):
            for order_id, (parts, placed, cancelled) in zip(orders, plan, strict=True):
                page += [floor.order_placed(order_id, [(*part, 2) for part in parts])] * placed
                page += [floor.order_cancelled(order_id)] * cancelled
        places = list(range(len(pages[0])))
        chance.shuffle(places)
        await floor.tell(*(pages[0][place] for place in places))
        await floor.tell_at_once(*(pages[1][place] for place in places))
        assert await left_of(floor, sides[0]) == await left_of(floor, sides[1])
        for orders in sides:
            for order_id in orders:
                await floor.check_books(*await floor.actions.work_orders_for(order_id=order_id))
        before = await left_of(floor, sides[1])
        await floor.tell_at_once(*(pages[1][place] for place in places))
        assert await left_of(floor, sides[1]) == before


async def test_many_placed_orders_take_as_many_statements_as_one(floor: Floor) -> None:
    async def statements(count: int) -> int:
        events = [
            floor.order_placed(uuid7(), [(uuid7(), floor.hanoi, 1), (uuid7(), floor.saigon, 2)]) for _ in range(count)
        ]
        before = floor.db.statements
        await floor.tell_at_once(*events)
        first = floor.db.statements - before
        await floor.tell_at_once(*events)
        assert floor.db.statements - before - first == 3  # known before: BEGIN, one look, COMMIT
        return first

    assert await statements(1) == await statements(100) == 7  # with BEGIN, COMMIT and what is told
