"""What is found and how it is shown, without a database."""

from datetime import UTC, datetime
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sampan.kernel.errors import Invalid, NotFound
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.catalog.contract import (
    Attribute,
    CategoryRef,
    Media,
    Offer,
    OffersChanged,
    Option,
    OptionValue,
    ProductChanged,
    ProductDocument,
    ProductOffers,
    ProductWithdrawn,
    VariantDocument,
)
from sampan.services.search import rules
from sampan.services.search.rules import CategoryNode, Known, Label, Names, Place

RED, BLUE = uuid7(), uuid7()
FURNITURE = CategoryRef(uuid7(), "ghe", {"vi": "Ghế", "en": "Chairs"})
HOME = CategoryNode(uuid7(), "noi-that", {"vi": "Nội thất", "en": "Furniture"}, None)
CHAIRS = CategoryNode(FURNITURE.id, "ghe", FURNITURE.name, HOME.id)


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


def a_variant(
    variant_id: UUID, colour: str, *, price: int | None = 100, before: int | None = None, available: int = 1
) -> VariantDocument:
    offers = [] if price is None else [Offer("VN", vnd(price), vnd(before) if before else None)]
    return VariantDocument(
        id=variant_id, sku=f"SKU-{colour}", options={"colour": colour}, offers=offers, available=available
    )


def a_product(*variants: VariantDocument, version: int = 2) -> ProductDocument:
    return ProductDocument(
        id=uuid7(),
        version=version,
        slug="ghe-nhua",
        slugs={"vi": "ghe-nhua", "en": "plastic-stool"},
        name={"vi": "Ghế nhựa", "en": "Plastic stool"},
        summary={"vi": "Ghế ngồi"},
        description={"vi": "Bền"},
        brand="Chợ Lớn",
        product_type="furniture",
        tax_class="standard",
        categories=[FURNITURE],
        ancestors=[FURNITURE.id, HOME.id],
        media=[Media("/media/a.webp", {"vi": "Ghế đỏ"}, 800, 600, [400, 800]), Media("/media/b.webp", {}, 10, 10)],
        options=[
            Option(
                "colour",
                {"vi": "Màu", "en": "Colour"},
                [
                    OptionValue("red", {"vi": "Đỏ", "en": "Red"}, "#ff0000"),
                    OptionValue("blue", {"vi": "Xanh"}),
                    OptionValue("gold", {"vi": "Vàng"}, "#ffd700"),
                ],
            )
        ],
        variants=list(variants) or [a_variant(RED, "red"), a_variant(BLUE, "blue", price=120)],
        default_variant_id=RED,
        attributes=[
            Attribute(
                "material",
                {"vi": "Chất liệu", "en": "Material"},
                {"vi": "Nhựa", "en": "Plastic"},
                ["plastic"],
                {"plastic": {"vi": "Nhựa", "en": "Plastic"}},
                filterable=True,
            ),
            Attribute("care", {"vi": "Bảo quản"}, {"vi": "Lau khô"}),
        ],
        channels=["web"],
        created_at=datetime(2026, 7, 1, tzinfo=UTC),
    )


def test_a_list_is_narrowed_by_at_most_ten_attributes_and_fifty_values():
    rules.check_filters({f"a{n}": ["x"] * 5 for n in range(10)})
    with pytest.raises(Invalid):
        rules.check_filters({f"a{n}": ["x"] for n in range(11)})
    with pytest.raises(Invalid):
        rules.check_filters({"a": ["x"] * 25, "b": ["x"] * 26})


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=1, max_size=8))
def test_the_price_is_the_lowest_and_the_highest_is_named_when_variants_differ(amounts):
    product = a_product(*(a_variant(uuid7(), "red", price=amount) for amount in amounts))
    card = rules.card_for(product, language="vi", market="VN")
    assert card is not None
    assert card.price == vnd(min(amounts))
    assert rules.prices_for(product) == {"VN": min(amounts)}
    assert card.price_max == (vnd(max(amounts)) if max(amounts) > min(amounts) else None)


