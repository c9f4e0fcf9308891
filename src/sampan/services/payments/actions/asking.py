"""What payments asks of providers by itself: about payments, and that refunds be made."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from sampan.kernel.ids import uuid7
from sampan.kernel.outbound import AnswerTooLarge, Unavailable, UnknownOutcome
from sampan.services.payments.actions.facts import SLICE, FactActions
from sampan.services.payments.providers.interface import (
    Charge,
    Return,
)
from sampan.services.payments.rules import case as cases
from sampan.services.payments.rules.fact import Fact, Told, Verdict
from sampan.services.payments.rules.schedule import is_over, is_slow, next_ask
from sampan.services.payments.store import due, facts
from sampan.services.payments.store.due import DueCharge, DueRefund

log = logging.getLogger(__name__)

SLICES: Final = 10  # of one run of a job, which then ends well before its lease does
DENIALS: Final = 2  # so often a provider says that it has no such refund before it gets it again


class AskingActions(FactActions):
    """Asks about what nobody has told us the end of."""

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
            told = await self.online[charge.method].query(charge_for(charge))
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


def charge_for(row: DueCharge) -> Charge:
    return Charge(
        reference=row.reference,
        order_number=row.order_number,
        amount=row.amount,
        made_at=row.made_at,
        expires_at=row.expires_at,
        language=row.language,
        provider_txn_id=row.provider_txn_id,
    )
