"""All SQL of notifications."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.kernel.ids import uuid7
from sampan.kernel.text import storable
from sampan.services.notifications.rules import Draft, Facts

ADD = """
INSERT INTO notifications.message (id, key, order_id, template, language, recipient, data)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::jsonb[])
ON CONFLICT (key) DO NOTHING
"""
DUE = """
SELECT d.id FROM notifications.message d WHERE d.status = 'waiting' AND d.due_at <= now()
 ORDER BY d.due_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
# The lease is the moved due time: who dies while sending leaves the message to be tried again.
CLAIM = f"""
UPDATE notifications.message m SET tries = m.tries + 1, due_at = now() + make_interval(secs => $2)
  FROM ({DUE}) due
 WHERE m.id = due.id
RETURNING m.id, m.key, m.order_id, m.template, m.language, m.recipient, m.data, m.status, m.tries, m.made_at, m.sent_at
"""
ROW = "id, key, order_id, template, language, recipient, data, status, tries, made_at, sent_at"
# Where nothing leaves, to take a message and to note it is one.
KEEP_DUE = f"""
UPDATE notifications.message m SET status = 'kept', tries = m.tries + 1, sent_at = now(), error = NULL
  FROM ({DUE}) due
 WHERE m.id = due.id
"""
# Of what waits no more (somebody else sent it, or it was forgotten) nothing is noted: it would be sent again.
SENT = """
UPDATE notifications.message SET status = 'sent', sent_at = now(), error = NULL WHERE id = $1 AND status = 'waiting'
"""
LATER = """
UPDATE notifications.message SET due_at = now() + make_interval(mins => $2), error = $3
 WHERE id = $1 AND status = 'waiting'
"""
FAIL = "UPDATE notifications.message SET status = 'failed', error = $2 WHERE id = $1 AND status = 'waiting'"
OF_ORDER = f"SELECT {ROW} FROM notifications.message WHERE order_id = $1 ORDER BY made_at, id"
NEWEST = f"SELECT {ROW} FROM notifications.message WHERE status <> 'forgotten' ORDER BY made_at DESC, id LIMIT $1"
ONE = f"SELECT {ROW} FROM notifications.message WHERE id = $1"
FORGET = """
UPDATE notifications.message
   SET status = 'forgotten', recipient = '', data = jsonb_build_object('number', '', 'name', '')
 WHERE made_at < now() - interval '90 days' AND status <> 'forgotten'
"""
LATE = """
SELECT 'message ' || id || ' waits since ' || greatest(made_at, retried_at) FROM notifications.message
 WHERE status = 'waiting' AND greatest(made_at, retried_at) < now() - interval '2 days' LIMIT 100
"""
FAILED = """
SELECT id, made_at, recipient, template, tries, coalesce(error, '') FROM notifications.message
 WHERE status = 'failed' ORDER BY made_at DESC, id LIMIT $1
"""
RETRY = """
UPDATE notifications.message SET status = 'waiting', tries = 0, due_at = now(), retried_at = now()
 WHERE status = 'failed' AND ($1::uuid[] IS NULL OR id = ANY ($1))
RETURNING id
"""
STATUSES = "SELECT id, status FROM notifications.message WHERE id = ANY ($1)"


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


class Failed(Struct, frozen=True):
    """A message that is not tried any more; `error` is what the mail server said last."""

    id: UUID
    made_at: datetime
    recipient: str
    template: str
    tries: int
    error: str


class Status(Struct, frozen=True):
    id: UUID
    status: str


async def add(tx: Tx, messages: Sequence[Draft]) -> None:
    """Add what does not exist yet; ids are in the order of the messages."""
    await tx.execute(
        ADD,
        sorted(uuid7() for _ in messages),
        [message.key for message in messages],
        [message.order_id for message in messages],
        [message.template for message in messages],
        [message.language for message in messages],
        [message.recipient for message in messages],
        [message.facts for message in messages],
    )


async def claim(tx: Tx, limit: int, lease: float) -> list[Stored]:
    """Take messages that are due; for `lease` seconds nobody else does."""
    return await tx.many(Stored, CLAIM, limit, lease)


async def keep_due(tx: Tx, limit: int) -> int:
    """How many messages are kept now that were due."""
    return await tx.execute(KEEP_DUE, limit)


async def sent(tx: Tx, message_id: UUID) -> None:
    await tx.execute(SENT, message_id)


async def later(tx: Tx, message_id: UUID, minutes: int, error: str) -> None:
    await tx.execute(LATER, message_id, minutes, storable(error, 500))


async def fail(tx: Tx, message_id: UUID, error: str) -> None:
    await tx.execute(FAIL, message_id, storable(error, 500))


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


async def failed(tx: Tx, limit: int) -> list[Failed]:
    """Newest first."""
    return await tx.many(Failed, FAILED, limit)


async def retry(tx: Tx, message_ids: Sequence[UUID] | None) -> list[UUID]:
    """Make failed messages due with fresh tries: those of these, or all. Which they were."""
    return await tx.many(UUID, RETRY, message_ids)


async def statuses(tx: Tx, message_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Of those that there are."""
    return {found.id: found.status for found in await tx.many(Status, STATUSES, message_ids)}
