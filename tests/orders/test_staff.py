import asyncio
from uuid import uuid4

import msgspec
import pytest
from tests.orders.conftest import Instead

from sampan.kernel.context import Actor
from sampan.kernel.errors import Forbidden, Invalid, NotFound, RemoteUnavailable
from sampan.kernel.idempotency import KeyReused
from sampan.kernel.money import Money
from sampan.services.orders import handlers
from sampan.services.orders.contract import NotConfirmable, NotRefundable, OrderFilter, RefundLine
from sampan.services.payments.contract import RefundChanged, RefundTooLarge


def vnd(amount):
    return Money(amount, "VND")


async def listed(stall, **which):
    return await stall.orders.list_orders(actor=stall.staff, which=OrderFilter(**which))


# --- finding


async def test_staff_find_orders_by_what_they_have_of_them(stall):
    name = f"Đặng Thị {uuid4().hex[:10]}"
    cart = await stall.ready()
    contact = msgspec.structs.replace(stall.contact, name=name)
    await stall.orders.set_contact(actor=stall.holder(cart), cart_id=cart.id, contact=contact, language="vi")
    order = (await stall.checkout(cart)).order
    for q in (order.number, order.number.lower(), order.number[:7], name.split()[-1], f"dang {name.split()[-1][:6]}"):
        page = await listed(stall, q=q)
        assert order.id in [row.id for row in page.items], q
    [row] = (await listed(stall, q=name)).items
    assert (row.number, row.status, row.payment_status, row.total) == (
        order.number,
        "placed",
        "cod_due",
        order.totals.total,
    )
    assert (row.name, row.phone, row.quantity, row.waits) == (name, "+84912345678", 2, False)
    assert (await listed(stall, q="không có ai tên này")).items == []
    assert (await listed(stall, q="'&|!:*()")).items != []  # nothing that could be a word: all orders


async def test_lists_are_filtered_by_each_status(stall):
    placed, pending = await stall.order(), await stall.order("vnpay")
    tag = {"status": "pending", "payment_status": "pending", "fulfillment_status": "unfulfilled"}
    found = [row.id for row in (await listed(stall, **tag, limit=100)).items]
    assert pending.id in found
    assert placed.id not in found
    found = [row.id for row in (await listed(stall, payment_status="cod_due", limit=100)).items]
    assert placed.id in found


@pytest.mark.parametrize(
    ("sort", "key", "down"),
    [
        ("newest", "created_at", True),
        ("oldest", "created_at", False),
        ("total_desc", "total", True),
        ("total_asc", "total", False),
    ],
)
async def test_pages_follow_each_other_without_gap_or_repetition(stall, sort, key, down):
    name = f"Trang {uuid4().hex[:10]}"
    made = []
    variants = [await stall.goods(price=price) for price in (10_000, 20_000, 20_000, 30_000, 5_000)]
    for variant in variants:
        cart = await stall.ready((variant, 1))
        contact = msgspec.structs.replace(stall.contact, name=name)
        await stall.orders.set_contact(actor=stall.holder(cart), cart_id=cart.id, contact=contact, language="vi")
        made.append((await stall.checkout(cart)).order.id)
    seen, cursor = [], ""
    for _ in range(4):
        page = await listed(stall, q=name, sort=sort, limit=2, cursor=cursor)
        seen += page.items
        if page.next is None:
            break
        cursor = page.next
    assert sorted(row.id for row in seen) == sorted(made)
    keys = [(getattr(row, key), row.id) for row in seen]
    assert keys == sorted(keys, reverse=down)


async def test_a_cursor_of_somebody_else_is_refused(stall):
    page = await listed(stall, limit=1)
    for cursor in ("x", "bm90IG91cnM", page.next + "x"):
        with pytest.raises(Invalid):
            await listed(stall, cursor=cursor)
    if page.next:
        with pytest.raises(Invalid):
            await listed(stall, cursor=page.next, sort="total_asc")


