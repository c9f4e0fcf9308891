"""Reactions to other services' events, each taking effect once.

A consumer reads a source's feed after its cursor and moves the cursor in the transaction of the handlers' own writes,
guarded by what it read: two consumers of one place cannot both win. A whole page shares one transaction, and a handler
that is declared `in_batches` takes what stands side by side in it in one call. A page that fails is taken in halves
down to the event that fails; one that keeps failing is parked so that the rest flows. The source is told from time to
time how far its consumer has come, and keeps what it has not read.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol
from uuid import UUID

import msgspec

from sampan.kernel import context
from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import ShopError
from sampan.kernel.events import Cursor, Delivered, Event
from sampan.kernel.text import storable

log = logging.getLogger(__name__)

Handler = Callable[[Any, Tx, Any], Awaitable[None]]  # (actions, tx, event), or a list of them `in_batches`

TRIES = 5
PAGE = 1000  # events read at once
REPORT = 3600.0  # seconds between two words to the source, also where nothing moved: who is stuck has not gone
REPORT_AGAIN = 60.0  # seconds after one that did not arrive
BREATH = 0.1  # seconds between two pages of a reader: the first event of a burst is taken at once, the rest together
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
PARKED = "SELECT id, request_id FROM {schema}.parked_event WHERE source = $1 AND name = ANY($2) ORDER BY at, id"
AGE = "SELECT extract(epoch FROM clock_timestamp() - $1)::float8"
UNPARK = "DELETE FROM {schema}.parked_event WHERE id = $1 RETURNING name, body"
FAILED_AGAIN = "UPDATE {schema}.parked_event SET tries = tries + 1, error = $2 WHERE id = $1"


class Source(Protocol):
    """The part of a feed that a consumer needs; a peer's or our own."""

    async def events_after(
        self, *, cursor: Cursor, limit: int, wait: float, names: list[str] | None
    ) -> list[Delivered]: ...

    async def read_to(self, *, reader: str, cursor: Cursor) -> None: ...


class Parked(msgspec.Struct):
    """An event that was put aside."""

    id: UUID
    request_id: str


class Unparked(msgspec.Struct):
    """What there is to do of one."""

    name: str
    body: msgspec.Raw


