"""What inventory does, on a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from sampan.kernel import context
from sampan.kernel.context import Actor
from sampan.kernel.db import Tx
from sampan.kernel.errors import Invalid
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import (
    Allocation,
    AlreadyConfirmed,
    AlreadyShipped,
    Availability,
    AvailabilityChanged,
    Delivery,
    Demand,
    HoldGone,
    Inventory,
    LowStock,
    NotConfirmed,
    OutOfStock,
    StockCommitted,
    UnknownWarehouse,
    WarehouseExists,
)
from sampan.services.inventory.store import checks, holds

ANNA = Actor(kind="staff", id="anna")
HOLD_EXPIRED = "inventory.hold_expired.v1"
LOW_STOCK = "inventory.low_stock.v1"


def now() -> datetime:
    return datetime.now(UTC)


async def adjust(room: Any, variant: UUID, change: int, key: str = "", warehouse: UUID | None = None) -> Any:
    return await room.actions.adjust(
        actor=ANNA,
        key=key or str(uuid7()),
        variant_id=variant,
        warehouse_id=warehouse or room.hanoi,
        change=change,
        reason="counted again",
    )


# --- what can be sold -------------------------------------------------------------------------------------------------


async def test_available_is_the_sum_over_warehouses_in_the_order_asked(room: Any) -> None:
    some, none = await room.stocked(hanoi=3, saigon=4), uuid7()
    found = await room.actions.available_for(variants=[none, some, none])
    assert found == [Availability(none, 0), Availability(some, 7), Availability(none, 0)]


async def test_what_is_taken_for_good_is_allocated_in_one_step_and_never_lapses(room: Any) -> None:
    variant, order = await room.stocked(hanoi=5), uuid7()
    reservation = await room.reserve(order, (variant, 3), firm=True)
    assert (reservation.status, reservation.expires_at) == ("confirmed", None)
    assert await room.level(variant, room.hanoi) == (5, 0, 3, 0)
    assert await room.told(variant) == [5, 2]
    assert await room.reserve(order, (variant, 3), firm=True) == reservation
    await room.pass_time(order, 7200)
    await room.actions.release_expired()
    assert await room.actions.confirm(order_id=order) == reservation
    with pytest.raises(OutOfStock):
        await room.reserve(uuid7(), (variant, 3), firm=True)
    await room.actions.set_limits(variant_id=variant, warehouse_id=room.hanoi, safety=1, threshold=None)
    with pytest.raises(OutOfStock):
        await room.reserve(uuid7(), (variant, 2), firm=True)  # the safety stock is nobody's
    await room.actions.release(order_id=order, reason="changed my mind")
    assert await room.level(variant, room.hanoi) == (5, 0, 0, 0)


async def test_what_was_held_before_is_confirmed_when_it_is_asked_for_for_good(room: Any) -> None:
    variant, order = await room.stocked(hanoi=5), uuid7()
    await room.reserve(order, (variant, 3))
    assert (await room.reserve(order, (variant, 3), firm=True)).status == "confirmed"
    assert await room.level(variant, room.hanoi) == (5, 0, 3, 0)


async def test_what_is_held_cannot_be_sold_again(room: Any) -> None:
    variant = await room.stocked(hanoi=5)
    reservation = await room.reserve(uuid7(), (variant, 3))
    assert reservation.status == "held"
    assert reservation.allocations == [Allocation(variant, room.hanoi, 3)]
    assert await room.available(variant) == 2
    assert await room.told(variant) == [5, 2]
    with pytest.raises(OutOfStock) as refusal:
        await room.reserve(uuid7(), (variant, 1), (variant, 2))
    assert refusal.value.facts["lines"] == [{"variant_id": str(variant), "wanted": 3, "available": 2}]


async def test_an_order_holds_all_its_lines_or_none(room: Any) -> None:
    plenty, scarce = await room.stocked(hanoi=9), await room.stocked(hanoi=1)
    with pytest.raises(OutOfStock) as refusal:
        await room.reserve(uuid7(), (plenty, 2), (scarce, 2))
    assert [line["variant_id"] for line in refusal.value.facts["lines"]] == [str(scarce)]
    assert (await room.available(plenty), await room.available(scarce)) == (9, 1)
    await room.check_books()


async def test_the_goods_come_from_the_warehouse_that_serves_the_province(room: Any) -> None:
    variant = await room.stocked(hanoi=5, saigon=5)
    far = await room.reserve(uuid7(), (variant, 1), province="79")
    assert [part.warehouse_id for part in far.allocations] == [room.saigon]
    both = await room.reserve(uuid7(), (variant, 9), province="79")
    assert {part.warehouse_id: part.quantity for part in both.allocations} == {room.saigon: 4, room.hanoi: 5}


async def test_the_same_order_gets_the_same_answer(room: Any) -> None:
    other, variant, order = await room.stocked(hanoi=1, saigon=1), await room.stocked(hanoi=5), uuid7()
    first = await room.reserve(order, (variant, 2), (other, 2))
    assert len(first.allocations) == 3
    assert await room.reserve(order, (variant, 1), (other, 2), (variant, 1), minutes=30) == first
    assert (await room.actions.confirm(order_id=order)).allocations == first.allocations
    assert await room.available(variant) == 3


async def test_another_demand_replaces_what_the_order_holds(room: Any) -> None:
    variant, other, order = await room.stocked(hanoi=5), await room.stocked(hanoi=5), uuid7()
    await room.reserve(order, (variant, 4))
    changed = await room.reserve(order, (variant, 5), (other, 1))
    assert {part.variant_id: part.quantity for part in changed.allocations} == {variant: 5, other: 1}
    assert (await room.available(variant), await room.available(other)) == (0, 4)
    await room.reserve(order, (other, 1))
    assert (await room.available(variant), await room.available(other)) == (5, 4)
    await room.check_books()


async def test_a_demand_that_cannot_be_met_leaves_the_former_hold_as_it_was(room: Any) -> None:
    variant, order = await room.stocked(hanoi=5), uuid7()
    before = await room.reserve(order, (variant, 4))
    with pytest.raises(OutOfStock):
        await room.reserve(order, (variant, 6))
    assert await room.reserve(order, (variant, 4)) == before


async def test_safety_stock_is_not_sold(room: Any) -> None:
    variant = await room.stocked(hanoi=5)
    level = await room.actions.set_limits(variant_id=variant, warehouse_id=room.hanoi, safety=2, threshold=None)
    assert (level.available, level.safety, level.threshold) == (3, 2, 0)
    assert await room.told(variant) == [5, 3]
    with pytest.raises(OutOfStock):
        await room.reserve(uuid7(), (variant, 4))
    order = uuid7()
    await room.reserve(order, (variant, 3))
    await room.actions.set_limits(variant_id=variant, warehouse_id=room.hanoi, safety=4, threshold=None)
    assert await room.available(variant) == 0
    await room.actions.release(order_id=order, reason="changed my mind")
    assert await room.available(variant) == 1
    await room.check_books()


@pytest.mark.parametrize("quantity", [0, -2])
async def test_a_demand_is_for_something(room: Any, quantity: int) -> None:
    with pytest.raises(Invalid):
        await room.reserve(uuid7(), (await room.stocked(hanoi=1), quantity))
    with pytest.raises(Invalid):
        await room.reserve(uuid7(), (uuid7(), 1), minutes=0)


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_hold_lives_for_its_minutes_by_the_clock_of_the_database(room: Any) -> None:
    reservation = await room.reserve(uuid7(), (await room.stocked(hanoi=1), 1), minutes=10)
    assert abs(reservation.expires_at - now() - timedelta(minutes=10)) < timedelta(seconds=30)


async def test_a_hold_is_extended_but_never_past_an_hour_from_its_beginning(room: Any) -> None:
    variant, order = await room.stocked(hanoi=1), uuid7()
    first = await room.reserve(order, (variant, 1), minutes=10)
    longer = await room.actions.extend(order_id=order, minutes=20)
    assert longer.expires_at - first.expires_at > timedelta(minutes=9)
    assert (await room.actions.extend(order_id=order, minutes=5)).expires_at == longer.expires_at
    capped = await room.actions.extend(order_id=order, minutes=600)
    assert timedelta(minutes=59) < capped.expires_at - now() <= timedelta(minutes=60, seconds=5)
    await room.pass_time(order, 50 * 60)
    again = await room.actions.extend(order_id=order, minutes=30)
    assert again.expires_at - now() < timedelta(minutes=10, seconds=5)
    await room.check_books()


async def test_replacing_a_hold_does_not_give_it_another_hour(room: Any) -> None:
    variant, order = await room.stocked(hanoi=2), uuid7()
    await room.reserve(order, (variant, 1), minutes=60)
    await room.pass_time(order, 55 * 60)
    replaced = await room.reserve(order, (variant, 2), minutes=60)
    assert replaced.expires_at - now() < timedelta(minutes=6)


async def test_a_lapsed_hold_is_ignored_at_once(room: Any) -> None:
    variant, order = await room.stocked(hanoi=2), uuid7()
    await room.reserve(order, (variant, 2))
    await room.pass_time(order, 601)
    assert await room.available(variant) == 2
    for act in (
        room.actions.confirm(order_id=order),
        room.actions.extend(order_id=order, minutes=5),
        room.actions.ship(order_id=order, warehouse_id=room.hanoi),
    ):
        with pytest.raises(HoldGone):
            await act


async def test_goods_of_a_lapsed_hold_are_sold_to_the_next_before_the_sweep(room: Any) -> None:
    variant, other, first, second = await room.stocked(hanoi=2), await room.stocked(hanoi=1), uuid7(), uuid7()
    await room.reserve(first, (variant, 2), (other, 1))
    await room.pass_time(first, 601)
    await room.reserve(second, (variant, 2))
    assert (await room.available(variant), await room.available(other)) == (0, 1)
    assert len(await room.events(HOLD_EXPIRED, first)) == 1
    with pytest.raises(HoldGone):
        await room.actions.confirm(order_id=first)
    assert (await room.actions.confirm(order_id=second)).status == "confirmed"
    await room.check_books()


async def test_the_sweep_releases_what_lapsed_and_says_so_once(room: Any) -> None:
    variant, lapsed, alive = await room.stocked(hanoi=5), uuid7(), uuid7()
    await room.reserve(lapsed, (variant, 2))
    await room.reserve(alive, (variant, 1))
    await room.pass_time(lapsed, 601)
    for _ in range(2):
        await room.actions.release_expired()
    assert await room.level(variant, room.hanoi) == (5, 1, 0, 0)
    assert await room.told(variant) == [5, 3, 2, 4]
    assert len(await room.events(HOLD_EXPIRED, lapsed)) == 1
    assert await room.events(HOLD_EXPIRED, alive) == []
    await room.check_books()


async def test_many_lapsed_holds_are_swept_in_slices(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sampan.services.inventory.actions.SLICE", 2)
    variant, orders = await room.stocked(hanoi=5), [uuid7() for _ in range(5)]
    for order in orders:
        await room.reserve(order, (variant, 1))
        await room.pass_time(order, 601)
    assert (await room.reserve(uuid7(), (variant, 5))).status == "held"
    await room.check_books()


async def test_a_lapsed_hold_is_taken_again_by_its_order_if_the_goods_are_there(room: Any) -> None:
    variant, order = await room.stocked(hanoi=2), uuid7()
    await room.reserve(order, (variant, 2), minutes=60)
    await room.pass_time(order, 3601)
    again = await room.reserve(order, (variant, 2), minutes=60)
    assert again.status == "held"
    assert again.expires_at - now() > timedelta(minutes=59)  # a new hold, a new hour
    assert await room.events(HOLD_EXPIRED, order) == []
    await room.pass_time(order, 3601)
    await room.reserve(uuid7(), (variant, 1))
    with pytest.raises(OutOfStock):
        await room.reserve(order, (variant, 2))
    await room.check_books()


# --- placed, released, shipped, returned ------------------------------------------------------------------------------


async def test_a_confirmed_hold_no_longer_lapses(room: Any) -> None:
    variant, order = await room.stocked(hanoi=3), uuid7()
    await room.reserve(order, (variant, 2))
    confirmed = await room.actions.confirm(order_id=order)
    assert (confirmed.status, confirmed.expires_at) == ("confirmed", None)
    assert await room.actions.confirm(order_id=order) == confirmed
    assert await room.actions.extend(order_id=order, minutes=5) == confirmed
    assert await room.reserve(order, (variant, 2)) == confirmed
    assert await room.level(variant, room.hanoi) == (3, 0, 2, 0)
    assert await room.told(variant) == [3, 1]
    with pytest.raises(AlreadyConfirmed):
        await room.reserve(order, (variant, 1))


async def test_a_release_gives_back_what_was_held_or_allocated(room: Any) -> None:
    variant, held = await room.stocked(hanoi=5), uuid7()
    await room.reserve(held, (variant, 2))
    placed = await room.placed((variant, 1))
    for order in (held, placed, held):
        released = await room.actions.release(order_id=order, reason="đổi ý")
        assert released.status == "released"
    assert await room.level(variant, room.hanoi) == (5, 0, 0, 0)
    assert (await room.told(variant))[-1] == 5
    assert await room.actions.release(order_id=uuid7(), reason="x") is None
    await room.check_books()


async def test_a_released_order_cannot_go_on_and_takes_nothing_any_more(room: Any) -> None:
    variant, order = await room.stocked(hanoi=1), uuid7()
    await room.reserve(order, (variant, 1))
    await room.actions.release(order_id=order, reason="x" * 500)
    with pytest.raises(HoldGone):
        await room.actions.confirm(order_id=order)
    for firm in (False, True):
        with pytest.raises(HoldGone):
            await room.reserve(order, (variant, 1), firm=firm)
    assert await room.available(variant) == 1


async def test_an_order_that_is_called_off_before_it_held_anything_takes_nothing_after(room: Any) -> None:
    variant, order = await room.stocked(hanoi=1), uuid7()
    for _ in range(2):
        assert await room.actions.release(order_id=order, reason="called off") is None
    with pytest.raises(HoldGone):
        await room.reserve(order, (variant, 1), firm=True)
    assert await room.available(variant) == 1
    await room.check_books()


async def test_an_order_that_holds_nothing_cannot_be_confirmed(room: Any) -> None:
    for act in (
        room.actions.confirm(order_id=uuid7()),
        room.actions.extend(order_id=uuid7(), minutes=5),
        room.actions.ship(order_id=uuid7(), warehouse_id=room.hanoi),
    ):
        with pytest.raises(HoldGone):
            await act


async def test_goods_that_ship_leave_the_shelf(room: Any) -> None:
    variant = await room.stocked(hanoi=5)
    order = await room.placed((variant, 2))
    shipped = await room.actions.ship(order_id=order, warehouse_id=room.hanoi)
    assert shipped == [Allocation(variant, room.hanoi, 2)]
    assert await room.actions.ship(order_id=order, warehouse_id=room.hanoi) == shipped
    assert await room.level(variant, room.hanoi) == (3, 0, 0, 0)
    assert await room.told(variant) == [5, 3]
    assert (await room.actions.confirm(order_id=order)).status == "shipped"
    with pytest.raises(AlreadyShipped):
        await room.actions.release(order_id=order, reason="too late")
    with pytest.raises(AlreadyShipped):
        await room.reserve(order, (variant, 1))
    await room.check_books()


async def test_an_order_ships_warehouse_by_warehouse_and_one_parcel_binds_it(room: Any) -> None:
    variant = await room.stocked(hanoi=1, saigon=1)
    order = await room.placed((variant, 2))
    assert await room.actions.ship(order_id=order, warehouse_id=uuid7()) == []
    await room.actions.ship(order_id=order, warehouse_id=room.saigon)
    assert (await room.actions.confirm(order_id=order)).status == "confirmed"
    with pytest.raises(AlreadyShipped):
        await room.actions.release(order_id=order, reason="half is gone")
    assert await room.level(variant, room.hanoi) == (1, 0, 1, 0)
    await room.actions.ship(order_id=order, warehouse_id=room.hanoi)
    assert (await room.actions.confirm(order_id=order)).status == "shipped"
    await room.check_books()


async def test_an_order_that_is_not_placed_is_not_shipped(room: Any) -> None:
    variant, order = await room.stocked(hanoi=1), uuid7()
    await room.reserve(order, (variant, 1))
    with pytest.raises(NotConfirmed):
        await room.actions.ship(order_id=order, warehouse_id=room.hanoi)


async def test_what_comes_back_is_restocked_once_and_at_most_what_was_shipped(room: Any) -> None:
    variant = await room.stocked(hanoi=5)
    order = await room.placed((variant, 3))
    back = {"order_id": order, "warehouse_id": room.hanoi, "demands": [Demand(variant, 2)], "sellable": True}
    await room.actions.take_back(**back, reason="not shipped yet")
    await room.actions.ship(order_id=order, warehouse_id=room.hanoi)
    for _ in range(2):
        await room.actions.take_back(**back, reason="returned")
    assert await room.level(variant, room.hanoi) == (4, 0, 0, 0)
    await room.actions.take_back(**back, reason="returned again")
    assert await room.level(variant, room.hanoi) == (5, 0, 0, 0)
    await room.actions.take_back(**back, reason="and again")
    assert await room.available(variant) == 5
    await room.actions.take_back(**{**back, "order_id": uuid7()}, reason="never ordered")
    await room.check_books()


async def test_damaged_goods_are_put_apart_and_may_come_back_to_another_warehouse(room: Any) -> None:
    variant = await room.stocked(hanoi=2)
    order = await room.placed((variant, 2))
    await room.actions.ship(order_id=order, warehouse_id=room.hanoi)
    demands = [Demand(variant, 1)]
    await room.actions.take_back(
        order_id=order, warehouse_id=room.saigon, demands=demands, sellable=False, reason="broken"
    )
    await room.actions.take_back(
        order_id=order, warehouse_id=room.saigon, demands=demands, sellable=True, reason="broken"
    )
    assert await room.level(variant, room.saigon) == (1, 0, 0, 1)
    assert await room.available(variant) == 1
    await room.check_books()


async def test_a_return_to_a_warehouse_that_is_not_there_changes_nothing(room: Any) -> None:
    variant = await room.stocked(hanoi=1)
    order = await room.placed((variant, 1))
    await room.actions.ship(order_id=order, warehouse_id=room.hanoi)
    back = {"order_id": order, "demands": [Demand(variant, 1)], "sellable": True, "reason": "returned"}
    with pytest.raises(UnknownWarehouse):
        await room.actions.take_back(**back, warehouse_id=uuid7())
    await room.actions.take_back(**back, warehouse_id=room.hanoi)
    assert await room.available(variant) == 1


# --- levels -----------------------------------------------------------------------------------------------------------


async def test_a_delivery_counts_once_however_often_it_is_told(room: Any) -> None:
    variant, items = uuid7(), []
    for place, quantity in ((room.hanoi, 3), (room.saigon, 4)):
        items.append(Delivery(variant, place, quantity))
    for _ in range(3):
        await room.actions.stock_up(cause=f"truck {variant}", items=items)
    assert await room.available(variant) == 7
    assert await room.told(variant) == [7]
    with pytest.raises(UnknownWarehouse):
        await room.actions.stock_up(cause="x", items=[*items, Delivery(variant, uuid7(), 1)])
    assert await room.available(variant) == 7


async def test_a_large_delivery_takes_few_statements(room: Any) -> None:
    async def statements(count: int) -> int:
        before = room.actions.db.statements
        items = [Delivery(uuid7(), room.hanoi, 5) for _ in range(count)]
        await room.actions.stock_up(cause=f"bulk {uuid7()}", items=items)
        return room.actions.db.statements - before

    assert await statements(1) == await statements(1500) == 4


async def test_what_the_statements_tell_is_what_the_contract_says(room: Any, shop: Any) -> None:
    """They write their events themselves, the large ones in pages."""
    feed = shop.shop.feeds["inventory"]
    cursor = await feed.end()
    items = [Delivery(uuid7(), room.hanoi, 2) for _ in range(1100)]
    with context.working_as(ANNA, request="r-9"):
        await room.actions.stock_up(cause=f"bulk {uuid7()}", items=items)
        await room.actions.set_limits(variant_id=items[0].variant_id, warehouse_id=room.hanoi, safety=0, threshold=1)
        await room.reserve(uuid7(), (items[0].variant_id, 1))
    while await feed.is_hiding():
        await asyncio.sleep(0.01)
    found = [
        each
        for each in await feed.events_after(cursor=cursor, limit=1000)
        if each.request_id == "r-9" and each.actor == "staff:anna"
    ]
    by_name = {event.name: event for event in (AvailabilityChanged, LowStock)}
    told = [msgspec.json.decode(each.body, type=by_name[each.name], strict=True) for each in found]
    assert [len(event.items) for event in told[:3]] == [500, 500, 100]
    assert {item.variant_id for event in told[:3] for item in event.items} == {item.variant_id for item in items}
    assert told[3:] == [
        AvailabilityChanged([Availability(items[0].variant_id, 1, version=2)]),
        LowStock(items[0].variant_id, room.hanoi, 1, 1),
    ]


async def test_the_usual_calls_take_few_statements(room: Any) -> None:
    variant, other = await room.stocked(hanoi=5, saigon=5), await room.stocked(hanoi=5)
    counts = {}

    async def counted(name: str, act: Any) -> None:
        before = room.actions.db.statements
        await act
        counts[name] = room.actions.db.statements - before

    order, second = uuid7(), uuid7()
    await counted("reserve", room.reserve(order, (variant, 2), (other, 1)))
    await counted("confirm", room.actions.confirm(order_id=order))
    await counted("ship", room.actions.ship(order_id=order, warehouse_id=room.hanoi))
    await room.reserve(second, (variant, 2), (other, 1))
    await counted("release", room.actions.release(order_id=second, reason="x"))
    await counted("available", room.actions.available_for(variants=[variant, other]))
    assert counts == {"reserve": 2, "confirm": 4, "ship": 5, "release": 5, "available": 1}


async def test_a_correction_counts_once_per_key(room: Any) -> None:
    variant = await room.stocked(hanoi=5)
    for _ in range(2):
        level = await adjust(room, variant, -2, key="the same key")
        assert (level.on_hand, level.available) == (3, 3)
    other = await room.stocked(hanoi=1)
    assert (await adjust(room, other, 1, key="the same key")).on_hand == 2  # other goods, another correction
    assert await room.told(variant) == [5, 3]
    assert (await adjust(room, uuid7(), 4)).on_hand == 4  # the first of its kind here
    await room.check_books()


async def test_a_correction_never_takes_what_orders_hold(room: Any) -> None:
    variant, held = await room.stocked(hanoi=5), uuid7()
    await room.placed((variant, 1))
    await room.reserve(held, (variant, 2))
    with pytest.raises(StockCommitted) as refusal:
        await adjust(room, variant, -3)
    assert refusal.value.facts == {"on_hand": 5, "held": 2, "allocated": 1}
    await adjust(room, variant, -2)
    await room.pass_time(held, 601)
    assert (await adjust(room, variant, -2)).on_hand == 1  # what lapsed holds nothing
    with pytest.raises(UnknownWarehouse):
        await adjust(room, variant, 1, warehouse=uuid7())
    await room.check_books()


async def test_a_warning_goes_out_when_a_level_falls_to_its_threshold_and_only_then(room: Any) -> None:
    variant = await room.stocked(hanoi=5)
    await room.actions.set_limits(variant_id=variant, warehouse_id=room.hanoi, safety=None, threshold=3)
    await room.reserve(uuid7(), (variant, 1))
    assert await room.events(LOW_STOCK, variant) == []
    await room.reserve(uuid7(), (variant, 1))
    await room.reserve(uuid7(), (variant, 1))
    [warning] = await room.events(LOW_STOCK, variant)
    assert (warning["available"], warning["threshold"], warning["warehouse_id"]) == (3, 3, str(room.hanoi))


async def test_every_change_has_a_movement_and_movements_cannot_be_rewritten(room: Any) -> None:
    variant = await room.stocked(hanoi=5)
    order = await room.placed((variant, 2))
    await room.actions.ship(order_id=order, warehouse_id=room.hanoi)
    page = await room.actions.list_movements(variant_id=variant, warehouse_id=None, limit=3, cursor=None)
    rest = await room.actions.list_movements(variant_id=variant, warehouse_id=room.hanoi, limit=3, cursor=page.next)
    kinds = [entry.kind for entry in [*page.items, *rest.items]]
    assert kinds == ["shipped", "confirmed", "held", "received"]
    assert page.items[0].order_id == order
    for change in ("UPDATE inventory.movement SET on_hand = 9", "DELETE FROM inventory.movement"):
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)):
            async with room.db.begin() as tx:
                await tx.execute(f"{change} WHERE variant_id = $1", variant)


async def test_the_database_itself_refuses_to_sell_what_is_not_there(room: Any) -> None:
    variant = await room.stocked(hanoi=1)
    for change in ("held = 2", "on_hand = -1", "allocated = 1, held = 1"):
        with pytest.raises(asyncpg.CheckViolationError):
            async with room.db.begin() as tx:
                await tx.execute(f"UPDATE inventory.level SET {change} WHERE variant_id = $1", variant)


# --- warehouses -------------------------------------------------------------------------------------------------------


async def new_warehouse(room: Any, **more: Any) -> Any:
    fields = {"name": "Kho", "province_code": "48", "ward_code": "20194", "street": "2 Bạch Đằng", "priority": 50}
    return await room.actions.add_warehouse(
        **{**fields, "code": f"W{uuid7().hex[-10:].upper()}", "provinces": ["48"], **more}
    )


async def test_warehouses_are_listed_by_priority(room: Any) -> None:
    late = await new_warehouse(room, priority=900)
    listed = await room.actions.list_warehouses()
    assert late in listed
    assert [each.priority for each in listed] == sorted(each.priority for each in listed)
    with pytest.raises(WarehouseExists):
        await new_warehouse(room, code=late.code)


async def test_a_closed_warehouse_sells_nothing_but_ships_what_it_owes(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sampan.services.inventory.actions.SLICE", 1)
    place = await new_warehouse(room)
    variant, other = uuid7(), uuid7()
    await room.actions.stock_up(
        cause=f"x {variant}", items=[Delivery(variant, place.id, 3), Delivery(other, place.id, 1)]
    )
    order = await room.placed((variant, 1))
    closed = await room.actions.change_warehouse(warehouse_id=place.id, changes={"active": False, "name": "Đóng"})
    assert (closed.active, closed.name) == (False, "Đóng")
    assert (await room.available(variant), await room.available(other)) == (0, 0)
    assert await room.told(variant) == [3, 2, 0]
    with pytest.raises(OutOfStock):
        await room.reserve(uuid7(), (variant, 1))
    late = uuid7()
    await room.actions.stock_up(cause=f"x {late}", items=[Delivery(late, place.id, 2)])
    assert await room.available(late) == 0
    await room.actions.ship(order_id=order, warehouse_id=place.id)
    await room.check_books()
    await room.actions.change_warehouse(warehouse_id=place.id, changes={"active": True})
    assert (await room.available(variant), await room.available(late)) == (2, 2)
    assert await room.told(variant) == [3, 2, 0, 2]
    await room.check_books()


async def test_an_unknown_warehouse_cannot_change(room: Any) -> None:
    with pytest.raises(UnknownWarehouse):
        await room.actions.change_warehouse(warehouse_id=uuid7(), changes={"active": False})
    with pytest.raises(UnknownWarehouse):
        await room.actions.set_limits(variant_id=uuid7(), warehouse_id=uuid7(), safety=1, threshold=1)


# --- the rest ---------------------------------------------------------------------------------------------------------


async def test_a_peer_gets_the_same_answers_through_the_contract(shop: Any, room: Any) -> None:
    client = shop.client(Inventory)
    variant, order = await room.stocked(hanoi=3), uuid7()
    for _ in range(2):
        await client.stock_up(cause=f"again {variant}", items=[Delivery(variant, room.hanoi, 1)])
    demands = [Demand(variant, 4)]
    first = await client.reserve(order_id=order, demands=demands, province_code="01", minutes=10)
    assert await client.reserve(order_id=order, demands=demands, province_code="01", minutes=10) == first
    assert await client.available_for(variants=[variant]) == [Availability(variant, 0)]
    assert await client.confirm(order_id=order) == await client.confirm(order_id=order)
    assert await client.ship(order_id=order, warehouse_id=room.hanoi) == first.allocations
    for _ in range(2):
        await client.take_back(
            order_id=order, warehouse_id=room.hanoi, demands=demands, sellable=True, reason="returned"
        )
    assert await client.available_for(variants=[variant]) == [Availability(variant, 4)]


# The invariants look for it all the same: somebody may have taken the constraint away.
NOT_EVEN_THE_TABLE_REFUSES_IT = """
DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT conname FROM pg_constraint WHERE conrelid = 'inventory.level'::regclass AND contype = 'c' LOOP
        EXECUTE format('ALTER TABLE inventory.level DROP CONSTRAINT %I', each.conname);
    END LOOP;
