from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from sampan.kernel.redis_link import RedisAway, RedisLink

if TYPE_CHECKING:
    from tests.kernel.conftest import RedisServer


async def test_a_command_is_answered(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url)
    assert await link.ask(lambda redis: redis.set("a", "1"))
    assert await link.ask(lambda redis: redis.get("a")) == b"1"
    assert not link.is_away
    await link.close()


async def test_a_dead_redis_is_left_alone_and_found_again(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, pause=0.2)
    await link.ask(lambda redis: redis.ping())
    redis_server.stop()
    with pytest.raises(RedisAway):
        await link.ask(lambda redis: redis.ping())
    assert link.is_away
    asked = []
    for _ in range(1000):
        with pytest.raises(RedisAway):
            await link.ask(lambda redis: asked.append(1) or redis.ping())  # type: ignore[func-returns-value]
    assert not asked
    redis_server.start()
    await asyncio.sleep(0.25)
    assert await link.ask(lambda redis: redis.ping())
    assert not link.is_away
    await link.close()


async def test_a_silent_redis_costs_one_short_wait(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, timeout=0.05, pause=0.2)
    await link.ask(lambda redis: redis.set("a", "old"))
    redis_server.freeze()
    start = time.monotonic()
    results = await asyncio.gather(*(link.ask(lambda redis: redis.get("a")) for _ in range(50)), return_exceptions=True)
    assert all(isinstance(result, RedisAway) for result in results)
    with pytest.raises(RedisAway):
        await link.ask(lambda redis: redis.get("a"))
    assert time.monotonic() - start < 1.5
    redis_server.thaw()
    await asyncio.sleep(0.25)
    # The late answers to the forgotten questions must not be taken for answers to these.
    assert await link.ask(lambda redis: redis.set("b", "new"))
    assert await asyncio.gather(*(link.ask(lambda redis: redis.get("b")) for _ in range(20))) == [b"new"] * 20
    await link.close()


async def test_a_cancelled_question_leaves_the_connections_usable(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, timeout=1)
    await link.ask(lambda redis: redis.set("a", "1"))
    question = asyncio.ensure_future(link.ask(lambda redis: redis.blpop(["nothing"], 1)))
    await asyncio.sleep(0.05)
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    assert await link.ask(lambda redis: redis.get("a")) == b"1"
    await link.close()


async def test_where_nobody_listens_redis_is_away() -> None:
    link = RedisLink("redis://127.0.0.1:1/0")
    with pytest.raises(RedisAway):
        await link.ask(lambda redis: redis.ping())
    await link.close()
