"""What was sold: a copy of everything that made up the price and the promise, which never changes again."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel.money import Money
from sampan.services.catalog.contract import Texts, VariantSnapshot
from sampan.services.orders.contract import (
    Address,
    Contact,
    EventLine,
    QuoteChanged,
    RefundLine,
)
from sampan.services.orders.rules.cart import Basket, name_in
from sampan.services.orders.rules.totals import Bought, is_tax_on_top
from sampan.services.pricing.contract import Quote, Reason, Totals
from sampan.services.shipping.contract import Delivery, Option


class SaleLine(Struct, frozen=True):
    """A line with its price at the moment of the order, in minor units; `refunded` pieces of it went back."""

    id: UUID
    variant_id: UUID
    sku: str
    slug: str
    name: Texts
    image: str | None
    quantity: int
    unit: int
    discount: int
    total: int
    tax: int
    tax_rate: int
    reasons: list[Reason]
    refunded: int


class Sale(Struct, frozen=True):
    """An order without its progress. Amounts are minor units of `currency`; `fee` is part of `shipping`."""

    id: UUID
    number: str
    cart_id: UUID
    token_hash: bytes
    market: str
    language: str
    contact: Contact
    shipping_address: Address
    shipping_option: Option
    grams: int
    items: int
    discount: int
    shipping: int
    fee: int
    tax: int
    shipping_tax: int
    shipping_refunded: int
    total: int
    currency: str
    made_at: datetime
    lines: list[SaleLine]


def check_total(expected: Money, totals: Totals) -> None:
    """Nobody orders at another total than the one they saw. The refusal tells the new one; nothing is ordered."""
    if expected != totals.total:
        raise QuoteChanged("the total is not the one you saw", totals=msgspec.to_builtins(totals))


def sale_of(
    basket: Basket,
    *,
    order_id: UUID,
    number: str,
    token_hash: bytes,
    language: str,
    contact: Contact,
    shipping_address: Address,
    option: Option,
    snapshots: dict[UUID, VariantSnapshot],
    quote: Quote,
    fee: Money,
    line_ids: list[UUID],
) -> Sale:
    """The order that a cart becomes: its lines, prices, names and address as they are now."""
    totals = quote.totals
    lines = []
    for line_id, priced in zip(line_ids, quote.lines, strict=True):
        snapshot = snapshots[priced.variant_id]
        lines.append(
            SaleLine(
                id=line_id,
                variant_id=priced.variant_id,
                sku=snapshot.sku,
                slug=snapshot.slug,
                name=snapshot.name,
                image=snapshot.image,
                quantity=priced.quantity,
                unit=priced.unit.amount,
                discount=priced.discount.amount,
                total=priced.total.amount,
                tax=priced.tax.amount,
                tax_rate=priced.tax_rate,
                reasons=priced.reasons,
                refunded=0,
            )
        )
    return Sale(
        id=order_id,
        number=number,
        cart_id=basket.id,
        token_hash=token_hash,
        market=basket.market,
        language=language,
        contact=contact,
        shipping_address=shipping_address,
        shipping_option=option,
        grams=sum(snapshots[line.variant_id].grams * line.quantity for line in quote.lines),
        items=totals.items.amount,
        discount=totals.discount.amount,
        shipping=totals.shipping.amount,
        fee=fee.amount,
        tax=totals.tax.amount,
        shipping_tax=quote.shipping_tax.amount,
        shipping_refunded=0,
        total=totals.total.amount,
        currency=basket.currency,
        made_at=basket.read_at,
        lines=lines,
    )


def totals_of(sale: Sale) -> Totals:
    """What the order costs."""
    return Totals(
        items=Money(sale.items, sale.currency),
        discount=Money(sale.discount, sale.currency),
        shipping=Money(sale.shipping, sale.currency),
        tax=Money(sale.tax, sale.currency),
        total=Money(sale.total, sale.currency),
    )


def value_of(sale: Sale) -> Money:
    """What the goods are worth: for the carrier and its insurance."""
    return Money(sale.items - sale.discount, sale.currency)


def delivery_of(sale: Sale) -> Delivery:
    """To whom and where, as carriers need it."""
    address = sale.shipping_address
    return Delivery(
        name=address.name,
        phone=address.phone,
        market=sale.market,
        province_code=address.province_code,
        ward_code=address.ward_code,
        province=address.province,
        ward=address.ward,
        street=address.street,
        note=address.note or "",
        version=address.version,
    )


def bought(sale: Sale, lines: list[SaleLine]) -> list[Bought]:
    """What was paid for each line: with its tax, where tax is charged on top."""
    on_top = is_tax_on_top(totals_of(sale))
    return [Bought(line.id, line.quantity, line.total + (line.tax if on_top else 0), line.refunded) for line in lines]


def shipping_paid(sale: Sale) -> int:
    """What was paid for shipping: with its tax, where tax is charged on top."""
    return sale.shipping + (sale.shipping_tax if is_tax_on_top(totals_of(sale)) else 0)


def event_lines(sale: Sale) -> list[EventLine]:
    """The lines as other services hear of them, in the customer's language."""
    return [
        EventLine(
            line_id=line.id,
            variant_id=line.variant_id,
            sku=line.sku,
            name=name_in(line.name, sale.language),
            quantity=line.quantity,
            total=Money(line.total, sale.currency),
        )
        for line in sale.lines
    ]


def merged(lines: list[RefundLine]) -> list[RefundLine]:
    """The same line asked for twice adds up."""
    sums: dict[UUID, int] = {}
    for line in lines:
        sums[line.line_id] = sums.get(line.line_id, 0) + line.quantity
    return [RefundLine(line_id, quantity) for line_id, quantity in sums.items()]
