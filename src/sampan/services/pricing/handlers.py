"""What pricing learns from others."""

from sampan.kernel.db import Tx
from sampan.services.catalog.contract import VariantsTaxed
from sampan.services.pricing import store
from sampan.services.pricing.actions import PricingActions


async def on_variants_taxed(actions: PricingActions, tx: Tx, event: VariantsTaxed) -> None:
    """Keep the tax class of each variant, also one that has no rate yet: a quote refuses it, nothing is guessed."""
    await store.tax_variants(tx, variants=event.variants, tax_class=event.tax_class)
