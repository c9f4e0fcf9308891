"""What a lasting reader has not read is kept for it, however old; what all have read goes, and so does a reader in time."""

import asyncio
import logging
from contextlib import suppress

from tests.kernel.test_feed import drain, emit, fresh, listener, note, seen

from sampan.kernel import consumers
from sampan.kernel.consumers import Consumer
from sampan.kernel.errors import raised
from sampan.kernel.events import Cursor
from sampan.kernel.feed import SILENT, Feed, Signals
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import HoldExpired

__all__ = ["fresh"]


async def age(emitter, *, days: int) -> None:
    async with emitter.begin() as tx:
        await tx.execute("UPDATE inventory.outbox SET at = at - make_interval(days => $1)", days)


async def days_pass(emitter, days: int) -> None:
    """Since the last word of any reader."""
    async with emitter.begin() as tx:
        await tx.execute("UPDATE inventory.reader SET seen_at = seen_at - make_interval(days => $1)", days)


async def known(emitter) -> dict[str, Cursor]:
    class Known(Cursor):
        name: str = ""

    async with emitter.read() as tx:
        rows = await tx.many(Known, "SELECT xid::text::bigint, position, name FROM inventory.reader")
    return {row.name: Cursor(row.xid, row.position) for row in rows}


async def left(emitter) -> int:
    async with emitter.read() as tx:
        return await tx.one(int, "SELECT count(*) FROM inventory.outbox")


async def test_an_old_event_that_was_not_read_is_kept_and_told_of_until_it_was(fresh, caplog):
    emitter, reader = fresh
    feed, consumer = Feed(emitter, Signals()), listener(emitter, reader)
    orders = [uuid7() for _ in range(6)]
    await emit(emitter, *orders[:2])
    await drain(consumer)
    await consumer.report()
    for order in orders[2:]:
        await emit(emitter, order)
    await age(emitter, days=40)
    with caplog.at_level(logging.WARNING, "sampan.kernel.feed"):
        assert await feed.purge(days=30) == 2
    assert [(each.service, each.reader, each.days) for each in caplog.records] == [("inventory", "notifications", 40)]
    await drain(consumer)
    assert await seen(reader) == list(map(str, orders))
    assert await feed.purge(days=30) == 0, "what it read counts when it has said so"
    await consumer.report()
    caplog.clear()
    await emit(emitter, uuid7())
    assert await feed.purge(days=30) == 4
    assert not caplog.records
    assert await left(emitter) == 1


async def test_the_slowest_reader_counts_and_its_unread_events_of_one_transaction_are_kept(fresh):
    emitter, reader = fresh
    feed, quick = Feed(emitter, Signals()), listener(emitter, reader)
    await emit(emitter, *(uuid7() for _ in range(5)))
    page = await feed.events_after(cursor=Cursor())
    await feed.read_to(reader="slow", cursor=page[1].cursor)
    await drain(quick)
    await quick.report()
    await emit(emitter, uuid7())
    await age(emitter, days=40)
    assert await feed.purge(days=30) == 2
    assert (await feed.events_after(cursor=Cursor()))[0].id == page[2].id


async def test_a_reader_that_comes_new_keeps_everything_that_is_there(fresh):
    emitter, reader = fresh
    order = uuid7()
    await emit(emitter, order, uuid7())
    await emit(emitter, uuid7())
    await age(emitter, days=40)
    consumer = listener(emitter, reader)
    await consumer.report()
    assert await known(emitter) == {"notifications": Cursor()}
    assert await Feed(emitter, Signals()).purge(days=30) == 0
    await drain(consumer)
    assert (await seen(reader))[0] == str(order)


async def test_a_reader_that_was_restored_reads_again_so_its_smaller_place_counts(fresh):
    emitter, reader = fresh
    feed, consumer = Feed(emitter, Signals()), listener(emitter, reader)
    orders = [uuid7() for _ in range(4)]
    for order in orders[:2]:
        await emit(emitter, order)
    await drain(consumer)
    async with reader.read() as tx:
        backup = await tx.one(Cursor, "SELECT xid, position FROM notifications.consumer")
    for order in orders[2:]:
        await emit(emitter, order)
    await drain(consumer)
    await consumer.report()
    assert await known(emitter) != {"notifications": backup}
    async with reader.begin() as tx:
        await tx.execute("UPDATE notifications.consumer SET xid = $1, position = $2", backup.xid, backup.position)
        await tx.execute("DELETE FROM notifications.seen WHERE order_id = ANY($1)", orders[2:])
    await listener(emitter, reader).report()
    assert await known(emitter) == {"notifications": backup}
    await age(emitter, days=40)
    assert await feed.purge(days=30) == 2
    await drain(listener(emitter, reader))
    assert await seen(reader) == list(map(str, orders))


