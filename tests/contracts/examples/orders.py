"""Orders: checkout, orders, and what staff do with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from tests.contracts.examples.carts import MAKES, NOBODYS, about, cart, of
from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table
from tests.orders.conftest import IP, vnd

from sampan.kernel.errors import Forbidden, Invalid, NotFound, TooManyRequests
from sampan.kernel.idempotency import KeyReused
from sampan.services.inventory.contract import OutOfStock
from sampan.services.orders.contract import (
    Cart,
    CartClosed,
    CartIncomplete,
    Checkout,
    NotCancellable,
    NotConfirmable,
    NotPayable,
    NotRefundable,
    Order,
    OrderFilter,
    Orders,
    QuoteChanged,
    RefundLine,
)
from sampan.services.payments.contract import MethodNotAvailable, RefundTooLarge
from sampan.services.shipping.contract import NotDeliverable

table = Table(Orders)

# --- checkout -------------------------------------------------------------------------------------------------------


def ordering(stage: Stage, ready: Cart, method: str = "cod", **more: Any) -> dict[str, Any]:
    total = more.pop("total", ready.totals.total)
    return of(stage, ready, checkout=Checkout(method, total), client_ip=IP, **more)


@table.answers("checkout")
async def a_cart_becomes_an_order(stage: Stage) -> Call:
    given = ordering(stage, await stage.stall.ready())
    return Call(given, lambda placed: placed.order.status == "placed" and len(placed.order.token) == 43)


@table.answers("checkout")
async def and_is_paid_at_vnpay(stage: Stage) -> Call:
    given = ordering(stage, await stage.stall.ready(), "vnpay")
    return Call(given, lambda placed: placed.payment.action.kind == "redirect")


@table.refuses("checkout", QuoteChanged)
async def at_another_total(stage: Stage) -> Call:
    ready = await stage.stall.ready()
    return Call(ordering(stage, ready, total=vnd(1)), facts={"totals": ready.totals})


@table.refuses("checkout", CartIncomplete)
async def without_anybody_who_orders(stage: Stage) -> Call:
    return Call(ordering(stage, await cart(stage)))


@table.refuses("checkout", MethodNotAvailable)
async def paid_in_shells(stage: Stage) -> Call:
    return Call(ordering(stage, await stage.stall.ready(), "shells"), facts={"reason": "unknown"})


@table.refuses("checkout", CartClosed)
async def of_a_cart_that_expired(stage: Stage) -> Call:
    ready = await stage.stall.ready()
    async with stage.stall.db.begin() as tx:
        await tx.execute("UPDATE orders.cart SET expires_at = now() WHERE id = $1", ready.id)
    return Call(ordering(stage, ready), facts={"reason": "expired"})


@table.answers("find_order_of_cart")
async def for_whoever_holds_the_cart_that_became_it(stage: Stage) -> Call:
    ready = await stage.stall.ready()
    placed = await stage.stall.checkout(ready, method="vnpay")
    return Call(of(stage, ready), lambda found: found == placed)


@table.answers("find_order_of_cart")
async def while_it_is_a_cart(stage: Stage) -> Call:
    return Call(of(stage, await stage.stall.ready()), lambda found: found is None)


# Such an order is written down first, and then called off: nobody has seen it.
UNSEEN = ("orders", "inventory", "shipping", "payments")


@table.answers("checkout", refuses=OutOfStock, makes=UNSEEN)
async def of_what_is_sold_out(stage: Stage) -> Call:
    variant = await stage.variant(stock=1)
    ready = await stage.stall.ready((variant, 2))
    return Call(ordering(stage, ready), facts={"lines": [{"variant_id": variant, "wanted": 2, "available": 1}]})


@asynccontextmanager
async def tariff_that_changes_in_the_meantime(stage: Stage) -> AsyncIterator[None]:
    """The moment an order is written down, its way to deliver is taken out of the tariff."""
    shipping = stage.shop.databases["shipping"]
    async with shipping.begin() as tx:
        await tx.execute(
            "CREATE FUNCTION orders.tariff_changes() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN UPDATE shipping.rate SET active = false WHERE service = 'standard'; RETURN NULL; END$$"
        )
        await tx.execute(
            "CREATE TRIGGER tariff_changes AFTER INSERT ON orders.sales_order EXECUTE FUNCTION orders.tariff_changes()"
        )
    try:
        yield
    finally:
        async with shipping.begin() as tx:
            await tx.execute("DROP FUNCTION orders.tariff_changes() CASCADE")
            await tx.execute("UPDATE shipping.rate SET active = true WHERE service = 'standard'")


@table.answers(
    "checkout",
    refuses=NotDeliverable,
    again=CartIncomplete,
    makes=UNSEEN,
)
async def in_a_way_that_is_taken_away_in_this_moment(stage: Stage) -> Call:
    ready = await stage.stall.ready()
    options = await stage.stall.orders.find_shipping_options(**of(stage, ready))
    standard = next(option for option in options if option.service == "standard")
    await stage.stall.orders.set_shipping_option(**of(stage, ready, option_id=standard.id))
    now = await stage.stall.orders.find_cart(**of(stage, ready))
    given = ordering(stage, ready, total=now.totals.total)
    return Call(given, within=lambda: tariff_that_changes_in_the_meantime(stage))


@table.refuses("checkout", CartIncomplete)
async def to_where_the_chosen_way_does_not_go_any_more(stage: Stage) -> Call:
    ready = await stage.stall.ready()
    async with stage.stall.db.begin() as tx:
        await tx.execute("UPDATE orders.cart SET shipping_option_id = 'by-balloon' WHERE id = $1", ready.id)
    return Call(ordering(stage, ready))


# --- an order -------------------------------------------------------------------------------------------------------


@table.answers("find_order")
async def for_whoever_holds_its_token(stage: Stage) -> Call:
    order = await stage.stall.order()
    return Call(about(stage, order), lambda found: found.number == order.number and found.token is None)


@table.answers("find_order")
async def for_staff(stage: Stage) -> Call:
    order = await stage.stall.order()
    return Call(about(stage, order, actor=stage.staff("orders.read")), lambda found: found.id == order.id)


@table.answers("find_order_payment")
async def what_is_still_to_be_paid(stage: Stage) -> Call:
    order = await stage.stall.order("vnpay")
    await stage.till.choose(await stage.actions("payments").find_payment(order_id=order.id), "cancel")
    return Call(about(stage, order), lambda placed: placed.payment.status == "failed")


@table.answers("find_order_payment")
async def what_is_paid(stage: Stage) -> Call:
    order = await stage.paid_order()
    return Call(about(stage, order, actor=stage.staff("orders.read")), lambda placed: placed.payment.status == "paid")


async def unpaid(stage: Stage) -> Order:
    """An order whose payer changed his mind at the bank."""
    order = await stage.stall.order("vnpay")
    await stage.bank_tells(order, success=False)
    return order


def paying(stage: Stage, order: Order, method: str = "vnpay", **more: Any) -> dict[str, Any]:
    given = {"payment_method": method, "return_url": None, "client_ip": IP, "key": uuid4().hex, **more}
    return about(stage, order, **given)


@table.answers("pay")
async def once_more_at_vnpay(stage: Stage) -> Call:
    return Call(paying(stage, await unpaid(stage)), lambda placed: placed.payment.action.kind == "redirect")


@table.answers("pay")
async def on_delivery_instead(stage: Stage) -> Call:
    return Call(paying(stage, await unpaid(stage), "cod"), lambda placed: placed.order.status == "placed")


@table.answers("pay")
async def while_the_first_try_is_still_open(stage: Stage) -> Call:
    order = await stage.stall.order("vnpay")
    return Call(paying(stage, order), lambda placed: f"{order.number}-2" in placed.payment.action.url)


@table.refuses("pay", NotPayable)
async def what_was_paid_before(stage: Stage) -> Call:
    order = await stage.paid_order()
    return Call(paying(stage, order, actor=stage.staff("orders.write")), facts={"reason": "paid"})


@table.refuses("pay", Invalid)
async def and_come_back_to_somewhere_else(stage: Stage) -> Call:
    return Call(paying(stage, await unpaid(stage), return_url="https://evil.example/"))


@table.refuses("pay", MethodNotAvailable)
async def in_shells(stage: Stage) -> Call:
    return Call(paying(stage, await unpaid(stage), "shells"), facts={"reason": "unknown"})


@table.answers("pay", refuses=OutOfStock, makes=UNSEEN)
async def what_was_sold_to_others_meanwhile(stage: Stage) -> Call:
    variant = await stage.variant(stock=2)
    order = await stage.stall.order("vnpay", (variant, 2))
    await stage.bank_tells(order, success=False)
    await stage.room.pass_time(order.id, 3600)
    await stage.room.reserve(uuid4(), (variant, 2), province="79")
    return Call(paying(stage, order), facts={"lines": [{"variant_id": variant, "wanted": 2, "available": 0}]})


@table.answers("cancel")
async def before_it_leaves(stage: Stage) -> Call:
    order = await stage.stall.order()
    return Call(about(stage, order, reason="đổi ý"), lambda after: after.status == "cancelled")


@table.refuses("cancel", NotCancellable)
async def after_it_left(stage: Stage) -> Call:
    order = await stage.stall.order()
    await stage.stall.warehouse_does(order, "pick", "pack", "ship")
    return Call(about(stage, order, reason="đổi ý"))


@table.refuses("cancel", Invalid)
async def for_a_very_long_reason(stage: Stage) -> Call:
    return Call(about(stage, await stage.stall.order(), reason="x" * 201))


@table.answers("find_by_number")
async def with_the_telephone_number(stage: Stage) -> Call:
    order = await stage.stall.order()
    given = {"number": order.number, "phone": "0912 345 678", "language": "en"}
    return Call(given, lambda found: found.id == order.id and found.token is None)


@table.refuses("find_by_number", NotFound)
async def with_another_telephone_number(stage: Stage) -> Call:
    order = await stage.stall.order()
    return Call({"number": order.number, "phone": "0987654321", "language": "vi"})


@table.refuses("find_by_number", TooManyRequests)
async def again_and_again(stage: Stage) -> Call:
    order = await stage.stall.order()
    given = {"number": order.number, "phone": "0912345678", "language": "vi"}
    for _ in range(20):
        await stage.actions("orders").find_by_number(**given)
    return Call(given)


@table.answers("reorder", **MAKES)
async def what_can_still_be_bought(stage: Stage) -> Call:
    order = await stage.stall.order()
    return Call(about(stage, order), lambda made: [line.quantity for line in made.lines] == [2])


@table.answers("order_for_return")
async def by_the_providers_reference(stage: Stage) -> Call:
    order = await stage.stall.order("vnpay")
    return Call({"payment_ref": f"{order.number}-1"}, lambda found: found == order.id)


@table.answers("order_for_return")
async def by_a_reference_that_is_none(stage: Stage) -> Call:
    return Call({"payment_ref": "nobody-1"}, lambda found: found is None)


# --- staff ----------------------------------------------------------------------------------------------------------


@table.answers("list_orders")
async def by_words(stage: Stage) -> Call:
    order = await stage.stall.order()
    which = OrderFilter(q=order.number)
    return Call({"actor": stage.stall.staff, "which": which}, lambda page: [o.id for o in page.items] == [order.id])


@table.refuses("list_orders", Forbidden)
async def for_who_may_not_read_them(stage: Stage) -> Call:
    return Call({"actor": stage.staff("catalog.read"), "which": OrderFilter()})


@table.refuses("list_orders", Invalid)
async def after_a_cursor_that_is_none(stage: Stage) -> Call:
    return Call({"actor": stage.stall.staff, "which": OrderFilter(cursor="!")})


@table.answers("confirm_order")
async def after_a_talk_with_the_customer(stage: Stage) -> Call:
    order = await stage.stall.order()
    return Call(
        about(stage, order, actor=stage.stall.staff), lambda after: "confirmed" in [e.code for e in after.timeline]
    )


@table.refuses("confirm_order", NotConfirmable)
async def what_is_paid_online(stage: Stage) -> Call:
    return Call(about(stage, await stage.stall.order("vnpay"), actor=stage.stall.staff))


@table.answers("add_note")
async def of_staff_for_staff(stage: Stage) -> Call:
    order = await stage.stall.order()
    given = about(stage, order, actor=stage.stall.staff, text="Khách hẹn sau 18 giờ", key=uuid4().hex)
    return Call(given, lambda after: [entry.code for entry in after.timeline].count("note") == 1)


@table.refuses("add_note", Invalid)
async def that_says_nothing(stage: Stage) -> Call:
    return Call(about(stage, await stage.stall.order(), actor=stage.stall.staff, text=" "))


def refunding(stage: Stage, order_id: UUID, **more: Any) -> dict[str, Any]:
    given = {"actor": stage.stall.staff, "order_id": order_id, "key": uuid4().hex, "lines": [], "shipping": False}
    return {**given, "reason": "hỏng", **more}


@table.answers("refund")
async def one_piece_and_shipping(stage: Stage) -> Call:
    order = await stage.paid_order()
    lines = [RefundLine(order.lines[0].id, 1)]
    return Call(refunding(stage, order.id, lines=lines, shipping=True), lambda refund: refund.lines == lines)


@table.refuses("refund", NotRefundable)
async def of_what_was_not_paid(stage: Stage) -> Call:
    order = await stage.stall.order()
    return Call(refunding(stage, order.id, shipping=True), facts={"reason": "not_paid"})


@table.refuses("refund", Invalid)
async def for_no_reason(stage: Stage) -> Call:
    order = await stage.paid_order()
    return Call(refunding(stage, order.id, shipping=True, reason=" "))


@table.refuses("refund", KeyReused)
async def of_other_pieces_under_the_same_key(stage: Stage) -> Call:
    order = await stage.paid_order()
    given = refunding(stage, order.id, lines=[RefundLine(order.lines[0].id, 1)])
    await stage.actions("orders").refund(**given)
    return Call({**given, "lines": [RefundLine(order.lines[0].id, 2)]})


@table.answers("refund", refuses=RefundTooLarge, makes=("orders.timeline",))
async def of_what_went_back_already(stage: Stage) -> Call:
    order = await stage.paid_order()
    await stage.actions("payments").refund(order_id=order.id, key="all", amount=order.totals.total, reason="hỏng")
    return Call(refunding(stage, order.id, lines=[RefundLine(order.lines[0].id, 1)]))


ORDER_CALLS: dict[str, dict[str, Any]] = {
    "find_order": {},
    "find_order_payment": {},
    "pay": {"payment_method": "cod", "return_url": None, "client_ip": IP},
    "cancel": {"reason": ""},
    "reorder": {},
    "confirm_order": {},
    "add_note": {"text": "x"},
}


def refusals_of_an_order(method: str, more: dict[str, Any]) -> None:
    """Foreign and missing orders look the same, to customers and to staff."""
    by_staff = method in ("confirm_order", "add_note")

    @table.refuses(method, NotFound)
    async def of_a_foreign_order(stage: Stage) -> Call:
        if by_staff:
            return Call({"actor": stage.stall.staff, "language": "vi", "order_id": uuid4(), **more})
        return Call({**NOBODYS, "order_id": (await stage.stall.order()).id, **more})

    if by_staff:

        @table.refuses(method, Forbidden)
        async def for_who_may_not(stage: Stage) -> Call:
            return Call(about(stage, await stage.stall.order(), actor=stage.staff("orders.read"), **more))


for name, more in ORDER_CALLS.items():
    refusals_of_an_order(name, more)


@table.refuses("refund", NotFound)
async def of_no_order(stage: Stage) -> Call:
    return Call(refunding(stage, uuid4()))


@table.refuses("refund", Forbidden)
async def by_who_may_not_refund(stage: Stage) -> Call:
    return Call(refunding(stage, (await stage.stall.order()).id, actor=stage.staff("orders.write")))
