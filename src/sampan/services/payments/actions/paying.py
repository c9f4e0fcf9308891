"""How an order is paid, given up and refunded."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from sampan.kernel.errors import Conflict, ShopError, invalid
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.payments.actions.asking import AskingActions, charge_for
from sampan.services.payments.contract import (
    Method,
    MethodNotAvailable,
    NotAnswered,
    Payment,
    Refund,
    UnknownPayment,
)
from sampan.services.payments.rules import case as cases
from sampan.services.payments.rules.case import Attempt, Case
from sampan.services.payments.rules.fact import Fact
from sampan.services.payments.rules.intent import attempt_ref
from sampan.services.payments.rules.way_back import own_path
from sampan.services.payments.store import cases as case_store
from sampan.services.payments.store import due, facts, lists
from sampan.services.payments.store.due import DueCharge

APART: Final = 2.0  # seconds between questions about one payment, however many wait for the answer


class PayingActions(AskingActions):
    """Intents, attempts, refunds."""

    async def methods_for(
        self,
        *,
        market: str,
        total: Money,
        cod_fee: Money | None,
        cod_limit: Money | None,
        language: str = "vi",
    ) -> list[Method]:
        texts = self.texts.texts("en" if language == "en" else "vi")
        found = []
        for code, provider in self.providers.items():
            offer = provider.offer(market=market, total=total, cod_fee=cod_fee, cod_limit=cod_limit)
            if offer is None:
                continue
            reason = "payments.reason.switched_off" if code in self.off else offer.reason
            name = texts(f"payments.method.{code}")
            found.append(Method(code, name, offer.fee, offer.limit, available=reason is None, reason=reason))
        return found

    async def open(
        self,
        *,
        order_id: UUID,
        order_number: str,
        attempt: int,
        method: str,
        amount: Money,
        return_url: str,
        client_ip: str,
        language: str,
        expires_at: datetime,
    ) -> Payment:
        """Written down first, begun at the provider after, opened last. Who comes again goes on where it stopped.

        Where no provider is asked (cash on delivery) all of it is one step. The first attempt is mostly the first that
        is heard of the order; then one statement writes all of it. Otherwise it is seen under the lock what there is.
        """
        attempt_of = partial(
            self._attempt_of,
            number=attempt,
            reference=self._reference(order_number, attempt),
            method=method,
            amount=amount,
            return_url=return_url,
            language=language,
            expires_at=expires_at,
        )
        case, charge, is_new = case_store.new_case(order_id, order_number), None, False
        if attempt == 1:
            with suppress(ShopError):  # whether that is so, and not known better, is seen under the lock
                made = attempt_of(case, now=datetime.now(UTC))
                async with self.db.read() as tx:
                    is_new = await self._save(tx, case, case_store.NOTHING)
                    charge = await due.charge(tx, made.id) if is_new and made.status == "created" else None
        if not is_new:
            async with self.db.begin() as tx:
                case, now = await case_store.placed_case(tx, order_id, order_number, "pending")
                before = case_store.seen(case)
                known = case.attempt_by_number(attempt)
                made = known or attempt_of(case, now=now)
                if known is None:
                    case.intent.order_number = order_number
                    await self._save(tx, case, before)
                charge = None if made.status != "created" else await due.charge(tx, made.id)
        if charge is not None:
            await self._begin(charge, client_ip)
            return await self._payment(order_id)
        payment = cases.payment_for(case)
        assert payment is not None
        return payment

    def _attempt_of(
        self,
        case: Case,
        *,
        now: datetime,
        number: int,
        reference: str,
        method: str,
        amount: Money,
        return_url: str,
        language: str,
        expires_at: datetime,
    ) -> Attempt:
        """A new attempt to pay, taken to the case. Raises MethodNotAvailable, GivenUp, AlreadyPaid, Invalid."""
        self._check_offered(method, amount)
        cases.check_open(case, amount)
        cases.check_time(now, expires_at)
        made = Attempt(
            id=uuid7(),
            number=number,
            reference=reference,
            method=method,
            amount=amount,
            status="created",
            made_at=now.replace(microsecond=0),  # providers know whole seconds only, and some sign them
            expires_at=expires_at,
            return_path=own_path(return_url, self.public_url),
            language="en" if language == "en" else "vi",
            is_asked=method in self.online,
        )
        cases.begin(case, made)
        if method not in self.online:
            cases.take(case, opened_fact(case.intent.order_id, made.id, reference))
        return made

    async def _begin(self, charge: DueCharge, client_ip: str) -> None:
        """Raises MethodNotAvailable when the shop has lost this way to pay since the attempt was written down."""
        provider = self.providers.get(charge.method)
        if provider is None:
            raise MethodNotAvailable("this way to pay is gone", reason="payments.reason.switched_off")
        action = await provider.begin(charge_for(charge), client_ip=client_ip)
        opened = opened_fact(charge.order_id, charge.id, charge.reference)
        async with self.db.begin() as tx:
            case = await self._case(tx, charge.order_id)
            before = case_store.seen(case)
            attempt = case.attempt(charge.id)
            if attempt.status == "created":
                attempt.action = action
            await facts.record(tx, opened)
            await self._take_facts(tx, case, before)

    def _reference(self, order_number: str, attempt: int) -> str:
        try:
            return attempt_ref(order_number, attempt)
        except ValueError as failure:
            raise invalid("order_number", "reference", str(failure)) from None

    def _check_offered(self, method: str, amount: Money) -> None:
        """Raises MethodNotAvailable."""
        provider = self.providers.get(method)
        if provider is None:
            raise MethodNotAvailable("there is no such way to pay", reason="payments.reason.unknown_method")
        reason = "payments.reason.switched_off" if method in self.off else provider.refusal_for(amount)
        if reason is not None:
            raise MethodNotAvailable("this cannot be paid this way", reason=reason)

    async def find_payment(self, *, order_id: UUID) -> Payment | None:
        async with self.db.read() as tx:
            return await case_store.payment(tx, order_id)

    async def _payment(self, order_id: UUID) -> Payment:
        found = await self.find_payment(order_id=order_id)
        if found is None:
            raise UnknownPayment("the order has no payment")
        return found

    async def ask(self, *, order_id: UUID, sure: bool = False) -> Payment:
        found = await self._payment(order_id)
        if found.status not in ("pending", "review"):
            return found
        async with self.db.begin() as tx:
            await self._advance(tx, order_id)
            claimed = await due.claim_charges_of(tx, order_id, list(self.online), apart=0.0 if sure else APART)
        answers = await asyncio.gather(*(self._ask(charge) for charge in claimed))
        found = await self._payment(order_id)
        if sure and found.status == "pending" and not (answers and all(answers)):
            raise NotAnswered("the provider does not say how this payment stands")
        return found

    async def give_up(self, *, order_id: UUID, reason: str) -> Payment | None:
        given_up = Fact(
            kind="given_up",
            source="orders",
            event_id=f"given_up:{order_id}",
            order_id=order_id,
            reason=reason[:500],
        )
        async with self.db.begin() as tx:
            # An order that never asked to be paid gets its place too: an attempt that comes later is refused.
            case, _ = await case_store.placed_case(tx, order_id, "", "cancelled")
            await facts.record(tx, given_up)
            await self._take_facts(tx, case, case_store.seen(case))
        return cases.payment_for(case)

    # --- refunds ----------------------------------------------------------------------------------------------------

    async def refund(self, *, order_id: UUID, key: str, amount: Money, reason: str) -> Refund:
        """Granted and written down here; the job `send_refunds` brings it to the provider."""
        if not 1 <= len(key) <= 200:
            raise invalid("key", "length", "a refund's key has 1 to 200 characters")
        async with self.db.begin() as tx:
            case = await case_store.locked_case(tx, order_id)
            if case is None or not case.attempts:
                raise UnknownPayment("the order has no payment")
            before = case_store.seen(case)
            found = case.refund_by_key(f"order-{key}")
            if found is None:
                attempt = cases.attempt_to_refund(case, amount)
                by_hand = attempt.method not in self.online or cases.is_refused(case, attempt)
                found = self._grant(case, attempt, f"order-{key}", amount, reason[:500], by_hand=by_hand)
                await self._save(tx, case, before)
            elif found.amount != amount:
                raise Conflict("this key was used for another amount")
            granted = await lists.refunds(tx, order_id)
        return next(refund for refund in granted if refund.id == found.id)

    async def list_refunds(self, *, order_id: UUID) -> list[Refund]:
        async with self.db.read() as tx:
            return await lists.refunds(tx, order_id)


def opened_fact(order_id: UUID, attempt_id: UUID, reference: str) -> Fact:
    return Fact(
        kind="opened", source="payments", event_id=f"opened:{reference}", order_id=order_id, attempt_id=attempt_id
    )
