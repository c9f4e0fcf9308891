"""What the warehouse tells of parcels, twice and in any order."""

import itertools
from typing import Any

import pytest

from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.payments.handlers import on_work_order_changed


async def test_cash_is_collected_when_the_parcel_was_handed_over(till: Any) -> None:
    payment = await till.open(method="cod")
    assert (payment.status, payment.action.kind) == ("cod_due", "none")
    parcel = uuid7()
    for version, status in enumerate(("allocated", "picking", "packed", "shipped"), 1):
        await till.work_order(payment, status, version=version, work_order_id=parcel)
        assert (await till.look(payment)).status == "cod_due"
    for _ in range(2):
        await till.work_order(payment, "delivered", version=5, work_order_id=parcel)
        found = await till.look(payment)
        assert (found.status, found.captured) == ("cod_collected", payment.amount)
    assert [event.status for event in await till.events(payment)] == ["cod_due", "cod_collected"]


async def test_cash_is_owed_no_more_when_the_parcel_came_back(till: Any) -> None:
    payment = await till.open(method="cod")
    parcel = uuid7()
    steps = ("shipped", "delivery_failed", "returning", "returned", "returned")
    for version, status in enumerate(steps, 1):
        await till.work_order(payment, status, version=version, work_order_id=parcel)
    found = await till.look(payment)
    assert (found.status, found.captured, found.failure) == ("cancelled", Money(0, "VND"), "payments.reason.returned")


async def test_cash_is_collected_when_the_last_of_several_parcels_was_handed_over(till: Any) -> None:
    payment = await till.open(method="cod")
    first, second = uuid7(), uuid7()
    await till.work_order(payment, "delivered", of=2, version=9, work_order_id=first)
    assert (await till.look(payment)).status == "cod_due"
    await till.work_order(payment, "shipped", of=2, version=3, work_order_id=second)
    assert (await till.look(payment)).status == "cod_due"
    await till.work_order(payment, "delivered", of=2, version=4, work_order_id=second)
    assert (await till.look(payment)).status == "cod_collected"


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_the_order_in_which_parcels_are_told_of_does_not_matter(till: Any, order: tuple[int, ...]) -> None:
    payment = await till.open(method="cod")
    first, second = uuid7(), uuid7()
    told = [(first, "shipped", 1), (first, "delivered", 2), (second, "delivery_failed", 3), (second, "delivered", 4)]
    for place in order:
        parcel, status, version = told[place]
        for _ in range(2):
            await till.work_order(payment, status, of=2, version=version, work_order_id=parcel)
    found = await till.look(payment)
    assert (found.status, found.captured) == ("cod_collected", payment.amount)


async def test_an_order_of_which_only_a_part_arrived_waits_for_a_person(till: Any) -> None:
    payment = await till.open(method="cod")
    await till.work_order(payment, "delivered", of=2)
    await till.work_order(payment, "returned", of=2)
    assert (await till.look(payment)).status == "review"
    page = await till.payments.review(limit=100, cursor="")
    (item,) = [item for item in page.items if item.order_id == payment.order_id]
    assert item.reason == "payments.reason.partly_delivered"
    await till.payments.decide(fact_id=item.id, decision="accepted", note="the carrier collected all of it")
    assert (await till.look(payment)).status == "cod_collected"


async def test_cash_for_an_order_that_was_given_up_waits_for_a_person(till: Any) -> None:
    payment = await till.open(method="cod")
    assert (await till.payments.give_up(order_id=payment.order_id, reason="customer")).status == "cancelled"
    await till.deliver(payment)
    assert (await till.look(payment)).status == "review"
    page = await till.payments.review(limit=100, cursor="")
    (item,) = [item for item in page.items if item.order_id == payment.order_id]
    await till.payments.decide(fact_id=item.id, decision="dismissed", note="nothing was collected")
    assert (await till.look(payment)).status == "cancelled"


async def test_parcels_of_orders_that_are_paid_otherwise_move_no_money(till: Any) -> None:
    paid = await till.pay()
    await till.deliver(paid)
    assert (await till.look(paid)).status == "paid"
    async with till.db.read() as tx:
        noted = await tx.one(int, "SELECT count(*) FROM payments.parcel WHERE order_id = $1", paid.order_id)
    assert noted == 0


async def test_a_delivery_that_was_noted_by_a_process_that_died_is_taken_to_its_case(till: Any) -> None:
    payment = await till.open(method="cod")
    await till.payments.apply_facts()
    soon, till.payments.advance_soon = till.payments.advance_soon, lambda order_id: None
    try:
        await till.deliver(payment)
        assert (await till.look(payment)).status == "cod_due"
    finally:
        till.payments.advance_soon = soon
    await till.payments.apply_facts()
    assert (await till.look(payment)).status == "cod_collected"


async def test_a_transaction_that_fails_leaves_nothing_of_the_event(till: Any) -> None:
    payment = await till.open(method="cod")
    parcel = uuid7()
    event = WorkOrderChanged(parcel, payment.order_id, uuid7(), "delivered", None, 1, 1)

    async def die_in_the_middle() -> None:
        async with till.db.begin() as tx:
            await on_work_order_changed(till.payments, tx, event)
            raise RuntimeError("the process died")

    with pytest.raises(RuntimeError):
        await die_in_the_middle()
    assert (await till.look(payment)).status == "cod_due"
    await till.work_order(payment, "delivered", work_order_id=parcel)
    assert (await till.look(payment)).status == "cod_collected"
