"""How an order moves, from the press of the button to the parcel at the door.

An order is pending until it is paid (or authorised, or cash on delivery was accepted) and its goods are set
aside for good; then it is placed, and only then packed. It is completed when everything was delivered and
paid. It is cancelled when the customer or staff call it off before it left, when it was not paid in time,
when its goods are gone, or when the parcel came back unpaid. A cancelled order holds no goods and keeps no
money.

Nobody moves an order but `decide`. Browsers, payment notices, warehouses and staff only tell facts, in any
order, twice, late or never. `decide` takes what was heard and says what the order is now, what its timeline
and the other services hear of it, and what has to be done next. Each thing to do may be done twice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from sampan.services.fulfillment.contract import Status as WorkStatus
from sampan.services.inventory.contract import Allocation
from sampan.services.orders.contract import (
    FulfillmentStatus,
    NotCancellable,
    NotConfirmable,
    NotPayable,
    OrderStatus,
    PaymentStatus,
)
from sampan.services.payments.contract import Status as MoneyStatus

COD: Final = "cod"
MOST_ATTEMPTS: Final = 10
HOLD_MARGIN: Final = 5  # minutes that goods stay held after the last moment to pay
ASK_FOR: Final = timedelta(minutes=10)  # how long after it payments is asked a last time, while it does not answer
ACCEPTED: Final = frozenset(("authorized", "paid", "cod_due", "cod_collected"))
IN_THE_TILL: Final = frozenset(("paid", "cod_collected", "partially_refunded", "refunded"))
TOLD: Final = frozenset(("pending", "authorized", "paid", "failed", "cod_collected", "review"))
LEFT: Final = frozenset(("shipped", "delivered", "delivery_failed", "returning", "returned"))
SET_ASIDE: Final = frozenset(("confirmed", "shipped"))
CAME_BACK: Final = frozenset(("delivery_failed", "returned"))  # closed because the parcel came back

Hold = Literal["none", "held", "confirmed", "released", "shipped"]
Party = Literal["customer", "staff", "system"]


class Policy(Struct, frozen=True):
    """What the merchant chooses: `SAMPAN_ORDERS_<FIELD>`.

    An unpaid order waits `payment_minutes` (new tries to pay included, `payment_minutes_most` in all). With
    `confirm_cod` an order to be paid on delivery waits `confirm_hours` for a member of staff to confirm it. A
    cart is kept `cart_days` after its last change. `return_origins` (comma-separated) are further places
    where payers may be sent back to.
    """

    payment_minutes: Annotated[int, Meta(ge=1, le=1440)] = 15
    payment_minutes_most: Annotated[int, Meta(ge=1, le=1440)] = 60
    confirm_cod: bool = False
    confirm_hours: Annotated[int, Meta(ge=1, le=720)] = 48
    cart_days: Annotated[int, Meta(ge=1, le=365)] = 30


# --- facts --------------------------------------------------------------------------------------------------


class PaymentFact(Struct, frozen=True):
    """What is known of an order's payment; payments number its changes, and a higher `version` is newer."""

    payment_id: UUID
    method: str
    status: MoneyStatus
    amount: int
    captured: int
    refunded: int
    currency: str
    failure: str | None
    version: int = 0


class WorkOrderFact(Struct, frozen=True):
    """What one warehouse does for the order; `of` so many. A higher `version` is newer."""

    id: UUID
    warehouse_id: UUID
    status: WorkStatus
    tracking_number: str | None
    of: int
    version: int


class RefundFact(Struct, frozen=True):
    """What became of a refund, at payments."""

    id: UUID
    amount: int
    status: str


class Refused(Struct, frozen=True):
    """Why a peer said no, as it said it."""

    code: str
    status: int
    detail: str
    facts: dict[str, Any]


class CancelAsked(Struct, frozen=True):
    by: Party
    reason: str


class PayAsked(Struct, frozen=True):
    """Another try to pay. The same `key` again is the same try; without one each time is another."""

    method: str
    return_url: str
    client_ip: str
    key: str = ""


