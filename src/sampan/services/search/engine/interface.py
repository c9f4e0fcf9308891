"""What a search engine is to this shop: documents go in through a `Writer`, answers come out of an `Index`.

The embedded engine behind it is tantivy (`reader.py`, `writer.py`); any other must pass the same tests. Nothing here
knows a database or the web. Calls block for about a millisecond: run them in a thread, or inline where that is fine.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, get_args

from msgspec import Struct

from sampan.kernel.errors import invalid
from sampan.services.search.contract import Sort

LANGUAGES: Final = ("vi", "en")
SORTS: Final[tuple[str, ...]] = get_args(Sort)
MOST_ITEMS: Final = 100  # one page
DEEPEST: Final = 10_000  # items one can page through; who needs more narrows the search
MOST_FILTERS: Final = 10  # attributes filtered at once: each costs one more count
MOST_VALUES: Final = 50  # values of one attribute
LONGEST_TEXT: Final = 256  # characters of a query that are read


class Texts(Struct, frozen=True):
    """What a product says in one language. `description` may hold HTML. `keywords` is for whatever else buyers type:
    option labels ("Đỏ", "XL"), tags, collections, materials."""

    name: str
    description: str = ""
    brand: str = ""
    keywords: str = ""


class Category(Struct, frozen=True):
    """A category the product is in, directly or through its children; `names` by language."""

    id: str
    names: Mapping[str, str]


class Document(Struct, frozen=True):
    """A product as it is searched.

    `texts` by language (`vi`, `en`; either may be missing). `categories` include the ancestors. `attributes` are facet
    values by attribute code; both are codes free of language. `price` and `compare_at` are minor units by market: a
    product is found only in the markets it has a price for, and in every market when it has none at all. `created_at`
    is milliseconds since the epoch, `rating_average` is in hundredths (480 is 4.80). `card` comes back as it went in.
    """

    product_id: str
    texts: Mapping[str, Texts]
    categories: Sequence[Category] = ()
    attributes: Mapping[str, Sequence[str]] = {}
    skus: Sequence[str] = ()
    price: Mapping[str, int] = {}
    compare_at: Mapping[str, int] = {}
    in_stock: bool = False
    created_at: int = 0
    sold: int = 0
    rating_average: int = 0
    rating_count: int = 0
    card: bytes = b""


class Query(Struct, frozen=True):
    """What a buyer asks for. Inside an attribute of `filters` any value will do, between attributes all must.

    `in_stock` and `on_sale` narrow when true. Prices are minor units of the market, both ends included. `cursor` is a
    `Result.next` or `cursor_at(offset)`. `facets` are the attribute codes to count; None counts every attribute found.
    """

    text: str = ""
    language: str = "vi"
    market: str = "VN"
    category_id: str | None = None
    filters: Mapping[str, Sequence[str]] = {}
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False
    on_sale: bool = False
    sort: Sort = "relevance"
    limit: int = 24
    cursor: str | None = None
    facets: Sequence[str] | None = ()


class Item(Struct, frozen=True):
    """A product found."""

    product_id: str
    card: bytes


class FacetValue(Struct, frozen=True):
    """`count` products would be left if this value were chosen beside what is chosen in the other facets."""

    value: str
    count: int
    selected: bool


class Facet(Struct, frozen=True):
    """An attribute of the products found. Its own selection does not lower its own counts; values that the text,
    category and price allow stay listed when the other filters bring them to zero."""

    code: str
    values: tuple[FacetValue, ...]


class Result(Struct, frozen=True):
    """`total` is exact. `did_you_mean` is the reading that was searched beside or instead of the text typed. `relaxed`:
    nothing, or next to nothing, held all words, so fewer were required; what holds all of them comes first."""

    items: tuple[Item, ...]
    total: int
    facets: tuple[Facet, ...] = ()
    next: str | None = None
    did_you_mean: str | None = None
    relaxed: bool = False


class CategorySuggestion(Struct, frozen=True):
    """A category to open; `products` is how many are in it."""

    id: str
    name: str
    products: int


class Suggestions(Struct, frozen=True):
    """What to show under the search field while someone types."""

    queries: tuple[str, ...] = ()
    categories: tuple[CategorySuggestion, ...] = ()
    products: tuple[Item, ...] = ()


class Index(Protocol):
    """The read side; safe to call from several threads. Every method raises `IndexUnavailable` while there is nothing
    to read, and works again by itself once there is."""

    def search(self, query: Query) -> Result:
        """The products for a query. Raises `Invalid` for a query out of bounds or a cursor that is not ours."""
        ...

    def suggest(self, *, prefix: str, language: str, market: str, limit: int = 10) -> Suggestions:
        """Queries, categories and products for what has been typed so far, at most `limit` in all."""
        ...

    def count(self) -> int:
        """How many products are indexed."""
        ...


class Writer(Protocol):
    """The write side; one per index. Nothing is seen by readers before `commit`, and nothing of a rebuild before
    `publish`."""

    def upsert(self, documents: Iterable[Document]) -> None:
        """Index products, in place of what was known of them."""
        ...

    def delete(self, product_ids: Iterable[str]) -> None:
        """Forget products; unknown ids are fine."""
        ...

    def commit(self) -> None:
        """Make everything since the last commit durable, and visible to readers of this index."""
        ...

    def publish(self) -> None:
        """Commit, and let every reader move to this index; older ones are removed."""
        ...

    def close(self) -> None:
        """Stop writing; what was not committed is dropped."""
        ...


def check_query(query: Query) -> None:
    """A query stays within the bounds of what a shop page can ask; raises `Invalid` otherwise."""
    if query.sort not in SORTS:
        raise invalid("sort", "unknown", f"sort is one of {', '.join(SORTS)}")
    if not 1 <= query.limit <= MOST_ITEMS:
        raise invalid("limit", "out_of_range", f"limit is between 1 and {MOST_ITEMS}")
    if len(query.filters) > MOST_FILTERS:
        raise invalid("filters", "too_many", f"at most {MOST_FILTERS} attributes at once")
    if any(len(values) > MOST_VALUES for values in query.filters.values()):
        raise invalid("filters", "too_many", f"at most {MOST_VALUES} values of one attribute")
    offset_at(query.cursor)


def cursor_at(offset: int) -> str:
    """The cursor that starts a page at an offset; the first item is 0."""
    return base64.urlsafe_b64encode(b"%d" % offset).decode().rstrip("=")


def offset_at(cursor: str | None) -> int:
    """The offset a cursor stands for; None is the beginning. Raises `Invalid` for anything `cursor_at` did not make."""
    if cursor is None:
        return 0
    try:
        digits = base64.urlsafe_b64decode(cursor[:24] + "=" * (-len(cursor[:24]) % 4)).decode("ascii")
        offset = int(digits) if digits.isdecimal() else -1
    except (binascii.Error, ValueError):
        offset = -1
    if not 0 <= offset < DEEPEST or cursor != cursor_at(offset):
        raise invalid("cursor", "malformed", "this cursor is not one of ours")
    return offset
