from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sampan.kernel.errors import ShopError
from sampan.kernel.money import CurrencyMismatch, Money
from sampan.services.payments.rules import ledger
from sampan.services.payments.rules.ledger import (
    Entry,
    NothingToBook,
    Transaction,
    Unbalanced,
    UnknownAccount,
    check_balanced,
)

VNPAY = ledger.provider_account("vnpay")
GHN = ledger.carrier_account("ghn")

amounts = st.builds(Money, st.integers(1, 10**12), st.sampled_from(["VND", "USD", "KWD"]))


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


def every_kind(amount: Money) -> list[Transaction]:
    return [
        ledger.entries_for_authorisation(provider="vnpay", amount=amount),
        ledger.entries_for_void(provider="vnpay", amount=amount),
        ledger.entries_for_capture(provider="vnpay", amount=amount),
        ledger.entries_for_refund(amount=amount),
        ledger.entries_for_refund_settled(source=VNPAY, amount=amount),
        ledger.entries_for_refund_failed(amount=amount),
        ledger.entries_for_cod_due(amount=amount),
        ledger.entries_for_cod_cancelled(amount=amount),
        ledger.entries_for_cod_collected(carrier="ghn", amount=amount),
        ledger.entries_for_payout(payer=GHN, gross=amount, fee=Money(0, amount.currency)),
    ]


@given(amounts)
def test_every_transaction_adds_up_to_nothing(amount: Money) -> None:
    for transaction in every_kind(amount):
        check_balanced(transaction)
        assert {entry.currency for entry in transaction.entries} == {amount.currency}


@pytest.mark.parametrize("amount", [0, -1])
def test_a_direction_is_never_turned_by_a_sign(amount: int) -> None:
    bookings: list[Callable[[], Transaction]] = [
        lambda: ledger.entries_for_authorisation(provider="vnpay", amount=vnd(amount)),
        lambda: ledger.entries_for_capture(provider="vnpay", amount=vnd(amount)),
        lambda: ledger.entries_for_refund(amount=vnd(amount)),
        lambda: ledger.entries_for_cod_due(amount=vnd(amount)),
        lambda: ledger.entries_for_payout(payer=VNPAY, gross=vnd(amount), fee=vnd(0)),
        lambda: ledger.entries_for_payout(payer=VNPAY, gross=vnd(10), fee=vnd(-1)),
    ]
    for book in bookings:
        with pytest.raises(NothingToBook):
            book()


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (Entry("sales", 1, "VND"),),
        (Entry("bank", 100, "VND"), Entry("sales", -99, "VND")),
        (Entry("bank", 100, "VND"), Entry("sales", -100, "USD")),
        (Entry("bank", 0, "VND"), Entry("sales", 0, "VND")),
    ],
)
def test_entries_that_do_not_balance_in_each_currency_are_refused(entries: tuple[Entry, ...]) -> None:
    with pytest.raises(Unbalanced) as refusal:
        check_balanced(Transaction("capture", entries))
    assert (refusal.value.code, refusal.value.status) == ("payments.unbalanced", 500)


@given(amounts, st.integers(0, 9), st.data())
def test_one_changed_amount_unbalances_any_transaction(amount: Money, which: int, data: st.DataObject) -> None:
    transaction = every_kind(amount)[which]
    at = data.draw(st.integers(0, len(transaction.entries) - 1))
    change = data.draw(st.integers(-(10**6), 10**6).filter(bool))
    entries = list(transaction.entries)
    entries[at] = Entry(entries[at].account, entries[at].amount + change, entries[at].currency)
    with pytest.raises(Unbalanced):
        check_balanced(Transaction(transaction.kind, tuple(entries)))


def test_two_currencies_may_share_a_transaction_when_each_balances() -> None:
    check_balanced(
        Transaction(
            "payout",
            (
                Entry("bank", 100, "VND"),
                Entry("sales", -100, "VND"),
                Entry("bank", 5, "USD"),
                Entry("sales", -5, "USD"),
            ),
        )
    )


