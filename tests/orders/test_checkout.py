import asyncio

import msgspec
import pytest
from tests.orders.conftest import Instead

from sampan.kernel.context import Actor
from sampan.kernel.errors import Invalid, NotFound, Unauthenticated
from sampan.kernel.http import BadRequest
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.inventory.contract import OutOfStock
from sampan.services.orders.checkout import take_in
from sampan.services.orders.contract import (
    CartClosed,
    CartIncomplete,
    Checkout,
    NotPayable,
    OrderCancelled,
    OrderPlaced,
    QuoteChanged,
)
from sampan.services.orders.rules.number import is_number
from sampan.services.orders.rules.order import WorkOrderFact
from sampan.services.orders.store import orders
from sampan.services.payments.contract import MethodNotAvailable
from sampan.services.payments.rules.fact import Told, Verdict


def vnd(amount):
    return Money(amount, "VND")


# --- cash on delivery


async def test_cash_on_delivery_is_placed_at_once_and_everything_is_copied(stall):
    variant = await stall.goods(stock=10)
    cart = await stall.ready((variant, 2), language="en")
    placed = await stall.checkout(cart, language="en")
    order = placed.order
    assert is_number(order.number)
    assert (order.status, order.payment_status, order.payment_method) == ("placed", "cod_due", "cod")
    assert order.totals == cart.totals
    assert [(line.variant_id, line.quantity, line.total) for line in order.lines] == [(variant, 2, vnd(398_000))]
    assert order.lines[0].name.startswith("Plastic stool")
    assert order.lines[0].tax.amount > 0
    assert order.contact == cart.contact
    assert order.shipping_address == cart.shipping_address
    assert order.shipping_option == cart.shipping_option
    assert order.placed_at is not None
    assert [entry.code for entry in order.timeline] == ["created", "placed"]
    assert order.timeline[1].text == "The order is placed"
    assert order.actions == ["cancel", "reorder"]
    assert (placed.payment.status, placed.payment.action.kind) == ("cod_due", "none")
    assert await stall.available(variant) == 8
    seen = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    assert seen.order_id == order.id


async def test_others_hear_of_a_placed_order_all_they_need(stall):
    variant = await stall.goods()
    order = await stall.order("cod", (variant, 3))
    event = await stall.event(order, OrderPlaced)
    assert [(line.variant_id, line.quantity) for line in event.lines] == [(variant, 3)]
    assert sum(part.quantity for part in event.allocations) == 3
    assert event.totals == order.totals
    assert (event.recipient.name, event.recipient.phone, event.recipient.language) == (
        "Nguyễn Thị Đào",
        "+84912345678",
        "vi",
    )
    assert await stall.events(order) == ["orders.order_placed.v1"]


async def test_the_price_of_an_order_does_not_change_any_more(stall):
    variant = await stall.goods()
    order = await stall.order("cod", (variant, 1))
    await stall.reprice(variant, 1_000)
    await stall.withdraw(variant)
    seen = await stall.look(order)
    assert (seen.totals, seen.lines) == (order.totals, order.lines)


# --- what is refused, and then nothing was ordered


async def test_another_total_than_the_one_seen_is_refused_with_the_new_one(stall):
    variant = await stall.goods()
    cart = await stall.ready((variant, 1))
    await stall.reprice(variant, stall.price + 1_000)
    with pytest.raises(QuoteChanged) as refused:
        await stall.checkout(cart)
    now = msgspec.convert(refused.value.facts["totals"]["total"], Money)
    assert now == cart.totals.total + vnd(1_000)
    assert await stall.orders_of(cart) == []
    placed = await stall.checkout(cart, total=now)
    assert placed.order.totals.total == now


@pytest.mark.parametrize("total", [Money(0, "VND"), Money(1, "USD"), Money(-1, "VND")])
async def test_no_other_total_is_taken(stall, total):
    cart = await stall.ready()
    with pytest.raises(QuoteChanged):
        await stall.checkout(cart, total=total)


async def test_what_is_missing_is_told(stall):
    cart = await stall.cart()
    with pytest.raises(CartIncomplete) as refused:
        await stall.checkout(cart)
    codes = [problem["code"] for problem in refused.value.facts["problems"]]
    assert codes == ["empty", "missing_contact", "missing_address", "missing_shipping_option"]


