"""What must be true of what we sell.

A product has at least one variant, and each variant differs from the others in its options. Its facts are those of
its product type. Its addresses and SKUs are its own for ever, also when it no longer uses them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct, field

from sampan.kernel.errors import Conflict, invalid
from sampan.kernel.text import nfc, slugify
from sampan.services.catalog.contract import (
    Attribute,
    CategoryRef,
    Media,
    Option,
    OptionValue,
    ProductDocument,
    Texts,
    VariantDocument,
)

Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z")]
ValueCode = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}\Z")]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=120)]
Language = Annotated[str, Meta(pattern=r"^(vi|en)\Z")]
Unit = dict[Language, Annotated[str, Meta(max_length=16)]]
Label = dict[Language, Annotated[str, Meta(max_length=200)]]
Summary = dict[Language, Annotated[str, Meta(max_length=1_000)]]
Words = dict[Language, Annotated[str, Meta(max_length=20_000)]]
Sku = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}\Z")]
TaxClass = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}\Z")]  # as pricing writes them

MAX_VARIANTS: Final = 200
MAX_DEPTH: Final = 8  # levels of categories
MAX_BATCH: Final = 1000  # products written at once
LANGUAGES: Final = ("vi", "en")
NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,4})?")
PRODUCT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class SkuTaken(Conflict, code="catalog.sku_taken", status=409):
    """The SKU belongs to another variant; the fact `sku` says which."""


class SlugTaken(Conflict, code="catalog.slug_taken", status=409):
    """The slug belongs, or once belonged, to another product."""


class VersionChanged(Conflict, code="catalog.version_changed", status=409):
    """Somebody else wrote the product meanwhile; the fact `version` is the present one."""


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    code: ValueCode
    label: Label


class AttributeDefinition(Struct, frozen=True, forbid_unknown_fields=True):
    """A typed attribute of a product type. `unit` is shown after a number."""

    code: Code
    label: Label
    kind: Literal["text", "number", "choice", "boolean"]
    unit: Unit = {}
    choices: Annotated[list[Choice], Meta(max_length=200)] = []
    filterable: bool = False
    required: bool = False


class ProductType(Struct, frozen=True, forbid_unknown_fields=True):
    code: Code
    name: Label
    attributes: Annotated[list[AttributeDefinition], Meta(max_length=60)]


class NewOptionValue(Struct, frozen=True, forbid_unknown_fields=True):
    code: ValueCode
    label: Label
    swatch: Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}\Z")] | None = None


class NewOption(Struct, frozen=True, forbid_unknown_fields=True):
    code: Code
    label: Label
    values: Annotated[list[NewOptionValue], Meta(min_length=1, max_length=100)]


class NewVariant(Struct, frozen=True, forbid_unknown_fields=True):
    """A stock-keeping unit. `id` only when it exists already; `options` gives a value for each option."""

    sku: Sku
    options: Annotated[dict[Code, ValueCode], Meta(max_length=5)] = {}
    id: UUID | None = None
    barcode: Annotated[str, Meta(pattern=r"^[0-9]{8,14}\Z")] | None = None
    grams: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    size_mm: Annotated[list[Annotated[int, Meta(ge=0, le=10_000)]], Meta(min_length=3, max_length=3)] | None = None
    max_quantity: Annotated[int, Meta(ge=1, le=999)] = 99
    media: Annotated[list[Annotated[int, Meta(ge=0, le=199)]], Meta(max_length=20)] = []


class NewMedia(Struct, frozen=True, forbid_unknown_fields=True):
    """A picture that was uploaded before, by the address the upload answered."""

    url: Annotated[str, Meta(max_length=200)]
    alt: Label


class Draft(Struct, frozen=True, forbid_unknown_fields=True):
    """A product as staff write it. Values of `attributes`: texts (also per language), numbers, choices, booleans."""

    name: Label
    product_type: Code
    variants: Annotated[list[NewVariant], Meta(min_length=1, max_length=MAX_VARIANTS)]
    summary: Summary = {}
    description: Words = {}
    brand: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    categories: Annotated[list[Slug], Meta(max_length=20)] = []
    tax_class: TaxClass = "standard"
    attributes: Annotated[dict[Code, Any], Meta(max_length=60)] = {}
    options: Annotated[list[NewOption], Meta(max_length=5)] = []
    media: Annotated[list[NewMedia], Meta(max_length=200)] = []
    channels: Annotated[list[Code], Meta(max_length=20)] = field(default_factory=lambda: ["web"])
    slugs: dict[Language, Slug] = {}
    status: Literal["draft", "published", "archived"] = "draft"


def check_texts(field: str, texts: Mapping[str, str], *, required: bool) -> None:
    """A text is there in Vietnamese before it is there in any other language."""
    said_at_all = any(text.strip() for text in texts.values())
    if (required or said_at_all) and not texts.get("vi", "").strip():
        raise invalid(field, "missing", "the Vietnamese text is needed")
    if any("\x00" in text for text in texts.values()):
        raise invalid(field, "characters", "NUL is not a character of any text")


def check_options(options: Sequence[NewOption]) -> None:
    """Option codes differ from each other, and so do the values of one option."""
    codes = [option.code for option in options]
    if len(set(codes)) != len(codes):
        raise invalid("options", "duplicate", "two options have the same code")
    for option in options:
        values = [value.code for value in option.values]
        if len(set(values)) != len(values):
            raise invalid("options", "duplicate", f"two values of {option.code} have the same code")
        check_texts("options", option.label, required=True)
        for value in option.values:
            check_texts("options", value.label, required=True)


def check_variants(options: Sequence[NewOption], variants: Sequence[NewVariant]) -> None:
    """A product has at least one variant; each names one value for every option, and no two name the same ones."""
    if not variants:
        raise invalid("variants", "missing", "a product has at least one variant")
    known = {option.code: {value.code for value in option.values} for option in options}
    seen: set[tuple[str, ...]] = set()
    skus: set[str] = set()
    ids: set[UUID] = set()
    for place, variant in enumerate(variants):
        field = f"variants.{place}"
        if set(variant.options) != set(known):
            raise invalid(field, "options", f"a variant names one value for each of: {', '.join(known) or 'no option'}")
        for option, value in variant.options.items():
            if value not in known[option]:
                raise invalid(field, "options", f"{option} has no value {value}")
        key = tuple(variant.options[option] for option in known)
        if key in seen:
            raise invalid(field, "duplicate", "two variants have the same options")
        if variant.sku in skus:
            raise invalid(field, "duplicate", f"the SKU {variant.sku} is given twice")
        if variant.id in ids:
            raise invalid(field, "duplicate", f"the variant {variant.id} is given twice")
        seen.add(key)
        skus.add(variant.sku)
        if variant.id is not None:
            ids.add(variant.id)


def check_type(product_type: ProductType) -> None:
    """The attributes of a product type differ in their codes; a choice has choices, which differ too."""
    check_texts("name", product_type.name, required=True)
    codes = [definition.code for definition in product_type.attributes]
    if len(set(codes)) != len(codes):
        raise invalid("attributes", "duplicate", "two attributes have the same code")
    for place, definition in enumerate(product_type.attributes):
        field = f"attributes.{place}"
        check_texts(f"{field}.label", definition.label, required=True)
        check_texts(f"{field}.unit", definition.unit, required=False)
        if (definition.kind == "choice") != bool(definition.choices):
            raise invalid(f"{field}.choices", "kind", "a choice has choices, and nothing else has")
        choices = [choice.code for choice in definition.choices]
        if len(set(choices)) != len(choices):
            raise invalid(f"{field}.choices", "duplicate", "two choices have the same code")
        for choice in definition.choices:
            check_texts(f"{field}.choices", choice.label, required=True)


def check_attributes(product_type: ProductType, values: Mapping[str, Any]) -> None:
    """An attribute belongs to the product type and has a value of its kind; required ones are there."""
    known = {definition.code: definition for definition in product_type.attributes}
    for code, value in values.items():
        definition = known.get(code)
        if definition is None:
            raise invalid(f"attributes.{code}", "unknown", f"{product_type.code} has no attribute {code}")
        if not is_fitting(definition, value):
            raise invalid(f"attributes.{code}", "kind", f"{code} takes a {definition.kind}")
    for definition in product_type.attributes:
        if definition.required and definition.code not in values:
            raise invalid(f"attributes.{definition.code}", "missing", f"{definition.code} is needed")


def is_fitting(definition: AttributeDefinition, value: Any) -> bool:
    """True for a value of the attribute's kind: a text, a whole number or decimal text, a known choice, yes or no."""
    if definition.kind == "boolean":
        return isinstance(value, bool)
    if definition.kind == "number":
        return (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**12) or (
            isinstance(value, str) and NUMBER.fullmatch(value) is not None
        )
    if definition.kind == "choice":
        codes = {choice.code for choice in definition.choices}
        chosen = value if isinstance(value, list) else [value]
        known = all(isinstance(code, str) and code in codes for code in chosen)
        return known and 0 < len(chosen) <= 20 and len(set(chosen)) == len(chosen)
    if isinstance(value, dict):
        return set(value) <= set(LANGUAGES) and "vi" in value and all(is_text(text) for text in value.values())
    return is_text(value)


