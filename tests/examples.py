"""A request that succeeds for every operation of the OpenAPI document."""

from typing import Any
from uuid import uuid4

from tests.world import OPERATIONS, V1, Maker, World, address, contact, draft, picture_bytes, warehouse


def example(name: str) -> Any:
    """Registers how the request of an operation is made."""

    def add(maker: Maker) -> Maker:
        method, _, path = name.partition(" ")
        World.makers[f"{method} {V1}{path}"] = maker
        return maker

    return add


def plain(name: str, **parts: Any) -> None:
    """An operation that needs nothing but these parts."""

    async def make(world: World) -> dict[str, Any]:
        return dict(parts)

    example(name)(make)


# --- lists and single things that are simply there

LIMITED = [("limit", "5")]
plain("GET /categories")
plain("GET /categories/{slug}", path={"slug": "do-dac"})
plain("GET /locations/vn/provinces")
plain("GET /locations/vn/provinces/{code}/wards", path={"code": "79"}, query=[("q", "ben")])
plain("GET /locations/vn/search", query=[("q", "ben thanh"), ("limit", "5")])
plain("POST /locations/vn/convert", body={"province": "Hồ Chí Minh", "district": "Quận 1", "ward": "Bến Nghé"})
plain("POST /locations/vn/parse", body={"text": "Lan 0912345678, 5 Lê Lợi, Bến Nghé, Quận 1, TP.HCM"})
plain("GET /markets")
SEARCH = [("q", "ghe"), ("category", "do-dac"), ("sort", "newest"), ("in_stock", "true"), ("price_min", "1")]
SEARCH += [("price_max", "1000000"), ("attr.colour", "red"), ("limit", "5"), ("market", "VN")]
plain("GET /products", query=SEARCH)
plain("GET /search", query=SEARCH)
plain("GET /search/suggest", query=[("q", "gh"), ("limit", "5"), ("market", "VN")])
plain("GET /payments/vnpay/return")
plain("GET /admin/products", query=[("status", "published"), ("sku", "GN-1"), *LIMITED])
plain("POST /admin/products")
plain("GET /admin/product-types")
plain("POST /admin/media", content=picture_bytes(), media="image/png")
plain("GET /admin/warehouses")
plain("GET /admin/shipping/zones", query=LIMITED)
plain("GET /admin/shipping/services")
plain("GET /admin/shipping/holidays", query=[("year", "2026")])
TRIAL = [("market", "VN"), ("province_code", "79"), ("ward_code", "26743"), ("grams", "500"), ("value", "100000")]
plain("GET /admin/shipping/options", query=[*TRIAL, ("currency", "VND")])
plain("GET /admin/price-lists", query=[("market", "VN"), *LIMITED])
plain("GET /admin/tax-rates", query=[("market", "VN"), *LIMITED])
plain("GET /admin/payments/review", query=LIMITED)
plain("GET /admin/payments/payouts", query=LIMITED)
LISTED = [("status", "placed"), ("payment_status", "cod_due"), ("fulfillment_status", "allocated"), ("q", "an")]
plain("GET /admin/orders", query=[*LISTED, ("sort", "newest"), *LIMITED])


@example("GET /admin/fulfillments")
async def _(world: World) -> dict[str, Any]:
    query = [("status", "allocated"), ("warehouse_id", world.goods["warehouse_0"]), ("q", "SP"), ("sort", "oldest")]
    return {"query": [*query, ("limit", "5")]}


@example("GET /admin/stock")
async def _(world: World) -> dict[str, Any]:
    query = [("sku", "GN-1"), ("variant_id", world.goods["variant"]), ("warehouse_id", world.goods["warehouse_0"])]
    return {"query": [*query, ("limit", "5")]}


@example("GET /admin/stock/{variant_id}/movements")
async def _(world: World) -> dict[str, Any]:
    query = [("warehouse_id", world.goods["warehouse_0"]), ("limit", "5")]
    return {"path": {"variant_id": world.goods["variant"]}, "query": query}


