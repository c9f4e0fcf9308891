"""The public API of carts and orders, and what staff do with orders."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.context import Actor
from sampan.kernel.errors import NotFound
from sampan.kernel.http import Request, Routes, cart_holder, order_holder, public, staff
from sampan.kernel.limits import Limit
from sampan.kernel.money import Money
from sampan.kernel.pagination import Page
from sampan.services.catalog.contract import UnknownVariant
from sampan.services.inventory.contract import OutOfStock
from sampan.services.locations.contract import UnknownPlace
from sampan.services.orders.actions.orders_actions import OrdersActions
from sampan.services.orders.contract import (
    Cart,
    CartClosed,
    CartIncomplete,
    Checkout,
    Code,
    Contact,
    GrantedRefund,
    Methods,
    NotCancellable,
    NotConfirmable,
    NotPayable,
    NotRefundable,
    Order,
    OrderFilter,
    OrderSummary,
    Placed,
    Quantity,
    QuoteChanged,
    RefundLine,
    ShippingAddress,
)
from sampan.services.payments.contract import MethodNotAvailable, RefundTooLarge, UnknownPayment
from sampan.services.pricing.contract import NotPriced, UnknownMarket
from sampan.services.shipping.contract import NotDeliverable, Option

routes = Routes()

MANY_CARTS = Limit(times=60, seconds=60)
CHECKOUTS = Limit(times=60, seconds=60)
PAYMENTS = Limit(times=20, seconds=60)  # against the testing of stolen cards
LOOKUPS = Limit(times=10, seconds=60)


class NewCart(Struct, frozen=True, forbid_unknown_fields=True):
    """`market` is where one shops; without it, Vietnam."""

    market: Code = "VN"


class NewLine(Struct, frozen=True, forbid_unknown_fields=True):
    variant_id: UUID
    quantity: Quantity


class NewQuantity(Struct, frozen=True, forbid_unknown_fields=True):
    quantity: Quantity


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """The id of an option as `shipping-options` lists it."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]


class Options(Struct, frozen=True):
    items: list[Option]


