"""The case of one order's payment: what is asked, every attempt to pay it, every refund, and what follows from a fact.

`take` takes one fact to the case. It never fails and never hurries: a fact that comes twice changes nothing, one
that comes late or contradicts what is settled moves no money but goes to a person. In the merchant's words:

- An order is paid when one attempt is paid in full. What an attempt asks for must come to the last đồng.
- Paid stays paid: no later notice takes it back. Money goes back by refunds only, never more than came.
- Money for an order that was given up goes back by itself. So does money that comes for an order that is paid
  already, or that is to be paid at the door.
- Cash on delivery is due when it is accepted, collected when every parcel was handed over, owed no more when the
  goods come back or the order is given up.
- Money that came but may not count (suspicious, another amount, after a failure) waits for a person, or for a
  clear answer of the provider.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from sampan.kernel.errors import Conflict, ShopError, invalid
from sampan.kernel.money import Money
from sampan.services.payments.contract import (
    Action,
    AlreadyPaid,
    GivenUp,
    MethodNotAvailable,
    Payment,
    RefundTooLarge,
    Status,
)
from sampan.services.payments.rules import ledger
from sampan.services.payments.rules.fact import Fact, Verdict
from sampan.services.payments.rules.intent import (
    AttemptStatus,
    IllegalTransition,
    check_refund,
    check_transition,
    is_terminal,
    status_after_refund,
)

COD: Final = "cod"
ANY_CARRIER: Final = "any"
"""Cash that was collected is owed by the carriers together; which of them owes how much, their statements say."""

AMOUNT_DIFFERS: Final = "payments.reason.amount_differs"
MONEY_AFTER_FAILURE: Final = "payments.reason.money_after_failure"
CONTRADICTION: Final = "payments.reason.contradiction"
CASH_AFTER_CANCELLATION: Final = "payments.reason.cash_after_cancellation"
PARTLY_DELIVERED: Final = "payments.reason.partly_delivered"
RETURNED: Final = "payments.reason.returned"
EXPIRED: Final = "payments.reason.expired"
NOTHING_TO_PAY: Final = "payments.reason.nothing_to_pay"
NO_MONEY: Final = "payments.reason.no_money"
ORDER_GIVEN_UP: Final = "payments.reason.order_given_up"
REFUND_UNCLEAR: Final = "payments.reason.refund_unclear"
REFUND_SLOW: Final = "payments.reason.refund_slow"

OF_ITSELF: Final = "auto-"
"""How the key of a refund begins that no order asked for."""

NO_ACTION: Final = Action(kind="none")

Surplus = Literal[
    "late",  # came after the order was given up
    "twice",  # came when the order was paid already, or is to be paid at the door
    "stray",  # a person sent it back
]


class NotHeld(ShopError, code="payments.not_held", status=409):
    """There is nothing to decide: somebody else did, or a later answer of the provider."""


class Attempt(Struct):
    """One try to pay. Amounts in minor units; `refunded` counts refunds under way as well as those that are done.

    `owed` is cash that is still to be taken at the door. `surplus` says why money of this attempt does not pay the
    order. `return_path` is the page of ours to which the payer comes back. `ask_now`: only the provider can tell, and
    nobody should wait for it. `is_asked`: it is new, and its provider is asked about it from now on.
    """

    id: UUID
    number: int
    reference: str
    method: str
    amount: Money
    status: AttemptStatus
    made_at: datetime
    expires_at: datetime
    owed: int = 0
    captured: int = 0
    refunded: int = 0
    returned: int = 0
    surplus: Surplus | None = None
    failure: str | None = None
    provider_txn_id: str | None = None
    action: Action | None = None
    return_path: str = "/"
    language: str = "vi"
    ask_now: bool = False
    is_asked: bool = False


class Refund(Struct):
    """Money on its way back from one attempt. `key` is the asker's; `number` counts the refunds of an order.

    `by_hand`: a person pays it out, because no provider can.
    """

    id: UUID
    attempt_id: UUID
    number: int
    reference: str
    key: str
    amount: Money
    status: Literal["requested", "sent", "settled", "failed"]
    reason: str
    by_hand: bool = False
    failure: str | None = None
    provider_txn_id: str | None = None


class Intent(Struct):
    """What an order asks to be paid, and the sums of what came of it, in minor units.

    `amount` is None for an order that was given up before it asked for anything. `refunded` is granted,
    `returned` is back with the customer.
    """

    order_id: UUID
    order_number: str
    amount: Money | None
    status: Status
    given_up: str | None
    authorised: int
    captured: int
    refunded: int
    returned: int
    version: int


class Booking(Struct, frozen=True):
    """A transaction for the books, and the attempt or refund it is about."""

    subject: UUID
    transaction: ledger.Transaction


class Due(Struct, frozen=True):
    """A refund that is due though no order asked for it."""

    attempt: Attempt
    key: str
    amount: Money
    reason: str
    by_hand: bool


class Case(Struct):
    """Everything about the payment of one order, and what was done to it since it was read."""

    intent: Intent
    attempts: list[Attempt]
    refunds: list[Refund]
    bookings: list[Booking] = []
    payouts: list[Due] = []
    illegal: list[IllegalTransition] = []

    def attempt(self, attempt_id: UUID | None) -> Attempt:
        return next(attempt for attempt in self.attempts if attempt.id == attempt_id)

    def attempt_by_number(self, number: int) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.number == number), None)

    def refund(self, refund_id: UUID | None) -> Refund:
        return next(refund for refund in self.refunds if refund.id == refund_id)

    def refund_by_key(self, key: str) -> Refund | None:
        return next((refund for refund in self.refunds if refund.key == key), None)


# --- what the case looks like from outside ----------------------------------------------------------------------------


def payment_for(case: Case) -> Payment | None:
    """The payment as others see it.

    Its method is that of the attempt that was paid, or is due at the door, else that of the last one.
    """
    if case.intent.amount is None or not case.attempts:
        return None
    last = case.attempts[-1]
    paying = _paying(case)
    if paying is None and case.intent.status == "cod_due":
        paying = next(filter(_is_due_at_the_door, case.attempts), None)
    currency = case.intent.amount.currency
    open_now = case.intent.status == "pending" and last.status == "open"
    return Payment(
        id=last.id,
        order_id=case.intent.order_id,
        method=(paying or last).method,
        status=case.intent.status,
        amount=case.intent.amount,
        captured=Money(case.intent.captured, currency),
        refunded=Money(case.intent.returned, currency),
        action=(last.action if open_now else None) or NO_ACTION,
        failure=None if paying else last.failure,
        version=case.intent.version,
    )


# --- asking for money -------------------------------------------------------------------------------------------------


def check_open(case: Case, amount: Money) -> None:
    """Only an order that is neither given up, nor paid, nor on its way to be, takes another attempt to pay.

    It stays in its currency. Raises GivenUp, AlreadyPaid, Invalid.
    """
    if case.intent.given_up is not None:
        raise GivenUp("the order was given up; it takes no payment any more")
    if case.intent.status not in ("pending", "failed"):
        raise AlreadyPaid("there is nothing more to pay", status=case.intent.status)
    if case.intent.amount is not None and amount.currency != case.intent.amount.currency:
        raise invalid("amount", "currency", f"the order is paid in {case.intent.amount.currency}")


def check_time(now: datetime, expires_at: datetime) -> None:
    """There must be time left to pay. Raises MethodNotAvailable."""
    if expires_at <= now + timedelta(seconds=1):
        raise MethodNotAvailable("the time to pay is over", reason=EXPIRED)


def begin(case: Case, attempt: Attempt) -> None:
    """The order is to be paid by this attempt now; an earlier one may still bring the money."""
    case.attempts.append(attempt)
    case.attempts.sort(key=lambda each: each.number)
    case.intent.amount = attempt.amount
    _settle(case)


# --- facts ------------------------------------------------------------------------------------------------------------


def take(case: Case, fact: Fact) -> str | None:
    """Take a fact to the case. The answer says, as a message key, why a person must look at it, if one must."""
    held: str | None = None
    match fact.kind:
        case "opened":
            _opened(case, case.attempt(fact.attempt_id))
        case "told":
            held = _told(case, case.attempt(fact.attempt_id), fact)
        case "expired":
            attempt = case.attempt(fact.attempt_id)
            if _is_under_way(attempt) and attempt.status != "review" and not _is_due_at_the_door(attempt):
                _fail(case, attempt, EXPIRED)
        case "given_up":
            _given_up(case, fact.reason or "")
        case "delivered" | "returned" | "partly_delivered":
            held = _brought(case, fact)
        case "refund_told":
            held = _refund_told(case, case.refund(fact.refund_id), fact)
        case "accepted" | "sent_back" | "dismissed":
            _decided(case, fact)
    _settle(case)
    return held


def _opened(case: Case, attempt: Attempt) -> None:
    """The payer may pay now. Cash on delivery is accepted with it, and owed from here on, once for an order."""
    if attempt.status != "created":
        return
    if attempt.method == COD and _surplus_for(case, attempt) is not None:
        _fail(case, attempt, NOTHING_TO_PAY)
        return
    _move(attempt, "open")
    if attempt.method == COD:
        _owe(case, attempt)


def _told(case: Case, attempt: Attempt, fact: Fact) -> str | None:
    """A provider's word counts only if it speaks of our amount in our currency."""
    assert fact.verdict is not None
    failed = fact.verdict in (Verdict.FAILED, Verdict.REVERSED)
    silent = fact.amount is None and fact.verdict is Verdict.PAID
    if silent or (fact.amount is not None and fact.amount != attempt.amount):
        return AMOUNT_DIFFERS if failed else _hold(attempt, AMOUNT_DIFFERS)
    if fact.provider_txn_id is not None and attempt.provider_txn_id is None:
        attempt.provider_txn_id = fact.provider_txn_id
    if fact.verdict is Verdict.PAID:
        if attempt.status == "paid":
            return None
        if attempt.status == "failed":
            attempt.ask_now = True
            return _hold(attempt, MONEY_AFTER_FAILURE)
        attempt.provider_txn_id = fact.provider_txn_id or attempt.provider_txn_id
        _capture(case, attempt, attempt.amount)
    elif failed:
        if attempt.status == "paid":
            return CONTRADICTION
        if _is_under_way(attempt):
            _fail(case, attempt, fact.reason or NO_MONEY)
    elif fact.verdict is Verdict.REVIEW:
        return _hold(attempt, fact.reason or CONTRADICTION)
    return None


