"""Pricing over HTTP: what everybody may, what staff may, what is refused."""

from typing import Any

import pytest

from sampan.kernel.ids import uuid7


@pytest.fixture
async def writer(shop: Any) -> dict[str, str]:
    found: dict[str, str] = await shop.staff("pricing.read", "pricing.write")
    return found


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json().get("errors", [])]


async def test_everybody_sees_the_markets(shop: Any) -> None:
    answer = await shop.http.get("/api/v1/markets")
    assert answer.status_code == 200
    assert [market["code"] for market in answer.json()["items"]] == ["VN", "INTL"]
    assert answer.json()["next"] is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/prices"),
        ("POST", "/admin/prices"),
        ("GET", f"/admin/prices/{uuid7()}/history"),
        ("GET", "/admin/price-lists"),
        ("POST", "/admin/price-lists"),
        ("PATCH", "/admin/price-lists/VN/base"),
        ("GET", "/admin/tax-rates"),
        ("POST", "/admin/tax-rates"),
    ],
)
async def test_prices_are_for_staff_with_the_permission(shop: Any, method: str, path: str) -> None:
    nobody = await shop.http.request(method, f"/api/v1{path}")
    assert nobody.status_code == 401
    other = await shop.staff("orders.read")
    assert (await shop.http.request(method, f"/api/v1{path}", headers=other)).status_code == 403
    if method != "GET":
        reader = await shop.staff("pricing.read")
        assert (await shop.http.request(method, f"/api/v1{path}", headers=reader)).status_code == 403


async def test_staff_set_prices_and_read_them_page_by_page(shop: Any, writer: dict[str, str]) -> None:
    variant = str(uuid7())
    prices = [
        {"variant_id": variant, "market": "VN", "amount": 199000, "compare_at": 250000},
        {"variant_id": variant, "market": "VN", "amount": 149000, "valid_from": "2099-01-01T00:00:00Z"},
        {"variant_id": variant, "market": "INTL", "amount": 1250},
    ]
    answer = await shop.http.post("/api/v1/admin/prices", json={"prices": prices}, headers=writer)
    assert answer.status_code == 200
    assert {price["market"]: price["unit"]["amount"] for price in answer.json()["items"]} == {
        "VN": 199000,
        "INTL": 1250,
    }
    seen, cursor = [], ""
    while True:
        page = await shop.http.get(f"/api/v1/admin/prices?variant_id={variant}&limit=2{cursor}", headers=writer)
        seen += page.json()["items"]
        if page.json()["next"] is None:
            break
        cursor = f"&cursor={page.json()['next']}"
    assert [(price["market"], price["amount"], price["valid_from"]) for price in seen] == [
        ("INTL", {"amount": 1250, "currency": "USD"}, None),
        ("VN", {"amount": 199000, "currency": "VND"}, None),
        ("VN", {"amount": 149000, "currency": "VND"}, "2099-01-01T00:00:00Z"),
    ]
    only = await shop.http.get(f"/api/v1/admin/prices?variant_id={variant}&market=INTL", headers=writer)
    assert len(only.json()["items"]) == 1


async def test_the_history_names_who_changed_what(shop: Any, writer: dict[str, str]) -> None:
    variant = str(uuid7())
    for amount in (100, 90):
        price = {"variant_id": variant, "market": "VN", "amount": amount}
        await shop.http.post("/api/v1/admin/prices", json={"prices": [price]}, headers=writer)
    page = await shop.http.get(f"/api/v1/admin/prices/{variant}/history?limit=1", headers=writer)
    [newest] = page.json()["items"]
    assert (newest["old_amount"], newest["new_amount"]) == (100, 90)
    assert newest["changed_by"].startswith("staff:")
    rest = await shop.http.get(f"/api/v1/admin/prices/{variant}/history?cursor={page.json()['next']}", headers=writer)
    assert [row["new_amount"] for row in rest.json()["items"]] == [100]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -5},
        {"amount": 10**13},
        {"amount": 1.5},
        {"amount": "100"},
        {"market": "vn"},
        {"compare_at": 100},
        {"list": "No Such"},
        {"valid_from": "2026-01-01T00:00:00"},
        {"valid_from": "2026-01-02T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"},
        {"price": 5},
        {"list": "nowhere"},
        {"market": "FR"},
    ],
)
async def test_a_wrong_price_is_refused(shop: Any, writer: dict[str, str], wrong: dict[str, Any]) -> None:
    price = {"variant_id": str(uuid7()), "market": "VN", "amount": 100, **wrong}
    answer = await shop.http.post("/api/v1/admin/prices", json={"prices": [price]}, headers=writer)
    assert answer.status_code == 422


