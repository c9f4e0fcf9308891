"""What payments does: it opens, asks, refunds and gives up, and takes every fact to its case.

`advance` is the only writer of an order's payment, under the lock of its row. Notices, the poller, the browser's
return and staff record facts; whoever comes first advances, and whoever comes after finds nothing left to do.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter

from sampan.kernel.catalogue import Catalogue
from sampan.kernel.context import actor
from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import Conflict, NotFound, ShopError, invalid
from sampan.kernel.ids import uuid7
from sampan.kernel.metrics import metrics
from sampan.kernel.money import Money
from sampan.kernel.outbound import AnswerTooLarge, Unavailable, UnknownOutcome
from sampan.kernel.pagination import Page, decode_cursor, page_of
from sampan.kernel.service import Ground
from sampan.kernel.settings import BadSetting
from sampan.services.payments.contract import (
    Kept,
    Method,
    MethodNotAvailable,
    NotAnswered,
    Payment,
    PaymentChanged,
    Refund,
    RefundChanged,
    UnknownPayment,
)
from sampan.services.payments.providers.cod import cod_from
from sampan.services.payments.providers.interface import (
    Charge,
    NoticeRefused,
    OnlineProvider,
    PaymentProvider,
    Return,
)
from sampan.services.payments.providers.vnpay.provider import vnpay_from
from sampan.services.payments.rules import case as cases
from sampan.services.payments.rules.case import Attempt, Case, NotHeld
from sampan.services.payments.rules.fact import Fact, Told, Verdict
from sampan.services.payments.rules.intent import attempt_ref, is_terminal, refund_ref
from sampan.services.payments.rules.schedule import is_over, is_slow, next_ask
from sampan.services.payments.rules.way_back import own_path
from sampan.services.payments.store import cases as case_store
from sampan.services.payments.store import checks, due, facts, lists
from sampan.services.payments.store.due import DueCharge, DueRefund
from sampan.services.payments.store.lists import HeldSeen, PaymentSeen, Payout

log = logging.getLogger(__name__)

SLICE: Final = 20  # payments or refunds that a job sees to at once
SLICES: Final = 10  # of these in one run, which then ends well before its lease does
DENIALS: Final = 2  # so often a provider says that it has no such refund before it gets it again
NOBODY: Final = UUID(int=0)

notices = Counter("sampan_payment_notices", "Notices of providers", ["provider", "result"], registry=metrics.registry)
held = Counter("sampan_payments_held", "Facts about payments that wait for a person", registry=metrics.registry)

Decision = Literal["accepted", "sent_back", "dismissed"]


class PaymentsSettings(Struct, frozen=True):
    """`SAMPAN_PAYMENTS_OFF`: ways to pay that are switched off for new payments, `vnpay,cod`."""

    off: str = ""


class PaymentsActions:
    """Intents, attempts, refunds, the ledger."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        self.public_url = ground.settings.public_url
        self.texts = Catalogue.load(Path(__file__).parent / "texts")
        self.providers: dict[str, PaymentProvider] = {"cod": cod_from(ground.settings)}
        self.online: dict[str, OnlineProvider] = {}
        vnpay = vnpay_from(ground.settings, ground.outbound)
        if vnpay is not None:
            self.providers[vnpay.code] = self.online[vnpay.code] = vnpay
        off = ground.settings.section(PaymentsSettings, "PAYMENTS").off
        self.off = frozenset(filter(None, (code.strip() for code in off.split(","))))
        if unknown := self.off - {"cod", "vnpay"}:
            raise BadSetting(f"SAMPAN_PAYMENTS_OFF: there is no way to pay called {', '.join(sorted(unknown))}")
        if ground.settings.core.muted:
            self.off |= self.online.keys()
        self._soon: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        await asyncio.gather(*self._soon, return_exceptions=True)

    # --- paying -----------------------------------------------------------------------------------------------------

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
            cases.take(case, _opened(case.intent.order_id, made.id, reference))
        return made

    async def _begin(self, charge: DueCharge, client_ip: str) -> None:
        """Raises MethodNotAvailable when the shop has lost this way to pay since the attempt was written down."""
        provider = self.providers.get(charge.method)
        if provider is None:
            raise MethodNotAvailable("this way to pay is gone", reason="payments.reason.switched_off")
        action = await provider.begin(_charge(charge), client_ip=client_ip)
        opened = _opened(charge.order_id, charge.id, charge.reference)
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
            claimed = await due.claim_charges_of(tx, order_id, list(self.online))
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

    def _grant(
        self, case: Case, attempt: Attempt, key: str, amount: Money, reason: str, *, by_hand: bool
    ) -> cases.Refund:
        number = len(case.refunds) + 1
        refund = cases.Refund(
            id=uuid7(),
            attempt_id=attempt.id,
            number=number,
            reference=refund_ref(case.intent.order_number, number),
            key=key,
            amount=amount,
            status="requested",
            reason=reason,
            by_hand=by_hand,
        )
        cases.grant(case, refund)
        return refund

    async def list_refunds(self, *, order_id: UUID) -> list[Refund]:
        async with self.db.read() as tx:
            return await lists.refunds(tx, order_id)

    # --- facts ------------------------------------------------------------------------------------------------------

    async def take_notice(self, *, provider: str, raw: bytes) -> bytes:
        """A provider's notice, as it was received: verified, written down, answered. What follows comes after.

        The answer is the reply in the provider's words. Raises NotFound for a provider that this shop does not have.
        """
        online = self.online.get(provider)
        if online is None:
            raise NotFound("there is nothing at this address")
        try:
            notice = online.read_notice(raw)
        except NoticeRefused as refused:
            log.warning("a notice was not believed", extra={"provider": provider, "why": str(refused)})
            notices.labels(provider, "refused").inc()
            return refused.reply
        async with self.db.begin() as tx:
            target = await facts.target(tx, notice.reference, provider) if notice.ours else None
            nowhere = "payments.reason.unknown_payment" if notice.ours else "payments.reason.other_account"
            told = Fact(
                kind="told",
                source=provider,
                event_id=notice.event_id,
                order_id=target.order_id if target else None,
                attempt_id=target.attempt_id if target else None,
                verdict=notice.told.verdict,
                reason=notice.told.reason,
                amount=notice.told.amount,
                provider_txn_id=notice.told.provider_txn_id,
                raw=raw.decode("ascii", "replace"),
                held=None if target else nowhere,
            )
            is_new = await facts.record(tx, told)
            if is_new and target is not None:
                tx.after_commit(lambda: self.advance_soon(target.order_id))
        if is_new and target is None:
            self._alert(None, nowhere, notice.reference)
        notices.labels(provider, "recorded" if is_new else "known").inc()
        return online.reply_to(
            notice,
            amount=target.amount if target else None,
            is_final=target is not None and (not is_new or is_terminal("attempt", target.status)),
        )

    async def way_back(self, *, provider: str, raw: bytes) -> str:
        """Where the browser goes that came back from the provider: the order's page, or the front page.

        What the browser brings proves nothing; only the reference is read from it, and only if it is signed.
        """
        online = self.online.get(provider)
        if online is None:
            return "/"
        try:
            notice = online.read_notice(raw)
        except NoticeRefused:
            return "/"
        async with self.db.read() as tx:
            target = await facts.target(tx, notice.reference, provider)
        return target.return_path if target else "/"

    async def advance(self, *, order_id: UUID) -> None:
        """Take what is known of an order's payment to its case. Anybody may, at any time."""
        async with self.db.begin() as tx:
            await self._advance(tx, order_id)

    def advance_soon(self, order_id: UUID) -> None:
        """The same, after whoever asks has been answered. What gets lost on the way is found by `apply_facts`."""
        task = asyncio.get_running_loop().create_task(self._advance_quietly(order_id))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def _advance_quietly(self, order_id: UUID) -> None:
        """One payment that fails does not stop the others."""
        try:
            await self.advance(order_id=order_id)
        except Exception as failure:
            level = logging.WARNING if isinstance(failure, ShopError) else logging.ERROR
            log.log(level, "a payment could not be advanced", extra={"order": str(order_id)}, exc_info=failure)

    async def _case(self, tx: Tx, order_id: UUID) -> Case:
        case = await case_store.locked_case(tx, order_id)
        if case is None:
            raise UnknownPayment("the order has no payment")
        return case

    async def _advance(self, tx: Tx, order_id: UUID) -> None:
        case = await case_store.locked_case(tx, order_id)
        if case is not None:
            await self._take_facts(tx, case, case_store.seen(case))

    async def _take_facts(self, tx: Tx, case: Case, before: case_store.Seen) -> None:
        """The state machine's one writer. The case is locked by this transaction."""
        waiting = await facts.waiting(tx, case.intent.order_id)
        if not waiting:
            return
        taken = [(seq, cases.take(case, fact)) for seq, fact in waiting]
        for wanted in cases.refunds_due(case):
            self._grant(case, wanted.attempt, wanted.key, wanted.amount, wanted.reason, by_hand=wanted.by_hand)
        explained = [a.id for a in case.attempts if a.status != "review" and before.attempts[a.id].status == "review"]
        explained += [r.id for r in case.refunds if r.status == "settled" and before.refunds.get(r.id) != r]
        if explained:
            await facts.mark_explained(tx, case.intent.order_id, explained, "payments")
        await facts.mark_applied(tx, taken)
        await self._save(tx, case, before)
        for reason in filter(None, (why for _, why in taken)):
            tx.after_commit(partial(self._alert, case.intent.order_id, reason))
        for refusal in case.illegal:
            tx.after_commit(partial(log.error, "a payment stays where it is", extra=refusal.facts))

    async def _save(self, tx: Tx, case: Case, before: case_store.Seen) -> bool:
        """Write the case, and tell others what changed. False: it was new to us, and is there already."""
        payment = cases.payment_for(case)
        if payment is not None and (before.payment is None or _visible(payment) != _visible(before.payment)):
            case.intent.version += 1
            await tx.emit(
                PaymentChanged(
                    order_id=payment.order_id,
                    payment_id=payment.id,
                    method=payment.method,
                    status=payment.status,
                    amount=payment.amount,
                    captured=payment.captured,
                    refunded=payment.refunded,
                    failure=payment.failure,
                    version=case.intent.version,
                )
            )
        for refund in case.refunds:
            known = before.refunds.get(refund.id)
            if known is None or known.status != refund.status:
                order_id = case.intent.order_id
                await tx.emit(RefundChanged(refund.id, order_id, refund.amount, refund.status))
        return await case_store.save(tx, case, before)

    def _alert(self, order_id: UUID | None, reason: str, reference: str = "") -> None:
        held.inc()
        extra = {"order": str(order_id or ""), "reason": reason, "reference": reference}
        log.error("a payment waits for a person", extra=extra)

    # --- work behind the scenes -------------------------------------------------------------------------------------

    async def apply_facts(self) -> None:
        """Take to their cases the facts that nobody took there: whoever recorded them has died."""
        after = NOBODY
        while True:
            async with self.db.read() as tx:
                orders = await facts.orders_waiting(tx, after=after, limit=SLICE)
            for order_id in orders:
                await self._advance_quietly(order_id)
            if len(orders) < SLICE:
                return
            after = orders[-1]

    async def ask_providers(self) -> None:
        """Ask about payments whose end nobody has told us of."""
        for _ in range(SLICES):
            async with self.db.begin() as tx:
                found = await due.charges(tx, list(self.online), SLICE)
                claimed = [
                    charge
                    for charge in found
                    if await due.claim_charge(
                        tx, charge, next_ask(since=charge.made_at, asked=charge.asks + 1, now=charge.now)
                    )
                ]
            await asyncio.gather(*(self._ask(charge) for charge in claimed))
            if len(found) < SLICE:
                return

    async def _ask(self, charge: DueCharge) -> bool:
        """Ask the provider about one attempt, and take its answer to the case. False: it did not say."""
        try:
            told = await self.online[charge.method].query(_charge(charge))
        except (Unavailable, UnknownOutcome, AnswerTooLarge) as failure:
            log.warning("a provider did not say", extra={"reference": charge.reference, "why": failure.detail})
            return False
        fact = Fact(
            kind="told",
            source=charge.method,
            event_id=f"query:{uuid7().hex}",
            order_id=charge.order_id,
            attempt_id=charge.id,
            verdict=told.verdict,
            reason=told.reason,
            amount=told.amount,
            provider_txn_id=told.provider_txn_id,
        )
        if told.verdict is Verdict.PENDING:
            if not is_over(expires_at=charge.expires_at, now=charge.now):
                return True
            fact = Fact(
                kind="expired",
                source="payments",
                event_id=f"expired:{charge.reference}",
                order_id=charge.order_id,
                attempt_id=charge.id,
            )
        async with self.db.begin() as tx:
            await facts.record(tx, fact)
            await self._advance(tx, charge.order_id)
        return True

    async def send_refunds(self) -> None:
        """Bring granted refunds to their providers, and ask about those whose fate is not known."""
        for _ in range(SLICES):
            async with self.db.begin() as tx:
                found = await due.refunds(tx, list(self.online), SLICE)
                claimed = [
                    refund
                    for refund in found
                    if await due.claim_refund(
                        tx, refund, next_ask(since=refund.made_at, asked=refund.asks, now=refund.now)
                    )
                ]
            await asyncio.gather(*(self._send(refund) for refund in claimed))
            if len(found) < SLICE:
                return

    async def _send(self, refund: DueRefund) -> None:
        """Bring one refund on its way, and take what its provider says to the case."""
        said = Said()
        try:
            said = await self._sent(refund)
        except Unavailable as failure:
            log.warning("a refund could not be sent", extra={"reference": refund.reference, "why": failure.detail})
            if refund.called_at is None:
                async with self.db.read() as tx:
                    await due.mark_not_called(tx, refund)
        except (UnknownOutcome, AnswerTooLarge) as failure:
            log.warning("a refund's fate is unknown", extra={"reference": refund.reference, "why": failure.detail})
            said = Said(Told(Verdict.PENDING))
        told = said.told
        if (told is None or told.verdict is Verdict.PENDING) and is_slow(since=refund.made_at, now=refund.now):
            told = Told(Verdict.REVIEW, cases.REFUND_SLOW)
        async with self.db.begin() as tx:
            if said.noted:
                await due.mark_noted(tx, refund.id)
            if said.denied:
                await due.mark_denied(tx, refund.id)
            if told is not None and await facts.record(tx, _fact_of(refund, told)):
                await self._advance(tx, refund.order_id)

    async def _sent(self, refund: DueRefund) -> "Said":
        """Call the provider, or ask first whether it has the refund already.

        One that it took note of is never sent again, whatever its account shows. One that it says not to have is, but
        only while it would know it again: from then on a person has to look.
        """
        provider = self.online[refund.method]
        charge = Charge(
            reference=refund.charge_reference,
            order_number=refund.order_number,
            amount=refund.charged,
            made_at=refund.charged_at,
            expires_at=refund.expires_at,
            language=refund.language,
            provider_txn_id=refund.provider_txn_id,
        )
        wanted = Return(
            reference=refund.reference, amount=refund.amount, whole=refund.whole, known=frozenset(refund.known)
        )
        denied = False
        if refund.called_at is not None:
            told = await provider.find_refund(charge, wanted)
            if told is not None:
                return Said(told)
            if refund.noted:
                return Said(Told(Verdict.PENDING))
            denied = True
            if refund.denials + 1 < DENIALS:
                return Said(Told(Verdict.PENDING), denied=True)
            if not provider.knows_again(since=refund.called_at, now=datetime.now(UTC)):
                return Said(Told(Verdict.REVIEW, cases.REFUND_UNCLEAR), denied=True)
        return Said(await provider.refund(charge, wanted), noted=True, denied=denied)

    # --- staff ------------------------------------------------------------------------------------------------------

    async def payments(
        self, *, order_id: UUID | None, status: str | None, limit: int, cursor: str
    ) -> Page[PaymentSeen]:
        """Payments for staff, newest first."""
        before = decode_cursor(cursor, datetime, UUID) if cursor else None
        async with self.db.read() as tx:
            rows = await lists.payments(tx, order_id=order_id, status=status, before=_pair(before), limit=limit + 1)
        return page_of(rows, limit, lambda row: (row.made_at, row.order_id))

    async def review(self, *, limit: int, cursor: str) -> Page[HeldSeen]:
        """What waits for a person, oldest first."""
        after = decode_cursor(cursor, datetime, UUID) if cursor else None
        async with self.db.read() as tx:
            rows = await lists.held(tx, after=_pair(after), limit=limit + 1)
        return page_of(rows, limit, lambda row: (row.at, row.id))

    async def decide(self, *, fact_id: UUID, decision: Decision, note: str) -> None:
        """A person decides about what was held. Raises NotHeld, Conflict."""
        async with self.db.begin() as tx:
            waiting = await facts.held(tx, fact_id)
            if waiting is None:
                raise NotHeld("this does not wait for a decision")
            case = await case_store.locked_case(tx, waiting.order_id) if waiting.order_id else None
            if not await facts.resolve(tx, fact_id, actor.get().name):
                raise NotHeld("somebody else has decided")
            fact = Fact(
                kind=decision,
                source="staff",
                event_id=f"decision:{fact_id}",
                order_id=waiting.order_id,
                attempt_id=waiting.attempt_id,
                refund_id=waiting.refund_id,
                reason=note,
                amount=waiting.amount,
            )
            if case is not None:
                cases.check_decision(case, fact)
                if decision == "sent_back" and waiting.refund_id and await due.is_under_way(tx, waiting.refund_id):
                    raise Conflict("the provider is being asked about this refund; try again in a minute")
                await facts.record(tx, fact)
                await self._take_facts(tx, case, case_store.seen(case))
            elif decision != "dismissed":
                raise Conflict("no order is known for this; settle it with the provider, then dismiss it")
        log.info("a person decided about a payment", extra={"fact": str(fact_id), "decision": decision})

    async def payouts(self, *, limit: int, cursor: str) -> Page[Payout]:
        """Refunds that a person has to pay out, oldest first."""
        after = decode_cursor(cursor, datetime, UUID) if cursor else None
        async with self.db.read() as tx:
            rows = await lists.payouts(tx, after=_pair(after), limit=limit + 1)
        return page_of(rows, limit, lambda row: (row.made_at, row.id))

    async def settle_payout(self, *, refund_id: UUID, reference: str) -> None:
        """A person has paid a refund out, or seen that its provider did; `reference` is the bank's. Raises NotFound."""
        async with self.db.begin() as tx:
            order_id = await lists.payout_order(tx, refund_id)
            if order_id is None:
                raise NotFound("no such refund waits to be paid out")
            case = await self._case(tx, order_id)
            paid_out = Fact(
                kind="refund_told",
                source="staff",
                event_id=f"payout:{refund_id}",
                order_id=order_id,
                refund_id=refund_id,
                verdict=Verdict.REFUNDED,
                amount=case.refund(refund_id).amount,
                provider_txn_id=reference,
            )
            await facts.record(tx, paid_out)
            await self._take_facts(tx, case, case_store.seen(case))

    async def list_kept(self, *, after: UUID, limit: int = 1000) -> list[Kept]:
        async with self.db.read() as tx:
            return await lists.kept(tx, after=after, limit=min(limit, 1000))

    async def invariants(self) -> list[str]:
        """What is broken, a sentence each."""
        async with self.db.read() as tx:
            return await checks.violations(tx)


