"""S13 and S14: what became of an order; S12's waiting; looking one up without an account."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.errors import Conflict, Invalid, NotFound
from sampan.kernel.http import Answer, Request, html, page, redirect
from sampan.kernel.ids import uuid7
from sampan.kernel.limits import Limit
from sampan.kernel.phone import show_phone
from sampan.services.inventory.contract import OutOfStock
from sampan.services.orders.contract import NotCancellable, NotPayable, Order, Placed, TimelineEntry
from sampan.services.payments.contract import Method, MethodNotAvailable
from sampan.services.shipping.contract import Shipment
from sampan.services.storefront.actions import StorefrontActions, Visitor, places_of
from sampan.services.storefront.routes.cart import line_picture, problem_text, totals_rows
from sampan.services.storefront.routes.pages import PageRoutes

routes = PageRoutes()

LOOKUP = Limit(times=10, seconds=60, burst=5)
CHANGE = Limit(times=20, seconds=60, burst=10)
HEARINGS = 8
HEARING_SECONDS = 0.25
PROGRESS = ("placed", "picking", "packed", "shipped", "delivered")
REACHED = {
    "unfulfilled": 0,
    "allocated": 0,
    "picking": 1,
    "packed": 2,
    "partially_shipped": 3,
    "shipped": 3,
    "delivery_failed": 3,
    "returning": 3,
    "returned": 3,
    "delivered": 4,
}
AFTER_PACKING = ("partially_shipped", "shipped", "delivered", "delivery_failed", "returning", "returned")
ASTRAY = ("returning", "returned", "lost", "partly_lost")  # the five steps do not lead there
IN_TIME = ("placed", "partially_shipped", "shipped")  # what was promised may still come true
TONES = {  # of a parcel's status; the others are steps on the way
    "delivered": "ok",
    "partially_delivered": "warn",
    "pickup_failed": "warn",
    "delivery_failed": "warn",
    "returning": "warn",
    "return_failed": "warn",
    "returned": "neutral",
    "cancelled": "neutral",
    "lost": "danger",
    "damaged": "danger",
    "exception": "warn",
}


class LookupForm(Struct):
    number: Annotated[str, Meta(max_length=40)] = ""
    phone: Annotated[str, Meta(max_length=40)] = ""


class PayForm(Struct):
    payment_method: Annotated[str, Meta(max_length=32)] = ""


class CancelForm(Struct):
    reason: Annotated[str, Meta(max_length=500)] = ""


@routes.get("/orders/lookup", policy=page)
async def lookup_page(shop: StorefrontActions, request: Request) -> Answer:
    """Number and phone; mails link here with the number filled in."""
    number = next((value for name, value in request.query() if name == "number"), "")[:40]
    return await show_lookup(shop, request, shop.visitor(request, always=True), {"number": number, "phone": ""}, {})


@routes.post("/orders/lookup", policy=page, limit=LOOKUP)
async def lookup(shop: StorefrontActions, request: Request, form: LookupForm) -> Answer:
    """The order, if number and phone fit; the refusal is always the same."""
    visitor = shop.visitor(request, always=True)
    texts = shop.texts(visitor.language)
    values = {"number": form.number.strip(), "phone": form.phone.strip()}
    missing = {field: texts(f"shop.problem.missing_{field}") for field, value in values.items() if not value}
    if missing:
        return await show_lookup(shop, request, visitor, values, missing, status=422)
    try:
        order = await shop.orders.find_by_number(
            number=values["number"], phone=values["phone"], language=visitor.language
        )
    except (NotFound, Invalid):
        return await show_lookup(shop, request, visitor, values, {"number": texts("shop.lookup.not_found")}, status=404)
    if order.token:
        answer = redirect(visitor.path(f"/orders/{order.id}"))
        return shop.remember_order(answer, visitor, order.id, order.token)
    return await show_order(shop, request, visitor, Placed(order=order, payment=None), changes=False)  # type: ignore[arg-type]


async def show_lookup(
    shop: StorefrontActions,
    request: Request,
    visitor: Visitor,
    values: dict[str, str],
    errors: dict[str, str],
    *,
    status: int = 200,
) -> Answer:
    texts = shop.texts(visitor.language)
    context = {
        "title": texts("shop.lookup.title"),
        "values": values,
        "errors": errors,
        "summary": [{"field": field, "detail": text} for field, text in errors.items()],
        "action": visitor.path("/orders/lookup"),
    }
    places = places_of("/orders/lookup")
    return await shop.page(request, visitor, "lookup.html", context, block="lookup", status=status, places=places)


@routes.get("/orders/last", policy=page)
async def last_order(shop: StorefrontActions, request: Request) -> Answer:
    """The order placed last: where people come back to from payments that a former version began."""
    visitor = shop.visitor(request, always=True)
    newest = next(iter(visitor.orders), None)
    return redirect(visitor.path(f"/orders/{newest}" if newest else "/orders/lookup"))


@routes.get("/orders/{order_id}", policy=page)
async def order_page(shop: StorefrontActions, request: Request, order_id: UUID) -> Answer:
    """The order: thanks after placing, tracking ever after."""
    visitor = shop.visitor(request, always=True)
    if order_id not in visitor.orders:
        return redirect(visitor.path("/orders/lookup"))
    placed = await settled(shop, visitor, order_id)
    fresh = any(name == "placed" for name, _ in request.query())
    return await show_order(shop, request, visitor, placed, fresh=fresh)


async def settled(shop: StorefrontActions, visitor: Visitor, order_id: UUID) -> Placed:
    """The order, once it has heard what its payment knows already: who comes back from a bank is a moment ahead."""
    for last in (*(False,) * HEARINGS, True):
        placed = await shop.orders.find_order_payment(
            actor=visitor.order_actor(order_id), order_id=order_id, language=visitor.language
        )
        ahead = placed.payment is not None and placed.payment.status in ("paid", "authorized", "failed", "cancelled")
        if last or not (ahead and placed.order.status == placed.order.payment_status == "pending"):
            break
        await asyncio.sleep(HEARING_SECONDS)
    return placed


@routes.get("/_/orders/{order_id}/status", policy=page)
async def status_fragment(shop: StorefrontActions, request: Request, order_id: UUID) -> Answer:
    """What a waiting page shows: the state of the payment, final or not."""
    visitor = shop.visitor(request, always=True)
    placed = await shop.orders.find_order_payment(
        actor=visitor.order_actor(order_id), order_id=order_id, language=visitor.language
    )
    context = {**order_context(shop, visitor, placed), "visitor": visitor, "csrf_token": visitor.csrf}
    return html(shop.pages.render("order_status.html", context, lang=visitor.language))


@routes.get("/orders/{order_id}/pay", policy=page)
async def pay_page(shop: StorefrontActions, request: Request, order_id: UUID) -> Answer:
    """On the way to the provider's page. A page of its own, because a form may only lead to pages of ours."""
    visitor = shop.visitor(request, always=True)
    placed = await shop.orders.find_order_payment(
        actor=visitor.order_actor(order_id), order_id=order_id, language=visitor.language
    )
    action = placed.payment.action if placed.payment else None
    here = visitor.path(f"/orders/{order_id}")
    if action is None or action.kind != "redirect" or not action.url:
        return redirect(here)
    texts = shop.texts(visitor.language)
    context = {"title": texts("shop.pay.title"), "url": action.url, "back": here, "order": placed.order}
    answer = await shop.page(request, visitor, "pay.html", context)
    answer.headers = [*answer.headers, (b"refresh", b"0; url=" + action.url.encode("ascii"))]
    return answer


