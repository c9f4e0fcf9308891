"""Inventory over HTTP: for staff only, with every refusal."""

from typing import Any
from uuid import UUID

import pytest

from sampan.kernel.ids import uuid7
from sampan.services.inventory.store import levels


@pytest.fixture
async def writer(shop: Any) -> dict[str, str]:
    found: dict[str, str] = await shop.staff("inventory.read", "inventory.write")
    return found


def keyed(headers: dict[str, str], key: str = "") -> dict[str, str]:
    return {**headers, "idempotency-key": key or f"key-{uuid7()}"}


async def adjust(shop: Any, headers: dict[str, str], **body: Any) -> Any:
    return await shop.http.post("/api/v1/admin/stock/adjustments", json=body, headers=headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/stock"),
        ("POST", "/admin/stock/adjustments"),
        ("PUT", "/admin/stock/limits"),
        ("GET", "/admin/stock/019f0000-0000-7000-8000-000000000001/movements"),
        ("GET", "/admin/warehouses"),
        ("POST", "/admin/warehouses"),
        ("PATCH", f"/admin/warehouses/{uuid7()}"),
    ],
)
async def test_stock_is_for_staff_with_the_permission(shop: Any, method: str, path: str) -> None:
    assert (await shop.http.request(method, f"/api/v1{path}")).status_code == 401
    other = await shop.staff("orders.read")
    assert (await shop.http.request(method, f"/api/v1{path}", headers=other)).status_code == 403
    if method != "GET":
        reader = await shop.staff("inventory.read")
        assert (await shop.http.request(method, f"/api/v1{path}", headers=reader)).status_code == 403


async def test_a_correction_answers_with_the_level_and_repeats_with_its_key(
    shop: Any, room: Any, writer: dict[str, str]
) -> None:
    body = {"variant_id": str(uuid7()), "warehouse_id": str(room.hanoi), "change": 5, "reason": "kiểm kê"}
    key = keyed(writer)
    first = await adjust(shop, key, **body)
    assert first.status_code == 201
    assert (first.json()["on_hand"], first.json()["available"]) == (5, 5)
    again = await adjust(shop, key, **body)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert await room.available(UUID(body["variant_id"])) == 5


async def test_a_correction_whose_answer_was_lost_with_its_process_counts_once(
    shop: Any, room: Any, writer: dict[str, str]
) -> None:
    body = {"variant_id": str(uuid7()), "warehouse_id": str(room.hanoi), "change": 5, "reason": "kiểm kê"}
    key = keyed(writer)
    await adjust(shop, key, **body)
    async with room.db.begin() as tx:  # as if the process had died before it kept the answer, and the lease ran out
        await tx.execute(
            "UPDATE inventory.idempotency_key SET status = NULL, body = NULL, lease_until = now() - interval '1 s' "
            "WHERE key = $1",
            key["idempotency-key"],
        )
    again = await adjust(shop, key, **body)
    assert (again.status_code, again.json()["on_hand"]) == (201, 5)


async def test_a_correction_needs_a_key(shop: Any, room: Any, writer: dict[str, str]) -> None:
    body = {"variant_id": str(uuid7()), "warehouse_id": str(room.hanoi), "change": 5, "reason": "x"}
    assert (await adjust(shop, writer, **body)).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"change": 0},
        {"change": 1.5},
        {"change": 1_000_001},
        {"change": "5"},
        {"reason": ""},
        {"reason": "x" * 201},
        {"on_hand": 3},
        {"variant_id": "7"},
    ],
)
async def test_a_wrong_correction_is_refused(
    shop: Any, room: Any, writer: dict[str, str], wrong: dict[str, Any]
) -> None:
    body = {"variant_id": str(uuid7()), "warehouse_id": str(room.hanoi), "change": 5, "reason": "x", **wrong}
    assert (await adjust(shop, keyed(writer), **body)).status_code == 422


async def test_a_correction_cannot_take_what_orders_hold(shop: Any, room: Any, writer: dict[str, str]) -> None:
    variant = await room.stocked(hanoi=3)
    await room.reserve(uuid7(), (variant, 2))
    body = {"variant_id": str(variant), "warehouse_id": str(room.hanoi), "reason": "lost"}
    refused = await adjust(shop, keyed(writer), **body, change=-2)
    assert (refused.status_code, refused.json()["code"]) == (409, "inventory.stock_committed")
    assert (refused.json()["on_hand"], refused.json()["held"], refused.json()["allocated"]) == (3, 2, 0)
    assert (await adjust(shop, keyed(writer), **body, change=-1)).json()["on_hand"] == 2


async def test_a_correction_in_an_unknown_warehouse_is_refused(shop: Any, writer: dict[str, str]) -> None:
    refused = await adjust(
        shop, keyed(writer), variant_id=str(uuid7()), warehouse_id=str(uuid7()), change=1, reason="x"
    )
    assert (refused.status_code, refused.json()["code"]) == (404, "inventory.unknown_warehouse")


