"""Search in the whole shop: from what staff write to what shoppers find, and through every loss of the index."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
import pytest_asyncio

from sampan.kernel import context
from sampan.kernel.consumers import InBatches
from sampan.kernel.errors import Invalid, NotFound
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.kernel.openapi import document as openapi_document
from sampan.kernel.settings import load
from sampan.run import Shop, compose
from sampan.services.catalog.contract import (
    CategoriesChanged,
    OffersChanged,
    ProductChanged,
    ProductDocument,
    ProductOffers,
    ProductWithdrawn,
)
from sampan.services.catalog.rules import (
    AttributeDefinition,
    Choice,
    Draft,
    NewOption,
    NewOptionValue,
    NewVariant,
    ProductType,
)
from sampan.services.inventory.contract import Delivery
from sampan.services.orders.contract import EventLine, OrderPlaced, Recipient, Totals
from sampan.services.pricing.contract import NewPrice
from sampan.services.search import handlers, routes
from sampan.services.search.actions.search_actions import SearchActions
from sampan.services.search.contract import Found, IndexUnavailable, Search
from sampan.services.search.engine.writer import TantivyWriter

SECRET = "a secret for tests only, of more than 32 characters"
NUMBER = itertools.count(1)


class Kept(msgspec.Struct):
    version: int
    deleted: bool
    body: dict[str, Any] | None
    change: int


class Room:
    """Search with the shop around it, and shortcuts to put goods into it."""

    def __init__(self, shop: Shop, http: httpx.AsyncClient, warehouse: UUID) -> None:
        self.shop = shop
        self.http = http
        self.warehouse = warehouse
        self.search: SearchActions = shop.live["search"]
        self.catalog = shop.live["catalog"]
        self.db = shop.databases["search"]
        self.folder = shop.settings.home / "search"

    async def put_category(self, *, parent: str | None = None, name: str = "Ghế") -> str:
        """A new category; its slug."""
        slug = f"loai-{uuid4().hex[:8]}"
        await self.catalog.put_category(
            slug=slug, name={"vi": name, "en": "Chairs"}, description={}, parent=parent, position=next(NUMBER)
        )
        return slug

    async def put_product(
        self,
        category: str,
        *,
        name: str = "Ghế nhựa",
        amount: int | None = 100_000,
        in_stock: int = 5,
        colours: tuple[str, ...] = ("red", "blue"),
        status: str = "published",
        material: str = "plastic",
    ) -> ProductDocument:
        """A product with a price and stock; not yet told to anybody."""
        tag = uuid4().hex[:8]
        made = await self.catalog.create_product(
            draft=Draft(
                name={"vi": f"{name} {tag}", "en": f"Stool {tag}"},
                product_type="furniture",
                brand="Chợ Lớn",
                categories=[category],
                options=[
                    NewOption(
                        "colour",
                        {"vi": "Màu", "en": "Colour"},
                        [
                            NewOptionValue("red", {"vi": "Đỏ", "en": "Red"}, "#ff0000"),
                            NewOptionValue("blue", {"vi": "Xanh", "en": "Blue"}, "#0000ff"),
                        ],
                    )
                ],
                variants=[NewVariant(f"{tag}-{colour}", {"colour": colour}) for colour in colours],
                attributes={"material": material},
                status=status,
            )
        )
        variants = [variant.id for variant in made.document.variants]
        if amount is not None:
            await self.set_price(variants, amount)
        if in_stock:
            await self.shop.live["inventory"].stock_up(
                cause=f"first {tag}", items=[Delivery(variant, self.warehouse, in_stock) for variant in variants]
            )
        return made.document

    async def set_price(self, variants: list[UUID], amount: int, **more: Any) -> None:
        prices = [NewPrice(variant, "VN", amount, **more) for variant in variants]
        await self.shop.live["pricing"].set_prices(actor=context.SYSTEM, prices=prices)

    async def known(self, product_id: UUID) -> Any:
        """version, deleted, body of what search keeps."""
        async with self.db.read() as tx:
            row = await tx.maybe(
                Kept, "SELECT version, deleted, body, change FROM search.document WHERE product_id = $1", product_id
            )
        return msgspec.structs.asdict(row) if row else None

    async def handle(self, handler: Any, *events: Any) -> None:
        """Deliver events as a consumer does, in this order, each by itself."""
        async with self.db.begin() as tx:
            for event in events:
                await handler(self.search, tx, [event] if isinstance(handler, InBatches) else event)

    async def found(self, **question: Any) -> list[UUID]:
        return [card.id for card in (await self.search.find_for(**question)).items]

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        """An answer that no cache has seen."""
        return await self.http.get(f"/api/v1{path}", params=parameters, headers={"accept-language": "vi"})

    async def get_fresh(self, path: str, **parameters: Any) -> httpx.Response:
        await self.shop.answers.clear()
        return await self.get(path, **parameters)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def room(place: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    """A shop of its own: its index is taken away and made anew."""
    settings = load({}, home=str(tmp_path_factory.mktemp("search")), secret=SECRET, rate_limits=False, pool_size=8)
    shop = await compose(settings, await place.new_database())
    warehouse = await shop.live["inventory"].add_warehouse(
        code="HN", name="Kho", province_code="01", ward_code="00070", street="1 Phố Huế", priority=1, provinces=["01"]
    )
    materials = [Choice("plastic", {"vi": "Nhựa", "en": "Plastic"}), Choice("wood", {"vi": "Gỗ", "en": "Wood"})]
    definition = AttributeDefinition(
        "material", {"vi": "Chất liệu", "en": "Material"}, "choice", choices=materials, filterable=True
    )
    await shop.live["catalog"].put_type(
        product_type=ProductType("furniture", {"vi": "Đồ nhà", "en": "Furniture"}, [definition])
    )
    transport = httpx.ASGITransport(app=shop.web(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as http:
        yield Room(shop, http, warehouse.id)
    await shop.close()


@pytest.fixture
async def lost_index(room: Room) -> AsyncIterator[Path]:
    """The folder of the index is gone; it is whole again afterwards."""
    await room.shop.settle()
    shutil.rmtree(room.folder)
    yield room.folder
    await room.search.index_changes()


# --- what staff write is found --------------------------------------------------------------------------------------


async def test_a_published_product_with_a_price_is_found_by_its_category_and_all_above(room: Room) -> None:
    top = await room.put_category(name="Nội thất")
    inner = await room.put_category(parent=top)
    product = await room.put_product(inner)
    await room.shop.settle()
    for slug in (inner, top):
        [card] = (await room.shop.client(Search).find_for(category=slug)).items
        assert card.id == product.id
        assert card.price == Money(100_000, "VND")
        assert card.available
        assert card.options == ["Đỏ", "Xanh"]
    assert await room.found(category=inner, language="en", market="INTL") == []


async def test_a_product_is_found_by_words_without_accents(room: Room) -> None:
    category = await room.put_category()
    product = await room.put_product(category, name="Đèn lồng Hội An")
    await room.shop.settle()
    assert await room.found(q="den long hoi an", category=category) == [product.id]


async def test_a_product_without_a_price_or_without_publication_is_not_found(room: Room) -> None:
    category = await room.put_category()
    await room.put_product(category, amount=None)
    await room.put_product(category, status="draft")
    await room.shop.settle()
    assert await room.found(category=category) == []
    assert await room.search.invariants() == []


async def test_a_price_and_a_stock_that_change_are_seen(room: Room) -> None:
    category = await room.put_category()
    product = await room.put_product(category, in_stock=0)
    await room.shop.settle()
    assert await room.found(category=category, in_stock=True) == []
    await room.set_price([product.variants[0].id], 80_000, compare_at=100_000)
    await room.shop.live["inventory"].stock_up(
        cause=f"more {product.id}", items=[Delivery(product.variants[1].id, room.warehouse, 1)]
    )
    await room.shop.settle()
    [card] = (await room.search.find_for(category=category, in_stock=True)).items
    assert (card.price.amount, card.price_max, card.compare_at) == (
        80_000,
        Money(100_000, "VND"),
        Money(100_000, "VND"),
    )
    assert card.variant_id == product.variants[1].id


async def test_a_withdrawn_product_is_gone_and_comes_back(room: Room) -> None:
    category = await room.put_category()
    product = await room.put_product(category)
    stored = await room.catalog.find_draft(product_id=product.id)
    stored = await room.catalog.change_product(
        product_id=product.id, draft=msgspec.structs.replace(stored.draft, status="archived"), version=stored.version
    )
    await room.shop.settle()
    assert await room.found(category=category) == []
    await room.catalog.change_product(
        product_id=product.id, draft=msgspec.structs.replace(stored.draft, status="published"), version=stored.version
    )
    await room.shop.settle()
    assert await room.found(category=category) == [product.id]


async def test_options_and_attributes_are_facets_with_labels_and_swatches(room: Room) -> None:
    category = await room.put_category()
    both = await room.put_product(category)
    red = await room.put_product(category, colours=("red",), material="wood")
    await room.shop.settle()
    found = await room.search.find_for(category=category, filters={"colour": ["blue"]}, language="en")
    assert [card.id for card in found.items] == [both.id]
    colour = next(facet for facet in found.facets if facet.code == "colour")
    assert colour.label == "Colour"
    values = {(v.value, v.label, v.count, v.selected, v.swatch) for v in colour.values}
    assert values == {("red", "Red", 2, False, "#ff0000"), ("blue", "Blue", 1, True, "#0000ff")}
    material = next(facet for facet in found.facets if facet.code == "material")
    assert {(v.value, v.label, v.count) for v in material.values} == {("plastic", "Plastic", 1), ("wood", "Wood", 0)}
    brand = next(facet for facet in found.facets if facet.code == "brand")
    assert [(brand.label, v.label) for v in brand.values] == [("Brand", "Chợ Lớn")]
    assert set(await room.found(category=category, filters={"colour": ["blue", "red"]})) == {both.id, red.id}
    assert await room.found(category=category, filters={"colour": ["red"], "material": ["wood"]}) == [red.id]
    assert (await room.search.find_for(category=category, facets=False)).facets == []


async def test_lists_are_sorted_by_price_age_and_sales_and_paged(room: Room) -> None:
    category = await room.put_category()
    products = [await room.put_product(category, amount=amount) for amount in (300, 100, 200)]
    first, second, third = (product.id for product in products)
    await room.handle(handlers.on_orders_placed, an_order((products[2].variants[0].id, 7)))
    await room.handle(handlers.on_orders_placed, an_order((products[0].variants[0].id, 1)))
    await room.shop.settle()
    assert await room.found(category=category, sort="price_asc") == [second, third, first]
    assert await room.found(category=category, sort="price_desc") == [first, third, second]
    assert await room.found(category=category, sort="newest") == [third, second, first]
    assert await room.found(category=category, sort="best_selling") == [third, first, second]
    assert await room.found(category=category, price_min=150, price_max=200) == [third]
    page = await room.search.find_for(category=category, sort="price_asc", limit=2)
    assert (len(page.items), page.total) == (2, 3)
    assert page.next is not None
    last = await room.search.find_for(category=category, sort="price_asc", limit=2, cursor=page.next)
    assert ([card.id for card in last.items], last.next) == ([first], None)
    assert await room.search.find_for(category=category, sort="price_asc", limit=2, page=2) == last
    beyond = await room.search.find_for(category=category, sort="price_asc", limit=2, page=3)
    assert (beyond.items, beyond.total) == ([], 3)


async def test_a_category_that_is_renamed_or_moved_takes_its_products_along(room: Room) -> None:
    top, other = await room.put_category(), await room.put_category()
    inner = await room.put_category(parent=top)
    product = await room.put_product(inner)
    await room.shop.settle()
    before = (await room.known(product.id))["change"]
    await room.catalog.put_category(
        slug=inner, name={"vi": "Xích đu"}, description={}, parent=other, position=next(NUMBER)
    )
    await room.shop.settle()
    assert (await room.known(product.id))["change"] > before
    assert await room.found(category=top) == []
    assert await room.found(category=other) == [product.id]
    hits = (await room.search.suggestions_for(q="xich d")).categories
    assert (inner, "Xích đu") in [(hit.slug, hit.name) for hit in hits]


async def test_an_unknown_category_is_not_found_and_an_empty_one_is_empty(room: Room) -> None:
    with pytest.raises(NotFound):
        await room.search.find_for(category="khong-co")
    await room.shop.settle()
    empty = await room.put_category()
    await room.shop.settle()
    assert (await room.search.find_for(category=empty)).total == 0


async def test_suggestions_name_products_categories_and_queries(room: Room) -> None:
    category = await room.put_category(name="Võng xếp")
    product = await room.put_product(category, name="Võng dù")
    await room.put_product(category, name="Võng dù")
    await room.shop.settle()
    found = await room.search.suggestions_for(q="vong", limit=8)
    assert product.id in [card.id for card in found.products]
    assert category in [hit.slug for hit in found.categories]
    assert len(found.products) + len(found.categories) + len(found.queries) <= 8
    assert all(query.startswith("võng") for query in found.queries)


# --- events twice and out of order ----------------------------------------------------------------------------------


def an_order(*lines: tuple[UUID, int]) -> OrderPlaced:
    nothing = Money(0, "VND")
    return OrderPlaced(
        order_id=uuid7(),
        number="X",
        market="VN",
        payment_method="cod",
        lines=[EventLine(uuid7(), variant, "S", "n", quantity, nothing) for variant, quantity in lines],
        totals=Totals(**dict.fromkeys(Totals.__struct_fields__, nothing)),
        allocations=[],
        recipient=Recipient("A", None, "+84900000000", "vi"),
    )


async def told(room: Room) -> ProductDocument:
    """A product that search knows."""
    product = await room.put_product(await room.put_category())
    await room.shop.settle()
    known: ProductDocument = await room.catalog.find_product(key=str(product.id))
    return known


async def test_a_product_told_twice_changes_nothing(room: Room) -> None:
    product = await told(room)
    before = await room.known(product.id)
    await room.handle(handlers.on_products, ProductChanged(product=product), ProductChanged(product=product))
    assert await room.known(product.id) == before


async def test_an_older_version_of_a_product_loses(room: Room) -> None:
    product = await told(room)
    newer = msgspec.structs.replace(product, version=9, name={"vi": "Mới"})
    older = msgspec.structs.replace(product, version=8, name={"vi": "Cũ"})
    await room.handle(handlers.on_products, ProductChanged(product=newer), ProductChanged(product=older))
    assert (await room.known(product.id))["body"]["name"] == {"vi": "Mới"}
    await room.handle(handlers.on_products, ProductWithdrawn(product.id, 8, product.slugs))
    assert not (await room.known(product.id))["deleted"]


async def test_a_product_withdrawn_before_it_was_told_stays_away(room: Room) -> None:
    product = msgspec.structs.replace(await told(room), id=uuid7(), version=3)
    gone = ProductWithdrawn(product.id, 4, product.slugs)
    await room.handle(handlers.on_products, gone, gone)
    await room.handle(handlers.on_products, ProductChanged(product=product))
    kept = await room.known(product.id)
    assert (kept["version"], kept["deleted"], kept["body"]) == (4, True, None)


async def test_offers_told_twice_count_once_and_those_of_an_older_version_lose(room: Room) -> None:
    product = await told(room)
    sold_out = [msgspec.structs.replace(variant, available=0) for variant in product.variants]
    news = OffersChanged(offers=[ProductOffers(product.id, product.version, product.slugs, sold_out)])
    await room.handle(handlers.on_products, news)
    before = await room.known(product.id)
    assert [variant["available"] for variant in before["body"]["variants"]] == [0, 0]
    await room.handle(handlers.on_products, news)
    assert await room.known(product.id) == before
    newer = msgspec.structs.replace(product, version=product.version + 1)
    await room.handle(handlers.on_products, ProductChanged(product=newer))
    await room.handle(handlers.on_products, news)
    assert [v["available"] for v in (await room.known(product.id))["body"]["variants"]] == [1, 1]
    stranger = ProductOffers(uuid7(), 1, {}, sold_out)
    await room.handle(handlers.on_products, OffersChanged(offers=[stranger]))
    assert await room.known(stranger.product_id) is None


async def test_a_batch_of_events_leaves_what_they_leave_one_by_one(room: Room) -> None:
    one, other, third = await told(room), await told(room), await told(room)
    fresh = msgspec.structs.replace(one, id=uuid7(), version=1, variants=[])
    sold_out = [msgspec.structs.replace(variant, available=0) for variant in other.variants]
    batch = [
        ProductChanged(product=fresh),
        OffersChanged(offers=[ProductOffers(p.id, p.version, p.slugs, sold_out) for p in (other, third, fresh)]),
        ProductWithdrawn(one.id, one.version, one.slugs),
        ProductChanged(product=msgspec.structs.replace(third, version=7, name={"vi": "Mới"})),
        ProductChanged(product=msgspec.structs.replace(third, version=6)),
        ProductChanged(product=one),
    ]
    for _ in range(2):
        async with room.db.begin() as tx:
            await handlers.on_products(room.search, tx, batch)
    kept = [await room.known(product.id) for product in (one, other, third, fresh)]
    assert [(row["version"], row["deleted"]) for row in kept] == [
        (one.version, True), (other.version, False), (7, False), (1, False)
    ]  # fmt: skip
    assert [variant["available"] for variant in kept[1]["body"]["variants"]] == [0, 0]
    assert (kept[2]["body"]["name"], kept[3]["body"]["variants"]) == ({"vi": "Mới"}, [])
    async with room.db.begin() as tx:
        await handlers.on_products(room.search, tx, batch)
    assert [await room.known(product.id) for product in (one, other, third, fresh)] == kept


async def test_an_order_counts_even_when_it_comes_before_its_product(room: Room) -> None:
    product = await told(room)
    fresh = msgspec.structs.replace(product, id=uuid7())
    fresh = msgspec.structs.replace(
        fresh, variants=[msgspec.structs.replace(product.variants[0], id=uuid7())], version=1
    )
    variant = fresh.variants[0].id
    await room.handle(handlers.on_orders_placed, an_order((variant, 2), (variant, 3)))
    await room.handle(handlers.on_products, ProductChanged(product=fresh))
    async with room.db.read() as tx:
        rows = await tx.many(int, "SELECT sold FROM search.variant WHERE product_id = $1", fresh.id)
    assert rows == [5]
    before = (await room.known(fresh.id))["change"]
    await room.handle(handlers.on_orders_placed, an_order((variant, 1)))
    assert (await room.known(fresh.id))["change"] == before
    await room.search.count_sales()
    counted = (await room.known(fresh.id))["change"]
    assert counted > before
    await room.search.count_sales()
    assert (await room.known(fresh.id))["change"] == counted


async def test_a_sale_changes_nothing_that_is_found_unless_it_takes_the_last_one(room: Room) -> None:
    product = await told(room)

    async def change(*available: int) -> int:
        variants = [
            msgspec.structs.replace(variant, available=left)
            for variant, left in zip(product.variants, available, strict=True)
        ]
        news = ProductOffers(product.id, product.version, product.slugs, variants)
        await room.handle(handlers.on_products, OffersChanged(offers=[news]))
        return (await room.known(product.id))["change"]

    before = (await room.known(product.id))["change"]
    assert await change(4, 5) == await change(1, 3) == before
    gone = await change(0, 3)
    assert gone > before
    assert await change(0, 2) == gone
    assert await change(2, 2) > gone


async def test_categories_told_twice_are_read_once_more(room: Room) -> None:
    await room.shop.settle()
    await room.handle(handlers.on_categories_changed, CategoriesChanged(), CategoriesChanged())
    await room.search.index_changes()
    async with room.db.read() as tx:
        told_and_learned = await tx.connection.fetchrow("SELECT told, learned FROM search.tree")
    assert told_and_learned[0] == told_and_learned[1]


async def test_changes_are_seen_in_the_order_of_their_numbers(room: Room) -> None:
    """A writer that has taken its number is waited for by the next one: the index can never pass it by."""
    one, other = await told(room), await told(room)
    started, order = asyncio.Event(), []

    async def slow() -> None:
        async with room.db.begin() as tx:
            await handlers.on_products(
                room.search, tx, [ProductChanged(product=msgspec.structs.replace(one, version=50))]
            )
            started.set()
            await tx.execute("SELECT pg_sleep(0.2)")
        order.append("slow")

    async def quick() -> None:
        await started.wait()
        await room.handle(handlers.on_products, ProductChanged(product=msgspec.structs.replace(other, version=50)))
        order.append("quick")

    await asyncio.gather(slow(), quick())
    assert order == ["slow", "quick"]
    assert (await room.known(one.id))["change"] < (await room.known(other.id))["change"]


# --- the index is lost, old, foreign, rebuilt -----------------------------------------------------------------------


async def test_a_lost_index_heals_by_the_job_and_browsing_works_meanwhile(room: Room, lost_index: Path) -> None:
    top = await room.put_category()
    category = await room.put_category(parent=top)
    products = [await room.put_product(category, amount=amount) for amount in (100, 200, 300)]
    await room.shop.deliver()
    await room.search._learn_categories()
    first, second, third = (product.id for product in products)
    found = await room.search.find_for(category=top, sort="price_asc")
    assert [card.id for card in found.items] == [third, second, first]  # the newest first
    assert (found.total, found.facets, found.next) == (3, [], None)
    assert await room.found(category=top, price_min=150, price_max=250) == [second]
    assert await room.found(category=top, filters={"colour": ["red", "green"], "material": ["plastic"]}) != []
    assert await room.found(category=top, filters={"colour": ["green"]}) == []
    assert await room.found(category=top, filters={"shape": ["round"]}) == []
    assert await room.found(category=top, market="INTL") == []
    page = await room.search.find_for(category=top, limit=2)
    assert [card.id for card in page.items] == [third, second]
    with pytest.raises(IndexUnavailable):
        await room.search.find_for(q="ghế", category=top)
    with pytest.raises(IndexUnavailable):
        await room.search.suggestions_for(q="ghế")
    await room.search.index_changes()
    assert await room.found(q="ghế", category=top, sort="newest") == [third, second, first]
    assert await room.found(category=top, sort="newest", limit=2, cursor=page.next) == [first]
    assert await room.search.invariants() == []


async def test_browsing_over_http_survives_the_loss_and_words_are_refused(room: Room, lost_index: Path) -> None:
    assert (await room.get_fresh("/products")).status_code == 200
    assert (await room.get_fresh("/products", in_stock="true", limit=1)).status_code == 200
    refused = await room.get_fresh("/search", q="ghe")
    assert (refused.status_code, refused.json()["code"]) == (503, "search.index_unavailable")
    assert "retry-after" in refused.headers
    assert (await room.get_fresh("/search/suggest", q="ghe")).status_code == 503


async def test_an_index_put_back_from_a_copy_catches_up(room: Room, tmp_path: Path) -> None:
    category = await room.put_category()
    withdrawn = await told(room)
    shutil.copytree(room.folder, tmp_path / "copy")
    product = await room.put_product(category)
    await room.handle(handlers.on_products, ProductWithdrawn(withdrawn.id, withdrawn.version + 1, withdrawn.slugs))
    await room.shop.settle()
    build = (room.folder / "place.json").read_bytes()
    shutil.rmtree(room.folder)
    shutil.copytree(tmp_path / "copy", room.folder)
    assert await room.found(category=category) == []
    await room.search.index_changes()
    assert await room.found(category=category) == [product.id]
    assert withdrawn.id not in await room.found(category=withdrawn.categories[0].slug)
    assert (room.folder / "place.json").read_bytes() == build


async def test_an_index_of_another_database_is_made_anew(room: Room) -> None:
    await told(room)
    file = room.folder / "place.json"
    place = msgspec.json.decode(file.read_bytes())
    for wrong in ({**place, "build": str(uuid7())}, {**place, "change": place["change"] + 1}, {"no": "place"}):
        file.write_bytes(msgspec.json.encode(wrong))
        await room.search.index_changes()
        now = msgspec.json.decode(file.read_bytes())
        assert now["build"] not in (place["build"], wrong.get("build"))


async def test_an_index_that_holds_too_few_products_is_made_anew(room: Room) -> None:
    product = await told(room)
    with TantivyWriter.open(room.folder) as writer:
        writer.delete([str(product.id)])
        writer.commit()
    async with room.db.begin() as tx:
        await tx.execute("UPDATE search.document SET updated_at = now() - interval '1 hour'")
    assert len(await room.search.invariants()) == 1
    room.search.indexing._counted = 0.0
    await room.search.index_changes()
    assert await room.found(category=product.categories[0].slug) == [product.id]
    assert await room.search.invariants() == []


async def test_a_change_that_waits_for_too_long_is_a_violation(room: Room) -> None:
    product = await told(room)
    async with room.db.begin() as tx:
        await tx.execute(
            "UPDATE search.document SET change = nextval('search.change'), updated_at = now() - interval '6 minutes' "
            "WHERE product_id = $1",
            product.id,
        )
    assert len(await room.search.invariants()) == 1
    await room.search.index_changes()
    assert await room.search.invariants() == []


async def test_a_rebuild_never_leaves_readers_without_an_answer(room: Room, capsys: Any) -> None:
    product = await told(room)
    done = asyncio.Event()
    answers = 0

    async def read() -> None:
        nonlocal answers
        while not done.is_set():
            assert await room.found(category=product.categories[0].slug) == [product.id]
            answers += 1
            await asyncio.sleep(0)

    async def rebuild() -> None:
        for _ in range(3):
            await room.search.rebuild(progress=True)
        done.set()

    await asyncio.gather(read(), rebuild())
    assert answers > 10
    assert "products" in capsys.readouterr().err


async def test_a_rebuild_waits_for_another_writer_and_the_job_gives_way(room: Room) -> None:
    product = await told(room)
    writer = TantivyWriter.open(room.folder)
    rebuilding = asyncio.create_task(room.search.rebuild())
    await room.handle(handlers.on_products, ProductChanged(product=msgspec.structs.replace(product, version=20)))
    with pytest.raises(IndexUnavailable):
        await room.search.index_changes()
    assert not rebuilding.done()
    writer.close()
    await rebuilding
    await room.search.index_changes()
    assert await room.found(category=product.categories[0].slug) == [product.id]


async def test_what_changes_during_a_rebuild_is_caught_up_with(room: Room) -> None:
    product = await told(room)
    change = msgspec.structs.replace(product, version=30, name={"vi": "Chõng tre đặc biệt"})
    rebuilding = asyncio.create_task(room.search.rebuild())
    await room.handle(handlers.on_products, ProductChanged(product=change))
    await rebuilding
    await room.search.index_changes()
    assert await room.found(q="chõng tre đặc biệt", category=product.categories[0].slug) == [product.id]


async def test_other_processes_see_what_one_has_indexed(room: Room) -> None:
    other = SearchActions(room.db, room.shop.ground, None)
    category = await room.put_category()
    await room.shop.settle()
    assert (await other.find_for(category=category)).total == 0
    product = await room.put_product(category)
    await room.shop.settle()
    [card] = (await other.find_for(category=category)).items
    assert card.id == product.id
    await other.index_changes()  # without a catalog the known tree serves


async def test_a_write_of_the_index_is_told_and_drops_cached_answers(room: Room) -> None:
    category = await room.put_category()
    await room.shop.settle()
    following = asyncio.create_task(room.shop.drop_stale_answers())
    try:
        await asyncio.sleep(0.1)
        assert (await room.get("/products", category=category)).json()["total"] == 0
        await room.put_product(category)
        await room.shop.settle()
        async with asyncio.timeout(5):
            while (await room.get("/products", category=category)).json()["total"] != 1:
                await asyncio.sleep(0.02)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    async with room.db.read() as tx:
        assert await tx.one(bool, "SELECT count(*) > 0 FROM search.outbox WHERE name = 'search.index_changed.v1'")


# --- HTTP -----------------------------------------------------------------------------------------------------------


async def test_products_are_listed_over_http(room: Room) -> None:
    category = await room.put_category()
    product = await room.put_product(category)
    await room.shop.settle()
    answer = await room.get_fresh(
        "/products", **{"category": category, "attr.colour": ["red", "blue"], "in_stock": "true", "price_max": "100000"}
    )
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"items", "next", "total", "facets"}
    assert (body["total"], body["items"][0]["id"]) == (1, str(product.id))
    assert body["items"][0]["price"] == {"amount": 100000, "currency": "VND"}
    colour = next(facet for facet in body["facets"] if facet["code"] == "colour")
    assert {value["value"]: value["selected"] for value in colour["values"]} == {"red": True, "blue": True}
    found = (await room.get_fresh("/search", q="ghe nhua", category=category)).json()
    assert [item["id"] for item in found["items"]] == [str(product.id)]
    assert {"did_you_mean", "relaxed"} <= set(found)
    hints = (await room.get_fresh("/search/suggest", q="ghe")).json()
    assert set(hints) == {"queries", "categories", "products"}


async def test_english_visitors_read_english(room: Room) -> None:
    category = await room.put_category()
    await room.put_product(category)
    await room.shop.settle()
    answer = await room.http.get(f"/api/v1/products?category={category}", headers={"accept-language": "en"})
    assert answer.json()["items"][0]["name"].startswith("Stool")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("category=khong-co", 404),
        ("category=", 422),
        ("limit=0", 422),
        ("limit=101", 422),
        ("limit=x", 422),
        ("limit=1&limit=2", 400),
        ("q=" + "a" * 201, 422),
        ("sort=cheapest", 422),
        ("price_min=-1", 422),
        ("price_min=1.5", 422),
        ("price_max=99999999999999999999", 422),
        ("in_stock=maybe", 422),
        ("market=vn", 422),
        ("market=" + "X" * 99, 422),
        ("market=VN%0A", 422),
        ("cursor=!!!", 422),
        ("cursor=" + "A" * 65, 422),
        ("cursor=OTk5OTk5", 422),
        ("unknown=1", 422),
        ("attr.=x", 422),
        ("attr.colour=", 422),
        ("attr.colour=" + "x" * 81, 422),
        ("attr." + "x" * 41 + "=1", 422),
        ("&".join(f"attr.a{n}=1" for n in range(11)), 422),
        ("&".join(f"attr.a{n % 2}={n}" for n in range(51)), 422),
        ("&".join(f"attr.a{n}={n}" for n in range(101)), 400),
        ("q=%00", 400),
        ("q=%ff", 400),
        ("q=%F0%9F%92%A9%E2%80%8B%CC%81", 200),
        ("q=" + "%22%27%28%29%7B%7D%5B%5D%5E~*%3F%5C%3A%2B-%21" * 5, 200),
        ("q=AND+OR+NOT+%2B", 200),
        ("price_min=5&price_max=1", 200),
        ("attr.colour=%27%3B--", 200),
        ("attr.%1F=%1F", 200),
        ("market=MARS", 200),
    ],
)
async def test_hostile_questions_are_refused_or_answered_never_a_fault(room: Room, query: str, status: int) -> None:
    await room.search.index_changes()
    await room.shop.answers.clear()
    for path in ("products", "search"):
        answer = await room.http.get(f"/api/v1/{path}?{query}")
        assert answer.status_code == status, answer.text


async def test_the_same_questions_are_no_fault_without_an_index_either(room: Room, lost_index: Path) -> None:
    for query in ("attr.%1F=%1F", "price_min=5&price_max=1", "attr.colour=%27%3B--", "market=MARS", "cursor=OTk5OQ"):
        await room.shop.answers.clear()
        assert (await room.http.get(f"/api/v1/products?{query}")).status_code == 200


async def test_questions_of_peers_are_bounded_too(room: Room) -> None:
    with pytest.raises(Invalid):
        await room.search.find_for(filters={f"a{n}": ["x"] for n in range(11)})
    with pytest.raises(Invalid):
        await room.search.find_for(limit=1000)
    found: Found = await room.search.find_for(language="xx", sort="rating", limit=1)
    assert found.items or not found.total


async def test_the_documentation_of_the_routes_is_whole(room: Room) -> None:
    document = openapi_document(list(routes.routes), url="http://shop.test")
    parameters = {one["name"] for one in document["paths"]["/api/v1/products"]["get"]["parameters"]}
    assert {"category", "q", "sort", "in_stock", "price_min", "price_max", "limit", "cursor"} <= parameters
