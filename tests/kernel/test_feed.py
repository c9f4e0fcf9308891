"""Events: in commit order, each taking effect once, nothing lost behind a slow transaction, the bad ones parked."""

import asyncio
import contextvars
from contextlib import suppress

import pytest

from sampan.kernel import consumers, context
from sampan.kernel.consumers import Consumer, in_batches
from sampan.kernel.errors import RemoteUnavailable
from sampan.kernel.events import Cursor
from sampan.kernel.feed import Feed, Signals
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import HoldExpired, LowStock


@pytest.fixture
async def fresh(place):
    """A database of this test's own: inventory emits, notifications listens."""
    from sampan.kernel.db import Database, open_pool

    pool = await open_pool(await place.new_database())
    emitter, reader = Database(pool, "inventory"), Database(pool, "notifications")
    async with reader.begin() as tx:
        await tx.execute("CREATE TABLE notifications.seen (n bigserial, order_id uuid)")
    yield emitter, reader
    await pool.close()


async def emit(db, *orders) -> None:
    await tell(db, *(HoldExpired(order_id=order) for order in orders))
    await shown(db)


async def tell(db, *events) -> None:
    async with db.begin() as tx:
        await tx.emit(*events)


async def shown(db) -> None:
    """Until readers see all there is: any transaction of the cluster, of its own housekeeping too, hides events."""
    while await Feed(db, Signals()).is_hiding():
        await asyncio.sleep(0.005)


async def seen(db) -> list:
    async with db.read() as tx:
        return await tx.many(str, "SELECT order_id::text FROM notifications.seen ORDER BY n")


async def note(_, tx, event: HoldExpired) -> None:
    await tx.execute("INSERT INTO notifications.seen (order_id) VALUES ($1)", event.order_id)


def listener(emitter, reader, handler=note) -> Consumer:
    return Consumer(reader, object(), "inventory", Feed(emitter, Signals()), {HoldExpired: handler})


async def drain(consumer) -> None:
    await shown(consumer.feed.db)
    while await consumer.step():
        pass


async def test_each_event_takes_effect_once_in_order(fresh):
    emitter, reader = fresh
    orders = [uuid7() for _ in range(25)]
    for order in orders:
        await emit(emitter, order)
    consumer = listener(emitter, reader)
    await drain(consumer)
    await drain(listener(emitter, reader))
    assert await seen(reader) == [str(order) for order in orders]


async def test_what_a_handler_emits_bears_the_request_that_caused_it(fresh):
    emitter, _ = fresh
    order = uuid7()
    with context.working_as(context.Actor(kind="staff", id="anna"), request="r-1"):
        await emit(emitter, order)

    async def tell_on(_, tx, event: HoldExpired) -> None:
        await tx.emit(LowStock(variant_id=event.order_id, warehouse_id=order, available=1, threshold=2))

    await drain(Consumer(emitter, object(), "inventory", Feed(emitter, Signals()), {HoldExpired: tell_on}))
    async with emitter.read() as tx:
        who = "SELECT request_id || ' ' || actor FROM inventory.outbox WHERE name = $1"
        assert await tx.one(str, who, HoldExpired.name) == "r-1 staff:anna"
        assert await tx.one(str, who, LowStock.name) == f"r-1 {context.SYSTEM.name}"


async def test_two_consumers_of_one_place_do_not_both_win(fresh):
    emitter, reader = fresh
    orders = [uuid7() for _ in range(40)]
    await emit(emitter, *orders)
    rivals = [listener(emitter, reader) for _ in range(4)]
    barrier = asyncio.Barrier(4)

    async def run(consumer):
        await barrier.wait()
        for _ in range(10):
            await consumer.step(limit=7)

    await asyncio.gather(*(run(rival) for rival in rivals))
    await drain(rivals[0])
    assert await seen(reader) == [str(order) for order in orders]


async def test_an_event_of_a_slow_transaction_is_not_passed_over(fresh):
    emitter, reader = fresh
    slow, quick = uuid7(), uuid7()
    consumer = listener(emitter, reader)
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        async with emitter.begin() as tx:
            await tx.emit(HoldExpired(order_id=slow))
            await tx.write_events()
            tx._events.clear()
            started.set()
            await go_on.wait()

    task = asyncio.create_task(slowly())
    await started.wait()
    await tell(emitter, HoldExpired(order_id=quick))
    await consumer.step()
    assert await seen(reader) == []  # the quick one waits behind the slow one
    go_on.set()
    await task
    await shown(emitter)
    await drain(consumer)
    assert sorted(await seen(reader)) == sorted([str(slow), str(quick)])


