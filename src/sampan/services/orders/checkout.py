"""From a cart to a placed order, and everything that moves an order afterwards.

`order_cart` writes the order down; from then on its row is the progress. `advance` decides under the order's lock
what follows from what was heard (`rules/order.py`), then does it outside of any transaction: reserve, book, open the
payment, confirm the reservation, or release and give up. Each step is keyed by the order, and the peer writes down
what it did, so that a step may be done twice and at the same time. That is why only a rest is written into the
order's row: whoever dies on the way has lost nothing that asking the peers again does not bring back. But nothing is
given back before the row says that the order is called off: somebody else may have placed it meanwhile. And how an
order travels that is paid otherwise than it was booked is said in the name of a new version of the row. Anybody may
call `advance` at any time; the sweeper calls it for whatever stopped half way.
"""

import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel import context
from sampan.kernel.catalogue import DEFAULT, LANGUAGES
from sampan.kernel.context import Actor
from sampan.kernel.db import Tx
from sampan.kernel.errors import Conflict, Invalid, ShopError, raised
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.inventory.contract import (
    AlreadyConfirmed,
    AlreadyShipped,
    Demand,
    HoldGone,
    OutOfStock,
    Reservation,
)
from sampan.services.orders.contract import (
    CartIncomplete,
    Checkout,
    DeliveryFailed,
    EventAllocation,
    OrderCancelled,
    OrderCompleted,
    OrderDelivered,
    OrderPlaced,
    OrderRefunded,
    OrderShipped,
    Recipient,
)
from sampan.services.orders.offer import Offer, all_problems, offer_for, quote_for
from sampan.services.orders.room import Room
from sampan.services.orders.rules import cart as cart_rules
from sampan.services.orders.rules import order as rules
from sampan.services.orders.rules.cart import Basket
from sampan.services.orders.rules.number import NUMBERS, number_for
from sampan.services.orders.rules.order import (
    Decision,
    Heard,
    PaymentFact,
    Progress,
    RefundFact,
    Refused,
    Rest,
    Step,
    WorkOrderFact,
)
from sampan.services.orders.rules.sale import (
    Sale,
    check_total,
    delivery_of,
    event_lines,
    sale_of,
    totals_of,
    value_of,
)
from sampan.services.orders.rules.token import digest_for
from sampan.services.orders.rules.words import words_for
from sampan.services.orders.store import carts, orders, refunds
from sampan.services.payments.contract import (
    AlreadyPaid,
    GivenUp,
    Method,
    MethodNotAvailable,
    Payment,
    PaymentChanged,
    RefundChanged,
    UnknownPayment,
)
from sampan.services.pricing.contract import Quote
from sampan.services.shipping.contract import BookingClosed, NotDeliverable, Option

log = logging.getLogger(__name__)

MOST_STEPS = 25
MOST_TRIES = 10


class Unsettled(ShopError, code="orders.unsettled", status=503):
    """The order does not come to rest; it is looked at again soon."""


class Advanced(Struct, frozen=True):
    """Where an order rests now, and its payment if payments was spoken to on the way."""

    order: Progress
    payment: Payment | None


# --- the cart becomes an order --------------------------------------------------------------------------------------


async def order_cart(
    room: Room, *, actor: Actor, cart_id: UUID, checkout: Checkout, client_ip: str, language: str
) -> tuple[Sale, Advanced]:
    """Order the cart exactly once. A cart that became an order answers with that order, whoever asks how often.

    Raises CartClosed, CartIncomplete, QuoteChanged, inventory.OutOfStock, payments.MethodNotAvailable,
    shipping.NotDeliverable; then nothing was ordered, and the cart is still a cart.
    """
    for _ in range(MOST_TRIES):
        async with room.db.read() as tx:
            basket = await carts.load_cart(tx, actor, cart_id)
        if (found := await order_of(room, basket)) is not None:
            sale, advanced = found
            return sale, check_shown(advanced)
        cart_rules.check_open(basket)
        sale, progress = await _draft(room, basket, checkout=checkout, client_ip=client_ip, language=language)
        try:
            async with room.db.read() as tx:  # one statement, which is its own transaction
                words = words_for(sale.number, sale.contact, sale.shipping_address)
                by = context.actor.get().name
                made = await orders.add_order(tx, basket, sale, progress, words=words, by=by)
        except (orders.NumberTaken, orders.CartTaken):
            continue
        if made:
            return sale, check_shown(await advance(room, sale, written=progress))
    raise Conflict("the cart keeps changing; try again", retry_after=1)


