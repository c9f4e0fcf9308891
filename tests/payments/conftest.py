"""Payments and the stand-in for VNPay in one process, reached by real HTTP from both sides."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import httpx
import msgspec
import pytest_asyncio
from tests.serving import free_port, served

from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.kernel.settings import load
from sampan.run import Shop, compose
from sampan.sandbox.vnpay.actions import VnpaySandboxActions
from sampan.sandbox.vnpay.contract import BookedPayment, FaultKind
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.payments.actions.payments_actions import PaymentsActions
from sampan.services.payments.contract import Payment, PaymentChanged
from sampan.services.payments.handlers import on_work_orders_changed
from sampan.services.payments.providers.vnpay import wire

PRICE = Money(259_000, "VND")


class Till:
    """A shop's till with a bank across the street, and what tests do there."""

    def __init__(self, shop: Shop, url: str, http: httpx.AsyncClient) -> None:
        self.shop = shop
        self.url = url
        self.http = http
        self.payments = cast(PaymentsActions, shop.live["payments"])
        self.bank = cast(VnpaySandboxActions, shop.live["vnpay_sandbox"])
        self.db = shop.databases["payments"]
        self._keys: dict[tuple[str, ...], dict[str, str]] = {}

    async def staff(self, *permissions: str) -> dict[str, str]:
        if permissions not in self._keys:
            secret = await self.shop.live["auth"].create_key(name="tests", permissions=list(permissions))
            self._keys[permissions] = {"authorization": f"Bearer {secret}"}
        return self._keys[permissions]

    async def open(
        self,
        *,
        order_id: UUID | None = None,
        attempt: int = 1,
        method: str = "vnpay",
        amount: Money = PRICE,
        minutes: float = 15,
        by: PaymentsActions | None = None,
        **more: Any,
    ) -> Payment:
        """An order asks to be paid."""
        order_id = order_id or uuid7()
        return await (by or self.payments).open(
            order_id=order_id,
            order_number=self.number(order_id),
            attempt=attempt,
            method=method,
            amount=amount,
            expires_at=datetime.now(UTC) + timedelta(minutes=minutes),
            **{"return_url": f"/vi/orders/{order_id}", "client_ip": "203.0.113.7", "language": "vi", **more},
        )

    def number(self, order_id: UUID) -> str:
        """The order's number for people."""
        return f"SP{order_id.hex[-12:].upper()}"

    def ref(self, payment: Payment, attempt: int = 1) -> str:
        """The bank's name for an attempt."""
        return f"{self.number(payment.order_id)}-{attempt}"

    def notice(self, payment: Payment, attempt: int = 1, *, secret: str = "", **said: Any) -> str:
        """What the bank would tell of an attempt, signed as it would sign it."""
        facts: dict[str, Any] = {
            "tmn_code": self.bank.settings.tmn_code,
            "txn_ref": self.ref(payment, attempt),
            "amount": payment.amount.amount,
            "response_code": "00",
            "transaction_status": "00",
            "transaction_no": str(payment.order_id.int % 10**14 + attempt),
        }
        notice = wire.Notice(**{**facts, **said})
        return wire.notice_query(notice=notice, secret=secret or self.bank.settings.hash_secret)

    async def tell(self, query: str) -> str:
        """The bank calls; the code of the shop's answer."""
        answer = await self.http.get(f"{self.url}/api/v1/payments/vnpay/ipn?{query}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        await self.rest()
        code: str = answer.json()["RspCode"]
        return code

    async def rest(self) -> None:
        """Until what was promised for "soon" is done."""
        while self.payments._soon:
            await asyncio.gather(*self.payments._soon)

    async def work_order(
        self, payment: Payment, status: str, *, of: int = 1, version: int = 1, work_order_id: UUID | None = None
    ) -> None:
        """The warehouse tells of a parcel."""
        event = WorkOrderChanged(
            work_order_id=work_order_id or uuid7(),
            order_id=payment.order_id,
            warehouse_id=uuid7(),
            status=status,  # type: ignore[arg-type]
            tracking_number=None,
            of=of,
            version=version,
        )
        async with self.db.begin() as tx:
            await on_work_orders_changed(self.payments, tx, [event])
        await self.rest()

    async def deliver(self, payment: Payment) -> None:
        """All parcels are handed over."""
        await self.work_order(payment, "delivered")

    async def pay(self, **more: Any) -> Payment:
        """An order that is paid."""
        payment = await self.open(**more)
        assert await self.tell(self.notice(payment)) == "00"
        payment = await self.look(payment)
        assert payment.status == "paid"
        return payment

    async def pay_at_the_bank(self, **more: Any) -> Payment:
        """An order that is paid, and in the bank's book."""
        payment = await self.open(**more)
        await self.choose(payment)
        await self.work()
        payment = await self.look(payment)
        assert payment.status == "paid"
        return payment

    async def forget_opening(self, payment: Payment) -> None:
        """As if the shop had died between writing the attempt down and opening it."""
        async with self.db.begin() as tx:
            await tx.execute("DELETE FROM payments.fact WHERE order_id = $1", payment.order_id)
            await tx.execute(
                "UPDATE payments.attempt SET status = 'created', action = NULL WHERE order_id = $1", payment.order_id
            )

    async def look(self, payment: Payment) -> Payment:
        found = await self.payments.find_payment(order_id=payment.order_id)
        assert found is not None
        return found

    async def held(self, payment: Payment) -> list[Any]:
        """What waits for a person about a payment."""
        found, cursor = [], ""
        while True:
            page = await self.payments.review(limit=100, cursor=cursor)
            found += [item for item in page.items if item.order_id == payment.order_id]
            if page.next is None:
                return found
            cursor = page.next

    async def visit(self, payment: Payment) -> httpx.Response:
        """The payer opens the bank's page."""
        assert payment.action.url is not None
        return await self.http.get(payment.action.url)

    async def choose(self, payment: Payment, choice: str = "pay") -> httpx.Response:
        """The payer opens the bank's page and chooses; the answer sends him back. He does not go yet."""
        page = await self.visit(payment)
        assert page.status_code == 200, page.text
        _, _, rest = page.text.partition('name="payment" value="')
        form = {"payment": rest.partition('"')[0], "choice": choice}
        return await self.http.post(f"{self.url}/sandbox/vnpay/paymentv2/confirm", data=form)

    async def work(self, *, rounds: int = 3) -> None:
        """Let the jobs of both sides run until they have nothing more to do."""
        runners = self.shop.job_runners()
        for _ in range(rounds):
            for runner in runners:
                await runner.step(now=True)
            await self.rest()

    async def due_now(self, payment: Payment) -> None:
        """Time passes until a payment and its refunds, as far as they are waited for, are to be asked about."""
        for table in ("attempt", "refund"):
            sql = f"UPDATE payments.{table} SET ask_at = now() WHERE ask_at IS NOT NULL AND order_id = $1"
            async with self.db.begin() as tx:
                await tx.execute(sql, payment.order_id)

    async def fault(self, kind: FaultKind, txn_ref: str | None = None, **more: Any) -> None:
        """Something goes wrong at the bank, by its own address for that."""
        body = {"kind": kind, "txn_ref": txn_ref, **more}
        answer = await self.http.post(f"{self.url}/sandbox/vnpay/faults", json=body)
        assert answer.status_code == 201, answer.text

    async def booked(self, txn_ref: str) -> BookedPayment:
        found = await self.bank.find_payment(txn_ref=txn_ref)
        assert found is not None
        return found

    async def events(self, payment: Payment) -> list[PaymentChanged]:
        """What others were told of a payment, in order."""
        feed = "SELECT body FROM payments.outbox WHERE name = $1 AND body ->> 'order_id' = $2 ORDER BY position"
        async with self.db.read() as tx:
            rows = await tx.connection.fetch(feed, PaymentChanged.name, str(payment.order_id))
        return [msgspec.json.decode(row[0], type=PaymentChanged) for row in rows]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def till(place: Any, tmp_path_factory: Any) -> AsyncIterator[Till]:
    """Payments and the stand-in behind one real server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = load(
        {"SAMPAN_VNPAY_SANDBOX_IPN_INTERVAL": "0", "SAMPAN_VNPAY_SANDBOX_REFUND_SECONDS": "0"},
        home=str(tmp_path_factory.mktemp("till")),
        secret="a secret for tests only, of more than 32 characters",
        rate_limits=False,
        pool_size=16,
        public_url=url,
        port=port,
    )
    shop = await compose(settings, await place.new_database(), ["auth", "payments", "vnpay_sandbox"])
    async with served(shop.web(), port), httpx.AsyncClient(timeout=20) as http:
        till = Till(shop, url, http)
        yield till
        await till.work()  # the tests of others may have taken longer than anything is to wait here
        assert await till.payments.invariants() == []
    await shop.close()


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def no_faults(request: Any) -> AsyncIterator[None]:
    """A fault ends with its test."""
    yield
    if "till" in request.fixturenames:
        await request.getfixturevalue("till").bank.clear_faults()