async def test_the_first_moment_there_is_does_not_stand_for_an_open_beginning(
    shop: Any, writer: dict[str, str]
) -> None:
    price = {"variant_id": str(uuid7()), "market": "VN", "amount": 100}
    prices = [price, {**price, "valid_from": "0001-01-01T00:00:00Z"}]
    answer = await shop.http.post("/api/v1/admin/prices", json={"prices": prices}, headers=writer)
    assert (answer.status_code, codes(answer)) == (422, [("prices.1.valid_from", "range")])


async def test_a_batch_has_1_to_500_prices(shop: Any, writer: dict[str, str]) -> None:
    def batch(count: int) -> dict[str, Any]:
        return {"prices": [{"variant_id": str(uuid7()), "market": "VN", "amount": 1} for _ in range(count)]}

    for count, status in ((0, 422), (500, 200), (501, 422)):
        answer = await shop.http.post("/api/v1/admin/prices", json=batch(count), headers=writer)
        assert answer.status_code == status


async def test_staff_make_change_and_read_price_lists(shop: Any, writer: dict[str, str]) -> None:
    code = f"tet-{uuid7().hex[-12:]}"
    new = {"market": "VN", "code": code, "name": "Tết 2027", "type": "sale", "priority": 10}
    made = await shop.http.post("/api/v1/admin/price-lists", json=new, headers=writer)
    assert made.status_code == 201
    assert made.json()["status"] == "active"
    again = await shop.http.post("/api/v1/admin/price-lists", json=new, headers=writer)
    assert (again.status_code, again.json()["code"]) == (409, "pricing.price_list_exists")
    changed = await shop.http.patch(
        f"/api/v1/admin/price-lists/VN/{code}",
        json={"status": "draft", "ends_at": "2099-01-01T00:00:00Z"},
        headers=writer,
    )
    assert (changed.json()["status"], changed.json()["name"]) == ("draft", "Tết 2027")
    opened = await shop.http.patch(f"/api/v1/admin/price-lists/VN/{code}", json={"ends_at": None}, headers=writer)
    assert opened.json()["ends_at"] is None
    found, cursor = [], ""
    while cursor is not None:
        page = await shop.http.get(f"/api/v1/admin/price-lists?market=VN&limit=3{cursor}", headers=writer)
        found += [each["code"] for each in page.json()["items"]]
        cursor = page.json()["next"] and f"&cursor={page.json()['next']}"
    assert {code, "base"} <= set(found)


async def test_the_base_list_and_unknown_lists_are_not_changed(shop: Any, writer: dict[str, str]) -> None:
    base = await shop.http.patch("/api/v1/admin/price-lists/VN/base", json={"name": "x"}, headers=writer)
    assert base.status_code == 409
    missing = await shop.http.patch("/api/v1/admin/price-lists/VN/none", json={"name": "x"}, headers=writer)
    assert missing.status_code == 404
    made = await shop.http.post(
        "/api/v1/admin/price-lists",
        json={"market": "VN", "code": "base", "name": "x", "type": "base", "priority": 0},
        headers=writer,
    )
    assert made.status_code == 422


async def test_staff_enter_and_read_tax_rates(shop: Any, writer: dict[str, str]) -> None:
    new = {
        "market": "VN",
        "tax_class": f"c{uuid7().hex}",
        "treatment": "taxed",
        "basis_points": 800,
        "effective_from": "2027-01-01",
        "effective_to": "2027-12-31",
        "source": "Resolution of the National Assembly",
    }
    made = await shop.http.post("/api/v1/admin/tax-rates", json=new, headers=writer)
    assert made.status_code == 201
    assert made.json()["made_by"].startswith("staff:")
    wrong = await shop.http.post("/api/v1/admin/tax-rates", json={**new, "basis_points": 0}, headers=writer)
    assert codes(wrong) == [("basis_points", "range")]
    page = await shop.http.get("/api/v1/admin/tax-rates?market=VN&limit=2", headers=writer)
    assert len(page.json()["items"]) == 2
    rest = await shop.http.get(
        f"/api/v1/admin/tax-rates?market=VN&limit=100&cursor={page.json()['next']}", headers=writer
    )
    assert new["tax_class"] in {rate["tax_class"] for rate in rest.json()["items"]}


@pytest.mark.parametrize("path", ["/admin/prices", "/admin/price-lists", "/admin/tax-rates"])
async def test_a_foreign_cursor_is_refused(shop: Any, writer: dict[str, str], path: str) -> None:
    answer = await shop.http.get(f"/api/v1{path}?cursor=abc", headers=writer)
    assert codes(answer) == [("cursor", "malformed")]
