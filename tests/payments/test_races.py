"""Many at once: the money is counted once, and never more goes back than came."""

import asyncio
from collections import Counter
from typing import Any

from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.payments.contract import AlreadyPaid, GivenUp, RefundTooLarge
from sampan.services.payments.store import checks


async def at_once(*work: Any) -> list[Any]:
    """All of it, starting at the same moment."""
    barrier = asyncio.Barrier(len(work))

    async def start(one: Any) -> Any:
        await barrier.wait()
        return await one

    return await asyncio.gather(*(start(one) for one in work), return_exceptions=True)


async def books_are_right(till: Any) -> None:
    async with till.db.read() as tx:
        assert await checks.violations(tx) == []


async def test_twenty_refunds_at_once_never_exceed_what_was_paid(till: Any) -> None:
    payment = await till.pay(amount=Money(100_000, "VND"))
    results = await at_once(
        *(
            till.payments.refund(order_id=payment.order_id, key=f"race-{n}", amount=Money(15_000, "VND"), reason="race")
            for n in range(20)
        )
    )
    granted = [result for result in results if not isinstance(result, Exception)]
    refused = [result for result in results if isinstance(result, RefundTooLarge)]
    assert (len(granted), len(refused)) == (6, 14)
    assert {refusal.facts["refundable"] for refusal in refused} == {10_000}
    assert len({refund.id for refund in granted}) == 6
    await books_are_right(till)


async def test_twenty_refunds_with_one_key_are_one_refund(till: Any) -> None:
    payment = await till.pay()
    results = await at_once(
        *(
            till.payments.refund(order_id=payment.order_id, key="same", amount=Money(1_000, "VND"), reason="race")
            for _ in range(20)
        )
    )
    assert len({refund.id for refund in results}) == 1
    assert len(await till.payments.list_refunds(order_id=payment.order_id)) == 1


async def test_fifty_notices_at_once_are_one_capture(till: Any) -> None:
    payment = await till.open()
    url = f"{till.url}/api/v1/payments/vnpay/ipn?{till.notice(payment)}"
    answers = await at_once(*(till.http.get(url) for _ in range(50)))
    codes = Counter(answer.json()["RspCode"] for answer in answers)
    assert codes == {"00": 1, "02": 49}
    await till.rest()
    paid = await till.look(payment)
    assert (paid.status, paid.captured) == ("paid", payment.amount)
    assert len(await till.events(payment)) == 2
    await books_are_right(till)


async def test_notice_poller_and_browser_at_once_are_one_capture(till: Any) -> None:
    for _ in range(5):
        payment = await till.open()
        await till.fault("never_notify", till.ref(payment))
        await till.choose(payment)
        await till.due_now(payment)
        results = await at_once(
            till.http.get(f"{till.url}/api/v1/payments/vnpay/ipn?{till.notice(payment)}"),
            till.payments.ask_providers(),
            till.payments.ask(order_id=payment.order_id),
            till.payments.apply_facts(),
        )
        assert not [result for result in results if isinstance(result, Exception)]
        await till.rest()
        paid = await till.look(payment)
        assert (paid.status, paid.captured) == ("paid", payment.amount)
        assert [event.version for event in await till.events(payment)] == [1, 2]
    await books_are_right(till)


async def test_giving_up_while_the_money_arrives_keeps_no_money(till: Any) -> None:
    for _ in range(5):
        payment = await till.open()
        await till.fault("never_notify", till.ref(payment))
        await till.choose(payment)
        number = str((await till.booked(till.ref(payment))).transaction_no)
        notice = till.notice(payment, transaction_no=number)
        results = await at_once(
            till.payments.give_up(order_id=payment.order_id, reason="expired"),
            till.http.get(f"{till.url}/api/v1/payments/vnpay/ipn?{notice}"),
            till.payments.ask(order_id=payment.order_id),
        )
        assert not [result for result in results if isinstance(result, Exception)]
        await till.rest()
        await till.payments.send_refunds()
        await till.due_now(payment)
        await till.payments.send_refunds()
        done = await till.look(payment)
        assert (done.status, done.captured, done.refunded) == ("refunded", payment.amount, payment.amount)
    await books_are_right(till)


async def test_giving_up_while_the_order_asks_for_money_leaves_nothing_open(till: Any) -> None:
    for _ in range(10):
        payment = await till.open()  # only for its order's id; the second attempt races
        failure = till.notice(payment, response_code="24", transaction_status="02", transaction_no="0")
        await till.tell(failure)
        opened, given_up = await at_once(
            till.open(order_id=payment.order_id, attempt=2, method="cod"),
            till.payments.give_up(order_id=payment.order_id, reason="customer"),
        )
        assert given_up.status in ("cancelled", "cod_due"), given_up
        assert isinstance(opened, GivenUp) or opened.status in ("cod_due", "cancelled")
        assert (await till.look(payment)).status == "cancelled"
    await books_are_right(till)


async def test_giving_up_an_order_nobody_has_heard_of_while_it_asks_for_money(till: Any) -> None:
    for method in ("cod", "vnpay") * 5:
        order_id = uuid7()
        opened, given_up = await at_once(
            till.open(order_id=order_id, method=method),
            till.payments.give_up(order_id=order_id, reason="customer"),
        )
        assert isinstance(opened, GivenUp) or opened.status in ("pending", "cod_due", "cancelled")
        assert given_up is None or given_up.status == "cancelled"
        found = await till.payments.find_payment(order_id=order_id)
        assert found is None or found.status == "cancelled"
    await books_are_right(till)


async def test_two_attempts_opened_at_once_are_both_open_and_one_pays(till: Any) -> None:
    payment = await till.open()
    await at_once(
        *(till.open(order_id=payment.order_id, attempt=attempt) for attempt in (2, 3, 2, 3)),
    )
    results = await at_once(
        *(
            till.http.get(
                f"{till.url}/api/v1/payments/vnpay/ipn?{till.notice(payment, attempt, transaction_no=str(attempt))}"
            )
            for attempt in (1, 2, 3)
        )
    )
    assert [answer.json()["RspCode"] for answer in results] == ["00", "00", "00"]
    await till.rest()
    done = await till.look(payment)
    assert (done.status, done.captured.amount) == ("paid", 3 * payment.amount.amount)
    refunds = await till.payments.list_refunds(order_id=payment.order_id)
    assert [refund.amount for refund in refunds] == [payment.amount, payment.amount]
    await books_are_right(till)


async def test_cash_opened_many_times_at_once_is_owed_once(till: Any) -> None:
    payment = await till.open(method="cod")
    results = await at_once(
        *(till.open(order_id=payment.order_id, method="cod") for _ in range(5)),
        *(till.open(order_id=payment.order_id, attempt=2, method="cod") for _ in range(5)),
    )
    assert all(isinstance(result, AlreadyPaid) or result.status == "cod_due" for result in results)
    async with till.db.read() as tx:
        due = await tx.many(str, "SELECT kind FROM payments.ledger_transaction WHERE order_id = $1", payment.order_id)
    assert due == ["cod_due"]


async def test_refunds_are_sent_once_by_many_workers(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    await till.payments.refund(order_id=payment.order_id, key="k", amount=Money(1_000, "VND"), reason="race")
    await at_once(*(till.payments.send_refunds() for _ in range(8)))
    assert len((await till.booked(till.ref(payment))).refunds) == 1
    assert [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)] == ["settled"]