async def test_what_is_no_longer_sold_cannot_be_ordered(stall):
    variant = await stall.goods()
    cart = await stall.ready((variant, 1))
    await stall.withdraw(variant)
    with pytest.raises(CartIncomplete) as refused:
        await stall.checkout(cart)
    assert refused.value.facts["problems"][0]["code"] == "not_sold"
    assert refused.value.facts["problems"][0]["line_id"] == str(cart.lines[0].id)


async def test_too_little_stock_names_the_lines_and_the_cart_stays_a_cart(stall):
    plenty, scarce = await stall.goods(stock=10), await stall.goods(stock=3)
    cart = await stall.ready((plenty, 1), (scarce, 3))
    other = await stall.ready((scarce, 1))
    await stall.checkout(other)
    with pytest.raises(OutOfStock) as refused:
        await stall.checkout(cart)
    assert refused.value.facts["lines"] == [{"variant_id": str(scarce), "wanted": 3, "available": 2}]
    [(order_id, status)] = await stall.orders_of(cart)
    assert status == "cancelled"
    async with stall.db.read() as tx:
        assert await tx.many(str, "SELECT name FROM orders.outbox WHERE body->>'order_id' = $1", str(order_id)) == []
    assert await stall.available(plenty) == 10
    line = next(line for line in cart.lines if line.variant_id == scarce)
    less = await stall.orders.change_line(
        actor=stall.holder(cart), cart_id=cart.id, line_id=line.id, quantity=2, language="vi"
    )
    placed = await stall.checkout(msgspec.structs.replace(less, token=cart.token))
    assert placed.order.status == "placed"
    assert [status for _, status in await stall.orders_of(cart)] == ["cancelled", "placed"]


@pytest.mark.parametrize("method", ["nothing", "momo", "COD", ""])
async def test_an_unknown_way_to_pay_is_refused(stall, method):
    cart = await stall.ready()
    with pytest.raises(MethodNotAvailable):
        await stall.checkout(cart, method=method)
    assert await stall.orders_of(cart) == []


async def test_more_than_the_carrier_collects_cannot_be_paid_at_the_door(stall):
    variant = await stall.goods(price=30_000_000)
    cart = await stall.ready((variant, 1))
    with pytest.raises(MethodNotAvailable):
        await stall.checkout(cart, method="cod")
    assert (await stall.checkout(cart, method="vnpay")).order.status == "pending"


async def test_payers_come_back_to_us_only(stall):
    cart = await stall.ready()
    for url in ("https://evil.example/", "//evil.example"):
        checkout = Checkout(payment_method="vnpay", expected_total=cart.totals.total, return_url=url)
        with pytest.raises(Invalid):
            await stall.orders.checkout(
                actor=stall.holder(cart), cart_id=cart.id, checkout=checkout, client_ip="203.0.113.7", language="vi"
            )
    assert await stall.orders_of(cart) == []


async def test_the_way_back_may_bear_the_id_of_the_order_at_every_try(stall):
    cart = await stall.ready()
    common = {"client_ip": "203.0.113.7", "language": "en"}
    checkout = Checkout(
        payment_method="vnpay", expected_total=cart.totals.total, return_url="/en/orders/{order_id}?paid={order_id}"
    )
    placed = await stall.orders.checkout(actor=stall.holder(cart), cart_id=cart.id, checkout=checkout, **common)
    order = placed.order
    await stall.bank_tells(order, success=False)
    await stall.orders.pay(
        actor=stall.owner(order), order_id=order.id, payment_method="vnpay", return_url="/thanks/{order_id}", **common
    )
    async with stall.shop.db("payments").read() as tx:
        ways = await tx.many(
            str, "SELECT return_path FROM payments.attempt WHERE order_id = $1 ORDER BY number", order.id
        )
    assert ways == [f"/en/orders/{order.id}?paid={order.id}", f"/thanks/{order.id}"]