@example("GET /admin/prices")
async def _(world: World) -> dict[str, Any]:
    return {"query": [("variant_id", world.goods["variant"]), ("market", "VN"), ("list", "sale"), ("limit", "5")]}


@example("GET /admin/prices/{variant_id}/history")
async def _(world: World) -> dict[str, Any]:
    return {"path": {"variant_id": world.goods["variant"]}, "query": [("market", "VN"), ("limit", "5")]}


@example("GET /admin/payments")
async def _(world: World) -> dict[str, Any]:
    return {"query": [("order_id", str(uuid4())), ("status", "pending"), ("limit", "5")]}


@example("GET /products/{key}")
async def _(world: World) -> dict[str, Any]:
    return {"path": {"key": world.goods["slug"]}, "query": [("market", "VN")]}


# --- what merchants write


@example("POST /admin/products")
async def _(world: World) -> dict[str, Any]:
    colour = {"code": "colour", "label": {"vi": "Màu"}, "values": [{"code": "red", "label": {"vi": "Đỏ"}}]}
    colour["values"][0]["swatch"] = "#ff0000"
    made = draft(options=[colour], media=[{"url": world.picture, "alt": {"vi": "Ghế"}}], categories=["do-dac"])
    variant = made["variants"][0]
    variant |= {"options": {"colour": "red"}, "barcode": "8935000000000", "size_mm": [1, 2, 3], "max_quantity": 5}
    variant["media"] = [0]
    made["slugs"] = {"vi": f"ghe-{uuid4().hex}"}
    return {"body": made}


@example("GET /admin/products/{product_id}")
async def _(world: World) -> dict[str, Any]:
    return {"path": {"product_id": world.goods["product"]}}


@example("PATCH /admin/products/{product_id}")
async def _(world: World) -> dict[str, Any]:
    made = await world.call("POST", "/admin/products", draft())
    return {"path": {"product_id": made["id"]}, "body": {"version": made["version"], "product": made["product"]}}


@example("POST /admin/categories")
async def _(world: World) -> dict[str, Any]:
    body = {"slug": f"c-{uuid4().hex}", "name": {"vi": "Mới"}, "description": {"vi": "Hay"}, "parent": "do-dac"}
    return {"body": {**body, "position": 3, "media": {"url": world.picture, "alt": {"vi": "Ảnh"}}}}


@example("POST /admin/product-types")
async def _(world: World) -> dict[str, Any]:
    choices = [{"code": "go", "label": {"vi": "Gỗ"}}]
    material = {"code": "material", "label": {"vi": "Chất liệu"}, "kind": "choice", "choices": choices}
    size = {"code": "size", "label": {"vi": "Cỡ"}, "kind": "number", "unit": {"vi": "cm"}, "filterable": True}
    attributes = [material, {**size, "required": False}]
    return {"body": {"code": f"t{uuid4().hex[:20]}", "name": {"vi": "Loại"}, "attributes": attributes}}


@example("POST /admin/stock/adjustments")
async def _(world: World) -> dict[str, Any]:
    body = {"variant_id": world.goods["variant"], "warehouse_id": world.goods["warehouse_0"], "change": 1}
    return {"body": {**body, "reason": "đếm lại"}}


@example("PUT /admin/stock/limits")
async def _(world: World) -> dict[str, Any]:
    body = {"variant_id": world.goods["variant"], "warehouse_id": world.goods["warehouse_0"], "safety": 1}
    return {"body": {**body, "threshold": 2}}


@example("POST /admin/warehouses")
async def _(world: World) -> dict[str, Any]:
    return {"body": {**warehouse(), "active": False}}


@example("PATCH /admin/warehouses/{warehouse_id}")
async def _(world: World) -> dict[str, Any]:
    made = await world.call("POST", "/admin/warehouses", {**warehouse(), "active": False})
    body = {name: value for name, value in warehouse().items() if name != "code"}
    return {"path": {"warehouse_id": made["id"]}, "body": {**body, "active": False}}


