"""The whole shop as it is really run, in both shapes: real processes, real HTTP, its own data folder."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from tests.serving import free_port

VND = "VND"


class Afloat:
    """A running shop: one process group or a fleet."""

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.home = Path(tempfile.mkdtemp(prefix=f"sampan-{shape}-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SAMPAN_")},
            "SAMPAN_HOME": str(self.home),
            "SAMPAN_PORT": str(self.port),
            "SAMPAN_PUBLIC_URL": self.url,
            "SAMPAN_RATE_LIMITS": "no",
            "SAMPAN_VNPAY_SANDBOX_REFUND_SECONDS": "0",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sampan.commands", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def start(self) -> float:
        """Seconds until the shop was ready."""
        arguments = ["run", "--no-demo"] if self.shape == "together" else ["fleet"]
        started = time.monotonic()
        self.log = open(self.home / "log", "ab")  # noqa: SIM115 -- the process keeps writing to it
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sampan.commands", *arguments],
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
        )
        while time.monotonic() < started + 90:
            if self.process.poll() is not None:
                raise RuntimeError(f"the shop did not start: {self.tail()}")
            try:
                if httpx.get(f"{self.url}/openapi.json", timeout=2, trust_env=False).status_code == 200 and all(
                    httpx.get(f"{self.url}{path}", timeout=2, trust_env=False).status_code < 500
                    for path in ("/", "/api/v1/locations/vn/provinces", "/api/v1/categories", "/api/v1/products")
                ):
                    return time.monotonic() - started
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the shop is not ready: {self.tail()}")

    def tail(self) -> str:
        return (self.home / "log").read_text(errors="replace")[-3000:]

    def stop(self) -> float:
        """Seconds until everything had ended."""
        started = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)
        return time.monotonic() - started


@pytest.fixture(scope="session", params=["together", "apart"])
def afloat(request: pytest.FixtureRequest) -> Iterator[Afloat]:
    shop = Afloat(request.param)
    shop.start()
    yield shop
    shop.stop()
    shutil.rmtree(shop.home, ignore_errors=True)


class Merchant:
    """Staff with a key, and the goods they put on the shelf."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        self.http = http
        self.headers = {"authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {**self.headers, "idempotency-key": uuid4().hex} if method != "GET" else self.headers
        answer = await self.http.request(method, f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code in (200, 201, 204), (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def product(self, *, price: int = 85000, stock: int = 20) -> dict[str, Any]:
        """A published product with one variant, priced and in stock; as shoppers see it."""
        tag = uuid4().hex[:8]
        await self.call(
            "POST",
            "/admin/product-types",
            {"code": "things", "name": {"vi": "Đồ vật"}, "attributes": []},
        )
        made = await self.call(
            "POST",
            "/admin/products",
            {
                "name": {"vi": f"Ghế nhựa {tag}", "en": f"Plastic stool {tag}"},
                "product_type": "things",
                "variants": [{"sku": f"GN-{tag}", "grams": 900}],
                "status": "published",
            },
        )
        variant = made["variants"][0]
        await self.call("POST", "/admin/prices", {"prices": [{"variant_id": variant, "market": "VN", "amount": price}]})
        warehouse = (await self.warehouses())[0]
        await self.call(
            "POST",
            "/admin/stock/adjustments",
            {"variant_id": variant, "warehouse_id": warehouse["id"], "change": stock, "reason": "opening stock"},
        )
        return {"id": made["id"], "slug": made["slug"], "variant_id": variant, "sku": f"GN-{tag}", "price": price}

    async def warehouses(self) -> list[dict[str, Any]]:
        found = (await self.call("GET", "/admin/warehouses"))["items"]
        if not found:
            await self.call(
                "POST",
                "/admin/warehouses",
                {
                    "code": "HCM",
                    "name": "Kho TP.HCM",
                    "province_code": "79",
                    "ward_code": "26743",
                    "street": "12 Lê Lợi",
                    "priority": 1,
                    "provinces": [],
                },
            )
            found = (await self.call("GET", "/admin/warehouses"))["items"]
        return list(found)

    async def available(self, variant: str) -> int:
        answer = await self.call("GET", f"/admin/stock?variant_id={variant}")
        return sum(row["available"] for row in answer["items"])

    async def work_order(self, order_id: str) -> dict[str, Any]:
        """The first work order of an order, as soon as there is one."""
        async for found in polling():
            answer = await self.call("GET", "/admin/fulfillments?limit=100")
            for item in answer["items"]:
                if item["order_id"] == order_id:
                    return dict(item)
            del found
        raise AssertionError("no work order")

    async def step(self, work_order: str, step: str, body: dict[str, Any] | None = None) -> Any:
        return await self.call("POST", f"/admin/fulfillments/{work_order}/{step}", body or {})


async def polling(seconds: float = 20.0) -> AsyncIterator[float]:
    """Again and again until `seconds` are over."""
    until = time.monotonic() + seconds
    pause = 0.05
    while time.monotonic() < until:
        yield pause
        await asyncio.sleep(pause)
        pause = min(0.5, pause * 1.5)


class Shopper:
    """A guest with a cart."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.cart: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.order: dict[str, Any] = {}

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **headers: str) -> Any:
        answer = await self.http.request(method, f"/api/v1{path}", json=body, headers={**self.headers, **headers})
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def fill(self, product: dict[str, Any], quantity: int = 2) -> None:
        """Cart, contact, address, delivery."""
        self.cart = await self.call("POST", "/carts", {}, status=201)
        self.headers["x-cart-token"] = self.cart["token"]
        cart = f"/carts/{self.cart['id']}"
        await self.call("POST", f"{cart}/lines", {"variant_id": product["variant_id"], "quantity": quantity})
        await self.call(
            "PUT", f"{cart}/contact", {"name": "Nguyễn Văn An", "phone": "0912 345 678", "email": "an@example.com"}
        )
        await self.call(
            "PUT",
            f"{cart}/shipping-address",
            {
                "name": "Nguyễn Văn An",
                "phone": "0912345678",
                "province_code": "79",
                "ward_code": "26743",
                "street": "5 Hai Bà Trưng",
            },
        )
        options = (await self.call("GET", f"{cart}/shipping-options"))["items"]
        self.cart = await self.call("PUT", f"{cart}/shipping-option", {"id": options[0]["id"]})

    async def try_checkout(self, method: str, **headers: str) -> httpx.Response:
        """Order the cart, whatever the answer is."""
        return await self.http.post(
            f"/api/v1/carts/{self.cart['id']}/checkout",
            json={"payment_method": method, "expected_total": self.cart["totals"]["total"]},
            headers={**self.headers, "idempotency-key": uuid4().hex, **headers},
        )

    async def checkout(self, method: str) -> Any:
        answer = await self.try_checkout(method)
        assert answer.status_code == 201, answer.text
        placed = answer.json()
        self.order = placed["order"]
        self.headers["x-order-token"] = self.order["token"]
        return placed

    async def see(self) -> dict[str, Any]:
        self.order = {**self.order, **await self.call("GET", f"/orders/{self.order['id']}")}
        return self.order

    async def see_until(self, **wanted: str) -> dict[str, Any]:
        """The order, once its fields are as wanted."""
        async for _ in polling():
            order = await self.see()
            if all(order[name] == value for name, value in wanted.items()):
                return order
        raise AssertionError(f"wanted {wanted}, have { {name: self.order[name] for name in wanted} }")

    async def at_vnpay(self, url: str, choice: str) -> httpx.Response:
        """Open VNPay's page and choose; the answer is where it sends the browser back to."""
        opened = await self.http.get(url)
        assert opened.status_code == 200, opened.text
        marker = 'name="payment" value="'
        payment = opened.text.partition(marker)[2].partition('"')[0]
        base = url.partition("/paymentv2/")[0]
        return await self.http.post(f"{base}/paymentv2/confirm", data={"payment": payment, "choice": choice})


@pytest_asyncio.fixture
async def http(afloat: Afloat) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=afloat.url, timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def key(afloat: Afloat) -> str:
    done = afloat.command("key", "create", "journeys", "--permissions", "all")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def merchant(http: httpx.AsyncClient, key: str) -> Merchant:
    return Merchant(http, key)


@pytest.fixture
def rivals(http: httpx.AsyncClient) -> list[Shopper]:
    """Five more guests, each with a cart of their own."""
    return [Shopper(http) for _ in range(5)]


@pytest.fixture
def shopper(http: httpx.AsyncClient) -> Shopper:
    return Shopper(http)


@pytest.fixture(autouse=True)
def books(afloat: Afloat) -> Iterator[None]:
    """After every journey money and stock are right."""
    yield
    done = afloat.command("invariants")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"]
