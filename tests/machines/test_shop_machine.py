"""The whole shop against a model of it: five kinds of actors act on a few orders, in any sequence.

The model knows what was paid at the bank, what left the shelf and what came back, and which of the things that were
asked must be granted or refused. What moves is noted by the database itself, move by move, and held against the
tables. Consumers and jobs run one at a time, if at all, until peace comes at the end.
"""

import asyncio
from typing import Any

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.conftest import SEED, effort
from tests.machines.tables import illegal
from tests.machines.world import Story, World

CUSTOMER = ["add", "patch", "buy_cash", "buy_online", "pay_again", "pay_at_door", "cancel", "look", "come_back"]
BANK = [
    "bank_takes", "bank_takes_quietly", "bank_declines", "bank_takes_too_much", "bank_tells_again", "bank_breaks_down",
]  # fmt: skip
WAREHOUSE = ["pick", "pack", "ship", "send", "deliver", "fail", "send_back", "receive", "lose_parcel"]
STAFF = ["staff_cancel", "confirm", "refund_one", "find_one", "lose_one", "reprice", "decide", "pay_out"]
TIME = ["sweep", "expire"]
SENT = {"shipped", "delivered", "delivery_failed", "returning", "returned"}


class Model:
    """What is known of an order from what its actors were told: was it bought, did it leave, is it off?"""

    def __init__(self) -> None:
        self.sent = False
        self.cancelled = False
        self.bought = False

    def expects(self, act: str, outcome: str, work: str) -> None:
        """Hold what was answered against what a merchant would have answered."""
        done = outcome == ""
        if act in ("cancel", "staff_cancel") and outcome != "nothing to do":
            if self.sent:
                assert not done, "a parcel that has left was called off"
            if self.cancelled:
                assert done, "an order that is off was not off"
            self.cancelled |= done
        if act in ("ship", "send") and done:
            assert not self.cancelled, "an order that is off was sent"
            self.sent = True
        if act in ("deliver", "fail", "send_back", "receive", "lose_parcel") and done:
            assert self.sent, f"{act} of a parcel that never left"
        if act in ("pay_again", "pay_at_door") and (self.sent or self.cancelled):
            assert not done, "an order that is settled took another payment"
        if act in ("add", "patch") and self.bought and not self.cancelled:
            assert not done, "an order's cart was changed"
        if act in ("buy_cash", "buy_online"):
            self.bought |= done
        if work in SENT:
            assert self.sent, "it left, and nobody sent it"


class Machine(RuleBasedStateMachine):
    """Made with a world and the loop it lives in."""

    world: World
    loop: asyncio.AbstractEventLoop
    count = 2

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    @initialize(stock=st.integers(1, 3), quantity=st.integers(1, 2), staff_confirm=st.booleans())
    def begin(self, stock: int, quantity: int, staff_confirm: bool) -> None:
        self.run(self._begin(max(stock, quantity), quantity))
        for process in (self.world.here, self.world.there):
            process.confirm_first(staff_confirm)

    async def _begin(self, stock: int, quantity: int) -> None:
        self.stories = [await self.world.begin(stock=stock, quantity=quantity) for _ in range(self.count)]
        self.models = [Model() for _ in self.stories]
        processes = (self.world.here, self.world.there)
        self.consumers = [each for process in processes[:1] for each in process.shop.consumers()]
        self.jobs = [
            each
            for process in processes[:1]
            for each in process.shop.job_runners()
            if each.db.schema in ("orders", "payments", "inventory", "fulfillment")
        ]

    def do(self, act: str, at: int, away: bool) -> None:
        story, former = self.stories[at], self.stories[at].order_id
        process = self.world.there if away else self.world.here
        outcome = self.run(self.world.act(act, process, story))
        if story.order_id != former:
            self.models[at] = Model()  # an order that found its goods gone is off, and its cart becomes another one
        self.models[at].expects(act, outcome, self.run(self._work(story)))

    async def _work(self, story: Story) -> str:
        if story.order_id is None:
            return ""
        works = await self.world.here.fulfillment.work_orders_for(order_id=story.order_id)
        return works[0].status if works else ""

    @rule(act=st.sampled_from(CUSTOMER), at=st.integers(0, count - 1), away=st.booleans())
    def the_customer(self, act: str, at: int, away: bool) -> None:
        self.do(act, at, away)

    @rule(act=st.sampled_from(BANK), at=st.integers(0, count - 1), away=st.booleans())
    def the_bank(self, act: str, at: int, away: bool) -> None:
        self.do(act, at, away)

    @rule(act=st.sampled_from(WAREHOUSE), at=st.integers(0, count - 1), away=st.booleans())
    def the_warehouse(self, act: str, at: int, away: bool) -> None:
        self.do(act, at, away)

    @rule(act=st.sampled_from(STAFF), at=st.integers(0, count - 1), away=st.booleans())
    def staff(self, act: str, at: int, away: bool) -> None:
        self.do(act, at, away)

    @rule(act=st.sampled_from(TIME), at=st.integers(0, count - 1), away=st.booleans())
    def time(self, act: str, at: int, away: bool) -> None:
        self.do(act, at, away)

    @rule(data=st.data())
    def a_consumer_takes_one_event(self, data: st.DataObject) -> None:
        self.run(data.draw(st.sampled_from(self.consumers)).step(limit=data.draw(st.sampled_from((1, 200)))))

    @rule(data=st.data())
    def one_job_runs(self, data: st.DataObject) -> None:
        self.run(data.draw(st.sampled_from(self.jobs)).step(now=True))

    @rule(at=st.integers(0, count - 1))
    def word_gets_around(self, at: int) -> None:
        self.run(self.world.act("settle", self.world.here, self.stories[at]))

    @invariant()
    def everything_moves_as_a_merchant_would_believe(self) -> None:
        if hasattr(self, "stories"):
            assert illegal(self.run(self.world.moves())) == []

    def teardown(self) -> None:
        if not hasattr(self, "stories"):
            return
        self.run(self.world.peace(self.stories))
        for process in (self.world.here, self.world.there):
            process.confirm_first(False)
        for story in self.stories:
            self.run(self.world.check(story))


async def test_the_shop_does_what_its_model_does(world: World) -> None:
    machine = seed(SEED)(type("ShopMachine", (Machine,), {"world": world, "loop": asyncio.get_running_loop()}))
    await asyncio.to_thread(
        run_state_machine_as_test,
        machine,
        settings=settings(
            max_examples=effort(8, 150),
            stateful_step_count=effort(25, 40),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
