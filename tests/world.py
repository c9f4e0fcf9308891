"""A shop in which every documented operation has a request that succeeds, and a way to send any bytes to it.

`Wire` calls the application as the server would, without a client library that would tidy up what a test wants to be
odd. `World` keeps an example for each operation; a test that changes one thing in it tests that one thing.
"""

import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar, cast
from urllib.parse import quote, unquote, urlencode
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from msgspec import Struct, field
from PIL import Image
from tests.conftest import settings_for

from sampan.kernel.app import Web
from sampan.kernel.ids import uuid7
from sampan.kernel.openapi import document
from sampan.run import Shop, compose, declared
from sampan.services.auth.rules import PERMISSIONS
from sampan.services.payments.providers.vnpay import wire as vnpay

SEED = int(os.environ.get("SAMPAN_SEED", "20250701"))
TORTURE = float(os.environ.get("SAMPAN_TORTURE", "0"))  # a factor; without it the quick form

V1 = "/api/v1"
ROUTES = [route for service in declared(sandbox=True).values() for group in service.routes for route in group]
DOCUMENT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document(ROUTES, url="http://shop.test")))
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


class Reply(Struct):
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


Headers = list[tuple[str, str | bytes]]


class Wire:
    """Requests to the application, byte by byte."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.address = "203.0.113.9"

    async def send(
        self, method: str, target: str | bytes, headers: Headers | None = None, body: bytes = b"", **more: Any
    ) -> Reply:
        """`target` is what stands on the request line, percent-encoded."""
        raw = target if isinstance(target, bytes) else target.encode("latin-1")
        path, _, query = raw.partition(b"?")
        sent = [
            (name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
            for name, value in headers or []
        ]
        if not any(name == b"host" for name, _ in sent):
            sent.insert(0, (b"host", b"shop.test"))
        if body and not any(name == b"content-length" for name, _ in sent):
            sent.append((b"content-length", str(len(body)).encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path.decode("latin-1"), errors="replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": sent,
            "client": (more.get("address", self.address), 4711),
            "server": ("127.0.0.1", 80),
        }
        status, returned, chunks = 0, [], []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def take(message: dict[str, Any]) -> None:
            nonlocal status, returned
            if message["type"] == "http.response.start":
                status = message["status"]
                returned = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            else:
                chunks.append(message.get("body", b""))

        await self.web(scope, more.get("receive", receive), take)
        return Reply(status, returned, b"".join(chunks))


NOTHING: Any = msgspec.UNSET


class Example(Struct):
    """One request. `body` is JSON, or `content` the bytes themselves."""

    method: str
    template: str
    path: dict[str, str] = {}
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    body: Any = NOTHING
    content: bytes = b""
    media: str = "application/json"

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    def target(self) -> str:
        found = self.template
        for name, value in self.path.items():
            found = found.replace(f"{{{name}}}", quote(value, safe=""))
        return found + ("?" + urlencode(self.query, quote_via=quote) if self.query else "")

    def payload(self) -> bytes:
        return self.content if self.body is NOTHING else msgspec.json.encode(self.body)

    def copy(self, **changes: Any) -> "Example":
        return msgspec.structs.replace(msgspec.json.decode(msgspec.json.encode(self), type=Example), **changes)


Maker = Callable[["World"], Awaitable[dict[str, Any]]]


class World:
    """The shop, its staff, and everything that examples are about."""

    makers: ClassVar[dict[str, Maker]] = {}

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.wire = Wire(shop.web())
        self.keys: dict[str, str] = {}
        self.goods: dict[str, str] = {}
        self.person = PERSON  # who buys
        self.made: dict[str, Example] = {}

    # --- asking

    async def ask(self, example: Example, **more: Any) -> Reply:
        headers: Headers = list(example.headers.items())
        payload = example.payload()
        if payload or example.body is not NOTHING:
            headers.append(("content-type", example.media))
        return await self.wire.send(example.method, example.target(), headers, payload, **more)

    async def call(self, method: str, path: str, body: Any = NOTHING, headers: dict[str, str] | None = None) -> Any:
        """For what must succeed."""
        sent: Headers = [*(headers or self.staff).items(), ("idempotency-key", uuid4().hex)]
        content = b"" if body is NOTHING else msgspec.json.encode(body)
        if content:
            sent.append(("content-type", "application/json"))
        reply = await self.wire.send(method, V1 + path, sent, content)
        assert 200 <= reply.status < 300, (method, path, body, reply.status, reply.text)
        return reply.json() if reply.body else None

    async def key(self, *permissions: str) -> dict[str, str]:
        """Headers of a key with these permissions."""
        name = " ".join(permissions)
        if name not in self.keys:
            auth = self.shop.live["auth"]
            self.keys[name] = await auth.create_key(name="world", permissions=list(permissions))
        return {"authorization": f"Bearer {self.keys[name]}"}

    # --- what there is

    async def begin(self) -> None:
        self.staff = await self.key(*sorted(PERMISSIONS))
        for number, code in enumerate(("HCM", "HN")):
            self.goods[f"warehouse_{number}"] = (await self.call("POST", "/admin/warehouses", warehouse(code)))["id"]
        await self.call("POST", "/admin/product-types", {"code": "things", "name": {"vi": "Đồ"}, "attributes": []})
        await self.call("POST", "/admin/categories", {"slug": "do-dac", "name": {"vi": "Đồ đạc"}})
        self.picture = (await self.call_bytes("/admin/media", picture_bytes()))["url"]
        made = await self.product()
        self.goods |= {"product": made["id"], "slug": made["slug"], "variant": made["variants"][0]}
        await self.shop.settle()

    async def call_bytes(self, path: str, body: bytes) -> Any:
        headers: Headers = [*self.staff.items(), ("content-type", "image/png")]
        reply = await self.wire.send("POST", V1 + path, headers, body)
        assert reply.status == 201, reply.text
        return reply.json()

    async def product(self, price: int = 85_000, stock: int = 100_000) -> Any:
        """A published product in stock."""
        made = await self.call("POST", "/admin/products", draft(status="published", categories=["do-dac"]))
        variant = made["variants"][0]
        await self.call("POST", "/admin/prices", {"prices": [{"variant_id": variant, "market": "VN", "amount": price}]})
        await self.call(
            "POST",
            "/admin/stock/adjustments",
            {"variant_id": variant, "warehouse_id": self.goods["warehouse_0"], "change": stock, "reason": "opening"},
        )
        return made

    async def cart(self, *, ready: bool = False) -> "Held":
        """A guest's cart with one line; `ready` lacks nothing to be ordered."""
        made = await self.call("POST", "/carts", {}, {"x-nobody": ""})
        held = Held("cart", made["id"], {"x-cart-token": made["token"]})
        line = {"variant_id": self.goods["variant"], "quantity": 2}
        held.body = await self.call("POST", f"/carts/{held.id}/lines", line, held.headers)
        if ready:
            await self.call("PUT", f"/carts/{held.id}/contact", contact(self.person), held.headers)
            await self.call("PUT", f"/carts/{held.id}/shipping-address", address(self.person), held.headers)
            [option, *_] = (await self.call("GET", f"/carts/{held.id}/shipping-options", headers=held.headers))["items"]
            held.body = await self.call("PUT", f"/carts/{held.id}/shipping-option", {"id": option["id"]}, held.headers)
        return held

    async def order(self, method: str = "cod") -> "Held":
        """An order of a guest."""
        cart = await self.cart(ready=True)
        body = {"payment_method": method, "expected_total": cart.body["totals"]["total"]}
        placed = await self.call("POST", f"/carts/{cart.id}/checkout", body, cart.headers)
        order = placed["order"]
        held = Held("order", order["id"], {"x-order-token": order["token"]}, order)
        held.cart = cart
        return held

    async def work_order(self, *steps: str) -> "Held":
        """A work order of a new order, after these steps."""
        order = await self.order()
        await self.shop.settle()
        [work] = await self.shop.live["fulfillment"].work_orders_for(order_id=order.body["id"])
        held = Held("work", str(work.id), self.staff)
        for step in steps:
            body = {"reason": "không ai ở nhà"} if step == "fail" else NOTHING
            held.body = await self.call("POST", f"/admin/fulfillments/{work.id}/{step}", body)
        await self.shop.settle()
        held.order = order
        return held

    async def delivered(self) -> "Held":
        """An order that was paid in cash at the door."""
        work = await self.work_order("pick", "pack", "ship", "deliver")
        return cast(Held, work.order)

    def notice(self, order: "Held", **said: Any) -> str:
        """What VNPay would tell of an order's first attempt."""
        bank = self.shop.live["vnpay_sandbox"].settings
        facts: dict[str, Any] = {
            "tmn_code": bank.tmn_code,
            "txn_ref": f"{order.body['number']}-1",
            "amount": order.body["totals"]["total"]["amount"],
            "response_code": "00",
            "transaction_status": "00",
            "transaction_no": str(uuid7().int % 10**13),
        }
        return vnpay.notice_query(notice=vnpay.Notice(**{**facts, **said}), secret=bank.hash_secret)

    async def example(self, name: str) -> Example:
        """A request of this operation that succeeds. Raises KeyError where none is known."""
        method, _, template = name.partition(" ")
        made = Example(method, template, **await self.makers[name](self))
        made.headers = dict(made.headers)
        operation = OPERATIONS[name]
        if "x-permission" in operation:
            made.headers |= self.staff
        if any(p["name"] == "Idempotency-Key" and p["required"] for p in operation["parameters"]):
            made.headers["idempotency-key"] = uuid4().hex
        self.made[name] = made.copy()
        return made

    async def known(self, name: str) -> Example:
        """A request of this operation that somebody may have sent before: for what is asked of any answer."""
        found = self.made[name] if name in self.made else await self.example(name)
        return found.copy()


