"""Home, lists, search, products."""

import asyncio
from typing import Any

from sampan.kernel.errors import NotFound, ShopError
from sampan.kernel.http import Answer, Request, Routes, html, page, public, redirect
from sampan.services.catalog.contract import Category, Moved, ProductDocument, VariantDocument
from sampan.services.search.contract import Found
from sampan.services.storefront.actions import (
    StorefrontActions,
    Visitor,
    card_view,
    document_card,
    media_picture,
    said,
    vnd,
)
from sampan.services.storefront.contract import HomeRail
from sampan.services.storefront.routes.pages import PageRoutes
from sampan.services.storefront.rules import (
    PAGE,
    SORTS,
    Filters,
    discount_for,
    filters_from,
    is_filtered,
    path_for,
    query_for,
    with_attribute,
)
from sampan.ui import gallery

routes = PageRoutes()


@routes.get("/", policy=page)
async def home(shop: StorefrontActions, request: Request) -> Answer:
    """S1: hero, categories, rails, campaign."""
    visitor = shop.visitor(request)
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
            "description": said(content.text, visitor.language) if content else "",
        },
        indexed=True,
    )


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
    return await plain_cards(shop, visitor, rail.category, 8), None


async def plain_cards(
    shop: StorefrontActions, visitor: Visitor, category: str | None, limit: int
) -> list[dict[str, Any]]:
    products = await shop.catalog.list_products(category=category, limit=limit)
    texts = shop.texts(visitor.language)
    return [card for product in products if (card := document_card(product, visitor, texts)) is not None]


@routes.get("/c/{slug}", policy=page)
async def category_page(shop: StorefrontActions, request: Request, slug: str) -> Answer:
    """S3: the products of a category, with filters that live in the address."""
    visitor = shop.visitor(request)
    frame = await shop.frame()
    category = next((found for found in frame.categories if found.slug == slug), None)
    if category is None:
        raise NotFound("there is no such category")
    return await product_list(shop, request, visitor, category)


@routes.get("/search", policy=page)
async def search_page(shop: StorefrontActions, request: Request) -> Answer:
    """S4: the products that fit the words."""
    return await product_list(shop, request, shop.visitor(request), None)


async def product_list(
    shop: StorefrontActions, request: Request, visitor: Visitor, category: Category | None
) -> Answer:
    frame = await shop.frame()
    texts = shop.texts(visitor.language)
    filters = filters_from(request.query())
    path = request.path
    found, cards = await listed(shop, visitor, filters, category)
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
        heading = texts("shop.search.heading", query=filters.q) if filters.q else texts("shop.search.all")
        crumbs.append((heading, ""))
    total = found.total if found else len(cards)
    shown = min(filters.page * PAGE, total)
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
        "popular": [] if cards else (await rail_cards(shop, visitor, HomeRail({}, "best_selling")))[:4],
        "more": path + query_for(filters, page=filters.page + 1) if shown < total else None,
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
    indexed = category is not None and not is_filtered(filters) and not filters.sort and filters.page == 1
    return await shop.page(
        request,
        visitor,
        "list.html",
        context,
        block="list",
        fragment="list_more.html" if filters.page > 1 else "",
        category=category.slug if category else "",
        indexed=indexed,
    )


async def listed(
    shop: StorefrontActions, visitor: Visitor, filters: Filters, category: Category | None
) -> tuple[Found | None, list[dict[str, Any]]]:
    """A page of products. Without search the category's newest, unfiltered; the page says so."""
    texts = shop.texts(visitor.language)
    try:
        if shop.search is not None:
            cursor = None
            for number in range(1, filters.page + 1):
                found = await shop.search.find_for(
                    q=filters.q,
                    category=category.slug if category else None,
                    filters={code: list(values) for code, values in filters.attributes.items()},
                    price_min=filters.price_min,
                    price_max=filters.price_max,
                    in_stock=filters.in_stock,
                    sort=filters.sort or (None if filters.q else "best_selling"),  # type: ignore[arg-type]
                    language=visitor.language,
                    limit=PAGE,
                    cursor=cursor,
                    facets=number == filters.page,
                )
                if number == filters.page:
                    return found, [card_view(card, visitor, texts) for card in found.items]
                cursor = found.next
                if cursor is None:
                    return found, []
    except ShopError as failure:
        if failure.status < 500:
            raise
    return None, await plain_cards(shop, visitor, category.slug if category else None, PAGE)


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
    found = await shop.search.find_for(
        q=filters.q,
        category=category.slug if category else None,
        filters={code: list(values) for code, values in filters.attributes.items()},
        price_min=filters.price_min,
        price_max=filters.price_max,
        in_stock=filters.in_stock,
        language=visitor.language,
        limit=1,
        facets=False,
    )
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


