"""The case of an order's payment: read under its lock, written back."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from sampan.kernel.db import Tx, telling
from sampan.kernel.ids import uuid7
from sampan.services.payments.contract import Payment
from sampan.services.payments.rules.case import Attempt, Case, Intent, Refund, payment_for

INTENT = "order_id, order_number, amount, currency, status, given_up, authorised, captured, refunded, returned, version"
# The one lock of a payment: whoever changes anything of an order's payment takes this row first.
LOCK = f"SELECT {INTENT}, now() FROM payments.intent WHERE order_id = $1 FOR NO KEY UPDATE"
# A place for the order's payment. It comes back only if it is new, and then there is nothing else of the order yet.
# Two callers at once wait for each other here.
PLACE = f"""
INSERT INTO payments.intent (order_id, order_number, status) VALUES ($1, $2, $3) ON CONFLICT (order_id) DO NOTHING
RETURNING {INTENT}, now()
"""
ATTEMPTS = """
SELECT id, number, reference, method, amount, currency, status, made_at, expires_at, owed, captured, refunded, returned,
       surplus, failure, provider_txn_id, action, return_path, language, false, false
  FROM payments.attempt WHERE order_id = $1 ORDER BY number
"""
REFUNDS = """
SELECT id, attempt_id, number, reference, key, amount, currency, status, reason, by_hand, failure, provider_txn_id
  FROM payments.refund WHERE order_id = $1 ORDER BY number
"""
# All that was done to a case and what is told of it, in one statement. A new attempt is asked about after a minute; one
# whose story ended is asked about no more; one that only the provider can explain is asked about at once.
CHANGED = """
    UPDATE payments.intent
       SET order_number = $2, amount = $3, currency = $4, status = $5, given_up = $6, authorised = $7, captured = $8,
           refunded = $9, returned = $10, version = $11, attempt_id = $12, method = $13, failure = $14,
           changed_at = now()
     WHERE order_id = $1
 RETURNING order_id
"""
NEW = """
    INSERT INTO payments.intent (order_id, order_number, amount, currency, status, given_up, authorised, captured,
                                 refunded, returned, version, attempt_id, method, failure)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (order_id) DO NOTHING
 RETURNING order_id
"""
SAVING = """
WITH intent AS ({intent}), attempts AS (
    INSERT INTO payments.attempt AS a (
        id, order_id, number, reference, method, amount, currency, status, made_at, expires_at, owed, captured,
        refunded, returned, surplus, failure, provider_txn_id, action, return_path, language, ask_at)
    SELECT n.id, intent.order_id, n.number, n.reference, n.method, n.amount, n.currency, n.status, n.made_at,
           n.expires_at, n.owed, n.captured, n.refunded, n.returned, n.surplus, n.failure, n.provider_txn_id,
           n.action, n.return_path, n.language,
           CASE WHEN n.ask_now THEN now() WHEN n.is_asked THEN n.made_at + interval '1 minute' END
      FROM intent, unnest($15::uuid[], $16::bigint[], $17::text[], $18::text[], $19::bigint[], $20::text[], $21::text[],
                  $22::timestamptz[], $23::timestamptz[], $24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[],
                  $28::text[], $29::text[], $30::text[], $31::jsonb[], $32::text[], $33::text[], $34::boolean[],
                  $35::boolean[])
        AS n (id, number, reference, method, amount, currency, status, made_at, expires_at, owed, captured, refunded,
              returned, surplus, failure, provider_txn_id, action, return_path, language, ask_now, is_asked)
    ON CONFLICT (id) DO UPDATE
       SET status = EXCLUDED.status, owed = EXCLUDED.owed, captured = EXCLUDED.captured, refunded = EXCLUDED.refunded,
           returned = EXCLUDED.returned, surplus = EXCLUDED.surplus, failure = EXCLUDED.failure,
           provider_txn_id = EXCLUDED.provider_txn_id, action = EXCLUDED.action,
           ask_at = CASE WHEN EXCLUDED.ask_at IS NOT NULL THEN EXCLUDED.ask_at
                         WHEN EXCLUDED.status IN ('paid', 'voided', 'failed') THEN NULL ELSE a.ask_at END
), refunds AS (
    INSERT INTO payments.refund AS r (
        id, order_id, attempt_id, number, reference, key, amount, currency, status, reason, by_hand, failure,
        provider_txn_id, ask_at)
    SELECT n.id, intent.order_id, n.attempt_id, n.number, n.reference, n.key, n.amount, n.currency, n.status,
           n.reason, n.by_hand, n.failure, n.provider_txn_id, CASE WHEN NOT n.by_hand THEN now() END
      FROM intent, unnest($36::uuid[], $37::uuid[], $38::bigint[], $39::text[], $40::text[], $41::bigint[], $42::text[],
                  $43::text[], $44::text[], $45::boolean[], $46::text[], $47::text[])
        AS n (id, attempt_id, number, reference, key, amount, currency, status, reason, by_hand, failure,
              provider_txn_id)
    ON CONFLICT (id) DO UPDATE
       SET status = EXCLUDED.status, by_hand = EXCLUDED.by_hand, failure = EXCLUDED.failure,
           provider_txn_id = EXCLUDED.provider_txn_id,
           ask_at = CASE WHEN EXCLUDED.status IN ('settled', 'failed') OR EXCLUDED.by_hand THEN NULL
                         ELSE r.ask_at END
), booked AS (
    INSERT INTO payments.ledger_transaction (transaction_id, order_id, kind, subject)
    SELECT n.id, intent.order_id, n.kind, n.subject
      FROM intent, unnest($48::uuid[], $49::text[], $50::uuid[]) AS n (id, kind, subject)
), entered AS (
    INSERT INTO payments.ledger_entry (transaction_id, line, account, amount, currency)
    SELECT n.* FROM intent, unnest($51::uuid[], $52::bigint[], $53::text[], $54::bigint[], $55::text[]) AS n
), {events}
SELECT order_id FROM intent
"""
EVENTS = telling("payments", "$56", of="intent")
SAVE = SAVING.format(intent=CHANGED, events=EVENTS)
SAVE_NEW = SAVING.format(intent=NEW, events=EVENTS)
FIND_PAYMENT = """
SELECT i.attempt_id, i.order_id, i.method, i.status, i.amount, i.currency, i.captured, i.currency, i.returned,
       i.currency, COALESCE(CASE WHEN i.status = 'pending' AND a.status = 'open' THEN a.action END, '{"kind": "none"}'),
       i.failure, i.version
  FROM payments.intent i JOIN payments.attempt a ON a.id = i.attempt_id
 WHERE i.order_id = $1
