"""Reactions to pricing and inventory: offers and availability of our variants.

Each first takes the lock alone: what it tells is then true of the whole product, and in the feed it stands where it
became true, also when prices, stock and the product itself change in the same moment.
"""

from collections.abc import Sequence
from uuid import UUID

from sampan.kernel.db import Tx
from sampan.services.catalog.actions.catalog_actions import CatalogActions
from sampan.services.catalog.contract import OffersChanged
from sampan.services.catalog.store import offers
from sampan.services.catalog.store.products import lock_all
from sampan.services.inventory.contract import AvailabilityChanged
from sampan.services.pricing.contract import PricesChanged, PricesWithdrawn


async def on_prices_changed(catalog: CatalogActions, tx: Tx, event: PricesChanged) -> None:
    """The last price of a variant and market within one event counts."""
    rows = {
        (price.variant_id, price.market): (
            price.variant_id,
            price.market,
            price.unit.amount,
            price.unit.currency,
            price.compare_at.amount if price.compare_at else None,
        )
        for price in event.prices
    }
    if rows:
        await lock_all(tx)
        await tell(tx, await offers.put_offers(tx, [rows[key] for key in sorted(rows)]))


async def on_prices_withdrawn(catalog: CatalogActions, tx: Tx, event: PricesWithdrawn) -> None:
    """No price, no offer."""
    await lock_all(tx)
    await tell(tx, await offers.drop_offers(tx, event.market, event.variants))


async def on_availability_changed(catalog: CatalogActions, tx: Tx, event: AvailabilityChanged) -> None:
    """The highest version of what inventory said of a variant counts."""
    newest = {item.variant_id: item for item in sorted(event.items, key=lambda item: item.version)}
    if newest:
        await lock_all(tx)
        rows = [(item.variant_id, item.available, item.version) for item in newest.values()]
        await tell(tx, await offers.put_stock(tx, sorted(rows)))


async def tell(tx: Tx, changed: Sequence[UUID]) -> None:
    """Say which published products show another price or availability now."""
    if changed and (found := await offers.offers_of(tx, changed)):
        await tx.emit(OffersChanged(offers=found))
