from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sampan.kernel.cache import Cache
from sampan.kernel.redis_link import RedisLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.kernel.conftest import RedisServer


class Source:
    """A slow truth that changes; counts how often it was asked."""

    def __init__(self, value: bytes = b"v1", seconds: float = 0.0) -> None:
        self.value = value
        self.seconds = seconds
        self.loads = 0

    async def load(self) -> bytes:
        self.loads += 1
        value = self.value  # read at the beginning, delivered late
        await asyncio.sleep(self.seconds)
        return value


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Cable:
    """A way to Redis that can be cut without Redis losing anything."""

    def __init__(self, redis_port: int) -> None:
        self._redis_port = redis_port
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self.delays: list[float] = []  # seconds that each answer takes on the next connections

    async def mend(self) -> None:
        self._listener = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._listener.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._redis_port)
        self._writers += [writer, far_writer]
        delay = self.delays.pop(0) if self.delays else 0.0
        await asyncio.gather(self._pass(reader, far_writer, 0.0), self._pass(far_reader, writer, delay))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                await asyncio.sleep(delay)
                writer.write(data)
        writer.close()


@pytest.fixture
async def cable(redis_server: RedisServer) -> AsyncIterator[Cable]:
    cable = Cable(redis_server.port)
    await cable.mend()
    yield cable
    cable.cut()


@pytest.fixture
async def pair(redis_server: RedisServer) -> AsyncIterator[tuple[Cache, Cache]]:
    """Two processes with one Redis."""
    async for found in two(redis_server, 0.5):
        yield found


@pytest.fixture
async def patient_pair(redis_server: RedisServer) -> AsyncIterator[tuple[Cache, Cache]]:
    """The same, for tests that count loads and would be misled by a Redis that is slow on a busy machine."""
    async for found in two(redis_server, 5.0):
        yield found


async def two(redis_server: RedisServer, timeout: float) -> AsyncIterator[tuple[Cache, Cache]]:
    links = [RedisLink(redis_server.url, timeout=timeout, pause=0.2) for _ in range(2)]
    yield Cache("t", max_items=100, ttl=60, redis=links[0]), Cache("t", max_items=100, ttl=60, redis=links[1])
    for link in links:
        await link.close()


async def test_what_was_loaded_is_found_again() -> None:
    cache, source = Cache("t", max_items=10, ttl=60), Source()
    assert cache.get("a") is None
    assert await cache.get_or_load("a", ["x"], source.load) == b"v1"
    assert cache.get("a") == b"v1"
    assert await cache.get_or_load("a", ["x"], source.load) == b"v1"
    assert source.loads == 1
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.redis_hits, stats.items) == (2, 1, 0, 1)


async def test_an_entry_lives_no_longer_than_its_time() -> None:
    clock, source = Clock(), Source()
    cache = Cache("t", max_items=10, ttl=5, clock=clock)
    await cache.get_or_load("a", [], source.load)
    clock.now += 4.9
    assert cache.get("a") == b"v1"
    clock.now += 0.2
    assert cache.get("a") is None
    assert cache.stats().items == 0


async def test_the_entry_unused_for_longest_goes_first() -> None:
    cache, source = Cache("t", max_items=3, ttl=60), Source()
    for key in "abc":
        await cache.get_or_load(key, ["x"], source.load)
    cache.get("a")
    await cache.get_or_load("d", ["x"], source.load)
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]


async def test_memory_is_bounded_by_bytes_too() -> None:
    cache = Cache("t", max_items=1000, ttl=60, max_bytes=10_000)
    for number in range(100):
        await cache.get_or_load(str(number), ["x"], Source(b"x" * 1000).load)
    assert cache.stats().bytes <= 10_000
    assert cache.get("99") is not None
    assert await cache.get_or_load("huge", ["x"], Source(b"x" * 20_000).load) == b"x" * 20_000
    assert cache.get("huge") is None
    assert cache.get("99") is not None
    await cache.invalidate(["x"])
    assert cache.stats().bytes == 0
    assert not cache._shelf._keys_of


def page(number: int) -> bytes:
    """A long frame that all have in common, and a line of its own."""
    frame = random.Random(1).randbytes(6000)
    return frame[:4000] + b"%d" % number + frame[4000:]


async def test_of_those_that_are_alike_little_more_is_kept_than_what_tells_them_apart() -> None:
    cache = Cache("t", max_items=100, ttl=60)
    for number in range(20):
        value = await cache.get_or_load(str(number), ["x"], Source(page(number)).load, alike="page")
        assert value == page(number)
    assert [cache.get(str(number)) for number in range(20)] == [page(number) for number in range(20)]
    assert cache.stats().bytes < 20 * 800 < 20 * len(page(0)) // 6
    await cache.invalidate(["x"])
    assert cache.stats().bytes == 0


