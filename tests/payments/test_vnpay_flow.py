"""Paying with VNPay from the first click to the books, with everything that can go wrong on the way.

Both directions are real HTTP: the shop's questions to the stand-in, and the stand-in's notices to the shop.
"""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from sampan.kernel.context import SYSTEM, working_as
from sampan.kernel.errors import Conflict
from sampan.kernel.money import Money
from sampan.services.payments.contract import NotAnswered

# --- paying


async def test_a_payment_goes_through(till: Any) -> None:
    payment = await till.open()
    assert (payment.status, payment.action.kind, payment.method) == ("pending", "redirect", "vnpay")
    back = await till.choose(payment)
    home = await till.http.get(back.headers["location"])
    assert (home.status_code, home.headers["location"]) == (303, f"/vi/orders/{payment.order_id}")
    await till.work()
    paid = await till.look(payment)
    assert (paid.status, paid.captured, paid.action.kind) == ("paid", payment.amount, "none")
    assert (await till.booked(till.ref(payment))).notices == ["00"]
    assert [(event.status, event.version) for event in await till.events(payment)] == [("pending", 1), ("paid", 2)]


async def test_the_browser_may_come_back_before_the_notice_and_then_one_question_is_asked(till: Any) -> None:
    payment = await till.open()
    await till.choose(payment)
    assert (await till.payments.ask(order_id=payment.order_id)).status == "paid"
    await till.work()
    assert (await till.booked(till.ref(payment))).notices == ["02"]
    assert (await till.look(payment)).captured == payment.amount


@pytest.mark.parametrize(
    ("choice", "failure"),
    [
        ("insufficient", "payments.reason.insufficient_funds"),
        ("locked", "payments.reason.card_locked"),
        ("otp", "payments.reason.wrong_otp"),
        ("limit", "payments.reason.limit_exceeded"),
        ("maintenance", "payments.reason.bank_maintenance"),
        ("cancel", "payments.reason.cancelled_by_customer"),
    ],
)
async def test_a_declined_payment_says_why(till: Any, choice: str, failure: str) -> None:
    payment = await till.open()
    await till.choose(payment, choice)
    await till.work()
    failed = await till.look(payment)
    assert (failed.status, failed.failure, failed.captured) == ("failed", failure, Money(0, "VND"))
    assert (await till.booked(till.ref(payment))).notices == ["00"]


async def test_after_a_decline_another_attempt_may_pay(till: Any) -> None:
    payment = await till.open()
    await till.fault("decline", till.ref(payment), response_code="12")
    await till.choose(payment)
    await till.work()
    assert (await till.look(payment)).failure == "payments.reason.card_locked"
    second = await till.open(order_id=payment.order_id, attempt=2)
    assert (second.status, second.id != payment.id) == ("pending", True)
    await till.choose(second)
    await till.work()
    paid = await till.look(payment)
    assert (paid.status, paid.id, paid.failure) == ("paid", second.id, None)


async def test_who_opens_the_same_attempt_again_pays_the_same_payment(till: Any) -> None:
    payment = await till.open()
    again = await till.open(order_id=payment.order_id, amount=Money(1, "VND"), method="cod")
    assert again == payment


async def test_a_shop_that_died_while_it_opened_a_payment_goes_on_where_it_stopped(till: Any) -> None:
    payment = await till.open()
    await till.forget_opening(payment)
    assert (await till.look(payment)).action.kind == "none"
    again = await till.open(order_id=payment.order_id)
    assert again == payment


async def test_a_shop_that_died_after_the_notice_takes_it_to_its_case_later(till: Any) -> None:
    payment = await till.open()
    await till.payments.take_notice(provider="vnpay", raw=till.notice(payment).encode())
    for task in till.payments._soon:
        task.cancel()
    assert (await till.look(payment)).status == "pending"
    await till.payments.apply_facts()
    assert (await till.look(payment)).status == "paid"


# --- notices that go wrong


async def test_a_notice_that_comes_three_times_counts_once(till: Any) -> None:
    payment = await till.open()
    await till.fault("duplicate", till.ref(payment))
    await till.choose(payment)
    await till.work()
    assert sorted((await till.booked(till.ref(payment))).notices) == ["00", "02", "02"]
    assert (await till.look(payment)).captured == payment.amount
    assert len(await till.events(payment)) == 2