@pytest.mark.parametrize(
    "account", ["", "customer", "provider:", "provider:VNPay", "bank\n", "sales:x", "provider:a b", "fees"]
)
def test_an_account_outside_the_chart_is_refused(account: str) -> None:
    assert not ledger.is_account(account)
    with pytest.raises(UnknownAccount):
        check_balanced(Transaction("capture", (Entry(account, 1, "VND"), Entry("sales", -1, "VND"))))


def test_names_of_providers_and_carriers_are_plain() -> None:
    assert VNPAY == "provider:vnpay"
    for make in (ledger.provider_account, ledger.carrier_account, ledger.authorised_account):
        for name in ("", "VNPay", "a:b", "a" * 41):
            with pytest.raises(UnknownAccount):
                make(name)


@pytest.mark.parametrize("payer", ["bank", "sales", "receivable:cod", "provider:", "authorised:vnpay"])
def test_only_providers_and_carriers_pay_out(payer: str) -> None:
    with pytest.raises(UnknownAccount):
        ledger.entries_for_payout(payer=payer, gross=vnd(10), fee=vnd(0))


def test_a_refund_is_paid_out_of_what_others_owe_us_or_the_bank() -> None:
    for source in (VNPAY, GHN, ledger.BANK):
        assert ledger.balances([ledger.entries_for_refund_settled(source=source, amount=vnd(7))]) == {
            ("refunds_payable", "VND"): 7,
            (source, "VND"): -7,
        }
    with pytest.raises(UnknownAccount):
        ledger.entries_for_refund_settled(source="sales", amount=vnd(7))


# --- stories ------------------------------------------------------------------------------------------------


def test_a_vnpay_payment_with_a_partial_refund_and_a_payout() -> None:
    story = [
        ledger.entries_for_authorisation(provider="vnpay", amount=vnd(259_000)),
        ledger.entries_for_capture(provider="vnpay", amount=vnd(259_000)),
        ledger.entries_for_refund(amount=vnd(50_000)),
        ledger.entries_for_refund_settled(source=VNPAY, amount=vnd(50_000)),
        ledger.entries_for_payout(payer=VNPAY, gross=vnd(209_000), fee=vnd(2_300)),
    ]
    assert ledger.balances(story) == {
        ("sales", "VND"): -209_000,
        ("bank", "VND"): 206_700,
        ("fees:vnpay", "VND"): 2_300,
    }


def test_a_partial_capture_leaves_the_rest_held_until_it_is_voided() -> None:
    story = [
        ledger.entries_for_authorisation(provider="stripe", amount=vnd(100)),
        ledger.entries_for_capture(provider="stripe", amount=vnd(60)),
    ]
    assert ledger.balances(story) == {
        ("authorised:stripe", "VND"): 40,
        ("customer_holds", "VND"): -40,
        ("provider:stripe", "VND"): 60,
        ("sales", "VND"): -60,
    }
    story.append(ledger.entries_for_void(provider="stripe", amount=vnd(40)))
    assert ledger.balances(story) == {("provider:stripe", "VND"): 60, ("sales", "VND"): -60}


def test_a_refund_that_fails_leaves_no_trace_in_the_balances() -> None:
    story = [ledger.entries_for_refund(amount=vnd(5)), ledger.entries_for_refund_failed(amount=vnd(5))]
    assert ledger.balances(story) == {}


def test_cash_on_delivery_goes_from_the_door_over_the_carrier_to_the_bank() -> None:
    story = [
        ledger.entries_for_cod_due(amount=vnd(259_000)),
        ledger.entries_for_cod_collected(carrier="ghn", amount=vnd(259_000)),
    ]
    assert ledger.balances(story) == {("carrier:ghn", "VND"): 259_000, ("sales", "VND"): -259_000}
    story.append(ledger.entries_for_payout(payer=GHN, gross=vnd(259_000), fee=vnd(30_000)))
    assert ledger.balances(story) == {
        ("bank", "VND"): 229_000,
        ("fees:ghn", "VND"): 30_000,
        ("sales", "VND"): -259_000,
    }


