"""Fills a shop with the demo goods, through the same actions that staff use.

What is there already stays as it is: a second run completes what a first one left undone, and changes nothing else.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from sampan.demo.album import Drawing, keep
from sampan.demo.art.colour import difference
from sampan.demo.art.scene import draw
from sampan.demo.goods.model import Attribute, Goods, Pattern, Product, Text, load_goods
from sampan.demo.goods.model import Variant as GoodsVariant
from sampan.demo.many import seed_many
from sampan.kernel import context
from sampan.kernel.files import Files
from sampan.run import Shop
from sampan.services.catalog.rules import (
    AttributeDefinition,
    Choice,
    Draft,
    NewMedia,
    NewOption,
    NewOptionValue,
    NewVariant,
    ProductType,
)
from sampan.services.inventory.contract import Delivery
from sampan.services.pricing.contract import NewPrice
from sampan.services.storefront.contract import Campaign, HomeRail, HomeTile, Seller, ShopContent, Store
from sampan.ui.tiles import COLOURS

__all__ = ["seed_demo", "seed_many"]

UNFINISHED: Final = "demo/unfinished"  # a file that is there while a seeding is under way, or was broken off
CAUSE: Final = "demo goods"
WIDTH: Final = 640  # pixels, and a half of it; 960 would make the first start of a shop half as long again

# Today's provinces north of Quảng Trị, and from there on south.
NORTH: Final = [
    "01", "04", "08", "11", "12", "14", "15", "19", "20", "22", "24", "25", "31", "33", "37", "38", "40", "42",
]  # fmt: skip
SOUTH: Final = ["44", "46", "48", "51", "52", "56", "66", "68", "75", "79", "80", "82", "86", "91", "92", "96"]


class Place(Struct, frozen=True):
    """Where a warehouse is, and the provinces it serves before others do."""

    province: str
    ward: str
    street: str
    provinces: list[str]


PLACES: Final = {
    "HN": Place("01", "00145", "Số 20 đường Thạch Bàn", NORTH),
    "HCM": Place("79", "27004", "Số 45 đường Cộng Hòa", SOUTH),
}

# Drawn once for a product, in the colour of its first variant; what they show beside its name.
VIEWS: Final = {
    "in_scale": Text("đặt cạnh vật quen thuộc để so cỡ", "beside something of known size"),
    "detail": Text("nhìn gần", "close up"),
    "flat": Text("trên nền trơn", "on a plain sheet"),
}

# The home page has rails by order and category, the goods have collections put together by hand.
RAILS: Final[dict[str, tuple[str, str | None]]] = {
    "bestsellers": ("best_selling", None),
    "coffee-corner": ("best_selling", "phin-va-ly"),
    "new": ("newest", None),
}
MOTIFS: Final = {"flower": "blossom", "flower+star": "blossom", "star": "star", "fan": "fan", "lozenge": "diamond"}
SELLER: Final = Seller(
    name="Tiệm Gạch Bông (cửa hàng mẫu)", address="Số 20 đường Thạch Bàn, phường Long Biên, Hà Nội (địa chỉ mẫu)"
)
OPEN: Final = {"vi": "8:00 – 20:00, cả tuần", "en": "8:00 – 20:00, every day"}
STORES: Final = [
    Store({"vi": "Tiệm ở Hà Nội", "en": "The Hà Nội shop"}, SELLER.address, OPEN),
    Store(
        {"vi": "Tiệm ở TP. Hồ Chí Minh", "en": "The Hồ Chí Minh City shop"},
        "Số 45 đường Cộng Hòa, phường Tân Bình, TP. Hồ Chí Minh (địa chỉ mẫu)",
        OPEN,
    ),
]
FREE_SHIPPING_FROM: Final = 499_000  # VND
RETURNS_DAYS: Final = 30


async def seed_demo(shop: Shop, *, only_if_empty: bool = False, goods: Goods | None = None) -> None:
    """Fill the shop with the demo goods (or `goods`): products with pictures, prices, stock, the home page's words.

    `only_if_empty` leaves a shop alone that has any product, unless these goods were being put in and that was broken
    off. Services that are absent are left out.
    """
    catalog, files = shop.live.get("catalog"), shop.ground.files
    if catalog is None:
        return
    broken_off = await files.exists(UNFINISHED)
    if only_if_empty and not broken_off and await catalog.list_drafts(status=None, after=None, sku=None, limit=1):
        return
    await files.put(UNFINISHED, b"", "text/plain")
    with context.working_as(context.SYSTEM, request="seed"):
        goods = goods or load_goods()
        albums = {product.code: album_of(product, goods) for product in goods.products}
        await keep(files, [drawing for album in albums.values() for drawing in album.drawings])
        await seed_shelves(catalog, goods)
        await seed_products(catalog, files, goods, albums)
        variants = await known_variants(catalog, goods)
        await seed_prices(shop, goods, variants)
        await seed_stock(shop, goods, variants)
        await seed_content(shop, goods)
        await shop.settle()
    await files.delete(UNFINISHED)


# --- pictures -------------------------------------------------------------------------------------------------------


class Album(Struct, frozen=True):
    """A product's pictures with their texts, and which of them show a colour (by its `#rrggbb`)."""

    drawings: list[Drawing]
    texts: list[Text]
    of_colour: dict[str, int]

    def media(self, files: Files) -> list[NewMedia]:
        return [
            NewMedia(files.url(drawing.key), words(text))
            for drawing, text in zip(self.drawings, self.texts, strict=True)
        ]

    def places_for(self, colour: str) -> list[int]:
        """The pictures of a variant: that of its colour, then those that all colours share."""
        return [self.of_colour[colour], *range(len(self.of_colour), len(self.drawings))]