async def test_a_failure_that_is_told_after_a_later_success_changes_nothing(till: Any) -> None:
    payment = await till.open()
    await till.fault("reordered", till.ref(payment))
    await till.choose(payment, "insufficient")
    await till.work()
    assert (await till.look(payment)).status == "pending"
    second = await till.open(order_id=payment.order_id, attempt=2)
    await till.choose(second)
    await till.work()
    assert (await till.booked(till.ref(payment))).notices == ["00"]
    paid = await till.look(payment)
    assert (paid.status, paid.captured, paid.failure) == ("paid", payment.amount, None)


async def test_a_payment_nobody_tells_us_of_is_found_by_the_poller(till: Any) -> None:
    payment = await till.open()
    await till.fault("never_notify", till.ref(payment))
    back = await till.choose(payment)
    assert back.status_code == 303
    await till.work()
    assert (await till.look(payment)).status == "pending"
    await till.due_now(payment)
    await till.work()
    assert (await till.look(payment)).status == "paid"


async def test_money_taken_from_a_payer_who_never_came_back_is_found(till: Any) -> None:
    payment = await till.open()
    await till.fault("take_money_then_drop", till.ref(payment))
    lost = await till.choose(payment)
    assert lost.status_code == 502
    await till.work()
    assert (await till.booked(till.ref(payment))).notices == []
    await till.due_now(payment)
    await till.work()
    assert (await till.look(payment)).status == "paid"


async def test_a_forged_notice_is_refused_every_time_and_the_truth_is_asked_for(till: Any) -> None:
    payment = await till.open()
    await till.fault("forged_signature", till.ref(payment))
    await till.choose(payment)
    await till.work(rounds=12)
    assert (await till.booked(till.ref(payment))).notices == ["97"]
    assert (await till.look(payment)).status == "pending"
    assert (await till.payments.ask(order_id=payment.order_id)).status == "paid"


async def test_another_amount_waits_for_a_person_who_sends_it_back(till: Any) -> None:
    payment = await till.open()
    await till.fault("wrong_amount", till.ref(payment), amount=250_000)
    await till.choose(payment)
    await till.work(rounds=12)
    assert (await till.booked(till.ref(payment))).notices == ["04"]
    held = await till.look(payment)
    assert (held.status, held.captured, held.failure) == ("review", Money(0, "VND"), "payments.reason.amount_differs")
    await till.due_now(payment)
    await till.work()
    assert (await till.look(payment)).status == "review"  # the bank says the same when asked
    (item,) = await till.held(payment)
    assert (item.amount, item.asked) == (Money(250_000, "VND"), payment.amount)
    await till.payments.decide(fact_id=item.id, decision="sent_back", note="the bank took another amount")
    await till.work()
    done = await till.look(payment)
    assert (done.status, done.captured, done.refunded) == ("failed", Money(250_000, "VND"), Money(250_000, "VND"))
    assert [refund.status for refund in (await till.booked(till.ref(payment))).refunds] == ["00"]
    second = await till.open(order_id=payment.order_id, attempt=2)  # the customer may try again
    assert second.status == "pending"


async def test_suspicious_money_is_held_until_a_person_accepts_it(till: Any) -> None:
    payment = await till.open()
    await till.choose(payment, "suspicious")
    await till.work()
    held = await till.look(payment)
    assert (held.status, held.failure) == ("review", "payments.reason.suspicious")
    (item,) = await till.held(payment)
    await till.payments.decide(fact_id=item.id, decision="accepted", note="VNPay confirmed it by phone")
    assert (await till.look(payment)).status == "paid"


async def test_money_that_comes_after_the_order_was_given_up_goes_back(till: Any) -> None:
    payment = await till.open()
    await till.fault("late", till.ref(payment), seconds=0.3)
    await till.choose(payment)
    await till.work()
    given_up = await till.payments.give_up(order_id=payment.order_id, reason="expired")
    assert given_up.status == "cancelled"
    await asyncio.sleep(0.3)
    await till.work()
    done = await till.look(payment)
    assert (done.status, done.captured, done.refunded) == ("refunded", payment.amount, payment.amount)
    statuses = [event.status for event in await till.events(payment)]
    assert statuses == ["pending", "cancelled", "review", "refunded"]


