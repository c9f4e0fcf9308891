"""Pricing, as others see it: what things cost in a market, and why."""

from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event
from sampan.kernel.money import Money


class UnknownMarket(ShopError, code="pricing.unknown_market", status=422):
    """There is no such market; nothing falls back to another one."""


class NotPriced(ShopError, code="pricing.not_priced", status=409):
    """A variant has no price in this market; the fact `variants` lists them."""


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


class PricesChanged(Event, name="pricing.prices_changed.v1"):
    """The effective prices of these variants are now these."""

    prices: list[Price]


class PricesWithdrawn(Event, name="pricing.prices_withdrawn.v1"):
    """These variants have no price in the market any more."""

    market: str
    variants: list[UUID]


class Pricing(Protocol):
    """Markets, price lists, taxes, quotes."""

    async def list_markets(self) -> list[Market]:
        """All markets."""
        ...

    async def prices_for(self, *, variants: list[UUID], market: str) -> list[Price]:
        """The prices of those variants that have one. Raises UnknownMarket."""
        ...

    async def quote_for(self, *, market: str, items: list[QuoteItem], shipping: Money | None = None) -> Quote:
        """What `items` and shipping cost now, explained. Raises UnknownMarket, NotPriced."""
        ...