class ConfirmAsked(Struct, frozen=True):
    pass


class Held(Struct, frozen=True):
    """Inventory holds the goods until then, for this attempt to pay."""

    until: datetime | None
    attempt: int


class NoStock(Struct, frozen=True):
    """Inventory cannot hold them. Said of the order as it was in `version`."""

    refused: Refused
    version: int


class HoldLost(Struct, frozen=True):
    """The hold has lapsed. Said of the order as it was in `version`."""

    version: int


class Confirmed(Struct, frozen=True):
    """The goods are set aside for good."""

    allocations: list[Allocation]


class Released(Struct, frozen=True):
    """Inventory holds nothing for the order."""


class ShippedAlready(Struct, frozen=True):
    """The goods had left before they could be released."""


class Booked(Struct, frozen=True):
    """Shipping knows how and to whom the order travels, with or without cash to collect.

    Said of the order as it was in `version`: a later version may have been booked otherwise.
    """

    kind: Literal["cod", "prepaid"]
    version: int


class Opened(Struct, frozen=True):
    """Payments took the attempt."""

    attempt: int
    payment: PaymentFact


class NotBooked(Struct, frozen=True):
    """Shipping does not take the order that way."""

    kind: Literal["cod", "prepaid"]
    attempt: int
    refused: Refused


class NotOpened(Struct, frozen=True):
    """Payments did not take the attempt."""

    attempt: int
    refused: Refused


class Asked(Struct, frozen=True):
    """What the provider itself says now, by way of payments, asked when the order was in `version`."""

    payment: PaymentFact | None
    version: int


class GivenUp(Struct, frozen=True):
    """Payments know that the order is off."""

    payment: PaymentFact | None


Heard = (
    PaymentFact
    | WorkOrderFact
    | RefundFact
    | CancelAsked
    | PayAsked
    | ConfirmAsked
    | Held
    | NoStock
    | HoldLost
    | Confirmed
    | Released
    | ShippedAlready
    | Booked
    | Opened
    | NotBooked
    | NotOpened
    | Asked
    | GivenUp
)


# --- steps: what has to be done next, outside of any transaction --------------------------------------------


class Reserve(Struct, frozen=True):
    """`firm`: for good, since there is nobody whose money has to be waited for."""

    minutes: int
    firm: bool = False


class Extend(Struct, frozen=True):
    minutes: int


class Book(Struct, frozen=True):
    kind: Literal["cod", "prepaid"]


class Open(Struct, frozen=True):
    pass


class Ask(Struct, frozen=True):
    pass


class Confirm(Struct, frozen=True):
    pass


class Release(Struct, frozen=True):
    pass


class GiveUp(Struct, frozen=True):
    pass


class Rest(Struct, frozen=True):
    """Nothing, until then or until something is heard."""

    until: datetime | None = None


Step = Reserve | Extend | Book | Open | Ask | Confirm | Release | GiveUp | Rest


# --- news: what other services hear -------------------------------------------------------------------------


class Placed(Struct, frozen=True):
    pass


class Cancelled(Struct, frozen=True):
    refund: int
    was_placed: bool


class Completed(Struct, frozen=True):
    pass


class Shipped(Struct, frozen=True):
    work_order_id: UUID
    tracking_number: str | None


class Delivered(Struct, frozen=True):
    pass


class NotDelivered(Struct, frozen=True):
    work_order_id: UUID


class Refunded(Struct, frozen=True):
    refund_id: UUID
    amount: int


News = Placed | Cancelled | Completed | Shipped | Delivered | NotDelivered | Refunded


class Entry(Struct, frozen=True):
    """A line of the timeline: a message key and what is put into it. `private`: for staff only."""

    code: str
    facts: dict[str, Any] = {}
    private: bool = False


# --- the order ----------------------------------------------------------------------------------------------