class Said(Struct, frozen=True):
    """What a provider says of a refund: `noted`, it has taken note of it; `denied`, it said that it had no such one."""

    told: Told | None = None
    noted: bool = False
    denied: bool = False


def _fact_of(refund: DueRefund, told: Told) -> Fact:
    """The same words of a provider are the same fact."""
    said = ":".join((told.verdict, told.reason or "", told.provider_txn_id or ""))
    return Fact(
        kind="refund_told",
        source=refund.method,
        event_id=f"refund:{refund.reference}:{said}",
        order_id=refund.order_id,
        refund_id=refund.id,
        verdict=told.verdict,
        reason=told.reason,
        amount=told.amount,
        provider_txn_id=told.provider_txn_id,
    )


def _opened(order_id: UUID, attempt_id: UUID, reference: str) -> Fact:
    return Fact(
        kind="opened", source="payments", event_id=f"opened:{reference}", order_id=order_id, attempt_id=attempt_id
    )


def _charge(row: DueCharge) -> Charge:
    return Charge(
        reference=row.reference,
        order_number=row.order_number,
        amount=row.amount,
        made_at=row.made_at,
        expires_at=row.expires_at,
        language=row.language,
        provider_txn_id=row.provider_txn_id,
    )


def _visible(payment: Payment) -> Payment:
    """What others are told of a payment: all but what the payer does next."""
    return replace(payment, action=cases.NO_ACTION, version=0)


def _pair(key: tuple[Any, ...] | None) -> tuple[datetime, UUID] | None:
    return None if key is None else (key[0], key[1])
