"""The whole shop of a test, with the bank across the street behind a real server, and what nobody sees alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from tests.conftest import SECRET, TestShop
from tests.faults.stories import SERVICES, Teller
from tests.orders.conftest import Stall
from tests.serving import free_port, served

from sampan.kernel.settings import load
from sampan.run import compose
from sampan.services.catalog.rules import ProductType
from sampan.services.orders.contract import Order

# A quarter of an hour later: within that what a dead process held has run out, and what it left has come round again. The
# bank may take its days to give money back; what it is to tell it tells.
A_WHILE = """
UPDATE orders.sales_order SET due_at = due_at - interval '15 minutes' WHERE due_at IS NOT NULL;
UPDATE orders.refund SET made_at = made_at - interval '15 minutes' WHERE status = 'asked';
UPDATE fulfillment.work_order SET due_at = due_at - interval '15 minutes' WHERE due_at IS NOT NULL;
UPDATE payments.attempt SET ask_at = ask_at - interval '15 minutes', asked_at = asked_at - interval '15 minutes'
 WHERE ask_at IS NOT NULL;
UPDATE payments.refund SET ask_at = now() WHERE ask_at IS NOT NULL;
UPDATE notifications.message SET due_at = due_at - interval '15 minutes' WHERE status = 'waiting';
UPDATE vnpay_sandbox.notice SET due_at = now() WHERE done_at IS NULL;
"""
LEASES = """
UPDATE {schema}.job SET lease_until = lease_until - interval '15 minutes' WHERE lease_until > now();
UPDATE {schema}.idempotency_key SET lease_until = lease_until - interval '15 minutes' WHERE status IS NULL;
"""

HAPPENED = """
SELECT concat_ws(' ', {total}, (SELECT count(*) FROM vnpay_sandbox.refund),
                 (SELECT count(*) FROM vnpay_sandbox.notice WHERE done_at IS NOT NULL),
                 (SELECT count(*) FROM fulfillment.work_order WHERE intent IS NOT NULL),
                 (SELECT count(*) FROM orders.sales_order WHERE status = 'pending' AND opened = 0),
                 (SELECT count(*) FROM notifications.message WHERE status = 'waiting'))
