"""Cookies of pages, and writes that only our own pages may send."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.hostile.judge import Books
from tests.world import ROUTES, Reply, Wire, World

FORM = ("content-type", "application/x-www-form-urlencoded")
WRITES = sorted({route.path for route in ROUTES if route.policy.browser and route.method == "POST"})
TOKEN = "t" * 43


def cookies(reply: Reply) -> dict[str, tuple[str, str]]:
    """Name → value and attributes."""
    found = {}
    for name, value in reply.headers:
        if name == "set-cookie":
            pair, _, attributes = value.partition("; ")
            key, _, text = pair.partition("=")
            found[key] = (text, attributes)
    return found


class Browser:
    """Keeps cookies and sends the token of its forms."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.jar: dict[str, str] = {}
        self.seen: list[tuple[str, str]] = []

    async def send(self, method: str, target: str, form: dict[str, str] | None = None, *more: Any) -> Reply:
        headers: list[Any] = [("cookie", "; ".join(f"{k}={v}" for k, v in self.jar.items())), *more]
        body = b""
        if form is not None:
            token = next((value for name, value in self.jar.items() if name.endswith("csrf")), "")
            body = urlencode({**form, "_csrf": token}).encode()
            headers += [FORM, ("sec-fetch-site", "same-origin")]
        reply = await self.wire.send(method, target, headers, body)
        for name, (value, attributes) in cookies(reply).items():
            self.jar[name] = value
            self.seen.append((name, attributes))
        return reply


async def shopping(browser: Browser, world: World) -> None:
    await browser.send("GET", "/")
    added = await browser.send("POST", "/cart/lines", {"variant_id": world.goods["variant"], "quantity": "1"})
    assert added.status == 303, added.text
    place = {"province_code": "79", "ward_code": "26743", "street": "5 Lê Lợi"}
    assert (
        await browser.send("POST", "/checkout/address", {"name": "An", "phone": "0912345678", **place})
    ).status == 303
    page = await browser.send("GET", "/checkout?step=delivery")
    option = re.search(r'name="option" value="([^"]+)"', page.text) or re.search(r'value="([^"]+-standard)"', page.text)
    assert option is not None, page.text[-3000:]
    assert (await browser.send("POST", "/checkout/delivery", {"option": option[1]})).status == 303
    page = await browser.send("GET", "/checkout?step=payment")
    shown = re.search(r'name="shown" value="([^"]+)"', page.text)
    assert shown is not None
    placed = await browser.send("POST", "/checkout/place", {"payment_method": "cod", "shown": shown[1]})
    assert placed.status == 303, placed.text[-2000:]
    assert placed.header("location").startswith("/orders/"), placed.header("location")
    order = await browser.send("GET", placed.header("location"))
    assert order.status == 200


async def test_cookies_of_an_https_shop_are_bound_to_it(world: World, public: Any) -> None:
    browser = Browser(public())
    await shopping(browser, world)
    assert {name for name, _ in browser.seen} == {
        f"__Host-{name}" for name in ("csrf", "cart", "bag", "orders", "place")
    }
    for name, attributes in browser.seen:
        parts = attributes.split("; ")
        assert {"Path=/", "SameSite=Lax", "Secure", "HttpOnly"} <= set(parts), (name, attributes)
        assert not any(part.startswith("Domain") for part in parts)


async def test_secrets_never_stand_in_addresses_or_pages(world: World, public: Any) -> None:
    browser = Browser(public())
    await browser.send("GET", "/")
    await shopping(browser, world)
    cart = browser.jar["__Host-orders"].partition(".")[2]
    assert len(cart) == 43
    for path in ("/", "/cart", "/orders/last", "/orders/" + browser.jar["__Host-orders"].partition(".")[0]):
        reply = await browser.send("GET", path)
        assert cart not in reply.text
        assert cart not in reply.header("location")
        assert reply.header("cache-control") == "no-store", path
        assert "cookie" in reply.header("vary") or reply.status == 303


