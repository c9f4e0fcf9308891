"""The process dies at any point of any flow, and the shop goes on without anybody's help."""

import contextlib
from typing import Any

import pytest

from sampan.kernel.db import DatabaseUnavailable
from sampan.kernel.errors import Conflict
from sampan.services.inventory.contract import HoldGone
from sampan.services.orders.contract import RefundLine


class Killed(BaseException):
    """kill -9: nobody catches it, nothing is cleaned up."""


class Deadly:
    """A peer as it is, but the process dies before it is called, or with its answer in hand."""

    def __init__(self, peer: Any, method: str, when: str) -> None:
        self._peer, self._method, self._when = peer, method, when

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._peer, name)
        if name != self._method:
            return real

        async def call(**arguments: Any) -> Any:
            if self._when == "before":
                raise Killed
            if self._when == "away":
                raise DatabaseUnavailable("the peer does not answer")
            await real(**arguments)
            raise Killed

        return call


STEPS = [("inventory", "reserve"), ("shipping", "book"), ("payments", "open")]


def die(monkeypatch, stall, peer, method, when):
    room = stall.orders.room
    monkeypatch.setattr(room, peer, Deadly(getattr(room, peer), method, when))


async def half_a_minute_later(stall, order_id):
    """The sweeper comes by."""
    async with stall.db.begin() as tx:
        await tx.execute("UPDATE orders.sales_order SET due_at = now() WHERE id = $1 AND due_at IS NOT NULL", order_id)
    await stall.orders.advance_due()


@pytest.mark.parametrize(("peer", "method"), STEPS)
@pytest.mark.parametrize("when", ["before", "after", "away"])
async def test_a_checkout_that_died_at_any_step_is_finished_by_the_sweeper(stall, monkeypatch, peer, method, when):
    variant = await stall.goods(stock=5)
    cart = await stall.ready((variant, 2))
    with monkeypatch.context() as patch:
        die(patch, stall, peer, method, when)
        with pytest.raises((Killed, DatabaseUnavailable)):
            await stall.checkout(cart)
    [(order_id, status)] = await stall.orders_of(cart)
    assert status == "pending"
    await half_a_minute_later(stall, order_id)
    [(_, status)] = await stall.orders_of(cart)
    assert status == "placed"
    assert await stall.available(variant) == 3
    again = await stall.checkout(cart)
    assert (again.order.id, again.order.status) == (order_id, "placed")
    assert (await stall.events(again.order)) == ["orders.order_placed.v1"]


def asked_for(stall, cart):
    return stall.orders.find_order_of_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")


@pytest.mark.parametrize(("peer", "method"), STEPS)
async def test_an_order_that_is_asked_for_after_its_checkout_died_is_brought_to_rest(stall, monkeypatch, peer, method):
    cart = await stall.ready()
    with monkeypatch.context() as patch:
        die(patch, stall, peer, method, "before")
        with pytest.raises(Killed):
            await stall.checkout(cart)
    found = await asked_for(stall, cart)
    assert found.order.status == "placed"
    assert found == await stall.checkout(cart)
    assert (await stall.look(found.order)).id == found.order.id, "its token is that of the order"


async def test_an_order_that_nothing_comes_of_is_none_and_its_cart_is_a_cart_again(stall, monkeypatch):
    cart = await stall.ready((await stall.goods(stock=1), 2))
    with monkeypatch.context() as patch:
        die(patch, stall, "inventory", "reserve", "before")
        with pytest.raises(Killed):
            await stall.checkout(cart)
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    assert (await stall.orders.find_cart(**common)).order_id is not None
    assert await asked_for(stall, cart) is None
    assert (await stall.orders.find_cart(**common)).order_id is None


