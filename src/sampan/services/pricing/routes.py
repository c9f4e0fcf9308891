"""Pricing over HTTP: markets for everybody; prices, lists and tax rates for staff."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from sampan.kernel.changes import named_in
from sampan.kernel.context import Actor
from sampan.kernel.http import Routes, public, staff
from sampan.kernel.pagination import Page, Paged
from sampan.services.pricing.actions import PricingActions
from sampan.services.pricing.contract import (
    ListCode,
    Market,
    MarketCode,
    Moment,
    NewPrice,
    Price,
    PriceListExists,
    UnknownMarket,
    UnknownPriceList,
)
from sampan.services.pricing.store import PriceChange, PriceEntry, PriceList, TaxRate

routes = Routes()

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Priority = Annotated[int, Meta(ge=1, le=1000)]
Status = Literal["draft", "active"]
TaxClass = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}\Z")]


class NewPrices(Struct, frozen=True, forbid_unknown_fields=True):
    """Prices to set, all or none."""

    prices: Annotated[list[NewPrice], Meta(min_length=1, max_length=500)]


class PricesWanted(Paged, frozen=True):
    variant_id: UUID | None = None
    market: MarketCode | None = None
    list: ListCode | None = None


class OfMarket(Paged, frozen=True):
    market: MarketCode | None = None


class NewPriceList(Struct, frozen=True, forbid_unknown_fields=True):
    """A list for a market. A higher priority wins; a `sale` shows the regular price beside its own."""

    market: MarketCode
    code: ListCode
    name: Name
    type: Literal["sale", "override"]
    priority: Priority
    status: Status = "active"
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class PriceListChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays; a window's end that is null is open."""

    name: Name | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    starts_at: Moment | UnsetType | None = UNSET
    ends_at: Moment | UnsetType | None = UNSET


class NewTaxRate(Struct, frozen=True, forbid_unknown_fields=True):
    """What the law says from a day on, to a day (included) or until something newer; `source` names the law."""

    market: MarketCode
    tax_class: TaxClass
    treatment: Literal["taxed", "zero", "exempt"]
    basis_points: Annotated[int, Meta(ge=0, le=10_000)]
    effective_from: date
    source: Annotated[str, Meta(min_length=1, max_length=500)]
    effective_to: date | None = None


@routes.get("/markets", policy=public, cached=lambda markets: ["markets"])
async def list_markets(pricing: PricingActions) -> Page[Market]:
    """Where the shop sells: currency, language, whether prices include tax."""
    return Page(items=await pricing.list_markets(), next=None)


@routes.get("/admin/prices", policy=staff("pricing.read"))
async def list_prices(pricing: PricingActions, query: PricesWanted) -> Page[PriceEntry]:
    """Prices as they were set, of a variant, a market, a list."""
    return await pricing.list_prices(
        variant_id=query.variant_id,
        market=query.market,
        price_list=query.list,
        limit=query.limit,
        cursor=query.cursor,
    )


@routes.post("/admin/prices", policy=staff("pricing.write"), errors=(UnknownMarket, UnknownPriceList))
async def set_prices(pricing: PricingActions, actor: Actor, data: NewPrices) -> Page[Price]:
    """Set up to 500 prices (`amount` null takes one away); the effective prices after it."""
    return Page(items=await pricing.set_prices(actor=actor, prices=data.prices), next=None)


@routes.get("/admin/prices/{variant_id}/history", policy=staff("pricing.read"))
async def list_changes(pricing: PricingActions, variant_id: UUID, query: OfMarket) -> Page[PriceChange]:
    """Who changed a variant's prices from what to what, newest first."""
    return await pricing.list_changes(
        variant_id=variant_id, market=query.market, limit=query.limit, cursor=query.cursor
    )


@routes.get("/admin/price-lists", policy=staff("pricing.read"))
async def list_price_lists(pricing: PricingActions, query: OfMarket) -> Page[PriceList]:
    """All price lists, by market and code."""
    return await pricing.list_price_lists(market=query.market, limit=query.limit, cursor=query.cursor)


@routes.post("/admin/price-lists", policy=staff("pricing.write"), status=201, errors=(UnknownMarket, PriceListExists))
async def add_price_list(pricing: PricingActions, data: NewPriceList) -> PriceList:
    """A new list without prices."""
    return await pricing.add_price_list(
        new=PriceList(
            data.market, data.code, data.name, data.type, data.priority, data.status, data.starts_at, data.ends_at
        )
    )


@routes.patch("/admin/price-lists/{market}/{code}", policy=staff("pricing.write"))
async def change_price_list(pricing: PricingActions, market: str, code: str, data: PriceListChange) -> PriceList:
    """Another name, priority, status or window."""
    return await pricing.change_price_list(market=market, code=code, changes=named_in(data))


@routes.get("/admin/tax-rates", policy=staff("pricing.read"))
async def list_tax_rates(pricing: PricingActions, query: OfMarket) -> Page[TaxRate]:
    """All tax rates in the order of their entry."""
    return await pricing.list_tax_rates(market=query.market, limit=query.limit, cursor=query.cursor)


@routes.post("/admin/tax-rates", policy=staff("pricing.write"), status=201, errors=(UnknownMarket,))
async def add_tax_rate(pricing: PricingActions, actor: Actor, data: NewTaxRate) -> TaxRate:
    """Enter what the law says. Of the rates that cover a day the one that began last counts, then the newest entry."""
    return await pricing.add_tax_rate(
        actor=actor,
        market=data.market,
        tax_class=data.tax_class,
        treatment=data.treatment,
        basis_points=data.basis_points,
        effective_from=data.effective_from,
        effective_to=data.effective_to,
        source=data.source,
    )
