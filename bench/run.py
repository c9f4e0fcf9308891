"""One row after the other: check the answers, count the statements, measure, compare with the limit."""

import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from bench.drive import Caller, Operation, WrongAnswer, drive, quantile, request
from bench.limits import bare_rate, pgbench
from bench.measure import BEHIND, Counts, StatementLog, Statements, logged, owners
from bench.scenarios import Scenario
from bench.sessions import web_sessions
from bench.shop import RunningShop

CPUS: Final = os.cpu_count() or 1
AFTER: Final = 0.5  # seconds in which the work that follows an operation is done by far
AT_CLIENTS: Final = 16  # buyers at once, where one number has to do


class Latency(Struct):
    """Milliseconds."""

    p50: float
    p95: float


class Row(Struct):
    """A scenario with a number of clients. Times are milliseconds, rates a second."""

    scenario: str
    title: str
    kind: str
    clients: int
    rate: float
    p50: float
    p95: float
    p99: float
    cpu: float  # of the shop for one operation: application and PostgreSQL
    application: float
    postgres: float
    errors: int
    refusals: dict[str, int]
    operations: int
    different: int | None  # requests that the scenario draws from; None: no end of them
    bytes: int  # of an operation's answers, mean
    generator: float  # CPUs that the load generator used
    others: float  # CPUs that strangers on this machine used meanwhile
    workers: list[int]  # percent of the answers that each web worker gave
    hits: float | None = None  # share of answers from the cache
    limit: float | None = None
    limit_name: str = ""
    steps: dict[str, Latency] = {}

    @property
    def alone(self) -> float:
        """An estimate of the rate, if nobody else used this machine and shop and generator kept all of it busy."""
        return CPUS * 1000 / (self.cpu + self.generator / self.rate * 1000) if self.rate else 0.0

    @property
    def of_limit(self) -> float | None:
        return self.rate / self.limit if self.limit else None


class Plan(Struct):
    """How long and how wide. `counted`: operations whose statements are counted."""

    clients: list[int]
    seconds: float
    warm: float
    limit_seconds: float
    counted: int
    spread: bool = False  # choose connections so that each web worker has as many
    most: int | None = None  # operations of a row, for a run that only proves that it runs


