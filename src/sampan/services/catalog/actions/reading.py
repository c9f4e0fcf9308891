"""Rows of a table as a product: the other direction of `columns`.

A cell that says what is there already changes nothing. An empty cell empties its field, except where a product cannot
be without (status, type, tax class, channels, addresses, weight, most pieces in a cart): there it leaves it as it is. A
column that the file does not have leaves its field as it is.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_type_hints

from msgspec.structs import replace

from sampan.kernel import strict_json
from sampan.kernel.errors import Invalid, ShopError
from sampan.kernel.text import nfc
from sampan.services.catalog.actions.columns import (
    MOST_OPTIONS,
    OF_VARIANTS,
    OPTION_VALUE,
    OPTIONS,
    Cells,
    attribute_cells,
    attribute_columns,
    cells_of,
    in_order,
    settled,
)
from sampan.services.catalog.actions.sheet import joined, parts
from sampan.services.catalog.rules import (
    LANGUAGES,
    AttributeDefinition,
    Draft,
    NewMedia,
    NewOption,
    NewOptionValue,
    NewVariant,
    ProductType,
    SkuTaken,
    SlugTaken,
)
from sampan.services.catalog.store.imports import CellChange, RowError, SheetRow
from sampan.services.catalog.store.products import StoredProduct

MOST_ERRORS: Final = 20  # of one product
SHOWN: Final = 200  # characters of a cell in a report
DRAFT: Final = get_type_hints(Draft, include_extras=True)
VARIANT: Final = get_type_hints(NewVariant, include_extras=True)
OPTION: Final = get_type_hints(NewOption, include_extras=True)
VALUE: Final = get_type_hints(NewOptionValue, include_extras=True)
SCIENTIFIC: Final = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")
WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,11})")
YES: Final = frozenset(("yes", "true", "1", "có"))
NO: Final = frozenset(("no", "false", "0", "không"))


class Refused(Exception):
    """The rows are no product."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__()
        self.errors = list(errors[:MOST_ERRORS])


def draft_from(
    columns: Sequence[str], rows: Sequence[SheetRow], before: StoredProduct | None, types: Mapping[str, ProductType]
) -> Draft:
    """The product that these rows of one handle describe; what they leave out is as `before`. Raises Refused."""
    return Reading(columns, rows, before, types).draft()


