"""The declaration of payments."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.payments import handlers, routes
from sampan.services.payments.actions.payments_actions import PaymentsActions
from sampan.services.payments.contract import Payments

service: Service[Payments] = Service(
    name="payments",
    contract=Payments,
    build=PaymentsActions,
    routes=(routes.routes,),
    handlers={WorkOrderChanged: handlers.on_work_orders_changed},
    jobs=(
        every(seconds=5, do="apply_facts"),
        every(seconds=10, do="ask_providers"),
        every(seconds=10, do="send_refunds", wake_on=("payments",), gather=0.5),
    ),
)
