"""S10: the cart, as a page and beside every page."""

import json
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.errors import Invalid, NotFound, ShopError
from sampan.kernel.http import Answer, Request, html, page, redirect
from sampan.kernel.ids import uuid7
from sampan.kernel.limits import Limit
from sampan.kernel.money import Money
from sampan.services.catalog.contract import UnknownVariant
from sampan.services.orders.contract import Cart, CartClosed, CartLine, Problem
from sampan.services.pricing.contract import NotPriced, Totals
from sampan.services.storefront.actions import StorefrontActions, Visitor, picture, places_of, uuid_of, vnd
from sampan.services.storefront.routes.pages import PageRoutes

routes = PageRoutes()

WRITES = Limit(times=120, seconds=60, burst=60)
REFUSALS = (Invalid, CartClosed, NotFound, UnknownVariant, NotPriced)  # of a change, told beside the cart as it is


class Adding(Struct):
    """The form of the buy box."""

    variant_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=999)] = 1
    undo: Annotated[str, Meta(max_length=36)] = ""  # the line taken out a moment ago; answered as its removal was


class Changing(Struct):
    quantity: Annotated[int, Meta(ge=0, le=999)]


@routes.get("/cart", policy=page)
async def cart_page(shop: StorefrontActions, request: Request) -> Answer:
    """The whole cart."""
    visitor = shop.visitor(request)
    cart = await shop.cart(visitor)
    if cart is not None and cart.order_id is not None:
        if answer := await shop.to_order(visitor, cart):
            return answer
        cart = await shop.cart(visitor)
    return await show_cart(shop, request, visitor, cart)


@routes.get("/_/cart", policy=page)
async def cart_fragment(shop: StorefrontActions, request: Request) -> Answer:
    """What the drawer shows."""
    visitor = shop.visitor(request)
    cart = await shop.cart(visitor)
    if cart is not None and cart.order_id is not None:  # the page knows where to
        return html("", headers=[(b"hx-redirect", visitor.path("/cart").encode())])
    return await drawer(shop, visitor, cart)


@routes.post("/cart/lines", policy=page, limit=WRITES)
async def add_line(shop: StorefrontActions, request: Request, form: Adding) -> Answer:
    """Put something into the cart; a page answers with the cart, a fragment with the drawer."""
    visitor = shop.visitor(request)
    fragment = request.header("hx-request") == "true"
    cart, token = await shop.open_cart(visitor)
    try:
        cart = await shop.orders.add_line(
            actor=visitor.cart_actor(),
            cart_id=cart.id,
            variant_id=form.variant_id,
            quantity=form.quantity,
            language=visitor.language,
            key=f"undo {form.undo}" if uuid_of(form.undo) else uuid7().hex,  # a line is given back once
        )
    except REFUSALS as refusal:
        message = refusal_text(shop, visitor, refusal)
        if fragment:
            answer = await drawer(shop, visitor, cart, error=message, status=422)
        else:
            answer = await show_cart(shop, request, visitor, cart, error=message, status=422)
        return shop.remember_cart(answer, visitor, cart, token)
    if form.undo:
        answer = await changed(shop, request, visitor, cart)
    elif fragment:
        answer = await drawer(shop, visitor, cart)
        said = shop.texts(visitor.language)("shop.cart.added")
        trigger = json.dumps({"cart:added": {"message": said}})  # in ASCII, as headers are; htmx reads it as JSON
        answer.headers = [*answer.headers, (b"hx-trigger", trigger.encode())]
    else:
        answer = redirect(visitor.path("/cart"))
    return shop.remember_cart(answer, visitor, cart, token)


