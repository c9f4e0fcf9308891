"""A key's answer is kept, and a retry never waits for nobody."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from tests.conftest import SECRET

from sampan.kernel.db import Database, DatabaseUnavailable
from sampan.kernel.errors import Conflict
from sampan.kernel.http import Answer
from sampan.kernel.idempotency import KeyInProgress, Keys


class Away(Database):
    """A database that is away when it is told to be."""

    away = False
    breaks_after = False  # what is asked is done, but nobody hears of it

    @asynccontextmanager
    async def read(self) -> Any:
        if self.away:
            raise DatabaseUnavailable("away", retry_after=1)
        async with super().read() as tx:
            yield tx
        if self.breaks_after:
            raise DatabaseUnavailable("the database did not answer", retry_after=1)


@pytest.fixture
def db(shop: Any) -> Away:
    return Away(shop.db("orders").pool, "orders")


async def once(keys: Keys, key: str, work: Any) -> Any:
    return await keys.once(scope="test", key=key, request=b"the same", work=work)


async def eventually_answered(keys: Keys, key: str, work: Any) -> Any:
    for _ in range(100):
        try:
            return await once(keys, key, work)
        except KeyInProgress:
            await asyncio.sleep(0.05)
    raise AssertionError("the key is never free")


async def answer() -> Answer:
    return Answer(201, uuid4().hex.encode())


async def test_a_retry_after_an_outage_does_not_wait_for_the_lease(db: Away) -> None:
    key, keys = uuid4().hex, Keys(db, SECRET)

    async def broken() -> Answer:
        db.away = True
        raise DatabaseUnavailable("the database did not answer", retry_after=1)

    with pytest.raises(DatabaseUnavailable):
        await once(keys, key, broken)
    db.away = False
    assert (await eventually_answered(Keys(db, SECRET), key, answer)).status == 201  # also in another process


async def test_a_claim_that_nobody_heard_of_does_not_keep_the_retry_waiting(db: Away) -> None:
    key, keys = uuid4().hex, Keys(db, SECRET)
    db.breaks_after = True
    with pytest.raises(DatabaseUnavailable):
        await once(keys, key, answer)
    db.breaks_after = False
    with pytest.raises(KeyInProgress):
        await once(Keys(db, SECRET), key, answer)
    assert (await eventually_answered(Keys(db, SECRET), key, answer)).status == 201


async def test_what_was_done_is_answered_though_its_answer_could_not_be_kept_at_once(db: Away) -> None:
    key, keys = uuid4().hex, Keys(db, SECRET)

    async def done() -> Answer:
        db.away = True
        return await answer()

    first = await once(keys, key, done)
    db.away = False
    again = await eventually_answered(Keys(db, SECRET), key, answer)
    assert again.body == first.body
    assert (b"idempotency-replayed", b"true") in again.headers


async def test_who_was_too_slow_does_not_free_the_key_of_who_came_after(db: Away) -> None:
    key, keys = uuid4().hex, Keys(db, SECRET)
    started, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Answer:
        started.set()
        await goes_on.wait()
        raise Conflict("too late")

    first = asyncio.create_task(once(keys, key, slow))
    await started.wait()
    async with db.begin() as tx:
        await tx.execute("UPDATE orders.idempotency_key SET lease_until = now() - interval '1 s' WHERE key = $1", key)
    other = asyncio.Event()

    async def second() -> Answer:
        goes_on.set()
        with pytest.raises(Conflict):
            await first
        with pytest.raises(KeyInProgress):
            await once(keys, key, answer)
        other.set()
        return await answer()

    assert (await once(keys, key, second)).status == 201
    assert other.is_set()


async def test_a_refusal_does_not_burn_the_key(db: Away) -> None:
    key, keys = uuid4().hex, Keys(db, SECRET)

    async def refused() -> Answer:
        raise Conflict("not now")

    with pytest.raises(Conflict):
        await once(keys, key, refused)
    assert (await once(keys, key, answer)).status == 201
