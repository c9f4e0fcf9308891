from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sampan.services.payments.contract import Refund, RefundTooLarge, Status
from sampan.services.payments.rules import intent
from sampan.services.payments.rules.intent import (
    CaptureTooLarge,
    IllegalTransition,
    check_capture,
    check_refund,
    check_transition,
)

STATUSES: dict[intent.Kind, tuple[str, ...]] = {
    "intent": get_args(Status),
    "attempt": get_args(intent.AttemptStatus),
    "refund": get_args(Refund.__annotations__["status"]),
}
WAYS_OUT = {
    ("intent", "failed", "pending"),
    ("intent", "failed", "cancelled"),
    ("intent", "failed", "review"),
    ("intent", "cancelled", "review"),
    ("attempt", "failed", "review"),
}
FIRST = {"intent": "pending", "attempt": "created", "refund": "requested"}
PAIRS = [(kind, here, there) for kind in STATUSES for here in STATUSES[kind] for there in STATUSES[kind]]


def allows(kind: intent.Kind, current: str, wanted: str) -> bool:
    try:
        check_transition(kind, current, wanted)
    except IllegalTransition:
        return False
    return True


@pytest.mark.parametrize("kind", STATUSES)
def test_every_status_has_its_row_and_leads_only_to_statuses(kind: intent.Kind) -> None:
    table = intent.TRANSITIONS[kind]
    assert set(table) == set(STATUSES[kind])
    assert {there for row in table.values() for there in row} <= set(STATUSES[kind])
    assert intent.TERMINAL[kind] <= set(table)


@pytest.mark.parametrize("kind", STATUSES)
def test_every_status_can_be_reached_and_every_story_can_end(kind: intent.Kind) -> None:
    def reached_from(status: str) -> set[str]:
        seen, new = {status}, [status]
        while new:
            fresh = intent.TRANSITIONS[kind][new.pop()] - seen
            seen |= fresh
            new += fresh
        return seen

    assert reached_from(FIRST[kind]) == set(STATUSES[kind])
    for status in STATUSES[kind]:
        assert reached_from(status) & intent.TERMINAL[kind]


def test_terminal_statuses_have_only_the_documented_ways_out() -> None:
    found = {(kind, here, there) for kind, here, there in PAIRS if intent.is_terminal(kind, here)}
    assert {way for way in found if allows(*way)} == WAYS_OUT


def test_staying_is_not_a_transition() -> None:
    assert not [pair for pair in PAIRS if pair[1] == pair[2] and allows(*pair)]


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        ("pending", "paid"),
        ("pending", "cod_due"),
        ("authorized", "paid"),
        ("authorized", "cancelled"),
        ("paid", "partially_refunded"),
        ("partially_refunded", "refunded"),
        ("cod_due", "cod_collected"),
        ("cod_due", "failed"),
        ("cod_collected", "refunded"),
        ("failed", "pending"),
        ("cancelled", "review"),
        ("review", "paid"),
        ("review", "refunded"),
    ],
)
def test_an_intent_moves_along_its_table(current: str, wanted: str) -> None:
    check_transition("intent", current, wanted)


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        ("paid", "failed"),
        ("paid", "pending"),
        ("paid", "cancelled"),
        ("paid", "cod_due"),
        ("refunded", "paid"),
        ("refunded", "review"),
        ("cancelled", "paid"),
        ("failed", "paid"),
        ("cod_due", "paid"),
        ("cod_collected", "cancelled"),
        ("partially_refunded", "paid"),
        ("pending", "refunded"),
        ("pending", "bogus"),
        ("bogus", "paid"),
        ("", ""),
    ],
)
def test_an_intent_refuses_every_other_move_with_the_facts(current: str, wanted: str) -> None:
    with pytest.raises(IllegalTransition) as refusal:
        check_transition("intent", current, wanted)
    assert refusal.value.facts == {"kind": "intent", "current": current, "wanted": wanted}
    assert (refusal.value.code, refusal.value.status) == ("payments.illegal_transition", 409)


def test_money_that_was_taken_is_never_declared_unpaid() -> None:
    for taken in ("paid", "partially_refunded", "cod_collected"):
        assert intent.INTENT[taken] <= {"partially_refunded", "refunded"}


# --- bounds -------------------------------------------------------------------------------------------------

money = st.integers(0, 10**13)


