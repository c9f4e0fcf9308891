"""What the shop stands on dies hard while people buy: no wrong answer, nothing acknowledged is lost, it heals alone."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from tests.conftest import dice, effort
from tests.journeys.conftest import Merchant
from tests.kernel.conftest import RedisServer
from tests.processes.conftest import House, children_of, command_line, eventually, frozen, moved_in
from tests.processes.crowd import Crowd
from tests.town import DISAGREEMENTS

from sampan.kernel.postgres import EmbeddedPostgres

SHOPPERS = 6
STOCK = 100_000
PATIENCE = 3.0  # seconds for a statement


def postgres_of(house: House) -> int:
    pid: int = eventually(lambda: house.child("postgres"), 60)
    return pid


def hard(house: House) -> None:
    """kill -9 of PostgreSQL's first process."""
    os.kill(postgres_of(house), signal.SIGKILL)


def immediately(house: House) -> None:
    """PostgreSQL's immediate shutdown: all sessions are cut off, recovery follows."""
    os.kill(postgres_of(house), signal.SIGQUIT)


def sessions(house: House) -> None:
    """kill -9 of a session of PostgreSQL in the middle of its work: all others are cut off with it."""
    for pid in children_of(postgres_of(house)):
        if "sampan" in command_line(pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return


def hung(house: House) -> None:
    """PostgreSQL answers nothing, for longer than anybody waits for a statement (and than readers look away)."""
    with frozen(postgres_of(house)):
        time.sleep(PATIENCE + 5)


async def bought_while(house: House, key: str, happens: list[Callable[[], Any]], *, every: float) -> Crowd:
    """People buy; one thing after the other happens; they go on for a while and leave."""
    async with httpx.AsyncClient(base_url=house.url, timeout=20, trust_env=False) as http:
        crowd = Crowd(house.url, await Merchant(http, key).product(stock=STOCK))
    shopping = asyncio.create_task(crowd.shop(SHOPPERS))
    for happening in happens:
        await asyncio.sleep(every)
        before = len(crowd.bought)
        await asyncio.to_thread(happening)
        until = time.monotonic() + 60
        while len(crowd.bought) < before + 2 * SHOPPERS and not shopping.done():  # they buy again
            assert time.monotonic() < until, f"nobody buys any more: {crowd.answers}"
            await asyncio.sleep(0.1)
    await asyncio.sleep(every)
    crowd.over = True
    await shopping
    print(f"{len(crowd.bought)} orders, answers {dict(crowd.answers)}, the slowest after {crowd.slowest:.1f} s")
    print(f"{crowd.corrected} carts were corrected")
    return crowd


async def disagreements(house: House) -> list[str]:
    connection = await asyncpg.connect(EmbeddedPostgres(house.home / "postgres").url(), timeout=10)
    try:
        return [row[0] for sql in DISAGREEMENTS for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def all_is_there(house: House, key: str, crowd: Crowd) -> None:
    """Every acknowledged order is placed and worked on once, and no other was made; the stock says the same."""
    assert crowd.wrong == []
    until = time.monotonic() + 60
    while (found := await disagreements(house)) and time.monotonic() < until:  # the work behind catches up
        await asyncio.sleep(0.5)
    assert found == []
    async with httpx.AsyncClient(base_url=house.url, timeout=20, trust_env=False) as http:
        for order, token in crowd.bought.items():
            while (
                answer := await http.get(f"/api/v1/orders/{order}", headers={"x-order-token": token})
            ).status_code == 429:
                await asyncio.sleep(float(answer.headers["retry-after"]))
            assert answer.json()["status"] == "placed", answer.text
        left = await Merchant(http, key).available(crowd.product["variant_id"])
    connection = await asyncpg.connect(EmbeddedPostgres(house.home / "postgres").url(), timeout=10)
    try:
        made = await connection.fetchval(
            "SELECT count(*) FROM orders.sales_order o JOIN orders.order_line l ON l.order_id = o.id "
            "WHERE l.variant_id = $1 AND o.status <> 'cancelled'",
            crowd.product["variant_id"],
        )
    finally:
        await connection.close()
    assert made == len(crowd.bought)
    assert left == STOCK - 2 * made


def books_are_right(house: House) -> None:
    done = house.command("invariants")
    assert done.returncode == 0, done.stdout + done.stderr


def opened(house: House) -> str:
    house.start()
    done = house.command("key", "create", "tests", "--permissions", "all")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def market(migrated: Path) -> Any:
    """A shop whose limits are out of the way: what is tested is not how fast one may buy."""
    house = moved_in(migrated, "market")
    house.environment |= {"SAMPAN_RATE_LIMITS": "no", "SAMPAN_DATABASE_SECONDS": str(PATIENCE)}
    key = opened(house)
    yield house, key
    house.end_all()
    shutil.rmtree(house.home, ignore_errors=True)


def test_postgresql_dies_hard_while_people_buy(market: Any) -> None:
    house, key = market
    blows = dice("blows").sample([hard, immediately, sessions] * effort(1, 4), effort(2, 12))
    print([blow.__name__ for blow in blows])
    crowd = asyncio.run(bought_while(house, key, [partial(blow, house) for blow in blows], every=effort(1, 3)))
    assert crowd.answers["503"] + crowd.answers["no answer"] > 0, "nobody noticed"
    asyncio.run(all_is_there(house, key, crowd))
    books_are_right(house)


def test_postgresql_hangs_while_people_buy(market: Any) -> None:
    house, key = market
    processes = house.children()
    crowd = asyncio.run(bought_while(house, key, [partial(hung, house)], every=1))
    assert crowd.answers["503"] > 0, "nobody noticed"
    asyncio.run(all_is_there(house, key, crowd))
    assert house.children() == processes, "a process ended"
    books_are_right(house)


def test_processes_die_while_people_buy(market: Any) -> None:
    house, key = market
    deaths = [lambda: house.kill("web"), lambda: house.kill("background")] * effort(1, 6)
    crowd = asyncio.run(bought_while(house, key, deaths, every=effort(1, 2)))
    asyncio.run(all_is_there(house, key, crowd))
    books_are_right(house)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer(binary, str(tmp_path))
    server.start()
    yield server
    server.stop()


def test_redis_dies_while_people_buy_and_nobody_notices(migrated: Path, redis: RedisServer) -> None:
    house = moved_in(migrated, "with-redis")
    house.environment |= {"SAMPAN_REDIS_URL": redis.url, "SAMPAN_TRUSTED_PROXIES": "127.0.0.1"}
    try:
        key = opened(house)
        happens = [redis.stop, redis.start, redis.freeze, redis.thaw]
        crowd = asyncio.run(bought_while(house, key, happens * effort(1, 4), every=effort(1, 3)))
        assert set(crowd.answers) <= {"200", "201", "429"}
        asyncio.run(all_is_there(house, key, crowd))
        books_are_right(house)
    finally:
        house.end_all()
        shutil.rmtree(house.home, ignore_errors=True)