async def test_a_foreign_cart_cannot_be_ordered(stall):
    cart = await stall.ready()
    for actor in (Actor(), Actor(cart_token="a" * 43), stall.staff):
        with pytest.raises(NotFound):
            await stall.orders.checkout(
                actor=actor,
                cart_id=cart.id,
                checkout=Checkout(payment_method="cod", expected_total=cart.totals.total),
                client_ip="203.0.113.7",
                language="vi",
            )
    assert await stall.orders_of(cart) == []


# --- exactly once


async def test_ordering_an_ordered_cart_gives_the_same_order_and_its_token_again(stall):
    cart = await stall.ready()
    first = await stall.checkout(cart)
    for total in (cart.totals.total, vnd(1)):
        again = await stall.checkout(cart, total=total, method="vnpay")
        assert again.order == first.order
        assert again.payment == first.payment
    assert first.order.token is not None
    assert (await stall.look(first.order)).token is None


async def test_an_ordered_cart_takes_no_more_changes(stall):
    variant = await stall.goods()
    cart = await stall.ready((variant, 1))
    await stall.checkout(cart)
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    changes = [
        stall.orders.add_line(variant_id=variant, quantity=1, **common),
        stall.orders.change_line(line_id=cart.lines[0].id, quantity=1, **common),
        stall.orders.remove_line(line_id=cart.lines[0].id, **common),
        stall.orders.set_contact(contact=stall.contact, **common),
        stall.orders.set_shipping_address(address=stall.address, **common),
        stall.orders.set_shipping_option(option_id="x", **common),
    ]
    for change in changes:
        with pytest.raises(CartClosed):
            await change


@pytest.mark.parametrize("method", ["cod", "vnpay"])
async def test_fifty_checkouts_of_one_cart_make_one_order(stall, method):
    variant = await stall.goods(stock=10)
    cart = await stall.ready((variant, 2))
    barrier = asyncio.Barrier(50)

    async def order():
        await barrier.wait()
        return await stall.checkout(cart, method=method)

    placed = await asyncio.gather(*(order() for _ in range(50)))
    assert len({each.order.id for each in placed}) == 1
    assert len({each.order.token for each in placed}) == 1
    assert len({each.payment.id for each in placed}) == 1
    assert len({each.payment.action.url for each in placed}) == 1
    assert len(await stall.orders_of(cart)) == 1
    assert await stall.available(variant) == 8
    assert [entry.code for entry in (await stall.look(placed[0].order)).timeline].count("created") == 1
    assert (await stall.events(placed[0].order)).count("orders.order_placed.v1") == (1 if method == "cod" else 0)


async def test_a_cart_that_changes_during_checkout_is_ordered_as_it_was_seen_or_not_at_all(stall):
    variant = await stall.goods(stock=50)
    for _ in range(5):
        cart = await stall.ready((variant, 1))

        async def change(cart=cart):
            try:
                await stall.orders.add_line(
                    actor=stall.holder(cart), cart_id=cart.id, variant_id=variant, quantity=1, language="vi"
                )
            except CartClosed:
                return False
            return True

        async def order(cart=cart):
            try:
                return (await stall.checkout(cart)).order
            except QuoteChanged:
                return None

        changed, ordered = await asyncio.gather(change(), order())
        assert (ordered is None) == changed
        if ordered is not None:
            assert ordered.lines[0].quantity == 1


# --- paid in advance


async def test_a_prepaid_order_waits_for_the_bank_and_is_placed_when_it_tells(stall):
    variant = await stall.goods(stock=5)
    placed = await stall.checkout(await stall.ready((variant, 1)), method="vnpay")
    order = placed.order
    assert (order.status, order.payment_status, order.fulfillment_status) == ("pending", "pending", "unfulfilled")
    assert (placed.payment.action.kind, placed.payment.status) == ("redirect", "pending")
    assert placed.payment.action.url.startswith("http")
    assert order.actions == ["cancel", "pay"]
    assert await stall.available(variant) == 4
    assert await stall.events(order) == []
    assert await stall.bank_tells(order) == "00"
    seen = await stall.look(order)
    assert (seen.status, seen.payment_status) == ("placed", "paid")
    assert (await stall.events(order))[0] == "orders.order_placed.v1"
    codes = [entry.code for entry in seen.timeline]
    assert codes[:4] == ["created", "payment_pending", "payment_paid", "placed"]


