"""What the jobs work on: payments to ask about, refunds to send or to ask about."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.kernel.money import Money

CHARGE = """
a.id, a.order_id, a.method, a.reference, i.order_number, a.amount, a.currency, a.made_at, a.expires_at, a.language,
a.provider_txn_id, a.asks, now()
"""
DUE_ATTEMPTS = f"""
SELECT {CHARGE} FROM payments.attempt a JOIN payments.intent i USING (order_id)
 WHERE a.ask_at <= now() AND a.method = ANY($1) ORDER BY a.ask_at LIMIT $2
"""
CLAIM_ATTEMPT = """
UPDATE payments.attempt SET asks = asks + 1, asked_at = now(), ask_at = $3
 WHERE id = $1 AND asks = $2 AND ask_at <= now()
"""
# Somebody waits for the answer. Whoever waits at a page asks all the time, the provider is asked every $3 seconds.
CLAIM_NOW = f"""
WITH asked AS (
    UPDATE payments.attempt SET asked_at = now()
     WHERE order_id = $1 AND method = ANY($2) AND status IN ('created', 'open', 'unknown', 'authorized', 'review')
       AND (asked_at IS NULL OR asked_at <= now() - make_interval(secs => $3))
    RETURNING *
)
SELECT {CHARGE} FROM asked a JOIN payments.intent i USING (order_id)
"""
ONE_CHARGE = f"SELECT {CHARGE} FROM payments.attempt a JOIN payments.intent i USING (order_id) WHERE a.id = $1"

# Of each attempt only the oldest refund that its provider is to do: an answer can then be about no other.
DUE_REFUNDS = f"""
SELECT r.id, r.reference, r.amount, r.currency, r.amount = a.captured,
       CASE WHEN r.called THEN COALESCE(r.called_at, r.made_at) END, r.noted OR r.provider_txn_id IS NOT NULL,
       r.denials, r.asks, r.made_at,
       ARRAY(SELECT other.provider_txn_id FROM payments.refund other
              WHERE other.attempt_id = r.attempt_id AND other.id <> r.id AND other.provider_txn_id IS NOT NULL),
       {CHARGE}
  FROM (SELECT DISTINCT ON (attempt_id) * FROM payments.refund
         WHERE status IN ('requested', 'sent') AND NOT by_hand ORDER BY attempt_id, number) AS r
  JOIN payments.attempt a ON a.id = r.attempt_id
  JOIN payments.intent i ON i.order_id = r.order_id
 WHERE r.ask_at <= now() AND a.method = ANY($1) ORDER BY r.ask_at LIMIT $2
"""
CLAIM_REFUND = """
UPDATE payments.refund
   SET asks = asks + 1, asked_at = now(), called = true, called_at = COALESCE(called_at, now()), ask_at = $3
 WHERE id = $1 AND asks = $2 AND status IN ('requested', 'sent') AND NOT by_hand AND ask_at <= now()
"""
NOT_CALLED = "UPDATE payments.refund SET called = false, called_at = NULL WHERE id = $1 AND asks = $2 + 1"
NOTED = "UPDATE payments.refund SET noted = true WHERE id = $1"
DENIED = "UPDATE payments.refund SET denials = denials + 1 WHERE id = $1"
# Whoever claims it afterwards waits for our transaction, and finds what we made of it.
UNDER_WAY = """
SELECT status = 'sent' AND COALESCE(asked_at > now() - interval '1 minute', false) FROM payments.refund
 WHERE id = $1 FOR NO KEY UPDATE
"""


class DueCharge(Struct, frozen=True):
    """An attempt to ask about. `now` is the database's time."""

    id: UUID
    order_id: UUID
    method: str
    reference: str
    order_number: str
    amount: Money
    made_at: datetime
    expires_at: datetime
    language: str
    provider_txn_id: str | None
    asks: int
    now: datetime


class DueRefund(Struct, frozen=True):
    """A refund to send or to ask about.

    `called_at`: since then the provider may have it; None: it does not. `noted`: it said that it has. `denials`: so
    often it said that it has not. `known`: its ids of other refunds.
    """

    id: UUID
    reference: str
    amount: Money
    whole: bool
    called_at: datetime | None
    noted: bool
    denials: int
    asks: int
    made_at: datetime
    known: list[str]
    attempt_id: UUID
    order_id: UUID
    method: str
    charge_reference: str
    order_number: str
    charged: Money
    charged_at: datetime
    expires_at: datetime
    language: str
    provider_txn_id: str | None
    attempt_asks: int
    now: datetime


async def charges(tx: Tx, methods: Sequence[str], limit: int) -> list[DueCharge]:
    """Attempts whose provider is to be asked now."""
    found = await tx.many(DueCharge, DUE_ATTEMPTS, list(methods), limit)
    return sorted(found, key=lambda charge: charge.id)  # rows are locked in the order of their ids


async def claim_charge(tx: Tx, charge: DueCharge, next_ask: datetime) -> bool:
    """Whether we, and nobody else, ask about it now."""
    return await tx.execute(CLAIM_ATTEMPT, charge.id, charge.asks, next_ask) == 1


async def claim_charges_of(tx: Tx, order_id: UUID, methods: Sequence[str], *, apart: float) -> list[DueCharge]:
    """An order's undecided attempts, unless they were asked about less than `apart` seconds ago."""
    return await tx.many(DueCharge, CLAIM_NOW, order_id, list(methods), apart)


async def charge(tx: Tx, attempt_id: UUID) -> DueCharge:
    return await tx.one(DueCharge, ONE_CHARGE, attempt_id)


async def refunds(tx: Tx, methods: Sequence[str], limit: int) -> list[DueRefund]:
    """Refunds whose provider is to be called or asked now, at most one of each attempt."""
    found = await tx.many(DueRefund, DUE_REFUNDS, list(methods), limit)
    return sorted(found, key=lambda refund: refund.id)


async def claim_refund(tx: Tx, refund: DueRefund, next_ask: datetime) -> bool:
    """Whether we, and nobody else, see to it now. From here on the provider may have it."""
    return await tx.execute(CLAIM_REFUND, refund.id, refund.asks, next_ask) == 1


async def mark_not_called(tx: Tx, refund: DueRefund) -> None:
    """Nothing reached the provider: it need not be asked before it is called again, unless somebody else has called."""
    await tx.execute(NOT_CALLED, refund.id, refund.asks)


async def mark_noted(tx: Tx, refund_id: UUID) -> None:
    """The provider has taken note of it: from now on it is only asked about."""
    await tx.execute(NOTED, refund_id)


async def mark_denied(tx: Tx, refund_id: UUID) -> None:
    """The provider says that it has no such refund."""
    await tx.execute(DENIED, refund_id)


async def is_under_way(tx: Tx, refund_id: UUID) -> bool:
    """Whether somebody may be speaking with the provider about it now; until we commit nobody else begins to."""
    return await tx.one(bool, UNDER_WAY, refund_id)
