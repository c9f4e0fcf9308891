"""Shipping over HTTP: what staff may, what is refused, what stands on a label."""

import base64
import hashlib
import re
from typing import Any

import pytest

from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.shipping.contract import Delivery, Shipment

HOME = Delivery(
    name="Nguyễn <b>Lan</b>",
    phone="+84912345678",
    market="VN",
    province_code="79",
    ward_code="26743",
    province="Thành phố Hồ Chí Minh",
    ward="Phường Bến Thành",
    street="12/3 Lê Lợi",
    note="Gọi trước & nhẹ tay",
    version="2026-09-25",
)
RATE = {
    "bands": [{"from_value": 0, "up_to_grams": 5000, "price": 12000}],
    "first_days": 1,
    "last_days": 2,
    "cutoff": "15:00:00",
}


@pytest.fixture
async def writer(shop: Any) -> dict[str, str]:
    found: dict[str, str] = await shop.staff("shipping.read", "shipping.write")
    return found


@pytest.fixture
async def packer(shop: Any) -> dict[str, str]:
    found: dict[str, str] = await shop.staff("fulfillment.write")
    return found


async def parcel(shop: Any, cash: Money | None = None, **more: Any) -> Shipment:
    shipping, order_id = shop.actions("shipping"), uuid7()
    await shipping.book(
        order_id=order_id,
        option_id="hcm-standard",
        delivery=HOME,
        grams=500,
        value=Money(300_000, "VND"),
        cod_amount=cash,
    )
    made: Shipment = await shipping.create_shipment(order_id=order_id, work_order_id=uuid7(), **more)
    return made


def new_zone(code: str) -> dict[str, Any]:
    return {"code": code, "market": "VN", "currency": "VND", "name": "Hà Giang", "provinces": ["08"], "active": False}


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json().get("errors", [])]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/shipping/zones"),
        ("POST", "/admin/shipping/zones"),
        ("PUT", "/admin/shipping/zones/hanoi"),
        ("PUT", "/admin/shipping/zones/hanoi/rates/standard"),
        ("GET", "/admin/shipping/options"),
        ("GET", "/admin/shipping/services"),
        ("PUT", "/admin/shipping/services/standard"),
        ("GET", "/admin/shipping/holidays"),
        ("PUT", "/admin/shipping/holidays/2026-12-24"),
        ("DELETE", "/admin/shipping/holidays/2026-12-24"),
        ("GET", "/admin/shipments/019f0000-0000-7000-8000-000000000001/label"),
    ],
)
async def test_every_route_is_for_staff_with_its_permission(shop: Any, method: str, path: str) -> None:
    assert (await shop.http.request(method, f"/api/v1{path}")).status_code == 401
    other = await shop.staff("orders.read")
    assert (await shop.http.request(method, f"/api/v1{path}", headers=other)).status_code == 403
    if method != "GET":
        reader = await shop.staff("shipping.read")
        assert (await shop.http.request(method, f"/api/v1{path}", headers=reader)).status_code == 403


async def test_staff_make_a_zone_and_price_it(shop: Any, writer: dict[str, str]) -> None:
    code = f"z-{uuid7().hex[-12:]}"
    made = await shop.http.post("/api/v1/admin/shipping/zones", json=new_zone(code), headers=writer)
    assert (made.status_code, made.json()["version"]) == (201, 1)
    again = await shop.http.post("/api/v1/admin/shipping/zones", json=new_zone(code), headers=writer)
    assert (again.status_code, again.json()["code"]) == (409, "shipping.zone_exists")
    path = f"/api/v1/admin/shipping/zones/{code}"
    priced = await shop.http.put(f"{path}/rates/standard", json={**RATE, "version": 1}, headers=writer)
    assert priced.status_code == 200
    assert priced.json()["rates"] == [{**RATE, "service": "standard", "cod_fee": 0, "cod_limit": None, "active": True}]
    outdated = await shop.http.put(f"{path}/rates/standard", json={**RATE, "version": 1}, headers=writer)
    assert (outdated.status_code, outdated.json()["code"]) == (409, "shipping.version_changed")
    change = {"name": "Tuyên Quang", "provinces": ["08"], "active": False, "version": 2}
    changed = await shop.http.put(path, json=change, headers=writer)
    assert (changed.status_code, changed.json()["name"], changed.json()["version"]) == (200, "Tuyên Quang", 3)
    listed = await shop.http.get("/api/v1/admin/shipping/zones?limit=100", headers=writer)
    assert changed.json() in listed.json()["items"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"market": "vn"}, ("market", "pattern")),
        ({"code": "Hà Giang"}, ("code", "pattern")),
        ({"provinces": ["8"]}, ("provinces.0", "pattern")),
        ({"provinces": []}, ("provinces", "missing")),
        ({"surcharge": -1}, ("surcharge", "range")),
        ({"version": 1}, ("version", "unknown")),
        ({"currency": "USD"}, ("currency", "value")),
        ({"name": ""}, ("name", "length")),
    ],
)
async def test_a_zone_that_makes_no_sense_is_refused(
    shop: Any, writer: dict[str, str], change: dict[str, Any], error: tuple[str, str]
) -> None:
    body = {**new_zone(f"z-{uuid7().hex[-12:]}"), **change}
    answer = await shop.http.post("/api/v1/admin/shipping/zones", json=body, headers=writer)
    assert answer.status_code == 422
    assert codes(answer) == [error]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"bands": []}, ("bands", "length")),
        ({"bands": [{"from_value": 1, "up_to_grams": 1, "price": 1}]}, ("bands", "missing")),
        ({"bands": [{"from_value": 0, "up_to_grams": 1, "price": -1}]}, ("bands.0.price", "range")),
        ({"bands": [{"from_value": 0, "up_to_grams": 1, "price": 0.5}]}, ("bands.0.price", "type")),
        ({"last_days": 0}, ("last_days", "range")),
        ({"cutoff": "25:00"}, ("cutoff", "format")),
        ({"cod_limit": -5}, ("cod_limit", "range")),
    ],
)
async def test_a_rate_that_makes_no_sense_is_refused(
    shop: Any, writer: dict[str, str], change: dict[str, Any], error: tuple[str, str]
) -> None:
    body = {**RATE, "version": 1, **change}
    answer = await shop.http.put("/api/v1/admin/shipping/zones/hanoi/rates/standard", json=body, headers=writer)
    assert answer.status_code == 422
    assert codes(answer) == [error]


