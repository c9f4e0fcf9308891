"""What fulfillment does: moves work orders from the shelf to the door, and back if need be."""

from collections.abc import Callable
from uuid import UUID

from sampan.kernel.context import Actor, check_may
from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import ShopError
from sampan.kernel.pagination import Page, decode_cursor, page_of
from sampan.kernel.service import Ground
from sampan.services.fulfillment import rules, store
from sampan.services.fulfillment.contract import (
    IllegalStep,
    Piece,
    Step,
    UnknownWorkOrder,
    WorkOrder,
    WorkOrderChanged,
    WorkOrderFilter,
)
from sampan.services.fulfillment.rules import Intent
from sampan.services.fulfillment.store import Found, Work
from sampan.services.inventory.contract import Demand, HoldGone, Inventory
from sampan.services.shipping.contract import Shipping

PERMISSION = "fulfillment.write"
SLICE = 50  # steps that the sweeper takes up at once


class FulfillmentActions:
    """Work orders and their steps."""

    def __init__(self, db: Database, ground: Ground, inventory: Inventory, shipping: Shipping) -> None:
        self.db = db
        self.inventory = inventory
        self.shipping = shipping

    # --- reading ----------------------------------------------------------------------------------------------------

    async def work_orders_for(self, *, order_id: UUID) -> list[WorkOrder]:
        """An order's work orders, oldest first."""
        async with self.db.read() as tx:
            return [work.shown() for work in await store.works_of(tx, [order_id])]

    async def list_work_orders(self, *, actor: Actor, which: WorkOrderFilter) -> Page[WorkOrder]:
        """Work orders as staff filter them. Raises Forbidden, and Invalid for a cursor that is not ours."""
        check_may(actor, PERMISSION)
        after = decode_cursor(which.cursor, UUID)[0] if which.cursor else None
        async with self.db.read() as tx:
            works = await store.works(
                tx,
                status=which.status,
                warehouse_id=which.warehouse_id,
                q=which.q.strip().upper(),
                newest=which.sort == "newest",
                after=after,
                limit=which.limit + 1,
            )
        return page_of([work.shown() for work in works], which.limit, lambda work: (work.id,))

    async def find_work_order(self, *, actor: Actor, work_order_id: UUID) -> WorkOrder:
        """A work order with its history. Raises Forbidden, UnknownWorkOrder."""
        check_may(actor, PERMISSION)
        async with self.db.read() as tx:
            work = known(await store.work(tx, work_order_id))
            return work.shown(await store.history(tx, work_order_id))

    # --- steps in the warehouse -------------------------------------------------------------------------------------

    async def pick(self, *, actor: Actor, work_order_id: UUID, lines: list[Piece] | None = None) -> WorkOrder:
        """So many of each are picked by now; None: everything.

        Raises Forbidden, UnknownWorkOrder, IllegalStep, Invalid for what the work order does not have.
        """
        async with self.db.begin() as tx:
            work = await load(tx, actor, work_order_id)
            rules.answer_for("pick", work.status, work.doing)
            picked = rules.picks_for(work.lines, lines)
            if not picked:
                return work.shown()
            await store.set_picked(tx, work.id, picked)
            return (await move(tx, work, "pick", Found(by=actor.name))).shown()

    async def pack(self, *, actor: Actor, work_order_id: UUID, grams: int | None = None) -> WorkOrder:
        """All is in the parcel, which weighs `grams`. Raises Forbidden, UnknownWorkOrder, IllegalStep, NotPicked."""
        async with self.db.begin() as tx:
            work = await load(tx, actor, work_order_id)
            if rules.answer_for("pack", work.status, work.doing) == "done":
                return work.shown()
            rules.check_picked(work.lines)
            return (await move(tx, work, "pack", Found(grams=grams, by=actor.name))).shown()

    # --- steps that concern others ----------------------------------------------------------------------------------

    async def ship(self, *, actor: Actor, work_order_id: UUID) -> WorkOrder:
        """The parcel leaves, unless the order was cancelled before. Raises Forbidden, UnknownWorkOrder, IllegalStep."""
        return await self._take(actor, work_order_id, "ship", lambda work: Intent("ship", work.now, actor.name))

    async def deliver(self, *, actor: Actor, work_order_id: UUID) -> WorkOrder:
        """The parcel was handed over. Raises Forbidden, UnknownWorkOrder, IllegalStep."""
        return await self._take(actor, work_order_id, "deliver", lambda work: Intent("deliver", work.now, actor.name))

    async def fail(self, *, actor: Actor, work_order_id: UUID, reason: str) -> WorkOrder:
        """The parcel could not be handed over. Raises Forbidden, UnknownWorkOrder, IllegalStep."""
        return await self._take(
            actor, work_order_id, "fail", lambda work: Intent("fail", work.now, actor.name, reason=reason)
        )

    async def send_back(self, *, actor: Actor, work_order_id: UUID) -> WorkOrder:
        """The parcel is on its way back. Raises Forbidden, UnknownWorkOrder, IllegalStep."""
        return await self._take(actor, work_order_id, "return", lambda work: Intent("return", work.now, actor.name))

    async def receive(
        self, *, actor: Actor, work_order_id: UUID, lines: list[Piece] | None = None, sellable: bool = True
    ) -> WorkOrder:
        """The parcel is back with so many of each (None: with everything), to be sold again or not.

        A line that is not named did not come back; 0 of every line: the parcel is lost.

        Raises Forbidden, UnknownWorkOrder, IllegalStep, Invalid for what the work order does not have.
        """

        def intent(work: Work) -> Intent:
            back = rules.returns_for(work.lines, lines)
            return Intent("receive", work.now, actor.name, back=back, sellable=sellable)

        return await self._take(actor, work_order_id, "receive", intent)

    async def finish_steps(self) -> None:
        """Take up the steps that stopped half way; one that cannot be finished yet does not keep the others."""
        async with self.db.begin() as tx:
            due = await store.take_due(tx, SLICE)
        failures = []
        for work_order_id in due:
            async with self.db.read() as tx:
                work = known(await store.work(tx, work_order_id))
            try:
                if work.intent is not None:
                    await self._carry_out(work, work.intent)
            except IllegalStep:
                continue  # the order was cancelled, or somebody was faster: there is nothing left to do
            except ShopError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    async def _take(
        self, actor: Actor, work_order_id: UUID, step: Step, intent_of: Callable[[Work], Intent]
    ) -> WorkOrder:
        """Write the intent down, then carry it out; a step that is half way is taken up as it was meant."""
        async with self.db.begin() as tx:
            work = await load(tx, actor, work_order_id)
            if rules.answer_for(step, work.status, work.doing) == "done":
                return work.shown()
            intent = work.intent
            if intent is None:
                intent = intent_of(work)
                await store.plan(tx, work.id, intent)
        return (await self._carry_out(work, intent)).shown()

    async def _carry_out(self, work: Work, intent: Intent) -> Work:
        """Ask the others, who take each word once, then write the end down. Safe to repeat from any point.

        The stock decides between shipping and a cancellation: when it has given the goods back, the order is off.
        """
        if intent.step == "ship":
            try:
                await self.inventory.ship(order_id=work.order_id, warehouse_id=work.warehouse_id)
            except HoldGone:
                present = await self._finish(work, intent, "cancel", Found(by=intent.by))
                raise IllegalStep("the order was cancelled; its goods stay here", state=present.status) from None
            except ShopError as refusal:
                if refusal.status < 500:  # nothing has left
                    await self._forget(work, intent)
                raise
            shipment = await self.shipping.create_shipment(
                order_id=work.order_id, work_order_id=work.id, reference=work.order_number, grams=work.grams
            )
            found = Found(shipment.id, shipment.tracking_number, by=intent.by)
        else:
            if intent.back:  # what did not come back stays shipped
                await self.inventory.take_back(
                    order_id=work.order_id,
                    warehouse_id=work.warehouse_id,
                    demands=[Demand(piece.variant_id, piece.quantity) for piece in intent.back],
                    sellable=intent.sellable,
                    reason=f"work order {work.id}",
                )
            await self.shipping.record(
                work_order_id=work.id,
                status=rules.tracking_for(intent.step, intent.back),
                text=intent.reason,
                at=intent.at,
            )
            found = Found(note=intent.reason, by=intent.by)
        return await self._finish(work, intent, intent.step, found)

    async def _finish(self, work: Work, intent: Intent, step: Step, found: Found) -> Work:
        """Move the work order, if nobody else did after this intent."""
        async with self.db.begin() as tx:
            present = known(await store.lock_work(tx, work.id))
            if present.intent != intent:
                return present
            if step == "receive":
                await store.set_returned(tx, work.id, intent.back)
            return await move(tx, present, step, found)

    async def _forget(self, work: Work, intent: Intent) -> None:
        async with self.db.begin() as tx:
            present = known(await store.lock_work(tx, work.id))
            if present.intent == intent:
                await store.give_up(tx, work.id)

    async def invariants(self) -> list[str]:
        """Placed orders without their work, states that do not fit what was picked, steps half way for too long."""
        async with self.db.read() as tx:
            return await store.broken(tx)


def known(work: Work | None) -> Work:
    """Raises UnknownWorkOrder."""
    if work is None:
        raise UnknownWorkOrder("there is no such work order")
    return work


async def load(tx: Tx, actor: Actor, work_order_id: UUID) -> Work:
    """The work order, locked, for those who may work on it. Raises Forbidden, UnknownWorkOrder."""
    check_may(actor, PERMISSION)
    return known(await store.lock_work(tx, work_order_id))


async def move(tx: Tx, work: Work, step: Step, found: Found) -> Work:
    """The one place where a work order changes; the caller holds its row. Raises IllegalStep."""
    rules.check_begins(step, work.status)
    await store.move(tx, work.id, rules.STEPS[step].ends, found)
    moved = known(await store.work(tx, work.id))
    await tx.emit(changed(moved))
    return moved


def changed(work: Work) -> WorkOrderChanged:
    return WorkOrderChanged(
        work_order_id=work.id,
        order_id=work.order_id,
        warehouse_id=work.warehouse_id,
        status=work.status,
        tracking_number=work.tracking_number,
        of=work.part_of,
        version=work.version,
    )
