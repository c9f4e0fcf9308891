"""Everything that can come in between: a second actor, from another process, exactly before or after each peer call,
transaction and statement of the first one's work. Then peace comes, and everything must be right.
"""

from typing import Any

import pytest
from tests.conftest import TORTURE, dice, effort
from tests.machines.interleaved import Place, Point, interleaved, place, recorded
from tests.machines.world import Process, Story, World

from sampan.kernel.db import Tx

# What the first actor does, and what has happened before.
FIRST: dict[str, tuple[str, list[str]]] = {
    "checkout with cash": ("buy_cash", []),
    "checkout online": ("buy_online", []),
    "pay again": ("pay_again", ["buy_online", "bank_declines"]),
    "pay at the door instead": ("pay_at_door", ["buy_online", "bank_declines"]),
    "cancel what is not paid": ("cancel", ["buy_online"]),
    "cancel what is paid": ("cancel", ["buy_online", "bank_takes"]),
    "cancel what is packed": ("cancel", ["buy_cash", "settle", "pick", "pack"]),
    "confirm": ("confirm", ["buy_cash"]),
    "refund": ("refund_one", ["buy_online", "bank_takes"]),
    "ship": ("send", ["buy_cash", "settle", "pick", "pack"]),
    "ship what is paid": ("send", ["buy_online", "bank_takes", "settle", "pick", "pack"]),
    "deliver": ("deliver", ["buy_cash", "settle", "ship"]),
    "bank's notice": ("bank_takes", ["buy_online"]),
    "the time to pay is over": ("expire", ["buy_online"]),
}
SECOND = [
    "cancel",
    "staff_cancel",
    "bank_takes",
    "bank_takes_quietly",
    "bank_declines",
    "come_back",
    "expire",
    "sweep",
    "ship",
    "deliver",
    "empty_shelf",
    "reprice",
    "buy_cash",
    "buy_online",
    "patch",
    "pay_again",
    "pay_at_door",
    "refund_one",
    "confirm",
]
STORIES = ("orders", "payments", "inventory", "fulfillment", "shipping")


def places_of(process: Process) -> list[Place]:
    """Every peer call, every transaction, every statement of one process."""
    found = []
    for room, peers in (
        (process.orders.room, ("catalog", "pricing", "inventory", "shipping", "payments", "locations")),
        (process.fulfillment, ("inventory", "shipping")),
    ):
        for name in peers:
            client = getattr(room, name)
            for method in vars(type(client)):
                if not method.startswith("_"):
                    found.append(place(client, method, f"{name}.{method}"))
    for name in STORIES:
        found.append(place(process.shop.databases[name], "begin", f"transaction of {name}"))
    for method in ("execute", "many", "maybe"):
        found.append(place(Tx, method, lambda tx: f"statement of {tx.schema}"))
    found.append(place(Tx, "write_events", lambda tx: f"commit of {tx.schema}"))
    return found


def chosen(points: list[Point]) -> list[Point]:
    """After a statement is before the next one."""
    return [point for point in points if point.when == "before" or not point.name.startswith(("statement", "commit"))]


async def prepared(world: World, count: int, before: list[str]) -> list[Story]:
    stories = [await world.begin(stock=3, quantity=1) for _ in range(count)]
    for act in before:
        if act == "settle":
            await world.town.shop.settle()
            continue
        for story in stories:
            outcome = await world.act(act, world.here, story)
            assert outcome == "", (act, outcome)
    for story in stories:
        story.done.clear()
    return stories


@pytest.fixture
def confirmed_by_staff(world: World, request: Any) -> Any:
    """Whether orders to be paid at the door wait for staff, in both processes."""
    for process in (world.here, world.there):
        process.confirm_first(request.param == "confirm")
    yield
    for process in (world.here, world.there):
        process.confirm_first(False)


@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "confirmed_by_staff"), [(each, each) for each in FIRST], indirect=["confirmed_by_staff"]
)
async def test_whatever_comes_in_between_everything_is_right(world: World, first: str, confirmed_by_staff: Any) -> None:
    act, before = FIRST[first]
    places = places_of(world.here)
    [alone] = await prepared(world, 1, before)
    points = chosen(await recorded(places, lambda: world.act(act, world.here, alone)))
    assert len(points) > 5, points
    cases = [(point, second) for point in points for second in SECOND]
    count = effort(4, 500)
    if count < len(cases) or not TORTURE:
        cases = dice(f"interleaving {first}").sample(cases, count)
    for start in range(0, len(cases), 50):
        told = cases[start : start + 50]
        stories = await prepared(world, len(told), before)
        for story, (point, second) in zip(stories, told, strict=True):
            story.done.append(f"{second} {point} of {act}")
            with interleaved(
                places, point, lambda story=story, second=second: world.act(second, world.there, story)
            ) as other:
                await world.act(act, world.here, story)
            await other.end()
        await world.peace(stories)
        for story in stories:
            await world.check(story)
