"""People are sent to our own pages and nowhere else."""

from uuid import uuid4

import pytest
from tests.world import World

FOREIGN = [
    "https://evil.example/",
    "http://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\n/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "http://localhost.evil.example/",
    "http://localhost@evil.example/",
    "http://localhost:8000@evil.example/",
    "http://127.0.0.1.evil.example/",
    "http://localhost:8000.evil.example/",
    "http://localhost\\.evil.example/",
    "HTTP://LOCALHOST@evil.example",
    "/%0d%0aSet-Cookie:a=b\r\n",
    "/ü",
    "{order_id}",
    "https://{order_id}.evil.example/",
    "https://evil.example/{order_id}",
    "//{order_id}.evil.example",
    "http://localhost{order_id}.evil.example/",
    "http://localhost:8000@{order_id}.evil.example/",
]


@pytest.mark.parametrize("url", FOREIGN)
async def test_the_way_back_from_a_payment_is_a_page_of_ours(world: World, url: str) -> None:
    for name in ("POST /api/v1/carts/{cart_id}/checkout", "POST /api/v1/orders/{order_id}/payments"):
        example = await world.example(name)
        example.headers["idempotency-key"] = uuid4().hex
        example.body["return_url"] = url
        reply = await world.ask(example)
        assert (reply.status, reply.json()["code"]) == (422, "kernel.invalid"), reply.text
        assert reply.json()["errors"][0]["field"] == "return_url"


@pytest.mark.parametrize("path", ["/", "/en", "/cart", "/checkout", "/orders/last", "/orders/lookup", "/search", "/languages",
                                  "/api/v1/payments/vnpay/return", "/p/nothing", "/orders/0190f1d2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"])  # fmt: skip
async def test_no_parameter_sends_people_away(world: World, path: str) -> None:
    for url in ("https://evil.example/", "//evil.example", "/%5Cevil.example"):
        names = ("next", "return_url", "url", "redirect", "return", "back", "to", "vnp_ReturnUrl", "lang", "path")
        query = "&".join(f"{name}={url}" for name in names)
        reply = await world.wire.send("GET", f"{path}?{query}", [("accept", "text/html")])
        assert reply.status < 500
        location = reply.header("location")
        assert not location or (location.startswith("/") and not location.startswith(("//", "/\\")))
        assert "evil.example" not in location