def is_text(value: Any) -> bool:
    """True for a text that says something, in at most 500 characters without NUL."""
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= 500 and "\x00" not in value


def check_version(present: int, read: int) -> None:
    """Who changes a product must have read what it is now."""
    if present != read:
        raise VersionChanged("somebody else changed the product meanwhile", version=present, yours=read)


def check_draft(draft: Draft, product_type: ProductType) -> None:
    """A product is whole: a name, fitting options, variants and attributes; variants show pictures it has."""
    check_texts("name", draft.name, required=True)
    check_texts("summary", draft.summary, required=False)
    check_texts("description", draft.description, required=False)
    check_options(draft.options)
    check_variants(draft.options, draft.variants)
    check_attributes(product_type, draft.attributes)
    for place, media in enumerate(draft.media):
        check_texts(f"media.{place}.alt", media.alt, required=False)
    for place, variant in enumerate(draft.variants):
        if any(number >= len(draft.media) for number in variant.media):
            raise invalid(f"variants.{place}.media", "unknown", "there is no picture of this number")


def shown_attributes(product_type: ProductType, values: Mapping[str, Any]) -> list[Attribute]:
    """The product's attributes as pages show them and facets filter by them, in the type's order.

    What no longer fits the type, because the type was changed after the product was saved, is not shown.
    """
    found = []
    for definition in product_type.attributes:
        value = values.get(definition.code)
        if value is None or not is_fitting(definition, value):
            continue
        labels: dict[str, Texts] = {}
        if definition.kind == "boolean":
            text: Texts = {"vi": "Có" if value else "Không", "en": "Yes" if value else "No"}
            codes = ["yes" if value else "no"]
            labels = {codes[0]: text}
        elif definition.kind == "number":
            number = str(value)
            units = {language: f" {said(definition.unit, language)}".rstrip() for language in LANGUAGES}
            text = {"vi": number.replace(".", ",") + units["vi"], "en": number + units["en"]}
            codes = [number]
            labels = {number: text}
        elif definition.kind == "choice":
            chosen = value if isinstance(value, list) else [value]
            by_code = {choice.code: worded(choice.label) for choice in definition.choices}
            labels = {code: by_code[code] for code in chosen}
            text = {language: ", ".join(said(labels[code], language) for code in chosen) for language in LANGUAGES}
            codes = list(chosen)
        else:
            text = worded(value if isinstance(value, dict) else dict.fromkeys(LANGUAGES, value))
            codes = []
        found.append(
            Attribute(
                code=definition.code,
                label=worded(definition.label),
                value=text,
                codes=codes,
                value_labels=labels,
                filterable=definition.filterable,
            )
        )
    return found


