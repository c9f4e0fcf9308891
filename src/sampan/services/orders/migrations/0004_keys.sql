-- What was asked under a key and took effect, so that the same wish sent again is not a second one.

ALTER TABLE orders.cart ADD COLUMN keys text[] NOT NULL DEFAULT '{}'; -- of the last additions
ALTER TABLE orders.sales_order ADD COLUMN pay_key text NOT NULL DEFAULT ''; -- of the last try to pay that was asked for
ALTER TABLE orders.timeline ADD COLUMN key text; -- of a note
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX timeline_key ON orders.timeline (order_id, key) WHERE key IS NOT NULL;
