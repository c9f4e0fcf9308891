"""Many at once: nothing is sold twice, no order holds a part, of two that exclude each other one wins."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from sampan.kernel.context import SYSTEM
from sampan.kernel.db import Tx
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import AlreadyShipped, Delivery, Demand, HoldGone, OutOfStock
from sampan.services.inventory.store import holds, levels

Act = Callable[[], Awaitable[Any]]


async def at_once(*acts: Act) -> list[Any]:
    """Start all acts behind one barrier; what each gave, or the refusal it raised."""
    start = asyncio.Barrier(len(acts))

    async def run(act: Act) -> Any:
        await start.wait()
        try:
            return await act()
        except (OutOfStock, HoldGone, AlreadyShipped) as refusal:
            return refusal

    return await asyncio.gather(*(run(act) for act in acts))


def buying(room: Any, order: UUID, *wanted: tuple[UUID, int], province: str = "01") -> Act:
    return lambda: room.reserve(order, *wanted, province=province)


async def test_200_buyers_for_50_pieces_get_exactly_50(room: Any) -> None:
    variant = await room.stocked(hanoi=50)
    got = await at_once(*(buying(room, uuid7(), (variant, 1)) for _ in range(200)))
    refused = [each for each in got if isinstance(each, OutOfStock)]
    assert len(got) - len(refused) == 50
    assert {line["available"] for refusal in refused for line in refusal.facts["lines"]} == {0}
    assert await room.level(variant, room.hanoi) == (50, 50, 0, 0)
    told = await room.told(variant)
    assert told == list(range(50, -1, -1))
    await room.check_books()


async def test_the_last_pieces_of_two_warehouses_are_all_sold(room: Any) -> None:
    variant = await room.stocked(hanoi=20, saigon=20)
    got = await at_once(
        *(buying(room, uuid7(), (variant, n % 3 + 1), province="79" if n % 2 else "01") for n in range(60))
    )
    sold = sum(part.quantity for each in got if not isinstance(each, OutOfStock) for part in each.allocations)
    assert 38 <= sold <= 40  # a buyer of three goes away when two are left
    assert await room.available(variant) == 40 - sold
    assert (await room.told(variant))[-1] == 40 - sold
    await room.check_books()


async def test_orders_of_many_goods_in_any_order_are_whole_and_never_wait_for_each_other(room: Any) -> None:
    chance = random.Random(7)
    variants = [await room.stocked(hanoi=12, saigon=3) for _ in range(5)]
    orders = {}
    for _ in range(80):
        wanted = [(variant, chance.randint(1, 2)) for variant in chance.sample(variants, 3)]
        orders[uuid7()] = wanted
    got = await at_once(*(buying(room, order, *wanted) for order, wanted in orders.items()))
    sold: Counter[UUID] = Counter()
    for wanted, each in zip(orders.values(), got, strict=True):
        if isinstance(each, OutOfStock):
            continue
        held: Counter[UUID] = Counter()
        for part in each.allocations:
            held[part.variant_id] += part.quantity
        assert held == dict(wanted)
        sold += held
    for variant in variants:
        assert await room.available(variant) == 15 - sold[variant]
        assert (await room.told(variant))[-1] == 15 - sold[variant]
    await room.check_books()


async def test_one_order_asking_many_times_at_once_holds_once(room: Any) -> None:
    variant, order = await room.stocked(hanoi=9), uuid7()
    got = await at_once(*(buying(room, order, (variant, 3)) for _ in range(12)))
    assert all(each == got[0] for each in got)
    assert await room.available(variant) == 6
    await room.check_books()


async def test_one_order_that_cannot_make_up_its_mind_holds_one_of_its_demands(room: Any) -> None:
    variant, other, order = await room.stocked(hanoi=9), await room.stocked(hanoi=9), uuid7()
    demands = [((variant, 1),), ((variant, 5), (other, 2)), ((other, 9),), ((variant, 9), (other, 9))]
    await at_once(*(buying(room, order, *demand) for demand in demands * 3))
    left = (9 - await room.available(variant), 9 - await room.available(other))
    assert left in [(1, 0), (5, 2), (0, 9), (9, 9)]
    await room.check_books()


async def test_a_lapsed_hold_goes_to_exactly_one_of_many(room: Any) -> None:
    variant, lapsed = await room.stocked(hanoi=3), uuid7()
    await room.reserve(lapsed, (variant, 3))
    await room.pass_time(lapsed, 601)
    got = await at_once(
        *(buying(room, uuid7(), (variant, 3)) for _ in range(10)),
        buying(room, lapsed, (variant, 3)),
        room.actions.release_expired,
    )
    holders = [each for each in got if each is not None and not isinstance(each, OutOfStock)]
    assert len(holders) == 1
    assert await room.level(variant, room.hanoi) == (3, 3, 0, 0)
    assert len(await room.events("inventory.hold_expired.v1", lapsed)) <= 1
    await room.check_books()


async def test_of_shipping_and_cancelling_exactly_one_wins(room: Any) -> None:
    variant = await room.stocked(hanoi=40)
    orders = [await room.placed((variant, 1)) for _ in range(20)]

    async def decide(order: UUID) -> bool:
        """True: it was shipped."""
        shipped, released = await at_once(
            lambda: room.actions.ship(order_id=order, warehouse_id=room.hanoi),
            lambda: room.actions.release(order_id=order, reason="cancelled"),
        )
        assert isinstance(shipped, HoldGone) != isinstance(released, AlreadyShipped)
        return isinstance(released, AlreadyShipped)

    shipped = sum(await asyncio.gather(*(decide(order) for order in orders)))
    assert await room.level(variant, room.hanoi) == (40 - shipped, 0, 0, 0)
    assert await room.available(variant) == 40 - shipped
    await room.check_books()


async def test_of_confirming_and_lapsing_exactly_one_wins(room: Any) -> None:
    variant = await room.stocked(hanoi=20)
    orders = [uuid7() for _ in range(20)]
    for at, order in enumerate(orders):
        await room.reserve(order, (variant, 1))
        await room.pass_time(order, 600 - 0.004 * at)  # they lapse one after another while we confirm
    confirmed = 0
    for order in orders:
        answer, _ = await at_once(
            lambda order=order: room.actions.confirm(order_id=order), room.actions.release_expired
        )
        confirmed += not isinstance(answer, HoldGone)
    await asyncio.sleep(0.1)
    await room.actions.release_expired()
    assert await room.level(variant, room.hanoi) == (20, 0, confirmed, 0)
    for order in orders:
        assert len(await room.events("inventory.hold_expired.v1", order)) <= 1
    await room.check_books()


async def test_of_confirming_and_a_taker_of_the_lapsed_goods_exactly_one_wins(room: Any) -> None:
    for _ in range(10):
        variant, first, second = await room.stocked(hanoi=1), uuid7(), uuid7()
        await room.reserve(first, (variant, 1))
        await room.pass_time(first, 599.997)
        confirmed, taken = await at_once(
            lambda order=first: room.actions.confirm(order_id=order), buying(room, second, (variant, 1))
        )
        assert isinstance(confirmed, HoldGone) or isinstance(taken, OutOfStock)
        assert (await room.level(variant, room.hanoi))[:1] == (1,)
    await room.check_books()


async def test_a_return_counts_once_however_many_bring_it_at_once(room: Any) -> None:
    variant = await room.stocked(hanoi=5)
    order = await room.placed((variant, 5))
    await room.actions.ship(order_id=order, warehouse_id=room.hanoi)

    def bring(quantity: int, reason: str) -> Act:
        return lambda: room.actions.take_back(
            order_id=order,
            warehouse_id=room.hanoi,
            demands=[Demand(variant, quantity)],
            sellable=True,
            reason=reason,
        )

    await at_once(*(bring(2, "returned") for _ in range(8)))
    assert await room.available(variant) == 2
    await at_once(*(bring(2, f"returned {n}") for n in range(8)))
    assert await room.available(variant) == 5
    await room.check_books()


async def test_deliveries_corrections_and_sales_of_the_same_goods_add_up(room: Any) -> None:
    variant = await room.stocked()
    place = {"variant_id": variant, "reason": "count"}

    def deliver(n: int) -> Act:
        warehouse = room.hanoi if n % 2 else room.saigon
        return lambda: room.actions.stock_up(cause=f"{variant} {n}", items=[Delivery(variant, warehouse, 5)])

    def correct(n: int) -> Act:
        warehouse = room.hanoi if n % 2 else room.saigon
        return lambda: room.actions.adjust(actor=SYSTEM, key=f"{n}", warehouse_id=warehouse, change=1, **place)

    got = await at_once(
        *(deliver(n) for n in range(10)),
        *(correct(n) for n in range(10)),
        *(buying(room, uuid7(), (variant, 2)) for _ in range(20)),
    )
    sold = sum(part.quantity for each in got[20:] if not isinstance(each, OutOfStock) for part in each.allocations)
    assert await room.available(variant) == 60 - sold
    assert (await room.told(variant))[-1] == 60 - sold
    await room.check_books()


async def test_closing_a_warehouse_while_its_goods_are_sold_leaves_a_true_word(room: Any) -> None:
    place = await room.actions.add_warehouse(
        code=f"W{uuid7().hex[-10:].upper()}", name="Kho", province_code="48", ward_code="20194",
        street="2 Bạch Đằng", priority=50, provinces=["48"],
    )  # fmt: skip
    variants = [uuid7() for _ in range(4)]
    await room.actions.stock_up(cause=f"x {place.id}", items=[Delivery(v, place.id, 10) for v in variants])

    def switch(active: bool) -> Act:
        return lambda: room.actions.change_warehouse(warehouse_id=place.id, changes={"active": active})

    fresh = uuid7()
    await at_once(
        *(switch(n % 2 == 1) for n in range(6)),
        *(buying(room, uuid7(), (variant, 1)) for variant in variants for _ in range(5)),
        *(
            lambda n=n: room.actions.stock_up(cause=f"{fresh} {n}", items=[Delivery(fresh, place.id, 1)])
            for n in range(5)
        ),
    )
    await room.actions.switch_levels()
    for variant in [*variants, fresh]:
        told = await room.told(variant)
        assert (told[-1] if told else 0) == await room.available(variant)
    await room.check_books()


async def locked_level(room: Any, variant: UUID, then: Act) -> Any:
    """Hold a variant's levels locked while `then` runs: whoever moves the variant stops just before it can."""
    async with room.db.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM inventory.level WHERE variant_id = $1 FOR UPDATE", variant)
        return await then()


