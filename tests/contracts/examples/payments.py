"""Payments: paying, asking, giving up, sending back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table
from tests.orders.conftest import vnd
from tests.payments.conftest import PRICE

from sampan.kernel.errors import Conflict, Invalid
from sampan.kernel.ids import uuid7
from sampan.services.payments.contract import (
    AlreadyPaid,
    GivenUp,
    MethodNotAvailable,
    Payment,
    Payments,
    RefundTooLarge,
    UnknownPayment,
)

table = Table(Payments)


def opening(order: UUID, **more: Any) -> dict[str, Any]:
    given = {"order_id": order, "order_number": f"SP{order.hex[-12:].upper()}", "attempt": 1, "method": "vnpay"}
    given |= {"amount": PRICE, "return_url": f"/orders/{order}", "client_ip": "203.0.113.7", "language": "vi"}
    return {**given, "expires_at": datetime.now(UTC) + timedelta(minutes=15), **more}


async def paid(stage: Stage) -> Payment:
    return await stage.till.pay_at_the_bank()


@table.answers("methods_for")
async def the_ways_to_pay(stage: Stage) -> Call:
    given = {"market": "VN", "total": PRICE, "cod_fee": vnd(0), "cod_limit": vnd(5_000_000), "language": "en"}
    return Call(given, lambda found: {method.code for method in found} == {"cod", "vnpay"})


@table.answers("open")
async def at_vnpay(stage: Stage) -> Call:
    return Call(opening(uuid7()), lambda payment: payment.status == "pending" and payment.action.kind == "redirect")


@table.answers("open")
async def on_delivery(stage: Stage) -> Call:
    return Call(opening(uuid7(), method="cod"), lambda payment: payment.status == "cod_due")


@table.answers("open")
async def a_second_attempt(stage: Stage) -> Call:
    first = await stage.till.open()
    return Call(opening(first.order_id, attempt=2), lambda payment: payment.id != first.id)


@table.refuses("open", MethodNotAvailable)
async def in_a_way_that_nobody_knows(stage: Stage) -> Call:
    return Call(opening(uuid7(), method="shells"), facts={"reason": "payments.reason.unknown_method"})


@table.refuses("open", MethodNotAvailable)
async def after_the_time_to_pay(stage: Stage) -> Call:
    late = datetime.now(UTC) - timedelta(minutes=1)
    return Call(opening(uuid7(), expires_at=late), facts={"reason": "payments.reason.expired"})


@table.refuses("open", AlreadyPaid)
async def what_is_paid(stage: Stage) -> Call:
    return Call(opening((await paid(stage)).order_id, attempt=2))


@table.refuses("open", GivenUp)
async def what_was_given_up(stage: Stage) -> Call:
    order = uuid7()
    await stage.actions("payments").give_up(order_id=order, reason="cancelled")
    return Call(opening(order))


@table.refuses("open", Invalid)
async def of_an_order_without_a_number(stage: Stage) -> Call:
    return Call(opening(uuid7(), order_number="Đơn 1"))


@table.answers("find_payment")
async def as_it_stands(stage: Stage) -> Call:
    payment = await paid(stage)
    return Call({"order_id": payment.order_id}, lambda found: found == payment)


@table.answers("find_payment")
async def of_an_order_that_has_none(stage: Stage) -> Call:
    return Call({"order_id": uuid7()}, lambda found: found is None)


@table.answers("list_kept")
async def that_lies_here_for_a_while(stage: Stage) -> Call:
    order = await stage.paid_order()
    async with stage.till.db.begin() as tx:
        await tx.execute(
            "UPDATE payments.intent SET changed_at = now() - interval '20 minutes' WHERE order_id = $1", order.id
        )
    before = UUID(int=order.id.int - 1)
    return Call({"after": before, "limit": 1}, lambda found: [kept.order_id for kept in found] == [order.id])


@table.answers("ask")
async def what_the_bank_knows_by_now(stage: Stage) -> Call:
    payment = await stage.till.open()
    await stage.till.choose(payment)
    return Call({"order_id": payment.order_id}, lambda found: found.status == "paid")


@table.answers("ask")
async def of_what_is_paid(stage: Stage) -> Call:
    payment = await paid(stage)
    return Call({"order_id": payment.order_id}, lambda found: found == payment)


@table.refuses("ask", UnknownPayment)
async def of_an_order_that_never_asked(stage: Stage) -> Call:
    return Call({"order_id": uuid7()})


@table.answers("give_up")
async def before_it_was_paid(stage: Stage) -> Call:
    payment = await stage.till.open()
    return Call({"order_id": payment.order_id, "reason": "cancelled"}, lambda found: found.status != "paid")


@table.answers("give_up")
async def after_it_was_paid(stage: Stage) -> Call:
    payment = await paid(stage)
    return Call({"order_id": payment.order_id, "reason": "cancelled"}, lambda found: found.id == payment.id)


@table.answers("give_up")
async def before_anybody_asked(stage: Stage) -> Call:
    return Call({"order_id": uuid7(), "reason": "cancelled"}, lambda found: found is None)


def sending_back(payment: Payment, amount: int, key: str = "") -> dict[str, Any]:
    key = key or f"refund {uuid7()}"
    return {"order_id": payment.order_id, "key": key, "amount": vnd(amount), "reason": "hỏng"}


@table.answers("refund")
async def a_part_of_what_was_paid(stage: Stage) -> Call:
    return Call(sending_back(await paid(stage), 9_000), lambda refund: refund.amount == vnd(9_000))


@table.refuses("refund", RefundTooLarge)
async def more_than_was_paid(stage: Stage) -> Call:
    return Call(sending_back(await paid(stage), PRICE.amount + 1))


@table.refuses("refund", UnknownPayment)
async def what_was_never_paid(stage: Stage) -> Call:
    given = {"order_id": uuid7(), "key": "refund 1", "amount": vnd(1), "reason": "hỏng"}
    return Call(given)


@table.refuses("refund", Conflict)
async def another_amount_under_the_same_key(stage: Stage) -> Call:
    payment = await paid(stage)
    await stage.actions("payments").refund(**sending_back(payment, 9_000, "once"))
    return Call(sending_back(payment, 8_000, "once"))


@table.refuses("refund", Invalid)
async def under_no_key(stage: Stage) -> Call:
    return Call({**sending_back(await paid(stage), 9_000), "key": ""})


@table.answers("list_refunds")
async def the_refunds_of_an_order(stage: Stage) -> Call:
    payment = await paid(stage)
    made = await stage.actions("payments").refund(**sending_back(payment, 9_000))
    return Call({"order_id": payment.order_id}, lambda found: [refund.id for refund in found] == [made.id])