def said(texts: Mapping[str, str], language: str) -> str:
    """The text in a language, else in Vietnamese."""
    text = texts.get(language, "")
    return text if text.strip() else texts.get("vi", "")


def worded(texts: Mapping[str, str]) -> Texts:
    """A text as readers get it: in one Unicode form, in the languages in which it says anything. A space in the cell
    of a table is no name.
    """
    return {language: nfc(text) for language, text in texts.items() if text.strip()}


def variant_name(name: Texts, options: Iterable[Option], chosen: Mapping[str, str]) -> Texts:
    """`Ghế nhựa Chợ Lớn · Đỏ`, in each language of the name."""
    found = {}
    for language in LANGUAGES:
        labels = [
            said(value.label, language)
            for option in options
            for value in option.values
            if value.code == chosen.get(option.code)
        ]
        found[language] = " · ".join([said(name, language), *labels])
    return found


def check_tree(parents: Mapping[UUID, UUID | None], moved: UUID | None, parent: UUID | None) -> None:
    """A category cannot be put below itself, and the tree has at most eight levels.

    `parents` says of each category what it is below; `moved` is the one to be put below `parent`, None for a new one.
    """
    above = 0
    while parent is not None:
        if parent == moved:
            raise invalid("parent", "cycle", "a category cannot be below itself")
        above += 1
        parent = parents.get(parent)
    if above + height_of(parents, moved) > MAX_DEPTH:
        raise invalid("parent", "depth", f"the tree has at most {MAX_DEPTH} levels")