async def test_only_staff_with_the_permission_may(stall):
    order = await stall.order()
    nobody = [Actor(), stall.owner(order), Actor(kind="staff", id="1", permissions=frozenset(("catalog.read",)))]
    for actor in nobody:
        common = {"actor": actor, "order_id": order.id}
        with pytest.raises(Forbidden):
            await stall.orders.list_orders(actor=actor, which=OrderFilter())
        with pytest.raises(Forbidden):
            await stall.orders.confirm_order(language="vi", **common)
        with pytest.raises(Forbidden):
            await stall.orders.add_note(text="x", language="vi", **common)
        with pytest.raises(Forbidden):
            await stall.orders.refund(key="k" * 8, lines=[], shipping=True, reason="x", **common)


# --- confirming and noting


async def test_staff_confirm_cash_on_delivery(stall):
    order = await stall.order()
    confirmed = await stall.orders.confirm_order(actor=stall.staff, order_id=order.id, language="vi")
    assert [entry.code for entry in confirmed.timeline][-1] == "confirmed"
    again = await stall.orders.confirm_order(actor=stall.staff, order_id=order.id, language="vi")
    assert again.timeline == confirmed.timeline
    prepaid = await stall.order("vnpay")
    with pytest.raises(NotConfirmable):
        await stall.orders.confirm_order(actor=stall.staff, order_id=prepaid.id, language="vi")
    with pytest.raises(NotFound):
        await stall.orders.confirm_order(actor=stall.staff, order_id=uuid4(), language="vi")


async def test_a_careful_shop_waits_for_the_confirmation(stall, monkeypatch):
    room = stall.orders.room
    careful = msgspec.structs.replace(room.policy, confirm_cod=True)
    with monkeypatch.context() as patch:
        patch.setattr(room, "policy", careful)
        variant = await stall.goods(stock=3)
        order = await stall.order("cod", (variant, 1))
        assert (order.status, order.payment_status) == ("pending", "cod_due")
        assert await stall.available(variant) == 2
        assert await stall.events(order) == []
        waiting = next(row for row in (await listed(stall, q=order.number)).items if row.id == order.id)
        assert waiting.waits
        done = await stall.orders.confirm_order(actor=stall.staff, order_id=order.id, language="vi")
        assert done.status == "placed"
        late = await stall.order("cod", (variant, 1))
        await stall.pass_time(late, 48 * 60)
        await stall.orders.advance_due()
        seen = await stall.look(late)
        assert (seen.status, seen.timeline[-1].text) == (
            "cancelled",
            "Đơn hàng đã huỷ: không liên lạc được để xác nhận",
        )
        assert await stall.available(variant) == 2


async def test_notes_are_for_staff_only(stall):
    order = await stall.order()
    noted = await stall.orders.add_note(
        actor=stall.staff, order_id=order.id, text="Khách dặn giao sau 17h\nGọi trước", language="vi"
    )
    assert noted.timeline[-1].text == "Khách dặn giao sau 17h\nGọi trước"
    assert "note" not in [entry.code for entry in (await stall.look(order)).timeline]
    for text in ("", "   ", "x\x00", "x" * 1001):
        with pytest.raises(Invalid):
            await stall.orders.add_note(actor=stall.staff, order_id=order.id, text=text, language="vi")
    with pytest.raises(NotFound):
        await stall.orders.add_note(actor=stall.staff, order_id=uuid4(), text="x", language="vi")


# --- refunding


async def paid_order(stall, price=100_000, quantity=3):
    order = await stall.order("vnpay", (await stall.goods(price=price), quantity))
    await stall.bank_tells(order)
    return order


async def refund(stall, order, quantity, *, key=None, shipping=False, reason="hàng lỗi", line=None):
    lines = [RefundLine(line or order.lines[0].id, quantity)] if quantity else []
    return await stall.orders.refund(
        actor=stall.staff,
        order_id=order.id,
        key=key or f"key-{uuid4()}",
        lines=lines,
        shipping=shipping,
        reason=reason,
    )


async def test_pieces_are_refunded_at_their_exact_share_and_shipping_as_it_was_paid(stall):
    order = await paid_order(stall)
    first = await refund(stall, order, 1)
    assert (first.amount, first.shipping, first.status) == (vnd(100_000), vnd(0), "requested")
    rest = await refund(stall, order, 2, shipping=True)
    assert rest.amount == vnd(200_000) + order.totals.shipping
    assert rest.shipping == order.totals.shipping
    payments = stall.shop.actions("payments")
    amounts = [each.amount for each in await payments.list_refunds(order_id=order.id)]
    assert sum(each.amount for each in amounts) == order.totals.total.amount
    assert (await stall.look(order)).lines[0].refunded == 3
    private = [entry.code for entry in (await stall.look(order, stall.staff)).timeline]
    assert private.count("refund_granted") == 2
    for quantity, shipping in ((1, False), (0, True), (0, vnd(1))):
        with pytest.raises(NotRefundable):
            await refund(stall, order, quantity, shipping=shipping)


