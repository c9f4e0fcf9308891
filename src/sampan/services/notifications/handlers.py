"""Events of orders become messages."""

from uuid import UUID

from sampan.kernel.db import Tx
from sampan.services.notifications.actions import NotificationsActions
from sampan.services.notifications.rules import Facts, Line
from sampan.services.orders.contract import (
    DeliveryFailed,
    OrderCancelled,
    OrderDelivered,
    OrderPlaced,
    OrderRefunded,
    OrderShipped,
    Recipient,
)


async def keep(
    notifications: NotificationsActions,
    tx: Tx,
    template: str,
    order_id: UUID,
    to: Recipient,
    facts: Facts,
    *,
    apart: str = "",
) -> None:
    """`apart` tells messages of one template about one order from each other (two parcels, two refunds)."""
    await notifications.keep(
        tx,
        key=f"{template}:{order_id}:{apart}",
        order_id=order_id,
        template=template,
        language=to.language,
        recipient=to.email,
        facts=facts,
    )


async def on_placed(notifications: NotificationsActions, tx: Tx, event: OrderPlaced) -> None:
    facts = Facts(
        number=event.number,
        name=event.recipient.name,
        payment_method=event.payment_method,
        lines=[Line(line.name, line.quantity, line.total) for line in event.lines],
        items=event.totals.items,
        shipping=event.totals.shipping,
        total=event.totals.total,
    )
    await keep(notifications, tx, "order_placed", event.order_id, event.recipient, facts)


async def on_cancelled(notifications: NotificationsActions, tx: Tx, event: OrderCancelled) -> None:
    facts = Facts(number=event.number, name=event.recipient.name, amount=event.refund)
    await keep(notifications, tx, "order_cancelled", event.order_id, event.recipient, facts)


async def on_shipped(notifications: NotificationsActions, tx: Tx, event: OrderShipped) -> None:
    facts = Facts(number=event.number, name=event.recipient.name, tracking=event.tracking_number)
    parcel = str(event.work_order_id)
    await keep(notifications, tx, "order_shipped", event.order_id, event.recipient, facts, apart=parcel)


async def on_delivered(notifications: NotificationsActions, tx: Tx, event: OrderDelivered) -> None:
    facts = Facts(number=event.number, name=event.recipient.name)
    await keep(notifications, tx, "order_delivered", event.order_id, event.recipient, facts)


async def on_delivery_failed(notifications: NotificationsActions, tx: Tx, event: DeliveryFailed) -> None:
    facts = Facts(number=event.number, name=event.recipient.name)
    await keep(notifications, tx, "delivery_failed", event.order_id, event.recipient, facts)


async def on_refunded(notifications: NotificationsActions, tx: Tx, event: OrderRefunded) -> None:
    facts = Facts(number=event.number, name=event.recipient.name, amount=event.amount)
    await keep(notifications, tx, "order_refunded", event.order_id, event.recipient, facts, apart=str(event.refund_id))
