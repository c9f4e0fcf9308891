"""What people do in the shop, from the first look to the last mail, in both shapes."""

import asyncio


async def test_cash_on_delivery_from_the_cart_to_the_door(merchant, shopper):
    product = await merchant.product(stock=10)
    await shopper.fill(product, quantity=2)
    placed = await shopper.checkout("cod")
    assert placed["payment"]["action"]["kind"] == "none"
    order = placed["order"]
    assert (order["status"], order["payment_status"]) == ("placed", "cod_due")
    assert order["totals"]["total"]["amount"] == 2 * product["price"] + order["totals"]["shipping"]["amount"]
    assert await merchant.available(product["variant_id"]) == 8
    work = await merchant.work_order(order["id"])
    for step, status in (("pick", "picking"), ("pack", "packed"), ("ship", "shipped"), ("deliver", "delivered")):
        await merchant.step(work["id"], step)
        await shopper.see_until(fulfillment_status=status)
    order = await shopper.see_until(status="completed", payment_status="cod_collected")
    assert order["shipments"][0]["status"] == "delivered"
    assert {"placed", "shipped", "delivered"} <= {entry["code"] for entry in order["timeline"]}


async def test_vnpay_from_the_cart_to_the_door(merchant, shopper):
    product = await merchant.product()
    await shopper.fill(product)
    placed = await shopper.checkout("vnpay")
    assert placed["payment"]["action"]["kind"] == "redirect"
    assert placed["order"]["status"] == "pending"
    back = await shopper.at_vnpay(placed["payment"]["action"]["url"], "pay")
    assert back.status_code == 303
    order = await shopper.see_until(status="placed", payment_status="paid")
    work = await merchant.work_order(order["id"])
    for step in ("pick", "pack", "ship", "deliver"):
        await merchant.step(work["id"], step)
    await shopper.see_until(status="completed", payment_status="paid", fulfillment_status="delivered")


async def test_a_declined_card_then_cash(merchant, shopper):
    product = await merchant.product()
    await shopper.fill(product)
    placed = await shopper.checkout("vnpay")
    await shopper.at_vnpay(placed["payment"]["action"]["url"], "insufficient")
    order = await shopper.see_until(payment_status="failed")
    assert "pay" in order["actions"]
    again = await shopper.call(
        "POST",
        f"/orders/{order['id']}/payments",
        {"payment_method": "cod"},
        status=201,
        **{"idempotency-key": f"again-{order['id']}"},
    )
    assert again["order"]["status"] == "placed"
    await shopper.see_until(status="placed", payment_status="cod_due")


async def test_a_checkout_whose_answer_was_lost_is_answered_the_same_way_again(merchant, shopper):
    product = await merchant.product(stock=5)
    await shopper.fill(product)
    once = {"idempotency-key": f"once-{shopper.cart['id']}"}
    first = await shopper.try_checkout("cod", **once)
    again = await shopper.try_checkout("cod", **once)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json()["order"]["token"]
    assert await merchant.available(product["variant_id"]) == 3


async def test_cancelled_before_shipping_and_refunded(merchant, shopper):
    product = await merchant.product(stock=5)
    await shopper.fill(product, quantity=3)
    placed = await shopper.checkout("vnpay")
    await shopper.at_vnpay(placed["payment"]["action"]["url"], "pay")
    order = await shopper.see_until(status="placed")
    assert await merchant.available(product["variant_id"]) == 2
    await shopper.call("POST", f"/orders/{order['id']}/cancel", {"reason": "changed my mind"})
    await shopper.see_until(status="cancelled", payment_status="refunded")
    assert await merchant.available(product["variant_id"]) == 5


