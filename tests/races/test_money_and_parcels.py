"""Money, parcels and cancellations at the same moment: of what excludes each other one wins, and all agree on it."""

from collections import Counter
from typing import Any

import pytest
from tests.conftest import dice, effort
from tests.races.conftest import Act, Crowd
from tests.races.test_buyers import outcome, worked_on

from sampan.kernel.idempotency import KeyReused
from sampan.kernel.money import Money
from sampan.services.orders.contract import Order, RefundLine


def codes(answers: list[Any]) -> Counter[str]:
    return Counter(answer.json()["RspCode"] for answer in answers)


def statuses(answers: list[Any]) -> set[int]:
    return {answer.status_code for answer in answers}


async def ends(crowd: Crowd, orders: list[Order]) -> list[tuple[str, str]]:
    """Where each of them ends once there is peace."""
    await crowd.peace()
    seen = [await crowd.look(order) for order in orders]
    return [(order.status, order.payment_status) for order in seen]


async def each_at_once(crowd: Crowd, many: list[list[Act]]) -> list[list[Any]]:
    """Several races at the same moment; what each of their acts gave."""
    order = [(race, at) for race, acts in enumerate(many) for at in range(len(acts))]
    dice("each at once").shuffle(order)
    given = await crowd.at_once([many[race][at] for race, at in order])
    found = dict(zip(order, given, strict=True))
    return [[found[race, at] for at in range(len(acts))] for race, acts in enumerate(many)]


def cancelling(crowd: Crowd, order: Order) -> Act:
    owner = {"x-order-token": order.token or ""}
    return crowd.calling("POST", f"/orders/{order.id}/cancel", {"reason": "đổi ý"}, headers=owner)


async def test_twenty_refunds_at_once_never_exceed_what_was_paid(crowd: Crowd) -> None:
    order = await crowd.town.paid((await crowd.stall.goods(stock=5), 3))
    headers, line = await crowd.staff(), str(order.lines[0].id)
    wanted = {"lines": [{"line_id": line, "quantity": 1}], "shipping": True, "reason": "hàng lỗi"}
    path = f"/admin/orders/{order.id}/refunds"
    bodies = [wanted, {**wanted, "shipping": False}] * 10
    answers = await crowd.at_once([crowd.calling("POST", path, body, headers=headers) for body in bodies])
    granted = [answer.json()["amount"]["amount"] for answer in answers if answer.status_code < 300]
    assert {answer.json()["code"] for answer in answers if answer.status_code >= 300} == {"orders.not_refundable"}
    assert len(granted) == 3
    assert sum(granted) <= order.totals.total.amount
    await crowd.peace()
    refunds = await crowd.town.payments.list_refunds(order_id=order.id)
    assert sum(refund.amount.amount for refund in refunds) == sum(granted)
    assert (await crowd.look(order)).lines[0].refunded == 3


async def test_one_refund_asked_for_many_times_is_one_refund(crowd: Crowd) -> None:
    order = await crowd.town.paid((await crowd.stall.goods(stock=5), 3))
    headers, line = await crowd.staff(), str(order.lines[0].id)
    wanted = {"lines": [{"line_id": line, "quantity": 1}], "shipping": False, "reason": "hàng lỗi"}
    path, key = f"/admin/orders/{order.id}/refunds", f"refund-{order.id}"
    answers = await crowd.at_once([crowd.calling("POST", path, wanted, headers=headers, key=key) for _ in range(20)])
    granted = [answer for answer in answers if answer.status_code < 300]
    assert {outcome(answer) for answer in answers} <= {(201, ""), (409, "kernel.idempotency_key_in_progress")}
    assert len({answer.json()["id"] for answer in granted}) == 1
    assert len(worked_on(granted)) == 1
    assert len(await crowd.town.payments.list_refunds(order_id=order.id)) == 1


async def test_one_key_for_two_refunds_at_once_is_one_of_them_and_refused_to_the_other(crowd: Crowd) -> None:
    """Also where nobody knows the key of the request any more: the order itself does."""
    order = await crowd.town.paid((await crowd.stall.goods(stock=5), 3))
    lines, key = [RefundLine(order.lines[0].id, 1)], f"refund-{order.id}"

    def asking(shipping: bool | Money) -> Act:
        async def ask() -> tuple[bool, str]:
            try:
                granted = await crowd.stall.orders.refund(
                    actor=crowd.stall.staff, order_id=order.id, key=key, lines=lines, shipping=shipping, reason="lỗi"
                )
            except KeyReused as refusal:
                return shipping is True, refusal.code
            return shipping is True, str(granted.id)

        return ask

    given = Counter(await crowd.at_once([asking(True), asking(order.totals.shipping)] * 10))
    assert sorted(given.values()) == [10, 10]
    assert {all_of_it for all_of_it, _ in given} == {True, False}
    [refused, _] = sorted({said for _, said in given}, key=lambda said: said != KeyReused.code)
    assert refused == KeyReused.code
    await crowd.peace()
    [refund] = await crowd.town.payments.list_refunds(order_id=order.id)
    assert refund.amount == order.lines[0].unit_price + order.totals.shipping