def album_of(product: Product, goods: Goods) -> Album:
    """On its stage once in each colour; in scale, close up and (if it has one colour only) cut out, once."""
    first = product.variants[0]
    album = Album([], [], {})

    def add(view: str, variant: GoodsVariant, text: Text) -> None:
        svg = draw(product.drawing.kind, variant.colour, variant.sku, view, height_cm=variant.height_cm)
        album.drawings.append(Drawing(svg, WIDTH))
        album.texts.append(text)

    for variant in product.variants:
        if variant.colour not in album.of_colour:
            album.of_colour[variant.colour] = len(album.drawings)
            label = colour_of(variant, goods)
            text = Text(f"{product.name.vi}, {label.vi}", f"{product.name.en}, {label.en}") if label else product.name
            add("stage", variant, text)
    for view, shown in VIEWS.items():
        if view != "flat" or len(album.of_colour) == 1:
            add(view, first, Text(f"{product.name.vi}, {shown.vi}", f"{product.name.en}, {shown.en}"))
    return album


def colour_of(variant: GoodsVariant, goods: Goods) -> Text | None:
    """What the variant's colour is called, if the customer chooses it."""
    for option in goods.options:
        for value in option.values:
            if value.swatch and variant.options.get(option.code) == value.code:
                return value.label
    return None


# --- catalog --------------------------------------------------------------------------------------------------------


def words(text: Text) -> dict[str, str]:
    return {"vi": text.vi, "en": text.en}


async def seed_shelves(catalog: Any, goods: Goods) -> None:
    """Product types and categories; a parent comes before its children."""
    types = {found.code for found in await catalog.list_types()}
    attributes = {attribute.code: definition_of(attribute) for attribute in goods.attributes}
    for kind in goods.types:
        if kind.code not in types:
            definitions = [attributes[code] for code in kind.attributes]
            await catalog.put_type(product_type=ProductType(kind.code, words(kind.label), definitions))
    there = {category.slug for category in await catalog.list_categories()}
    slugs = category_slugs(goods)
    for top in (True, False):
        for position, category in enumerate(goods.categories, start=1):
            if (category.parent is None) == top and category.slug.vi not in there:
                await catalog.put_category(
                    slug=category.slug.vi,
                    name=words(category.name),
                    description=words(category.about),
                    parent=slugs[category.parent] if category.parent else None,
                    position=position,
                )


def category_slugs(goods: Goods) -> dict[str, str]:
    return {category.code: category.slug.vi for category in goods.categories}


def definition_of(attribute: Attribute) -> AttributeDefinition:
    return AttributeDefinition(
        code=attribute.code,
        label=words(attribute.label),
        kind=attribute.kind,
        unit=words(attribute.unit) if attribute.unit else {},
        choices=[Choice(choice.code, words(choice.label)) for choice in attribute.choices],
        filterable=attribute.filterable,
        required=attribute.required,
    )


async def seed_products(catalog: Any, files: Files, goods: Goods, albums: Mapping[str, Album]) -> None:
    """The products that are not there yet; those of the collection `new` last, so that they are the newest."""
    there = {
        found.sku for found in await catalog.find_skus(skus=[product.variants[0].sku for product in goods.products])
    }
    new = next((set(found.products) for found in goods.collections if found.code == "new"), set[str]())
    for late in (False, True):
        drafts = [
            draft_of(product, goods, albums[product.code], files)
            for product in goods.products
            if (product.code in new) == late and product.variants[0].sku not in there
        ]
        if drafts:
            await catalog.create_products(drafts=drafts)


def draft_of(product: Product, goods: Goods, album: Album, files: Files) -> Draft:
    return Draft(
        name=words(product.name),
        summary=words(product.short),
        description=words(product.body),
        product_type=product.type,
        brand=next(brand.name for brand in goods.brands if brand.code == product.brand),
        categories=[category_slugs(goods)[product.category]],
        attributes={
            code: words(value) if isinstance(value, Text) else value for code, value in product.attributes.items()
        },
        options=list(options_of(product, goods)),
        variants=[
            NewVariant(
                sku=variant.sku,
                options=dict(variant.options),
                grams=variant.grams,
                size_mm=list(variant.package_mm),
                media=album.places_for(variant.colour),
            )
            for variant in product.variants
        ],
        media=album.media(files),
        slugs=words(product.slug),
        status="published",
    )