class Bench:
    """Measures scenarios against a running shop."""

    def __init__(self, shop: RunningShop, plan: Plan, *, bare_port: int, seed: int) -> None:
        self.shop = shop
        self.plan = plan
        self.bare_port = bare_port
        self.seed = seed
        self.databases: dict[tuple[int, bool], float] = {}

    def check(self, scenario: Scenario) -> None:
        """Every sample's answer, whole. Raises WrongAnswer."""
        caller = Caller(self.shop.port)
        for read in scenario.samples:
            answer = caller.ask(read.data)
            if answer.status != 200 or read.marker not in answer.body:
                line = read.data.partition(b"\r\n")[0]
                raise WrongAnswer(f"{line!r}: {answer.status} without {read.marker!r}: {answer.body[:300]!r}")
            read.check(answer.body)
        caller.close()

    def statements(self, scenario: Scenario) -> Statements:
        """SQL of an operation, counted in PostgreSQL's own log: one operation at a time, and of writes many at once."""
        operations = scenario.make(random.Random(self.seed + 1))
        writes, counts, caller = scenario.kind == "write", Counts(), Caller(self.shop.port)
        caller.ask(request("GET", "/health/live"))
        for _ in range(3):  # connections prepare their statements, caches fill
            for _ in caller.walk(next(operations)):
                pass
        self.shop.group.settle(most=20)
        with logged(self.shop.postgres_log, self.shop.psql) as log:
            polls = log.rate(3.0 if self.plan.most is None else 1.0) if writes else 0.0
            began = time.monotonic()
            for _ in range(self.plan.counted):
                log.new()
                for step, _answer in caller.walk(next(operations)):
                    counts.add(step, log.new())
                if writes:
                    time.sleep(AFTER)
                    counts.add(BEHIND, log.new())
            polls *= time.monotonic() - began
            web = web_sessions(self.shop.group)
            crowded = self._crowded(operations, log) if writes else None
        caller.close()
        return counts.mean(self.plan.counted, web=web, polls=polls, crowded=crowded)

    def _crowded(self, operations: Iterator[Operation], log: StatementLog) -> float:
        """All statements that anybody sends while many buyers are served, and until nothing is left to do, for each
        operation."""
        plan = self.plan
        log.new()
        load = drive(self.shop.port, operations, clients=AT_CLIENTS, seconds=plan.seconds, most=plan.most)
        self.shop.group.settle(most=20)
        return len(log.new()) / max(1, len(load.times))

    def owners(self) -> dict[int, int]:
        """Which web worker serves each connection to the shop: the client's port → pid."""
        return owners(self.shop.port, self.shop.group.web_workers())

    def warm_up(self, scenario: Scenario) -> None:
        """Do what comes first until each worker has what it keeps of it, or nearly."""
        times = 2 * self.shop.workers if self.plan.most is None else 1
        operations = (begin() for _ in range(times) for begin in scenario.first)
        drive(self.shop.port, operations, clients=8, seconds=15, workers=self.owners)

    def rows(self, scenario: Scenario) -> Iterator[Row]:
        for clients in self.plan.clients:
            yield self.row(scenario, clients)

    def row(self, scenario: Scenario, clients: int) -> Row:
        """Measure. Raises WrongAnswer."""
        plan, shop = self.plan, self.shop
        dice = random.Random(self.seed + clients)
        operations = scenario.make(dice)
        spread = self.owners if plan.spread else None
        drive(shop.port, operations, clients=clients, seconds=plan.warm, most=plan.most, workers=spread)
        shop.group.settle(most=5)
        shares: dict[int, int] = {}

        def seen(answers: dict[int, int]) -> None:
            served = self.owners()
            for port, count in answers.items():
                shares[served.get(port, 0)] = shares.get(served.get(port, 0), 0) + count

        cached = self._cached()
        before = shop.group.used()
        load = drive(
            shop.port, operations, clients=clients, seconds=plan.seconds, most=plan.most, seen=seen, workers=spread
        )
        loaded = shop.group.used().since(before)
        if scenario.kind == "write":
            shop.group.settle(most=20)
        used = shop.group.used().since(before)
        done = len(load.times) or 1
        limit, limit_name = self._limit(scenario, clients, load.received // max(1, load.answers))
        after = self._cached()
        return Row(
            scenario=scenario.name,
            title=scenario.title,
            kind=scenario.kind,
            clients=clients,
            rate=load.rate,
            p50=quantile(load.times, 0.5),
            p95=quantile(load.times, 0.95),
            p99=quantile(load.times, 0.99),
            cpu=used.shop / done * 1000,
            application=used.application / done * 1000,
            postgres=used.postgres / done * 1000,
            errors=load.errors,
            refusals=dict(load.refusals),
            operations=len(load.times),
            different=scenario.different,
            bytes=load.received // done,
            generator=load.cpu / load.seconds,
            others=max(0.0, loaded.machine - loaded.shop - load.cpu) / load.seconds,
            workers=sorted((round(count * 100 / max(1, load.answers)) for count in shares.values()), reverse=True),
            hits=None if cached is None or after is None else min(1.0, (after - cached) / max(1, load.answers)),
            limit=limit,
            limit_name=limit_name,
            steps={name: Latency(quantile(times, 0.5), quantile(times, 0.95)) for name, times in load.steps.items()},
        )

    def _limit(self, scenario: Scenario, clients: int, size: int) -> tuple[float | None, str]:
        seconds = self.plan.limit_seconds
        if not seconds:
            return None, ""
        if scenario.kind == "write":
            return self.database(clients, select_only=False), "pgbench TPC-B"
        return bare_rate(self.bare_port, size, clients=clients, seconds=seconds), f"bare ASGI, {size} bytes"

    def database(self, clients: int, *, select_only: bool) -> float:
        """pgbench's transactions a second, measured once."""
        known = (clients, select_only)
        if known not in self.databases:
            seconds = self.plan.limit_seconds
            self.databases[known] = pgbench(
                self.shop,
                clients=clients,
                seconds=seconds,
                select_only=select_only,
                scale=10 if self.plan.most is None else 1,
            )
        return self.databases[known]

    def _cached(self) -> float | None:
        """Answers that all web workers gave from their caches so far; None when a worker could not be asked."""
        texts = worker_metrics(self.shop)
        if texts is None:
            return None
        lines = [line for text in texts for line in text.splitlines()]
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(CACHED))


CACHED: Final = 'sampan_requests_total{route="cached"'


def worker_metrics(shop: RunningShop) -> list[str] | None:
    """The metrics of each web worker. Connections go to whichever accepts first, so we open some until all are met."""
    pids, met, open_ones = shop.group.web_workers(), dict[int, str](), list[Caller]()
    for _ in range(200):
        caller = Caller(shop.port)
        open_ones.append(caller)
        body = caller.ask(request("GET", "/metrics")).body.decode()
        assert caller.socket is not None
        pid = owners(shop.port, pids).get(caller.socket.getsockname()[1])
        if pid is not None:
            met[pid] = body
        if len(met) == len(pids):
            break
    for caller in open_ones:
        caller.close()
    return list(met.values()) if len(met) == len(pids) else None


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