"""
# What no service can see alone: the orders against the payments, and our book against the bank's.
DISAGREEMENTS = (
    """
    SELECT 'money without an order: ' || o.number || ' is ' || o.status || ', ' || i.captured || ' were captured'
      FROM payments.intent i JOIN orders.sales_order o ON o.id = i.order_id
     WHERE i.captured > i.refunded AND o.status NOT IN ('placed', 'completed')
    """,
    """
    SELECT 'half way: ' || number || ' was never shown to anybody' FROM orders.sales_order
     WHERE status = 'pending' AND opened = 0
    """,
    """
    SELECT 'goods without an order: ' || h.order_id || ' is ' || h.status
      FROM inventory.hold h LEFT JOIN orders.sales_order o ON o.id = h.order_id
     WHERE h.status IN ('held', 'confirmed') AND (o.id IS NULL OR o.status = 'cancelled')
    """,
    """
    SELECT 'an order without its goods: ' || o.number FROM orders.sales_order o
      LEFT JOIN inventory.hold h ON h.order_id = o.id
     WHERE o.status IN ('placed', 'completed') AND h.status IS DISTINCT FROM 'confirmed'
       AND h.status IS DISTINCT FROM 'shipped'
    """,
    """
    SELECT 'an order without its work: ' || o.number || ' has ' || count(w.id) FROM orders.sales_order o
      LEFT JOIN fulfillment.work_order w ON w.order_id = o.id
     WHERE o.status IN ('placed', 'completed')
     GROUP BY o.id HAVING count(w.id) <> (SELECT count(DISTINCT a ->> 'warehouse_id') FROM jsonb_array_elements(o.allocations) a)
    """,
    "SELECT 'a step is half way: ' || id FROM fulfillment.work_order WHERE intent IS NOT NULL",
    """
    SELECT 'work for nothing: ' || o.number || ' is cancelled, its work order ' || w.status
      FROM orders.sales_order o JOIN fulfillment.work_order w ON w.order_id = o.id
     WHERE o.status = 'cancelled' AND w.status IN ('allocated', 'picking', 'packed')
    """,
    """
    SELECT 'never told: ' || due.name || ' of ' || due.number
      FROM (SELECT o.id, o.number, happened.name, happened.about
              FROM orders.sales_order o, LATERAL (
                   SELECT 'order_placed', '' WHERE o.placed_at IS NOT NULL
                   UNION ALL SELECT 'order_cancelled', '' WHERE o.status = 'cancelled' AND o.opened > 0
                   UNION ALL SELECT 'order_completed', '' WHERE o.status = 'completed'
                   UNION ALL SELECT 'order_delivered', '' WHERE o.delivered_at IS NOT NULL
                   UNION ALL SELECT 'order_refunded', id::text FROM unnest(o.sent_back) AS id
                   UNION ALL SELECT 'order_shipped', w.id::text FROM fulfillment.work_order w
                              WHERE w.order_id = o.id AND w.shipment_id IS NOT NULL) AS happened (name, about)
           ) AS due
     WHERE NOT EXISTS (
           SELECT FROM orders.outbox e
            WHERE e.name = 'orders.' || due.name || '.v1' AND e.body ->> 'order_id' = due.id::text
              AND due.about = COALESCE(e.body ->> 'refund_id', e.body ->> 'work_order_id', ''))
    """,
    """
    SELECT 'never told: there are ' || t.available || ' of ' || t.variant_id
      FROM inventory.availability t
      LEFT JOIN (SELECT item.* FROM inventory.outbox e, jsonb_to_recordset(e.body -> 'items')
                                                         AS item (variant_id uuid, available bigint, version bigint)
                  WHERE e.name = 'inventory.availability_changed.v1') AS told
           ON (told.variant_id, told.version) = (t.variant_id, t.version)
     WHERE told.available IS DISTINCT FROM greatest(t.available, 0)
    """,
    """
    SELECT 'told twice: ' || name || ' of ' || about
      FROM (SELECT name, concat_ws(' ', body ->> 'order_id', body ->> 'work_order_id', body ->> 'refund_id') AS about
              FROM orders.outbox
            UNION ALL
            SELECT name, concat_ws(' ', body ->> 'order_id', body ->> 'refund_id', body ->> 'version', body ->> 'status')
              FROM payments.outbox
            UNION ALL
            SELECT name, concat_ws(' ', body ->> 'work_order_id', body ->> 'version') FROM fulfillment.outbox
            UNION ALL
            SELECT name, concat_ws(' ', body ->> 'shipment_id', body ->> 'status', body ->> 'at') FROM shipping.outbox
             WHERE name = 'shipping.shipment_changed.v1') AS told
     GROUP BY name, about HAVING count(*) > 1
    """,
    """
    SELECT 'mails: ' || template || ' of ' || order_id || ' is told ' || COALESCE(told.times, 0) || ' times, in '
           || COALESCE(written.times, 0) || ' mails'
      FROM (SELECT (body ->> 'order_id')::uuid AS order_id, split_part(name, '.', 2) AS template, count(*) AS times
              FROM orders.outbox WHERE name <> 'orders.order_completed.v1' GROUP BY 1, 2) AS told
      FULL JOIN (SELECT order_id, template, count(*) AS times FROM notifications.message GROUP BY 1, 2) AS written
           USING (order_id, template)
     WHERE told.times IS DISTINCT FROM written.times
    """,
    """
    SELECT 'the bank took the money of ' || b.txn_ref || ', here it is ' || coalesce(a.status, 'unknown')
      FROM vnpay_sandbox.payment b LEFT JOIN payments.attempt a ON a.reference = b.txn_ref
     WHERE b.status = '00' AND b.paid_amount = b.amount AND a.captured IS DISTINCT FROM b.paid_amount
    """,
    """
    SELECT 'the bank gave back ' || sum(coalesce(r.amount, 0)) || ' of ' || b.txn_ref || ', here it is ' || a.returned
      FROM vnpay_sandbox.payment b JOIN payments.attempt a ON a.reference = b.txn_ref
      LEFT JOIN vnpay_sandbox.refund r ON r.payment_id = b.id AND NOT r.refused
     GROUP BY b.id, a.id HAVING sum(coalesce(r.amount, 0)) <> a.returned
    """,
    """
    SELECT 'parked: ' || name || ' ' || error FROM (
        SELECT name, error FROM orders.parked_event UNION ALL SELECT name, error FROM payments.parked_event
        UNION ALL SELECT name, error FROM fulfillment.parked_event UNION ALL SELECT name, error FROM inventory.parked_event
        UNION ALL SELECT name, error FROM notifications.parked_event) parked
    """,
)


# Payments and refunds that the bank is to be asked about now. Who was asked about is asked about again later.
TO_ASK = """
SELECT (SELECT count(*) FROM payments.attempt WHERE ask_at <= now())
     + (SELECT count(*) FROM payments.refund WHERE ask_at <= now())
