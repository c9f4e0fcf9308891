"""Orders, as others see it: carts, checkout, orders."""

from datetime import datetime
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.context import Actor
from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event
from sampan.kernel.money import Money
from sampan.kernel.pagination import Page
from sampan.services.payments.contract import Method
from sampan.services.pricing.contract import Reason, Totals
from sampan.services.shipping.contract import Option, Shipment

Quantity = Annotated[int, Meta(ge=1, le=999)]
Name = Annotated[str, Meta(min_length=1, max_length=120)]
Text = Annotated[str, Meta(max_length=500)]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
# A wish under a key takes effect once, however often it is sent; without a key each time is another wish.
Key = Annotated[str, Meta(max_length=255)]
OrderStatus = Literal["pending", "placed", "completed", "cancelled"]
PaymentStatus = Literal[
    "unpaid",
    "pending",
    "authorized",
    "paid",
    "partially_refunded",
    "refunded",
    "failed",
    "cod_due",
    "cod_collected",
]
FulfillmentStatus = Literal[
    "unfulfilled", "allocated", "picking", "packed", "shipped", "delivered", "delivery_failed", "returning",
    "returned", "partially_shipped",
]  # fmt: skip


class QuoteChanged(ShopError, code="orders.quote_changed", status=409):
    """The total is no longer the one you saw; the fact `totals` has the new ones. Nothing was ordered."""


class CartIncomplete(ShopError, code="orders.cart_incomplete", status=409):
    """Something is missing before this can be ordered; the fact `problems` lists it."""


class CartClosed(ShopError, code="orders.cart_closed", status=409):
    """The cart became an order, or it has expired; it takes no more changes."""


class NotCancellable(ShopError, code="orders.not_cancellable", status=409):
    """The order can no longer be cancelled; the fact `reason` says why."""


class NotPayable(ShopError, code="orders.not_payable", status=409):
    """The order takes no payment now; the fact `reason` says why."""


class NotConfirmable(ShopError, code="orders.not_confirmable", status=409):
    """There is nothing to confirm: only cash on delivery is confirmed, and only before it has left."""


class NotRefundable(ShopError, code="orders.not_refundable", status=409):
    """More than the order has left to refund, or nothing at all; the fact `reason` says which."""


class BrokenQuote(ShopError, code="orders.broken_quote", status=500):
    """The parts of a price do not add up to its total. Nothing is sold at such a price."""


class Problem(Struct, frozen=True):
    """What stands in the way. `code` is a message key: price_changed, stock_fell, not_sold,
    missing_contact …
    """

    code: str
    detail: str = ""
    line_id: UUID | None = None


class CartLine(Struct, frozen=True):
    id: UUID
    variant_id: UUID
    sku: str
    name: str
    slug: str
    image: str | None
    quantity: int
    unit_price: Money
    compare_at: Money | None
    total: Money
    discounts: list[Any]
    available: int
    problems: list[Problem]
    reasons: list[Reason] = []  # why this price


class Contact(Struct, frozen=True, forbid_unknown_fields=True):
    """Who orders. `phone` any usual way of writing it; kept as +84…"""

    name: Name
    phone: Annotated[str, Meta(min_length=6, max_length=32)]
    email: Annotated[str, Meta(max_length=254)] | None = None