async def test_stock_is_found_by_sku_variant_and_warehouse(shop: Any, room: Any, writer: dict[str, str]) -> None:
    variant = await room.stocked(hanoi=3, saigon=4)
    sku = f"GHE-{uuid7().hex[-8:]}"
    async with room.db.begin() as tx:
        await levels.keep_skus(tx, [(variant, sku, uuid7(), 1)])

    async def found(**query: Any) -> list[tuple[str, str, int]]:
        page = await shop.http.get("/api/v1/admin/stock", params=query, headers=writer)
        assert page.status_code == 200
        return [(each["sku"], each["warehouse_id"], each["available"]) for each in page.json()["items"]]

    everywhere = {(sku, str(room.hanoi), 3), (sku, str(room.saigon), 4)}
    assert set(await found(sku=sku)) == everywhere
    assert set(await found(variant_id=str(variant))) == everywhere
    assert await found(sku=sku, warehouse_id=str(room.saigon)) == [(sku, str(room.saigon), 4)]
    assert await found(sku=sku, variant_id=str(uuid7())) == []
    assert await found(sku="no such") == []
    assert (sku, str(room.saigon), 4) in await found(warehouse_id=str(room.saigon), limit=100)


async def test_stock_comes_page_by_page(shop: Any, room: Any, writer: dict[str, str]) -> None:
    for _ in range(3):
        await room.stocked(hanoi=1, saigon=1)
    seen, cursor = [], {}
    while cursor is not None:
        page = await shop.http.get("/api/v1/admin/stock", params={"limit": 50, **cursor}, headers=writer)
        seen += [(each["variant_id"], each["warehouse_id"]) for each in page.json()["items"]]
        cursor = page.json()["next"] and {"cursor": page.json()["next"]}
    assert len(seen) == len(set(seen)) >= 6
    assert seen == sorted(seen)
    wrong = await shop.http.get("/api/v1/admin/stock?cursor=x", headers=writer)
    assert wrong.json()["errors"][0]["code"] == "malformed"
    assert (await shop.http.get("/api/v1/admin/stock?limit=101", headers=writer)).status_code == 422


async def test_staff_set_the_limits_of_a_level(shop: Any, room: Any, writer: dict[str, str]) -> None:
    variant = await room.stocked(hanoi=5)
    body = {"variant_id": str(variant), "warehouse_id": str(room.hanoi)}
    for limits, expected in (({"safety": 2}, (2, 0, 3)), ({"threshold": 4}, (2, 4, 3)), ({"safety": 0}, (0, 4, 5))):
        answer = await shop.http.put("/api/v1/admin/stock/limits", json={**body, **limits}, headers=writer)
        level = answer.json()
        assert (level["safety"], level["threshold"], level["available"]) == expected
    wrong = await shop.http.put("/api/v1/admin/stock/limits", json={**body, "safety": -1}, headers=writer)
    assert wrong.status_code == 422
    missing = {**body, "warehouse_id": str(uuid7()), "safety": 1}
    assert (await shop.http.put("/api/v1/admin/stock/limits", json=missing, headers=writer)).status_code == 404


async def test_staff_see_why_a_level_is_what_it_is(shop: Any, room: Any, writer: dict[str, str]) -> None:
    variant = await room.stocked(hanoi=5)
    body = {"variant_id": str(variant), "warehouse_id": str(room.hanoi), "change": -1, "reason": "vỡ"}
    await adjust(shop, keyed(writer), **body)
    page = await shop.http.get(f"/api/v1/admin/stock/{variant}/movements?limit=1", headers=writer)
    [newest] = page.json()["items"]
    assert (newest["kind"], newest["on_hand"], newest["reason"]) == ("adjusted", -1, "vỡ")
    assert newest["moved_by"].startswith("staff:")
    rest = await shop.http.get(f"/api/v1/admin/stock/{variant}/movements?cursor={page.json()['next']}", headers=writer)
    assert [entry["kind"] for entry in rest.json()["items"]] == ["received"]


NEW = {
    "name": "Kho Đà Nẵng",
    "province_code": "48",
    "ward_code": "20194",
    "street": "2 Bạch Đằng",
    "priority": 7,
    "provinces": ["48", "49"],
}


async def test_staff_open_change_and_list_warehouses(shop: Any, writer: dict[str, str]) -> None:
    code = f"DN-{uuid7().hex[-8:].upper()}"
    made = await shop.http.post("/api/v1/admin/warehouses", json={**NEW, "code": code}, headers=writer)
    assert made.status_code == 201
    again = await shop.http.post("/api/v1/admin/warehouses", json={**NEW, "code": code}, headers=writer)
    assert (again.status_code, again.json()["code"]) == (409, "inventory.warehouse_exists")
    changed = await shop.http.patch(
        f"/api/v1/admin/warehouses/{made.json()['id']}", json={"active": False, "priority": 8}, headers=writer
    )
    assert changed.json() == {**made.json(), "active": False, "priority": 8}
    listed = await shop.http.get("/api/v1/admin/warehouses", headers=writer)
    assert changed.json() in listed.json()["items"]
    missing = await shop.http.patch(f"/api/v1/admin/warehouses/{uuid7()}", json={}, headers=writer)
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"code": "kho 1"}, {"ward_code": "7"}, {"provinces": ["Huế"]}, {"priority": -1}, {"id": str(uuid7())}]
)
async def test_a_wrong_warehouse_is_refused(shop: Any, writer: dict[str, str], wrong: dict[str, Any]) -> None:
    answer = await shop.http.post("/api/v1/admin/warehouses", json={**NEW, "code": "X1", **wrong}, headers=writer)
    assert answer.status_code == 422
