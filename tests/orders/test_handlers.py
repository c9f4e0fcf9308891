"""What orders hear of payments and fulfilment: many words at once are the same as one after the other."""

from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from tests.conftest import dice, effort

from sampan.kernel.money import Money
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.orders import handlers
from sampan.services.payments.contract import PaymentChanged, RefundChanged


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


def paid(order_id: UUID, version: int, status: str = "pending") -> PaymentChanged:
    return PaymentChanged(order_id, order_id, "vnpay", status, vnd(5), vnd(0), vnd(0), None, version)


def refunded(order_id: UUID, refund_id: UUID, status: str) -> RefundChanged:
    return RefundChanged(refund_id=refund_id, order_id=order_id, amount=vnd(3), status=status)


def worked(order_id: UUID, work_order_id: UUID, version: int, status: str = "picking") -> WorkOrderChanged:
    return WorkOrderChanged(work_order_id, order_id, work_order_id, status, None, 2, version)


class Ear:
    """Hears of orders, and only notes which were to be moved on."""

    def __init__(self, stall) -> None:
        self.stall = stall
        self.moved: list[UUID] = []

    async def hears(self, *batches) -> list[tuple]:
        """What is known after these batches, in order; it is forgotten again."""
        self.moved.clear()
        actions = SimpleNamespace(advance_soon=self.moved.append)
        for batch in batches:
            async with self.stall.db.begin() as tx:
                await handlers.on_news(actions, tx, batch)
        orders = list({event.order_id for batch in batches for event in batch})
        async with self.stall.db.begin() as tx:
            rows = await tx.connection.fetch(
                "SELECT order_id, kind, subject, version, body::text FROM orders.fact "
                "WHERE order_id = ANY ($1) AND NOT taken ORDER BY id",
                orders,
            )
            await tx.execute("DELETE FROM orders.fact WHERE order_id = ANY ($1) AND NOT taken", orders)
        return [tuple(row) for row in rows]


@pytest.fixture
async def ear(stall):
    await stall.shop.settle()
    return Ear(stall)


async def test_many_words_are_heard_as_one_after_the_other(stall, ear):
    orders = [await stall.order("vnpay"), await stall.order("vnpay")]
    known = {order.id: await stall.shop.actions("payments").find_payment(order_id=order.id) for order in orders}
    await stall.shop.settle()
    chance = dice("many words")
    words = []
    for order in orders:
        version, refund, work = known[order.id].version, uuid4(), uuid4()
        words += [
            paid(order.id, version - 1, "review"),
            paid(order.id, version),  # the order knows it: nothing new
            *(paid(order.id, version + more, status) for more, status in ((1, "review"), (2, "pending"))),
            *(refunded(order.id, refund, status) for status in ("requested", "sent", "settled")),
            *(worked(order.id, work, number) for number in (1, 2, 3)),
            worked(order.id, uuid4(), 1),
        ]
    stranger = uuid4()
    words += [paid(stranger, 7), refunded(stranger, uuid4(), "sent"), worked(stranger, uuid4(), 1)]
    words += words
    for _ in range(effort(3, 30)):
        chance.shuffle(words)
        alone = await ear.hears(*([word] for word in words))
        assert len(alone) == 2 * 9
        assert await ear.hears(words) == alone
        assert sorted(ear.moved) == sorted(order.id for order in orders)
        middle = chance.randrange(len(words))
        assert await ear.hears(words[:middle], words[middle:]) == alone


async def test_of_two_words_of_one_version_the_first_is_heard(stall, ear):
    order, work = await stall.order(), uuid4()
    first, second = worked(order.id, work, 1, "picking"), worked(order.id, work, 1, "packed")
    assert [row[4] for row in await ear.hears([first, second])] == [row[4] for row in await ear.hears([first])]
    assert ear.moved == [order.id]
    assert await ear.hears([first], [second]) == await ear.hears([first, second])
    assert await ear.hears([paid(uuid4(), 1)]) == []
    assert ear.moved == []


async def test_many_words_take_as_many_statements_as_one(stall):
    actions = SimpleNamespace(advance_soon=lambda order_id: None)

    async def statements(count: int) -> int:
        stranger = uuid4()
        words = [word for n in range(count) for word in (paid(stranger, n), worked(stranger, uuid4(), n))]
        before = stall.db.statements
        async with stall.db.begin() as tx:
            await handlers.on_news(actions, tx, words)
        return stall.db.statements - before

    assert await statements(1) == await statements(200) == 3  # with BEGIN and COMMIT
