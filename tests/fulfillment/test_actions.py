"""Work orders and their steps, with real stock and real parcels."""

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from sampan.kernel.context import ANONYMOUS, SYSTEM, Actor
from sampan.kernel.errors import Forbidden, Invalid
from sampan.kernel.ids import uuid7
from sampan.services.fulfillment import store
from sampan.services.fulfillment.contract import (
    Fulfillment,
    IllegalStep,
    NotPicked,
    Piece,
    UnknownWorkOrder,
    WorkOrderFilter,
)
from sampan.services.inventory.contract import HoldGone, NotConfirmed

if TYPE_CHECKING:
    from tests.fulfillment.conftest import Floor
else:
    Floor = Any

ANNA = Actor(kind="staff", id="anna", permissions=frozenset({"fulfillment.write"}))


async def test_a_work_order_goes_from_the_shelf_to_the_door(floor: Floor) -> None:
    [work] = await floor.placed(2, 1, cash=320_000)
    assert (work.status, work.version, work.steps) == ("allocated", 1, ["pick"])
    assert [(line.quantity, line.picked) for line in work.lines] == [(2, 0), (1, 0)]
    variant = work.lines[0].variant_id
    assert await floor.level(variant, floor.hanoi) == (2, 2, 0)
    actions = floor.actions
    assert (await actions.pick(actor=ANNA, work_order_id=work.id)).status == "picking"
    assert (await actions.pack(actor=ANNA, work_order_id=work.id, grams=900)).grams == 900
    shipped = await actions.ship(actor=ANNA, work_order_id=work.id)
    assert (shipped.status, shipped.steps) == ("shipped", ["deliver", "fail"])
    assert await floor.level(variant, floor.hanoi) == (0, 0, 0)
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert (parcel.id, parcel.tracking_number) == (shipped.shipment_id, shipped.tracking_number)
    assert (parcel.status, parcel.cod_amount.amount if parcel.cod_amount else None) == ("created", 320_000)
    label = await floor.shipping.find_label(shipment_id=parcel.id)
    assert (label.reference, label.grams) == (work.order_number, 900)
    assert (await actions.deliver(actor=ANNA, work_order_id=work.id)).steps == []
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert parcel.status == "delivered"
    assert await floor.told(work.id) == [
        ("allocated", 1), ("picking", 2), ("packed", 3), ("shipped", 4), ("delivered", 5),
    ]  # fmt: skip
    await floor.check_books(work)


async def test_a_parcel_that_cannot_be_handed_over_comes_back(floor: Floor) -> None:
    work = await floor.shipped(2)
    variant, actions = work.lines[0].variant_id, floor.actions
    await actions.fail(actor=ANNA, work_order_id=work.id, reason="Khách hẹn ngày khác")
    assert (await actions.send_back(actor=ANNA, work_order_id=work.id)).status == "returning"
    back = await actions.receive(actor=ANNA, work_order_id=work.id)
    assert (back.status, back.lines[0].returned) == ("returned", 2)
    assert await floor.level(variant, floor.hanoi) == (2, 0, 0)
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert [event.status for event in parcel.events] == ["created", "delivery_failed", "returning", "returned"]
    assert parcel.events[1].text == "Khách hẹn ngày khác"
    history = (await floor.now(work.id)).history
    assert [(change.version, change.status, change.note) for change in history[-3:]] == [
        (5, "delivery_failed", "Khách hẹn ngày khác"), (6, "returning", ""), (7, "returned", ""),
    ]  # fmt: skip
    assert {change.by for change in history[1:]} == {"staff:anna"}
    await floor.check_books(work)


async def test_a_failed_delivery_may_succeed_later(floor: Floor) -> None:
    work = await floor.shipped()
    await floor.actions.fail(actor=ANNA, work_order_id=work.id, reason="Không nghe máy")
    done = await floor.actions.deliver(actor=ANNA, work_order_id=work.id)
    assert done.status == "delivered"
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert parcel.status == "delivered"


