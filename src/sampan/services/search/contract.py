"""Search, as others see it: finding products."""

from typing import Any, Literal, Protocol
from uuid import UUID

from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event
from sampan.kernel.money import Money

Sort = Literal["relevance", "newest", "price_asc", "price_desc", "best_selling", "rating"]


class IndexUnavailable(ShopError, code="search.index_unavailable", status=503):
    """The index cannot be read; browsing works on without it, and one command makes it anew."""


class IndexChanged(Event, name="search.index_changed.v1"):
    """The index was written: it holds every change up to this number, and answers may differ from now on."""

    change: int

    def stale(self) -> list[str]:
        """Every list and every search."""
        return ["search"]


class Rating(Struct, frozen=True):
    average: float
    count: int


class Swatch(Struct, frozen=True):
    label: str
    colour: str


class Image(Struct, frozen=True):
    url: str
    alt: str
    width: int
    height: int
    widths: list[int] = []


class ProductCard(Struct, frozen=True):
    """What a list shows of a product, in one language and market."""

    id: UUID
    slug: str
    name: str
    brand: str | None
    image: Image | None
    price: Money
    price_max: Money | None  # when variants differ
    compare_at: Money | None
    rating: Rating
    available: bool
    variant_id: UUID
    options: list[str]  # labels of the values of the first option: "Đỏ, xanh, vàng"
    swatches: list[Swatch]
    attributes: dict[str, Any] = {}


class FacetValue(Struct, frozen=True):
    value: str
    label: str
    count: int
    selected: bool
    swatch: str | None = None


class Facet(Struct, frozen=True):
    code: str
    label: str
    values: list[FacetValue]


class Found(Struct, frozen=True):
    """A page of results. `relaxed`: nothing had every word, so fewer were asked for."""

    items: list[ProductCard]
    next: str | None
    total: int
    facets: list[Facet]
    did_you_mean: str | None = None
    relaxed: bool = False


class CategoryHit(Struct, frozen=True):
    slug: str
    name: str


class Suggestions(Struct, frozen=True):
    queries: list[str]
    categories: list[CategoryHit]
    products: list[ProductCard]


class Search(Protocol):
    """The index of published products."""

    async def find_for(
        self,
        *,
        q: str = "",
        category: str | None = None,
        filters: dict[str, list[str]] = {},
        price_min: int | None = None,
        price_max: int | None = None,
        in_stock: bool = False,
        sort: Sort | None = None,
        language: str = "vi",
        market: str = "VN",
        limit: int = 24,
        cursor: str | None = None,
        page: int = 1,
        facets: bool = True,
    ) -> Found:
        """Products by text, category (slug) and filters. `page`: the how manieth of `limit`, where there is no cursor.

        Raises IndexUnavailable when there is text to look for and no index.
        """
        ...

    async def suggestions_for(self, *, q: str, language: str = "vi", market: str = "VN", limit: int = 8) -> Suggestions:
        """While somebody types. Raises IndexUnavailable."""
        ...