@routes.post("/orders/{order_id}/pay", policy=page, limit=CHANGE)
async def pay(shop: StorefrontActions, request: Request, order_id: UUID, form: PayForm) -> Answer:
    """Another attempt, by the same or another way."""
    visitor = shop.visitor(request, always=True)
    texts = shop.texts(visitor.language)
    try:
        placed = await shop.orders.pay(
            actor=visitor.order_actor(order_id),
            order_id=order_id,
            payment_method=form.payment_method,
            return_url=visitor.path(f"/orders/{order_id}"),
            client_ip=request.client_ip,
            language=visitor.language,
            key=uuid7().hex,
        )
    except (NotPayable, MethodNotAvailable, OutOfStock, Conflict) as refusal:
        notice = problem_text(texts, refusal.code.replace(".", "_"), refusal.detail)
        return await again(shop, request, visitor, order_id, notice)
    if placed.payment.action.kind == "redirect":
        return redirect(visitor.path(f"/orders/{order_id}/pay"))
    return redirect(visitor.path(f"/orders/{order_id}") + "?placed=1")


@routes.post("/orders/{order_id}/cancel", policy=page, limit=CHANGE)
async def cancel(shop: StorefrontActions, request: Request, order_id: UUID, form: CancelForm) -> Answer:
    """Cancel before shipping; when it is too late the page says why."""
    visitor = shop.visitor(request, always=True)
    texts = shop.texts(visitor.language)
    try:
        await shop.orders.cancel(
            actor=visitor.order_actor(order_id),
            order_id=order_id,
            reason=form.reason.strip() or "customer",
            language=visitor.language,
        )
    except (NotCancellable, Invalid) as refusal:
        notice = problem_text(texts, refusal.code.replace(".", "_"), refusal.detail)
        return await again(shop, request, visitor, order_id, notice)
    return redirect(visitor.path(f"/orders/{order_id}"))