async def test_what_is_damaged_or_lost_on_the_way_is_not_sold_again(floor: Floor) -> None:
    work = await floor.shipped(3, 1)
    first, second = (line.variant_id for line in work.lines)
    await floor.actions.fail(actor=ANNA, work_order_id=work.id, reason="Từ chối nhận")
    await floor.actions.send_back(actor=ANNA, work_order_id=work.id)
    back = await floor.actions.receive(
        actor=ANNA, work_order_id=work.id, lines=[Piece(first, 2), Piece(second, 0)], sellable=False
    )
    assert [line.returned for line in back.lines] == [2, 0]
    assert await floor.level(first, floor.hanoi) == (0, 0, 2)
    assert await floor.level(second, floor.hanoi) == (0, 0, 0)
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert parcel.status == "returned"
    await floor.check_books(work)


@pytest.mark.parametrize("cash", [0, 320_000])
async def test_a_parcel_that_the_carrier_lost_ends_and_brings_no_goods_back(floor: Floor, cash: int) -> None:
    work = await floor.shipped(2, 1, cash=cash)
    a, here = floor.actions, {"actor": ANNA, "work_order_id": work.id}
    await a.fail(**here, reason="Hãng vận chuyển làm mất")
    await a.send_back(**here)
    nothing = [Piece(line.variant_id, 0) for line in work.lines]
    with pytest.raises(Invalid):  # what of the other line?
        await a.receive(**here, lines=nothing[:1])
    assert (await floor.now(work.id)).steps == ["receive"]
    lost = await a.receive(**here, lines=nothing)
    assert (lost.status, lost.steps, [line.returned for line in lost.lines]) == ("returned", [], [0, 0])
    for again in (nothing, None):
        assert await a.receive(**here, lines=again) == lost
    for line in work.lines:
        assert await floor.level(line.variant_id, floor.hanoi) == (0, 0, 0)
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert [event.status for event in parcel.events] == ["created", "delivery_failed", "returning", "lost"]
    assert parcel.status == "lost"
    assert await floor.told(work.id) == [
        ("allocated", 1), ("picking", 2), ("packed", 3), ("shipped", 4), ("delivery_failed", 5), ("returning", 6),
        ("returned", 7),
    ]  # fmt: skip
    await floor.check_books(work)


# --- picking and packing ----------------------------------------------------------------------------------------------


async def test_a_partial_pick_keeps_picking(floor: Floor) -> None:
    [work] = await floor.placed(3, 1)
    first, second = (line.variant_id for line in work.lines)
    part = await floor.actions.pick(actor=ANNA, work_order_id=work.id, lines=[Piece(first, 2)])
    assert (part.status, part.version, [line.picked for line in part.lines]) == ("picking", 2, [2, 0])
    same = await floor.actions.pick(actor=ANNA, work_order_id=work.id, lines=[Piece(first, 2)])
    assert same.version == 2
    with pytest.raises(NotPicked):
        await floor.actions.pack(actor=ANNA, work_order_id=work.id)
    less = await floor.actions.pick(actor=ANNA, work_order_id=work.id, lines=[Piece(first, 1), Piece(second, 1)])
    assert (less.version, [line.picked for line in less.lines]) == (3, [1, 1])
    whole = await floor.actions.pick(actor=ANNA, work_order_id=work.id)
    assert (whole.version, [line.picked for line in whole.lines], whole.steps) == (4, [3, 1], ["pack"])
    assert await floor.told(work.id) == [("allocated", 1), ("picking", 2), ("picking", 3), ("picking", 4)]


async def test_picking_begins_with_the_first_pick(floor: Floor) -> None:
    [work] = await floor.placed(1)
    nothing = await floor.actions.pick(actor=ANNA, work_order_id=work.id, lines=[Piece(work.lines[0].variant_id, 0)])
    assert (nothing.status, nothing.version) == ("allocated", 1)


async def test_what_the_work_order_does_not_have_is_not_picked(floor: Floor) -> None:
    [work] = await floor.placed(1)
    for piece in (Piece(uuid7(), 1), Piece(work.lines[0].variant_id, 2)):
        with pytest.raises(Invalid):
            await floor.actions.pick(actor=ANNA, work_order_id=work.id, lines=[piece])
    assert (await floor.now(work.id)).version == 1


