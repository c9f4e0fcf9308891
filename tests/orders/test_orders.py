from datetime import UTC, datetime
from uuid import uuid4

import pytest

from sampan.kernel.context import Actor
from sampan.kernel.errors import Invalid, NotFound
from sampan.kernel.money import Money
from sampan.services.orders import handlers
from sampan.services.orders.contract import NotCancellable, OrderCancelled, OrderRefunded
from sampan.services.payments.contract import PaymentChanged, RefundChanged


async def cancel(stall, order, actor=None, reason="đổi ý"):
    return await stall.orders.cancel(actor=actor or stall.owner(order), order_id=order.id, reason=reason, language="vi")


# --- who sees an order


async def test_an_order_is_seen_by_who_holds_its_token_and_by_staff(stall):
    order = await stall.order()
    assert (await stall.look(order)).id == order.id
    assert (await stall.look(order, stall.staff)).id == order.id
    others = [Actor(), Actor(order_token="a" * 43), Actor(cart_token=order.token), Actor(kind="staff", id="1")]
    for actor in others:
        for order_id in (order.id, uuid4()):
            with pytest.raises(NotFound) as refused:
                await stall.orders.find_order(actor=actor, order_id=order_id, language="vi")
            assert refused.value.detail == "there is no such order"


async def test_of_an_order_token_only_the_hash_is_kept(stall):
    order = await stall.order()
    async with stall.db.read() as tx:
        row = await tx.one(str, "SELECT o::text FROM orders.sales_order o WHERE id = $1", order.id)
    assert order.token not in row


async def test_number_and_phone_find_an_order_and_nothing_else_does(stall):
    order = await stall.order()
    typed = f" {order.number[:4].lower()}-{order.number[4:]}"
    for phone in ("0912 345 678", "+84912345678", "84 912 345 678"):
        found = await stall.orders.find_by_number(number=typed, phone=phone, language="en")
        assert found.id == order.id
        assert found.token is None
    refusals = set()
    for number, phone in [
        (order.number, "0987654321"),
        (order.number, "không có số"),
        (order.number, ""),
        ("SP22222222", "0912345678"),
        ("x" * 64, "0912345678"),
        ("", ""),
    ]:
        with pytest.raises(NotFound) as refused:
            await stall.orders.find_by_number(number=number, phone=phone, language="vi")
        refusals.add((refused.value.code, refused.value.detail, str(refused.value.facts)))
    assert len(refusals) == 1


async def test_who_may_do_what_with_an_order_is_told(stall):
    order = await stall.order()
    assert order.actions == ["cancel", "reorder"]
    assert (await stall.look(order, stall.staff)).actions == ["cancel", "confirm", "note"]
    reader = Actor(kind="staff", id="2", permissions=frozenset(("orders.read",)))
    assert (await stall.look(order, reader)).actions == []
    paid = await stall.order("vnpay")
    assert paid.actions == ["cancel", "pay"]
    await stall.bank_tells(paid)
    assert (await stall.look(paid, stall.staff)).actions == ["cancel", "refund", "note"]


async def test_a_reorder_is_a_new_cart_of_what_can_still_be_bought(stall):
    kept, gone, unpriced = [await stall.goods() for _ in range(3)]
    order = await stall.order("cod", (kept, 2), (gone, 1), (unpriced, 1))
    await stall.withdraw(gone)
    await stall.reprice(unpriced, None)
    cart = await stall.orders.reorder(actor=stall.owner(order), order_id=order.id, language="vi")
    assert [(line.variant_id, line.quantity) for line in cart.lines] == [(kept, 2)]
    seen = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    assert seen.lines == cart.lines
    with pytest.raises(NotFound):
        await stall.orders.reorder(actor=Actor(), order_id=order.id, language="vi")


# --- calling off


@pytest.mark.parametrize("method", ["cod", "vnpay"])
async def test_a_cancelled_order_gives_its_goods_back(stall, method):
    variant = await stall.goods(stock=5)
    order = await stall.order(method, (variant, 2))
    cancelled = await cancel(stall, order)
    assert (cancelled.status, cancelled.payment_status) == ("cancelled", "unpaid")
    assert cancelled.timeline[-1].text == "Đơn hàng đã huỷ: đổi ý"
    assert cancelled.actions == ["reorder"]
    assert await stall.available(variant) == 5
    event = await stall.event(order, OrderCancelled)
    assert (event.reason, event.by, event.placed, event.refund) == ("đổi ý", "customer", method == "cod", None)


