"""All SQL of notifications."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.notifications.rules import Facts

ADD = """
INSERT INTO notifications.message (id, key, order_id, template, language, recipient, data)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO NOTHING
"""
# The lease is the moved due time: who dies while sending leaves the message to be tried again.
CLAIM = """
UPDATE notifications.message m SET tries = m.tries + 1, due_at = now() + interval '2 minutes'
  FROM (SELECT d.id FROM notifications.message d WHERE d.status = 'waiting' AND d.due_at <= now()
         ORDER BY d.due_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
 WHERE m.id = due.id
RETURNING m.id, m.key, m.order_id, m.template, m.language, m.recipient, m.data, m.status, m.tries, m.made_at, m.sent_at
"""
ROW = "id, key, order_id, template, language, recipient, data, status, tries, made_at, sent_at"
DONE = (
    "UPDATE notifications.message SET status = $2, sent_at = now(), error = NULL WHERE id = $1 AND status = 'waiting'"
)
LATER = """
UPDATE notifications.message SET due_at = now() + make_interval(mins => $2), error = $3 WHERE id = $1
"""
FAIL = "UPDATE notifications.message SET status = 'failed', error = $2 WHERE id = $1"
OF_ORDER = f"SELECT {ROW} FROM notifications.message WHERE order_id = $1 ORDER BY made_at, id"
NEWEST = f"SELECT {ROW} FROM notifications.message WHERE status <> 'forgotten' ORDER BY made_at DESC, id LIMIT $1"
ONE = f"SELECT {ROW} FROM notifications.message WHERE id = $1"
FORGET = """
UPDATE notifications.message
   SET status = 'forgotten', recipient = '', data = jsonb_build_object('number', '', 'name', '')
 WHERE made_at < now() - interval '90 days' AND status <> 'forgotten'
"""
LATE = """
SELECT 'message ' || id || ' waits since ' || made_at FROM notifications.message
 WHERE status = 'waiting' AND made_at < now() - interval '2 days' LIMIT 100
"""


class Stored(Struct, frozen=True):
    id: UUID
    key: str
    order_id: UUID
    template: str
    language: str
    recipient: str
    data: Facts
    status: str
    tries: int
    made_at: datetime
    sent_at: datetime | None


async def add(
    tx: Tx, *, message_id: UUID, key: str, order_id: UUID, template: str, language: str, recipient: str, facts: Facts
) -> bool:
    """False when this message exists already."""
    return await tx.execute(ADD, message_id, key, order_id, template, language, recipient, facts) == 1


async def claim(tx: Tx, limit: int) -> list[Stored]:
    return await tx.many(Stored, CLAIM, limit)


async def done(tx: Tx, message_id: UUID, status: str) -> None:
    await tx.execute(DONE, message_id, status)


async def later(tx: Tx, message_id: UUID, minutes: int, error: str) -> None:
    await tx.execute(LATER, message_id, minutes, error[:500])


async def fail(tx: Tx, message_id: UUID, error: str) -> None:
    await tx.execute(FAIL, message_id, error[:500])


async def of_order(tx: Tx, order_id: UUID) -> list[Stored]:
    return await tx.many(Stored, OF_ORDER, order_id)


async def newest(tx: Tx, limit: int) -> list[Stored]:
    return await tx.many(Stored, NEWEST, limit)


async def one(tx: Tx, message_id: UUID) -> Stored:
    """Raises NotFound."""
    return await tx.one(Stored, ONE, message_id)


async def forget(tx: Tx) -> int:
    return await tx.execute(FORGET)


async def late(tx: Tx) -> list[str]:
    return await tx.many(str, LATE)
