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
    Texts,
)
from sampan.services.catalog.routes import products, sheets
from sampan.services.inventory.contract import AvailabilityChanged
from sampan.services.pricing.contract import PricesChanged, PricesWithdrawn


def tags(product_id: object, *slugs: Texts) -> list[str]:
    """Of the answers about a product: by its id, and by each of its slugs."""
    return [f"product:{product_id}", *(f"product:{slug}" for each in slugs for slug in each.values())]


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
    drops={
        ProductChanged: lambda e: [*tags(e.product.id, e.product.slugs, e.was), "categories"],
        ProductWithdrawn: lambda e: [*tags(e.product_id, e.slugs), "categories"],
        OffersChanged: lambda e: [tag for o in e.offers for tag in tags(o.product_id, o.slugs)],
        CategoriesChanged: lambda e: ["categories"],
    },
)