END $$
"""
HOLD_OF = (
    "UPDATE inventory.hold SET {} WHERE order_id IN (SELECT order_id FROM inventory.allocation WHERE variant_id = $1)"
)
PARTS = "UPDATE inventory.allocation SET {} WHERE variant_id = $1"


def both(hold: str, parts: str) -> str:
    return f"WITH hold AS ({HOLD_OF.format(hold)}) {PARTS.format(parts)}"


LEVEL = "UPDATE inventory.level SET {0} = {0} + 1 WHERE variant_id = $1"


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        *((LEVEL.format(kind), "movements say") for kind in ("on_hand", "held", "allocated", "unsellable")),
        ("DELETE FROM inventory.level WHERE variant_id = $1", "movements say"),
        *((LEVEL.format(kind), "the orders say") for kind in ("held", "allocated")),
        ("DELETE FROM inventory.level WHERE variant_id = $1", "the orders say"),
        ("UPDATE inventory.level SET held = on_hand + 1 WHERE variant_id = $1", "is below zero"),
        ("UPDATE inventory.availability SET available = available + 1 WHERE variant_id = $1", "was told"),
        ("DELETE FROM inventory.availability WHERE variant_id = $1", "was told"),
        (HOLD_OF.format("expires_at = now() - interval '6 minutes'"), "not swept"),
        ("DELETE FROM inventory.allocation WHERE variant_id = $1", "do not agree"),
        (PARTS.format("held_until = NULL"), "do not agree"),
        (both("status = 'released', expires_at = NULL", "held_until = NULL, shipped = true"), "do not agree"),
        (both("status = 'shipped', expires_at = NULL", "held_until = NULL"), "do not agree"),
        (HOLD_OF.format("closed = true"), "was called off"),
        (HOLD_OF.format("closed = true, status = 'confirmed', expires_at = NULL"), "was called off"),
        (HOLD_OF.format("attempt = attempt + 1"), "a former attempt"),
        (both("attempt = attempt + 1", "held_until = NULL, shipped = true"), "a former attempt"),
        (PARTS.format("held_until = NULL, shipped = true, returned = 1"), "came back"),
        (
            "INSERT INTO inventory.movement (kind, cause, variant_id, warehouse_id, order_id, on_hand, held, allocated, "
            "unsellable, reason, moved_by) SELECT 'returned', 'x', variant_id, warehouse_id, order_id, 0, 0, 0, 1, '', '' "
            "FROM inventory.allocation WHERE variant_id = $1",
            "came back",
        ),
    ],
)
async def test_invariants_name_every_kind_of_damage(room: Any, damage: str, word: str) -> None:
    variant = await room.stocked(hanoi=3)
    await room.reserve(uuid7(), (variant, 1))
    async with room.db.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(NOT_EVEN_THE_TABLE_REFUSES_IT)
        await connection.execute(damage, variant)
        assert any(word in sentence for sentence in await checks.violations(Tx(connection, "inventory")))
        await transaction.rollback()
    await room.check_books()


async def test_what_lapsed_is_found_by_an_index(room: Any) -> None:
    values = {"$1": "now()", "$2": f"'{uuid7()}'", "$3": "5", "$4": "'{}'"}
    async with room.db.begin() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        for sql in (holds.LAPSED_OF, holds.LAPSED):
            for name, value in values.items():
                sql = sql.replace(name, value)
            plan = "\n".join(await tx.many(str, "EXPLAIN " + sql))
            assert "lapses" in plan