# --- every step, once -------------------------------------------------------------------------------------------------


async def test_a_step_that_is_repeated_changes_nothing(floor: Floor) -> None:
    work = await floor.packed(1)
    a, again = floor.actions, {"actor": ANNA, "work_order_id": work.id}
    assert await a.pack(**again, grams=5) == await a.pack(**again)
    assert await a.ship(**again) == await a.ship(**again)
    await a.fail(**again, reason="một")
    assert (await a.fail(**again, reason="hai")).version == 5
    assert await a.send_back(**again) == await a.send_back(**again)
    first = await a.receive(**again, sellable=True)
    assert await a.receive(**again, sellable=False) == first
    assert await floor.level(work.lines[0].variant_id, floor.hanoi) == (1, 0, 0)
    assert [version for _, version in await floor.told(work.id)] == [1, 2, 3, 4, 5, 6, 7]


async def test_a_step_that_is_taken_by_many_at_once_is_taken_once(floor: Floor) -> None:
    work = await floor.packed(2)
    barrier = asyncio.Barrier(4)

    async def ship() -> Any:
        await barrier.wait()
        return await floor.actions.ship(actor=ANNA, work_order_id=work.id)

    shown = await asyncio.gather(*(ship() for _ in range(4)))
    assert {each.tracking_number for each in shown} == {(await floor.now(work.id)).tracking_number}
    assert len(await floor.shipping.shipments_for(order_id=work.order_id)) == 1
    assert [status for status, _ in await floor.told(work.id)].count("shipped") == 1
    assert await floor.level(work.lines[0].variant_id, floor.hanoi) == (0, 0, 0)


async def test_a_step_that_does_not_begin_here_is_refused_with_the_status(floor: Floor) -> None:
    [work] = await floor.placed(1)
    a, here = floor.actions, {"actor": ANNA, "work_order_id": work.id}
    for step in (a.pack, a.ship, a.deliver, a.send_back, a.receive):
        with pytest.raises(IllegalStep) as refused:
            await step(**here)
        assert refused.value.facts["state"] == "allocated"
    with pytest.raises(IllegalStep):
        await a.fail(**here, reason="x")
    await a.pick(**here)
    await a.pack(**here)
    await a.ship(**here)
    await a.deliver(**here)
    for step in (a.pick, a.pack, a.ship, a.send_back, a.receive):
        with pytest.raises(IllegalStep) as refused:
            await step(**here)
        assert refused.value.facts["state"] == "delivered"


async def test_an_order_of_two_warehouses_is_two_work_orders(floor: Floor) -> None:
    works = await floor.placed(1, split=2, cash=100_000)
    assert {work.warehouse_id for work in works} == {floor.hanoi, floor.saigon}
    for work in works:
        await floor.actions.pick(actor=ANNA, work_order_id=work.id)
        await floor.actions.pack(actor=ANNA, work_order_id=work.id)
        await floor.actions.ship(actor=ANNA, work_order_id=work.id)
    parcels = await floor.shipping.shipments_for(order_id=works[0].order_id)
    assert [parcel.cod_amount.amount if parcel.cod_amount else 0 for parcel in parcels] == [100_000, 0]
    await floor.check_books(*works)


# --- who and which ----------------------------------------------------------------------------------------------------


async def test_only_those_who_may_work_here_do(floor: Floor) -> None:
    [work] = await floor.placed(1)
    a = floor.actions
    for actor in (ANONYMOUS, Actor(kind="staff", permissions=frozenset({"orders.read"})), Actor(kind="customer")):
        here: dict[str, Any] = {"actor": actor, "work_order_id": work.id}
        for step in (a.pick, a.pack, a.ship, a.deliver, a.send_back, a.receive, a.find_work_order):
            with pytest.raises(Forbidden):
                await step(**here)
        with pytest.raises(Forbidden):
            await a.fail(**here, reason="x")
        with pytest.raises(Forbidden):
            await a.list_work_orders(actor=actor, which=WorkOrderFilter())
    assert (await a.find_work_order(actor=SYSTEM, work_order_id=work.id)).version == 1