async def order_of(room: Room, basket: Basket) -> tuple[Sale, Advanced] | None:
    """The order that a cart became, brought to rest; None while it is a cart."""
    if basket.order_id is None:
        return None
    async with room.db.read() as tx:
        sale = await orders.find_sale(tx, basket.order_id)
    return None if sale is None else (sale, await advance(room, sale))


def is_shown(advanced: Advanced) -> bool:
    """An order that was closed before anybody saw it is no order: its cart is a cart again."""
    return advanced.order.status != "cancelled" or advanced.order.opened > 0


def check_shown(advanced: Advanced) -> Advanced:
    """Raises what an order was refused for, if it is none."""
    if not is_shown(advanced):
        if advanced.order.refused is not None:
            raise refusal_of(advanced.order.refused)
        raise Conflict("this could not be ordered in time; try again", retry_after=1)
    return advanced


async def _draft(
    room: Room, basket: Basket, *, checkout: Checkout, client_ip: str, language: str
) -> tuple[Sale, Progress]:
    """The order as it would be, at the prices of this moment. Nothing is written yet."""
    order_id = uuid7()
    offer = await offer_for(room, basket, language=language, ordering=True)
    if obstacles := cart_rules.obstacles(all_problems(basket, offer)):
        raise CartIncomplete("something is missing before this can be ordered", problems=msgspec.to_builtins(obstacles))
    option, contact, address = offer.option, basket.contact, basket.shipping_address
    if option is None or contact is None or address is None:
        raise ValueError("the obstacles name what is missing")
    quote, fee = await _priced(room, basket, offer, option, checkout.payment_method, language)
    check_total(checkout.expected_total, quote.totals)
    sale = sale_of(
        basket,
        order_id=order_id,
        number=number_for(secrets.randbelow(NUMBERS)),
        token_hash=digest_for(room.order_token(order_id)),
        language=language if language in LANGUAGES else DEFAULT,
        contact=contact,
        shipping_address=address,
        option=option,
        snapshots=offer.snapshots,
        quote=quote,
        fee=fee,
        line_ids=[uuid7() for _ in quote.lines],
    )
    progress = rules.new_progress(
        order_id=order_id,
        now=sale.made_at,
        currency=sale.currency,
        total=sale.total,
        method=checkout.payment_method,
        return_url=room.way_back(checkout.return_url, order_id),
        client_ip=client_ip,
        policy=room.policy,
    )
    return sale, progress


async def _priced(
    room: Room, basket: Basket, offer: Offer, option: Option, code: str, language: str
) -> tuple[Quote, Money]:
    """What the order costs with this way to pay, and the fee for it, which is charged and taxed as shipping is."""
    assert offer.quote is not None
    methods = await methods_for(room, basket.market, offer.quote.totals.total, option, language=language)
    method = check_method(methods, code)
    if method.fee.amount == 0:
        return offer.quote, method.fee
    quote = await quote_for(room, basket, option.price + method.fee)
    if quote is None or len(quote.lines) != len(basket.lines):
        raise Conflict("the prices keep changing; try again", retry_after=1)
    if method.limit is not None and quote.totals.total > method.limit:
        raise MethodNotAvailable(
            "with its fee this is more than can be paid this way", reason="payments.reason.over_limit", method=code
        )
    return quote, method.fee


async def methods_for(room: Room, market: str, total: Money, option: Option | None, *, language: str) -> list[Method]:
    """The ways to pay so much, given how it travels: cash on delivery only where the carrier takes it."""
    cash = option if option is not None and option.cod_limit is not None else None
    return await room.payments.methods_for(
        market=market,
        total=total,
        cod_fee=cash.cod_fee if cash else None,
        cod_limit=cash.cod_limit if cash else None,
        language=language,
    )


def check_method(methods: list[Method], code: str) -> Method:
    """Raises payments.MethodNotAvailable for a way to pay that is unknown or not offered."""
    method = next((each for each in methods if each.code == code), None)
    if method is None:
        raise MethodNotAvailable("there is no such way to pay", reason="unknown", method=code)
    if not method.available:
        raise MethodNotAvailable("this way to pay is not offered here", reason=method.reason, method=code)
    return method


