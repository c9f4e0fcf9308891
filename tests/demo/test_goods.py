"""The goods of the demo shop: enough of them, complete, in both languages, and checked before anyone uses them."""

import re
from collections import Counter
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from sampan.demo.art.scene import draw
from sampan.demo.goods.checks import problems_in
from sampan.demo.goods.model import Goods, Product, Text, Variant, load_goods


@pytest.fixture(scope="module")
def goods() -> Goods:
    return load_goods()


def variants_of(goods: Goods) -> list[Variant]:
    return [variant for product in goods.products for variant in product.variants]


def test_the_shop_is_full(goods: Goods) -> None:
    tops = [category for category in goods.categories if category.parent is None]
    assert len(goods.products) >= 125
    assert len(variants_of(goods)) >= 2 * len(goods.products)
    assert len(tops) >= 8
    assert all(any(shelf.parent == top.code for shelf in goods.categories) for top in tops)
    assert len(goods.brands) >= 8
    assert len(goods.types) >= 6
    assert [warehouse.code for warehouse in goods.warehouses] == ["HN", "HCM"]


def test_no_leaf_category_brand_or_type_is_empty(goods: Goods) -> None:
    parents = {category.parent for category in goods.categories}
    leaves = {category.code for category in goods.categories} - parents
    assert leaves == {product.category for product in goods.products}
    assert {brand.code for brand in goods.brands} == {product.brand for product in goods.products}
    assert {kind.code for kind in goods.types} == {product.type for product in goods.products}


def test_the_types_use_every_kind_of_attribute(goods: Goods) -> None:
    assert {attribute.kind for attribute in goods.attributes} == {"text", "number", "choice", "boolean"}
    assert sum(attribute.filterable for attribute in goods.attributes) >= 10
    used = {code for product in goods.products for code in product.attributes}
    assert used == {attribute.code for attribute in goods.attributes}


def test_most_products_come_in_several_variants(goods: Goods) -> None:
    assert sum(len(product.variants) > 1 for product in goods.products) > 0.75 * len(goods.products)


def test_some_are_sold_out_some_are_low_and_some_are_on_sale(goods: Goods) -> None:
    pieces = [sum(variant.stock.values()) for variant in variants_of(goods)]
    assert sum(count == 0 for count in pieces) >= 5
    assert sum(0 < count <= 5 for count in pieces) >= 10
    assert any(all(not sum(variant.stock.values()) for variant in product.variants) for product in goods.products)
    assert sum(variant.compare_at_vnd is not None for variant in variants_of(goods)) >= 40


def test_a_sku_begins_with_the_code_of_its_product(goods: Goods) -> None:
    for product in goods.products:
        for variant in product.variants:
            assert variant.sku.split("-")[0] == product.code


def test_every_variant_can_be_drawn(goods: Goods) -> None:
    for product in goods.products:
        for variant in product.variants:
            for view in ("stage", "in_scale"):
                svg = draw(product.drawing.kind, variant.colour, variant.sku, view, height_cm=variant.height_cm)
                assert ElementTree.fromstring(svg).get("viewBox") == "0 0 320 400"


def test_every_kind_of_drawing_is_for_sale(goods: Goods) -> None:
    from sampan.demo.art.objects.kinds import KINDS

    assert {product.drawing.kind for product in goods.products} == set(KINDS)


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.?])\s+", text.strip()) if part]


def test_a_body_has_two_to_four_sentences_of_its_own(goods: Goods) -> None:
    said: Counter[str] = Counter()
    for product in goods.products:
        for body in (product.body.vi, product.body.en):
            assert 2 <= len(sentences(body)) <= 4, product.code
            assert body.endswith("."), product.code
            said.update(sentences(body))
        assert 20 <= len(product.short.vi) <= 110, product.code
        assert 20 <= len(product.short.en) <= 110, product.code
        assert len(product.name.vi) <= 45, product.code
    assert not [sentence for sentence, times in said.items() if times > 1]


STOCK_PHRASES = (
    "chất lượng cao",
    "sang trọng",
    "đẳng cấp",
    "hoàn hảo",
    "không thể thiếu",
    "điểm nhấn",
    "tinh tế",
    "high quality",
    "high-quality",
    "perfect",
    "must-have",
    "elevate",
    "timeless",
    "luxurious",
    "elegant",
)


def test_no_text_uses_stock_phrases(goods: Goods) -> None:
    for product in goods.products:
        words = " ".join(f"{text.vi} {text.en}".lower() for text in (product.name, product.short, product.body))
        assert not [phrase for phrase in STOCK_PHRASES if phrase in words], product.code


