"""The database notes every move as it is committed, and is asked what must not be there."""

WATCH = """
CREATE SCHEMA watch;
CREATE TABLE watch.move (
    id bigint GENERATED ALWAYS AS IDENTITY, machine text NOT NULL, order_id uuid, was text NOT NULL, now text NOT NULL);
CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE was text := ''; now text; owner uuid;
BEGIN
    now := to_jsonb(NEW) ->> TG_ARGV[1];
    IF TG_OP = 'UPDATE' THEN was := to_jsonb(OLD) ->> TG_ARGV[1]; END IF;
    owner := coalesce(to_jsonb(NEW) ->> 'order_id', to_jsonb(NEW) ->> 'id')::uuid;
    IF was IS DISTINCT FROM now THEN
        INSERT INTO watch.move (machine, order_id, was, now) VALUES (TG_ARGV[0], owner, was, now);
    END IF;
    RETURN NULL;
END $$;
"""
NOTE = """
CREATE TRIGGER "watch {machine}" AFTER INSERT OR UPDATE ON {table}
   FOR EACH ROW EXECUTE FUNCTION watch.note('{machine}', '{column}');
"""

# What the peace of a town does not say yet. Each finds what must not be there.
SUSPICIONS = (
    """
    SELECT 'sent for nothing: ' || o.number || ' is ' || i.status || ' with ' || i.captured || ' of ' || o.total
           || ' and ' || coalesce(sum(s.cod_amount), 0) || ' to collect'
      FROM orders.sales_order o JOIN shipping.shipment s ON s.order_id = o.id
      LEFT JOIN payments.intent i ON i.order_id = o.id
     GROUP BY o.id, i.order_id
    HAVING NOT EXISTS (SELECT FROM payments.attempt a WHERE a.order_id = o.id AND a.method <> 'cod'
                          AND a.surplus IS NULL AND a.captured = o.total)
       AND coalesce(sum(s.cod_amount), 0) <> o.total
    """,
    """
    SELECT 'paid twice: ' || o.number || ' was paid before, and ' || sum(s.cod_amount) || ' are collected at the door'
      FROM orders.sales_order o JOIN shipping.shipment s ON s.order_id = o.id
     WHERE EXISTS (SELECT FROM payments.attempt a WHERE a.order_id = o.id AND a.method <> 'cod' AND a.surplus IS NULL
                      AND a.captured > 0)
     GROUP BY o.id HAVING sum(s.cod_amount) > 0
    """,
    """
    SELECT 'booked wrongly: ' || o.number || ' is ' || o.payment_status || ' and travels with '
           || coalesce(b.cod_amount, 0) || ' to collect'
      FROM orders.sales_order o LEFT JOIN shipping.booking b ON b.order_id = o.id
     WHERE o.status IN ('placed', 'completed')
       AND coalesce(b.cod_amount, 0) <> CASE WHEN o.payment ->> 'method' = 'cod' THEN o.total ELSE 0 END
    """,
    """
    SELECT 'lost on the shelf: ' || l.variant_id || ' has ' || l.there || ', expected ' || m.came - coalesce(w.away, 0)
      FROM (SELECT variant_id, sum(on_hand + unsellable) AS there FROM inventory.level GROUP BY 1) l
      JOIN (SELECT variant_id, sum(on_hand + unsellable) FILTER (WHERE kind IN ('received', 'adjusted')) AS came
              FROM inventory.movement GROUP BY 1) m USING (variant_id)
      LEFT JOIN (SELECT n.variant_id, sum(n.quantity - n.returned) AS away
                   FROM fulfillment.work_order w JOIN fulfillment.line n ON n.work_order_id = w.id
                  WHERE w.status IN ('shipped', 'delivered', 'delivery_failed', 'returning', 'returned')
                  GROUP BY 1) w USING (variant_id)
     WHERE l.there <> m.came - coalesce(w.away, 0)
    """,
    """
    SELECT 'set aside for nobody: ' || l.variant_id || ' has ' || l.aside || ' set aside, of orders '
           || coalesce(o.wanted, 0)
      FROM (SELECT variant_id, sum(held + allocated) AS aside FROM inventory.level GROUP BY 1) l
      LEFT JOIN (SELECT n.variant_id, sum(n.quantity) AS wanted
                   FROM orders.sales_order o JOIN orders.order_line n ON n.order_id = o.id
                   JOIN inventory.hold h ON h.order_id = o.id AND h.status IN ('held', 'confirmed')
                  WHERE o.status IN ('pending', 'placed', 'completed')
                  GROUP BY 1) o USING (variant_id)
     WHERE l.aside <> coalesce(o.wanted, 0)
    """,
    """
    SELECT 'owed for nothing: ' || o.number || ' is cancelled and ' || a.owed || ' are to be collected'
      FROM orders.sales_order o JOIN payments.attempt a ON a.order_id = o.id
     WHERE o.status = 'cancelled' AND a.owed > 0
    """,
    """
    SELECT 'not told: ' || o.number || ' is ' || o.payment_status || ' (' || (o.payment ->> 'status')
           || '), its payment ' || i.status
      FROM orders.sales_order o JOIN payments.intent i ON i.order_id = o.id
     WHERE o.payment ->> 'status' <> i.status
    """,
    """
    SELECT 'not told: ' || o.number || ' says its goods are ' || o.fulfillment_status || ', the warehouse ' || w.status
      FROM orders.sales_order o JOIN fulfillment.work_order w ON w.order_id = o.id AND w.part_of = 1
     WHERE o.fulfillment_status <> CASE WHEN w.status = 'cancelled' THEN 'unfulfilled' ELSE w.status END
    """,
)  # fmt: skip
