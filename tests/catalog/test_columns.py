"""Products as rows: what is written and read back changes nothing, and what is wrong is named by row and column."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.catalog.conftest import COLOUR, FURNITURE

from sampan.kernel.errors import Invalid, NotFound
from sampan.services.catalog import rules
from sampan.services.catalog.actions.columns import FIXED, MOST_OPTIONS, cells_of, columns_for
from sampan.services.catalog.actions.reading import Refused, changes_between, draft_from, errors_of
from sampan.services.catalog.contract import VariantDocument
from sampan.services.catalog.rules import (
    AttributeDefinition,
    Choice,
    Draft,
    NewMedia,
    NewOption,
    NewOptionValue,
    NewVariant,
    ProductType,
    SkuTaken,
    SlugTaken,
)
from sampan.services.catalog.store.imports import RowError, SheetRow
from sampan.services.catalog.store.products import StoredProduct

THINGS = ProductType(
    "things",
    {"vi": "Đồ vật"},
    [
        AttributeDefinition("care", {"vi": "Giữ gìn"}, "text"),
        AttributeDefinition("height", {"vi": "Cao"}, "number", unit={"vi": "cm"}),
        AttributeDefinition("material", {"vi": "Chất liệu"}, "choice", choices=[Choice("oak", {"vi": "Sồi"}), Choice("pine", {"vi": "Thông"})]),
        AttributeDefinition("foldable", {"vi": "Gấp được"}, "boolean"),
    ],
)  # fmt: skip
TYPES = {"things": THINGS, "furniture": FURNITURE}
COLUMNS = columns_for(TYPES.values())
PICTURE = "/files/media/ab/cd/800-800x1000.webp"


def stored(draft: Draft, slugs: dict[str, str] | None = None) -> StoredProduct:
    """The product as it would be kept."""
    ids = [variant.id or UUID(int=place + 1) for place, variant in enumerate(draft.variants)]
    draft = replace(draft, variants=[replace(v, id=i) for v, i in zip(draft.variants, ids, strict=True)])
    slugs = slugs or {"vi": "ghe-nhua", "en": "plastic-stool"}
    document = rules.document_of(
        draft, product_id=UUID(int=9), version=1, slugs=slugs, product_type=TYPES[draft.product_type], categories=[],
        ancestors=[], media=[], variants=[VariantDocument(i, v.sku, v.options) for i, v in zip(ids, draft.variants, strict=True)],
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return StoredProduct(UUID(int=9), 1, draft.status, slugs["vi"], draft, document, document.created_at)


STOOL = Draft(
    name={"vi": "Ghế nhựa", "en": "Plastic stool"},
    product_type="things",
    variants=[
        NewVariant("A-R", {"colour": "red"}, barcode="8931234567890", grams=900, size_mm=[300, 200, 450], media=[1, 0]),
        NewVariant("A-B", {"colour": "blue"}, max_quantity=5),
    ],
    summary={"vi": "Thấp|nhẹ"},
    description={"vi": "Hai\ndòng", "en": "=SUM(A1)"},
    brand="Bến Ghe",
    categories=["ghe", "do-nha"],
    attributes={"care": {"vi": "Lau", "en": "Wipe"}, "height": "45.5", "material": ["oak", "pine"], "foldable": False},
    options=[COLOUR],
    media=[NewMedia(PICTURE, {"vi": "Đỏ|tươi", "en": "Red"}), NewMedia(PICTURE + "2", {})],
    status="published",
)


def rows_of(product: StoredProduct, columns: list[str] = COLUMNS, **changes: str) -> list[SheetRow]:
    """The product's rows, with other cells in the first one."""
    cells = cells_of(product, TYPES)
    cells[0].update(changes)
    return [SheetRow(n, [row.get(column, "") for column in columns]) for n, row in enumerate(cells, start=2)]


def read(product: StoredProduct | None, rows: list[SheetRow], columns: list[str] = COLUMNS) -> Draft:
    return draft_from(columns, rows, product, TYPES)


def errors(
    product: StoredProduct | None, rows: list[SheetRow], columns: list[str] = COLUMNS
) -> list[tuple[int, str, str]]:
    with pytest.raises(Refused) as refused:
        read(product, rows, columns)
    return [(error.row, error.column, error.code) for error in refused.value.errors]


