"""A service's look at itself: what is broken is named, kept, and measured."""

import asyncio

import pytest
from tests.kernel.test_feed import drain, emit, fresh, listener

from sampan.kernel.db import DatabaseUnavailable
from sampan.kernel.ids import uuid7
from sampan.kernel.metrics import metrics
from sampan.kernel.watch import Watch, keep_measuring

__all__ = ["fresh"]

PARK = """
INSERT INTO notifications.parked_event (id, source, name, body, request_id, actor, at, tries, error)
VALUES (gen_random_uuid(), 'inventory', 'inventory.hold_expired.v1', '{}', '', '', now(), 5, 'x')
"""


class Broken:
    async def invariants(self) -> list[str]:
        return ["the till is short of 5"]


async def test_what_is_broken_unread_and_parked_is_named(fresh):
    emitter, reader = fresh
    consumer = listener(emitter, reader)
    watch = Watch(reader, object(), [consumer])
    assert await watch.violations() == []
    await emit(emitter, uuid7())
    assert 0 <= await consumer.lag() < 60
    assert await watch.violations() == []  # it will be read in time
    async with emitter.begin() as tx:
        await tx.execute("UPDATE inventory.outbox SET at = now() - interval '20 minutes'")
    async with reader.begin() as tx:
        await tx.execute(PARK)
    assert await Watch(reader, Broken(), [consumer]).violations() == [
        "the till is short of 5",
        "1 events of inventory are parked",
        "an event of inventory has not been read for 20 minutes",
    ]
    await drain(consumer)
    assert await consumer.lag() == 0
    assert len(await watch.violations()) == 1


async def test_what_a_look_found_is_kept_for_the_metrics_of_every_process_until_the_next(fresh):
    emitter, reader = fresh
    await emit(emitter, uuid7())
    async with reader.begin() as tx:
        await tx.execute(PARK)
    watch = Watch(reader, Broken(), [listener(emitter, reader)])

    async def measured(name: str, **labels: str) -> float | None:
        await watch.measure()
        return metrics.registry.get_sample_value(name, {"service": "notifications", **labels})

    assert await measured("sampan_invariant_violations") == 0
    assert await measured("sampan_invariants_age_seconds") is None
    assert await watch.runner().step(now=True)
    assert await measured("sampan_invariant_violations") == 2
    assert await measured("sampan_parked_events") == 1
    assert 0 <= (await measured("sampan_invariants_age_seconds") or 0) < 60
    assert 0 < (await measured("sampan_feed_lag_seconds", source="inventory") or 0) < 60
    watch.actions = object()
    async with reader.begin() as tx:
        await tx.execute("DELETE FROM notifications.parked_event")
    await watch.runner().step(now=True)
    assert await measured("sampan_invariant_violations") == 0


@pytest.mark.parametrize("failure", [DatabaseUnavailable("away"), TimeoutError(), ValueError("a fault")])
async def test_whatever_fails_the_metrics_are_measured_again(fresh, monkeypatch, failure):
    monkeypatch.setattr("sampan.kernel.watch.REFRESHED", 0.01)
    _, reader = fresh
    broken, well = Watch(reader, object(), []), Watch(reader, object(), [])
    measured = []

    async def fail() -> None:
        raise failure

    async def note() -> None:
        measured.append(1)

    monkeypatch.setattr(broken, "measure", fail)
    monkeypatch.setattr(well, "measure", note)
    with pytest.raises(TimeoutError):  # it goes on for ever
        async with asyncio.timeout(0.3):
            await keep_measuring([broken, well])
    assert len(measured) > 2
