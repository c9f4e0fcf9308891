"""Fulfilment over HTTP: what the people in the warehouse may, and what is refused."""

from typing import TYPE_CHECKING, Any

import pytest

from sampan.kernel.ids import uuid7

if TYPE_CHECKING:
    from tests.fulfillment.conftest import Floor
else:
    Floor = Any

BASE = "/api/v1/admin/fulfillments"
STEPS = ("pick", "pack", "ship", "deliver", "fail", "return", "receive")


@pytest.fixture
async def worker(shop: Any) -> dict[str, str]:
    found: dict[str, str] = await shop.staff("fulfillment.write")
    return found


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json().get("errors", [])]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/019f0000-0000-7000-8000-000000000001"),
        *(("POST", f"/019f0000-0000-7000-8000-000000000001/{step}") for step in STEPS),
    ],
)
async def test_the_warehouse_is_for_those_with_the_permission(shop: Any, method: str, path: str) -> None:
    assert (await shop.http.request(method, BASE + path)).status_code == 401
    other = await shop.staff("orders.read", "orders.write", "shipping.write")
    assert (await shop.http.request(method, BASE + path, headers=other)).status_code == 403


async def test_a_parcel_goes_to_the_door_over_http(shop: Any, floor: Floor, worker: dict[str, str]) -> None:
    [work] = await floor.placed(2)
    path = f"{BASE}/{work.id}"

    async def post(step: str, **more: Any) -> Any:
        answer = await shop.http.post(f"{path}/{step}", headers=worker, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    variant = str(work.lines[0].variant_id)
    part = await post("pick", json={"lines": [{"variant_id": variant, "quantity": 1}]})
    assert (part["status"], part["lines"][0]["picked"], part["steps"]) == ("picking", 1, ["pick"])
    assert (await post("pick"))["lines"][0]["picked"] == 2
    assert (await post("pack", json={"grams": 850}))["grams"] == 850
    shipped = await post("ship")
    assert (shipped["status"], shipped["tracking_number"][:2]) == ("shipped", "GH")
    label = await shop.http.get(f"/api/v1/admin/shipments/{shipped['shipment_id']}/label", headers=worker)
    assert work.order_number in label.text
    assert "850 g" in label.text
    failed = await post("fail", json={"reason": "Không nghe máy"})
    assert failed["steps"] == ["deliver", "return"]
    assert (await post("return"))["status"] == "returning"
    back = await post("receive", json={"sellable": False})
    assert (back["status"], back["lines"][0]["returned"]) == ("returned", 2)
    shown = (await shop.http.get(path, headers=worker)).json()
    assert [change["status"] for change in shown["history"]] == [
        "allocated", "picking", "picking", "packed", "shipped", "delivery_failed", "returning", "returned",
    ]  # fmt: skip
    assert shown["history"][5]["note"] == "Không nghe máy"
    assert shown["history"][5]["by"].startswith("staff:")


async def test_a_lost_parcel_is_received_with_nothing_of_every_line(
    shop: Any, floor: Floor, worker: dict[str, str]
) -> None:
    work = await floor.shipped(2, 1)
    path = f"{BASE}/{work.id}"
    nothing = [{"variant_id": str(line.variant_id), "quantity": 0} for line in work.lines]
    await shop.http.post(f"{path}/fail", headers=worker, json={"reason": "Hãng vận chuyển làm mất"})
    await shop.http.post(f"{path}/return", headers=worker)
    for unclear, code in (([], "length"), (nothing[:1], "missing")):
        answer = await shop.http.post(f"{path}/receive", headers=worker, json={"lines": unclear})
        assert (answer.status_code, codes(answer)) == (422, [("lines", code)])
    answer = await shop.http.post(f"{path}/receive", headers=worker, json={"lines": nothing})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], [line["returned"] for line in answer.json()["lines"]]) == ("returned", [0, 0])
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert parcel.status == "lost"
    for line in work.lines:
        assert await floor.level(line.variant_id, floor.hanoi) == (0, 0, 0)


