-- What somebody means to buy. Choices only: prices, stock and delivery are computed when the cart is looked at.

CREATE TABLE orders.cart (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    market text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    contact jsonb,
    shipping_address jsonb,
    shipping_option_id text CHECK (length(shipping_option_id) <= 200),
    order_id uuid,
    version bigint NOT NULL DEFAULT 1,
    made_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX cart_expiry ON orders.cart (expires_at);

CREATE TABLE orders.cart_line (
    id uuid PRIMARY KEY,
    cart_id uuid NOT NULL REFERENCES orders.cart ON DELETE CASCADE,
    variant_id uuid NOT NULL,
    quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    unit_seen bigint CHECK (unit_seen >= 0),
    sku text NOT NULL,
    name jsonb NOT NULL,
    UNIQUE (cart_id, variant_id)
);
