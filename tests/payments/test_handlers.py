"""What the warehouse tells of parcels, twice and in any order."""

import asyncio
import itertools
from random import Random
from typing import Any

import pytest
from tests.conftest import dice, effort

from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.payments.contract import Payment
from sampan.services.payments.handlers import on_work_orders_changed


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
    (item,) = await till.held(payment)
    assert item.reason == "payments.reason.partly_delivered"
    await till.payments.decide(fact_id=item.id, decision="accepted", note="the carrier collected all of it")
    assert (await till.look(payment)).status == "cod_collected"


async def test_cash_for_an_order_that_was_given_up_waits_for_a_person(till: Any) -> None:
    payment = await till.open(method="cod")
    assert (await till.payments.give_up(order_id=payment.order_id, reason="customer")).status == "cancelled"
    await till.deliver(payment)
    assert (await till.look(payment)).status == "review"
    (item,) = await till.held(payment)
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
            await on_work_orders_changed(till.payments, tx, [event])
            raise RuntimeError("the process died")

    with pytest.raises(RuntimeError):
        await die_in_the_middle()
    assert (await till.look(payment)).status == "cod_due"
    await till.work_order(payment, "delivered", work_order_id=parcel)
    assert (await till.look(payment)).status == "cod_collected"


async def test_the_last_two_parcels_told_of_at_once_collect_the_cash(till: Any) -> None:
    """As when parked events are driven again beside the consumer."""
    payment = await till.open(method="cod")
    one, other = (WorkOrderChanged(uuid7(), payment.order_id, uuid7(), "delivered", None, 2, 1) for _ in range(2))
    noted, go = asyncio.Event(), asyncio.Event()

    async def tell(event: WorkOrderChanged) -> None:
        async with till.db.begin() as tx:
            await on_work_orders_changed(till.payments, tx, [event])
            noted.set()
            await go.wait()

    first = asyncio.create_task(tell(one))
    await noted.wait()
    second = asyncio.create_task(tell(other))
    await asyncio.sleep(0.2)
    go.set()
    await asyncio.gather(first, second)
    await till.rest()
    assert (await till.look(payment)).status == "cod_collected"


FATES = (
    ("allocated", "cancelled"),
    ("allocated", "picking", "packed", "shipped", "delivered"),
    ("allocated", "picking", "packed", "shipped", "delivery_failed", "delivered"),
    ("allocated", "picking", "packed", "shipped", "delivery_failed", "returning", "returned"),
)


def told_of(payment: Payment, fates: list[tuple[str, ...]]) -> list[WorkOrderChanged]:
    """All that the warehouse tells of an order with a parcel for each fate."""
    return [
        WorkOrderChanged(parcel, payment.order_id, parcel, status, None, len(fates), version)  # type: ignore[arg-type]
        for fate in fates
        for parcel in [uuid7()]
        for version, status in enumerate(fate, 1)
    ]


async def hear(till: Any, *batches: list[WorkOrderChanged]) -> None:
    for batch in batches:
        async with till.db.begin() as tx:
            await on_work_orders_changed(till.payments, tx, batch)
    await till.rest()


async def standing(till: Any, payments: list[Payment]) -> list[Any]:
    """What became of these payments, without ids and times."""
    found: list[Any] = []
    for payment in payments:
        async with till.db.read() as tx:
            parcels = await tx.connection.fetch(
                "SELECT status, of, version FROM payments.parcel WHERE order_id = $1 ORDER BY status, version",
                payment.order_id,
            )
            facts = await tx.connection.fetch(
                "SELECT kind, source, split_part(event_id, ':', 1), told_by, held, applied_at IS NOT NULL, raw, "
                "attempt_id = (SELECT id FROM payments.attempt a WHERE a.order_id = f.order_id AND a.method = 'cod') "
                "FROM payments.fact f WHERE order_id = $1 AND kind <> 'opened' ORDER BY seq",
                payment.order_id,
            )
        seen = await till.look(payment)
        events = [event.status for event in await till.events(payment)]
        found.append(
            ([tuple(row) for row in parcels], [tuple(row) for row in facts], seen.status, seen.failure, events)
        )
    return found


async def orders_of(till: Any, chance: Random) -> tuple[list[Payment], list[list[tuple[str, ...]]]]:
    fates = [[chance.choice(FATES) for _ in range(chance.randint(1, 3))] for _ in range(5)]
    return [await till.open(method="cod") for _ in fates], fates


async def test_many_parcels_at_once_are_heard_as_one_after_the_other(till: Any) -> None:
    """Several orders with several parcels, each word twice, in any order; and orders that are paid otherwise."""
    chance = dice("many parcels")
    online = await till.open()
    for _ in range(effort(3, 30)):
        alone, fates = await orders_of(till, chance)
        together = [await till.open(method="cod") for _ in fates]
        apart = [await till.open(method="cod") for _ in fates]
        pages = []
        for payments in (alone, together, apart):
            told = [told_of(payment, fate) for payment, fate in zip(payments, fates, strict=True)]
            told.append(told_of(online, [FATES[1]]))
            pages.append([event for events in told for event in events])
        order = list(range(len(pages[0]))) * 2
        chance.shuffle(order)
        first, second, third = ([page[place] for place in order] for page in pages)
        await hear(till, *([event] for event in first))
        await hear(till, second)
        middle = chance.randrange(1, len(third))
        await hear(till, third[:middle], third[middle:])
        expected = await standing(till, alone)
        assert await standing(till, together) == expected
        assert await standing(till, apart) == expected
        await hear(till, second[::-1])
        assert await standing(till, together) == expected
    assert await standing(till, [online]) == [([], [], "pending", None, ["pending"])]


@pytest.mark.parametrize("reverse", [False, True])
async def test_an_older_version_in_a_batch_never_counts(till: Any, reverse: bool) -> None:
    payment = await till.open(method="cod")
    told = told_of(payment, [FATES[2]])
    await hear(till, told[::-1] if reverse else told)
    assert (await till.look(payment)).status == "cod_collected"
    await hear(till, told[:-1])
    [(parcels, *_)] = await standing(till, [payment])
    assert parcels == [("delivered", 1, 6)]


async def test_many_parcels_take_as_many_statements_as_one(till: Any) -> None:
    soon, till.payments.advance_soon = till.payments.advance_soon, lambda order_id: None

    async def statements(count: int) -> tuple[int, int]:
        told = [told_of(await till.open(method="cod"), [FATES[1]]) for _ in range(count)]
        counted = []
        for batch in ([event for events in told for event in events[:-1]], [events[-1] for events in told]):
            before = till.db.statements
            await hear(till, batch)
            counted.append(till.db.statements - before)
        return counted[0], counted[1]

    try:
        one, many = await statements(1), await statements(30)
        assert one == many == (4, 6)  # with BEGIN and COMMIT
    finally:
        till.payments.advance_soon = soon
    await till.payments.apply_facts()
