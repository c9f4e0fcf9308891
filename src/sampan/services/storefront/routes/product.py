"""S6: a product."""

from typing import Any
from urllib.parse import quote, urlencode

from sampan.kernel.errors import NotFound
from sampan.kernel.http import Answer, Request, html, page, redirect
from sampan.services.catalog.contract import Category, Moved, Offer, ProductDocument, VariantDocument
from sampan.services.payments.contract import Method
from sampan.services.pricing.contract import NotPriced, QuoteItem
from sampan.services.storefront.actions import (
    StorefrontActions,
    Visitor,
    document_card,
    media_picture,
    said,
    uuid_of,
)
from sampan.services.storefront.contract import HomeRail
from sampan.services.storefront.routes.home import rail_cards
from sampan.services.storefront.routes.pages import PageRoutes
from sampan.services.storefront.rules import MARKET, discount_for, path_for
from sampan.ui.render import format_number

routes = PageRoutes()

RELATED = 4
SEEN = 8


@routes.get("/p/{slug}", policy=page)
async def product_page(shop: StorefrontActions, request: Request, slug: str) -> Answer:
    """S6: gallery, variants, price, stock, buy box, description, details."""
    tags = (f"product:{slug.lower()}", "categories")
    sku = wanted_sku(request)
    return await shop.shared_page(
        request, "product", tags, lambda nobody: shown_product(shop, request, nobody, slug), asked=sku
    )


async def shown_product(shop: StorefrontActions, request: Request, visitor: Visitor, slug: str) -> Answer:
    try:
        product = await shop.catalog.find_product(key=slug)
    except Moved as moved:
        return led_to(moved.facts["slug"], request, visitor)
    own = product.slugs.get(visitor.language, product.slug)
    if slug != own:
        return led_to(own, request, visitor)
    variant = chosen_variant(product, request)
    category = product.categories[0].slug if product.categories else None
    frame = await shop.frame()
    shelf = shelf_for(category, frame.categories)
    others = await rail_cards(shop, visitor, HomeRail({}, "best_selling", shelf))
    offer, texts = offer_of(variant), shop.texts(visitor.language)
    methods = await shop.ways_to_pay(offer.price, at_the_door=True, language=visitor.language) if offer else None
    here = {visitor.path(f"/p/{slug}") for slug in product.slugs.values()}
    related = [card for card in others if card["href"] not in here][:RELATED]
    return await shop.page(
        request,
        visitor,
        "product.html",
        {
            **product_context(shop, visitor, product, variant, related),
            "ways": ways_words(methods, texts) if methods else "",
            "returns_days": frame.content.returns_days if frame.content else None,
        },
        block="product",
        category=category or "",
        indexed=True,
        places=product_places(product),
    )


def product_places(product: ProductDocument, below: str = "") -> dict[str, str]:
    """Where a product's page, or one below it, is in each language: its slug is translated."""
    return {
        language: path_for(language, f"/p/{product.slugs.get(language, product.slug)}{below}")
        for language in ("vi", "en")
    }


def led_to(slug: str, request: Request, visitor: Visitor) -> Answer:
    """To the product's own address, with the variant and whatever else was asked for."""
    asked = urlencode(request.query())
    return redirect(visitor.path(f"/p/{slug}") + (f"?{asked}" if asked else ""), status=301)


async def found_product(shop: StorefrontActions, slug: str) -> ProductDocument:
    """The product of an address in any language, also of an old one. Raises catalog.UnknownProduct."""
    try:
        return await shop.catalog.find_product(key=slug)
    except Moved as moved:
        return await shop.catalog.find_product(key=moved.facts["slug"])


def beside(visitor: Visitor, product: ProductDocument, variant: VariantDocument, name: str) -> str:
    """The address of what is told beside a variant (`delivery`, `price`), or of the variant itself."""
    slug = product.slugs.get(visitor.language, product.slug)
    return visitor.path(f"/p/{slug}/{name}".rstrip("/")) + f"?variant={quote(variant.sku)}"


def offer_of(variant: VariantDocument) -> Offer | None:
    """What the variant costs here."""
    return next((offer for offer in variant.offers if offer.market == MARKET), None)


def ways_words(methods: list[Method], texts: Any) -> str:
    """A sentence of the ways to pay: “Bạn trả tiền mặt khi nhận hàng hoặc trả trước qua VNPay.”"""
    *some, last = (way_words(method, texts) for method in methods)
    ways = texts("shop.ways.or", some=", ".join(some), last=last) if some else last
    return str(texts("shop.ways.said", ways=ways))


