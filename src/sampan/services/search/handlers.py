"""Reactions to catalog and orders: what is to be found, and how often it was sold.

Who writes a document takes the writers' turn before; what it wrote is indexed by the job.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from sampan.kernel.consumers import in_batches
from sampan.kernel.db import Tx
from sampan.services.catalog.contract import CategoriesChanged, OffersChanged, ProductChanged
from sampan.services.orders.contract import OrderPlaced
from sampan.services.search import rules, store
from sampan.services.search.actions.search_actions import SearchActions
from sampan.services.search.rules import ProductNews


@in_batches
async def on_products(search: SearchActions, tx: Tx, events: Sequence[ProductNews]) -> None:
    """What events about products leave of each, one after the other, is written once."""
    await store.take_turn(tx)
    whole = {event.product.id for event in events if isinstance(event, ProductChanged)}
    priced = {offers.product_id for event in events if isinstance(event, OffersChanged) for offers in event.offers}
    known = await store.known(tx, rules.named_in(events), with_bodies=priced)
    changed = rules.after(events, known)
    products = [state.product for state in changed.values() if state.product is not None]
    await store.put_documents(tx, products)
    await store.withdraw(tx, [(key, state.version) for key, state in changed.items() if state.withdrawn])
    new = [product for product in products if product.id in whole]
    await store.put_variants(tx, new)
    await store.put_labels(tx, rules.labels_for(new))


async def on_categories_changed(search: SearchActions, tx: Tx, event: CategoriesChanged) -> None:
    """The event does not say what changed: the job reads the tree."""
    await store.tree_told(tx)


@in_batches
async def on_orders_placed(search: SearchActions, tx: Tx, events: Sequence[OrderPlaced]) -> None:
    """Each order counts once, by the cursor that moves with it. The job `count_sales` tells the documents."""
    sold: Counter[UUID] = Counter()
    for event in events:
        for line in event.lines:
            sold[line.variant_id] += line.quantity
    await store.add_sold(tx, sold)
