"""What inventory learns from others."""

from sampan.kernel.db import Tx
from sampan.services.catalog.contract import ProductChanged
from sampan.services.inventory import store
from sampan.services.inventory.actions import InventoryActions


async def on_product_changed(actions: InventoryActions, tx: Tx, event: ProductChanged) -> None:
    """Keep what catalog calls each variant; an older version of a product changes nothing."""
    product = event.product
    skus = {variant.id: variant.sku for variant in product.variants}
    await store.keep_skus(tx, skus, product_id=product.id, version=product.version)