async def test_those_that_are_alike_get_a_new_pattern_and_the_old_ones_are_still_read() -> None:
    clock = Clock()
    cache = Cache("t", max_items=100, ttl=60, clock=clock)
    odd = b"nothing like the others"
    await cache.get_or_load("odd", [], Source(odd).load, alike="page")
    clock.now += 580
    await cache.get_or_load("before", [], Source(page(1)).load, alike="page")
    assert cache.stats().bytes > len(page(1))  # the odd one is of no help
    clock.now += 30
    for number in range(2, 10):
        await cache.get_or_load(str(number), [], Source(page(number)).load, alike="page")
    assert cache.get("before") == page(1)
    assert cache.get("9") == page(9)
    assert cache.stats().bytes < len(page(1)) + 10 * 800


@pytest.mark.parametrize("value", [b"", b"\x00", random.Random(2).randbytes(100_000)])
async def test_what_is_kept_as_alike_may_be_anything(value: bytes) -> None:
    cache = Cache("t", max_items=100, ttl=60)
    for key, each in (("a", value), ("b", page(1)), ("c", value)):
        await cache.get_or_load(key, [], Source(each).load, alike="page")
        assert cache.get(key) == each


async def test_a_tag_drops_every_entry_that_bears_it() -> None:
    cache, source = Cache("t", max_items=10, ttl=60), Source()
    await cache.get_or_load("a", ["x", "y"], source.load)
    await cache.get_or_load("b", ["y"], source.load)
    await cache.get_or_load("c", ["z"], source.load)
    await cache.invalidate(["y", "unknown"])
    assert [key for key in "abc" if cache.get(key)] == ["c"]
    await cache.clear()
    assert cache.get("c") is None


async def test_those_who_ask_together_share_one_load() -> None:
    cache, source = Cache("t", max_items=10, ttl=60), Source(seconds=0.02)
    answers = await asyncio.gather(*(cache.get_or_load("a", [], source.load) for _ in range(100)))
    assert answers == [b"v1"] * 100
    assert source.loads == 1


async def test_a_failed_load_reaches_all_and_is_not_remembered() -> None:
    cache = Cache("t", max_items=10, ttl=60)
    asked = 0

    async def failing() -> bytes:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        raise LookupError("no database")

    answers = await asyncio.gather(*(cache.get_or_load("a", [], failing) for _ in range(10)), return_exceptions=True)
    assert all(isinstance(answer, LookupError) for answer in answers)
    assert asked == 1
    assert await cache.get_or_load("a", [], Source().load) == b"v1"


async def test_who_gives_up_does_not_take_the_load_from_the_others() -> None:
    cache, source = Cache("t", max_items=10, ttl=60), Source(seconds=0.05)
    callers = [asyncio.create_task(cache.get_or_load("a", [], source.load)) for _ in range(3)]
    await asyncio.sleep(0.01)
    callers[0].cancel()
    callers[2].cancel()
    assert await callers[1] == b"v1"
    with pytest.raises(asyncio.CancelledError):
        await callers[0]
    assert source.loads == 1


async def test_a_load_that_nobody_waits_for_any_more_is_kept() -> None:
    cache, source = Cache("t", max_items=10, ttl=60), Source(seconds=0.02)
    caller = asyncio.create_task(cache.get_or_load("a", [], source.load))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0.05)
    assert cache.get("a") == b"v1"


async def test_a_load_that_began_before_an_invalidation_is_not_kept_and_not_joined() -> None:
    cache, source = Cache("t", max_items=10, ttl=60), Source(seconds=0.03)
    early = asyncio.create_task(cache.get_or_load("a", ["x"], source.load))
    await asyncio.sleep(0.01)
    source.value = b"v2"
    await cache.invalidate(["x"])
    late = asyncio.create_task(cache.get_or_load("a", ["x"], source.load))
    assert await early == b"v1"
    assert cache.get("a") != b"v1"  # None, or v2 already where the machine is slow
    assert await late == b"v2"
    assert cache.get("a") == b"v2"
    assert source.loads == 2


async def test_an_invalidation_of_something_else_disturbs_no_load() -> None:
    cache, source = Cache("t", max_items=10, ttl=60), Source(seconds=0.02)
    early = asyncio.create_task(cache.get_or_load("a", ["x"], source.load))
    await asyncio.sleep(0.01)
    await cache.invalidate(["y"])
    await early
    assert cache.get("a") == b"v1"


