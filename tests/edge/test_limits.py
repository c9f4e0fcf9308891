"""Limits of the public shop: told with the refusal, and not avoided by another way of asking."""

import json
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from tests.world import Reply, Wire, World

from sampan.services.orders.routes import CHECKOUTS

JSON = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")
TOKEN = "t" * 43
PAGE = [FORM, ("cookie", f"__Host-csrf={TOKEN}"), ("x-csrf-token", TOKEN), ("sec-fetch-site", "same-origin")]


def lookup() -> bytes:
    """Of an order that does not exist, and that nobody else looks for."""
    return json.dumps({"number": f"SP{uuid4().hex[:8].upper()}", "phone": "0912345678"}).encode()


async def until_refused(wire: Wire, most: int, ask: Any) -> tuple[int, Reply]:
    for number in range(most):
        reply: Reply = await ask(number)
        if reply.status == 429:
            return number, reply
    raise AssertionError(f"{most} requests and no end")


async def test_a_refusal_tells_of_the_limit(public: Any) -> None:
    wire = public()
    taken, refused = await until_refused(
        wire, 30, lambda n: wire.send("POST", "/api/v1/orders/lookup", [JSON], lookup())
    )
    assert taken == 10
    assert refused.header("content-type") == "application/problem+json"
    assert 1 <= int(refused.header("retry-after")) <= 60
    assert refused.header("ratelimit-policy") == '"POST /api/v1/orders/lookup";q=10;w=60'
    assert refused.header("ratelimit").startswith('"POST /api/v1/orders/lookup";r=0;t=')
    page = [*PAGE, ("accept", "text/html")]
    _, refused = await until_refused(wire, 30, lambda n: wire.send("POST", "/orders/lookup", page, b"number=1"))
    assert refused.header("content-type").startswith("text/html")
    assert refused.header("retry-after")
    assert refused.header("ratelimit")


DISGUISES: dict[str, Any] = {
    "forwarded addresses": lambda n: [("x-forwarded-for", f"198.51.100.{n}"), ("x-real-ip", f"198.51.100.{n}")],
    "Forwarded": lambda n: [("forwarded", f"for=198.51.100.{n}"), ("true-client-ip", f"198.51.100.{n}")],
    "other secrets": lambda n: [("x-cart-token", uuid4().hex), ("x-order-token", uuid4().hex)],
    "other browsers": lambda n: [("user-agent", f"a{n}"), ("accept-language", ("vi", "en")[n % 2])],
    "other cookies": lambda n: [("cookie", f"cart={uuid4()}.x; session={n}")],
    "keys of their own": lambda n: [("idempotency-key", uuid4().hex)],
    "request ids": lambda n: [("x-request-id", uuid4().hex)],
    "other forms of the type": lambda n: [("accept", f"a/{n}")],
}


@pytest.mark.parametrize("how", DISGUISES)
async def test_a_limit_is_not_avoided_by_headers(public: Any, how: str) -> None:
    wire = public()
    taken, _ = await until_refused(
        wire, 30, lambda n: wire.send("POST", "/api/v1/orders/lookup", [JSON, *DISGUISES[how](n)], lookup())
    )
    assert taken == 10


async def test_a_limit_is_not_avoided_by_the_form_of_the_address(public: Any) -> None:
    wire, forms = public(), ("/orders/lookup", "/en/orders/lookup", "/orders/look%75p", "/en/orders/lookup?x=1")
    taken, _ = await until_refused(wire, 30, lambda n: wire.send("POST", forms[n % 4], PAGE, b"number=1"))
    assert taken == 5
    for other in ("/Orders/Lookup", "/orders//lookup", "/orders/lookup/", "/./orders/lookup", "//orders/lookup"):
        assert (await wire.send("POST", other, PAGE, b"number=1")).status in (404, 405), other


@pytest.mark.parametrize("step", ["address", "delivery", "place"])
async def test_many_people_behind_one_address_can_order_at_once(public: Any, step: str) -> None:
    """A carrier, a factory, a school: what the API grants to one address, the pages grant as well."""
    wire = public()
    taken, _ = await until_refused(wire, 200, lambda n: wire.send("POST", f"/checkout/{step}", PAGE, b"name=An"))
    assert taken == CHECKOUTS.capacity


