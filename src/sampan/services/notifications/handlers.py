"""Events of orders become messages."""

from collections.abc import Sequence

from sampan.kernel.consumers import in_batches
from sampan.kernel.db import Tx
from sampan.services.notifications.actions import NotificationsActions
from sampan.services.notifications.rules import Draft, Facts, Line
from sampan.services.orders.contract import (
    DeliveryFailed,
    OrderCancelled,
    OrderDelivered,
    OrderPlaced,
    OrderRefunded,
    OrderShipped,
)

News = OrderPlaced | OrderCancelled | OrderShipped | OrderDelivered | DeliveryFailed | OrderRefunded


@in_batches
async def on_news(notifications: NotificationsActions, tx: Tx, events: Sequence[News]) -> None:
    """Each event makes its message, which is one however often it is told."""
    await notifications.keep(tx, [draft_of(event) for event in events])


def draft_of(event: News) -> Draft:
    number, name = event.number, event.recipient.name
    match event:
        case OrderPlaced():
            facts = Facts(
                number=number,
                name=name,
                payment_method=event.payment_method,
                lines=[Line(line.name, line.quantity, line.total) for line in event.lines],
                items=event.totals.items,
                shipping=event.totals.shipping,
                total=event.totals.total,
            )
            return draft("order_placed", event, facts)
        case OrderCancelled():
            return draft("order_cancelled", event, Facts(number, name, amount=event.refund))
        case OrderShipped():
            parcel = str(event.work_order_id)
            return draft("order_shipped", event, Facts(number, name, tracking=event.tracking_number), apart=parcel)
        case OrderDelivered():
            return draft("order_delivered", event, Facts(number, name))
        case DeliveryFailed():
            return draft("delivery_failed", event, Facts(number, name), apart=str(event.work_order_id or ""))
        case OrderRefunded():
            return draft("order_refunded", event, Facts(number, name, amount=event.amount), apart=str(event.refund_id))


def draft(template: str, event: News, facts: Facts, *, apart: str = "") -> Draft:
    """`apart` tells messages of one template about one order from each other (two parcels, two refunds)."""
    return Draft(
        key=f"{template}:{event.order_id}:{apart}",
        order_id=event.order_id,
        template=template,
        language=event.recipient.language,
        recipient=event.recipient.email,
        facts=facts,
    )
