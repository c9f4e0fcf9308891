"""Many buyers at once: nothing is sold twice, nobody gets a part, nobody orders twice."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import msgspec
from tests.conftest import dice, effort
from tests.races.conftest import Crowd

SOLD_OUT = (409, "inventory.out_of_stock")


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code < 300 else answer.json()["code"]


def ids_of(answers: list[Any]) -> set[str]:
    bodies = [answer.json() for answer in answers if answer.status_code == 201]
    return {body["order"]["id"] for body in bodies if "order" in body}


def worked_on(answers: list[Any]) -> list[Any]:
    """Of answers under one key those that are no copies."""
    return [answer for answer in answers if "idempotency-replayed" not in answer.headers]


async def test_200_buyers_for_50_pieces_get_exactly_50(crowd: Crowd) -> None:
    buyers, pieces = effort(200, 600), 50
    variant = await crowd.stall.goods(stock=pieces)
    carts = await crowd.copies(await crowd.stall.ready((variant, 1)), buyers)
    answers = await crowd.at_once([crowd.ordering(cart) for cart in carts])
    assert Counter(map(outcome, answers)) == {(201, ""): pieces, SOLD_OUT: buyers - pieces}
    assert len(ids_of(answers)) == pieces
    assert await crowd.stall.available(variant) == 0
    assert {answer.json()["order"]["status"] for answer in answers if answer.status_code == 201} == {"placed"}


async def test_prepaid_pieces_are_held_for_exactly_as_many(crowd: Crowd) -> None:
    variant = await crowd.stall.goods(stock=7)
    carts = await crowd.copies(await crowd.stall.ready((variant, 2)), 20)
    answers = await crowd.at_once([crowd.ordering(cart, "vnpay") for cart in carts])
    assert Counter(map(outcome, answers)) == {(201, ""): 3, SOLD_OUT: 17}
    assert await crowd.stall.available(variant) == 1


async def test_orders_of_many_goods_in_any_order_are_whole(crowd: Crowd) -> None:
    chance = dice("many goods")
    stock = {await crowd.stall.goods(stock=12): 12 for _ in range(5)}
    wanted = [
        [(variant, chance.randint(1, 2)) for variant in chance.sample(list(stock), 3)] for _ in range(effort(12, 40))
    ]
    carts = [cart for wish in wanted for cart in await crowd.copies(await crowd.stall.ready(*wish), 5)]
    chance.shuffle(carts)
    answers = await crowd.at_once([crowd.ordering(cart) for cart in carts])
    assert {outcome(answer) for answer in answers} == {(201, ""), SOLD_OUT}
    sold: Counter[UUID] = Counter()
    for cart, answer in zip(carts, answers, strict=True):
        if answer.status_code == 201:
            lines = {UUID(line["variant_id"]): line["quantity"] for line in answer.json()["order"]["lines"]}
            assert lines == {line.variant_id: line.quantity for line in cart.lines}
            sold.update(lines)
    for variant, pieces in stock.items():
        assert await crowd.stall.available(variant) == pieces - sold[variant] >= 0


async def test_one_key_a_hundred_times_is_one_order_and_one_payment(crowd: Crowd) -> None:
    variant = await crowd.stall.goods(stock=9)
    cart = await crowd.stall.ready((variant, 2))
    key, acts = uuid4().hex, 100
    waiting, taken = acts, []
    while waiting:
        answers = await crowd.at_once([crowd.ordering(cart, "vnpay", key=key) for _ in range(waiting)])
        assert {outcome(answer) for answer in answers} <= {(201, ""), (409, "kernel.idempotency_key_in_progress")}
        assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 409)
        taken += [answer for answer in answers if answer.status_code == 201]
        waiting = acts - len(taken)
    assert len({answer.text for answer in taken}) == 1
    assert len(worked_on(taken)) == 1
    [(order_id, status)] = await crowd.stall.orders_of(cart)
    assert status == "pending"
    assert await crowd.stall.available(variant) == 7
    assert await crowd.town.count("SELECT count(*) FROM payments.attempt WHERE order_id = $1", order_id) == 1


async def test_a_cart_that_is_sent_off_many_times_is_one_order(crowd: Crowd) -> None:
    variant = await crowd.stall.goods(stock=9)
    cart = await crowd.stall.ready((variant, 2))
    answers = await crowd.at_once([crowd.ordering(cart) for _ in range(effort(20, 60))])
    assert {outcome(answer) for answer in answers} == {(201, "")}
    assert len(ids_of(answers)) == 1
    assert await crowd.stall.available(variant) == 7


async def test_a_cart_in_two_tabs_with_two_ways_to_pay_is_one_order_with_one_of_them(crowd: Crowd) -> None:
    for _ in range(effort(3, 20)):
        variant = await crowd.stall.goods(stock=9)
        cart = await crowd.stall.ready((variant, 2))
        answers = await crowd.at_once([crowd.ordering(cart, method) for method in ("cod", "vnpay") * 4])
        assert {outcome(answer) for answer in answers} == {(201, "")}
        assert len(ids_of(answers)) == 1
        assert len({answer.json()["order"]["payment_method"] for answer in answers}) == 1
        order_id = UUID(ids_of(answers).pop())
        assert await crowd.town.count("SELECT count(*) FROM payments.attempt WHERE order_id = $1", order_id) == 1
        assert await crowd.stall.available(variant) == 7


async def test_a_line_that_is_added_many_times_at_once_adds_up(crowd: Crowd) -> None:
    variant = await crowd.stall.goods(stock=9)
    cart = await crowd.stall.cart()
    headers, wanted = {"x-cart-token": cart.token or ""}, {"variant_id": str(variant), "quantity": 1}
    path = f"/carts/{cart.id}/lines"
    answers = await crowd.at_once([crowd.calling("POST", path, wanted, headers=headers) for _ in range(20)])
    assert {outcome(answer) for answer in answers} <= {(200, ""), (409, "kernel.conflict")}
    added = sum(answer.status_code == 200 for answer in answers)
    found = await crowd.stall.orders.find_cart(actor=crowd.stall.holder(cart), cart_id=cart.id, language="vi")
    assert [(line.variant_id, line.quantity) for line in found.lines] == [(variant, added)]
    assert added == 20


async def test_a_cart_that_changes_while_it_is_ordered_is_ordered_as_it_was_agreed_or_not_at_all(crowd: Crowd) -> None:
    for _ in range(effort(6, 40)):
        variant = await crowd.stall.goods(stock=50)
        cart = await crowd.stall.ready((variant, 2))
        path, headers = f"/carts/{cart.id}/lines/{cart.lines[0].id}", {"x-cart-token": cart.token or ""}
        ordered, *changed = await crowd.at_once(
            [crowd.ordering(cart)]
            + [crowd.calling("PATCH", path, {"quantity": quantity}, headers=headers) for quantity in (3, 4, 5)]
        )
        assert {outcome(answer) for answer in changed} <= {
            (200, ""),
            (409, "orders.cart_closed"),
            (409, "kernel.conflict"),
        }
        assert outcome(ordered) in {(201, ""), (409, "orders.quote_changed"), (409, "kernel.conflict")}
        if ordered.status_code == 201:
            order = ordered.json()["order"]
            assert order["totals"]["total"] == msgspec.to_builtins(cart.totals.total)
            assert [line["quantity"] for line in order["lines"]] == [2]


async def test_corrections_of_the_stock_and_sales_never_sell_what_is_not_there(crowd: Crowd) -> None:
    variant = await crowd.stall.goods(stock=20)
    carts = await crowd.copies(await crowd.stall.ready((variant, 1)), 20)
    headers = await crowd.staff()
    lost = {
        "variant_id": str(variant),
        "warehouse_id": str(crowd.stall.warehouse),
        "change": -2,
        "reason": "vỡ khi kiểm kho",
    }
    acts = [crowd.ordering(cart) for cart in carts]
    acts += [crowd.calling("POST", "/admin/stock/adjustments", lost, headers=headers) for _ in range(10)]
    dice("corrections").shuffle(acts)
    answers = await crowd.at_once(acts)
    assert {outcome(answer) for answer in answers} <= {
        (201, ""), (200, ""), SOLD_OUT, (409, "inventory.stock_committed"),
    }  # fmt: skip
    sold = len(ids_of(answers))
    broken = sum(2 for answer in answers if answer.status_code < 300 and "order" not in answer.json())
    assert sold + broken <= 20
    assert await crowd.stall.available(variant) == 20 - sold - broken
