"""A service's look at itself: what is broken, what lies unread, what was put aside.

The whole look takes its time and is a job, run by one process; what it found is kept in the service's schema, where
every process reads it for its metrics.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from sampan.kernel.consumers import Consumer
from sampan.kernel.db import Database
from sampan.kernel.errors import ShopError
from sampan.kernel.jobs import Job, JobRunner, every
from sampan.kernel.metrics import metrics

log = logging.getLogger(__name__)

LOOK: Final[Job] = every(minutes=10, do="look")
UNREAD: Final = 15 * 60  # seconds an event may lie unread
REFRESHED: Final = 15.0  # seconds between two readings of the metrics
MOST: Final = 1000

PARKED = "SELECT source, count(*) FROM {schema}.parked_event GROUP BY source ORDER BY source"
FORGET = "DELETE FROM {schema}.violation"
NOTE = "INSERT INTO {schema}.violation (sentence) SELECT unnest($1::text[])"
STANDING = """
SELECT (SELECT count(*) FROM {schema}.violation),
       (SELECT count(*) FROM {schema}.parked_event),
       (SELECT extract(epoch FROM now() - done_at)::float8 FROM {schema}.job WHERE name = $1 AND error IS NULL)
"""


class ParkedFrom(Struct, frozen=True):
    source: str
    count: int


class Standing(Struct, frozen=True):
    """How a service stands by its last look: violations, parked events, and the look's age in seconds."""

    violations: int
    parked: int
    age: float | None


class Watch:
    """Looks after one service. `actions` may have `invariants()`, a sentence for each thing that is broken."""

    def __init__(self, db: Database, actions: object, consumers: Sequence[Consumer]) -> None:
        self.db = db
        self.actions = actions
        self.consumers = consumers

    def _sql(self, text: str) -> str:
        return text.format(schema=self.db.schema)

    async def violations(self) -> list[str]:
        """What is broken: the service's own invariants, events that were parked, events that nobody read in time."""
        check = getattr(self.actions, "invariants", None)
        found = list(await check()) if check else []
        async with self.db.read() as tx:
            parked = await tx.many(ParkedFrom, self._sql(PARKED))
        found += [f"{each.count} events of {each.source} are parked" for each in parked]
        for consumer in self.consumers:
            if (seconds := await consumer.lag()) > UNREAD:
                found.append(f"an event of {consumer.source} has not been read for {seconds / 60:.0f} minutes")
        return found

    async def look(self) -> None:
        """Job: look, and keep what was found."""
        found = await self.violations()
        if found:
            log.error("invariants are broken", extra={"service": self.db.schema, "found": " · ".join(found[:5])})
        async with self.db.begin() as tx:
            await tx.execute(self._sql(FORGET))
            await tx.execute(self._sql(NOTE), found[:MOST])

    def runner(self) -> JobRunner:
        return JobRunner(self.db, self, LOOK)

    async def measure(self) -> None:
        """Bring this service's metrics up to date."""
        async with self.db.read() as tx:
            standing = await tx.one(Standing, self._sql(STANDING), LOOK.do)
        metrics.violations.labels(self.db.schema).set(standing.violations)
        metrics.parked.labels(self.db.schema).set(standing.parked)
        if standing.age is not None:
            metrics.looked.labels(self.db.schema).set(standing.age)
        for consumer in self.consumers:
            metrics.lag.labels(self.db.schema, consumer.source).set(await consumer.lag())


async def keep_measuring(watches: Sequence[Watch]) -> None:
    """The metrics of these services, forever; one that cannot be measured keeps its last figures."""
    while True:
        for watch in watches:
            try:
                await watch.measure()
            except Exception as failure:
                log.warning(
                    "not measured",
                    extra={"service": watch.db.schema, "error": str(failure)},
                    exc_info=None if isinstance(failure, ShopError) else failure,
                )
        await asyncio.sleep(REFRESHED)