def test_a_row_is_a_variant_and_what_belongs_to_the_product_stands_in_the_first():
    first, second = cells_of(stored(STOOL), TYPES)
    assert first["handle"] == second["handle"] == "ghe-nhua"
    shown = {
        name: first[name] for name in ("sku", "name_vi", "categories", "size_mm", "variant_pictures", "pictures_vi")
    }
    assert shown == {
        "sku": "A-R", "name_vi": "Ghế nhựa", "categories": "ghe|do-nha", "size_mm": "300x200x450",
        "variant_pictures": "2|1", "pictures_vi": "Đỏ\\|tươi|",
    }  # fmt: skip
    assert [first[f"option1{name}"] for name in ("", "_vi", "_value", "_value_vi", "_swatch")] == [
        "colour", "Màu", "red", "Đỏ", "#c6321f",
    ]  # fmt: skip
    attributes = {name: text for name, text in first.items() if name.startswith("attribute.")}
    assert attributes == {
        "attribute.care": "Lau", "attribute.care.en": "Wipe", "attribute.height": "45.5",
        "attribute.material": "oak|pine", "attribute.foldable": "no",
    }  # fmt: skip
    assert "name_vi" not in second


def test_what_was_written_is_read_as_the_same_product():
    product = stored(STOOL)
    assert read(product, rows_of(product)) == product.draft


def test_a_new_product_is_read_whole():
    read_back = read(None, rows_of(stored(STOOL)))
    assert replace(read_back, slugs={}) == replace(STOOL, slugs={})
    assert read_back.slugs == {"vi": "ghe-nhua", "en": "plastic-stool"}


TEXT = st.text(st.sampled_from("aếĐ |\\=\n'"), max_size=6)
SAID = TEXT.filter(str.strip)
ALTS = st.fixed_dictionaries({}, optional={"vi": TEXT, "en": TEXT})


@st.composite
def drafts(draw: Any) -> Draft:
    options = [
        NewOption(code, {"vi": draw(SAID)}, [NewOptionValue(f"v{i}", {"vi": draw(SAID)}, draw(st.sampled_from([None, "#123abc"]))) for i in range(3)])
        for code in draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3))
    ]  # fmt: skip
    media = [NewMedia(f"{PICTURE}{i}", draw(ALTS)) for i in range(draw(st.integers(0, 3)))]
    count = draw(st.integers(1, 3)) if options else 1
    variants = [
        NewVariant(
            f"S{i}", {option.code: f"v{i}" for option in options}, barcode=draw(st.sampled_from([None, "00000000"])),
            grams=draw(st.integers(0, 9)), size_mm=draw(st.sampled_from([None, [0, 1, 2]])), max_quantity=draw(st.integers(1, 99)),
            media=draw(st.lists(st.integers(0, len(media) - 1), max_size=3)) if media else [],
        )
        for i in range(count)
    ]  # fmt: skip
    attributes = {
        "care": st.one_of(SAID, st.fixed_dictionaries({"vi": SAID}, optional={"en": SAID})),
        "height": st.sampled_from([0, -5, 45, "45.5", "7"]),
        "material": st.sampled_from(["oak", ["oak"], ["pine", "oak"]]),
        "foldable": st.booleans(),
    }
    return Draft(
        {"vi": draw(SAID), **draw(ALTS)}, "things", variants, summary={"vi": draw(TEXT)}, description=draw(ALTS),
        brand=draw(st.one_of(st.none(), st.just("Bến"))), categories=draw(st.lists(st.just("ghe"), max_size=1)),
        attributes=draw(st.fixed_dictionaries({}, optional=attributes)), options=options, media=media,
        channels=draw(st.sampled_from([[], ["web"], ["web", "pos"]])),
        slugs=draw(st.sampled_from([{}, {"vi": "ghe-nhua"}])), status=draw(st.sampled_from(["draft", "published", "archived"])),
    )  # fmt: skip


@settings(deadline=None)
@given(drafts())
def test_a_product_that_is_sent_back_is_the_same(draft):
    product = stored(draft)
    assert read(product, rows_of(product)) == product.draft


@settings(deadline=None)
@given(drafts(), drafts())
def test_rows_that_were_read_once_change_nothing_when_they_are_read_again(one, other):
    """Whatever product there is, and whatever rows come for it."""
    rows = rows_of(stored(other))
    for before in (None, stored(one)):
        try:
            first = read(before, rows)
        except Refused:
            continue
        after = stored(first, {"vi": "ghe-nhua", "en": first.slugs.get("en", "plastic-stool")})
        assert read(after, rows) == after.draft


