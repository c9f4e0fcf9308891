"""What is done with orders by those who ordered, and by staff in their place."""

import asyncio
import hmac
from uuid import UUID

from sampan.kernel.context import Actor
from sampan.kernel.errors import NotFound, ShopError
from sampan.kernel.ids import uuid7
from sampan.kernel.phone import BadPhone, normalise_phone
from sampan.services.orders.actions import view
from sampan.services.orders.actions.carts import CartActions
from sampan.services.orders.checkout import (
    Advanced,
    advance,
    check_method,
    is_shown,
    methods_for,
    order_cart,
    order_of,
    payment_fact,
    refusal_of,
)
from sampan.services.orders.contract import Cart, Checkout, NotCancellable, NotPayable, Order, Placed
from sampan.services.orders.rules import order as rules
from sampan.services.orders.rules.cart import MOST_LINES, Basket, with_more
from sampan.services.orders.rules.number import is_number, tidied
from sampan.services.orders.rules.people import clean_text
from sampan.services.orders.rules.sale import Sale, totals_of
from sampan.services.orders.rules.token import is_token
from sampan.services.orders.store import orders
from sampan.services.payments.contract import MethodNotAvailable, Payment
from sampan.services.shipping.contract import Shipment

NOBODY = "+00000000000"  # compared with when there is no such order, so that it takes as long


