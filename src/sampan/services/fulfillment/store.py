"""All SQL of fulfillment."""

from collections.abc import Sequence
from datetime import datetime
from itertools import product
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.fulfillment.contract import Change, Piece, Status, Step, WorkOrder, WorkOrderLine
from sampan.services.fulfillment.rules import Intent, NewWork, steps_for

PATIENCE = 5  # seconds that whoever took a step has to finish it, before the sweeper takes it up
LONGEST = 300  # seconds between two tries of the sweeper

# True where the order was cancelled before; no row where it was placed before.
REMEMBER_PLACED = """
INSERT INTO fulfillment.order_fact AS f (order_id, order_number, work_orders, placed_at)
SELECT n.order_id, n.order_number, n.work_orders, now()
  FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS n (order_id, order_number, work_orders)
ON CONFLICT (order_id) DO UPDATE SET work_orders = EXCLUDED.work_orders, placed_at = now() WHERE f.placed_at IS NULL
RETURNING order_id, cancelled_at IS NOT NULL
"""
REMEMBER_CANCELLED = """
INSERT INTO fulfillment.order_fact AS f (order_id, order_number, cancelled_at) VALUES ($1, $2, now())
ON CONFLICT (order_id) DO UPDATE SET cancelled_at = now() WHERE f.cancelled_at IS NULL
"""
ADD_WORK = """
WITH made AS (
    INSERT INTO fulfillment.work_order (id, order_id, order_number, warehouse_id, part_of, status)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::text[])
    RETURNING id, status, version
)
INSERT INTO fulfillment.change (work_order_id, version, status, made_by, note)
SELECT id, version, status, $7, '' FROM made
"""
ADD_LINES = """
INSERT INTO fulfillment.line (work_order_id, variant_id, position, sku, name, quantity)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[])
"""
WORK = """
SELECT w.id, w.order_id, w.order_number, w.warehouse_id, w.status,
       (SELECT jsonb_agg(jsonb_build_object('variant_id', l.variant_id, 'sku', l.sku, 'name', l.name,
                                            'quantity', l.quantity, 'picked', l.picked, 'returned', l.returned)
                         ORDER BY l.position)
          FROM fulfillment.line l WHERE l.work_order_id = w.id),
       w.tracking_number, w.made_at, w.version, w.shipment_id, w.grams, w.part_of, w.intent,
       greatest(clock_timestamp(), w.moved_at + interval '1 microsecond')
  FROM fulfillment.work_order w
"""
WORK_BY_ID = WORK + " WHERE w.id = $1"
WORKS_OF_ORDERS = WORK + " WHERE w.order_id = ANY ($1::uuid[]) ORDER BY w.id"
# One statement for each way to ask, so that each can use the index made for it. $1 status, $2 warehouse, $3 and $4 the
# first number that fits and the first that does not, $5 the place in the list.
ASKED = {
    "status": ("$1::text IS NULL", "w.status = $1"),
    "number": (
        "$3::text IS NULL AND $4::text IS NULL",
        "w.id IN (SELECT n.id FROM fulfillment.work_order n WHERE n.order_number ~>=~ $3 AND n.order_number ~<~ $4 "
        "UNION SELECT t.id FROM fulfillment.work_order t WHERE t.tracking_number ~>=~ $3 AND t.tracking_number ~<~ $4)",
    ),
    "newest": ("($5::uuid IS NULL OR w.id > $5) ORDER BY w.id", "($5::uuid IS NULL OR w.id < $5) ORDER BY w.id DESC"),
}
LISTS = {
    (status, number, newest): f"{WORK} WHERE {ASKED['status'][status]} AND ($2::uuid IS NULL OR w.warehouse_id = $2) "
    f"AND {ASKED['number'][number]} AND {ASKED['newest'][newest]} LIMIT $6"
    for status, number, newest in product((False, True), repeat=3)
}
LAST_CHARACTER = "\U0010ffff"
HISTORY = "SELECT version, status, at, made_by, note FROM fulfillment.change WHERE work_order_id = $1 ORDER BY version"
# The rows are locked before they are read, so that lines are read as the last holder left them.
LOCK = "SELECT true FROM fulfillment.work_order WHERE id = $1 FOR UPDATE"
LOCK_OF_ORDER = "SELECT true FROM fulfillment.work_order WHERE order_id = $1 ORDER BY id FOR UPDATE"
PLAN = """
UPDATE fulfillment.work_order SET intent = $2, due_at = now() + make_interval(secs => $3), tries = 0 WHERE id = $1
"""
GIVE_UP = "UPDATE fulfillment.work_order SET intent = NULL, due_at = NULL WHERE id = $1"
MOVE = """
WITH moved AS (
    UPDATE fulfillment.work_order
       SET status = $2, version = version + 1, moved_at = greatest(clock_timestamp(), moved_at), intent = NULL,
           due_at = NULL, shipment_id = coalesce($3, shipment_id), tracking_number = coalesce($4, tracking_number),
           grams = coalesce($5, grams)
     WHERE id = $1
    RETURNING id, version, status
)
INSERT INTO fulfillment.change (work_order_id, version, status, made_by, note)
SELECT id, version, status, $6, $7 FROM moved
"""
SET_PICKED = """
UPDATE fulfillment.line l SET picked = t.quantity
  FROM unnest($2::uuid[], $3::bigint[]) AS t (variant_id, quantity)
 WHERE l.work_order_id = $1 AND l.variant_id = t.variant_id
"""
SET_RETURNED = """
UPDATE fulfillment.line l SET returned = t.quantity
  FROM unnest($2::uuid[], $3::bigint[]) AS t (variant_id, quantity)
 WHERE l.work_order_id = $1 AND l.variant_id = t.variant_id
"""
# Each try waits twice as long as the one before.
TAKE_DUE = """
WITH due AS (
    SELECT id FROM fulfillment.work_order WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE fulfillment.work_order w
   SET tries = w.tries + 1, due_at = now() + make_interval(secs => least($3, $2 * power(2, least(w.tries, 10))))
  FROM due WHERE w.id = due.id
RETURNING w.id
"""
BROKEN = """
SELECT format('the placed order %s has %s of its %s work orders', f.order_id, count(w.id), f.work_orders)
  FROM fulfillment.order_fact f LEFT JOIN fulfillment.work_order w ON w.order_id = f.order_id
 WHERE f.placed_at IS NOT NULL
 GROUP BY f.order_id, f.work_orders HAVING count(w.id) <> f.work_orders
UNION ALL
SELECT format('the work order %s is one of %s, its order has %s', w.id, w.part_of, f.work_orders)
  FROM fulfillment.work_order w JOIN fulfillment.order_fact f ON f.order_id = w.order_id
 WHERE w.part_of IS DISTINCT FROM f.work_orders
UNION ALL
SELECT format('the work order %s is %s, and something was picked for it', w.id, w.status)
  FROM fulfillment.work_order w
 WHERE w.status = 'allocated'
   AND EXISTS (SELECT 1 FROM fulfillment.line l WHERE l.work_order_id = w.id AND l.picked > 0)
UNION ALL
SELECT format('the work order %s is %s, and not everything is picked', w.id, w.status)
  FROM fulfillment.work_order w
 WHERE w.status NOT IN ('allocated', 'picking', 'cancelled')
   AND EXISTS (SELECT 1 FROM fulfillment.line l WHERE l.work_order_id = w.id AND l.picked <> l.quantity)
UNION ALL
SELECT format('the work order %s is %s, and something came back', w.id, w.status)
  FROM fulfillment.work_order w
 WHERE w.status <> 'returned'
   AND EXISTS (SELECT 1 FROM fulfillment.line l WHERE l.work_order_id = w.id AND l.returned > 0)
UNION ALL
SELECT format('the work order %s has no lines', w.id)
  FROM fulfillment.work_order w
 WHERE NOT EXISTS (SELECT 1 FROM fulfillment.line l WHERE l.work_order_id = w.id)
UNION ALL
SELECT format('the work order %s is %s, and its order was cancelled', w.id, w.status)
  FROM fulfillment.work_order w JOIN fulfillment.order_fact f ON f.order_id = w.order_id
 WHERE f.cancelled_at < now() - interval '5 minutes' AND w.status IN ('allocated', 'picking', 'packed')
UNION ALL
SELECT format('the work order %s is %s, its history says %s', w.id, w.status, c.status)
  FROM fulfillment.work_order w
  LEFT JOIN fulfillment.change c ON c.work_order_id = w.id AND c.version = w.version
 WHERE c.status IS DISTINCT FROM w.status
UNION ALL
SELECT format('the work order %s is %s, and %s is half way since %s', w.id, w.status, w.intent ->> 'step',
              w.intent ->> 'at')
  FROM fulfillment.work_order w
 WHERE (w.intent ->> 'at')::timestamptz < now() - interval '5 minutes'
"""


