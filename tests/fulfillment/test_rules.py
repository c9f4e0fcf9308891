"""The rules of work orders, without a database."""

from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import Invalid
from sampan.kernel.money import Money
from sampan.services.fulfillment import rules
from sampan.services.fulfillment.contract import IllegalStep, NotPicked, Piece, Status, Step, WorkOrderLine
from sampan.services.orders.contract import EventAllocation, EventLine

STEPS: tuple[Any, ...] = get_args(Step)
STATUSES: tuple[Any, ...] = get_args(Status)
ALLOWED = {
    ("allocated", "pick"): "picking",
    ("picking", "pick"): "picking",
    ("picking", "pack"): "packed",
    ("packed", "ship"): "shipped",
    ("shipped", "deliver"): "delivered",
    ("delivery_failed", "deliver"): "delivered",
    ("shipped", "fail"): "delivery_failed",
    ("delivery_failed", "return"): "returning",
    ("returning", "receive"): "returned",
    ("allocated", "cancel"): "cancelled",
    ("picking", "cancel"): "cancelled",
    ("packed", "cancel"): "cancelled",
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_work_order_moves_along_its_table_and_nowhere_else(status: Any, step: Any) -> None:
    ends = rules.STEPS[step].ends
    if (status, step) in ALLOWED:
        assert ALLOWED[status, step] == ends
        rules.check_begins(step, status)
        assert rules.answer_for(step, status, None) == "go"
        return
    with pytest.raises(IllegalStep):
        rules.check_begins(step, status)
    if status == ends:
        assert rules.answer_for(step, status, None) == "done"
        return
    with pytest.raises(IllegalStep) as refused:
        rules.answer_for(step, status, None)
    assert refused.value.facts["state"] == status


@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_goods_that_left_never_become_a_cancelled_order(steps: list[Any]) -> None:
    status: Any = "allocated"
    seen = [status]
    for step in steps:
        try:
            if rules.answer_for(step, status, None) == "go":
                status = rules.STEPS[step].ends
        except IllegalStep:
            continue
        seen.append(status)
    assert not {"shipped", "cancelled"} <= set(seen)
    if "returned" in seen:
        assert {"shipped", "delivery_failed", "returning"} <= set(seen)
        assert "delivered" not in seen


@pytest.mark.parametrize("doing", STEPS)
@pytest.mark.parametrize("step", STEPS)
def test_while_a_step_is_half_way_no_other_begins(step: Any, doing: Any) -> None:
    if step == doing:
        assert rules.answer_for(step, "packed", doing) == "resume"
        return
    with pytest.raises(IllegalStep) as refused:
        rules.answer_for(step, "packed", doing)
    assert refused.value.facts == {"state": "packed", "doing": doing}


@pytest.mark.parametrize("status", STATUSES)
def test_what_has_not_left_is_not_sent_when_its_order_is_cancelled(status: Any) -> None:
    assert rules.is_cancellable(status, None) == (status in ("allocated", "picking", "packed"))
    assert not rules.is_cancellable(status, "ship")


def line(quantity: int, picked: int = 0) -> WorkOrderLine:
    return WorkOrderLine(uuid4(), "SKU", "Bát gốm", quantity, picked)


def test_staff_see_what_they_can_do_now() -> None:
    begun, whole = [line(2, 1)], [line(2, 2)]
    assert rules.steps_for("allocated", None, [line(2)]) == ["pick"]
    assert rules.steps_for("picking", None, begun) == ["pick"]
    assert rules.steps_for("picking", None, whole) == ["pack"]
    assert rules.steps_for("packed", None, whole) == ["ship"]
    assert rules.steps_for("packed", "ship", whole) == ["ship"]
    assert rules.steps_for("shipped", None, whole) == ["deliver", "fail"]
    assert rules.steps_for("delivery_failed", None, whole) == ["deliver", "return"]
    assert rules.steps_for("returning", None, whole) == ["receive"]
    for end in ("delivered", "returned", "cancelled"):
        assert rules.steps_for(end, None, whole) == []  # type: ignore[arg-type]


def test_a_number_of_pieces_counts_from_nothing() -> None:
    one, two = line(3, 1), line(2)
    assert rules.picks_for([one, two], None) == {one.variant_id: 3, two.variant_id: 2}
    assert rules.picks_for([one, two], [Piece(one.variant_id, 1)]) == {}
    assert rules.picks_for([one, two], [Piece(one.variant_id, 0)]) == {one.variant_id: 0}
    assert rules.picks_for([line(3, 3)], None) == {}


@pytest.mark.parametrize(
    ("pieces", "field"),
    [
        ([("known", 4)], "lines.0.quantity"),
        ([("known", -1)], "lines.0.quantity"),
        ([("known", 1), ("other", 1)], "lines.1.variant_id"),
        ([("known", 1), ("known", 1)], "lines.1.variant_id"),
    ],
)
def test_only_what_the_work_order_has_can_be_counted(pieces: list[tuple[str, int]], field: str) -> None:
    known = line(3)
    ids = {"known": known.variant_id, "other": uuid4()}
    said = [Piece(ids[name], quantity) for name, quantity in pieces]
    for rule in (rules.picks_for, rules.returns_for):
        with pytest.raises(Invalid) as refused:
            rule([known], said)
        assert refused.value.facts["errors"][0]["field"] == field


def test_something_comes_back_in_a_parcel_unless_every_line_says_that_nothing_does() -> None:
    one, two = line(3, 3), line(2, 2)
    assert rules.returns_for([one, two], None) == [Piece(one.variant_id, 3), Piece(two.variant_id, 2)]
    some = [Piece(one.variant_id, 0), Piece(two.variant_id, 1)]
    assert rules.returns_for([one, two], some) == [Piece(two.variant_id, 1)]
    nothing = [Piece(one.variant_id, 0), Piece(two.variant_id, 0)]
    assert rules.returns_for([one, two], nothing) == []
    for unclear in ([], nothing[:1], nothing[1:]):
        with pytest.raises(Invalid) as refused:
            rules.returns_for([one, two], unclear)
        assert refused.value.facts["errors"][0]["field"] == "lines"


def test_a_parcel_of_which_nothing_came_back_is_lost() -> None:
    assert rules.tracking_for("receive", []) == "lost"
    assert rules.tracking_for("receive", [Piece(uuid4(), 1)]) == "returned"
    said = {step: rules.tracking_for(step, []) for step in ("deliver", "fail", "return")}
    assert said == {"deliver": "delivered", "fail": "delivery_failed", "return": "returning"}


def test_a_parcel_is_packed_when_everything_is_picked() -> None:
    rules.check_picked([line(2, 2), line(1, 1)])
    lacking = line(2, 1)
    with pytest.raises(NotPicked) as refused:
        rules.check_picked([line(1, 1), lacking])
    assert refused.value.facts["lines"] == [{"variant_id": str(lacking.variant_id), "quantity": 2, "picked": 1}]


variants = st.sampled_from([UUID(int=n) for n in range(1, 5)])
warehouses = st.sampled_from([UUID(int=n) for n in range(10, 13)])


@given(st.lists(st.builds(EventAllocation, variants, warehouses, st.integers(1, 9)), min_size=1, max_size=12))
def test_each_warehouse_gets_exactly_what_comes_out_of_it(allocations: list[EventAllocation]) -> None:
    lines = [
        EventLine(uuid4(), variant, f"SKU-{variant.int}", "Bát", 1, Money(1, "VND"))
        for variant in {part.variant_id for part in allocations}
    ]
    works = rules.work_for(lines, allocations)
    assert [work.warehouse_id for work in works] == sorted({part.warehouse_id for part in allocations})
    for work in works:
        assert len({each.variant_id for each in work.lines}) == len(work.lines)
        for each in work.lines:
            assert each.sku == f"SKU-{each.variant_id.int}"
            assert each.quantity == sum(
                part.quantity
                for part in allocations
                if (part.variant_id, part.warehouse_id) == (each.variant_id, work.warehouse_id)
            )
    assert sum(each.quantity for work in works for each in work.lines) == sum(part.quantity for part in allocations)


def test_an_intent_survives_being_written_down() -> None:
    intent = rules.Intent("receive", datetime.now(UTC), "staff:anna", back=[Piece(uuid4(), 1)], sellable=False)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(intent)), rules.Intent) == intent
