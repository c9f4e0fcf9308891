"""The case of an order's payment: read under its lock, written back."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from sampan.kernel.db import Tx
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.payments.contract import Payment
from sampan.services.payments.rules.case import Attempt, Booking, Case, Intent, Refund, payment_for

# The one lock of a payment: whoever changes anything of an order's payment takes this row first.
LOCK = """
SELECT order_id, order_number, amount, currency, status, given_up, authorised, captured, refunded, returned, version
  FROM payments.intent WHERE order_id = $1 FOR NO KEY UPDATE
"""
ATTEMPTS = """
SELECT id, number, reference, method, amount, currency, status, made_at, expires_at, owed, captured, refunded, returned,
       surplus, failure, provider_txn_id, action, false
  FROM payments.attempt WHERE order_id = $1 ORDER BY number
"""
REFUNDS = """
SELECT id, attempt_id, number, reference, key, amount, currency, status, reason, by_hand, failure, provider_txn_id
  FROM payments.refund WHERE order_id = $1 ORDER BY number
"""
ADD_INTENT = """
INSERT INTO payments.intent (order_id, order_number, status) VALUES ($1, $2, $3) ON CONFLICT (order_id) DO NOTHING
"""
# A payment's time is whole seconds: providers know no smaller ones, and some sign it.
ADD_ATTEMPT = """
INSERT INTO payments.attempt (id, order_id, number, reference, method, amount, currency, status, return_path, language,
                              made_at, expires_at, ask_at)
SELECT $1::uuid, $2::uuid, $3::bigint, $4::text, $5::text, $6::bigint, $7::text, 'created', $8::text, $9::text,
       moment, $10::timestamptz, CASE WHEN $11::boolean THEN moment + interval '1 minute' END
  FROM date_trunc('second', now()) AS moment
 WHERE $10::timestamptz > now() + interval '1 second'
RETURNING id, number, reference, method, amount, currency, status, made_at, expires_at, owed, captured, refunded,
          returned, surplus, failure, provider_txn_id, action, false
"""

SAVE_INTENT = """
UPDATE payments.intent
   SET order_number = $2, amount = $3, currency = $4, status = $5, given_up = $6, authorised = $7, captured = $8,
       refunded = $9, returned = $10, version = $11, attempt_id = $12, method = $13, failure = $14, changed_at = now()
 WHERE order_id = $1
"""
# An attempt whose story ended is asked about no more; one that only the provider can explain is asked about at once.
SAVE_ATTEMPT = """
UPDATE payments.attempt
   SET status = $2, owed = $3, captured = $4, refunded = $5, returned = $6, surplus = $7, failure = $8,
       provider_txn_id = $9, action = $10,
       ask_at = CASE WHEN $11 THEN now() WHEN $2 IN ('paid', 'voided', 'failed') THEN NULL ELSE ask_at END
 WHERE id = $1
"""
ADD_REFUND = """
INSERT INTO payments.refund (id, order_id, attempt_id, number, reference, key, amount, currency, status, reason,
                             by_hand, ask_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, CASE WHEN NOT $11 THEN now() END)
"""
SAVE_REFUND = """
UPDATE payments.refund
   SET status = $2, failure = $3, provider_txn_id = $4,
       ask_at = CASE WHEN $2 IN ('settled', 'failed') THEN NULL ELSE ask_at END
 WHERE id = $1
"""
BOOK = """
INSERT INTO payments.ledger_transaction (transaction_id, order_id, kind, subject)
SELECT id, $1, kind, subject FROM unnest($2::uuid[], $3::text[], $4::uuid[]) AS booked (id, kind, subject)
"""
BOOK_ENTRIES = """
INSERT INTO payments.ledger_entry (transaction_id, line, account, amount, currency)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[])
"""
FIND_PAYMENT = """
SELECT i.attempt_id, i.order_id, i.method, i.status, i.amount, i.currency, i.captured, i.currency, i.returned,
       i.currency, COALESCE(CASE WHEN i.status = 'pending' AND a.status = 'open' THEN a.action END, '{"kind": "none"}'),
       i.failure
  FROM payments.intent i JOIN payments.attempt a ON a.id = i.attempt_id
 WHERE i.order_id = $1
