"""Work that comes round: each job runs once at a time, however many processes there are.

A job's row holds when it is due, a lease and a fencing token. Whoever takes the lease runs and renews it; when the
process dies the lease runs out within half a minute and another takes over. Who lost the lease is stopped. Jobs must
be safe to run again.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from sampan.kernel import context
from sampan.kernel.db import Database
from sampan.kernel.errors import ShopError
from sampan.kernel.feed import Signals
from sampan.kernel.metrics import metrics
from sampan.kernel.text import storable

log = logging.getLogger(__name__)

LEASE = 30.0  # seconds, renewed while the job runs
ARRIVE = "INSERT INTO {schema}.job (name) VALUES ($1) ON CONFLICT DO NOTHING"
CLAIM = """
UPDATE {schema}.job SET lease_until = now() + make_interval(secs => $2), fence = fence + 1
 WHERE name = $1 AND (due_at <= now() OR $3) AND (lease_until IS NULL OR lease_until < now())
RETURNING fence
"""
RENEW = "UPDATE {schema}.job SET lease_until = now() + make_interval(secs => $3) WHERE name = $1 AND fence = $2"
LET_GO = "UPDATE {schema}.job SET lease_until = NULL WHERE name = $1 AND fence = $2"
FINISH = """
UPDATE {schema}.job
   SET lease_until = NULL, due_at = now() + make_interval(secs => $3), done_at = now(), error = $4
 WHERE name = $1 AND fence = $2
"""


class Job(Struct, frozen=True):
    """The method `do` of the service's actions, every `seconds`.

    `wake_on` names what starts it early: `orders` (its events), `orders.work` (what its handlers wrote down). It then
    waits `gather` seconds for more of the same.
    """

    do: str
    seconds: float
    wake_on: tuple[str, ...] = ()
    gather: float = 0.02


def every(
    *,
    do: str,
    seconds: float = 0,
    minutes: float = 0,
    hours: float = 0,
    wake_on: tuple[str, ...] = (),
    gather: float = 0.02,
) -> Job:
    """Declare a job in words: `every(minutes=1, do="end_campaigns")`."""
    return Job(do=do, seconds=seconds + 60 * minutes + 3600 * hours, wake_on=wake_on, gather=gather)


class LeaseLost(RuntimeError):
    """The lease ran out while the job ran (the machine slept, the database was away) and another process took it."""


class JobRunner:
    """Runs one job of one service."""

    def __init__(self, db: Database, actions: object, job: Job) -> None:
        self.db = db
        self.job = job
        self.action: Callable[[], Awaitable[Any]] = getattr(actions, job.do)
        self._known = False

    def _sql(self, text: str) -> str:
        return text.format(schema=self.db.schema)

    async def step(self, *, now: bool = False) -> bool:
        """Run the job if it is due (or `now`) and nobody else runs it; True if it ran."""
        if not self._known:
            async with self.db.begin() as tx:
                await tx.execute(self._sql(ARRIVE), self.job.do)
            self._known = True
        async with self.db.read() as tx:
            fence = await tx.maybe(int, self._sql(CLAIM), self.job.do, LEASE, now)
        if fence is None:
            return False
        error = None
        started = time.monotonic()
        with context.working_as(context.SYSTEM, request=f"job-{self.job.do}"):
            try:
                await self._leased(fence)
            except asyncio.CancelledError:
                with suppress(Exception):
                    await asyncio.shield(self._write(LET_GO, fence))  # the next process need not wait
                raise
            except Exception as failure:
                error = storable(f"{type(failure).__name__}: {failure}", 2000)
                passing = isinstance(failure, ShopError) and failure.status == 503
                log.log(
                    logging.WARNING if passing else logging.ERROR,
                    "job failed",
                    extra={"service": self.db.schema, "job": self.job.do},
                    exc_info=None if passing else failure,
                )
                metrics.job_failures.labels(self.db.schema, self.job.do).inc()
        metrics.job_seconds.labels(self.db.schema, self.job.do).observe(time.monotonic() - started)
        async with self.db.read() as tx:
            await tx.execute(self._sql(FINISH), self.job.do, fence, self.job.seconds, error)
        return True

    async def _leased(self, fence: int) -> None:
        """Run the action and renew the lease beside it; an action whose lease is lost is stopped."""
        work = asyncio.ensure_future(self.action())
        try:
            while True:
                done, _ = await asyncio.wait([work], timeout=LEASE / 3)
                if done:
                    work.result()
                    return
                if not await self._write(RENEW, fence, LEASE):
                    raise LeaseLost(f"another process runs {self.job.do}")
        finally:
            work.cancel()

    async def _write(self, sql: str, fence: int, *values: object) -> int:
        async with self.db.read() as tx:
            return await tx.execute(self._sql(sql), self.job.do, fence, *values)

    async def run(self, signals: Signals) -> None:
        """Forever; what rings meanwhile is not missed, and what rings often is done together."""
        woken = False
        with signals.bell(*self.job.wake_on) as bell:
            while True:
                try:
                    await self.step(now=woken)
                except asyncio.CancelledError:
                    raise
                except Exception as failure:
                    log.warning(
                        "job runner stopped for a moment",
                        extra={"service": self.db.schema, "job": self.job.do, "error": str(failure)},
                    )
                    await asyncio.sleep(1)
                woken = await bell.wait(self.job.seconds)
                if woken:
                    await asyncio.sleep(self.job.gather)
