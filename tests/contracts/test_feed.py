"""The feed of a peer, in process and over HTTP: a consumer reads it, and what it says of its place arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from tests.contracts.stage import Stage

from sampan.kernel.connect import connect
from sampan.kernel.consumers import Consumer
from sampan.kernel.db import CalledInTransaction, Tx
from sampan.kernel.events import Cursor, Event
from sampan.kernel.feed import EventFeed
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import AvailabilityChanged, Delivery

KNOWN = "SELECT xid::text::bigint, position FROM inventory.reader WHERE name = 'shipping'"


async def nothing(_: object, tx: Tx, event: Event) -> None: ...


HANDLERS: Mapping[type[Event], Any] = {AvailabilityChanged: nothing}


@pytest.fixture(params=["here", "there"])
async def feed(stage: Stage, request: pytest.FixtureRequest) -> AsyncIterator[EventFeed]:
    target = stage.shop.feeds["inventory"] if request.param == "here" else stage.remote("inventory-feed")
    yield connect(EventFeed, target)
    for schema, forget in (("inventory", "reader WHERE name = 'shipping'"), ("shipping", "consumer")):
        async with stage.shop.databases[schema].begin() as tx:
            await tx.execute(f"DELETE FROM {schema}.{forget}")


async def test_a_consumer_reads_and_says_how_far_it_has_come(stage: Stage, feed: EventFeed) -> None:
    consumer = Consumer(stage.shop.databases["shipping"], object(), "inventory", feed, HANDLERS)
    await stage.room.actions.stock_up(cause=f"delivery {uuid7()}", items=[Delivery(uuid7(), stage.room.hanoi, 5)])

    async def known() -> Cursor:
        async with stage.shop.databases["inventory"].read() as tx:
            return await tx.one(Cursor, KNOWN)

    await consumer.report()
    assert await known() == Cursor()
    while await consumer.step() or await stage.shop.feeds["inventory"].is_hiding():
        pass
    await consumer.report()
    reached = await known()
    assert reached != Cursor()
    assert await stage.shop.feeds["inventory"].events_after(cursor=reached) == []
    await feed.read_to(reader="shipping", cursor=Cursor(3, 4))  # the latest word counts
    assert await known() == Cursor(3, 4)


async def test_nobody_says_it_inside_a_transaction(stage: Stage, feed: EventFeed) -> None:
    async with stage.shop.databases["shipping"].begin():
        with pytest.raises(CalledInTransaction):
            await feed.read_to(reader="shipping", cursor=Cursor())