class OrderActions(CartActions):
    """Checkout, and an order as its customer sees it."""

    async def checkout(
        self, *, actor: Actor, cart_id: UUID, checkout: Checkout, client_ip: str, language: str
    ) -> Placed:
        """Order the cart, exactly once: a cart that became an order answers with that order.

        Raises NotFound, CartClosed, CartIncomplete, QuoteChanged, inventory.OutOfStock, payments.MethodNotAvailable,
        shipping.NotDeliverable.
        """
        sale, advanced = await order_cart(
            self.room, actor=actor, cart_id=cart_id, checkout=checkout, client_ip=client_ip, language=language
        )
        return await self._placed(sale, advanced, language)

    async def find_order_of_cart(self, *, actor: Actor, cart_id: UUID, language: str) -> Placed | None:
        """The order that a cart became, with its token, for whoever holds the cart; None while it is a cart, and when
        it is one again, because nothing came of the order. Raises NotFound.
        """
        found = await order_of(self.room, await self._load(actor, cart_id))
        if found is None or not is_shown(found[1]):
            return None
        return await self._placed(*found, language)

    async def find_order(self, *, actor: Actor, order_id: UUID, language: str) -> Order:
        """An order, for whoever holds its secret, or staff. Raises NotFound."""
        sale = await self._sale(actor, order_id)
        return await self._order(sale, actor=actor, language=language)

    async def find_order_payment(self, *, actor: Actor, order_id: UUID, language: str) -> Placed:
        """The order with its payment, asking the provider if that is still open. Raises NotFound."""
        sale = await self._sale(actor, order_id)
        payment = await self.room.payments.find_payment(order_id=order_id)
        if payment is not None and payment.status in ("pending", "review"):
            payment = await self._asked(sale, payment)
        order = await self._order(sale, actor=actor, language=language)
        return Placed(order=order, payment=view.payment_for(payment, order_id))

    async def pay(
        self,
        *,
        actor: Actor,
        order_id: UUID,
        payment_method: str,
        return_url: str | None,
        client_ip: str,
        language: str,
        key: str = "",
    ) -> Placed:
        """A new attempt for an unpaid order, at the same total. The same key, the same attempt.

        Raises NotFound, NotPayable, Invalid, payments.MethodNotAvailable, inventory.OutOfStock.
        """
        room = self.room
        sale = await self._sale(actor, order_id, permission="orders.write")
        async with room.db.read() as tx:
            seen = await orders.see(tx, order_id)
        if not rules.is_same_try(seen, key) and (why := rules.why_not_payable(seen, seen.now)):
            raise NotPayable("the order takes no payment now", reason=why)
        back = room.way_back(return_url, order_id)
        total = totals_of(sale).total
        offered = await methods_for(room, sale.market, total, sale.shipping_option, language=language)
        method = check_method(offered, payment_method)
        if method.fee.amount != sale.fee:
            raise MethodNotAvailable("the order was made at another fee", reason="fee_differs", method=payment_method)
        asked = rules.PayAsked(method=payment_method, return_url=back, client_ip=client_ip, key=key)
        advanced = await advance(room, sale, heard=asked)
        check_taken(advanced)
        payment = advanced.payment or await room.payments.find_payment(order_id=order_id)
        order = await self._order(sale, actor=actor, language=language)
        return Placed(order=order, payment=view.payment_for(payment, order_id))

    async def cancel(self, *, actor: Actor, order_id: UUID, reason: str, language: str) -> Order:
        """By the customer or staff, before shipping. An order that is cancelled already is the answer.

        Raises NotFound, Invalid, NotCancellable.
        """
        why = clean_text("reason", reason, most=200, least=0)
        sale = await self._sale(actor, order_id, permission="orders.write")
        by: rules.Party = "staff" if actor.kind == "staff" and actor.may("orders.write") else "customer"
        try:
            advanced = await advance(self.room, sale, heard=rules.CancelAsked(by=by, reason=why))
        except NotCancellable as refusal:
            if refusal.facts.get("reason") not in ("cancelled", "closing"):
                raise
            advanced = await advance(self.room, sale)
        if advanced.order.status != "cancelled":
            raise NotCancellable("the order can no longer be cancelled", reason="shipped")
        return await self._order(sale, actor=actor, language=language)

    async def find_by_number(self, *, number: str, phone: str, language: str) -> Order:
        """For guests without their link: number and phone must fit; the refusal is always the same.

        Raises NotFound, TooManyRequests.
        """
        asked = tidied(number)
        await self.room.spend_lookup(asked)
        try:
            e164 = normalise_phone(phone)
        except BadPhone:
            e164 = ""
        async with self.room.db.read() as tx:
            found = await orders.by_number(tx, asked)
        fits = hmac.compare_digest((found.phone if found else NOBODY).encode(), e164.encode())
        if found is None or not fits:
            raise NotFound("no order has this number and this phone")
        async with self.room.db.read() as tx:
            sale = await orders.find_sale(tx, found.id)
        if sale is None:
            raise NotFound("no order has this number and this phone")
        return await self._order(sale, actor=Actor(), language=language)

    async def order_for_return(self, *, payment_ref: str) -> UUID | None:
        """The order that a provider's reference (`SP…-1`) belongs to. It says nothing else of the order."""
        number = payment_ref.partition("-")[0]
        if not is_number(number):
            return None
        async with self.room.db.read() as tx:
            found = await orders.by_number(tx, number)
        return found.id if found else None

    async def reorder(self, *, actor: Actor, order_id: UUID, language: str) -> Cart:
        """A new cart, with its token, of what can still be bought of an order. Raises NotFound."""
        sale = await self._sale(actor, order_id, permission="orders.write")
        market = await self._market(sale.market)
        variants = [line.variant_id for line in sale.lines]
        snapshots, prices = await asyncio.gather(
            self.room.fresh_snapshots(variants),
            self.room.pricing.prices_for(variants=variants, market=sale.market),
        )
        priced = {price.variant_id for price in prices}
        most = {s.variant_id: s.max_quantity for s in snapshots.values() if s.published and s.variant_id in priced}

        def fill(basket: Basket) -> Basket:
            for line in sale.lines[:MOST_LINES]:
                if line.variant_id in most:
                    basket = with_more(
                        basket,
                        line_id=uuid7(),
                        variant_id=line.variant_id,
                        quantity=min(line.quantity, most[line.variant_id]),
                    )
            return basket

        return await self._new_cart(market, language, fill)

    # --- how ------------------------------------------------------------------------------------------------------

    async def _sale(self, actor: Actor, order_id: UUID, *, permission: str = "orders.read") -> Sale:
        async with self.room.db.read() as tx:
            return await orders.load_order(tx, actor, order_id, permission=permission)

    async def _placed(self, sale: Sale, advanced: Advanced, language: str) -> Placed:
        """The answer to who ordered: the order with its token."""
        room = self.room
        payment = advanced.payment or await room.payments.find_payment(order_id=sale.id)
        token = room.order_token(sale.id)
        holder = Actor(order_token=token)
        order = await self._order(
            sale, actor=holder, language=language, token=token if is_token(token, sale.token_hash) else None
        )
        return Placed(order=order, payment=view.payment_for(payment, sale.id))

    async def _order(self, sale: Sale, *, actor: Actor, language: str, token: str | None = None) -> Order:
        async with self.room.db.read() as tx:
            seen = await orders.see(tx, sale.id)
        left = any(work.status in rules.LEFT for work in seen.work_orders)
        shipments = await self._shipments(sale.id) if left else []
        glance = view.Glance(sale=sale, seen=seen, shipments=shipments)
        return view.order_for(glance, self.room.texts(language), actor=actor, language=language, token=token)

    async def _shipments(self, order_id: UUID) -> list[Shipment]:
        """An order is shown even while shipping does not answer."""
        try:
            return await self.room.shipping.shipments_for(order_id=order_id)
        except ShopError as failure:
            if failure.status != 503:
                raise
            return []

    async def _asked(self, sale: Sale, known: Payment) -> Payment:
        """What the provider says now; what we knew, while it does not answer. The order hears of it."""
        payment = known
        try:
            payment = await self.room.payments.ask(order_id=sale.id)
            await advance(self.room, sale, heard=payment_fact(payment))
        except ShopError as failure:
            if failure.status != 503:
                raise
        return payment


def check_taken(advanced: Advanced) -> None:
    """Raises what a peer said to the new attempt, if it was refused."""
    order = advanced.order
    if order.refused is not None:
        raise refusal_of(order.refused)
    if order.status == "cancelled":
        raise NotPayable("the order takes no payment now", reason="cancelled")
