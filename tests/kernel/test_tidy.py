"""What is too old goes, slice by slice; what cannot go now holds up nothing else."""

import logging
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.conftest import SECRET
from tests.kernel.test_feed import fresh, shown, tell

from sampan.kernel.db import Database, DatabaseUnavailable
from sampan.kernel.feed import Feed, Signals
from sampan.kernel.idempotency import Keys
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import HoldExpired

__all__ = ["fresh"]

KEY = """
INSERT INTO {schema}.idempotency_key (scope, key, request_hash, lease_until, made_at)
SELECT 'test', $1 || n, '', now(), now() - make_interval(hours => $2, secs => 100 - n) FROM generate_series(1, $3) AS n
"""
KEYS = "SELECT key FROM {schema}.idempotency_key ORDER BY made_at"


class Short(Database):
    """A database that is away after so many statements."""

    left = 2

    @asynccontextmanager
    async def read(self) -> Any:
        if not self.left:
            raise DatabaseUnavailable("away", retry_after=1)
        self.left -= 1
        async with super().read() as tx:
            yield tx


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("sampan.kernel.db.SLICE", 10)


async def positions(db) -> list[int]:
    async with db.read() as tx:
        return await tx.many(int, "SELECT position FROM inventory.outbox ORDER BY xid, position")


async def test_old_events_go_in_slices_the_oldest_first_and_what_is_gone_stays_gone(fresh):
    emitter, _ = fresh
    for count in (20, 15):
        await tell(emitter, *(HoldExpired(order_id=uuid7()) for _ in range(count)))
    async with emitter.begin() as tx:
        await tx.execute("UPDATE inventory.outbox SET at = now() - interval '40 days'")
    await tell(emitter, *(HoldExpired(order_id=uuid7()) for _ in range(25)))
    await shown(emitter)
    before = await positions(emitter)
    short = Short(emitter.pool, "inventory")
    short.left = 3  # the first one asks for readers that have gone
    with pytest.raises(DatabaseUnavailable):
        await Feed(short, Signals()).purge(days=30)
    assert await positions(emitter) == before[20:]
    assert await Feed(emitter, Signals()).purge(days=30) == 15
    assert await positions(emitter) == before[35:]


async def test_old_keys_go_in_slices_the_oldest_first_and_what_is_gone_stays_gone(fresh):
    db, _ = fresh
    async with db.begin() as tx:
        await tx.execute(KEY.format(schema="inventory"), "old", 49, 35)
        await tx.execute(KEY.format(schema="inventory"), "young", 47, 25)
    with pytest.raises(DatabaseUnavailable):
        await Keys(Short(db.pool, "inventory"), SECRET).purge()
    assert await Keys(db, SECRET).purge() == 15
    async with db.read() as tx:
        assert await tx.many(str, KEYS.format(schema="inventory")) == [f"young{n}" for n in range(1, 26)]


async def test_events_that_cannot_go_are_told_of_and_hold_up_neither_keys_nor_other_services(shop, monkeypatch, caplog):
    async def away(*, days: int) -> int:
        raise DatabaseUnavailable("the database did not answer")

    monkeypatch.setattr(shop.shop.feeds["orders"], "purge", away)
    for name in ("orders", "payments"):
        async with shop.db(name).begin() as tx:
            await tx.execute(KEY.format(schema=name), "tidy", 49, 1)
    with caplog.at_level(logging.WARNING, "sampan.run"):
        await shop.shop.tidy()
    for name in ("orders", "payments"):
        async with shop.db(name).read() as tx:
            assert "tidy1" not in await tx.many(str, KEYS.format(schema=name))
    assert [(each.levelname, each.service, each.things) for each in caplog.records] == [("WARNING", "orders", "events")]
