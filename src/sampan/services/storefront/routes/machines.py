"""What browsers, crawlers and developers fetch besides pages."""

import gzip

from sampan.kernel.errors import NotFound
from sampan.kernel.http import Answer, Request, Routes, accepts_gzip, html, public
from sampan.services.storefront.actions import StorefrontActions
from sampan.ui import gallery

routes = Routes(prefix="", in_documents=False)


@routes.get("/static/{name...}", policy=public)
async def static(shop: StorefrontActions, request: Request, name: str) -> Answer:
    """A file under its hashed name, kept for a year."""
    asset = shop.pages.assets.get(f"/static/{name}")
    if asset is None:
        raise NotFound("there is nothing at this address")
    headers = [(b"cache-control", b"public, max-age=31536000, immutable"), (b"etag", asset.etag.encode())]
    packed = asset.gzip_body
    if packed is not None and accepts_gzip(request.scope):
        headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        return Answer(200, packed, asset.content_type.encode(), headers)
    return Answer(200, asset.body, asset.content_type.encode(), headers)


@routes.get("/_ui", policy=public)
async def components(shop: StorefrontActions, request: Request) -> Answer:
    """Every component in every state, for those who work on pages; it does not exist in production."""
    if shop.settings.production:
        raise NotFound("there is nothing at this address")
    theme = next((value for name, value in request.query() if name == "theme"), "")
    return html(shop.pages.render(gallery.TEMPLATE, gallery.gallery_context(theme), lang="vi"))


@routes.get("/robots.txt", policy=public)
async def robots(shop: StorefrontActions) -> Answer:
    """What crawlers may read."""
    closed = ("/cart", "/checkout", "/orders", "/search", "/_/", "/p/*/delivery", "/p/*/price")
    lines = ["User-agent: *", *(f"Disallow: {prefix}{path}" for path in closed for prefix in ("", "/en"))]
    lines.append(f"Sitemap: {shop.settings.public_url}/sitemap.xml")
    return Answer(200, "\n".join(lines).encode() + b"\n", b"text/plain; charset=utf-8")


@routes.get("/sitemap.xml", policy=public)
async def sitemap(shop: StorefrontActions, request: Request) -> Answer:
    """Every category and the newest ten thousand products, in both languages."""

    async def load() -> bytes:
        return gzip.compress((await sitemap_of(shop)).encode(), 6)

    packed = await shop.answers.get_or_load("sitemap", ["content"], load)
    headers = [(b"cache-control", b"public, max-age=3600"), (b"vary", b"accept-encoding")]
    if accepts_gzip(request.scope):
        return Answer(200, packed, b"application/xml", [*headers, (b"content-encoding", b"gzip")])
    return Answer(200, gzip.decompress(packed), b"application/xml", headers)


async def sitemap_of(shop: StorefrontActions) -> str:
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
    return f'{head}xmlns:xhtml="http://www.w3.org/1999/xhtml">{rows}</urlset>'
