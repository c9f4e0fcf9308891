"""Pricing, as others see it: what things cost in a market, and why."""

from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.context import Actor
from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event
from sampan.kernel.money import Money


class UnknownMarket(ShopError, code="pricing.unknown_market", status=422):
    """There is no such market; nothing falls back to another one."""


class NotPriced(ShopError, code="pricing.not_priced", status=409):
    """A variant has no price in this market; the fact `variants` lists them."""


class NotTaxed(ShopError, code="pricing.not_taxed", status=409):
    """The tax class of a variant has no rate today; the fact `variants` lists them. Nothing is guessed."""


class UnknownPriceList(ShopError, code="pricing.unknown_price_list", status=422):
    """The market has no such price list."""


class PriceListExists(ShopError, code="pricing.price_list_exists", status=409):
    """The market has a price list of this code."""


Amount = Annotated[int, Meta(ge=1, le=1_000_000_000_000)]  # minor units of the market's currency
MarketCode = Annotated[str, Meta(pattern=r"^[A-Z]{2,8}\Z")]
ListCode = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
Moment = Annotated[datetime, Meta(tz=True)]


class Market(Struct, frozen=True):
    """Where we sell: a currency, a default language, whether shown prices include tax, and the countries."""

    code: str
    currency: str
    language: str
    prices_include_tax: bool
    countries: list[str]


class Price(Struct, frozen=True):
    """The price of one unit of a variant in a market now; `list` is the price list it came from."""

    variant_id: UUID
    market: str
    unit: Money
    compare_at: Money | None
    list: str


class QuoteItem(Struct, frozen=True):
    """So many of a variant."""

    variant_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=999)]


class Reason(Struct, frozen=True):
    """One step of the explanation of an amount: a code with its amount (`base`, `list:<name>`, `vat:800`)."""

    code: str
    amount: Money


class QuoteLine(Struct, frozen=True):
    """One line: `total` = unit × quantity − discount; `tax` is inside it (or on top, as the market says)."""

    variant_id: UUID
    quantity: int
    unit: Money
    compare_at: Money | None
    discount: Money
    total: Money
    tax: Money
    tax_rate: int  # basis points
    reasons: list[Reason]


class Totals(Struct, frozen=True):
    """`total` is what is charged: items − discount + shipping, plus tax where prices do not include it."""

    items: Money
    discount: Money
    shipping: Money
    tax: Money
    total: Money


class Quote(Struct, frozen=True):
    """What a basket costs now. `lines` are in the order asked; the sum of all parts is always the total."""

    market: str
    lines: list[QuoteLine]
    totals: Totals
    shipping_tax: Money
    at: datetime


class NewPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """A price to be set: `amount` (or None, to take it away) of a variant in a list of a market, in minor units.

    Prices of the same variant, list and `valid_from` replace each other. A window includes its start, not its end.
    """

    variant_id: UUID
    market: MarketCode
    amount: Amount | None
    compare_at: Amount | None = None
    list: ListCode = "base"
    valid_from: Moment | None = None
    valid_to: Moment | None = None


def price_tag(variant_id: UUID) -> str:
    """Of what is kept of a variant's prices."""
    return f"price:{variant_id}"


class PricesChanged(Event, name="pricing.prices_changed.v1"):
    """The effective prices of these variants are now these."""

    prices: list[Price]

    def stale(self) -> list[str]:
        return [price_tag(price.variant_id) for price in self.prices]


class PricesWithdrawn(Event, name="pricing.prices_withdrawn.v1"):
    """These variants have no price in the market any more."""

    market: str
    variants: list[UUID]

    def stale(self) -> list[str]:
        return [price_tag(variant) for variant in self.variants]


class Pricing(Protocol):
    """Markets, price lists, taxes, quotes."""

    async def list_markets(self) -> list[Market]:
        """All markets."""
        ...

    async def prices_for(self, *, variants: list[UUID], market: str) -> list[Price]:
        """The prices of those variants that have one. Raises UnknownMarket."""
        ...

    async def quote_for(
        self, *, market: str, items: list[QuoteItem], shipping: Money | None = None, recent: bool = False
    ) -> Quote:
        """What `items` and shipping cost now, explained. `recent`: prices of a moment ago will do.

        Raises UnknownMarket, NotPriced.
        """
        ...

    async def set_prices(self, *, actor: Actor, prices: list[NewPrice]) -> list[Price]:
        """Set or take away prices, all or none; the effective prices of those variants after it.

        May be repeated. Raises UnknownMarket, UnknownPriceList, kernel.Invalid.
        """
        ...
