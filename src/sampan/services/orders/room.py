"""What everything in this service works with: its database, its peers, the merchant's choices, the shop's secret."""

import asyncio
from pathlib import Path
from uuid import UUID
from weakref import WeakValueDictionary

from msgspec import Struct

from sampan.kernel.catalogue import DEFAULT, LANGUAGES, Catalogue, Texts
from sampan.kernel.db import Database
from sampan.kernel.kept import Kept
from sampan.kernel.limits import Limit, Limiter
from sampan.kernel.service import Ground
from sampan.kernel.settings import home_secret
from sampan.services.catalog.contract import Catalog, VariantSnapshot
from sampan.services.inventory.contract import Inventory
from sampan.services.locations.contract import Locations
from sampan.services.orders.rules.order import Policy
from sampan.services.orders.rules.people import way_back_for
from sampan.services.orders.rules.token import order_token_for
from sampan.services.payments.contract import Payments
from sampan.services.pricing.contract import Pricing
from sampan.services.shipping.contract import Shipping

RECENT = 10.0  # seconds for which stock is kept though nobody told of it: what lapsed is told of when it is swept
LOOKUPS = Limit(times=20, seconds=3600)  # of one order number, from anywhere


class Stock(Struct, frozen=True):
    """How many of a variant can be sold, and the tag that is told when catalog has heard of another number."""

    available: int
    tag: str


class Room:
    """The database, the peers in the order of `needs`, and what follows from the settings."""

    def __init__(
        self,
        db: Database,
        ground: Ground,
        catalog: Catalog,
        pricing: Pricing,
        inventory: Inventory,
        shipping: Shipping,
        payments: Payments,
        locations: Locations,
    ) -> None:
        self.db = db
        self.catalog = catalog
        self.pricing = pricing
        self.inventory = inventory
        self.shipping = shipping
        self.payments = payments
        self.locations = locations
        self.snapshots: Kept[UUID, VariantSnapshot] = Kept(
            ground.news, self.fresh_snapshots, lambda each: each.tag, VariantSnapshot
        )
        self.stock: Kept[UUID, Stock] = Kept(ground.news, self._fresh_stock, lambda each: each.tag, Stock, ttl=RECENT)
        settings = ground.settings
        self.policy = settings.section(Policy, "ORDERS")
        self.public_url = settings.public_url
        self._secret = settings.core.secret or home_secret(settings.home)
        self._own_machine = not settings.production
        self._catalogue = Catalogue.load(Path(__file__).parent / "texts")
        self._limiter = Limiter(ground.redis) if settings.core.rate_limits else None
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def fresh_snapshots(self, variants: list[UUID]) -> dict[UUID, VariantSnapshot]:
        """What catalog says of the variants this moment; `snapshots` may be a moment old."""
        return {each.variant_id: each for each in await self.catalog.find_variants(variants=variants)}

    async def _fresh_stock(self, variants: list[UUID]) -> dict[UUID, Stock]:
        """What inventory says this moment of those variants that catalog knows; `stock` may be a moment old."""
        known = await self.snapshots.find(variants)
        found = await self.inventory.available_for(variants=[variant for variant in variants if variant in known])
        return {each.variant_id: Stock(each.available, known[each.variant_id].offer_tag) for each in found}

    def texts(self, language: str) -> Texts:
        """The texts of a language, of Vietnamese for one that we do not speak."""
        return self._catalogue.texts(language if language in LANGUAGES else DEFAULT)

    def order_token(self, order_id: UUID) -> str:
        """The secret of an order."""
        return order_token_for(order_id, self._secret)

    def way_back(self, given: str | None, order_id: UUID) -> str:
        """The page of ours to which the payer comes back. Raises Invalid for anybody else's."""
        return way_back_for(given, order_id=order_id, ours=self.public_url, loopback=self._own_machine)

    def turn(self, order_id: UUID) -> asyncio.Lock:
        """One at a time moves an order in this process. The lock that counts is the row's; this one saves work."""
        lock = self._turns.get(order_id)
        if lock is None:
            lock = self._turns[order_id] = asyncio.Lock()
        return lock

    async def spend_lookup(self, number: str) -> None:
        """Raises TooManyRequests for a number that is looked up too often, whoever does it."""
        if self._limiter is not None:
            await self._limiter.spend("orders.lookup", number, LOOKUPS)