def test_a_product_without_a_price_in_the_market_has_no_card_there():
    product = a_product()
    assert rules.card_for(product, language="vi", market="INTL") is None
    packed = rules.packed_cards(product)
    assert rules.written_card(packed, language="vi", market="INTL") is None
    written = rules.written_card(packed, language="en", market="VN")
    assert written is not None
    assert rules.card_in(written) == rules.card_for(product, language="en", market="VN")


def test_a_card_speaks_the_language_and_falls_back_to_vietnamese():
    card = rules.card_for(a_product(), language="en", market="VN")
    assert card is not None
    assert (card.slug, card.name, card.brand) == ("plastic-stool", "Plastic stool", "Chợ Lớn")
    assert card.options == ["Red", "Xanh"]  # gold is no variant's
    assert [(swatch.label, swatch.colour) for swatch in card.swatches] == [("Red", "#ff0000")]
    assert card.attributes == {"material": "Plastic"}  # what is printed can be filtered by


def test_the_old_price_is_shown_only_when_it_was_higher():
    for before, shown in ((150, vnd(150)), (100, None), (90, None), (None, None)):
        card = rules.card_for(a_product(a_variant(RED, "red", before=before)), language="vi", market="VN")
        assert card is not None
        assert card.compare_at == shown


def test_the_variant_to_buy_is_the_default_one_or_one_that_can_be_had():
    for red, blue, chosen, available in ((1, 1, RED, True), (0, 1, BLUE, True), (0, 0, RED, False)):
        product = a_product(a_variant(RED, "red", available=red), a_variant(BLUE, "blue", available=blue))
        card = rules.card_for(product, language="vi", market="VN")
        assert card is not None
        assert (card.variant_id, card.available) == (chosen, available)
        assert rules.is_in_stock(product) is available


def test_stock_without_a_price_is_no_stock():
    assert not rules.is_in_stock(a_product(a_variant(RED, "red", price=None, available=5)))


def test_the_picture_is_that_of_the_variant_else_the_first():
    product = a_product()
    first = rules.image_for(product, product.variants[0], "en")
    assert first is not None
    assert (first.url, first.alt, first.widths) == ("/media/a.webp", "Ghế đỏ", [400, 800])
    second = rules.image_for(product, replace(product.variants[0], media=[1]), "en")
    assert second is not None
    assert (second.url, second.alt) == ("/media/b.webp", "Plastic stool")
    assert rules.image_for(replace(product, media=[]), product.variants[0], "vi") is None


def test_a_product_is_found_by_brand_filterable_attributes_and_the_options_it_has():
    assert rules.facets_for(a_product()) == {
        "brand": ["cho-lon"],
        "material": ["plastic"],
        "colour": ["red", "blue"],
    }


def test_facets_and_values_are_called_what_the_product_calls_them():
    names = Names(rules.labels_for([a_product()]))
    assert names.label("colour", "", "en") == "Colour"
    assert names.label("colour", "blue", "en") == "Xanh"
    assert names.label("brand", "cho-lon", "vi") == "Chợ Lớn"
    assert names.label("material", "plastic", "vi") == "Nhựa"
    assert names.swatch("colour", "red") == "#ff0000"
    assert names.label("colour", "mauve", "vi") == "mauve"
    assert names.label("size", "", "vi") == "size"
    assert names.swatch("size", "s") is None
    assert ("care", "") not in names.labels


def test_a_product_is_searched_by_its_texts_and_below_all_categories_above_it():
    product = a_product(a_variant(RED, "red", before=150))
    found = rules.indexed_for(product, sold=3, names=Names((), [HOME, CHAIRS]))
    assert [category.id for category in found.categories] == [str(FURNITURE.id), str(HOME.id)]
    assert found.texts["vi"].description == "Ghế ngồi\nBền"
    assert found.texts["en"].keywords == "Red | Plastic | Lau khô"
    assert (found.price, found.compare_at, found.sold, found.skus) == ({"VN": 100}, {"VN": 150}, 3, ["SKU-red"])
    alone = rules.indexed_for(product, sold=0, names=Names())
    assert [category.id for category in alone.categories] == [str(FURNITURE.id)]
    assert rules.texts_for(product, "vi").brand == "Chợ Lớn"


