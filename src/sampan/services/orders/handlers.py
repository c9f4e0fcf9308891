"""Reactions to payments and fulfilment: a fact is written down; the sweeper moves the order.

The same fact twice is one fact, and their order does not matter: each bears a version.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from sampan.kernel.consumers import in_batches
from sampan.kernel.db import Tx
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.orders.actions.orders_actions import OrdersActions
from sampan.services.orders.checkout import payment_told, refund_told, work_told
from sampan.services.orders.store import orders
from sampan.services.orders.store.orders import Word
from sampan.services.payments.contract import PaymentChanged, RefundChanged

# A refund has no number of its changes, but only one way to go.
REFUND_STEPS: Final = {"requested": 1, "sent": 2, "settled": 3, "failed": 4}


@in_batches
async def on_news(
    actions: OrdersActions, tx: Tx, events: Sequence[PaymentChanged | RefundChanged | WorkOrderChanged]
) -> None:
    """What is new about orders of ours is written down; each of these orders is moved on once."""
    for order_id in await orders.hear(tx, [word_of(event) for event in events]):
        tx.after_commit(partial(actions.advance_soon, order_id))


def word_of(event: PaymentChanged | RefundChanged | WorkOrderChanged) -> Word:
    match event:
        case PaymentChanged():
            return Word(event.order_id, "payment", event.order_id, event.version, payment_told(event))
        case RefundChanged():
            step = REFUND_STEPS.get(event.status, 0)
            return Word(event.order_id, "refund", event.refund_id, step, refund_told(event))
        case WorkOrderChanged():
            return Word(event.order_id, "work_order", event.work_order_id, event.version, work_told(event))