async def test_a_refund_and_a_cancellation_at_once_give_everything_back_once(crowd: Crowd) -> None:
    headers = await crowd.staff()
    orders = [await crowd.town.paid((await crowd.stall.goods(stock=5), 2)) for _ in range(effort(3, 20))]

    def refunding(order: Order) -> Act:
        wanted = {"lines": [{"line_id": str(order.lines[0].id), "quantity": 1}], "shipping": False, "reason": "lỗi"}
        return crowd.calling("POST", f"/admin/orders/{order.id}/refunds", wanted, headers=headers)

    await each_at_once(crowd, [[cancelling(crowd, order), refunding(order)] for order in orders])
    assert set(await ends(crowd, orders)) == {("cancelled", "refunded")}
    for order in orders:
        refunds = await crowd.town.payments.list_refunds(order_id=order.id)
        assert sum(refund.amount.amount for refund in refunds) == order.totals.total.amount


async def test_twenty_notices_the_browser_and_the_poller_at_once_are_one_payment(crowd: Crowd) -> None:
    order, said = await crowd.at_the_bank()
    teller = crowd.town.teller({})
    acts = [crowd.bank_calls(said) for _ in range(20)]
    acts += [lambda: teller.come_back({"order": {"id": str(order.id), "token": order.token}}) for _ in range(3)]
    acts += [crowd.calling("GET", f"/payments/vnpay/return?{said}", headers={}) for _ in range(3)]
    acts += [crowd.town.payments.ask_providers, crowd.stall.orders.advance_due]
    answers = await crowd.at_once(acts)
    assert codes(answers[:20]).keys() <= {"00", "02"}
    assert await ends(crowd, [order]) == [("placed", "paid")]
    captures = "SELECT count(*) FROM payments.ledger_transaction WHERE order_id = $1 AND kind = 'capture'"
    assert await crowd.town.count(captures, order.id) == 1
    assert await crowd.stall.events(order) == ["orders.order_placed.v1"]


async def test_cancelling_while_the_money_arrives_leaves_goods_and_money_in_one_place(crowd: Crowd) -> None:
    variants = [await crowd.stall.goods(stock=5) for _ in range(effort(4, 30))]
    paid = [await crowd.at_the_bank("vnpay", (variant, 2)) for variant in variants]
    races = [[cancelling(crowd, order), *(crowd.bank_calls(said) for _ in range(3))] for order, said in paid]
    for cancelled, *told in await each_at_once(crowd, races):
        assert cancelled.status_code == 200, cancelled.text
        assert codes(told).keys() <= {"00", "02"}
    assert set(await ends(crowd, [order for order, _ in paid])) == {("cancelled", "refunded")}
    assert {await crowd.stall.available(variant) for variant in variants} == {5}


@pytest.mark.parametrize("contested", [False, True])
async def test_money_at_the_last_second_pays_the_order_or_goes_back(crowd: Crowd, contested: bool) -> None:
    """The time to pay, and in half of the cases the hold with it, is over at the moment when the money comes."""
    variants = [await crowd.stall.goods(stock=4) for _ in range(effort(4, 30))]
    rivals = [await crowd.copies(await crowd.stall.ready((variant, 2)), 3) for variant in variants]
    paid = []
    for variant in variants:
        order, said = await crowd.at_the_bank("vnpay", (variant, 2))
        await crowd.stall.checkout(await crowd.stall.ready((variant, 2)))  # the other half is sold
        paid.append((order, said))
    for number, (order, _) in enumerate(paid):
        await crowd.stall.pass_time(order, 15 if number % 2 else 21)
    background = [crowd.stall.orders.advance_due, crowd.town.shop.actions("inventory").release_expired]
    races = []
    for (_, said), carts in zip(paid, rivals, strict=True):
        buying = [crowd.ordering(cart) for cart in carts] if contested else []
        races.append([*(crowd.bank_calls(said) for _ in range(3)), *buying])
    *given, _ = await each_at_once(crowd, [*races, background])
    found = await ends(crowd, [order for order, _ in paid])
    assert set(found) <= {("placed", "paid"), ("cancelled", "refunded")}
    for variant, answers, (status, _) in zip(variants, given, found, strict=True):
        sold = sum(answer.status_code == 201 for answer in answers) + (status == "placed")
        assert sold <= 1
        assert await crowd.stall.available(variant) == 2 - 2 * sold
    print(f"{'contested' if contested else 'alone'}: {Counter(found)}")


