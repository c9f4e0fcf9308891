"""The case of an order's payment: whatever is told, in whatever order, however often."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from sampan.kernel.errors import Conflict, Invalid, ShopError
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.payments.contract import Action, AlreadyPaid, GivenUp, RefundTooLarge
from sampan.services.payments.rules import case as cases
from sampan.services.payments.rules import ledger
from sampan.services.payments.rules.case import Attempt, Case, Intent, NotHeld, Refund
from sampan.services.payments.rules.delivery import Parcel, delivery_for
from sampan.services.payments.rules.fact import Fact, Verdict
from sampan.services.payments.rules.schedule import is_over, is_slow, next_ask
from sampan.services.payments.rules.way_back import own_path

NOW = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
PRICE = Money(259_000, "VND")
FAILED = "payments.reason.declined"


def new_case() -> Case:
    return Case(Intent(uuid7(), "DH1001", None, "pending", None, 0, 0, 0, 0, 0), [], [])


def begin(case: Case, method: str = "vnpay", amount: Money = PRICE, number: int | None = None) -> Attempt:
    number = number or len(case.attempts) + 1
    attempt = Attempt(uuid7(), number, f"DH1001-{number}", method, amount, "created", NOW, NOW + timedelta(minutes=15))
    cases.begin(case, attempt)
    return attempt


def fact(kind: str, attempt: Attempt | None = None, **facts: Any) -> Fact:
    return Fact(
        kind=kind,  # type: ignore[arg-type]
        source="test",
        event_id=uuid7().hex,
        order_id=None,
        attempt_id=attempt.id if attempt else None,
        **facts,
    )


def told(
    case: Case, attempt: Attempt, verdict: Verdict, amount: Money | None = PRICE, reason: str = FAILED
) -> str | None:
    return cases.take(case, fact("told", attempt, verdict=verdict, amount=amount, reason=reason))


def opened(case: Case, method: str = "vnpay", amount: Money = PRICE) -> Attempt:
    attempt = begin(case, method, amount)
    cases.take(case, fact("opened", attempt))
    return attempt


def grant_due(case: Case) -> list[Refund]:
    made = []
    for due in cases.refunds_due(case):
        made.append(grant(case, due.attempt, due.amount, due.key, by_hand=due.by_hand))
    return made


def grant(case: Case, attempt: Attempt, amount: Money, key: str = "", *, by_hand: bool = False) -> Refund:
    number = len(case.refunds) + 1
    reference = f"DH1001-R{number}"
    refund = Refund(
        uuid7(), attempt.id, number, reference, key or f"order-{number}", amount, "requested", "test", by_hand
    )
    cases.grant(case, refund)
    return refund


def refund_told(case: Case, refund: Refund, verdict: Verdict, amount: Money | None = None) -> str | None:
    return cases.take(case, fact("refund_told", refund_id=refund.id, verdict=verdict, amount=amount))


def books(case: Case) -> dict[str, int]:
    found = ledger.balances(booking.transaction for booking in case.bookings)
    return {account: amount for (account, _), amount in found.items()}


# --- paying online


def test_a_payment_is_pending_until_the_provider_says_more() -> None:
    case = new_case()
    attempt = opened(case)
    assert (case.intent.status, attempt.status) == ("pending", "open")
    told(case, attempt, Verdict.PENDING)
    assert (case.intent.status, attempt.status) == ("pending", "open")
    assert not case.bookings


def test_a_payment_is_paid_when_the_provider_says_so_of_our_amount() -> None:
    case = new_case()
    attempt = opened(case)
    assert told(case, attempt, Verdict.PAID) is None
    assert (case.intent.status, attempt.status) == ("paid", "paid")
    assert (case.intent.authorised, case.intent.captured) == (259_000, 259_000)
    assert books(case) == {"provider:vnpay": 259_000, "sales": -259_000}


def test_money_may_come_before_the_payer_was_seen_to_leave() -> None:
    case = new_case()
    attempt = begin(case)
    told(case, attempt, Verdict.PAID)
    cases.take(case, fact("opened", attempt))
    assert (case.intent.status, attempt.status) == ("paid", "paid")


def test_the_same_money_counts_once() -> None:
    case = new_case()
    attempt = opened(case)
    for _ in range(3):
        told(case, attempt, Verdict.PAID)
    assert case.intent.captured == 259_000
    assert len(case.bookings) == 2


@pytest.mark.parametrize("amount", [Money(258_999, "VND"), Money(259_000, "USD"), None])
def test_another_amount_or_currency_waits_for_a_person(amount: Money | None) -> None:
    case = new_case()
    attempt = opened(case)
    assert told(case, attempt, Verdict.PAID, amount) == cases.AMOUNT_DIFFERS
    assert (case.intent.status, attempt.status, case.intent.captured) == ("review", "review", 0)


def test_a_failure_about_another_amount_changes_nothing_but_is_looked_at() -> None:
    case = new_case()
    attempt = opened(case)
    assert told(case, attempt, Verdict.FAILED, Money(1, "VND")) == cases.AMOUNT_DIFFERS
    assert (case.intent.status, attempt.status) == ("pending", "open")


def test_a_clear_answer_ends_the_waiting_for_a_person() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID, Money(1, "VND"))
    told(case, attempt, Verdict.PAID)
    assert (case.intent.status, case.intent.captured) == ("paid", 259_000)


def test_suspicious_money_is_not_shipped_for() -> None:
    case = new_case()
    attempt = opened(case)
    assert told(case, attempt, Verdict.REVIEW, reason="payments.reason.suspicious") == "payments.reason.suspicious"
    assert (case.intent.status, case.intent.captured) == ("review", 0)
    assert told(case, attempt, Verdict.REVIEW, reason="payments.reason.suspicious") is None  # it waits already


def test_a_failed_payment_says_why_and_another_attempt_may_follow() -> None:
    case = new_case()
    first = opened(case)
    told(case, first, Verdict.FAILED)
    payment = cases.payment_for(case)
    assert payment is not None
    assert (payment.status, payment.failure) == ("failed", FAILED)
    cases.check_open(case, PRICE)
    second = opened(case)
    assert case.intent.status == "pending"
    told(case, second, Verdict.PAID)
    assert case.intent.status == "paid"


def test_a_reversal_is_a_failure() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.REVERSED)
    assert case.intent.status == "failed"


def test_paid_stays_paid_and_a_contradiction_is_looked_at() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    for verdict in (Verdict.FAILED, Verdict.REVERSED, Verdict.REVIEW):
        assert told(case, attempt, verdict) is not None
        assert (case.intent.status, case.intent.captured) == ("paid", 259_000)
    assert told(case, attempt, Verdict.PAID, Money(1, "VND")) == cases.AMOUNT_DIFFERS
    assert case.intent.status == "paid"


def test_money_after_a_failure_is_asked_about_before_it_counts() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.FAILED)
    assert told(case, attempt, Verdict.PAID) == cases.MONEY_AFTER_FAILURE
    assert (case.intent.status, attempt.ask_now, case.intent.captured) == ("review", True, 0)
    told(case, attempt, Verdict.PAID)
    assert (case.intent.status, case.intent.captured) == ("paid", 259_000)


def test_an_attempt_that_nobody_knows_after_its_time_has_failed() -> None:
    case = new_case()
    attempt = opened(case)
    cases.take(case, fact("expired", attempt))
    assert (case.intent.status, attempt.failure) == ("failed", cases.EXPIRED)


def test_what_waits_for_a_person_does_not_expire() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.REVIEW)
    cases.take(case, fact("expired", attempt))
    assert case.intent.status == "review"


def test_an_earlier_attempt_may_bring_the_money_and_names_the_way_it_was_paid() -> None:
    case = new_case()
    first = opened(case)
    last = opened(case)
    told(case, first, Verdict.PAID)
    payment = cases.payment_for(case)
    assert payment is not None
    assert (payment.status, payment.id, payment.method) == ("paid", last.id, "vnpay")


def test_money_that_comes_twice_goes_back_once() -> None:
    case = new_case()
    first, second = opened(case), opened(case)
    told(case, second, Verdict.PAID)
    told(case, first, Verdict.PAID)
    assert case.intent.status == "paid"
    (refund,) = grant_due(case)
    assert (refund.attempt_id, refund.amount, first.surplus) == (first.id, PRICE, "twice")
    assert grant_due(case) == []
    refund_told(case, refund, Verdict.REFUNDED)
    assert (case.intent.status, case.intent.captured, case.intent.returned) == ("paid", 518_000, 259_000)


def test_an_action_is_shown_only_while_the_payer_can_take_it() -> None:
    case = new_case()
    attempt = begin(case)
    attempt.action = Action(kind="redirect", url="https://pay.example")
    assert cases.payment_for(case).action.kind == "none"  # type: ignore[union-attr]
    cases.take(case, fact("opened", attempt))
    assert cases.payment_for(case).action.kind == "redirect"  # type: ignore[union-attr]
    told(case, attempt, Verdict.PAID)
    assert cases.payment_for(case).action.kind == "none"  # type: ignore[union-attr]


# --- giving up


def test_an_order_that_never_asked_for_money_can_be_given_up_and_asks_no_more() -> None:
    case = new_case()
    cases.take(case, fact("given_up", reason="customer"))
    assert case.intent.status == "cancelled"
    assert cases.payment_for(case) is None
    with pytest.raises(GivenUp):
        cases.check_open(case, PRICE)


def test_giving_up_twice_is_giving_up() -> None:
    case = new_case()
    opened(case)
    for reason in ("expired", "customer"):
        cases.take(case, fact("given_up", reason=reason))
    assert (case.intent.status, case.intent.given_up) == ("cancelled", "expired")


def test_what_was_paid_goes_back_when_the_order_is_given_up() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    cases.take(case, fact("given_up", reason="customer"))
    (refund,) = grant_due(case)
    assert (case.intent.status, refund.amount) == ("paid", PRICE)
    refund_told(case, refund, Verdict.REFUNDED)
    assert case.intent.status == "refunded"
    assert books(case) == {}


def test_money_for_an_order_that_was_given_up_goes_back() -> None:
    case = new_case()
    attempt = opened(case)
    cases.take(case, fact("given_up", reason="expired"))
    told(case, attempt, Verdict.PAID)
    assert (case.intent.status, attempt.surplus) == ("review", "late")
    (refund,) = grant_due(case)
    refund_told(case, refund, Verdict.PENDING)
    assert case.intent.status == "review"
    refund_told(case, refund, Verdict.REFUNDED)
    assert case.intent.status == "refunded"


def test_a_payment_that_fails_after_the_order_was_given_up_leaves_it_cancelled() -> None:
    case = new_case()
    attempt = opened(case)
    cases.take(case, fact("given_up", reason="expired"))
    told(case, attempt, Verdict.FAILED)
    assert case.intent.status == "cancelled"


def test_suspicious_money_of_a_given_up_order_waits_and_then_leaves_it_cancelled() -> None:
    case = new_case()
    attempt = opened(case)
    cases.take(case, fact("given_up", reason="expired"))
    told(case, attempt, Verdict.REVIEW)
    assert case.intent.status == "review"
    told(case, attempt, Verdict.FAILED)
    assert case.intent.status == "cancelled"


def test_a_paid_order_takes_no_further_payment_and_stays_in_its_currency() -> None:
    case = new_case()
    attempt = opened(case)
    with pytest.raises(Invalid):
        cases.check_open(case, Money(1000, "USD"))
    told(case, attempt, Verdict.PAID)
    with pytest.raises(AlreadyPaid):
        cases.check_open(case, PRICE)


# --- cash on delivery


def test_cash_is_due_when_it_is_accepted_and_collected_at_the_door() -> None:
    case = new_case()
    opened(case, "cod")
    assert (case.intent.status, books(case)) == ("cod_due", {"receivable:cod": 259_000, "sales": -259_000})
    with pytest.raises(AlreadyPaid):
        cases.check_open(case, PRICE)
    cases.take(case, fact("delivered", case.attempts[-1]))
    assert (case.intent.status, case.intent.captured) == ("cod_collected", 259_000)
    assert books(case) == {"carrier:any": 259_000, "sales": -259_000}


def test_cash_is_owed_no_more_when_the_goods_come_back() -> None:
    case = new_case()
    opened(case, "cod")
    cases.take(case, fact("returned", case.attempts[-1]))
    assert (case.intent.status, books(case)) == ("cancelled", {})
    cases.take(case, fact("returned", case.attempts[-1]))
    assert (case.intent.status, books(case)) == ("cancelled", {})


def test_cash_is_owed_no_more_when_the_order_is_given_up() -> None:
    case = new_case()
    opened(case, "cod")
    cases.take(case, fact("given_up", reason="customer"))
    assert (case.intent.status, books(case)) == ("cancelled", {})


def test_cash_that_was_given_up_before_it_was_accepted_is_never_owed() -> None:
    case = new_case()
    attempt = begin(case, "cod")
    cases.take(case, fact("given_up", reason="customer"))
    cases.take(case, fact("opened", attempt))
    assert (case.intent.status, attempt.status, case.bookings) == ("cancelled", "failed", [])


def test_cash_is_owed_once_however_often_it_is_accepted() -> None:
    case = new_case()
    first, second = begin(case, "cod"), begin(case, "cod")
    cases.take(case, fact("opened", second))
    cases.take(case, fact("opened", first))
    assert (case.intent.status, first.status, books(case)["receivable:cod"]) == ("cod_due", "failed", 259_000)


def test_an_order_that_costs_nothing_is_delivered_without_a_booking() -> None:
    case = new_case()
    opened(case, "cod", Money(0, "VND"))
    assert case.intent.status == "cod_due"
    cases.take(case, fact("delivered", case.attempts[-1]))
    assert (case.intent.status, case.bookings) == ("cod_collected", [])


def test_cash_for_a_cancelled_order_waits_for_a_person_who_may_accept_it() -> None:
    case = new_case()
    attempt = opened(case, "cod")
    cases.take(case, fact("given_up", reason="customer"))
    assert cases.take(case, fact("delivered", case.attempts[-1])) == cases.CASH_AFTER_CANCELLATION
    assert case.intent.status == "review"
    decision = fact("accepted", attempt)
    cases.check_decision(case, decision)
    cases.take(case, decision)
    assert (case.intent.status, attempt.surplus) == ("review", "late")
    (refund,) = grant_due(case)
    assert refund.by_hand
    refund_told(case, refund, Verdict.REFUNDED)
    assert (case.intent.status, books(case)) == ("refunded", {"carrier:any": 259_000, "bank": -259_000})


def test_an_order_that_is_partly_delivered_waits_for_a_person() -> None:
    case = new_case()
    attempt = opened(case, "cod")
    assert cases.take(case, fact("partly_delivered", case.attempts[-1])) == cases.PARTLY_DELIVERED
    assert (case.intent.status, books(case)["receivable:cod"]) == ("review", 259_000)
    cases.take(case, fact("dismissed", attempt))
    assert (case.intent.status, books(case)) == ("failed", {})


def test_late_online_money_for_an_order_to_be_paid_at_the_door_goes_back() -> None:
    case = new_case()
    online = opened(case)
    opened(case, "cod")
    assert case.intent.status == "cod_due"
    told(case, online, Verdict.PAID)
    assert (case.intent.status, online.surplus) == ("cod_due", "twice")
    (refund,) = grant_due(case)
    refund_told(case, refund, Verdict.REFUNDED)
    assert case.intent.status == "cod_due"
    cases.take(case, fact("delivered", case.attempts[-1]))
    assert case.intent.status == "cod_collected"


def test_parcels_of_an_online_order_move_no_money() -> None:
    case = new_case()
    opened(case)
    cases.take(case, fact("delivered", case.attempts[-1]))
    assert (case.intent.status, case.bookings) == ("pending", [])


@pytest.mark.parametrize(
    ("parcels", "outcome"),
    [
        ([], None),
        ([("delivered", 1)], "delivered"),
        ([("returned", 1)], "returned"),
        ([("delivered", 2)], None),
        ([("delivered", 2), ("delivered", 2)], "delivered"),
        ([("delivered", 2), ("shipped", 2)], None),
        ([("delivered", 2), ("returned", 2)], "partly_delivered"),
        ([("delivered", 2), ("cancelled", 2)], "delivered"),
        ([("returned", 2), ("cancelled", 2)], "returned"),
        ([("cancelled", 1)], None),
        ([("delivered", 1), ("allocated", 2)], None),
        ([("delivery_failed", 1)], None),
        ([("returning", 1)], None),
    ],
)
def test_cash_follows_the_parcels(parcels: list[tuple[str, int]], outcome: str | None) -> None:
    assert delivery_for([Parcel(status, of) for status, of in parcels]) == outcome


# --- decisions of staff


def test_a_person_accepts_only_the_amount_that_was_asked() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID, Money(1_000, "VND"))
    with pytest.raises(Conflict):
        cases.check_decision(case, fact("accepted", attempt, amount=Money(1_000, "VND")))
    with pytest.raises(Conflict):
        cases.check_decision(case, fact("sent_back", attempt, amount=Money(1_000, "USD")))
    back = fact("sent_back", attempt, amount=Money(1_000, "VND"))
    cases.check_decision(case, back)
    cases.take(case, back)
    (refund,) = grant_due(case)
    assert (case.intent.status, refund.amount) == ("review", Money(1_000, "VND"))
    refund_told(case, refund, Verdict.REFUNDED)
    assert (case.intent.status, books(case)) == ("failed", {})
    cases.check_open(case, PRICE)  # the customer may try again


def test_a_person_accepts_suspicious_money_and_dismisses_money_that_never_came() -> None:
    accepted, dismissed = new_case(), new_case()
    for case, kind, status in ((accepted, "accepted", "paid"), (dismissed, "dismissed", "failed")):
        attempt = opened(case)
        told(case, attempt, Verdict.REVIEW)
        decision = fact(kind, attempt, amount=PRICE)
        cases.check_decision(case, decision)
        cases.take(case, decision)
        assert case.intent.status == status
        if kind == "accepted":
            with pytest.raises(NotHeld):
                cases.check_decision(case, decision)


def test_a_refund_that_nobody_asked_for_and_that_failed_for_good_is_paid_out_by_hand() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    cases.take(case, fact("given_up", reason="customer"))
    (refund,) = grant_due(case)
    with pytest.raises(NotHeld):
        cases.check_decision(case, fact("sent_back", refund_id=refund.id))
    assert refund_told(case, refund, Verdict.FAILED) is not None
    back = fact("sent_back", refund_id=refund.id)
    cases.check_decision(case, back)
    cases.take(case, back)
    (again,) = grant_due(case)
    assert (again.by_hand, again.amount) == (True, PRICE)
    with pytest.raises(NotHeld):  # once
        cases.check_decision(case, back)
    refund_told(case, again, Verdict.REFUNDED)
    assert (case.intent.status, books(case)) == ("refunded", {"provider:vnpay": 259_000, "bank": -259_000})


def test_a_refund_of_an_order_that_failed_is_granted_again_by_whoever_asked_for_it_and_not_sent_back_as_well() -> None:
    """Two ways to make it good would pay it twice, for each knows nothing of the other."""
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    assert not cases.is_refused(case, attempt)
    refund = grant(case, attempt, Money(100_000, "VND"))
    refund_told(case, refund, Verdict.FAILED)
    with pytest.raises(Conflict):
        cases.check_decision(case, fact("sent_back", refund_id=refund.id))
    assert cases.is_refused(case, attempt)


def test_a_refund_of_which_its_provider_says_nothing_is_taken_over_by_hand() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    refund = grant(case, attempt, PRICE)
    assert refund_told(case, refund, Verdict.REVIEW) is not None
    back = fact("sent_back", refund_id=refund.id)
    cases.check_decision(case, back)
    cases.take(case, back)
    assert (refund.by_hand, refund.status, cases.refunds_due(case)) == (True, "sent", [])
    with pytest.raises(NotHeld):
        cases.check_decision(case, back)
    refund_told(case, refund, Verdict.REFUNDED)
    assert (case.intent.status, books(case)) == ("refunded", {"provider:vnpay": 259_000, "bank": -259_000})


def test_a_provider_that_did_it_after_all_is_who_paid_it() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    refund = grant(case, attempt, PRICE)
    refund_told(case, refund, Verdict.REVIEW)
    cases.take(case, fact("sent_back", refund_id=refund.id))
    late = replace(fact("refund_told", refund_id=refund.id, verdict=Verdict.REFUNDED), source="vnpay")
    cases.take(case, late)
    assert (case.intent.status, books(case)) == ("refunded", {})


# --- refunds


def test_refunds_add_up_to_what_was_paid_and_no_further() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    part = grant(case, cases.attempt_to_refund(case, PRICE), Money(59_000, "VND"))
    with pytest.raises(RefundTooLarge) as refusal:
        grant(case, attempt, Money(200_001, "VND"))
    assert refusal.value.facts == {"refundable": 200_000}
    refund_told(case, part, Verdict.REFUNDED)
    assert case.intent.status == "partially_refunded"
    rest = grant(case, attempt, Money(200_000, "VND"))
    refund_told(case, rest, Verdict.REFUNDED, Money(200_000, "VND"))
    assert (case.intent.status, books(case)) == ("refunded", {})


def test_a_refund_that_failed_gives_its_amount_back_to_what_can_be_refunded() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    refund = grant(case, attempt, PRICE)
    refund_told(case, refund, Verdict.FAILED)
    assert (refund.status, attempt.refunded, case.intent.status) == ("failed", 0, "paid")
    assert books(case) == {"provider:vnpay": 259_000, "sales": -259_000}
    grant(case, attempt, PRICE)


def test_a_refund_of_another_amount_is_looked_at() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    refund = grant(case, attempt, PRICE)
    assert refund_told(case, refund, Verdict.REFUNDED, Money(1, "VND")) == cases.AMOUNT_DIFFERS
    assert (refund.status, case.intent.returned) == ("sent", 0)


def test_a_refund_that_is_done_stays_done_and_one_that_failed_stays_failed() -> None:
    case = new_case()
    attempt = opened(case)
    told(case, attempt, Verdict.PAID)
    done, failed = grant(case, attempt, Money(1, "VND")), grant(case, attempt, Money(2, "VND"))
    refund_told(case, done, Verdict.REFUNDED)
    refund_told(case, failed, Verdict.FAILED)
    assert refund_told(case, done, Verdict.REFUNDED) is None
    assert refund_told(case, done, Verdict.FAILED) == cases.CONTRADICTION
    assert refund_told(case, failed, Verdict.REFUNDED) == cases.CONTRADICTION
    assert (done.status, failed.status, case.intent.returned, case.intent.refunded) == ("settled", "failed", 1, 1)


def test_nothing_is_refunded_of_what_was_not_paid_or_in_another_currency() -> None:
    case = new_case()
    attempt = opened(case)
    with pytest.raises(RefundTooLarge):
        cases.attempt_to_refund(case, PRICE)
    told(case, attempt, Verdict.PAID)
    with pytest.raises(Invalid):
        cases.attempt_to_refund(case, Money(1, "USD"))


# --- anything, in any order


class AnyOrder(RuleBasedStateMachine):
    """Facts of every kind at any time: the bounds hold, the books balance, what is paid stays paid."""

    def __init__(self) -> None:
        super().__init__()
        self.case = new_case()
        self.was_paid = False

    def pick(self, number: int) -> Attempt | None:
        return self.case.attempts[number % len(self.case.attempts)] if self.case.attempts else None

    @rule(method=st.sampled_from(("vnpay", "vnpay", "cod")))
    def open(self, method: str) -> None:
        try:
            cases.check_open(self.case, PRICE)
        except ShopError:
            return
        if len(self.case.attempts) < 5:
            begin(self.case, method)

    @rule(number=st.integers(0, 4))
    def begun(self, number: int) -> None:
        if attempt := self.pick(number):
            cases.take(self.case, fact("opened", attempt))

    @rule(
        number=st.integers(0, 4),
        verdict=st.sampled_from([v for v in Verdict if v is not Verdict.REFUNDED]),
        amount=st.sampled_from((PRICE, PRICE, PRICE, Money(1, "VND"), None)),
    )
    def tell(self, number: int, verdict: Verdict, amount: Money | None) -> None:
        attempt = self.pick(number)
        if attempt is not None and attempt.method == "vnpay":
            told(self.case, attempt, verdict, amount)

    @rule(number=st.integers(0, 4), kind=st.sampled_from(("accepted", "sent_back", "dismissed")))
    def decide(self, number: int, kind: str) -> None:
        if attempt := self.pick(number):
            decision = fact(kind, attempt, amount=PRICE)
            try:
                cases.check_decision(self.case, decision)
            except ShopError:
                return
            cases.take(self.case, decision)

    @rule(kind=st.sampled_from(("delivered", "returned", "partly_delivered")))
    def bring(self, kind: str) -> None:
        if cash := [attempt for attempt in self.case.attempts if attempt.method == "cod"]:
            cases.take(self.case, fact(kind, cash[-1]))

    @rule(number=st.integers(0, 4))
    def expire(self, number: int) -> None:
        if attempt := self.pick(number):
            cases.take(self.case, fact("expired", attempt))

    @rule()
    def give_up(self) -> None:
        cases.take(self.case, fact("given_up", reason="test"))

    @rule(share=st.integers(1, 300_000))
    def refund(self, share: int) -> None:
        amount = Money(share, "VND")
        try:
            attempt = cases.attempt_to_refund(self.case, amount)
            grant(self.case, attempt, amount, by_hand=attempt.method == "cod")
        except RefundTooLarge:
            return

    @rule(number=st.integers(0, 9), verdict=st.sampled_from((Verdict.REFUNDED, Verdict.FAILED, Verdict.PENDING)))
    def answer_refund(self, number: int, verdict: Verdict) -> None:
        if self.case.refunds:
            refund_told(self.case, self.case.refunds[number % len(self.case.refunds)], verdict)

    @rule(number=st.integers(0, 9))
    def take_over(self, number: int) -> None:
        if self.case.refunds:
            decision = fact("sent_back", refund_id=self.case.refunds[number % len(self.case.refunds)].id)
            try:
                cases.check_decision(self.case, decision)
            except ShopError:
                return
            cases.take(self.case, decision)

    @rule()
    def work(self) -> None:
        grant_due(self.case)

    @invariant()
    def money_keeps_its_bounds(self) -> None:
        intent, attempts = self.case.intent, self.case.attempts
        assert 0 <= intent.returned <= intent.refunded <= intent.captured <= intent.authorised
        assert intent.captured == sum(attempt.captured for attempt in attempts)
        assert intent.refunded == sum(attempt.refunded for attempt in attempts)
        assert intent.returned == sum(attempt.returned for attempt in attempts)
        for attempt in attempts:
            assert 0 <= attempt.returned <= attempt.refunded <= attempt.captured
            assert attempt.captured == 0 or attempt.status == "paid"
        open_refunds = sum(refund.amount.amount for refund in self.case.refunds if refund.status != "failed")
        assert open_refunds == intent.refunded

    @invariant()
    def the_books_say_the_same(self) -> None:
        found = books(self.case)
        for booking in self.case.bookings:
            ledger.check_balanced(booking.transaction)
        owed = sum(attempt.owed for attempt in self.case.attempts)
        assert found.get("receivable:cod", 0) == owed
        intent = self.case.intent
        assert found.get("sales", 0) == -(intent.captured + owed - intent.refunded)
        assert found.get("refunds_payable", 0) == -(intent.refunded - intent.returned)
        assert "customer_holds" not in found
        moved_once = [
            (booking.subject, booking.transaction.kind)
            for booking in self.case.bookings
            if not booking.transaction.kind.startswith("cod_") or booking.transaction.kind == "cod_collected"
        ]
        assert len(moved_once) == len(set(moved_once))

    @invariant()
    def one_attempt_at_most_pays_the_order_and_paid_stays_paid(self) -> None:
        paying = [a for a in self.case.attempts if a.status == "paid" and a.surplus is None]
        assert len(paying) <= 1
        is_paid = self.case.intent.status in ("paid", "cod_collected", "partially_refunded", "refunded")
        if self.was_paid:
            assert is_paid
        self.was_paid = bool(paying)

    @invariant()
    def the_status_is_what_the_facts_say(self) -> None:
        assert not self.case.illegal
        assert self.case.intent.status == cases.standing_for(self.case) or not self.case.attempts

    @invariant()
    def a_payment_can_be_told(self) -> None:
        payment = cases.payment_for(self.case)
        assert (payment is None) == (not self.case.attempts)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)


def test_taking_the_same_facts_again_changes_nothing() -> None:
    case = new_case()
    attempt = opened(case)
    again = [
        fact("told", attempt, verdict=Verdict.PAID, amount=PRICE),
        fact("given_up", reason="customer"),
        fact("opened", attempt),
        fact("expired", attempt),
    ]
    for each in again:
        cases.take(case, each)
    (refund,) = grant_due(case)
    refund_told(case, refund, Verdict.REFUNDED)
    before = (replace(case.intent), replace(attempt), len(case.bookings))
    for each in again:
        cases.take(case, each)
    assert grant_due(case) == []
    assert (case.intent, attempt, len(case.bookings)) == before


# --- when to ask, and where to go


def test_a_pending_payment_is_asked_about_after_1_5_and_15_minutes_then_hourly_then_daily() -> None:
    def due(asked: int, at: timedelta = timedelta()) -> timedelta:
        return next_ask(since=NOW, asked=asked, now=NOW + at) - NOW

    assert [due(asked) for asked in range(5)] == [
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=15),
        timedelta(minutes=75),
        timedelta(minutes=135),
    ]
    assert due(1, timedelta(hours=2)) == timedelta(hours=2, minutes=1)  # it slept, and catches up once
    assert due(80, timedelta(days=4)) == timedelta(days=5)


def test_a_payment_is_over_a_day_after_its_time() -> None:
    assert not is_over(expires_at=NOW, now=NOW + timedelta(hours=23, minutes=59))
    assert is_over(expires_at=NOW, now=NOW + timedelta(hours=24))


def test_a_refund_may_take_its_bank_five_days() -> None:
    assert not is_slow(since=NOW, now=NOW + timedelta(days=4, hours=23))
    assert is_slow(since=NOW, now=NOW + timedelta(days=5))


@pytest.mark.parametrize("path", ["/", "/vi/orders/1?paid=1#top", "/a"])
def test_the_way_back_is_a_path_of_ours(path: str) -> None:
    assert own_path(path, "https://shop.example") == path
    assert own_path(f"https://shop.example{path}", "https://shop.example") == path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "https://shop.example",
        "https://shop.example//evil.example",
        "javascript:alert(1)",
        "/a b",
        "/\n/evil",
        "/" + "a" * 255,
        "/đơn-hàng",
    ],
)
def test_the_way_back_leads_nowhere_else(url: str) -> None:
    with pytest.raises(Invalid):
        own_path(url, "https://shop.example")


def test_the_case_finds_what_belongs_to_it() -> None:
    case = new_case()
    attempt = opened(case)
    assert case.attempt(attempt.id) is attempt
    assert case.attempt_by_number(1) is attempt
    assert case.attempt_by_number(2) is None
    assert case.refund_by_key("nothing") is None
    with pytest.raises(StopIteration):
        case.refund(UUID(int=1))
