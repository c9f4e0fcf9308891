"""Shoppers who keep at it: they buy over HTTP, and ask again with the same key until they are answered."""

import asyncio
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx

PATIENCE = 90.0  # seconds until a shopper gives up, which is a failure
ADDRESS = {
    "name": "Nguyễn Văn An",
    "phone": "0912345678",
    "province_code": "79",
    "ward_code": "26743",
    "street": "5 Hai Bà Trưng",
}
CONTACT = {"name": "Nguyễn Văn An", "phone": "0912 345 678", "email": "an@example.com"}


class Crowd:
    """So many shoppers who buy two pieces each, again and again, until they are told to stop."""

    def __init__(self, url: str, product: dict[str, Any]) -> None:
        self.url = url
        self.product = product
        self.over = False
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.bought: dict[str, str] = {}  # orders that were acknowledged, with their tokens
        self.slowest = 0.0
        self.corrected = 0

    async def shop(self, shoppers: int) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self.url, timeout=15, trust_env=False, limits=limits) as http:
            await asyncio.gather(*(self._one(http, number) for number in range(shoppers)))

    async def _one(self, http: httpx.AsyncClient, number: int) -> None:
        while not self.over:
            headers = {"x-forwarded-for": f"203.0.113.{number + 1}"}
            cart = await self._ask(http, "POST", "/carts", {}, headers)
            headers["x-cart-token"] = cart["token"]
            path = f"/carts/{cart['id']}"
            wanted = {"variant_id": self.product["variant_id"], "quantity": 2}
            cart = await self._ask(http, "POST", f"{path}/lines", wanted, headers)
            [line] = cart["lines"]
            if line["quantity"] != 2:  # added again after an answer that was lost: whoever looks at the cart sees it
                self.corrected += 1
                await self._ask(http, "PATCH", f"{path}/lines/{line['id']}", {"quantity": 2}, headers)
            await self._ask(http, "PUT", f"{path}/contact", CONTACT, headers)
            await self._ask(http, "PUT", f"{path}/shipping-address", ADDRESS, headers)
            options = await self._ask(http, "GET", f"{path}/shipping-options", None, headers)
            cart = await self._ask(http, "PUT", f"{path}/shipping-option", {"id": options["items"][0]["id"]}, headers)
            total = cart["totals"]["total"]
            placed = await self._ask(
                http, "POST", f"{path}/checkout", {"payment_method": "cod", "expected_total": total}, headers
            )
            if total["amount"] != 2 * self.product["price"] + cart["totals"]["shipping"]["amount"]:
                self.wrong.append(f"the cart costs {total}")
            if [line["quantity"] for line in placed["order"]["lines"]] != [2]:
                self.wrong.append(f"ordered {placed['order']['lines']}")
            self.bought[placed["order"]["id"]] = placed["order"]["token"]

    async def _ask(self, http: httpx.AsyncClient, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Until there is an answer. Whoever is told to come back later is told when."""
        key = {"idempotency-key": uuid4().hex} if method != "GET" else {}
        started = time.monotonic()
        while True:
            try:
                answer = await http.request(method, f"/api/v1{path}", json=body, headers={**headers, **key})
            except httpx.HTTPError:
                self.answers["no answer"] += 1
            else:
                self.answers[str(answer.status_code)] += 1
                if answer.status_code < 300:
                    self.slowest = max(self.slowest, time.monotonic() - started)
                    return answer.json()
                if answer.status_code not in (409, 429, 503) or not answer.headers.get("retry-after"):
                    self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            assert time.monotonic() < started + PATIENCE, f"{method} {path} was never answered"
            await asyncio.sleep(0.2)