async def test_there_is_no_step_of_no_work_order(floor: Floor) -> None:
    a, nowhere = floor.actions, {"actor": ANNA, "work_order_id": uuid7()}
    for step in (a.pick, a.pack, a.ship, a.deliver, a.send_back, a.receive, a.find_work_order):
        with pytest.raises(UnknownWorkOrder):
            await step(**nowhere)
    with pytest.raises(UnknownWorkOrder):
        await a.fail(**nowhere, reason="x")
    assert await a.work_orders_for(order_id=uuid7()) == []


async def test_work_orders_are_found_by_status_warehouse_and_number(floor: Floor) -> None:
    works = await floor.placed(1, split=1)
    ours = {work.id: work for work in works}
    shipped = await floor.shipped()

    async def found(**which: Any) -> set[Any]:
        page = await floor.actions.list_work_orders(actor=ANNA, which=WorkOrderFilter(limit=100, **which))
        return {work.id for work in page.items}

    number = works[0].order_number
    assert await found(q=number) == set(ours)
    assert await found(q=f" {number[:-1].lower()} ") >= set(ours)
    assert await found(q=number, warehouse_id=floor.saigon) == {
        work.id for work in works if work.warehouse_id == floor.saigon
    }
    assert await found(q=shipped.tracking_number) == {shipped.id}
    assert await found(q=number, status="shipped") == set()
    assert shipped.id in await found(status="shipped")
    assert await found(q="%") == set()


async def test_work_orders_are_listed_page_by_page_both_ways(floor: Floor) -> None:
    order_id = uuid7()
    await floor.tell(floor.order_placed(order_id, [(uuid7(), uuid7(), 1) for _ in range(5)]))
    number = (await floor.actions.work_orders_for(order_id=order_id))[0].order_number
    for sort, turned in (("oldest", False), ("newest", True)):
        seen: list[Any] = []
        cursor = ""
        while True:
            which = WorkOrderFilter(q=number, sort=sort, limit=2, cursor=cursor)  # type: ignore[arg-type]
            page = await floor.actions.list_work_orders(actor=ANNA, which=which)
            seen += [work.id for work in page.items]
            if page.next is None:
                break
            cursor = page.next
        assert len(seen) == 5
        assert seen == sorted(seen, reverse=turned)
    with pytest.raises(Invalid):
        await floor.actions.list_work_orders(actor=ANNA, which=WorkOrderFilter(cursor="nonsense"))


async def test_peers_read_work_orders_through_the_contract(shop: Any, floor: Floor) -> None:
    [work] = await floor.placed(1)
    assert await shop.client(Fulfillment).work_orders_for(order_id=work.order_id) == [work]


# --- cancelled orders -------------------------------------------------------------------------------------------------


async def test_goods_that_the_stock_gave_back_are_not_sent(floor: Floor) -> None:
    work = await floor.packed(1)
    await floor.inventory.release(order_id=work.order_id, reason="cancelled")
    with pytest.raises(IllegalStep) as refused:
        await floor.actions.ship(actor=ANNA, work_order_id=work.id)
    assert refused.value.facts["state"] == "cancelled"
    assert (await floor.now(work.id)).status == "cancelled"
    assert await floor.told(work.id) == [("allocated", 1), ("picking", 2), ("packed", 3), ("cancelled", 4)]
    assert await floor.shipping.shipments_for(order_id=work.order_id) == []
    with pytest.raises(IllegalStep):
        await floor.actions.ship(actor=ANNA, work_order_id=work.id)
    with pytest.raises(HoldGone):
        await floor.inventory.ship(order_id=work.order_id, warehouse_id=floor.hanoi)
    await floor.check_books(work)


