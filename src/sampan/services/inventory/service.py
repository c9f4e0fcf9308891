"""The declaration of inventory."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.catalog.contract import ProductChanged
from sampan.services.inventory import handlers
from sampan.services.inventory.actions import InventoryActions
from sampan.services.inventory.contract import Inventory
from sampan.services.inventory.routes import routes

service: Service[Inventory] = Service(
    name="inventory",
    contract=Inventory,
    build=InventoryActions,
    routes=(routes,),
    handlers={ProductChanged: handlers.on_products_changed},
    jobs=(every(seconds=5, do="release_expired"), every(minutes=1, do="switch_levels")),
)