"""


class Town:
    """The shop over HTTP and in process, the bank, the stage where processes die."""

    def __init__(self, shop: TestShop, stall: Stall, url: str, outside: httpx.AsyncClient) -> None:
        self.shop = shop
        self.stall = stall
        self.url = url
        self.outside = outside
        self.bank = shop.actions("vnpay_sandbox")
        self.payments = shop.actions("payments")

    # --- time and peace

    async def a_while_later(self) -> None:
        """Time passes, and the living do what is to be done, until nothing happens any more."""
        before, now, rounds = "", "begin", 0
        while before != now:
            before, rounds = now, rounds + 1
            assert rounds < 20, "there is no peace"
            async with self.shop.db("orders").pool.acquire() as connection:
                await connection.execute(A_WHILE + "".join(LEASES.format(schema=name) for name in self._schemas()))
            await self.shop.settle()
            left = await self.count(TO_ASK)  # one run of the poller asks about two hundred
            while left > (left := await self._asked()):
                pass
            async with self.shop.db("orders").pool.acquire() as connection:
                now = await connection.fetchval(HAPPENED.format(total=self._total()))

    async def _asked(self) -> int:
        """The bank is asked once more; how many payments and refunds it is still to be asked about."""
        await self.shop.settle()
        return await self.count(TO_ASK)

    def _schemas(self) -> list[str]:
        return list(self.shop.shop.databases)

    def _total(self) -> str:
        """How many events there ever were."""
        return " + ".join(f"(SELECT coalesce(max(position), 0) FROM {name}.outbox)" for name in self._schemas())

    async def count(self, sql: str, *values: Any) -> int:
        async with self.shop.db("orders").pool.acquire() as connection:
            return int(await connection.fetchval(sql, *values))

    async def wrong(self) -> list[str]:
        """Everything that is not as it must be once peace has come: our books, and ours against the bank's."""
        found = [f"{name}: {line}" for name, lines in (await self.shop.shop.invariants()).items() for line in lines]
        async with self.shop.db("orders").pool.acquire() as connection:
            for sql in DISAGREEMENTS:
                found += [row[0] for row in await connection.fetch(sql)]
        return found

    # --- at the bank

    async def booked(self, txn_ref: str) -> str:
        found = await self.bank.find_payment(txn_ref=txn_ref)
        assert found is not None
        return str(found.id)

    async def fault(self, kind: str, order: Order | None = None, attempt: int = 1, **more: Any) -> None:
        """Something goes wrong at the bank from now on."""
        txn_ref = f"{order.number}-{attempt}" if order else None
        answer = await self.outside.post(
            f"{self.url}/sandbox/vnpay/faults", json={"kind": kind, "txn_ref": txn_ref, **more}
        )
        assert answer.status_code == 201, answer.text

    def teller(self, heard: dict[str, Any]) -> Teller:
        return Teller(
            self.shop.http,
            self.outside,
            self.stall.orders,
            self.shop.settle,
            lambda step, status, body: heard.update({step: (status, body)}),
            self.booked,
        )

    async def paid(self, *wanted: tuple[UUID, int]) -> Order:
        """An order that was paid at the bank, and is placed."""
        placed = await self.stall.checkout(await self.stall.ready(*wanted), method="vnpay")
        await self.teller({}).pay(placed.payment.action.url or "")
        await self.shop.settle()
        order = await self.stall.look(placed.order)
        assert (order.status, order.payment_status) == ("placed", "paid")
        return msgspec.structs.replace(order, token=placed.order.token)


@asynccontextmanager
async def open_town(database: str, home: Path) -> AsyncIterator[Town]:
    """Open for as long as it is needed; the books are right at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = load(
        {"SAMPAN_VNPAY_SANDBOX_IPN_INTERVAL": "0", "SAMPAN_VNPAY_SANDBOX_REFUND_SECONDS": "0"},
        home=str(home),
        secret=SECRET,
        rate_limits=False,
        pool_size=16,
        public_url=url,
        port=port,
    )
    shop = await compose(settings, database, [*SERVICES, "vnpay_sandbox"])
    async with (
        served(shop.web(), port),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=shop.web()), base_url="http://shop.test") as http,
        httpx.AsyncClient(timeout=20, trust_env=False) as outside,
    ):
        test_shop = TestShop(shop, http, database)
        await shop.live["catalog"].put_type(product_type=ProductType("anything", {"vi": "Đồ", "en": "Things"}, []))
        warehouses = [
            await shop.live["inventory"].add_warehouse(
                code=f"K{number}", name="Kho", province_code="79", ward_code="26743", street="1 Lê Lợi",
                priority=number, provinces=["79"],
            )
            for number in (1, 2)
        ]  # fmt: skip
        await shop.settle()
        town = Town(test_shop, Stall(test_shop, *(each.id for each in warehouses)), url, outside)
        yield town
        await town.a_while_later()  # the tests of others may have taken longer than anything is to wait here
        assert await shop.invariants() == {}
    await shop.close()
