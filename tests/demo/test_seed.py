"""The demo goods get into a shop whole, once, and without touching what is there."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace
from PIL import Image
from tests.conftest import Place, settings_for

from sampan.commands import without_waiting
from sampan.demo import many
from sampan.demo.album import Drawing, rasterised
from sampan.demo.goods.model import Goods, load_goods
from sampan.demo.seed import (
    NORTH,
    SOUTH,
    UNFINISHED,
    album_of,
    category_slugs,
    colours_like,
    content_of,
    definition_of,
    draft_of,
    seed_demo,
    seed_many,
    words,
)
from sampan.kernel import context
from sampan.kernel.context import SYSTEM
from sampan.kernel.db import open_pool
from sampan.kernel.files import LocalFiles
from sampan.kernel.money import Money
from sampan.run import Shop, compose
from sampan.services.catalog import rules
from sampan.services.catalog.contract import ProductDocument
from sampan.services.locations.reference.load import load_reference
from sampan.services.pricing.contract import NewPrice
from sampan.ui.tiles import COLOURS, MOTIFS


@pytest.fixture(scope="module")
def goods() -> Goods:
    return load_goods()


@pytest.fixture(scope="module")
def few(goods: Goods) -> Goods:
    """The shop with three of its products: in several colours, in one, and one of the newest."""
    wanted = ("GHE01", "LY01", "NEN01")
    return replace(goods, products=tuple(product for product in goods.products if product.code in wanted))


@pytest_asyncio.fixture(loop_scope="session")
async def empty(place: Place, tmp_path: Any) -> AsyncIterator[Shop]:
    """A shop of its own, with nothing in it."""
    composed = await compose(settings_for(tmp_path), await place.new_database())
    yield composed
    await composed.close()


async def rows(shop: Shop) -> dict[str, int]:
    """How many rows each table of the shop has, but for jobs and places in feeds."""
    async with shop.databases["catalog"].read() as tx:
        names = await tx.many(
            str,
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename NOT IN ('job', 'consumer', 'reader')",
        )
        return {name: await tx.one(int, f"SELECT count(*) FROM {name}") for name in names}


# --- what is made of the goods, without a shop ------------------------------------------------------------------------


def test_every_product_is_one_that_catalog_takes(goods: Goods) -> None:
    attributes = {attribute.code: definition_of(attribute) for attribute in goods.attributes}
    types = {
        kind.code: rules.ProductType(kind.code, words(kind.label), [attributes[code] for code in kind.attributes])
        for kind in goods.types
    }
    for product_type in types.values():
        rules.check_type(product_type)
    for product in goods.products:
        draft = draft_of(product, goods, album_of(product, goods), LocalFiles("unused"))
        rules.check_draft(draft, types[draft.product_type])


def test_a_variant_shows_its_own_colour_first_and_then_what_all_share(goods: Goods) -> None:
    for product in goods.products:
        album = album_of(product, goods)
        colours = {variant.colour for variant in product.variants}
        assert len(album.drawings) == len(set(album.drawings)) == len(album.texts) >= 3
        for variant in product.variants:
            first, *shared = album.places_for(variant.colour)
            assert first < len(colours)
            assert shared == list(range(len(colours), len(album.drawings)))
        assert len({album.places_for(colour)[0] for colour in colours}) == len(colours)


def test_the_home_page_uses_what_the_website_has(goods: Goods) -> None:
    content = content_of(goods)
    slugs = set(category_slugs(goods).values())
    assert {tile.motif for tile in content.tiles} <= set(MOTIFS)
    assert {tile.colours for tile in content.tiles} <= set(COLOURS)
    assert len({tile.colours for tile in content.tiles}) > 2
    assert {tile.category for tile in content.tiles} <= slugs
    assert {rail.category for rail in content.rails} - {None} <= slugs
    assert {rail.sort for rail in content.rails} <= {"best_selling", "newest"}
    assert content.campaign is not None
    assert content.campaign.href.removeprefix("/c/") in slugs
    assert content.seller is not None
    assert "mẫu" in content.seller.name
    assert content.seller.tax_code == ""


def test_the_tiles_of_the_website_are_those_nearest_in_colour(goods: Goods) -> None:
    hero = goods.home.hero.pattern
    assert colours_like(replace(hero, ground="#0f5b4a", figure="#e9b93b")) == "leaf"
    assert colours_like(replace(hero, ground="#f5d37f", figure="#0f5b4a")) == "sun"


def test_each_province_is_served_by_one_warehouse() -> None:
    assert sorted(NORTH + SOUTH) == sorted(province.code for province in load_reference().provinces)


def test_a_drawing_becomes_renditions_named_by_what_is_drawn(goods: Goods) -> None:
    [drawing, *_] = album_of(goods.products[0], goods).drawings
    narrow = Drawing(drawing.svg, 400)
    made = rasterised(narrow)
    assert [Image.open(io.BytesIO(data)).size for data in made.files.values()] == [(320, 400), (400, 500)]
    assert (made.width, made.height) == (400, narrow.height)
    assert narrow.key.endswith("/400-400x500.webp")


# --- in a shop --------------------------------------------------------------------------------------------------------


async def test_the_goods_come_in_whole_and_a_second_time_changes_nothing(empty: Shop, few: Goods) -> None:
    await seed_demo(empty, goods=few)
    catalog = empty.live["catalog"]
    products = await catalog.list_products()
    assert {product.slugs["en"] for product in products} == {product.slug.en for product in few.products}
    assert products[0].slugs["vi"] == next(p.slug.vi for p in few.products if p.code == "NEN01")  # the newest
    for product in products:
        for variant in product.variants:
            source = next(v for p in few.products for v in p.variants if v.sku == variant.sku)
            offers = {offer.market: offer for offer in variant.offers}
            assert offers["VN"].price == Money(source.price_vnd, "VND")
            assert offers["INTL"].price == Money(source.price_usd_cents, "USD")
            assert variant.available == sum(source.stock.values())
        for media in product.media:
            assert await catalog.files.exists(media.url.removeprefix("/files/"))
    assert [w.code for w in await empty.live["inventory"].list_warehouses()] == ["HN", "HCM"]
    assert (await empty.live["storefront"].frame()).content == content_of(few)
    assert await empty.invariants() == {}
    before = await rows(empty)
    await seed_demo(empty, goods=few)
    assert await rows(empty) == before


async def test_a_shop_that_has_anything_is_left_alone(empty: Shop, few: Goods) -> None:
    catalog = empty.live["catalog"]
    await catalog.put_type(product_type=rules.ProductType("own", {"vi": "Riêng"}, []))
    own = rules.Draft(name={"vi": "Ghế"}, product_type="own", variants=[rules.NewVariant("OWN-1")])
    await catalog.create_product(draft=own)
    before = await rows(empty)
    await seed_demo(empty, only_if_empty=True, goods=few)
    assert await rows(empty) == before


async def test_a_seeding_that_was_broken_off_is_completed(empty: Shop, few: Goods) -> None:
    """It died after half of the products: they are there without prices, and no home page."""
    half = replace(few, products=few.products[:2])
    await seed_demo(empty, goods=half)
    pricing, catalog = empty.live["pricing"], empty.live["catalog"]
    ids = {
        found.sku: found.variant_id
        for found in await catalog.find_skus(skus=[v.sku for v in half.products[0].variants])
    }
    await pricing.set_prices(actor=SYSTEM, prices=[NewPrice(variant, "VN", None) for variant in ids.values()])
    await empty.ground.files.put(UNFINISHED, b"", "text/plain")
    await seed_demo(empty, only_if_empty=True, goods=few)
    assert len(await catalog.list_products()) == len(few.products)
    for product in await catalog.list_products():
        assert all({offer.market for offer in variant.offers} == {"VN", "INTL"} for variant in product.variants)
    assert not await empty.ground.files.exists(UNFINISHED)
    assert await empty.invariants() == {}


async def test_what_the_merchant_changed_stays(empty: Shop, few: Goods) -> None:
    await seed_demo(empty, goods=few)
    catalog, storefront = empty.live["catalog"], empty.live["storefront"]
    product = (await catalog.list_products())[0]
    written = await catalog.find_draft(product_id=product.id)
    renamed = replace(written.draft, name={"vi": "Tên khác"})
    await catalog.change_product(product_id=product.id, draft=renamed, version=written.version)
    price = NewPrice(product.variants[0].id, "VN", 1_000)
    await empty.live["pricing"].set_prices(actor=SYSTEM, prices=[price])
    content = replace(content_of(few), name="Tiệm khác")
    await storefront.put_content(content=content)
    await seed_demo(empty, goods=few)
    found = await catalog.find_product(key=str(product.id))
    assert found.name == {"vi": "Tên khác"}
    assert next(offer.price for offer in found.variants[0].offers if offer.market == "VN") == Money(1_000, "VND")
    assert (await storefront.frame()).content == content


async def test_any_number_of_goods_for_measurements(empty: Shop, capsys: Any) -> None:
    await seed_many(empty, 30)
    await seed_many(empty, 30)
    catalog = empty.live["catalog"]
    products = await catalog.list_products(limit=100)
    assert len(products) == 60
    assert len({product.slug for product in products}) == 60
    for product in products:
        assert 2 <= len(product.variants) <= 4
        assert all(variant.available == 1000 and variant.offers for variant in product.variants)
    assert await empty.invariants() == {}
    assert "30 products in" in capsys.readouterr().err


def told_of(product: ProductDocument) -> tuple[Any, ...]:
    """What is the same of a product in each run."""
    colours = [variant.options["colour"] for variant in product.variants]
    return product.name["vi"], product.brand, [attribute.codes for attribute in product.attributes], colours


async def test_a_helper_writes_and_indexes_the_same_goods(empty: Shop) -> None:
    await seed_many(empty, 30)
    catalog, search = empty.live["catalog"], empty.live["search"]
    before = await catalog.list_products(limit=100)
    pictures = await many.shared_pictures(empty.ground.files)
    goods = many.Goods(30, "again", pictures, await many.warehouse_of(empty))
    with context.working_as(SYSTEM), many.hired(empty, goods) as helper:
        await helper.finish()
        await helper.write(iter([0]))
        await empty.deliver()
        helper.index(many.INDEXED)
        await helper.finish()
        assert search.indexing.index.count() == 60
    await empty.settle()
    after = (await catalog.list_products(limit=100))[:30]
    assert sorted(told_of(product) for product in after) == sorted(told_of(product) for product in before)
    assert all(variant.available == 1000 and variant.offers for product in after for variant in product.variants)
    assert await empty.invariants() == {}


async def test_seeding_in_haste_does_not_wait_for_the_disk(empty: Shop) -> None:
    pool = await open_pool(without_waiting(empty.urls["catalog"]), size=1)
    async with pool.acquire(5) as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "off"
        assert await connection.fetchval("SHOW plan_cache_mode") == "force_generic_plan"
    await pool.close()


async def test_each_product_of_a_round_is_kept_once_by_search(empty: Shop) -> None:
    """Price and stock come with it on one page, so that hardly any change number is spent on them."""
    await seed_many(empty, 900)
    async with empty.databases["search"].read() as tx:
        spent = await tx.one(int, "SELECT max(change) - min(change) + 1 FROM search.document")
        assert 900 <= spent < 1350
        assert await tx.one(int, "SELECT count(*) FROM search.document WHERE listed AND in_stock") == 900
