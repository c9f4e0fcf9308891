"""Holds: what orders have set aside, with their parts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.inventory.rules import Hold, Movement, Part, Stock
from sampan.services.inventory.store.levels import FREE, MOVING, moving

# A hold with its parts and whether it has lapsed, as one JSON value.
HOLD = """
jsonb_build_object(
    'order_id', h.order_id, 'status', h.status, 'attempt', h.attempt, 'province_code', h.province_code,
    'first_held_at', h.first_held_at, 'expires_at', h.expires_at, 'lapsed', coalesce(h.expires_at <= now(), false),
    'closed', h.closed,
    'parts', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                   'variant_id', a.variant_id, 'warehouse_id', a.warehouse_id, 'quantity', a.quantity,
                   'shipped', a.shipped, 'returned', a.returned) ORDER BY a.variant_id, a.warehouse_id)
          FROM inventory.allocation a WHERE a.order_id = h.order_id AND a.attempt = h.attempt), '[]'))
"""
# All that deciding about a demand needs, read without a lock: MOVE checks again what it takes.
SITUATION = f"""
SELECT (SELECT {HOLD} FROM inventory.hold h WHERE h.order_id = $1),
       coalesce((SELECT jsonb_agg(jsonb_build_object(
                     'variant_id', l.variant_id, 'warehouse_id', l.warehouse_id, 'free', {FREE},
                     'priority', w.priority, 'code', w.code, 'provinces', w.provinces))
                   FROM inventory.level l JOIN inventory.warehouse w ON w.id = l.warehouse_id
                  WHERE l.variant_id = ANY($2) AND l.sells), '[]')
"""
LOCK_HOLD = "SELECT order_id FROM inventory.hold WHERE order_id = $1 FOR UPDATE"
# Lapsed holds after a place in their order. Of some variants: found by their parts, and only what the hold itself says
# has lapsed as well, so that what is found can be released.
LAPSED_OF = """
SELECT DISTINCT h.expires_at, h.order_id
  FROM inventory.allocation a JOIN inventory.hold h ON h.order_id = a.order_id AND h.attempt = a.attempt
 WHERE a.variant_id = ANY($4) AND a.held_until <= now()
   AND h.expires_at <= now() AND (h.expires_at, h.order_id) > ($1, $2)
 ORDER BY h.expires_at, h.order_id
 LIMIT $3
"""
LAPSED = """
SELECT expires_at, order_id FROM inventory.hold
 WHERE expires_at <= now() AND (expires_at, order_id) > ($1, $2)
 ORDER BY expires_at, order_id
 LIMIT $3
"""

PARTS = """
SELECT h.order_id, h.status, h.attempt, h.province_code, h.first_held_at, h.expires_at,
       coalesce(h.expires_at <= now(), false), a.variant_id, a.warehouse_id, a.quantity, a.shipped, a.returned
  FROM inventory.hold h JOIN inventory.allocation a ON a.order_id = h.order_id AND a.attempt = h.attempt
"""
# A hold with its parts, both locked. A hold that took other goods while we waited for its lock gives no row: the
# statement does not see its new parts.
LOCKED = f"{PARTS} WHERE h.order_id = $1 ORDER BY a.variant_id, a.warehouse_id FOR UPDATE"
LOCKED_LAPSED = f"""
{PARTS} WHERE h.order_id = ANY($1) AND h.expires_at <= now()
 ORDER BY h.order_id, a.variant_id, a.warehouse_id
   FOR UPDATE
"""
# Also for an order that never held anything.
CLOSE = """
INSERT INTO inventory.hold (order_id, status, attempt, province_code, first_held_at, closed)
VALUES ($1, 'released', 1, '', now(), true)
ON CONFLICT (order_id) DO UPDATE SET closed = true
"""
EXTEND = """
WITH longer AS (
    UPDATE inventory.hold
       SET expires_at = greatest(expires_at, least(now() + make_interval(mins => $2),
                                                   first_held_at + make_interval(mins => $3)))
     WHERE order_id = $1
    RETURNING order_id, attempt, expires_at
)
UPDATE inventory.allocation a SET held_until = l.expires_at
  FROM longer l WHERE a.order_id = l.order_id AND a.attempt = l.attempt
RETURNING a.held_until
"""
MARK_SHIPPED = """
UPDATE inventory.allocation SET shipped = true WHERE order_id = $1 AND attempt = $2 AND warehouse_id = $3
"""
BRING_BACK = """
UPDATE inventory.allocation a SET returned = a.returned + b.quantity
  FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) AS b (variant_id, warehouse_id, quantity)
 WHERE a.order_id = $1 AND a.attempt = $2 AND a.variant_id = b.variant_id AND a.warehouse_id = b.warehouse_id
"""
# An order takes hold of goods: the hold, its parts and what moves, at once or not at all. $15 is the attempt that is
# replaced, $16 its status (null: there was none); nothing happens when that is no longer so. $24: it is confirmed at
# once and does not lapse.
TAKE = f"""
WITH taken AS (
    INSERT INTO inventory.hold AS h (order_id, status, attempt, province_code, first_held_at, expires_at)
    SELECT $14, CASE WHEN $24 THEN 'confirmed' ELSE 'held' END, $15 + 1, $17, since.at,
           CASE WHEN NOT $24 THEN least(now() + make_interval(mins => $19), since.at + make_interval(mins => $20)) END
      FROM (SELECT coalesce($18, now()) AS at) since
    ON CONFLICT (order_id) DO UPDATE
       SET status = EXCLUDED.status, attempt = EXCLUDED.attempt, province_code = EXCLUDED.province_code,
           first_held_at = EXCLUDED.first_held_at, expires_at = EXCLUDED.expires_at
     WHERE h.attempt = $15 AND h.status = $16 AND NOT h.closed
    RETURNING h.attempt, h.expires_at
), let_go AS (
    UPDATE inventory.allocation a SET held_until = NULL
      FROM taken WHERE a.order_id = $14 AND a.attempt = $15 AND a.held_until IS NOT NULL
), parts AS (
    INSERT INTO inventory.allocation (order_id, attempt, variant_id, warehouse_id, quantity, held_until)
    SELECT $14, t.attempt, p.variant_id, p.warehouse_id, p.quantity, t.expires_at
      FROM taken t, unnest($21::uuid[], $22::uuid[], $23::bigint[]) AS p (variant_id, warehouse_id, quantity)
), {MOVING.format(given="taken,")}
SELECT t.expires_at, EXISTS (SELECT FROM news)
  FROM taken t WHERE inventory.whole((SELECT count(*) FROM wanted), (SELECT count(*) FROM changed))