"""


class Seen(Struct, frozen=True):
    """A case as it was read, to know later what was done to it."""

    payment: Payment | None
    intent: Intent
    attempts: dict[UUID, Attempt]
    refunds: dict[UUID, Refund]


async def add_intent(tx: Tx, order_id: UUID, order_number: str, status: str) -> None:
    """A place for the order's payment, unless there is one. Two callers at once wait for each other here."""
    await tx.execute(ADD_INTENT, order_id, order_number, status)


async def locked_case(tx: Tx, order_id: UUID) -> Case | None:
    """The case, held until the end of the transaction; None for an order that was never heard of."""
    intent = await tx.maybe(Intent, LOCK, order_id)
    if intent is None:
        return None
    attempts = await tx.many(Attempt, ATTEMPTS, order_id)
    refunds = await tx.many(Refund, REFUNDS, order_id)
    return Case(intent, attempts, refunds)


def seen(case: Case) -> Seen:
    return Seen(
        payment=payment_for(case),
        intent=replace(case.intent),
        attempts={attempt.id: replace(attempt) for attempt in case.attempts},
        refunds={refund.id: replace(refund) for refund in case.refunds},
    )


async def add_attempt(
    tx: Tx,
    *,
    order_id: UUID,
    number: int,
    reference: str,
    method: str,
    amount: Money,
    return_path: str,
    language: str,
    expires_at: datetime,
    is_asked: bool,
) -> Attempt | None:
    """A new attempt; None when its time would be over already."""
    return await tx.maybe(
        Attempt,
        ADD_ATTEMPT,
        uuid7(),
        order_id,
        number,
        reference,
        method,
        amount.amount,
        amount.currency,
        return_path,
        language,
        expires_at,
        is_asked,
    )


async def save(tx: Tx, case: Case, before: Seen) -> None:
    """Write what was done to a case."""
    for refund in case.refunds:
        await _save_refund(tx, case, refund, before.refunds.get(refund.id))
    for attempt in case.attempts:
        if attempt != before.attempts.get(attempt.id):
            await _save_attempt(tx, attempt)
    await _book(tx, case.intent.order_id, case.bookings)
    payment = payment_for(case)
    if case.intent != before.intent or payment != before.payment:
        intent = case.intent
        await tx.execute(
            SAVE_INTENT,
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
        )


async def _save_refund(tx: Tx, case: Case, refund: Refund, before: Refund | None) -> None:
    if before is None:
        await tx.execute(
            ADD_REFUND,
            refund.id,
            case.intent.order_id,
            refund.attempt_id,
            refund.number,
            refund.reference,
            refund.key,
            refund.amount.amount,
            refund.amount.currency,
            refund.status,
            refund.reason,
            refund.by_hand,
        )
    elif refund != before:
        await tx.execute(SAVE_REFUND, refund.id, refund.status, refund.failure, refund.provider_txn_id)


async def _save_attempt(tx: Tx, attempt: Attempt) -> None:
    await tx.execute(
        SAVE_ATTEMPT,
        attempt.id,
        attempt.status,
        attempt.owed,
        attempt.captured,
        attempt.refunded,
        attempt.returned,
        attempt.surplus,
        attempt.failure,
        attempt.provider_txn_id,
        attempt.action,
        attempt.ask_now,
    )


async def _book(tx: Tx, order_id: UUID, bookings: list[Booking]) -> None:
    if not bookings:
        return
    ids = [uuid7() for _ in bookings]
    await tx.execute(
        BOOK,
        order_id,
        ids,
        [booking.transaction.kind for booking in bookings],
        [booking.subject for booking in bookings],
    )
    lines = [
        (transaction_id, number, entry)
        for transaction_id, booking in zip(ids, bookings, strict=True)
        for number, entry in enumerate(booking.transaction.entries, 1)
    ]
    await tx.execute(
        BOOK_ENTRIES,
        [transaction_id for transaction_id, _, _ in lines],
        [number for _, number, _ in lines],
        [entry.account for _, _, entry in lines],
        [entry.amount for _, _, entry in lines],
        [entry.currency for _, _, entry in lines],
    )


async def payment(tx: Tx, order_id: UUID) -> Payment | None:
    """The order's payment as others see it, without waiting for anybody."""
    return await tx.maybe(Payment, FIND_PAYMENT, order_id)
