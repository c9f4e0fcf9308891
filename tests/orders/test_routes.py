"""The public API as integrators use it."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

V1 = "/api/v1"
CONTACT = {"name": "Nguyễn Thị Đào", "phone": "0912 345 678", "email": "dao@example.com"}
ADDRESS = {
    "name": "Trần Văn Bé",
    "phone": "0987654321",
    "province_code": "79",
    "ward_code": "26743",
    "street": "12 Lê Lợi",
}


def key() -> dict[str, str]:
    return {"idempotency-key": uuid4().hex}


class Buyer:
    """Somebody with a shopping cart and nothing but HTTP."""

    def __init__(self, http) -> None:
        self.http = http
        self.cart = ""
        self.headers: dict[str, str] = {}

    async def begin(self, variant, quantity=1):
        answer = await self.http.post(f"{V1}/carts", json={})
        assert answer.status_code == 201
        body = answer.json()
        self.cart, self.headers = f"{V1}/carts/{body['id']}", {"x-cart-token": body["token"]}
        return await self.send("POST", "/lines", {"variant_id": str(variant), "quantity": quantity})

    async def send(self, method, path, body=None, **headers):
        return await self.http.request(method, self.cart + path, json=body, headers={**self.headers, **headers})

    async def ready(self, variant, quantity=1):
        await self.begin(variant, quantity)
        await self.send("PUT", "/contact", CONTACT)
        await self.send("PUT", "/shipping-address", ADDRESS)
        options = (await self.send("GET", "/shipping-options")).json()["items"]
        cart = await self.send("PUT", "/shipping-option", {"id": options[0]["id"]})
        assert cart.status_code == 200, cart.text
        return cart.json()

    async def checkout(self, total, method="cod", **headers):
        body = {"payment_method": method, "expected_total": total}
        return await self.send("POST", "/checkout", body, **{**key(), **headers})


@pytest.fixture
async def buyer(stall):
    return Buyer(stall.shop.http)


async def test_strangers_with_the_same_idempotency_key_get_carts_of_their_own(stall):
    carts = []
    for address in ("203.0.113.7", "203.0.113.7", "198.51.100.9"):
        door = httpx.ASGITransport(app=stall.shop.shop.web(), client=(address, 5000))
        async with httpx.AsyncClient(transport=door, base_url="http://shop.test") as http:
            answer = await http.post(f"{V1}/carts", json={}, headers={"idempotency-key": "the-same-12345678"})
            assert answer.status_code == 201
            carts.append(answer.json())
    mine, again, foreign = carts
    assert again == mine
    assert foreign["id"] != mine["id"]
    assert foreign["token"] != mine["token"]


async def test_from_an_empty_cart_to_a_placed_order(stall, buyer):
    variant = await stall.goods()
    cart = await buyer.ready(variant, 2)
    assert cart["problems"] == []
    assert cart["contact"]["phone"] == "+84912345678"
    assert cart["lines"][0]["unit_price"] == {"amount": 199_000, "currency": "VND"}
    assert set(cart["totals"]) == {"items", "discount", "shipping", "tax", "total"}
    assert cart.get("token") is None
    options = (await buyer.send("GET", "/shipping-options")).json()["items"]
    assert set(options[0]["promise"]) == {"from", "to"}
    methods = (await buyer.send("GET", "/payment-methods")).json()["items"]
    assert "cod" in [method["code"] for method in methods]
    answer = await buyer.checkout(cart["totals"]["total"])
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["order"]["status"] == "placed"
    assert body["payment"]["action"]["kind"] == "none"
    order, token = body["order"]["id"], {"x-order-token": body["order"]["token"]}
    seen = await buyer.http.get(f"{V1}/orders/{order}", headers=token)
    assert seen.status_code == 200
    assert seen.json()["token"] is None
    assert seen.headers["cache-control"] == "no-store"
    cancelled = await buyer.http.post(f"{V1}/orders/{order}/cancel", json={"reason": "đổi ý"}, headers=token)
    assert cancelled.json()["status"] == "cancelled"


async def test_lines_are_changed_and_taken_out(stall, buyer):
    cart = (await buyer.begin(await stall.goods())).json()
    line = cart["lines"][0]["id"]
    changed = await buyer.send("PATCH", f"/lines/{line}", {"quantity": 3})
    assert changed.json()["lines"][0]["quantity"] == 3
    gone = await buyer.send("DELETE", f"/lines/{line}")
    assert gone.json()["lines"] == []


async def test_texts_follow_the_asked_language(stall, buyer):
    await buyer.begin(await stall.goods())
    for language, begins in (("vi", "Cần"), ("en", "Your"), ("fr, en;q=0.5", "Your"), ("fr", "Cần")):
        cart = (await buyer.send("GET", "", **{"accept-language": language})).json()
        assert cart["problems"][0]["detail"].startswith(begins)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/lines", {"variant_id": str(uuid4()), "quantity": 1}, 422),
        ("/lines", {"variant_id": "x", "quantity": 1}, 422),
        ("/lines", {"variant_id": str(uuid4()), "quantity": 0}, 422),
        ("/lines", {"variant_id": str(uuid4()), "quantity": 1000}, 422),
        ("/lines", {"variant_id": str(uuid4()), "quantity": 1.5}, 422),
        ("/lines", {"variant_id": str(uuid4()), "quantity": "1"}, 422),
        ("/lines", {"variant_id": str(uuid4()), "quantity": 1, "unit_price": {"amount": 1, "currency": "VND"}}, 422),
        ("/lines", {}, 422),
        ("/checkout", {"payment_method": "cod"}, 422),
        ("/checkout", {"payment_method": "cod", "expected_total": {"amount": 1.5, "currency": "VND"}}, 422),
        ("/checkout", {"payment_method": "cod", "expected_total": {"amount": 1, "currency": "ZZZ"}}, 422),
        ("/checkout", {"payment_method": "cod", "expected_total": {"amount": 1, "currency": "VND"}, "total": 1}, 422),
        ("/checkout", {"payment_method": "cod", "expected_total": {"amount": 1, "currency": "VND"}}, 409),
    ],
)
async def test_what_does_not_fit_is_refused(stall, buyer, path, body, status):
    await buyer.begin(await stall.goods())
    answer = await buyer.send("POST", path, body, **(key() if path == "/checkout" else {}))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/contact", {"name": "Đào"}),
        ("/contact", {"name": "", "phone": "0912345678"}),
        ("/contact", {"name": "Đào", "phone": "19001234"}),
        ("/contact", {"name": "Đào", "phone": "0912345678", "email": "x"}),
        ("/contact", {"name": "Đào", "phone": "0912345678", "role": "admin"}),
        ("/shipping-address", {**ADDRESS, "ward_code": "00000"}),
        ("/shipping-address", {**ADDRESS, "ward_code": "00004"}),
        ("/shipping-address", {**ADDRESS, "province_code": "7"}),
        ("/shipping-address", {**ADDRESS, "street": "x" * 256}),
        ("/shipping-option", {"id": "nothing"}),
    ],
)
async def test_what_cannot_be_a_contact_or_an_address_is_refused(stall, buyer, path, body):
    await buyer.begin(await stall.goods())
    await buyer.send("PUT", "/shipping-address", ADDRESS)
    answer = await buyer.send("PUT", path, body)
    assert answer.status_code == 422, answer.text


async def test_unknown_markets_are_refused(stall):
    answer = await stall.shop.http.post(f"{V1}/carts", json={"market": "XX"})
    assert (answer.status_code, answer.json()["code"]) == (422, "pricing.unknown_market")


async def test_a_new_total_is_told_with_the_refusal(stall, buyer):
    cart = await buyer.ready(await stall.goods())
    answer = await buyer.checkout({"amount": 1, "currency": "VND"})
    assert (answer.status_code, answer.json()["code"]) == (409, "orders.quote_changed")
    assert answer.json()["totals"] == cart["totals"]


async def test_what_is_sold_out_is_told_line_by_line(stall, buyer):
    variant = await stall.goods(stock=1)
    cart = await buyer.ready(variant, 2)
    answer = await buyer.checkout(cart["totals"]["total"])
    assert (answer.status_code, answer.json()["code"]) == (409, "inventory.out_of_stock")
    assert answer.json()["lines"] == [{"variant_id": str(variant), "wanted": 2, "available": 1}]


async def test_checkout_takes_a_key_and_the_same_key_is_the_same_answer(stall, buyer):
    cart = await buyer.ready(await stall.goods())
    total = cart["totals"]["total"]
    missing = await buyer.send("POST", "/checkout", {"payment_method": "cod", "expected_total": total})
    assert missing.status_code == 400
    once = key()
    first = await buyer.checkout(total, **once)
    again = await buyer.checkout(total, **once)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    other = await buyer.checkout({**total, "amount": 1}, **once)
    assert other.status_code == 422
    without = await buyer.checkout(total)
    assert without.json()["order"]["id"] == first.json()["order"]["id"]
    assert without.json()["order"]["token"] == first.json()["order"]["token"]


async def test_no_table_keeps_a_guests_secret(stall, buyer):
    cart = await buyer.ready(await stall.goods())
    placed = (await buyer.checkout(cart["totals"]["total"], method="vnpay")).json()
    token = {"x-order-token": placed["order"]["token"]}
    paid = await buyer.http.post(
        f"{V1}/orders/{placed['order']['id']}/payments", json={"payment_method": "cod"}, headers={**token, **key()}
    )
    assert paid.status_code == 201, paid.text
    again = await buyer.http.post(f"{V1}/orders/{placed['order']['id']}/reorder", headers={**token, **key()})
    assert again.status_code == 201, again.text
    await stall.shop.settle()
    secrets = [buyer.headers["x-cart-token"], placed["order"]["token"], again.json()["token"]]
    assert all(len(secret) == 43 for secret in secrets)
    forms = [form for secret in secrets for form in (secret, secret.encode().hex(), f"\\x{secret.encode().hex()}")]
    async with stall.db.read() as tx:
        tables = await tx.many(
            str,
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
        )
        assert "orders.idempotency_key" in tables
        for table in tables:
            found = await tx.one(
                int,
                f"SELECT count(*) FROM {table} AS t WHERE EXISTS (SELECT 1 FROM unnest($1::text[]) f "
                "WHERE strpos(t::text, f) > 0)",
                forms,
            )
            assert not found, table
        kept = await tx.many(str, "SELECT k::text || encode(k.body, 'escape') FROM orders.idempotency_key k")
    for part in ("dao@example.com", "912345678", "12 L", "Nguy", placed["order"]["number"]):
        assert not [row for row in kept if part in row], part


async def test_a_hundred_presses_of_the_button_are_one_order(stall, buyer):
    cart = await buyer.ready(await stall.goods())
    answers = await asyncio.gather(*(buyer.checkout(cart["totals"]["total"]) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["order"]["id"] for answer in answers}) == 1
    assert len(await stall.orders_of(type("Cart", (), {"id": UUID(cart["id"])}))) == 1


async def test_foreign_and_missing_carts_look_the_same_on_every_path(stall, buyer):
    variant = await stall.goods()
    cart = await buyer.ready(variant)
    line = cart["lines"][0]["id"]
    stranger = Buyer(stall.shop.http)
    await stranger.begin(variant)
    requests = [
        ("GET", "", None),
        ("POST", "/lines", {"variant_id": str(variant), "quantity": 1}),
        ("PATCH", f"/lines/{line}", {"quantity": 2}),
        ("DELETE", f"/lines/{line}", None),
        ("PUT", "/contact", CONTACT),
        ("PUT", "/shipping-address", ADDRESS),
        ("GET", "/shipping-options", None),
        ("PUT", "/shipping-option", {"id": "hcm-standard"}),
        ("GET", "/payment-methods", None),
        ("POST", "/checkout", {"payment_method": "cod", "expected_total": cart["totals"]["total"]}),
    ]
    staff = await stall.shop.staff("orders.read", "orders.write", "payments.refund")
    for headers in (stranger.headers, {}, {"x-cart-token": ""}, staff):
        for place in (buyer.cart, f"{V1}/carts/{uuid4()}", f"{V1}/carts/not-an-id"):
            for method, path, body in requests:
                answer = await stall.shop.http.request(method, place + path, json=body, headers={**headers, **key()})
                assert answer.status_code == 404, (method, path, answer.text)


async def test_foreign_and_missing_orders_look_the_same_on_every_path(stall, buyer):
    cart = await buyer.ready(await stall.goods())
    body = (await buyer.checkout(cart["totals"]["total"], "vnpay")).json()
    other = await stall.order()
    requests = [
        ("GET", "", None),
        ("POST", "/cancel", {"reason": ""}),
        ("POST", "/payments", {"payment_method": "vnpay"}),
        ("POST", "/reorder", None),
    ]
    tokens = (
        {},
        {"x-order-token": ""},
        {"x-order-token": other.token},
        {"x-order-token": buyer.headers["x-cart-token"]},
    )
    for headers in tokens:
        for place in (f"{V1}/orders/{body['order']['id']}", f"{V1}/orders/{uuid4()}", f"{V1}/orders/x"):
            for method, path, data in requests:
                answer = await stall.shop.http.request(method, place + path, json=data, headers={**headers, **key()})
                assert answer.status_code == 404, (method, path, answer.text)


async def test_a_new_attempt_to_pay(stall, buyer):
    cart = await buyer.ready(await stall.goods())
    body = (await buyer.checkout(cart["totals"]["total"], "vnpay")).json()
    assert body["payment"]["action"]["kind"] == "redirect"
    place, token = f"{V1}/orders/{body['order']['id']}/payments", {"x-order-token": body["order"]["token"]}
    missing = await buyer.http.post(place, json={"payment_method": "vnpay"}, headers=token)
    assert missing.status_code == 400
    again = await buyer.http.post(place, json={"payment_method": "vnpay"}, headers={**token, **key()})
    assert again.status_code == 201
    assert again.json()["payment"]["id"] != body["payment"]["id"]
    unknown = await buyer.http.post(place, json={"payment_method": "x"}, headers={**token, **key()})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "payments.method_not_available")
    away = {"payment_method": "vnpay", "return_url": "https://evil.example/"}
    assert (await buyer.http.post(place, json=away, headers={**token, **key()})).status_code == 422


async def test_an_order_is_looked_up_by_number_and_phone(stall):
    order = await stall.order()
    http = stall.shop.http
    found = await http.post(f"{V1}/orders/lookup", json={"number": order.number, "phone": "0912345678"})
    assert found.json()["id"] == str(order.id)
    bodies = []
    for body in ({"number": order.number, "phone": "0911111111"}, {"number": "SP22222222", "phone": "0912345678"}):
        answer = await http.post(f"{V1}/orders/lookup", json=body)
        assert answer.status_code == 404
        bodies.append({name: value for name, value in answer.json().items() if name != "request_id"})
    assert bodies[0] == bodies[1]


async def test_staff_routes_need_their_permission(stall):
    order = await stall.order()
    http = stall.shop.http
    requests = [
        ("GET", "/admin/orders", None, "orders.read"),
        ("GET", f"/admin/orders/{order.id}", None, "orders.read"),
        ("POST", f"/admin/orders/{order.id}/confirm", None, "orders.write"),
        ("POST", f"/admin/orders/{order.id}/cancel", {"reason": "x"}, "orders.write"),
        ("POST", f"/admin/orders/{order.id}/notes", {"text": "x"}, "orders.write"),
        ("POST", f"/admin/orders/{order.id}/refunds", {"reason": "x"}, "payments.refund"),
    ]
    for method, path, body, permission in requests:
        for headers, status in (({}, 401), (await stall.shop.staff("catalog.read"), 403)):
            answer = await http.request(method, V1 + path, json=body, headers={**headers, **key()})
            assert answer.status_code == status, (path, answer.text)
        answer = await http.request(
            method, V1 + path, json=body, headers={**await stall.shop.staff(permission), **key()}
        )
        assert answer.status_code in (200, 201, 409), (path, answer.text)


async def test_staff_list_confirm_note_and_cancel(stall):
    order = await stall.order()
    http, staff = stall.shop.http, await stall.shop.staff("orders.read", "orders.write")
    page = await http.get(f"{V1}/admin/orders?status=placed&q={order.number}&sort=newest&limit=5", headers=staff)
    assert [row["id"] for row in page.json()["items"]] == [str(order.id)]
    assert page.json()["next"] is None
    for query in ("status=nothing", "sort=x", "limit=0", "limit=101", "unknown=1", "cursor=x"):
        assert (await http.get(f"{V1}/admin/orders?{query}", headers=staff)).status_code == 422
    place = f"{V1}/admin/orders/{order.id}"
    assert (await http.post(f"{place}/confirm", headers=staff)).status_code == 200
    noted = await http.post(f"{place}/notes", json={"text": "gọi lại"}, headers=staff)
    assert noted.status_code == 201
    shown = await http.get(place, headers=staff)
    assert "note" in [entry["code"] for entry in shown.json()["timeline"]]
    cancelled = await http.post(f"{place}/cancel", json={"reason": "hết hàng"}, headers=staff)
    assert cancelled.json()["status"] == "cancelled"
    again = await http.post(f"{place}/confirm", headers=staff)
    assert (again.status_code, again.json()["code"]) == (409, "orders.not_confirmable")


async def test_staff_refund_under_a_key(stall):
    order = await stall.order("vnpay")
    await stall.bank_tells(order)
    http, staff = stall.shop.http, await stall.shop.staff("payments.refund")
    place = f"{V1}/admin/orders/{order.id}/refunds"
    body = {"lines": [{"line_id": str(order.lines[0].id), "quantity": 1}], "shipping": True, "reason": "hàng lỗi"}
    assert (await http.post(place, json=body, headers=staff)).status_code == 400
    once = key()
    first = await http.post(place, json=body, headers={**staff, **once})
    assert first.status_code == 201, first.text
    assert first.json()["amount"]["amount"] == 199_000 + order.totals.shipping.amount
    again = await http.post(place, json=body, headers={**staff, **once})
    assert again.json() == first.json()
    some = {**body, "lines": [], "shipping": {"amount": 1, "currency": "VND"}}
    assert (await http.post(place, json=some, headers={**staff, **key()})).status_code == 409
    assert (await http.post(place, json={**body, "shipping": 1}, headers={**staff, **key()})).status_code == 422
