"""Those who watch see what they are there for."""

from tests.machines.tables import MACHINES, illegal
from tests.machines.world import World


def test_every_state_leads_somewhere_that_exists() -> None:
    for machine, (_, _, table) in MACHINES.items():
        named = {state for states in table.values() for state in states.split()}
        assert named | {""} == set(table), machine


def test_what_ended_does_not_begin_again() -> None:
    ends = [
        ("order", "x", "cancelled", "placed"),
        ("payment", "x", "refunded", "paid"),
        ("hold", "x", "shipped", "held"),
    ]
    assert len(illegal(ends)) == len(ends)
    assert illegal([("order", "x", "pending", "placed"), ("order", "x", "placed", "placed")]) == []


async def test_a_move_that_nobody_decided_is_noted(world: World) -> None:
    story = await world.begin()
    await world.act("buy_online", world.here, story)
    await world.act("bank_takes", world.here, story)
    assert illegal(await world.moves()) == []
    async with world.stall.db.pool.acquire() as connection:
        await connection.execute("BEGIN")
        await connection.execute("UPDATE payments.intent SET status = 'failed' WHERE order_id = $1", story.order_id)
        rows = await connection.fetch(
            "SELECT machine, order_id::text, was, now FROM watch.move WHERE id > $1", world.seen
        )
        await connection.execute("ROLLBACK")
    assert illegal([tuple(row) for row in rows]) == [f"payment of {story.order_id}: paid → failed"]
    await world.peace([story])