async def test_a_cancelled_paid_order_gives_the_money_back(stall):
    order = await stall.order("vnpay")
    await stall.bank_tells(order)
    await cancel(stall, order, stall.staff)
    event = await stall.event(order, OrderCancelled)
    assert (event.refund, event.by, event.placed) == (order.totals.total, "staff", True)
    payments = stall.shop.actions("payments")
    [refund] = await payments.list_refunds(order_id=order.id)
    assert refund.amount == order.totals.total


async def test_cancelling_twice_is_cancelling(stall):
    order = await stall.order()
    first = await cancel(stall, order)
    again = await cancel(stall, order)
    assert again == first
    assert (await stall.events(order)).count("orders.order_cancelled.v1") == 1


async def test_only_the_holder_and_staff_with_the_permission_cancel(stall):
    order = await stall.order()
    reader = Actor(kind="staff", id="2", permissions=frozenset(("orders.read",)))
    for actor in (Actor(), Actor(order_token="a" * 43), reader):
        with pytest.raises(NotFound):
            await cancel(stall, order, actor)
    with pytest.raises(Invalid):
        await cancel(stall, order, reason="x\x00")
    assert (await stall.look(order)).status == "placed"


async def test_what_has_left_cannot_be_cancelled(stall):
    order = await stall.order()
    await stall.warehouse_does(order, "pick", "pack", "ship")
    with pytest.raises(NotCancellable) as refused:
        await cancel(stall, order)
    assert refused.value.facts["reason"] == "shipped"


async def test_what_left_without_our_knowing_cannot_be_cancelled_either(stall):
    variant = await stall.goods(stock=5)
    order = await stall.order("cod", (variant, 2))
    await stall.shop.actions("inventory").ship(order_id=order.id, warehouse_id=stall.warehouse)
    with pytest.raises(NotCancellable):
        await cancel(stall, order)
    seen = await stall.look(order)
    assert seen.status == "placed"
    assert "cancel_refused" in [entry.code for entry in seen.timeline]
    assert await stall.available(variant) == 3
    payment = await stall.shop.actions("payments").find_payment(order_id=order.id)
    assert payment.status == "cod_due"


# --- the way of the parcels


async def test_an_order_follows_its_parcel_to_the_end(stall):
    order = await stall.order("vnpay")
    await stall.bank_tells(order)
    assert (await stall.look(order)).fulfillment_status == "allocated"
    for step, status in (("pick", "picking"), ("pack", "packed"), ("ship", "shipped"), ("deliver", "delivered")):
        await stall.warehouse_does(order, step)
        seen = await stall.look(order)
        assert seen.fulfillment_status == status
    assert (seen.status, seen.payment_status) == ("completed", "paid")
    [shipment] = seen.shipments
    codes = [entry.code for entry in seen.timeline]
    assert codes[-5:] == ["picking", "packed", "shipped", "delivered", "completed"]
    assert seen.timeline[-3].text == f"Đã giao cho đơn vị vận chuyển, mã vận đơn {shipment.tracking_number}"
    names = [name.split(".")[1] for name in await stall.events(order)]
    assert names == ["order_placed", "order_shipped", "order_delivered", "order_completed"]


async def test_cash_on_delivery_is_complete_when_the_carrier_has_the_cash(stall):
    order = await stall.order()
    await stall.warehouse_does(order, "pick", "pack", "ship", "deliver")
    seen = await stall.look(order)
    assert (seen.status, seen.payment_status) == ("completed", "cod_collected")


@pytest.mark.parametrize("told", [(1, 2, 3, 4, 5), (5, 4, 3, 2, 1), (3, 3, 1, 5, 1, 2, 4, 4)])
async def test_what_warehouses_tell_counts_whatever_order_it_comes_in(stall, told):
    order = await stall.order()
    statuses = ("allocated", "picking", "packed", "shipped", "delivered")
    for version in told:
        await stall.warehouse_tells(order, statuses[version - 1], version)
    assert (await stall.look(order)).fulfillment_status == "delivered"
    names = [name.split(".")[1] for name in await stall.events(order)]
    assert names == ["order_placed", "order_shipped", "order_delivered"]