class ShippingAddress(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to (market VN)."""

    name: Name
    phone: Annotated[str, Meta(min_length=6, max_length=32)]
    province_code: Annotated[str, Meta(pattern=r"^[0-9]{2}\Z")]
    ward_code: Annotated[str, Meta(pattern=r"^[0-9]{5}\Z")]
    street: Annotated[str, Meta(min_length=1, max_length=255)]
    note: Text | None = None


class Address(Struct, frozen=True):
    """An address as it is kept: codes, the names they had then, and the version of the reference data."""

    name: str
    phone: str
    province_code: str
    ward_code: str
    province: str
    ward: str
    street: str
    note: str | None
    version: str


class Cart(Struct, frozen=True):
    id: UUID
    market: str
    currency: str
    lines: list[CartLine]
    contact: Contact | None
    shipping_address: Address | None
    shipping_option: Option | None
    coupons: list[Any]
    totals: Totals
    problems: list[Problem]
    expires_at: datetime
    order_id: UUID | None = None
    token: str | None = None  # shown this once, when the cart is made


class OrderLine(Struct, frozen=True):
    id: UUID
    variant_id: UUID
    sku: str
    name: str
    slug: str
    image: str | None
    quantity: int
    unit_price: Money
    total: Money
    tax: Money
    tax_rate: int
    refunded: int = 0  # quantity
    discount: Money | None = None
    reasons: list[Reason] = []  # why this price


class TimelineEntry(Struct, frozen=True):
    """`code` is a message key (`placed`, `payment_paid`, `shipped` …), `text` the same in the asked
    language.
    """

    at: datetime
    code: str
    text: str


class Order(Struct, frozen=True):
    id: UUID
    number: str
    status: OrderStatus
    payment_status: PaymentStatus
    payment_method: str
    fulfillment_status: FulfillmentStatus
    created_at: datetime
    placed_at: datetime | None
    lines: list[OrderLine]
    totals: Totals
    contact: Contact
    shipping_address: Address
    shipping_option: Option
    shipments: list[Shipment]
    timeline: list[TimelineEntry]
    actions: list[str]
    market: str
    token: str | None = None  # at creation only


class NextAction(Struct, frozen=True):
    """What the payer does next."""

    kind: Literal["none", "redirect", "qr"]
    url: str | None = None
    qr: str | None = None
    expires_at: datetime | None = None


class OrderPayment(Struct, frozen=True):
    id: UUID
    status: str
    action: NextAction
    failure: str | None = None


class Placed(Struct, frozen=True):
    """The answer to a checkout."""

    order: Order
    payment: OrderPayment


class Checkout(Struct, frozen=True, forbid_unknown_fields=True):
    """`expected_total` is what the customer saw; another total is refused. `return_url`: where the payer comes back
    to, one of our own pages; in it `{order_id}` stands for the id of the order. Without it, `/orders/{order_id}`.
    """

    payment_method: Annotated[str, Meta(min_length=1, max_length=32)]
    expected_total: Money
    return_url: Annotated[str, Meta(max_length=255)] | None = None


class Methods(Struct, frozen=True):
    items: list[Method]


class OrderSummary(Struct, frozen=True):
    """An order as lists show it. `quantity` is the number of pieces; `waits` for a person to confirm it."""

    id: UUID
    number: str
    status: OrderStatus
    payment_status: PaymentStatus
    payment_method: str
    fulfillment_status: FulfillmentStatus
    created_at: datetime
    placed_at: datetime | None
    total: Money
    quantity: int
    name: str
    phone: str
    province: str
    waits: bool


class OrderFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which orders to list. `q`: words of a number, a name, a phone, an e-mail address; the beginnings
    suffice.
    """

    status: OrderStatus | None = None
    payment_status: PaymentStatus | None = None
    fulfillment_status: FulfillmentStatus | None = None
    q: Annotated[str, Meta(max_length=120)] = ""
    sort: Literal["newest", "oldest", "total_desc", "total_asc"] = "newest"
    limit: Annotated[int, Meta(ge=1, le=100)] = 24
    cursor: Annotated[str, Meta(max_length=500)] = ""


class RefundLine(Struct, frozen=True, forbid_unknown_fields=True):
    """So many of a line go back."""

    line_id: UUID
    quantity: Quantity


class GrantedRefund(Struct, frozen=True):
    """Money that staff sent back. `status`: requested, sent, settled, failed (as payments knows it)."""

    id: UUID
    order_id: UUID
    amount: Money
    shipping: Money
    lines: list[RefundLine]
    status: str
    reason: str
    at: datetime


class Recipient(Struct, frozen=True):
    """To whom messages about an order go; `email` None: nobody asked for mail."""

    name: str
    email: str | None
    phone: str
    language: str


class EventLine(Struct, frozen=True):
    line_id: UUID
    variant_id: UUID
    sku: str
    name: str
    quantity: int
    total: Money


class EventAllocation(Struct, frozen=True):
    variant_id: UUID
    warehouse_id: UUID
    quantity: int


class OrderPlaced(Event, name="orders.order_placed.v1"):
    """The order is binding: paid, authorised, or to be paid on delivery. Fulfilment begins."""

    order_id: UUID
    number: str
    market: str
    payment_method: str
    lines: list[EventLine]
    totals: Totals
    allocations: list[EventAllocation]
    recipient: Recipient


class OrderCancelled(Event, name="orders.order_cancelled.v1"):
    """The order is off. `placed`: it had been binding before."""

    order_id: UUID
    number: str
    reason: str
    by: str  # customer, staff, system
    placed: bool
    refund: Money | None
    recipient: Recipient


class OrderCompleted(Event, name="orders.order_completed.v1"):
    """Delivered and paid."""

    order_id: UUID
    number: str
    recipient: Recipient


class OrderShipped(Event, name="orders.order_shipped.v1"):
    """A parcel of the order is on its way."""

    order_id: UUID
    number: str
    work_order_id: UUID
    tracking_number: str | None
    recipient: Recipient


class OrderDelivered(Event, name="orders.order_delivered.v1"):
    """Every parcel of the order has arrived."""

    order_id: UUID
    number: str
    recipient: Recipient


class DeliveryFailed(Event, name="orders.delivery_failed.v1"):
    """A parcel could not be handed over."""

    order_id: UUID
    number: str
    recipient: Recipient
    work_order_id: UUID | None = None  # of the parcel; a former version did not say


class OrderRefunded(Event, name="orders.order_refunded.v1"):
    """Money was sent back."""

    order_id: UUID
    number: str
    amount: Money
    recipient: Recipient
    refund_id: UUID


class Orders(Protocol):
    """Carts, checkout, orders. `actor` carries the guest's secret; foreign and missing look the same."""

    async def create_cart(self, *, market: str, language: str) -> Cart:
        """A new cart with its token. Raises pricing.UnknownMarket.

        Each call makes one; a cart whose answer was lost is empty, nobody's, and forgotten when it expires.
        """
        ...

    async def find_cart(self, *, actor: Actor, cart_id: UUID, language: str) -> Cart: ...

    async def add_line(
        self, *, actor: Actor, cart_id: UUID, variant_id: UUID, quantity: Quantity, language: str, key: Key = ""
    ) -> Cart:
        """So many more of a variant. The same key, the same addition."""
        ...

    async def change_line(
        self, *, actor: Actor, cart_id: UUID, line_id: UUID, quantity: Quantity, language: str
    ) -> Cart: ...

    async def remove_line(self, *, actor: Actor, cart_id: UUID, line_id: UUID, language: str) -> Cart: ...

    async def set_contact(self, *, actor: Actor, cart_id: UUID, contact: Contact, language: str) -> Cart: ...

    async def set_shipping_address(
        self, *, actor: Actor, cart_id: UUID, address: ShippingAddress, language: str
    ) -> Cart: ...

    async def find_shipping_options(self, *, actor: Actor, cart_id: UUID, language: str) -> list[Option]: ...

    async def set_shipping_option(self, *, actor: Actor, cart_id: UUID, option_id: str, language: str) -> Cart: ...

    async def find_payment_methods(self, *, actor: Actor, cart_id: UUID, language: str) -> list[Method]: ...

    async def checkout(
        self, *, actor: Actor, cart_id: UUID, checkout: Checkout, client_ip: str, language: str
    ) -> Placed:
        """Order the cart, exactly once: a cart that became an order answers with that order.

        Raises QuoteChanged, CartIncomplete, inventory.OutOfStock, payments.MethodNotAvailable.
        """
        ...

    async def find_order_of_cart(self, *, actor: Actor, cart_id: UUID, language: str) -> Placed | None:
        """The order that a cart became, as `checkout` answered it; None while it is a cart, and when it is one again.

        For who did not get that answer. It is brought to rest first, like an order that is placed again.
        """
        ...

    async def find_order(self, *, actor: Actor, order_id: UUID, language: str) -> Order: ...

    async def find_order_payment(self, *, actor: Actor, order_id: UUID, language: str) -> Placed:
        """The order with its payment, asking the provider if that is still open."""
        ...

    async def pay(
        self,
        *,
        actor: Actor,
        order_id: UUID,
        payment_method: str,
        return_url: str | None,
        client_ip: str,
        language: str,
        key: Key = "",
    ) -> Placed:
        """A new attempt for an unpaid order. The same key, the same attempt. Raises NotPayable."""
        ...

    async def cancel(self, *, actor: Actor, order_id: UUID, reason: str, language: str) -> Order:
        """By the customer or staff, before shipping. Raises NotCancellable."""
        ...

    async def find_by_number(self, *, number: str, phone: str, language: str) -> Order:
        """For guests without their link: number and phone must fit; the refusal is always the same."""
        ...

    async def reorder(self, *, actor: Actor, order_id: UUID, language: str) -> Cart:
        """A new cart, with its token, of what can still be bought of an order. Each call makes one."""
        ...

    async def list_orders(self, *, actor: Actor, which: OrderFilter) -> Page[OrderSummary]:
        """For staff who may read orders. Raises Forbidden, and Invalid for a cursor that is not ours."""
        ...

    async def confirm_order(self, *, actor: Actor, order_id: UUID, language: str) -> Order:
        """Staff spoke to the customer of a cash-on-delivery order. Raises NotConfirmable."""
        ...

    async def add_note(self, *, actor: Actor, order_id: UUID, text: str, language: str, key: Key = "") -> Order:
        """A note of staff for staff, in the order's timeline. The same key, the same note."""
        ...

    async def refund(
        self,
        *,
        actor: Actor,
        order_id: UUID,
        key: str,
        lines: list[RefundLine],
        shipping: bool | Money,
        reason: str,
    ) -> GrantedRefund:
        """Send back what was paid for these pieces, exactly; `shipping` all that is left of it, none, or so
        much.

        The same key, the same refund; a key that comes with another request is refused. Raises NotRefundable,
        kernel.KeyReused, payments.RefundTooLarge, payments.UnknownPayment.
        """
        ...

    async def order_for_return(self, *, payment_ref: str) -> UUID | None:
        """The order that a provider's reference (`DH1001-1`) belongs to."""
        ...