def zone(code: str) -> dict[str, Any]:
    wards = [{"province_code": "79", "ward_code": "26743"}]
    body = {"code": code, "market": "VN", "currency": "VND", "name": "Vùng", "everywhere": False, "provinces": ["01"]}
    return {**body, "wards": wards, "priority": 900, "surcharge": 0, "active": False}


@example("POST /admin/shipping/zones")
async def _(world: World) -> dict[str, Any]:
    return {"body": zone(f"z-{uuid4().hex[:20]}")}


@example("PUT /admin/shipping/zones/{code}")
async def _(world: World) -> dict[str, Any]:
    made = await world.call("POST", "/admin/shipping/zones", zone(f"z-{uuid4().hex[:20]}"))
    body = {name: value for name, value in zone("").items() if name not in ("code", "market", "currency")}
    return {"path": {"code": made["code"]}, "body": {**body, "version": made["version"]}}


@example("PUT /admin/shipping/zones/{code}/rates/{service}")
async def _(world: World) -> dict[str, Any]:
    made = await world.call("POST", "/admin/shipping/zones", zone(f"z-{uuid4().hex[:20]}"))
    body = {
        "bands": [{"from_value": 0, "up_to_grams": 5000, "price": 12000}],
        "first_days": 1,
        "last_days": 2,
        "cutoff": "15:00:00",
        "cod_fee": 0,
        "cod_limit": 1_000_000,
        "active": True,
        "version": made["version"],
    }
    return {"path": {"code": made["code"], "service": "standard"}, "body": body}


@example("PUT /admin/shipping/services/{code}")
async def _(world: World) -> dict[str, Any]:
    body = {"carrier": "sampan", "name": {"vi": "Thong thả", "en": "Leisurely"}, "weekdays": [1, 3], "active": False}
    return {"path": {"code": f"s{uuid4().hex[:12]}"}, "body": body}


plain("PUT /admin/shipping/holidays/{day}", path={"day": "2031-02-05"}, body={"name": "Tết", "source": "Nghị định"})


@example("DELETE /admin/shipping/holidays/{day}")
async def _(world: World) -> dict[str, Any]:
    await world.call("PUT", "/admin/shipping/holidays/2031-02-06", {"name": "Tết", "source": "Nghị định"})
    return {"path": {"day": "2031-02-06"}}


@example("POST /admin/prices")
async def _(world: World) -> dict[str, Any]:
    made = await world.call("POST", "/admin/products", draft())
    return {"body": {"prices": [{"variant_id": made["variants"][0], "market": "VN", "amount": 90_000}]}}


def price_list() -> dict[str, Any]:
    body = {"market": "VN", "code": f"l-{uuid4().hex[:20]}", "name": "Hè", "type": "sale", "priority": 3}
    return {**body, "status": "draft", "starts_at": "2031-01-01T00:00:00Z", "ends_at": "2031-02-01T00:00:00Z"}


@example("POST /admin/price-lists")
async def _(world: World) -> dict[str, Any]:
    return {"body": price_list()}


@example("PATCH /admin/price-lists/{market}/{code}")
async def _(world: World) -> dict[str, Any]:
    made = await world.call("POST", "/admin/price-lists", price_list())
    body = {name: value for name, value in price_list().items() if name not in ("market", "code", "type")}
    return {"path": {"market": "VN", "code": made["code"]}, "body": body}


TAX = {"market": "VN", "tax_class": "luxury", "treatment": "taxed", "basis_points": 1000, "source": "Luật"}
plain("POST /admin/tax-rates", body={**TAX, "effective_from": "2031-01-01", "effective_to": "2031-12-31"})


# --- carts


@example("POST /carts")
async def _(world: World) -> dict[str, Any]:
    return {"body": {"market": "VN"}}


def of_cart(name: str, *, ready: bool = False, **parts: Any) -> None:
    async def make(world: World) -> dict[str, Any]:
        cart = await world.cart(ready=ready)
        return {"path": {"cart_id": cart.id}, "headers": cart.headers, **parts}

    example(name)(make)