def way_words(method: Method, texts: Any) -> str:
    try:
        return str(texts(f"shop.ways.{method.code}"))
    except KeyError:
        return str(texts("shop.ways.other", name=method.name))


def shelf_for(slug: str | None, categories: list[Category]) -> str | None:
    """The nearest category, from this one upwards, that has enough other products to show beside one of it."""
    by_id = {category.id: category for category in categories}
    found = next((category for category in categories if category.slug == slug), None)
    while found is not None and found.count <= RELATED and found.parent_id in by_id:
        found = by_id[found.parent_id]
    return found.slug if found else slug


@routes.get("/p/{slug}/price", policy=page)
async def price_page(shop: StorefrontActions, request: Request, slug: str) -> Answer:
    """Why this price (3.14): the steps that pricing took, as staff see them. A dialog of the product page."""
    visitor = shop.visitor(request)
    product = await found_product(shop, slug)
    variant = chosen_variant(product, request)
    texts = shop.texts(visitor.language)
    if shop.pricing is None:
        raise NotFound("prices are not explained here")
    try:
        quote_now = await shop.pricing.quote_for(market=MARKET, items=[QuoteItem(variant.id, 1)])
    except NotPriced:
        raise NotFound("this is not sold here") from None
    line = quote_now.lines[0]
    steps = [(reason.code, reason.amount) for reason in line.reasons if not reason.code.startswith("vat:")]
    if line.compare_at is not None and steps and line.compare_at > steps[0][1]:
        steps = [("listed", line.compare_at), ("reduced", steps[0][1] - line.compare_at), *steps[1:]]
    rows: list[dict[str, Any]] = [
        {"label": reason_words(code, texts), "amount": amount, "kind": "less" if amount.amount < 0 else ""}
        for code, amount in steps
    ]
    rate = format_number(line.tax_rate / 100, visitor.language)
    rows.append({"label": texts("shop.why.total"), "amount": line.total, "kind": "sum"})
    context = {
        "title": texts("shop.why.title"),
        "name": said(product.name, visitor.language),
        "rows": rows,
        "tax": line.tax,
        "rate": rate,
        "back": beside(visitor, product, variant, ""),
    }
    return await shop.page(request, visitor, "price.html", context, block="price")


def reason_words(code: str, texts: Any) -> str:
    """A step of a price in words: `base`, `list:<name>`, or a step that has no words of its own yet."""
    kind, _, name = code.partition(":")
    if kind in ("base", "listed", "reduced", "list"):
        return str(texts(f"shop.why.step.{kind}", name=name))
    return str(texts("shop.why.other", name=name or kind))


@routes.get("/_/seen", policy=page)
async def seen_fragment(shop: StorefrontActions, request: Request) -> Answer:
    """Recently viewed: the products whose ids the visitor's own browser kept. Nothing of it is kept here."""
    visitor = shop.visitor(request)
    wanted = [
        product_id for name, value in request.query() if name == "id" and (product_id := uuid_of(value)) is not None
    ]
    if not wanted:
        return Answer(204)
    texts = shop.texts(visitor.language)
    found = await shop.catalog.find_products(ids=wanted[:SEEN])
    cards = [card for product in found if (card := document_card(product, visitor, texts)) is not None]
    if not cards:
        return Answer(204)
    text = shop.pages.render("seen.html", {"cards": cards[:RELATED]}, lang=visitor.language)
    return html(text, headers=[(b"vary", b"hx-request")])


def wanted_sku(request: Request) -> str:
    return next((value for name, value in request.query() if name == "variant"), "")


def chosen_variant(product: ProductDocument, request: Request) -> VariantDocument:
    """The variant of the address, else the default one, else one that can be bought."""
    wanted = wanted_sku(request)
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
    offer = offer_of(variant)
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
        "delivery_path": beside(visitor, product, variant, "delivery") if offer and shop.shipping else "",
        "price_path": beside(visitor, product, variant, "price") if offer and shop.pricing else "",
        "seen_path": visitor.path("/_/seen"),
        "structured": structured(product, language, base, base + path, texts),
        "social": base + images[0]["full"] if images else "",
        "canonical": base + path,
    }


def structured(product: ProductDocument, language: str, base: str, url: str, texts: Any) -> list[dict[str, Any]]:
    """JSON-LD (schema.org): the product with its variants and offers, and the way to it."""
    name = said(product.name, language)
    variants = []
    for variant in product.variants:
        offer = offer_of(variant)
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
