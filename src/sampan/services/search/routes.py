"""Search's public HTTP."""

from typing import Annotated, cast

from msgspec import Meta, Struct

from sampan.kernel.errors import NotFound
from sampan.kernel.http import Request, Routes, public
from sampan.services.search.actions.search_actions import Question, SearchActions
from sampan.services.search.contract import (
    Facet,
    Found,
    IndexUnavailable,
    ProductCard,
    Sort,
    Suggestions,
)

routes = Routes()

Text = Annotated[str, Meta(max_length=200)]
Market = Annotated[str, Meta(pattern=r"^[A-Z]{2,8}\Z")]
Price = Annotated[int, Meta(ge=0, le=10**15)]
AttributeCode = Annotated[str, Meta(min_length=1, max_length=40)]
AttributeValue = Annotated[str, Meta(min_length=1, max_length=80)]


class Narrowed(Struct, frozen=True):
    """What to list. Prices are minor units of the market's currency, both ends included. `attr.<code>` may be given
    again for further values: any of them will do."""

    category: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    q: Text = ""
    sort: Sort | None = None
    in_stock: bool = False
    price_min: Price | None = None
    price_max: Price | None = None
    attr: dict[AttributeCode, Annotated[list[AttributeValue], Meta(max_length=50)]] = {}
    limit: Annotated[int, Meta(ge=1, le=100)] = 24
    cursor: Annotated[str, Meta(max_length=64)] | None = None
    market: Market = "VN"


class Typed(Struct, frozen=True):
    """What somebody has typed so far."""

    q: Text = ""
    limit: Annotated[int, Meta(ge=1, le=10)] = 8
    market: Market = "VN"


class ProductList(Struct, frozen=True):
    """A page of products. `total` counts all pages."""

    items: list[ProductCard]
    next: str | None
    total: int
    facets: list[Facet]


def tags(request: Request) -> list[str]:
    return ["search"]


# The cards of an answer are passed on as the index keeps them; what is written is what the annotation says.


@routes.get("/products", policy=public, cached=tags, errors=(NotFound, IndexUnavailable))
async def list_products(search: SearchActions, query: Narrowed, language: str) -> ProductList:
    """Products of a category or of all, narrowed and sorted, with counted facets."""
    found = await find(search, query, language)
    return ProductList(found.items, found.next, found.total, found.facets)


@routes.get("/search", policy=public, cached=tags, errors=(NotFound, IndexUnavailable))
async def search_products(search: SearchActions, query: Narrowed, language: str) -> Found:
    """Products by words, with or without accents, best first; forgives typing errors."""
    return await find(search, query, language)


@routes.get("/search/suggest", policy=public, cached=tags, errors=(IndexUnavailable,))
async def suggest(search: SearchActions, query: Typed, language: str) -> Suggestions:
    """Queries, categories and products while somebody types."""
    return await search.suggestions_for(q=query.q, language=language, market=query.market, limit=query.limit)


async def find(search: SearchActions, query: Narrowed, language: str) -> Found:
    question = Question(
        q=query.q,
        category=query.category,
        filters=query.attr,
        price_min=query.price_min,
        price_max=query.price_max,
        in_stock=query.in_stock,
        sort=query.sort,
        language=language,
        market=query.market,
        limit=query.limit,
        cursor=query.cursor,
    )
    return cast(Found, await search.page_for(question=question))
