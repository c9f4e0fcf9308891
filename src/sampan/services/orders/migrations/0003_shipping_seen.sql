-- What the chosen way to deliver cost when the customer saw it last: the first guess when it is priced again.
ALTER TABLE orders.cart ADD COLUMN shipping_seen bigint;
ALTER TABLE orders.cart ADD CONSTRAINT cart_shipping_seen CHECK (shipping_seen >= 0) NOT VALID;