async def test_an_event_that_keeps_failing_is_parked_and_the_rest_flows_and_it_can_be_tried_again(fresh, monkeypatch):
    emitter, reader = fresh
    bad, good = uuid7(), uuid7()
    broken = True

    async def fails_for_bad(_, tx, event: HoldExpired) -> None:
        if event.order_id == bad and broken:
            raise ValueError("cannot\0")  # words of somebody else's, which no table takes as they are
        await note(_, tx, event)

    await emit(emitter, bad, good)
    consumer = listener(emitter, reader, fails_for_bad)
    for _ in range(consumers.TRIES):
        try:
            await consumer.step()
        except ValueError:
            continue
    await drain(consumer)
    assert await seen(reader) == [str(good)]
    async with reader.read() as tx:
        assert await tx.many(str, "SELECT error FROM notifications.parked_event") == ["ValueError: cannot?"]
    broken = False
    assert await consumer.redrive() == (1, 0)
    assert await seen(reader) == [str(good), str(bad)]
    assert await consumer.redrive() == (0, 0)


PARK = """
INSERT INTO notifications.parked_event (id, source, name, body, request_id, actor, at, tries, error)
SELECT gen_random_uuid(), $1, $2, $3, 'r', '', now() - make_interval(mins => $4), 5, 'once'
  FROM generate_series(1, $5)
"""


async def test_a_parked_event_that_fails_again_holds_up_no_other_and_nobody_elses_is_touched(fresh):
    emitter, reader = fresh
    bad, good = uuid7(), uuid7()

    async def fails_for_bad(_, tx, event: HoldExpired) -> None:
        await note(_, tx, event)
        if event.order_id == bad:
            raise ValueError("still")

    async with reader.begin() as tx:
        await tx.execute(PARK, "catalog", "catalog.product_changed.v1", {}, 40, 150)
        await tx.execute(PARK, "inventory", LowStock.name, {}, 30, 1)  # is not handled here
        await tx.execute(PARK, "inventory", HoldExpired.name, {}, 20, 1)
        await tx.execute(PARK, "inventory", HoldExpired.name, {"order_id": bad}, 10, 1)
        await tx.execute(PARK, "inventory", HoldExpired.name, {"order_id": good}, 0, 1)
    assert await listener(emitter, reader, fails_for_bad).redrive() == (1, 2)
    assert await seen(reader) == [str(good)]
    async with reader.read() as tx:
        left = await tx.connection.fetch(
            "SELECT tries, split_part(error, ' - ', 1), count(*) FROM notifications.parked_event GROUP BY 1, 2 ORDER BY 1, 2"
        )
    assert [tuple(row) for row in left] == [
        (5, "once", 151),
        (6, "ValidationError: Object missing required field `order_id`", 1),
        (6, "ValueError: still", 1),
    ]


async def test_events_side_by_side_come_to_a_handler_in_batches_in_one_call(fresh):
    emitter, reader = fresh
    calls: list[tuple[str, int]] = []

    @in_batches
    async def in_one(_, tx, events) -> None:
        calls.append((context.request_id.get(), len(events)))
        for event in events:
            await note(_, tx, event)

    async def alone(_, tx, event: LowStock) -> None:
        calls.append((context.request_id.get(), 1))

    orders = [uuid7() for _ in range(5)]
    for number, order in enumerate(orders):
        with context.working_as(context.SYSTEM, request=f"r{number}"):
            async with emitter.begin() as tx:
                await tx.emit(HoldExpired(order_id=order))
                if number == 2:
                    await tx.emit(LowStock(uuid7(), uuid7(), 1, 2))
    consumer = Consumer(reader, object(), "inventory", Feed(emitter, Signals()), {HoldExpired: in_one, LowStock: alone})
    await drain(consumer)
    assert calls == [("r2", 3), ("r2", 1), ("r4", 2)]
    assert await seen(reader) == [str(order) for order in orders]


async def test_of_a_batch_only_the_event_that_keeps_failing_is_parked(fresh):
    emitter, reader = fresh
    orders = [uuid7() for _ in range(20)]
    bad = {orders[0], orders[13]}
    transactions = 0

    @in_batches
    async def fails_for_bad(_, tx, events) -> None:
        nonlocal transactions
        transactions += 1
        for event in events:
            await note(_, tx, event)
        if any(event.order_id in bad for event in events):
            raise ValueError("cannot")

    await emit(emitter, *orders)
    consumer = listener(emitter, reader, fails_for_bad)
    for _ in range(2 * consumers.TRIES):
        with suppress(ValueError):
            await consumer.step()
    await drain(consumer)
    assert await seen(reader) == [str(order) for order in orders if order not in bad]
    async with reader.read() as tx:
        parked = await tx.many(str, "SELECT body ->> 'order_id' FROM notifications.parked_event ORDER BY at, id")
    assert sorted(parked) == sorted(map(str, bad))
    assert transactions < 100
    bad.clear()
    assert await consumer.redrive() == (2, 0)
    assert len(await seen(reader)) == 20