async def test_unknown_zones_and_services_are_named(shop: Any, writer: dict[str, str]) -> None:
    base = "/api/v1/admin/shipping/zones"
    answer = await shop.http.put(f"{base}/nowhere/rates/standard", json={**RATE, "version": 1}, headers=writer)
    assert (answer.status_code, answer.json()["code"]) == (404, "shipping.unknown_zone")
    answer = await shop.http.put(f"{base}/hanoi/rates/drone", json={**RATE, "version": 1}, headers=writer)
    assert (answer.status_code, answer.json()["code"]) == (422, "shipping.unknown_service")


async def test_staff_try_an_address(shop: Any, writer: dict[str, str]) -> None:
    query = "province_code=79&ward_code=26732&grams=900&value=100000"
    answer = await shop.http.get(f"/api/v1/admin/shipping/options?{query}", headers=writer)
    assert answer.status_code == 200
    [option] = answer.json()["items"]
    assert (option["id"], option["price"], option["name"]) == (
        "remote-standard", {"amount": 55_000, "currency": "VND"}, "Giao tiêu chuẩn",
    )  # fmt: skip
    assert set(option["promise"]) == {"from", "to"}
    wrong = await shop.http.get("/api/v1/admin/shipping/options?grams=-1", headers=writer)
    assert wrong.status_code == 422


async def test_services_and_days_off_are_kept(shop: Any, writer: dict[str, str]) -> None:
    code = f"s{uuid7().hex[-10:]}"
    service = {"carrier": "own", "name": {"vi": "Giao tối"}, "weekdays": [1, 2], "active": False}
    answer = await shop.http.put(f"/api/v1/admin/shipping/services/{code}", json=service, headers=writer)
    assert answer.status_code == 200
    listed = await shop.http.get("/api/v1/admin/shipping/services", headers=writer)
    assert {"code": code, **service} in listed.json()["items"]
    path = "/api/v1/admin/shipping/holidays"
    day = {"name": "Nghỉ", "source": "thông báo nội bộ"}
    assert (await shop.http.put(f"{path}/2031-03-04", json=day, headers=writer)).status_code == 200
    found = await shop.http.get(f"{path}?year=2031", headers=writer)
    assert found.json()["items"] == [{"day": "2031-03-04", **day}]
    assert (await shop.http.delete(f"{path}/2031-03-04", headers=writer)).status_code == 204
    assert (await shop.http.delete(f"{path}/2031-03-04", headers=writer)).status_code == 404
    for nonsense in ("2031-02-30", "tomorrow", "20310304"):
        assert (await shop.http.put(f"{path}/{nonsense}", json=day, headers=writer)).status_code == 404


async def test_a_label_says_whom_to_find_and_what_to_collect(shop: Any, packer: dict[str, str]) -> None:
    made = await parcel(shop, Money(320_000, "VND"), reference="SP4KT79XQW", grams=1250)
    answer = await shop.http.get(f"/api/v1/admin/shipments/{made.id}/label", headers=packer)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    for said in (
        made.tracking_number,
        "SP4KT79XQW",
        "Giao tiêu chuẩn",
        "0912 345 678",
        "12/3 Lê Lợi",
        "Phường Bến Thành, Thành phố Hồ Chí Minh",
        "320.000\u00a0₫",
        "Gọi trước &amp; nhẹ tay",
        "Được xem hàng trước khi nhận",
        "1.250 g",
        "<svg",
    ):
        assert said in page
    assert "Nguyễn &lt;b&gt;Lan" in page


async def test_a_label_without_cash_says_so(shop: Any, packer: dict[str, str]) -> None:
    made = await parcel(shop)
    page = (await shop.http.get(f"/api/v1/admin/shipments/{made.id}/label", headers=packer)).text
    assert "Không thu tiền" in page
    assert "₫" not in page
    assert "Khối lượng" not in page


async def test_a_label_loads_and_runs_nothing(shop: Any, packer: dict[str, str]) -> None:
    made = await parcel(shop)
    answer = await shop.http.get(f"/api/v1/admin/shipments/{made.id}/label", headers=packer)
    policy = answer.headers["content-security-policy"]
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{digest}'" in policy
    assert answer.headers["cache-control"] == "no-store"


async def test_there_is_no_label_of_no_parcel(shop: Any, packer: dict[str, str]) -> None:
    answer = await shop.http.get(f"/api/v1/admin/shipments/{uuid7()}/label", headers=packer)
    assert (answer.status_code, answer.json()["code"]) == (404, "shipping.unknown_shipment")
    assert (await shop.http.get("/api/v1/admin/shipments/1/label", headers=packer)).status_code == 404
