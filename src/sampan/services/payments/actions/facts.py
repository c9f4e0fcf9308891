"""What was told, and the one writer of an order's payment.

`advance` is the only writer, under the lock of the payment's row. Notices, the poller, the browser's return and staff
record facts; whoever comes first advances, and whoever comes after finds nothing left to do.
"""

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter

from sampan.kernel.catalogue import Catalogue
from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import NotFound, ShopError
from sampan.kernel.ids import uuid7
from sampan.kernel.metrics import metrics
from sampan.kernel.money import Money
from sampan.kernel.service import Ground
from sampan.kernel.settings import BadSetting
from sampan.services.payments.contract import (
    Payment,
    PaymentChanged,
    RefundChanged,
    UnknownPayment,
)
from sampan.services.payments.providers.cod import cod_from
from sampan.services.payments.providers.interface import (
    NoticeRefused,
    OnlineProvider,
    PaymentProvider,
)
from sampan.services.payments.providers.vnpay.provider import vnpay_from
from sampan.services.payments.rules import case as cases
from sampan.services.payments.rules.case import Attempt, Case
from sampan.services.payments.rules.fact import Fact
from sampan.services.payments.rules.intent import is_terminal, refund_ref
from sampan.services.payments.store import cases as case_store
from sampan.services.payments.store import facts

log = logging.getLogger(__name__)

SLICE: Final = 20  # orders, payments or refunds that a job sees to at once
NOBODY: Final = UUID(int=0)

notices = Counter("sampan_payment_notices", "Notices of providers", ["provider", "result"], registry=metrics.registry)
held = Counter("sampan_payments_held", "Facts about payments that wait for a person", registry=metrics.registry)


class PaymentsSettings(Struct, frozen=True):
    """`SAMPAN_PAYMENTS_OFF`: ways to pay that are switched off for new payments, `vnpay,cod`."""

    off: str = ""


class FactActions:
    """What providers tell, and what follows from it."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        self.public_url = ground.settings.public_url
        self.texts = Catalogue.load(Path(__file__).parent.parent / "texts")
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


def _visible(payment: Payment) -> Payment:
    """What others are told of a payment: all but what the payer does next."""
    return replace(payment, action=cases.NO_ACTION, version=0)
