"""Reactions to pricing and inventory: offers and availability of our variants.

Each first takes the lock alone: what it tells is then true of the whole product, and in the feed it stands where it
became true, also when prices, stock and the product itself change in the same moment.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sampan.kernel.consumers import in_batches
from sampan.kernel.db import Tx
from sampan.services.catalog.actions.catalog_actions import CatalogActions
from sampan.services.catalog.contract import OffersChanged
from sampan.services.catalog.store import offers
from sampan.services.catalog.store.products import lock_all
from sampan.services.inventory.contract import Availability, AvailabilityChanged
from sampan.services.pricing.contract import Price, PricesChanged, PricesWithdrawn

SLICE: Final = 500  # products told of in one event


@in_batches
async def on_prices(catalog: CatalogActions, tx: Tx, events: Sequence[PricesChanged | PricesWithdrawn]) -> None:
    """The last word about a variant and market counts; no price, no offer."""
    last: dict[tuple[UUID, str], Price | None] = {}
    for event in events:
        if isinstance(event, PricesChanged):
            last.update({(price.variant_id, price.market): price for price in event.prices})
        else:
            last.update({(variant, event.market): None for variant in event.variants})
    if last:
        await lock_all(tx)
        rows = [
            (*key, price.unit.amount, price.unit.currency, price.compare_at.amount if price.compare_at else None)
            for key, price in sorted(last.items(), key=lambda item: item[0])
            if price is not None
        ]
        changed = await offers.put_offers(tx, rows) if rows else []
        gone = sorted(key for key, price in last.items() if price is None)
        changed += await offers.drop_offers(tx, gone) if gone else []
        await tell(tx, changed)


@in_batches
async def on_availability_changed(catalog: CatalogActions, tx: Tx, events: Sequence[AvailabilityChanged]) -> None:
    """The highest version of what inventory said of a variant counts."""
    newest: dict[UUID, Availability] = {}
    for event in events:
        for item in event.items:
            known = newest.get(item.variant_id)
            if known is None or known.version < item.version:
                newest[item.variant_id] = item
    if newest:
        await lock_all(tx)
        rows = [(item.variant_id, item.available, item.version) for item in newest.values()]
        await tell(tx, await offers.put_stock(tx, sorted(rows)))


async def tell(tx: Tx, changed: Sequence[UUID]) -> None:
    """Say which published products show another price or availability now."""
    found = await offers.offers_of(tx, changed) if changed else []
    await tx.emit(*(OffersChanged(offers=found[at : at + SLICE]) for at in range(0, len(found), SLICE)))
