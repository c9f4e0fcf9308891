"""All SQL of refunds that staff grant. Everything here is called under the order's lock, except to read."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.orders.contract import RefundLine

REFUND = """
r.id, r.order_id, r.key, r.lines, r.shipping, r.amount, r.reason, r.by, r.status, r.refund_id, r.made_at, r.request_hash
"""
FIND = f"SELECT {REFUND} FROM orders.refund r WHERE r.order_id = $1 AND r.key = $2"
ASKED = f"""
SELECT {REFUND} FROM orders.refund r
 WHERE r.status = 'asked' AND r.made_at < now() - make_interval(secs => $1) ORDER BY r.made_at LIMIT $2
"""
GRANTED = """
SELECT COALESCE(sum(amount), 0)::bigint FROM orders.refund WHERE order_id = $1 AND status <> 'failed'
"""
ADD = f"""
WITH r AS (
    INSERT INTO orders.refund (id, order_id, key, lines, shipping, amount, reason, by, request_hash, status)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'asked')
 RETURNING *
), pieces AS (
    UPDATE orders.order_line l SET refunded = l.refunded + n.quantity
      FROM r, jsonb_to_recordset(r.lines) AS n (line_id uuid, quantity bigint)
     WHERE l.id = n.line_id AND l.order_id = r.order_id
), shipped AS (
    UPDATE orders.sales_order o SET shipping_refunded = o.shipping_refunded + r.shipping
      FROM r WHERE o.id = r.order_id AND r.shipping > 0
)
SELECT {REFUND} FROM r
"""
SETTLE = "UPDATE orders.refund SET refund_id = $2, status = 'requested' WHERE id = $1 AND status = 'asked'"
HEARD = """
SELECT body ->> 'status' FROM orders.fact
 WHERE order_id = $1 AND kind = 'refund' AND subject = $2 ORDER BY version DESC LIMIT 1
"""
MOVE = "UPDATE orders.refund SET status = $2 WHERE refund_id = $1 AND status NOT IN ('settled', 'failed')"
GIVE_BACK = """
, pieces AS (
    UPDATE orders.order_line l SET refunded = l.refunded - n.quantity
      FROM r, jsonb_to_recordset(r.lines) AS n (line_id uuid, quantity bigint)
     WHERE l.id = n.line_id AND l.order_id = r.order_id
)
UPDATE orders.sales_order o SET shipping_refunded = o.shipping_refunded - r.shipping FROM r WHERE o.id = r.order_id
"""
FAIL = f"""
WITH r AS (
    UPDATE orders.refund SET status = 'failed' WHERE refund_id = $1 AND status <> 'failed' RETURNING *
) {GIVE_BACK}
"""
DROP = f"WITH r AS (DELETE FROM orders.refund WHERE id = $1 AND status = 'asked' RETURNING *) {GIVE_BACK}"


class Refund(Struct, frozen=True):
    """Money granted to be sent back. `refund_id` is what payments call it. Amounts are minor units.

    `request_hash` is of what was asked under the key, None where a former version granted it.
    """

    id: UUID
    order_id: UUID
    key: str
    lines: list[RefundLine]
    shipping: int
    amount: int
    reason: str
    by: str
    status: str
    refund_id: UUID | None
    made_at: datetime
    request_hash: bytes | None


async def find_refund(tx: Tx, order_id: UUID, key: str) -> Refund | None:
    """The refund that was granted under this key."""
    return await tx.maybe(Refund, FIND, order_id, key)


async def asked_refunds(tx: Tx, *, seconds: int, most: int) -> list[Refund]:
    """Refunds that payments has not answered for so long."""
    return await tx.many(Refund, ASKED, float(seconds), most)


async def granted(tx: Tx, order_id: UUID) -> int:
    """How much of an order was granted to be sent back, in minor units, without what failed."""
    return await tx.one(int, GRANTED, order_id)


async def add_refund(
    tx: Tx,
    *,
    refund_id: UUID,
    order_id: UUID,
    key: str,
    lines: list[RefundLine],
    shipping: int,
    amount: int,
    reason: str,
    by: str,
    request_hash: bytes,
) -> Refund:
    """Grant a refund; its pieces and its shipping count as refunded at once."""
    return await tx.one(Refund, ADD, refund_id, order_id, key, lines, shipping, amount, reason, by, request_hash)


async def settle_refund(tx: Tx, refund: Refund, *, at_payments: UUID, status: str) -> Refund:
    """Payments took it. What they told of it before their answer came counts more than the answer."""
    await tx.execute(SETTLE, refund.id, at_payments)
    heard = await tx.maybe(str, HEARD, refund.order_id, at_payments)
    await move_refund(tx, at_payments, heard or status)
    found = await find_refund(tx, refund.order_id, refund.key)
    return found or refund


async def move_refund(tx: Tx, at_payments: UUID, status: str) -> None:
    """What became of a refund. The pieces of one that failed can be refunded again."""
    if status == "failed":
        await tx.execute(FAIL, at_payments)
    else:
        await tx.execute(MOVE, at_payments, status)


async def drop_refund(tx: Tx, refund: Refund) -> None:
    """Payments refused it: as if it had never been granted."""
    await tx.execute(DROP, refund.id)
