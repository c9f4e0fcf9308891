import asyncio

import asyncpg
import pytest
import pytest_asyncio

from sampan.kernel.db import Database, DatabaseUnavailable, open_pool
from sampan.kernel.pool import Pool

SLEEP = "SELECT pg_sleep(30)"


@pytest_asyncio.fixture
async def url(place):
    return place.url("postgres")


@pytest_asyncio.fixture
async def pool(url):
    made = await open_pool(url, size=2)
    yield made
    await made.close()


async def pid(connection) -> int:
    return await connection.fetchval("SELECT pg_backend_pid()")


async def is_running(url, wanted: int) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", wanted) > 0
    finally:
        await connection.close()


async def test_the_connection_that_was_used_last_is_taken_first(pool):
    one, two = await pool.take(1), await pool.take(1)
    pool.give(one)
    pool.give(two)
    assert await pool.take(1) is two
    assert await pool.take(1) is one
    pool.give(one)
    pool.give(two)


async def test_who_finds_none_free_waits_for_one_in_the_order_of_asking(pool):
    one, two = await pool.take(1), await pool.take(1)
    order = []

    async def ask(name: str) -> None:
        connection = await pool.take(5)
        order.append(name)
        pool.give(connection)

    tasks = []
    for name in "abc":
        tasks.append(asyncio.create_task(ask(name)))
        await asyncio.sleep(0)
    assert order == []
    pool.give(one)
    pool.give(two)
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]


async def test_nobody_waits_longer_than_he_said_and_no_connection_is_lost_by_it(pool):
    one, two = await pool.take(1), await pool.take(1)
    for _ in range(20):
        with pytest.raises(TimeoutError):
            await pool.take(0.001)
    pool.give(one)
    pool.give(two)
    assert {await pool.take(1), await pool.take(1)} == {one, two}
    pool.give(one)
    pool.give(two)


async def test_a_connection_handed_to_somebody_who_gave_up_goes_to_the_next(pool):
    one, two = await pool.take(1), await pool.take(1)
    first = asyncio.create_task(pool.take(5))
    second = asyncio.create_task(pool.take(5))
    await asyncio.sleep(0)
    pool.give(one)
    first.cancel()  # in the same moment
    assert await asyncio.wait_for(second, 1) is one
    assert (await asyncio.gather(first, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    pool.give(one)
    pool.give(two)


async def test_a_connection_that_was_left_in_a_transaction_is_not_given_to_others(pool, url):
    connection = await pool.take(1)
    lost = await pid(connection)
    await connection.execute("BEGIN")
    pool.give(connection)
    async with pool.acquire() as other:
        assert await pid(other) != lost
    for _ in range(100):
        if not await is_running(url, lost):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the server still has the connection")


async def test_an_abandoned_query_is_stopped_and_its_place_is_free_again(pool, url):
    async def sleep() -> None:
        async with pool.acquire() as connection:
            asked.set_result(await pid(connection))
            await connection.execute(SLEEP)

    for _ in range(3):
        asked = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(sleep())
        abandoned = await asked
        await asyncio.sleep(0.1)  # the server has begun; before, there is nothing to stop
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for _ in range(100):
            if not await is_running(url, abandoned):
                break
            await asyncio.sleep(0.02)
        else:
            raise AssertionError("the server still sleeps for nobody")
    async with pool.acquire(), pool.acquire() as second:
        assert await second.fetchval("SELECT 1") == 1


async def test_a_connection_the_server_ended_is_replaced(pool, url):
    async with pool.acquire() as connection:
        victim = await pid(connection)
    killer = await asyncpg.connect(url)
    await killer.execute("SELECT pg_terminate_backend($1)", victim)
    await killer.close()
    database = Database(pool, "public")
    for _ in range(50):
        try:
            async with database.read() as tx:
                assert await tx.one(int, "SELECT pg_backend_pid()") != victim
                return
        except DatabaseUnavailable:  # until the news of its end has arrived
            await asyncio.sleep(0.02)
    raise AssertionError("the pool does not heal")


async def test_a_server_that_cannot_be_reached_does_not_use_up_places():
    tries = 0

    async def refuse():
        nonlocal tries
        tries += 1
        raise ConnectionRefusedError

    pool = Pool(refuse, size=1)
    for _ in range(5):
        with pytest.raises(ConnectionRefusedError):
            await pool.take(1)
    assert tries == 5


async def test_a_closed_pool_gives_nothing_and_refuses_who_waits(url):
    pool = await open_pool(url, size=1)
    connection = await pool.take(1)
    waiting = asyncio.create_task(pool.take(5))
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close())
    with pytest.raises(asyncpg.InterfaceError):
        await waiting
    pool.give(connection)
    await closing
    with pytest.raises(asyncpg.InterfaceError):
        await pool.take(1)


async def test_connections_that_nobody_needed_are_closed(pool, monkeypatch):
    one, two = await pool.take(1), await pool.take(1)
    pool.give(one)
    pool.give(two)
    monkeypatch.setattr("sampan.kernel.pool.IDLE", 0.0)
    pool.give(await pool.take(1))
    assert one.is_closed()
    assert not two.is_closed()


@pytest.mark.parametrize("turns", range(6))
async def test_who_is_told_to_stop_stops_whatever_happens_to_the_server_in_the_same_moment(turns):
    """A consumer whose stop was forgotten kept its process alive for ever: a server that goes away with us is common."""
    gate = asyncio.get_running_loop().create_future()

    async def open_one():
        await gate

    pool = Pool(open_one, size=1)
    task = asyncio.create_task(pool.take(5))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gate.set_exception(ConnectionRefusedError())
    for _ in range(turns):
        await asyncio.sleep(0)
    told = task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() is told