class Work(Struct, frozen=True):
    """A work order as it is kept. `now` is the database's clock, and later than every change before."""

    id: UUID
    order_id: UUID
    order_number: str
    warehouse_id: UUID
    status: Status
    lines: list[WorkOrderLine]
    tracking_number: str | None
    made_at: datetime
    version: int
    shipment_id: UUID | None
    grams: int | None
    part_of: int
    intent: Intent | None
    now: datetime

    @property
    def doing(self) -> Step | None:
        """The step that is half way."""
        return self.intent.step if self.intent else None

    def shown(self, history: Sequence[Change] = ()) -> WorkOrder:
        return WorkOrder(
            id=self.id,
            order_id=self.order_id,
            order_number=self.order_number,
            warehouse_id=self.warehouse_id,
            status=self.status,
            lines=self.lines,
            tracking_number=self.tracking_number,
            made_at=self.made_at,
            version=self.version,
            steps=steps_for(self.status, self.doing, self.lines),
            shipment_id=self.shipment_id,
            grams=self.grams,
            history=list(history),
        )


class Placed(Struct, frozen=True):
    """A placed order, and what each warehouse has to do for it, under the ids of the work orders to be."""

    order_id: UUID
    number: str
    works: list[tuple[UUID, NewWork]]


class Remembered(Struct, frozen=True):
    order_id: UUID
    cancelled: bool


