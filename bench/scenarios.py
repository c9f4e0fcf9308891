"""What buyers do: the operations that are measured, each with a check of what comes back.

Requests are made of the shop's own catalogue, at random but from a seed. `WARM` reads come from a pool of a few
thousand different requests, as in a shop where many look at the same things; `COLD` reads never ask the same twice.
"""

import itertools
import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import msgspec
from msgspec import Struct

from bench.drive import Answer, Caller, Operation, WrongAnswer, drive, expect, request

API: Final = "/api/v1"
PAGE: Final = 24
SORTS: Final = ("newest", "price_asc", "price_desc", "best_selling")
SHELVES: Final = SORTS[:3]  # of pages
HIGHEST_LOW: Final = 60_000  # VND: all of our goods but the cheapest cost more, so that no list is short
PLACE: Final = {"province_code": "79", "ward_code": "26743"}
GOODS: Final = 3  # variants that a cart of ours takes
MATERIALS: Final = ("bamboo", "clay", "cotton", "plastic")


class Goods(Struct):
    """A product as far as we need to know it."""

    id: str
    slugs: dict[str, str]
    name: str
    variants: list[str]


class Catalogue(Struct):
    """All products by id and address, some of them with their variants; the categories with enough in them."""

    goods: list[Goods]
    sold: list[Goods]  # those whose variants we know
    categories: list[str]


def read_catalogue(caller: Caller, key: str, dice: random.Random, *, sold: int) -> Catalogue:
    """Through the staff's list, a hundred at a time; of `sold` products drawn at random the variants too."""
    goods: list[Goods] = []
    cursor = ""
    while True:
        path = f"{API}/admin/products?limit=100&status=published" + (f"&cursor={cursor}" if cursor else "")
        answer = caller.json("GET", path, authorization=f"Bearer {key}")
        goods += [
            Goods(item["id"], {"vi": item["slug"]}, item["name"]["vi"], [])
            for item in answer["items"]
            if item["name"]["vi"].rpartition(" ")[2].isdigit()  # a made-up one, not of the demo's goods
        ]
        if (cursor := answer["next"] or "") == "":
            break
    chosen = dice.sample(goods, min(sold, len(goods)))
    for product in chosen:
        found = caller.json("GET", f"{API}/products/{product.id}", accept_language="en")
        product.variants = [variant["id"] for variant in found["variants"]]
        product.slugs["en"] = found["slug"]
    tree = caller.json("GET", f"{API}/categories")["items"]
    made_up = next(node for node in tree if node["slug"] == "hang-do-luong")
    return Catalogue(goods, chosen, [made_up["slug"], *(child["slug"] for child in made_up["children"])])


# --- reads ----------------------------------------------------------------------------------------------------------


class Read(Struct):
    """One request, a piece that its answer must have (looked for every time), and a whole check (made beforehand)."""

    name: str
    data: bytes
    marker: bytes
    check: Callable[[bytes], None]


def one(read: Read) -> Operation:
    expect((yield read.name, read.data), 200, read.marker)


def whole(read: Read) -> Operation:
    """The same, and all of the answer is looked at."""
    read.check(expect((yield read.name, read.data), 200, read.marker))


def ensure(true: object, what: str, body: bytes) -> None:
    if not true:
        raise WrongAnswer(f"{what}: {body[:300]!r}")


def product_read(key: str, language: str, product: Goods) -> Read:
    def check(body: bytes) -> None:
        found = msgspec.json.decode(body)
        ensure(found["id"] == product.id, "not the product that was asked for", body)
        ensure(all(variant["price"] for variant in found["variants"]), "a variant without a price", body)
        ensure(found["variants"][0]["available"] > 0, "nothing in stock", body)

    data = request("GET", f"{API}/products/{key}", accept_language=language)
    return Read("product", data, f'"id":"{product.id}"'.encode(), check)


def full_page(body: bytes) -> Any:
    """A decoded list with as many products as fit. Raises WrongAnswer."""
    found = msgspec.json.decode(body)
    ensure(found["total"] > 0, "an empty list", body)
    ensure(len(found["items"]) == min(PAGE, found["total"]), "not a full page", body)
    ensure(all(item["price"]["amount"] > 0 and item["slug"] for item in found["items"]), "a bare card", body)
    return found