async def test_the_bank_may_tell_twice(stall):
    order = await stall.order("vnpay")
    assert await stall.bank_tells(order) == "00"
    assert await stall.bank_tells(order) == "02"
    assert (await stall.events(order)).count("orders.order_placed.v1") == 1


async def test_another_amount_than_the_total_places_nothing(stall):
    order = await stall.order("vnpay")
    assert await stall.bank_tells(order, amount=order.totals.total.amount - 1_000) == "04"
    seen = await stall.look(order)
    assert seen.status == "pending"


async def test_after_a_failed_payment_another_way_can_be_tried(stall):
    order = await stall.order("vnpay")
    await stall.bank_tells(order, success=False)
    failed = await stall.look(order)
    assert (failed.status, failed.payment_status) == ("pending", "failed")
    again = await stall.orders.pay(
        actor=stall.owner(order),
        order_id=order.id,
        payment_method="cod",
        return_url=None,
        client_ip="203.0.113.7",
        language="vi",
    )
    assert (again.order.status, again.order.payment_status) == ("placed", "cod_due")
    assert again.order.payment_method == "cod"
    event = await stall.event(order, OrderPlaced)
    assert event.payment_method == "cod"


async def test_a_second_try_at_the_bank_has_its_own_reference(stall):
    first = await stall.checkout(await stall.ready(), method="vnpay")
    order = first.order
    pay = {
        "actor": stall.owner(order),
        "order_id": order.id,
        "return_url": None,
        "client_ip": "1.1.1.1",
        "language": "vi",
    }
    second = await stall.orders.pay(payment_method="vnpay", **pay)
    assert second.payment.id != first.payment.id
    assert f"{order.number}-2" in second.payment.action.url
    await stall.bank_tells(order, attempt=2)
    assert (await stall.look(order)).status == "placed"
    with pytest.raises(NotPayable):
        await stall.orders.pay(payment_method="vnpay", **pay)


async def test_who_switches_to_cash_while_the_bank_takes_the_money_is_not_asked_for_cash(stall):
    """The bank has told payments, and the order has not heard of it yet."""
    order = await stall.order("vnpay")
    payments = stall.shop.actions("payments")
    await stall.bank_tells(order, settle=False)
    await payments.advance(order_id=order.id)
    assert (await stall.look(order)).status == "pending"
    placed = await stall.orders.pay(
        actor=stall.owner(order),
        order_id=order.id,
        payment_method="cod",
        return_url=None,
        client_ip="203.0.113.7",
        language="vi",
    )
    assert (placed.order.status, placed.order.payment_status) == ("placed", "paid")
    assert placed.order.payment_method == "vnpay"
    async with stall.shop.db("shipping").read() as tx:
        assert await tx.one(bool, "SELECT cod_amount IS NULL FROM shipping.booking WHERE order_id = $1", order.id)
    await stall.shop.settle()
    assert (await stall.look(order)).payment_status == "paid"


