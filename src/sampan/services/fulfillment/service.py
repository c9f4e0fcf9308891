"""The declaration of fulfillment."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.fulfillment import handlers
from sampan.services.fulfillment.actions import FulfillmentActions
from sampan.services.fulfillment.contract import Fulfillment
from sampan.services.fulfillment.routes import routes
from sampan.services.inventory.contract import Inventory
from sampan.services.orders.contract import OrderCancelled, OrderPlaced
from sampan.services.shipping.contract import Shipping

service: Service[Fulfillment] = Service(
    name="fulfillment",
    contract=Fulfillment,
    build=FulfillmentActions,
    needs=(Inventory, Shipping),
    routes=(routes,),
    handlers={OrderPlaced: handlers.on_orders_placed, OrderCancelled: handlers.on_order_cancelled},
    jobs=(every(seconds=5, do="finish_steps"),),
)