@routes.get("/p/{slug}", policy=page)
async def product_page(shop: StorefrontActions, request: Request, slug: str) -> Answer:
    """S6: gallery, variants, price, stock, buy box, description, details."""
    visitor = shop.visitor(request)
    try:
        product = await shop.catalog.find_product(key=slug)
    except Moved as moved:
        return redirect(visitor.path(f"/p/{moved.facts['slug']}"), status=301)
    own = product.slugs.get(visitor.language, product.slug)
    if slug != own and not request.raw_query:
        return redirect(visitor.path(f"/p/{own}"), status=301)
    variant = chosen_variant(product, request)
    category = product.categories[0].slug if product.categories else None
    beside = await rail_cards(shop, visitor, HomeRail({}, "best_selling", category))
    here = {visitor.path(f"/p/{slug}") for slug in product.slugs.values()}
    related = [card for card in beside if card["href"] not in here][:4]
    return await shop.page(
        request,
        visitor,
        "product.html",
        product_context(shop, visitor, product, variant, related),
        block="product",
        category=category or "",
        indexed=True,
        places={
            language: path_for(language, f"/p/{product.slugs.get(language, product.slug)}") for language in ("vi", "en")
        },
    )


def chosen_variant(product: ProductDocument, request: Request) -> VariantDocument:
    """The variant of the address, else the default one, else one that can be bought."""
    wanted = next((value for name, value in request.query() if name == "variant"), "")
    by_sku = {variant.sku: variant for variant in product.variants}
    if wanted in by_sku:
        return by_sku[wanted]
    default = next((v for v in product.variants if v.id == product.default_variant_id), product.variants[0])
    if default.available:
        return default
    return next((variant for variant in product.variants if variant.available), default)


def product_context(
    shop: StorefrontActions,
    visitor: Visitor,
    product: ProductDocument,
    variant: VariantDocument,
    related: list[dict[str, Any]],
) -> dict[str, Any]:
    language = visitor.language
    texts = shop.texts(language)
    name = said(product.name, language)
    path = visitor.path(f"/p/{product.slugs.get(language, product.slug)}")
    offer = next((o for o in variant.offers if o.market == "VN"), None)
    shown = variant.media or range(min(len(product.media), 8))
    images = [media_picture(product.media[i], language, name) for i in shown]
    options = []
    for option in product.options:
        values = []
        for value in option.values:
            wanted = {**variant.options, option.code: value.code}
            match = next((v for v in product.variants if v.options == wanted), None)
            values.append(
                {
                    "label": said(value.label, language),
                    "href": f"{path}?variant={match.sku}" if match else "",
                    "current": variant.options.get(option.code) == value.code,
                    "sold_out": match is not None and not match.available,
                    "impossible": match is None,
                    "swatch": value.swatch,
                }
            )
        options.append({"code": option.code, "label": said(option.label, language), "values": values})
    crumbs = [(texts("shop.home.crumb"), visitor.path("/"))]
    if product.categories:
        first = product.categories[0]
        crumbs.append((said(first.name, language), visitor.path(f"/c/{first.slug}")))
    crumbs.append((name, ""))
    description = said(product.description, language)
    base = shop.settings.public_url
    return {
        "title": name,
        "description": said(product.summary, language) or description[:160],
        "product": product,
        "name": name,
        "summary": said(product.summary, language),
        "paragraphs": [part for part in description.split("\n") if part.strip()],
        "brand": product.brand,
        "crumbs": crumbs,
        "variant": variant,
        "offer": offer,
        "discount": discount_for(offer.price, offer.compare_at) if offer else None,
        "images": images,
        "options": options,
        "stock": "none" if not variant.available else "low" if variant.available <= 5 else "some",
        "all_gone": not any(v.available for v in product.variants),
        "most": min(variant.available, 99),
        "specs": [(said(a.label, language), said(a.value, language)) for a in product.attributes],
        "related": related,
        "structured": structured(product, language, base, base + path, texts),
        "social": base + images[0]["full"] if images else "",
        "canonical": base + path,
    }