# --- the one writer of an order's state -----------------------------------------------------------------------------


async def advance(room: Room, sale: Sale, *, heard: Heard | None = None, written: Progress | None = None) -> Advanced:
    """Take in what was heard of the order, do what has to be done, until it rests.

    `written`: it was written down a moment ago, just so. Raises what was asked and cannot be (NotCancellable …), or
    that a peer does not answer; the sweeper then goes on.
    """
    payment: Payment | None = None
    said: list[Heard] = []  # by the peers, since the order was last written
    async with room.turn(sale.id):
        if written is not None:
            decided = rules.decide(written, (), now=written.made_at, policy=room.policy)
        else:
            decided = await _write(room, sale, () if heard is None else (heard,))
        row = Row(written or decided.progress, decided.now)
        for _ in range(MOST_STEPS):
            undoing = isinstance(decided.step, rules.Release | rules.GiveUp) and row.order.closing == ""
            rebooking = isinstance(decided.step, rules.Book) and rules.is_accepted(decided.progress)
            if said and (undoing or rebooking or isinstance(decided.step, Rest)):
                decided = await _write_on(room, sale, row, said) or await _write(room, sale, said)
                row, said = Row(decided.progress, decided.now), []
                continue
            if isinstance(decided.step, Rest):
                return Advanced(decided.progress, payment)
            try:
                outcome, answered = await perform(room, sale, decided.progress, decided.step)
            except Exception:
                with contextlib.suppress(ShopError):
                    await _write(room, sale, said)
                raise
            payment = answered or payment
            said.append(outcome)
            decided = rules.decide(decided.progress, (outcome,), now=decided.now, policy=room.policy)
    log.error("an order does not come to rest", extra={"order_id": str(sale.id), "step": type(decided.step).__name__})
    raise Unsettled("the order does not come to rest", order_id=str(sale.id))


class Row:
    """An order as its row was when we last had to do with it, and the database's clock."""

    def __init__(self, order: Progress, read_at: datetime) -> None:
        self.order = order
        self._read_at = read_at
        self._since = time.monotonic()

    @property
    def now(self) -> datetime:
        return self._read_at + timedelta(seconds=time.monotonic() - self._since)


async def _write_on(room: Room, sale: Sale, row: Row, heard: Sequence[Heard]) -> Decision | None:
    """What was heard, what follows, and what is told of it, in one statement; None, and nothing happened, if anybody
    has moved the order since we had to do with its row, or told something of it.
    """
    decision = rules.decide(row.order, heard, now=row.now, policy=room.policy)
    async with room.db.read() as tx:
        return await _save(tx, sale, decision, taken=[], known=row.order.version)


async def _write(room: Room, sale: Sale, heard: Sequence[Heard]) -> Decision:
    """The same under the order's lock, whatever happened meanwhile: what was heard counts for the order as it is."""
    async with room.db.begin() as tx:
        locked = await orders.lock_order(tx, sale.id)
        facts = [*map(fact_of, locked.facts), *heard]
        decision = rules.decide(locked, facts, now=locked.now, policy=room.policy)
        for fact in locked.facts:
            if fact.kind == "refund":
                await refunds.move_refund(tx, fact.subject, fact.body["status"])
        if has_moved(locked, decision):
            saved = await _save(tx, sale, decision, taken=[fact.id for fact in locked.facts])
            assert saved is not None, "it is locked"
            return saved
    return decision


async def take_in(room: Room, order_id: UUID) -> bool:
    """Write down what an order heard, without the lock, where that is all there is to do; False: it is not."""
    async with room.db.read() as tx:
        seen = await orders.look_at(tx, order_id)
        decision = rules.decide(seen, [*map(fact_of, seen.facts)], now=seen.now, policy=room.policy)
        more = decision.busy or decision.news or decision.reopen_cart
        if more or any(fact.kind == "refund" for fact in seen.facts):
            return False
        taken = [fact.id for fact in seen.facts]
        return not has_moved(seen, decision) or (
            await _save(tx, None, decision, taken=taken, known=seen.version) is not None
        )


def has_moved(before: orders.Heard, decision: Decision) -> bool:
    """Whether there is anything to write about an order."""
    if decision.progress != before or decision.entries or before.facts:
        return True
    if decision.busy:
        return before.due_at is None or before.due_at <= before.now
    return before.due_at != decision.due_at


