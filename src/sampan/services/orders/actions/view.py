"""How carts and orders look to those who asked for them, in their language."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from sampan.kernel.catalogue import Texts
from sampan.kernel.context import Actor
from sampan.kernel.money import Money, format_money, zero
from sampan.services.catalog.contract import VariantSnapshot
from sampan.services.orders.contract import (
    Cart,
    CartLine,
    NextAction,
    Order,
    OrderLine,
    OrderPayment,
    Problem,
    TimelineEntry,
)
from sampan.services.orders.offer import Offer, problems_of
from sampan.services.orders.rules import cart as cart_rules
from sampan.services.orders.rules import order as rules
from sampan.services.orders.rules.cart import Basket, Line, name_in
from sampan.services.orders.rules.order import Progress
from sampan.services.orders.rules.sale import Sale, SaleLine, totals_of
from sampan.services.orders.rules.totals import nothing
from sampan.services.orders.store.orders import Seen, Told
from sampan.services.payments.contract import Payment
from sampan.services.pricing.contract import QuoteLine
from sampan.services.shipping.contract import Shipment

# --- carts ----------------------------------------------------------------------------------------------------------


def cart_for(basket: Basket, offer: Offer, texts: Texts, *, language: str, token: str | None = None) -> Cart:
    """A cart with what it costs and lacks right now."""
    by_line, whole = problems_of(basket, offer)
    priced = offer.priced
    return Cart(
        id=basket.id,
        market=basket.market,
        currency=basket.currency,
        lines=[
            cart_line_for(
                line,
                by_line[line.id],
                snapshot=offer.snapshots.get(line.variant_id),
                priced=priced.get(line.variant_id),
                available=offer.available.get(line.variant_id, 0),
                currency=basket.currency,
                texts=texts,
                language=language,
            )
            for line in basket.lines
        ],
        contact=basket.contact,
        shipping_address=basket.shipping_address,
        shipping_option=offer.option,
        coupons=[],
        totals=offer.quote.totals if offer.quote else nothing(basket.currency),
        problems=[Problem(code, texts(f"problem.{code}")) for code in whole],
        expires_at=basket.expires_at,
        order_id=basket.order_id,
        token=token,
    )


def cart_line_for(
    line: Line,
    codes: Sequence[str],
    *,
    snapshot: VariantSnapshot | None,
    priced: QuoteLine | None,
    available: int,
    currency: str,
    texts: Texts,
    language: str,
) -> CartLine:
    seen = Money(line.unit_seen or 0, currency)
    unit = priced.unit if priced else seen
    most = min(snapshot.max_quantity, cart_rules.MOST_OF_ONE) if snapshot else 0
    facts: dict[str, Any] = {
        "before": format_money(seen, language),
        "now": format_money(unit, language),
        "available": available,
        "most": most,
    }
    return CartLine(
        id=line.id,
        variant_id=line.variant_id,
        sku=snapshot.sku if snapshot else line.sku,
        name=name_in(snapshot.name if snapshot else line.name, language),
        slug=snapshot.slug if snapshot else "",
        image=snapshot.image if snapshot else None,
        quantity=line.quantity,
        unit_price=unit,
        compare_at=priced.compare_at if priced else None,
        total=priced.total if priced else zero(currency),
        discounts=[],
        available=available,
        problems=[Problem(code, texts(f"problem.{code}", **facts), line.id) for code in codes],
        reasons=priced.reasons if priced else [],
    )


# --- orders ---------------------------------------------------------------------------------------------------------


class Glance(Struct, frozen=True):
    """Everything about an order that its view is made of."""

    sale: Sale
    seen: Seen
    shipments: list[Shipment]


def order_for(glance: Glance, texts: Texts, *, actor: Actor, language: str, token: str | None = None) -> Order:
    """An order as the asker may see it: notes are for staff only."""
    sale, seen = glance.sale, glance.seen
    staff = actor.may("orders.read")
    return Order(
        id=sale.id,
        number=sale.number,
        status=seen.status,
        payment_status=seen.payment_status,
        payment_method=seen.method,
        fulfillment_status=seen.fulfillment_status,
        created_at=sale.made_at,
        placed_at=seen.placed_at,
        lines=[order_line_for(line, sale.currency, language) for line in sale.lines],
        totals=totals_of(sale),
        contact=sale.contact,
        shipping_address=sale.shipping_address,
        shipping_option=sale.shipping_option,
        shipments=glance.shipments,
        timeline=[
            TimelineEntry(entry.at, entry.code, told(entry, texts, language))
            for entry in seen.timeline
            if staff or not entry.private
        ],
        actions=actions_for(seen, actor, seen.now),
        market=sale.market,
        token=token,
    )


def order_line_for(line: SaleLine, currency: str, language: str) -> OrderLine:
    return OrderLine(
        id=line.id,
        variant_id=line.variant_id,
        sku=line.sku,
        name=name_in(line.name, language),
        slug=line.slug,
        image=line.image,
        quantity=line.quantity,
        unit_price=Money(line.unit, currency),
        total=Money(line.total, currency),
        tax=Money(line.tax, currency),
        tax_rate=line.tax_rate,
        refunded=line.refunded,
        discount=Money(line.discount, currency),
        reasons=line.reasons,
    )


def told(entry: Told, texts: Texts, language: str) -> str:
    """An entry of the timeline in words."""
    facts = dict(entry.facts)
    key = f"timeline.{entry.code}"
    if "amount" in facts:
        facts["amount"] = format_money(Money(facts["amount"], facts["currency"]), language)
    if entry.code.startswith("payment_"):
        method = f"method.{facts.get('method')}"
        facts["method"] = texts(method) if method in texts else facts.get("method", "")
    if entry.code == "cancelled":
        reason = f"reason.{facts.get('reason')}"
        facts["why"] = facts.get("note") or (texts(reason) if reason in texts else facts.get("reason", ""))
    if entry.code == "shipped" and facts.get("tracking_number"):
        key = "timeline.shipped_tracked"
    return texts(key, **facts)


def actions_for(order: Progress, actor: Actor, now: datetime) -> list[str]:
    """What the asker can do with the order now."""
    found = []
    if rules.is_cancellable(order) and (actor.kind != "staff" or actor.may("orders.write")):
        found.append("cancel")
    if actor.kind == "staff":
        if rules.is_confirmable(order) and actor.may("orders.write"):
            found.append("confirm")
        if rules.captured(order) > rules.refunded(order) and actor.may("payments.refund"):
            found.append("refund")
        if actor.may("orders.write"):
            found.append("note")
        return found
    if not rules.why_not_payable(order, now):
        found.append("pay")
    if order.status != "pending":
        found.append("reorder")
    return found


def payment_for(payment: Payment | None, order_id: UUID) -> OrderPayment:
    """The payment as the payer sees it; without one, it is about to begin."""
    if payment is None:
        return OrderPayment(id=order_id, status="pending", action=NextAction("none"))
    action = payment.action
    return OrderPayment(
        id=payment.id,
        status=payment.status,
        action=NextAction(kind=action.kind, url=action.url, qr=action.qr, expires_at=action.expires_at),
        failure=payment.failure,
    )
