"""What is kept for others: nothing personal, nothing that a visitor could plant."""

from typing import Any
from uuid import uuid4

import pytest
from tests.world import ROUTES, Example, Headers, Wire, World

CACHED = [route.name for route in ROUTES if route.cached is not None]
PLANTS: list[Headers] = [
    [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "gopher"), ("x-forwarded-port", "4711")],
    [("x-original-url", "/evil.example"), ("x-rewrite-url", "/evil.example"), ("x-forwarded-prefix", "/evil.example")],
    [("forwarded", "host=evil.example"), ("x-host", "evil.example"), ("x-forwarded-server", "evil.example")],
    [("cookie", "csrf=evil.example; theme=dark; cart=evil.example; lang=en; market=US")],
    [("accept", "text/html"), ("hx-request", "true"), ("hx-target", "evil.example")],
    [("user-agent", "evil.example"), ("referer", "https://evil.example/"), ("origin", "https://evil.example")],
    [("x-cart-token", "A" * 43), ("x-order-token", "A" * 43)],
    [("range", "bytes=0-1"), ("if-none-match", "*"), ("if-modified-since", "Sat, 01 Jan 2050 00:00:00 GMT")],
    [("x-http-method-override", "DELETE"), ("content-type", "evil.example"), ("transfer-encoding", "evil.example")],
    [("accept-language", "vi, en;q=0.1, evil.example;q=x, ../en")],
    [("accept-charset", "utf-16"), ("accept-encoding", "evil.example"), ("x-country", "US"), ("cf-ipcountry", "US")],
]


async def fresh(world: World) -> Wire:
    await world.shop.answers.clear()
    return world.wire


def renewed(example: Example) -> Example:
    """The same with an address that nobody asked for before, where the operation has a query for it."""
    query = [(name, f"{value} {uuid4().hex[:6]}" if name == "q" else value) for name, value in example.query]
    return example.copy(query=query)


@pytest.mark.parametrize("name", CACHED)
async def test_no_header_of_one_visitor_reaches_another(world: World, name: str) -> None:
    example = renewed(await world.known(name))
    wire = await fresh(world)
    clean = await wire.send("GET", example.target())
    assert clean.status == 200, clean.text
    for plant in PLANTS:
        wire = await fresh(world)
        planted = await wire.send("GET", example.target(), plant)
        after = await wire.send("GET", example.target())
        assert after.body == clean.body, plant
        assert b"evil.example" not in planted.body
        assert "evil.example" not in str(planted.headers)
        for reply in (planted, after):
            assert "set-cookie" not in dict(reply.headers)
            assert reply.header("cache-control") == "public, max-age=5"
            assert "accept-language" in reply.header("vary")


@pytest.mark.parametrize("name", CACHED)
async def test_languages_are_kept_apart_and_heads_are_not_kept(world: World, name: str) -> None:
    example = renewed(await world.known(name))
    wire = await fresh(world)
    head = await wire.send("HEAD", example.target())
    assert (head.status, head.body) == (200, b"")
    said = {}
    for language in ("vi", "en", "vi", "en"):
        reply = await wire.send("GET", example.target(), [("accept-language", language)])
        assert reply.body
        assert said.setdefault(language, reply.body) == reply.body


async def test_refusals_are_not_kept(world: World) -> None:
    slug = f"later-{uuid4().hex[:8]}"
    assert (await world.wire.send("GET", f"/api/v1/categories/{slug}")).status == 404
    await world.call("POST", "/admin/categories", {"slug": slug, "name": {"vi": "Sau"}})
    await world.shop.settle()
    reply = await world.wire.send("GET", f"/api/v1/categories/{slug}")
    assert reply.status in (200, 404)  # an empty category may be hidden; it is asked for anew in any case
    for target in (f"/api/v1/products/{slug}", "/api/v1/search?limit=0", "/api/v1/search?q=a&q=b"):
        refused = await world.wire.send("GET", target)
        assert refused.status >= 400
        assert refused.header("cache-control") == "no-store"


async def test_an_encoded_question_mark_is_no_query(world: World) -> None:
    """Two addresses that look alike when decoded have two answers."""
    wire = await fresh(world)
    real = await wire.send("GET", "/api/v1/search?q=ghe?")
    assert real.status == 200
    assert (await wire.send("GET", "/api/v1/search%3Fq=ghe?")).status == 404


async def test_what_is_somebodys_is_never_kept(world: World) -> None:
    cart, order = await world.cart(ready=True), await world.order()
    for target, headers in (
        (f"/api/v1/carts/{cart.id}", cart.headers),
        (f"/api/v1/carts/{cart.id}/payment-methods", cart.headers),
        (f"/api/v1/orders/{order.id}", order.headers),
        ("/api/v1/admin/orders", world.staff),
        ("/cart", {}),
        ("/checkout", {}),
        ("/orders/lookup", {}),
        ("/", {}),
    ):
        reply = await world.wire.send("GET", target, list(headers.items()))
        assert reply.header("cache-control") == "no-store", target
        assert (await world.wire.send("GET", target + "?x=.css", list(headers.items()))).status != 500
    for suffix in ("/x.css", "%2fx.css", ";x.css", ".css", "/", "%00.css"):
        reply = await world.wire.send("GET", f"/api/v1/orders/{order.id}{suffix}", list(order.headers.items()))
        assert reply.status in (400, 404), (suffix, reply.status)


async def test_files_are_kept_without_a_cookie(world: World) -> None:
    style: Any = world.shop.live["storefront"].pages.assets.url("sampan.css")
    for target in (style, world.picture):
        reply = await world.wire.send("GET", target, [("cookie", "csrf=x")])
        assert reply.status == 200
        assert "immutable" in reply.header("cache-control")
        assert "set-cookie" not in dict(reply.headers)