async def test_an_order_that_was_paid_twice_gets_one_payment_back(till: Any) -> None:
    first = await till.open()
    second = await till.open(order_id=first.order_id, attempt=2)
    await till.choose(first)
    await till.choose(second)
    await till.work()
    done = await till.look(first)
    assert (done.status, done.captured.amount, done.refunded) == ("paid", 2 * first.amount.amount, first.amount)
    (refund,) = await till.payments.list_refunds(order_id=first.order_id)
    assert (refund.status, refund.reason) == ("settled", "payments.refund.paid_twice")


async def test_success_after_failure_of_the_same_attempt_counts_only_when_the_bank_confirms_it(till: Any) -> None:
    payment = await till.open()
    await till.fault("never_notify", till.ref(payment))
    await till.choose(payment)
    failure = till.notice(payment, response_code="51", transaction_status="02", transaction_no="0")
    assert await till.tell(failure) == "00"
    assert (await till.look(payment)).status == "failed"
    assert await till.tell(till.notice(payment)) == "02"
    assert (await till.look(payment)).status == "review"
    await till.work()  # asked at once
    assert (await till.look(payment)).status == "paid"
    assert await till.held(payment) == []  # nobody has to look any more


async def test_a_failure_after_success_moves_nothing_and_is_looked_at(till: Any) -> None:
    payment = await till.pay()
    failure = till.notice(payment, response_code="99", transaction_status="02")
    assert await till.tell(failure) == "02"
    assert (await till.look(payment)).status == "paid"
    (item,) = await till.held(payment)
    assert item.reason == "payments.reason.contradiction"
    await till.payments.decide(fact_id=item.id, decision="dismissed", note="seen")


# --- a bank that does not answer


async def test_a_slow_bank_does_not_hold_up_who_waits(till: Any) -> None:
    payment = await till.open()
    await till.fault("slow", till.ref(payment), seconds=1.5, times=1)
    started = time.monotonic()
    with working_as(SYSTEM, seconds=0.3):
        found = await till.payments.ask(order_id=payment.order_id)
    assert (found.status, time.monotonic() - started < 1.2) == ("pending", True)


async def test_a_bank_that_is_down_is_asked_again_later(till: Any) -> None:
    payment = await till.open()
    await till.fault("never_notify", till.ref(payment))
    await till.choose(payment)
    await till.fault("http_500", till.ref(payment), times=1)
    await till.due_now(payment)
    await till.work(rounds=1)
    assert (await till.look(payment)).status == "pending"
    async with till.db.read() as tx:
        later = await tx.one(bool, "SELECT ask_at > now() FROM payments.attempt WHERE id = $1", payment.id)
    assert later
    await till.due_now(payment)
    await till.work(rounds=1)
    assert (await till.look(payment)).status == "paid"


async def test_a_payment_that_the_bank_never_heard_of_fails_a_day_after_its_time(till: Any) -> None:
    payment = await till.open()
    await till.due_now(payment)
    await till.work(rounds=1)
    assert (await till.look(payment)).status == "pending"
    async with till.db.begin() as tx:
        await tx.execute(
            "UPDATE payments.attempt SET made_at = now() - interval '26 hours', "
            "expires_at = now() - interval '25 hours' WHERE id = $1",
            payment.id,
        )
    await till.due_now(payment)
    await till.work(rounds=1)
    failed = await till.look(payment)
    assert (failed.status, failed.failure) == ("failed", "payments.reason.expired")


# --- giving money back


async def test_a_refund_goes_back_and_is_told(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    part = await till.payments.refund(order_id=payment.order_id, key="one", amount=Money(59_000, "VND"), reason="torn")
    assert part.status == "requested"
    await till.work()
    assert [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)] == ["settled"]
    assert (await till.look(payment)).status == "partially_refunded"
    await till.payments.refund(order_id=payment.order_id, key="two", amount=Money(200_000, "VND"), reason="torn")
    await till.work()
    done = await till.look(payment)
    assert (done.status, done.refunded) == ("refunded", payment.amount)
    book = await till.booked(till.ref(payment))
    assert [(refund.amount, refund.status) for refund in book.refunds] == [(59_000, "00"), (200_000, "00")]


