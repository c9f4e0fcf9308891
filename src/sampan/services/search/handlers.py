"""Reactions to catalog and orders: what is to be found, and how often it was sold.

Each handler takes the writers' turn before it writes a document; what it wrote is indexed by the job.
"""

from collections import Counter
from uuid import UUID

from sampan.kernel.db import Tx
from sampan.services.catalog.contract import (
    CategoriesChanged,
    OffersChanged,
    ProductChanged,
    ProductDocument,
    ProductWithdrawn,
)
from sampan.services.orders.contract import OrderPlaced
from sampan.services.search import rules, store
from sampan.services.search.actions.search_actions import SearchActions


async def on_product_changed(search: SearchActions, tx: Tx, event: ProductChanged) -> None:
    """An older version than the known one changes nothing."""
    await store.take_turn(tx)
    if await store.put_document(tx, event.product):
        await store.put_variants(tx, event.product)
        await store.put_labels(tx, rules.labels_for(event.product))


async def on_offers_changed(search: SearchActions, tx: Tx, event: OffersChanged) -> None:
    """Products that are not known come whole with their own event."""
    await store.take_turn(tx)
    known = await store.products(tx, [offers.product_id for offers in event.offers])
    changed: dict[UUID, ProductDocument] = {}
    for offers in event.offers:
        product = changed.get(offers.product_id) or known.get(offers.product_id)
        if product is not None and (now := rules.with_offers(product, offers)) is not None:
            changed[now.id] = now
    if changed:
        await store.put_offers(tx, list(changed.values()))


async def on_product_withdrawn(search: SearchActions, tx: Tx, event: ProductWithdrawn) -> None:
    await store.take_turn(tx)
    await store.withdraw(tx, event.product_id, event.version)


async def on_categories_changed(search: SearchActions, tx: Tx, event: CategoriesChanged) -> None:
    """The event does not say what changed: the job reads the tree."""
    await store.tree_told(tx)


async def on_order_placed(search: SearchActions, tx: Tx, event: OrderPlaced) -> None:
    """Each order counts once, by the cursor that moves with it."""
    sold: Counter[UUID] = Counter()
    for line in event.lines:
        sold[line.variant_id] += line.quantity
    await store.take_turn(tx)
    products = await store.add_sold(tx, sold)
    await store.touch(tx, sorted(set(products)))
