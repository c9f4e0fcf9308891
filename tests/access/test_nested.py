"""Ids of others where they are easily overlooked: below one's own, in bodies, in lists."""

from uuid import uuid4

from tests.access.actors import Actors, Victim
from tests.world import NOTHING, Example, World, draft


async def refused(world: World, example: Example) -> int:
    reply = await world.ask(example.copy(headers={**example.headers, "idempotency-key": uuid4().hex}))
    assert 400 <= reply.status < 500, reply.text
    return reply.status


async def test_a_line_of_another_cart_below_the_own_one(world: World, actors: Actors, victim: Victim) -> None:
    template = "/api/v1/carts/{cart_id}/lines/{line_id}"
    path = {"cart_id": actors.cart.id, "line_id": victim.cart_line}
    example = Example("PATCH", template, path=path, headers=actors.cart.headers, body={"quantity": 1})
    assert await refused(world, example) == 404
    deleted = await world.ask(example.copy(method="DELETE", body=NOTHING))
    assert deleted.status == 200  # what is not in the cart is out already
    assert victim.cart_line not in deleted.text
    kept = await world.call("GET", f"/carts/{victim.cart.id}", headers=victim.cart.headers)
    assert [line["id"] for line in kept["lines"]] == [victim.cart_line]


async def test_a_line_of_another_order_is_not_refunded(world: World, victim: Victim) -> None:
    own = await world.delivered()
    path = {"order_id": own.id}
    for line in (victim.order_line, victim.cart_line, str(uuid4())):
        lines = [{"line_id": own.body["lines"][0]["id"], "quantity": 1}, {"line_id": line, "quantity": 1}]
        body = {"reason": "vỡ", "lines": lines}
        example = Example("POST", "/api/v1/admin/orders/{order_id}/refunds", path, headers=world.staff, body=body)
        await refused(world, example)
    seen = await world.call("GET", f"/admin/orders/{own.id}")
    assert [line["refunded"] for line in seen["lines"]] == [0]


async def test_a_variant_of_another_product_is_not_taken_over(world: World) -> None:
    mine, other = [await world.call("POST", "/admin/products", draft()) for _ in range(2)]
    product = mine["product"]
    product["variants"] = [{**product["variants"][0], "id": other["variants"][0]}]
    body = {"version": mine["version"], "product": product}
    path = {"product_id": mine["id"]}
    example = Example("PATCH", "/api/v1/admin/products/{product_id}", path, headers=world.staff, body=body)
    await refused(world, example)
    assert (await world.call("GET", f"/admin/products/{other['id']}"))["variants"] == other["variants"]


async def test_a_work_order_takes_only_its_own_goods(world: World) -> None:
    work = await world.work_order()
    body = {"lines": [{"variant_id": str(uuid4()), "quantity": 1}]}
    template = "/api/v1/admin/fulfillments/{work_order_id}/pick"
    await refused(world, Example("POST", template, {"work_order_id": work.id}, headers=world.staff, body=body))


async def test_a_delivery_option_of_another_place_is_not_chosen(world: World) -> None:
    cart = await world.cart(ready=True)
    template = "/api/v1/carts/{cart_id}/shipping-option"
    for option in ("hn-express", "nowhere-standard", "hcm-standard\n", "HCM-STANDARD", "../hcm-standard"):
        example = Example("PUT", template, {"cart_id": cart.id}, headers=cart.headers, body={"id": option})
        await refused(world, example)


async def test_a_cart_opens_no_order_and_an_order_no_cart(world: World, victim: Victim) -> None:
    """The cart of an order shows no more than a cart, and its secret does not open the order."""
    order = await world.order()
    template = "/api/v1/orders/{order_id}"
    for headers in (order.cart.headers, {"x-order-token": order.cart.headers["x-cart-token"]}):
        assert await refused(world, Example("GET", template, {"order_id": order.id}, headers=headers)) == 404
    example = Example("GET", "/api/v1/carts/{cart_id}", {"cart_id": order.cart.id}, headers=order.headers)
    assert await refused(world, example) == 404
    for path in ({"order_id": victim.order.id}, {"order_id": order.cart.id}):
        assert await refused(world, Example("GET", template, path, headers=order.headers)) == 404
