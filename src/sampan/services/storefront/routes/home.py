"""S1: the home page, and the rails of products that other pages borrow."""

import asyncio
from typing import Any

from sampan.kernel.errors import ShopError
from sampan.kernel.http import Answer, Request, page
from sampan.services.catalog.contract import ProductDocument
from sampan.services.storefront.actions import StorefrontActions, Visitor, card_view, document_card, said
from sampan.services.storefront.contract import HomeRail, ShopContent
from sampan.services.storefront.routes.pages import PageRoutes
from sampan.services.storefront.rules import path_for

routes = PageRoutes()


@routes.get("/", policy=page)
async def home(shop: StorefrontActions, request: Request) -> Answer:
    """S1: hero, categories, rails, campaign."""
    return await shop.shared_page(
        request, "home", ["search", "categories"], lambda nobody: home_page(shop, request, nobody)
    )


async def home_page(shop: StorefrontActions, request: Request, visitor: Visitor) -> Answer:
    frame = await shop.frame()
    texts = shop.texts(visitor.language)
    content = frame.content
    rails: list[dict[str, Any]] = []
    if content is not None:
        found = await asyncio.gather(*(found_rail(shop, visitor, rail) for rail in content.rails))
        rails = [
            {
                "title": said(rail.title, visitor.language),
                "cards": cards,
                "note": texts("shop.home.rail_note", shown=len(cards), count=total) if total else None,
                "href": visitor.path(f"/c/{rail.category}" if rail.category else "/search") + f"?sort={rail.sort}",
            }
            for rail, (cards, total) in zip(content.rails, found, strict=True)
            if cards
        ]
    by_slug = {category.slug: category for category in frame.categories}
    tiles = [
        {
            "label": said(by_slug[tile.category].name, visitor.language),
            "note": texts("shop.list.count", count=by_slug[tile.category].count),
            "href": visitor.path(f"/c/{tile.category}"),
            "motif": tile.motif,
            "colours": tile.colours,
        }
        for tile in (content.tiles if content else [])
        if tile.category in by_slug
    ]
    campaign = content.campaign if content else None
    return await shop.page(
        request,
        visitor,
        "home.html",
        {
            "content": content,
            "hero": {
                "kicker": said(content.kicker, visitor.language) if content else "",
                "title": said(content.title, visitor.language) if content else texts("shop.home.empty_title"),
                "text": said(content.text, visitor.language) if content else texts("shop.home.empty_text"),
            },
            "tiles": tiles,
            "rails": rails,
            "campaign": {
                "title": said(campaign.title, visitor.language),
                "text": said(campaign.text, visitor.language),
                "label": said(campaign.label, visitor.language),
                "href": visitor.path(campaign.href),
            }
            if campaign
            else None,
            "seen_path": visitor.path("/_/seen"),
            "stores": [
                {
                    "name": said(store.name, visitor.language),
                    "address": store.address,
                    "hours": said(store.hours, visitor.language),
                    "phone": store.phone,
                }
                for store in (content.stores if content else [])
            ],
            "structured": structured(content, visitor.language, shop.settings.public_url) if content else [],
            "description": said(content.text, visitor.language) if content else "",
        },
        indexed=True,
    )


def structured(content: ShopContent, language: str, base: str) -> list[dict[str, Any]]:
    """JSON-LD (schema.org): the site with its search, and every shop that people can walk into."""
    search = base + path_for(language, "/search")
    site: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "WebSite",
        "name": content.name,
        "url": base + path_for(language, "/"),
        "potentialAction": {
            "@type": "SearchAction",
            "target": f"{search}?q={{search_term_string}}",
            "query-input": "required name=search_term_string",
        },
    }
    stores = [
        {
            "@context": "https://schema.org",
            "@type": "Store",
            "name": said(store.name, language),
            "address": store.address,
            **({"telephone": store.phone} if store.phone else {}),
        }
        for store in content.stores
    ]
    return [site, *stores]


async def rail_cards(shop: StorefrontActions, visitor: Visitor, rail: HomeRail) -> list[dict[str, Any]]:
    """Eight products of a rail; from catalog when search is away."""
    return (await found_rail(shop, visitor, rail))[0]


async def found_rail(
    shop: StorefrontActions, visitor: Visitor, rail: HomeRail
) -> tuple[list[dict[str, Any]], int | None]:
    """The same with the number of all there are, when that is known."""
    texts = shop.texts(visitor.language)
    try:
        if shop.search is not None:
            found = await shop.search.find_for(
                category=rail.category,
                sort=rail.sort,  # type: ignore[arg-type]
                language=visitor.language,
                limit=8,
                facets=False,
                in_stock=True,
            )
            return [card_view(card, visitor, texts) for card in found.items], found.total
    except ShopError:
        pass
    return (await plain_cards(shop, visitor, rail.category, 8))[0], None


async def plain_cards(
    shop: StorefrontActions, visitor: Visitor, category: str | None, limit: int, *, page: int = 1
) -> tuple[list[dict[str, Any]], bool]:
    """Products as catalog lists them, newest first, for when search is away; and whether there may be more."""
    texts = shop.texts(visitor.language)
    products: list[ProductDocument] = []
    after: str | None = None
    for _ in range(page):
        products = await shop.catalog.list_products(category=category, limit=limit, after=after)
        if not products:
            break
        after = str(products[-1].id)
    cards = [card for product in products if (card := document_card(product, visitor, texts)) is not None]
    return cards, len(products) == limit


@routes.get("/languages", policy=page)
async def languages(shop: StorefrontActions, request: Request) -> Answer:
    """S24: the language of the shop, for who has no JavaScript."""
    visitor = shop.visitor(request)
    texts = shop.texts(visitor.language)
    return await shop.page(request, visitor, "languages.html", {"title": texts("shop.languages.title")})
