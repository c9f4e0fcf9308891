"""The rules of what we sell, without a database."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import Invalid
from sampan.services.catalog import rules
from sampan.services.catalog.rules import (
    MAX_DEPTH,
    AttributeDefinition,
    Choice,
    Draft,
    NewMedia,
    NewOption,
    NewOptionValue,
    NewVariant,
    ProductType,
    SlugTaken,
    VersionChanged,
)


def words(text: str) -> dict[str, str]:
    return {"vi": text, "en": f"{text} (en)"}


def option(code: str, *values: str) -> NewOption:
    return NewOption(code, words(code), [NewOptionValue(value, words(value)) for value in values])


COLOUR, SIZE = option("colour", "red", "blue"), option("size", "s", "m", "l")
MATERIAL = AttributeDefinition(
    "material", words("Chất liệu"), "choice", choices=[Choice("clay", words("Đất")), Choice("tin", words("Thiếc"))]
)
HEIGHT = AttributeDefinition("height", words("Cao"), "number", unit={"vi": "lít", "en": "litres"})
HANDMADE = AttributeDefinition("handmade", words("Thủ công"), "boolean")
CARE = AttributeDefinition("care", words("Giữ gìn"), "text")
POT = ProductType("pot", words("Nồi"), [MATERIAL, HEIGHT, HANDMADE, CARE])


def a_draft(**changes: Any) -> Draft:
    values: dict[str, Any] = {
        "name": words("Nồi đất"),
        "product_type": "pot",
        "options": [COLOUR],
        "variants": [NewVariant("A", {"colour": "red"}), NewVariant("B", {"colour": "blue"})],
        "attributes": {"material": "clay"},
    }
    return Draft(**{**values, **changes})


@contextmanager
def refused(code: str) -> Iterator[None]:
    """Refused with this code of a field."""
    with pytest.raises(Invalid) as refusal:
        yield
    assert refusal.value.facts["errors"][0]["code"] == code


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [{}, {"vi": ""}, {"vi": " \n"}, {"en": "Pot"}, {"vi": "", "en": "Pot"}])
def test_a_needed_text_is_there_in_vietnamese(texts: dict[str, str]) -> None:
    with refused("missing"):
        rules.check_texts("name", texts, required=True)


def test_a_text_is_there_in_vietnamese_before_any_other_language() -> None:
    with refused("missing"):
        rules.check_texts("summary", {"en": "A pot"}, required=False)
    for texts in ({}, {"vi": ""}, {"vi": "", "en": " "}, {"vi": "Nồi"}, words("Nồi")):
        rules.check_texts("summary", texts, required=False)


def test_nul_is_no_character_of_a_text() -> None:
    with refused("characters"):
        rules.check_texts("name", {"vi": "Nồi\x00"}, required=True)


def test_what_is_not_said_in_a_language_is_said_in_vietnamese() -> None:
    assert rules.said({"vi": "Nồi"}, "en") == "Nồi"
    assert rules.said({"vi": "Nồi", "en": ""}, "en") == "Nồi"
    assert rules.said({"vi": "Nồi", "en": " \u00a0"}, "en") == "Nồi"
    assert rules.said(words("Nồi"), "en") == "Nồi (en)"


# --- options and variants ---------------------------------------------------------------------------------------------


def test_options_and_their_values_differ_in_their_codes() -> None:
    rules.check_options([COLOUR, SIZE])
    with refused("duplicate"):
        rules.check_options([COLOUR, option("colour", "green")])
    with refused("duplicate"):
        rules.check_options([option("colour", "red", "red")])


def test_an_option_and_its_values_have_vietnamese_labels() -> None:
    with refused("missing"):
        rules.check_options([NewOption("colour", {"en": "Colour"}, [NewOptionValue("red", words("Đỏ"))])])
    with refused("missing"):
        rules.check_options([NewOption("colour", words("Màu"), [NewOptionValue("red", {})])])


def test_a_product_has_at_least_one_variant() -> None:
    with refused("missing"):
        rules.check_variants([], [])
    rules.check_variants([], [NewVariant("A")])


@pytest.mark.parametrize(
    "chosen", [{}, {"colour": "red"}, {"colour": "red", "size": "xl"}, {"colour": "red", "size": "s", "shape": "o"}]
)
def test_a_variant_names_one_value_for_every_option(chosen: dict[str, str]) -> None:
    with refused("options"):
        rules.check_variants([COLOUR, SIZE], [NewVariant("A", chosen)])


def test_no_two_variants_are_the_same() -> None:
    red = {"colour": "red"}
    with refused("duplicate"):
        rules.check_variants([COLOUR], [NewVariant("A", red), NewVariant("B", red)])
    with refused("duplicate"):
        rules.check_variants([COLOUR], [NewVariant("A", red), NewVariant("A", {"colour": "blue"})])
    same = uuid4()
    with refused("duplicate"):
        rules.check_variants([COLOUR], [NewVariant("A", red, id=same), NewVariant("B", {"colour": "blue"}, id=same)])


@given(st.lists(st.tuples(st.sampled_from(["red", "blue"]), st.sampled_from(["s", "m", "l"])), max_size=8))
def test_variants_are_accepted_exactly_when_they_differ(chosen: list[tuple[str, str]]) -> None:
    variants = [NewVariant(f"V{i}", {"colour": colour, "size": size}) for i, (colour, size) in enumerate(chosen)]
    try:
        rules.check_variants([COLOUR, SIZE], variants)
    except Invalid:
        assert not chosen or len(set(chosen)) < len(chosen)
    else:
        assert chosen
        assert len(set(chosen)) == len(chosen)


def test_a_variant_is_called_by_its_options_in_their_order() -> None:
    product = document(a_draft(options=[SIZE, COLOUR], variants=[NewVariant("A", {"colour": "red", "size": "m"})]))
    name = rules.variant_name(product.name, product.options, {"colour": "red", "size": "m"})
    assert name == {"vi": "Nồi đất · m · red", "en": "Nồi đất (en) · m (en) · red (en)"}


# --- types and attributes ---------------------------------------------------------------------------------------------


def test_a_product_type_is_whole() -> None:
    rules.check_type(POT)


@pytest.mark.parametrize(
    ("code", "attributes"),
    [
        ("duplicate", [CARE, CARE]),
        ("missing", [AttributeDefinition("care", {}, "text")]),
        ("missing", [AttributeDefinition("height", words("Cao"), "number", unit={"en": "mm"})]),
        ("kind", [AttributeDefinition("material", words("Chất liệu"), "choice")]),
        ("kind", [AttributeDefinition("care", words("Giữ"), "text", choices=[Choice("dry", words("Khô"))])]),
        (
            "duplicate",
            [
                AttributeDefinition(
                    "m", words("M"), "choice", choices=[Choice("a", words("A")), Choice("a", words("B"))]
                )
            ],
        ),
        ("missing", [AttributeDefinition("m", words("M"), "choice", choices=[Choice("a", {"en": "A"})])]),
    ],
)
def test_what_is_wrong_with_a_product_type_is_refused(code: str, attributes: list[AttributeDefinition]) -> None:
    with refused(code):
        rules.check_type(ProductType("pot", words("Nồi"), attributes))
    with refused("missing"):
        rules.check_type(ProductType("pot", {}, []))


@pytest.mark.parametrize(
    ("definition", "fitting", "unfitting"),
    [
        (HANDMADE, [True, False], [0, 1, "true", None, []]),
        (HEIGHT, [0, -5, 10**12 - 1, "3.25", "-0.5", "12"], [True, 1.5, 10**12, "1e5", "٣", "1,5", "007", "", None, "1\n"]),
        (MATERIAL, ["clay", ["tin", "clay"]], ["gold", [], ["clay", "clay"], [1], [{}], None, ["clay"] * 21]),
        (CARE, ["Rửa tay", words("Rửa tay"), "x" * 500], ["", "  ", {"en": "Wash"}, {"fr": "Laver", "vi": "Rửa"}, "x" * 501, 5]),
    ],
)  # fmt: skip
def test_a_value_fits_the_kind_of_its_attribute(
    definition: AttributeDefinition, fitting: list[Any], unfitting: list[Any]
) -> None:
    assert [value for value in fitting if not rules.is_fitting(definition, value)] == []
    assert [value for value in unfitting if rules.is_fitting(definition, value)] == []


def anything() -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    return st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


@given(anything())
def test_whatever_is_sent_as_a_value_is_answered_by_yes_or_no_and_a_fitting_one_is_shown(value: Any) -> None:
    for definition in POT.attributes:
        if rules.is_fitting(definition, value):
            [shown] = rules.shown_attributes(POT, {definition.code: value})
            assert set(shown.value) <= {"vi", "en"}
            assert shown.value["vi"]


def test_a_text_says_something() -> None:
    assert rules.is_text("Rửa tay")
    assert not any(rules.is_text(value) for value in ("", " ", "a\x00", "x" * 501, 5, None))


def test_an_attribute_belongs_to_the_product_type() -> None:
    rules.check_attributes(POT, {"material": "clay", "height": 30})
    with refused("unknown"):
        rules.check_attributes(POT, {"taste": "sweet"})
    with refused("kind"):
        rules.check_attributes(POT, {"height": "tall"})


def test_a_required_attribute_is_there() -> None:
    strict = msgspec.structs.replace(POT, attributes=[msgspec.structs.replace(CARE, required=True)])
    rules.check_attributes(strict, {"care": "Rửa tay"})
    with refused("missing"):
        rules.check_attributes(strict, {})


def test_attributes_are_shown_in_the_order_of_the_type_and_in_words() -> None:
    shown = rules.shown_attributes(POT, {"care": "Rửa", "handmade": True, "height": "1.5", "material": ["tin", "clay"]})
    assert [(a.code, a.value, a.codes) for a in shown] == [
        ("material", {"vi": "Thiếc, Đất", "en": "Thiếc (en), Đất (en)"}, ["tin", "clay"]),
        ("height", {"vi": "1,5 lít", "en": "1.5 litres"}, ["1.5"]),
        ("handmade", {"vi": "Có", "en": "Yes"}, ["yes"]),
        ("care", {"vi": "Rửa", "en": "Rửa"}, []),
    ]


def test_what_no_longer_fits_the_type_is_not_shown() -> None:
    assert rules.shown_attributes(POT, {"material": "gold", "height": True, "gone": 1}) == []


# --- products -----------------------------------------------------------------------------------------------------------


def document(draft: Draft) -> Any:
    ids = [uuid4() for _ in draft.variants]
    variants = [
        rules.VariantDocument(id=own, sku=variant.sku, options=variant.options)
        for own, variant in zip(ids, draft.variants, strict=True)
    ]
    return rules.document_of(
        draft,
        product_id=uuid4(),
        version=3,
        slugs={"vi": "noi-dat", "en": "clay-pot"},
        product_type=POT,
        categories=[],
        ancestors=[],
        media=[],
        variants=variants,
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def test_a_product_is_whole() -> None:
    rules.check_draft(a_draft(), POT)
    with refused("missing"):
        rules.check_draft(a_draft(name={"en": "Pot"}), POT)
    with refused("missing"):
        rules.check_draft(a_draft(description={"en": "A pot"}), POT)
    with refused("unknown"):
        rules.check_draft(a_draft(attributes={"taste": "sweet"}), POT)


def test_a_variant_shows_pictures_that_the_product_has() -> None:
    picture = NewMedia("/files/media/x", {"vi": "Nồi"})
    variants = [NewVariant("A", {"colour": "red"}, media=[0]), NewVariant("B", {"colour": "blue"}, media=[1, 0])]
    rules.check_draft(a_draft(media=[picture, picture], variants=variants), POT)
    with refused("unknown"):
        rules.check_draft(a_draft(media=[picture], variants=variants), POT)


def test_the_first_variant_is_the_one_shown_first() -> None:
    product = document(a_draft())
    assert product.default_variant_id == product.variants[0].id
    assert product.slug == "noi-dat"


def test_readers_get_a_text_in_the_languages_in_which_it_says_anything() -> None:
    blank = {"vi": "Nồi đất", "en": " "}
    option = NewOption("colour", blank, [NewOptionValue("red", blank), NewOptionValue("blue", blank)])
    product = document(a_draft(name=blank, summary={"vi": " "}, description=blank, options=[option]))
    said = {"vi": "Nồi đất"}
    assert (product.name, product.summary, product.description) == (said, {}, said)
    assert [product.options[0].label, *(value.label for value in product.options[0].values)] == [said] * 3
    assert rules.wanted_slugs(a_draft(name=blank), {}) == {"vi": "noi-dat", "en": "noi-dat"}
    assert rules.worded(words("Nồi")) == words("Nồi")


def test_readers_get_texts_in_one_unicode_form() -> None:
    apart = {language: unicodedata.normalize("NFD", text) for language, text in words("Nồi đất đỏ").items()}
    draft = a_draft(name=apart, summary=apart, brand=apart["vi"], attributes={"care": apart["vi"]})
    product = document(draft)
    assert (product.name, product.summary, product.brand) == (words("Nồi đất đỏ"), words("Nồi đất đỏ"), "Nồi đất đỏ")
    assert product.attributes[0].value["vi"] == "Nồi đất đỏ"
    assert document(a_draft(brand=" ")).brand is None


def test_who_changes_a_product_has_read_what_it_is_now() -> None:
    rules.check_version(4, 4)
    with pytest.raises(VersionChanged) as refusal:
        rules.check_version(5, 4)
    assert refusal.value.facts == {"version": 5, "yours": 4}


# --- addresses ----------------------------------------------------------------------------------------------------------


def test_an_address_is_the_one_asked_for_else_the_one_before_else_the_name() -> None:
    draft = a_draft(slugs={"vi": "noi-moi"})
    assert rules.wanted_slugs(draft, {"vi": "noi-cu", "en": "old-pot"}) == {"vi": "noi-moi", "en": "old-pot"}
    assert rules.wanted_slugs(a_draft(), {}) == {"vi": "noi-dat", "en": "noi-dat-en"}
    assert rules.wanted_slugs(a_draft(name={"vi": "★"}), {}) == {"vi": "san-pham", "en": "san-pham"}


def test_an_address_belongs_to_one_product_for_ever() -> None:
    own, other = uuid4(), uuid4()
    wanted = {"vi": "noi-dat", "en": "clay-pot"}
    assert rules.slugs_for(a_draft(), wanted, own, {"noi-dat": own}) == wanted
    with pytest.raises(SlugTaken) as refusal:
        rules.slugs_for(a_draft(slugs={"vi": "noi-dat"}), wanted, own, {"noi-dat": other})
    assert refusal.value.facts == {"slug": "noi-dat"}


def test_an_address_made_from_a_name_gets_an_ending_when_it_is_taken() -> None:
    own = UUID(int=0xABCDEF)
    found = rules.slugs_for(a_draft(), {"vi": "noi-dat", "en": "clay-pot"}, own, {"noi-dat": uuid4()})
    assert found == {"vi": "noi-dat-abcdef", "en": "clay-pot"}


@given(st.text(max_size=60))
def test_every_name_gives_an_address(name: str) -> None:
    for slug in rules.wanted_slugs(a_draft(name={"vi": name}), {}).values():
        msgspec.convert(slug, rules.Slug)


def test_only_the_usual_form_of_an_id_is_one() -> None:
    own = uuid4()
    assert rules.product_id_in(str(own)) == own
    assert rules.product_id_in(str(own).upper()) == own
    for other in (own.hex, f"{{{own}}}", f"urn:uuid:{own}", "noi-dat", "", f"{own}\n"):
        assert rules.product_id_in(other) is None


# --- categories -----------------------------------------------------------------------------------------------------------


def test_a_category_cannot_be_put_below_itself() -> None:
    top, middle, low = uuid4(), uuid4(), uuid4()
    parents = {top: None, middle: top, low: middle}
    rules.check_tree(parents, low, top)
    for parent in (top, middle, low):
        with refused("cycle"):
            rules.check_tree(parents, top, parent)


def test_the_tree_has_at_most_eight_levels() -> None:
    chain = [uuid4() for _ in range(MAX_DEPTH)]
    parents: dict[UUID, UUID | None] = dict(zip(chain, [None, *chain], strict=False))
    rules.check_tree(parents, None, chain[-2])
    with refused("depth"):
        rules.check_tree(parents, None, chain[-1])
    other, child = uuid4(), uuid4()
    parents |= {other: None, child: other}
    rules.check_tree(parents, other, chain[-3])
    with refused("depth"):
        rules.check_tree(parents, other, chain[-2])


@given(st.lists(st.integers(0, 9), max_size=10))
def test_a_tree_that_grows_by_the_rule_has_no_circle(moves: list[int]) -> None:
    nodes = [UUID(int=number + 1) for number in range(10)]
    parents: dict[UUID, UUID | None] = dict.fromkeys(nodes)
    for place, target in enumerate(moves):
        try:
            rules.check_tree(parents, nodes[place], nodes[target])
        except Invalid:
            continue
        parents[nodes[place]] = nodes[target]
    for node in nodes:
        assert 1 <= rules.height_of(parents, node) <= MAX_DEPTH
