"""Any number of made-up goods, for measurements: plausible names, a few shared pictures, prices, stock."""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from tqdm import tqdm

from sampan.demo.album import Drawing, keep
from sampan.demo.art.scene import draw
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
from sampan.services.inventory.contract import Delivery, Warehouse
from sampan.services.pricing.contract import NewPrice

SLICE: Final = 400  # products written in one transaction
AT_ONCE: Final = 2  # slices: one is prepared here while the database takes in the other
READ: Final = 2  # slices, after which everybody reads what was written: about a page of events
TYPE: Final = "measured_goods"
TOP: Final = "hang-do-luong"
STOCK: Final = 1000
WAREHOUSE: Final = "HCM"


class Kind(Struct, frozen=True):
    """What a thing is, in both languages, its category, how it is drawn, about what it costs in VND."""

    vi: str
    en: str
    slug: str
    drawn: str
    price: int


KINDS: Final = (
    Kind("Ghế đẩu", "stool", "ghe-dau", "stool", 120_000),
    Kind("Giỏ đi chợ", "market basket", "gio-di-cho", "basket", 95_000),
    Kind("Phin cà phê", "coffee filter", "phin-ca-phe", "phin", 69_000),
    Kind("Tô men", "glazed bowl", "to-men", "bowl", 85_000),
    Kind("Lồng đèn", "lantern", "long-den", "lantern", 160_000),
    Kind("Áo thun", "T-shirt", "ao-thun", "tee", 149_000),
)
MANNERS: Final = (
    ("đan tay", "handwoven"),
    ("tráng men", "enamelled"),
    ("mộc", "plain"),
    ("sơn mài", "lacquered"),
    ("xếp gọn", "folding"),
    ("hai lớp", "double-layered"),
    ("cỡ nhỡ", "mid-sized"),
    ("kiểu xưa", "old-style"),
)
PLACES: Final = (
    "Hội An", "Bến Tre", "Sa Đéc", "Mỹ Tho", "Đà Lạt", "Tam Cốc", "Phú Quý", "Cái Bè", "Kim Sơn", "Bát Xát",
    "Vĩnh Long", "Quy Nhơn", "Cần Giờ", "Mộc Châu", "Đông Hồ", "Phước Tích",
)  # fmt: skip
BRANDS: Final = ("Bến Mơ", "Nắng Sớm", "Hiên Nhà", "Gió Chướng", "Cầu Khỉ", "Sân Gạch", "Mái Lá", "Bờ Kè")
COLOURS: Final = (
    NewOptionValue("red", {"vi": "Đỏ", "en": "Red"}, "#c6321f"),
    NewOptionValue("green", {"vi": "Xanh lá", "en": "Green"}, "#14614d"),
    NewOptionValue("cobalt", {"vi": "Xanh lam", "en": "Cobalt"}, "#234e9d"),
    NewOptionValue("cream", {"vi": "Kem", "en": "Cream"}, "#efe4c8"),
)
MATERIALS: Final = (
    Choice("bamboo", {"vi": "Tre", "en": "Bamboo"}),
    Choice("clay", {"vi": "Đất nung", "en": "Earthenware"}),
    Choice("cotton", {"vi": "Vải cotton", "en": "Cotton"}),
    Choice("plastic", {"vi": "Nhựa", "en": "Plastic"}),
)


async def seed_many(shop: Shop, count: int) -> None:
    """Add `count` made-up products with two to four variants each, a price and 1,000 pieces of each variant.

    The same count gives the same goods; only their SKUs differ from run to run, so that it may be repeated. Needs
    catalog, and uses pricing and inventory if they are there. Says on standard error how long it took.
    """
    catalog = shop.live["catalog"]
    with context.working_as(context.SYSTEM, request="seed"):
        pictures = await shared_pictures(shop.ground.files)
        await seed_shelves(catalog)
        warehouse = await warehouse_of(shop)
        run = f"{time.time_ns() // 1_000_000:x}"
        started, writing, slices = time.monotonic(), 0.0, range(0, count, SLICE)
        with tqdm(total=count, unit=" products", disable=not sys.stderr.isatty()) as bar:

            async def work(left: Iterator[int]) -> None:
                for start in left:
                    random = Random(start)  # noqa: S311 - goods, not secrets
                    numbers = range(start, min(start + SLICE, count))
                    drafts = [made_up(number, run, random, pictures) for number in numbers]
                    made = await catalog.create_products(drafts=drafts)
                    await sell(shop, [product.draft for product in made], warehouse, f"{run}-{start}")
                    bar.update(len(numbers))

            for first in range(0, len(slices), READ):
                left = iter(slices[first : first + READ])
                began = time.monotonic()
                async with asyncio.TaskGroup() as group:
                    for _ in range(AT_ONCE):
                        group.create_task(work(left))
                writing += time.monotonic() - began
                await shop.deliver()
            await shop.settle()
    ended = time.monotonic()
    print(
        f"{count} products in {ended - started:.1f} s, {count / (ended - started):.0f} a second; "
        f"written at {count / writing:.0f} a second, the rest is reading by the other services",
        file=sys.stderr,
    )