class Held(Struct):
    """A thing with the secret that opens it."""

    kind: str
    id: str
    headers: dict[str, str]
    body: Any = None
    cart: Any = None
    order: Any = field(default=None)


PERSON = {
    "name": "Nguyễn Văn An",
    "phone": "0912345678",
    "email": "an@example.com",
    "street": "5 Hai Bà Trưng",
    "note": "gọi trước",
}


def contact(person: dict[str, str] = PERSON) -> dict[str, str]:
    return {name: person[name] for name in ("name", "phone", "email")}


def address(person: dict[str, str] = PERSON) -> dict[str, str]:
    place = {"province_code": "79", "ward_code": "26743"}
    return {**{name: person[name] for name in ("name", "phone", "street", "note")}, **place}


def warehouse(code: str = "") -> dict[str, Any]:
    return {
        "code": code or f"W-{uuid4().hex[:10].upper()}",
        "name": "Kho",
        "province_code": "79",
        "ward_code": "26743",
        "street": "12 Lê Lợi",
        "priority": 1,
        "provinces": ["79"],
        "active": True,
    }


def draft(**more: Any) -> dict[str, Any]:
    tag = uuid4().hex[:10]
    return {
        "name": {"vi": f"Ghế {tag}", "en": f"Stool {tag}"},
        "product_type": "things",
        "variants": [{"sku": f"GN-{tag}", "grams": 900, "options": {}, "media": []}],
        "summary": {"vi": "Nhẹ"},
        "description": {"vi": "Rất nhẹ"},
        "brand": "Sen",
        "categories": [],
        "attributes": {},
        "options": [],
        "media": [],
        "channels": ["web"],
        "status": "draft",
        **more,
    }


def picture_bytes(size: tuple[int, int] = (40, 50), kind: str = "PNG", **more: Any) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(output, kind, **more)
    return output.getvalue()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(place: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A shop of its own, with everything that examples need."""
    from tests import examples  # they are registered there

    assert examples.missing() == set()
    shop = await compose(settings_for(tmp_path_factory.mktemp("world")), await place.new_database())
    made = World(shop)
    await made.begin()
    yield made
    await shop.settle()
    assert await shop.invariants() == {}
    await shop.close()
