"""A product as rows of a table: a row a variant, what belongs to the product in its first row.

`cells_of` writes, `draft_from` reads. A cell that says what would be written for the product as it is changes nothing,
however it is kept; so what was exported can be sent back, and what was sent in once can be sent again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from sampan.services.catalog.actions.sheet import joined
from sampan.services.catalog.rules import LANGUAGES, AttributeDefinition, Draft, NewVariant, ProductType
from sampan.services.catalog.store.products import StoredProduct

Cells = dict[str, str]

MOST_OPTIONS: Final = 5
OPTION: Final = ("option{}", "option{}_vi", "option{}_en")  # of the product
OPTION_VALUE: Final = ("option{}_value", "option{}_value_vi", "option{}_value_en", "option{}_swatch")  # of the variant
BEFORE_OPTIONS: Final = (
    "handle", "sku", "status", "product_type", "tax_class", "brand", "categories", "channels", "slug_vi", "slug_en",
    "name_vi", "name_en", "summary_vi", "summary_en", "description_vi", "description_en",
)  # fmt: skip
AFTER_OPTIONS: Final = (
    "barcode", "grams", "size_mm", "max_quantity", "pictures", "pictures_vi", "pictures_en", "variant_pictures",
)  # fmt: skip
OPTIONS: Final = tuple(name.format(place) for place in range(1, MOST_OPTIONS + 1) for name in (*OPTION, *OPTION_VALUE))
FIXED: Final = (*BEFORE_OPTIONS, *OPTIONS, *AFTER_OPTIONS)
NEEDED: Final = ("handle", "sku")
OF_VARIANTS: Final = frozenset(
    [name.format(place) for place in range(1, MOST_OPTIONS + 1) for name in OPTION_VALUE]
    + ["sku", "barcode", "grams", "size_mm", "max_quantity", "variant_pictures"]
)


def columns_for(types: Iterable[ProductType]) -> list[str]:
    """All columns there are: those of every product, then those of the attributes of all types."""
    own: dict[str, None] = {}
    for product_type in types:
        for definition in product_type.attributes:
            own.update(dict.fromkeys(attribute_columns(definition)))
    return [*FIXED, *own]


def attribute_columns(definition: AttributeDefinition) -> list[str]:
    """`attribute.material`; a text may be another one in English."""
    name = f"attribute.{definition.code}"
    return [name, f"{name}.en"] if definition.kind == "text" else [name]


def cells_of(product: StoredProduct, types: Mapping[str, ProductType]) -> list[Cells]:
    """The rows of a product. Columns that are not there are empty."""
    draft = product.draft
    rows = [variant_cells(draft, variant) for variant in draft.variants]
    rows[0].update(product_cells(product, types.get(draft.product_type)))
    return [{"handle": product.slug, **row} for row in rows]


def product_cells(product: StoredProduct, product_type: ProductType | None) -> Cells:
    draft = product.draft
    found = {
        "status": draft.status,
        "product_type": draft.product_type,
        "tax_class": draft.tax_class,
        "brand": draft.brand or "",
        "categories": joined(draft.categories),
        "channels": joined(draft.channels),
        "pictures": joined(media.url for media in draft.media),
    }
    for language in LANGUAGES:
        found[f"slug_{language}"] = product.document.slugs.get(language, "")
        found[f"name_{language}"] = draft.name.get(language, "")
        found[f"summary_{language}"] = draft.summary.get(language, "")
        found[f"description_{language}"] = draft.description.get(language, "")
        texts = [media.alt.get(language, "") for media in draft.media]
        found[f"pictures_{language}"] = joined(texts) if any(texts) else ""
    for place, option in enumerate(draft.options, start=1):
        found[f"option{place}"] = option.code
        for language in LANGUAGES:
            found[f"option{place}_{language}"] = option.label.get(language, "")
    for definition in product_type.attributes if product_type else ():
        found |= attribute_cells(definition, draft.attributes.get(definition.code))
    return found


def attribute_cells(definition: AttributeDefinition, value: Any) -> Cells:
    """The value as it stands in the columns of its attribute."""
    columns = attribute_columns(definition)
    if isinstance(value, dict) and len(columns) == 2:
        texts = (str(value.get("vi", "")), str(value.get("en", "")))
    elif isinstance(value, list):
        texts = (joined(map(str, value)), "")
    elif isinstance(value, bool):
        texts = ("yes" if value else "no", "")
    else:
        texts = ("" if value is None else str(value), "")
    return dict(zip(columns, texts, strict=False))


def variant_cells(draft: Draft, variant: NewVariant) -> Cells:
    found = {
        "sku": variant.sku,
        "barcode": variant.barcode or "",
        "grams": str(variant.grams),
        "size_mm": "x".join(map(str, variant.size_mm)) if variant.size_mm else "",
        "max_quantity": str(variant.max_quantity),
        "variant_pictures": joined(str(place + 1) for place in variant.media),
    }
    for place, option in enumerate(draft.options, start=1):
        value = next((each for each in option.values if each.code == variant.options.get(option.code)), None)
        if value is not None:
            found[f"option{place}_value"] = value.code
            found[f"option{place}_swatch"] = value.swatch or ""
            for language in LANGUAGES:
                found[f"option{place}_value_{language}"] = value.label.get(language, "")
    return found


def in_order(variants: Sequence[NewVariant], before: Sequence[NewVariant]) -> list[NewVariant]:
    """The variants of a product after some of them were sent: nothing is left out that was there.

    When all that were there were sent, in the order of the file; else in the order of before, then the new ones.
    """
    sent = {variant.sku: variant for variant in variants}
    if all(variant.sku in sent for variant in before):
        return list(variants)
    had = {variant.sku for variant in before}
    return [sent.get(v.sku, v) for v in before] + [v for v in variants if v.sku not in had]


def settled(draft: Draft, before: Draft | None, product_type: ProductType | None) -> Draft:
    """A changed product loses the attributes that its type no longer has; one that is the same stays as it is."""
    if draft == before or product_type is None:
        return draft
    known = {definition.code for definition in product_type.attributes}
    return replace(draft, attributes={code: value for code, value in draft.attributes.items() if code in known})
