"""S11: from the cart to the order. One page, three steps in the address, everything works without JavaScript."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from sampan.kernel.errors import Invalid, NotFound, ShopError
from sampan.kernel.http import Answer, Request, page, redirect
from sampan.kernel.limits import Limit
from sampan.kernel.money import zero
from sampan.kernel.phone import show_phone
from sampan.services.inventory.contract import OutOfStock
from sampan.services.locations.contract import UnknownPlace
from sampan.services.orders.contract import (
    Cart,
    CartClosed,
    CartIncomplete,
    Checkout,
    Contact,
    QuoteChanged,
    ShippingAddress,
)
from sampan.services.payments.contract import Method, MethodNotAvailable
from sampan.services.shipping.contract import NotDeliverable, Option
from sampan.services.storefront.actions import StorefrontActions, Visitor, places_of
from sampan.services.storefront.routes.cart import cart_context, is_orderable, problem_text, show_cart
from sampan.services.storefront.routes.pages import PageRoutes
from sampan.services.storefront.rules import shown_total, shown_totals

routes = PageRoutes()

STEPS = ("address", "delivery", "payment")
# Of each step, for all who order from one address: the networks of telephones here have many people behind one. It is
# what the API grants to the same address.
STEP = Limit(times=60, seconds=60)


class AddressForm(Struct):
    """Seven inputs. `action` is `wards` when somebody without JavaScript asks for the wards of a province."""

    name: Annotated[str, Meta(max_length=200)] = ""
    phone: Annotated[str, Meta(max_length=40)] = ""
    email: Annotated[str, Meta(max_length=254)] = ""
    province_code: Annotated[str, Meta(max_length=8)] = ""
    ward_code: Annotated[str, Meta(max_length=8)] = ""
    street: Annotated[str, Meta(max_length=300)] = ""
    note: Annotated[str, Meta(max_length=600)] = ""
    action: Annotated[str, Meta(max_length=16)] = ""


class DeliveryForm(Struct):
    option: Annotated[str, Meta(max_length=120)] = ""


class PlaceForm(Struct):
    """`shown` are the totals that stood on the page, for each way to pay, as `shown_totals` writes them."""

    payment_method: Annotated[str, Meta(max_length=32)] = ""
    shown: Annotated[str, Meta(max_length=1000)] = ""


@routes.get("/checkout", policy=page)
async def checkout_page(shop: StorefrontActions, request: Request) -> Answer:
    """The step of the address, or the first one that is not done."""
    visitor = shop.visitor(request)
    cart = await shop.cart(visitor)
    if cart is not None and cart.order_id is not None:
        return await shop.to_order(visitor, cart) or redirect(visitor.path("/cart"))
    if cart is None or not is_orderable(cart.lines):
        return redirect(visitor.path("/cart"))
    wanted = next((value for name, value in request.query() if name == "step"), "")
    return await show(shop, request, visitor, cart, step_for(cart, wanted))


def step_for(cart: Cart, wanted: str) -> str:
    """No step before those it needs are done."""
    reached = 0
    if cart.contact is not None and cart.shipping_address is not None:
        reached = 1
        if cart.shipping_option is not None:
            reached = 2
    place = STEPS.index(wanted) if wanted in STEPS else reached
    return STEPS[min(place, reached)]


async def show(
    shop: StorefrontActions,
    request: Request,
    visitor: Visitor,
    cart: Cart,
    step: str,
    *,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    notice: str = "",
    status: int = 200,
) -> Answer:
    """Render a step with the summary of the cart beside it."""
    texts = shop.texts(visitor.language)
    errors = errors or {}
    context: dict[str, Any] = {
        **cart_context(shop, visitor, cart),
        "title": texts("shop.checkout.title"),
        "step": step,
        "steps": [
            {
                "label": texts(f"shop.checkout.step_{name}"),
                "state": "now" if name == step else "done" if STEPS.index(name) < STEPS.index(step) else "later",
                "href": visitor.path("/checkout") + f"?step={name}",
            }
            for name in STEPS
        ],
        "errors": errors,
        "summary": [{"field": field, "detail": text} for field, text in errors.items()],
        "notice": notice,
        "actions": {name: visitor.path(f"/checkout/{name}") for name in ("address", "delivery", "place")},
        "edit": {name: visitor.path("/checkout") + f"?step={name}" for name in STEPS},
        "contact_line": contact_line(cart),
        "address_lines": address_lines(cart),
    }
    if step == "address":
        context.update(await address_context(shop, visitor, cart, values))
    elif step == "delivery":
        options = await shop.orders.find_shipping_options(
            actor=visitor.cart_actor(), cart_id=cart.id, language=visitor.language
        )
        context["options"] = [option_view(option, texts, visitor) for option in options]
        context["chosen"] = cart.shipping_option.id if cart.shipping_option else (options[0].id if options else "")
    else:
        methods = await shop.orders.find_payment_methods(
            actor=visitor.cart_actor(), cart_id=cart.id, language=visitor.language
        )
        chosen = (values or {}).get("payment_method") or next((m.code for m in methods if m.available), "")
        context["methods"] = [
            {
                "code": method.code,
                "name": method.name,
                "note": method_note(texts, method, cart.shipping_option),
                "fee": method.fee,
                "available": method.available,
                "chosen": method.code == chosen,
                "consequence": consequence(shop, visitor, cart, method),
            }
            for method in methods
        ]
        picked = next((found for found in context["methods"] if found["chosen"] and found["available"]), None)
        context["consequence"] = picked["consequence"] if picked else texts("shop.place.bare")
        context["shown"] = shown_totals({method.code: cart.totals.total + method.fee for method in methods})
        context["option"] = option_view(cart.shipping_option, texts, visitor) if cart.shipping_option else None
    places = places_of(f"/checkout?step={step}")
    return await shop.page(request, visitor, "checkout.html", context, block="checkout", status=status, places=places)


def method_note(texts: Any, method: Method, option: Option | None) -> str:
    """How this way to pay goes, and of cash whether one may look first (3.21); or why it is not open."""
    if not method.available:
        return problem_text(texts, method.reason or "not_available", "")
    try:
        note = str(texts(f"shop.method.{method.code}"))
    except KeyError:
        return ""
    return f"{note} {texts(f'shop.inspection.{option.inspection}')}" if method.code == "cod" and option else note


def consequence(shop: StorefrontActions, visitor: Visitor, cart: Cart, method: Method) -> str:
    """What pressing the button does, this way to pay (3.22): how much, and when or through whom."""
    texts = shop.texts(visitor.language)
    total = shop.money(cart.totals.total + method.fee, visitor.language)
    try:
        return str(texts(f"shop.place.{method.code}", total=total))
    except KeyError:
        return str(texts("shop.place.other", total=total, name=method.name))


def contact_line(cart: Cart) -> str:
    contact = cart.contact
    if contact is None:
        return ""
    parts = [contact.name, show_phone(contact.phone), contact.email or ""]
    return " · ".join(part for part in parts if part)


def address_lines(cart: Cart) -> list[str]:
    address = cart.shipping_address
    return [address.street, address.ward, address.province] if address else []


async def address_context(
    shop: StorefrontActions, visitor: Visitor, cart: Cart, values: dict[str, str] | None
) -> dict[str, Any]:
    """The form with what was typed, else with what the cart knows."""
    if values is None:
        values = {"province_code": visitor.place[0], "ward_code": visitor.place[1]} if visitor.place else {}
        if cart.contact is not None:
            values |= {
                "name": cart.contact.name,
                "phone": show_phone(cart.contact.phone),
                "email": cart.contact.email or "",
            }
        if cart.shipping_address is not None:
            found = cart.shipping_address
            values |= {
                "province_code": found.province_code,
                "ward_code": found.ward_code,
                "street": found.street,
                "note": found.note or "",
            }
    provinces = await shop.locations.list_provinces()
    wards: list[Any] = []
    if values.get("province_code"):
        try:
            wards = list(await shop.locations.list_wards(province_code=values["province_code"]))
        except UnknownPlace:
            wards = []
    return {"values": values, "provinces": provinces, "wards": wards}


def option_view(option: Option, texts: Any, visitor: Visitor) -> dict[str, Any]:
    first, last = option.promise.first, option.promise.last
    return {
        "id": option.id,
        "name": option.name,
        "price": option.price,
        "first": first,
        "last": last,
        "same": first == last,
        "cutoff": option.cutoff,
        "cod_fee": option.cod_fee,
        "cod_limit": option.cod_limit,
    }


@routes.post("/checkout/address", policy=page, limit=STEP)
async def set_address(shop: StorefrontActions, request: Request, form: AddressForm) -> Answer:
    """Contact and address together; what is wrong is said at its field, what was typed is kept."""
    visitor = shop.visitor(request)
    cart = await shop.cart(visitor)
    if cart is None or cart.order_id is not None or not cart.lines:
        return redirect(visitor.path("/checkout"))
    values = {name: getattr(form, name).strip() for name in form.__struct_fields__ if name != "action"}
    if form.action == "wards":
        return await show(shop, request, visitor, cart, "address", values=values)
    texts = shop.texts(visitor.language)
    errors = missing_in(values, texts)
    if not errors:
        arguments: dict[str, Any] = {"actor": visitor.cart_actor(), "cart_id": cart.id, "language": visitor.language}
        try:
            contact = msgspec.convert(
                {"name": values["name"], "phone": values["phone"], "email": values["email"] or None}, Contact
            )
            await shop.orders.set_contact(contact=contact, **arguments)
            address = msgspec.convert(
                {
                    "name": values["name"],
                    "phone": values["phone"],
                    "province_code": values["province_code"],
                    "ward_code": values["ward_code"],
                    "street": values["street"],
                    "note": values["note"] or None,
                },
                ShippingAddress,
            )
            await shop.orders.set_shipping_address(address=address, **arguments)
        except msgspec.ValidationError as failure:
            errors = unfit_in(str(failure), texts)
        except UnknownPlace:
            errors = {"ward_code": texts("shop.problem.place")}
        except ShopError as refusal:
            if refusal.status not in (409, 422):
                raise
            errors = errors_of(refusal, texts)
    if errors:
        return await show(shop, request, visitor, cart, "address", values=values, errors=errors, status=422)
    answer = redirect(visitor.path("/checkout") + "?step=delivery")
    return shop.remember_place(answer, values["province_code"], values["ward_code"])


def missing_in(values: dict[str, str], texts: Any) -> dict[str, str]:
    needed = ("name", "phone", "province_code", "ward_code", "street")
    return {field: texts(f"shop.problem.missing_{field}") for field in needed if not values[field]}


def unfit_in(failure: str, texts: Any) -> dict[str, str]:
    """What does not fit its field (`… - at `$.phone``), at that field."""
    field = failure.rpartition("$.")[2].rstrip("`")
    if field in ("phone", "email"):
        return {field: texts(f"shop.problem.{field}")}
    if field in ("name", "street", "note"):
        return {field: texts("shop.problem.too_long")}
    return {"ward_code": texts("shop.problem.place")}


def errors_of(refusal: ShopError, texts: Any) -> dict[str, str]:
    """A refusal of orders, at the fields it names."""
    if refusal.code == "kernel.bad_phone":
        return {"phone": texts("shop.problem.phone")}
    found = {}
    for error in refusal.facts.get("errors", []):
        field = str(error.get("field", "")).rpartition(".")[2]
        known = {"phone": "phone", "email": "email"}.get(field)
        found[field or "name"] = texts(f"shop.problem.{known}") if known else str(error.get("detail", refusal.detail))
    return found or {"name": refusal.detail}


@routes.post("/checkout/delivery", policy=page, limit=STEP)
async def set_delivery(shop: StorefrontActions, request: Request, form: DeliveryForm) -> Answer:
    """Choose how it is delivered."""
    visitor = shop.visitor(request)
    cart = await shop.cart(visitor)
    if cart is None or cart.order_id is not None or not cart.lines:
        return redirect(visitor.path("/checkout"))
    texts = shop.texts(visitor.language)
    try:
        await shop.orders.set_shipping_option(
            actor=visitor.cart_actor(), cart_id=cart.id, option_id=form.option, language=visitor.language
        )
    except (NotDeliverable, Invalid, NotFound):
        errors = {"options": texts("shop.problem.option")}
        return await show(shop, request, visitor, cart, "delivery", errors=errors, status=422)
    except (CartClosed, CartIncomplete):
        return redirect(visitor.path("/checkout"))
    return redirect(visitor.path("/checkout") + "?step=payment")


@routes.post("/checkout/place", policy=page, limit=STEP)
async def place(shop: StorefrontActions, request: Request, form: PlaceForm) -> Answer:
    """Order. A second click, a reload or a lost answer lead to the same order."""
    visitor = shop.visitor(request)
    cart = await shop.cart(visitor)
    if cart is None:
        return redirect(visitor.path("/cart"))
    if cart.order_id is None and step_for(cart, "payment") != "payment":
        return redirect(visitor.path("/checkout"))
    texts = shop.texts(visitor.language)
    values = {"payment_method": form.payment_method}

    async def again(errors: dict[str, str], notice: str, status: int, step: str = "payment") -> Answer:
        fresh = await shop.cart(visitor)
        if fresh is None:
            return redirect(visitor.path("/cart"))
        return await show(
            shop, request, visitor, fresh, step, values=values, errors=errors, notice=notice, status=status
        )

    try:
        placed = await shop.orders.checkout(
            actor=visitor.cart_actor(),
            cart_id=cart.id,
            checkout=Checkout(
                payment_method=form.payment_method or "none",
                expected_total=shown_total(form.shown, form.payment_method) or zero(cart.currency),
                return_url=visitor.path("/orders/{order_id}"),
            ),
            client_ip=request.client_ip,
            language=visitor.language,
        )
    except QuoteChanged:
        return await again({}, texts("shop.checkout.quote_changed"), 409)
    except OutOfStock:
        error = texts("shop.problem.inventory_out_of_stock")
        return await show_cart(shop, request, visitor, await shop.cart(visitor), error=error, status=409)
    except CartIncomplete:
        return redirect(visitor.path("/checkout"))
    except NotDeliverable:
        return await again({"options": texts("shop.problem.option")}, "", 422, "delivery")
    except MethodNotAvailable:
        return await again({"methods": texts("shop.problem.method")}, "", 422)
    except ShopError as refusal:
        if refusal.status not in (409, 422):
            raise
        return await again({}, texts("shop.checkout.not_placed"), refusal.status)
    order = placed.order
    if placed.payment.action.kind == "redirect" and placed.payment.action.url:
        answer = redirect(visitor.path(f"/orders/{order.id}/pay"))
    else:
        answer = redirect(visitor.path(f"/orders/{order.id}") + "?placed=1")
    shop.remember_order(answer, visitor, order.id, order.token or "")
    return shop.forget_cart(answer)
