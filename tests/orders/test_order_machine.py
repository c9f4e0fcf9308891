"""The order's state machine against a model of the world around it.

Hypothesis plays several workers that advance the same order at once and may die at any point, a customer who pays, pays
twice, pays late and cancels, warehouses that ship, goods that sell out, and messages that come late, twice and out of
order. At every moment, and when all has come to rest, money and goods must be right.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sampan.kernel.catalogue import Catalogue
from sampan.kernel.errors import ShopError
from sampan.services.fulfillment.contract import Status as WorkStatus
from sampan.services.inventory.contract import Allocation
from sampan.services.orders import room
from sampan.services.orders.actions.view import told
from sampan.services.orders.rules import order as rules
from sampan.services.orders.rules.order import PaymentFact, Policy, Progress, Rest, WorkOrderFact, decide, new_progress
from sampan.services.orders.store.orders import Told

TEXTS = Catalogue.load(Path(room.__file__).parent / "texts")
TOTAL = 259_000
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
VARIANT, WAREHOUSE = uuid4(), uuid4()
PARTS = [Allocation(VARIANT, WAREHOUSE, 1)]
NO = rules.Refused("inventory.out_of_stock", 409, "", {})
NEXT: dict[str, list[WorkStatus]] = {
    "allocated": ["picking", "packed"],
    "picking": ["packed"],
    "packed": ["shipped"],
    "shipped": ["delivered", "delivery_failed"],
    "delivery_failed": ["delivered", "returning"],
    "returning": ["returned"],
    "delivered": [],
    "returned": [],
}
LEGAL = {
    ("pending", "placed"),
    ("pending", "completed"),
    ("pending", "cancelled"),
    ("placed", "completed"),
    ("placed", "cancelled"),
}


class World(RuleBasedStateMachine):
    @initialize(method=st.sampled_from(["cod", "vnpay"]), confirm=st.booleans())
    def begin(self, method: str, confirm: bool) -> None:
        self.now = START
        self.policy = Policy(confirm_cod=confirm)
        self.order: Progress = new_progress(
            order_id=uuid4(),
            now=START,
            currency="VND",
            total=TOTAL,
            method=method,
            return_url="/",
            client_ip="203.0.113.7",
            policy=self.policy,
        )
        # the world
        self.stock = 1
        self.hold = "none"
        self.hold_until = START
        self.attempts: dict[int, tuple[UUID, str, str]] = {}  # number → id, method, status
        self.captured = self.refunded = self.version = 0
        self.money = ""
        self.paid_by = 0
        self.given_up = False
        self.booked = ""
        self.booked_in = 0  # version of the order
        self.work: WorkOrderFact | None = None
        # what is on its way
        self.steps: list[tuple[rules.Step, Progress]] = []
        self.outcomes: list[rules.Heard] = []
        self.letters: list[rules.Heard] = []
        self.news: list[rules.News] = []
        self.reopened = 0

    # --- the order

    def run(self, heard: list[rules.Heard]) -> None:
        before = self.order
        decision = decide(before, heard, now=self.now, policy=self.policy)
        after = decision.progress
        if before.status != after.status:
            assert (before.status, after.status) in LEGAL
        if after.status == "placed" and before.status == "pending":
            assert rules.is_accepted(after)
            assert after.hold in ("confirmed", "shipped")
            assert after.allocations
        for entry in decision.entries:
            for language in ("vi", "en"):
                text = told(
                    Told(self.now, entry.code, entry.facts, "system", entry.private), TEXTS.texts(language), language
                )
                assert text
                assert "{" not in text
        self.news += decision.news
        self.reopened += decision.reopen_cart
        if after != before or decision.entries:
            after = msgspec.structs.replace(after, version=before.version + 1)
        again = decide(after, [], now=self.now, policy=self.policy)
        assert again.entries == []  # deciding again tells nothing again
        assert again.news == []
        assert again.step == decision.step
        self.order = after
        if not isinstance(decision.step, Rest):
            self.steps.append((decision.step, after))

    # --- the peers

    def perform(self, step: rules.Step, order: Progress) -> rules.Heard:
        match step:
            case rules.Reserve(minutes=minutes) | rules.Extend(minutes=minutes):
                alive = self.hold == "held" and self.hold_until > self.now
                if self.hold in ("confirmed", "shipped"):
                    return rules.Confirmed(PARTS)
                if isinstance(step, rules.Extend) and not alive:
                    return rules.HoldLost(order.version)
                if not alive and self.hold == "held":
                    self.stock += 1
                    self.hold = "none"
                if not alive:
                    if self.stock == 0:
                        return rules.NoStock(NO, order.version)
                    self.stock -= 1
                self.hold = "held"
                self.hold_until = max(self.hold_until, self.now + timedelta(minutes=minutes))
                return rules.Held(self.hold_until, order.attempt)
            case rules.Confirm():
                if self.hold == "held" and self.hold_until > self.now:
                    self.hold = "confirmed"
                return (
                    rules.Confirmed(PARTS) if self.hold in ("confirmed", "shipped") else rules.HoldLost(order.version)
                )
            case rules.Release():
                if self.hold == "shipped":
                    return rules.ShippedAlready()
                if self.hold in ("held", "confirmed"):
                    self.stock += 1
                self.hold = "released"
                return rules.Released()
            case rules.Book(kind=kind):
                if order.version >= self.booked_in:
                    self.booked, self.booked_in = kind, order.version
                return rules.Booked(kind, order.version)
            case rules.Open():
                if self.given_up or (self.money and self.money not in ("pending", "failed")):
                    if self.given_up or not self.attempts:
                        return rules.NotOpened(order.attempt, NO)
                    return rules.Opened(order.attempt, self.payment())
                if order.attempt not in self.attempts:
                    self.attempts[order.attempt] = (uuid4(), order.method, "open")
                    self.money = "cod_due" if order.method == "cod" else "pending"
                    self.tell_money()
                return rules.Opened(order.attempt, self.payment())
            case rules.Ask():
                return rules.Asked(self.payment(), order.version)
            case rules.GiveUp():
                self.given_up = True
                self.refund_what_is_off()
                if self.money in ("pending", "failed", "cod_due"):
                    self.money = "cancelled"
                    self.tell_money()
                return rules.GivenUp(self.payment() if self.attempts else None)
        raise AssertionError(step)

    def payment(self) -> PaymentFact:
        last = max(self.attempts)
        paying = self.paid_by or last
        return PaymentFact(
            payment_id=self.attempts[last][0],
            method=self.attempts[paying][1],
            status=self.money,  # type: ignore[arg-type]
            amount=TOTAL,
            captured=self.captured,
            refunded=self.refunded,
            currency="VND",
            failure=None,
            version=self.version,
        )

    def tell_money(self) -> None:
        self.version += 1
        self.letters.append(self.payment())

    def refund_what_is_off(self) -> None:
        if self.given_up and self.captured > self.refunded:
            self.refunded = self.captured
            self.money = "refunded"
            self.tell_money()
            self.letters.append(rules.RefundFact(uuid4(), TOTAL, "settled"))

    # --- what happens

    @rule()
    def somebody_advances(self) -> None:
        self.run([])

    @rule()
    def one_worker_goes_on_while_the_others_sleep(self) -> None:
        asleep, self.steps = self.steps, []
        for _ in range(12):
            self.run([])
            if not self.steps:
                break
            self.run([self.perform(*self.steps.pop())])
            self.steps.clear()
        self.steps = asleep

    @precondition(lambda self: self.steps)
    @rule(data=st.data())
    def a_step_is_done(self, data: st.DataObject) -> None:
        step, order = self.steps.pop(data.draw(st.integers(0, len(self.steps) - 1)))
        self.outcomes.append(self.perform(step, order))

    @precondition(lambda self: self.outcomes)
    @rule(data=st.data())
    def an_outcome_is_written_down(self, data: st.DataObject) -> None:
        self.run([self.outcomes.pop(data.draw(st.integers(0, len(self.outcomes) - 1)))])

    @precondition(lambda self: self.steps or self.outcomes)
    @rule()
    def every_worker_dies(self) -> None:
        self.steps.clear()
        self.outcomes.clear()

    @precondition(lambda self: self.letters)
    @rule(data=st.data(), keep=st.booleans())
    def a_letter_arrives(self, data: st.DataObject, keep: bool) -> None:
        """Any of them, and perhaps not for the last time."""
        place = data.draw(st.integers(0, len(self.letters) - 1))
        self.run([self.letters[place] if keep else self.letters.pop(place)])

    @precondition(lambda self: any(m != "cod" and s == "open" for _, m, s in self.attempts.values()))
    @rule(data=st.data(), success=st.booleans())
    def the_customer_pays_or_fails(self, data: st.DataObject, success: bool) -> None:
        live = [n for n, (_, m, s) in self.attempts.items() if m != "cod" and s == "open"]
        number = data.draw(st.sampled_from(live))
        payment_id, method, _ = self.attempts[number]
        self.attempts[number] = (payment_id, method, "paid" if success else "failed")
        if success and (self.money in ("pending", "failed") or self.given_up):
            self.captured += TOTAL
            self.paid_by = number
            self.money = "paid"
            self.tell_money()
            self.refund_what_is_off()
        elif not success and self.money == "pending" and number == max(self.attempts):
            self.money = "failed"
            self.tell_money()

    @rule(minutes=st.integers(1, 30))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.hold in ("none", "held", "released"))
    @rule()
    def a_lapsed_hold_goes_to_somebody_else(self) -> None:
        if self.hold == "held" and self.hold_until <= self.now:
            self.hold = "none"
        elif self.hold == "held":
            return
        self.stock = 0

    @rule(by=st.sampled_from(["customer", "staff"]))
    def somebody_cancels(self, by: rules.Party) -> None:
        try:
            self.run([rules.CancelAsked(by=by, reason="")])
        except ShopError:
            assert not rules.is_cancellable(self.order)

    @rule(method=st.sampled_from(["cod", "vnpay"]))
    def the_customer_tries_another_way_to_pay(self, method: str) -> None:
        try:
            self.run([rules.PayAsked(method=method, return_url="/", client_ip="")])
        except ShopError:
            assert rules.why_not_payable(self.order, self.now)

    @rule()
    def staff_confirm(self) -> None:
        try:
            self.run([rules.ConfirmAsked()])
        except ShopError:
            assert not rules.is_confirmable(self.order)

    @precondition(lambda self: any(isinstance(news, rules.Placed) for news in self.news))
    @rule(data=st.data())
    def the_warehouse_works(self, data: st.DataObject) -> None:
        now = self.work.status if self.work else "allocated"
        status = data.draw(st.sampled_from(NEXT[now] or [now]))
        if now == status:
            return
        if status == "shipped":
            if self.hold != "confirmed":
                return  # the warehouse cannot ship what was released
            self.hold = "shipped"
        self.work = WorkOrderFact(
            id=self.order.id,
            warehouse_id=WAREHOUSE,
            status=status,
            tracking_number="VN1",
            of=1,
            version=(self.work.version if self.work else 0) + 1,
        )
        self.letters.append(self.work)
        if status == "delivered" and self.money == "cod_due":
            self.money = "cod_collected"
            self.captured = TOTAL
            self.tell_money()
        if status == "returned" and self.money == "cod_due":
            self.money = "failed"
            self.tell_money()

    # --- what must be true

    @invariant()
    def a_placed_order_has_its_goods(self) -> None:
        if self.order.status in ("placed", "completed") and not self.order.closing:
            assert self.hold in ("confirmed", "shipped")

    @invariant()
    def an_order_is_placed_once_and_cancelled_once(self) -> None:
        assert sum(isinstance(news, rules.Placed) for news in self.news) <= 1
        assert sum(isinstance(news, rules.Cancelled) for news in self.news) <= 1
        assert self.reopened <= 1

    @invariant()
    def nobody_is_told_of_an_order_that_was_never_shown(self) -> None:
        if self.reopened:
            assert self.order.opened == 0
            assert not any(isinstance(news, rules.Placed | rules.Cancelled) for news in self.news)

    def teardown(self) -> None:
        """Everything that is on its way arrives, and one worker goes on until the order rests, as the sweeper does."""
        if not hasattr(self, "order"):
            return
        for _ in range(60):
            while self.letters or self.outcomes:
                self.run([(self.letters or self.outcomes).pop(0)])
            self.steps.clear()
            self.run([])
            if not self.steps:
                if self.order.status != "pending" or self.order.payment_status == "pending":
                    step = decide(self.order, [], now=self.now, policy=self.policy).step
                    assert isinstance(step, Rest)
                    if step.until is None and not self.letters:
                        break
                self.now += timedelta(hours=50)
                continue
            step, order = self.steps.pop()
            self.outcomes.append(self.perform(step, order))
        else:
            raise AssertionError(f"the order does not come to rest: {self.order}")
        order = self.order
        assert order.status in ("placed", "completed", "cancelled")
        if order.status == "cancelled":
            assert self.hold != "confirmed"  # what a worker took and died over lapses by itself
            assert self.captured == self.refunded
            if order.opened:
                assert self.given_up
            if self.hold == "shipped":
                assert self.work is not None
                assert self.work.status == "returned"
        else:
            assert self.hold in ("confirmed", "shipped")
            assert not self.given_up
            assert self.money in ("paid", "cod_due", "cod_collected", "failed")
            assert self.booked == ("prepaid" if self.money == "paid" else "cod")
        if order.status == "completed":
            assert self.work is not None
            assert self.work.status == "delivered"


TestWorld = World.TestCase
TestWorld.settings = settings(
    max_examples=300, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