async def test_two_parcels_make_one_order(stall):
    here, there = await stall.goods(), await stall.goods(stock=0)
    await stall.stock(there, 5, stall.other_warehouse)
    order = await stall.order("vnpay", (here, 1), (there, 1))
    await stall.bank_tells(order)
    await stall.warehouse_does(order, "pick", "pack", "ship", parcel=0)
    assert (await stall.look(order)).fulfillment_status == "partially_shipped"
    with pytest.raises(NotCancellable):
        await cancel(stall, order)
    await stall.warehouse_does(order, "pick", "pack", "ship", parcel=1)
    assert (await stall.look(order)).fulfillment_status == "shipped"
    await stall.warehouse_does(order, "deliver", parcel=0)
    assert (await stall.look(order)).status == "placed"
    await stall.warehouse_does(order, "deliver", parcel=1)
    seen = await stall.look(order)
    assert (seen.status, len(seen.shipments)) == ("completed", 2)
    names = [name.split(".")[1] for name in await stall.events(order)]
    assert names.count("order_shipped") == 2
    assert names.count("order_delivered") == 1


async def test_a_refused_cash_parcel_that_came_back_ends_its_order(stall):
    variant = await stall.goods(stock=5)
    order = await stall.order("cod", (variant, 2))
    await stall.warehouse_does(order, "pick", "pack", "ship", "fail")
    assert (await stall.look(order)).fulfillment_status == "delivery_failed"
    await stall.warehouse_does(order, "send_back", "receive")
    seen = await stall.look(order)
    assert (seen.status, seen.fulfillment_status) == ("cancelled", "returned")
    assert await stall.available(variant) == 5
    event = await stall.event(order, OrderCancelled)
    assert (event.reason, event.placed, event.refund) == ("delivery_failed", True, None)
    names = [name.split(".")[1] for name in await stall.events(order)]
    assert names == ["order_placed", "order_shipped", "delivery_failed", "order_cancelled"]


async def test_a_cancelled_order_is_not_packed(stall):
    order = await stall.order()
    await stall.warehouse_does(order, "pick")
    await cancel(stall, order)
    await stall.shop.settle()
    works = await stall.shop.actions("fulfillment").work_orders_for(order_id=order.id)
    assert [work.status for work in works] == ["cancelled"]
    seen = await stall.look(order)
    assert (seen.status, seen.fulfillment_status) == ("cancelled", "unfulfilled")


async def test_facts_about_orders_of_others_are_left_alone(stall):
    stranger = uuid4()
    event = PaymentChanged(
        order_id=stranger,
        payment_id=uuid4(),
        method="vnpay",
        status="paid",
        amount=Money(1, "VND"),
        captured=Money(1, "VND"),
        refunded=Money(0, "VND"),
        failure=None,
        version=1,
    )
    async with stall.db.begin() as tx:
        await handlers.on_news(stall.orders, tx, [event])
    async with stall.db.read() as tx:
        assert await tx.many(str, "SELECT kind FROM orders.fact WHERE order_id = $1", stranger) == []


async def test_a_refund_is_told_once_whatever_is_repeated(stall):
    order = await stall.order("vnpay")
    await stall.bank_tells(order)
    refund = uuid4()
    for status in ("settled", "sent", "settled", "requested", "settled"):
        event = RefundChanged(refund_id=refund, order_id=order.id, amount=Money(1_000, "VND"), status=status)
        async with stall.db.begin() as tx:
            await handlers.on_news(stall.orders, tx, [event])
        await stall.orders.advance_due()
    told = await stall.event(order, OrderRefunded)
    assert (told.refund_id, told.amount) == (refund, Money(1_000, "VND"))
    assert "Đã hoàn 1.000\u00a0₫" in [entry.text for entry in (await stall.look(order)).timeline]


async def test_times_are_in_utc(stall):
    order = await stall.order()
    assert order.created_at.tzinfo is not None
    assert abs((order.created_at - datetime.now(UTC)).total_seconds()) < 60


async def test_what_was_told_before_an_answer_changes_nothing_after_it(stall):
    """Cash was chosen after VNPay; the word that VNPay's attempt is pending arrives when cash is accepted already."""
    order = await stall.order("vnpay")
    await stall.orders.pay(
        actor=stall.owner(order), order_id=order.id, payment_method="cod", return_url=None, client_ip="", language="vi"
    )
    assert (await stall.look(order)).payment_status == "cod_due"
    await stall.shop.settle()
    found = await stall.look(order)
    assert (found.status, found.payment_status) == ("placed", "cod_due")
    assert await stall.orders.invariants() == []