class Reading:
    """Rows of one product on their way to a draft; `errors` gathers all that is wrong with them."""

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[SheetRow],
        before: StoredProduct | None,
        types: Mapping[str, ProductType],
    ) -> None:
        self.columns = frozenset(columns)
        self.rows = [(row.number, dict(zip(columns, row.cells, strict=True))) for row in rows]
        self.before = before
        self.old = before.draft if before else None
        self.present: Cells = cells_of(before, types)[0] if before else {}
        self.types = types
        self.errors: list[RowError] = []
        self.codes = [self.option_code(place) for place in range(1, MOST_OPTIONS + 1)]
        self.had = {variant.sku: variant for variant in self.old.variants} if self.old else {}

    def draft(self) -> Draft:
        product_type = self.types.get(self.code("product_type") or (self.old.product_type if self.old else ""))
        if product_type is None:
            row, cell = self.place_of("product_type")
            self.errors.append(RowError(row, "product_type", "unknown" if cell else "missing", cell[:SHOWN]))
        found: dict[str, Any] = {
            "product_type": product_type.code if product_type else "",
            "slugs": self.slugs(),
            "brand": self.brand(),
            "categories": self.several("categories", self.old.categories if self.old else []),
        }
        for name in ("status", "tax_class"):
            if (text := self.code(name)) and self.converted(name, text, DRAFT[name]):
                found[name] = text
        if self.code("channels"):
            found["channels"] = self.several("channels", self.old.channels if self.old else [])
        for name in ("name", "summary", "description"):
            found[name] = self.texts(name, getattr(self.old, name) if self.old else {}, DRAFT[name])
        found["options"] = self.options()
        found["media"] = self.media()
        found["variants"] = in_order(self.variants(), self.old.variants if self.old else [])
        if product_type is not None:
            found["attributes"] = self.attributes(product_type)
        self.converted("sku", found["variants"], DRAFT["variants"])
        if self.errors:
            raise Refused(self.errors)
        draft = replace(self.old, **found) if self.old else Draft(**found)
        return settled(draft, self.old, product_type)

    # --- cells --------------------------------------------------------------------------------------------------------

    def place_of(self, column: str) -> tuple[int, str]:
        """The first row that says something in the column, with what it says; else the first row."""
        said = ((number, cells[column]) for number, cells in self.rows if cells.get(column))
        return next(said, (self.rows[0][0], ""))

    def cell(self, column: str) -> str | None:
        """What the rows say of the product in a column: None if there is no such column; they may not disagree."""
        if column not in self.columns:
            return None
        first, text = self.place_of(column)
        for number, cells in self.rows:
            if number > first and cells[column] not in ("", text):
                self.errors.append(RowError(number, column, "differs", cells[column][:SHOWN]))
        return text

    def code(self, column: str) -> str:
        """The cell of a code; empty where there is none."""
        return (self.cell(column) or "").strip()

    def option_code(self, place: int) -> str:
        """The code of the option in this place."""
        if f"option{place}" in self.columns or self.old is None:
            return self.code(f"option{place}")
        return self.old.options[place - 1].code if place <= len(self.old.options) else ""

    def option_value(self, place: int, cells: Cells) -> str:
        """The value that a row names for the option in this place."""
        if f"option{place}_value" in self.columns:
            return cells[f"option{place}_value"].strip()
        before = self.had.get(cells["sku"].strip())
        return before.options.get(self.codes[place - 1], "") if before else ""

    def converted(self, column: str, value: Any, shape: Any, row: int = 0, cell: str = "") -> bool:
        """True if the value is of this shape; else the error is noted."""
        try:
            strict_json.convert(value, shape)
        except Invalid as refusal:
            place, text = self.place_of(column)
            code = refusal.facts["errors"][0]["code"]
            self.errors.append(RowError(row or place, column, code, (cell or text)[:SHOWN]))
            return False
        return True

    def texts(self, name: str, present: Mapping[str, str], shape: Any) -> dict[str, str]:
        """A text in each language, from the columns `<name>_vi` and `<name>_en`."""
        found = dict(present)
        for language in LANGUAGES:
            cell = self.cell(f"{name}_{language}")
            self.put_text(found, language, cell, f"{name}_{language}", shape)
        return found

    def put_text(
        self, texts: dict[str, str], language: str, cell: str | None, column: str, shape: Any, row: int = 0
    ) -> None:
        if cell is None or cell == texts.get(language, ""):
            return
        if not cell:
            del texts[language]
        elif self.converted(column, {language: nfc(cell)}, shape, row, cell):
            texts[language] = nfc(cell)

    def several(self, column: str, present: list[str]) -> list[str]:
        cell = self.cell(column)
        if cell is None or (self.old is not None and cell == self.present.get(column)):
            return present
        found = [part.strip() for part in parts(cell)]
        self.converted(column, found, DRAFT[column])
        return found

    # --- the product ------------------------------------------------------------------------------------------------

    def slugs(self) -> dict[str, str]:
        """An address is changed where its column says another one. A new product's Vietnamese one is its handle."""
        found = dict(self.old.slugs) if self.old else {"vi": self.rows[0][1]["handle"].strip()}
        now = self.before.document.slugs if self.before else found
        for language in LANGUAGES:
            column = f"slug_{language}"
            text = self.code(column)
            if not text or text == now.get(language):
                continue
            if self.old is None and language == "vi":
                self.errors.append(RowError(self.place_of(column)[0], column, "handle", text[:SHOWN]))
            elif self.converted(column, {language: text}, DRAFT["slugs"]):
                found[language] = text
        return found

    def brand(self) -> str | None:
        cell = self.cell("brand")
        present = self.old.brand if self.old else None
        if cell is None or cell == (present or ""):
            return present
        brand = nfc(cell.strip()) or None
        self.converted("brand", brand, DRAFT["brand"])
        return brand

    def attributes(self, product_type: ProductType) -> dict[str, Any]:
        """The values of the type's attributes; what stands in a column of another type is an error."""
        found = dict(self.old.attributes) if self.old else {}
        known = {column for definition in product_type.attributes for column in attribute_columns(definition)}
        for column in sorted(c for c in self.columns - known if c.startswith("attribute.")):
            row, cell = self.place_of(column)
            if cell:
                self.errors.append(RowError(row, column, "unknown", cell[:SHOWN]))
        for definition in product_type.attributes:
            columns = attribute_columns(definition)
            if columns[0] not in self.columns and columns[-1] not in self.columns:
                continue
            present = attribute_cells(definition, found.get(definition.code))
            said = {c: self.cell(c) for c in columns}
            cells = {c: present[c] if text is None else text for c, text in said.items()}
            if cells == present:
                continue
            if any(cells.values()):
                found[definition.code] = value_of(definition, list(cells.values()))
            else:
                found.pop(definition.code, None)
        return found

    def media(self) -> list[NewMedia]:
        """The pictures with their texts, each text at the place of its picture."""
        present = list(self.old.media) if self.old else []
        columns = ("pictures", *(f"pictures_{language}" for language in LANGUAGES))
        cells = {column: self.cell(column) for column in columns}
        if all(cell is None or cell == self.present.get(column, "") for column, cell in cells.items()):
            return present
        known = {media.url: media.alt for media in present}
        urls = parts(cells["pictures"]) if cells["pictures"] is not None else [media.url for media in present]
        found = [NewMedia(url.strip(), dict(known.get(url.strip(), {}))) for url in urls]
        for language in LANGUAGES:
            column = f"pictures_{language}"
            if (cell := cells[column]) is None:
                continue
            texts = parts(cell)
            if len(texts) > len(found):
                self.errors.append(RowError(self.place_of(column)[0], column, "pictures", cell[:SHOWN]))
            for media, text in zip(found, texts + [""] * len(found), strict=False):
                self.put_text(media.alt, language, text, column, DRAFT["name"])
        self.converted("pictures", found, DRAFT["media"])
        return found

    # --- options and variants ---------------------------------------------------------------------------------------

    def options(self) -> list[NewOption]:
        """The options in the order of their columns, with the values that the rows name; other values stay."""
        if not self.columns.intersection(OPTIONS):
            return list(self.old.options) if self.old else []
        had = {option.code: option for option in self.old.options} if self.old else {}
        found = []
        for place in range(1, MOST_OPTIONS + 1):
            code = self.codes[place - 1]
            if not code:
                for column in (f"option{place}_vi", f"option{place}_en", *(n.format(place) for n in OPTION_VALUE)):
                    row, cell = self.place_of(column)
                    if cell:
                        self.errors.append(RowError(row, f"option{place}", "missing"))
                        break
                continue
            if not self.converted(f"option{place}", code, OPTION["code"]):
                continue
            before = had.get(code)
            label = self.texts(f"option{place}", before.label if before else {}, OPTION["label"])
            values = self.values(place, before.values if before else [])
            self.converted(f"option{place}_value", values, OPTION["values"])
            found.append(NewOption(code, label, values))
        return found

    def values(self, place: int, before: Sequence[NewOptionValue]) -> list[NewOptionValue]:
        named = [name.format(place) for name in OPTION_VALUE]
        said: dict[str, dict[str, tuple[int, str]]] = {}
        for number, cells in self.rows:
            code = self.option_value(place, cells)
            if not code:
                continue
            first = said.setdefault(code, {named[0]: (number, code)})
            for column in named[1:]:
                cell = cells.get(column)
                if cell is None:
                    continue
                known = first.get(column)
                if known is None or not known[1]:
                    first[column] = (number, cell)
                elif cell and cell != known[1]:
                    self.errors.append(RowError(number, column, "differs", cell[:SHOWN]))
        found = {value.code: value for value in before}
        for code, columns in said.items():
            row = columns[named[0]][0]
            if not self.converted(named[0], code, VALUE["code"], row, code):
                continue
            value = found.get(code)
            label = dict(value.label) if value else {}
            for language, column in zip(LANGUAGES, named[1:3], strict=True):
                if column in columns:
                    self.put_text(label, language, columns[column][1], column, VALUE["label"], columns[column][0])
            swatch = value.swatch if value else None
            if named[3] in columns:
                swatch = columns[named[3]][1].strip() or None
                self.converted(named[3], swatch, VALUE["swatch"], *columns[named[3]])
            found[code] = NewOptionValue(code, label, swatch)
        return list(found.values())

    def variants(self) -> list[NewVariant]:
        return [self.variant(number, cells) for number, cells in self.rows]

    def variant(self, row: int, cells: Cells) -> NewVariant:
        sku = cells["sku"].strip()
        self.converted("sku", sku, VARIANT["sku"], row, sku)
        found: dict[str, Any] = {}
        for name, read in (("barcode", str), ("grams", number_of), ("max_quantity", number_of), ("size_mm", sizes_of)):
            text = cells.get(name, "").strip()
            if name in self.columns and text:
                found[name] = read(text)
                if SCIENTIFIC.fullmatch(text):
                    self.errors.append(RowError(row, name, "scientific", text[:SHOWN]))
                else:
                    self.converted(name, found[name], VARIANT[name], row, text)
            elif name in self.columns and name in ("barcode", "size_mm"):
                found[name] = None
        if "variant_pictures" in self.columns:
            text = cells["variant_pictures"]
            places = [number_of(part.strip()) for part in parts(text)]
            found["media"] = [place - 1 if isinstance(place, int) else place for place in places]
            self.converted("variant_pictures", found["media"], VARIANT["media"], row, text)
        if self.columns.intersection(OPTIONS):
            values = [(code, self.option_value(place, cells)) for place, code in enumerate(self.codes, start=1)]
            found["options"] = {code: value for code, value in values if code and value}
        before = self.had.get(sku)
        return replace(before, **found) if before else NewVariant(sku, **found)