async def test_a_reader_that_is_not_heard_on_ninety_days_of_the_others_has_gone_and_may_come_back(fresh, caplog):
    emitter, reader = fresh
    feed, consumer = Feed(emitter, Signals()), listener(emitter, reader)
    await feed.read_to(reader="gone", cursor=Cursor())
    await emit(emitter, uuid7(), uuid7())
    await emit(emitter, uuid7())
    await drain(consumer)
    await age(emitter, days=200)
    for _ in range(SILENT - 1):
        await days_pass(emitter, 1)
        for _ in range(2):  # however often a day
            await consumer.report()
    assert await feed.purge(days=30) == 0
    await days_pass(emitter, 1)
    await consumer.report()
    caplog.clear()
    assert await feed.purge(days=30) == 2
    assert [(each.message, each.reader) for each in caplog.records] == [
        ("a reader has gone; no event is kept for it any more", "gone")
    ]
    assert (await known(emitter)).keys() == {"notifications"}
    await feed.read_to(reader="gone", cursor=Cursor())
    await emit(emitter, uuid7())
    await age(emitter, days=200)
    assert await feed.purge(days=30) == 0


async def test_after_a_long_stop_who_speaks_first_leaves_nobody_behind(fresh):
    emitter, reader = fresh
    feed, consumer = Feed(emitter, Signals()), listener(emitter, reader)
    await emit(emitter, uuid7(), uuid7())
    await emit(emitter, uuid7())
    await consumer.report()
    await feed.read_to(reader="first", cursor=await feed.end())
    await age(emitter, days=400)
    await days_pass(emitter, 400)
    await feed.read_to(reader="first", cursor=await feed.end())
    assert await feed.purge(days=30) == 0
    await drain(consumer)
    assert len(await seen(reader)) == 3


class Told(Feed):
    """A feed that counts what it is told, and takes it or not."""

    def __init__(self, db, *, former: bool = False) -> None:
        super().__init__(db, Signals())
        self.former = former
        self.words: list[Cursor] = []

    async def read_to(self, *, reader: str, cursor: Cursor) -> None:
        self.words.append(cursor)
        if self.former:
            raise raised("kernel.no_such_method", 404, "inventory-feed has no method read_to", {})
        await super().read_to(reader=reader, cursor=cursor)


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not await condition():
            await asyncio.sleep(0.01)


async def running(consumer: Consumer, condition) -> None:
    task = asyncio.create_task(consumer.run(wait=0.02))
    try:
        await until(condition)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_reader_says_where_it_is_at_its_start_and_then_once_in_a_while_and_not_with_each_page(
    fresh, monkeypatch
):
    emitter, reader = fresh
    monkeypatch.setattr(consumers, "BREATH", 0)
    monkeypatch.setattr(consumers, "PAGE", 1)
    feed = Told(emitter)
    consumer = Consumer(reader, object(), "inventory", feed, {HoldExpired: note})

    async def all_read() -> bool:
        return len(await seen(reader)) == 5

    await emit(emitter, *(uuid7() for _ in range(5)))
    await running(consumer, all_read)
    assert feed.words == [Cursor()]

    monkeypatch.setattr(consumers, "REPORT", 0.05)
    consumer._report_at = 0.0

    async def said_again() -> bool:
        return len(feed.words) > 3

    await running(consumer, said_again)
    async with reader.read() as tx:
        place = await tx.one(Cursor, "SELECT xid, position FROM notifications.consumer")
    assert feed.words[1:] == [place] * len(feed.words[1:])
    assert await known(emitter) == {"notifications": place}


async def test_a_reader_that_is_stuck_is_heard_all_the_same(fresh, monkeypatch):
    emitter, reader = fresh
    monkeypatch.setattr(consumers, "REPORT", 0.0)
    monkeypatch.setattr(consumers, "TRIES", 1000)

    async def fails(*_) -> None:
        raise ValueError("cannot")

    feed = Told(emitter)
    await emit(emitter, uuid7())

    async def said_twice() -> bool:
        return len(feed.words) > 1

    await running(Consumer(reader, object(), "inventory", feed, {HoldExpired: fails}), said_twice)
    assert await known(emitter) == {"notifications": Cursor()}


async def test_a_source_of_the_former_version_is_read_as_ever_and_asked_again_later(fresh, monkeypatch, caplog):
    emitter, reader = fresh
    monkeypatch.setattr(consumers, "REPORT_AGAIN", 0.1)
    feed = Told(emitter, former=True)
    consumer = Consumer(reader, object(), "inventory", feed, {HoldExpired: note})
    order = uuid7()
    await emit(emitter, order)

    async def was_read() -> bool:
        return bool(await seen(reader))

    async def is_known() -> bool:
        return bool(await known(emitter))

    await running(consumer, was_read)
    assert await known(emitter) == {}
    assert [
        (each.levelname, each.source, each.exc_info) for each in caplog.records if each.name == consumers.__name__
    ] == [("WARNING", "inventory", None)] * len(feed.words)
    feed.former = False  # it was replaced
    await running(consumer, is_known)
    assert await seen(reader) == [str(order)]