class Cancellation(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, in a few words."""

    reason: Annotated[str, Meta(max_length=200)] = ""


class NewPayment(Struct, frozen=True, forbid_unknown_fields=True):
    """`return_url`: where the payer comes back to, one of our own pages; in it `{order_id}` stands for the id of the
    order. Without it, `/orders/{order_id}`.
    """

    payment_method: Annotated[str, Meta(min_length=1, max_length=32)]
    return_url: Annotated[str, Meta(max_length=255)] | None = None


class Lookup(Struct, frozen=True, forbid_unknown_fields=True):
    """As they are on the confirmation; written in any usual way."""

    number: Annotated[str, Meta(min_length=1, max_length=32)]
    phone: Annotated[str, Meta(min_length=1, max_length=32)]


class Note(Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=1000)]


class NewRefund(Struct, frozen=True, forbid_unknown_fields=True):
    """Pieces of lines, and of shipping all that is left (true), nothing (false), or so much."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    lines: Annotated[list[RefundLine], Meta(max_length=100)] = []
    shipping: bool | Money = False


def key_of(actor: Actor, request: Request) -> str:
    """The key of a wish of one of the staff, apart from those of others; empty without one."""
    key = request.header("idempotency-key")
    return f"{actor.name}/{key}" if key else ""


# --- carts ----------------------------------------------------------------------------------------------------------


@routes.post("/carts", policy=public, status=201, limit=MANY_CARTS, errors=(UnknownMarket,), leads={"cart_id": "/id"})
async def create_cart(orders: OrdersActions, data: NewCart, language: str) -> Cart:
    """A new cart. Its token is shown this once; whoever holds it may use the cart."""
    return await orders.create_cart(market=data.market, language=language)


@routes.get("/carts/{cart_id}", policy=cart_holder)
async def find_cart(orders: OrdersActions, actor: Actor, cart_id: UUID, language: str) -> Cart:
    """A cart with what it costs and lacks right now."""
    return await orders.find_cart(actor=actor, cart_id=cart_id, language=language)


@routes.post(
    "/carts/{cart_id}/lines",
    policy=cart_holder,
    errors=(CartClosed, UnknownVariant, NotPriced),
    leads={"cart_id": "/id", "line_id": "/lines/0/id"},
)
async def add_line(
    orders: OrdersActions, actor: Actor, cart_id: UUID, data: NewLine, request: Request, language: str
) -> Cart:
    """Put so many of a variant into the cart; the same variant adds up."""
    return await orders.add_line(
        actor=actor,
        cart_id=cart_id,
        variant_id=data.variant_id,
        quantity=data.quantity,
        language=language,
        key=request.header("idempotency-key"),
    )


@routes.patch("/carts/{cart_id}/lines/{line_id}", policy=cart_holder, errors=(CartClosed, UnknownVariant, NotPriced))
async def change_line(
    orders: OrdersActions, actor: Actor, cart_id: UUID, line_id: UUID, data: NewQuantity, language: str
) -> Cart:
    """So many of this line from now on."""
    return await orders.change_line(
        actor=actor, cart_id=cart_id, line_id=line_id, quantity=data.quantity, language=language
    )


@routes.delete("/carts/{cart_id}/lines/{line_id}", policy=cart_holder, errors=(CartClosed,))
async def remove_line(orders: OrdersActions, actor: Actor, cart_id: UUID, line_id: UUID, language: str) -> Cart:
    """Take a line out."""
    return await orders.remove_line(actor=actor, cart_id=cart_id, line_id=line_id, language=language)


@routes.put("/carts/{cart_id}/contact", policy=cart_holder, errors=(CartClosed,))
async def set_contact(orders: OrdersActions, actor: Actor, cart_id: UUID, data: Contact, language: str) -> Cart:
    """Who orders."""
    return await orders.set_contact(actor=actor, cart_id=cart_id, contact=data, language=language)


@routes.put("/carts/{cart_id}/shipping-address", policy=cart_holder, errors=(CartClosed, UnknownPlace))
async def set_shipping_address(
    orders: OrdersActions, actor: Actor, cart_id: UUID, data: ShippingAddress, language: str
) -> Cart:
    """Where to. A way to deliver that is not offered there is forgotten."""
    return await orders.set_shipping_address(actor=actor, cart_id=cart_id, address=data, language=language)


@routes.get("/carts/{cart_id}/shipping-options", policy=cart_holder)
async def find_shipping_options(orders: OrdersActions, actor: Actor, cart_id: UUID, language: str) -> Options:
    """The ways to deliver, cheapest first; none before there is an address."""
    return Options(await orders.find_shipping_options(actor=actor, cart_id=cart_id, language=language))


@routes.put(
    "/carts/{cart_id}/shipping-option",
    policy=cart_holder,
    errors=(CartClosed, CartIncomplete, NotDeliverable),
    leads={"cart_id": "/id"},
)
async def set_shipping_option(orders: OrdersActions, actor: Actor, cart_id: UUID, data: Choice, language: str) -> Cart:
    """How it travels."""
    return await orders.set_shipping_option(actor=actor, cart_id=cart_id, option_id=data.id, language=language)


@routes.get("/carts/{cart_id}/payment-methods", policy=cart_holder)
async def find_payment_methods(orders: OrdersActions, actor: Actor, cart_id: UUID, language: str) -> Methods:
    """The ways to pay, and which of them are offered for this cart."""
    return Methods(await orders.find_payment_methods(actor=actor, cart_id=cart_id, language=language))


@routes.post(
    "/carts/{cart_id}/checkout",
    policy=cart_holder,
    status=201,
    idempotency="required",
    limit=CHECKOUTS,
    leads={"order_id": "/order/id"},
    errors=(CartClosed, CartIncomplete, QuoteChanged, OutOfStock, MethodNotAvailable, NotDeliverable),
)
async def checkout(
    orders: OrdersActions, actor: Actor, cart_id: UUID, data: Checkout, request: Request, language: str
) -> Placed:
    """Order the cart, exactly once, at the total that was seen."""
    return await orders.checkout(
        actor=actor, cart_id=cart_id, checkout=data, client_ip=request.client_ip, language=language
    )


# --- orders ---------------------------------------------------------------------------------------------------------


@routes.post("/orders/lookup", policy=public, idempotency="none", limit=LOOKUPS, errors=(NotFound,))
async def look_up(orders: OrdersActions, data: Lookup, language: str) -> Order:
    """An order by number and phone, for guests without their link. The refusal is always the same."""
    return await orders.find_by_number(number=data.number, phone=data.phone, language=language)


@routes.get("/orders/{order_id}", policy=order_holder)
async def find_order(orders: OrdersActions, actor: Actor, order_id: UUID, language: str) -> Order:
    """An order, for whoever holds its token."""
    return await orders.find_order(actor=actor, order_id=order_id, language=language)


@routes.post("/orders/{order_id}/cancel", policy=order_holder, errors=(NotCancellable,))
async def cancel_order(orders: OrdersActions, actor: Actor, order_id: UUID, data: Cancellation, language: str) -> Order:
    """Call an order off, before it leaves. What was paid goes back."""
    return await orders.cancel(actor=actor, order_id=order_id, reason=data.reason, language=language)


@routes.post(
    "/orders/{order_id}/payments",
    policy=order_holder,
    status=201,
    idempotency="required",
    limit=PAYMENTS,
    errors=(NotPayable, MethodNotAvailable, OutOfStock),
)
async def pay_order(
    orders: OrdersActions, actor: Actor, order_id: UUID, data: NewPayment, request: Request, language: str
) -> Placed:
    """A new attempt to pay an unpaid order."""
    return await orders.pay(
        actor=actor,
        order_id=order_id,
        payment_method=data.payment_method,
        return_url=data.return_url,
        client_ip=request.client_ip,
        language=language,
        key=request.header("idempotency-key"),
    )


@routes.post("/orders/{order_id}/reorder", policy=order_holder, status=201, limit=MANY_CARTS, leads={"cart_id": "/id"})
async def reorder(orders: OrdersActions, actor: Actor, order_id: UUID, language: str) -> Cart:
    """A new cart of what can still be bought of an order, with its token."""
    return await orders.reorder(actor=actor, order_id=order_id, language=language)


# --- staff ----------------------------------------------------------------------------------------------------------


@routes.get("/admin/orders", policy=staff("orders.read"), leads={"order_id": "/items/0/id"})
async def list_orders(orders: OrdersActions, actor: Actor, query: OrderFilter) -> Page[OrderSummary]:
    """Orders by status, payment, fulfilment, or words."""
    return await orders.list_orders(actor=actor, which=query)


@routes.get("/admin/orders/{order_id}", policy=staff("orders.read"))
async def show_order(orders: OrdersActions, actor: Actor, order_id: UUID, language: str) -> Order:
    """An order with the notes of staff."""
    return await orders.find_order(actor=actor, order_id=order_id, language=language)


@routes.post("/admin/orders/{order_id}/confirm", policy=staff("orders.write"), errors=(NotConfirmable,))
async def confirm_order(orders: OrdersActions, actor: Actor, order_id: UUID, language: str) -> Order:
    """The customer of a cash-on-delivery order was spoken to."""
    return await orders.confirm_order(actor=actor, order_id=order_id, language=language)


@routes.post("/admin/orders/{order_id}/cancel", policy=staff("orders.write"), errors=(NotCancellable,))
async def cancel_for_customer(
    orders: OrdersActions, actor: Actor, order_id: UUID, data: Cancellation, language: str
) -> Order:
    """Call an order off, before it leaves. What was paid goes back."""
    return await orders.cancel(actor=actor, order_id=order_id, reason=data.reason, language=language)


@routes.post("/admin/orders/{order_id}/notes", policy=staff("orders.write"), status=201)
async def add_note(
    orders: OrdersActions, actor: Actor, order_id: UUID, data: Note, request: Request, language: str
) -> Order:
    """A note of staff for staff."""
    return await orders.add_note(
        actor=actor, order_id=order_id, text=data.text, language=language, key=key_of(actor, request)
    )


@routes.post(
    "/admin/orders/{order_id}/refunds",
    policy=staff("payments.refund"),
    status=201,
    idempotency="required",
    errors=(NotRefundable, RefundTooLarge, UnknownPayment),
)
async def refund_order(
    orders: OrdersActions, actor: Actor, order_id: UUID, data: NewRefund, request: Request
) -> GrantedRefund:
    """Send back what was paid for these pieces, exactly, to where it came from."""
    return await orders.refund(
        actor=actor,
        order_id=order_id,
        key=key_of(actor, request),
        lines=data.lines,
        shipping=data.shipping,
        reason=data.reason,
    )
