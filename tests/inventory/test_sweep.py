"""Holds that lapse while the books of one of them are wrong: it stays, and keeps nobody else."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from sampan.kernel.context import SYSTEM
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import OutOfStock, StockCommitted

HOLD_EXPIRED = "inventory.hold_expired.v1"
# How a level of two pieces, both held, is broken and mended.
DAMAGES = {
    "the level holds less": (
        "UPDATE inventory.level SET held = 0 WHERE variant_id = $1",
        "UPDATE inventory.level SET held = 2 WHERE variant_id = $1",
    ),
    "there is no level": (
        "DELETE FROM inventory.level WHERE variant_id = $1",
        "INSERT INTO inventory.level (variant_id, warehouse_id, on_hand, held, sells) "
        "SELECT variant_id, warehouse_id, 2, 2, true FROM inventory.allocation WHERE variant_id = $1",
    ),
}


@asynccontextmanager
async def broken_hold(room: Any, damage: str, *more: tuple[UUID, int]) -> AsyncIterator[UUID]:
    """An order whose hold lapsed before all others and cannot be released; in the end it is mended and goes."""
    wrong, right = DAMAGES[damage]
    variant, order = await room.stocked(hanoi=2), uuid7()
    await room.reserve(order, (variant, 2), *more)
    await room.pass_time(order, 700)
    async with room.db.begin() as tx:
        await tx.execute(wrong, variant)
    try:
        yield order
    finally:
        async with room.db.begin() as tx:
            await tx.execute(right, variant)
    await room.actions.release_expired()
    assert await room.level(variant, room.hanoi) == (2, 0, 0, 0)
    assert len(await room.events(HOLD_EXPIRED, order)) == 1


async def lapsed_hold(room: Any, *wanted: tuple[UUID, int]) -> UUID:
    order = uuid7()
    await room.reserve(order, *wanted)
    await room.pass_time(order, 601)
    return order


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The orders of which an error was logged."""
    return [vars(record)["order_id"] for record in caplog.records if record.levelno == logging.ERROR]


@pytest.mark.parametrize("slice_of", [1, 2, 200])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_hold_that_cannot_be_released_is_named_and_keeps_no_other(
    room: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, damage: str, slice_of: int
) -> None:
    monkeypatch.setattr("sampan.services.inventory.actions.SLICE", slice_of)
    variant = await room.stocked(hanoi=9)
    async with broken_hold(room, damage) as first, broken_hold(room, damage) as second:
        others = [await lapsed_hold(room, (variant, 2)) for _ in range(4)]
        for _ in range(2):
            await room.actions.release_expired()
        assert await room.level(variant, room.hanoi) == (9, 0, 0, 0)
        for order in others:
            assert len(await room.events(HOLD_EXPIRED, order)) == 1
        for order in (first, second):
            assert await room.events(HOLD_EXPIRED, order) == []
        assert sorted(complaints(caplog)) == sorted([str(first), str(second)])  # each once, however often it is met
    await room.check_books()


@pytest.mark.parametrize("damage", DAMAGES)
async def test_goods_are_sold_and_corrected_though_one_of_their_holds_cannot_be_released(
    room: Any, damage: str
) -> None:
    variant = await room.stocked(hanoi=3)
    async with broken_hold(room, damage, (variant, 1)):
        await lapsed_hold(room, (variant, 2))
        assert (await room.reserve(uuid7(), (variant, 2))).status == "held"
        with pytest.raises(OutOfStock) as refusal:
            await room.reserve(uuid7(), (variant, 1))
        assert refusal.value.facts["lines"] == [{"variant_id": str(variant), "wanted": 1, "available": 0}]
        with pytest.raises(StockCommitted):
            await room.actions.adjust(
                actor=SYSTEM,
                key=str(uuid7()),
                variant_id=variant,
                warehouse_id=room.hanoi,
                change=-1,
                reason="counted again",
            )
    await room.check_books()


async def test_goods_whose_hold_contradicts_itself_are_out_of_stock(room: Any) -> None:
    """Its parts say that it has lapsed, the hold itself does not: nothing is released, and nobody tries for ever."""
    variant, order = await room.stocked(hanoi=1), uuid7()
    await room.reserve(order, (variant, 1))
    until = "UPDATE inventory.allocation a SET held_until = {} FROM inventory.hold h WHERE h.order_id = a.order_id"
    async with room.db.begin() as tx:
        await tx.execute(f"{until.format('now()')} AND a.order_id = $1", order)
    try:
        with pytest.raises(OutOfStock):
            await room.reserve(uuid7(), (variant, 1))
    finally:
        async with room.db.begin() as tx:
            await tx.execute(f"{until.format('h.expires_at')} AND a.order_id = $1", order)
    await room.check_books()
