"""Five actors do something to one order at the same moment, from two processes. Then peace comes, and all is right."""

import asyncio
from typing import Any

from tests.conftest import dice, effort
from tests.machines.world import Story, World

# What has happened before, and what everybody may do then.
SCENES: dict[str, tuple[list[str], list[str]]] = {
    "a full cart": (
        [],
        ["buy_cash", "buy_online", "buy_cash", "add", "patch", "reprice", "lose_one", "staff_cancel", "sweep", "settle"],
    ),
    "unpaid": (
        ["buy_online"],
        [
            "bank_takes", "bank_takes_quietly", "bank_declines", "pay_again", "pay_at_door", "cancel", "staff_cancel",
            "come_back", "expire", "sweep", "buy_online", "empty_shelf", "settle", "bank_takes_too_much",
        ],
    ),
    "declined": (
        ["buy_online", "bank_declines"],
        ["pay_again", "pay_again", "pay_at_door", "pay_at_door", "cancel", "bank_takes", "bank_tells_again", "sweep"],
    ),
    "paid": (
        ["buy_online", "bank_takes", "settle"],
        ["cancel", "staff_cancel", "refund_one", "refund_one", "ship", "pick", "pack", "bank_tells_again", "settle"],
    ),
    "packed": (
        ["buy_cash", "settle", "pick", "pack"],
        ["cancel", "staff_cancel", "send", "send", "refund_one", "deliver", "pick", "settle", "sweep"],
    ),
    "sent": (
        ["buy_cash", "settle", "ship"],
        ["deliver", "fail", "send_back", "receive", "cancel", "staff_cancel", "refund_one", "settle", "sweep"],
    ),
    "on its way back": (
        ["buy_online", "bank_takes", "settle", "ship", "fail", "send_back"],
        ["receive", "receive", "lose_parcel", "lose_parcel", "deliver", "refund_one", "staff_cancel", "settle", "sweep"],
    ),
}  # fmt: skip


async def at_once(world: World, story: Story, acts: list[str]) -> None:
    barrier = asyncio.Barrier(len(acts))

    async def one(number: int, act: str) -> None:
        await barrier.wait()
        await world.act(act, (world.here, world.there)[number % 2], story)

    outcomes: list[Any] = await asyncio.wait_for(
        asyncio.gather(*(one(number, act) for number, act in enumerate(acts)), return_exceptions=True), 60
    )
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def test_five_at_once(world: World) -> None:
    chance = dice("five at once")
    for _ in range(effort(3, 40)):
        stories = []
        for before, acts in SCENES.values():
            for _ in range(2):
                story = await world.begin(stock=chance.choice((1, 3)))
                for act in before:
                    assert await world.act(act, world.here, story) == "", act
                story.done.clear()
                stories.append((story, chance.sample(acts, 5)))
        for story, chosen in stories:
            story.done.append(f"at once {chosen}")
            await at_once(world, story, chosen)
        await world.peace([story for story, _ in stories])
        for story, _ in stories:
            await world.check(story)