# --- changes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "changed"),
    [
        ({"name_vi": "Ghế tre"}, {"name": {"vi": "Ghế tre", "en": "Plastic stool"}}),
        ({"name_en": ""}, {"name": {"vi": "Ghế nhựa"}}),
        ({"brand": ""}, {"brand": None}),
        ({"categories": ""}, {"categories": []}),
        ({"categories": " ghe | ban "}, {"categories": ["ghe", "ban"]}),
        ({"status": "archived"}, {"status": "archived"}),
        ({"status": "", "tax_class": "", "channels": "", "product_type": "", "slug_vi": "", "slug_en": ""}, {}),
        ({"slug_vi": "ghe-moi"}, {"slugs": {"vi": "ghe-moi"}}),
        ({"attribute.height": "46,5"}, {"attributes": {**STOOL.attributes, "height": "46.5"}}),
        ({"attribute.height": "46"}, {"attributes": {**STOOL.attributes, "height": 46}}),
        ({"attribute.foldable": "Có"}, {"attributes": {**STOOL.attributes, "foldable": True}}),
        ({"attribute.material": "pine"}, {"attributes": {**STOOL.attributes, "material": "pine"}}),
        ({"attribute.care.en": ""}, {"attributes": {**STOOL.attributes, "care": "Lau"}}),
        ({"attribute.care": "", "attribute.care.en": ""}, {"attributes": {k: v for k, v in STOOL.attributes.items() if k != "care"}}),
        ({"pictures": PICTURE, "pictures_vi": "Mới", "pictures_en": ""}, {"media": [NewMedia(PICTURE, {"vi": "Mới"})]}),
    ],
)  # fmt: skip
def test_a_cell_that_says_another_thing_changes_its_field_only(cells, changed):
    product = stored(STOOL)
    assert read(product, rows_of(product, **cells)) == replace(product.draft, **changed)


def test_a_variants_cells_are_its_own():
    product = stored(STOOL)
    cells = {"barcode": "", "grams": "950", "size_mm": "1 x 2 x 3", "max_quantity": "", "variant_pictures": ""}
    first = replace(product.draft.variants[0], barcode=None, grams=950, size_mm=[1, 2, 3], media=[])
    assert read(product, rows_of(product, **cells)).variants == [first, product.draft.variants[1]]


def test_columns_that_are_not_there_leave_their_fields_as_they_are():
    product = stored(STOOL)
    rows = [SheetRow(2, ["ghe-nhua", "A-B", "7"])]
    columns = ["handle", "sku", "grams"]
    changed = read(product, rows, columns)
    assert changed == replace(
        product.draft, variants=[product.draft.variants[0], replace(product.draft.variants[1], grams=7)]
    )


def test_a_variant_that_is_not_in_the_file_stays_and_a_new_one_comes_last():
    product = stored(STOOL)
    columns = ["handle", "sku", "option1_value", "option1_value_vi"]
    rows = [SheetRow(2, ["ghe-nhua", "A-G", "green", "Xanh lá"]), SheetRow(3, ["ghe-nhua", "A-B", "blue", ""])]
    changed = read(product, rows, columns)
    assert [variant.sku for variant in changed.variants] == ["A-R", "A-B", "A-G"]
    assert changed.variants[2] == NewVariant("A-G", {"colour": "green"})
    assert [value.code for value in changed.options[0].values] == ["red", "blue", "green"]
    assert changed.options[0].values[1].label == {"en": "Blue"}  # the cell was emptied, and the rules will not have it


def test_the_order_of_the_file_counts_when_all_variants_are_in_it():
    product = stored(STOOL)
    rows = rows_of(product)
    assert [v.sku for v in read(product, rows[::-1]).variants] == ["A-B", "A-R"]


def test_attributes_that_the_type_no_longer_has_go_with_the_next_change():
    product = stored(replace(STOOL, attributes={"height": 5, "gone": "x"}))
    assert read(product, rows_of(product)) == product.draft
    assert read(product, rows_of(product, brand="X")).attributes == {"height": 5}