async def test_cookies_of_a_neighbouring_host_do_not_count(world: World, public: Any) -> None:
    """A page below another name of the domain can set cookies for all of it, but none that begins with __Host-."""
    theirs = Browser(world.wire)
    await theirs.send("GET", "/")
    await theirs.send("POST", "/cart/lines", {"variant_id": world.goods["variant"], "quantity": "3"})
    planted = "; ".join(f"{name}={value}" for name, value in theirs.jar.items())
    wire = public()
    page = await wire.send("GET", "/cart", [("cookie", planted)])
    assert "/cart/lines/" not in page.text
    form = urlencode({"variant_id": world.goods["variant"], "_csrf": theirs.jar["csrf"]}).encode()
    written = await wire.send("POST", "/cart/lines", [("cookie", planted), FORM], form)
    assert written.status == 403


def forged() -> dict[str, list[tuple[str, str]]]:
    held, given = ("cookie", f"csrf={TOKEN}; cart=x"), ("x-csrf-token", TOKEN)
    return {
        "cross-site": [held, given, ("sec-fetch-site", "cross-site")],
        "same-site": [held, given, ("sec-fetch-site", "same-site")],
        "nobody's": [held, given, ("sec-fetch-site", "none")],
        "odd site": [held, given, ("sec-fetch-site", "SAME-ORIGIN")],
        "foreign origin": [held, given, ("origin", "http://evil.example")],
        "origin that begins like ours": [held, given, ("origin", "http://shop.test.evil.example")],
        "origin with another port": [held, given, ("origin", "http://shop.test:8080")],
        "no origin": [held, given, ("origin", "null")],
        "no token": [held, ("sec-fetch-site", "same-origin")],
        "another token": [held, ("x-csrf-token", "u" * 43), ("sec-fetch-site", "same-origin")],
        "a token without a cookie": [given, ("sec-fetch-site", "same-origin")],
        "empty both": [("cookie", "csrf="), ("x-csrf-token", ""), ("sec-fetch-site", "same-origin")],
        "a token in the address": [held, ("sec-fetch-site", "same-origin"), ("x-note", "see the query")],
        "two origins": [held, given, ("origin", "http://shop.test"), ("origin", "http://evil.example")],
    }


@pytest.mark.parametrize("path", WRITES)
async def test_a_write_from_another_site_is_refused(world: World, path: str) -> None:
    target = re.sub(r"{\w+}", world.goods["product"], path)
    async with Books.of(world) as books:
        for how, headers in forged().items():
            reply = await world.wire.send("POST", f"{target}?_csrf={TOKEN}", [*headers, FORM], b"quantity=1")
            assert reply.status == (400 if how == "two origins" else 403), (how, reply.status)
        assert not await books.written()
    fine = [("cookie", f"csrf={TOKEN}"), ("x-csrf-token", TOKEN), FORM]
    for origin in ([("sec-fetch-site", "same-origin")], [("origin", "http://shop.test")]):
        reply = await world.wire.send("POST", target, [*fine, *origin], b"variant_id=x&quantity=1")
        assert reply.status not in (403, 500), (origin, reply.status)


async def test_an_https_shop_takes_no_form_from_its_http_twin(public: Any) -> None:
    headers = [("cookie", f"__Host-csrf={TOKEN}"), ("x-csrf-token", TOKEN), FORM]
    for scheme, status in (("http", 403), ("https", 422)):
        sent = [*headers, ("origin", f"{scheme}://shop.test")]
        assert (await public().send("POST", "/cart/lines", sent, b"variant_id=x")).status == status


async def test_cookies_give_no_access_to_the_api(world: World) -> None:
    """The API takes no cookie, so that no site can make a browser use it."""
    browser = Browser(world.wire)
    await browser.send("GET", "/")
    await browser.send("POST", "/cart/lines", {"variant_id": world.goods["variant"], "quantity": "1"})
    cart = browser.jar["cart"].partition(".")[0]
    assert (await browser.send("GET", f"/api/v1/carts/{cart}")).status == 404