def test_the_home_page_says_what_the_picture_says(goods: Goods) -> None:
    assert goods.home.announcement.vi == "Miễn phí giao nội thành từ 499.000 ₫ · Đổi trả 30 ngày"
    assert goods.home.hero.title.vi == "Đồ nhà Việt,\ndùng mỗi ngày"
    names = {category.code: category.name.vi for category in goods.categories}
    menu = [names[to.removeprefix("category:")] for to in goods.home.navigation if to.startswith("category:")]
    assert menu == ["Đồ nhà", "Bếp & cà phê", "Áo quần", "Túi & giỏ", "Đèn & trang trí", "Quà biếu"]


def test_every_pattern_of_the_home_page_can_be_laid(goods: Goods) -> None:
    home = goods.home
    patterns = [home.hero.pattern, *(tile.pattern for tile in home.tiles), *(one.pattern for one in home.campaigns)]
    for pattern in patterns:
        assert ElementTree.fromstring(pattern.svg()).get("width") == str(40 * pattern.columns)


def with_first(goods: Goods, product: Product) -> Goods:
    return replace(goods, products=(product, *goods.products[1:]))


def with_first_variant(goods: Goods, variant: Variant) -> Goods:
    first = goods.products[0]
    return with_first(goods, replace(first, variants=(variant, *first.variants[1:])))


def test_right_goods_have_no_problems(goods: Goods) -> None:
    assert list(problems_in(goods)) == []


def test_wrong_products_are_named(goods: Goods) -> None:
    first, second = goods.products[:2]
    wrong = {
        "product": replace(first, code=second.code),
        "the Vietnamese slug": replace(first, slug=second.slug),
        "no slug": replace(first, slug=Text(vi="giỏ đi chợ", en="bag")),
        "no product code": replace(first, code="gio-1"),
        "unknown brand": replace(first, brand="nobody"),
        "unknown type": replace(first, type="cloud"),
        "no leaf": replace(first, category="tui-gio"),
        "not on the shelf": replace(first, drawing=replace(first.drawing, kind="spaceship")),
        "no variant": replace(first, variants=()),
        "same choice twice": replace(first, variants=(first.variants[0], first.variants[0])),
        "the en text is empty": replace(first, short=Text(vi=first.short.vi, en=" ")),
        "say the same": replace(first, body=Text(vi=first.body.vi, en=first.body.vi)),
        "raises its voice": replace(first, short=Text(vi="Mua ngay!", en=first.short.en)),
        "does not say its origin": replace(first, attributes={"material": "strapping"}),
        "a bag has no burn_hours": replace(first, attributes={**first.attributes, "burn_hours": 3}),
        "is no choice for material": replace(first, attributes={**first.attributes, "material": "cheese"}),
        "is no number for capacity_l": replace(first, attributes={**first.attributes, "capacity_l": True}),
        "is no boolean for handmade": replace(first, attributes={**first.attributes, "handmade": "yes"}),
        "its product offers": replace(first, options=("size",)),
    }
    for complaint, product in wrong.items():
        assert any(complaint in problem for problem in problems_in(with_first(goods, product))), complaint


def test_wrong_variants_are_named(goods: Goods) -> None:
    variant = goods.products[0].variants[0]
    wrong = {
        "the SKU": replace(variant, sku=goods.products[1].variants[0].sku),
        "no price of this shop": replace(variant, price_vnd=145_500),
        "compares": replace(variant, compare_at_vnd=variant.price_vnd),
        "out of proportion": replace(variant, price_usd_cents=14_500),
        "weighed or measured": replace(variant, grams=0),
        "less than nothing": replace(variant, stock={"HN": -1, "HCM": 4}),
        "in every warehouse": replace(variant, stock={"HN": 1}),
        "no colour to be drawn in": replace(variant, colour="blue"),
        "cm high": replace(variant, height_cm=900),
        "has no value": replace(variant, options={"colour": "infrared"}),
    }
    for complaint, other in wrong.items():
        assert any(complaint in problem for problem in problems_in(with_first_variant(goods, other))), complaint


def test_a_home_page_that_leads_nowhere_is_named(goods: Goods) -> None:
    home = goods.home
    wrong = {
        "leads to category:gone": replace(home, navigation=("category:gone",)),
        "unknown collection gone": replace(home, rails=("gone",)),
        "unknown category gone": replace(home, tiles=(replace(home.tiles[0], category="gone"),)),
    }
    for complaint, other in wrong.items():
        assert any(complaint in problem for problem in problems_in(replace(goods, home=other))), complaint
    usual = next(p.code for p in goods.products if not any(v.compare_at_vnd for v in p.variants))
    collections = tuple(
        replace(collection, products=(usual,)) if collection.code == "sale" else collection
        for collection in goods.collections
    )
    complaints = list(problems_in(replace(goods, collections=collections)))
    assert complaints == [f"{usual} lies in the sale at its usual price"]
