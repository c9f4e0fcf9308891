"""The levels and what moves them: all SQL of goods.

Locks are always taken in this order: holds by order id, warehouses by id, levels by variant and warehouse, availability
by variant. A transaction changes levels by one statement only (one with MOVING, or SET_LEVELS), so no two can wait for
each other.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from sampan.kernel import context
from sampan.kernel.db import Tx, telling
from sampan.services.inventory.contract import Availability, AvailabilityChanged, LowStock
from sampan.services.inventory.rules import Movement

TOLD = 500  # variants in one event

# What of a level can be sold; `l` is the level.
FREE = "(l.on_hand - l.held - l.allocated - l.safety)"

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


async def available(tx: Tx, variants: Sequence[UUID]) -> list[Availability]:
    """One for each variant that is asked for, in no order. Lapsed holds do not count."""
    return await tx.many(Availability, AVAILABLE, list(dict.fromkeys(variants)))


async def is_known_cause(tx: Tx, cause: str) -> bool:
    return await tx.one(bool, IS_KNOWN_CAUSE, cause)


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
