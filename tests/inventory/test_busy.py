"""A reservation that is overtaken again and again. Somebody who is always faster is a trigger that lets nothing change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import StockBusy


@asynccontextmanager
async def always_overtaken(room: Any, variant: UUID) -> AsyncIterator[None]:
    """Every change of this variant's levels comes too late."""
    name = f"overtaken_{variant.hex}"
    async with room.db.begin() as tx:
        await tx.execute(
            f"CREATE FUNCTION inventory.{name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$"
        )
        await tx.execute(
            f"CREATE TRIGGER {name} BEFORE UPDATE ON inventory.level FOR EACH ROW "
            f"WHEN (NEW.variant_id = '{variant}') EXECUTE FUNCTION inventory.{name}()"
        )
    try:
        yield
    finally:
        async with room.db.begin() as tx:
            await tx.execute(f"DROP FUNCTION inventory.{name}() CASCADE")


async def test_whoever_is_always_overtaken_is_asked_to_try_again_and_nothing_is_held(room):
    variant, order = await room.stocked(hanoi=5), uuid7()
    async with always_overtaken(room, variant):
        with pytest.raises(StockBusy) as refusal:
            await room.reserve(order, (variant, 2))
        assert (refusal.value.status, refusal.value.facts["retry_after"]) == (503, 1)
        assert await room.available(variant) == 5
    assert (await room.reserve(order, (variant, 2))).status == "held"
    assert await room.level(variant, room.hanoi) == (5, 2, 0, 0)
    await room.check_books()