class Found(Struct, frozen=True):
    """What a step found out about a work order."""

    shipment_id: UUID | None = None
    tracking_number: str | None = None
    grams: int | None = None
    note: str = ""
    by: str = ""


async def remember_placed(tx: Tx, placed: Sequence[Placed]) -> dict[UUID, bool]:
    """Of orders that were not placed before, whether each was cancelled before."""
    rows = await tx.many(
        Remembered,
        REMEMBER_PLACED,
        [order.order_id for order in placed],
        [order.number for order in placed],
        [len(order.works) for order in placed],
    )
    return {row.order_id: row.cancelled for row in rows}


async def remember_cancelled(tx: Tx, order_id: UUID, number: str) -> None:
    await tx.execute(REMEMBER_CANCELLED, order_id, number)


async def add_work(tx: Tx, orders: Sequence[tuple[Placed, Status]], by: str) -> None:
    """The work orders of each order, with the status that they begin with."""
    works = [(work_id, work, order, status) for order, status in orders for work_id, work in order.works]
    await tx.execute(
        ADD_WORK,
        [work_id for work_id, _, _, _ in works],
        [order.order_id for _, _, order, _ in works],
        [order.number for _, _, order, _ in works],
        [work.warehouse_id for _, work, _, _ in works],
        [len(order.works) for _, _, order, _ in works],
        [status for _, _, _, status in works],
        by,
    )
    lines = [(work_id, place, line) for work_id, work, _, _ in works for place, line in enumerate(work.lines)]
    await tx.execute(
        ADD_LINES,
        [work_id for work_id, _, _ in lines],
        [line.variant_id for _, _, line in lines],
        [place for _, place, _ in lines],
        [line.sku for _, _, line in lines],
        [line.name for _, _, line in lines],
        [line.quantity for _, _, line in lines],
    )


async def work(tx: Tx, work_order_id: UUID) -> Work | None:
    return await tx.maybe(Work, WORK_BY_ID, work_order_id)


async def lock_work(tx: Tx, work_order_id: UUID) -> Work | None:
    """The work order; nobody else moves it until the transaction ends."""
    await tx.maybe(bool, LOCK, work_order_id)
    return await work(tx, work_order_id)


async def works_of(tx: Tx, orders: Sequence[UUID]) -> list[Work]:
    """The work orders of these orders, oldest first."""
    return await tx.many(Work, WORKS_OF_ORDERS, orders)


async def lock_works_of(tx: Tx, order_id: UUID) -> list[Work]:
    await tx.many(bool, LOCK_OF_ORDER, order_id)
    return await works_of(tx, [order_id])


async def works(
    tx: Tx, *, status: Status | None, warehouse_id: UUID | None, q: str, newest: bool, after: UUID | None, limit: int
) -> list[Work]:
    first, last = (q, q + LAST_CHARACTER) if q else (None, None)
    sql = LISTS[status is not None, bool(q), newest]
    return await tx.many(Work, sql, status, warehouse_id, first, last, after, limit)


async def history(tx: Tx, work_order_id: UUID) -> list[Change]:
    return await tx.many(Change, HISTORY, work_order_id)


async def plan(tx: Tx, work_order_id: UUID, intent: Intent) -> None:
    await tx.execute(PLAN, work_order_id, intent, PATIENCE)


async def give_up(tx: Tx, work_order_id: UUID) -> None:
    await tx.execute(GIVE_UP, work_order_id)


async def move(tx: Tx, work_order_id: UUID, to: Status, found: Found) -> None:
    await tx.execute(
        MOVE, work_order_id, to, found.shipment_id, found.tracking_number, found.grams, found.by, found.note
    )


async def set_picked(tx: Tx, work_order_id: UUID, picked: dict[UUID, int]) -> None:
    await tx.execute(SET_PICKED, work_order_id, list(picked), list(picked.values()))


async def set_returned(tx: Tx, work_order_id: UUID, back: Sequence[Piece]) -> None:
    await tx.execute(SET_RETURNED, work_order_id, [p.variant_id for p in back], [p.quantity for p in back])


async def take_due(tx: Tx, limit: int) -> list[UUID]:
    """Work orders with a step that stopped half way; nobody else takes them up for a while."""
    return await tx.many(UUID, TAKE_DUE, limit, PATIENCE, LONGEST)


async def broken(tx: Tx) -> list[str]:
    return await tx.many(str, BROKEN)