class Progress(Struct, frozen=True):
    """Everything of an order that changes: one row.

    `attempt` counts the tries to pay, `opened` is the last one that payments took (0: the order was never
    shown to anybody, and closing it leaves no trace but a line in the timeline). `held_for` is the attempt
    that goods were held for. `booked` is how shipping knows the order. `closing` is why it is being called
    off. `given_up` is how much had been captured when payments were told that the order is off, `refund_due`
    how much of it was to go back. `asked`: payments were asked a last time before the order expires.
    `refused` is why the last attempt was refused.
    """

    id: UUID
    version: int
    made_at: datetime
    currency: str
    total: int
    status: OrderStatus
    payment_status: PaymentStatus
    fulfillment_status: FulfillmentStatus
    method: str
    return_url: str
    client_ip: str
    attempt: int
    opened: int
    pay_until: datetime
    confirm_by: datetime | None
    confirmed_at: datetime | None
    hold: Hold
    held_until: datetime | None
    held_for: int
    allocations: list[Allocation]
    booked: Literal["", "cod", "prepaid"]
    payment: PaymentFact | None
    asked: bool
    work_orders: list[WorkOrderFact]
    closing: str
    closing_by: str
    closing_note: str
    given_up: int | None
    refund_due: int
    sent_back: list[UUID]
    refused: Refused | None
    placed_at: datetime | None
    delivered_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    pay_key: str  # of the last try to pay that was asked for


class Decision(Struct, frozen=True):
    """What became of an order at `now`: its state, its timeline, the news, and the next step.

    `reopen_cart`: it is off before anybody saw it, so its cart is a cart again.
    """

    now: datetime
    progress: Progress
    entries: list[Entry]
    news: list[News]
    step: Step
    reopen_cart: bool

    @property
    def busy(self) -> bool:
        """Somebody is about to do the next step."""
        return not isinstance(self.step, Rest)

    @property
    def due_at(self) -> datetime | None:
        """When the order is to be looked at though nothing was heard."""
        return self.step.until if isinstance(self.step, Rest) else None


def new_progress(
    *,
    order_id: UUID,
    now: datetime,
    currency: str,
    total: int,
    method: str,
    return_url: str,
    client_ip: str,
    policy: Policy,
) -> Progress:
    """An order that was just written down."""
    waits = method == COD and policy.confirm_cod
    return Progress(
        id=order_id,
        version=1,
        made_at=now,
        currency=currency,
        total=total,
        status="pending",
        payment_status="unpaid",
        fulfillment_status="unfulfilled",
        method=method,
        return_url=return_url,
        client_ip=client_ip,
        attempt=1,
        opened=0,
        pay_until=now + timedelta(minutes=policy.payment_minutes),
        confirm_by=now + timedelta(hours=policy.confirm_hours) if waits else None,
        confirmed_at=None,
        hold="none",
        held_until=None,
        held_for=0,
        allocations=[],
        booked="",
        payment=None,
        asked=False,
        work_orders=[],
        closing="",
        closing_by="",
        closing_note="",
        given_up=None,
        refund_due=0,
        sent_back=[],
        refused=None,
        placed_at=None,
        delivered_at=None,
        completed_at=None,
        cancelled_at=None,
        pay_key="",
    )


def decide(progress: Progress, heard: Sequence[Heard], *, now: datetime, policy: Policy) -> Decision:
    """What becomes of an order after this was heard.

    Raises NotCancellable, NotPayable, NotConfirmable when that was asked and cannot be.
    """
    story = _Story(progress, now, policy)
    for fact in heard:
        story.hear(fact)
    step = story.next_step()
    return Decision(now, story.order, story.entries, story.news, step, story.reopen_cart)


# --- what follows from facts --------------------------------------------------------------------------------


def kind_for(method: str) -> Literal["cod", "prepaid"]:
    """How an order travels that is paid so."""
    return "cod" if method == COD else "prepaid"


def is_accepted(order: Progress) -> bool:
    """The money of an order is safe when all of it is paid or authorised, or will be paid at the door."""
    fact = order.payment
    if fact is None or fact.status not in ACCEPTED:
        return False
    if fact.status == "paid" and fact.captured < order.total:
        return False
    return fact.amount == order.total and fact.currency == order.currency