async def test_delivery_failed_and_goods_back_in_stock(merchant, shopper):
    product = await merchant.product(stock=4)
    await shopper.fill(product, quantity=1)
    order = (await shopper.checkout("cod"))["order"]
    work = await merchant.work_order(order["id"])
    for step in ("pick", "pack", "ship"):
        await merchant.step(work["id"], step)
    await merchant.step(work["id"], "fail", {"reason": "nobody at home"})
    await shopper.see_until(fulfillment_status="delivery_failed")
    await merchant.step(work["id"], "return")
    await merchant.step(work["id"], "receive", {"sellable": True})
    await shopper.see_until(fulfillment_status="returned", status="cancelled")
    assert await merchant.available(product["variant_id"]) == 4


async def lost_on_the_way(merchant, shopper, order):
    """The parcel leaves and is never seen again."""
    work = await merchant.work_order(order["id"])
    for step in ("pick", "pack", "ship"):
        await merchant.step(work["id"], step)
    await merchant.step(work["id"], "fail", {"reason": "lost by the carrier"})
    await merchant.step(work["id"], "return")
    nothing = [{"variant_id": line["variant_id"], "quantity": 0} for line in work["lines"]]
    await merchant.step(work["id"], "receive", {"lines": nothing})
    order = await shopper.see_until(fulfillment_status="returned")
    assert order["shipments"][0]["status"] == "lost"


async def test_a_lost_parcel_is_not_paid_at_the_door_and_its_goods_are_gone(merchant, shopper):
    product = await merchant.product(stock=4)
    await shopper.fill(product, quantity=1)
    await lost_on_the_way(merchant, shopper, (await shopper.checkout("cod"))["order"])
    await shopper.see_until(status="cancelled")
    assert await merchant.available(product["variant_id"]) == 3


async def test_a_lost_parcel_that_was_paid_waits_for_the_money_to_go_back(merchant, shopper):
    product = await merchant.product(stock=4)
    await shopper.fill(product, quantity=1)
    placed = await shopper.checkout("vnpay")
    await shopper.at_vnpay(placed["payment"]["action"]["url"], "pay")
    order = await shopper.see_until(status="placed", payment_status="paid")
    await lost_on_the_way(merchant, shopper, order)
    lines = [{"line_id": line["id"], "quantity": line["quantity"]} for line in order["lines"]]
    refund = {"lines": lines, "shipping": True, "reason": "lost by the carrier"}
    await merchant.call("POST", f"/admin/orders/{order['id']}/refunds", refund)
    await shopper.see_until(status="cancelled", payment_status="refunded")
    assert await merchant.available(product["variant_id"]) == 3


async def test_the_last_unit_is_sold_once(merchant, rivals):
    product = await merchant.product(stock=1)
    for rival in rivals:
        await rival.fill(product, quantity=1)
    answers = await asyncio.gather(*(rival.try_checkout("cod") for rival in rivals))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"inventory.out_of_stock"}


async def test_a_stranger_sees_neither_cart_nor_order(merchant, shopper, http):
    product = await merchant.product()
    await shopper.fill(product)
    order = (await shopper.checkout("cod"))["order"]
    for path in (f"/carts/{shopper.cart['id']}", f"/orders/{order['id']}"):
        for headers in ({}, {"x-cart-token": "x" * 43, "x-order-token": "x" * 43}):
            assert (await http.get(f"/api/v1{path}", headers=headers)).status_code == 404
    found = await http.post("/api/v1/orders/lookup", json={"number": order["number"], "phone": "0912345678"})
    assert found.json()["id"] == order["id"]
    wrong = await http.post("/api/v1/orders/lookup", json={"number": order["number"], "phone": "0912345679"})
    assert wrong.status_code == 404


async def test_a_product_is_found_without_accents(merchant, http):
    product = await merchant.product()
    for _ in range(100):
        found = (await http.get("/api/v1/search", params={"q": product["sku"]})).json()
        if found["total"]:
            break
        await asyncio.sleep(0.1)
    assert found["items"][0]["slug"] == product["slug"]
    assert (await http.get("/api/v1/products", params={"q": "ghe nhua"})).json()["total"] >= 1
