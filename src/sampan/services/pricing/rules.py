"""What a price is, and how a quote adds up.

A variant may have several prices at once: its base price, prices in lists for a season or a campaign, prices with
dates. One of them counts, always the same one. A quote multiplies, adds, finds the tax, and says why.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.errors import Conflict, invalid
from sampan.kernel.money import Money, allocate, net_of, percent, total_of, zero
from sampan.services.pricing.contract import NewPrice, Price, Quote, QuoteItem, QuoteLine, Reason, Totals

MOST_PIECES = 999  # of one line
SINCE_EVER = datetime.min.replace(tzinfo=UTC)
FOR_EVER = datetime.max.replace(tzinfo=UTC)


class Candidate(Struct, frozen=True):
    """A price that is valid now, with what decides between several. Amounts in minor units, None: since ever."""

    list: str
    type: str  # base, sale, override
    priority: int
    starts_at: datetime | None
    valid_from: datetime | None
    amount: int
    compare_at: int | None


class Taxed(Struct, frozen=True):
    """How something is taxed today: `taxed` at so many basis points, `zero` rated, or `exempt`."""

    treatment: str
    basis_points: int

    @property
    def code(self) -> str:
        """As reasons name it: `vat:800`, `vat:0`, `vat:exempt`."""
        return "vat:exempt" if self.treatment == "exempt" else f"vat:{self.basis_points}"


class Priced(Struct, frozen=True):
    """A variant with its valid prices and its tax, as far as there are any."""

    variant_id: UUID
    candidates: list[Candidate]
    tax: Taxed | None


# --- which price counts ---------------------------------------------------------------------------------------------


def winner_of(candidates: Sequence[Candidate]) -> Candidate | None:
    """The price in the list with the highest priority counts; of equals the one that began last.

    A price begins when both its own window and its list's have begun. If even that is equal, the list whose code
    comes first in the alphabet wins, so the answer never depends on chance.
    """
    in_order = sorted(candidates, key=lambda price: price.list)
    return max(in_order, key=precedence_of, default=None)


def precedence_of(price: Candidate) -> tuple[int, datetime, datetime]:
    """The priority of the price's list, then when the price began, then when its own window did."""
    own = price.valid_from or SINCE_EVER
    return price.priority, max(price.starts_at or SINCE_EVER, own), own


def regular_of(candidates: Sequence[Candidate]) -> Candidate | None:
    """The regular price is the one that would count if there were no sales."""
    return winner_of([price for price in candidates if price.type != "sale"])


def compare_at_for(candidates: Sequence[Candidate]) -> int | None:
    """Beside a price stands what it is compared with: what the merchant wrote, or in a sale the regular price.

    A regular price that is not higher is never shown: nothing pretends to be a bargain.
    """
    won = winner_of(candidates)
    if won is None:
        return None
    if won.compare_at is not None or won.type != "sale":
        return won.compare_at
    regular = regular_of(candidates)
    return regular.amount if regular is not None and regular.amount > won.amount else None


def price_for(priced: Priced, *, market: str, currency: str) -> Price | None:
    """The price of one unit, or None when the variant has none."""
    won = winner_of(priced.candidates)
    if won is None:
        return None
    compare_at = compare_at_for(priced.candidates)
    return Price(
        variant_id=priced.variant_id,
        market=market,
        unit=Money(won.amount, currency),
        compare_at=None if compare_at is None else Money(compare_at, currency),
        list=won.list,
    )


# --- what may be set ------------------------------------------------------------------------------------------------


def check_prices(prices: Sequence[NewPrice]) -> None:
    """A price ends after it begins, is lower than what it is compared with, and is set once at a time."""
    for at, price in enumerate(prices):
        check_moment(f"prices.{at}.valid_from", price.valid_from)
        check_moment(f"prices.{at}.valid_to", price.valid_to)
        if price.valid_from and price.valid_to and price.valid_from >= price.valid_to:
            raise invalid(f"prices.{at}.valid_to", "range", "a price ends after it begins")
        if price.compare_at is not None and (price.amount is None or price.compare_at <= price.amount):
            raise invalid(f"prices.{at}.compare_at", "range", "a price is lower than what it is compared with")
    seen = Counter((price.variant_id, price.market, price.list, price.valid_from) for price in prices)
    for at, price in enumerate(prices):
        if seen[price.variant_id, price.market, price.list, price.valid_from] > 1:
            raise invalid(f"prices.{at}", "twice", "the same price is set twice in one batch")


def check_moment(field: str, at: datetime | None) -> None:
    """An open end is said with null, and not with the first or the last moment that can be written."""
    if at is not None and not SINCE_EVER < at < FOR_EVER:
        raise invalid(field, "range", "an open end is null, not the first or last moment there is")