async def test_an_order_that_is_called_off_in_the_end_is_shown_to_who_asks_for_it(stall):
    """It was seen, and so it is an order."""
    cart = await stall.ready()
    order = (await stall.checkout(cart)).order
    await stall.orders.cancel(actor=stall.owner(order), order_id=order.id, reason="", language="vi")
    assert (await asked_for(stall, cart)).order.status == "cancelled"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_paid_order_is_placed_though_the_process_died_over_it(stall, monkeypatch, when):
    order = await stall.order("vnpay")
    with monkeypatch.context() as patch:
        die(patch, stall, "inventory", "confirm", when)
        await stall.bank_tells(order)
        await _swallow(stall)
    assert (await stall.look(order)).status == "pending"
    await half_a_minute_later(stall, order.id)
    assert (await stall.look(order)).status == "placed"


async def _swallow(stall):
    """What died in the background died quietly."""
    for task in list(stall.orders._soon):
        try:
            await task
        except Killed:
            continue


@pytest.mark.parametrize(("peer", "method"), [("inventory", "release"), ("payments", "give_up")])
@pytest.mark.parametrize("when", ["before", "after", "away"])
async def test_a_cancellation_that_died_at_any_step_is_finished(stall, monkeypatch, peer, method, when):
    variant = await stall.goods(stock=5)
    order = await stall.order("vnpay", (variant, 1))
    await stall.bank_tells(order)
    with monkeypatch.context() as patch:
        die(patch, stall, peer, method, when)
        with pytest.raises((Killed, DatabaseUnavailable)):
            await stall.orders.cancel(actor=stall.owner(order), order_id=order.id, reason="", language="vi")
    assert (await stall.look(order)).status == "placed"
    await half_a_minute_later(stall, order.id)
    assert (await stall.look(order)).status == "cancelled"
    assert await stall.available(variant) == 5
    [refund] = await stall.shop.actions("payments").list_refunds(order_id=order.id)
    assert refund.amount == order.totals.total


@pytest.mark.parametrize("when", ["before", "after", "away"])
async def test_a_refund_that_died_is_asked_for_again_and_granted_once(stall, monkeypatch, when):
    order = await stall.order("vnpay")
    await stall.bank_tells(order)
    refund = {
        "actor": stall.staff,
        "order_id": order.id,
        "key": f"key-{order.id}",
        "lines": [RefundLine(order.lines[0].id, 1)],
        "shipping": False,
        "reason": "hàng lỗi",
    }
    with monkeypatch.context() as patch:
        die(patch, stall, "payments", "refund", when)
        with pytest.raises((Killed, DatabaseUnavailable)):
            await stall.orders.refund(**refund)
    async with stall.db.begin() as tx:
        await tx.execute("UPDATE orders.refund SET made_at = now() - interval '1 minute' WHERE order_id = $1", order.id)
    await stall.orders.send_refunds()
    granted = await stall.orders.refund(**refund)
    assert granted.status != "failed"
    [at_payments] = await stall.shop.actions("payments").list_refunds(order_id=order.id)
    assert at_payments.amount == granted.amount
    assert (await stall.look(order)).lines[0].refunded == 1


async def test_a_refund_that_payments_cannot_take_does_not_hold_up_the_others(stall, monkeypatch):
    orders = [await stall.order("vnpay") for _ in range(2)]
    for order in orders:
        await stall.bank_tells(order)
        with monkeypatch.context() as patch:
            die(patch, stall, "payments", "refund", "before")
            with pytest.raises(Killed):
                await stall.orders.refund(
                    actor=stall.staff,
                    order_id=order.id,
                    key=f"key-{order.id}",
                    lines=[RefundLine(order.lines[0].id, 1)],
                    shipping=False,
                    reason="hàng lỗi",
                )
    async with stall.db.begin() as tx:
        await tx.execute("UPDATE orders.refund SET made_at = now() - interval '1 minute' WHERE status = 'asked'")
    payments = stall.orders.room.payments

    class Picky:
        async def refund(self, *, order_id, **more):
            if order_id == orders[0].id:
                raise Conflict("payments cannot take this one")
            return await payments.refund(order_id=order_id, **more)

    with monkeypatch.context() as patch:
        patch.setattr(stall.orders.room, "payments", Picky())
        await stall.orders.send_refunds()
    taken = [await stall.shop.actions("payments").list_refunds(order_id=order.id) for order in orders]
    assert [len(refunds) for refunds in taken] == [0, 1]
    await stall.orders.send_refunds()
    assert len(await stall.shop.actions("payments").list_refunds(order_id=orders[0].id)) == 1