@routes.post("/cart/lines/{line_id}", policy=page, limit=WRITES)
async def change_line(shop: StorefrontActions, request: Request, line_id: UUID, form: Changing) -> Answer:
    """Another quantity; none takes the line out."""
    visitor = shop.visitor(request)
    if visitor.cart_id is None:
        return redirect(visitor.path("/cart"))
    arguments: dict[str, Any] = {
        "actor": visitor.cart_actor(),
        "cart_id": visitor.cart_id,
        "language": visitor.language,
    }
    try:
        if form.quantity:
            cart = await shop.orders.change_line(line_id=line_id, quantity=form.quantity, **arguments)
        else:
            cart = await shop.orders.remove_line(line_id=line_id, **arguments)
    except REFUSALS as refusal:
        found = await shop.cart(visitor)
        return await changed(shop, request, visitor, found, error=refusal_text(shop, visitor, refusal), status=422)
    return await changed(shop, request, visitor, cart)


@routes.post("/cart/lines/{line_id}/remove", policy=page, limit=WRITES)
async def remove_line(shop: StorefrontActions, request: Request, line_id: UUID) -> Answer:
    """Take a line out."""
    visitor = shop.visitor(request)
    if visitor.cart_id is None:
        return redirect(visitor.path("/cart"))
    before = await shop.cart(visitor)
    removed = next((line for line in before.lines if line.id == line_id), None) if before else None
    try:
        cart: Cart | None = await shop.orders.remove_line(
            actor=visitor.cart_actor(), cart_id=visitor.cart_id, line_id=line_id, language=visitor.language
        )
    except (NotFound, CartClosed):
        cart, removed = await shop.cart(visitor), None
    return await changed(shop, request, visitor, cart, removed=removed)


async def changed(
    shop: StorefrontActions,
    request: Request,
    visitor: Visitor,
    cart: Cart | None,
    *,
    error: str = "",
    removed: CartLine | None = None,
    status: int = 200,
) -> Answer:
    """After a change: the drawer for the drawer, the cart's block for the cart page, a redirect without JavaScript."""
    if request.header("hx-request") == "true":
        if request.header("hx-target").endswith("cart-drawer-body"):
            answer = await drawer(shop, visitor, cart, error=error, removed=removed, status=status)
        else:
            answer = await show_cart(shop, request, visitor, cart, error=error, removed=removed, status=status)
    elif error:
        answer = await show_cart(shop, request, visitor, cart, error=error, status=status)
    else:
        answer = redirect(visitor.path("/cart"))
    return shop.remember_bag(answer, cart) if cart is not None else shop.forget_cart(answer)


async def drawer(
    shop: StorefrontActions,
    visitor: Visitor,
    cart: Cart | None,
    *,
    error: str = "",
    removed: CartLine | None = None,
    status: int = 200,
) -> Answer:
    context = {
        **cart_context(shop, visitor, cart),
        "error": error,
        "removed": removed,
        "csrf_token": visitor.csrf,
        "visitor": visitor,
    }
    text = shop.pages.render("drawer.html", context, lang=visitor.language)
    return html(text, status=status, headers=[(b"vary", b"hx-request, cookie")])


async def show_cart(
    shop: StorefrontActions,
    request: Request,
    visitor: Visitor,
    cart: Cart | None,
    *,
    error: str = "",
    removed: CartLine | None = None,
    status: int = 200,
) -> Answer:
    texts = shop.texts(visitor.language)
    context = {
        **cart_context(shop, visitor, cart),
        "title": texts("shop.cart.title"),
        "error": error,
        "removed": removed,
        "fragment": request.header("hx-request") == "true",
    }
    frame = await shop.frame()
    free = frame.content.free_shipping_from if frame.content else None
    if cart is not None and free and cart.currency == "VND":
        items = cart.totals.items.amount
        context["meter"] = {"value": min(items, free), "max": free, "left": vnd(max(0, free - items))}
    visitor.bag = context["count"]
    return await shop.page(
        request, visitor, "cart.html", context, block="cart", status=status, places=places_of("/cart")
    )


