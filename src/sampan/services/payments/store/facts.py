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
SELECT n.*, CASE WHEN n.order_id IS NULL THEN now() END
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
              $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
       AS n (id, source, event_id, order_id, attempt_id, refund_id, kind, verdict, reason, amount, currency,
             provider_txn_id, raw, told_by, held)
ON CONFLICT ON CONSTRAINT fact_once DO NOTHING
RETURNING id
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
UPDATE payments.fact SET resolved_at = now(), resolved_by = $3
 WHERE order_id = $1 AND (attempt_id = ANY($2) OR refund_id = ANY($2)) AND held IS NOT NULL AND resolved_at IS NULL
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
# Under the lock of the order: of two who note the last two parcels of one at once, the second sees both.
NOTE_PARCELS = """
WITH paid_at_the_door AS (
    SELECT order_id FROM payments.intent WHERE order_id = ANY ($2::uuid[]) AND method = 'cod'
     ORDER BY order_id FOR UPDATE
)
INSERT INTO payments.parcel (work_order_id, order_id, status, of, version)
SELECT n.work_order_id, n.order_id, n.status, n.of, n.version
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[])
       AS n (work_order_id, order_id, status, of, version)
  JOIN paid_at_the_door i ON i.order_id = n.order_id
 ORDER BY n.work_order_id
ON CONFLICT (work_order_id) DO UPDATE SET status = EXCLUDED.status, of = EXCLUDED.of, version = EXCLUDED.version
 WHERE parcel.version < EXCLUDED.version
RETURNING order_id
"""
PARCELS = "SELECT order_id, status, of FROM payments.parcel WHERE order_id = ANY ($1::uuid[])"
COD_ATTEMPTS = """
SELECT DISTINCT ON (order_id) order_id, id FROM payments.attempt WHERE order_id = ANY ($1::uuid[]) AND method = 'cod'
 ORDER BY order_id, status = 'open' DESC, number DESC
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


class ParcelRow(Struct, frozen=True):
    order_id: UUID
    status: str
    of: int


class AttemptRow(Struct, frozen=True):
    order_id: UUID
    id: UUID


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
    (is_new,) = await record_all(tx, [fact])
    return is_new


async def record_all(tx: Tx, told: Sequence[Fact]) -> list[bool]:
    """Write facts down, in their order; False for each that was known."""
    ids = [uuid7() for _ in told]
    written = await tx.many(
        UUID,
        RECORD,
        ids,
        [fact.source for fact in told],
        [fact.event_id for fact in told],
        [fact.order_id for fact in told],
        [fact.attempt_id for fact in told],
        [fact.refund_id for fact in told],
        [fact.kind for fact in told],
        [fact.verdict for fact in told],
        [fact.reason for fact in told],
        [fact.amount.amount if fact.amount else None for fact in told],
        [fact.amount.currency if fact.amount else None for fact in told],
        [fact.provider_txn_id for fact in told],
        [fact.raw for fact in told],
        [context.actor.get().name] * len(told),
        [fact.held for fact in told],
    )
    new = set(written)
    return [fact_id in new for fact_id in ids]


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


async def mark_explained(tx: Tx, order_id: UUID, subjects: list[UUID], by: str) -> None:
    """Nobody has to look at what was held about these attempts and refunds any more."""
    await tx.execute(EXPLAINED, order_id, subjects, by)


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


async def note_parcels(tx: Tx, parcels: Sequence[tuple[UUID, UUID, str, int, int]]) -> dict[UUID, list[Parcel]]:
    """Where parcels (work order, order, status, of, version) of cash-on-delivery orders are now, each named once.

    All parcels known of each order of which this was news.
    """
    told = await tx.many(UUID, NOTE_PARCELS, *map(list, zip(*parcels, strict=True)))
    found: dict[UUID, list[Parcel]] = {}
    for row in await tx.many(ParcelRow, PARCELS, sorted(set(told))) if told else []:
        found.setdefault(row.order_id, []).append(Parcel(row.status, row.of))
    return found


async def cod_attempts(tx: Tx, orders: Sequence[UUID]) -> dict[UUID, UUID]:
    """Of each order the attempt that is paid at the door."""
    return {row.order_id: row.id for row in await tx.many(AttemptRow, COD_ATTEMPTS, orders)}
