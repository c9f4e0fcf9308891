"""Everything the service does: what was asked, and what it does by itself."""

import asyncio
import contextlib
import logging
from typing import Final
from uuid import UUID

from sampan.kernel.db import Database
from sampan.kernel.errors import ShopError
from sampan.kernel.service import Ground
from sampan.services.catalog.contract import Catalog
from sampan.services.inventory.contract import Inventory
from sampan.services.locations.contract import Locations
from sampan.services.orders.actions.staff import StaffActions
from sampan.services.orders.checkout import advance, take_in
from sampan.services.orders.room import Room
from sampan.services.orders.store import orders
from sampan.services.orders.store.checks import violations, without_order
from sampan.services.payments.contract import Payments
from sampan.services.pricing.contract import Pricing
from sampan.services.shipping.contract import Shipping

log = logging.getLogger(__name__)

SLICE: Final = 50
SLICES: Final = 20
PAYMENTS: Final = 1000  # compared at a time
AT_ONCE: Final = 4  # orders the sweeper moves at the same time


class OrdersActions(StaffActions):
    """Carts, checkout, orders; and the sweeper behind them."""

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
        self.room = Room(db, ground, catalog, pricing, inventory, shipping, payments, locations)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._soon: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        await asyncio.gather(*self._soon, return_exceptions=True)

    def advance_soon(self, order_id: UUID) -> None:
        """Move the order on right after what was heard is committed. What gets lost on the way the sweeper finds."""
        task = asyncio.get_running_loop().create_task(self._advance_one(order_id))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def advance_due(self) -> None:
        """Move on every order that heard something, whose time has come, or that was left half way."""
        await asyncio.gather(*self._soon, return_exceptions=True)
        for _ in range(SLICES):
            async with self.db.read() as tx:
                due = await orders.due_orders(tx, SLICE)
            if not due:
                return
            async with asyncio.TaskGroup() as group:
                for order_id in due:
                    group.create_task(self._advance_one(order_id))

    async def _advance_one(self, order_id: UUID) -> None:
        """One order's trouble is not another's: it is looked at again later."""
        async with self._turns:
            try:
                if await take_in(self.room, order_id):
                    return
                async with self.db.read() as tx:
                    sale = await orders.find_sale(tx, order_id)
                if sale is not None:
                    await advance(self.room, sale)
            except Exception as failure:
                passing = isinstance(failure, ShopError) and failure.status == 503
                log.log(
                    logging.WARNING if passing else logging.ERROR,
                    "an order could not be moved on",
                    extra={"order_id": str(order_id), "error": str(failure)},
                    exc_info=None if passing else failure,
                )
                with contextlib.suppress(ShopError):  # without a database there is nothing to put off
                    async with self.db.begin() as tx:
                        await orders.put_off(tx, order_id)

    async def invariants(self) -> list[str]:
        """What is not as it must be; empty when all is well. Read-only."""
        async with self.db.read() as tx:
            found = await violations(tx)
        after = UUID(int=0)
        while kept := await self.room.payments.list_kept(after=after, limit=PAYMENTS):
            async with self.db.read() as tx:
                found += await without_order(tx, kept)
            after = kept[-1].order_id
        return found
