"""What an order costs, and what of it goes back.

The parts of a price always add up to its total. What is refunded for some pieces of a line is their exact
share of what was paid for the line, so that the refunds of all pieces together are what was paid for all of
them, to the last đồng.
"""

from uuid import UUID

from msgspec import Struct

from sampan.kernel.money import Money, total_of, zero
from sampan.services.orders.contract import BrokenQuote, NotRefundable, RefundLine
from sampan.services.pricing.contract import Quote, QuoteItem, Totals


def nothing(currency: str) -> Totals:
    """What an empty basket costs."""
    none = zero(currency)
    return Totals(items=none, discount=none, shipping=none, tax=none, total=none)


def check_adds_up(quote: Quote, items: list[QuoteItem], currency: str) -> None:
    """Nothing is sold at a price whose parts do not add up, or for another basket or currency than was asked.

    A line is unit × quantity − discount; the total is items − discount + shipping, with tax on top where
    shown prices do not include it; no part is negative.
    """
    totals = quote.totals
    if [(line.variant_id, line.quantity) for line in quote.lines] != [(i.variant_id, i.quantity) for i in items]:
        raise BrokenQuote("the price is for other goods than those asked")
    parts = [totals.items, totals.discount, totals.shipping, totals.tax, totals.total, quote.shipping_tax]
    for line in quote.lines:
        parts += [line.unit, line.discount, line.total, line.tax]
        if line.total != line.unit * line.quantity - line.discount:
            raise BrokenQuote("a line does not add up")
    if any(part.currency != currency or part.amount < 0 for part in parts):
        raise BrokenQuote("a part is negative or in another currency")
    bought = total_of((line.total for line in quote.lines), currency)
    taxed = total_of((line.tax for line in quote.lines), currency) + quote.shipping_tax
    plain = totals.items - totals.discount + totals.shipping
    if bought != totals.items - totals.discount or taxed != totals.tax:
        raise BrokenQuote("the lines do not add up to the total")
    if totals.total not in (plain, plain + totals.tax):
        raise BrokenQuote("the parts do not add up to the total")


def is_tax_on_top(totals: Totals) -> bool:
    """Whether tax was charged on top of the shown prices (and not found inside them)."""
    return totals.total != totals.items - totals.discount + totals.shipping


def share_for(whole: int, pieces: int, first: int) -> int:
    """What the first so many of equal pieces cost together: what does not divide evenly goes to the first
    ones.
    """
    each, rest = divmod(whole, pieces)
    return each * first + min(rest, first)


class Bought(Struct, frozen=True):
    """A line of an order as refunds see it: `paid` for all its pieces, of which `refunded` went back
    before.
    """

    id: UUID
    quantity: int
    paid: int
    refunded: int


def refund_for(
    lines: list[Bought],
    wanted: list[RefundLine],
    *,
    shipping_paid: int,
    shipping_refunded: int,
    shipping: bool | Money,
    currency: str,
    refundable: int,
) -> tuple[dict[UUID, int], int]:
    """A refund is the exact share of what was paid for these pieces, and never more than is left of anything.

    Nobody gets back more pieces than were bought, more shipping than was paid, or more than was captured. The
    answer is the amount of each line and of shipping.
    """
    asked: dict[UUID, int] = {}
    for want in wanted:
        asked[want.line_id] = asked.get(want.line_id, 0) + want.quantity
    known = {line.id: line for line in lines}
    amounts = {}
    for line_id, quantity in asked.items():
        line = known.get(line_id)
        if line is None:
            raise NotRefundable("the order has no such line", reason="unknown_line", line_id=str(line_id))
        after = line.refunded + quantity
        if quantity < 1 or after > line.quantity:
            left = line.quantity - line.refunded
            raise NotRefundable("more pieces than are left", reason="too_many", line_id=str(line_id), left=left)
        share = share_for(line.paid, line.quantity, after) - share_for(line.paid, line.quantity, line.refunded)
        amounts[line_id] = share
    sent = _shipping_for(shipping, shipping_paid - shipping_refunded, currency)
    total = sum(amounts.values()) + sent
    if total == 0:
        raise NotRefundable("this would refund nothing", reason="nothing")
    if total > refundable:
        raise NotRefundable("more than is left of what was paid", reason="too_much", left=refundable)
    return amounts, sent


def _shipping_for(shipping: bool | Money, left: int, currency: str) -> int:
    if isinstance(shipping, bool):
        return left if shipping else 0
    if shipping.currency != currency:
        raise NotRefundable("the order was paid in another currency", reason="currency")
    if not 0 <= shipping.amount <= left:
        raise NotRefundable("more shipping than is left", reason="too_much_shipping", left=left)
    return shipping.amount