async def test_a_parcel_leaves_or_its_order_is_cancelled_never_both(crowd: Crowd) -> None:
    headers = await crowd.staff()
    variants = [await crowd.stall.goods(stock=5) for _ in range(effort(4, 30))]
    orders = [await crowd.town.paid((variant, 2)) for variant in variants]
    works = []
    for order in orders:
        await crowd.stall.warehouse_does(order, "pick", "pack")
        works += await crowd.town.shop.actions("fulfillment").work_orders_for(order_id=order.id)

    def shipping(work: Any) -> Act:
        return crowd.calling("POST", f"/admin/fulfillments/{work.id}/ship", headers=headers)

    races = [
        [cancelling(crowd, order), shipping(work), shipping(work)] for order, work in zip(orders, works, strict=True)
    ]
    given = await each_at_once(crowd, races)
    found = await ends(crowd, orders)
    for (cancelled, *shipped), end, variant in zip(given, found, variants, strict=True):
        assert statuses([cancelled, *shipped]) <= {200, 409}
        left = 200 in statuses(shipped)
        assert left != (cancelled.status_code == 200)
        assert end == (("placed", "paid") if left else ("cancelled", "refunded"))
        assert await crowd.stall.available(variant) == (3 if left else 5)


async def test_a_parcel_that_many_ship_at_once_leaves_once(crowd: Crowd) -> None:
    headers = await crowd.staff()
    variant = await crowd.stall.goods(stock=5)
    order = await crowd.stall.order("cod", (variant, 2))
    await crowd.stall.warehouse_does(order, "pick", "pack")
    [work] = await crowd.town.shop.actions("fulfillment").work_orders_for(order_id=order.id)
    for step in ("ship", "deliver"):
        path = f"/admin/fulfillments/{work.id}/{step}"
        answers = await crowd.at_once([crowd.calling("POST", path, headers=headers) for _ in range(8)])
        assert statuses(answers) == {200}
        assert len({answer.json()["tracking_number"] for answer in answers}) == 1
    assert await ends(crowd, [order]) == [("completed", "cod_collected")]
    assert await crowd.town.count("SELECT count(*) FROM shipping.shipment WHERE order_id = $1", order.id) == 1
    moved = "SELECT sum(on_hand) FROM inventory.movement WHERE order_id = $1 AND kind = 'shipped'"
    assert await crowd.town.count(moved, order.id) == -2


async def test_an_order_that_is_paid_again_and_again_at_once_is_paid_once(crowd: Crowd) -> None:
    """The customer opens new attempts in several tabs, with the bank and with cash, while the first one brings money."""
    variants = [await crowd.stall.goods(stock=5) for _ in range(effort(3, 20))]
    orders, races = [], []
    for variant in variants:
        placed = await crowd.stall.checkout(await crowd.stall.ready((variant, 2)), method="vnpay")
        said = await crowd.town.teller({}).pay(placed.payment.action.url or "")
        orders.append(placed.order)
        owner, path = {"x-order-token": placed.order.token or ""}, f"/orders/{placed.order.id}/payments"
        tabs = [{"payment_method": method} for method in ("cod", "vnpay", "cod", "vnpay")]
        races.append(
            [*(crowd.calling("POST", path, tab, headers=owner) for tab in tabs), crowd.bank_calls(said)],
        )
    for answers in await each_at_once(crowd, races):
        assert statuses(answers) <= {200, 201, 409}, [answer.text for answer in answers]
    found = await ends(crowd, orders)
    assert set(found) <= {("placed", "paid"), ("placed", "cod_due")}
    for order, variant, (_, payment_status) in zip(orders, variants, found, strict=True):
        payment = await crowd.town.payments.find_payment(order_id=order.id)
        kept = payment.captured.amount - payment.refunded.amount
        assert kept == (order.totals.total.amount if payment_status == "paid" else 0)
        assert await crowd.stall.available(variant) == 3