async def again(shop: StorefrontActions, request: Request, visitor: Visitor, order_id: UUID, notice: str) -> Answer:
    placed = await shop.orders.find_order_payment(
        actor=visitor.order_actor(order_id), order_id=order_id, language=visitor.language
    )
    return await show_order(shop, request, visitor, placed, notice=notice, status=409)


async def show_order(
    shop: StorefrontActions,
    request: Request,
    visitor: Visitor,
    placed: Placed,
    *,
    fresh: bool = False,
    notice: str = "",
    changes: bool = True,
    status: int = 200,
) -> Answer:
    texts = shop.texts(visitor.language)
    context = {
        **order_context(shop, visitor, placed),
        "title": texts("shop.order.title", number=placed.order.number),
        "fresh": fresh,
        "notice": notice,
    }
    context["methods"] = await methods_for(shop, visitor, placed.order) if "pay" in placed.order.actions else []
    if not changes:
        context["actions"] = context["methods"] = []
    places = places_of(f"/orders/{placed.order.id}" if changes else "/orders/lookup")
    return await shop.page(request, visitor, "order.html", context, status=status, places=places)


async def methods_for(shop: StorefrontActions, visitor: Visitor, order: Order) -> list[dict[str, str]]:
    """The ways to pay an order that waits: those offered for it at the fee it was made with, the tried one first."""
    option = order.shipping_option
    methods = await shop.payments.methods_for(
        market=order.market,
        total=order.totals.total,
        cod_fee=None if option.cod_limit is None else option.cod_fee,
        cod_limit=option.cod_limit,
        language=visitor.language,
    )
    fee = next((method.fee for method in methods if method.code == order.payment_method), None)
    offered = [method for method in methods if method.available and fee in (None, method.fee)]
    offered.sort(key=lambda method: method.code != order.payment_method)
    return [{"code": method.code, "words": pay_words(shop, visitor, order, method)} for method in offered]


def pay_words(shop: StorefrontActions, visitor: Visitor, order: Order, method: Method) -> str:
    """What paying an order this way means: how much, and when or through whom."""
    texts, total = shop.texts(visitor.language), shop.money(order.totals.total, visitor.language)
    try:
        return str(texts(f"shop.pay_by.{method.code}", total=total))
    except KeyError:
        return str(texts("shop.pay_by.other", total=total, name=method.name))


