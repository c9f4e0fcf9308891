"""What inventory learns from others."""

from collections.abc import Sequence

from sampan.kernel.consumers import in_batches
from sampan.kernel.db import Tx
from sampan.services.catalog.contract import ProductChanged
from sampan.services.inventory.actions import InventoryActions
from sampan.services.inventory.store import levels


@in_batches
async def on_products_changed(actions: InventoryActions, tx: Tx, events: Sequence[ProductChanged]) -> None:
    """Keep what catalog calls each variant; an older version of a product changes nothing."""
    said = [
        (variant.id, variant.sku, event.product.id, event.product.version)
        for event in sorted(events, key=lambda event: event.product.version)
        for variant in event.product.variants
    ]
    newest = {row[0]: row for row in said}
    await levels.keep_skus(tx, [newest[variant] for variant in sorted(newest)])
