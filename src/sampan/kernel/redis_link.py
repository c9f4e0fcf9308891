"""The way to Redis, which may vanish at any moment: a short answer or none, and no waiting for a dead one.

Most shops have no Redis, and its library takes 5 MB of each process: it is imported by the first link.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from sampan.kernel.breaker import Breaker

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")


class RedisAway(Exception):
    """Redis did not answer in time, refused, or is left alone after that. The caller goes on without it."""


class RedisLink:
    """One process's connections to one Redis.

    An answer takes at most `timeout` seconds. After a failure nobody asks for `pause` seconds, so that a dead
    Redis costs nothing; then one caller tries.
    """

    def __init__(self, url: str, *, timeout: float = 0.05, pause: float = 3.0, connections: int = 32) -> None:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        # The time limit of a question is ours alone: redis' own one for sending and reading uses `wait_for`, which in
        # Python 3.11 can forget that time was up.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=None,
            socket_timeout=None,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis.from_pool(pool)
        self._failures = (RedisError, OSError, TimeoutError)
        self._timeout = timeout
        self._breaker = Breaker(failures=1, pause=pause)

    @property
    def is_away(self) -> bool:
        """True while Redis is being left alone."""
        return self._breaker.state == "open"

    async def ask(self, command: "Callable[[Redis], Awaitable[T]]") -> T:
        """The result of `command(redis)`. Raises `RedisAway`: it may or may not have taken effect."""
        if not self._breaker.enter():
            raise RedisAway
        try:
            async with asyncio.timeout(self._timeout):
                result = await command(self._redis)
        except self._failures as error:
            self._breaker.failed()
            raise RedisAway(type(error).__name__) from error
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return result

    async def close(self) -> None:
        await self._redis.aclose()
