"""What the demo shop "Tiệm Gạch Bông" sells and says, read from the TOML files beside this module.

Prices are integers: VND including VAT, and US cents. Lengths are millimetres, weights grams. Every text exists in
Vietnamese and English. Brands are invented.
"""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Literal

import msgspec
from msgspec import Struct

from sampan.demo.art.tiles import TileColours, tile_pattern_svg
from sampan.demo.goods.checks import problems_in


class Text(Struct, frozen=True):
    """One text in both languages of the shop."""

    vi: str
    en: str


class Warehouse(Struct, frozen=True):
    code: str
    name: Text


class Brand(Struct, frozen=True):
    code: str
    name: str
    about: Text


class Choice(Struct, frozen=True):
    """One value of an option or of a choice attribute; `swatch` is `#rrggbb` where the value has a colour."""

    code: str
    label: Text
    swatch: str = ""


class Option(Struct, frozen=True):
    """Something the customer chooses: colour, size, grind."""

    code: str
    label: Text
    values: tuple[Choice, ...]


class Attribute(Struct, frozen=True):
    """A typed fact about a product. `unit` belongs to numbers, `choices` to choices."""

    code: str
    label: Text
    kind: Literal["text", "number", "choice", "boolean"]
    unit: Text | None = None
    choices: tuple[Choice, ...] = ()
    filterable: bool = False
    required: bool = False


class ProductType(Struct, frozen=True):
    """Which attributes products of this type carry, by code, in the order they are shown."""

    code: str
    label: Text
    attributes: tuple[str, ...]


class Category(Struct, frozen=True):
    """A shelf of the shop; `parent` is the code of the category above, or None at the top."""

    code: str
    name: Text
    slug: Text
    about: Text
    parent: str | None = None


class Drawing(Struct, frozen=True):
    """How a product is drawn: a kind of the shelf, its own colour where no option gives one, its true height."""

    kind: str
    colour: str = ""
    cm: float | None = None


class Variant(Struct, frozen=True):
    """One stock-keeping unit.

    `options` maps option code to value code. `price_vnd` includes VAT; `compare_at_vnd` is the price before a sale.
    `package_mm` is length, width and height of what is shipped. `stock` maps warehouse code to pieces.
    `colour` (`#rrggbb`) and `height_cm` go to `draw`.
    """

    sku: str
    options: Mapping[str, str]
    price_vnd: int
    price_usd_cents: int
    compare_at_vnd: int | None
    grams: int
    package_mm: tuple[int, int, int]
    stock: Mapping[str, int]
    colour: str
    height_cm: float | None


class Product(Struct, frozen=True):
    """A product with at least one variant. `options` lists the option codes its variants differ in."""

    code: str
    slug: Text
    name: Text
    short: Text
    body: Text
    brand: str
    category: str
    type: str
    attributes: Mapping[str, Text | int | str | bool]
    options: tuple[str, ...]
    drawing: Drawing
    variants: tuple[Variant, ...]


class Collection(Struct, frozen=True):
    """Products put together by hand, by code."""

    code: str
    name: Text
    slug: Text
    products: tuple[str, ...]


class Pattern(Struct, frozen=True):
    """A field of cement tiles, as `tile_pattern_svg` lays it."""

    motif: str
    ground: str
    figure: str
    accent: str
    columns: int
    rows: int
    partner: str = "#ffffff"

    def svg(self) -> str:
        colours = TileColours(self.ground, self.figure, self.accent, self.partner)
        return tile_pattern_svg(self.motif, colours, self.columns, self.rows)


class Link(Struct, frozen=True):
    """A button: `to` is `category:…`, `collection:…` or `page:…`."""

    label: Text
    to: str


class Hero(Struct, frozen=True):
    kicker: Text
    title: Text
    text: Text
    primary: Link
    secondary: Link
    pattern: Pattern


class CategoryTile(Struct, frozen=True):
    category: str
    text: Text
    pattern: Pattern


class Campaign(Struct, frozen=True):
    code: str
    kicker: Text
    title: Text
    text: Text
    link: Link
    pattern: Pattern


class Home(Struct, frozen=True):
    """What the home page says. `navigation` holds link targets, `rails` collection codes, both in order."""

    shop_name: Text
    tagline: Text
    about: Text
    search_hint: Text
    announcement: Text
    hero: Hero
    navigation: tuple[str, ...]
    tiles: tuple[CategoryTile, ...]
    rails: tuple[str, ...]
    campaigns: tuple[Campaign, ...]


class Goods(Struct, frozen=True):
    """The whole shop, in the order of the files. Codes are unique in each tuple."""

    warehouses: tuple[Warehouse, ...]
    brands: tuple[Brand, ...]
    options: tuple[Option, ...]
    attributes: tuple[Attribute, ...]
    types: tuple[ProductType, ...]
    categories: tuple[Category, ...]
    products: tuple[Product, ...]
    collections: tuple[Collection, ...]
    home: Home


