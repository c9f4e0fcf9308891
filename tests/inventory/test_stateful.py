"""Inventory against a model of itself: any sequence of calls, the same answers, true books after each.

The machine runs in a thread of its own, because hypothesis drives it without a loop; each step runs on the loop of the
tests.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sampan.kernel.context import SYSTEM
from sampan.kernel.errors import ShopError
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import (
    AlreadyConfirmed,
    AlreadyShipped,
    Delivery,
    Demand,
    HoldGone,
    NotConfirmed,
    OutOfStock,
    Reservation,
    StockCommitted,
)

VARIANTS = 3
ORDERS = 4
variants = st.integers(0, VARIANTS - 1)
orders = st.integers(0, ORDERS - 1)
places = st.integers(0, 1)


class Order:
    """What the model knows of an order: its parts by (variant, place), and what came back of each variant."""

    def __init__(self) -> None:
        self.status = "new"
        self.lapsed = False
        self.closed = False
        self.parts: dict[tuple[int, int], int] = {}
        self.shipped: set[tuple[int, int]] = set()
        self.returned: Counter[int] = Counter()

    @property
    def alive(self) -> bool:
        return self.status == "held" and not self.lapsed

    def wanted(self) -> dict[int, int]:
        found: Counter[int] = Counter()
        for (variant, _), quantity in self.parts.items():
            found[variant] += quantity
        return dict(found)


class Machine(RuleBasedStateMachine):
    room: Any
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of a call, or its refusal."""

        async def guarded() -> Any:
            try:
                return await work
            except ShopError as refusal:
                return refusal

        return asyncio.run_coroutine_threadsafe(guarded(), self.loop).result(30)

    @initialize(stock=st.lists(st.integers(0, 6), min_size=2 * VARIANTS, max_size=2 * VARIANTS))
    def begin(self, stock: list[int]) -> None:
        self.places = [self.room.hanoi, self.room.saigon]
        self.variants = [uuid7() for _ in range(VARIANTS)]
        self.ids = [uuid7() for _ in range(ORDERS)]
        self.orders = [Order() for _ in range(ORDERS)]
        self.on_hand: Counter[tuple[int, int]] = Counter()
        self.unsellable: Counter[tuple[int, int]] = Counter()
        self.deliveries = 0
        for at, quantity in enumerate(stock):
            if quantity:
                self.deliver(at // 2, at % 2, quantity)

    # --- what the model says ------------------------------------------------------------------------------------------

    def used(self, variant: int, place: int, *, but: Order | None = None) -> int:
        """What living holds and placed orders have of a level."""
        return sum(
            order.parts.get((variant, place), 0)
            for order in self.orders
            if order is not but
            and (order.alive or (order.status == "confirmed" and (variant, place) not in order.shipped))
        )

    def free(self, variant: int, *, but: Order | None = None) -> int:
        return sum(self.on_hand[variant, place] - self.used(variant, place, but=but) for place in (0, 1))

    # --- what may happen ----------------------------------------------------------------------------------------------

    @rule(variant=variants, place=places, quantity=st.integers(1, 5))
    def deliver(self, variant: int, place: int, quantity: int) -> None:
        self.deliveries += 1
        item = Delivery(self.variants[variant], self.places[place], quantity)
        cause = f"{self.variants[0]} {self.deliveries}"
        for _ in range(2):  # told twice, counted once
            assert self.run(self.room.actions.stock_up(cause=cause, items=[item])) is None
        self.on_hand[variant, place] += quantity

    @rule(variant=variants, place=places, change=st.integers(-4, 4).filter(bool))
    def correct(self, variant: int, place: int, change: int) -> None:
        answer = self.run(
            self.room.actions.adjust(
                actor=SYSTEM,
                key=str(uuid7()),
                variant_id=self.variants[variant],
                warehouse_id=self.places[place],
                change=change,
                reason="counted",
            )
        )
        if self.on_hand[variant, place] + change < self.used(variant, place):
            assert isinstance(answer, StockCommitted)
            return
        self.on_hand[variant, place] += change
        assert answer.on_hand == self.on_hand[variant, place]

    @rule(at=orders, wanted=st.dictionaries(variants, st.integers(1, 7), min_size=1), firm=st.booleans())
    def reserve(self, at: int, wanted: dict[int, int], firm: bool) -> None:
        order = self.orders[at]
        lines = ((self.variants[v], n) for v, n in wanted.items())
        answer = self.run(self.room.reserve(self.ids[at], *lines, firm=firm))
        same = order.wanted() == wanted
        if order.closed:
            assert isinstance(answer, HoldGone)
        elif order.status in ("confirmed", "shipped") and not same:
            assert isinstance(answer, AlreadyConfirmed if order.status == "confirmed" else AlreadyShipped)
        elif order.status in ("confirmed", "shipped") or (order.alive and same):
            if firm and order.status == "held":
                order.status = "confirmed"
            assert self.parts_of(answer) == order.parts
            assert answer.status == order.status
        elif any(self.free(variant, but=order) < need for variant, need in wanted.items()):
            assert isinstance(answer, OutOfStock)
            assert {line["variant_id"] for line in answer.facts["lines"]} == {
                str(self.variants[v]) for v, need in wanted.items() if self.free(v, but=order) < need
            }
        else:
            assert isinstance(answer, Reservation)
            parts = self.parts_of(answer)
            for (variant, place), quantity in parts.items():
                assert quantity <= self.on_hand[variant, place] - self.used(variant, place, but=order)
            order.status, order.lapsed, order.parts = "confirmed" if firm else "held", False, parts
            assert answer.status == order.status
            assert order.wanted() == wanted

    def parts_of(self, reservation: Reservation) -> dict[tuple[int, int], int]:
        return {
            (self.variants.index(part.variant_id), self.places.index(part.warehouse_id)): part.quantity
            for part in reservation.allocations
        }

    @rule(at=orders)
    def time_passes(self, at: int) -> None:
        self.run(self.room.pass_time(self.ids[at], 3700))
        if self.orders[at].status == "held":
            self.orders[at].lapsed = True

    @rule()
    def sweep(self) -> None:
        self.run(self.room.actions.release_expired())

    @rule(at=orders)
    def extend(self, at: int) -> None:
        self.gone_or(at, self.run(self.room.actions.extend(order_id=self.ids[at], minutes=20)))

    @rule(at=orders)
    def confirm(self, at: int) -> None:
        answer = self.run(self.room.actions.confirm(order_id=self.ids[at]))
        if self.orders[at].alive:
            self.orders[at].status = "confirmed"
        self.gone_or(at, answer)

    def gone_or(self, at: int, answer: Any) -> None:
        order = self.orders[at]
        if order.alive or order.status in ("confirmed", "shipped"):
            assert answer.status == order.status
        else:
            assert isinstance(answer, HoldGone)

    @rule(at=orders)
    def release(self, at: int) -> None:
        order = self.orders[at]
        answer = self.run(self.room.actions.release(order_id=self.ids[at], reason="changed my mind"))
        order.closed = order.closed or not order.shipped
        if order.status == "new":
            assert answer is None
        elif order.shipped:
            assert isinstance(answer, AlreadyShipped)
        else:
            order.status, order.lapsed = "released", False
            assert answer.status == "released"

    @rule(at=orders, place=places)
    def ship(self, at: int, place: int) -> None:
        order = self.orders[at]
        answer = self.run(self.room.actions.ship(order_id=self.ids[at], warehouse_id=self.places[place]))
        if order.status in ("new", "released") or order.lapsed:
            assert isinstance(answer, HoldGone)
        elif order.status == "held":
            assert isinstance(answer, NotConfirmed)
        else:
            here = {part for part in order.parts if part[1] == place}
            assert {(self.variants.index(a.variant_id), place) for a in answer} == here
            for part in here - order.shipped:
                self.on_hand[part] -= order.parts[part]
            order.shipped |= here
            if order.shipped == set(order.parts):
                order.status = "shipped"

    @rule(at=orders, variant=variants, place=places, quantity=st.integers(1, 4), sellable=st.booleans())
    def bring_back(self, at: int, variant: int, place: int, quantity: int, sellable: bool) -> None:
        order = self.orders[at]
        reason = str(uuid7())
        for _ in range(2):  # told twice, counted once
            answer = self.run(
                self.room.actions.take_back(
                    order_id=self.ids[at],
                    warehouse_id=self.places[place],
                    demands=[Demand(self.variants[variant], quantity)],
                    sellable=sellable,
                    reason=reason,
                )
            )
            assert answer is None
        left = sum(order.parts[part] for part in order.shipped if part[0] == variant) - order.returned[variant]
        back = min(quantity, left)
        order.returned[variant] += back
        (self.on_hand if sellable else self.unsellable)[variant, place] += back

    # --- what is always true ------------------------------------------------------------------------------------------

    @invariant()
    def what_can_be_sold_is_what_the_model_says(self) -> None:
        if not hasattr(self, "variants"):
            return
        found = self.run(self.room.actions.available_for(variants=self.variants))
        assert [each.available for each in found] == [self.free(variant) for variant in range(VARIANTS)]

    @invariant()
    def the_shelves_are_what_the_model_says(self) -> None:
        if not hasattr(self, "variants"):
            return
        for variant, each in enumerate(self.variants):
            page = self.run(
                self.room.actions.list_stock(sku=None, variant_id=each, warehouse_id=None, limit=10, cursor=None)
            )
            for level in page.items:
                place = self.places.index(level.warehouse_id)
                assert level.on_hand == self.on_hand[variant, place]
                assert level.unsellable == self.unsellable[variant, place]

    def teardown(self) -> None:
        if hasattr(self, "variants"):
            self.run(self.room.actions.release_expired())
            assert self.run(self.room.actions.invariants()) == []


async def test_inventory_does_what_its_model_does(room: Any) -> None:
    machine = type("InventoryMachine", (Machine,), {"room": room, "loop": asyncio.get_running_loop()})
    await asyncio.to_thread(
        run_state_machine_as_test,
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