async def _save(
    tx: Tx, sale: Sale | None, decision: Decision, *, taken: list[int], known: int | None = None
) -> Decision | None:
    """`sale` may be None where nothing is told to others and the cart stays as it is."""
    order = decision.progress
    if sale is not None:
        await tx.emit(*(event_of(sale, order, news) for news in decision.news))
    version = await orders.save_order(
        tx,
        order,
        cart_id=None if sale is None else sale.cart_id,
        busy=decision.busy,
        due_at=decision.due_at,
        entries=decision.entries,
        by=context.actor.get().name,
        taken=taken,
        reopen_cart=decision.reopen_cart,
        known=known,
    )
    if version is None:
        return None
    return msgspec.structs.replace(decision, progress=msgspec.structs.replace(order, version=version))


async def perform(room: Room, sale: Sale, order: Progress, step: Step) -> tuple[Heard, Payment | None]:
    """Do one step with a peer, outside of any transaction; what became of it.

    Only a refusal that the peer names for such a step is an answer. Any other is raised, and the step is done again
    later: who cannot say just now whether there are goods has not said that there are none.
    """
    order_id = sale.id
    match step:
        case rules.Reserve(minutes=minutes, firm=firm):
            try:
                reservation = await room.inventory.reserve(
                    order_id=order_id,
                    demands=[Demand(line.variant_id, line.quantity) for line in sale.lines],
                    province_code=sale.shipping_address.province_code,
                    minutes=minutes,
                    firm=firm,
                )
            except (OutOfStock, HoldGone, AlreadyConfirmed, AlreadyShipped) as refusal:
                return rules.NoStock(refused(refusal), order.version), None
            return held(reservation, order), None
        case rules.Extend(minutes=minutes):
            try:
                reservation = await room.inventory.extend(order_id=order_id, minutes=minutes)
            except HoldGone:
                return rules.HoldLost(order.version), None
            return held(reservation, order), None
        case rules.Confirm():
            try:
                reservation = await room.inventory.confirm(order_id=order_id)
            except HoldGone:
                return rules.HoldLost(order.version), None
            return rules.Confirmed(reservation.allocations), None
        case rules.Release():
            try:
                await room.inventory.release(order_id=order_id, reason=order.closing or "cancelled")
            except AlreadyShipped:
                return rules.ShippedAlready(), None
            return rules.Released(), None
        case rules.Book(kind=kind):
            try:
                await room.shipping.book(
                    order_id=order_id,
                    option_id=sale.shipping_option.id,
                    delivery=delivery_of(sale),
                    grams=sale.grams,
                    value=value_of(sale),
                    cod_amount=totals_of(sale).total if kind == "cod" else None,
                    version=order.version,
                )
            except (NotDeliverable, BookingClosed) as refusal:
                return rules.NotBooked(kind, order.attempt, refused(refusal)), None
            return rules.Booked(kind, order.version), None
        case rules.Open():
            return await _open_payment(room, sale, order)
        case rules.Ask():
            try:
                payment = await room.payments.ask(order_id=order_id, sure=True)
            except UnknownPayment:
                return rules.Asked(None, order.version), None
            return rules.Asked(payment_fact(payment), order.version), payment
        case rules.GiveUp():
            given_up = await room.payments.give_up(order_id=order_id, reason=order.closing or "cancelled")
            return rules.GivenUp(payment_fact(given_up) if given_up else None), given_up
        case Rest():
            raise ValueError("there is nothing to do")


async def _open_payment(room: Room, sale: Sale, order: Progress) -> tuple[Heard, Payment | None]:
    payment: Payment | None
    try:
        payment = await room.payments.open(
            order_id=sale.id,
            order_number=sale.number,
            attempt=order.attempt,
            method=order.method,
            amount=totals_of(sale).total,
            return_url=order.return_url,
            client_ip=order.client_ip,
            language=sale.language,
            expires_at=order.pay_until,
        )
    except AlreadyPaid as refusal:
        payment = await room.payments.find_payment(order_id=sale.id)
        if payment is None:
            return rules.NotOpened(order.attempt, refused(refusal)), None
    except (MethodNotAvailable, GivenUp, Invalid) as refusal:
        return rules.NotOpened(order.attempt, refused(refusal)), None
    return rules.Opened(order.attempt, payment_fact(payment)), payment


