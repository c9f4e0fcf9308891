"""What must be true of the tables; each query finds what is not."""

from sampan.kernel.db import Tx
from sampan.services.inventory.store.levels import FREE

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


async def violations(tx: Tx) -> list[str]:
    """Everything that does not hold, one sentence each."""
    return [sentence for query in VIOLATIONS for sentence in await tx.many(str, query)]