async def test_a_refund_that_takes_its_time_is_asked_about_until_it_is_done(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    quick = till.bank.settings
    till.bank.settings = replace(quick, refund_seconds=3600)
    try:
        await till.payments.refund(order_id=payment.order_id, key="slow", amount=payment.amount, reason="test")
        await till.work()
    finally:
        till.bank.settings = quick
    assert [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)] == ["sent"]
    assert (await till.look(payment)).status == "paid"
    async with till.shop.databases["vnpay_sandbox"].begin() as tx:
        await tx.execute(
            "UPDATE vnpay_sandbox.refund SET settle_at = now() FROM vnpay_sandbox.payment p "
            "WHERE p.id = payment_id AND p.txn_ref = $1",
            till.ref(payment),
        )
    await till.due_now(payment)
    await till.work()
    assert (await till.look(payment)).status == "refunded"


async def test_a_refund_whose_answer_was_lost_is_looked_for_and_not_made_twice(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    await till.fault("http_500", till.ref(payment), times=1, after=True)
    await till.payments.refund(order_id=payment.order_id, key="lost", amount=Money(9_000, "VND"), reason="test")
    await till.work()
    assert [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)] == ["sent"]
    await till.due_now(payment)
    await till.work()
    assert [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)] == ["settled"]
    assert len((await till.booked(till.ref(payment))).refunds) == 1


async def test_a_refund_that_never_arrived_is_sent_again_after_asking_twice(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    await till.fault("http_500", till.ref(payment), times=1)
    await till.payments.refund(order_id=payment.order_id, key="lost", amount=Money(9_000, "VND"), reason="test")
    await till.work(rounds=1)
    assert (await till.booked(till.ref(payment))).refunds == []
    await till.due_now(payment)
    await till.work(rounds=1)
    assert (await till.booked(till.ref(payment))).refunds == []  # asked; not there yet, perhaps
    await till.due_now(payment)
    await till.work(rounds=1)
    assert len((await till.booked(till.ref(payment))).refunds) == 1
    assert (await till.look(payment)).refunded == Money(9_000, "VND")


async def test_a_lost_refund_is_not_mistaken_for_an_earlier_one_of_the_same_amount(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    amount = Money(5_000, "VND")
    await till.payments.refund(order_id=payment.order_id, key="one", amount=amount, reason="test")
    await till.work()
    await till.fault("http_500", till.ref(payment), times=1)
    await till.payments.refund(order_id=payment.order_id, key="two", amount=amount, reason="test")
    await till.work(rounds=1)
    await till.due_now(payment)
    await till.work(rounds=1)
    statuses = [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)]
    assert statuses == ["settled", "sent"]
    await till.due_now(payment)
    await till.work(rounds=1)
    statuses = [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)]
    assert statuses == ["settled", "settled"]
    assert len((await till.booked(till.ref(payment))).refunds) == 2


async def test_a_refund_that_the_bank_refuses_is_granted_again_and_then_paid_out_by_hand_and_only_once(
    till: Any,
) -> None:
    payment = await till.pay_at_the_bank()
    await till.fault("refuse_refund", till.ref(payment), times=1)
    part = Money(59_000, "VND")
    await till.payments.refund(order_id=payment.order_id, key="no", amount=part, reason="test")
    await till.work()
    (refused,) = await till.payments.list_refunds(order_id=payment.order_id)
    assert (refused.status, (await till.look(payment)).status) == ("failed", "paid")
    (item,) = await till.held(payment)
    assert item.reason == "payments.reason.refund_refused"
    with pytest.raises(Conflict):  # the order knows nothing of that, and would grant its pieces again
        await till.payments.decide(fact_id=item.id, decision="sent_back", note="by bank transfer")
    await till.payments.refund(order_id=payment.order_id, key="again", amount=part, reason="test")
    await till.work()
    payout = await payout_of(till, payment)
    await till.payments.settle_payout(refund_id=payout.id, reference="FT26330001")
    await till.payments.decide(fact_id=item.id, decision="dismissed", note="paid by bank transfer")
    done = await till.look(payment)
    assert (done.status, done.refunded) == ("partially_refunded", part)
    assert [refund.status for refund in (await till.booked(till.ref(payment))).refunds] == ["09"]