def order_context(shop: StorefrontActions, visitor: Visitor, placed: Placed) -> dict[str, Any]:
    """An order as its pages show it."""
    order, texts = placed.order, shop.texts(visitor.language)
    path = visitor.path(f"/orders/{order.id}")
    waiting = order.status == "pending" and order.payment_status in ("pending", "unpaid", "failed")
    failure = placed.payment.failure if placed.payment else None
    totals, state = order.totals, state_of(order)
    return {
        "order": order,
        "path": path,
        "pay_path": f"{path}/pay",
        "cancel_path": f"{path}/cancel",
        "status_path": visitor.path(f"/_/orders/{order.id}/status"),
        "can_go": placed.payment is not None and placed.payment.action.kind == "redirect",
        "waiting": waiting and order.payment_status == "pending",
        "failed": waiting and order.payment_status in ("failed", "unpaid"),
        "failure": problem_text(texts, failure, texts("shop.order.failed_text")) if failure else "",
        "state": state,
        "progress": progress(order, state, texts),
        "timeline": [
            {"text": entry_words(order, entry, texts), "at": entry.at, "state": "now" if last else "done"}
            for entry, last in ((e, e is order.timeline[-1]) for e in order.timeline)
        ],
        "lines": [
            {
                "name": line.name,
                "image": line_picture(line.image, line.name),
                "quantity": line.quantity,
                "total": line.total,
                "href": visitor.path(f"/p/{line.slug}"),
            }
            for line in order.lines
        ],
        "totals": totals_rows(totals, texts, shipping_known=True),
        "phone": show_phone(order.contact.phone),
        "address_lines": [order.shipping_address.street, order.shipping_address.ward, order.shipping_address.province],
        "actions": order.actions,
        "parcels": [parcel_view(parcel, texts) for parcel in order.shipments],
        "promise": order.shipping_option.promise if state in IN_TIME else None,
        "cod": order.payment_method == "cod" and order.status != "cancelled",
        "paid": order.payment_status in ("paid", "cod_collected", "partially_refunded"),
        "home": visitor.path("/"),
    }


def parcel_view(parcel: Shipment, texts: Any) -> dict[str, Any]:
    """A parcel in words. A carrier without a name in our texts is called what the tariff calls it."""
    try:
        carrier = texts(f"shop.carrier.{parcel.carrier}")
    except KeyError:
        carrier = parcel.carrier
    return {
        "carrier": carrier,
        "status": texts(f"shop.tracking.{parcel.status}"),
        "tone": TONES.get(parcel.status, "info"),
        "tracking_number": parcel.tracking_number,
        "tracking_url": parcel.tracking_url,
    }


def entry_words(order: Order, entry: TimelineEntry, texts: Any) -> str:
    """What is told of a step. To orders a lost parcel and one that came back are both an end without a delivery."""
    if entry.code == "returned" and {parcel.status for parcel in order.shipments} == {"lost"}:
        return str(texts("shop.order.state.lost"))
    return entry.text


def state_of(order: Order) -> str:
    """One word for the head of the page. A parcel that is lost is told of, whatever became of the others."""
    lost = any(parcel.status == "lost" for parcel in order.shipments)
    if order.status == "cancelled":
        return "cancelled_lost" if lost else "cancelled"
    if lost:
        return "lost" if order.fulfillment_status == "returned" else "partly_lost"
    if order.status == "completed":
        return "completed"
    if order.status == "pending":
        return "confirming" if order.payment_status == "cod_due" else "pending"
    return order.fulfillment_status if order.fulfillment_status in AFTER_PACKING else "placed"


def progress(order: Order, state: str, texts: Any) -> list[dict[str, Any]]:
    """The five steps of an order with the one it is at; empty for an order that is off, not yet binding, or astray."""
    if order.status in ("pending", "cancelled") or state in ASTRAY:
        return []
    reached = REACHED.get(order.fulfillment_status, 0)
    done = order.fulfillment_status == "delivered"
    return [
        {
            "text": texts(f"shop.progress.{name}"),
            "state": "done" if place < reached or done else "now" if place == reached else "next",
        }
        for place, name in enumerate(PROGRESS)
    ]
