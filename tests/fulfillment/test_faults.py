"""Work that stops half way is finished, once; a cancellation and a parcel that leaves never both win."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from sampan.kernel.context import Actor
from sampan.kernel.errors import RemoteUnavailable
from sampan.services.fulfillment.actions import FulfillmentActions
from sampan.services.fulfillment.contract import IllegalStep, Piece, WorkOrder
from sampan.services.inventory.contract import AlreadyShipped

if TYPE_CHECKING:
    from tests.fulfillment.conftest import Floor
else:
    Floor = Any

ANNA = Actor(kind="staff", id="anna", permissions=frozenset({"fulfillment.write"}))


class Killed(BaseException):
    """The process is gone at this point."""


class Cut:
    """A real peer whose line breaks once, before or after it did what it was asked."""

    def __init__(self, peer: Any, method: str, *, after: bool, failure: BaseException) -> None:
        self.peer = peer
        self.method = method
        self.after = after
        self.failure: BaseException | None = failure

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.peer, name)
        if name != self.method:
            return call

        async def cut(**arguments: Any) -> Any:
            failure, self.failure = self.failure, None
            if failure is not None and not self.after:
                raise failure
            answer = await call(**arguments)
            if failure is not None:
                raise failure
            return answer

        return cut


def with_cut(shop: Any, peer: str, method: str, *, after: bool, failure: BaseException) -> FulfillmentActions:
    live = {name: shop.actions(name) for name in ("inventory", "shipping")}
    live[peer] = Cut(live[peer], method, after=after, failure=failure)
    return FulfillmentActions(shop.db("fulfillment"), shop.shop.ground, live["inventory"], live["shipping"])


STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "ship": ("shipped", {}),
    "deliver": ("delivered", {}),
    "fail": ("delivery_failed", {"reason": "Không nghe máy"}),
    "send_back": ("returning", {}),
    "receive": ("returned", {}),
}
POINTS = [
    ("ship", "inventory", "ship"),
    ("ship", "shipping", "create_shipment"),
    ("deliver", "shipping", "record"),
    ("fail", "shipping", "record"),
    ("send_back", "shipping", "record"),
    ("receive", "inventory", "take_back"),
    ("receive", "shipping", "record"),
]


async def before(floor: Floor, step: str) -> WorkOrder:
    """A work order where `step` begins."""
    if step == "ship":
        return await floor.packed(2, cash=300_000)
    work = await floor.shipped(2, cash=300_000)
    if step in ("send_back", "receive"):
        await floor.actions.fail(actor=ANNA, work_order_id=work.id, reason="Hẹn lại")
    if step == "receive":
        await floor.actions.send_back(actor=ANNA, work_order_id=work.id)
    return work


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("step", "peer", "method"), POINTS)
@pytest.mark.parametrize("heal", ["sweeper", "repeat"])
async def test_a_step_that_was_killed_half_way_is_finished_once(
    shop: Any, floor: Floor, step: str, peer: str, method: str, after: bool, heal: str
) -> None:
    work = await before(floor, step)
    ends, details = STEPS[step]
    dying = with_cut(shop, peer, method, after=after, failure=Killed())
    with pytest.raises(Killed):
        await getattr(dying, step)(actor=ANNA, work_order_id=work.id, **details)
    half_way = await floor.now(work.id)
    assert half_way.status == work.status or step in ("send_back", "receive")
    assert half_way.steps == [{"send_back": "return"}.get(step, step)]

    if heal == "sweeper":
        await floor.actions.finish_steps()
        assert (await floor.now(work.id)).status == half_way.status  # whoever began still has a few seconds
        await floor.time_passes(work.id)
        await floor.actions.finish_steps()
    else:
        await getattr(floor.actions, step)(actor=ANNA, work_order_id=work.id, **details)

    done = await floor.now(work.id)
    assert done.status == ends
    assert done.version == half_way.version + 1
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    said = [event.status for event in parcel.events]
    assert len(said) == len(set(said))
    assert done.tracking_number == parcel.tracking_number
    level = await floor.level(work.lines[0].variant_id, floor.hanoi)
    assert level == ((2, 0, 0) if step == "receive" else (0, 0, 0))
    assert done.history[-1].by == "staff:anna"
    await floor.check_books(work)


@pytest.mark.parametrize("after", [False, True])
async def test_a_lost_parcel_whose_end_was_killed_half_way_is_lost_once(shop: Any, floor: Floor, after: bool) -> None:
    work = await before(floor, "receive")
    dying = with_cut(shop, "shipping", "record", after=after, failure=Killed())
    with pytest.raises(Killed):
        await dying.receive(actor=ANNA, work_order_id=work.id, lines=[Piece(work.lines[0].variant_id, 0)])
    await floor.time_passes(work.id)
    await floor.actions.finish_steps()
    assert (await floor.now(work.id)).status == "returned"
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert [event.status for event in parcel.events] == ["created", "delivery_failed", "returning", "lost"]
    assert await floor.level(work.lines[0].variant_id, floor.hanoi) == (0, 0, 0)
    await floor.check_books(work)


async def test_a_step_is_finished_when_a_peer_is_back(shop: Any, floor: Floor) -> None:
    work = await floor.packed(1)
    failing = with_cut(shop, "shipping", "create_shipment", after=False, failure=RemoteUnavailable("away"))
    with pytest.raises(RemoteUnavailable):
        await failing.ship(actor=ANNA, work_order_id=work.id)
    await floor.time_passes(work.id)
    await floor.actions.finish_steps()
    assert (await floor.now(work.id)).status == "shipped"
    await floor.check_books(work)


async def test_one_step_that_cannot_be_finished_does_not_keep_the_others(shop: Any, floor: Floor) -> None:
    stuck, other = await floor.packed(1), await floor.packed(1)
    for work in (stuck, other):
        dying = with_cut(shop, "inventory", "ship", after=True, failure=Killed())
        with pytest.raises(Killed):
            await dying.ship(actor=ANNA, work_order_id=work.id)
        await floor.minutes_pass(work.id, 6)
    failing = with_cut(shop, "shipping", "create_shipment", after=False, failure=RemoteUnavailable("away"))
    with pytest.raises(RemoteUnavailable):
        await failing.finish_steps()
    statuses = {(await floor.now(work.id)).status for work in (stuck, other)}
    assert statuses == {"packed", "shipped"}
    [left] = [work for work in (stuck, other) if (await floor.now(work.id)).status == "packed"]
    assert any(str(left.id) in line and "half way" in line for line in await floor.actions.invariants())
    await floor.time_passes(left.id)
    await floor.actions.finish_steps()
    await floor.check_books(stuck, other)


async def test_a_late_word_of_an_old_attempt_changes_nothing(shop: Any, floor: Floor) -> None:
    """Somebody pauses before the carrier hears of the failure; meanwhile it was heard, and the parcel delivered."""
    work = await floor.shipped(1)
    dying = with_cut(shop, "shipping", "record", after=False, failure=Killed())
    with pytest.raises(Killed):
        await dying.fail(actor=ANNA, work_order_id=work.id, reason="Không nghe máy")
    async with floor.db.read() as tx:
        at = await tx.one(str, "SELECT intent ->> 'at' FROM fulfillment.work_order WHERE id = $1", work.id)
    await floor.actions.fail(actor=ANNA, work_order_id=work.id, reason="Không nghe máy")
    await floor.actions.deliver(actor=ANNA, work_order_id=work.id)
    await floor.shipping.record(
        work_order_id=work.id, status="delivery_failed", text="Không nghe máy", at=datetime.fromisoformat(at)
    )
    [parcel] = await floor.shipping.shipments_for(order_id=work.order_id)
    assert parcel.status == "delivered"
    assert [event.status for event in parcel.events] == ["created", "delivery_failed", "delivered"]


@pytest.mark.parametrize("attempt", range(8))
async def test_either_the_parcel_leaves_or_the_order_is_cancelled(floor: Floor, attempt: int) -> None:
    work = await floor.packed(1)
    barrier = asyncio.Barrier(2)

    async def ship() -> bool:
        await barrier.wait()
        await asyncio.sleep(0.002 * (attempt % 4))
        try:
            return (await floor.actions.ship(actor=ANNA, work_order_id=work.id)).status == "shipped"
        except IllegalStep:
            return False

    async def cancel() -> bool:
        await barrier.wait()
        await asyncio.sleep(0.002 * ((attempt + 2) % 4))
        try:
            await floor.inventory.release(order_id=work.order_id, reason="changed_mind")
        except AlreadyShipped:
            return False
        await floor.tell(floor.order_cancelled(work.order_id))
        return True

    left, cancelled = await asyncio.gather(ship(), cancel())
    assert left != cancelled
    done = await floor.now(work.id)
    assert done.status == ("shipped" if left else "cancelled")
    assert len(await floor.shipping.shipments_for(order_id=work.order_id)) == int(left)
    assert await floor.level(work.lines[0].variant_id, floor.hanoi) == ((0, 0, 0) if left else (1, 0, 0))
    await floor.check_books(work)
