"""What a cart costs, and what stands in its way, right now. Nothing of it is stored with the cart.

What the peers say may be a moment old while somebody only looks at a cart or changes it; who orders gets it fresh, and
hears of it when something costs otherwise than he saw. Whether there is enough is then for the reservation to say.
"""

import asyncio
from uuid import UUID

from msgspec import Struct

from sampan.kernel.money import Money, zero
from sampan.services.catalog.contract import VariantSnapshot
from sampan.services.orders.contract import Problem
from sampan.services.orders.room import Room
from sampan.services.orders.rules import cart as rules
from sampan.services.orders.rules.cart import Basket
from sampan.services.orders.rules.totals import check_adds_up
from sampan.services.pricing.contract import NotPriced, NotTaxed, Quote, QuoteItem, QuoteLine
from sampan.services.shipping.contract import Destination, Option


class Offer(Struct, frozen=True):
    """The answers of the peers about a basket. `option` is the chosen way to deliver, if it is still offered."""

    snapshots: dict[UUID, VariantSnapshot]
    available: dict[UUID, int]
    quote: Quote | None
    option: Option | None

    @property
    def priced(self) -> dict[UUID, QuoteLine]:
        return {line.variant_id: line for line in self.quote.lines} if self.quote else {}


NOTHING = Offer({}, {}, None, None)


async def offer_for(room: Room, basket: Basket, *, language: str, stock: bool = True, ordering: bool = False) -> Offer:
    """Ask catalog, inventory and pricing at the same time, then shipping.

    Pricing is asked with what delivery cost when it was shown last, and again only if it costs something else now.
    Without `stock`, and for who orders, inventory is not asked.
    """
    if not basket.lines:
        return NOTHING
    variants = [line.variant_id for line in basket.lines]
    seen = None if basket.shipping_seen is None else Money(basket.shipping_seen, basket.currency)
    known, stocked, quote = await asyncio.gather(
        room.fresh_snapshots(variants) if ordering else room.snapshots.find(variants),
        room.stock.find(variants if stock and not ordering else ()),
        quote_for(room, basket, seen, recent=not ordering),
    )
    option = None
    if basket.shipping_option_id is not None and quote is not None:
        offered = await options_for(room, basket, known, quote, language=language, recent=not ordering)
        option = next((each for each in offered if each.id == basket.shipping_option_id), None)
    price = option.price if option is not None else zero(basket.currency)
    if quote is not None and quote.totals.shipping != price:
        quote = await quote_for(room, basket, price, recent=not ordering)
    return Offer(known, {variant: each.available for variant, each in stocked.items()}, quote, option)


async def quote_for(room: Room, basket: Basket, shipping: Money | None, *, recent: bool = False) -> Quote | None:
    """What the lines that have a price cost; None when none has."""
    items = [QuoteItem(line.variant_id, line.quantity) for line in basket.lines]
    while items:
        try:
            quote = await room.pricing.quote_for(market=basket.market, items=items, shipping=shipping, recent=recent)
        except (NotPriced, NotTaxed) as refusal:
            without = {str(variant) for variant in refusal.facts.get("variants", ())}
            left = [item for item in items if str(item.variant_id) not in without]
            if len(left) == len(items):
                raise
            items = left
            continue
        check_adds_up(quote, items, basket.currency)
        return quote
    return None


async def options_for(
    room: Room,
    basket: Basket,
    snapshots: dict[UUID, VariantSnapshot],
    quote: Quote,
    *,
    language: str,
    recent: bool = False,
) -> list[Option]:
    """The ways to deliver the basket to its address; none without an address."""
    address = basket.shipping_address
    if address is None:
        return []
    return await room.shipping.options_for(
        to=Destination(basket.market, address.province_code, address.ward_code),
        grams=grams_of(basket, snapshots),
        value=quote.totals.items - quote.totals.discount,
        language=language,
        recent=recent,
    )


def grams_of(basket: Basket, snapshots: dict[UUID, VariantSnapshot]) -> int:
    return sum(
        snapshots[line.variant_id].grams * line.quantity for line in basket.lines if line.variant_id in snapshots
    )


def problems_of(basket: Basket, offer: Offer) -> tuple[dict[UUID, list[str]], list[str]]:
    """The message keys of what stands against each line (by line id), and against the whole."""
    priced = offer.priced
    by_line = {
        line.id: rules.line_problems(
            line,
            snapshot=offer.snapshots.get(line.variant_id),
            priced=priced.get(line.variant_id),
            available=offer.available.get(line.variant_id, 0),
        )
        for line in basket.lines
    }
    return by_line, rules.cart_problems(basket, option_offered=offer.option is not None)


def all_problems(basket: Basket, offer: Offer) -> list[Problem]:
    """The same in one list."""
    by_line, whole = problems_of(basket, offer)
    found = [Problem(code, line_id=line_id) for line_id, codes in by_line.items() for code in codes]
    return [*(Problem(code) for code in whole), *found]
