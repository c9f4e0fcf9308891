"""Reactions to orders: a placed order becomes work, a cancelled one is not sent. Either word may come first."""

from collections.abc import Sequence
from uuid import UUID

from sampan.kernel import context
from sampan.kernel.consumers import in_batches
from sampan.kernel.db import Tx
from sampan.kernel.ids import uuid7
from sampan.services.fulfillment import rules, store
from sampan.services.fulfillment.actions import FulfillmentActions, changed, move
from sampan.services.fulfillment.store import Found, Placed
from sampan.services.orders.contract import OrderCancelled, OrderPlaced


@in_batches
async def on_orders_placed(actions: FulfillmentActions, tx: Tx, events: Sequence[OrderPlaced]) -> None:
    """A work order for each warehouse; those of an order that is off already are cancelled from the start."""
    placed: dict[UUID, Placed] = {}
    for event in events:
        if event.order_id not in placed:
            works = [(uuid7(), work) for work in rules.work_for(event.lines, event.allocations)]
            placed[event.order_id] = Placed(event.order_id, event.number, works)
    new = await store.remember_placed(tx, [placed[order_id] for order_id in sorted(placed)])
    working = [order_id for order_id in placed if order_id in new and placed[order_id].works]
    if not working:
        return
    await store.add_work(
        tx,
        [(placed[order_id], "cancelled" if new[order_id] else "allocated") for order_id in working],
        context.actor.get().name,
    )
    await tx.emit(*(changed(work) for work in await store.works_of(tx, working)))


async def on_order_cancelled(actions: FulfillmentActions, tx: Tx, event: OrderCancelled) -> None:
    """What has not left is not sent. Of a parcel that is just leaving, the stock decides."""
    await store.remember_cancelled(tx, event.order_id, event.number)
    for work in await store.lock_works_of(tx, event.order_id):
        if rules.is_cancellable(work.status, work.doing):
            await move(tx, work, "cancel", Found(by=context.actor.get().name))
