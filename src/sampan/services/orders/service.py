"""The declaration of orders."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.catalog.contract import Catalog, ProductChanged, ProductWithdrawn
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.inventory.contract import Inventory
from sampan.services.locations.contract import Locations
from sampan.services.orders import handlers, routes
from sampan.services.orders.actions.orders_actions import OrdersActions
from sampan.services.orders.contract import Orders
from sampan.services.payments.contract import PaymentChanged, Payments, RefundChanged
from sampan.services.pricing.contract import Pricing
from sampan.services.shipping.contract import Shipping

service: Service[Orders] = Service(
    name="orders",
    contract=Orders,
    build=OrdersActions,
    needs=(Catalog, Pricing, Inventory, Shipping, Payments, Locations),
    routes=(routes.routes,),
    handlers={
        PaymentChanged: handlers.on_news,
        RefundChanged: handlers.on_news,
        WorkOrderChanged: handlers.on_news,
    },
    stale=(ProductChanged, ProductWithdrawn),
    jobs=(
        every(seconds=1, do="advance_due"),
        every(seconds=10, do="send_refunds"),
        every(hours=1, do="forget_carts"),
    ),
)