def options_of(product: Product, goods: Goods) -> Iterator[NewOption]:
    """The product's options, each with the values that its variants have, in the order of the shop."""
    for code in product.options:
        option = next(option for option in goods.options if option.code == code)
        used = {variant.options[code] for variant in product.variants}
        values = [
            NewOptionValue(value.code, words(value.label), value.swatch or None)
            for value in option.values
            if value.code in used
        ]
        yield NewOption(code, words(option.label), values)


async def known_variants(catalog: Any, goods: Goods) -> dict[str, UUID]:
    """The ids of the demo's variants by SKU; those that staff took away are left out."""
    skus = [variant.sku for product in goods.products for variant in product.variants]
    return {found.sku: found.variant_id for found in await catalog.find_skus(skus=skus)}


# --- prices and stock -----------------------------------------------------------------------------------------------


async def seed_prices(shop: Shop, goods: Goods, variants: Mapping[str, UUID]) -> None:
    """Prices in both markets of the variants that have none there."""
    pricing = shop.live.get("pricing")
    if pricing is None:
        return
    wanted = []
    for market in ("VN", "INTL"):
        priced = {price.variant_id for price in await pricing.prices_for(variants=[*variants.values()], market=market)}
        for variant in all_variants(goods):
            variant_id = variants.get(variant.sku)
            if variant_id is None or variant_id in priced:
                continue
            if market == "VN":
                wanted.append(NewPrice(variant_id, market, variant.price_vnd, variant.compare_at_vnd))
            else:
                wanted.append(NewPrice(variant_id, market, variant.price_usd_cents))
    if wanted:
        await pricing.set_prices(actor=context.SYSTEM, prices=wanted)


def all_variants(goods: Goods) -> Iterator[GoodsVariant]:
    for product in goods.products:
        yield from product.variants


async def seed_stock(shop: Shop, goods: Goods, variants: Mapping[str, UUID]) -> None:
    """Two warehouses, and what came into them; it comes in once."""
    inventory = shop.live.get("inventory")
    if inventory is None:
        return
    there = await warehouses(inventory, goods)
    items = [
        Delivery(variants[variant.sku], there[code], pieces)
        for variant in all_variants(goods)
        for code, pieces in variant.stock.items()
        if pieces and variant.sku in variants
    ]
    await inventory.stock_up(cause=CAUSE, items=items)


async def warehouses(inventory: Any, goods: Goods) -> dict[str, UUID]:
    """The demo's warehouses by code, made if they are not there."""
    there = {warehouse.code: warehouse.id for warehouse in await inventory.list_warehouses()}
    for priority, warehouse in enumerate(goods.warehouses, start=1):
        if warehouse.code not in there:
            place = PLACES[warehouse.code]
            made = await inventory.add_warehouse(
                code=warehouse.code,
                name=warehouse.name.vi,
                province_code=place.province,
                ward_code=place.ward,
                street=place.street,
                priority=priority,
                provinces=place.provinces,
            )
            there[made.code] = made.id
    return there


# --- the home page --------------------------------------------------------------------------------------------------


async def seed_content(shop: Shop, goods: Goods) -> None:
    """What the frame and the home page say, unless they say something already."""
    storefront = shop.live.get("storefront")
    if storefront is not None and (await storefront.frame()).content is None:
        await storefront.put_content(content=content_of(goods))


def content_of(goods: Goods) -> ShopContent:
    home, slugs = goods.home, category_slugs(goods)
    titles = {collection.code: words(collection.name) for collection in goods.collections}
    campaign = next(found for found in home.campaigns if found.link.to.startswith("category:"))
    return ShopContent(
        name=home.shop_name.vi,
        announcement=words(home.announcement),
        announcement_href="/search",
        kicker=words(home.hero.kicker),
        title=words(home.hero.title),
        text=words(home.hero.text),
        tiles=[
            HomeTile(slugs[tile.category], MOTIFS[tile.pattern.motif], colours_like(tile.pattern))
            for tile in home.tiles
        ],
        rails=[HomeRail(titles[code], *RAILS[code]) for code in home.rails],
        campaign=Campaign(
            title=words(campaign.title),
            text=words(campaign.text),
            label=words(campaign.link.label),
            href=f"/c/{slugs[campaign.link.to.removeprefix('category:')]}",
        ),
        seller=SELLER,
        free_shipping_from=FREE_SHIPPING_FROM,
        stores=STORES,
        returns_days=RETURNS_DAYS,
    )


def colours_like(pattern: Pattern) -> str:
    """The set of tile colours of the website that comes nearest to the drawn pattern."""
    return min(
        COLOURS,
        key=lambda name: (
            difference(COLOURS[name].ground.lower(), pattern.ground)
            + difference(COLOURS[name].first.lower(), pattern.figure)
        ),
    )
