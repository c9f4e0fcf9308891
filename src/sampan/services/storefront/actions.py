"""What the storefront does: it knows the visitor, the frame of the page, and how to render it."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel.context import Actor
from sampan.kernel.db import Database
from sampan.kernel.errors import NotFound, ShopError
from sampan.kernel.http import HTML, Answer, Request, html, redirect, refusal_headers
from sampan.kernel.money import Money, format_money
from sampan.kernel.service import Ground
from sampan.kernel.settings import home_secret
from sampan.services.catalog.contract import Catalog, Category, Media, ProductDocument
from sampan.services.locations.contract import Locations
from sampan.services.orders.contract import Cart, Order, Orders
from sampan.services.payments.contract import Method, Payments
from sampan.services.pricing.contract import Pricing
from sampan.services.search.contract import ProductCard, Search
from sampan.services.shipping.contract import Shipping
from sampan.services.storefront import store
from sampan.services.storefront.contract import ClosedForNow, ShopContent
from sampan.services.storefront.rules import (
    MARKET,
    address_of,
    discount_for,
    gap_for,
    language_of,
    path_for,
    place_from,
    refusal_kind,
    without_language,
)
from sampan.ui.render import Pages
from sampan.ui.site import LanguageChoice, Legal, Link, LinkColumn, Site

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SPOKEN = HERE.parent / "payments" / "texts"  # payments tells its reasons as keys of this catalogue
REMEMBERED_ORDERS = 10
FRAME_SECONDS = 10.0  # how long the frame (categories, content) is believed
MAINTENANCE_SECONDS = 300  # when a visitor of the closed shop is asked to look again


VARY = [(b"vary", b"hx-request, cookie")]


class StorefrontSettings(Struct, frozen=True):
    """`maintenance` closes the shop for visitors, with a page that says so; orders can still be followed and paid."""

    maintenance: bool = False


class Visitor(Struct):
    """Who looks at a page: the language of its address, and what their cookies hold."""

    language: str
    csrf: str
    new_csrf: bool
    cart_id: UUID | None
    cart_token: str
    bag: int
    orders: dict[UUID, str]
    place: tuple[str, str] | None  # province and ward that prices of delivery are shown for
    theme: str
    shortcuts: str
    actor: Actor
    address: str
    found: Order | None = None  # what a cart became while nobody heard of it

    def path(self, path: str) -> str:
        """A path of ours in the visitor's language."""
        return path_for(self.language, path)

    def cart_actor(self) -> Actor:
        return msgspec.structs.replace(self.actor, cart_token=self.cart_token)

    def order_actor(self, order_id: UUID) -> Actor:
        return msgspec.structs.replace(self.actor, order_token=self.orders.get(order_id, ""))