async def shared_pictures(files: Files) -> dict[str, str]:
    """The address of one picture for each kind."""
    drawings = {kind.slug: Drawing(draw(kind.drawn, "#14614d", kind.slug, "stage"), 640) for kind in KINDS}
    await keep(files, list(drawings.values()))
    return {slug: files.url(drawing.key) for slug, drawing in drawings.items()}


async def seed_shelves(catalog: Any) -> None:
    """One product type, one category with a child for each kind."""
    await catalog.put_type(
        product_type=ProductType(
            TYPE,
            {"vi": "Hàng đo lường", "en": "Measured goods"},
            [
                AttributeDefinition(
                    "material",
                    {"vi": "Chất liệu", "en": "Material"},
                    "choice",
                    choices=list(MATERIALS),
                    filterable=True,
                ),
                AttributeDefinition(
                    "height_mm", {"vi": "Cao", "en": "Height"}, "number", unit={"vi": "mm", "en": "mm"}
                ),
            ],
        )
    )
    await catalog.put_category(
        slug=TOP, name={"vi": "Hàng đo lường", "en": "Measured goods"}, description={}, parent=None, position=900
    )
    for position, kind in enumerate(KINDS):
        await catalog.put_category(
            slug=f"{TOP}-{kind.slug}",
            name={"vi": kind.vi, "en": kind.en.capitalize()},
            description={},
            parent=TOP,
            position=position,
        )


async def warehouse_of(shop: Shop) -> UUID | None:
    """A warehouse, made if there is none; None without inventory."""
    inventory = shop.live.get("inventory")
    if inventory is None:
        return None
    there: list[Warehouse] = await inventory.list_warehouses()
    if there:
        return there[0].id
    made: Warehouse = await inventory.add_warehouse(
        code=WAREHOUSE,
        name="Kho TP.HCM",
        province_code="79",
        ward_code="27004",
        street="Số 45 đường Cộng Hòa",
        priority=1,
        provinces=["79"],
    )
    return made.id


def made_up(number: int, run: str, random: Random, pictures: dict[str, str]) -> Draft:
    kind, place = KINDS[number % len(KINDS)], random.choice(PLACES)
    manner, manner_en = random.choice(MANNERS)
    material = random.choice(MATERIALS)
    colours = random.sample(COLOURS, random.randint(2, 4))
    name = {"vi": f"{kind.vi} {manner} {place} {number}", "en": f"{place} {manner_en} {kind.en} {number}"}
    grams = random.randrange(80, 2000, 10)
    return Draft(
        name=name,
        product_type=TYPE,
        summary={
            "vi": f"{kind.vi} {manner}, chất liệu {material.label['vi'].lower()}, làm ở {place}.",
            "en": f"A {manner_en} {kind.en} of {material.label['en'].lower()}, made in {place}.",
        },
        brand=random.choice(BRANDS),
        categories=[f"{TOP}-{kind.slug}"],
        attributes={"material": material.code, "height_mm": random.randrange(60, 900, 5)},
        options=[NewOption("colour", {"vi": "Màu", "en": "Colour"}, colours)],
        variants=[
            NewVariant(sku=f"M{run}-{number}-{colour.code}", options={"colour": colour.code}, grams=grams, media=[0])
            for colour in colours
        ],
        media=[NewMedia(pictures[kind.slug], name)],
        status="published",
    )


async def sell(shop: Shop, drafts: Sequence[Draft], warehouse: UUID | None, cause: str) -> None:
    """Prices and stock of all variants of these products."""
    found = [(number, variant.id) for number, draft in enumerate(drafts) for variant in draft.variants]
    variants = [(number, variant) for number, variant in found if variant is not None]
    if (pricing := shop.live.get("pricing")) is not None:
        prices = [
            NewPrice(variant, "VN", KINDS[number % len(KINDS)].price + number % 40 * 1000)
            for number, variant in variants
        ]
        await pricing.set_prices(actor=context.SYSTEM, prices=prices)
    if warehouse is not None:
        items = [Delivery(variant, warehouse, STOCK) for _, variant in variants]
        await shop.live["inventory"].stock_up(cause=cause, items=items)