of_cart("GET /carts/{cart_id}")
of_cart("PUT /carts/{cart_id}/contact", body=contact())
of_cart("PUT /carts/{cart_id}/shipping-address", body=address())
of_cart("GET /carts/{cart_id}/shipping-options", ready=True)
of_cart("GET /carts/{cart_id}/payment-methods", ready=True)


@example("POST /carts/{cart_id}/lines")
async def _(world: World) -> dict[str, Any]:
    cart = await world.cart()
    body = {"variant_id": world.goods["variant"], "quantity": 1}
    return {"path": {"cart_id": cart.id}, "headers": cart.headers, "body": body}


@example("PATCH /carts/{cart_id}/lines/{line_id}")
async def _(world: World) -> dict[str, Any]:
    cart = await world.cart()
    path = {"cart_id": cart.id, "line_id": cart.body["lines"][0]["id"]}
    return {"path": path, "headers": cart.headers, "body": {"quantity": 3}}


@example("DELETE /carts/{cart_id}/lines/{line_id}")
async def _(world: World) -> dict[str, Any]:
    cart = await world.cart()
    return {"path": {"cart_id": cart.id, "line_id": cart.body["lines"][0]["id"]}, "headers": cart.headers}


@example("PUT /carts/{cart_id}/shipping-option")
async def _(world: World) -> dict[str, Any]:
    cart = await world.cart(ready=True)
    body = {"id": cart.body["shipping_option"]["id"]}
    return {"path": {"cart_id": cart.id}, "headers": cart.headers, "body": body}


@example("POST /carts/{cart_id}/checkout")
async def _(world: World) -> dict[str, Any]:
    cart = await world.cart(ready=True)
    body = {"payment_method": "cod", "expected_total": cart.body["totals"]["total"], "return_url": "/orders/last"}
    return {"path": {"cart_id": cart.id}, "headers": cart.headers, "body": body}


# --- orders


def of_order(name: str, *, staff: bool = False, **parts: Any) -> None:
    async def make(world: World) -> dict[str, Any]:
        order = await world.order()
        return {"path": {"order_id": order.id}, "headers": {} if staff else order.headers, **parts}

    example(name)(make)


of_order("GET /orders/{order_id}")
of_order("POST /orders/{order_id}/cancel", body={"reason": "đổi ý"})
of_order("POST /orders/{order_id}/reorder")
of_order("GET /admin/orders/{order_id}", staff=True)
of_order("POST /admin/orders/{order_id}/cancel", staff=True, body={"reason": "hết hàng"})
of_order("POST /admin/orders/{order_id}/notes", staff=True, body={"text": "khách quen"})
of_order("POST /admin/orders/{order_id}/confirm", staff=True)


@example("POST /orders/lookup")
async def _(world: World) -> dict[str, Any]:
    order = await world.order()
    return {"body": {"number": order.body["number"], "phone": world.person["phone"]}}


@example("POST /orders/{order_id}/payments")
async def _(world: World) -> dict[str, Any]:
    order = await world.order("vnpay")
    told = world.notice(order, response_code="24", transaction_status="02")
    await world.call("GET", f"/payments/vnpay/ipn?{told}")
    await world.shop.settle()
    body = {"payment_method": "vnpay", "return_url": f"/orders/{order.id}"}
    return {"path": {"order_id": order.id}, "headers": order.headers, "body": body}


@example("POST /admin/orders/{order_id}/refunds")
async def _(world: World) -> dict[str, Any]:
    order = await world.delivered()
    lines = [{"line_id": order.body["lines"][0]["id"], "quantity": 1}]
    body = {"reason": "vỡ", "lines": lines, "shipping": {"amount": 1, "currency": "VND"}}
    return {"path": {"order_id": order.id}, "body": body}


# --- payments


@example("GET /payments/vnpay/ipn")
async def _(world: World) -> dict[str, Any]:
    from urllib.parse import parse_qsl

    return {"query": parse_qsl(world.notice(await world.order("vnpay")), keep_blank_values=True)}


