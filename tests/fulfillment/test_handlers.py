"""What fulfilment learns from orders' events; each may come twice, and either first."""

from typing import TYPE_CHECKING, Any

import pytest

from sampan.kernel.context import Actor
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
