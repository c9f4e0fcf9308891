"""S3 and S4: the products of a category, search results, and what helps to find."""

from typing import Any

from sampan.kernel.errors import NotFound, ShopError
from sampan.kernel.http import Answer, Request, html, page
from sampan.services.catalog.contract import Category
from sampan.services.search.contract import Found
from sampan.services.storefront.actions import NotKept, StorefrontActions, Visitor, card_view, said, vnd
from sampan.services.storefront.contract import HomeRail
from sampan.services.storefront.routes.home import plain_cards, rail_cards
from sampan.services.storefront.routes.pages import PageRoutes
from sampan.services.storefront.rules import (
    PAGE,
    SORTS,
    Filters,
    filters_from,
    is_filtered,
    query_for,
    with_attribute,
)

routes = PageRoutes()

LISTED = ("search", "categories")  # what makes a kept list stale


@routes.get("/c/{slug}", policy=page)
async def category_page(shop: StorefrontActions, request: Request, slug: str) -> Answer:
    """S3: the products of a category, with filters that live in the address."""
    frame = await shop.frame()
    category = next((found for found in frame.categories if found.slug == slug), None)
    if category is None:
        raise NotFound("there is no such category")
    return await shared_list(shop, request, category)


@routes.get("/search", policy=page)
async def search_page(shop: StorefrontActions, request: Request) -> Answer:
    """S4: the products that fit the words."""
    return await shared_list(shop, request, None)


async def shared_list(shop: StorefrontActions, request: Request, category: Category | None) -> Answer:
    filters = filters_from(request.query())

    async def make(nobody: Visitor) -> Answer:
        return await product_list(shop, request, nobody, category, filters)

    return await shop.shared_page(request, "list", LISTED, make, asked=query_for(filters))