def cart_context(shop: StorefrontActions, visitor: Visitor, cart: Cart | None) -> dict[str, Any]:
    texts = shop.texts(visitor.language)
    lines = [] if cart is None or cart.order_id else cart.lines
    return {
        "cart": cart,
        "lines": [line_view(line, visitor, texts) for line in lines],
        "count": sum(line.quantity for line in lines),
        "totals": totals_rows(cart.totals, texts, shipping_known=cart.shipping_option is not None) if cart else [],
        "meter": None,
        "ready": is_orderable(lines),
        "paths": {
            name: visitor.path(path)
            for name, path in {"cart": "/cart", "add": "/cart/lines", "checkout": "/checkout", "all": "/search"}.items()
        },
    }


def is_orderable(lines: list[CartLine]) -> bool:
    """A cart can be ordered when every line can; another price is told, and hinders nobody."""
    return bool(lines) and not any(is_obstacle(problem) for line in lines for problem in line.problems)


def is_obstacle(problem: Problem) -> bool:
    return problem.code != "price_changed"


def line_view(line: CartLine, visitor: Visitor, texts: Any) -> dict[str, Any]:
    return {
        "id": line.id,
        "name": line.name,
        "image": line_picture(line.image, line.name),
        "quantity": line.quantity,
        "total": line.total,
        "href": visitor.path(f"/p/{line.slug}") + f"?variant={quote(line.sku)}",
        "unit": line.unit_price,
        "most": max(line.quantity, min(99, line.available)),
        "problems": [
            texts("shop.problem.stock_left", count=line.available)
            if problem.code == "stock_fell" and line.available
            else problem_text(texts, problem.code, problem.detail)
            for problem in line.problems
            if is_obstacle(problem)
        ],
        "notes": [problem.detail for problem in line.problems if not is_obstacle(problem)],
        "change": visitor.path(f"/cart/lines/{line.id}"),
        "remove": visitor.path(f"/cart/lines/{line.id}/remove"),
    }


def line_picture(url: str | None, alt: str) -> dict[str, Any]:
    """The small picture of a line, from the address of its widest rendition (`…/960-960x1200.webp`)."""
    if not url:
        return picture(None, alt, 0, 0, [])
    size = url.rpartition("-")[2].removesuffix(".webp")
    width, _, height = size.partition("x")
    found = picture(url, alt, int(width), int(height), [min(320, int(width)), int(width)])
    return {**found, "src": found["thumb"], "srcset": "", "width": 64, "height": 80}


def totals_rows(totals: Totals, texts: Any, *, shipping_known: bool) -> list[dict[str, Any]]:
    """What a cart or an order costs, part by part; the parts add up to the last row."""
    rows: list[dict[str, Any]] = [{"label": texts("shop.totals.items"), "amount": totals.items}]
    if not totals.discount.is_zero():
        rows.append({"label": texts("shop.totals.discount"), "amount": -totals.discount, "kind": "less"})
    if shipping_known:
        rows.append(shipping_row(totals.shipping, texts))
    else:
        rows.append({"label": texts("shop.totals.shipping"), "text": texts("shop.totals.shipping_later")})
    rows.append(
        {
            "label": texts("shop.totals.total"),
            "amount": totals.total,
            "kind": "sum",
            "note": texts("shop.totals.with_tax"),
        }
    )
    return rows


def shipping_row(amount: Money, texts: Any) -> dict[str, Any]:
    """What the delivery costs; what costs nothing says so in words."""
    row: dict[str, Any] = {"label": texts("shop.totals.shipping")}
    return {**row, "text": texts("shop.totals.free")} if amount.is_zero() else {**row, "amount": amount}


def problem_text(texts: Any, code: str, detail: str) -> str:
    """A problem in words; a code without words of its own shows what the service said.

    A code is a word of ours, or a key of the catalogue of payments.
    """
    key = code if code.startswith("payments.") else f"shop.problem.{code}"
    try:
        return str(texts(key))
    except KeyError:
        return detail or code


def refusal_text(shop: StorefrontActions, visitor: Visitor, refusal: ShopError) -> str:
    return problem_text(shop.texts(visitor.language), refusal.code.replace(".", "_"), refusal.detail)