class NotKept(Exception):
    """A page that is not kept: it is elsewhere, say, or lacks what will be there in a moment."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Frame(Struct):
    """What surrounds every page."""

    content: ShopContent | None
    categories: list[Category]


class StorefrontActions:
    """The customer website."""

    def __init__(
        self,
        db: Database,
        ground: Ground,
        catalog: Catalog,
        orders: Orders,
        locations: Locations,
        payments: Payments,
        search: Search | None,
        pricing: Pricing | None,
        shipping: Shipping | None,
    ) -> None:
        self.db = db
        self.settings = ground.settings
        self.maintenance = ground.settings.section(StorefrontSettings, "storefront").maintenance
        self.catalog = catalog
        self.orders = orders
        self.locations = locations
        self.payments = payments
        self.search = search
        self.pricing = pricing
        self.shipping = shipping
        self.secure = ground.settings.secure
        self.pages = Pages.load(templates=[HERE / "templates"], texts=[HERE / "texts", SPOKEN])
        self.answers = ground.answers
        self.gap = gap_for(ground.settings.core.secret or home_secret(ground.settings.home))
        self._frame: tuple[float, Frame] | None = None
        self._asking: asyncio.Task[Frame] | None = None

    async def put_content(self, *, content: ShopContent) -> None:
        """Replace what the frame and the home page say."""
        async with self.db.begin() as tx:
            await store.put_content(tx, content)
        self._frame = self._asking = None
        await self.answers.invalidate(["content"])

    # --- the visitor ------------------------------------------------------------------------------------------------

    def visitor(self, request: Request, *, always: bool = False) -> Visitor:
        """Read the cookies; what is malformed counts as absent. Raises ClosedForNow, but not `always`."""
        if self.maintenance and not always:
            raise ClosedForNow("the shop is being worked on", retry_after=MAINTENANCE_SECONDS)
        cart_id, _, cart_token = request.cookie("cart").partition(".")
        csrf = request.cookie("csrf")
        known = len(csrf) >= 32 and csrf.replace("-", "").replace("_", "").isalnum()
        orders: dict[UUID, str] = {}
        for part in request.cookie("orders").split(":")[:REMEMBERED_ORDERS]:
            number, _, token = part.partition(".")
            if (order_id := uuid_of(number)) is not None:
                orders[order_id] = token
        theme, shortcuts = (request.cookie(name, ours=False) for name in ("theme", "shortcuts"))
        bag = request.cookie("bag")
        return Visitor(
            language=language_of(request.path),
            csrf=csrf if known else secrets.token_urlsafe(32),
            new_csrf=not known,
            cart_id=uuid_of(cart_id),
            cart_token=cart_token[:200],
            bag=int(bag) if bag.isascii() and bag.isdigit() and len(bag) < 4 else 0,
            orders=orders,
            place=place_from(request.cookie("place")),
            theme=theme if theme in ("light", "dark") else "",
            shortcuts="off" if shortcuts == "off" else "",
            actor=request.actor,
            address=str(request.scope.get("sampan.client", "")),
        )

    def remember_cart(self, answer: Answer, visitor: Visitor, cart: Cart, token: str) -> Answer:
        """Keep the cart in the visitor's cookies: its secret for us only, the number of things in it for every page."""
        answer.with_cookie("cart", f"{cart.id}.{token}", secure=self.secure, max_age=30 * 86400)
        if visitor.found is not None:  # the cart before this one
            self.remember_order(answer, visitor, visitor.found.id, visitor.found.token or "")
        return self.remember_bag(answer, cart)

    def remember_bag(self, answer: Answer, cart: Cart) -> Answer:
        count = 0 if cart.order_id else sum(line.quantity for line in cart.lines)
        return answer.with_cookie("bag", str(min(count, 999)), secure=self.secure, max_age=30 * 86400)

    def forget_cart(self, answer: Answer) -> Answer:
        answer.with_cookie("cart", "", secure=self.secure, max_age=0)
        return answer.with_cookie("bag", "0", secure=self.secure, max_age=0)

    def remember_order(self, answer: Answer, visitor: Visitor, order_id: UUID, token: str) -> Answer:
        """Keep the order's secret, newest first."""
        kept = {order_id: token, **{key: value for key, value in visitor.orders.items() if key != order_id}}
        value = ":".join(f"{key}.{token}" for key, token in list(kept.items())[:REMEMBERED_ORDERS])
        return answer.with_cookie("orders", value, secure=self.secure, max_age=90 * 86400)

    def remember_place(self, answer: Answer, province_code: str, ward_code: str) -> Answer:
        """Keep where things are to be delivered, so that every product can say when and for how much."""
        return answer.with_cookie("place", f"{province_code}.{ward_code}", secure=self.secure, max_age=180 * 86400)

    # --- the page ---------------------------------------------------------------------------------------------------

    async def frame(self) -> Frame:
        """What surrounds every page: asked for anew every few seconds, and kept when a service is away.

        One asks at a time. Whoever comes meanwhile takes what is known, and waits for the answer if there is nothing.
        """
        if self._frame is not None and (self._frame[0] > time.monotonic() or self._asking is not None):
            return self._frame[1]
        if self._asking is None:
            self._asking = asyncio.create_task(self._asked_frame())
        return await asyncio.shield(self._asking)

    async def _asked_frame(self) -> Frame:
        now, found = time.monotonic(), self._frame[1] if self._frame else None
        try:
            async with self.db.read() as tx:
                content = await store.content(tx)
            found = Frame(content, await self.catalog.list_categories())
        except Exception as failure:  # whatever it is: the page that tells of it stands in the same frame
            log.warning("the frame of the page could not be read", exc_info=failure)
        if self._asking is asyncio.current_task():  # else content was put there since this was asked
            self._asking = None
            if found is not None:
                self._frame = (now + FRAME_SECONDS, found)
        return found or Frame(None, [])

    async def site(self, visitor: Visitor, *, category: str = "") -> Site:
        """The frame as templates take it."""
        frame = await self.frame()
        content, language = frame.content, visitor.language
        root = top_of(category, frame.categories)
        top = [found for found in frame.categories if found.parent_id is None and found.count]
        links = [
            Link(said(found.name, language), visitor.path(f"/c/{found.slug}"), current=found.slug == root)
            for found in top[:8]
        ]
        texts = self.texts(language)
        help_links = [
            Link(texts("shop.footer.lookup"), visitor.path("/orders/lookup")),
            Link(texts("shop.footer.cart"), visitor.path("/cart")),
        ]
        seller = content.seller if content else None
        return Site(
            name=content.name if content else "Sampan",
            home_url=visitor.path("/"),
            search_url=visitor.path("/search"),
            suggest_url=visitor.path("/_/suggest"),
            cart_url=visitor.path("/cart"),
            cart_fragment_url=visitor.path("/_/cart"),
            lookup_url=visitor.path("/orders/lookup"),
            account_url=visitor.path("/orders/lookup"),
            languages_url=visitor.path("/languages"),
            language_label="VI · ₫" if language == "vi" else "EN · ₫",
            legal=Legal(
                name=seller.name if seller else (content.name if content else "Sampan"),
                address=seller.address if seller else texts("shop.footer.no_seller"),
                tax_code=seller.tax_code if seller else "",
                phone=seller.phone if seller else "",
                email=seller.email if seller else "",
                notice_url=seller.notice_url if seller else "",
            ),
            categories=links,
            footer=[
                LinkColumn(texts("shop.footer.browse"), links),
                LinkColumn(texts("shop.footer.help"), help_links),
            ],
            announcement=Link(said(content.announcement, language), visitor.path(content.announcement_href))
            if content and content.announcement
            else None,
            cart_count=visitor.bag,
        )

    def texts(self, language: str) -> Any:
        return self.pages.texts(language)

    def money(self, amount: Money, language: str) -> str:
        return format_money(amount, language)

    async def page(
        self,
        request: Request,
        visitor: Visitor,
        template: str,
        context: dict[str, Any],
        *,
        status: int = 200,
        block: str = "",
        fragment: str = "",
        category: str = "",
        indexed: bool = False,
        places: dict[str, str] | None = None,
    ) -> Answer:
        """Render a page; for a fragment request its block, or the template that stands for it there.

        `places`: where the page is in each language, when its slug is translated too, or when it answers a form: what
        a form was sent to is no place to go to, so without them such a page leads to the home page.
        """
        here = address_of(request.path)
        plain = without_language(here) if request.method in ("GET", "HEAD") else "/"
        places = places or places_of(plain)
        values: dict[str, Any] = {
            "site": await self.site(visitor, category=category),
            "languages": [
                LanguageChoice("Tiếng Việt", places["vi"], "vi", current=visitor.language == "vi"),
                LanguageChoice("English", places["en"], "en", current=visitor.language == "en"),
            ],
            "visitor": visitor,
            "csrf_token": visitor.csrf,
            "theme": visitor.theme,
            "shortcuts": visitor.shortcuts,
            **context,
        }
        if indexed:
            base = self.settings.public_url
            values.setdefault("canonical", base + here)
            values["alternates"] = [
                {"language": "vi", "href": base + places["vi"]},
                {"language": "en", "href": base + places["en"]},
                {"language": "x-default", "href": base + places["vi"]},
            ]
        else:
            values.setdefault("robots", "noindex")
        if request.header("hx-request") == "true" and fragment:
            text = self.pages.render(fragment, values, lang=visitor.language)
        elif request.header("hx-request") == "true" and block:
            text = self.pages.render_block(template, block, values, lang=visitor.language)
        else:
            text = self.pages.render(template, values, lang=visitor.language)
        return self._remembering(html(text, status=status, headers=VARY), visitor)

    async def shared_page(
        self,
        request: Request,
        kind: str,
        tags: Sequence[str],
        make: Callable[[Visitor], Awaitable[Answer]],
        *,
        asked: str = "",
    ) -> Answer:
        """A page that is the same for everybody: made once, and kept until an event with one of its tags.

        `make` gets a visitor who is nobody. What little differs is part of the key (theme, number of things in the
        bag), but for the token in the forms: it is a gap in what is kept, and filled in for each visitor.
        `kind` names the pages that have most of their text in common; they are kept as what tells them apart.
        `asked` is what `make` reads of the address behind its `?`. Whatever else stands there makes no other page:
        advertisements put a mark of their own behind the address for each visitor.
        """
        visitor = self.visitor(request)
        nobody = Visitor(
            language=visitor.language,
            csrf=self.gap,
            new_csrf=False,
            cart_id=None,
            cart_token="",
            bag=visitor.bag,
            orders={},
            place=None,
            theme=visitor.theme,
            shortcuts=visitor.shortcuts,
            actor=Actor(),
            address="",
        )

        async def load() -> bytes:
            answer = await make(nobody)
            if answer.status != 200:
                raise NotKept(answer)
            return answer.body

        looks = f"{kind} {visitor.language} {request.header('hx-request') == 'true'}"
        marks = f"{visitor.theme} {visitor.shortcuts} {visitor.bag} {looks}"
        key = f"page {marks} {request.path}\n{asked}"
        try:
            kept = await self.answers.get_or_load(key, [*tags, "content"], load, alike=looks)
            answer = Answer(200, kept, HTML, VARY)
        except NotKept as other:
            answer = msgspec.structs.replace(other.answer)
        answer.body = answer.body.replace(self.gap.encode(), visitor.csrf.encode())
        return self._remembering(answer, visitor)

    def _remembering(self, answer: Answer, visitor: Visitor) -> Answer:
        """The visitor's token for forms is kept by their browser, when it is a new one."""
        if visitor.new_csrf:
            answer.with_cookie("csrf", visitor.csrf, secure=self.secure, max_age=30 * 86400)
        return answer

    async def refusal_page(self, request: Request, error: ShopError) -> Answer:
        """A refusal as a page: what happened, what was kept, what to do. A fragment says it beside what was there."""
        visitor = self.visitor(request, always=True)
        kind = refusal_kind(error)
        context = {
            "kind": kind,
            "request_id": request.id,
            "here": request.path if request.method in ("GET", "HEAD") else "",
            "title": self.texts(visitor.language)(f"shop.error.{kind}.title"),
            "alternatives": await self._alternatives(visitor, error) if kind == "410" else [],
            "in_drawer": request.header("hx-target").endswith("cart-drawer-body"),
        }
        answer = await self.page(
            request, visitor, "error.html", context, status=error.status, fragment="error_fragment.html"
        )
        answer.headers = [*answer.headers, *refusal_headers(error)]
        return answer

    async def _alternatives(self, visitor: Visitor, error: ShopError) -> list[dict[str, Any]]:
        """Products of the shelf that a gone product lay on."""
        category = error.facts.get("category")
        found = await self.catalog.list_products(category=category, limit=4)
        texts = self.texts(visitor.language)
        return [card for product in found if (card := document_card(product, visitor, texts)) is not None]

    async def ways_to_pay(self, price: Money, *, at_the_door: bool, language: str) -> list[Method] | None:
        """How so much can be paid here, whoever buys; `at_the_door`: the carrier takes cash. None while payments does
        not answer: then no way is promised.
        """
        try:
            methods = await self.payments.methods_for(
                market=MARKET,
                total=price,
                cod_fee=None,
                cod_limit=price if at_the_door else None,
                language=language,
            )
        except ShopError:
            return None
        return [method for method in methods if method.available]

    async def cart(self, visitor: Visitor) -> Cart | None:
        """The visitor's cart, or None when there is none any more."""
        if visitor.cart_id is None or not visitor.cart_token:
            return None
        try:
            return await self.orders.find_cart(
                actor=visitor.cart_actor(), cart_id=visitor.cart_id, language=visitor.language
            )
        except NotFound:
            return None

    async def order_of(self, visitor: Visitor, cart: Cart) -> Order | None:
        """The order that a cart became, with its secret, for whoever holds the cart: the answer that told of it was
        lost. None where nothing came of it, and the cart is one again.
        """
        placed = await self.orders.find_order_of_cart(
            actor=visitor.cart_actor(), cart_id=cart.id, language=visitor.language
        )
        return None if placed is None else placed.order

    async def to_order(self, visitor: Visitor, cart: Cart) -> Answer | None:
        """Whoever still holds a cart that became an order is led to the order, and holds that."""
        order = await self.order_of(visitor, cart)
        if order is None:
            return None
        answer = redirect(visitor.path(f"/orders/{order.id}") + "?placed=1")
        self.remember_order(answer, visitor, order.id, order.token or "")
        return self.forget_cart(answer)

    async def open_cart(self, visitor: Visitor) -> tuple[Cart, str]:
        """The visitor's cart with its secret; a new one when there is none or it was ordered."""
        cart = await self.cart(visitor)
        if cart is not None and cart.order_id is None:
            return cart, visitor.cart_token
        if cart is not None:
            visitor.found = await self.order_of(visitor, cart)
        made = await self.orders.create_cart(market="VN", language=visitor.language)
        assert made.token is not None
        visitor.cart_id, visitor.cart_token = made.id, made.token
        return made, made.token