class InBatches:
    """A handler of any number of events; made by `in_batches`."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    async def __call__(self, actions: Any, tx: Tx, events: Sequence[Any]) -> None:
        await self.handler(actions, tx, events)


def in_batches(handler: Handler) -> InBatches:
    """Declare a handler that takes a list of events in the order of the feed: of one event, or of a thousand.

    Events side by side that have this handler come in one call, also when they are of several types, so that a fixed
    number of statements can do for all. What the call emits is recorded under the request of the last one. All of it
    takes effect, or nothing: then fewer are tried, at last each alone.
    """
    return InBatches(handler)


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
        self.handlers = {event.name: (handler, msgspec.json.Decoder(event)) for event, handler in handlers.items()}
        self._names = sorted(self.handlers)
        self._failures: dict[UUID, int] = {}
        self._report_at = 0.0  # of the monotonic clock

    def _sql(self, text: str) -> str:
        return text.format(schema=self.db.schema)

    async def _place(self) -> Cursor | None:
        async with self.db.read() as tx:
            return await tx.maybe(Cursor, self._sql(PLACE), self.source)

    async def lag(self) -> float:
        """The age in seconds of the oldest event that it has not moved past; 0 when there is none."""
        place = await self._place()
        unread = await self.feed.events_after(cursor=place or Cursor(), limit=1, wait=0.0, names=None)
        if not unread:
            return 0.0
        async with self.db.read() as tx:
            return max(0.0, await tx.one(float, AGE, unread[0].at))

    async def report(self) -> None:
        """Tell the source how far this service has come: what it has not read is kept for it."""
        await self.feed.read_to(reader=self.db.schema, cursor=await self._place() or Cursor())

    async def step(self, *, wait: float = 0.0, limit: int = PAGE) -> int:
        """Take one page; how many events it moved past (0: nothing new)."""
        place = await self._place()
        if place is None:
            async with self.db.begin() as tx:
                await tx.execute(self._sql(ARRIVE), self.source)
            place = Cursor()
        page = await self.feed.events_after(cursor=place, limit=limit, wait=wait, names=self._names)
        return await self._move(place, page) if page else 0

    async def _move(self, place: Cursor, page: Sequence[Delivered]) -> int:
        """Take a page whole, or in halves when that fails; how many events it moved past."""
        try:
            await self._take(place, page)
            return len(page)
        except MovedOn:
            return 0
        except Exception as failure:
            if len(page) == 1:
                try:
                    await self._failed(place, page[0], failure)
                except MovedOn:
                    return 0  # it took effect elsewhere while we gave it up
                return 1
        half = len(page) // 2
        done = await self._move(place, page[:half])
        return done if done < half else half + await self._move(page[half - 1].cursor, page[half:])

    async def _take(self, place: Cursor, page: Sequence[Delivered]) -> None:
        """Handle a page and move the cursor, together or not at all."""
        known = [event for event in page if event.name in self.handlers]
        async with self.db.begin() as tx:
            for handler, events in groupby(known, key=lambda event: self.handlers[event.name][0]):
                await self._handle(tx, handler, list(events))
            end = page[-1].cursor
            moved = await tx.execute(self._sql(MOVE), self.source, place.xid, place.position, end.xid, end.position)
            if moved != 1:
                raise MovedOn
            if known:  # jobs that do what the handlers wrote down
                tx.after_commit(lambda: self.db.wake(f"{self.db.schema}.work"))
        for event in known:
            self._failures.pop(event.id, None)

    async def _handle(self, tx: Tx, handler: Handler, events: Sequence[Delivered]) -> None:
        decoded = [self.handlers[event.name][1].decode(event.body) for event in events]
        if isinstance(handler, InBatches):
            with context.working_as(context.SYSTEM, request=events[-1].request_id):
                await handler(self.actions, tx, decoded)
            return
        for event, body in zip(events, decoded, strict=True):
            with context.working_as(context.SYSTEM, request=event.request_id):
                await handler(self.actions, tx, body)

    async def _failed(self, place: Cursor, event: Delivered, failure: Exception) -> None:
        """Park an event that failed alone, and too often; raises what it failed with as long as it may be tried."""
        if event.name not in self.handlers:
            raise failure
        tries = self._failures.get(event.id, 0) + 1
        if tries < TRIES or not lasting(failure):
            self._failures[event.id] = tries
            log.warning(
                "event failed, will be tried again",
                extra={"event": event.name, "event_id": str(event.id), "tries": tries},
                exc_info=failure,
            )
            raise failure
        await self._park(place, event, tries, failure)
        self._failures.pop(event.id, None)

    async def _park(self, place: Cursor, event: Delivered, tries: int, failure: Exception) -> None:
        log.error(
            "event parked",
            extra={"event": event.name, "event_id": str(event.id), "tries": tries},
            exc_info=failure,
        )
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
                in_words(failure),
            )
            moved = await tx.execute(
                self._sql(MOVE), self.source, place.xid, place.position, event.cursor.xid, event.cursor.position
            )
            if moved != 1:
                raise MovedOn

    async def redrive(self) -> tuple[int, int]:
        """Try the parked events of this source again, each by itself: how many took effect, and how many fail still."""
        async with self.db.read() as tx:
            parked = await tx.many(Parked, self._sql(PARKED), self.source, self._names)
        done = failing = 0
        for event in parked:
            try:
                with context.working_as(context.SYSTEM, request=event.request_id):
                    done += await self._again(event.id)
            except Exception as failure:
                failing += 1
                log.error("event failed again", extra={"event_id": str(event.id)}, exc_info=failure)
                async with self.db.begin() as tx:
                    await tx.execute(self._sql(FAILED_AGAIN), event.id, in_words(failure))
        return done, failing

    async def _again(self, event_id: UUID) -> bool:
        """Handle a parked event; False when another one was faster."""
        async with self.db.begin() as tx:
            event = await tx.maybe(Unparked, self._sql(UNPARK), event_id)
            if event is None:
                return False
            handler, decoder = self.handlers[event.name]
            body = decoder.decode(event.body)
            await handler(self.actions, tx, [body] if isinstance(handler, InBatches) else body)
        return True

    async def run(self, *, wait: float) -> None:
        """Forever. After a failure it waits a little longer each time, at most 15 seconds."""
        pause = 0.0
        while True:
            await self._report_in_time()
            try:
                moved = await self.step(wait=wait)
                pause = 0.0
                if moved:
                    await asyncio.sleep(BREATH)
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

    async def _report_in_time(self) -> None:
        """At the start and once an hour. That it cannot be told (a source of the former version) holds up no event."""
        if time.monotonic() < self._report_at:
            return
        try:
            await self.report()
            self._report_at = time.monotonic() + REPORT
        except Exception as failure:
            self._report_at = time.monotonic() + REPORT_AGAIN
            log.warning(
                "a source was not told how far its reader has come",
                extra={"service": self.db.schema, "source": self.source, "error": str(failure)},
                exc_info=None if isinstance(failure, ShopError) else failure,
            )


def in_words(failure: Exception) -> str:
    """As it is kept with the event."""
    return storable(f"{type(failure).__name__}: {failure}", 2000)


def lasting(failure: Exception) -> bool:
    """False for what passes by itself (a database or a peer that is away): that is waited for, never parked."""
    return not (isinstance(failure, ShopError) and failure.status == 503)
