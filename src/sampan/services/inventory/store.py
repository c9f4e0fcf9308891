"""All SQL of inventory.

Locks are always taken in this order: holds by order id, warehouses by id, levels by variant and warehouse, availability
by variant. A transaction changes levels by one statement only (one with MOVING, or SET_LEVELS), so no two can wait for
each other.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from sampan.kernel import context
from sampan.kernel.db import Tx, telling
from sampan.services.inventory.contract import Availability, AvailabilityChanged, LowStock, Warehouse
from sampan.services.inventory.rules import Hold, Movement, Part, Stock

TOLD = 500  # variants in one event

# What of a level can be sold; `l` is the level.
FREE = "(l.on_hand - l.held - l.allocated - l.safety)"

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
IS_KNOWN_CAUSE = "SELECT EXISTS (SELECT FROM inventory.movement WHERE cause = $1)"


def news_of(changed: str, *, by: str, request: str) -> str:
    """The parts of a WITH that tell what the part `changed` does to availability: variants that gained or lost, levels
    that fell to their threshold. `by` and `request` are values: who does it, on which request.
    """
    return f"""
told AS (
    INSERT INTO inventory.availability AS t (variant_id, available, version)
    SELECT variant_id, sum(gain), 1 FROM {changed} GROUP BY variant_id HAVING sum(gain) <> 0 ORDER BY variant_id
    ON CONFLICT (variant_id) DO UPDATE SET available = t.available + EXCLUDED.available, version = t.version + 1
    RETURNING t.variant_id, t.available, t.version
), news AS (
    SELECT gen_random_uuid() AS id, '{AvailabilityChanged.name}' AS name, {request} AS request_id, {by} AS actor,
           jsonb_build_object('items', jsonb_agg(jsonb_build_object(
               'variant_id', variant_id, 'available', greatest(available, 0), 'version', version))) AS body
      FROM (SELECT *, (row_number() OVER (ORDER BY variant_id) - 1) / {TOLD} AS page FROM told) t GROUP BY page
    UNION ALL
    SELECT gen_random_uuid(), '{LowStock.name}', {request}, {by}, jsonb_build_object(
               'variant_id', variant_id, 'warehouse_id', warehouse_id, 'available', free, 'threshold', threshold)
      FROM {changed} WHERE free_before > threshold AND free <= threshold
), {telling("inventory", "(SELECT jsonb_agg(to_jsonb(news)) FROM news)", of="news")}
"""


# The one statement that moves goods. It records the movements (a cause that is known already moves nothing), locks
# the levels in order, changes those that can bear it, and tells of it. What is taken for an order leaves the safety
# stock alone, and nothing else may go below what is held and allocated. The caller compares how many levels were to
# change with how many did, and rolls back when they differ.
MOVING = f"""
recorded AS (
    INSERT INTO inventory.movement (kind, cause, variant_id, warehouse_id, order_id, attempt,
                                    on_hand, held, allocated, unsellable, reason, moved_by)
    SELECT m.kind, m.cause, m.variant_id, m.warehouse_id, m.order_id, m.attempt,
           m.on_hand, m.held, m.allocated, m.unsellable, m.reason, $12
      FROM {{given}} unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[],
                  $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[])
        AS m (kind, cause, variant_id, warehouse_id, order_id, attempt, on_hand, held, allocated, unsellable, reason)
     ORDER BY m.variant_id, m.warehouse_id
    ON CONFLICT (cause, kind, variant_id, warehouse_id) DO NOTHING
    RETURNING variant_id, warehouse_id, on_hand, held, allocated, unsellable
), wanted AS (
    SELECT variant_id, warehouse_id, sum(on_hand)::bigint AS on_hand, sum(held)::bigint AS held,
           sum(allocated)::bigint AS allocated, sum(unsellable)::bigint AS unsellable
      FROM recorded GROUP BY variant_id, warehouse_id
), locked AS (
    SELECT w.* FROM inventory.level l JOIN wanted w ON w.variant_id = l.variant_id AND w.warehouse_id = l.warehouse_id
     ORDER BY l.variant_id, l.warehouse_id
       FOR UPDATE OF l
), changed AS (
    UPDATE inventory.level l
       SET on_hand = l.on_hand + k.on_hand, held = l.held + k.held, allocated = l.allocated + k.allocated,
           unsellable = l.unsellable + k.unsellable
      FROM locked k
     WHERE l.variant_id = k.variant_id AND l.warehouse_id = k.warehouse_id
       AND l.on_hand + k.on_hand - l.held - k.held - l.allocated - k.allocated
           >= CASE WHEN k.held + k.allocated > 0 THEN l.safety ELSE 0 END
    RETURNING l.variant_id, l.warehouse_id, l.threshold, greatest({FREE}, 0) AS free,
              greatest({FREE} - (k.on_hand - k.held - k.allocated), 0) AS free_before,
              CASE WHEN l.sells THEN greatest({FREE}, 0)
                                     - greatest({FREE} - (k.on_hand - k.held - k.allocated), 0) ELSE 0 END AS gain
), {news_of("changed", by="$12", request="$13")}"""
MOVED = "SELECT (SELECT count(*) FROM wanted), (SELECT count(*) FROM changed), EXISTS (SELECT FROM news)"
MOVE = f"WITH {MOVING.format(given='')} {MOVED}"
# The same, with holds that have another status from now on and are no longer merely held. It is written for one order
# and for many, so that each gets the plan that fits it.
SETTLING = """
, settled AS (UPDATE inventory.hold SET status = $15, expires_at = NULL WHERE order_id {orders})
, let_go AS (UPDATE inventory.allocation SET held_until = NULL WHERE order_id {orders} AND held_until IS NOT NULL)
"""
MOVE_AND_SETTLE = f"WITH {MOVING.format(given='')} {SETTLING.format(orders='= $14')} {MOVED}"
MOVE_AND_SETTLE_MANY = f"WITH {MOVING.format(given='')} {SETTLING.format(orders='= ANY($14)')} {MOVED}"
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
# Other settings of levels; what they open or close for sale is told like a movement.
SET_LEVELS = f"""
WITH locked AS (
    SELECT l.variant_id, l.warehouse_id, coalesce(w.safety, l.safety) AS safety,
           coalesce(w.threshold, l.threshold) AS threshold, coalesce(w.sells, l.sells) AS sells,
           CASE WHEN l.sells THEN greatest({FREE}, 0) ELSE 0 END AS before
      FROM inventory.level l
      JOIN unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::boolean[])
        AS w (variant_id, warehouse_id, safety, threshold, sells)
        ON w.variant_id = l.variant_id AND w.warehouse_id = l.warehouse_id
     ORDER BY l.variant_id, l.warehouse_id
       FOR UPDATE OF l
), changed AS (
    UPDATE inventory.level l SET safety = k.safety, threshold = k.threshold, sells = k.sells
      FROM locked k WHERE l.variant_id = k.variant_id AND l.warehouse_id = k.warehouse_id
    RETURNING l.variant_id, CASE WHEN l.sells THEN greatest({FREE}, 0) ELSE 0 END - k.before AS gain,
              l.warehouse_id, 0 AS free, 0 AS free_before, l.threshold
), {news_of("changed", by="$6", request="$7")}
SELECT cardinality($1::uuid[]), (SELECT count(*) FROM changed), EXISTS (SELECT FROM news)
"""
# Levels that are not there yet. The share lock keeps a warehouse from opening or closing meanwhile; the answer is the
# warehouses that there are.
OPEN_LEVELS = """
WITH place AS (
    SELECT id, active FROM inventory.warehouse WHERE id = ANY($2) ORDER BY id FOR SHARE
), opened AS (
    INSERT INTO inventory.level (variant_id, warehouse_id, sells)
    SELECT n.variant_id, p.id, p.active
      FROM unnest($1::uuid[], $2::uuid[]) AS n (variant_id, warehouse_id) JOIN place p ON p.id = n.warehouse_id
     WHERE NOT EXISTS (SELECT FROM inventory.level l
                        WHERE l.variant_id = n.variant_id AND l.warehouse_id = n.warehouse_id)
     ORDER BY n.variant_id, n.warehouse_id
    ON CONFLICT DO NOTHING
)
SELECT id FROM place
"""

AVAILABLE = f"""
SELECT v.variant_id, coalesce(sum(greatest({FREE} + coalesce(x.lapsed, 0), 0)), 0)::bigint
  FROM unnest($1::uuid[]) AS v (variant_id)
  LEFT JOIN inventory.level l ON l.variant_id = v.variant_id AND l.sells
  LEFT JOIN LATERAL (
      SELECT sum(a.quantity) AS lapsed FROM inventory.allocation a
       WHERE a.variant_id = l.variant_id AND a.warehouse_id = l.warehouse_id AND a.held_until <= now()) x ON true
 GROUP BY v.variant_id
