"""One shop with two processes, a bank, and everybody who does something to an order.

The second process is a second composition on the same database: it shares nothing with the first but PostgreSQL, so
what saves work inside of one process does not save the test.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
from tests.faults.stories import SERVICES
from tests.machines.tables import MACHINES, REFUSALS, illegal
from tests.machines.watch import NOTE, SUSPICIONS, WATCH
from tests.town import Town

from sampan.kernel import context
from sampan.kernel.context import Actor
from sampan.kernel.errors import ShopError
from sampan.run import Shop, compose
from sampan.sandbox.vnpay.contract import Fault
from sampan.services.fulfillment.contract import IllegalStep, Piece
from sampan.services.orders.contract import Cart, Checkout, RefundLine

IP = "203.0.113.7"
STAFF = Actor(
    kind="staff",
    id="0190",
    permissions=frozenset(("orders.read", "orders.write", "payments.refund", "fulfillment.write")),
)


class Process:
    """One process of the shop: who is asked."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.orders: Any = shop.live["orders"]
        self.payments: Any = shop.live["payments"]
        self.inventory: Any = shop.live["inventory"]
        self.fulfillment: Any = shop.live["fulfillment"]
        self.pricing: Any = shop.live["pricing"]

    def confirm_first(self, wanted: bool) -> None:
        """Whether orders to be paid at the door wait for staff."""
        room = self.orders.room
        room.policy = msgspec.structs.replace(room.policy, confirm_cod=wanted)


class Story:
    """One customer, one cart, the order it becomes (or another one, when the first found its goods gone); what was done
    to it, and what came of that.
    """

    def __init__(self, cart: Cart, variant: UUID, stock: int) -> None:
        self.cart = cart
        self.variant = variant
        self.stock = stock
        self.order_id: UUID | None = None
        self.number = ""
        self.off: set[UUID] = set()  # orders of which somebody was told that they are cancelled
        self.said: list[str] = []  # by the bank, signed
        self.done: list[str] = []

    @property
    def buyer(self) -> Actor:
        return Actor(cart_token=self.cart.token or "")