def _given_up(case: Case, reason: str) -> None:
    """The order is off, and cash is owed no more. What is open at a provider cannot be called back."""
    if case.intent.given_up is not None:
        return
    case.intent.given_up = reason
    for attempt in case.attempts:
        if attempt.method == COD and attempt.status in ("created", "open"):
            _fail(case, attempt, ORDER_GIVEN_UP)


def _brought(case: Case, fact: Fact) -> str | None:
    """What carriers did settles the attempt that is to be paid at the door."""
    attempt = case.attempt(fact.attempt_id)
    if attempt.method != COD or attempt.status == "paid":
        return None
    if attempt.status != "open":
        return None if fact.kind == "returned" else _hold(attempt, CASH_AFTER_CANCELLATION)
    if fact.kind == "delivered":
        _collect(case, attempt)
    elif fact.kind == "partly_delivered":
        return _hold(attempt, PARTLY_DELIVERED)
    else:
        case.intent.given_up = case.intent.given_up or RETURNED
        _fail(case, attempt, RETURNED)
    return None


def _refund_told(case: Case, refund: Refund, fact: Fact) -> str | None:
    """A refund is done when the money is back, and taken back itself when it failed for good."""
    if is_terminal("refund", refund.status):
        contrary = {"settled": Verdict.FAILED, "failed": Verdict.REFUNDED}[refund.status]
        return CONTRADICTION if fact.verdict is contrary else None
    refund.status = "sent"
    if fact.amount is not None and fact.amount != refund.amount:
        return AMOUNT_DIFFERS
    refund.provider_txn_id = fact.provider_txn_id or refund.provider_txn_id
    attempt = case.attempt(refund.attempt_id)
    if fact.verdict is Verdict.REFUNDED:
        refund.status = "settled"
        attempt.returned += refund.amount.amount
        case.intent.returned += refund.amount.amount
        by_hand = refund.by_hand and fact.source != attempt.method  # the provider may have done it after all
        source = ledger.BANK if by_hand else ledger.provider_account(attempt.method)
        booked = ledger.entries_for_refund_settled(source=source, amount=refund.amount)
        case.bookings.append(Booking(refund.id, booked))
        return None
    if fact.verdict is Verdict.FAILED:
        refund.status = "failed"
        refund.failure = fact.reason
        attempt.refunded -= refund.amount.amount
        case.intent.refunded -= refund.amount.amount
        case.bookings.append(Booking(refund.id, ledger.entries_for_refund_failed(amount=refund.amount)))
        return fact.reason or REFUND_UNCLEAR
    return (fact.reason or REFUND_UNCLEAR) if fact.verdict is Verdict.REVIEW else None