async def test_part_of_the_shipping_can_be_refunded(stall):
    order = await paid_order(stall)
    some = await refund(stall, order, 0, shipping=vnd(1_000))
    assert (some.amount, some.lines) == (vnd(1_000), [])
    rest = await refund(stall, order, 0, shipping=True)
    assert rest.amount == order.totals.shipping - vnd(1_000)


async def test_the_same_key_is_the_same_refund_and_another_refund_needs_another_key(stall):
    order = await paid_order(stall)
    key = f"key-{uuid4()}"
    first = await refund(stall, order, 1, key=key)
    again = await refund(stall, order, 1, key=key)
    assert again == first
    for change in ({"quantity": 2}, {"quantity": 1, "reason": "khác"}):
        with pytest.raises(KeyReused):
            await refund(stall, order, key=key, **change)
    assert (await stall.look(order)).lines[0].refunded == 1


ALL, NONE, SOME = True, False, vnd(1_000)


@pytest.mark.parametrize(("first", "other"), [(SOME, ALL), (ALL, "as much"), (ALL, SOME), (ALL, NONE), (NONE, ALL)])
async def test_a_key_is_of_what_was_asked_and_not_of_what_it_came_to(stall, first, other):
    """All that is left of the shipping is nothing when it is asked for again."""
    order = await paid_order(stall)
    key = f"key-{uuid4()}"
    granted = await refund(stall, order, 1, key=key, shipping=first)
    assert await refund(stall, order, 1, key=key, shipping=first) == granted
    with pytest.raises(KeyReused):
        await refund(stall, order, 1, key=key, shipping=granted.shipping if other == "as much" else other)
    assert await refund(stall, order, 1, key=key, shipping=first) == granted
    assert len(await stall.shop.actions("payments").list_refunds(order_id=order.id)) == 1


async def test_the_order_of_lines_makes_no_other_refund(stall):
    order = await stall.order("vnpay", (await stall.goods(), 2), (await stall.goods(), 2))
    await stall.bank_tells(order)
    one, two = (RefundLine(line.id, 1) for line in order.lines)
    asked = {"actor": stall.staff, "order_id": order.id, "key": f"key-{uuid4()}", "shipping": False, "reason": "lỗi"}
    granted = await stall.orders.refund(lines=[one, two], **asked)
    assert await stall.orders.refund(lines=[two, one], **asked) == granted
    with pytest.raises(KeyReused):
        await stall.orders.refund(lines=[one, two, two], **asked)


async def test_a_refund_of_a_former_version_answers_by_what_it_came_to(stall):
    order = await paid_order(stall)
    key = f"key-{uuid4()}"
    granted = await refund(stall, order, 1, key=key, shipping=SOME)
    async with stall.db.begin() as tx:
        assert await tx.execute("UPDATE orders.refund SET request_hash = NULL WHERE order_id = $1", order.id) == 1
    for shipping in (SOME, ALL):
        assert await refund(stall, order, 1, key=key, shipping=shipping) == granted
    for change in ({"shipping": NONE}, {"shipping": vnd(999)}, {"shipping": SOME, "reason": "khác"}):
        with pytest.raises(KeyReused):
            await refund(stall, order, 1, key=key, **change)


async def test_refunds_at_once_never_pass_what_was_bought(stall):
    order = await paid_order(stall, quantity=5)
    barrier = asyncio.Barrier(6)

    async def one():
        await barrier.wait()
        try:
            return (await refund(stall, order, 2)).amount.amount
        except NotRefundable:
            return 0

    granted = await asyncio.gather(*(one() for _ in range(6)))
    assert sum(granted) == 400_000
    assert (await stall.look(order)).lines[0].refunded == 4