def test_a_shortage_at_the_door_stays_open() -> None:
    story = [
        ledger.entries_for_cod_due(amount=vnd(259_000)),
        ledger.entries_for_cod_collected(carrier="ghn", amount=vnd(250_000)),
    ]
    assert ledger.balances(story)[ledger.COD_RECEIVABLE, "VND"] == 9_000


def test_a_refused_parcel_is_no_sale() -> None:
    story = [ledger.entries_for_cod_due(amount=vnd(9)), ledger.entries_for_cod_cancelled(amount=vnd(9))]
    assert ledger.balances(story) == {}


def test_a_fee_above_the_payout_is_debited_from_the_bank() -> None:
    payout = ledger.entries_for_payout(payer=GHN, gross=vnd(10), fee=vnd(25))
    check_balanced(payout)
    assert Entry("bank", -15, "VND") in payout.entries


def test_a_fee_in_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        ledger.entries_for_payout(payer=GHN, gross=vnd(10), fee=Money(1, "USD"))


def test_the_books_refuse_with_errors_that_callers_know() -> None:
    for error in (Unbalanced, UnknownAccount, NothingToBook):
        assert ShopError.by_code[error.code] is error
        assert error.status == 500


class Books(RuleBasedStateMachine):
    """A shop's money by a second count: plain sums beside the ledger, compared after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.booked: list[Transaction] = []
        self.held = self.taken = self.granted = self.given_back = self.paid_out = 0

    @rule(amount=st.integers(1, 10**9))
    def authorise(self, amount: int) -> None:
        self.booked.append(ledger.entries_for_authorisation(provider="vnpay", amount=vnd(amount)))
        self.held += amount

    @rule(amount=st.integers(1, 10**9))
    def capture(self, amount: int) -> None:
        if amount <= self.held:
            self.booked.append(ledger.entries_for_capture(provider="vnpay", amount=vnd(amount)))
            self.held -= amount
            self.taken += amount

    @rule(amount=st.integers(1, 10**9))
    def void(self, amount: int) -> None:
        if amount <= self.held:
            self.booked.append(ledger.entries_for_void(provider="vnpay", amount=vnd(amount)))
            self.held -= amount

    @rule(amount=st.integers(1, 10**9), fails=st.booleans())
    def refund(self, amount: int, fails: bool) -> None:
        if self.granted + amount > self.taken:
            return
        self.booked.append(ledger.entries_for_refund(amount=vnd(amount)))
        if fails:
            self.booked.append(ledger.entries_for_refund_failed(amount=vnd(amount)))
        else:
            self.granted += amount

    @rule()
    def pay_refunds(self) -> None:
        if open_refunds := self.granted - self.given_back:
            self.booked.append(ledger.entries_for_refund_settled(source=VNPAY, amount=vnd(open_refunds)))
            self.given_back += open_refunds

    @rule(fee=st.integers(0, 10**6))
    def pay_out(self, fee: int) -> None:
        owed = self.taken - self.given_back - self.paid_out
        if owed > 0:
            self.booked.append(ledger.entries_for_payout(payer=VNPAY, gross=vnd(owed), fee=vnd(fee)))
            self.paid_out += owed

    @invariant()
    def the_books_agree(self) -> None:
        for transaction in self.booked:
            check_balanced(transaction)
        found = ledger.balances(self.booked)
        assert sum(found.values()) == 0
        assert found.get(("authorised:vnpay", "VND"), 0) == self.held
        assert found.get(("customer_holds", "VND"), 0) == -self.held
        assert found.get((VNPAY, "VND"), 0) == self.taken - self.given_back - self.paid_out
        assert found.get(("refunds_payable", "VND"), 0) == -(self.granted - self.given_back)
        assert found.get(("sales", "VND"), 0) == -(self.taken - self.granted)
        bank_and_fees = found.get(("bank", "VND"), 0) + found.get(("fees:vnpay", "VND"), 0)
        assert bank_and_fees == self.paid_out


TestBooks = Books.TestCase
