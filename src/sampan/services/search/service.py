"""The declaration of search."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.catalog.contract import (
    Catalog,
    CategoriesChanged,
    OffersChanged,
    ProductChanged,
    ProductWithdrawn,
)
from sampan.services.orders.contract import OrderPlaced
from sampan.services.search import handlers, routes
from sampan.services.search.actions.search_actions import SearchActions
from sampan.services.search.contract import IndexChanged, Search

service: Service[Search] = Service(
    name="search",
    contract=Search,
    build=SearchActions,
    optional=(Catalog,),
    routes=(routes.routes,),
    handlers={
        ProductChanged: handlers.on_products,
        OffersChanged: handlers.on_products,
        ProductWithdrawn: handlers.on_products,
        CategoriesChanged: handlers.on_categories_changed,
        OrderPlaced: handlers.on_orders_placed,
    },
    jobs=(
        every(seconds=300, do="count_sales"),
        every(seconds=2, do="index_changes", wake_on=("search.work",), gather=0.5),
    ),
    stale=(IndexChanged,),
)