async def test_whatever_the_order_nothing_stale_stays() -> None:
    """After the last invalidation has returned, the cache never answers with what was true before it."""
    chance = random.Random(7)
    for _ in range(200):
        cache, source = Cache("t", max_items=10, ttl=60), Source(b"0")
        version = 0

        async def load(source: Source = source) -> bytes:
            value = source.value
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            return value

        async def change(cache: Cache = cache, source: Source = source) -> None:
            nonlocal version
            for _ in range(3):
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                version += 1
                source.value = str(version).encode()
                await cache.invalidate(["x"])

        async def read(cache: Cache = cache, source: Source = source) -> None:
            for _ in range(5):
                known = int(source.value)
                assert int(await cache.get_or_load("a", ["x"], load)) >= known
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)

        await asyncio.gather(change(), read(), read(), read())
        assert await cache.get_or_load("a", ["x"], load) == source.value
        assert cache.get("a") == source.value


# --- with Redis


async def test_one_process_finds_what_another_loaded(patient_pair: tuple[Cache, Cache]) -> None:
    one, other = patient_pair
    source = Source(b"\x00\xff binary")
    assert await one.get_or_load("a", ["x", "y"], source.load) == source.value
    assert await other.get_or_load("a", ["x", "y"], source.load) == source.value
    assert source.loads == 1
    assert other.stats().redis_hits == 1
    assert other.get("a") == source.value


async def test_what_is_kept_as_alike_is_read_by_processes_with_other_patterns(
    patient_pair: tuple[Cache, Cache],
) -> None:
    one, other = patient_pair
    await one.get_or_load("a", ["x"], Source(page(1)).load, alike="page")
    await other.get_or_load("b", ["x"], Source(b"another pattern").load, alike="page")
    source = Source(b"not to be loaded")
    assert await other.get_or_load("a", ["x"], source.load, alike="page") == page(1)
    assert source.loads == 0
    assert other.get("a") == page(1)


async def test_an_invalidation_reaches_redis(patient_pair: tuple[Cache, Cache]) -> None:
    one, other = patient_pair
    source = Source()
    await one.get_or_load("a", ["x", "y"], source.load)
    source.value = b"v2"
    await one.invalidate(["y"])
    assert await other.get_or_load("a", ["x", "y"], source.load) == b"v2"
    assert await one.get_or_load("a", ["x", "y"], source.load) == b"v2"
    assert source.loads == 2
    source.value = b"v3"
    await other.clear()
    await one.invalidate(["y"])
    assert await one.get_or_load("a", ["x", "y"], source.load) == b"v3"


async def test_a_load_overtaken_by_an_invalidation_elsewhere_is_never_served_from_redis(
    pair: tuple[Cache, Cache],
) -> None:
    one, other = pair
    source = Source(seconds=0.05)
    early = asyncio.create_task(one.get_or_load("a", ["x"], source.load))
    await asyncio.sleep(0.03)
    source.value = b"v2"
    await other.invalidate(["x"])
    assert await early == b"v1"
    assert await other.get_or_load("a", ["x"], source.load) == b"v2"
    await one.invalidate(["x"])  # the same event arrives here later
    assert await one.get_or_load("a", ["x"], source.load) == b"v2"


async def test_the_time_an_entry_spent_in_redis_counts(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, timeout=0.3)
    one = Cache("t", max_items=10, ttl=1.0, redis=link)
    other = Cache("t", max_items=10, ttl=1.0, redis=link)
    source = Source()
    await one.get_or_load("a", ["x"], source.load)
    await asyncio.sleep(0.6)
    await other.get_or_load("a", ["x"], source.load)
    await asyncio.sleep(0.5)
    assert other.get("a") is None
    assert source.loads == 1
    await link.close()


async def test_a_lost_version_makes_its_entries_worthless(pair: tuple[Cache, Cache]) -> None:
    one, other = pair
    source = Source()
    await one.get_or_load("a", ["x"], source.load)
    assert one._redis is not None
    await one._redis.ask(lambda redis: redis.delete("sampan:cache-tag:t:x"))
    source.value = b"v2"
    assert await other.get_or_load("a", ["x"], source.load) == b"v2"


async def test_what_another_version_of_the_shop_wrote_is_a_miss(pair: tuple[Cache, Cache]) -> None:
    one, other = pair
    source = Source()
    await one.get_or_load("a", ["x"], source.load)
    assert one._redis is not None
    await one._redis.ask(lambda redis: redis.set("sampan:cache:t:a", b"\x93garbage", keepttl=True))
    assert await other.get_or_load("a", ["x"], source.load) == b"v1"