def number_of(text: str) -> int | str:
    """A whole number; a text that is none stays a text, which no field takes."""
    return int(text) if WHOLE.fullmatch(text) else text


def sizes_of(text: str) -> list[int | str]:
    """`300x200x100`: length, width and height."""
    return [number_of(part.strip()) for part in re.split(r"[x×*]", text.lower())]


def value_of(definition: AttributeDefinition, cells: Sequence[str]) -> Any:
    """What cells say of an attribute; what does not fit its kind stays a text, which the rules refuse."""
    text = cells[0].strip()
    if definition.kind == "text":
        if len(cells) == 2 and cells[1]:
            return {"vi": nfc(cells[0]), "en": nfc(cells[1])} if cells[0] else {"en": nfc(cells[1])}
        return nfc(cells[0])
    if definition.kind == "number":
        plain = text.replace(",", ".")
        return number_of(plain)
    if definition.kind == "boolean":
        word = text.lower()
        return True if word in YES else False if word in NO else text
    chosen = [part.strip() for part in parts(text)]
    return chosen[0] if len(chosen) == 1 else chosen


# --- refusals of the rules, in the file's words -----------------------------------------------------------------------


def errors_of(refusal: ShopError, draft: Draft, columns: Iterable[str], rows: Sequence[SheetRow]) -> list[RowError]:
    """Where in the rows the cause of a refusal stands."""
    place = list(columns).index("sku")
    by_sku = {row.cells[place].strip(): row.number for row in rows}
    first = rows[0].number
    if isinstance(refusal, SkuTaken):
        sku = str(refusal.facts.get("sku", ""))
        return [RowError(by_sku.get(sku, first), "sku", "sku_taken", sku)]
    if isinstance(refusal, SlugTaken):
        slug = str(refusal.facts.get("slug", ""))
        column = "slug_en" if draft.slugs.get("en") == slug else "slug_vi"
        return [RowError(first, column, "slug_taken", slug)]
    if not isinstance(refusal, Invalid) or not refusal.facts.get("errors"):
        return [RowError(first, "", "failed")]
    wrong = refusal.facts["errors"][0]
    field, code = wrong["field"], wrong["code"]
    name, _, rest = field.partition(".")
    if name == "variants" and rest:
        variant = draft.variants[int(rest.partition(".")[0])]
        row = by_sku.get(variant.sku, first)
        if rest.endswith(".media"):
            missing = joined(str(number + 1) for number in variant.media if number >= len(draft.media))
            return [RowError(row, "variant_pictures", code, missing)]
        return [RowError(row, "option1_value", code, variant.sku)]
    value = ""
    if name == "categories":
        value = list(dict.fromkeys(draft.categories))[int(rest)]
    elif name == "media" and rest.endswith(".url"):
        value = draft.media[int(rest.partition(".")[0])].url
    column = {
        "name": "name_vi", "summary": "summary_vi", "description": "description_vi", "options": "option1",
        "media": "pictures_vi" if rest.endswith("alt") else "pictures", "attributes": f"attribute.{rest}",
    }.get(name, name)  # fmt: skip
    return [RowError(first, column, code, value[:SHOWN])]


def changes_between(before: StoredProduct, after: StoredProduct, types: Mapping[str, ProductType]) -> list[CellChange]:
    """What a product says otherwise than before, cell by cell."""
    old, new = cells_of(before, types), cells_of(after, types)
    had = {row["sku"]: row for row in old}
    pairs = [("", old[0], new[0]), *((row["sku"], had.get(row["sku"], {}), row) for row in new)]
    return [
        CellChange(sku, column, a.get(column, "")[:SHOWN], b.get(column, "")[:SHOWN])
        for sku, a, b in pairs
        for column in {**a, **b}
        if column != "handle" and (column in OF_VARIANTS) == bool(sku) and a.get(column, "") != b.get(column, "")
    ]