async def product_list(
    shop: StorefrontActions, request: Request, visitor: Visitor, category: Category | None, filters: Filters
) -> Answer:
    frame = await shop.frame()
    texts = shop.texts(visitor.language)
    path = request.path
    found, cards, more = await listed(shop, visitor, filters, category)
    children = [c for c in frame.categories if category and c.parent_id == category.id and c.count]
    crumbs = [(texts("shop.home.crumb"), visitor.path("/"))]
    if category is not None:
        by_id = {c.id: c for c in frame.categories}
        above = by_id.get(category.parent_id) if category.parent_id else None
        chain: list[tuple[str, str]] = []
        while above is not None:
            chain.insert(0, (said(above.name, visitor.language), visitor.path(f"/c/{above.slug}")))
            above = by_id.get(above.parent_id) if above.parent_id else None
        crumbs += [*chain, (said(category.name, visitor.language), "")]
        heading = said(category.name, visitor.language)
    else:
        heading = texts("shop.search.heading", query=filters.q) if filters.q and found else texts("shop.search.all")
        crumbs.append((heading, ""))
    total = found.total if found else None
    shown = min(filters.page * PAGE, found.total) if found else len(cards)
    facets: list[dict[str, Any]] = [
        {
            "code": f"attr.{facet.code}",
            "label": facet.label,
            "values": [
                {
                    "value": value.value,
                    "label": value.label,
                    "count": value.count,
                    "selected": value.selected,
                    "swatch": value.swatch,
                }
                for value in facet.values
            ],
        }
        for facet in (found.facets if found else [])
    ]
    if found is None:  # nothing of it works, so nothing of it is offered
        children = children or [c for c in frame.categories if category is None and c.parent_id is None and c.count]
    facets.append(
        {
            "code": "price",
            "kind": "range",
            "label": texts("shop.list.price"),
            "min": "" if filters.price_min is None else filters.price_min,
            "max": "" if filters.price_max is None else filters.price_max,
        }
    )
    context = {
        "title": heading,
        "heading": heading,
        "query": filters.q,
        "crumbs": crumbs,
        "children": [{"label": said(c.name, visitor.language), "href": visitor.path(f"/c/{c.slug}")} for c in children],
        "cards": cards,
        "total": total,
        "shown": shown,
        "facets": facets,
        "action": path,
        "filters": filters,
        "hidden": [(name, value) for name, value in (("q", filters.q), ("sort", filters.sort)) if value],
        "applied": applied_of(shop, visitor, filters, found, path),
        "clear": path + query_for(Filters(q=filters.q, sort=filters.sort)),
        "quick": [
            {
                "label": texts("shop.list.in_stock"),
                "href": path + query_for(toggled_stock(filters), page=1),
                "on": filters.in_stock,
            },
            {
                "label": texts("shop.list.under", price=shop.money(vnd(200000), visitor.language)),
                "href": path + query_for(priced(filters, None if filters.price_max == 200000 else 200000), page=1),
                "on": filters.price_max == 200000,
            },
        ],
        "sorts": [
            {
                "label": texts(f"shop.sort.{sort}"),
                "href": path + query_for(filters, page=1, sort=sort),
                "current": sort == (filters.sort or ("relevance" if filters.q else "best_selling")),
            }
            for sort in SORTS
            if sort != "relevance" or filters.q
        ],
        "sorted_by": texts(f"shop.sort.{filters.sort or ('relevance' if filters.q else 'best_selling')}"),
        "popular": [] if cards else (await rail_cards(shop, visitor, HomeRail({}, "best_selling")))[:6],
        "more": path + query_for(filters, page=filters.page + 1) if more else None,
        "count_src": visitor.path("/_/count") + (f"?category={category.slug}" if category else ""),
        "did_you_mean": {
            "text": found.did_you_mean,
            "href": path + query_for(Filters(q=found.did_you_mean)),
        }
        if found and found.did_you_mean
        else None,
        "relaxed": bool(found and found.relaxed),
        "degraded": found is None,
        "category": category,
        "description": said(category.description, visitor.language) if category else "",
        "prev": path + query_for(filters, page=filters.page - 1) if filters.page > 1 else None,
    }
    indexed = (
        category is not None
        and found is not None
        and not is_filtered(filters)
        and not filters.sort
        and filters.page == 1
    )
    answer = await shop.page(
        request,
        visitor,
        "list.html",
        context,
        block="list",
        fragment="list_more.html" if filters.page > 1 else "",
        category=category.slug if category else "",
        indexed=indexed,
    )
    if found is None:
        raise NotKept(answer)
    return answer


async def listed(
    shop: StorefrontActions, visitor: Visitor, filters: Filters, category: Category | None
) -> tuple[Found | None, list[dict[str, Any]], bool]:
    """A page of products, and whether more follow. Without search the category's newest, unfiltered."""
    texts = shop.texts(visitor.language)
    try:
        if shop.search is not None:
            found = await shop.search.find_for(
                **question_of(filters, category),
                sort=filters.sort or (None if filters.q else "best_selling"),  # type: ignore[arg-type]
                language=visitor.language,
                limit=PAGE,
                page=filters.page,
            )
            cards = [card_view(card, visitor, texts) for card in found.items]
            return found, cards, filters.page * PAGE < found.total
    except ShopError as failure:
        if failure.status < 500:
            raise
    return None, *await plain_cards(shop, visitor, category.slug if category else None, PAGE, page=filters.page)


def question_of(filters: Filters, category: Category | None) -> dict[str, Any]:
    """What a list's address asks search for, but for order and page."""
    return {
        "q": filters.q,
        "category": category.slug if category else None,
        "filters": {code: list(values) for code, values in filters.attributes.items()},
        "price_min": filters.price_min,
        "price_max": filters.price_max,
        "in_stock": filters.in_stock,
    }


