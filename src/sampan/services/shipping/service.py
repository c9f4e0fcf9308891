"""The declaration of shipping."""

from sampan.kernel.service import Service
from sampan.services.locations.contract import Locations
from sampan.services.shipping.actions.shipping_actions import ShippingActions
from sampan.services.shipping.contract import Shipping, ZoneChanged
from sampan.services.shipping.routes import routes

service: Service[Shipping] = Service(
    name="shipping",
    contract=Shipping,
    build=ShippingActions,
    optional=(Locations,),
    routes=(routes,),
    stale=(ZoneChanged,),
)