def structured(product: ProductDocument, language: str, base: str, url: str, texts: Any) -> list[dict[str, Any]]:
    """JSON-LD (schema.org): the product with its variants and offers, and the way to it."""
    name = said(product.name, language)
    variants = []
    for variant in product.variants:
        offer = next((o for o in variant.offers if o.market == "VN"), None)
        if offer is None:
            continue
        place = variant.media[0] if variant.media else 0
        variants.append(
            {
                "@type": "Product",
                "sku": variant.sku,
                "name": name,
                "image": base + product.media[place].url if product.media else None,
                "offers": {
                    "@type": "Offer",
                    "url": f"{url}?variant={variant.sku}",
                    "price": offer.price.amount,
                    "priceCurrency": offer.price.currency,
                    "availability": "https://schema.org/InStock"
                    if variant.available
                    else "https://schema.org/OutOfStock",
                },
            }
        )
    group: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "ProductGroup",
        "productGroupID": str(product.id),
        "name": name,
        "description": said(product.summary, language) or said(product.description, language)[:300],
        "url": url,
        "hasVariant": variants,
    }
    if product.brand:
        group["brand"] = {"@type": "Brand", "name": product.brand}
    return [group]


# --- for machines ---------------------------------------------------------------------------------------------------

machines = Routes(prefix="", in_documents=False)


@machines.get("/static/{name...}", policy=public)
async def static(shop: StorefrontActions, request: Request, name: str) -> Answer:
    """A file under its hashed name, kept for a year."""
    asset = shop.pages.assets.get(f"/static/{name}")
    if asset is None:
        raise NotFound("there is nothing at this address")
    headers = [(b"cache-control", b"public, max-age=31536000, immutable"), (b"etag", asset.etag.encode())]
    packed = asset.gzip_body
    if packed is not None and "gzip" in request.header("accept-encoding"):
        headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        return Answer(200, packed, asset.content_type.encode(), headers)
    return Answer(200, asset.body, asset.content_type.encode(), headers)


@machines.get("/_ui", policy=public)
async def components(shop: StorefrontActions, request: Request) -> Answer:
    """Every component in every state, for those who work on pages; it does not exist in production."""
    if shop.settings.production:
        raise NotFound("there is nothing at this address")
    theme = next((value for name, value in request.query() if name == "theme"), "")
    return html(shop.pages.render(gallery.TEMPLATE, gallery.gallery_context(theme), lang="vi"))


@machines.get("/robots.txt", policy=public)
async def robots(shop: StorefrontActions) -> Answer:
    """What crawlers may read."""
    closed = ("/cart", "/checkout", "/orders", "/search", "/_/")
    lines = ["User-agent: *", *(f"Disallow: {prefix}{path}" for path in closed for prefix in ("", "/en"))]
    lines.append(f"Sitemap: {shop.settings.public_url}/sitemap.xml")
    return Answer(200, "\n".join(lines).encode() + b"\n", b"text/plain; charset=utf-8")


@machines.get("/sitemap.xml", policy=public)
async def sitemap(shop: StorefrontActions) -> Answer:
    """Every category and the newest ten thousand products, in both languages."""
    base = shop.settings.public_url
    paths = ["/"] + [f"/c/{c.slug}" for c in (await shop.frame()).categories if c.count]
    after: str | None = None
    slugs: list[dict[str, str]] = []
    for _ in range(100):
        found = await shop.catalog.list_products(limit=100, after=after)
        slugs += [product.slugs for product in found]
        if len(found) < 100:
            break
        after = str(found[-1].id)
    entries = [(base + p, base + "/en" + p) for p in paths]
    entries += [(f"{base}/p/{s['vi']}", f"{base}/en/p/{s.get('en', s['vi'])}") for s in slugs]
    rows = "".join(
        f"<url><loc>{here}</loc>"
        f'<xhtml:link rel="alternate" hreflang="vi" href="{vi}"/>'
        f'<xhtml:link rel="alternate" hreflang="en" href="{en}"/></url>'
        for vi, en in entries
        for here in (vi, en)
    )
    head = '<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    text = f'{head}xmlns:xhtml="http://www.w3.org/1999/xhtml">{rows}</urlset>'
    return Answer(200, text.encode(), b"application/xml", [(b"cache-control", b"public, max-age=3600")])


@routes.get("/languages", policy=page)
async def languages(shop: StorefrontActions, request: Request) -> Answer:
    """S24: the language of the shop, for who has no JavaScript."""
    visitor = shop.visitor(request)
    texts = shop.texts(visitor.language)
    return await shop.page(request, visitor, "languages.html", {"title": texts("shop.languages.title")})