async def test_the_same_key_at_once_is_one_refund(stall):
    order = await paid_order(stall)
    key = f"key-{uuid4()}"
    granted = await asyncio.gather(*(refund(stall, order, 1, key=key) for _ in range(6)))
    assert len({each.id for each in granted}) == 1
    assert len(await stall.shop.actions("payments").list_refunds(order_id=order.id)) == 1


async def test_what_was_not_paid_cannot_be_refunded(stall):
    for order in (await stall.order("vnpay"), await stall.order("cod")):
        with pytest.raises(NotRefundable) as refused:
            await refund(stall, order, 1)
        assert refused.value.facts["reason"] == "not_paid"


async def test_lines_of_another_order_are_not_refunded(stall):
    order, other = await paid_order(stall), await paid_order(stall)
    with pytest.raises(NotRefundable):
        await refund(stall, order, 1, line=other.lines[0].id)
    with pytest.raises(NotFound):
        await stall.orders.refund(actor=stall.staff, order_id=uuid4(), key="k" * 8, lines=[], shipping=True, reason="x")


async def test_a_refund_that_payments_refuses_was_never_granted(stall):
    """The money went back by another way, and the order has not heard of it."""
    order = await paid_order(stall, quantity=1)
    payments = stall.shop.actions("payments")
    await payments.refund(order_id=order.id, key="elsewhere", amount=order.totals.total, reason="x")
    with pytest.raises(RefundTooLarge):
        await refund(stall, order, 1)
    assert (await stall.look(order)).lines[0].refunded == 0


async def test_the_pieces_of_a_refund_that_failed_can_be_refunded_again(stall):
    order = await paid_order(stall)
    granted = await refund(stall, order, 3)
    [at_payments] = await stall.shop.actions("payments").list_refunds(order_id=order.id)
    for _ in range(2):
        event = RefundChanged(refund_id=at_payments.id, order_id=order.id, amount=granted.amount, status="failed")
        async with stall.db.begin() as tx:
            await handlers.on_news(stall.orders, tx, [event])
        await stall.orders.advance_due()
    assert (await stall.look(order)).lines[0].refunded == 0
    async with stall.db.read() as tx:
        assert await tx.many(str, "SELECT status FROM orders.refund WHERE order_id = $1", order.id) == ["failed"]


async def test_a_refund_that_failed_before_payments_could_answer_gives_its_pieces_back(stall, monkeypatch):
    """Their answer to whoever asks again says so already."""
    order, room = await paid_order(stall), stall.orders.room
    payments = room.payments

    async def failed(**asked):
        return msgspec.structs.replace(await payments.refund(**asked), status="failed")

    monkeypatch.setattr(room, "payments", Instead(payments, refund=failed))
    assert (await refund(stall, order, 1)).status == "failed"
    assert (await stall.look(order)).lines[0].refunded == 0


async def test_an_order_that_is_not_placed_yet_is_not_refunded_in_part(stall, monkeypatch):
    """It would be taken for one that was never paid."""
    order, room = await stall.order("vnpay"), stall.orders.room

    async def confirm(**_):
        raise RemoteUnavailable("away")

    monkeypatch.setattr(room, "inventory", Instead(room.inventory, confirm=confirm))
    await stall.bank_tells(order)
    with pytest.raises(NotRefundable) as refused:
        await refund(stall, order, 1)
    assert refused.value.facts["reason"] == "not_placed"


async def test_a_failure_heard_before_the_answer_is_not_lost(stall):
    """Payments tells that the refund failed before its own answer to us is written down."""
    order = await paid_order(stall)
    granted = await refund(stall, order, 1)
    [at_payments] = await stall.shop.actions("payments").list_refunds(order_id=order.id)
    event = RefundChanged(refund_id=at_payments.id, order_id=order.id, amount=granted.amount, status="failed")
    async with stall.db.begin() as tx:
        await tx.execute(
            "UPDATE orders.refund SET status = 'asked', refund_id = NULL, made_at = now() - interval '1 minute' "
            "WHERE order_id = $1",
            order.id,
        )
        await handlers.on_news(stall.orders, tx, [event])
    await stall.orders.advance_due()
    assert (await stall.look(order)).lines[0].refunded == 1
    await stall.orders.send_refunds()
    assert (await stall.look(order)).lines[0].refunded == 0