"""
OVERTAKEN = "SA001"


class Situation(Struct):
    """What an order holds already, and what can be sold of the variants it wants."""

    hold: Hold | None
    stocks: list[Stock]


class Taken(Struct):
    """A hold that was taken, and until when it lives; None: for good. `told`: events were written."""

    until: datetime | None
    told: bool


class Lapsed(Struct, frozen=True):
    """A lapsed hold, and its place among the others."""

    expires_at: datetime
    order_id: UUID


class LockedPart(Struct):
    order_id: UUID
    status: str
    attempt: int
    province_code: str
    first_held_at: datetime
    expires_at: datetime | None
    lapsed: bool
    variant_id: UUID
    warehouse_id: UUID
    quantity: int
    shipped: bool
    returned: int


async def situation(tx: Tx, order_id: UUID, variants: Sequence[UUID]) -> Situation:
    """What the order holds and what can be sold, in one snapshot, without locks."""
    return await tx.one(Situation, SITUATION, order_id, list(variants))


async def take_hold(
    tx: Tx,
    movements: Sequence[Movement],
    *,
    order_id: UUID,
    before: Hold | None,
    province_code: str,
    since: datetime | None,
    minutes: int,
    longest: int,
    parts: Sequence[Part],
    firm: bool,
) -> Taken | None:
    """Write the order's hold with its parts, and move the goods. None, and nothing of it happened: somebody was faster,
    `before` is no longer how it is, or the goods are gone.
    """
    try:
        taken = await tx.maybe(
            Taken,
            TAKE,
            *moving(movements),
            order_id,
            before.attempt if before is not None else 0,
            before.status if before is not None else None,
            province_code,
            since,
            minutes,
            longest,
            [part.variant_id for part in parts],
            [part.warehouse_id for part in parts],
            [part.quantity for part in parts],
            firm,
        )
    except asyncpg.PostgresError as failure:
        if failure.sqlstate == OVERTAKEN:
            return None
        raise
    tx.told |= taken is not None and taken.told
    return taken


async def locked_hold(tx: Tx, order_id: UUID) -> Hold | None:
    """An order's hold with its parts, locked; None when there is none."""
    rows = await tx.many(LockedPart, LOCKED, order_id)
    if not rows and await tx.maybe(UUID, LOCK_HOLD, order_id) is not None:
        rows = await tx.many(LockedPart, LOCKED, order_id)  # it took other goods while we waited; now it cannot
    return next(iter(holds_of(rows)), None)


async def locked_lapsed_holds(tx: Tx, orders: Sequence[UUID]) -> list[Hold]:
    """Those of these orders' holds that have lapsed, with their parts, locked."""
    return holds_of(await tx.many(LockedPart, LOCKED_LAPSED, list(orders)))


def holds_of(rows: Sequence[LockedPart]) -> list[Hold]:
    holds: dict[UUID, Hold] = {}
    for row in rows:
        if row.order_id not in holds:
            holds[row.order_id] = Hold(
                row.order_id,
                row.status,
                row.attempt,
                row.province_code,
                row.first_held_at,
                row.expires_at,
                row.lapsed,
                [],
            )
        part = Part(row.variant_id, row.warehouse_id, row.quantity, row.shipped, row.returned)
        holds[row.order_id].parts.append(part)
    return list(holds.values())


async def lapsed(tx: Tx, *, after: Lapsed, limit: int, variants: Sequence[UUID] | None = None) -> list[Lapsed]:
    """Holds that have lapsed and are not swept, oldest first; with `variants` only holds of those."""
    if variants is None:
        return await tx.many(Lapsed, LAPSED, after.expires_at, after.order_id, limit)
    return await tx.many(Lapsed, LAPSED_OF, after.expires_at, after.order_id, limit, list(variants))


async def close(tx: Tx, order_id: UUID) -> None:
    """The order takes no more goods."""
    await tx.execute(CLOSE, order_id)


async def extend(tx: Tx, order_id: UUID, *, minutes: int, longest: int) -> datetime:
    """Until when a hold that is locked and alive lives now."""
    return await tx.one(datetime, EXTEND, order_id, minutes, longest)


async def mark_shipped(tx: Tx, hold: Hold, warehouse_id: UUID) -> None:
    """What the hold has in this warehouse has left it."""
    await tx.execute(MARK_SHIPPED, hold.order_id, hold.attempt, warehouse_id)


async def bring_back(tx: Tx, hold: Hold, parts: Sequence[Part]) -> None:
    """Count what came back of each shipped part."""
    await tx.execute(
        BRING_BACK,
        hold.order_id,
        hold.attempt,
        [part.variant_id for part in parts],
        [part.warehouse_id for part in parts],
        [part.quantity for part in parts],
    )
