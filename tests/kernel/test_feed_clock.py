"""A feed in a database that was moved to another cluster, whose transaction ids are behind those in the feed."""

import asyncio

import asyncpg
import pytest
from tests.conftest import settings_for
from tests.kernel.test_feed import drain, emit, fresh, listener, note, seen, tell

from sampan.kernel.feed import ERA, Feed, Signals, is_behind, wind_clock
from sampan.kernel.ids import uuid7
from sampan.run import migrate_all
from sampan.services.inventory.contract import HoldExpired

__all__ = ["fresh"]
AGO = 1_000_000_000  # transactions that the former cluster had made more than this one


@pytest.fixture
async def admin(fresh):
    emitter, _ = fresh
    async with emitter.pool.acquire() as connection:
        yield connection


async def move(connection: asyncpg.Connection) -> None:
    """What a dump and its restoration into a young cluster leave: ids of the old cluster, in rows and cursors."""
    await connection.execute(f"UPDATE inventory.outbox SET xid = (xid::text::bigint + {AGO})::text::xid8")
    await connection.execute(f"UPDATE notifications.consumer SET xid = xid + {AGO} WHERE xid > 0")


async def test_after_a_move_the_unread_events_and_the_new_ones_arrive_once_and_in_order(fresh, admin):
    emitter, reader = fresh
    consumer = listener(emitter, reader)
    read, unread, new = ([uuid7() for _ in range(5)] for _ in range(3))
    for order in read:
        await emit(emitter, order)
    await drain(consumer)
    await emit(emitter, *unread)
    await move(admin)

    await tell(emitter, HoldExpired(order_id=new[0]))
    assert await consumer.step() == 0
    assert await seen(reader) == list(map(str, read)), "without the clock what is unread is hidden, what is new is lost"
    await admin.execute("DELETE FROM inventory.outbox WHERE body ->> 'order_id' = $1", str(new[0]))

    assert await is_behind(admin, "inventory")
    assert await wind_clock(admin, "inventory")
    for order in new:
        await emit(emitter, order)
    await drain(consumer)
    await drain(listener(emitter, reader))
    assert await seen(reader) == list(map(str, [*read, *unread, *new]))
    assert not await Feed(emitter, Signals()).is_hiding()


async def test_a_feed_that_is_moved_twice_goes_on_twice(fresh, admin):
    emitter, reader = fresh
    consumer = listener(emitter, reader)
    orders = [uuid7() for _ in range(3)]
    await emit(emitter, orders[0])
    await drain(consumer)
    for order in orders[1:]:
        await move(admin)
        # The second time the ids are those of the first era, plus the offset of a cluster that was far on.
        assert await wind_clock(admin, "inventory")
        await emit(emitter, order)
        await drain(consumer)
        assert await admin.fetchval("SELECT max(xid)::text::bigint FROM inventory.outbox") > ERA
        await admin.execute(
            "CREATE OR REPLACE FUNCTION inventory.feed_xid(id xid8) RETURNS xid8 LANGUAGE sql IMMUTABLE AS 'SELECT id'"
        )
    assert await seen(reader) == list(map(str, orders))


async def test_a_reader_at_the_end_gets_what_comes_after_the_move(fresh, admin):
    emitter, _ = fresh
    feed = Feed(emitter, Signals())
    await emit(emitter, uuid7())
    await move(admin)
    await wind_clock(admin, "inventory")
    end = await feed.end()
    assert await feed.events_after(cursor=end) == []
    await emit(emitter, uuid7())
    assert len(await feed.events_after(cursor=end)) == 1


async def test_a_feed_in_its_own_cluster_is_left_alone(fresh, admin):
    emitter, _ = fresh
    assert not await is_behind(admin, "inventory")
    await emit(emitter, uuid7())
    async with emitter.begin() as tx:
        await tx.execute("SELECT pg_current_xact_id()")  # one that runs
        assert not await wind_clock(admin, "inventory")
    source = await admin.fetchval("SELECT prosrc FROM pg_proc WHERE oid = 'inventory.feed_xid(xid8)'::regprocedure")
    assert source == "SELECT id"


async def test_every_start_looks_at_the_clocks_and_two_at_once_wind_them_once(place, tmp_path):
    url = await place.new_database()
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO orders.outbox (xid, id, name, body, request_id, actor) "
        f"VALUES ('{AGO}', gen_random_uuid(), 'orders.order_placed.v1', '{{}}', '', '')"
    )
    barrier = asyncio.Barrier(2)

    async def start() -> None:
        await barrier.wait()
        await migrate_all(settings_for(tmp_path), url)

    await asyncio.gather(start(), start())
    assert not await is_behind(connection, "orders")
    assert await connection.fetchval("SELECT orders.feed_xid('7')::text::bigint") == ERA + 7
    await connection.close()


async def test_old_events_are_forgotten_but_the_newest_stays_to_tell_the_time(fresh, admin):
    emitter, reader = fresh
    for _ in range(3):
        await emit(emitter, uuid7())
    await drain(listener(emitter, reader, note))
    await admin.execute("UPDATE inventory.outbox SET at = now() - interval '40 days'")
    assert await Feed(emitter, Signals()).purge(days=30) == 2
    await move(admin)
    assert await is_behind(admin, "inventory")