async def test_a_fee_for_the_way_to_pay_is_part_of_the_total_that_was_seen(stall):
    island = msgspec.structs.replace(stall.address, ward_code="26732")
    cart = await stall.ready((await stall.goods(), 1))
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    fee = "UPDATE shipping.rate SET cod_fee = $1 WHERE zone = 'remote'"
    async with stall.shop.db("shipping").begin() as tx:
        await tx.execute(fee, 7_000)
    try:
        await stall.orders.set_shipping_address(address=island, **common)
        options = await stall.orders.find_shipping_options(**common)
        seen = await stall.orders.set_shipping_option(option_id=options[0].id, **common)
        methods = {method.code: method for method in await stall.orders.find_payment_methods(**common)}
        assert methods["cod"].fee == vnd(7_000)
        ready = msgspec.structs.replace(seen, token=cart.token)
        with pytest.raises(QuoteChanged) as refused:
            await stall.checkout(ready)
        total = seen.totals.total + vnd(7_000)
        assert refused.value.facts["totals"]["total"]["amount"] == total.amount
        prepaid = await stall.checkout(ready, method="vnpay")
        assert prepaid.order.totals.total == seen.totals.total
        with pytest.raises(MethodNotAvailable) as refused:
            await stall.orders.pay(
                actor=stall.owner(prepaid.order),
                order_id=prepaid.order.id,
                payment_method="cod",
                return_url=None,
                client_ip="203.0.113.7",
                language="vi",
            )
        assert refused.value.facts["reason"] == "fee_differs"
        other = await stall.ready((await stall.goods(), 1))
        common = {"actor": stall.holder(other), "cart_id": other.id, "language": "vi"}
        await stall.orders.set_shipping_address(address=island, **common)
        seen = await stall.orders.set_shipping_option(option_id=options[0].id, **common)
        placed = await stall.checkout(
            msgspec.structs.replace(seen, token=other.token), total=seen.totals.total + vnd(7_000)
        )
        assert placed.order.totals.shipping == seen.totals.shipping + vnd(7_000)
        async with stall.shop.db("shipping").read() as tx:
            cash = await tx.one(int, "SELECT cod_amount FROM shipping.booking WHERE order_id = $1", placed.order.id)
        assert cash == placed.order.totals.total.amount
    finally:
        async with stall.shop.db("shipping").begin() as tx:
            await tx.execute(fee, 0)


async def test_what_is_too_much_with_the_fee_for_cash_is_refused_before_there_is_an_order(stall):
    limit, fee = "UPDATE shipping.rate SET cod_limit = $1, cod_fee = $2 WHERE zone = 'remote'", 7_000
    island = msgspec.structs.replace(stall.address, ward_code="26732")
    variant = await stall.goods()
    cart = await stall.ready((variant, 1))
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    async with stall.shop.db("shipping").read() as tx:
        was = await tx.one(int, "SELECT COALESCE(max(cod_limit), 0) FROM shipping.rate WHERE zone = 'remote'")
    await stall.orders.set_shipping_address(address=island, **common)
    options = await stall.orders.find_shipping_options(**common)
    seen = await stall.orders.set_shipping_option(option_id=options[0].id, **common)
    async with stall.shop.db("shipping").begin() as tx:
        await tx.execute(limit, seen.totals.total.amount, fee)
    try:
        ready = msgspec.structs.replace(seen, token=cart.token)
        with pytest.raises(MethodNotAvailable) as refused:
            await stall.checkout(ready, total=seen.totals.total + vnd(fee))
        assert refused.value.facts["reason"] == "payments.reason.over_limit"
        assert await stall.available(variant) == 10
    finally:
        async with stall.shop.db("shipping").begin() as tx:
            await tx.execute(limit, was, 0)


async def test_paying_takes_the_token_of_the_order(stall):
    order = await stall.order("vnpay")
    for actor in (Actor(), Actor(order_token="a" * 43)):
        with pytest.raises(NotFound):
            await stall.orders.pay(
                actor=actor,
                order_id=order.id,
                payment_method="vnpay",
                return_url=None,
                client_ip="1.1.1.1",
                language="vi",
            )


@pytest.fixture
def bank(stall, monkeypatch):
    """A bank that answers: nobody has paid yet."""

    async def query(charge):
        return Told(Verdict.PENDING)

    monkeypatch.setattr(stall.shop.actions("payments").online["vnpay"], "query", query)


@pytest.mark.usefixtures("bank")
async def test_an_unpaid_order_expires_and_its_goods_are_for_sale_again(stall):
    variant = await stall.goods(stock=1)
    order = await stall.order("vnpay", (variant, 1))
    assert await stall.available(variant) == 0
    await stall.pass_time(order, 14)
    await stall.orders.advance_due()
    assert (await stall.look(order)).status == "pending"
    await stall.pass_time(order, 2)
    await stall.orders.advance_due()
    seen = await stall.look(order)
    assert (seen.status, seen.payment_status) == ("cancelled", "unpaid")
    assert seen.timeline[-1].text == "Đơn hàng đã huỷ: quá thời gian thanh toán"
    assert await stall.available(variant) == 1
    event = await stall.event(order, OrderCancelled)
    assert (event.reason, event.by, event.placed, event.refund) == ("payment_expired", "system", False, None)