async def test_one_order_in_trouble_does_not_hold_up_the_others(stall, monkeypatch):
    carts = [await stall.ready() for _ in range(2)]
    with monkeypatch.context() as patch:
        die(patch, stall, "shipping", "book", "before")
        for cart in carts:
            with pytest.raises(Killed):
                await stall.checkout(cart)
    [(bad, _)], [(good, _)] = [await stall.orders_of(cart) for cart in carts]
    async with stall.db.begin() as tx:
        await tx.execute("UPDATE orders.sales_order SET shipping_option = '{}' WHERE id = $1", bad)
        await tx.execute("UPDATE orders.sales_order SET due_at = now() WHERE id = ANY($1)", [bad, good])
    await stall.orders.advance_due()
    assert [status for _, status in await stall.orders_of(carts[1])] == ["placed"]
    async with stall.db.read() as tx:
        tries, later = await tx.connection.fetchrow(
            "SELECT tries, due_at > now() FROM orders.sales_order WHERE id = $1", bad
        )
    assert tries == 1
    assert later
    async with stall.db.begin() as tx:  # so that the books are in order for the tests that follow
        await tx.execute(
            "UPDATE orders.sales_order o SET shipping_option = g.shipping_option, due_at = now() "
            "FROM orders.sales_order g WHERE o.id = $1 AND g.id = $2",
            bad,
            good,
        )
    await stall.orders.advance_due()
    assert [status for _, status in await stall.orders_of(carts[0])] == ["placed"]


async def test_an_outage_of_payments_closes_a_fresh_order_in_time_and_gives_the_cart_back(stall, monkeypatch):
    variant = await stall.goods(stock=2)
    cart = await stall.ready((variant, 1))
    with monkeypatch.context() as patch:
        die(patch, stall, "payments", "open", "away")
        with pytest.raises(DatabaseUnavailable):
            await stall.checkout(cart, method="vnpay")
    [(order_id, _)] = await stall.orders_of(cart)
    async with stall.db.begin() as tx:
        await tx.execute("UPDATE orders.sales_order SET pay_until = now(), due_at = now() WHERE id = $1", order_id)
    await stall.orders.advance_due()
    assert [status for _, status in await stall.orders_of(cart)] == ["cancelled"]
    assert await stall.available(variant) == 2
    placed = await stall.checkout(cart)
    assert placed.order.status == "placed"


async def test_a_checkout_that_comes_after_its_cancellation_takes_no_goods(stall, monkeypatch):
    """Staff call the order off while its checkout still asks for the goods; then that process dies."""
    variant = await stall.goods(stock=5)
    cart = await stall.ready((variant, 2))
    reserve = stall.orders.room.inventory.reserve

    class Late:
        def __getattr__(self, name):
            return getattr(inventory, name)

        async def reserve(self, *, order_id, **arguments):
            async with stall.db.begin() as tx:
                await tx.execute("UPDATE orders.sales_order SET due_at = NULL WHERE id = $1", order_id)
            await inventory.release(order_id=order_id, reason="called off")
            await reserve(order_id=order_id, **arguments)
            raise Killed

    inventory = stall.orders.room.inventory
    monkeypatch.setattr(stall.orders.room, "inventory", Late())
    with contextlib.suppress(Killed, HoldGone, Conflict):
        await stall.checkout(cart)
    assert await stall.available(variant) == 5
