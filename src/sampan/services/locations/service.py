"""The declaration of locations."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.locations import routes
from sampan.services.locations.actions import LocationsActions
from sampan.services.locations.contract import Locations

service: Service[Locations] = Service(
    name="locations",
    contract=Locations,
    build=LocationsActions,
    routes=(routes.routes,),
    jobs=(every(hours=1, do="ensure_loaded"),),  # so that a new release's data is there within the hour
)
