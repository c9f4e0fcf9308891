"""The flash sale: many buyers, few units, one moment."""

from typing import Any
from uuid import uuid4

from msgspec import Struct

from bench.drive import Caller, Operation, WrongAnswer, drive
from bench.scenarios import API, phones, place, prepare_cart


class Sale(Struct):
    """What came of it."""

    buyers: int
    units: int
    sold: int
    refused: int
    left: int
    seconds: float


def flash_sale(port: int, key: str, *, buyers: int, units: int) -> Sale:
    """So many buyers, each with a full cart, order one of so many units at the same moment."""
    caller = Caller(port)
    tag = uuid4().hex[:8]

    def staff(method: str, path: str, body: Any = None) -> Any:
        return caller.json(method, f"{API}{path}", body, authorization=f"Bearer {key}", idempotency_key=uuid4().hex)

    made = staff(
        "POST",
        "/admin/products",
        {
            "name": {"vi": f"Đèn lồng giờ vàng {tag}", "en": f"Golden hour lantern {tag}"},
            "product_type": "measured_goods",
            "attributes": {"material": "bamboo", "height_mm": 300},
            "variants": [{"sku": f"FLASH-{tag}", "grams": 500}],
            "status": "published",
        },
    )
    variant = made["variants"][0]
    staff("POST", "/admin/prices", {"prices": [{"variant_id": variant, "market": "VN", "amount": 99_000}]})
    warehouse = staff("GET", "/admin/warehouses")["items"][0]["id"]
    staff(
        "POST",
        "/admin/stock/adjustments",
        {"variant_id": variant, "warehouse_id": warehouse, "change": units, "reason": "flash sale"},
    )
    numbers = phones()
    ready: list[tuple[str, dict[str, str], Any]] = []
    drive(
        port,
        (prepare_cart(variant, 1, next(numbers), lambda *cart: ready.append(cart)) for _ in range(buyers)),
        clients=4,
    )
    outcomes: list[int] = []

    def order(cart: tuple[str, dict[str, str], Any]) -> Operation:
        answer = yield place(*cart)
        if answer.status not in (201, 409):
            raise WrongAnswer(f"{answer.status} {answer.body[:300]!r}")
        outcomes.append(answer.status)

    load = drive(port, iter([order(cart) for cart in ready]), clients=buyers)
    levels = staff("GET", f"/admin/stock?variant_id={variant}")["items"]
    caller.close()
    return Sale(
        buyers,
        units,
        outcomes.count(201),
        outcomes.count(409),
        sum(level["available"] for level in levels),
        load.seconds,
    )
