"""Everything the service does: what orders ask of it, and what staff see and decide."""

import logging
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sampan.kernel.context import actor
from sampan.kernel.errors import Conflict, NotFound
from sampan.kernel.pagination import Page, decode_cursor, page_of
from sampan.services.payments.actions.paying import PayingActions
from sampan.services.payments.contract import (
    Kept,
)
from sampan.services.payments.rules import case as cases
from sampan.services.payments.rules.case import NotHeld
from sampan.services.payments.rules.fact import Fact, Verdict
from sampan.services.payments.store import cases as case_store
from sampan.services.payments.store import checks, due, facts, lists
from sampan.services.payments.store.lists import HeldSeen, PaymentSeen, Payout

log = logging.getLogger(__name__)

Decision = Literal["accepted", "sent_back", "dismissed"]


class PaymentsActions(PayingActions):
    """Intents, attempts, refunds, the ledger."""

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


def _pair(key: tuple[Any, ...] | None) -> tuple[datetime, UUID] | None:
    return None if key is None else (key[0], key[1])
