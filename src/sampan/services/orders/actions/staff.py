"""What staff do with orders: find, confirm, note, refund."""

import hashlib
import logging
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from sampan.kernel.context import Actor, check_may
from sampan.kernel.db import Tx
from sampan.kernel.errors import NotFound, ShopError
from sampan.kernel.idempotency import KeyReused
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.kernel.pagination import Page, decode_cursor, page_of
from sampan.services.orders.actions.orders import OrderActions
from sampan.services.orders.checkout import advance
from sampan.services.orders.contract import GrantedRefund, NotRefundable, Order, OrderFilter, OrderSummary, RefundLine
from sampan.services.orders.rules import order as rules
from sampan.services.orders.rules.people import clean_text
from sampan.services.orders.rules.sale import Sale, bought, merged, shipping_paid
from sampan.services.orders.rules.totals import refund_for
from sampan.services.orders.rules.words import words_of_query
from sampan.services.orders.store import orders, refunds
from sampan.services.payments.contract import RefundTooLarge, UnknownPayment

log = logging.getLogger(__name__)

BY_TIME: Final = frozenset(("newest", "oldest"))
UNANSWERED: Final = 20  # seconds after which payments is asked again for a refund
MOST: Final = 50


class StaffActions(OrderActions):
    """Orders as staff see and handle them."""

    async def list_orders(self, *, actor: Actor, which: OrderFilter) -> Page[OrderSummary]:
        """A page of orders. Raises Forbidden, and Invalid for a cursor that is not ours."""
        check_may(actor, "orders.read")
        by_time = which.sort in BY_TIME
        after: tuple[Any, ...] = ()
        if which.cursor:
            after = decode_cursor(which.cursor, datetime if by_time else int, UUID)
        async with self.room.db.read() as tx:
            rows = await orders.list_orders(tx, which, words=words_of_query(which.q), after=after)
        return page_of(rows, which.limit, lambda row: (row.created_at if by_time else row.total.amount, row.id))

    async def confirm_order(self, *, actor: Actor, order_id: UUID, language: str) -> Order:
        """Staff spoke to the customer of a cash-on-delivery order. Raises Forbidden, NotFound, NotConfirmable."""
        check_may(actor, "orders.write")
        sale = await self._sale(actor, order_id, permission="orders.write")
        await advance(self.room, sale, heard=rules.ConfirmAsked())
        return await self._order(sale, actor=actor, language=language)

    async def add_note(self, *, actor: Actor, order_id: UUID, text: str, language: str, key: str = "") -> Order:
        """A note of staff for staff, in the order's timeline. The same key, the same note.

        Raises Forbidden, NotFound, Invalid.
        """
        check_may(actor, "orders.write")
        note = clean_text("text", text, most=1000, lines=True)
        sale = await self._sale(actor, order_id, permission="orders.write")
        async with self.room.db.begin() as tx:
            await orders.tell(tx, order_id, "note", {"text": note}, by=actor.name, private=True, key=key)
        return await self._order(sale, actor=actor, language=language)

    async def refund(
        self,
        *,
        actor: Actor,
        order_id: UUID,
        key: str,
        lines: list[RefundLine],
        shipping: bool | Money,
        reason: str,
    ) -> GrantedRefund:
        """Send back what was paid for these pieces, exactly; `shipping` all that is left of it, none, or so much.

        The same key, the same refund. Raises Forbidden, NotFound, Invalid, KeyReused, NotRefundable,
        payments.RefundTooLarge, payments.UnknownPayment; then nothing is refunded.
        """
        check_may(actor, "payments.refund")
        why = clean_text("reason", reason, most=200)
        wanted = merged(lines)
        asked = hash_of(wanted, shipping, why)
        async with self.room.db.begin() as tx:
            order = await orders.lock_order(tx, order_id)
            refund = await refunds.find_refund(tx, order_id, key)
            if refund is None:
                sale = await orders.load_order(tx, actor, order_id, permission="payments.refund")
                refund = await _grant(
                    tx, actor, order, sale, key=key, wanted=wanted, shipping=shipping, why=why, asked=asked
                )
            elif is_other(refund, asked, wanted, shipping, why):
                raise KeyReused("this key was used for another refund")
        if refund.status == "asked":
            refund = await self._send(refund)
        return granted(refund, order.currency)

    async def send_refunds(self) -> None:
        """Refunds that payments has not answered are asked for again, under the same key. One holds up no other."""
        async with self.room.db.read() as tx:
            unanswered = await refunds.asked_refunds(tx, seconds=UNANSWERED, most=MOST)
        for refund in unanswered:
            try:
                await self._send(refund)
            except (RefundTooLarge, UnknownPayment):
                continue  # it was dropped
            except ShopError as failure:
                level = logging.WARNING if failure.status == 503 else logging.ERROR
                log.log(level, "a refund could not be asked for", extra={"refund": str(refund.id), "why": str(failure)})

    async def _send(self, refund: refunds.Refund) -> refunds.Refund:
        """Ask payments for a granted refund, and write down the answer; a refusal undoes the grant."""
        async with self.room.db.read() as tx:
            sale = await orders.find_sale(tx, refund.order_id)
        if sale is None:
            raise NotFound("there is no such order")
        try:
            answer = await self.room.payments.refund(
                order_id=refund.order_id,
                key=str(refund.id),
                amount=Money(refund.amount, sale.currency),
                reason=refund.reason,
            )
        except (RefundTooLarge, UnknownPayment):
            async with self.room.db.begin() as tx:
                await orders.lock_order(tx, refund.order_id)
                await refunds.drop_refund(tx, refund)
            raise
        async with self.room.db.begin() as tx:
            await orders.lock_order(tx, refund.order_id)
            return await refunds.settle_refund(tx, refund, at_payments=answer.id, status=answer.status)


