"""What people do in the shop, step by step over HTTP, so that it can break off anywhere and be told again.

Whoever tells a story again sends every request as it was sent the first time, with the same keys.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

from sampan.kernel.context import Actor
from sampan.services.orders.contract import Orders

# Who takes part. The bank is not of the shop: it lives on when the shop is killed.
SERVICES = [
    "auth", "catalog", "pricing", "inventory", "shipping", "payments", "locations", "orders", "fulfillment",
    "notifications",
]  # fmt: skip

Facts = dict[str, Any]
Story = Callable[["Teller", Facts], Awaitable[None]]


class Teller:
    """Tells a story to a shop (`http`, under its API) and to the bank across the street (`outside`).

    `orders` is the same shop's, `settle` lets its work behind the scenes be done, `heard` is told every answer, `booked`
    finds the bank's id of a payment whose page does not open any more.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        outside: httpx.AsyncClient,
        orders: Orders,
        settle: Callable[[], Awaitable[None]],
        heard: Callable[[str, int, Any], None],
        booked: Callable[[str], Awaitable[str]] | None = None,
    ) -> None:
        self.http = http
        self.outside = outside
        self.orders = orders
        self.settle = settle
        self.heard = heard
        self.booked = booked

    async def ask(self, facts: Facts, step: str, method: str, path: str, body: Any = None) -> Any:
        """One request, with the key that belongs to the step; what was answered."""
        headers = {**facts["headers"], "idempotency-key": facts["key"] + step}
        answer = await self.http.request(method, f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code in (200, 201), (step, answer.status_code, answer.text)
        self.heard(step, answer.status_code, answer.json())
        return answer.json()

    async def pay(self, url: str) -> str:
        """The payer opens the bank's page and pays, once; what the bank says of it, signed."""
        page = await self.outside.get(url)
        if page.status_code == 200:
            payment = page.text.partition('name="payment" value="')[2].partition('"')[0]
        else:
            assert self.booked is not None, page.text
            payment = await self.booked(parse_qs(urlsplit(url).query)["vnp_TxnRef"][0])
        confirm = url.partition("/paymentv2/")[0] + "/paymentv2/confirm"
        back = await self.outside.post(confirm, data={"payment": payment, "choice": "pay"})
        assert back.status_code == 303, back.text
        return urlsplit(back.headers["location"]).query

    async def come_back(self, placed: Any) -> None:
        """The customer's browser shows the order after the payment: what its page asks for."""
        holder = Actor(order_token=placed["order"]["token"])
        await self.orders.find_order_payment(actor=holder, order_id=UUID(placed["order"]["id"]), language="vi")

    async def notice(self, said: str) -> None:
        """The bank calls; it calls until it is answered 00 or 02."""
        answer = await self.http.get(f"/api/v1/payments/vnpay/ipn?{said}")
        assert answer.json()["RspCode"] in ("00", "02"), answer.text
        self.heard("notice", 200, answer.json()["RspCode"])


def cart(facts: Facts) -> str:
    return f"/carts/{facts['cart']}"


def order(facts: Facts) -> str:
    return f"/orders/{facts['order']}"


async def cash_on_delivery(teller: Teller, facts: Facts) -> None:
    wanted = {"payment_method": "cod", "expected_total": facts["total"]}
    await teller.ask(facts, "checkout", "POST", f"{cart(facts)}/checkout", wanted)
    await teller.settle()


async def paid_and_told_by_the_bank(teller: Teller, facts: Facts) -> None:
    wanted = {"payment_method": "vnpay", "expected_total": facts["total"]}
    placed = await teller.ask(facts, "checkout", "POST", f"{cart(facts)}/checkout", wanted)
    await teller.settle()
    await teller.notice(await teller.pay(placed["payment"]["action"]["url"]))
    await teller.settle()


async def paid_and_never_told(teller: Teller, facts: Facts) -> None:
    """The notice is lost; the customer comes back, and the shop asks."""
    wanted = {"payment_method": "vnpay", "expected_total": facts["total"]}
    placed = await teller.ask(facts, "checkout", "POST", f"{cart(facts)}/checkout", wanted)
    await teller.pay(placed["payment"]["action"]["url"])
    await teller.come_back(placed)
    await teller.settle()


async def confirmed_by_staff(teller: Teller, facts: Facts) -> None:
    await teller.ask(facts, "confirm", "POST", f"/admin{order(facts)}/confirm")
    await teller.settle()


async def cancelled_and_refunded(teller: Teller, facts: Facts) -> None:
    await teller.ask(facts, "cancel", "POST", f"{order(facts)}/cancel", {"reason": "đổi ý"})
    await teller.settle()


async def partly_refunded(teller: Teller, facts: Facts) -> None:
    wanted = {"lines": [{"line_id": facts["line"], "quantity": 1}], "shipping": False, "reason": "hàng lỗi"}
    await teller.ask(facts, "refund", "POST", f"/admin{order(facts)}/refunds", wanted)
    await teller.settle()


async def brought_to_the_door(teller: Teller, facts: Facts) -> None:
    for step in ("pick", "pack", "ship", "deliver"):
        await teller.ask(facts, step, "POST", f"/admin/fulfillments/{facts['work']}/{step}")
        await teller.settle()


async def sent_back(teller: Teller, facts: Facts) -> None:
    bodies = {"fail": {"reason": "không ai ở nhà"}}
    for step in ("pick", "pack", "ship", "fail", "return", "receive"):
        await teller.ask(facts, step, "POST", f"/admin/fulfillments/{facts['work']}/{step}", bodies.get(step))
        await teller.settle()


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        cash_on_delivery,
        paid_and_told_by_the_bank,
        paid_and_never_told,
        confirmed_by_staff,
        cancelled_and_refunded,
        partly_refunded,
        brought_to_the_door,
        sent_back,
    )
}
