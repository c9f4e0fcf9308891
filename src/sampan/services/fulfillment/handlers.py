"""Reactions to orders: a placed order becomes work, a cancelled one is not sent. Either word may come first."""

from sampan.kernel import context
from sampan.kernel.db import Tx
from sampan.kernel.ids import uuid7
from sampan.services.fulfillment import rules, store
from sampan.services.fulfillment.actions import FulfillmentActions, changed, move
from sampan.services.fulfillment.store import Found
from sampan.services.orders.contract import OrderCancelled, OrderPlaced


async def on_order_placed(actions: FulfillmentActions, tx: Tx, event: OrderPlaced) -> None:
    """A work order for each warehouse; all of them cancelled from the start if the order is off already."""
    works = [(uuid7(), work) for work in rules.work_for(event.lines, event.allocations)]
    cancelled = await store.remember_placed(tx, event.order_id, event.number, len(works))
    if cancelled is None or not works:
        return
    await store.add_work(
        tx, event.order_id, event.number, works, "cancelled" if cancelled else "allocated", context.actor.get().name
    )
    await tx.emit(*(changed(work) for work in await store.works_of(tx, event.order_id)))


async def on_order_cancelled(actions: FulfillmentActions, tx: Tx, event: OrderCancelled) -> None:
    """What has not left is not sent. Of a parcel that is just leaving, the stock decides."""
    await store.remember_cancelled(tx, event.order_id, event.number)
    for work in await store.lock_works_of(tx, event.order_id):
        if rules.is_cancellable(work.status, work.doing):
            await move(tx, work, "cancel", Found(by=context.actor.get().name))