async def _grant(
    tx: Tx,
    actor: Actor,
    order: rules.Progress,
    sale: Sale,
    *,
    key: str,
    wanted: list[RefundLine],
    shipping: bool | Money,
    why: str,
    asked: bytes,
) -> refunds.Refund:
    """Under the order's lock: compute the refund and take its pieces."""
    captured = rules.captured(order)
    if captured == 0:
        raise NotRefundable("nothing was paid", reason="not_paid")
    if order.status == "pending":
        raise NotRefundable("the order is not placed yet", reason="not_placed")
    left = captured - max(rules.refunded(order), await refunds.granted(tx, sale.id))
    amounts, freight = refund_for(
        bought(sale, sale.lines),
        wanted,
        shipping_paid=shipping_paid(sale),
        shipping_refunded=sale.shipping_refunded,
        shipping=shipping,
        currency=sale.currency,
        refundable=left,
    )
    amount = sum(amounts.values()) + freight
    facts = {"amount": amount, "currency": sale.currency, "reason": why}
    await orders.tell(tx, sale.id, "refund_granted", facts, by=actor.name, private=True)
    return await refunds.add_refund(
        tx,
        refund_id=uuid7(),
        order_id=sale.id,
        key=key,
        lines=wanted,
        shipping=freight,
        amount=amount,
        reason=why,
        by=actor.name,
        request_hash=asked,
    )


def hash_of(wanted: list[RefundLine], shipping: bool | Money, why: str) -> bytes:
    """Of what was asked, not of what it came to: all that is left of the shipping is less the next time.

    It is kept, so it stays the same from version to version. The order of the lines says nothing.
    """
    lines = sorted((str(line.line_id), line.quantity) for line in wanted)
    sending = shipping if isinstance(shipping, bool) else (shipping.amount, shipping.currency)
    return hashlib.sha256(msgspec.json.encode((lines, sending, why))).digest()


def is_other(refund: refunds.Refund, asked: bytes, wanted: list[RefundLine], shipping: bool | Money, why: str) -> bool:
    """Whether a refund was granted to another request than this one, whose hash is `asked`.

    A former version kept only what it came to: there, what may have come to the same counts as the same.
    """
    if refund.request_hash is not None:
        return refund.request_hash != asked
    if isinstance(shipping, Money):
        is_other_shipping = shipping.amount != refund.shipping
    else:
        is_other_shipping = not shipping and refund.shipping > 0
    return is_other_shipping or (refund.lines, refund.reason) != (wanted, why)


def granted(refund: refunds.Refund, currency: str) -> GrantedRefund:
    """A refund as staff see it."""
    return GrantedRefund(
        id=refund.id,
        order_id=refund.order_id,
        amount=Money(refund.amount, currency),
        shipping=Money(refund.shipping, currency),
        lines=refund.lines,
        status="requested" if refund.status == "asked" else refund.status,
        reason=refund.reason,
        at=refund.made_at,
    )
