"""What is done with carts.

A change is written over the version it was computed from; who was overtaken does it again.
"""

import secrets
from collections.abc import Callable
from uuid import UUID

import msgspec

from sampan.kernel.context import Actor
from sampan.kernel.ids import uuid7
from sampan.kernel.money import zero
from sampan.services.orders.actions import view
from sampan.services.orders.checkout import methods_for
from sampan.services.orders.contract import (
    Cart,
    CartClosed,
    CartIncomplete,
    Contact,
    Problem,
    ShippingAddress,
)
from sampan.services.orders.offer import NOTHING, Offer, offer_for, options_for
from sampan.services.orders.room import Room
from sampan.services.orders.rules import cart as rules
from sampan.services.orders.rules.cart import Basket
from sampan.services.orders.rules.people import clean_address, clean_contact
from sampan.services.orders.rules.token import digest_for
from sampan.services.orders.store import carts
from sampan.services.payments.contract import Method
from sampan.services.pricing.contract import Market, NotPriced, UnknownMarket
from sampan.services.shipping.contract import NotDeliverable, Option

Edit = Callable[[Basket], Basket]
MOST_FORGOTTEN = 500


class CartActions:
    """Carts: what somebody means to buy."""

    room: Room

    async def create_cart(self, *, market: str, language: str) -> Cart:
        """A new cart with its token, which is shown this once. Raises pricing.UnknownMarket."""
        found = await self._market(market)
        return await self._new_cart(found, language)

    async def find_cart(self, *, actor: Actor, cart_id: UUID, language: str) -> Cart:
        """A cart with what it costs and lacks right now. Raises NotFound."""
        basket = await self._load(actor, cart_id)
        return await self._view(basket, language)

    async def add_line(
        self, *, actor: Actor, cart_id: UUID, variant_id: UUID, quantity: int, language: str, key: str = ""
    ) -> Cart:
        """Put so many of a variant into the cart; what is there already adds up. The same key, the same addition.

        Raises NotFound, CartClosed, Invalid, catalog.UnknownVariant, pricing.NotPriced.
        """
        line_id = uuid7()
        return await self._change(
            actor,
            cart_id,
            language,
            lambda basket: rules.with_more(basket, line_id=line_id, variant_id=variant_id, quantity=quantity, key=key),
        )

    async def change_line(self, *, actor: Actor, cart_id: UUID, line_id: UUID, quantity: int, language: str) -> Cart:
        """So many of a line from now on.

        Raises NotFound, CartClosed, Invalid, catalog.UnknownVariant, pricing.NotPriced.
        """
        return await self._change(
            actor,
            cart_id,
            language,
            lambda basket: rules.with_quantity(basket, line_id=line_id, quantity=quantity),
        )

    async def remove_line(self, *, actor: Actor, cart_id: UUID, line_id: UUID, language: str) -> Cart:
        """Take a line out. Taking it out twice is taking it out. Raises NotFound, CartClosed."""
        return await self._change(actor, cart_id, language, lambda basket: rules.without_line(basket, line_id))

    async def set_contact(self, *, actor: Actor, cart_id: UUID, contact: Contact, language: str) -> Cart:
        """Who orders. Raises NotFound, CartClosed, Invalid."""
        tidy = clean_contact(contact)
        return await self._change(actor, cart_id, language, lambda basket: changed(basket, contact=tidy))

    async def set_shipping_address(
        self, *, actor: Actor, cart_id: UUID, address: ShippingAddress, language: str
    ) -> Cart:
        """Where to. The chosen way to deliver stays only if it is offered there too.

        Raises NotFound, CartClosed, Invalid, locations.UnknownPlace.
        """
        place = await self.room.locations.find_place(province_code=address.province_code, ward_code=address.ward_code)
        tidy = clean_address(address, place)
        return await self._change(actor, cart_id, language, lambda basket: changed(basket, shipping_address=tidy))

    async def find_shipping_options(self, *, actor: Actor, cart_id: UUID, language: str) -> list[Option]:
        """The ways to deliver this cart to its address, cheapest first; none before there is an address."""
        basket = await self._load(actor, cart_id)
        offer = await offer_for(self.room, basket, language=language, stock=False)
        return await self._options(basket, offer, language)

    async def set_shipping_option(self, *, actor: Actor, cart_id: UUID, option_id: str, language: str) -> Cart:
        """How it travels: one of those offered now.

        Raises NotFound, CartClosed, CartIncomplete, shipping.NotDeliverable.
        """
        basket = await self._load(actor, cart_id)
        rules.check_open(basket)
        missing = rules.cart_problems(basket, option_offered=True)
        if found := [Problem(code) for code in missing if code in ("empty", "missing_address")]:
            raise CartIncomplete("there is nothing to deliver, or nowhere to", problems=msgspec.to_builtins(found))
        return await self._change(
            actor,
            cart_id,
            language,
            lambda basket: changed(basket, shipping_option_id=option_id),
            basket=basket,
            option_needed=True,
        )

    async def find_payment_methods(self, *, actor: Actor, cart_id: UUID, language: str) -> list[Method]:
        """The ways to pay what the cart costs now, and which of them are offered."""
        basket = await self._load(actor, cart_id)
        offer = await offer_for(self.room, basket, language=language, stock=False)
        total = offer.quote.totals.total if offer.quote else zero(basket.currency)
        return await methods_for(self.room, basket.market, total, offer.option, language=language)

    async def forget_carts(self) -> None:
        """Carts that expired a week ago are deleted."""
        while True:
            async with self.room.db.begin() as tx:
                if await carts.forget_carts(tx, MOST_FORGOTTEN) < MOST_FORGOTTEN:
                    return

    # --- how ------------------------------------------------------------------------------------------------------

    async def _market(self, code: str) -> Market:
        market = next((each for each in await self.room.pricing.list_markets() if each.code == code), None)
        if market is None:
            raise UnknownMarket("there is no such market", market=code[:16])
        return market

    async def _new_cart(self, market: Market, language: str, edit: Edit | None = None) -> Cart:
        """A cart, with what `edit` puts into it."""
        token = secrets.token_urlsafe(32)
        cart_id = uuid7()
        days = self.room.policy.cart_days
        async with self.room.db.read() as tx:  # one statement, which is its own transaction
            basket = await carts.add_cart(
                tx,
                cart_id=cart_id,
                token_hash=digest_for(token),
                market=market.code,
                currency=market.currency,
                days=days,
            )
        if edit is None:
            return view.cart_for(basket, NOTHING, self.room.texts(language), language=language, token=token)
        cart = await self._change(Actor(cart_token=token), cart_id, language, edit, basket=basket)
        return msgspec.structs.replace(cart, token=token)

    async def _load(self, actor: Actor, cart_id: UUID) -> Basket:
        async with self.room.db.read() as tx:
            return await carts.load_cart(tx, actor, cart_id)

    async def _options(self, basket: Basket, offer: Offer, language: str) -> list[Option]:
        if offer.quote is None:
            return []
        return await options_for(self.room, basket, offer.snapshots, offer.quote, language=language, recent=True)

    async def _view(self, basket: Basket, language: str) -> Cart:
        offer = await offer_for(self.room, basket, language=language)
        return view.cart_for(basket, offer, self.room.texts(language), language=language)

    async def _change(
        self,
        actor: Actor,
        cart_id: UUID,
        language: str,
        edit: Edit,
        *,
        basket: Basket | None = None,
        option_needed: bool = False,
    ) -> Cart:
        """Change a cart by `edit`, and answer with what it costs then.

        The peers are asked first, about the cart as it will be; then it is written, if nobody else was faster. Who was
        overtaken changes the cart as it is now, under its lock, and asks again. `option_needed`: the way to deliver
        must be one of those offered.
        """
        room = self.room
        days = room.policy.cart_days
        before = basket or await self._load(actor, cart_id)
        wanted = edit(before)
        offer = await offer_for(room, wanted, language=language)
        check_choices(before, wanted, offer)
        if option_needed and offer.option is None:
            raise NotDeliverable("this way to deliver is not offered for this cart")
        after = remembered(wanted, offer, asked=wanted)
        async with room.db.read() as tx:  # one statement, which is its own transaction
            saved = await carts.save_cart(tx, after, days=days)
        overtaken = saved is None
        if overtaken:
            async with room.db.begin() as tx:
                before = await carts.load_cart(tx, actor, cart_id, lock=True)
                after = edit(before)
                check_choices(before, after, offer)
                after = remembered(after, offer, asked=wanted)
                saved = await carts.save_cart(tx, after, days=days)
        if saved is None:
            raise CartClosed("the cart has expired", reason="expired")
        after = msgspec.structs.replace(after, version=saved.version, expires_at=saved.expires_at)
        if overtaken:
            return await self._view(after, language)
        return view.cart_for(after, offer, room.texts(language), language=language)


