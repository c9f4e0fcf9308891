"""Two processes move the same order at the same time: what one of them found out alone never undoes the other's work."""

import asyncio
import contextlib
from typing import Any

import pytest
from tests.machines.interleaved import Point, interleaved, place
from tests.machines.world import World

from sampan.services.shipping.contract import NotDeliverable


def places(world: World) -> list[Any]:
    room = world.here.orders.room
    return [
        place(room.inventory, "reserve", "reserve"),
        place(room.shipping, "book", "book"),
        place(room.payments, "open", "open"),
    ]


async def test_goods_that_were_gone_for_one_tab_and_there_for_the_other_are_sold_once(world: World) -> None:
    """The last piece comes back between the looks of two tabs; the one that saw none is written down in between."""
    story = await world.begin(stock=1)

    async def lost() -> None:
        await world.act("empty_shelf", world.there, story)

    opened, written = asyncio.Event(), asyncio.Event()
    tabs: list[asyncio.Task[None]] = []

    async def told() -> None:
        opened.set()
        await written.wait()

    async def other_tab() -> None:
        """It goes as far as payments, and writes nothing down before the first one did."""
        at_payments = [place(world.there.orders.room.payments, "open", "open")]
        with interleaved(at_payments, Point("open", "after", 1), told) as run:
            await world.act("buy_cash", world.there, story)
        await run.end()

    async def found() -> None:
        await world.act("find_one", world.there, story)
        tabs.append(asyncio.create_task(other_tab()))
        await asyncio.wait_for(opened.wait(), 10)

    with interleaved(places(world), Point("reserve", "before", 1), lost) as one:
        with interleaved(places(world), Point("reserve", "after", 1), found) as two:
            assert await world.act("buy_cash", world.here, story) == "inventory.out_of_stock"
    written.set()
    await asyncio.wait_for(tabs[0], 10)
    await one.end()
    await two.end()
    await world.peace([story])
    await world.check(story)


async def test_a_refusal_that_only_one_of_two_got_takes_nothing_from_the_other(world: World, monkeypatch: Any) -> None:
    """The tariff changes while a checkout runs: one process cannot book any more what the other has just placed."""
    story = await world.begin()

    async def placed_meanwhile() -> None:
        await world.act("sweep", world.there, story)

    async def refused(**arguments: Any) -> Any:
        raise NotDeliverable("this way to deliver is not offered any more")

    client = type(world.here.orders.room.shipping)
    monkeypatch.setattr(client, "book", lambda _, **arguments: refused(**arguments))
    with interleaved(places(world), Point("book", "before", 1), placed_meanwhile) as other:
        outcome = await world.act("buy_cash", world.here, story)
    await other.end()
    await world.peace([story])
    assert outcome == ""
    await world.check(story)


async def test_who_calls_off_an_order_that_is_being_made_leaves_no_cash_to_collect(world: World) -> None:
    """Staff cancel between the opening of the payment and the moment that it is written down."""
    story = await world.begin()

    async def called_off() -> None:
        await world.act("staff_cancel", world.there, story)

    with interleaved(places(world), Point("open", "after", 1), called_off) as other:
        assert await world.act("buy_cash", world.here, story) == "kernel.conflict"
    await other.end()
    await world.peace([story])
    async with world.stall.db.pool.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT status, closing_by, hold FROM orders.sales_order WHERE id = $1", story.order_id
        )
    assert tuple(row) == ("cancelled", "staff", "released")
    await world.check(story)


async def test_a_word_that_equals_the_row_is_heard_while_a_newer_one_waits(world: World) -> None:
    """A payment waits for a person and no longer does; both words come in one batch, before the order was moved."""
    from sampan.services.orders import handlers
    from sampan.services.payments.contract import PaymentChanged

    story = await world.begin()
    await world.act("buy_online", world.here, story)
    await world.town.shop.settle()
    payment = await world.here.payments.find_payment(order_id=story.order_id)
    changes = [
        PaymentChanged(
            order_id=payment.order_id, payment_id=payment.id, method="vnpay", status=status, amount=payment.amount,
            captured=payment.captured, refunded=payment.refunded, failure=None, version=payment.version + number,
        )
        for number, status in enumerate(("review", "pending"), 1)
    ]  # fmt: skip
    async with world.stall.db.begin() as tx:
        await handlers.on_news(world.here.orders, tx, changes)
    await world.here.orders.advance_due()
    async with world.stall.db.pool.acquire() as connection:
        known = await connection.fetchval(
            "SELECT payment ->> 'status' FROM orders.sales_order WHERE id = $1", story.order_id
        )
        await connection.execute(
            "UPDATE payments.intent SET version = $2 WHERE order_id = $1", story.order_id, payment.version + 2
        )
    assert known == "pending"
    await world.act("cancel", world.here, story)
    await world.peace([story])


async def test_who_pays_at_the_door_is_told_so_though_another_tab_opened_a_later_payment(world: World) -> None:
    story = await world.begin()
    for act in ("buy_online", "bank_declines"):
        assert await world.act(act, world.here, story) == ""

    async def tried_again() -> None:
        assert await world.act("pay_again", world.there, story) == ""

    with interleaved(places(world), Point("book", "before", 1), tried_again) as other:
        assert await world.act("pay_at_door", world.here, story) == ""
    await other.end()
    await world.peace([story])
    payment = await world.here.payments.find_payment(order_id=story.order_id)
    assert (payment.status, payment.method, payment.failure) == ("cod_due", "cod", None)


class Killed(BaseException):
    """kill -9: nobody catches it, nothing is cleaned up."""


@pytest.mark.parametrize("dies", [True, False])
async def test_who_paid_in_advance_is_not_asked_for_cash_though_another_tab_chose_it(world: World, dies: bool) -> None:
    """The payment comes through while a tab is about to say that the parcel carries cash, and then dies."""
    story = await world.begin()
    assert await world.act("buy_online", world.here, story) == ""

    async def paid() -> None:
        assert await world.act("bank_takes", world.there, story) == ""

    async def dead() -> None:
        if dies:
            raise Killed

    with interleaved(places(world), Point("book", "before", 1), paid) as one:
        with interleaved(places(world), Point("open", "before", 1), dead) as two:
            with contextlib.suppress(Killed):
                await world.act("pay_at_door", world.here, story)
    assert one.ran
    assert two.ran
    await world.peace([story])
    async with world.stall.db.pool.acquire() as connection:
        cash = await connection.fetchval("SELECT cod_amount FROM shipping.booking WHERE order_id = $1", story.order_id)
    assert cash is None


async def test_who_calls_off_an_order_that_found_its_goods_gone_does_not_call_off_the_next_one(world: World) -> None:
    """The cart is open again, and becomes another order; the first one stays off."""
    story = await world.begin(stock=1)
    await world.act("lose_one", world.here, story)
    assert await world.act("buy_cash", world.here, story) == "inventory.out_of_stock"
    assert await world.act("staff_cancel", world.there, story) == ""
    first = story.order_id
    await world.act("find_one", world.here, story)
    assert await world.act("buy_cash", world.here, story) == ""
    assert story.order_id != first
    await world.peace([story])
    await world.check(story)
    async with world.stall.db.pool.acquire() as connection:
        rows = await connection.fetch("SELECT id, status FROM orders.sales_order WHERE cart_id = $1", story.cart.id)
    assert {row["id"]: row["status"] == "cancelled" for row in rows} == {first: True, story.order_id: False}