@pytest.mark.usefixtures("bank")
async def test_money_that_comes_after_the_order_expired_goes_back(stall):
    order = await stall.order("vnpay")
    await stall.pass_time(order, 16)
    await stall.orders.advance_due()
    await stall.bank_tells(order)
    seen = await stall.look(order)
    assert seen.status == "cancelled"
    assert "payment_late" in [entry.code for entry in seen.timeline]
    refunds = await stall.shop.actions("payments").list_refunds(order_id=order.id)
    assert [refund.amount for refund in refunds] == [order.totals.total]
    assert await stall.events(order) == ["orders.order_cancelled.v1"]


async def test_an_order_is_not_given_up_while_the_bank_does_not_say_whether_it_was_paid(stall):
    """Here nobody answers at the bank's address. Somebody who looks at the order meanwhile does not end it either."""
    order = await stall.order("vnpay")
    await stall.pass_time(order, 16)
    await stall.orders.advance_due()
    waiting = await stall.orders.find_order_payment(actor=stall.owner(order), order_id=order.id, language="vi")
    assert waiting.payment.status == "pending"
    await stall.pass_time(order, 5)
    await stall.orders.advance_due()
    assert (await stall.look(order)).status == "pending"
    await stall.bank_tells(order)
    assert (await stall.look(order)).status == "placed"


async def test_a_bank_that_stays_silent_is_not_waited_for_for_ever(stall):
    order = await stall.order("vnpay")
    await stall.pass_time(order, 26)
    await stall.orders.advance_due()
    assert (await stall.look(order)).status == "cancelled"


async def test_a_paid_order_is_not_called_off_because_nobody_can_say_whether_there_are_goods(stall, monkeypatch):
    """A peer that does not know us any more, or speaks another version, has not said that they are gone."""
    order, room = await stall.order("vnpay"), stall.orders.room
    await lapse(stall, order)
    await stall.pass_time(order, 14)
    for refusal in (Unauthenticated("whose clock is that?"), BadRequest("what is that?"), NotFound("no such method")):

        async def reserve(refusal=refusal, **_):
            raise refusal

        async with stall.db.begin() as tx:
            await tx.execute("UPDATE orders.sales_order SET held_until = now() WHERE id = $1", order.id)
        with monkeypatch.context() as patch:
            patch.setattr(room, "inventory", Instead(room.inventory, reserve=reserve))
            await stall.bank_tells(order)
            await stall.orders.advance_due()
            assert (await stall.look(order)).status == "pending"
    await stall.pass_time(order, 1)
    await stall.orders.advance_due()
    assert (await stall.look(order)).status == "placed"


async def test_a_hold_that_lapsed_while_the_customer_paid_is_taken_again(stall):
    variant = await stall.goods(stock=1)
    order = await stall.order("vnpay", (variant, 1))
    await lapse(stall, order)
    assert await stall.available(variant) == 1
    await stall.bank_tells(order)
    seen = await stall.look(order)
    assert seen.status == "placed"
    assert await stall.available(variant) == 0
    assert "hold_taken_again" in [entry.code for entry in seen.timeline]


async def test_if_its_goods_are_gone_by_then_the_money_goes_back_and_the_customer_is_told(stall):
    variant = await stall.goods(stock=1)
    order = await stall.order("vnpay", (variant, 1))
    await lapse(stall, order)
    await stall.order("cod", (variant, 1))
    await stall.bank_tells(order)
    seen = await stall.look(order)
    assert seen.status == "cancelled"
    assert "stock_lost" in [entry.code for entry in seen.timeline]
    refunds = await stall.shop.actions("payments").list_refunds(order_id=order.id)
    assert [refund.amount for refund in refunds] == [order.totals.total]
    event = await stall.event(order, OrderCancelled)
    assert (event.reason, event.refund) == ("stock_lost", order.totals.total)


async def lapse(stall, order):
    """The hold in inventory ends, and the order does not know it."""
    async with stall.shop.db("inventory").begin() as tx:
        await tx.execute(
            "UPDATE inventory.hold SET expires_at = now() - interval '1 second' WHERE order_id = $1", order.id
        )
        await tx.execute(
            "UPDATE inventory.allocation SET held_until = now() - interval '1 second' WHERE order_id = $1", order.id
        )
    await stall.shop.settle()