def list_read(category: str, sort: str, low: int) -> Read:
    def check(body: bytes) -> None:
        found = full_page(body)
        prices = [(item["price_max"] or item["price"])["amount"] for item in found["items"]]
        ensure(min(prices) >= low, "cheaper than asked for", body)
        if sort == "price_asc":
            lows = [item["price"]["amount"] for item in found["items"]]
            ensure(lows == sorted(lows), "not in order", body)

    path = f"{API}/products?category={category}&sort={sort}&price_min={low}&limit={PAGE}"
    return Read("list", request("GET", path), b'"variant_id":', check)


def plain(text: str) -> str:
    """Without accents, as most people type."""
    folded = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return folded.replace("đ", "d").replace("Đ", "D").lower()


def some_words(dice: random.Random, product: Goods) -> str:
    """One to three words in a row of a product's name, half of the time without accents."""
    words = product.name.split()[:-1]  # the last one is its number
    start = dice.randrange(len(words))
    text = " ".join(words[start : start + dice.randint(1, 3)])
    return plain(text) if dice.random() < 0.5 else text


def search_read(dice: random.Random, product: Goods, low: int, *, narrow: bool) -> Read:
    """`narrow`: there are so many goods that something of each material is found, so it is filtered for at times."""
    text = some_words(dice, product)
    path = f"{API}/search?q={quote(text)}&price_min={low}&limit={PAGE}"
    if narrow and dice.random() < 0.3:
        path += f"&attr.material={dice.choice(MATERIALS)}"

    def check(body: bytes) -> None:
        found = full_page(body)
        ensure(len(found["facets"]) >= 2, "no facets", body)
        ensure(all(facet["values"] for facet in found["facets"]), "an empty facet", body)

    return Read("search", request("GET", path), b'"facets":[{', check)


def suggest_read(dice: random.Random, product: Goods) -> Read:
    words = product.name.split()
    text = " ".join(words[: dice.randint(1, len(words))])
    text = text[: max(2, dice.randint(2, len(text)))].strip()
    text = plain(text) if dice.random() < 0.5 else text

    def check(body: bytes) -> None:
        found = msgspec.json.decode(body)
        ensure(found["products"] or found["queries"], "no suggestion", body)

    return Read("suggest", request("GET", f"{API}/search/suggest?q={quote(text)}"), b'"products":[', check)


def page_read(path: str, marker: str, *, cards: int = 0) -> Read:
    def check(body: bytes) -> None:
        ensure(b"</html>" in body[-200:], "half a page", body)
        if cards:
            ensure(body.count(b'href="/p/') + body.count(b'href="/en/p/') >= cards, "too few products", body)

    return Read("page", request("GET", path, accept="text/html"), marker.encode(), check)


class Scenario(Struct):
    """A row of the table. `make(dice)` gives operations without end, `different` of them or any number (None).

    `samples` are checked whole before it is run. A warm scenario is run through all of `first` before that, each answer
    of it checked whole as well.
    """

    name: str
    title: str
    kind: str  # read, page, write
    make: Callable[[random.Random], Iterator[Operation]]
    samples: Sequence[Read] = ()
    different: int | None = None
    first: Sequence[Callable[[], Operation]] = ()


def pooled(name: str, title: str, kind: str, pool: Sequence[Read]) -> Scenario:
    def make(dice: random.Random) -> Iterator[Operation]:
        while True:
            yield one(dice.choice(pool))

    different = len({read.data for read in pool})
    return Scenario(name, title, kind, make, pool[:40], different, [partial(whole, read) for read in pool])


def distinct(draw: Callable[[], Read], count: int) -> list[Read]:
    """So many different requests; fewer only where hardly any draw brings a new one."""
    found: dict[bytes, Read] = {}
    for _ in range(100 * count):
        if len(found) == count:
            break
        read = draw()
        found.setdefault(read.data, read)
    return list(found.values())


