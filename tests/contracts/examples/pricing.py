"""Pricing: markets, prices, quotes."""

from uuid import uuid4

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table
from tests.orders.conftest import vnd

from sampan.kernel.context import SYSTEM
from sampan.kernel.errors import Invalid
from sampan.services.catalog.contract import VariantsTaxed
from sampan.services.pricing import handlers
from sampan.services.pricing.contract import (
    NewPrice,
    NotPriced,
    NotTaxed,
    Pricing,
    QuoteItem,
    UnknownMarket,
    UnknownPriceList,
)

table = Table(Pricing)


@table.answers("list_markets")
async def the_home_market_first(stage: Stage) -> Call:
    return Call({}, lambda found: found[0].code == "VN")


@table.answers("prices_for")
async def of_those_that_have_one(stage: Stage) -> Call:
    variant = await stage.variant(price=120_000)
    return Call(
        {"variants": [uuid4(), variant], "market": "VN"}, lambda found: [p.unit for p in found] == [vnd(120_000)]
    )


@table.refuses("prices_for", UnknownMarket)
async def in_a_market_that_is_none(stage: Stage) -> Call:
    return Call({"variants": [uuid4()], "market": "XX"}, facts={"market": "XX"})


@table.answers("quote_for", same=lambda quote: (quote.lines, quote.totals, quote.shipping_tax))
async def what_a_basket_costs(stage: Stage) -> Call:
    variant = await stage.variant(price=100_000)
    items = [QuoteItem(variant, 3)]
    return Call(
        {"market": "VN", "items": items, "shipping": vnd(20_000)}, lambda quote: quote.totals.total == vnd(320_000)
    )


@table.refuses("quote_for", UnknownMarket)
async def in_a_market_that_is_none_(stage: Stage) -> Call:
    return Call({"market": "XX", "items": [QuoteItem(uuid4(), 1)]}, facts={"market": "XX"})


@table.refuses("quote_for", NotPriced)
async def of_what_has_no_price(stage: Stage) -> Call:
    variant = uuid4()
    return Call({"market": "VN", "items": [QuoteItem(variant, 1)]}, facts={"variants": [variant]})


@table.refuses("quote_for", NotTaxed)
async def of_what_has_no_tax_rate(stage: Stage) -> Call:
    variant = await stage.variant()
    async with stage.shop.databases["pricing"].begin() as tx:
        told = VariantsTaxed(variants=[variant], tax_class="unheard-of")
        await handlers.on_variants_taxed(stage.actions("pricing"), tx, told)
    return Call({"market": "VN", "items": [QuoteItem(variant, 1)]}, facts={"variants": [variant]})


@table.refuses("quote_for", Invalid)
async def with_shipping_below_nothing(stage: Stage) -> Call:
    items = [QuoteItem(await stage.variant(), 1)]
    return Call({"market": "VN", "items": items, "shipping": vnd(-1)})


@table.answers("set_prices")
async def a_price_and_another_taken_away(stage: Stage) -> Call:
    new, old = await stage.variant(price=None), await stage.variant()
    prices = [NewPrice(new, "VN", 99_000, 120_000), NewPrice(old, "VN", None)]
    return Call(
        {"actor": SYSTEM, "prices": prices},
        lambda found: [(price.variant_id, price.unit) for price in found] == [(new, vnd(99_000))],
    )


@table.refuses("set_prices", UnknownMarket)
async def in_no_market(stage: Stage) -> Call:
    return Call({"actor": SYSTEM, "prices": [NewPrice(uuid4(), "XX", 1)]}, facts={"market": "XX"})


@table.refuses("set_prices", UnknownPriceList)
async def in_no_list(stage: Stage) -> Call:
    return Call({"actor": SYSTEM, "prices": [NewPrice(uuid4(), "VN", 1, list="nowhere")]}, facts={"list": "nowhere"})


@table.refuses("set_prices", Invalid)
async def below_what_it_is_compared_with(stage: Stage) -> Call:
    return Call({"actor": SYSTEM, "prices": [NewPrice(uuid4(), "VN", 100_000, 50_000)]})
