"""What must be true of pages and their addresses."""

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from msgspec import Struct, structs

from sampan.kernel.errors import ShopError
from sampan.kernel.money import Money
from sampan.kernel.text import nfc

PAGE = 24
LAST_PAGE = 100
SORTS = ("relevance", "best_selling", "newest", "price_asc", "price_desc")
RESERVED = frozenset({"q", "sort", "page", "price_min", "price_max", "in_stock"})
MARKET = "VN"
PLACE = re.compile(r"([0-9]{2})\.([0-9]{5})")
CURRENCY = re.compile(r"[A-Z]{3}")
PAGES_OF_REFUSALS = {401: "403", 403: "403", 404: "404", 410: "410", 429: "429", 503: "503"}


class Filters(Struct, frozen=True):
    """What a list is narrowed to; all of it stands in the address."""

    q: str = ""
    sort: str = ""
    page: int = 1
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False
    attributes: Mapping[str, tuple[str, ...]] = {}


def path_for(language: str, path: str) -> str:
    """`/cart` in Vietnamese, `/en/cart` in English."""
    return path if language == "vi" else "/en" + path


def address_of(path: str) -> str:
    """A path as a link to this site and no other: encoded, and with one slash at its beginning and at its language's
    end, for `//evil.example` is another site and `/en//evil.example` would lead to it.
    """
    return quote(re.sub(r"[/\\]{2,}", "/", "/" + path), safe="/-._~!$&'()*+,;=:@")


def language_of(path: str) -> str:
    """The language of an address: English below /en, Vietnamese everywhere else."""
    return "en" if path == "/en" or path.startswith("/en/") else "vi"


def without_language(path: str) -> str:
    """The same address in Vietnamese."""
    if path == "/en":
        return "/"
    return path[3:] if path.startswith("/en/") else path


def filters_from(pairs: Iterable[tuple[str, str]]) -> Filters:
    """Read a list's address; what makes no sense is passed over, never an error (people edit addresses)."""
    plain: dict[str, str] = {}
    attributes: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in RESERVED:
            plain[name] = value
        elif name.startswith("attr.") and len(value) <= 64 and len(attributes) < 12:
            chosen = attributes.setdefault(name[5:45], [])
            if value not in chosen and len(chosen) < 20:
                chosen.append(value)
    return Filters(
        q=nfc(plain.get("q", ""))[:200].strip(),
        sort=plain.get("sort", "") if plain.get("sort", "") in SORTS else "",
        page=min(LAST_PAGE, max(1, number_of(plain.get("page", "")) or 1)),
        price_min=number_of(plain.get("price_min", "")),
        price_max=number_of(plain.get("price_max", "")),
        in_stock=plain.get("in_stock") == "1",
        attributes={code: tuple(values) for code, values in attributes.items()},
    )


def number_of(text: str) -> int | None:
    """A whole number as people type one (`200.000`), or None."""
    digits = text.replace(".", "").replace(",", "").replace(" ", "").replace("₫", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else None


def query_for(filters: Filters, *, page: int | None = None, sort: str | None = None) -> str:
    """The query string of a list, `?…` or empty; the same filters always give the same address."""
    pairs: list[tuple[str, str]] = []
    if filters.q:
        pairs.append(("q", filters.q))
    for code in sorted(filters.attributes):
        pairs += [(f"attr.{code}", value) for value in sorted(filters.attributes[code])]
    if filters.price_min is not None:
        pairs.append(("price_min", str(filters.price_min)))
    if filters.price_max is not None:
        pairs.append(("price_max", str(filters.price_max)))
    if filters.in_stock:
        pairs.append(("in_stock", "1"))
    chosen = filters.sort if sort is None else sort
    if chosen:
        pairs.append(("sort", chosen))
    number = filters.page if page is None else page
    if number > 1:
        pairs.append(("page", str(number)))
    return "?" + urlencode(pairs, quote_via=quote) if pairs else ""


def with_attribute(filters: Filters, code: str, value: str, *, on: bool) -> Filters:
    """The same filters with one value of an attribute ticked or not."""
    chosen = [v for v in filters.attributes.get(code, ()) if v != value] + ([value] if on else [])
    others = {name: values for name, values in filters.attributes.items() if name != code}
    attributes = {**others, code: tuple(chosen)} if chosen else others
    return structs.replace(filters, attributes=attributes)


def is_filtered(filters: Filters) -> bool:
    """True when more than the category and the words narrow the list."""
    return bool(
        filters.attributes or filters.in_stock or filters.price_min is not None or filters.price_max is not None
    )


def discount_for(now: Money, before: Money | None) -> str | None:
    """`−23%`, rounded down so that it is never more than the truth; None when there is no lower price."""
    if before is None or before.currency != now.currency or before.amount <= now.amount:
        return None
    percent = (before.amount - now.amount) * 100 // before.amount
    return f"−{percent}%" if percent else None


def is_own_path(path: str) -> bool:
    """True for a path of ours that it is safe to send a browser to."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and all(character >= " " for character in path)


def place_from(cookie: str) -> tuple[str, str] | None:
    """The codes of province and ward that a visitor's cookie holds, or None when it holds nothing of the kind."""
    found = PLACE.fullmatch(cookie)
    return (found[1], found[2]) if found else None


def refusal_kind(error: ShopError) -> str:
    """Which words a refusal is told with: those of its status, or words of its own where people can do something."""
    if error.code == "storefront.closed_for_now":
        return "maintenance"
    if error.status == 403 and error.facts.get("reason") == "csrf":
        return "old_form"
    return PAGES_OF_REFUSALS.get(error.status, "500" if error.status >= 500 else "400")


def shown_totals(totals: Mapping[str, Money]) -> str:
    """The total of each way to pay, as the form of the payment step carries it: `cod=612000:VND,vnpay=600000:VND`."""
    return ",".join(f"{method}={total.amount}:{total.currency}" for method, total in totals.items())


def shown_total(shown: str, method: str) -> Money | None:
    """The total that was shown for this way to pay: what is charged is what was seen. None when none was shown."""
    for part in shown.split(","):
        code, _, total = part.partition("=")
        amount, _, currency = total.partition(":")
        if (
            code == method
            and amount.isascii()
            and amount.isdigit()
            and len(amount) <= 15
            and CURRENCY.fullmatch(currency)
        ):
            return Money(int(amount), currency)
    return None


def gap_for(secret: str) -> str:
    """What stands for a visitor's token in a page that is kept: looks like one, and only this shop knows it."""
    digest = hmac.digest(secret.encode(), b"the gap in kept pages", "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