async def test_what_another_version_kept_as_it_is_is_a_miss_for_one_that_packs_it(
    patient_pair: tuple[Cache, Cache],
) -> None:
    one, other = patient_pair
    source = Source(page(1))
    await one.get_or_load("a", ["x"], source.load)
    assert await other.get_or_load("a", ["x"], source.load, alike="page") == page(1)
    assert source.loads == 2


async def test_a_dead_redis_is_a_miss_that_costs_nothing(redis_server: RedisServer, pair: tuple[Cache, Cache]) -> None:
    one, _ = pair
    redis_server.stop()
    source = Source()
    await one.get_or_load("first", ["x"], source.load)
    start = time.monotonic()
    for number in range(300):
        assert await one.get_or_load(str(number), ["x"], source.load) == b"v1"
    assert time.monotonic() - start < 1.5
    assert one.get("299") == b"v1"


async def test_a_silent_redis_delays_little_and_once(redis_server: RedisServer, pair: tuple[Cache, Cache]) -> None:
    one, _ = pair
    await one.get_or_load("warm", ["x"], Source().load)
    redis_server.freeze()
    start = time.monotonic()
    await asyncio.gather(*(one.get_or_load(str(number), ["x"], Source().load) for number in range(50)))
    await one.invalidate(["x"])
    assert time.monotonic() - start < 3
    assert one.get("1") is None


async def test_redis_is_told_of_missed_invalidations_before_it_is_read(cable: Cable, pair: tuple[Cache, Cache]) -> None:
    _, other = pair
    link = RedisLink(f"redis://127.0.0.1:{cable.port}/0", timeout=0.5, pause=0.1)
    one = Cache("t", max_items=100, ttl=60, redis=link)
    source = Source()
    await one.get_or_load("a", ["x"], source.load)
    cable.cut()
    source.value = b"v2"
    await one.invalidate(["x"])
    assert await one.get_or_load("a", ["x"], source.load) == b"v2"
    source.value = b"v3"
    await one.invalidate(["x"])
    await cable.mend()
    await asyncio.sleep(0.15)  # Redis may be asked again, and still has the first value
    assert await other.get_or_load("a", ["x"], source.load) == b"v1"
    assert await one.get_or_load("a", ["x"], source.load) == b"v3"
    other._shelf.forget(["x"])  # now also elsewhere
    assert await other.get_or_load("a", ["x"], source.load) == b"v3"
    await link.close()


async def test_redis_is_told_even_if_nobody_asks_here_again(cable: Cable, pair: tuple[Cache, Cache]) -> None:
    _, other = pair
    link = RedisLink(f"redis://127.0.0.1:{cable.port}/0", timeout=0.5, pause=0.1)
    one = Cache("t", max_items=100, ttl=60, redis=link)
    source = Source()
    await one.get_or_load("a", ["x"], source.load)
    cable.cut()
    source.value = b"v2"
    await one.invalidate(["x"])
    for start in range(0, 3000, 100):
        await one.invalidate([f"y{number}" for number in range(start, start + 100)])
    assert len(one._untold) <= 1001
    await cable.mend()
    await asyncio.sleep(1.5)
    assert not one._untold
    assert await other.get_or_load("a", ["x"], source.load) == b"v2"
    await link.close()


async def test_what_was_told_before_a_second_invalidation_does_not_count_for_it(cable: Cable) -> None:
    link = RedisLink(f"redis://127.0.0.1:{cable.port}/0", timeout=1, pause=0.1)
    cache = Cache("t", max_items=100, ttl=60, redis=link)
    cable.delays = [0.05, 30]
    first = asyncio.create_task(cache.invalidate(["x"]))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(cache.invalidate(["x"]))
    await first
    assert not second.done()
    assert list(cache._untold) == ["x"]
    await second
    await asyncio.sleep(0.7)
    assert not cache._untold
    await link.close()


async def test_two_processes_and_a_changing_truth(pair: tuple[Cache, Cache]) -> None:
    """Both processes hear of every change; after that neither may answer with the past."""
    source = Source(b"0")
    chance = random.Random(3)

    async def load() -> bytes:
        value = source.value
        await asyncio.sleep(chance.random() * 0.003)
        return value

    async def read(cache: Cache) -> None:
        for _ in range(100):
            await cache.get_or_load("a", ["x"], load)
            await asyncio.sleep(chance.random() * 0.002)

    async def change() -> None:
        for version in range(1, 40):
            source.value = str(version).encode()
            for cache in pair:
                await asyncio.sleep(chance.random() * 0.002)
                await cache.invalidate(["x"])
            for cache in pair:
                assert await cache.get_or_load("a", ["x"], load) == source.value

    await asyncio.gather(change(), *(read(cache) for cache in pair for _ in range(3)))
    assert all(cache.get("a") == source.value for cache in pair)