def changed(basket: Basket, **fields: object) -> Basket:
    """Raises CartClosed."""
    rules.check_open(basket)
    return msgspec.structs.replace(basket, **fields)


def check_choices(before: Basket, after: Basket, offer: Offer) -> None:
    """What a change adds must be for sale, allowed, and have a price. Raises UnknownVariant, Invalid, NotPriced."""
    for line in after.lines:
        old = rules.line_with(before, line.variant_id)
        if old is not None and line.quantity <= old.quantity:
            continue
        rules.check_choice(line, offer.snapshots.get(line.variant_id), before=old.quantity if old else 0)
        if line.variant_id not in offer.priced:
            raise NotPriced("this has no price here", variants=[str(line.variant_id)])


def remembered(basket: Basket, offer: Offer, *, asked: Basket) -> Basket:
    """What the customer sees now is remembered; a way to deliver that is not offered is not.

    The offer was made to the cart as it was `asked` about; another choice made meanwhile stays.
    """
    seen = rules.seen_now(basket, offer.snapshots, {line.variant_id: line.unit for line in offer.priced.values()})
    if (basket.shipping_option_id, basket.shipping_address) != (asked.shipping_option_id, asked.shipping_address):
        return seen
    option = offer.option
    return msgspec.structs.replace(
        seen,
        shipping_option_id=option.id if option else None,
        shipping_seen=option.price.amount if option else None,
    )