def places_of(path: str) -> dict[str, str]:
    """Where a page is in each language."""
    return {language: path_for(language, path) for language in ("vi", "en")}


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def top_of(slug: str, categories: list[Category]) -> str:
    """The category at the top of the tree above this one; its own slug when it is at the top or unknown."""
    by_id = {category.id: category for category in categories}
    found = next((category for category in categories if category.slug == slug), None)
    while found is not None and found.parent_id in by_id:
        found = by_id[found.parent_id]
    return found.slug if found else slug


def said(texts: dict[str, str], language: str) -> str:
    """The text in a language, else in Vietnamese."""
    return texts.get(language) or texts.get("vi", "")


def picture(url: str | None, alt: str, width: int, height: int, widths: list[int]) -> dict[str, Any]:
    """What the picture component takes; a product without a picture shows the shop's mark."""
    if not url:
        return {"src": "", "alt": alt, "width": 320, "height": 400, "srcset": "", "full": "", "thumb": ""}

    def at(wanted: int) -> str:
        return url.replace(f"/{width}-{width}x{height}", f"/{wanted}-{width}x{height}")

    sizes = widths or [width]
    middle = next((size for size in sizes if size >= 480), sizes[-1])
    return {
        "src": at(middle),
        "alt": alt,
        "width": width,
        "height": height,
        "srcset": ", ".join(f"{at(size)} {size}w" for size in sizes),
        "full": url,
        "thumb": at(sizes[0]),
    }