def lows(different: int, ways: int) -> range:
    """Lowest prices, so many that with each of so many ways to ask there are at least that many different requests."""
    return range(0, HIGHEST_LOW, max(1, HIGHEST_LOW // -(-different // ways)))


def endless(name: str, title: str, source: Callable[[random.Random], Read], kind: str = "read") -> Scenario:
    """Requests made on the spot, in general never the same twice."""

    def make(dice: random.Random) -> Iterator[Operation]:
        while True:
            yield one(source(dice))

    dice = random.Random(len(name))
    return Scenario(name, title, kind, make, [source(dice) for _ in range(40)])


def reads(catalogue: Catalogue, dice: random.Random, *, different: int) -> list[Scenario]:
    """`different`: how many requests a pool has."""
    goods, categories = catalogue.goods, catalogue.categories
    low_ones = lows(different, len(categories) * len(SORTS))
    lists = [list_read(c, s, low) for c in categories for s in SORTS for low in low_ones]
    dice.shuffle(lists)

    def search(dice: random.Random) -> Read:
        return search_read(dice, dice.choice(goods), dice.randrange(HIGHEST_LOW), narrow=len(goods) >= 5000)

    searches = distinct(lambda: search(dice), different)
    suggestions = distinct(lambda: suggest_read(dice, dice.choice(goods)), different)
    by_address = [(product, language) for product in catalogue.sold for language in ("vi", "en")]
    dice.shuffle(by_address)
    prefix = {"vi": "", "en": "/en"}
    shelves = [
        page_read(f"/c/{c}?sort={s}&price_min={low}", "</main>", cards=min(PAGE, len(goods) // 12))
        for c in categories
        for s in SHELVES
        for low in lows(different, len(categories) * len(SHELVES))
    ]
    dice.shuffle(shelves)
    everything = itertools.cycle(cold_products(goods, dice))
    return [
        pooled(
            "product_detail",
            "product detail, API",
            "read",
            [product_read(p.slugs["vi"], "vi", p) for p in dice.sample(goods, min(len(goods), different))],
        ),
        endless("product_detail_cold", "the same, each the first time", lambda _: next(everything)),
        pooled("list", "category list of 24, API", "read", lists),
        endless(
            "list_cold",
            "the same, each the first time",
            lambda d: list_read(d.choice(categories), d.choice(SORTS), d.randrange(HIGHEST_LOW)),
        ),
        pooled("search", "search with facets, API", "read", searches),
        endless("search_cold", "the same, each the first time", search),
        pooled("suggest", "suggestions, API", "read", suggestions),
        pooled("home", "home page, HTML", "page", [page_read(p, "</main>", cards=8) for p in ("/", "/en")]),
        pooled("category_page", "category page, HTML", "page", shelves),
        pooled(
            "product_page",
            "product page, HTML",
            "page",
            [page_read(f"{prefix[la]}/p/{p.slugs[la]}", f"/p/{p.slugs[la]}") for p, la in by_address],
        ),
    ]


def cold_products(goods: Sequence[Goods], dice: random.Random) -> list[Read]:
    """Every product once under each of its addresses in each language, those apart that the warm reads ask for."""
    ways = [
        way
        for product in goods
        for way in ((product.id, "vi", product), (product.id, "en", product), (product.slugs["vi"], "en", product))
    ]
    dice.shuffle(ways)
    return [product_read(*way) for way in ways]


# --- writes ---------------------------------------------------------------------------------------------------------


class Basket(Struct):
    """A cart with the variants that will be put into it again and again, so that it stays of a usual size."""

    path: str
    token: str
    variants: list[str]
    quantities: dict[str, int]


def carts(port: int, catalogue: Catalogue, dice: random.Random, count: int) -> list[Basket]:
    """So many new carts."""
    made: list[Basket] = []

    def create() -> Operation:
        body = expect((yield "create", request("POST", f"{API}/carts", {})), 201)
        cart = msgspec.json.decode(body)
        variants = [dice.choice(product.variants) for product in dice.sample(catalogue.sold, GOODS)]
        made.append(Basket(f"{API}/carts/{cart['id']}", cart["token"], variants, dict.fromkeys(variants, 0)))

    drive(port, (create() for _ in range(count)), clients=4)
    if len(made) != count:
        raise WrongAnswer(f"{len(made)} carts instead of {count}")
    return made


class CartLines(Struct):
    id: str
    variant_id: str
    quantity: int


class SeenCart(Struct):
    """What we read of a cart."""

    lines: list[CartLines]


seen_cart = msgspec.json.Decoder(SeenCart)


def add_line(basket: Basket, variant: str) -> Operation:
    """One more of a variant; the answer must have the quantity that we count ourselves."""
    answer: Answer = yield (
        "add",
        request("POST", f"{basket.path}/lines", {"variant_id": variant, "quantity": 1}, x_cart_token=basket.token),
    )
    cart = seen_cart.decode(expect(answer, 200))
    basket.quantities[variant] += 1
    quantity = next((line.quantity for line in cart.lines if line.variant_id == variant), 0)
    if quantity != basket.quantities[variant]:
        raise WrongAnswer(f"{quantity} in the cart instead of {basket.quantities[variant]}")


def add_to_cart(baskets: list[Basket]) -> Scenario:
    def make(dice: random.Random) -> Iterator[Operation]:
        for basket in itertools.cycle(baskets):
            yield add_line(basket, dice.choice(basket.variants))

    # Neighbours are of different carts: two at once in one cart would wait for each other.
    first = [partial(add_line, basket, basket.variants[each]) for each in range(GOODS) for basket in baskets]
    return Scenario("add_to_cart", "add to cart", "write", make, different=len(first), first=first)


def prepare_cart(
    variant: str, quantity: int, phone: str, keep: Callable[[str, dict[str, str], Any], None]
) -> Operation:
    """From an empty hand to a cart that lacks nothing; `keep(path, headers, total)`."""
    body = expect((yield "create cart", request("POST", f"{API}/carts", {})), 201)
    cart = msgspec.json.decode(body)
    path, token = f"{API}/carts/{cart['id']}", {"x_cart_token": cart["token"]}
    line = {"variant_id": variant, "quantity": quantity}
    body = expect((yield "add line", request("POST", f"{path}/lines", line, **token)), 200, variant.encode())
    contact = {"name": "Nguyễn Văn An", "phone": phone, "email": f"buyer{phone[-8:]}@example.com"}
    expect((yield "contact", request("PUT", f"{path}/contact", contact, **token)), 200)
    address = {"name": "Nguyễn Văn An", "phone": phone, "street": "5 Hai Bà Trưng", **PLACE}
    expect((yield "address", request("PUT", f"{path}/shipping-address", address, **token)), 200)
    body = expect((yield "options", request("GET", f"{path}/shipping-options", **token)), 200, b'"id"')
    option = msgspec.json.decode(body)["items"][0]["id"]
    body = expect((yield "choose option", request("PUT", f"{path}/shipping-option", {"id": option}, **token)), 200)
    cart = msgspec.json.decode(body)
    if cart["problems"]:
        raise WrongAnswer(f"a cart with problems: {cart['problems']}")
    expect((yield "payment methods", request("GET", f"{path}/payment-methods", **token)), 200, b'"cod"')
    keep(path, token, cart["totals"]["total"])


def place(path: str, token: dict[str, str], total: Any) -> tuple[str, bytes]:
    """The last step: order the cart, cash on delivery."""
    order = {"payment_method": "cod", "expected_total": total}
    return "place order", request("POST", f"{path}/checkout", order, idempotency_key=uuid4().hex, **token)


def buy(variant: str, phone: str) -> Operation:
    """A whole checkout, as a guest's browser does it."""
    kept: list[tuple[str, dict[str, str], Any]] = []
    yield from prepare_cart(variant, 1, phone, lambda *cart: kept.append(cart))
    body = expect((yield place(*kept[0])), 201)
    order = msgspec.json.decode(body)["order"]
    if order["status"] != "placed" or order["payment_status"] != "cod_due" or order["totals"]["total"] != kept[0][2]:
        raise WrongAnswer(f"not placed: {body[:300]!r}")


def phones() -> Iterator[str]:
    """Vietnamese mobile numbers, all different: shops refuse many orders of one number."""
    return (f"09{number:08}" for number in itertools.count(random.SystemRandom().randrange(10**7, 6 * 10**7)))


def checkout(catalogue: Catalogue) -> Scenario:
    numbers = phones()

    def make(dice: random.Random) -> Iterator[Operation]:
        while True:
            yield buy(dice.choice(dice.choice(catalogue.sold).variants), next(numbers))

    different = sum(len(product.variants) for product in catalogue.sold)
    return Scenario("checkout", "complete checkout (8 requests)", "write", make, different=different)


def mixed(scenarios: Sequence[Scenario]) -> Scenario:
    """A shop on a busy evening: of a thousand requests about 930 look, 50 put into a cart, and two or three order."""
    shares = {
        "product_page": 300,
        "category_page": 150,
        "product_detail": 150,
        "list": 150,
        "search": 90,
        "suggest": 90,
    }
    shares |= {"add_to_cart": 50, "checkout": 3}
    chosen = [(scenario, shares[scenario.name]) for scenario in scenarios if scenario.name in shares]

    def make(dice: random.Random) -> Iterator[Operation]:
        sources = [scenario.make(dice) for scenario, _ in chosen]
        weights = list(itertools.accumulate(share for _, share in chosen))
        while True:
            yield next(dice.choices(sources, cum_weights=weights)[0])

    return Scenario("mixed", "all of it at once", "write", make)