def height_of(parents: Mapping[UUID, UUID | None], category: UUID | None) -> int:
    """Levels of the tree that a category has with all below it; a new one has one."""
    level, height = {category}, 0
    while level:
        height += 1
        level = {each for each, parent in parents.items() if parent is not None and parent in level}
    return height


def product_id_in(key: str) -> UUID | None:
    """The id, if a key is one: only the usual form counts, so that a product has one address by id."""
    return UUID(key) if PRODUCT_ID.fullmatch(key) else None


def wanted_slugs(draft: Draft, kept: Mapping[str, str]) -> Texts:
    """A product's address is the one asked for, else the one it has (`kept`), else its name, in each language."""
    return {
        language: draft.slugs.get(language) or kept.get(language) or slugify(said(draft.name, language)) or "san-pham"
        for language in LANGUAGES
    }


def slugs_for(draft: Draft, wanted: Texts, product_id: UUID, owners: Mapping[str, UUID]) -> Texts:
    """An address belongs to one product for ever. One made from a name gets an ending when it is taken.

    `owners` says to which product a slug belongs. Raises SlugTaken for a slug that was asked for.
    """
    found = {}
    for language, slug in wanted.items():
        if owners.get(slug, product_id) == product_id:
            found[language] = slug
        elif language in draft.slugs:
            raise SlugTaken(f"the address {slug} belongs to another product", slug=slug)
        else:
            found[language] = f"{slug}-{product_id.hex[-6:]}"
    return found


def document_of(
    draft: Draft,
    *,
    product_id: UUID,
    version: int,
    slugs: Texts,
    product_type: ProductType,
    categories: list[CategoryRef],
    ancestors: list[UUID],
    media: list[Media],
    variants: list[VariantDocument],
    created_at: datetime,
) -> ProductDocument:
    """The product as readers get it, of what staff wrote."""
    options = [
        Option(
            code=option.code,
            label=worded(option.label),
            values=[
                OptionValue(code=value.code, label=worded(value.label), swatch=value.swatch) for value in option.values
            ],
        )
        for option in draft.options
    ]
    return ProductDocument(
        id=product_id,
        version=version,
        slug=slugs["vi"],
        slugs=slugs,
        name=worded(draft.name),
        summary=worded(draft.summary),
        description=worded(draft.description),
        brand=nfc(draft.brand or "").strip() or None,
        product_type=draft.product_type,
        tax_class=draft.tax_class,
        categories=categories,
        ancestors=ancestors,
        media=media,
        options=options,
        variants=variants,
        default_variant_id=variants[0].id,
        attributes=shown_attributes(product_type, draft.attributes),
        channels=list(draft.channels),
        created_at=created_at,
    )