# --- between the words of the peers and our own ---------------------------------------------------------------------


def held(reservation: Reservation, order: Progress) -> Heard:
    if reservation.status in ("confirmed", "shipped"):
        return rules.Confirmed(reservation.allocations)
    return rules.Held(reservation.expires_at, order.attempt)


def refused(refusal: ShopError) -> Refused:
    return Refused(refusal.code, refusal.status, refusal.detail, msgspec.to_builtins(dict(refusal.facts)))


def refusal_of(why: Refused) -> ShopError:
    """What the peer raised."""
    return raised(why.code, why.status, why.detail, why.facts)


def payment_fact(payment: Payment) -> PaymentFact:
    """An answer to a question of ours, numbered like the events."""
    return PaymentFact(
        payment_id=payment.id,
        method=payment.method,
        status=payment.status,
        amount=payment.amount.amount,
        captured=payment.captured.amount,
        refunded=payment.refunded.amount,
        currency=payment.amount.currency,
        failure=payment.failure,
        version=payment.version,
    )


def payment_told(event: PaymentChanged) -> PaymentFact:
    return PaymentFact(
        payment_id=event.payment_id,
        method=event.method,
        status=event.status,
        amount=event.amount.amount,
        captured=event.captured.amount,
        refunded=event.refunded.amount,
        currency=event.amount.currency,
        failure=event.failure,
        version=event.version,
    )


def work_told(event: WorkOrderChanged) -> WorkOrderFact:
    return WorkOrderFact(
        id=event.work_order_id,
        warehouse_id=event.warehouse_id,
        status=event.status,
        tracking_number=event.tracking_number,
        of=event.of,
        version=event.version,
    )


def refund_told(event: RefundChanged) -> RefundFact:
    return RefundFact(event.refund_id, event.amount.amount, event.status)


FACTS: dict[str, type[PaymentFact] | type[WorkOrderFact] | type[RefundFact]] = {
    "payment": PaymentFact,
    "work_order": WorkOrderFact,
    "refund": RefundFact,
}


def fact_of(fact: orders.Fact) -> PaymentFact | WorkOrderFact | RefundFact:
    return msgspec.convert(fact.body, FACTS[fact.kind])


Told = OrderPlaced | OrderCancelled | OrderCompleted | OrderShipped | OrderDelivered | DeliveryFailed | OrderRefunded


def event_of(sale: Sale, order: Progress, news: rules.News) -> Told:
    """What other services hear."""
    contact = sale.contact
    recipient = Recipient(name=contact.name, email=contact.email, phone=contact.phone, language=sale.language)
    match news:
        case rules.Placed():
            return OrderPlaced(
                order_id=sale.id,
                number=sale.number,
                market=sale.market,
                payment_method=order.method,
                lines=event_lines(sale),
                totals=totals_of(sale),
                allocations=[EventAllocation(a.variant_id, a.warehouse_id, a.quantity) for a in order.allocations],
                recipient=recipient,
            )
        case rules.Cancelled(refund=refund, was_placed=was_placed):
            return OrderCancelled(
                order_id=sale.id,
                number=sale.number,
                reason=order.closing_note or order.closing,
                by=order.closing_by,
                placed=was_placed,
                refund=Money(refund, sale.currency) if refund else None,
                recipient=recipient,
            )
        case rules.Completed():
            return OrderCompleted(order_id=sale.id, number=sale.number, recipient=recipient)
        case rules.Shipped(work_order_id=work_order_id, tracking_number=tracking_number):
            return OrderShipped(
                order_id=sale.id,
                number=sale.number,
                work_order_id=work_order_id,
                tracking_number=tracking_number,
                recipient=recipient,
            )
        case rules.Delivered():
            return OrderDelivered(order_id=sale.id, number=sale.number, recipient=recipient)
        case rules.NotDelivered(work_order_id=work_order_id):
            return DeliveryFailed(
                order_id=sale.id, number=sale.number, recipient=recipient, work_order_id=work_order_id
            )
        case rules.Refunded(refund_id=refund_id, amount=amount):
            return OrderRefunded(
                order_id=sale.id,
                number=sale.number,
                amount=Money(amount, sale.currency),
                recipient=recipient,
                refund_id=refund_id,
            )
