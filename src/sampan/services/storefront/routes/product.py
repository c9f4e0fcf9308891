"""S6: a product."""

from typing import Any

from sampan.kernel.http import Answer, Request, page, redirect
from sampan.services.catalog.contract import Moved, ProductDocument, VariantDocument
from sampan.services.storefront.actions import StorefrontActions, Visitor, media_picture, said
from sampan.services.storefront.contract import HomeRail
from sampan.services.storefront.routes.home import rail_cards
from sampan.services.storefront.routes.pages import PageRoutes
from sampan.services.storefront.rules import discount_for, path_for

routes = PageRoutes()


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