@given(money, money, st.integers(-10, 10**13))
def test_no_more_is_refunded_than_was_captured(captured: int, refunded: int, requested: int) -> None:
    if requested > 0 and refunded + requested <= captured:
        check_refund(captured, refunded, requested)
    else:
        with pytest.raises(RefundTooLarge) as refusal:
            check_refund(captured, refunded, requested)
        assert refusal.value.facts == {"refundable": max(captured - refunded, 0)}


@given(money, money, st.integers(-10, 10**13))
def test_no_more_is_captured_than_was_authorised(authorised: int, captured: int, requested: int) -> None:
    if requested > 0 and captured + requested <= authorised:
        check_capture(authorised, captured, requested)
    else:
        with pytest.raises(CaptureTooLarge):
            check_capture(authorised, captured, requested)


def test_the_last_dong_can_be_refunded_and_not_one_more() -> None:
    check_refund(259_000, 200_000, 59_000)
    with pytest.raises(RefundTooLarge):
        check_refund(259_000, 200_000, 59_001)
    with pytest.raises(RefundTooLarge):
        check_refund(259_000, 259_000, 1)
    with pytest.raises(RefundTooLarge):
        check_refund(259_000, 0, 0)


def test_books_that_are_already_wrong_allow_nothing() -> None:
    for captured, refunded in ((100, -50), (-100, -200), (100, 101)):
        with pytest.raises(RefundTooLarge) as refusal:
            check_refund(captured, refunded, 1)
        assert refusal.value.facts == {"refundable": 0}


class Payment(RuleBasedStateMachine):
    """Whatever is asked for in whatever order, the bounds hold."""

    def __init__(self) -> None:
        super().__init__()
        self.authorised, self.captured, self.refunded = 1_000, 0, 0
        self.status = "authorized"

    @rule(amount=st.integers(-5, 1_500))
    def capture(self, amount: int) -> None:
        try:
            check_capture(self.authorised, self.captured, amount)
        except CaptureTooLarge:
            return
        self.captured += amount
        if self.status == "authorized":
            self.move("paid")

    @precondition(lambda self: self.captured)
    @rule(amount=st.integers(-5, 1_500))
    def refund(self, amount: int) -> None:
        try:
            check_refund(self.captured, self.refunded, amount)
        except RefundTooLarge:
            return
        if self.status == "refunded":
            return  # captured on after all had gone back: a new intent in the shop
        self.refunded += amount
        wanted = intent.status_after_refund(self.captured, self.refunded)
        if wanted != self.status:
            self.move(wanted)

    def move(self, wanted: str) -> None:
        check_transition("intent", self.status, wanted)
        self.status = wanted

    @invariant()
    def refunded_captured_authorised_are_in_order(self) -> None:
        assert 0 <= self.refunded <= self.captured <= self.authorised


TestPayment = Payment.TestCase


def test_an_intent_is_refunded_when_all_has_gone_back() -> None:
    assert intent.status_after_refund(259_000, 1) == "partially_refunded"
    assert intent.status_after_refund(259_000, 258_999) == "partially_refunded"
    assert intent.status_after_refund(259_000, 259_000) == "refunded"
    for refunded in (0, -1, 259_001):
        with pytest.raises(RefundTooLarge):
            intent.status_after_refund(259_000, refunded)


# --- references ---------------------------------------------------------------------------------------------


def test_each_attempt_has_a_reference_of_its_own() -> None:
    assert intent.attempt_ref("DH1001", 1) == "DH1001-1"
    assert intent.attempt_ref("DH1001", 2) == "DH1001-2"
    assert intent.refund_ref("DH1001", 1) == "DH1001-R1"


@pytest.mark.parametrize(
    ("order_number", "count"),
    [
        ("", 1),
        ("-A", 1),
        ("A-", 1),
        ("A B", 1),
        ("Đ1", 1),
        ("A\n", 1),
        ("A/B", 1),
        ("A" * 32, 1),
        ("A", 0),
        ("A", -1),
    ],
)
def test_a_reference_that_some_provider_refuses_is_not_made(order_number: str, count: int) -> None:
    with pytest.raises(ValueError, match="reference"):
        intent.attempt_ref(order_number, count)


orders = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,20}[A-Za-z0-9])?", fullmatch=True)


@given(orders, st.integers(1, 99_999), orders, st.integers(1, 99_999))
def test_two_attempts_never_share_a_reference(one: str, n: int, other: str, m: int) -> None:
    assert (intent.attempt_ref(one, n) == intent.attempt_ref(other, m)) == ((one, n) == (other, m))
    assert intent.attempt_ref(one, n) != intent.refund_ref(one, n)
    assert len(intent.attempt_ref(one, n)) <= 33