"""


class LockedIntent(Intent):
    """An intent under its lock, and the database's time."""

    now: datetime


class Seen(Struct, frozen=True):
    """A case as it was read, to know later what was done to it. `intent` is None where there was no case."""

    payment: Payment | None
    intent: Intent | None
    attempts: dict[UUID, Attempt]
    refunds: dict[UUID, Refund]


NOTHING = Seen(None, None, {}, {})


def new_case(order_id: UUID, order_number: str) -> Case:
    """The case of an order that nobody has heard of."""
    return Case(Intent(order_id, order_number, None, "pending", None, 0, 0, 0, 0, 0), [], [])


async def placed_case(tx: Tx, order_id: UUID, order_number: str, status: str) -> tuple[Case, datetime]:
    """The case, made with this number and status if there is none, and held until the end of the transaction.

    With it the time of the transaction.
    """
    made = await tx.maybe(LockedIntent, PLACE, order_id, order_number, status)
    if made is not None:
        return Case(made, [], []), made.now
    intent = await tx.one(LockedIntent, LOCK, order_id)
    return await _whole(tx, intent), intent.now


async def locked_case(tx: Tx, order_id: UUID) -> Case | None:
    """The case, held until the end of the transaction; None for an order that was never heard of."""
    intent = await tx.maybe(LockedIntent, LOCK, order_id)
    return None if intent is None else await _whole(tx, intent)


async def _whole(tx: Tx, intent: Intent) -> Case:
    attempts = await tx.many(Attempt, ATTEMPTS, intent.order_id)
    refunds = await tx.many(Refund, REFUNDS, intent.order_id)
    return Case(intent, attempts, refunds)


def seen(case: Case) -> Seen:
    return Seen(
        payment=payment_for(case),
        intent=replace(case.intent),
        attempts={attempt.id: replace(attempt) for attempt in case.attempts},
        refunds={refund.id: replace(refund) for refund in case.refunds},
    )


async def save(tx: Tx, case: Case, before: Seen) -> bool:
    """Write what was done to a case, and what was emitted about it. False, and nothing was written, for a new case
    (before was NOTHING) if there is one already.
    """
    intent, payment = case.intent, payment_for(case)
    attempts = [each for each in case.attempts if each != before.attempts.get(each.id)]
    refunds = [each for each in case.refunds if each != before.refunds.get(each.id)]
    unchanged = intent == before.intent and payment == before.payment
    if unchanged and not (attempts or refunds or case.bookings):
        return True
    booked = [(uuid7(), booking) for booking in case.bookings]
    entries = [
        (booked_id, number, entry)
        for booked_id, booking in booked
        for number, entry in enumerate(booking.transaction.entries, 1)
    ]
    saved = await tx.maybe(
        UUID,
        SAVE if before.intent is not None else SAVE_NEW,
        intent.order_id,
        intent.order_number,
        intent.amount.amount if intent.amount else None,
        intent.amount.currency if intent.amount else None,
        intent.status,
        intent.given_up,
        intent.authorised,
        intent.captured,
        intent.refunded,
        intent.returned,
        intent.version,
        payment.id if payment else None,
        payment.method if payment else None,
        payment.failure if payment else None,
        *turned(attempts, ATTEMPT_FIELDS),
        *turned(refunds, REFUND_FIELDS),
        [booked_id for booked_id, _ in booked],
        [booking.transaction.kind for _, booking in booked],
        [booking.subject for _, booking in booked],
        [booked_id for booked_id, _, _ in entries],
        [number for _, number, _ in entries],
        [entry.account for _, _, entry in entries],
        [entry.amount for _, _, entry in entries],
        [entry.currency for _, _, entry in entries],
        tx.take_events(),
    )
    return saved is not None


ATTEMPT_FIELDS = (
    "id", "number", "reference", "method", "amount.amount", "amount.currency", "status", "made_at", "expires_at",
    "owed", "captured", "refunded", "returned", "surplus", "failure", "provider_txn_id", "action", "return_path",
    "language", "ask_now", "is_asked",
)  # fmt: skip
REFUND_FIELDS = (
    "id", "attempt_id", "number", "reference", "key", "amount.amount", "amount.currency", "status", "reason",
    "by_hand", "failure", "provider_txn_id",
)  # fmt: skip


def turned(rows: Sequence[object], fields: Sequence[str]) -> list[list[object]]:
    """Rows as columns: one array for each field."""
    return [[read(row) for row in rows] for read in map(attrgetter, fields)]


async def payment(tx: Tx, order_id: UUID) -> Payment | None:
    """The order's payment as others see it, without waiting for anybody."""
    return await tx.maybe(Payment, FIND_PAYMENT, order_id)