def applied_of(
    shop: StorefrontActions, visitor: Visitor, filters: Filters, found: Found | None, path: str
) -> list[dict[str, str]]:
    """What is applied, each with the address without it."""
    texts = shop.texts(visitor.language)
    labels = {
        (facet.code, value.value): value.label for facet in (found.facets if found else []) for value in facet.values
    }
    items = [
        {
            "label": labels.get((code, value), value),
            "href": path + query_for(with_attribute(filters, code, value, on=False), page=1),
        }
        for code, values in filters.attributes.items()
        for value in values
    ]
    if filters.price_min is not None or filters.price_max is not None:
        plain = Filters(q=filters.q, sort=filters.sort, in_stock=filters.in_stock, attributes=filters.attributes)
        items.append({"label": price_words(shop, visitor, filters), "href": path + query_for(plain)})
    if filters.in_stock:
        items.append({"label": texts("shop.list.in_stock"), "href": path + query_for(toggled_stock(filters), page=1)})
    return items


def price_words(shop: StorefrontActions, visitor: Visitor, filters: Filters) -> str:
    """`Từ 100.000 ₫`, `Dưới 200.000 ₫` or both ends."""
    texts = shop.texts(visitor.language)
    low, high = (
        None if amount is None else shop.money(vnd(amount), visitor.language)
        for amount in (filters.price_min, filters.price_max)
    )
    if low is None:
        return str(texts("shop.list.under", price=high))
    return str(texts("shop.list.over", price=low)) if high is None else f"{low} – {high}"


def toggled_stock(filters: Filters) -> Filters:
    return Filters(
        filters.q, filters.sort, 1, filters.price_min, filters.price_max, not filters.in_stock, filters.attributes
    )


def priced(filters: Filters, most: int | None) -> Filters:
    return Filters(filters.q, filters.sort, 1, None, most, filters.in_stock, filters.attributes)


@routes.get("/_/count", policy=page)
async def count_fragment(shop: StorefrontActions, request: Request) -> Answer:
    """The words of the filter sheet's button: how many products the ticked filters leave."""
    visitor = shop.visitor(request)
    filters = filters_from(request.query())
    slug = next((value for name, value in request.query() if name == "category"), None)
    frame = await shop.frame()
    category = next((found for found in frame.categories if found.slug == slug), None)
    texts = shop.texts(visitor.language)
    if shop.search is None:
        return html(texts("shop.list.show"))
    try:
        found = await shop.search.find_for(
            **question_of(filters, category),
            language=visitor.language,
            limit=1,
            facets=False,
        )
    except ShopError:
        return html(texts("shop.list.show"))
    return html(texts("shop.list.show_count", count=found.total))


@routes.get("/_/suggest", policy=page)
async def suggest_fragment(shop: StorefrontActions, request: Request) -> Answer:
    """S5: while somebody types."""
    visitor = shop.visitor(request)
    typed = filters_from(request.query()).q
    texts = shop.texts(visitor.language)
    if not typed or shop.search is None:
        return Answer(204)
    try:
        found = await shop.search.suggestions_for(q=typed, language=visitor.language, limit=8)
    except ShopError:
        return Answer(204)
    groups: list[dict[str, Any]] = []
    links: list[dict[str, Any]]
    if found.queries:
        links = [{"label": q, "href": visitor.path("/search") + query_for(Filters(q=q))} for q in found.queries[:4]]
        groups.append({"title": texts("shop.suggest.queries"), "links": links})
    if found.categories:
        links = [{"label": c.name, "href": visitor.path(f"/c/{c.slug}")} for c in found.categories[:3]]
        groups.append({"title": texts("shop.suggest.categories"), "links": links})
    if found.products:
        cards = [(card, card_view(card, visitor, texts)) for card in found.products[:4]]
        links = [
            {
                "label": view["name"],
                "href": view["href"],
                "image": {"src": view["image"]["thumb"], "alt": "", "width": 48, "height": 60}
                if view["image"]["thumb"]
                else None,
                "note": shop.money(card.price, visitor.language),
            }
            for card, view in cards
        ]
        groups.append({"title": texts("shop.suggest.products"), "links": links})
    if not groups:
        return Answer(204)
    text = shop.pages.render("suggest.html", {"groups": groups}, lang=visitor.language)
    return html(text, headers=[(b"vary", b"hx-request")])