@pytest.mark.parametrize("body", [None, {}, {"lines": None}])
async def test_a_parcel_that_is_received_without_a_word_of_its_lines_is_back_with_everything(
    shop: Any, floor: Floor, worker: dict[str, str], body: dict[str, Any] | None
) -> None:
    work = await floor.shipped(2)
    path = f"{BASE}/{work.id}"
    await shop.http.post(f"{path}/fail", headers=worker, json={"reason": "Không nghe máy"})
    await shop.http.post(f"{path}/return", headers=worker)
    answer = await shop.http.post(f"{path}/receive", headers=worker, json=body)
    assert (answer.status_code, answer.json()["lines"][0]["returned"]) == (200, 2)
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert parcel.status == "returned"


async def test_a_step_that_does_not_begin_here_is_a_conflict(shop: Any, floor: Floor, worker: dict[str, str]) -> None:
    [work] = await floor.placed(2)
    path = f"{BASE}/{work.id}"
    answer = await shop.http.post(f"{path}/ship", headers=worker)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["status"], problem["state"]) == (
        409, "fulfillment.illegal_step", 409, "allocated",
    )  # fmt: skip
    variant = str(work.lines[0].variant_id)
    await shop.http.post(f"{path}/pick", headers=worker, json={"lines": [{"variant_id": variant, "quantity": 1}]})
    answer = await shop.http.post(f"{path}/pack", headers=worker)
    assert (answer.status_code, answer.json()["code"]) == (409, "fulfillment.not_picked")
    assert answer.json()["lines"] == [{"variant_id": variant, "quantity": 2, "picked": 1}]


@pytest.mark.parametrize(
    ("step", "body", "error"),
    [
        ("pick", {"lines": []}, ("lines", "length")),
        ("pick", {"line": []}, ("line", "unknown")),
        ("pick", {"lines": [{"variant_id": "x", "quantity": 1}]}, ("lines.0.variant_id", "format")),
        ("pick", {"lines": [{"variant_id": str(uuid7()), "quantity": -1}]}, ("lines.0.quantity", "range")),
        ("pick", {"lines": [{"variant_id": str(uuid7()), "quantity": 1.5}]}, ("lines.0.quantity", "type")),
        ("pick", {"lines": [{"variant_id": str(uuid7()), "quantity": 1}]}, ("lines.0.variant_id", "unknown")),
        ("pack", {"grams": 0}, ("grams", "range")),
        ("fail", {"reason": ""}, ("reason", "length")),
        ("fail", {"reason": "x" * 501}, ("reason", "length")),
        ("fail", {}, ("reason", "missing")),
        ("receive", {"sellable": "yes"}, ("sellable", "type")),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(
    shop: Any, floor: Floor, worker: dict[str, str], step: str, body: dict[str, Any], error: tuple[str, str]
) -> None:
    [work] = await floor.placed(1)
    answer = await shop.http.post(f"{BASE}/{work.id}/{step}", headers=worker, json=body)
    assert answer.status_code == 422
    assert codes(answer) == [error]
    assert (await floor.now(work.id)).version == 1


async def test_an_unknown_work_order_is_not_found(shop: Any, worker: dict[str, str]) -> None:
    for path in (f"/{uuid7()}", "/1"):
        assert (await shop.http.get(BASE + path, headers=worker)).status_code == 404
        assert (await shop.http.post(f"{BASE}{path}/pick", headers=worker)).status_code == 404
    answer = await shop.http.get(f"{BASE}/{uuid7()}", headers=worker)
    assert answer.json()["code"] == "fulfillment.unknown_work_order"


async def test_work_orders_are_filtered_and_paged(shop: Any, floor: Floor, worker: dict[str, str]) -> None:
    works = await floor.placed(1, split=1)
    number = works[0].order_number
    first = (await shop.http.get(f"{BASE}?q={number}&limit=1&sort=oldest", headers=worker)).json()
    assert [item["id"] for item in first["items"]] == [str(works[0].id)]
    second = (
        await shop.http.get(f"{BASE}?q={number}&limit=1&sort=oldest&cursor={first['next']}", headers=worker)
    ).json()
    assert [item["id"] for item in second["items"]] == [str(works[1].id)]
    assert second["next"] is None
    query = f"q={number}&warehouse_id={floor.saigon}&status=allocated"
    [only] = (await shop.http.get(f"{BASE}?{query}", headers=worker)).json()["items"]
    assert only["warehouse_id"] == str(floor.saigon)
    for wrong in ("status=lost", "limit=101", "limit=0", "cursor=x", "warehouse_id=1", "colour=red"):
        assert (await shop.http.get(f"{BASE}?{wrong}", headers=worker)).status_code == 422
