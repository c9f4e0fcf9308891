import asyncio
from uuid import UUID, uuid4

import pytest
from msgspec import Struct

from sampan.kernel.connect import connect
from sampan.kernel.context import Actor, working_as
from sampan.kernel.db import CalledInTransaction, Database, DatabaseUnavailable, open_pool, telling
from sampan.kernel.errors import NotFound
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.auth.contract import Auth
from sampan.services.auth.store import ApiKey, FoundKey
from sampan.services.inventory.contract import HoldExpired, LowStock


class Tag(Struct):
    label: str


class Shown(Struct):
    name: str
    price: Money
    before: Money | None
    tags: list[Tag]


async def test_a_row_becomes_a_struct_with_money_and_json(shop):
    async with shop.db("auth").read() as tx:
        found = await tx.one(
            Shown, "SELECT 'a', 5::bigint, 'VND', NULL::bigint, NULL::text, '[{\"label\": \"x\"}]'::jsonb"
        )
    assert found == Shown("a", Money(5, "VND"), None, [Tag("x")])


async def test_what_is_not_there_is_not_found(shop):
    async with shop.db("auth").read() as tx:
        assert await tx.maybe(FoundKey, "SELECT id, permissions FROM auth.api_key WHERE id = $1", uuid4()) is None
        with pytest.raises(NotFound):
            await tx.one(ApiKey, "SELECT id FROM auth.api_key WHERE id = $1", uuid4())


async def test_no_peer_is_called_inside_a_transaction(shop):
    client = connect(Auth, shop.actions("auth"))
    async with shop.db("auth").begin():
        with pytest.raises(CalledInTransaction):
            await client.find_actor(token="x")
        with pytest.raises(CalledInTransaction):
            async with shop.db("auth").begin():
                pass
    assert await client.find_actor(token="x") is None


async def test_an_event_is_written_with_its_transaction_or_not_at_all(shop):
    db, order = shop.db("inventory"), uuid7()

    async def count() -> int:
        async with db.read() as tx:
            return await tx.one(int, "SELECT count(*) FROM inventory.outbox WHERE body ->> 'order_id' = $1", str(order))

    with pytest.raises(RuntimeError):
        async with db.begin() as tx:
            await tx.emit(HoldExpired(order_id=order))
            raise RuntimeError
    assert await count() == 0
    with working_as(Actor(kind="staff", id="7"), request="r-1"):
        async with db.begin() as tx:
            await tx.emit(HoldExpired(order_id=order))
    assert await count() == 1
    async with db.read() as tx:
        row = await tx.connection.fetchrow(
            "SELECT request_id, actor FROM inventory.outbox WHERE body ->> 'order_id' = $1", str(order)
        )
    assert tuple(row) == ("r-1", "staff:7")


async def test_a_statement_writes_what_is_told_of_it_if_it_did_it(shop):
    db, order = shop.db("inventory"), uuid7()
    woken: list[str] = []
    db = Database(db.pool, db.schema, woken.append)
    closing = f"""
        WITH done AS (
            INSERT INTO inventory.hold (order_id, status, attempt, province_code, first_held_at, closed)
            VALUES ($1, 'released', 1, '', now(), true) ON CONFLICT (order_id) DO NOTHING RETURNING order_id
        ), {telling("inventory", "$2", of="done")}
        SELECT order_id FROM done
    """

    async def close() -> UUID | None:
        async with db.read() as tx:
            await tx.emit(HoldExpired(order_id=order), LowStock(order, order, 1, 2))
            return await tx.maybe(UUID, closing, order, tx.take_events())

    with working_as(Actor(kind="staff", id="7"), request="r-1"):
        assert await close() == order
    assert woken == ["inventory"]
    assert await close() is None
    async with db.read() as tx:
        rows = await tx.connection.fetch(
            "SELECT name, request_id, actor FROM inventory.outbox WHERE body::text LIKE $1 ORDER BY position",
            f"%{order}%",
        )
    names = [HoldExpired.name, LowStock.name]
    assert [tuple(row) for row in rows] == [(name, "r-1", "staff:7") for name in names]


async def test_what_is_emitted_outside_of_a_transaction_is_taken_by_a_statement_or_refused(shop):
    with pytest.raises(ValueError, match="no statement took them"):
        async with shop.db("inventory").read() as tx:
            await tx.emit(HoldExpired(order_id=uuid7()))


async def test_a_service_emits_its_own_events_only(shop):
    async with shop.db("auth").begin() as tx:
        with pytest.raises(ValueError, match="auth cannot emit"):
            await tx.emit(HoldExpired(order_id=uuid7()))


async def test_a_statement_that_takes_too_long_is_a_refusal_to_try_again_later(shop):
    with pytest.raises(DatabaseUnavailable):
        async with shop.db("auth").begin() as tx:
            await tx.execute("SET LOCAL statement_timeout = '20ms'")
            await tx.execute("SELECT pg_sleep(1)")


async def test_a_statement_that_is_not_answered_is_a_refusal_to_try_again_later(shop):
    pool = await open_pool(shop.url, size=1, patience=1.0)
    db = Database(pool, "auth")
    for way in (db.read, db.begin):
        with pytest.raises(DatabaseUnavailable) as refusal:
            async with way() as tx:
                await tx.execute("SELECT pg_sleep(8)")
        assert refusal.value.facts["retry_after"] == 2
    async with db.read() as tx:
        assert await tx.one(int, "SELECT 1") == 1
    await pool.close()


async def test_whoever_gives_up_himself_is_not_told_that_the_database_is_away(shop):
    for way in (shop.db("auth").read, shop.db("auth").begin):

        async def wait(way=way) -> None:
            async with way() as tx:
                await tx.execute("SELECT pg_sleep(8)")

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await wait()
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_after_commit_runs_after_the_commit_and_not_after_a_rollback(shop):
    ran = []
    async with shop.db("auth").begin() as tx:
        tx.after_commit(lambda: ran.append("committed"))
        assert ran == []
    assert ran == ["committed"]
    with pytest.raises(RuntimeError):
        async with shop.db("auth").begin() as tx:
            tx.after_commit(lambda: ran.append("never"))
            raise RuntimeError
    assert ran == ["committed"]


async def test_ids_are_ordered_by_time_and_unique():
    ids = []
    for _ in range(3):
        ids.append(uuid7())
        await asyncio.sleep(0.002)
    assert ids == sorted(ids)
    assert len({uuid7() for _ in range(10_000)}) == 10_000
    assert ids[0].version == 7
