"""Lists for staff, and an order's refunds."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.kernel.money import Money
from sampan.services.payments.contract import Kept, Refund

REFUNDS = """
SELECT id, order_id, amount, currency, status, reason, made_at FROM payments.refund WHERE order_id = $1 ORDER BY number
"""
PAYMENTS = """
SELECT i.order_id, i.order_number, i.status, i.method, i.amount, i.currency, i.captured, i.currency,
       i.refunded, i.currency, i.returned, i.currency, i.given_up, i.failure, i.version, i.made_at,
       (SELECT jsonb_agg(jsonb_build_object(
                   'id', a.id, 'reference', a.reference, 'method', a.method, 'status', a.status,
                   'amount', jsonb_build_object('amount', a.amount, 'currency', a.currency),
                   'captured', jsonb_build_object('amount', a.captured, 'currency', a.currency),
                   'surplus', a.surplus, 'failure', a.failure, 'provider_txn_id', a.provider_txn_id,
                   'made_at', a.made_at, 'expires_at', a.expires_at, 'asked_at', a.asked_at) ORDER BY a.number)
          FROM payments.attempt a WHERE a.order_id = i.order_id),
       (SELECT COALESCE(jsonb_agg(jsonb_build_object(
                   'id', r.id, 'reference', r.reference, 'attempt_id', r.attempt_id, 'status', r.status,
                   'amount', jsonb_build_object('amount', r.amount, 'currency', r.currency),
                   'reason', r.reason, 'failure', r.failure, 'provider_txn_id', r.provider_txn_id,
                   'made_at', r.made_at) ORDER BY r.number), '[]')
          FROM payments.refund r WHERE r.order_id = i.order_id),
       (SELECT COALESCE(jsonb_agg(jsonb_build_object(
                   'at', f.at, 'kind', f.kind, 'source', f.source, 'told_by', f.told_by, 'verdict', f.verdict,
                   'reason', f.reason, 'held', f.held, 'resolved_at', f.resolved_at, 'resolved_by', f.resolved_by)
                   ORDER BY f.seq DESC), '[]')
          FROM (SELECT * FROM payments.fact WHERE order_id = i.order_id ORDER BY seq DESC LIMIT 50) AS f)
  FROM payments.intent i
 WHERE i.attempt_id IS NOT NULL AND ($1::uuid IS NULL OR i.order_id = $1) AND ($2::text IS NULL OR i.status = $2)
   AND ($3::timestamptz IS NULL OR (i.made_at, i.order_id) < ($3, $4::uuid))
 ORDER BY i.made_at DESC, i.order_id DESC LIMIT $5
"""
KEPT = """
SELECT order_id, order_number, captured, currency FROM payments.intent
 WHERE order_id > $1 AND captured > 0 AND changed_at < now() - interval '15 minutes'
 ORDER BY order_id LIMIT $2
"""
HELD = """
SELECT f.id, f.at, f.held, f.source, f.order_id, i.order_number, a.reference, a.status, f.amount, f.currency,
       a.amount, a.currency
  FROM payments.fact f
  LEFT JOIN payments.intent i ON i.order_id = f.order_id
  LEFT JOIN payments.attempt a ON a.id = f.attempt_id
 WHERE f.held IS NOT NULL AND f.resolved_at IS NULL AND ($1::timestamptz IS NULL OR (f.at, f.id) > ($1, $2::uuid))
 ORDER BY f.at, f.id LIMIT $3
"""
PAYOUTS = """
SELECT r.id, r.order_id, i.order_number, r.reference, r.amount, r.currency, r.reason, r.made_at
  FROM payments.refund r JOIN payments.intent i USING (order_id)
 WHERE r.status IN ('requested', 'sent') AND r.by_hand
   AND ($1::timestamptz IS NULL OR (r.made_at, r.id) > ($1, $2::uuid))
 ORDER BY r.made_at, r.id LIMIT $3
"""
# One that a provider has, and says nothing of, can be seen to have arrived as well.
PAYOUT = """
SELECT order_id FROM payments.refund WHERE id = $1 AND (status = 'sent' OR status = 'requested' AND by_hand)
"""


class AttemptSeen(Struct, frozen=True):
    """An attempt, as staff see it."""

    id: UUID
    reference: str
    method: str
    status: str
    amount: Money
    captured: Money
    surplus: str | None
    failure: str | None
    provider_txn_id: str | None
    made_at: datetime
    expires_at: datetime
    asked_at: datetime | None


class RefundSeen(Struct, frozen=True):
    """A refund, as staff see it."""

    id: UUID
    reference: str
    attempt_id: UUID
    status: str
    amount: Money
    reason: str
    failure: str | None
    provider_txn_id: str | None
    made_at: datetime


class FactSeen(Struct, frozen=True):
    """What was told, by whom, and what came of it."""

    at: datetime
    kind: str
    source: str
    told_by: str
    verdict: str | None
    reason: str | None
    held: str | None
    resolved_at: datetime | None
    resolved_by: str | None


class PaymentSeen(Struct, frozen=True):
    """An order's payment, as staff see it. `refunded` is granted, `returned` is back with the customer."""

    order_id: UUID
    order_number: str
    status: str
    method: str
    amount: Money
    captured: Money
    refunded: Money
    returned: Money
    given_up: str | None
    failure: str | None
    version: int
    made_at: datetime
    attempts: list[AttemptSeen]
    refunds: list[RefundSeen]
    facts: list[FactSeen]  # the last fifty, newest first


class HeldSeen(Struct, frozen=True):
    """Something a person must look at. `amount` is what the provider spoke of, `asked` what the attempt asked for."""

    id: UUID
    at: datetime
    reason: str
    source: str
    order_id: UUID | None
    order_number: str | None
    reference: str | None
    status: str | None
    amount: Money | None
    asked: Money | None


class Payout(Struct, frozen=True):
    """A refund that a person pays out."""

    id: UUID
    order_id: UUID
    order_number: str
    reference: str
    amount: Money
    reason: str
    made_at: datetime


async def refunds(tx: Tx, order_id: UUID) -> list[Refund]:
    return await tx.many(Refund, REFUNDS, order_id)


async def payments(
    tx: Tx,
    *,
    order_id: UUID | None,
    status: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[PaymentSeen]:
    """Newest first."""
    return await tx.many(PaymentSeen, PAYMENTS, order_id, status, *(before or (None, None)), limit)


async def held(tx: Tx, *, after: tuple[datetime, UUID] | None, limit: int) -> list[HeldSeen]:
    """What waits for a person, oldest first."""
    return await tx.many(HeldSeen, HELD, *(after or (None, None)), limit)


async def payouts(tx: Tx, *, after: tuple[datetime, UUID] | None, limit: int) -> list[Payout]:
    """Refunds that a person has to pay out, oldest first."""
    return await tx.many(Payout, PAYOUTS, *(after or (None, None)), limit)


async def payout_order(tx: Tx, refund_id: UUID) -> UUID | None:
    """The order of a refund that waits to be paid out, or may have been by its provider."""
    return await tx.maybe(UUID, PAYOUT, refund_id)


async def kept(tx: Tx, *, after: UUID, limit: int) -> list[Kept]:
    return await tx.many(Kept, KEPT, after, limit)
