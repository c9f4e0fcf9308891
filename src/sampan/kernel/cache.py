"""Two tiers of cache for encoded answers: this process's memory and, when configured, Redis.

Each entry has tags (`product:0190…`); invalidating a tag drops every entry that bears it, and no load that
began before may put its result back. In Redis each tag has a version, a random token. An entry there
remembers the tokens from before it was loaded and counts only while all of them are still in force, so a
stale one may lie there but is never served, and a token that was lost makes its entries worthless instead of
eternal.

Redis is never waited for: away, slow or empty is a miss. Invalidations that could not be told to it are told
as soon as it is back, before anything is read from it. A process that dies in between leaves entries that are
stale for at most their `ttl`; so does a process that nobody tells of a change.
"""

import asyncio
import secrets
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from isal import isal_zlib
from msgspec import Struct

from sampan.kernel.likeness import Likeness, Packed
from sampan.kernel.redis_link import RedisAway, RedisLink
from sampan.kernel.shelf import EVERYTHING, Asked, Shelf

if TYPE_CHECKING:
    from redis.asyncio import Redis

_MOST_UNTOLD: Final = 1000
_PATTERN_LIFETIMES: Final = 10  # of an entry, that the pattern of those that are alike is in use


class CacheStats(Struct, frozen=True):
    """Since the start: answers found here, found in Redis, and loaded. And what the memory tier holds now."""

    hits: int
    redis_hits: int
    misses: int
    items: int
    bytes: int


class _Load(Struct, frozen=True, eq=False):
    task: asyncio.Task[bytes]
    asked: Asked


class _Stored(Struct, array_like=True):
    versions: list[bytes]
    value: bytes