# --- decisions of staff -----------------------------------------------------------------------------------------------


def check_decision(case: Case, fact: Fact) -> None:
    """A person decides only about money that waits for a decision.

    It counts only if it is exactly what was asked; any other amount can be sent back, or dismissed when it never
    came. A refund of which the provider says nothing can be taken over by hand, and one that nobody but us asked for
    sent back by hand when the provider refused it for good. Raises NotHeld, Conflict.
    """
    if fact.kind == "dismissed":
        return
    if fact.refund_id is not None:
        _check_again(case, case.refund(fact.refund_id), fact)
    elif fact.attempt_id is None or case.attempt(fact.attempt_id).status != "review":
        raise NotHeld("this payment does not wait for a decision any more")
    else:
        asked = case.attempt(fact.attempt_id).amount
        came = fact.amount or asked
        if came.currency != asked.currency or (fact.kind == "accepted" and came != asked):
            raise Conflict("another amount came than was asked; send it back", reason=AMOUNT_DIFFERS)


def _check_again(case: Case, refund: Refund, fact: Fact) -> None:
    """A refund goes back by hand when its provider does not say what became of it, or has refused it.

    Whoever asked for a refused one may ask again: then it goes by hand as well (`is_refused`), and only once.
    """
    if fact.kind != "sent_back":
        raise Conflict("a refund can be sent back by hand, or dismissed")
    if refund.status == "sent" and not refund.by_hand:
        return
    if refund.status != "failed" or case.refund_by_key(_again(refund)) is not None:
        raise NotHeld("this refund does not wait for a decision any more")
    if not refund.key.startswith(OF_ITSELF):
        raise Conflict("grant this refund again at the order; then it is paid out by hand")
    attempt = case.attempt(refund.attempt_id)
    check_refund(attempt.captured, attempt.refunded, refund.amount.amount)