def test_changes_are_told_cell_by_cell():
    before = stored(STOOL)
    after = stored(read(before, rows_of(before, name_vi="Ghế tre", grams="1", option1_value_vi="Đỏ tươi", brand="")))
    told = [
        (change.sku, change.column, change.before, change.after) for change in changes_between(before, after, TYPES)
    ]
    assert sorted(told) == [
        ("", "brand", "Bến Ghe", ""),
        ("", "name_vi", "Ghế nhựa", "Ghế tre"),
        ("A-R", "grams", "900", "1"),
        ("A-R", "option1_value_vi", "Đỏ", "Đỏ tươi"),
    ]


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        ({"status": "sold"}, "status", "choice"),
        ({"product_type": "toys"}, "product_type", "unknown"),
        ({"tax_class": "A B"}, "tax_class", "pattern"),
        ({"name_vi": "x" * 201}, "name_vi", "length"),
        ({"description_en": "x" * 20_001}, "description_en", "length"),
        ({"brand": "x" * 81}, "brand", "length"),
        ({"categories": "Ghế"}, "categories", "pattern"),
        ({"categories": "|".join(["a"] * 21)}, "categories", "length"),
        ({"channels": "Web"}, "channels", "pattern"),
        ({"slug_en": "Đẹp"}, "slug_en", "pattern"),
        ({"sku": "ghế"}, "sku", "pattern"),
        ({"barcode": "8,93123E+12"}, "barcode", "scientific"),
        ({"barcode": "123"}, "barcode", "pattern"),
        ({"grams": "1.200"}, "grams", "type"),
        ({"grams": "-1"}, "grams", "range"),
        ({"grams": "9" * 500}, "grams", "type"),
        ({"size_mm": "1x2"}, "size_mm", "length"),
        ({"max_quantity": "0"}, "max_quantity", "range"),
        ({"variant_pictures": "0"}, "variant_pictures", "range"),
        ({"variant_pictures": "one"}, "variant_pictures", "type"),
        ({"option1": "Màu"}, "option1", "pattern"),
        ({"option1": ""}, "option1", "missing"),
        ({"option1_value": "Đỏ"}, "option1_value", "pattern"),
        ({"option1_swatch": "red"}, "option1_swatch", "pattern"),
        ({"pictures_en": "a|b|c"}, "pictures_en", "pictures"),
        ({"pictures": "|".join(["x"] * 201)}, "pictures", "length"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_cell_is_named(cells, column, code):
    product = stored(STOOL)
    assert (2, column, code) in errors(product, rows_of(product, **cells))


def test_rows_of_a_product_do_not_contradict_each_other():
    product = stored(STOOL)
    rows = rows_of(product)
    cells = rows[1].cells.copy()
    cells[COLUMNS.index("name_vi")] = "Ghế khác"
    cells[COLUMNS.index("brand")] = "Bến Ghe"
    assert errors(product, [rows[0], SheetRow(3, cells)]) == [(3, "name_vi", "differs")]
    cells = rows[1].cells.copy()
    cells[COLUMNS.index("option1_value")] = "red"
    assert (3, "option1_value_vi", "differs") in errors(product, [rows[0], SheetRow(3, cells)])


def test_a_new_product_needs_a_type_and_its_handle_is_its_address():
    rows = [SheetRow(2, ["ghe-moi", "X", "ghe-khac", ""])]
    found = errors(None, rows, ["handle", "sku", "slug_vi", "product_type"])
    assert found == [(2, "product_type", "missing"), (2, "slug_vi", "handle")]


def test_a_value_in_the_column_of_another_types_attribute_is_refused():
    product = stored(replace(STOOL, product_type="furniture", attributes={}))
    assert errors(product, rows_of(product, **{"attribute.height": "5"})) == [(2, "attribute.height", "unknown")]


def test_more_variants_than_a_product_may_have_are_refused():
    product = stored(STOOL)
    rows = [SheetRow(n, ["ghe-nhua", f"B{n}"]) for n in range(2, 201)]
    assert errors(product, rows, ["handle", "sku"]) == [(2, "sku", "length")]


@pytest.mark.parametrize(
    ("refusal", "row", "column", "code"),
    [
        (SkuTaken("", sku="A-B"), 3, "sku", "sku_taken"),
        (SkuTaken(""), 2, "sku", "sku_taken"),
        (SlugTaken("", slug="ghe-en"), 2, "slug_en", "slug_taken"),
        (SlugTaken("", slug="ghe-vi"), 2, "slug_vi", "slug_taken"),
        (rules.invalid("variants.1", "options", ""), 3, "option1_value", "options"),
        (rules.invalid("variants.1.media", "unknown", ""), 3, "variant_pictures", "unknown"),
        (rules.invalid("name", "missing", ""), 2, "name_vi", "missing"),
        (rules.invalid("attributes.height", "kind", ""), 2, "attribute.height", "kind"),
        (rules.invalid("options", "missing", ""), 2, "option1", "missing"),
        (rules.invalid("media.0.url", "unknown", ""), 2, "pictures", "unknown"),
        (rules.invalid("media.0.alt", "missing", ""), 2, "pictures_vi", "missing"),
        (rules.invalid("categories.0", "unknown", ""), 2, "categories", "unknown"),
        (Invalid(""), 2, "", "failed"),
        (NotFound(""), 2, "", "failed"),
    ],
)  # fmt: skip
def test_a_refusal_of_the_rules_is_told_by_row_and_column(refusal, row, column, code):
    draft = replace(STOOL, slugs={"en": "ghe-en", "vi": "ghe-vi"})
    [error] = errors_of(refusal, draft, COLUMNS, rows_of(stored(STOOL)))
    assert isinstance(error, RowError)
    assert (error.row, error.column, error.code) == (row, column, code)


def test_every_column_is_explained_to_merchants():
    guide = (Path(__file__).parents[2] / "docs/merchants.md").read_text()
    for name in FIXED:
        shown = name if not name.startswith("option") or name.startswith("option1") else ""
        assert f"`{shown or 'option1'}" in guide, name
    assert f"up to option{MOST_OPTIONS}" in guide
