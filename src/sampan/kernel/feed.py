"""A service's outbox as a feed that others pull.

A serial column is not commit order, so each row carries its transaction's id and readers take only rows of
transactions below every running one; the cursor is the pair (xid, position). Transaction ids belong to a cluster: a
database that is restored into a new one would give its events lower ids than its readers have seen. So what is kept
is the time of the feed's own clock, `feed_xid(id)`, which is wound forward when that is noticed.

A lasting reader says from time to time how far it has come, and no event goes before every one of them has moved past
it. Its latest word counts, also when it is behind a former one: then the reader's database was restored, and it reads
that part again. A place that is a little old only keeps more.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, repeat
from typing import Protocol
from uuid import UUID

import asyncpg
from msgspec import Struct

from sampan.kernel.db import Database
from sampan.kernel.events import Cursor, Delivered
from sampan.kernel.migrate import LOCK

log = logging.getLogger(__name__)

# A page ends after $3 events, or $4 bytes of bodies as they are stored (a first one that is larger comes alone). Events
# that the reader has no use for ($5, null: for all) are left out, but for the last one, which says where the page ends.
AFTER = """
WITH page AS (
    SELECT xid, position, id, name, body, at, request_id, actor, $5::text[] IS NULL OR name = ANY($5) AS wanted
      FROM {schema}.outbox
     WHERE (xid, position) > ($1::text::xid8, $2::bigint)
       AND xid < {schema}.feed_xid(pg_snapshot_xmin(pg_current_snapshot()))
     ORDER BY xid, position
     LIMIT $3
), weighed AS (
    SELECT *, sum(CASE WHEN wanted THEN pg_column_size(body) ELSE 0 END) OVER (ORDER BY xid, position) AS bytes,
           row_number() OVER (ORDER BY xid, position) AS number
      FROM page
), fitting AS (
    SELECT *, lead(number) OVER (ORDER BY number) IS NULL AS last FROM weighed WHERE bytes <= $4 OR number = 1
)
SELECT xid::text::bigint, position, id, name, CASE WHEN wanted THEN body::text ELSE '' END, at, request_id, actor
  FROM fitting WHERE wanted OR last ORDER BY number
"""
# Where a reader that only wants news begins: below everything that is still running.
END = """
SELECT {schema}.feed_xid(pg_snapshot_xmin(pg_current_snapshot()))::text::bigint - 1, 9223372036854775807
"""
# Committed, but behind a transaction that still runs, in this database or another one of the cluster.
HIDDEN = """
SELECT EXISTS (
    SELECT 1 FROM {schema}.outbox WHERE xid >= {schema}.feed_xid(pg_snapshot_xmin(pg_current_snapshot())))
"""
PAGE_BYTES = 2 << 20
# The first word on a day (of UTC) begins a new day of the feed. Days on which no reader is heard are none: a shop
# that was off for a year, and a restored one, take up with all their readers, whichever of them is the first to speak.
READ_TO = """
INSERT INTO {schema}.reader (name, xid, position, day)
SELECT $1, $2::text::xid8, $3::bigint, coalesce(max(day) + (max(seen_at) < current_date)::int, 0) FROM {schema}.reader
ON CONFLICT (name) DO UPDATE
   SET xid = excluded.xid, position = excluded.position, day = excluded.day, seen_at = excluded.seen_at
"""
SILENT = 90  # days of the feed without a word, after which a reader has gone
GONE = "DELETE FROM {schema}.reader WHERE day <= (SELECT max(day) FROM {schema}.reader) - $1 RETURNING name"
# Of the oldest $1 those of more than $2 days that every reader has moved past. The newest stays: it says how far the
# clock had come.
PURGE = """
DELETE FROM {schema}.outbox WHERE position = ANY (ARRAY(
    SELECT position FROM (
        SELECT xid, position, at FROM {schema}.outbox
         WHERE xid < (SELECT max(xid) FROM {schema}.outbox) ORDER BY xid, position LIMIT $1
    ) AS oldest WHERE at < now() - make_interval(days => $2)
       AND NOT EXISTS (
           SELECT FROM {schema}.reader WHERE (reader.xid, reader.position) < (oldest.xid, oldest.position))
))
"""
# Readers for whom events of more than $1 days are kept, and the age in days of the oldest one.
KEPT = """
SELECT name, floor(extract(epoch FROM now() - unread.at) / 86400)::bigint
  FROM {schema}.reader CROSS JOIN LATERAL (
    SELECT at FROM {schema}.outbox WHERE (outbox.xid, outbox.position) > (reader.xid, reader.position)
     ORDER BY xid, position LIMIT 1
  ) AS unread WHERE unread.at < now() - make_interval(days => $1) ORDER BY name
"""
CLOCK = """
SELECT (SELECT coalesce(max(xid), '0')::text::bigint FROM {schema}.outbox),
       {schema}.feed_xid(pg_snapshot_xmax(pg_current_snapshot()))::text::bigint
