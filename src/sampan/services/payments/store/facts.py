"""Facts: written down once, taken to their case later, looked at by a person when they are held."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from sampan.kernel import context
from sampan.kernel.db import Tx
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.payments.rules.delivery import Parcel
from sampan.services.payments.rules.fact import Fact, Kind, Verdict

RECORD = """
INSERT INTO payments.fact (id, source, event_id, order_id, attempt_id, refund_id, kind, verdict, reason, amount,
                           currency, provider_txn_id, raw, told_by, held, applied_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, CASE WHEN $4::uuid IS NULL THEN now() END)
ON CONFLICT ON CONSTRAINT fact_once DO NOTHING
"""
WAITING = """
SELECT seq, source, event_id, order_id, attempt_id, refund_id, kind, verdict, reason, amount, currency, provider_txn_id
  FROM payments.fact WHERE order_id = $1 AND applied_at IS NULL ORDER BY seq
"""
APPLIED = """
UPDATE payments.fact SET applied_at = now(), held = taken.held
  FROM unnest($1::bigint[], $2::text[]) AS taken (seq, held)
 WHERE fact.seq = taken.seq
"""
ORDERS_WAITING = """
SELECT DISTINCT order_id FROM payments.fact
 WHERE applied_at IS NULL AND order_id > $1 ORDER BY order_id LIMIT $2
"""
EXPLAINED = """
UPDATE payments.fact SET resolved_at = now(), resolved_by = $2
 WHERE attempt_id = ANY($1) AND held IS NOT NULL AND resolved_at IS NULL
"""
HELD = """
SELECT order_id, attempt_id, refund_id, amount, currency FROM payments.fact
 WHERE id = $1 AND held IS NOT NULL AND resolved_at IS NULL
"""
RESOLVE = """
UPDATE payments.fact SET resolved_at = now(), resolved_by = $2
 WHERE id = $1 AND held IS NOT NULL AND resolved_at IS NULL
"""
TARGET = """
SELECT id, order_id, amount, currency, status, return_path FROM payments.attempt WHERE reference = $1 AND method = $2
"""
NOTE_PARCEL = """
INSERT INTO payments.parcel (work_order_id, order_id, status, of, version)
SELECT $1::uuid, order_id, $3::text, $4::bigint, $5::bigint FROM payments.intent WHERE order_id = $2 AND method = 'cod'
ON CONFLICT (work_order_id) DO UPDATE SET status = EXCLUDED.status, of = EXCLUDED.of, version = EXCLUDED.version
 WHERE parcel.version < EXCLUDED.version
"""
PARCELS = "SELECT status, of FROM payments.parcel WHERE order_id = $1"
COD_ATTEMPT = """
SELECT id FROM payments.attempt WHERE order_id = $1 AND method = 'cod'
 ORDER BY status = 'open' DESC, number DESC LIMIT 1
"""


class Row(Struct, frozen=True):
    seq: int
    source: str
    event_id: str
    order_id: UUID
    attempt_id: UUID | None
    refund_id: UUID | None
    kind: Kind
    verdict: str | None
    reason: str | None
    amount: Money | None
    provider_txn_id: str | None


class Target(Struct, frozen=True):
    """The attempt that a provider's reference names."""

    attempt_id: UUID
    order_id: UUID
    amount: Money
    status: str
    return_path: str


class Held(Struct, frozen=True):
    """What waits for a person."""

    order_id: UUID | None
    attempt_id: UUID | None
    refund_id: UUID | None
    amount: Money | None


async def record(tx: Tx, fact: Fact) -> bool:
    """Write a fact down; False if it was known. A fact of no order is for a person only."""
    written = await tx.execute(
        RECORD,
        uuid7(),
        fact.source,
        fact.event_id,
        fact.order_id,
        fact.attempt_id,
        fact.refund_id,
        fact.kind,
        fact.verdict,
        fact.reason,
        fact.amount.amount if fact.amount else None,
        fact.amount.currency if fact.amount else None,
        fact.provider_txn_id,
        fact.raw,
        context.actor.get().name,
        fact.held,
    )
    return written == 1


async def waiting(tx: Tx, order_id: UUID) -> list[tuple[int, Fact]]:
    """An order's facts that nobody has taken to its case, in the order they were heard, with their places."""
    return [
        (
            row.seq,
            Fact(
                kind=row.kind,
                source=row.source,
                event_id=row.event_id,
                order_id=row.order_id,
                attempt_id=row.attempt_id,
                refund_id=row.refund_id,
                verdict=Verdict(row.verdict) if row.verdict else None,
                reason=row.reason,
                amount=row.amount,
                provider_txn_id=row.provider_txn_id,
            ),
        )
        for row in await tx.many(Row, WAITING, order_id)
    ]


async def mark_applied(tx: Tx, taken: Sequence[tuple[int, str | None]]) -> None:
    """These facts are in the case; each with the reason why a person must look at it, or None."""
    await tx.execute(APPLIED, [seq for seq, _ in taken], [held for _, held in taken])


async def mark_explained(tx: Tx, attempts: list[UUID], by: str) -> None:
    """Nobody has to look at what was held about these attempts any more."""
    await tx.execute(EXPLAINED, attempts, by)


async def orders_waiting(tx: Tx, *, after: UUID, limit: int) -> list[UUID]:
    """Orders with facts that nobody has taken to their case, in the order of their ids."""
    return await tx.many(UUID, ORDERS_WAITING, after, limit)


async def held(tx: Tx, fact_id: UUID) -> Held | None:
    return await tx.maybe(Held, HELD, fact_id)


async def resolve(tx: Tx, fact_id: UUID, by: str) -> bool:
    """A person has looked at it; False if somebody else had before."""
    return await tx.execute(RESOLVE, fact_id, by) == 1


async def target(tx: Tx, reference: str, method: str) -> Target | None:
    return await tx.maybe(Target, TARGET, reference, method)


async def note_parcel(
    tx: Tx, *, work_order_id: UUID, order_id: UUID, status: str, of: int, version: int
) -> list[Parcel]:
    """Where a parcel of a cash-on-delivery order is now, unless newer is known; all parcels known of the order."""
    if not await tx.execute(NOTE_PARCEL, work_order_id, order_id, status, of, version):
        return []
    return await tx.many(Parcel, PARCELS, order_id)


async def cod_attempt(tx: Tx, order_id: UUID) -> UUID:
    """The attempt that is paid at the door."""
    return await tx.one(UUID, COD_ATTEMPT, order_id)