async def test_money_that_goes_back_by_itself_and_is_refused_is_sent_back_by_hand(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    await till.fault("refuse_refund", till.ref(payment), times=1)
    await till.payments.give_up(order_id=payment.order_id, reason="customer")
    await till.work()
    (item,) = await till.held(payment)
    async with till.db.begin() as tx:
        hour = "UPDATE payments.intent SET changed_at = now() - interval '1 hour' WHERE order_id = $1"
        await tx.execute(hour, payment.order_id)
    assert await till.payments.invariants() == [], "a person has been called"
    await till.payments.decide(fact_id=item.id, decision="sent_back", note="by bank transfer")
    payout = await payout_of(till, payment)
    await till.payments.settle_payout(refund_id=payout.id, reference="FT26330001")
    done = await till.look(payment)
    assert (done.status, done.refunded) == ("refunded", payment.amount)


async def payout_of(till: Any, payment: Any) -> Any:
    """What a person has to pay out of a payment."""
    found = await till.payments.payouts(limit=100, cursor="")
    (payout,) = [payout for payout in found.items if payout.order_id == payment.order_id]
    return payout


async def change_refund(till: Any, payment: Any, change: str) -> None:
    async with till.db.begin() as tx:
        await tx.execute(f"UPDATE payments.refund SET {change} WHERE order_id = $1", payment.order_id)


@pytest.fixture
def sent(till: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The references of the refunds that the bank was asked to make."""
    provider, found = till.payments.online["vnpay"], []
    real = provider.refund

    async def refund(charge: Any, wanted: Any) -> Any:
        found.append(wanted.reference)
        return await real(charge, wanted)

    monkeypatch.setattr(provider, "refund", refund)
    return found


async def slow_refund(till: Any, payment: Any, amount: Money) -> None:
    """The bank takes note of a refund, and takes its time."""
    quick = till.bank.settings
    till.bank.settings = replace(quick, refund_seconds=864_000)
    try:
        await till.payments.refund(order_id=payment.order_id, key="slow", amount=amount, reason="test")
        await till.work()
    finally:
        till.bank.settings = quick


async def test_a_refund_that_the_bank_took_note_of_is_never_sent_again_whatever_its_account_shows(
    till: Any, sent: list[str]
) -> None:
    payment = await till.pay_at_the_bank()
    await slow_refund(till, payment, Money(9_000, "VND"))
    async with till.shop.databases["vnpay_sandbox"].begin() as tx:  # somebody gives money back in the bank's portal
        await tx.execute(
            "INSERT INTO vnpay_sandbox.refund (request_id, payment_id, amount, kind, refused, settle_at) "
            "SELECT 'portal-' || id, id, 1000, '03', false, now() FROM vnpay_sandbox.payment WHERE txn_ref = $1",
            till.ref(payment),
        )
    for _ in range(5):
        await till.due_now(payment)
        await till.work(rounds=1)
    assert len(sent) == 1
    assert [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)] == ["sent"]


async def test_a_refund_that_was_lost_is_not_sent_again_on_another_day_but_looked_at_by_a_person(
    till: Any, sent: list[str]
) -> None:
    """The bank knows a request by its id on the same day only."""
    payment = await till.pay_at_the_bank()
    await till.fault("http_500", till.ref(payment), times=1)
    await till.payments.refund(order_id=payment.order_id, key="lost", amount=Money(9_000, "VND"), reason="test")
    await till.work(rounds=1)
    await change_refund(till, payment, "called_at = called_at - interval '1 day'")
    for _ in range(4):
        await till.due_now(payment)
        await till.work(rounds=1)
    assert len(sent) == 1
    assert [item.reason for item in await till.held(payment)] == ["payments.reason.refund_unclear"]


async def test_a_bank_that_could_not_be_asked_has_not_said_that_it_knows_nothing(till: Any, sent: list[str]) -> None:
    payment = await till.pay_at_the_bank()
    await till.fault("http_500", till.ref(payment), times=4)  # the refund, and questions about it
    await till.payments.refund(order_id=payment.order_id, key="lost", amount=Money(9_000, "VND"), reason="test")
    await till.work(rounds=1)
    for _ in range(2):
        await till.due_now(payment)
        await till.work(rounds=1)
    await till.bank.clear_faults()
    await till.due_now(payment)
    await till.work(rounds=1)
    assert len(sent) == 1  # it was asked in vain, and has said once that it has none
    await till.due_now(payment)
    await till.work(rounds=1)
    assert len(sent) == 2


async def test_a_refund_whose_end_nobody_knows_for_days_is_taken_over_by_a_person(till: Any, sent: list[str]) -> None:
    payment = await till.pay_at_the_bank()
    await slow_refund(till, payment, payment.amount)
    assert await till.held(payment) == []
    await change_refund(till, payment, "made_at = made_at - interval '5 days'")
    for _ in range(2):
        await till.due_now(payment)
        await till.work(rounds=1)
    (item,) = await till.held(payment)
    assert item.reason == "payments.reason.refund_slow"
    await change_refund(till, payment, "made_at = made_at - interval '3 days'")
    assert await till.payments.invariants() == [], "a person has been called"
    with pytest.raises(Conflict, match="in a minute"):
        await till.payments.decide(fact_id=item.id, decision="sent_back", note="by bank transfer")
    await change_refund(till, payment, "asked_at = asked_at - interval '1 minute'")
    await till.payments.decide(fact_id=item.id, decision="sent_back", note="by bank transfer")
    await till.due_now(payment)
    await till.work()
    payout = await payout_of(till, payment)
    await till.payments.settle_payout(refund_id=payout.id, reference="FT26330001")
    done = await till.look(payment)
    assert (done.status, done.refunded, len(sent)) == ("refunded", payment.amount, 1)


async def test_a_refund_that_a_person_sees_has_arrived_is_done_and_nobody_has_to_look_any_more(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    await slow_refund(till, payment, payment.amount)
    await change_refund(till, payment, "made_at = made_at - interval '5 days'")
    await till.due_now(payment)
    await till.work(rounds=1)
    assert len(await till.held(payment)) == 1
    (refund,) = await till.payments.list_refunds(order_id=payment.order_id)
    await till.payments.settle_payout(refund_id=refund.id, reference="seen in the portal")
    assert (await till.look(payment)).status == "refunded"
    assert await till.held(payment) == []


async def test_what_a_person_has_to_pay_out_does_not_keep_the_bank_from_the_next_refund(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    await till.fault("refuse_refund", till.ref(payment), times=1)
    await till.payments.refund(order_id=payment.order_id, key="no", amount=Money(9_000, "VND"), reason="test")
    await till.work()
    await till.payments.refund(order_id=payment.order_id, key="by hand", amount=Money(9_000, "VND"), reason="test")
    await till.payments.give_up(order_id=payment.order_id, reason="customer")
    await till.work()
    statuses = [refund.status for refund in await till.payments.list_refunds(order_id=payment.order_id)]
    assert statuses == ["failed", "requested", "settled"]


async def test_who_has_to_be_sure_hears_that_the_bank_does_not_answer(till: Any) -> None:
    """And has it asked at once, also when somebody who waits at a page had it asked a moment ago."""
    payment = await till.open()
    await till.fault("http_500", till.ref(payment))
    assert (await till.payments.ask(order_id=payment.order_id)).status == "pending"
    with pytest.raises(NotAnswered):
        await till.payments.ask(order_id=payment.order_id, sure=True)
    await till.bank.clear_faults()
    assert (await till.payments.ask(order_id=payment.order_id, sure=True)).status == "pending"
    await till.choose(payment)
    assert (await till.payments.ask(order_id=payment.order_id)).status == "pending", "asked a moment ago"
    assert (await till.payments.ask(order_id=payment.order_id, sure=True)).status == "paid"


async def test_giving_up_a_paid_order_sends_everything_back(till: Any) -> None:
    payment = await till.pay_at_the_bank()
    given_up = await till.payments.give_up(order_id=payment.order_id, reason="customer")
    assert (given_up.status, given_up.captured) == ("paid", payment.amount)
    await till.work()
    again = await till.payments.give_up(order_id=payment.order_id, reason="customer")
    assert (again.status, again.refunded) == ("refunded", payment.amount)
    assert len((await till.booked(till.ref(payment))).refunds) == 1


async def test_the_pay_page_is_the_stand_in_of_this_shop(till: Any) -> None:
    payment = await till.open()
    assert payment.action.url.startswith(f"{till.url}/sandbox/vnpay/paymentv2/vpcpay.html?")
    assert urlsplit(payment.action.url).query.count("vnp_SecureHash=") == 1
    assert payment.action.expires_at is not None
