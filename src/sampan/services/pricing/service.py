"""The declaration of pricing."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.services.catalog.contract import VariantsTaxed
from sampan.services.pricing import handlers
from sampan.services.pricing.actions import PricingActions
from sampan.services.pricing.contract import PricesChanged, PricesWithdrawn, Pricing
from sampan.services.pricing.routes import routes

service: Service[Pricing] = Service(
    name="pricing",
    contract=Pricing,
    build=PricingActions,
    routes=(routes,),
    handlers={VariantsTaxed: handlers.on_variants_taxed},
    stale=(PricesChanged, PricesWithdrawn),
    jobs=(every(seconds=5, do="tell_due_prices"),),
)