def check_list_window(starts_at: datetime | None, ends_at: datetime | None) -> None:
    """A price list ends after it starts."""
    check_moment("starts_at", starts_at)
    check_moment("ends_at", ends_at)
    if starts_at and ends_at and starts_at >= ends_at:
        raise invalid("ends_at", "range", "a price list ends after it starts")


def check_not_base(code: str) -> None:
    """The base list is always there: it has no dates and the lowest priority, and cannot be switched off."""
    if code == "base":
        raise Conflict("the base list cannot be changed")


def check_tax_rate(treatment: str, basis_points: int, first: date, last: date | None) -> None:
    """A taxed class has a rate above zero, a zero-rated or exempt one has none; a rate ends after it begins."""
    if (treatment == "taxed") != (basis_points > 0):
        raise invalid("basis_points", "range", "exactly the taxed classes have a rate above zero")
    if last is not None and last < first:
        raise invalid("effective_to", "range", "a rate does not end before it begins")


# --- quotes ---------------------------------------------------------------------------------------------------------


def check_basket(items: Sequence[QuoteItem], shipping: Money | None, currency: str) -> None:
    """Quantities are 1 to 999 a line; shipping is not negative and in the market's currency."""
    for at, item in enumerate(items):
        if not 1 <= item.quantity <= MOST_PIECES:
            raise invalid(f"items.{at}.quantity", "range", f"a quantity is 1 to {MOST_PIECES}")
    if shipping is not None and shipping < zero(currency):
        raise invalid("shipping", "range", "shipping is not negative")


def taxes_for(amounts: Sequence[int], rates: Sequence[int], *, included: bool) -> list[int]:
    """Tax is found once for all amounts of one rate and then shared out, so that lines, order and invoice agree.

    The shares follow the amounts by the largest remainder: each is within one unit of the line's own rounding, and
    together they are exactly the rounded tax of the whole. `included`: the tax is inside the amounts, else on top.
    """
    taxes = [0] * len(amounts)
    for rate in set(rates):
        places = [at for at, each in enumerate(rates) if each == rate]
        parts = [amounts[at] for at in places]
        tax = net_of(sum(parts), rate)[1] if included else percent(sum(parts), rate)
        for at, share in zip(places, allocate(tax, parts), strict=True):
            taxes[at] = share
    return taxes


def reasons_for(priced: Priced, quantity: int, tax: int, taxed: Taxed, currency: str) -> list[Reason]:
    """An amount is explained step by step: the base price, what a list made of it, what a sale made of that.

    The steps add up to the line's total; the tax is named last, with its amount.
    """
    base = winner_of([price for price in priced.candidates if price.type == "base"])
    reasons, reached, last = [], 0, None
    for step in (base, regular_of(priced.candidates), winner_of(priced.candidates)):
        if step is None or step == last:
            continue
        code = "base" if step.type == "base" else f"list:{step.list}"
        reasons.append(Reason(code, Money((step.amount - reached) * quantity, currency)))
        reached, last = step.amount, step
    return [*reasons, Reason(taxed.code, Money(tax, currency))]


def quote_of(
    *,
    market: str,
    currency: str,
    prices_include_tax: bool,
    at: datetime,
    lines: Sequence[tuple[Priced, int]],
    shipping: Money | None,
    shipping_taxed: Taxed,
) -> Quote:
    """A basket costs the sum of its lines and of shipping, and tax on top where shown prices leave it out.

    Every line must have a price and a tax.
    """
    units = []
    for priced, _ in lines:
        unit = price_for(priced, market=market, currency=currency)
        if unit is None or priced.tax is None:
            raise ValueError("a line without a price or a tax")
        units.append((unit, priced.tax))
    nothing = zero(currency)
    freight = nothing if shipping is None else shipping
    totals = [unit.unit * quantity for (unit, _), (_, quantity) in zip(units, lines, strict=True)]
    *taxes, shipping_tax = taxes_for(
        [*(total.amount for total in totals), freight.amount],
        [*(taxed.basis_points for _, taxed in units), shipping_taxed.basis_points],
        included=prices_include_tax,
    )
    quoted = [
        QuoteLine(
            variant_id=priced.variant_id,
            quantity=quantity,
            unit=unit.unit,
            compare_at=unit.compare_at,
            discount=nothing,
            total=total,
            tax=Money(tax, currency),
            tax_rate=taxed.basis_points,
            reasons=reasons_for(priced, quantity, tax, taxed, currency),
        )
        for (priced, quantity), (unit, taxed), total, tax in zip(lines, units, totals, taxes, strict=True)
    ]
    items = total_of(totals, currency)
    tax = Money(sum(taxes) + shipping_tax, currency)
    total = items + freight if prices_include_tax else items + freight + tax
    return Quote(
        market=market,
        lines=quoted,
        totals=Totals(items=items, discount=nothing, shipping=freight, tax=tax, total=total),
        shipping_tax=Money(shipping_tax, currency),
        at=at,
    )
