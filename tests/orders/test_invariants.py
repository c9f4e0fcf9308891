"""Each thing that must be true of the tables is noticed when it is not."""

from typing import Any
from uuid import uuid4

import pytest
from msgspec import Struct

from sampan.kernel.connect import methods_of
from sampan.services.orders.contract import Orders
from sampan.services.orders.store.checks import CHECKS, violations


class Payment(Struct):
    payment: dict[str, Any]


class Undone(Exception):
    """Nothing of what a test broke stays."""


PAST = "now() - interval '1 hour'"
ORDER, LINE = "UPDATE orders.sales_order SET {} WHERE id = $1", "UPDATE orders.order_line SET {} WHERE order_id = $1"
OFF = f"status = 'cancelled', cancelled_at = {PAST}"
REFUND = (
    "INSERT INTO orders.refund (id, order_id, key, lines, shipping, amount, reason, by, status, made_at) "
    f"SELECT gen_random_uuid(), $1, 'k', '[]', {{shipping}}, {{amount}}, 'x', 'x', '{{status}}', {PAST}"
)


def payment(name: str, value: str) -> str:
    """The order believes something else of its payment."""
    return ORDER.format(f"payment = jsonb_set(payment, '{{{name}}}', '{value}')")


# Each sentence with what makes it untrue, in every way that its query looks for.
BROKEN: dict[str, list[str]] = {
    "the lines of an order add up to its total": [
        LINE.format("unit = unit + 1, total = total + quantity"),
        LINE.format("discount = discount + 1, total = total - 1"),
        LINE.format("tax = tax + 1"),
        ORDER.format("quantity = quantity + 1"),
    ],
    "an order has lines": ["DELETE FROM orders.order_line WHERE order_id = $1"],
    "a cart becomes one order": [
        "UPDATE orders.cart SET order_id = NULL WHERE order_id = $1",
        "INSERT INTO orders.cart SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid()))).* "
        "FROM orders.cart c WHERE order_id = $1",
    ],
    "what is set aside for an order is what was ordered": [
        ORDER.format("allocations = jsonb_set(allocations, '{0,quantity}', '99')"),
        ORDER.format("allocations = jsonb_set(allocations, '{1}', jsonb_set(allocations -> 0, '{variant_id}', "
                     "to_jsonb(gen_random_uuid())))"),
    ],
    "a binding order is paid, authorised, or to be paid on delivery": [
        ORDER.format("payment = NULL"),
        payment("amount", "1"),
        payment("currency", '"USD"'),
        payment("status", '"pending"'),
    ],
    "a binding order has opened its payment": [ORDER.format("opened = 0")],
    "a paid order was paid in full": [payment("captured", "1")],
    "no more is refunded than was captured": [payment("refunded", "999999999"), payment("refunded", "-1")],
    "a cancelled order holds no goods": [ORDER.format(OFF), ORDER.format(f"{OFF}, hold = 'held'")],
    "a cancelled order keeps no money": [ORDER.format(f"{OFF}, hold = 'released'")],
    "an unpaid order ends when its time is over": [
        ORDER.format(f"status = 'pending', payment_status = '{status}', pay_until = {PAST}")
        for status in ("unpaid", "pending", "failed")
    ],
    "no order is stuck": [
        ORDER.format(f"due_at = {PAST}"),
        "INSERT INTO orders.fact (order_id, kind, subject, version, body, heard_at) "
        f"SELECT $1, 'payment', $1, 99, '{{}}', {PAST}",
    ],
    "no more pieces and no more money are refunded than were bought": [
        LINE.format("refunded = 1"),
        REFUND.format(shipping=0, amount=999_999_999, status="settled"),
        REFUND.format(shipping=1, amount=1, status="settled"),
    ],
    "payments answers every refund": [REFUND.format(shipping=0, amount=1, status="asked")],
}  # fmt: skip


def test_every_check_is_tried():
    assert set(BROKEN) == set(CHECKS)


@pytest.mark.parametrize("sentence", CHECKS)
async def test_what_is_broken_is_named(stall, sentence):
    order = await stall.order("vnpay")
    await stall.bank_tells(order)
    for broken in BROKEN[sentence]:
        with pytest.raises(Undone):
            async with stall.db.begin() as tx:
                assert await tx.execute(broken, order.id) >= 1
                assert sentence in {found.partition(": ")[2] for found in await violations(tx)}, broken
                raise Undone
    assert await stall.orders.invariants() == []


async def test_what_was_captured_belongs_to_an_order_that_knows_of_it(stall):
    """A payment without its order, and one whose order heard less, are named."""
    order = await stall.order("vnpay")
    await stall.bank_tells(order)
    payments = stall.shop.db("payments")

    async def named() -> bool:
        return any(order.number in found and "captured" in found for found in await stall.orders.invariants())

    async with payments.begin() as tx:
        await tx.execute(f"UPDATE payments.intent SET changed_at = {PAST} WHERE order_id = $1", order.id)
    assert not await named()
    async with stall.db.begin() as tx:
        heard = await tx.one(Payment, "SELECT payment FROM orders.sales_order WHERE id = $1", order.id)
        less = "UPDATE orders.sales_order SET payment = jsonb_set(payment, '{captured}', '0') WHERE id = $1"
        await tx.execute(less, order.id)
    assert await named()
    async with stall.db.begin() as tx:
        await tx.execute(
            "UPDATE orders.sales_order SET payment = jsonb_set(payment, '{captured}', $2) WHERE id = $1",
            order.id,
            heard.payment["captured"],
        )
    assert not await named()
    lost = uuid4()
    async with payments.begin() as tx:
        await tx.execute(
            "INSERT INTO payments.intent (order_id, order_number, amount, currency, status, authorised, captured, "
            f"changed_at) VALUES ($1, 'LOST-1', 5, 'VND', 'paid', 5, 5, {PAST})",
            lost,
        )
    try:
        assert any("LOST-1" in found for found in await stall.orders.invariants())
    finally:
        async with payments.begin() as tx:
            await tx.execute("DELETE FROM payments.intent WHERE order_id = $1", lost)
    assert await stall.orders.invariants() == []


async def test_the_database_itself_refuses_what_must_never_be(stall):
    order = await stall.order()
    for broken in (
        "UPDATE orders.sales_order SET total = total + 1 WHERE id = $1",
        "UPDATE orders.sales_order SET hold = 'released' WHERE id = $1",
        "UPDATE orders.sales_order SET allocations = '[]' WHERE id = $1",
        "UPDATE orders.sales_order SET status = 'shipped' WHERE id = $1",
        "UPDATE orders.order_line SET quantity = 1000 WHERE order_id = $1",
        "UPDATE orders.order_line SET total = total - 1 WHERE order_id = $1",
        "UPDATE orders.order_line SET refunded = quantity + 1 WHERE order_id = $1",
        "INSERT INTO orders.sales_order SELECT * FROM orders.sales_order WHERE id = $1",
    ):
        with pytest.raises(Exception, match=r"constraint|column"):
            async with stall.db.begin() as tx:
                await tx.execute(broken, order.id)


def test_every_method_can_be_called_from_another_process():
    methods = methods_of(Orders)
    assert {"checkout", "cancel", "refund", "list_orders", "find_by_number"} <= set(methods)


async def test_all_operations_are_in_the_document(stall):
    answer = await stall.shop.http.get("/openapi.json")
    paths = answer.json()["paths"]
    for path in ("/carts/{cart_id}/checkout", "/orders/{order_id}/payments", "/admin/orders/{order_id}/refunds"):
        assert "post" in paths[f"/api/v1{path}"]
