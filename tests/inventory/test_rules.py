"""The rules of stock, without a database."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import Invalid
from sampan.services.inventory import rules
from sampan.services.inventory.contract import (
    AlreadyConfirmed,
    AlreadyShipped,
    Delivery,
    Demand,
    HoldGone,
    NotConfirmed,
)
from sampan.services.inventory.rules import Hold, Part, Stock

A, B, C = (UUID(int=n) for n in (1, 2, 3))
HANOI, SAIGON, DANANG = (UUID(int=n) for n in (101, 102, 103))
PLACES = {
    HANOI: {"priority": 1, "code": "HN", "provinces": ["01"]},
    SAIGON: {"priority": 2, "code": "SG", "provinces": ["79"]},
    DANANG: {"priority": 3, "code": "DN", "provinces": []},
}


def stock(variant: UUID, place: UUID, free: int) -> Stock:
    return Stock(variant_id=variant, warehouse_id=place, free=free, **PLACES[place])  # type: ignore[arg-type]


def hold(status: str = "held", *parts: Part, lapsed: bool = False, province: str = "79") -> Hold:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return Hold(uuid4(), status, 1, province, now, now if status == "held" else None, lapsed, list(parts))


def test_demand_for_the_same_variant_adds_up() -> None:
    assert rules.wanted_for([Demand(A, 2), Demand(B, 1), Demand(A, 3)]) == {A: 5, B: 1}


@pytest.mark.parametrize("quantity", [0, -1, 100_001])
def test_a_quantity_is_1_to_100000(quantity: int) -> None:
    with pytest.raises(Invalid):
        rules.wanted_for([Demand(A, quantity)])


def test_a_demand_has_lines_but_not_too_many() -> None:
    with pytest.raises(Invalid):
        rules.wanted_for([])
    with pytest.raises(Invalid):
        rules.wanted_for([Demand(uuid4(), 1)] * 1001)


def test_a_hold_is_for_at_least_a_minute() -> None:
    rules.check_minutes(1)
    with pytest.raises(Invalid):
        rules.check_minutes(0)


def test_a_delivery_names_goods_once_and_at_least_one_piece() -> None:
    rules.check_deliveries([Delivery(A, HANOI, 1), Delivery(A, SAIGON, 1)])
    for wrong in ([Delivery(A, HANOI, 0)], [Delivery(A, HANOI, 1), Delivery(A, HANOI, 2)]):
        with pytest.raises(Invalid):
            rules.check_deliveries(wrong)


def test_a_reason_is_said_in_1_to_200_characters() -> None:
    rules.check_reason("đếm lại")
    for wrong in ("", "x" * 201):
        with pytest.raises(Invalid):
            rules.check_reason(wrong)


# --- routing ----------------------------------------------------------------------------------------------------------


def test_warehouses_that_serve_the_province_are_asked_first_then_by_priority() -> None:
    stocks = [stock(A, place, 1) for place in PLACES]
    assert rules.ranked(stocks, "79") == [SAIGON, HANOI, DANANG]
    assert rules.ranked(stocks, "48") == [HANOI, SAIGON, DANANG]


def test_one_warehouse_that_has_all_goes_before_a_split() -> None:
    stocks = [stock(A, SAIGON, 5), stock(B, SAIGON, 0), stock(A, DANANG, 5), stock(B, DANANG, 5)]
    assert rules.route_for({A: 1, B: 1}, stocks, "79") == [Part(A, DANANG, 1), Part(B, DANANG, 1)]


def test_an_order_comes_out_of_as_few_warehouses_as_possible() -> None:
    stocks = [stock(A, HANOI, 1), stock(A, SAIGON, 2), stock(A, DANANG, 3)]
    assert rules.route_for({A: 5}, stocks, "01") == [Part(A, SAIGON, 2), Part(A, DANANG, 3)]


def test_a_line_is_not_torn_apart_when_a_chosen_warehouse_has_all_of_it() -> None:
    stocks = [stock(A, HANOI, 2), stock(B, HANOI, 1), stock(A, SAIGON, 3)]
    assert rules.route_for({A: 3, B: 1}, stocks, "01") == [Part(A, SAIGON, 3), Part(B, HANOI, 1)]


def test_when_all_together_have_too_little_there_is_no_route() -> None:
    stocks = [stock(A, HANOI, 2), stock(A, SAIGON, 2)]
    assert rules.route_for({A: 5}, stocks, "01") is None
    assert rules.route_for({A: 1, B: 1}, stocks, "01") is None
    assert rules.route_for({A: 1}, [stock(A, HANOI, -3)], "01") is None


def test_an_order_may_need_more_warehouses_than_a_good_split_has() -> None:
    stocks = [Stock(A, UUID(int=n), 1, n, f"W{n}", []) for n in range(1, 9)]
    assert rules.route_for({A: 8}, stocks, "01") == [Part(A, UUID(int=n), 1) for n in range(1, 9)]


stocks_of_three = st.builds(
    lambda free: [stock(v, p, n) for (v, p), n in zip([(v, p) for v in (A, B, C) for p in PLACES], free, strict=True)],
    st.lists(st.integers(-2, 6), min_size=9, max_size=9),
)
demand = st.dictionaries(st.sampled_from([A, B, C]), st.integers(1, 12), min_size=1)


@given(demand, stocks_of_three, st.sampled_from(["01", "79", "48"]))
def test_a_route_takes_exactly_what_is_wanted_and_never_more_than_is_free(
    wanted: dict[UUID, int], stocks: list[Stock], province: str
) -> None:
    parts = rules.route_for(wanted, stocks, province)
    enough = all(
        sum(max(0, s.free) for s in stocks if s.variant_id == variant) >= need for variant, need in wanted.items()
    )
    assert (parts is not None) == enough
    if parts is None:
        lines = rules.out_of_stock(wanted, stocks).facts["lines"]
        assert lines
        assert all(line["available"] < line["wanted"] for line in lines)
        return
    assert rules.quantities(parts) == wanted
    assert len({(part.variant_id, part.warehouse_id) for part in parts}) == len(parts)
    free = {(s.variant_id, s.warehouse_id): s.free for s in stocks}
    assert all(0 < part.quantity <= free[part.variant_id, part.warehouse_id] for part in parts)
    single = [p for p in PLACES if all(free[v, p] >= need for v, need in wanted.items())]
    if single:
        assert {part.warehouse_id for part in parts} == {
            next(place for place in rules.ranked(stocks, province) if place in single)
        }


def test_out_of_stock_names_only_the_lines_that_lack() -> None:
    refusal = rules.out_of_stock({A: 5, B: 1}, [stock(A, HANOI, 2), stock(A, SAIGON, -1), stock(B, HANOI, 1)])
    assert refusal.facts["lines"] == [{"variant_id": str(A), "wanted": 5, "available": 2}]


# --- holds ------------------------------------------------------------------------------------------------------------


def test_an_order_that_asks_again_for_the_same_gets_the_same_answer() -> None:
    mine = hold("held", Part(A, HANOI, 2), Part(A, SAIGON, 1))
    assert rules.is_answered(mine, {A: 3}, "79")
    assert not rules.is_answered(mine, {A: 4}, "79")
    assert not rules.is_answered(mine, {A: 3}, "01")


def test_a_lapsed_or_released_hold_is_no_answer() -> None:
    assert not rules.is_answered(hold("held", Part(A, HANOI, 1), lapsed=True), {A: 1}, "79")
    assert not rules.is_answered(hold("released", Part(A, HANOI, 1)), {A: 1}, "79")


def test_a_placed_order_cannot_become_other_goods() -> None:
    assert rules.is_answered(hold("confirmed", Part(A, HANOI, 1)), {A: 1}, "01")
    with pytest.raises(AlreadyConfirmed):
        rules.is_answered(hold("confirmed", Part(A, HANOI, 1)), {A: 2}, "01")
    with pytest.raises(AlreadyShipped):
        rules.is_answered(hold("shipped", Part(A, HANOI, 1, shipped=True)), {A: 2}, "01")


def test_what_an_order_holds_is_free_for_itself_only_while_it_is_held() -> None:
    stocks = [stock(A, HANOI, 1), stock(A, SAIGON, -2)]
    mine = hold("held", Part(A, HANOI, 4), Part(A, SAIGON, 3))
    assert [s.free for s in rules.with_own(stocks, mine)] == [5, 1]
    assert [s.free for s in rules.with_own(stocks, hold("released", Part(A, HANOI, 4)))] == [1, -2]
    assert rules.with_own(stocks, None) == stocks


@pytest.mark.parametrize(
    "gone", [None, hold("released", Part(A, HANOI, 1)), hold("held", Part(A, HANOI, 1), lapsed=True)]
)
def test_a_hold_that_is_gone_cannot_be_confirmed_extended_or_shipped(gone: Hold | None) -> None:
    with pytest.raises(HoldGone):
        rules.check_holds(gone)


def test_only_a_placed_order_is_shipped() -> None:
    rules.check_confirmed(hold("confirmed", Part(A, HANOI, 1)))
    with pytest.raises(NotConfirmed):
        rules.check_confirmed(hold("held", Part(A, HANOI, 1)))


def test_one_shipped_part_binds_the_whole_order() -> None:
    rules.check_releasable(hold("confirmed", Part(A, HANOI, 1), Part(B, SAIGON, 1)))
    with pytest.raises(AlreadyShipped):
        rules.check_releasable(hold("confirmed", Part(A, HANOI, 1, shipped=True), Part(B, SAIGON, 1)))


# --- movements --------------------------------------------------------------------------------------------------------


def deltas(movement: Any) -> tuple[int, int, int, int]:
    return movement.on_hand, movement.held, movement.allocated, movement.unsellable


def test_each_kind_of_movement_changes_its_own_counts() -> None:
    part = Part(A, HANOI, 3)
    held, placed = hold("held", part), hold("confirmed", part)
    assert [deltas(m) for m in rules.taken(held.order_id, 1, [part])] == [(0, 3, 0, 0)]
    assert [deltas(m) for m in rules.taken(held.order_id, 1, [part], firm=True)] == [(0, 0, 3, 0)]
    assert [deltas(m) for m in rules.moved("confirmed", held, [part])] == [(0, -3, 3, 0)]
    assert [deltas(m) for m in rules.moved("released", held, [part])] == [(0, -3, 0, 0)]
    assert [deltas(m) for m in rules.moved("lapsed", held, [part])] == [(0, -3, 0, 0)]
    assert [deltas(m) for m in rules.moved("released", placed, [part])] == [(0, 0, -3, 0)]
    assert [deltas(m) for m in rules.moved("shipped", placed, [part])] == [(-3, 0, -3, 0)]
    assert [deltas(m) for m in rules.received("x", [Delivery(A, HANOI, 3)])] == [(3, 0, 0, 0)]
    assert deltas(rules.adjusted("x", A, HANOI, -3, "gone")) == (-3, 0, 0, 0)


def test_what_comes_back_is_for_sale_or_put_apart() -> None:
    gone = hold("shipped", Part(A, HANOI, 3, shipped=True))
    for sellable, expected in ((True, (2, 0, 0, 0)), (False, (0, 0, 0, 2))):
        [back] = rules.brought_back(
            gone, [Part(A, HANOI, 2)], warehouse_id=SAIGON, sellable=sellable, reason="returned"
        )
        assert deltas(back) == expected
        assert back.warehouse_id == SAIGON


def test_at_most_what_was_shipped_and_not_yet_brought_back_comes_back() -> None:
    gone = hold("confirmed", Part(A, HANOI, 3, True, 1), Part(A, SAIGON, 2, True), Part(B, HANOI, 4))
    assert rules.returns_for(gone, [Demand(A, 9), Demand(B, 1)], SAIGON) == [Part(A, SAIGON, 2), Part(A, HANOI, 2)]
    assert rules.returns_for(gone, [Demand(A, 1), Demand(A, 1)], HANOI) == [Part(A, HANOI, 2)]
    assert rules.returns_for(gone, [Demand(C, 1)], HANOI) == []
