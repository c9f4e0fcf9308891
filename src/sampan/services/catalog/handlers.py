"""Reactions to pricing and inventory: offers and availability of our variants."""

from collections.abc import Sequence
from uuid import UUID

from sampan.kernel.db import Tx
from sampan.services.catalog import store
from sampan.services.catalog.actions.catalog_actions import CatalogActions
from sampan.services.catalog.contract import OffersChanged
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
        await tell(tx, await store.put_offers(tx, [rows[key] for key in sorted(rows)]))


async def on_prices_withdrawn(catalog: CatalogActions, tx: Tx, event: PricesWithdrawn) -> None:
    await tell(tx, await store.drop_offers(tx, event.market, event.variants))


async def on_availability_changed(catalog: CatalogActions, tx: Tx, event: AvailabilityChanged) -> None:
    available = {item.variant_id: item.available for item in event.items}
    if available:
        await tell(tx, await store.put_stock(tx, dict(sorted(available.items()))))


async def tell(tx: Tx, changed: Sequence[UUID]) -> None:
    """Say which published products show another price or availability now."""
    if changed and (offers := await store.offers_of(tx, list(changed))):
        await tx.emit(OffersChanged(offers=offers))