async def test_a_browser_that_comes_back_sees_what_the_bank_said(stall):
    order = await stall.order("vnpay")
    waiting = await stall.orders.find_order_payment(actor=stall.owner(order), order_id=order.id, language="vi")
    assert (waiting.order.status, waiting.payment.status) == ("pending", "pending")
    assert waiting.payment.action.url
    await stall.bank_tells(order)
    paid = await stall.orders.find_order_payment(actor=stall.owner(order), order_id=order.id, language="vi")
    assert (paid.order.status, paid.payment.status) == ("placed", "paid")
    with pytest.raises(NotFound):
        await stall.orders.find_order_payment(actor=Actor(), order_id=order.id, language="vi")


async def test_a_reference_of_the_bank_leads_to_its_order(stall):
    order = await stall.order("vnpay")
    assert await stall.orders.order_for_return(payment_ref=f"{order.number}-1") == order.id
    for ref in ("", "x", "SP22222222-1", f"{order.number[:-1]}-1", "' OR 1=1"):
        assert await stall.orders.order_for_return(payment_ref=ref) is None


# --- what it costs


async def test_checkout_costs_at_most_25_statements_here(stall):
    cart = await stall.ready((await stall.goods(), 1), (await stall.goods(), 2), (await stall.goods(), 3))
    before = stall.db.statements
    placed = await stall.checkout(cart)
    assert placed.order.status == "placed"
    assert stall.db.statements - before <= 25


# --- what an order hears


def a_parcel(order_id, version=1, work_order=None, status="allocated"):
    work_order = work_order or uuid7()
    fact = WorkOrderFact(work_order, uuid7(), status, None, 1, version)
    return orders.Word(order_id, "work_order", work_order, version, fact)


async def hear(stall, *words):
    async with stall.db.begin() as tx:
        await orders.hear(tx, words)


async def test_what_an_order_hears_is_written_down_by_a_look_and_a_statement(stall):
    order_id = (await stall.checkout()).order.id
    word = a_parcel(order_id)
    await hear(stall, word)
    before = stall.db.statements
    assert await take_in(stall.orders.room, order_id)
    assert stall.db.statements - before == 2
    async with stall.db.read() as tx:
        seen = await orders.look_at(tx, order_id)
    assert ([work.id for work in seen.work_orders], seen.facts) == ([word.subject], [])
    before = stall.db.statements
    assert await take_in(stall.orders.room, order_id)
    assert stall.db.statements - before == 1, "there is nothing to write"


async def test_what_is_heard_between_the_look_and_the_statement_is_not_passed_over(stall, monkeypatch):
    order_id = (await stall.checkout()).order.id
    first, second = a_parcel(order_id), a_parcel(order_id)
    await hear(stall, first)
    save = orders.save_order

    async def overtaken(*arguments, **named):
        await hear(stall, second)
        return await save(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(orders, "save_order", overtaken)
        assert not await take_in(stall.orders.room, order_id)
    async with stall.db.read() as tx:
        seen = await orders.look_at(tx, order_id)
    assert (seen.work_orders, len(seen.facts)) == ([], 2)
    await stall.orders._advance_one(order_id)
    async with stall.db.read() as tx:
        seen = await orders.look_at(tx, order_id)
    assert ({work.id for work in seen.work_orders}, seen.facts) == ({first.subject, second.subject}, [])


async def test_an_order_that_somebody_moved_since_the_look_is_decided_anew(stall, monkeypatch):
    order = (await stall.checkout(method="vnpay")).order
    await hear(stall, a_parcel(order.id))
    save = orders.save_order

    async def overtaken(*arguments, **named):
        patch.undo()
        await stall.orders.cancel(actor=stall.owner(order), order_id=order.id, reason="", language="vi")
        return await save(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(orders, "save_order", overtaken)
        assert not await take_in(stall.orders.room, order.id)
    async with stall.db.read() as tx:
        assert (await orders.look_at(tx, order.id)).status == "cancelled"