class Cache:
    """A named cache: up to `max_items` entries and `max_bytes` in memory, each for up to `ttl` seconds."""

    def __init__(
        self,
        name: str,
        *,
        max_items: int,
        ttl: float,
        redis: RedisLink | None = None,
        max_bytes: int = 64 << 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._ttl = ttl
        self._redis = redis
        self._clock = clock
        self._alike: dict[str, Likeness] = {}
        self._shelf: Shelf[str, bytes | Packed] = Shelf(most=max_items, max_bytes=max_bytes, ttl=ttl, clock=clock)
        self._loads: dict[str, _Load] = {}
        self._untold: dict[str, int] = {}  # invalidated tags that Redis may not know of, each with a turn
        self._turn = 0
        self._telling: asyncio.Task[None] | None = None
        self.hits = 0
        self.redis_hits = 0
        self.misses = 0

    def get(self, key: str) -> bytes | None:
        """What the memory tier holds, without waiting. Only a find is counted; the load counts the miss."""
        found = self._shelf.get(key)
        if found is None:
            return None
        self.hits += 1
        return found.unpack() if isinstance(found, Packed) else found

    async def get_or_load(
        self, key: str, tags: Sequence[str], load: Callable[[], Awaitable[bytes]], *, alike: str = ""
    ) -> bytes:
        """The answer under `key`: from memory, from Redis, or from `load`, which runs once for all who ask.

        `alike` names a kind of answers that have much in common; they are kept packed (see `Likeness`). There are to
        be few kinds, and a key is always of the same.

        The load runs as a task of its own in the context of who asked first: a caller who gives up does not
        take it away from the others. Its failure reaches all who wait, and is not remembered. Every process
        must give a key the same tags.
        """
        found = self.get(key)
        if found is not None:
            return found
        running = self._loads.get(key)
        if running is None or running.asked.is_overtaken(tags):
            asked = self._shelf.ask()
            running = _Load(asyncio.create_task(self._run(key, tuple(tags), asked, load, alike)), asked)
            self._loads[key] = running
            running.task.add_done_callback(_seen)
        return await asyncio.shield(running.task)

    async def invalidate(self, tags: Iterable[str]) -> None:
        """Drop every entry with any of these tags. What is asked for after this returns is loaded afresh."""
        tags = tuple(tags)
        self._shelf.forget(tags)
        if self._redis is None or not tags:
            return
        # From here on nothing is read from Redis before it has been told.
        self._turn += 1
        self._untold.update(dict.fromkeys(tags, self._turn))
        if len(self._untold) > _MOST_UNTOLD:
            self._untold = {EVERYTHING: self._turn}
        try:
            await self._tell(self._redis)
        finally:
            if self._untold and (self._telling is None or self._telling.done()):
                self._telling = asyncio.create_task(self._tell_later(self._redis))

    async def clear(self) -> None:
        """Drop everything."""
        await self.invalidate((EVERYTHING,))

    async def close(self) -> None:
        """Stop telling Redis what it could not be told until now."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    def stats(self) -> CacheStats:
        return CacheStats(self.hits, self.redis_hits, self.misses, len(self._shelf), self._shelf.size)

    # --- loading

    async def _run(
        self, key: str, tags: tuple[str, ...], asked: Asked, load: Callable[[], Awaitable[bytes]], alike: str
    ) -> bytes:
        try:
            versions: list[bytes] | None = None
            if self._redis is not None:
                value, left, versions = await self._read(self._redis, key, tags)
                if value is not None and alike:
                    value = _inflated(value)
                if value is not None:
                    self.redis_hits += 1
                    self._shelf.put(key, self._packed(value, alike), tags, asked, ttl=left)
                    return value
            self.misses += 1
            value = await load()
            put = self._shelf.put(key, self._packed(value, alike), tags, asked)
            if put and self._redis is not None and versions is not None:
                # Other processes have other patterns.
                await self._write(self._redis, key, versions, isal_zlib.compress(value, 2) if alike else value)
            return value
        finally:
            running = self._loads.get(key)
            if running is not None and running.asked is asked:
                del self._loads[key]

    def _packed(self, value: bytes, alike: str) -> bytes | Packed:
        if not alike:
            return value
        likeness = self._alike.get(alike)
        if likeness is None:
            likeness = self._alike[alike] = Likeness(self._ttl * _PATTERN_LIFETIMES, self._clock)
        return likeness.pack(value)

    # --- Redis

    def _entry_key(self, key: str) -> str:
        return f"sampan:cache:{self.name}:{key}"

    def _version_keys(self, tags: Iterable[str]) -> list[str]:
        return [f"sampan:cache-tag:{self.name}:{tag}" for tag in tags]

    async def _read(
        self, redis: RedisLink, key: str, tags: Sequence[str]
    ) -> tuple[bytes | None, float, list[bytes] | None]:
        """The value if in force, its seconds to live, and the versions that a result loaded now will bear."""
        if self._untold and not await self._tell(redis):
            return None, 0, None
        version_keys = self._version_keys((EVERYTHING, *tags))

        async def read(client: "Redis") -> list[Any]:
            async with client.pipeline(transaction=False) as pipe:
                pipe.get(self._entry_key(key))
                pipe.pttl(self._entry_key(key))
                pipe.mget(version_keys)
                return await pipe.execute()

        async def begin_versions(client: "Redis") -> list[bytes | None]:
            # Prolonged by every load, so that a token outlives the entries that bear it.
            lifetime = max(1, int(self._ttl * 2000))
            async with client.pipeline(transaction=False) as pipe:
                for version_key in version_keys:
                    pipe.set(version_key, secrets.token_bytes(8), px=lifetime, nx=True)
                    pipe.pexpire(version_key, lifetime)
                pipe.mget(version_keys)
                return cast(list[bytes | None], (await pipe.execute())[-1])

        try:
            packed, left, versions = await redis.ask(read)
            if packed is not None and left > 0 and None not in versions:
                stored = _unpacked(packed)
                if stored is not None and stored.versions == versions:
                    return stored.value, min(left / 1000, self._ttl), versions
            versions = await redis.ask(begin_versions)
        except RedisAway:
            return None, 0, None
        return None, 0, versions if None not in versions else None

    async def _write(self, redis: RedisLink, key: str, versions: list[bytes], value: bytes) -> None:
        packed = msgspec.msgpack.encode(_Stored(versions, value))
        lifetime = max(1, int(self._ttl * 1000))
        with suppress(RedisAway):
            await redis.ask(lambda client: client.set(self._entry_key(key), packed, px=lifetime))

    async def _tell(self, redis: RedisLink) -> bool:
        """Give the invalidated tags new versions. False when Redis could not be told."""
        telling = dict(self._untold)
        lifetime = max(1, int(self._ttl * 2000))

        async def renew(client: "Redis") -> None:
            async with client.pipeline(transaction=False) as pipe:
                for version_key in self._version_keys(telling):
                    pipe.set(version_key, secrets.token_bytes(8), px=lifetime)
                await pipe.execute()

        try:
            await redis.ask(renew)
        except RedisAway:
            return False
        for tag, turn in telling.items():
            if self._untold.get(tag) == turn:  # else it was invalidated once more meanwhile
                del self._untold[tag]
        return True

    async def _tell_later(self, redis: RedisLink) -> None:
        while self._untold:
            await asyncio.sleep(0.5)
            await self._tell(redis)


def _unpacked(packed: bytes) -> _Stored | None:
    try:
        return msgspec.msgpack.decode(packed, type=_Stored)
    except msgspec.DecodeError:  # written by another version
        return None


def _inflated(value: bytes) -> bytes | None:
    try:
        return zlib.decompress(value)
    except zlib.error:  # written by another version
        return None


def _seen(task: asyncio.Task[bytes]) -> None:
    """A failed load that nobody waits for any more is no "exception never retrieved"."""
    if not task.cancelled():
        task.exception()