async def test_a_reader_gets_the_events_it_asks_for_and_where_the_page_ends(fresh):
    emitter, _ = fresh
    feed, wanted = Feed(emitter, Signals()), [uuid7(), uuid7()]
    async with emitter.begin() as tx:
        for order in wanted:
            await tx.emit(HoldExpired(order_id=order), *(LowStock(uuid7(), uuid7(), 1, 2) for _ in range(3)))
    await shown(emitter)
    page = await feed.events_after(cursor=Cursor(), names=[HoldExpired.name])
    assert [(event.name, bool(event.body)) for event in page] == [
        (HoldExpired.name, True), (HoldExpired.name, True), (LowStock.name, False)
    ]  # fmt: skip
    assert await feed.events_after(cursor=page[-1].cursor) == []
    first = await feed.events_after(cursor=Cursor(), limit=3, names=[HoldExpired.name])
    assert [event.name for event in first] == [HoldExpired.name, LowStock.name]
    rest = await feed.events_after(cursor=first[-1].cursor, limit=9, names=[HoldExpired.name])
    assert [event.cursor for event in (*first[:1], *rest)] == [event.cursor for event in page]


async def test_a_page_ends_before_it_grows_too_large(fresh, monkeypatch):
    monkeypatch.setattr("sampan.kernel.feed.PAGE_BYTES", 200)
    emitter, reader = fresh
    orders = [uuid7() for _ in range(7)]
    await emit(emitter, *orders)
    feed = Feed(emitter, Signals())
    page = await feed.events_after(cursor=Cursor())
    assert 1 < len(page) < 7
    monkeypatch.setattr("sampan.kernel.feed.PAGE_BYTES", 1)
    assert len(await feed.events_after(cursor=Cursor())) == 1
    await drain(listener(emitter, reader))
    assert await seen(reader) == [str(order) for order in orders]


async def test_an_event_that_took_effect_elsewhere_is_not_parked(fresh, monkeypatch):
    """One process gives an event up while another one, where it works, is faster."""
    emitter, reader = fresh
    monkeypatch.setattr(consumers, "TRIES", 1)
    order = uuid7()
    await emit(emitter, order)
    healthy = listener(emitter, reader)

    async def fails_too_late(*_) -> None:
        await asyncio.create_task(drain(healthy), context=contextvars.Context())
        raise ValueError("cannot be handled here")

    await listener(emitter, reader, fails_too_late).step()
    assert await seen(reader) == [str(order)]
    assert await healthy.redrive() == (0, 0)
    assert await seen(reader) == [str(order)]


async def test_an_event_is_not_parked_while_something_is_merely_away(fresh):
    emitter, reader = fresh

    async def away(_, tx, event) -> None:
        raise RemoteUnavailable("away")

    await emit(emitter, uuid7())
    consumer = listener(emitter, reader, away)
    for _ in range(consumers.TRIES + 3):
        with pytest.raises(RemoteUnavailable):
            await consumer.step()
    async with reader.read() as tx:
        assert await tx.one(int, "SELECT count(*) FROM notifications.parked_event") == 0


async def test_an_event_nobody_handles_only_moves_the_cursor(fresh):
    emitter, reader = fresh
    await tell(emitter, LowStock(variant_id=uuid7(), warehouse_id=uuid7(), available=1, threshold=2))
    await shown(emitter)
    consumer = listener(emitter, reader)
    assert await consumer.step() == 1
    assert await consumer.step() == 0


async def test_a_reader_that_waits_is_woken(fresh):
    emitter, reader = fresh
    signals = Signals()
    emitter.wake = signals.fire
    feed = Feed(emitter, signals)
    waiting = asyncio.create_task(feed.events_after(cursor=Cursor(), wait=10))
    await asyncio.sleep(0.05)
    await emit(emitter, uuid7())
    assert len(await asyncio.wait_for(waiting, 3)) == 1


async def test_an_event_that_hides_behind_a_slow_transaction_is_read_soon_after_its_end(fresh):
    emitter, _ = fresh
    signals = Signals()
    feed = Feed(emitter, signals)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        async with emitter.begin() as tx:
            await tx.execute("SELECT pg_current_xact_id()")
            begun.set()
            await go_on.wait()

    slow = asyncio.create_task(slowly())
    await begun.wait()
    waiting = asyncio.create_task(feed.events_after(cursor=Cursor(), wait=15))
    await asyncio.sleep(0.05)
    await tell(emitter, HoldExpired(order_id=uuid7()))
    signals.fire("inventory")
    await asyncio.sleep(0.6)
    assert not waiting.done()
    go_on.set()
    await slow
    await shown(emitter)
    assert len(await asyncio.wait_for(waiting, 2)) == 1


async def test_the_end_of_a_feed_is_after_everything_committed(fresh):
    emitter, _ = fresh
    await emit(emitter, uuid7())
    feed = Feed(emitter, Signals())
    end = await feed.end()
    assert await feed.events_after(cursor=end) == []
    await emit(emitter, uuid7())
    assert len(await feed.events_after(cursor=end)) == 1
