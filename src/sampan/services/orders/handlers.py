"""Reactions to payments and fulfilment: a fact is written down; the sweeper moves the order.

The same fact twice is one fact, and their order does not matter: each bears a version.
"""

from typing import Final
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.orders.actions.orders_actions import OrdersActions
from sampan.services.orders.checkout import payment_told, refund_told, work_told
from sampan.services.orders.store import orders
from sampan.services.payments.contract import PaymentChanged, RefundChanged

# A refund has no number of its changes, but only one way to go.
REFUND_STEPS: Final = {"requested": 1, "sent": 2, "settled": 3, "failed": 4}


async def on_payment_changed(actions: OrdersActions, tx: Tx, event: PaymentChanged) -> None:
    await hear(actions, tx, event.order_id, "payment", event.order_id, event.version, payment_told(event))


async def on_refund_changed(actions: OrdersActions, tx: Tx, event: RefundChanged) -> None:
    step = REFUND_STEPS.get(event.status, 0)
    await hear(actions, tx, event.order_id, "refund", event.refund_id, step, refund_told(event))


async def on_work_order_changed(actions: OrdersActions, tx: Tx, event: WorkOrderChanged) -> None:
    await hear(actions, tx, event.order_id, "work_order", event.work_order_id, event.version, work_told(event))


async def hear(
    actions: OrdersActions, tx: Tx, order_id: UUID, kind: str, subject: UUID, version: int, body: Struct
) -> None:
    """Write a fact down, if it is new and about an order of ours."""
    if await orders.hear(tx, order_id=order_id, kind=kind, subject=subject, version=version, body=body):
        tx.after_commit(lambda: actions.advance_soon(order_id))