@example("POST /admin/payments/review/{fact_id}")
async def _(world: World) -> dict[str, Any]:
    order = await world.order("vnpay")
    await world.call("GET", f"/payments/vnpay/ipn?{world.notice(order, tmn_code='OTHERONE')}")
    held = (await world.call("GET", "/admin/payments/review?limit=100"))["items"]
    return {"path": {"fact_id": held[-1]["id"]}, "body": {"decision": "dismissed", "note": "không phải của ta"}}


@example("POST /admin/payments/payouts/{refund_id}/settle")
async def _(world: World) -> dict[str, Any]:
    order = await world.delivered()
    lines = [{"line_id": order.body["lines"][0]["id"], "quantity": 1}]
    await world.call("POST", f"/admin/orders/{order.id}/refunds", {"reason": "vỡ", "lines": lines})
    await world.shop.settle()
    due = (await world.call("GET", "/admin/payments/payouts?limit=100"))["items"]
    [payout] = [item for item in due if item["order_id"] == order.id]
    return {"path": {"refund_id": payout["id"]}, "body": {"reference": "FT1"}}


# --- the warehouse


def of_work(step: str, *before: str, **parts: Any) -> None:
    async def make(world: World) -> dict[str, Any]:
        work = await world.work_order(*before)
        return {"path": {"work_order_id": work.id}, **parts}

    example(f"POST /admin/fulfillments/{{work_order_id}}/{step}")(make)


of_work("ship", "pick", "pack")
of_work("pack", "pick", body={"grams": 500})
of_work("deliver", "pick", "pack", "ship")
of_work("fail", "pick", "pack", "ship", body={"reason": "không ai ở nhà"})
of_work("return", "pick", "pack", "ship", "fail")


@example("POST /admin/fulfillments/{work_order_id}/pick")
async def _(world: World) -> dict[str, Any]:
    work = await world.work_order()
    lines = [{"variant_id": world.goods["variant"], "quantity": 2}]
    return {"path": {"work_order_id": work.id}, "body": {"lines": lines}}


@example("POST /admin/fulfillments/{work_order_id}/receive")
async def _(world: World) -> dict[str, Any]:
    work = await world.work_order("pick", "pack", "ship", "fail", "return")
    lines = [{"variant_id": world.goods["variant"], "quantity": 2}]
    return {"path": {"work_order_id": work.id}, "body": {"lines": lines, "sellable": True}}


@example("GET /admin/fulfillments/{work_order_id}")
async def _(world: World) -> dict[str, Any]:
    return {"path": {"work_order_id": (await world.work_order()).id}}


@example("GET /admin/shipments/{shipment_id}/label")
async def _(world: World) -> dict[str, Any]:
    work = await world.work_order("pick", "pack", "ship")
    return {"path": {"shipment_id": work.body["shipment_id"]}}


def missing() -> set[str]:
    """Operations without an example, and examples without an operation."""
    return OPERATIONS.keys() ^ World.makers.keys()


# --- products as tables

TABLE = "handle,sku,name_vi,name_en\r\nghe-bang,GB-1,Ghế trong bảng,A stool in a table\r\n".encode()
plain("GET /admin/products/export", query=[("separator", "semicolon")])


@example("POST /admin/products/import")
async def _(world: World) -> dict[str, Any]:
    await world.shop.live["catalog"].work_imports()  # those of former requests
    return {"content": TABLE, "media": "text/csv", "query": [("dry_run", "true")]}


async def imported(world: World) -> str:
    made = await world.ask(await world.example(f"POST {V1}/admin/products/import"))
    found: str = made.json()["id"]
    return found


@example("GET /admin/products/imports/{import_id}")
async def _(world: World) -> dict[str, Any]:
    return {"path": {"import_id": await imported(world)}}


@example("GET /admin/products/imports/{import_id}/products")
async def _(world: World) -> dict[str, Any]:
    return {"path": {"import_id": await imported(world)}, "query": [("outcome", "created"), ("limit", "5")]}
