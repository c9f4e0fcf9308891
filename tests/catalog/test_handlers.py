"""What catalog learns from pricing and inventory; each event may come twice, and late."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from sampan.kernel.context import SYSTEM
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.catalog.contract import Offer, OffersChanged, ProductChanged
from sampan.services.catalog.handlers import on_availability_changed, on_prices
from sampan.services.catalog.rules import Draft
from sampan.services.catalog.store.products import lock_some
from sampan.services.inventory.contract import Availability, AvailabilityChanged, Delivery
from sampan.services.pricing.contract import NewPrice, Price, PricesChanged, PricesWithdrawn

HANDLERS: dict[type[Any], Any] = {
    PricesChanged: on_prices,
    PricesWithdrawn: on_prices,
    AvailabilityChanged: on_availability_changed,
}
News = Callable[..., Any]


async def tell(shop: Any, *events: Any) -> None:
    for event in events:
        async with shop.db("catalog").begin() as tx:
            await HANDLERS[type(event)](shop.actions("catalog"), tx, [event])


async def tell_at_once(shop: Any, *events: Any) -> None:
    async with shop.db("catalog").begin() as tx:
        await HANDLERS[type(events[0])](shop.actions("catalog"), tx, list(events))


def priced(variant: UUID, amount: int, *, market: str = "VN", before: int | None = None) -> PricesChanged:
    currency = "VND" if market == "VN" else "USD"
    compare_at = Money(before, currency) if before else None
    return PricesChanged(prices=[Price(variant, market, Money(amount, currency), compare_at, "base")])


def stocked(variant: UUID, available: int, version: int) -> AvailabilityChanged:
    return AvailabilityChanged(items=[Availability(variant, available, version)])


@pytest.fixture
async def product(catalog: Any, draft: Callable[..., Draft]) -> Any:
    return await catalog.create_product(draft=draft())


async def shown(catalog: Any, product: Any) -> Any:
    """The first variant as readers see it."""
    return (await catalog.find_product(key=str(product.id))).variants[0]


async def test_a_price_is_shown_and_told_once(catalog: Any, shop: Any, product: Any, news: News) -> None:
    variant, told = product.document.variants[0].id, await news()
    event = priced(variant, 90_000, before=120_000)
    await tell(shop, event, event)
    assert (await shown(catalog, product)).offers == [Offer("VN", Money(90_000, "VND"), Money(120_000, "VND"))]
    [[changed]] = [event.offers for event in await told(OffersChanged)]
    assert (changed.product_id, changed.version, changed.slugs) == (product.id, 1, product.document.slugs)
    assert changed.variants == (await catalog.find_product(key=product.slug)).variants


async def test_the_last_price_within_an_event_counts(catalog: Any, shop: Any, product: Any) -> None:
    variant = product.document.variants[0].id
    first, last = priced(variant, 90_000).prices[0], priced(variant, 80_000).prices[0]
    await tell(shop, PricesChanged(prices=[first, last]))
    assert (await shown(catalog, product)).offers[0].price == Money(80_000, "VND")


async def test_each_market_has_its_own_price(catalog: Any, shop: Any, product: Any) -> None:
    variant = product.document.variants[0].id
    await tell(shop, priced(variant, 90_000), priced(variant, 500, market="INTL"))
    await tell(shop, PricesWithdrawn(market="VN", variants=[variant]))
    assert [(offer.market, offer.price) for offer in (await shown(catalog, product)).offers] == [
        ("INTL", Money(500, "USD"))
    ]


async def test_a_price_that_is_gone_is_told_once(catalog: Any, shop: Any, product: Any, news: News) -> None:
    variant = product.document.variants[0].id
    await tell(shop, priced(variant, 90_000))
    told, gone = await news(), PricesWithdrawn(market="VN", variants=[variant])
    await tell(shop, gone, gone)
    assert (await shown(catalog, product)).offers == []
    assert len(await told(OffersChanged)) == 1


async def test_the_highest_version_of_an_availability_counts(catalog: Any, shop: Any, product: Any, news: News) -> None:
    variant, told = product.document.variants[0].id, await news()
    await tell(shop, stocked(variant, 5, 2), stocked(variant, 5, 2), stocked(variant, 9, 1))
    assert (await shown(catalog, product)).available == 5
    await tell(shop, stocked(variant, 3, 4), stocked(variant, 4, 3))
    assert (await shown(catalog, product)).available == 3
    assert [event.offers[0].variants[0].available for event in await told(OffersChanged)] == [5, 3]


async def test_within_an_event_too_the_highest_version_counts(catalog: Any, shop: Any, product: Any) -> None:
    variant = product.document.variants[0].id
    items = [Availability(variant, 3, 8), Availability(variant, 4, 7)]
    await tell(shop, AvailabilityChanged(items=items))
    assert (await shown(catalog, product)).available == 3


async def test_the_same_number_again_is_no_news(shop: Any, product: Any, news: News) -> None:
    variant, told = product.document.variants[0].id, await news()
    await tell(shop, stocked(variant, 0, 1))
    assert await told(OffersChanged) == []
    await tell(shop, stocked(variant, 5, 2), stocked(variant, 5, 3))
    assert len(await told(OffersChanged)) == 1


async def test_of_one_batch_the_last_word_counts_and_is_told_once(
    catalog: Any, shop: Any, draft: Callable[..., Draft], news: News
) -> None:
    made = [await catalog.create_product(draft=draft()) for _ in range(3)]
    variants, told = [each.document.variants[0].id for each in made], await news()
    prices = [
        priced(variants[0], 90_000),
        PricesWithdrawn(market="VN", variants=variants[:2]),
        priced(variants[1], 70_000),
        priced(variants[2], 60_000),
        priced(variants[2], 50_000),
    ]
    stock = [stocked(variants[0], 5, 2), stocked(variants[1], 4, 1), stocked(variants[0], 9, 1)]
    for batch in (prices, prices, stock, stock, list(reversed(stock))):
        await tell_at_once(shop, *batch)
    now = [await shown(catalog, each) for each in made]
    assert [[offer.price.amount for offer in variant.offers] for variant in now] == [[], [70_000], [50_000]]
    assert [variant.available for variant in now] == [5, 4, 0]
    events = await told(OffersChanged)
    assert [sorted(o.product_id for o in event.offers) for event in events] == [
        [made[1].id, made[2].id],
        [made[0].id, made[1].id],
    ]


async def test_news_of_many_products_come_in_slices(
    catalog: Any, shop: Any, draft: Callable[..., Draft], news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [await catalog.create_product(draft=draft()) for _ in range(5)]
    told = await news()
    monkeypatch.setattr("sampan.services.catalog.handlers.SLICE", 2)
    await tell_at_once(shop, *(priced(each.document.variants[0].id, 90_000) for each in made))
    assert [len(event.offers) for event in await told(OffersChanged)] == [2, 2, 1]


async def test_what_is_not_published_is_not_told_until_it_is(
    catalog: Any, shop: Any, draft: Callable[..., Draft], news: News
) -> None:
    made = await catalog.create_product(draft=draft(status="draft"))
    variant, told = made.document.variants[0].id, await news()
    await tell(shop, priced(variant, 90_000), stocked(variant, 5, 1))
    assert await told(OffersChanged) == []
    await catalog.change_product(product_id=made.id, draft=replace(made.draft, status="published"), version=1)
    [event] = await told(ProductChanged)
    assert (event.product.variants[0].available, event.product.variants[0].offers[0].price.amount) == (5, 90_000)


async def test_what_is_told_of_unknown_variants_and_of_none_is_no_news(shop: Any, news: News) -> None:
    told = await news()
    await tell(
        shop,
        priced(uuid7(), 90_000),
        stocked(uuid7(), 5, 1),
        PricesWithdrawn(market="VN", variants=[uuid7()]),
        PricesChanged(prices=[]),
        PricesWithdrawn(market="VN", variants=[]),
        AvailabilityChanged(items=[]),
    )
    assert await told(OffersChanged) == []


def elsewhere(work: Any) -> asyncio.Task[Any]:
    """Work of another process: it knows nothing of the transaction that is open here."""
    return asyncio.create_task(work, context=Context())


async def test_the_last_word_about_a_product_is_true_when_price_stock_and_text_change_at_once(
    catalog: Any, shop: Any, product: Any, news: News
) -> None:
    """Whoever comes while a price is being written waits for it; the feed ends with what is so."""
    variant, told = product.document.variants[0].id, await news()
    renamed = replace(product.draft, name={"vi": "Ghế khác"})
    async with shop.db("catalog").begin() as tx:
        await on_prices(catalog, tx, [priced(variant, 90_000)])
        others = [
            elsewhere(tell(shop, stocked(variant, 5, 1))),
            elsewhere(catalog.change_product(product_id=product.id, draft=renamed, version=1)),
        ]
        await asyncio.sleep(0.2)
        assert not any(other.done() for other in others)
    await asyncio.gather(*others)
    now = (await catalog.find_product(key=product.slug)).variants
    assert (now[0].available, now[0].offers[0].price.amount) == (5, 90_000)
    last = (await told(ProductChanged, OffersChanged))[-1]
    assert (last.offers[0] if isinstance(last, OffersChanged) else last.product).variants == now


async def test_a_price_waits_for_a_product_that_is_being_written(catalog: Any, shop: Any, product: Any) -> None:
    variant = product.document.variants[0].id
    async with shop.db("catalog").begin() as tx:
        await lock_some(tx)
        other = elsewhere(tell(shop, priced(variant, 90_000)))
        await asyncio.sleep(0.1)
        assert not other.done()
    await other
    assert (await shown(catalog, product)).offers[0].price.amount == 90_000


async def test_what_pricing_and_inventory_really_say_arrives(catalog: Any, shop: Any, product: Any) -> None:
    """The whole way, through the feeds."""
    variant = product.document.variants[0].id
    await shop.actions("pricing").set_prices(actor=SYSTEM, prices=[NewPrice(variant, "VN", 90_000, 120_000)])
    house = await shop.actions("inventory").add_warehouse(
        code=f"W{uuid7().hex[-8:].upper()}",
        name="Kho thử",
        province_code="79",
        ward_code="27004",
        street="Số 1",
        priority=5,
        provinces=[],
    )
    items = [Delivery(variant, house.id, 7)]
    await shop.actions("inventory").stock_up(cause=f"catalog test {variant}", items=items)
    await shop.settle()
    found = await shown(catalog, product)
    assert (found.available, found.offers) == (7, [Offer("VN", Money(90_000, "VND"), Money(120_000, "VND"))])
