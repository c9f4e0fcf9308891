"""The declaration of notifications."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.notifications import handlers, routes
from sampan.services.notifications.actions import NotificationsActions
from sampan.services.notifications.contract import Notifications
from sampan.services.orders.contract import (
    DeliveryFailed,
    OrderCancelled,
    OrderDelivered,
    OrderPlaced,
    OrderRefunded,
    OrderShipped,
)

service: Service[Notifications] = Service(
    name="notifications",
    contract=Notifications,
    build=NotificationsActions,
    routes=(routes.mailbox,),
    handlers={
        OrderPlaced: handlers.on_news,
        OrderCancelled: handlers.on_news,
        OrderShipped: handlers.on_news,
        OrderDelivered: handlers.on_news,
        DeliveryFailed: handlers.on_news,
        OrderRefunded: handlers.on_news,
    },
    jobs=(
        every(seconds=5, do="send_due", wake_on=("notifications.work",), gather=0.5),
        every(hours=6, do="forget_old"),
    ),
)
