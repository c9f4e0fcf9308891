"""Notifications: what was sent about an order."""

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table

from sampan.services.notifications.contract import Notifications

table = Table(Notifications)


@table.answers("messages_for")
async def the_mail_of_a_placed_order(stage: Stage) -> Call:
    order = await stage.stall.order()
    await stage.shop.settle()
    return Call({"order_id": order.id}, lambda found: [message.recipient for message in found] == ["d…@example.com"])
