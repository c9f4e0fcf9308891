"""Any number of made-up goods, for measurements: plausible names, a few shared pictures, prices, stock."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from tqdm import tqdm

from sampan.demo.album import Drawing, keep, processes
from sampan.demo.art.scene import draw
from sampan.kernel import context
from sampan.kernel.consumers import Consumer
from sampan.kernel.files import Files
from sampan.kernel.settings import Settings
from sampan.run import Shop, compose
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
ROUND: Final = 2  # slices, after which everybody reads what was written: about a page of events
AT_ONCE: Final = 2  # slices: one is prepared while the database takes in the other
APART: Final = 2000  # products from which on a process to help pays
INDEXED: Final = 4000  # products that search indexes at once, beside everything else
SOURCES: Final = ("catalog", "pricing", "inventory")  # who has something to tell of new goods
HELPED: Final = (*SOURCES, "search")
TYPE: Final = "measured_goods"
TOP: Final = "hang-do-luong"
STOCK: Final = 1000
WAREHOUSE: Final = "HCM"


class Goods(Struct, frozen=True):
    """What all slices have in common: how many products there are, what tells this run from others, the pictures by
    kind, the warehouse."""

    count: int
    run: str
    pictures: dict[str, str]
    warehouse: UUID | None


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
    catalog, and uses pricing and inventory if they are there. Says on standard error how long it took, apart from what
    a new shop does in any case.
    """
    catalog = shop.live["catalog"]
    with context.working_as(context.SYSTEM, request="seed"):
        pictures = await shared_pictures(shop.ground.files)
        await seed_shelves(catalog)
        run = f"{time.time_ns() // 1_000_000:x}"
        goods = Goods(count, run, pictures, await warehouse_of(shop))
        await shop.settle()
        started = time.monotonic()
        with rarely_collecting():
            await bring_in(shop, goods)
            await shop.settle()
    seconds = time.monotonic() - started
    print(f"{count} products in {seconds:.1f} s, {count / seconds:.0f} a second", file=sys.stderr)


async def bring_in(shop: Shop, goods: Goods) -> None:
    """Write the slices in rounds. Beside each round, the others read the one before it; after it, catalog learns its
    prices and stock.

    So all news of a product stand together in the feed before search takes its page of them, and it keeps the product
    once. Of many goods a helper, a process of its own, writes a half, and has search index what it has kept.
    """
    slices = range(0, goods.count, SLICE)
    readers = [each for each in shop.consumers() if each.source in SOURCES]
    learning = [each for each in readers if each.db.schema == "catalog"]
    beside = [each for each in readers if each not in learning]
    with ExitStack() as stack, tqdm(total=goods.count, unit=" products", disable=not sys.stderr.isatty()) as bar:
        helper = stack.enter_context(hired(shop, goods)) if goods.count >= APART else None
        for first in range(0, len(slices), ROUND):
            left = iter(slices[first : first + ROUND])
            async with asyncio.TaskGroup() as group:
                for reader in beside:  # one page, which is taken before anything of this round is committed
                    group.create_task(reader.step())
                helps = helper is not None and helper.is_free
                for _ in range(AT_ONCE - helps):
                    group.create_task(write_slices(shop, goods, left))
                if helper is not None and helps:
                    group.create_task(helper.write(left))
            await read_all(learning)
            done = min(goods.count, (first + ROUND) * SLICE)
            bar.update(done - bar.n)
            if helper is not None:
                helper.index(first * SLICE)
        if helper is not None:
            await helper.finish()


async def read_all(readers: Sequence[Consumer]) -> None:
    """One after the other: those of catalog wait for the same lock."""
    for reader in readers:
        while await reader.step():
            pass


async def write_slices(shop: Shop, goods: Goods, left: Iterator[int]) -> None:
    for start in left:
        await write_slice(shop, goods, start)


async def write_slice(shop: Shop, goods: Goods, start: int) -> None:
    """Make up the products from a number on, put them into the catalog, give them prices and stock."""
    random = Random(start)  # noqa: S311 - goods, not secrets
    numbers = range(start, min(start + SLICE, goods.count))
    drafts = [made_up(number, goods.run, random, goods.pictures) for number in numbers]
    made = await shop.live["catalog"].create_products(drafts=drafts)
    await sell(shop, [product.draft for product in made], goods.warehouse, f"{goods.run}-{start}")


RARELY: Final = (50_000, 20, 100)


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """Python looks for circles in what is made less often: of a million documents none has one, and the search for
    them took a sixth of the time.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


# --- the helper -----------------------------------------------------------------------------------------------------


class Helper:
    """A process of its own that writes slices, and has search index what it has read."""

    def __init__(self, pool: ProcessPoolExecutor, shop: Shop, goods: Goods) -> None:
        self.pool = pool
        self.shop = shop
        self.goods = goods
        self.indexed = 0
        self.busy: asyncio.Future[None] | None = None
        self._let(get_ready)

    def _let(self, do: Callable[..., None], *values: Any) -> None:
        if self.busy is not None:
            self.busy.result()  # raises what it failed with
        where = (self.shop.settings, self.shop.urls)
        self.busy = asyncio.get_running_loop().run_in_executor(self.pool, do, *where, *values)

    @property
    def is_free(self) -> bool:
        return self.busy is None or self.busy.done()

    async def finish(self) -> None:
        """Wait for what it does; raises what it failed with."""
        if self.busy is not None:
            await self.busy
            self.busy = None

    async def write(self, left: Iterator[int]) -> None:
        for start in left:
            await self.finish()
            self._let(write_apart, self.goods, start)
        await self.finish()

    def index(self, read: int) -> None:
        """Begin to index, if it is free and enough is read: each time has its price."""
        if self.is_free and read - self.indexed >= INDEXED and "search" in self.shop.urls:
            self.indexed = read
            self._let(index_apart)


@contextmanager
def hired(shop: Shop, goods: Goods) -> Iterator[Helper]:
    with processes(1) as pool:
        yield Helper(pool, shop, goods)


_here: tuple[asyncio.Runner, Shop] | None = None


def shop_here(settings: Settings, urls: dict[str, str]) -> tuple[asyncio.Runner, Shop]:
    """The part of the shop that the helper needs, composed once."""
    global _here
    if _here is None:
        runner = asyncio.Runner()
        _here = runner, runner.run(compose(settings, urls, [name for name in HELPED if name in urls]))
        gc.freeze()
        gc.set_threshold(*RARELY)
    return _here


def get_ready(settings: Settings, urls: dict[str, str]) -> None:
    shop_here(settings, urls)


def write_apart(settings: Settings, urls: dict[str, str], goods: Goods, start: int) -> None:
    runner, shop = shop_here(settings, urls)
    with context.working_as(context.SYSTEM, request="seed"):
        runner.run(write_slice(shop, goods, start))


def index_apart(settings: Settings, urls: dict[str, str]) -> None:
    runner, shop = shop_here(settings, urls)
    for job in shop.job_runners():
        if job.db.schema == "search":
            runner.run(job.step(now=True))


# --- what the goods are like ----------------------------------------------------------------------------------------


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