def is_refused(case: Case, attempt: Attempt) -> bool:
    """Whether the provider has refused a refund of this attempt: it is not asked again, a person pays it out."""
    return any(refund.status == "failed" for refund in case.refunds if refund.attempt_id == attempt.id)


def _again(refund: Refund) -> str:
    return f"again-{refund.reference}"


def _decided(case: Case, fact: Fact) -> None:
    if fact.refund_id is not None:
        refund = case.refund(fact.refund_id)
        if fact.kind != "sent_back":
            return
        if refund.status == "sent":
            refund.by_hand = True
        else:
            attempt = case.attempt(refund.attempt_id)
            case.payouts.append(Due(attempt, _again(refund), refund.amount, refund.reason, by_hand=True))
        return
    waiting = [each for each in case.attempts if each.id == fact.attempt_id and each.status == "review"]
    for attempt in waiting:
        if fact.kind == "dismissed":
            _fail(case, attempt, NO_MONEY)
        elif attempt.method == COD:
            _collect(case, attempt, surplus="stray" if fact.kind == "sent_back" else None)
        elif fact.kind == "accepted":
            _capture(case, attempt, attempt.amount)
        else:
            _capture(case, attempt, fact.amount or attempt.amount, surplus="stray")


# --- refunds ----------------------------------------------------------------------------------------------------------


def refunds_due(case: Case) -> list[Due]:
    """What came for an order that is off goes back, and what came beyond what pays it; and what a person sends back.

    It is tried once without anybody asking. When that fails, a person takes over.
    """
    found = list(case.payouts)
    for attempt in case.attempts:
        left = attempt.captured - attempt.refunded
        if left <= 0 or not (attempt.surplus or case.intent.given_up is not None):
            continue
        key = f"{OF_ITSELF}{attempt.reference}"
        if case.refund_by_key(key) is None:
            reason = "payments.refund.paid_twice" if attempt.surplus == "twice" else "payments.refund.given_up"
            amount = Money(left, attempt.amount.currency)
            found.append(Due(attempt, key, amount, reason, by_hand=attempt.method == COD))
    return found


def attempt_to_refund(case: Case, amount: Money) -> Attempt:
    """Money goes back to where it came from: the attempt that paid the order, in the currency it was paid in."""
    with_money = (attempt for attempt in case.attempts if attempt.captured > attempt.refunded)
    attempt = _paying(case) or next(with_money, None)
    if attempt is None:
        raise RefundTooLarge("nothing was paid", refundable=0)
    if amount.currency != attempt.amount.currency:
        raise invalid("amount", "currency", f"the order was paid in {attempt.amount.currency}")
    return attempt


def grant(case: Case, refund: Refund) -> None:
    """A refund is granted within what its attempt, and the order, was paid and has not given back.

    Raises RefundTooLarge.
    """
    attempt = case.attempt(refund.attempt_id)
    check_refund(attempt.captured, attempt.refunded, refund.amount.amount)
    check_refund(case.intent.captured, case.intent.refunded, refund.amount.amount)
    attempt.refunded += refund.amount.amount
    case.intent.refunded += refund.amount.amount
    case.refunds.append(refund)
    case.bookings.append(Booking(refund.id, ledger.entries_for_refund(amount=refund.amount)))


# --- moves ------------------------------------------------------------------------------------------------------------


