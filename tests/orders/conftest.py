"""A stall in the real shop: goods with prices and stock, carts that are ready to order, a bank that tells of payments."""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import pytest

from sampan.kernel import context
from sampan.kernel.context import Actor
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.catalog.rules import Draft, NewVariant, ProductType
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.inventory.contract import Delivery
from sampan.services.orders import handlers
from sampan.services.orders.actions.orders_actions import OrdersActions
from sampan.services.orders.contract import Cart, Checkout, Contact, Order, Placed, ShippingAddress
from sampan.services.payments.providers.vnpay import wire
from sampan.services.pricing.contract import NewPrice

CONTACT = Contact("Nguyễn Thị Đào", "0912 345 678", "dao@example.com")
ADDRESS = ShippingAddress("Trần Văn Bé", "0987654321", "79", "26743", "12 Lê Lợi", "gọi trước khi giao")
PRICE = 199_000
IP = "203.0.113.7"


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


class Instead:
    """A peer that answers otherwise where a test says so."""

    def __init__(self, peer: Any, **answers: Any) -> None:
        self._peer = peer
        self.__dict__.update(answers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


class Stall:
    """The whole shop, with shortcuts for those who buy."""

    contact = CONTACT
    address = ADDRESS
    price = PRICE

    def __init__(self, shop: Any, warehouse: UUID, other_warehouse: UUID) -> None:
        self.shop = shop
        self.warehouse = warehouse
        self.other_warehouse = other_warehouse
        self.orders = cast(OrdersActions, shop.actions("orders"))
        self.db = shop.db("orders")
        self.staff = Actor(
            kind="staff",
            id=str(uuid4()),
            permissions=frozenset(("orders.read", "orders.write", "payments.refund", "fulfillment.write")),
        )

    @staticmethod
    def holder(cart: Cart) -> Actor:
        """Whoever has the cart's token."""
        return Actor(cart_token=cart.token or "")

    @staticmethod
    def owner(order: Order) -> Actor:
        """Whoever has the order's token."""
        return Actor(order_token=order.token or "")

    # --- goods

    async def goods(self, *, price: int | None = PRICE, stock: int = 10, most: int = 99, grams: int = 400) -> UUID:
        """A published variant that nobody else knows."""
        tag = uuid4().hex[:10]
        made = await self.shop.actions("catalog").create_product(
            draft=Draft(
                name={"vi": f"Ghế nhựa {tag}", "en": f"Plastic stool {tag}"},
                product_type="anything",
                variants=[NewVariant(f"GHE-{tag}", grams=grams, max_quantity=most)],
                status="published",
            )
        )
        variant = made.document.variants[0].id
        if price is not None:
            await self.reprice(variant, price)
        if stock:
            await self.stock(variant, stock)
        return variant

    async def reprice(self, variant: UUID, price: int | None) -> None:
        new = NewPrice(variant_id=variant, market="VN", amount=price)
        await self.shop.actions("pricing").set_prices(actor=context.SYSTEM, prices=[new])

    async def stock(self, variant: UUID, quantity: int, warehouse: UUID | None = None) -> None:
        items = [Delivery(variant, warehouse or self.warehouse, quantity)]
        await self.shop.actions("inventory").stock_up(cause=f"test {uuid4()}", items=items)

    async def withdraw(self, variant: UUID) -> None:
        """The variant's product is no longer published."""
        catalog = self.shop.actions("catalog")
        [found] = await catalog.find_variants(variants=[variant])
        stored = await catalog.find_draft(product_id=found.product_id)
        draft = msgspec.structs.replace(stored.draft, status="archived")
        await catalog.change_product(product_id=found.product_id, draft=draft, version=stored.version)

    async def available(self, variant: UUID) -> int:
        [found] = await self.shop.actions("inventory").available_for(variants=[variant])
        return cast(int, found.available)

    # --- carts

    async def cart(self, *wanted: tuple[UUID, int], language: str = "vi") -> Cart:
        cart = await self.orders.create_cart(market="VN", language=language)
        token = cart.token
        for variant, quantity in wanted:
            cart = await self.orders.add_line(
                actor=Actor(cart_token=token or ""),
                cart_id=cart.id,
                variant_id=variant,
                quantity=quantity,
                language=language,
            )
        return msgspec.structs.replace(cart, token=token)

    async def ready(self, *wanted: tuple[UUID, int], language: str = "vi") -> Cart:
        """A cart that lacks nothing; without `wanted`, with one new variant."""
        made = await self.cart(*(wanted or ((await self.goods(), 2),)), language=language)
        me, orders = self.holder(made), self.orders
        common = {"actor": me, "cart_id": made.id, "language": language}
        await orders.set_contact(contact=CONTACT, **common)
        await orders.set_shipping_address(address=ADDRESS, **common)
        options = await orders.find_shipping_options(**common)
        cart = await orders.set_shipping_option(option_id=options[0].id, **common)
        assert cart.problems == []
        return msgspec.structs.replace(cart, token=made.token)

    async def checkout(
        self, cart: Cart | None = None, *, method: str = "cod", total: Money | None = None, language: str = "vi"
    ) -> Placed:
        cart = cart or await self.ready()
        return await self.orders.checkout(
            actor=self.holder(cart),
            cart_id=cart.id,
            checkout=Checkout(payment_method=method, expected_total=total or cart.totals.total),
            client_ip=IP,
            language=language,
        )

    async def order(self, method: str = "cod", *wanted: tuple[UUID, int]) -> Order:
        return (await self.checkout(await self.ready(*wanted), method=method)).order

    async def look(self, order: Order, actor: Actor | None = None, language: str = "vi") -> Order:
        return await self.orders.find_order(actor=actor or self.owner(order), order_id=order.id, language=language)

    # --- the world outside

    async def bank_tells(
        self,
        order: Order,
        *,
        attempt: int = 1,
        amount: int | None = None,
        success: bool = True,
        settle: bool = True,
    ) -> str:
        """VNPay calls, as it would, and everybody hears of it; the code of our answer."""
        bank = self.shop.actions("vnpay_sandbox")
        code = "00" if success else "24"
        query = wire.notice_query(
            notice=wire.Notice(
                tmn_code=bank.settings.tmn_code,
                txn_ref=f"{order.number}-{attempt}",
                amount=order.totals.total.amount if amount is None else amount,
                response_code=code,
                transaction_status="00" if success else "02",
                transaction_no=str(order.id.int % 10**13 * 10 + attempt),
            ),
            secret=bank.settings.hash_secret,
        )
        answer = await self.shop.http.get(f"/api/v1/payments/vnpay/ipn?{query}")
        assert answer.status_code == 200, answer.text
        if settle:
            await self.shop.settle()
        return cast(str, answer.json()["RspCode"])

    async def warehouse_does(self, order: Order, *steps: str, parcel: int = 0) -> None:
        """The warehouse works on a parcel of the order: pick, pack, ship, deliver, fail, send_back, receive."""
        await self.shop.settle()
        fulfillment = self.shop.actions("fulfillment")
        works = await fulfillment.work_orders_for(order_id=order.id)
        for step in steps:
            more = {"reason": "không ai ở nhà"} if step == "fail" else {}
            await getattr(fulfillment, step)(actor=self.staff, work_order_id=works[parcel].id, **more)
            await self.shop.settle()

    async def warehouse_tells(self, order: Order, status: str, version: int) -> None:
        """A word of the warehouse arrives, out of its place. The order's own parcels are not touched."""
        event = WorkOrderChanged(
            work_order_id=order.id,
            order_id=order.id,
            warehouse_id=self.warehouse,
            status=status,  # type: ignore[arg-type]
            tracking_number="VN123",
            of=1,
            version=version,
        )
        async with self.db.begin() as tx:
            await handlers.on_news(self.orders, tx, [event])
        await self.orders.advance_due()

    async def pass_time(self, order: Order, minutes: float) -> None:
        """Time passes for one order and what it holds: their times are moved back instead of the clock forward."""
        ago = timedelta(minutes=minutes)
        async with self.db.begin() as tx:
            await tx.execute(
                "UPDATE orders.sales_order SET pay_until = pay_until - $2::interval, held_until = held_until - $2::interval, "
                "made_at = made_at - $2::interval, confirm_by = confirm_by - $2::interval, due_at = due_at - $2::interval WHERE id = $1",
                order.id,
                ago,
            )
        async with self.shop.db("inventory").begin() as tx:
            await tx.execute(
                "UPDATE inventory.hold SET expires_at = expires_at - $2::interval, first_held_at = first_held_at - $2::interval "
                "WHERE order_id = $1",
                order.id,
                ago,
            )
            await tx.execute(
                "UPDATE inventory.allocation SET held_until = held_until - $2::interval WHERE order_id = $1",
                order.id,
                ago,
            )

    async def events(self, order: Order) -> list[str]:
        """The names of what others were told of an order, in order."""
        async with self.db.read() as tx:
            return await tx.many(
                str,
                "SELECT name FROM orders.outbox WHERE body ->> 'order_id' = $1 ORDER BY position",
                str(order.id),
            )

    async def event(self, order: Order, kind: type[Any]) -> Any:
        """The one event of a kind about an order."""
        async with self.db.read() as tx:
            [body] = await tx.many(
                dict,
                "SELECT body FROM orders.outbox WHERE body ->> 'order_id' = $1 AND name = $2",
                str(order.id),
                kind.name,
            )
        return msgspec.convert(body, kind)

    async def orders_of(self, cart: Cart) -> list[tuple[UUID, str]]:
        async with self.db.read() as tx:
            rows = await tx.connection.fetch(
                "SELECT id, status FROM orders.sales_order WHERE cart_id = $1 ORDER BY made_at", cart.id
            )
        return [(row[0], row[1]) for row in rows]


@pytest.fixture(scope="session")
async def stall(shop: Any) -> Any:
    await shop.actions("catalog").put_type(product_type=ProductType("anything", {"vi": "Đồ", "en": "Things"}, []))
    warehouses = [
        await shop.actions("inventory").add_warehouse(
            code=f"T-{uuid7().hex[-8:].upper()}",
            name="Kho thử",
            province_code="79",
            ward_code="26743",
            street="1 Lê Lợi",
            priority=1,
            provinces=["79"],
        )
        for _ in range(2)
    ]
    yield Stall(shop, *(warehouse.id for warehouse in warehouses))
    await shop.settle()  # the tests of others may have taken longer than anything is to wait here
    assert await shop.actions("orders").invariants() == []
