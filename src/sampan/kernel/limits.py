"""Rate limits: so many times in so long, for one subject (an address, an account, a key) and one operation.

A token bucket, kept as one number per subject (the generic cell rate algorithm of ATM traffic control): the
moment at which the bucket will be full again. With Redis the buckets are shared by all processes; without it,
or while it is away, each process keeps its own.
"""

import hashlib
import math
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, cast

from msgspec import Struct

from sampan.kernel.errors import TooManyRequests
from sampan.kernel.redis_link import RedisAway, RedisLink


class Limit(Struct, frozen=True):
    """`times` per `seconds` in the long run, `burst` at once (as many as `times` unless given)."""

    times: int
    seconds: float
    burst: int = 0

    def __post_init__(self) -> None:
        if self.times < 1 or self.seconds <= 0 or self.burst < 0:
            raise ValueError("a limit is at least once in more than no time")

    @property
    def interval(self) -> float:
        """Seconds after which one more is allowed."""
        return self.seconds / self.times

    @property
    def capacity(self) -> int:
        return self.burst or self.times


class Verdict(Struct, frozen=True):
    """`remaining` could follow at once; after `reset_seconds` of rest the whole burst is back.

    `retry_after` is zero when allowed, else the seconds until the same request will be.
    """

    allowed: bool
    remaining: int
    reset_seconds: float
    retry_after: float


# KEYS[1] a bucket. ARGV: microseconds this request costs, microseconds the bucket holds. The clock is that of
# Redis. Returns: allowed, microseconds until the bucket is full, microseconds until the request fits.
_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
if full < now then full = now end
local after = full + cost
if after - now > capacity then
  return {0, full - now, after - now - capacity}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, after - now, 0}
"""


class Limiter:
    """Decides who has to wait.

    `fallback` is the share of a limit that one process grants while Redis is away.
    Memory is bounded: each limit name keeps `max_subjects`, forgetting the one that was quiet for longest.
    """

    def __init__(
        self,
        redis: RedisLink | None = None,
        *,
        fallback: float = 0.5,
        max_subjects: int = 50_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._fallback = fallback
        self._max_subjects = max_subjects
        self._clock = clock
        self._full_at: dict[str, dict[str, float]] = {}

    async def check(self, name: str, subject: str, limit: Limit, *, cost: int = 1) -> Verdict:
        """Take `cost` from the subject's bucket of this name, if it holds that much. A refusal takes nothing.

        Without Redis this never waits.
        """
        if self._redis is None:
            return self._check_here(name, subject, limit.interval, limit.capacity, cost)
        try:
            return await self._check_there(self._redis, name, subject, limit, cost)
        except RedisAway:
            share = self._fallback
            capacity = max(1, math.floor(limit.capacity * share))
            return self._check_here(name, subject, limit.interval / share, capacity, cost)

    async def spend(self, name: str, subject: str, limit: Limit, *, cost: int = 1) -> None:
        """As `check`, but raises `TooManyRequests` with the facts `retry_after` in whole seconds and `rate_limit`.

        `rate_limit` tells of the limit itself: its name, how many fit at once, and after how many seconds again.
        """
        verdict = await self.check(name, subject, limit, cost=cost)
        if not verdict.allowed:
            wait = max(1, math.ceil(verdict.retry_after))
            window = math.ceil(limit.capacity * limit.interval)
            raise TooManyRequests("too many requests", retry_after=wait, rate_limit=[name, limit.capacity, window])

    def _check_here(self, name: str, subject: str, interval: float, capacity: int, cost: int) -> Verdict:
        buckets = self._full_at.get(name)
        if buckets is None:
            buckets = self._full_at[name] = {}
        now = self._clock()
        # Taken out and put back, so that the dict is ordered by the last request.
        full = max(buckets.pop(subject, now), now)
        after = full + cost * interval
        holds = capacity * interval
        if after - now > holds * (1 + 1e-9):
            if full > now:
                buckets[subject] = full
            return _verdict(False, full - now, after - now - holds, interval, capacity)
        buckets[subject] = after
        if len(buckets) > self._max_subjects:
            del buckets[next(iter(buckets))]
        return _verdict(True, after - now, 0.0, interval, capacity)

    async def _check_there(self, redis: RedisLink, name: str, subject: str, limit: Limit, cost: int) -> Verdict:
        # Hashed, so that Redis holds no addresses and no telephone numbers.
        key = f"sampan:limit:{name}:{hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()}"
        interval, capacity = limit.interval, limit.capacity
        arguments = (str(round(cost * interval * 1e6)), str(round(capacity * interval * 1e6)))
        allowed, full_in, fits_in = await redis.ask(
            lambda client: cast(Awaitable[list[Any]], client.eval(_SCRIPT, 1, key, *arguments))
        )
        return _verdict(bool(allowed), full_in / 1e6, fits_in / 1e6, interval, capacity)


def _verdict(allowed: bool, full_in: float, fits_in: float, interval: float, capacity: int) -> Verdict:
    remaining = max(0, math.floor(capacity - full_in / interval + 1e-6))
    return Verdict(allowed=allowed, remaining=remaining, reset_seconds=full_in, retry_after=fits_in)


def client_behind(proxies: frozenset[str], peer: str, forwarded: str) -> str:
    """Whose address it is that `peer` asks for: read from the right, the first one that is none of our proxies.

    Each proxy writes at the end of X-Forwarded-For who asked it, so what a stranger wrote there stands to the left.
    """
    hops = forwarded.split(",") if forwarded else []
    while hops and is_within(peer, proxies):
        peer = hops.pop().strip()[:45]
    return peer


@lru_cache(maxsize=4096)
def is_within(address: str, networks: frozenset[str]) -> bool:
    """Whether it is one of these addresses, or in one of these networks (`10.0.0.0/8`). What is no address is not."""
    try:
        found = _plain(ip_address(address.strip().partition("%")[0]))
    except ValueError:
        return False
    return any(found in network for network in _networks(networks))


@lru_cache(maxsize=16)
def _networks(networks: frozenset[str]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(network, strict=False) for network in networks]


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """IPv4 written as IPv6 (`::ffff:203.0.113.7`) is IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=65_536)
def address_block(address: str) -> str:
    """The network that one client can be taken to own: an IPv4 address itself, the /64 of an IPv6 address.

    IPv4 written as IPv6 (`::ffff:203.0.113.7`) is IPv4. A block that another process worked out stays what it is.
    What is no address is `unknown`, one block for all of them.
    """
    try:
        parsed = _plain(ip_address(address.strip().removesuffix("/64").partition("%")[0]))
    except ValueError:
        return "unknown"
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64" if isinstance(parsed, IPv6Address) else str(parsed)