def test_a_product_without_english_is_indexed_in_vietnamese_only():
    assert list(rules.indexed_for(replace(a_product(), name={"vi": "Ghế"}), sold=0, names=Names()).texts) == ["vi"]


def test_offers_of_an_older_version_lose_and_others_change_known_variants_only():
    product = a_product()
    cheaper = [a_variant(RED, "red", price=50, available=0), a_variant(uuid7(), "gold", price=1)]
    assert rules.with_offers(product, ProductOffers(product.id, 1, product.slugs, cheaper)) is None
    changed = rules.with_offers(product, ProductOffers(product.id, 2, product.slugs, cheaper))
    assert changed is not None
    assert [variant.id for variant in changed.variants] == [RED, BLUE]
    assert rules.prices_for(changed) == {"VN": 50}
    assert changed.variants[0].available == 0
    assert changed.variants[1] == product.variants[1]


def test_a_later_version_replaces_an_earlier_one_and_a_withdrawn_one_its_own():
    kept = Known(2, False, a_product())
    assert rules.is_newer(Known(3, False), kept)
    assert rules.is_newer(Known(2, True), kept)
    assert not rules.is_newer(Known(2, False), kept)
    assert not rules.is_newer(Known(2, False), Known(2, True))
    assert not rules.is_newer(Known(1, True), kept)


def test_events_at_once_leave_what_they_leave_one_after_the_other():
    """Any events of three products, in any order and repeated: what is known afterwards does not depend on the cuts."""
    random = Random(11)
    ids = [RED, BLUE, uuid7()]

    def any_event():
        product = replace(a_product(), id=random.choice(ids), version=random.randint(1, 4))
        match random.randint(0, 2):
            case 0:
                return ProductChanged(product=replace(product, name={"vi": str(random.random())}))
            case 1:
                return ProductWithdrawn(product.id, product.version, {})
        stock = [replace(v, available=random.randint(0, 3)) for v in product.variants]
        return OffersChanged(offers=[ProductOffers(product.id, product.version, {}, stock)])

    for _ in range(200):
        events = [any_event() for _ in range(random.randint(1, 12))]
        events += random.sample(events, len(events) // 2)
        alone: dict[UUID, Known] = {}
        for event in events:
            alone.update(rules.after([event], alone))
        cut = random.randint(0, len(events))
        halves = rules.after(events[:cut], {})
        halves.update(rules.after(events[cut:], halves))
        assert rules.after(events, {}) == alone == halves
        assert alone.keys() <= rules.named_in(events)


def test_the_tree_is_followed_up_and_down_even_when_it_is_broken():
    round_about = [
        CategoryNode(one, slug, {"vi": slug}, other) for one, slug, other in ((RED, "a", BLUE), (BLUE, "b", RED))
    ]
    names = Names((), round_about)
    assert {node.id for node in names.upwards([RED])} == {RED, BLUE}
    assert set(names.downwards([RED])) == {RED, BLUE}
    assert names.category("a").id == RED
    with pytest.raises(NotFound):
        names.category("c")


def test_an_index_is_continued_only_when_it_is_of_this_database_and_knows_no_more():
    build = uuid7()
    for index, database, continued in (
        (Place(build, 5), Place(build, 5), True),
        (Place(build, 3), Place(build, 5), True),
        (Place(build, 6), Place(build, 5), False),
        (Place(uuid7(), 5), Place(build, 5), False),
        (Place(build, 5, format=0), Place(build, 5), False),
        (Place(build, 5), None, False),
    ):
        assert rules.is_continued_by(index, database) is continued


def test_a_label_of_a_value_stays_the_first_that_the_product_gives():
    labels = rules.labels_for([a_product()])
    assert len({(label.code, label.value) for label in labels}) == len(labels)
    assert Label("colour", "gold", {"vi": "Vàng"}, "#ffd700") in labels