"""
WIND = """
CREATE OR REPLACE FUNCTION {schema}.feed_xid(id xid8) RETURNS xid8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT (id::text::bigint + {ahead})::text::xid8'
"""
ERA = 1 << 32  # the clock goes forward by whole eras, past everything that any reader can have seen
# Who is woken waits a moment for what else comes, and then reads it all at once. A committed event may still hide
# behind an older transaction that runs; then it looks again this soon.
SETTLING = (0.01, 0.02, 0.05, 0.1, 0.2)
HIDDEN_POLL = 0.25


async def is_behind(connection: asyncpg.Connection, schema: str) -> bool:
    """True when the feed holds events of transactions that this cluster has not come to: the database was moved.

    New events would be placed before those, where readers do not look again.
    """
    newest, now = await connection.fetchrow(CLOCK.format(schema=schema))
    return bool(newest >= now)


async def wind_clock(connection: asyncpg.Connection, schema: str) -> bool:
    """Wind the clock of a moved feed forward: what was read stays read, the rest and all new events follow.

    Called while nobody emits. True when there was need.
    """
    if not await is_behind(connection, schema):
        return False
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        newest, now = await connection.fetchrow(CLOCK.format(schema=schema))
        if newest < now:
            return False  # another process was faster
        await connection.execute(WIND.format(schema=schema, ahead=(newest // ERA + 1) * ERA))
    log.warning("the database was moved; the feed's clock is wound forward", extra={"service": schema})
    return True


class EventFeed(Protocol):
    """What a service offers its peers of its events."""

    async def events_after(
        self, *, cursor: Cursor, limit: int = 200, wait: float = 0.0, names: list[str] | None = None
    ) -> list[Delivered]: ...

    async def end(self) -> Cursor: ...

    async def read_to(self, *, reader: str, cursor: Cursor) -> None: ...


class KeptFor(Struct):
    """A reader who has not read an event that would have gone by its age in days."""

    reader: str
    days: int


class Row(Struct):
    xid: int
    position: int
    id: UUID
    name: str
    body: str
    at: datetime
    request_id: str
    actor: str


class Bell:
    """Rings from the moment it is hung up, whether somebody waits already or not."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """Until it rings, or has rung since the last time, at most `seconds`; True if it did."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class Signals:
    """Wakes whoever waits for news, inside this process.

    `orders` is rung when orders has events for others, `orders.work` when its handlers wrote down work for its jobs.
    """

    def __init__(self) -> None:
        self._bells: dict[str, set[Bell]] = defaultdict(set)

    def fire(self, name: str) -> None:
        for bell in self._bells[name]:
            bell.ring()

    @contextmanager
    def bell(self, *names: str) -> Iterator[Bell]:
        """A bell that rings with any of these names."""
        bell = Bell()
        for name in names:
            self._bells[name].add(bell)
        try:
            yield bell
        finally:
            for name in names:
                self._bells[name].discard(bell)


class Feed:
    """The events of one service, in commit order. Every service offers it to its peers under its own name."""

    def __init__(self, db: Database, signals: Signals) -> None:
        self.db = db
        self.signals = signals
        self._after = AFTER.format(schema=db.schema)

    async def events_after(
        self, *, cursor: Cursor, limit: int = 200, wait: float = 0.0, names: list[str] | None = None
    ) -> list[Delivered]:
        """Up to `limit` events after `cursor`, of no more than a few megabytes; when there are none, wait up to `wait`
        seconds for one.

        With `names` only those, but always the one that ends the page, without its body if it is not asked for: what
        lies before it need not be read again.
        """
        with self.signals.bell(self.db.schema) as bell:
            found = await self._read(cursor, limit, names)
            if not found and wait and await bell.wait(min(wait, 20.0)):
                until = time.monotonic() + wait
                for pause in chain(SETTLING, repeat(HIDDEN_POLL)):
                    await asyncio.sleep(pause)
                    if found := await self._read(cursor, limit, names):
                        break
                    if pause == HIDDEN_POLL and (time.monotonic() > until or not await self.is_hiding()):
                        break
        return found

    async def end(self) -> Cursor:
        """The present end of the feed, for readers that care for news only."""
        async with self.db.read() as tx:
            return await tx.one(Cursor, END.format(schema=self.db.schema))

    async def read_to(self, *, reader: str, cursor: Cursor) -> None:
        """A lasting reader's word that it has moved past `cursor`; what lies beyond is kept for it.

        The latest word counts. After 90 days on which others were heard and it was not, a reader has gone, and nothing
        is kept for it until it is heard again. The only reader of a feed never goes.
        """
        async with self.db.read() as tx:
            await tx.execute(READ_TO.format(schema=self.db.schema), reader, str(cursor.xid), cursor.position)

    async def is_hiding(self) -> bool:
        """True while there are committed events that readers do not see yet."""
        async with self.db.read() as tx:
            return await tx.one(bool, HIDDEN.format(schema=self.db.schema))

    async def purge(self, *, days: int) -> int:
        """Forget events older than `days` that every reader has moved past; how many.

        The log names the readers for whom older ones are kept, and those that have gone.
        """
        schema = self.db.schema
        async with self.db.read() as tx:
            gone = await tx.many(str, GONE.format(schema=schema), SILENT)
        for name in gone:
            log.warning(
                "a reader has gone; no event is kept for it any more", extra={"service": schema, "reader": name}
            )
        forgotten = await self.db.in_slices(PURGE.format(schema=schema), days)
        async with self.db.read() as tx:
            kept = await tx.many(KeptFor, KEPT.format(schema=schema), days)
        for each in kept:
            extra = {"service": schema, "reader": each.reader, "days": each.days}
            log.warning("old events are kept for a reader that has not read them", extra=extra)
        return forgotten

    async def _read(self, cursor: Cursor, limit: int, names: list[str] | None) -> list[Delivered]:
        async with self.db.read() as tx:
            rows = await tx.many(
                Row, self._after, str(cursor.xid), cursor.position, min(limit, 1000), PAGE_BYTES, names
            )
        return [
            Delivered(
                cursor=Cursor(row.xid, row.position),
                id=row.id,
                name=row.name,
                body=row.body.encode(),
                at=row.at,
                request_id=row.request_id,
                actor=row.actor,
            )
            for row in rows
        ]
