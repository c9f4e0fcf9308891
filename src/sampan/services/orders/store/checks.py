"""What must be true of the tables of this service, as queries that find what is not."""

from collections.abc import Sequence
from typing import Final

from sampan.kernel.db import Tx
from sampan.services.payments.contract import Kept

MOST = 20

# sentence → a query for the numbers (or ids) of those of which it is not true
CHECKS: Final[dict[str, str]] = {
    "the lines of an order add up to its total": """
        SELECT o.number FROM orders.sales_order o
          JOIN (SELECT order_id, sum(unit * quantity) AS items, sum(discount) AS discount, sum(tax) AS tax,
                       sum(quantity) AS quantity, count(*) AS lines
                  FROM orders.order_line GROUP BY order_id) l ON l.order_id = o.id
         WHERE (l.items, l.discount, l.tax + o.shipping_tax, l.quantity)
               IS DISTINCT FROM (o.items::numeric, o.discount::numeric, o.tax::numeric, o.quantity::numeric)""",
    "an order has lines": """
        SELECT o.number FROM orders.sales_order o
         WHERE NOT EXISTS (SELECT FROM orders.order_line l WHERE l.order_id = o.id)""",
    "a cart becomes one order": """
        SELECT c.id::text FROM orders.sales_order o JOIN orders.cart c ON c.id = o.cart_id
         WHERE o.status <> 'cancelled' AND c.order_id IS DISTINCT FROM o.id
        UNION ALL
        SELECT cart_id::text FROM orders.sales_order WHERE status <> 'cancelled' GROUP BY cart_id HAVING count(*) > 1
        UNION ALL
        SELECT c.id::text FROM orders.cart c
         WHERE c.order_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM orders.sales_order o WHERE o.id = c.order_id AND o.cart_id = c.id)""",
    "what is set aside for an order is what was ordered": """
        SELECT o.number FROM orders.sales_order o
         WHERE o.status IN ('placed', 'completed') AND o.closing = '' AND EXISTS (
               SELECT FROM (SELECT variant_id, sum(quantity) AS quantity FROM orders.order_line
                             WHERE order_id = o.id GROUP BY variant_id) l
                 FULL JOIN (SELECT (a ->> 'variant_id')::uuid AS variant_id, sum((a ->> 'quantity')::bigint) AS quantity
                              FROM jsonb_array_elements(o.allocations) a GROUP BY 1) s USING (variant_id)
                WHERE l.quantity IS DISTINCT FROM s.quantity)""",
    "a binding order is paid, authorised, or to be paid on delivery": """
        SELECT number FROM orders.sales_order
         WHERE status IN ('placed', 'completed')
           AND (payment IS NULL OR (payment ->> 'amount')::bigint <> total OR payment ->> 'currency' <> currency
                OR payment ->> 'status' = 'pending')""",
    "a binding order has opened its payment": """
        SELECT number FROM orders.sales_order WHERE status IN ('placed', 'completed') AND opened = 0""",
    "a paid order was paid in full": """
        SELECT number FROM orders.sales_order
         WHERE payment ->> 'status' IN ('paid', 'cod_collected') AND captured < total""",
    "no more is refunded than was captured": """
        SELECT number FROM orders.sales_order WHERE refunded < 0 OR refunded > captured""",
    "a cancelled order holds no goods": """
        SELECT number FROM orders.sales_order
         WHERE status = 'cancelled' AND hold IN ('held', 'confirmed') AND closing NOT IN ('delivery_failed', 'returned')
           AND cancelled_at < now() - interval '15 minutes'""",
    "a cancelled order keeps no money": """
        SELECT number FROM orders.sales_order
         WHERE status = 'cancelled' AND captured > COALESCE(given_up, 0)
           AND cancelled_at < now() - interval '15 minutes'""",
    "an unpaid order ends when its time is over": """
        SELECT number FROM orders.sales_order
         WHERE status = 'pending' AND payment_status IN ('unpaid', 'pending', 'failed')
           AND COALESCE(payment ->> 'status', '') <> 'review' AND pay_until < now() - interval '15 minutes'""",
    "no order is stuck": """
        SELECT number FROM orders.sales_order WHERE due_at < now() - interval '15 minutes'
        UNION
        SELECT o.number FROM orders.fact f JOIN orders.sales_order o ON o.id = f.order_id
         WHERE NOT f.taken AND f.heard_at < now() - interval '15 minutes'""",
    "no more pieces and no more money are refunded than were bought": """
        SELECT o.number FROM orders.sales_order o
          JOIN (SELECT order_id, sum(amount) AS amount, sum(shipping) AS shipping FROM orders.refund
                 WHERE status <> 'failed' GROUP BY order_id) r ON r.order_id = o.id
         WHERE r.amount > o.captured OR r.shipping <> o.shipping_refunded
        UNION
        SELECT o.number FROM orders.order_line l JOIN orders.sales_order o ON o.id = l.order_id
          LEFT JOIN (SELECT n.line_id, sum(n.quantity) AS quantity
                       FROM orders.refund r, jsonb_to_recordset(r.lines) AS n (line_id uuid, quantity bigint)
                      WHERE r.status <> 'failed' GROUP BY n.line_id) r ON r.line_id = l.id
         WHERE l.refunded <> COALESCE(r.quantity, 0)""",
    "payments answers every refund": """
        SELECT id::text FROM orders.refund WHERE status = 'asked' AND made_at < now() - interval '15 minutes'""",
}


CAPTURED_ELSEWHERE = """
SELECT k.number FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS k (id, number, captured)
  LEFT JOIN orders.sales_order o ON o.id = k.id
 WHERE o.captured IS DISTINCT FROM k.captured
"""


async def without_order(tx: Tx, kept: Sequence[Kept]) -> list[str]:
    """A sentence for each order that is not there, or does not know, what payments captured for it."""
    broken = await tx.many(
        str,
        CAPTURED_ELSEWHERE,
        [each.order_id for each in kept],
        [each.order_number for each in kept],
        [each.captured.amount for each in kept],
    )
    return [f"not true of {number}: what was captured belongs to an order that knows of it" for number in broken]


async def violations(tx: Tx) -> list[str]:
    """A sentence for each thing that is not as it must be."""
    found = []
    for sentence, sql in CHECKS.items():
        broken = await tx.many(str, f"{sql} LIMIT {MOST}")
        found += [f"not true of {name}: {sentence}" for name in broken]
    return found
