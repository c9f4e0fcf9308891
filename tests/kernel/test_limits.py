from __future__ import annotations

import asyncio
import sys
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import TooManyRequests
from sampan.kernel.limits import Limit, Limiter, address_block
from sampan.kernel.redis_link import RedisLink

if TYPE_CHECKING:
    from tests.kernel.conftest import RedisServer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_burst_is_allowed_and_then_the_rate() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    limit = Limit(60, 60, burst=5)
    assert [(await limiter.check("login", "a", limit)).allowed for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now += 1
    assert [(await limiter.check("login", "a", limit)).allowed for _ in range(2)] == [True, False]
    clock.now += 100
    assert [(await limiter.check("login", "a", limit)).allowed for _ in range(6)] == [True] * 5 + [False]


async def test_a_verdict_tells_what_remains_and_how_long_to_wait() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    limit = Limit(10, 100)
    first = await limiter.check("x", "a", limit)
    assert (first.allowed, first.remaining, first.reset_seconds, first.retry_after) == (True, 9, 10, 0)
    for _ in range(9):
        last = await limiter.check("x", "a", limit)
    assert (last.remaining, last.reset_seconds) == (0, 100)
    refused = await limiter.check("x", "a", limit)
    assert (refused.allowed, refused.remaining, refused.reset_seconds, refused.retry_after) == (
        False,
        0,
        100,
        10,
    )
    clock.now += refused.retry_after
    assert (await limiter.check("x", "a", limit)).allowed


async def test_subjects_and_operations_do_not_share_a_limit() -> None:
    limiter = Limiter(clock=Clock())
    limit = Limit(1, 60)
    for name, subject in (("a", "1"), ("a", "2"), ("b", "1")):
        assert (await limiter.check(name, subject, limit)).allowed
    assert not (await limiter.check("a", "1", limit)).allowed


async def test_work_may_cost_more_than_one_and_a_refusal_takes_nothing() -> None:
    limiter = Limiter(clock=Clock())
    limit = Limit(10, 60)
    assert (await limiter.check("x", "a", limit, cost=8)).remaining == 2
    assert not (await limiter.check("x", "a", limit, cost=3)).allowed
    assert (await limiter.check("x", "a", limit, cost=2)).allowed
    assert not (await limiter.check("x", "b", limit, cost=11)).allowed


async def test_spending_more_than_allowed_raises_with_the_time_to_wait() -> None:
    limiter = Limiter(clock=Clock())
    await limiter.spend("x", "a", Limit(1, 30))
    with pytest.raises(TooManyRequests) as refused:
        await limiter.spend("x", "a", Limit(1, 30))
    assert refused.value.facts["retry_after"] == 30


@given(
    times=st.integers(1, 50),
    seconds=st.floats(0.1, 3600),
    burst=st.integers(0, 20),
    waits=st.lists(st.floats(0, 100), max_size=100),
)
def test_never_more_than_the_burst_and_the_rate(times: int, seconds: float, burst: int, waits: list[float]) -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    limit = Limit(times, seconds, burst=burst)
    allowed = 0

    async def run() -> None:
        nonlocal allowed
        for wait in waits:
            clock.now += wait
            verdict = await limiter.check("x", "a", limit)
            allowed += verdict.allowed
            assert 0 <= verdict.remaining <= limit.capacity
            assert (verdict.retry_after > 0) != verdict.allowed

    coroutine = run()
    with pytest.raises(StopIteration):  # it never waits for anything, so it ends in one step
        coroutine.send(None)
    assert allowed <= limit.capacity + sum(waits[1:]) / limit.interval + 1e-6


async def test_memory_is_bounded() -> None:
    limiter = Limiter(max_subjects=100, clock=Clock())
    limit = Limit(1, 60)
    await limiter.check("other", "kept", limit)
    for number in range(10_000):
        await limiter.check("x", str(number), limit)
    assert sum(map(len, limiter._full_at.values())) == 101
    assert not (await limiter.check("x", "9999", limit)).allowed
    assert not (await limiter.check("other", "kept", limit)).allowed


@pytest.mark.parametrize("arguments", [(0, 1, 0), (1, 0, 0), (1, -1, 0), (1, 1, -1)])
def test_a_limit_without_a_rate_is_refused(arguments: tuple[int, float, int]) -> None:
    with pytest.raises(ValueError, match="a limit"):
        Limit(*arguments)


async def test_processes_share_their_limits_through_redis(redis_server: RedisServer) -> None:
    links = [RedisLink(redis_server.url, timeout=20) for _ in range(2)]
    limiters = [Limiter(link) for link in links]
    limit = Limit(10, 600)
    verdicts = await asyncio.gather(*(limiter.check("x", "a", limit) for limiter in limiters for _ in range(20)))
    assert sum(verdict.allowed for verdict in verdicts) == 10
    refused = await limiters[0].check("x", "a", limit)
    assert not refused.allowed
    assert 0 < refused.retry_after <= 60
    assert refused.remaining == 0
    assert 500 < refused.reset_seconds <= 600
    assert (await limiters[1].check("x", "b", limit)).remaining == 9
    assert await links[0].ask(lambda redis: redis.keys("*:a")) == []
    for link in links:
        await link.close()


async def test_redis_refills_by_its_own_clock_and_forgets_full_buckets(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, timeout=1)
    limiter = Limiter(link)
    limit = Limit(2, 1)
    assert [(await limiter.check("x", "a", limit)).allowed for _ in range(3)] == [True, True, False]
    await asyncio.sleep(0.6)
    assert (await limiter.check("x", "a", limit)).allowed
    await asyncio.sleep(1.2)
    assert await link.ask(lambda redis: redis.dbsize()) == 0
    await link.close()


async def test_without_redis_each_process_grants_a_stricter_share(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, timeout=0.2, pause=0.2)
    limiter = Limiter(link, fallback=0.5)
    limit = Limit(10, 600)
    assert (await limiter.check("x", "a", limit)).remaining == 9
    redis_server.stop()
    verdicts = [await limiter.check("x", "a", limit) for _ in range(10)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False] * 5
    assert verdicts[-1].retry_after == pytest.approx(120, abs=2)
    redis_server.start()
    await asyncio.sleep(0.25)
    assert (await limiter.check("x", "a", limit)).remaining == 9
    await link.close()


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:CB00:7107", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),  # as the gateway passes it on
        ("", "unknown"),
        ("unix:", "unknown"),
        ("203.0.113.7, 10.0.0.1", "unknown"),
        ("203.0.113.007", "unknown"),
    ],
)
def test_a_client_is_its_ipv4_address_or_its_ipv6_network(address: str, block: str) -> None:
    assert address_block(address) == block


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1))
def test_addresses_of_one_ipv6_network_are_one_client(address: int, host: int) -> None:
    neighbour = address >> 64 << 64 | host
    if IPv6Address(address).ipv4_mapped is None and IPv6Address(neighbour).ipv4_mapped is None:
        assert address_block(str(IPv6Address(address))) == address_block(str(IPv6Address(neighbour)))


@given(st.integers(0, 2**32 - 1))
def test_ipv4_in_ipv6_clothes_is_the_same_client(address: int) -> None:
    plain = str(IPv4Address(address))
    assert address_block(f"::ffff:{plain}") == address_block(plain) == plain


async def test_the_size_of_a_subject_is_no_matter(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, timeout=1)
    limiter = Limiter(link)
    await limiter.check("x", "s" * 1_000_000, Limit(1, 60))
    (key,) = await link.ask(lambda redis: redis.keys("*"))
    assert sys.getsizeof(key) < 200
    await link.close()