async def test_a_parcel_stays_when_the_stock_refuses_it(floor: Floor) -> None:
    """An order that is not confirmed in stock cannot leave; the work order waits where it was."""
    [work] = await floor.placed(1)
    await floor.actions.pick(actor=ANNA, work_order_id=work.id)
    await floor.actions.pack(actor=ANNA, work_order_id=work.id)
    async with floor.stock.begin() as tx:
        await tx.execute(
            "UPDATE inventory.hold SET status = 'held', expires_at = now() + interval '1 hour' WHERE order_id = $1",
            work.order_id,
        )
    with pytest.raises(NotConfirmed):
        await floor.actions.ship(actor=ANNA, work_order_id=work.id)
    waiting = await floor.now(work.id)
    assert (waiting.status, waiting.steps) == ("packed", ["ship"])
    async with floor.stock.begin() as tx:
        await tx.execute(
            "UPDATE inventory.hold SET status = 'confirmed', expires_at = NULL WHERE order_id = $1", work.order_id
        )
    assert (await floor.actions.ship(actor=ANNA, work_order_id=work.id)).status == "shipped"
    await floor.check_books(work)


# --- what the database holds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE fulfillment.line SET picked = quantity + 1 WHERE work_order_id = $1",
        "UPDATE fulfillment.line SET returned = picked + 1 WHERE work_order_id = $1",
        "UPDATE fulfillment.work_order SET status = 'shipped' WHERE id = $1",
        "UPDATE fulfillment.work_order SET status = 'lost' WHERE id = $1",
        "UPDATE fulfillment.work_order SET intent = '{}' WHERE id = $1",
        "DELETE FROM fulfillment.change WHERE work_order_id = $1",
    ],
)
async def test_the_database_refuses_what_the_rules_refuse(floor: Floor, wrong: str) -> None:
    [work] = await floor.placed(1)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with floor.db.begin() as tx:
            await tx.execute(wrong, work.id)


class Undone(Exception):
    """Nothing of what a test broke stays."""


async def test_what_is_broken_is_named(floor: Floor) -> None:
    [work] = await floor.placed(2)

    async def broken_by(sql: str, wrong: str, right: str, *, about: UUID = work.id) -> int:
        """How many violations are named while a row is wrong."""
        found: list[str] = []
        for value in (wrong, right):
            async with floor.db.begin() as tx:
                await tx.execute(sql.replace("?", value), about)
            found += [line for line in await floor.actions.invariants() if str(about) in line]
        return len(found)

    assert await broken_by("UPDATE fulfillment.line SET picked = ? WHERE work_order_id = $1", "1", "0") == 1
    status = "UPDATE fulfillment.work_order SET status = ? WHERE id = $1"
    assert await broken_by(status, "'packed'", "'allocated'") == 2
    count = "UPDATE fulfillment.order_fact SET work_orders = ? WHERE order_id = $1"
    assert await broken_by(count, "2", "1", about=work.order_id) == 1
    assert await broken_by("UPDATE fulfillment.work_order SET part_of = ? WHERE id = $1", "2", "1") == 1
    back = "UPDATE fulfillment.line SET picked = ?, returned = ? WHERE work_order_id = $1"
    assert await broken_by(back, "1", "0") == 2
    with pytest.raises(Undone):
        async with floor.db.begin() as tx:
            await tx.execute("DELETE FROM fulfillment.line WHERE work_order_id = $1", work.id)
            assert f"the work order {work.id} has no lines" in await store.broken(tx)
            raise Undone
    late = "now() - interval '6 minutes'"
    intent = "UPDATE fulfillment.work_order SET intent = ?, due_at = now() WHERE id = $1"
    half_way = f"jsonb_build_object('step', 'ship', 'by', '', 'at', {late})"
    assert await broken_by(intent, half_way, half_way.replace("6", "1")) == 1
    async with floor.db.begin() as tx:
        await tx.execute("UPDATE fulfillment.work_order SET intent = NULL, due_at = NULL WHERE id = $1", work.id)
        await tx.execute(f"UPDATE fulfillment.order_fact SET cancelled_at = {late} WHERE order_id = $1", work.order_id)
    assert any(str(work.id) in line for line in await floor.actions.invariants())
    await floor.tell(floor.order_cancelled(work.order_id))
    assert not any(str(work.id) in line for line in await floor.actions.invariants())
