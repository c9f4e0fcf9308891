"""Orders, the part of it that is about carts."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table
from tests.orders.conftest import ADDRESS, CONTACT, IP, vnd

from sampan.kernel.context import Actor
from sampan.kernel.errors import Invalid, NotFound
from sampan.services.catalog.contract import UnknownVariant
from sampan.services.locations.contract import UnknownPlace
from sampan.services.orders.contract import (
    Cart,
    CartClosed,
    CartIncomplete,
    Checkout,
    Contact,
    Order,
    Orders,
)
from sampan.services.pricing.contract import NotPriced, UnknownMarket
from sampan.services.shipping.contract import NotDeliverable

table = Table(Orders)
TOUCHED = {"orders.cart": ("version", "expires_at")}  # every change prolongs a cart


def without_time(cart: Cart) -> Cart:
    return msgspec.structs.replace(cart, expires_at=datetime.min)


CHANGES: dict[str, Any] = {"moves": TOUCHED, "same": without_time}
MAKES: dict[str, Any] = {
    "makes": ("orders.cart", "orders.cart_line"),
    "same": lambda cart: [(line.variant_id, line.quantity) for line in cart.lines],
}


def of(stage: Stage, cart: Cart, **more: Any) -> dict[str, Any]:
    """What every call about a cart has."""
    return {"actor": stage.stall.holder(cart), "cart_id": cart.id, "language": "vi", **more}


def about(stage: Stage, order: Order, **more: Any) -> dict[str, Any]:
    """What every call about an order has."""
    return {"actor": stage.stall.owner(order), "order_id": order.id, "language": "vi", **more}


NOBODYS: dict[str, Any] = {"actor": Actor(cart_token="x" * 43, order_token="x" * 43), "language": "vi"}


async def cart(stage: Stage, quantity: int = 1) -> Cart:
    return await stage.stall.cart((await stage.variant(most=5), quantity))


async def ordered(stage: Stage) -> Cart:
    """A cart that became an order."""
    ready = await stage.stall.ready()
    await stage.stall.checkout(ready)
    return ready


# --- carts ----------------------------------------------------------------------------------------------------------


@table.answers("create_cart", **MAKES)
async def a_new_one_with_its_token(stage: Stage) -> Call:
    return Call({"market": "VN", "language": "vi"}, lambda made: len(made.token) == 43 and not made.lines)


@table.refuses("create_cart", UnknownMarket)
async def in_a_market_that_is_none(stage: Stage) -> Call:
    return Call({"market": "XX", "language": "vi"}, facts={"market": "XX"})


@table.answers("find_cart")
async def for_whoever_holds_it(stage: Stage) -> Call:
    made = await cart(stage)
    return Call(of(stage, made), lambda found: found.lines[0].quantity == 1 and found.token is None)


@table.answers("add_line", **CHANGES)
async def so_many_more(stage: Stage) -> Call:
    made = await cart(stage, 2)
    given = of(stage, made, variant_id=made.lines[0].variant_id, quantity=3, key=uuid4().hex)
    return Call(given, lambda after: [line.quantity for line in after.lines] == [5])


@table.answers("add_line", **CHANGES)
async def something_new(stage: Stage) -> Call:
    given = of(stage, await cart(stage), variant_id=await stage.variant(), quantity=3, key=uuid4().hex)
    return Call(given, lambda after: [line.quantity for line in after.lines] == [1, 3])


@table.refuses("add_line", Invalid)
async def more_than_is_allowed(stage: Stage) -> Call:
    made = await cart(stage)
    return Call(of(stage, made, variant_id=made.lines[0].variant_id, quantity=5))


@table.refuses("add_line", UnknownVariant)
async def what_nobody_sells(stage: Stage) -> Call:
    unknown = uuid4()
    return Call(of(stage, await cart(stage), variant_id=unknown, quantity=1), facts={"variants": [unknown]})


@table.refuses("add_line", NotPriced)
async def what_has_no_price(stage: Stage) -> Call:
    variant = await stage.variant(price=None)
    return Call(of(stage, await cart(stage), variant_id=variant, quantity=1), facts={"variants": [variant]})


@table.answers("change_line", **CHANGES)
async def so_many_from_now_on(stage: Stage) -> Call:
    made = await cart(stage)
    given = of(stage, made, line_id=made.lines[0].id, quantity=3)
    return Call(given, lambda after: after.lines[0].quantity == 3)


@table.refuses("change_line", Invalid)
async def more_of_it_than_is_allowed(stage: Stage) -> Call:
    made = await cart(stage)
    return Call(of(stage, made, line_id=made.lines[0].id, quantity=6))


@table.refuses("change_line", UnknownVariant)
async def more_of_what_is_not_sold_any_more(stage: Stage) -> Call:
    made = await cart(stage)
    await stage.stall.withdraw(made.lines[0].variant_id)
    return Call(of(stage, made, line_id=made.lines[0].id, quantity=3))


@table.refuses("change_line", NotPriced)
async def more_of_what_has_no_price_any_more(stage: Stage) -> Call:
    made = await cart(stage)
    await stage.stall.reprice(made.lines[0].variant_id, None)
    return Call(of(stage, made, line_id=made.lines[0].id, quantity=3))


@table.answers("remove_line", **CHANGES)
async def a_line_is_taken_out(stage: Stage) -> Call:
    made = await cart(stage)
    return Call(of(stage, made, line_id=made.lines[0].id), lambda after: after.lines == [])


@table.answers("set_contact", **CHANGES)
async def who_orders(stage: Stage) -> Call:
    given = of(stage, await cart(stage), contact=CONTACT)
    return Call(given, lambda after: after.contact.phone == "+84912345678")


@table.refuses("set_contact", Invalid)
async def somebody_without_a_telephone(stage: Stage) -> Call:
    return Call(of(stage, await cart(stage), contact=Contact("Đào", "19001234")))


@table.answers("set_shipping_address", **CHANGES)
async def where_to(stage: Stage) -> Call:
    given = of(stage, await cart(stage), address=ADDRESS)
    return Call(given, lambda after: after.shipping_address.ward_code == "26743")


@table.refuses("set_shipping_address", UnknownPlace)
async def to_a_ward_of_another_province(stage: Stage) -> Call:
    address = msgspec.structs.replace(ADDRESS, province_code="01")
    return Call(of(stage, await cart(stage), address=address))


@table.refuses("set_shipping_address", Invalid)
async def to_somebody_without_a_telephone(stage: Stage) -> Call:
    return Call(of(stage, await cart(stage), address=msgspec.structs.replace(ADDRESS, phone="19001234")))


@table.answers("find_shipping_options")
async def the_ways_to_deliver_it(stage: Stage) -> Call:
    return Call(of(stage, await stage.stall.ready()), lambda found: len(found) > 1)


@table.answers("set_shipping_option", **CHANGES)
async def how_it_travels(stage: Stage) -> Call:
    ready = await stage.stall.ready()
    options = await stage.stall.orders.find_shipping_options(**of(stage, ready))
    given = of(stage, ready, option_id=options[1].id)
    return Call(given, lambda after: after.shipping_option.id == options[1].id)


@table.refuses("set_shipping_option", CartIncomplete)
async def of_a_cart_that_goes_nowhere(stage: Stage) -> Call:
    return Call(
        of(stage, await cart(stage), option_id="hcm-standard"),
        facts={"problems": [{"code": "missing_address", "detail": "", "line_id": None}]},
    )


@table.refuses("set_shipping_option", NotDeliverable)
async def in_a_way_that_is_not_offered(stage: Stage) -> Call:
    return Call(of(stage, await stage.stall.ready(), option_id="by-balloon"))


@table.answers("find_payment_methods")
async def the_ways_to_pay_for_it(stage: Stage) -> Call:
    return Call(of(stage, await stage.stall.ready()), lambda found: {m.code for m in found} == {"cod", "vnpay"})


CART_CALLS: dict[str, dict[str, Any]] = {
    "find_cart": {},
    "add_line": {"variant_id": uuid4(), "quantity": 1},
    "change_line": {"line_id": uuid4(), "quantity": 1},
    "remove_line": {"line_id": uuid4()},
    "set_contact": {"contact": CONTACT},
    "set_shipping_address": {"address": ADDRESS},
    "find_shipping_options": {},
    "set_shipping_option": {"option_id": "hcm-standard"},
    "find_payment_methods": {},
    "find_order_of_cart": {},
    "checkout": {"checkout": Checkout("cod", vnd(1)), "client_ip": IP},
}
CLOSES = ("add_line", "change_line", "remove_line", "set_contact", "set_shipping_address", "set_shipping_option")


def refusals_of_a_cart(method: str, more: dict[str, Any]) -> None:
    """Foreign and missing carts look the same; one that became an order takes no changes."""

    @table.refuses(method, NotFound)
    async def of_a_foreign_cart(stage: Stage) -> Call:
        return Call({**NOBODYS, "cart_id": (await cart(stage)).id, **more})

    if method in CLOSES:

        @table.refuses(method, CartClosed)
        async def of_a_cart_that_was_ordered(stage: Stage) -> Call:
            return Call(of(stage, await ordered(stage), **more), facts={"reason": "ordered"})


for name, more in CART_CALLS.items():
    refusals_of_a_cart(name, more)
