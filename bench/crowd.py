"""Many visitors who think, and more of them than the shop can carry: `python -m bench.crowd`.

A visitor keeps one connection, asks, thinks for a while (exponentially distributed) and asks again. Unlike the buyers
of `drive.py` there are so many that the offered load stays what it is when answers get slow. Each waits for its own
answer before it asks again.

Three things are tried on a shop with made-up goods: how 10,000 connections fare at a share of what it carries at best,
and what becomes of twice as much and of the time after. What it carries is measured anew before each, for it carries
more the longer it is open and the more of its answers are kept.
"""

import argparse
import asyncio
import random
import resource
import time
from array import array
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from bench.drive import Caller, WrongAnswer, drive, parse, quantile
from bench.scenarios import HIGHEST_LOW, Read, one, product_read, read_catalogue, search_read
from bench.shop import RunningShop

RAMP = 4.0  # seconds in which the visitors arrive; not measured
GOOD = 1.0  # seconds within which an answer is of use


class Seen:
    """What a crowd has seen. Times are seconds; `refused` are those of answers 429 and 503."""

    def __init__(self) -> None:
        self.good: array[float] = array("d")
        self.late = 0
        self.refused: array[float] = array("d")
        self.others: Counter[str] = Counter()

    def take(self, seconds: float, status: int, right: bool) -> None:
        if status in (429, 503):
            self.refused.append(seconds)
        elif not right:
            self.others[f"status {status}"] += 1
        elif seconds > GOOD:
            self.late += 1
        else:
            self.good.append(seconds)


class Visitor(asyncio.Protocol):
    """One connection of somebody who thinks."""

    def __init__(self, crowd: "Crowd") -> None:
        self.crowd = crowd
        self.buffer = b""
        self.asked = 0.0
        self.read: Read | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.think()

    def think(self) -> None:
        if time.perf_counter() < self.crowd.until:
            asyncio.get_running_loop().call_later(self.crowd.dice.expovariate(1 / self.crowd.think), self.ask)

    def ask(self) -> None:
        if time.perf_counter() >= self.crowd.until or self.transport.is_closing():
            return
        self.read = self.crowd.next_read()
        self.asked = time.perf_counter()
        self.transport.write(self.read.data)

    def data_received(self, data: bytes) -> None:
        found = parse(self.buffer + data)
        if found is None:
            self.buffer += data
            return
        answer, self.buffer = found
        assert self.read is not None
        if self.asked >= self.crowd.begins:
            right = answer.status == 200 and self.read.marker in answer.body
            self.crowd.seen.take(time.perf_counter() - self.asked, answer.status, right)
        self.think()

    def connection_lost(self, failure: Exception | None) -> None:
        if time.perf_counter() < self.crowd.until:
            self.crowd.seen.others["connection lost"] += 1


class Crowd:
    """So many connections for so many seconds; each thinks `think` seconds on average."""

    def __init__(self, next_read: Callable[[], Read], *, think: float, seconds: float, seed: int) -> None:
        self.next_read = next_read
        self.think = think
        self.seconds = seconds
        self.dice = random.Random(seed)
        self.seen = Seen()
        self.begins = self.until = 0.0
        self.used = 0.0  # CPU seconds of these visitors themselves, who share the machine with the shop

    async def visit(self, port: int, count: int) -> None:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self.begins = started + RAMP
        self.until = self.begins + self.seconds
        transports = []
        for number in range(count):
            transport, _ = await loop.create_connection(partial(Visitor, self), "127.0.0.1", port)
            transports.append(transport)
            ahead = started + RAMP * 0.9 * number / count - time.perf_counter()
            if ahead > 0.01:
                await asyncio.sleep(ahead)
        await asyncio.sleep(max(0.0, self.begins - time.perf_counter()))
        before = time.process_time()
        await asyncio.sleep(max(0.0, self.until - time.perf_counter()))
        self.used = time.process_time() - before
        await asyncio.sleep(2 * GOOD)
        for transport in transports:
            transport.close()

    def line(self, name: str, best: float, count: int) -> str:
        seen = self.seen
        answered = len(seen.good) + seen.late + len(seen.refused) + seen.others.total()
        cells = [
            name,
            f"{best:,.0f}",
            f"{count:,}",
            f"{answered / self.seconds:,.0f}",
            f"{len(seen.good) / self.seconds:,.0f}",
            f"{quantile(seen.good, 0.5):.1f}",
            f"{quantile(seen.good, 0.95):.1f}",
            f"{len(seen.refused) / self.seconds:,.0f}",
            f"{quantile(seen.refused, 0.95):.1f}",
            str(seen.late),
            f"{self.used / self.seconds:.2f}",
            str(dict(seen.others) or 0),
        ]
        return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run it, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.crowd", description=__doc__)
    parser.add_argument("--home", default=".bench/10000", type=Path)
    parser.add_argument("--products", default=10_000, type=int)
    parser.add_argument("--connections", default=10_000, type=int)
    parser.add_argument("--seconds", default=20.0, type=float)
    parser.add_argument("--share", default=0.7, type=float, help="of what the shop carries, for the many connections")
    chosen = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    shop = RunningShop(chosen.home, workers=2)
    shop.seed(chosen.products, demo=True)
    shop.start()
    try:
        dice = random.Random(7)
        catalogue = read_catalogue(Caller(shop.port), shop.key(), dice, sold=100)

        def next_read() -> Read:
            """Nine of ten look at a product, one searches for what nobody searched for: caches do not carry this."""
            product = dice.choice(catalogue.goods)
            if dice.random() < 0.1:
                return search_read(dice, product, dice.randrange(HIGHEST_LOW), narrow=True)
            return product_read(dice.choice((product.slugs["vi"], product.id)), "vi", product)

        def peak() -> float:
            """Answers a second to 32 who never think."""
            return drive(shop.port, (one(next_read()) for _ in iter(int, 1)), clients=32, seconds=8).rate

        peak()  # after the start everything is slow
        print(
            "| | at best /s | connections | answers /s | good /s | p50 ms | p95 ms | refused /s | p95 of refusals ms "
            "| late | CPUs of the visitors | else |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
        few, best = min(2_000, chosen.connections), 0.0
        for name, count, share in (
            (f"{chosen.share:.0%} of that, many connections", chosen.connections, chosen.share),
            ("twice that", few, 2.0),
            ("half of that, right after", few, 0.5),
        ):
            best = peak() if share != 0.5 else best
            crowd = Crowd(next_read, think=count / (share * best), seconds=chosen.seconds, seed=11)
            uvloop.run(crowd.visit(shop.port, count))
            print(crowd.line(name, best, count), flush=True)
            if crowd.seen.others:
                raise WrongAnswer(str(dict(crowd.seen.others)))
    finally:
        shop.stop()


if __name__ == "__main__":
    main()