def captured(order: Progress) -> int:
    """How much was taken for the order, in minor units."""
    return order.payment.captured if order.payment else 0


def refunded(order: Progress) -> int:
    """How much of it went back."""
    return order.payment.refunded if order.payment else 0


def is_cancellable(order: Progress) -> bool:
    """An order can be called off until its first parcel leaves."""
    return why_not_cancellable(order) == ""


def why_not_cancellable(order: Progress) -> str:
    """Why an order cannot be called off any more; empty if it can."""
    if order.status in ("completed", "cancelled"):
        return order.status
    if order.closing:
        return "closing"
    if order.hold == "shipped" or any(work.status in LEFT for work in order.work_orders):
        return "shipped"
    return ""


def why_not_payable(order: Progress, now: datetime) -> str:
    """Why an order takes no further try to pay; empty if it does."""
    if order.status == "cancelled" or order.closing:
        return "cancelled"
    if order.status != "pending" or is_accepted(order):
        return "paid"
    if order.payment is not None and order.payment.status == "review":
        return "review"
    if order.opened == 0:
        return "opening"
    if now >= order.pay_until:
        return "expired"
    if order.attempt >= MOST_ATTEMPTS:
        return "too_many_attempts"
    return ""


def is_same_try(order: Progress, key: str) -> bool:
    """A try to pay that is asked for again under the same key is the same try."""
    return key != "" and key == order.pay_key


def waits_for_confirmation(order: Progress) -> bool:
    """An order to be paid on delivery that a member of staff has to confirm first."""
    return order.status == "pending" and order.confirm_by is not None and not order.closing and is_accepted(order)


def is_confirmable(order: Progress) -> bool:
    """Staff confirm an order to be paid on delivery, once, before it leaves."""
    if order.method != COD or order.confirmed_at is not None or order.closing or not is_accepted(order):
        return False
    return order.status in ("pending", "placed") and is_cancellable(order)


def payment_status_for(order: Progress) -> PaymentStatus:
    """What an order says of its payment. Money that a person has to look at counts as on its way, not as
    paid.
    """
    if order.payment is None:
        return "unpaid"
    status = order.payment.status
    if status == "cancelled":
        return "unpaid"
    if status == "review":
        return "pending"
    return status


def fulfillment_status_for(work_orders: Sequence[WorkOrderFact]) -> FulfillmentStatus:
    """What an order says of its goods, from what each warehouse does.

    Warehouses not heard of yet have it before them; cancelled work counts for nothing. Once something has
    left, the order is partially shipped until everything has; then the parcel that is worst off speaks for
    all.
    """
    live: list[str] = [work.status for work in work_orders if work.status != "cancelled"]
    if not live:
        return "unfulfilled"
    live += ["allocated"] * (max(work.of for work in work_orders) - len(work_orders))
    left = [status for status in live if status in LEFT]
    if not left:
        if all(status == "packed" for status in live):
            return "packed"
        return "picking" if any(status != "allocated" for status in live) else "allocated"
    if len(left) < len(live):
        return "partially_shipped"
    for status in ("delivery_failed", "returning", "shipped", "delivered"):
        if status in left:
            return status
    return "returned"


def fresher(known: PaymentFact | None, heard: PaymentFact) -> PaymentFact:
    """Of two accounts of a payment the newer one counts, whichever came first: told, or answered to us."""
    return heard if known is None or heard.version > known.version else known


# --- the machine --------------------------------------------------------------------------------------------


