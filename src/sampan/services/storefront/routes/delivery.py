"""When and for how much a product arrives (3.12): beside the buy button, for the ward that the visitor named.

A page of its own for who has no scripts, and its block in the product page, loaded after it: the product page stays
the same for everybody.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.http import Answer, Request, page, redirect
from sampan.kernel.limits import Limit
from sampan.kernel.money import Money
from sampan.services.catalog.contract import ProductDocument, VariantDocument
from sampan.services.locations.contract import UnknownPlace
from sampan.services.shipping.contract import Destination, Option
from sampan.services.storefront.actions import StorefrontActions, Visitor, said
from sampan.services.storefront.routes.pages import PageRoutes
from sampan.services.storefront.routes.product import (
    beside,
    chosen_variant,
    found_product,
    offer_of,
    product_places,
    ways_words,
)
from sampan.services.storefront.rules import MARKET

routes = PageRoutes()

CHOOSE = Limit(times=60, seconds=60, burst=30)
SHOWN = 3


class PlaceForm(Struct):
    """`action` is `wards` when somebody without JavaScript asks for the wards of a province."""

    province_code: Annotated[str, Meta(max_length=8)] = ""
    ward_code: Annotated[str, Meta(max_length=8)] = ""
    action: Annotated[str, Meta(max_length=16)] = ""


@routes.get("/p/{slug}/delivery", policy=page)
async def delivery_page(shop: StorefrontActions, request: Request, slug: str) -> Answer:
    """The promise for the remembered ward, or the way to name one."""
    visitor = shop.visitor(request)
    product = await found_product(shop, slug)
    change = any(name == "change" for name, _ in request.query())
    return await show(shop, request, visitor, product, values={} if change else None)


@routes.post("/p/{slug}/delivery", policy=page, limit=CHOOSE)
async def choose_place(shop: StorefrontActions, request: Request, slug: str, form: PlaceForm) -> Answer:
    """Remember the ward, for this product and every other one, and for the address of the order."""
    visitor = shop.visitor(request)
    product = await found_product(shop, slug)
    texts = shop.texts(visitor.language)
    values = {"province_code": form.province_code, "ward_code": form.ward_code}
    if form.action == "wards":
        return await show(shop, request, visitor, product, values=values)
    errors = {field: texts(f"shop.problem.missing_{field}") for field, value in values.items() if not value}
    if not errors:
        try:
            await shop.locations.find_place(province_code=form.province_code, ward_code=form.ward_code)
        except UnknownPlace:
            errors = {"ward_code": texts("shop.problem.place")}
    if errors:
        return await show(shop, request, visitor, product, values=values, errors=errors, status=422)
    visitor.place = (form.province_code, form.ward_code)
    if request.header("hx-request") == "true":
        answer = await show(shop, request, visitor, product)
    else:
        answer = redirect(beside(visitor, product, chosen_variant(product, request), "delivery"))
    return shop.remember_place(answer, form.province_code, form.ward_code)


async def show(
    shop: StorefrontActions,
    request: Request,
    visitor: Visitor,
    product: ProductDocument,
    *,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Answer:
    """The promise; with `values` the form to name another ward."""
    texts = shop.texts(visitor.language)
    variant = chosen_variant(product, request)
    here = beside(visitor, product, variant, "delivery")
    context: dict[str, Any] = {
        "title": texts("shop.delivery.title", name=said(product.name, visitor.language)),
        "name": said(product.name, visitor.language),
        "action": here,
        "change": f"{here}&change=1",
        "back": beside(visitor, product, variant, ""),
        "form": None,
        "errors": errors or {},
        "place": "",
        "options": [],
        "no_cash": "",
        "away": shop.shipping is None,
    }
    if values is not None:
        context["form"] = await form_context(shop, visitor, values)
    elif visitor.place is not None:
        context |= await promise_context(shop, visitor, variant)
    places = product_places(product, "/delivery")
    return await shop.page(request, visitor, "delivery.html", context, block="delivery", status=status, places=places)


async def form_context(shop: StorefrontActions, visitor: Visitor, values: dict[str, str]) -> dict[str, Any]:
    """Provinces, the wards of the chosen one, and what is chosen: typed just now, else remembered."""
    if not values and visitor.place is not None:
        values = {"province_code": visitor.place[0], "ward_code": visitor.place[1]}
    wards: list[Any] = []
    if values.get("province_code"):
        try:
            wards = list(await shop.locations.list_wards(province_code=values["province_code"]))
        except UnknownPlace:
            values = {}
    return {"values": values, "provinces": await shop.locations.list_provinces(), "wards": wards}


async def promise_context(shop: StorefrontActions, visitor: Visitor, variant: VariantDocument) -> dict[str, Any]:
    """Where to, and the ways to deliver one piece there; a ward that is none any more is forgotten."""
    assert visitor.place is not None
    province_code, ward_code = visitor.place
    try:
        place = await shop.locations.find_place(province_code=province_code, ward_code=ward_code)
    except UnknownPlace:
        return {}
    told: dict[str, Any] = {"place": f"{place.ward.full_name}, {place.province.full_name}"}
    offer = offer_of(variant)
    if shop.shipping is None or offer is None:
        return told
    try:
        options = await shop.shipping.options_for(
            to=Destination(MARKET, province_code, ward_code),
            grams=variant.grams,
            value=offer.price,
            language=visitor.language,
        )
    except ShopError:
        return {**told, "away": True}
    cash = any(option.cod_limit is not None and offer.price <= option.cod_limit for option in options)
    no_cash = "" if cash else await no_cash_words(shop, offer.price, visitor.language)
    return {**told, "options": [option_view(option) for option in options[:SHOWN]], "no_cash": no_cash}


async def no_cash_words(shop: StorefrontActions, price: Money, language: str) -> str:
    """What to do where no cash is taken at the door: pay in advance, if the shop has a way to."""
    texts = shop.texts(language)
    methods = await shop.ways_to_pay(price, at_the_door=False, language=language)
    if methods is None:
        return str(texts("shop.delivery.no_cash"))
    if not methods:
        return str(texts("shop.delivery.no_way"))
    return f"{texts('shop.delivery.no_cash')} {ways_words(methods, texts)}"


def option_view(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "price": option.price,
        "first": option.promise.first,
        "last": option.promise.last,
        "cutoff": option.cutoff,
        "free_from": option.free_from if not option.price.is_zero() else None,
    }