async def test_of_an_ipv6_network_all_addresses_are_one(public: Any) -> None:
    wire = public()

    async def ask(number: int) -> Reply:
        address = f"2001:db8:1:2:{number:x}::{number:x}"
        return await wire.send("POST", "/api/v1/orders/lookup", [JSON], lookup(), address=address)

    assert (await until_refused(wire, 30, ask))[0] == 10
    other = await wire.send("POST", "/api/v1/orders/lookup", [JSON], lookup(), address="2001:db8:1:3::1")
    assert other.status == 404
    mapped = [
        await wire.send("POST", "/api/v1/orders/lookup", [JSON], lookup(), address=a)
        for a in ("::ffff:192.0.2.1",) * 11
    ]
    assert Counter(reply.status for reply in mapped) == {404: 10, 429: 1}


async def test_one_order_cannot_be_guessed_at_from_everywhere(world: World, public: Any) -> None:
    """Telephone numbers are guessed for one order number from a thousand addresses, through the API and the page."""
    number = (await world.order()).body["number"]
    wire = public()

    async def ask(n: int) -> Reply:
        address = f"198.51.{n}.7"
        spelled = (number, number.lower(), f" {number} ", f"{number[:2]}-{number[2:]}")[n % 4]
        if n % 2:
            body = f"number={spelled}&phone=09{n:08}".encode()
            return await wire.send("POST", "/orders/lookup", PAGE, body, address=address)
        sent = json.dumps({"number": spelled, "phone": f"09{n:08}"}).encode()
        return await wire.send("POST", "/api/v1/orders/lookup", [JSON], sent, address=address)

    taken, _ = await until_refused(wire, 60, ask)
    assert taken <= 40


@pytest.mark.parametrize("header", ["Service x", "Service ", "service x", "Bearer sampan_x", ""])
async def test_nobody_asks_as_much_as_they_like(public: Any, header: str) -> None:
    wire = public()
    sent = [("authorization", header)] if header else []
    taken, refused = await until_refused(wire, 1500, lambda n: wire.send("GET", "/api/v1/markets", sent))
    assert 600 <= taken < 1500
    assert refused.header("retry-after")


async def test_two_guests_who_think_of_the_same_key_get_two_carts(world: World) -> None:
    """A key is its caller's own; who has no secret yet is told from others by the address."""
    sent = [JSON, ("idempotency-key", "00000000")]

    async def cart(address: str) -> Any:
        return (await world.wire.send("POST", "/api/v1/carts", sent, b"{}", address=address)).json()

    mine, again, theirs = await cart("192.0.2.1"), await cart("192.0.2.1"), await cart("192.0.2.2")
    assert mine == again
    assert mine["id"] != theirs["id"]
    assert mine["token"] != theirs["token"]


async def test_reports_of_browsers_have_a_limit_too(public: Any) -> None:
    """They are written to the log."""
    wire = public()
    taken, _ = await until_refused(wire, 100, lambda n: wire.send("POST", "/csp-report", [], b"{}"))
    assert taken == 60


async def test_a_forged_call_between_services_is_refused_before_its_body_is_read(world: World) -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": False}

    for path in ("/internal/orders/find_order", "/internal/orders/nothing", "/internal/orders-feed/events_after"):
        headers: Any = [("authorization", "Service x.y"), ("content-length", "30000000")]
        reply = await world.wire.send("POST", path, headers, receive=receive)
        assert reply.status == 401
    assert read == 0


async def test_request_ids_are_ours(public: Any) -> None:
    """Nobody outside chooses what our log is searched by."""
    wire = public()
    for headers in ([], [("authorization", "Service x.y")]):
        reply = await wire.send("GET", "/api/v1/markets", [("x-request-id", "chosen-by-them"), *headers])
        assert reply.header("x-request-id") != "chosen-by-them"
