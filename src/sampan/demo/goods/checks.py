"""What must be true of the demo goods; each broken rule gives one sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sampan.demo.art.objects.kinds import KINDS

if TYPE_CHECKING:  # the model reads and checks in one step, so at run time it imports us
    from sampan.demo.goods.model import Attribute, Category, Goods, Product, Text, Variant

_CODE = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PRODUCT_CODE = re.compile(r"[A-Z]+[0-9]+")
_HEX = re.compile(r"#[0-9a-f]{6}")


def problems_in(goods: Goods) -> Iterator[str]:
    """Every broken rule in one pass, in the order of the files."""
    yield from _repeated("warehouse", (warehouse.code for warehouse in goods.warehouses))
    yield from _repeated("brand", (brand.code for brand in goods.brands))
    yield from _repeated("option", (option.code for option in goods.options))
    yield from _repeated("attribute", (attribute.code for attribute in goods.attributes))
    yield from _repeated("type", (kind.code for kind in goods.types))
    yield from _repeated("category", (category.code for category in goods.categories))
    yield from _repeated("product", (product.code for product in goods.products))
    yield from _repeated("collection", (collection.code for collection in goods.collections))
    yield from _repeated("SKU", (variant.sku for product in goods.products for variant in product.variants))
    shelves = [category.slug for category in goods.categories] + [shelf.slug for shelf in goods.collections]
    for slugs in (shelves, [product.slug for product in goods.products]):
        yield from _repeated("Vietnamese slug", (slug.vi for slug in slugs))
        yield from _repeated("English slug", (slug.en for slug in slugs))
    yield from _frame_problems(goods)
    leaves = {category.code for category in goods.categories} - {category.parent for category in goods.categories}
    for product in goods.products:
        if product.category not in leaves:
            yield f"{product.code} lies in {product.category}, which is no leaf category"
        yield from _product_problems(goods, product)
    yield from _home_problems(goods)


def _repeated(what: str, codes: Iterable[str]) -> Iterator[str]:
    for code, times in Counter(codes).items():
        if times > 1:
            yield f"the {what} {code} exists {times} times"


def _text_problems(where: str, text: Text, translated: bool = True) -> Iterator[str]:
    for language, words in (("vi", text.vi), ("en", text.en)):
        if not words.strip() or words != words.strip():
            yield f"{where}: the {language} text is empty or has spaces around it"
        if "!" in words:
            yield f"{where}: the {language} text raises its voice"
    if translated and text.vi == text.en:
        yield f"{where}: the two languages say the same"


def _frame_problems(goods: Goods) -> Iterator[str]:
    codes = {category.code for category in goods.categories}
    for category in goods.categories:
        yield from _slug_problems(category.code, category.slug)
        yield from _text_problems(category.code, category.name, translated=False)
        yield from _text_problems(category.code, category.about)
        if category.parent is not None and (
            category.parent not in codes or _of(goods.categories, category.parent).parent is not None
        ):
            yield f"{category.code} hangs under {category.parent}, which is no top category"
    for brand in goods.brands:
        yield from _text_problems(brand.code, brand.about)
    for option in goods.options:
        yield from _repeated(f"value of {option.code}", (value.code for value in option.values))
        for value in option.values:
            yield from _text_problems(f"{option.code} {value.code}", value.label, translated=False)
            if value.swatch and not _HEX.fullmatch(value.swatch):
                yield f"{option.code} {value.code}: {value.swatch} is no colour"
    for attribute in goods.attributes:
        yield from _text_problems(attribute.code, attribute.label)
        yield from _repeated(f"choice of {attribute.code}", (choice.code for choice in attribute.choices))
        if (attribute.kind == "choice") != bool(attribute.choices):
            yield f"{attribute.code}: exactly the choices have choices"
    known = {attribute.code for attribute in goods.attributes}
    for kind in goods.types:
        for code in kind.attributes:
            if code not in known:
                yield f"the type {kind.code} names an unknown attribute {code}"


def _of(categories: tuple[Category, ...], code: str) -> Category:
    return next(category for category in categories if category.code == code)


def _slug_problems(where: str, slug: Text) -> Iterator[str]:
    for words in (slug.vi, slug.en):
        if not _SLUG.fullmatch(words):
            yield f"{where}: {words!r} is no slug"


def _product_problems(goods: Goods, product: Product) -> Iterator[str]:
    if not _PRODUCT_CODE.fullmatch(product.code):
        yield f"{product.code} is no product code: letters, then digits"
    yield from _slug_problems(product.code, product.slug)
    yield from _text_problems(product.code, product.name)
    yield from _text_problems(product.code, product.short)
    yield from _text_problems(product.code, product.body)
    if product.brand not in {brand.code for brand in goods.brands}:
        yield f"{product.code} has an unknown brand {product.brand}"
    if product.drawing.kind not in KINDS:
        yield f"{product.code} is drawn as {product.drawing.kind}, which is not on the shelf"
    yield from _attribute_problems(goods, product)
    if not product.variants:
        yield f"{product.code} has no variant"
    if len({tuple(variant.options.values()) for variant in product.variants}) != len(product.variants):
        yield f"{product.code} offers the same choice twice"
    values = {option.code: {value.code for value in option.values} for option in goods.options}
    for variant in product.variants:
        if tuple(variant.options) != product.options:
            yield f"{variant.sku} chooses {tuple(variant.options)}, its product offers {product.options}"
        for option, value in variant.options.items():
            if value not in values.get(option, ()):
                yield f"{variant.sku}: the option {option} has no value {value}"
        if set(variant.stock) != {warehouse.code for warehouse in goods.warehouses}:
            yield f"{variant.sku} does not say its stock in every warehouse"
        yield from _variant_problems(variant)


def _attribute_problems(goods: Goods, product: Product) -> Iterator[str]:
    types = {kind.code: kind for kind in goods.types}
    if product.type not in types:
        yield f"{product.code} has an unknown type {product.type}"
        return
    allowed = types[product.type].attributes
    schema = {attribute.code: attribute for attribute in goods.attributes if attribute.code in allowed}
    for code in schema:
        if schema[code].required and code not in product.attributes:
            yield f"{product.code} does not say its {code}"
    for code, value in product.attributes.items():
        if code not in schema:
            yield f"{product.code}: a {product.type} has no {code}"
        elif not _is_value_of(schema[code], value):
            yield f"{product.code}: {value!r} is no {schema[code].kind} for {code}"


def _is_value_of(attribute: Attribute, value: Text | int | str | bool) -> bool:
    match attribute.kind:
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int) and not isinstance(value, bool) and value > 0
        case "choice":
            return value in {choice.code for choice in attribute.choices}
        case "text":
            return not isinstance(value, int | str) and not any(_text_problems(attribute.code, value, translated=False))


def _variant_problems(variant: Variant) -> Iterator[str]:
    price, before = variant.price_vnd, variant.compare_at_vnd
    if price % 1000 or not 20_000 <= price <= 5_000_000:
        yield f"{variant.sku} costs {price} VND, which is no price of this shop"
    if before is not None and (before % 1000 or not price < before <= 2 * price):
        yield f"{variant.sku} compares {price} VND with {before} VND"
    if not price < variant.price_usd_cents * 250 < 2 * price:
        yield f"{variant.sku} costs {variant.price_usd_cents} US cents, out of proportion to {price} VND"
    if not 1 <= variant.grams <= 20_000 or not all(1 <= side <= 2_000 for side in variant.package_mm):
        yield f"{variant.sku} cannot be weighed or measured: {variant.grams} g, {variant.package_mm} mm"
    if any(pieces < 0 for pieces in variant.stock.values()):
        yield f"{variant.sku} has less than nothing in stock"
    if not _HEX.fullmatch(variant.colour):
        yield f"{variant.sku} has no colour to be drawn in"
    if variant.height_cm is not None and not 1 <= variant.height_cm <= 300:
        yield f"{variant.sku} is {variant.height_cm} cm high"


def _home_problems(goods: Goods) -> Iterator[str]:
    home = goods.home
    targets = {f"category:{category.code}" for category in goods.categories}
    targets |= {f"collection:{collection.code}" for collection in goods.collections}
    links = [home.hero.primary, home.hero.secondary, *(campaign.link for campaign in home.campaigns)]
    for to in [*home.navigation, *(link.to for link in links)]:
        if to not in targets and not to.startswith("page:"):
            yield f"the home page leads to {to}, which does not exist"
    for tile in home.tiles:
        if f"category:{tile.category}" not in targets:
            yield f"a tile of the home page shows an unknown category {tile.category}"
    for rail in home.rails:
        if f"collection:{rail}" not in targets:
            yield f"a rail of the home page shows an unknown collection {rail}"
    products = {product.code: product for product in goods.products}
    for collection in goods.collections:
        yield from _slug_problems(collection.code, collection.slug)
        yield from _text_problems(collection.code, collection.name, translated=False)
        yield from _repeated(f"product in {collection.code}", collection.products)
        for code in collection.products:
            if code not in products:
                yield f"the collection {collection.code} holds an unknown product {code}"
            elif collection.code == "sale" and not any(v.compare_at_vnd for v in products[code].variants):
                yield f"{code} lies in the sale at its usual price"
    words = [home.tagline, home.about, home.search_hint, home.announcement]
    words += [home.hero.kicker, home.hero.title, home.hero.text, *(link.label for link in links)]
    words += [tile.text for tile in home.tiles]
    for campaign in home.campaigns:
        words += [campaign.kicker, campaign.title, campaign.text]
    for text in words:
        yield from _text_problems("home page", text)