async def until_waiting(room: Any, count: int) -> None:
    """Until so many sessions of this database wait for a lock."""
    waiting = 0
    for _ in range(1000):
        async with room.actions.db.read() as tx:
            waiting = await tx.one(
                int,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
        if waiting >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{waiting} wait, {count} should")


async def test_a_confirmation_that_waits_for_another_demand_confirms_the_new_goods(room: Any) -> None:
    variant, order = await room.stocked(hanoi=9), uuid7()
    await room.reserve(order, (variant, 1))

    async def change_and_confirm() -> tuple[asyncio.Task[Any], asyncio.Task[Any]]:
        changing = asyncio.create_task(buying(room, order, (variant, 4))())
        await until_waiting(room, 1)
        confirming = asyncio.create_task(room.actions.confirm(order_id=order))
        await until_waiting(room, 2)
        assert not changing.done()
        assert not confirming.done()
        return changing, confirming

    changing, confirming = await locked_level(room, variant, change_and_confirm)
    assert (await changing).status == "held"
    confirmed = await confirming
    assert confirmed.status == "confirmed"
    assert [part.quantity for part in confirmed.allocations] == [4]
    assert await room.level(variant, room.hanoi) == (9, 0, 4, 0)
    await room.check_books()


@pytest.mark.parametrize("firm", [False, True])
async def test_an_order_that_is_called_off_while_it_takes_goods_holds_none_after(room: Any, firm: bool) -> None:
    variant, order = await room.stocked(hanoi=3), uuid7()

    async def take_and_release() -> tuple[asyncio.Task[Any], asyncio.Task[Any]]:
        taking = asyncio.create_task(room.reserve(order, (variant, 2), firm=firm))
        await until_waiting(room, 1)
        releasing = asyncio.create_task(room.actions.release(order_id=order, reason="called off"))
        await until_waiting(room, 2)
        assert not taking.done()
        assert not releasing.done()
        return taking, releasing

    taking, releasing = await locked_level(room, variant, take_and_release)
    await taking
    released = await releasing
    assert released is not None
    assert (released.status, [part.quantity for part in released.allocations]) == ("released", [2])
    assert await room.level(variant, room.hanoi) == (3, 0, 0, 0)
    with pytest.raises(HoldGone):
        await room.actions.confirm(order_id=order)
    await room.check_books()


async def test_an_order_that_asks_for_goods_while_it_is_called_off_gets_none(room: Any) -> None:
    variant, other, order = await room.stocked(hanoi=3), await room.stocked(hanoi=3), uuid7()
    await room.reserve(order, (variant, 2))

    async def release_and_take() -> tuple[asyncio.Task[Any], asyncio.Task[Any]]:
        releasing = asyncio.create_task(room.actions.release(order_id=order, reason="called off"))
        await until_waiting(room, 1)
        taking = asyncio.create_task(room.reserve(order, (other, 1), firm=True))
        await until_waiting(room, 2)
        return releasing, taking

    releasing, taking = await locked_level(room, variant, release_and_take)
    assert (await releasing).status == "released"
    with pytest.raises(HoldGone):
        await taking
    assert (await room.available(variant), await room.available(other)) == (3, 3)
    await room.check_books()


async def test_an_order_that_is_called_off_between_its_look_and_its_grip_gets_none(room: Any, monkeypatch: Any) -> None:
    """Its hold had lapsed before: calling it off changes nothing of the hold but that it is closed."""
    variant, order = await room.stocked(hanoi=3), uuid7()
    await room.reserve(order, (variant, 2))
    await room.pass_time(order, 3600)
    await room.actions.release_expired()
    look = holds.situation

    async def called_off_after(*asked: Any) -> Any:
        seen = await look(*asked)
        await room.actions.release(order_id=order, reason="called off")
        return seen

    monkeypatch.setattr(holds, "situation", called_off_after)
    with pytest.raises(HoldGone):
        await room.reserve(order, (variant, 2))
    assert await room.available(variant) == 3
    await room.check_books()


async def test_a_buyer_who_is_overtaken_looks_again(room: Any) -> None:
    variant = await room.stocked(hanoi=2, saigon=1)

    async def two_buyers() -> list[asyncio.Task[Any]]:
        tasks = [asyncio.create_task(buying(room, uuid7(), (variant, 2))()) for _ in range(2)]
        await asyncio.sleep(0.05)
        return tasks

    first, second = await locked_level(room, variant, two_buyers)
    got = await asyncio.gather(first, second, return_exceptions=True)
    refused = [each for each in got if isinstance(each, OutOfStock)]
    assert len(refused) == 1
    assert refused[0].facts["lines"][0]["available"] == 1
    await room.check_books()


async def test_a_level_that_opens_while_its_warehouse_closes_is_closed_with_it(room: Any) -> None:
    place = await room.actions.add_warehouse(
        code=f"W{uuid7().hex[-10:].upper()}", name="Kho", province_code="48", ward_code="20194",
        street="2 Bạch Đằng", priority=50, provinces=["48"],
    )  # fmt: skip
    variant = uuid7()
    async with room.db.pool.acquire() as connection, connection.transaction():
        await levels.open_levels(Tx(connection, "inventory"), [(variant, place.id)])
        closing = asyncio.create_task(room.actions.change_warehouse(warehouse_id=place.id, changes={"active": False}))
        await asyncio.sleep(0.05)
        assert not closing.done()
    await closing
    await room.actions.stock_up(cause=f"x {variant}", items=[Delivery(variant, place.id, 3)])
    assert await room.available(variant) == 0