def _move(attempt: Attempt, status: AttemptStatus) -> None:
    if attempt.status != status:
        check_transition("attempt", attempt.status, status)
        attempt.status = status


def _is_under_way(attempt: Attempt) -> bool:
    return not is_terminal("attempt", attempt.status)


def _fail(case: Case, attempt: Attempt, reason: str) -> None:
    """This attempt brings no money. Cash is not owed for it any more."""
    _move(attempt, "failed")
    attempt.failure = reason
    attempt.action = None
    if attempt.owed:
        _book(case, attempt.id, attempt.amount, ledger.entries_for_cod_cancelled)
        attempt.owed = 0


def _hold(attempt: Attempt, reason: str) -> str | None:
    """Wait for a person. What is paid stays paid; what failed may have brought money after all."""
    if attempt.status == "review" and attempt.failure == reason:
        return None  # it waits for that already
    if attempt.status not in ("paid", "voided"):
        _move(attempt, "review")
        attempt.failure = reason
    return reason


def _capture(case: Case, attempt: Attempt, amount: Money, *, surplus: Surplus | None = None) -> None:
    """The provider has taken the money for us: authorised and captured in one step."""
    _take_in(case, attempt, amount, surplus)
    _book(case, attempt.id, amount, ledger.entries_for_authorisation, provider=attempt.method)
    _book(case, attempt.id, amount, ledger.entries_for_capture, provider=attempt.method)


def _collect(case: Case, attempt: Attempt, *, surplus: Surplus | None = None) -> None:
    """The cash was taken at the door. If it was owed no more, it had to be owed again first."""
    if not attempt.owed:
        _owe(case, attempt)
    _take_in(case, attempt, attempt.amount, surplus)
    attempt.owed = 0
    _book(case, attempt.id, attempt.amount, ledger.entries_for_cod_collected, carrier=ANY_CARRIER)


def _owe(case: Case, attempt: Attempt) -> None:
    attempt.owed = attempt.amount.amount
    _book(case, attempt.id, attempt.amount, ledger.entries_for_cod_due)


def _take_in(case: Case, attempt: Attempt, amount: Money, surplus: Surplus | None) -> None:
    attempt.surplus = surplus or _surplus_for(case, attempt)
    _move(attempt, "paid")
    attempt.captured = amount.amount
    attempt.failure = None
    attempt.action = None
    case.intent.authorised += amount.amount
    case.intent.captured += amount.amount


def _surplus_for(case: Case, attempt: Attempt) -> Surplus | None:
    if case.intent.given_up is not None:
        return "late"
    others = [other for other in case.attempts if other is not attempt]
    return "twice" if any(_pays(other) or _is_due_at_the_door(other) for other in others) else None


def _pays(attempt: Attempt) -> bool:
    return attempt.status == "paid" and attempt.surplus is None


def _is_due_at_the_door(attempt: Attempt) -> bool:
    return attempt.method == COD and attempt.status == "open"


def _paying(case: Case) -> Attempt | None:
    return next(filter(_pays, case.attempts), None)


def _book(case: Case, subject: UUID, amount: Money, entries: Callable[..., ledger.Transaction], **account: str) -> None:
    """An order that costs nothing moves nothing."""
    if amount.amount:
        case.bookings.append(Booking(subject, entries(amount=amount, **account)))


# --- where the order's payment stands ---------------------------------------------------------------------------------


def standing_for(case: Case) -> Status:
    """What the facts together make of the order's payment. What pays it counts first, then what may still pay it."""
    intent = case.intent
    paying = _paying(case)
    if paying is not None:
        if paying.returned:
            return status_after_refund(paying.captured, paying.returned)
        return "cod_collected" if paying.method == COD else "paid"
    if intent.given_up is None and any(map(_is_due_at_the_door, case.attempts)):
        return "cod_due"
    if any(attempt.status == "review" for attempt in case.attempts):
        return "review"
    stray = [attempt for attempt in case.attempts if attempt.surplus in ("late", "stray")]
    if any(attempt.returned < attempt.captured for attempt in stray):
        return "review"  # money that pays nothing is here, and on its way back
    if intent.given_up is not None:
        return "refunded" if any(attempt.surplus == "late" for attempt in stray) else "cancelled"
    return "pending" if any(map(_is_under_way, case.attempts)) else "failed"


def _settle(case: Case) -> None:
    """Bring the order's payment to where the facts put it. What its table does not allow is noted, and left."""
    wanted = standing_for(case)
    if wanted == case.intent.status:
        return
    try:
        check_transition("intent", case.intent.status, wanted)
    except IllegalTransition as refusal:
        case.illegal.append(refusal)
    else:
        case.intent.status = wanted
