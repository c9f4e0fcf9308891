"""Reactions to other services' events, each taking effect once.

A consumer reads a source's feed after its cursor and moves the cursor in the transaction of the handlers' own writes,
guarded by what it read: two consumers of one place cannot both win. A whole batch shares one transaction; when a
handler fails the batch is taken event by event, and an event that keeps failing is parked so that the rest flows.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

import msgspec

from sampan.kernel import context
from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import ShopError
from sampan.kernel.events import Cursor, Delivered, Event
from sampan.kernel.metrics import metrics

log = logging.getLogger(__name__)

Handler = Callable[[Any, Tx, Any], Awaitable[None]]  # (actions, tx, event)

TRIES = 5
PLACE = "SELECT xid, position FROM {schema}.consumer WHERE source = $1"
ARRIVE = "INSERT INTO {schema}.consumer (source) VALUES ($1) ON CONFLICT DO NOTHING"
MOVE = """
UPDATE {schema}.consumer SET xid = $4, position = $5, moved_at = now()
 WHERE source = $1 AND xid = $2 AND position = $3
"""
PARK = """
INSERT INTO {schema}.parked_event (id, source, name, body, request_id, actor, at, tries, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING
"""
PARKED = "SELECT id, source, name, body, request_id, actor, at FROM {schema}.parked_event ORDER BY at LIMIT $1"
UNPARK = "DELETE FROM {schema}.parked_event WHERE id = $1"


class Source(Protocol):
    """The part of a feed that a consumer needs; a peer's or our own."""

    async def events_after(self, *, cursor: Cursor, limit: int, wait: float) -> list[Delivered]: ...


class Parked(msgspec.Struct):
    id: UUID
    source: str
    name: str
    body: Any
    request_id: str
    actor: str
    at: Any


class MovedOn(Exception):
    """Another process holds this place and was faster; its work stands."""


class Consumer:
    """One service's reader of one source."""

    def __init__(
        self,
        db: Database,
        actions: object,
        source: str,
        feed: Source,
        handlers: Mapping[type[Event], Handler],
    ) -> None:
        self.db = db
        self.actions = actions
        self.source = source
        self.feed = feed
        self.handlers = {event.name: (event, handler) for event, handler in handlers.items()}
        self._failures: dict[UUID, int] = {}

    def _sql(self, text: str) -> str:
        return text.format(schema=self.db.schema)

    async def step(self, *, wait: float = 0.0, limit: int = 200) -> int:
        """Take one batch; how many events it moved past (0: nothing new)."""
        async with self.db.read() as tx:
            place = await tx.maybe(Cursor, self._sql(PLACE), self.source)
        if place is None:
            async with self.db.begin() as tx:
                await tx.execute(self._sql(ARRIVE), self.source)
            place = Cursor()
        batch = await self.feed.events_after(cursor=place, limit=limit, wait=wait)
        if not batch:
            return 0
        try:
            await self._take(place, batch)
        except MovedOn:
            return 0
        except Exception:
            if not any(event.name in self.handlers for event in batch):
                raise
            return await self._one_by_one(place, batch)
        if any(event.name in self.handlers for event in batch):
            self.db.wake(self.db.schema)  # jobs that do what the handlers wrote down
        return len(batch)

    async def _take(self, place: Cursor, batch: list[Delivered]) -> None:
        """Handle the batch and move the cursor, together or not at all."""
        async with self.db.begin() as tx:
            for event in batch:
                await self._handle(tx, event)
            end = batch[-1].cursor
            moved = await tx.execute(self._sql(MOVE), self.source, place.xid, place.position, end.xid, end.position)
            if moved != 1:
                raise MovedOn

    async def _handle(self, tx: Tx, event: Delivered) -> None:
        known = self.handlers.get(event.name)
        if known is None:
            return
        kind, handler = known
        with context.working_as(context.SYSTEM, request=event.request_id):
            await handler(self.actions, tx, msgspec.json.decode(event.body, type=kind))

    async def _one_by_one(self, place: Cursor, batch: list[Delivered]) -> int:
        for done, event in enumerate(batch):
            try:
                await self._take(place, [event])
            except MovedOn:
                return done
            except Exception as failure:
                tries = self._failures.get(event.id, 0) + 1
                if tries < TRIES or not lasting(failure):
                    self._failures[event.id] = tries
                    log.warning(
                        "event failed, will be tried again",
                        extra={"event": event.name, "event_id": str(event.id), "tries": tries},
                        exc_info=failure,
                    )
                    if done == 0:
                        raise
                    return done
                try:
                    await self._park(place, event, tries, failure)
                except MovedOn:
                    return done  # it took effect elsewhere while we gave it up
            self._failures.pop(event.id, None)
            place = event.cursor
        return len(batch)

    async def _park(self, place: Cursor, event: Delivered, tries: int, failure: Exception) -> None:
        log.error(
            "event parked",
            extra={"event": event.name, "event_id": str(event.id), "tries": tries},
            exc_info=failure,
        )
        metrics.parked.labels(self.db.schema).inc()
        async with self.db.begin() as tx:
            await tx.execute(
                self._sql(PARK),
                event.id,
                self.source,
                event.name,
                msgspec.json.decode(event.body),
                event.request_id,
                event.actor,
                event.at,
                tries,
                f"{type(failure).__name__}: {failure}"[:2000],
            )
            moved = await tx.execute(
                self._sql(MOVE), self.source, place.xid, place.position, event.cursor.xid, event.cursor.position
            )
            if moved != 1:
                raise MovedOn

    async def redrive(self, *, limit: int = 100) -> int:
        """Try the parked events of this source again; how many took effect."""
        async with self.db.read() as tx:
            parked = await tx.many(Parked, self._sql(PARKED), limit)
        done = 0
        for event in parked:
            if event.source != self.source or event.name not in self.handlers:
                continue
            kind, handler = self.handlers[event.name]
            with context.working_as(context.SYSTEM, request=event.request_id):
                async with self.db.begin() as tx:
                    if await tx.execute(self._sql(UNPARK), event.id):
                        await handler(self.actions, tx, msgspec.convert(event.body, kind))
                        done += 1
        return done

    async def run(self, *, wait: float) -> None:
        """Forever. After a failure it waits a little longer each time, at most 15 seconds."""
        pause = 0.0
        while True:
            try:
                await self.step(wait=wait)
                pause = 0.0
            except asyncio.CancelledError:
                raise
            except Exception as failure:
                pause = min(15.0, pause * 2 + 0.2)
                level = logging.WARNING if isinstance(failure, ShopError) else logging.ERROR
                log.log(
                    level,
                    "consumer stopped for a moment",
                    extra={"service": self.db.schema, "source": self.source, "pause": pause},
                    exc_info=failure if level == logging.ERROR else None,
                )
                await asyncio.sleep(pause)


def lasting(failure: Exception) -> bool:
    """False for what passes by itself (a database or a peer that is away): that is waited for, never parked."""
    return not (isinstance(failure, ShopError) and failure.status == 503)
