"""A process of the shop that is there to be killed.

Run as a program it imports the shop once and then, for each line of orders on its input, forks a process that composes
the shop on the given database, plays a story, and dies by SIGKILL at the point that was asked for. The points are
found by watching: before and after every commit of something written, every write that stands alone, every call of a
peer that does more than read, and every call of a provider. None of this is in the shop: it is put around it here.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from tests.conftest import settings_for
from tests.faults.stories import SERVICES, STORIES, Teller

from sampan.kernel import connect, context
from sampan.kernel.db import Tx
from sampan.kernel.outbound import Dependency
from sampan.run import compose

WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (\w+\.\w+)")


class Points:
    """The points a process passes, in order, and the one where it dies: (label, how many times passed, when)."""

    def __init__(self, report: str, dies_at: list[Any] | None) -> None:
        self.report = os.open(report, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.dies_at = dies_at
        self.passed: Counter[str] = Counter()
        self.open = False

    def tell(self, **line: Any) -> None:
        """Written at once: a process that is killed has told it."""
        os.write(self.report, json.dumps(line).encode() + b"\n")

    def before(self, label: str) -> int:
        if not self.open:
            return 0
        self.passed[label] += 1
        count = self.passed[label]
        if self.dies_at is None:
            self.tell(point=[label, count])
        self.die([label, count, "before"])
        return count

    def after(self, label: str, count: int) -> None:
        self.die([label, count, "after"])

    def die(self, here: list[Any]) -> None:
        if self.open and here == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def passing(self, label: str) -> Iterator[None]:
        count = self.before(label)
        yield
        self.after(label, count)


def watch(points: Points) -> None:
    """Put the points around the shop of this process."""
    local_call, request = connect.local_call, Dependency.request
    write_events, committed = Tx.write_events, Tx.committed
    commits: dict[int, int] = {}

    def watched_call(method: Any) -> Any:
        call = local_call(method)
        if connect.is_safe(method.__name__):
            return call

        async def passing(self: object, **arguments: Any) -> Any:
            with points.passing(f"call {method.__qualname__}"):
                return await call(self, **arguments)

        return passing

    async def watched_request(self: Dependency, method: str, url: str, **options: Any) -> Any:
        with points.passing(f"http {method} {self.name}"):
            return await request(self, method, url, **options)

    async def before_commit(self: Tx) -> None:
        await write_events(self)
        if await self.connection.fetchval("SELECT pg_current_xact_id_if_assigned() IS NOT NULL"):
            commits[id(self)] = points.before(f"commit {self.schema}")

    def after_commit(self: Tx, wake: Any) -> None:
        if (count := commits.pop(id(self), 0)) != 0:
            points.after(f"commit {self.schema}", count)
        committed(self, wake)

    def watched_statement(name: str) -> Any:
        statement = getattr(Tx, name)

        async def passing(self: Tx, *arguments: Any) -> Any:
            sql = next(each for each in arguments if isinstance(each, str))
            found = WRITES.search(sql)
            if found is None or context.in_transaction.get():
                return await statement(self, *arguments)
            with points.passing(f"write {found[1]}"):
                return await statement(self, *arguments)

        return passing

    connect.local_call = watched_call
    Dependency.request = watched_request  # type: ignore[method-assign]
    Tx.write_events = before_commit  # type: ignore[method-assign]
    Tx.committed = after_commit  # type: ignore[method-assign]
    for name in ("execute", "maybe"):  # `one` is `maybe`, and nothing writes by `many` outside of a transaction
        setattr(Tx, name, watched_statement(name))


async def play(order: dict[str, Any], points: Points) -> None:
    shop = await compose(settings_for(order["home"], public_url=order["bank"]), order["database"], SERVICES)
    inside = httpx.AsyncClient(transport=httpx.ASGITransport(app=shop.web()), base_url="http://shop.test")
    async with inside as http, httpx.AsyncClient(timeout=20, trust_env=False) as outside:
        teller = Teller(
            http,
            outside,
            shop.live["orders"],
            shop.settle,
            lambda step, status, body: points.tell(answer=step, status=status, body=body),
        )
        points.open = True
        await STORIES[order["story"]](teller, order["facts"])
        points.open = False
    await shop.close()


def child(order: dict[str, Any]) -> None:
    """Never returns."""
    code = 1
    try:
        points = Points(order["report"], order["dies_at"])
        watch(points)
        asyncio.run(play(order, points))
        code = 0
    except BaseException as failure:
        import traceback

        traceback.print_exception(failure)
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(order)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