class _Story:
    """One run of `decide`: the order as it changes, and what is told on the way."""

    def __init__(self, order: Progress, now: datetime, policy: Policy) -> None:
        self.order = order
        self.now = now
        self.policy = policy
        self.entries: list[Entry] = []
        self.news: list[News] = []
        self.reopen_cart = False

    def _set(self, **changes: Any) -> None:
        self.order = msgspec.structs.replace(self.order, **changes)

    def _tell(self, code: str, **facts: Any) -> None:
        self.entries.append(Entry(code, facts))

    # what was heard

    def hear(self, fact: Heard) -> None:
        order = self.order
        match fact:
            case PaymentFact():
                self._hear_payment(fact)
            case WorkOrderFact():
                self._hear_work(fact)
            case RefundFact(id=refund_id, amount=amount, status="settled"):
                if refund_id not in order.sent_back:
                    self._set(sent_back=[*order.sent_back, refund_id])
                    self._tell("refunded", amount=amount, currency=order.currency)
                    self.news.append(Refunded(refund_id, amount))
            case RefundFact():
                pass  # not there yet
            case Held(until=until, attempt=attempt):
                if order.hold in SET_ASIDE:
                    return
                if order.held_for and is_accepted(order) and not self._holds() and order.status == "pending":
                    self._tell("hold_taken_again")
                self._set(hold="held", held_until=until, held_for=max(order.held_for, attempt))
            case NoStock(refused=refused, version=version):
                if version == order.version and order.hold not in SET_ASIDE:
                    self._hear_no_stock(refused)
            case HoldLost(version=version):
                if version == order.version and order.hold == "held":
                    self._tell("hold_lapsed")
                    self._set(hold="none", held_until=None)
            case Confirmed(allocations=allocations):
                if order.hold != "shipped":
                    self._set(hold="confirmed", held_until=None, allocations=allocations)
            case Released():
                self._set(hold="released", held_until=None, allocations=[])
            case ShippedAlready():
                self._hear_shipped_already()
            case Booked(kind=kind, version=version):
                if version == order.version:
                    self._set(booked=kind)
            case Opened(attempt=attempt, payment=payment):
                if attempt == order.attempt:
                    self._set(client_ip="")  # nobody needs it any more
                if order.closing:
                    self._set(given_up=None)  # it was called off meanwhile, and payments may have heard that before
                if order.status != "cancelled":
                    self._set(opened=max(order.opened, attempt))
                self._hear_payment(payment)
            case NotBooked(kind=kind, attempt=attempt, refused=refused):
                if is_accepted(order):
                    self.entries.append(Entry("not_rebooked", {"detail": refused.detail}, private=True))
                    self._set(booked=kind)  # a person has to look; asking again would not help
                elif attempt == order.attempt and order.opened < attempt:
                    self._hear_attempt_refused(refused)
            case NotOpened(attempt=attempt, refused=refused):
                if attempt == order.attempt and order.opened < attempt:
                    self._hear_attempt_refused(refused)
            case Asked(payment=payment, version=version):
                if version == order.version:
                    self._set(asked=order.asked or self.now >= order.pay_until)
                    if payment is not None:
                        self._hear_payment(payment)
            case GivenUp(payment=payment):
                if payment is not None:
                    owed = max(self.order.refund_due, payment.captured - payment.refunded)
                    self._set(refund_due=owed)
                    self._hear_payment(payment)
                self._set(given_up=captured(self.order))
            case CancelAsked(by=by, reason=reason):
                if why := why_not_cancellable(order):
                    raise NotCancellable("the order can no longer be cancelled", reason=why)
                self._close(by, by=by, note=reason)
            case PayAsked():
                self._hear_pay_asked(fact)
            case ConfirmAsked():
                if order.confirmed_at is not None and not order.closing:
                    return  # done before
                if not is_confirmable(order):
                    raise NotConfirmable("there is nothing to confirm")
                self._set(confirmed_at=self.now, confirm_by=None)
                self._tell("confirmed")

    def _hear_payment(self, fact: PaymentFact) -> None:
        order = self.order
        known, now_known = order.payment, fresher(order.payment, fact)
        self._set(payment=now_known)
        self._set(payment_status=payment_status_for(self.order))
        same = known is not None and (known.status, known.payment_id) == (
            now_known.status,
            now_known.payment_id,
        )
        if not same and now_known.status in TOLD:
            self._tell(f"payment_{now_known.status}", method=now_known.method, failure=now_known.failure)
        if order.opened == 0 and not order.closing and is_accepted(self.order):
            self._set(opened=order.attempt)  # payments told of it before they answered; whoever waited may have died
        more = now_known.captured - (known.captured if known else 0)
        if more > 0 and (order.status == "cancelled" or order.closing):
            self._tell("payment_late", amount=more, currency=now_known.currency)

    def _hear_work(self, fact: WorkOrderFact) -> None:
        order = self.order
        known = next((work for work in order.work_orders if work.id == fact.id), None)
        if known is not None and fact.version <= known.version:
            return
        others = [work for work in order.work_orders if work.id != fact.id]
        before = order.fulfillment_status
        self._set(work_orders=[*others, fact])
        after = fulfillment_status_for(self.order.work_orders)
        self._set(fulfillment_status=after)
        if fact.status in LEFT and (known is None or known.status not in LEFT):
            self._tell("shipped", tracking_number=fact.tracking_number or "")
            self.news.append(Shipped(fact.id, fact.tracking_number))
        if fact.status == "delivery_failed" and (known is None or known.status != "delivery_failed"):
            self._tell("delivery_failed")
            self.news.append(NotDelivered(fact.id))
        if after != before and after in ("picking", "packed", "returning", "returned"):
            self._tell(after)
        if after == "delivered" and order.delivered_at is None:
            self._set(delivered_at=self.now)
            self._tell("delivered")
            self.news.append(Delivered())

    def _hear_no_stock(self, refused: Refused) -> None:
        order = self.order
        # The order is closed at inventory as well, for its goods may be asked for by another call that comes late.
        self._set(hold="none", held_until=None, refused=refused)
        if order.status != "pending" or order.closing:
            return
        if is_accepted(order):
            self._tell("stock_lost")
            self._close("stock_lost")
        else:
            self._close("out_of_stock")
        if order.opened == 0 and order.booked == "" and order.payment is None:
            self._set(given_up=0)  # payments have never heard of it

    def _hear_shipped_already(self) -> None:
        self._set(hold="shipped")
        if self.order.status == "placed" and self.order.closing:
            self._tell("cancel_refused")
            self._set(closing="", closing_by="", closing_note="")

    def _hear_attempt_refused(self, refused: Refused) -> None:
        if self.order.closing:
            return  # nobody pays any more
        self._set(refused=refused)
        if self.order.opened == 0:
            self._close("not_offered")
        else:
            self._set(opened=self.order.attempt)  # it is not tried again; the order waits for another

    def _hear_pay_asked(self, asked: PayAsked) -> None:
        order = self.order
        if is_same_try(order, asked.key):
            return
        if why := why_not_payable(order, self.now):
            raise NotPayable("the order takes no payment now", reason=why)
        longest = order.made_at + timedelta(minutes=self.policy.payment_minutes_most)
        soon = self.now + timedelta(minutes=self.policy.payment_minutes)
        waits = asked.method == COD and self.policy.confirm_cod
        self._set(
            attempt=order.attempt + 1,
            method=asked.method,
            booked=order.booked if order.booked == kind_for(asked.method) else "",  # from now on it may be either
            return_url=asked.return_url,
            client_ip=asked.client_ip,
            pay_until=max(order.pay_until, min(soon, longest)),
            confirm_by=self.now + timedelta(hours=self.policy.confirm_hours) if waits else None,
            asked=False,
            refused=None,
            pay_key=asked.key,
        )

    # what follows

    def next_step(self) -> Step:
        while True:
            match self.order.status:
                case "cancelled":
                    return self._after_the_end()
                case "completed":
                    return Rest()
                case _ if self.order.closing:
                    step = self._closing()
                case "pending":
                    step = self._pending()
                case _:
                    step = self._placed()
            if step is not None:
                return step

    def _pending(self) -> Step | None:
        order = self.order
        if is_accepted(order):
            return self._paid()
        if order.payment is not None and order.payment.status == "review":
            return Rest()  # a person decides
        if order.opened == order.attempt:
            if self.now < order.pay_until:
                return Rest(order.pay_until)
            pending = order.payment is not None and order.payment.status == "pending"
            if pending and not order.asked and self.now < order.pay_until + ASK_FOR:
                return Ask()
            self._close("payment_expired")
            return None
        if self.now >= order.pay_until:
            self._close("payment_expired")
            return None
        if order.hold not in SET_ASIDE:
            if not self._holds():
                return Reserve(self._minutes(), firm=order.method == COD and order.confirm_by is None)
            if order.held_for < order.attempt:
                return Extend(self._minutes())
        kind = kind_for(order.method)
        return Open() if order.booked == kind else Book(kind)

    def _paid(self) -> Step | None:
        order = self.order
        if order.hold not in SET_ASIDE:
            return Confirm() if self._holds() else Reserve(HOLD_MARGIN)
        if (step := self._rebooking()) is not None:
            return step
        if order.confirm_by is not None and self._is_paid_at_the_door():
            if self.now < order.confirm_by:
                return Rest(order.confirm_by)
            self._close("not_confirmed")
            return None
        self._set(status="placed", placed_at=self.now, refused=None)
        self._tell("placed")
        self.news.append(Placed())
        return None

    def _placed(self) -> Step | None:
        order = self.order
        money = order.payment.status if order.payment else "pending"
        if order.fulfillment_status == "delivered" and money in IN_THE_TILL:
            self._set(status="completed", completed_at=self.now)
            self._tell("completed")
            self.news.append(Completed())
            return None
        if order.fulfillment_status == "returned" and order.booked == "cod" and money not in IN_THE_TILL:
            self._close("delivery_failed")
            return None
        if order.fulfillment_status == "returned" and money == "refunded":
            self._close("returned")
            return None
        return self._rebooking() or Rest()

    def _is_paid_at_the_door(self) -> bool:
        payment = self.order.payment
        return payment is not None and payment.status in ("cod_due", "cod_collected")

    def _rebooking(self) -> Step | None:
        """Who paid in advance is not asked for cash at the door, and the other way round.

        Another attempt than the last one may be the one that was paid, even while the order is being placed.
        """
        order = self.order
        if not is_accepted(order) or any(work.status in LEFT for work in order.work_orders):
            return None
        assert order.payment is not None
        if order.method != order.payment.method:
            self._set(method=order.payment.method)
        kind: Literal["cod", "prepaid"] = "cod" if self._is_paid_at_the_door() else "prepaid"
        return None if order.booked == kind else Book(kind)

    def _close(self, reason: str, *, by: Party = "system", note: str = "") -> None:
        self._set(closing=reason, closing_by=by, closing_note=note)

    def _closing(self) -> Step | None:
        order = self.order
        if order.hold not in ("released", "shipped") and order.closing not in CAME_BACK:
            return Release()
        if order.given_up is None or order.given_up < captured(order):
            return self._give_up()
        self._set(status="cancelled", cancelled_at=self.now)
        self._tell("cancelled", reason=order.closing, note=order.closing_note, by=order.closing_by)
        if order.opened:
            self.news.append(Cancelled(order.refund_due, was_placed=order.status == "placed"))
        else:
            self.reopen_cart = True
        return None

    def _after_the_end(self) -> Step:
        """A cancelled order holds no goods and keeps no money, however late either comes."""
        order = self.order
        if order.hold in ("held", "confirmed") and order.closing not in CAME_BACK:
            return Release()
        if order.given_up is None or order.given_up < captured(order):
            return self._give_up()
        return Rest()

    def _give_up(self) -> Step:
        self._set(refund_due=max(self.order.refund_due, captured(self.order) - refunded(self.order)))
        return GiveUp()

    def _holds(self) -> bool:
        order = self.order
        return order.hold == "held" and order.held_until is not None and order.held_until > self.now

    def _minutes(self) -> int:
        left = self.order.pay_until - self.now
        return max(1, -(-int(left.total_seconds()) // 60)) + HOLD_MARGIN