"""
STOCK = f"""
SELECT l.variant_id, coalesce(s.sku, ''), l.warehouse_id, w.code, l.on_hand, l.held, l.allocated, l.unsellable,
       l.safety, l.threshold,
       CASE WHEN l.sells THEN greatest({FREE} + coalesce(x.lapsed, 0), 0) ELSE 0 END::bigint
  FROM inventory.level l
  JOIN inventory.warehouse w ON w.id = l.warehouse_id
  LEFT JOIN inventory.sku s ON s.variant_id = l.variant_id
  LEFT JOIN LATERAL (
      SELECT sum(a.quantity) AS lapsed FROM inventory.allocation a
       WHERE a.variant_id = l.variant_id AND a.warehouse_id = l.warehouse_id AND a.held_until <= now()) x ON true
 WHERE (l.variant_id, l.warehouse_id) > ($1::uuid, $2::uuid)
"""
STOCK_ALL = f"{STOCK} ORDER BY l.variant_id, l.warehouse_id LIMIT $3"
STOCK_OF_WAREHOUSE = f"{STOCK} AND l.warehouse_id = $4 ORDER BY l.variant_id, l.warehouse_id LIMIT $3"
STOCK_OF_VARIANTS = f"""
{STOCK} AND l.variant_id = ANY($4) AND l.warehouse_id = coalesce($5, l.warehouse_id)
 ORDER BY l.variant_id, l.warehouse_id LIMIT $3