class World:
    """The two processes, the bank, and what can be done there."""

    def __init__(self, town: Town, other: Shop) -> None:
        self.town = town
        self.stall = town.stall
        self.bank = town.bank
        self.here = Process(town.shop.shop)
        self.there = Process(other)
        self.price = self.stall.price
        self.seen = 0  # moves looked at so far
        self.reported: set[str] = set()

    # --- a story begins

    async def begin(self, *, stock: int = 3, quantity: int = 1) -> Story:
        variant = await self.stall.goods(stock=stock)
        return Story(await self.stall.ready((variant, quantity)), variant, stock)

    async def find(self, story: Story) -> UUID | None:
        """The order that the cart became, if it did."""
        async with self.stall.db.pool.acquire() as connection:
            row = await connection.fetchrow(
                "SELECT id, number FROM orders.sales_order WHERE cart_id = $1 ORDER BY made_at DESC LIMIT 1",
                story.cart.id,
            )
        if row is not None:
            story.order_id, story.number = row[0], row[1]
        return story.order_id

    async def act(self, name: str, process: Process, story: Story) -> str:
        """Somebody does something; "" or the code of the refusal, which must be one that the documents name."""
        await self.find(story)
        refused: ShopError | None = None
        try:
            outcome = "nothing to do" if await getattr(self, name)(process, story) is False else ""
        except ShopError as refusal:
            refused, outcome = refusal, refusal.code
        assert not refused or outcome in REFUSALS.get(name, "").split(), f"{name} was refused: {outcome} {refused}"
        story.done.append(f"{name}: {outcome or 'done'}")
        return outcome

    def owner(self, story: Story) -> Actor:
        return Actor(order_token=self.here.orders.room.order_token(story.order_id))

    # --- the customer

    async def add(self, process: Process, story: Story) -> Any:
        return await process.orders.add_line(
            actor=story.buyer, cart_id=story.cart.id, variant_id=story.variant, quantity=1, language="vi"
        )

    async def patch(self, process: Process, story: Story) -> Any:
        return await process.orders.change_line(
            actor=story.buyer, cart_id=story.cart.id, line_id=story.cart.lines[0].id, quantity=2, language="vi"
        )

    async def buy_cash(self, process: Process, story: Story) -> Any:
        return await self._buy(process, story, "cod")

    async def buy_online(self, process: Process, story: Story) -> Any:
        return await self._buy(process, story, "vnpay")

    async def _buy(self, process: Process, story: Story, method: str) -> Any:
        """With the total that the customer saw last. What is bought is an order, and lives."""
        cart = await process.orders.find_cart(actor=story.buyer, cart_id=story.cart.id, language="vi")
        placed = await process.orders.checkout(
            actor=story.buyer,
            cart_id=story.cart.id,
            checkout=Checkout(payment_method=method, expected_total=cart.totals.total),
            client_ip=IP,
            language="vi",
        )
        await self.find(story)
        assert placed.order.id == story.order_id
        return placed

    async def pay_again(self, process: Process, story: Story) -> Any:
        return await self._pay(process, story, "vnpay")

    async def pay_at_door(self, process: Process, story: Story) -> Any:
        return await self._pay(process, story, "cod")

    async def _pay(self, process: Process, story: Story, method: str) -> Any:
        if story.order_id is None:
            return False
        return await process.orders.pay(
            actor=self.owner(story),
            order_id=story.order_id,
            payment_method=method,
            return_url=None,
            client_ip=IP,
            language="vi",
        )

    async def cancel(self, process: Process, story: Story) -> Any:
        if story.order_id is None:
            return False
        order = await process.orders.cancel(
            actor=self.owner(story), order_id=story.order_id, reason="đổi ý", language="vi"
        )
        assert order.status == "cancelled"
        story.off.add(order.id)
        return order

    async def look(self, process: Process, story: Story) -> Any:
        if story.order_id is None:
            return False
        return await process.orders.find_order(actor=self.owner(story), order_id=story.order_id, language="vi")

    async def come_back(self, process: Process, story: Story) -> Any:
        """The browser returns from the bank and asks."""
        if story.order_id is None:
            return False
        return await process.orders.find_order_payment(actor=self.owner(story), order_id=story.order_id, language="vi")

    # --- the bank

    async def bank_takes(self, process: Process, story: Story) -> Any:
        """The payer pays what is asked, and the bank tells us."""
        return await self._at_the_bank(process, story, "pay")

    async def bank_takes_quietly(self, process: Process, story: Story) -> Any:
        """The payer pays, and nobody is told; a query knows."""
        return await self._at_the_bank(process, story, "pay", tells=False)

    async def bank_declines(self, process: Process, story: Story) -> Any:
        return await self._at_the_bank(process, story, "cancel")

    async def bank_takes_too_much(self, process: Process, story: Story) -> Any:
        await self.bank.set_fault(fault=Fault(kind="wrong_amount", amount=999_000, times=1))
        try:
            return await self._at_the_bank(process, story, "pay")
        finally:
            await self._only_quiet()

    async def bank_breaks_down(self, process: Process, story: Story) -> Any:
        """The next call of the bank's API fails, though it may have done what it was asked."""
        await self.bank.set_fault(fault=Fault(kind="http_500", times=1, after=len(story.done) % 2 == 0))
        return True

    async def bank_tells_again(self, process: Process, story: Story) -> Any:
        """All that was ever said, in the other order."""
        if not story.said:
            return False
        for said in reversed(story.said):
            await process.payments.take_notice(provider="vnpay", raw=said.encode())
        return True

    async def _at_the_bank(self, process: Process, story: Story, choice: str, *, tells: bool = True) -> Any:
        if story.order_id is None:
            return False
        payment = await process.payments.find_payment(order_id=story.order_id)
        if payment is None or payment.action.url is None:
            return False
        page = await self.bank.begin(query=urlsplit(payment.action.url).query.encode())
        back = await self.bank.confirm(payment_id=page.id, choice=choice)
        said = urlsplit(back).query
        story.said.append(said)
        if tells:
            await process.payments.take_notice(provider="vnpay", raw=said.encode())
            await process.payments.advance(order_id=story.order_id)
            await self.hears(process, "orders", "payments")
            await self.move_on(process, story)
        return True

    async def _only_quiet(self) -> None:
        """The bank tells us by `take_notice` alone, exactly when the test says so."""
        await self.bank.clear_faults()
        await self.bank.set_fault(fault=Fault(kind="never_notify"))

    # --- the warehouse

    async def pick(self, process: Process, story: Story) -> Any:
        return await self._step(process, story, "pick")

    async def pack(self, process: Process, story: Story) -> Any:
        return await self._step(process, story, "pack")

    async def send(self, process: Process, story: Story) -> Any:
        """Ship as the warehouse's button does: the last step of three."""
        return await self._step(process, story, "ship")

    async def ship(self, process: Process, story: Story) -> Any:
        """Pick, pack and ship, as far as it goes."""
        for step in ("pick", "pack"):
            with suppress(IllegalStep):
                await self._step(process, story, step)
        return await self._step(process, story, "ship")

    async def deliver(self, process: Process, story: Story) -> Any:
        return await self._step(process, story, "deliver")

    async def fail(self, process: Process, story: Story) -> Any:
        return await self._step(process, story, "fail", reason="không ai ở nhà")

    async def send_back(self, process: Process, story: Story) -> Any:
        return await self._step(process, story, "send_back")

    async def receive(self, process: Process, story: Story) -> Any:
        return await self._step(process, story, "receive")

    async def lose_parcel(self, process: Process, story: Story) -> Any:
        """It was to come back, and never does."""
        return await self._step(process, story, "receive", lines=[Piece(story.variant, 0)])

    async def _step(self, process: Process, story: Story, step: str, **more: Any) -> Any:
        works = await process.fulfillment.work_orders_for(order_id=story.order_id) if story.order_id else []
        if not works:
            return False
        return await getattr(process.fulfillment, step)(actor=STAFF, work_order_id=works[0].id, **more)

    # --- staff

    async def staff_cancel(self, process: Process, story: Story) -> Any:
        if story.order_id is None:
            return False
        order = await process.orders.cancel(actor=STAFF, order_id=story.order_id, reason="hết hàng", language="vi")
        story.off.add(order.id)
        return order

    async def confirm(self, process: Process, story: Story) -> Any:
        if story.order_id is None:
            return False
        return await process.orders.confirm_order(actor=STAFF, order_id=story.order_id, language="vi")

    async def refund_one(self, process: Process, story: Story) -> Any:
        """One piece of the first line, each time under a new key."""
        if story.order_id is None:
            return False
        order = await process.orders.find_order(actor=STAFF, order_id=story.order_id, language="vi")
        return await process.orders.refund(
            actor=STAFF,
            order_id=story.order_id,
            key=uuid4().hex,
            lines=[RefundLine(order.lines[0].id, 1)],
            shipping=False,
            reason="hàng lỗi",
        )

    async def empty_shelf(self, process: Process, story: Story) -> Any:
        """All that nobody has taken yet is gone."""
        [free] = await process.inventory.available_for(variants=[story.variant])
        return await self._adjust(process, story, -free.available) if free.available else False

    async def lose_one(self, process: Process, story: Story) -> Any:
        return await self._adjust(process, story, -1)

    async def find_one(self, process: Process, story: Story) -> Any:
        return await self._adjust(process, story, 1)

    async def _adjust(self, process: Process, story: Story, change: int) -> Any:
        return await process.inventory.adjust(
            actor=STAFF,
            key=uuid4().hex,
            variant_id=story.variant,
            warehouse_id=self.stall.warehouse,
            change=change,
            reason="kiểm kho",
        )

    async def reprice(self, process: Process, story: Story) -> Any:
        self.price += 1000
        await self.stall.reprice(story.variant, self.price)
        return True

    async def decide(self, process: Process, story: Story) -> Any:
        """A person looks at what waits for one: what was asked is accepted, any other amount goes back."""
        page = await process.payments.review(limit=100, cursor="")
        mine = [each for each in page.items if each.order_id == story.order_id]
        for each in mine:
            right = each.amount is None or each.amount == each.asked
            await process.payments.decide(fact_id=each.id, decision="accepted" if right else "sent_back", note="đã xem")
        return bool(mine)

    async def pay_out(self, process: Process, story: Story) -> Any:
        page = await process.payments.payouts(limit=100, cursor="")
        mine = [each for each in page.items if each.order_id == story.order_id]
        for each in mine:
            await process.payments.settle_payout(refund_id=each.id, reference="CK-1")
        return bool(mine)

    # --- time

    async def sweep(self, process: Process, story: Story) -> Any:
        """Nothing happens for the customer, but the sweepers come by."""
        await process.inventory.release_expired()
        await self.move_on(process, story)
        return True

    async def expire(self, process: Process, story: Story) -> Any:
        """The time to pay is over, and the sweepers come by."""
        if story.order_id is not None:
            order: Any = msgspec.defstruct("Named", [("id", UUID)])(story.order_id)
            await self.stall.pass_time(order, 30)
        return await self.sweep(process, story)

    async def settle(self, process: Process, story: Story) -> Any:
        await process.shop.settle()
        return True

    async def move_on(self, process: Process, story: Story) -> None:
        if story.order_id is not None:
            await process.orders._advance_one(story.order_id)

    async def hears(self, process: Process, service: str, source: str) -> None:
        """One consumer takes what is new."""
        for consumer in process.shop.consumers():
            if (consumer.db.schema, consumer.source) == (service, source):
                while await consumer.step():
                    pass

    # --- peace

    async def moves(self) -> list[tuple[str, str, str, str]]:
        """What moved since we looked last."""
        async with self.stall.db.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT id, machine, order_id::text, was, now FROM watch.move WHERE id > $1 ORDER BY id", self.seen
            )
        if rows:
            self.seen = rows[-1][0]
        return [(row[1], row[2], row[3], row[4]) for row in rows]

    async def wrong(self) -> list[str]:
        """What is not as it must be, once nothing moves any more; each thing once."""
        found = illegal(await self.moves()) + await self.town.wrong()
        async with self.stall.db.pool.acquire() as connection:
            for sql in SUSPICIONS:
                found += [row[0] for row in await connection.fetch(sql)]
        new = [each for each in found if each not in self.reported]
        self.reported |= set(new)
        return new

    async def peace(self, stories: Sequence[Story]) -> None:
        """A while later everything is done, and everything is right. Who waited for a person is seen to."""
        await self._only_quiet()
        await self.town.a_while_later()
        for _ in range(5):
            busy = [
                await getattr(self, act)(self.here, story)
                for story in stories
                for act in ("decide", "pay_out")
            ]  # fmt: skip
            if not any(busy):
                break
            await self.town.a_while_later()
        wrong = await self.wrong()
        if wrong:
            told = [f"{story.number or '(no order)'} {story.order_id}: {' | '.join(story.done)}" for story in stories]
            raise AssertionError("\n".join(["not as it must be:", *wrong, "after:", *told]))

    async def check(self, story: Story) -> None:
        """Whoever was told that it is done can rely on it."""
        await self.find(story)
        done = {each.partition(":")[0] for each in story.done if each.endswith(": done")}
        async with self.stall.db.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT id, status, closing FROM orders.sales_order WHERE cart_id = $1", story.cart.id
            )
        orders = {row["id"]: (row["status"], row["closing"]) for row in rows}
        status, closing = orders.get(story.order_id, ("", ""))
        told = f"{status} {closing}: {' | '.join(story.done)}"
        is_off = story.order_id in story.off
        assert all(orders[each][0] == "cancelled" for each in story.off), told
        if is_off:
            assert not done & {"ship", "send", "deliver"}, told
        if done & {"ship", "send", "deliver"}:
            assert status in ("placed", "completed") or closing in ("delivery_failed", "returned"), told
        if done & {"buy_cash", "buy_online"} and not is_off and "expire" not in done:
            assert status in ("pending", "placed", "completed"), told
        if not done & {"buy_cash", "buy_online"} and any(each.startswith("buy_") for each in story.done):
            assert status in ("", "cancelled"), told
            cart = await self.here.orders.find_cart(actor=story.buyer, cart_id=story.cart.id, language="vi")
            assert cart.order_id is None, told


async def open_world(town: Town, home: Path) -> World:
    """The second process, and somebody who notes every move of every machine as it is committed."""
    async with town.stall.db.pool.acquire() as connection:
        await connection.execute(WATCH)
        for machine, (table, column, _) in MACHINES.items():
            await connection.execute(NOTE.format(machine=machine, table=table, column=column))
    other = await compose(town.shop.shop.settings, town.shop.url, [*SERVICES, "vnpay_sandbox"])
    world = World(town, other)
    with context.working_as(context.SYSTEM):
        await world._only_quiet()
    return world
