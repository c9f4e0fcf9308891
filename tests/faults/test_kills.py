"""kill -9 anywhere: the shop goes on by itself, and whoever asks again gets the finished answer.

Each story is played once to find its points; then, for each point, a process plays it and dies there. A while later the
living have put everything in order without the client. Then the client sends everything again, with the same keys.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.conftest import dice, effort
from tests.faults.conftest import Stage
from tests.faults.stories import STORIES, Facts
from tests.town import Town

from sampan.services.orders.contract import Order
from sampan.services.orders.rules.order import Policy

KILLED = -9
Heard = dict[str, tuple[int, Any]]
Check = Callable[[Heard], Awaitable[None]]
Prepared = tuple[Facts, Check]

ANYTHING = frozenset({"fulfillment.write", "orders.read", "orders.write", "payments.refund"})


async def counts(town: Town, order_id: Any) -> dict[str, int]:
    """How often an order had each effect."""
    found = {}
    for name, sql in {
        "orders": "SELECT count(*) FROM orders.sales_order o JOIN orders.sales_order c USING (cart_id) WHERE c.id = $1",
        "work": "SELECT count(*) FROM fulfillment.work_order WHERE order_id = $1",
        "parcels": "SELECT count(*) FROM shipping.shipment WHERE order_id = $1",
        "captured": "SELECT count(*) FROM payments.ledger_transaction WHERE order_id = $1 AND kind = 'capture'",
        "refunds": "SELECT count(*) FROM payments.refund WHERE order_id = $1",
    }.items():
        found[name] = await town.count(sql, order_id)
    return found


def told(order: Order, **wanted: str) -> None:
    assert {name: getattr(order, name) for name in wanted} == wanted


async def checkout(town: Town, *, payment: str) -> Prepared:
    variant = await town.stall.goods(stock=5)
    cart = await town.stall.ready((variant, 2))

    async def check(heard: Heard) -> None:
        placed = msgspec.convert(heard["checkout"][1]["order"], Order)
        told(await town.stall.look(placed), status="placed", payment_status=payment)
        assert await town.stall.available(variant) == 3
        found = await counts(town, placed.id)
        assert found == {"orders": 1, "work": 1, "parcels": 0, "captured": int(payment == "paid"), "refunds": 0}

    total = msgspec.to_builtins(cart.totals.total)
    return {"cart": str(cart.id), "total": total, "headers": {"x-cart-token": cart.token}}, check


async def confirmation(town: Town) -> Prepared:
    room = town.stall.orders.room
    room.policy = Policy(confirm_cod=True)
    try:
        order = await town.stall.order("cod")
    finally:
        room.policy = Policy()
    assert order.status == "pending"

    async def check(heard: Heard) -> None:
        told(await town.stall.look(order), status="placed", payment_status="cod_due")
        assert await town.count(
            "SELECT count(*) FROM orders.timeline WHERE order_id = $1 AND code = 'confirmed'", order.id
        ) == 1  # fmt: skip
        assert (await counts(town, order.id))["work"] == 1

    return {"order": str(order.id), "headers": await town.shop.staff(*sorted(ANYTHING))}, check


async def cancellation(town: Town) -> Prepared:
    variant = await town.stall.goods(stock=5)
    order = await town.paid((variant, 2))

    async def check(heard: Heard) -> None:
        told(await town.stall.look(order), status="cancelled", payment_status="refunded")
        assert await town.stall.available(variant) == 5
        [refund] = await town.payments.list_refunds(order_id=order.id)
        assert (refund.status, refund.amount) == ("settled", order.totals.total)

    return {"order": str(order.id), "headers": {"x-order-token": order.token}}, check


async def refund(town: Town) -> Prepared:
    order = await town.paid((await town.stall.goods(stock=5), 3))

    async def check(heard: Heard) -> None:
        seen = await town.stall.look(order)
        told(seen, status="placed", payment_status="partially_refunded")
        assert seen.lines[0].refunded == 1
        [granted] = await town.payments.list_refunds(order_id=order.id)
        assert (granted.status, granted.amount.amount) == ("settled", town.stall.price)

    headers = await town.shop.staff(*sorted(ANYTHING))
    return {"order": str(order.id), "line": str(order.lines[0].id), "headers": headers}, check


async def parcel(town: Town, *, left: int, **end: str) -> Prepared:
    variant = await town.stall.goods(stock=5)
    order = await town.stall.order("cod", (variant, 2))
    await town.shop.settle()
    [work] = await town.shop.actions("fulfillment").work_orders_for(order_id=order.id)

    async def check(heard: Heard) -> None:
        told(await town.stall.look(order), **end)
        assert await town.stall.available(variant) == left
        found = await counts(town, order.id)
        assert (found["work"], found["parcels"]) == (1, 1)
        [shipment] = await town.shop.actions("shipping").shipments_for(order_id=order.id)
        said = [event.status for event in shipment.events]
        assert len(said) == len(set(said))

    return {"work": str(work.id), "headers": await town.shop.staff(*sorted(ANYTHING))}, check


PREPARE: dict[str, Callable[[Town], Awaitable[Prepared]]] = {
    "cash_on_delivery": lambda town: checkout(town, payment="cod_due"),
    "paid_and_told_by_the_bank": lambda town: checkout(town, payment="paid"),
    "paid_and_never_told": lambda town: checkout(town, payment="paid"),
    "confirmed_by_staff": confirmation,
    "cancelled_and_refunded": cancellation,
    "partly_refunded": refund,
    "brought_to_the_door": lambda town: parcel(town, left=3, status="completed", payment_status="cod_collected"),
    "sent_back": lambda town: parcel(town, left=5, status="cancelled", fulfillment_status="returned"),
}


async def prepared(town: Town, story: str) -> Prepared:
    if story == "paid_and_never_told":
        await town.fault("never_notify", times=1)
    facts, check = await PREPARE[story](town)
    return {**facts, "key": f"{uuid4().hex}-"}, check


async def points_of(town: Town, stage: Stage, story: str) -> list[list[Any]]:
    """Where the story can break off: [label, how many times passed, when]. Nobody died to find out."""
    facts, check = await prepared(town, story)
    code, lines = await stage.play(story, facts)
    assert code == 0
    await town.a_while_later()
    await check({line["answer"]: (line["status"], line["body"]) for line in lines if "answer" in line})
    passed = [line["point"] for line in lines if "point" in line]
    # Jobs come round again and again, and each claims its row: the first time stands for all.
    worth = [point for point in passed if not (point[0].endswith(".job") and point[1] > 1)]
    return [[*point, when] for point in worth for when in ("before", "after")]


@pytest.mark.long
@pytest.mark.parametrize("story", list(STORIES))
async def test_a_process_dies_anywhere(town: Town, stage: Stage, story: str) -> None:
    points = await points_of(town, stage, story)
    assert len(points) > 20
    dice(f"kills {story}").shuffle(points)
    enough, died, alive = effort(2, len(points)), 0, 0
    for point in points:
        if died >= enough:
            break
        facts, check = await prepared(town, story)
        code, lines = await stage.play(story, facts, point)
        died += code == KILLED
        alive += code == 0  # not every point is passed every time: what runs beside may come earlier or later
        assert code in (KILLED, 0), f"{story} broke off at {point}"
        try:
            await town.a_while_later()
            assert await town.wrong() == []
            heard: Heard = {}
            await STORIES[story](town.teller(heard), facts)
            for line in lines:  # what was answered before is still the answer
                if "answer" in line and line["answer"] != "notice":
                    assert heard[line["answer"]] == (line["status"], line["body"])
            await town.a_while_later()
            await check(heard)
            assert await town.wrong() == []
        except Exception as failure:
            failure.add_note(f"{story} died at {json.dumps(point)}")
            raise
        await town.bank.clear_faults()
    print(f"{story}: {len(points)} points, {died} processes died")
    assert died > alive