"""
VARIANTS_OF_SKU = "SELECT variant_id FROM inventory.sku WHERE sku = $1 ORDER BY variant_id LIMIT 100"
KEEP_SKUS = """
INSERT INTO inventory.sku (variant_id, sku, product_id, version)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[])
ON CONFLICT (variant_id) DO UPDATE
   SET sku = EXCLUDED.sku, product_id = EXCLUDED.product_id, version = EXCLUDED.version
 WHERE sku.version < EXCLUDED.version
"""
MOVEMENTS = """
SELECT id, at, kind, cause, variant_id, warehouse_id, order_id, on_hand, held, allocated, unsellable, reason, moved_by
  FROM inventory.movement
 WHERE variant_id = $1 AND ($2::uuid IS NULL OR warehouse_id = $2) AND id < $3
 ORDER BY id DESC
 LIMIT $4
"""

# --- warehouses ---
WAREHOUSE_COLUMNS = "id, code, name, province_code, ward_code, street, priority, provinces, active"
WAREHOUSES = f"SELECT {WAREHOUSE_COLUMNS} FROM inventory.warehouse ORDER BY priority, code"
ADD_WAREHOUSE = f"""
INSERT INTO inventory.warehouse ({WAREHOUSE_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (code) DO NOTHING
"""
WAREHOUSE = f"SELECT {WAREHOUSE_COLUMNS} FROM inventory.warehouse WHERE id = $1 FOR NO KEY UPDATE"
CHANGE_WAREHOUSE = """
UPDATE inventory.warehouse
   SET name = $2, province_code = $3, ward_code = $4, street = $5, priority = $6, provinces = $7, active = $8,
       switching = switching OR active <> $8
 WHERE id = $1
"""
SWITCHING = """
SELECT id, active FROM inventory.warehouse WHERE switching ORDER BY id LIMIT 1 FOR NO KEY UPDATE
"""
LEVELS_TO_SWITCH = """
SELECT variant_id FROM inventory.level
 WHERE warehouse_id = $1 AND sells <> $2 ORDER BY variant_id LIMIT $3
"""
SWITCHED = "UPDATE inventory.warehouse SET switching = false WHERE id = $1"

# --- what must hold; each query finds violations ---
WRONG_LEVELS = """
SELECT format('variant %s in warehouse %s: the level is %s, its movements say %s', variant_id, warehouse_id,
              (l.on_hand, l.held, l.allocated, l.unsellable), (m.on_hand, m.held, m.allocated, m.unsellable))
  FROM inventory.level l
  FULL JOIN (SELECT variant_id, warehouse_id, sum(on_hand) AS on_hand, sum(held) AS held, sum(allocated) AS allocated,
                    sum(unsellable) AS unsellable
               FROM inventory.movement GROUP BY variant_id, warehouse_id) m USING (variant_id, warehouse_id)
 WHERE (coalesce(l.on_hand, 0), coalesce(l.held, 0), coalesce(l.allocated, 0), coalesce(l.unsellable, 0))
    IS DISTINCT FROM
       (coalesce(m.on_hand, 0), coalesce(m.held, 0), coalesce(m.allocated, 0), coalesce(m.unsellable, 0))
 LIMIT 100
"""
WRONG_HOLDS = """
SELECT format('variant %s in warehouse %s: held %s and allocated %s, the orders say %s and %s',
              variant_id, warehouse_id, l.held, l.allocated, coalesce(o.held, 0), coalesce(o.allocated, 0))
  FROM inventory.level l
  FULL JOIN (SELECT a.variant_id, a.warehouse_id,
                    sum(a.quantity) FILTER (WHERE h.status = 'held') AS held,
                    sum(a.quantity) FILTER (WHERE h.status = 'confirmed' AND NOT a.shipped) AS allocated
               FROM inventory.hold h
               JOIN inventory.allocation a ON a.order_id = h.order_id AND a.attempt = h.attempt
              GROUP BY a.variant_id, a.warehouse_id) o USING (variant_id, warehouse_id)
 WHERE (coalesce(l.held, 0), coalesce(l.allocated, 0))
    IS DISTINCT FROM (coalesce(o.held, 0), coalesce(o.allocated, 0))
 LIMIT 100
"""
NEGATIVE_LEVELS = """
SELECT format('variant %s in warehouse %s is below zero', variant_id, warehouse_id) FROM inventory.level
 WHERE least(on_hand, held, allocated, unsellable, on_hand - held - allocated) < 0 LIMIT 100
"""
WRONG_WORDS = f"""
SELECT format('variant %s: %s can be sold, %s was told', variant_id, coalesce(l.free, 0), coalesce(t.available, 0))
  FROM (SELECT l.variant_id, sum(CASE WHEN l.sells THEN greatest({FREE}, 0) ELSE 0 END) AS free
          FROM inventory.level l GROUP BY l.variant_id) l
  FULL JOIN inventory.availability t USING (variant_id)
 WHERE coalesce(l.free, 0) <> coalesce(t.available, 0)
 LIMIT 100
"""
STALE_HOLDS = """
SELECT format('order %s: its hold lapsed more than five minutes ago and was not swept', order_id)
  FROM inventory.hold WHERE expires_at < now() - interval '5 minutes' LIMIT 100
"""
WRONG_PARTS = """
SELECT format('order %s: its hold is %s, its parts do not agree', h.order_id, h.status)
  FROM inventory.hold h
  LEFT JOIN inventory.allocation a ON a.order_id = h.order_id AND a.attempt = h.attempt
 WHERE (a.order_id IS NULL AND NOT h.closed)
    OR a.held_until IS DISTINCT FROM h.expires_at
    OR (a.shipped AND h.status NOT IN ('confirmed', 'shipped'))
    OR (NOT a.shipped AND h.status = 'shipped')
 GROUP BY h.order_id, h.status
 LIMIT 100
"""
OPEN_HOLDS = """
SELECT format('order %s: it was called off, and its hold is %s', order_id, status)
  FROM inventory.hold WHERE closed AND status IN ('held', 'confirmed') LIMIT 100
"""
OLD_PARTS = """
SELECT format('order %s: a former attempt still holds variant %s', a.order_id, a.variant_id)
  FROM inventory.allocation a JOIN inventory.hold h ON h.order_id = a.order_id
 WHERE a.attempt <> h.attempt AND (a.shipped OR a.held_until IS NOT NULL)
 LIMIT 100
"""
WRONG_RETURNS = """
SELECT format('order %s: %s of variant %s came back, the shipped parts say %s',
              order_id, m.returned, variant_id, coalesce(a.returned, 0))
  FROM (SELECT order_id, variant_id, sum(on_hand + unsellable) AS returned
          FROM inventory.movement WHERE kind = 'returned' GROUP BY order_id, variant_id) m
  FULL JOIN (SELECT order_id, variant_id, sum(returned) AS returned
               FROM inventory.allocation WHERE returned > 0 GROUP BY order_id, variant_id) a
 USING (order_id, variant_id)
 WHERE coalesce(m.returned, 0) <> coalesce(a.returned, 0)
 LIMIT 100
"""
VIOLATIONS = (
    WRONG_LEVELS,
    WRONG_HOLDS,
    NEGATIVE_LEVELS,
    WRONG_WORDS,
    STALE_HOLDS,
    WRONG_PARTS,
    OPEN_HOLDS,
    OLD_PARTS,
    WRONG_RETURNS,
)


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


class Moved(Struct):
    """How many levels were to change and how many did. `told`: events were written."""

    wanted: int
    changed: int
    told: bool

    @property
    def all(self) -> bool:
        return self.wanted == self.changed


class StockLevel(Struct, frozen=True):
    """A level as staff see it; `held` counts holds that lapsed and are not swept yet, `available` does not."""

    variant_id: UUID
    sku: str
    warehouse_id: UUID
    warehouse: str
    on_hand: int
    held: int
    allocated: int
    unsellable: int
    safety: int
    threshold: int
    available: int


class MovementEntry(Struct, frozen=True):
    """A movement as it is kept."""

    id: int
    at: datetime
    kind: str
    cause: str
    variant_id: UUID
    warehouse_id: UUID
    order_id: UUID | None
    on_hand: int
    held: int
    allocated: int
    unsellable: int
    reason: str
    moved_by: str


class Switching(Struct):
    id: UUID
    active: bool


async def available(tx: Tx, variants: Sequence[UUID]) -> list[Availability]:
    """One for each variant that is asked for, in no order. Lapsed holds do not count."""
    return await tx.many(Availability, AVAILABLE, list(dict.fromkeys(variants)))


# --- holds ------------------------------------------------------------------------------------------------------------


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


async def is_known_cause(tx: Tx, cause: str) -> bool:
    return await tx.one(bool, IS_KNOWN_CAUSE, cause)


# --- levels -----------------------------------------------------------------------------------------------------------


async def move(tx: Tx, movements: Sequence[Movement], *, orders: Sequence[UUID] = (), status: str = "") -> Moved:
    """Move goods and tell what it does to the availability; the holds of `orders` have `status` from now on and no
    longer lapse.
    """
    values = moving(movements)
    if not orders:
        moved = await tx.one(Moved, MOVE, *values)
    elif len(orders) == 1:
        moved = await tx.one(Moved, MOVE_AND_SETTLE, *values, orders[0], status)
    else:
        moved = await tx.one(Moved, MOVE_AND_SETTLE_MANY, *values, list(orders), status)
    tx.told |= moved.told
    return moved


def moving(movements: Sequence[Movement]) -> list[Any]:
    """The values of MOVING."""
    return [
        [each.kind for each in movements],
        [each.cause for each in movements],
        [each.variant_id for each in movements],
        [each.warehouse_id for each in movements],
        [each.order_id for each in movements],
        [each.attempt for each in movements],
        [each.on_hand for each in movements],
        [each.held for each in movements],
        [each.allocated for each in movements],
        [each.unsellable for each in movements],
        [each.reason for each in movements],
        context.actor.get().name,
        context.request_id.get(),
    ]


async def set_levels(
    tx: Tx,
    levels: Sequence[tuple[UUID, UUID]],
    *,
    safety: int | None = None,
    threshold: int | None = None,
    sells: bool | None = None,
) -> None:
    """Other settings of these levels (variant, warehouse), and what it does to the availability; None leaves one as
    it is.
    """
    count = len(levels)
    done = await tx.one(
        Moved,
        SET_LEVELS,
        [variant for variant, _ in levels],
        [warehouse for _, warehouse in levels],
        [safety] * count,
        [threshold] * count,
        [sells] * count,
        context.actor.get().name,
        context.request_id.get(),
    )
    tx.told |= done.told


async def open_levels(tx: Tx, levels: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """Make sure that these levels (variant, warehouse) are there; the warehouses that are known, others get none."""
    places = [warehouse for _, warehouse in levels]
    return set(await tx.many(UUID, OPEN_LEVELS, [variant for variant, _ in levels], places))


async def stock(
    tx: Tx,
    *,
    variants: Sequence[UUID] | None,
    warehouse_id: UUID | None,
    after: tuple[UUID, UUID],
    limit: int,
) -> list[StockLevel]:
    """Levels by variant and warehouse, of some variants or of all."""
    if variants is not None:
        return await tx.many(StockLevel, STOCK_OF_VARIANTS, *after, limit, list(variants), warehouse_id)
    if warehouse_id is not None:
        return await tx.many(StockLevel, STOCK_OF_WAREHOUSE, *after, limit, warehouse_id)
    return await tx.many(StockLevel, STOCK_ALL, *after, limit)


async def level(tx: Tx, variant_id: UUID, warehouse_id: UUID) -> StockLevel:
    """Raises NotFound."""
    return await tx.one(StockLevel, STOCK_OF_VARIANTS, UUID(int=0), UUID(int=0), 1, [variant_id], warehouse_id)


async def movements(
    tx: Tx, *, variant_id: UUID, warehouse_id: UUID | None, before: int, limit: int
) -> list[MovementEntry]:
    """A variant's movements, newest first."""
    return await tx.many(MovementEntry, MOVEMENTS, variant_id, warehouse_id, before, limit)


async def variants_of_sku(tx: Tx, sku: str) -> list[UUID]:
    return await tx.many(UUID, VARIANTS_OF_SKU, sku)


async def keep_skus(tx: Tx, rows: Sequence[tuple[UUID, str, UUID, int]]) -> None:
    """What catalog calls variants, each once and in order: variant, SKU, product, version of the product."""
    await tx.execute(KEEP_SKUS, *([row[column] for row in rows] for column in range(4)))


# --- warehouses -------------------------------------------------------------------------------------------------------


async def warehouses(tx: Tx) -> list[Warehouse]:
    return await tx.many(Warehouse, WAREHOUSES)


async def add_warehouse(tx: Tx, new: Warehouse) -> bool:
    """False when there is one of this code."""
    return await tx.execute(ADD_WAREHOUSE, *columns(new)) == 1


async def warehouse(tx: Tx, warehouse_id: UUID) -> Warehouse | None:
    """The warehouse, locked."""
    return await tx.maybe(Warehouse, WAREHOUSE, warehouse_id)


async def change_warehouse(tx: Tx, changed: Warehouse) -> None:
    warehouse_id, _, *rest = columns(changed)
    await tx.execute(CHANGE_WAREHOUSE, warehouse_id, *rest)


def columns(warehouse: Warehouse) -> tuple[Any, ...]:
    return tuple(getattr(warehouse, name) for name in warehouse.__struct_fields__)


async def switching(tx: Tx) -> Switching | None:
    """A warehouse that was opened or closed and whose levels do not all follow yet, locked."""
    return await tx.maybe(Switching, SWITCHING)


async def levels_to_switch(tx: Tx, warehouse: Switching, *, limit: int) -> list[UUID]:
    """Variants whose level does not follow its warehouse yet."""
    return await tx.many(UUID, LEVELS_TO_SWITCH, warehouse.id, warehouse.active, limit)


async def switched(tx: Tx, warehouse: Switching) -> None:
    """All levels of the locked warehouse follow."""
    await tx.execute(SWITCHED, warehouse.id)


async def violations(tx: Tx) -> list[str]:
    """Everything that does not hold, one sentence each."""
    return [sentence for query in VIOLATIONS for sentence in await tx.many(str, query)]