def load_goods() -> Goods:
    """Read and check everything. Raises ValueError with one line for each thing that is wrong."""
    goods = _read()
    if problems := list(problems_in(goods)):
        raise ValueError("the demo goods are not right:\n" + "\n".join(problems))
    return goods


class _Sheet(Struct, frozen=True, forbid_unknown_fields=True):
    """A product as its file writes it. A variant row says only what differs from the product."""

    code: str
    slug: Text
    name: Text
    short: Text
    body: Text
    brand: str
    category: str
    type: str
    drawing: Drawing
    attributes: dict[str, Text | int | str | bool]
    options: tuple[str, ...]
    price: int
    usd: int
    grams: int
    mm: tuple[int, int, int]
    variants: tuple[dict[str, Any], ...]
    was: int | None = None


class _Terms(Struct, frozen=True, forbid_unknown_fields=True):
    price: int
    usd: int
    grams: int
    mm: tuple[int, int, int]
    was: int | None = None
    cm: float | None = None


def _read() -> Goods:
    shop, types, categories, home = (_table(f"{name}.toml") for name in ("shop", "types", "categories", "home"))
    warehouses = msgspec.convert(shop["warehouse"], tuple[Warehouse, ...])
    options = msgspec.convert(shop["option"], tuple[Option, ...])
    return Goods(
        warehouses=warehouses,
        brands=msgspec.convert(shop["brand"], tuple[Brand, ...]),
        options=options,
        attributes=msgspec.convert(types["attribute"], tuple[Attribute, ...]),
        types=msgspec.convert(types["type"], tuple[ProductType, ...]),
        categories=msgspec.convert(categories["category"], tuple[Category, ...]),
        products=tuple(_product(sheet, options, warehouses) for sheet in _sheets()),
        collections=msgspec.convert(home["collection"], tuple[Collection, ...]),
        home=msgspec.convert(
            {
                "shop_name": home["shop"]["name"],
                "tagline": home["shop"]["tagline"],
                "about": home["shop"]["about"],
                "search_hint": home["shop"]["search_hint"],
                "announcement": home["announcement"]["text"],
                "hero": home["hero"],
                "navigation": home["navigation"],
                "tiles": home["tile"],
                "rails": [rail["collection"] for rail in home["rail"]],
                "campaigns": home["campaign"],
            },
            Home,
        ),
    )


def _table(path: str) -> dict[str, Any]:
    return tomllib.loads(files("sampan.demo.goods").joinpath(path).read_text(encoding="utf-8"))


def _sheets() -> Iterator[_Sheet]:
    folder = files("sampan.demo.goods").joinpath("products")
    for name in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml")):
        yield from msgspec.convert(_table(f"products/{name}")["product"], list[_Sheet])


def _product(sheet: _Sheet, options: tuple[Option, ...], warehouses: tuple[Warehouse, ...]) -> Product:
    return Product(
        code=sheet.code,
        slug=sheet.slug,
        name=sheet.name,
        short=sheet.short,
        body=sheet.body,
        brand=sheet.brand,
        category=sheet.category,
        type=sheet.type,
        attributes=sheet.attributes,
        options=sheet.options,
        drawing=sheet.drawing,
        variants=tuple(_variant(sheet, dict(row), options, warehouses) for row in sheet.variants),
    )


def _variant(
    sheet: _Sheet, row: dict[str, Any], options: tuple[Option, ...], warehouses: tuple[Warehouse, ...]
) -> Variant:
    """A row, completed by its product. Its SKU is the product's code and the values chosen, in capitals."""
    chosen = {code: row.pop(code) for code in sheet.options if code in row}
    stock = {warehouse.code: row.pop(warehouse.code) for warehouse in warehouses if warehouse.code in row}
    shared = {"price": sheet.price, "usd": sheet.usd, "was": sheet.was, "grams": sheet.grams, "mm": sheet.mm}
    terms = msgspec.convert({**shared, "cm": sheet.drawing.cm, **row}, _Terms)
    swatches = [
        value.swatch
        for option in options
        for value in option.values
        if chosen.get(option.code) == value.code and value.swatch
    ]
    return Variant(
        sku="-".join([sheet.code, *chosen.values()]).upper(),
        options=chosen,
        price_vnd=terms.price,
        price_usd_cents=terms.usd,
        compare_at_vnd=terms.was,
        grams=terms.grams,
        package_mm=terms.mm,
        stock=stock,
        colour=swatches[0] if swatches else sheet.drawing.colour,
        height_cm=terms.cm,
    )