def media_picture(media: Media, language: str, name: str) -> dict[str, Any]:
    return picture(media.url, said(media.alt, language) or name, media.width, media.height, media.widths)


def card_view(card: ProductCard, visitor: Visitor, texts: Any) -> dict[str, Any]:
    """A product card of search as the component takes it."""
    image = card.image
    return {
        "href": visitor.path(f"/p/{card.slug}"),
        "name": card.name,
        "image": picture(image.url, image.alt or card.name, image.width, image.height, image.widths)
        if image
        else picture(None, card.name, 0, 0, []),
        "price": card.price,
        "old_price": card.compare_at,
        "discount": discount_for(card.price, card.compare_at),
        "rating": card.rating.average,
        "rating_count": card.rating.count,
        "hints": hints_of(card.options, texts) if card.available else [texts("shop.card.sold_out")],
        "gone": not card.available,
    }


def hints_of(values: list[str], texts: Any) -> list[str]:
    """What there is to choose from, in a word or three."""
    if not values:
        return []
    return [", ".join(values) if len(values) <= 3 else texts("shop.card.values", count=len(values))]


def document_card(product: ProductDocument, visitor: Visitor, texts: Any) -> dict[str, Any] | None:
    """The same of a catalog document, for when search is away; None when it has no price here."""
    offers = [(v, offer) for v in product.variants for offer in v.offers if offer.market == "VN"]
    if not offers:
        return None
    name = said(product.name, visitor.language)
    _, cheapest = min(offers, key=lambda pair: pair[1].price.amount)
    gone = not any(v.available for v, _ in offers)
    labels = [said(value.label, visitor.language) for value in product.options[0].values] if product.options else []
    first = product.media[0] if product.media else None
    return {
        "href": visitor.path(f"/p/{product.slugs.get(visitor.language, product.slug)}"),
        "name": name,
        "image": media_picture(first, visitor.language, name) if first else picture(None, name, 0, 0, []),
        "price": cheapest.price,
        "old_price": cheapest.compare_at,
        "discount": discount_for(cheapest.price, cheapest.compare_at),
        "rating": 0.0,
        "rating_count": 0,
        "hints": [texts("shop.card.sold_out")] if gone else hints_of(labels, texts),
        "gone": gone,
    }


def vnd(amount: int) -> Money:
    return Money(amount, "VND")
