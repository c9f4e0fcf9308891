"""What inventory does: says what can be sold, holds it for orders, lets it go or ship, and keeps the levels."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel.context import Actor
from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import ShopError
from sampan.kernel.ids import uuid7
from sampan.kernel.pagination import Page, decode_cursor, page_of
from sampan.kernel.service import Ground
from sampan.services.inventory import rules
from sampan.services.inventory.contract import (
    Allocation,
    Availability,
    Delivery,
    Demand,
    HoldExpired,
    HoldGone,
    OutOfStock,
    Reservation,
    StockBusy,
    StockCommitted,
    UnknownWarehouse,
    Warehouse,
    WarehouseExists,
)
from sampan.services.inventory.rules import Hold, Movement
from sampan.services.inventory.store import checks, holds, levels, warehouses
from sampan.services.inventory.store.holds import Lapsed
from sampan.services.inventory.store.levels import Moved, MovementEntry, StockLevel

log = logging.getLogger(__name__)

TRIES: Final = 20  # of a reservation that others get in the way of
SLICE: Final = 200  # holds swept, levels switched in one transaction
SLICES: Final = 100  # of one run of a job
NOWHERE: Final = (UUID(int=0), UUID(int=0))
BEGINNING: Final = Lapsed(datetime.min.replace(tzinfo=UTC), UUID(int=0))
LAST: Final = 2**63 - 1


class InventorySettings(Struct, frozen=True):
    """`longest_hold_minutes`: how long a hold may live from its beginning, however often it is extended."""

    longest_hold_minutes: int = 60


class Raced(Exception):
    """Somebody was faster between our look and our grip. Nothing happened; look again."""


class InventoryActions:
    """Warehouses, stock, holds."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        self.longest = ground.settings.section(InventorySettings, "INVENTORY").longest_hold_minutes
        self._named: set[UUID] = set()  # lapsed holds that cannot be released, of which the log tells

    async def available_for(self, *, variants: list[UUID]) -> list[Availability]:
        """How many of each can be sold now, in the order asked; unknown variants have none."""
        async with self.db.read() as tx:
            found = {each.variant_id: each for each in await levels.available(tx, variants)}
        return [found[variant] for variant in variants]

    # --- holds of orders --------------------------------------------------------------------------------------------

    async def reserve(
        self, *, order_id: UUID, demands: list[Demand], province_code: str, minutes: int, firm: bool = False
    ) -> Reservation:
        """Hold all of it or nothing for `minutes`; a lapsed hold of the same order is taken again.

        Looks without a lock and takes what it saw by one conditional statement, so whoever comes too late is refused
        without waiting in line. Whoever is overtaken between look and grip looks again; each time somebody else got
        on. Before anything is called out of stock, holds of those goods that lapsed and are not swept yet are
        released. `firm` takes and confirms in one step.

        Raises OutOfStock, AlreadyConfirmed, AlreadyShipped, HoldGone, StockBusy, kernel.Invalid.
        """
        rules.check_minutes(minutes)
        wanted = rules.wanted_for(demands)
        for _ in range(TRIES):
            try:
                async with self.db.read() as tx:  # the look is one statement, the grip another one
                    reservation = await self._hold(tx, order_id, wanted, province_code, minutes, firm=firm)
            except Raced:
                continue
            except OutOfStock:
                if not await self._sweep(list(wanted)):
                    raise
                continue
            if not firm or reservation.status != "held":
                return reservation
            with suppress(HoldGone):  # it was held before; then it is taken again
                return await self.confirm(order_id=order_id)
        raise StockBusy("too many want the same goods at this moment", retry_after=1)

    async def _hold(
        self, tx: Tx, order_id: UUID, wanted: dict[UUID, int], province_code: str, minutes: int, *, firm: bool
    ) -> Reservation:
        found = await holds.situation(tx, order_id, list(wanted))
        before = found.hold
        if before is not None and rules.is_answered(before, wanted, province_code):
            return rules.reservation_of(before)
        stocks = rules.with_own(found.stocks, before)
        parts = rules.route_for(wanted, stocks, province_code)
        if parts is None:
            raise rules.out_of_stock(wanted, stocks)
        movements = []
        if before is not None and before.status == "held":
            movements += rules.moved("lapsed" if before.lapsed else "released", before, before.parts)
        attempt = 1 if before is None else before.attempt + 1
        movements += rules.taken(order_id, attempt, parts, firm=firm)
        alive = before is not None and before.status == "held" and not before.lapsed
        taken = await holds.take_hold(
            tx,
            movements,
            order_id=order_id,
            before=before,
            province_code=province_code,
            since=before.first_held_at if before is not None and alive else None,
            minutes=minutes,
            longest=self.longest,
            parts=parts,
            firm=firm,
        )
        if taken is None:
            raise Raced
        return Reservation(
            order_id=order_id,
            status="confirmed" if firm else "held",
            expires_at=taken.until,
            allocations=[Allocation(part.variant_id, part.warehouse_id, part.quantity) for part in parts],
        )

    async def extend(self, *, order_id: UUID, minutes: int) -> Reservation:
        """Keep the hold alive for `minutes` from now, never shorter than it is. Raises HoldGone, kernel.Invalid."""
        rules.check_minutes(minutes)
        async with self.db.begin() as tx:
            hold = rules.check_holds(await holds.locked_hold(tx, order_id))
            if hold.status == "held":
                until = await holds.extend(tx, order_id, minutes=minutes, longest=self.longest)
                hold = msgspec.structs.replace(hold, expires_at=until)
        return rules.reservation_of(hold)

    async def confirm(self, *, order_id: UUID) -> Reservation:
        """The order is placed: the hold no longer expires. Raises HoldGone when it has lapsed or was released."""
        async with self.db.begin() as tx:
            hold = rules.check_holds(await holds.locked_hold(tx, order_id))
            if hold.status == "held":
                hold = await self._settle(tx, "confirmed", hold)
        return rules.reservation_of(hold)

    async def release(self, *, order_id: UUID, reason: str) -> Reservation | None:
        """Give back what the order holds; it takes nothing any more. None if it never held anything.

        Raises AlreadyShipped, and then nothing changes.
        """
        async with self.db.begin() as tx:
            # First: a hold that is being taken at this moment is not to be seen before its taker is done. We wait for
            # him here, and whoever takes later finds the order closed.
            await holds.close(tx, order_id)
            hold = await holds.locked_hold(tx, order_id)
            if hold is None:
                return None
            if hold.status != "released":
                rules.check_releasable(hold)
                hold = await self._settle(tx, "released", hold, reason=reason)
        return rules.reservation_of(hold)

    async def _settle(self, tx: Tx, kind: str, hold: Hold, *, reason: str = "") -> Hold:
        """Confirm or release all of a locked hold; the hold after it."""
        movements = rules.moved(kind, hold, hold.parts, reason=reason)
        check_whole(await levels.move(tx, movements, orders=[hold.order_id], status=kind))
        return msgspec.structs.replace(hold, status=kind, expires_at=None)

    async def ship(self, *, order_id: UUID, warehouse_id: UUID) -> list[Allocation]:
        """The order's goods leave this warehouse. Raises HoldGone if the order was released before, NotConfirmed."""
        async with self.db.begin() as tx:
            hold = rules.check_holds(await holds.locked_hold(tx, order_id))
            rules.check_confirmed(hold)
            here = [part for part in hold.parts if part.warehouse_id == warehouse_id]
            if leaving := [part for part in here if not part.shipped]:
                rest = [p for p in hold.parts if p.warehouse_id != warehouse_id and not p.shipped]
                status = "confirmed" if rest else "shipped"
                await holds.mark_shipped(tx, hold, warehouse_id)
                movements = rules.moved("shipped", hold, leaving)
                check_whole(await levels.move(tx, movements, orders=[order_id], status=status))
        return [Allocation(part.variant_id, part.warehouse_id, part.quantity) for part in here]

    async def take_back(
        self, *, order_id: UUID, warehouse_id: UUID, demands: list[Demand], sellable: bool, reason: str
    ) -> None:
        """Goods that were shipped are back in a warehouse; the same `reason` again changes nothing.

        Raises UnknownWarehouse, kernel.Invalid.
        """
        rules.check_reason(reason)
        async with self.db.begin() as tx:
            hold = await holds.locked_hold(tx, order_id)
            if hold is None:
                return
            parts = rules.returns_for(hold, demands, warehouse_id)
            movements = rules.brought_back(hold, parts, warehouse_id=warehouse_id, sellable=sellable, reason=reason)
            if not movements or await levels.is_known_cause(tx, movements[0].cause):
                return
            await holds.bring_back(tx, hold, parts)
            await self._bring_in(tx, movements)

    async def release_expired(self) -> None:
        """Release all holds that have lapsed, oldest first."""
        await self._sweep(None)

    async def _sweep(self, variants: Sequence[UUID] | None) -> bool:
        """Release all lapsed holds (of these variants, or all) in slices; whether any were.

        One that cannot be released stays and is read past, so that it keeps nobody but itself.
        """
        released, after = 0, BEGINNING
        for _ in range(SLICES):
            async with self.db.read() as tx:
                lapsed = await holds.lapsed(tx, after=after, limit=SLICE, variants=variants)
            if not lapsed:
                break
            released += await self._release_lapsed([each.order_id for each in lapsed])
            after = lapsed[-1]
        return released > 0

    async def _release_lapsed(self, orders: Sequence[UUID]) -> int:
        """Release these lapsed holds, all at once, or in halves where one cannot move; how many hold nothing now.

        Waits for whoever has a lock on one of them: what is found lapsed is settled afterwards, by us or by them.
        """
        try:
            async with self.db.begin() as tx:
                found = await holds.locked_lapsed_holds(tx, orders)
                movements = [each for hold in found for each in rules.moved("lapsed", hold, hold.parts)]
                moved = await levels.move(tx, movements, orders=[hold.order_id for hold in found], status="released")
                check_whole(moved)
                await tx.emit(*(HoldExpired(order_id=hold.order_id) for hold in found))
            return len(orders)
        except ShopError:
            raise  # the database is away; the holds are not to blame
        except Exception as failure:
            if len(orders) == 1:
                self._name_stuck(orders[0], failure)
                return 0
        half = len(orders) // 2
        return await self._release_lapsed(orders[:half]) + await self._release_lapsed(orders[half:])

    def _name_stuck(self, order_id: UUID, failure: Exception) -> None:
        """Say once that a hold cannot be released: it is met again every few seconds, and the invariants name it."""
        if order_id not in self._named:
            self._named.add(order_id)
            log.error("a lapsed hold cannot be released", extra={"order_id": str(order_id)}, exc_info=failure)

    # --- levels -----------------------------------------------------------------------------------------------------

    async def stock_up(self, *, cause: str, items: list[Delivery]) -> None:
        """Goods came in, any number of them in a fixed number of statements. The same `cause` again changes nothing.

        Raises UnknownWarehouse, kernel.Invalid.
        """
        rules.check_reason(cause)
        rules.check_deliveries(items)
        async with self.db.begin() as tx:
            await self._bring_in(tx, rules.received(cause, items))

    async def adjust(
        self, *, actor: Actor, key: str, variant_id: UUID, warehouse_id: UUID, change: int, reason: str
    ) -> StockLevel:
        """Correct what is on hand by `change`; the same `key` of the same actor again changes nothing.

        Raises UnknownWarehouse, StockCommitted, kernel.Invalid.
        """
        rules.check_reason(reason)
        correction = rules.adjusted(f"{actor.name}:{key}", variant_id, warehouse_id, change, reason)
        for _ in range(TRIES):
            try:
                async with self.db.begin() as tx:
                    await self._open_levels(tx, [correction])
                    done = await levels.move(tx, [correction])
                    level = await levels.level(tx, variant_id, warehouse_id)
                    if not done.all:
                        raise rules.committed(level.on_hand, level.held, level.allocated)
                    return level
            except StockCommitted:
                if not await self._sweep([variant_id]):
                    raise
        raise StockBusy("too many change the same goods at this moment", retry_after=1)

    async def _bring_in(self, tx: Tx, movements: Sequence[Movement]) -> None:
        """Add goods to levels that may not be there yet. Raises UnknownWarehouse."""
        await self._open_levels(tx, movements)
        check_whole(await levels.move(tx, movements))

    async def _open_levels(self, tx: Tx, movements: Sequence[Movement]) -> None:
        opened = await levels.open_levels(tx, [(each.variant_id, each.warehouse_id) for each in movements])
        if missing := {each.warehouse_id for each in movements} - opened:
            raise UnknownWarehouse("there is no such warehouse", warehouse_id=str(missing.pop()))

    async def set_limits(
        self, *, variant_id: UUID, warehouse_id: UUID, safety: int | None, threshold: int | None
    ) -> StockLevel:
        """How many are kept back (`safety`), and at how many to warn (`threshold`). Raises UnknownWarehouse."""
        place = (variant_id, warehouse_id)
        async with self.db.begin() as tx:
            if not await levels.open_levels(tx, [place]):
                raise UnknownWarehouse("there is no such warehouse", warehouse_id=str(warehouse_id))
            await levels.set_levels(tx, [place], safety=safety, threshold=threshold)
            return await levels.level(tx, variant_id, warehouse_id)

    async def list_stock(
        self,
        *,
        sku: str | None,
        variant_id: UUID | None,
        warehouse_id: UUID | None,
        limit: int,
        cursor: str | None,
    ) -> Page[StockLevel]:
        """Levels by variant and warehouse. Raises kernel.Invalid for a foreign cursor."""
        after = decode_cursor(cursor, UUID, UUID) if cursor else NOWHERE
        async with self.db.read() as tx:
            variants = None if variant_id is None else [variant_id]
            if sku is not None:
                named = await levels.variants_of_sku(tx, sku)
                variants = [each for each in named if variant_id in (None, each)]
            rows = await levels.stock(tx, variants=variants, warehouse_id=warehouse_id, after=after, limit=limit + 1)
        return page_of(rows, limit, lambda row: (row.variant_id, row.warehouse_id))

    async def list_movements(
        self, *, variant_id: UUID, warehouse_id: UUID | None, limit: int, cursor: str | None
    ) -> Page[MovementEntry]:
        """Why a variant's levels are what they are, newest first."""
        (before,) = decode_cursor(cursor, int) if cursor else (LAST,)
        async with self.db.read() as tx:
            rows = await levels.movements(
                tx, variant_id=variant_id, warehouse_id=warehouse_id, before=before, limit=limit + 1
            )
        return page_of(rows, limit, lambda row: (row.id,))

    # --- warehouses -------------------------------------------------------------------------------------------------

    async def list_warehouses(self) -> list[Warehouse]:
        """All warehouses by priority."""
        async with self.db.read() as tx:
            return await warehouses.every(tx)

    async def add_warehouse(
        self,
        *,
        code: str,
        name: str,
        province_code: str,
        ward_code: str,
        street: str,
        priority: int,
        provinces: list[str],
        active: bool = True,
    ) -> Warehouse:
        """A new warehouse without stock. Raises WarehouseExists."""
        new = Warehouse(uuid7(), code, name, province_code, ward_code, street, priority, provinces, active)
        async with self.db.begin() as tx:
            if not await warehouses.add_warehouse(tx, new):
                raise WarehouseExists("there is a warehouse of this code", warehouse=code)
        return new

    async def change_warehouse(self, *, warehouse_id: UUID, changes: dict[str, Any]) -> Warehouse:
        """Other properties of a warehouse. A closed one sells nothing more; what it owes it still ships.

        Raises UnknownWarehouse.
        """
        async with self.db.begin() as tx:
            found = await warehouses.locked(tx, warehouse_id)
            if found is None:
                raise UnknownWarehouse("there is no such warehouse", warehouse_id=str(warehouse_id))
            changed = msgspec.structs.replace(found, **changes)
            await warehouses.change_warehouse(tx, changed)
        await self.switch_levels()
        return changed

    async def switch_levels(self) -> None:
        """Let the levels of warehouses that were opened or closed follow, in slices; what is left the next run does."""
        for _ in range(SLICES):
            async with self.db.begin() as tx:
                warehouse = await warehouses.switching(tx)
                if warehouse is None:
                    return
                variants = await warehouses.levels_to_switch(tx, warehouse, limit=SLICE)
                places = [(variant, warehouse.id) for variant in variants]
                await levels.set_levels(tx, places, sells=warehouse.active)
                if len(variants) < SLICE:
                    await warehouses.switched(tx, warehouse)

    async def invariants(self) -> list[str]:
        """What is wrong with levels, holds and movements; empty when all is well."""
        async with self.db.read() as tx:
            return await checks.violations(tx)


def check_whole(done: Moved) -> None:
    """What an order holds can always move on. If a level cannot follow, the books are wrong and nothing may change."""
    if not done.all:
        raise RuntimeError("the levels do not have what the movements say")
