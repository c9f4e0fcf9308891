"""The declaration of catalog."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.catalog import handlers
from sampan.services.catalog.actions.catalog_actions import CatalogActions
from sampan.services.catalog.contract import (
    Catalog,
    CategoriesChanged,
    OffersChanged,
    ProductChanged,
    ProductWithdrawn,
)
from sampan.services.catalog.routes import products, sheets
from sampan.services.inventory.contract import AvailabilityChanged
from sampan.services.pricing.contract import PricesChanged, PricesWithdrawn

service: Service[Catalog] = Service(
    name="catalog",
    contract=Catalog,
    build=CatalogActions,
    routes=(products.routes, products.media_routes, sheets.routes),
    handlers={
        PricesChanged: handlers.on_prices,
        PricesWithdrawn: handlers.on_prices,
        AvailabilityChanged: handlers.on_availability_changed,
    },
    jobs=(every(seconds=5, do="refresh_products"), every(seconds=5, do="work_imports", wake_on=("catalog.import",))),
    stale=(ProductChanged, ProductWithdrawn, OffersChanged, CategoriesChanged),
)
