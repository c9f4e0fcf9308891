"""The declaration of storefront."""

from sampan.kernel.service import Service
from sampan.services.catalog.contract import (
    Catalog,
    CategoriesChanged,
    OffersChanged,
    ProductChanged,
    ProductWithdrawn,
)
from sampan.services.locations.contract import Locations
from sampan.services.orders.contract import Orders
from sampan.services.payments.contract import Payments
from sampan.services.pricing.contract import Pricing
from sampan.services.search.contract import IndexChanged, Search
from sampan.services.shipping.contract import Shipping
from sampan.services.storefront.actions import StorefrontActions
from sampan.services.storefront.contract import Storefront
from sampan.services.storefront.routes import cart, checkout, delivery, home, lists, machines, orders, product

service: Service[Storefront] = Service(
    name="storefront",
    contract=Storefront,
    build=StorefrontActions,
    needs=(Catalog, Orders, Locations, Payments),
    optional=(Search, Pricing, Shipping),
    routes=(
        home.routes,
        lists.routes,
        product.routes,
        delivery.routes,
        cart.routes,
        checkout.routes,
        orders.routes,
        machines.routes,
    ),
    stale=(ProductChanged, ProductWithdrawn, OffersChanged, CategoriesChanged, IndexChanged),
)
