-- What was sold. The first half of a row never changes; the second half is how far the order has come, and only the
-- order's state machine writes it.

CREATE TABLE orders.sales_order (
    id uuid PRIMARY KEY,
    number text NOT NULL CONSTRAINT sales_order_number_once UNIQUE
        CHECK (number ~ '^SP[23456789CDFGHJKMNPQRTWX]{8}$'),
    cart_id uuid NOT NULL,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    market text NOT NULL,
    language text NOT NULL,
    contact jsonb NOT NULL,
    shipping_address jsonb NOT NULL,
    shipping_option jsonb NOT NULL,
    grams bigint NOT NULL CHECK (grams >= 0),
    items bigint NOT NULL CHECK (items >= 0),
    discount bigint NOT NULL CHECK (discount BETWEEN 0 AND items),
    shipping bigint NOT NULL CHECK (shipping >= 0),
    fee bigint NOT NULL CHECK (fee BETWEEN 0 AND shipping), -- of the way to pay; inside shipping
    tax bigint NOT NULL CHECK (tax >= 0),
    shipping_tax bigint NOT NULL CHECK (shipping_tax BETWEEN 0 AND tax),
    shipping_refunded bigint NOT NULL DEFAULT 0 CHECK (shipping_refunded BETWEEN 0 AND shipping + shipping_tax),
    quantity bigint NOT NULL CHECK (quantity > 0),
    words tsvector NOT NULL,
    phone text NOT NULL GENERATED ALWAYS AS (contact ->> 'phone') STORED,

    version bigint NOT NULL DEFAULT 1,
    made_at timestamptz NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total bigint NOT NULL
        CHECK (total IN (items - discount + shipping, items - discount + shipping + tax)),
    status text NOT NULL CHECK (status IN ('pending', 'placed', 'completed', 'cancelled')),
    payment_status text NOT NULL CHECK (payment_status IN (
        'unpaid', 'pending', 'authorized', 'paid', 'partially_refunded', 'refunded', 'failed', 'cod_due',
        'cod_collected')),
    fulfillment_status text NOT NULL CHECK (fulfillment_status IN (
        'unfulfilled', 'allocated', 'picking', 'packed', 'shipped', 'delivered', 'delivery_failed', 'returning',
        'returned', 'partially_shipped')),
    method text NOT NULL,
    return_url text NOT NULL,
    client_ip text NOT NULL,
    attempt bigint NOT NULL CHECK (attempt >= 1),
    opened bigint NOT NULL CHECK (opened BETWEEN 0 AND attempt),
    pay_until timestamptz NOT NULL,
    confirm_by timestamptz,
    confirmed_at timestamptz,
    hold text NOT NULL CHECK (hold IN ('none', 'held', 'confirmed', 'released', 'shipped')),
    held_until timestamptz,
    held_for bigint NOT NULL,
    allocations jsonb NOT NULL,
    booked text NOT NULL CHECK (booked IN ('', 'cod', 'prepaid')),
    payment jsonb,
    asked boolean NOT NULL,
    work_orders jsonb NOT NULL,
    closing text NOT NULL,
    closing_by text NOT NULL,
    closing_note text NOT NULL,
    given_up bigint,
    refund_due bigint NOT NULL CHECK (refund_due >= 0),
    sent_back uuid[] NOT NULL,
    refused jsonb,
    placed_at timestamptz,
    delivered_at timestamptz,
    completed_at timestamptz,
    cancelled_at timestamptz,

    due_at timestamptz, -- when the sweeper looks at it, whatever happens
    tries bigint NOT NULL DEFAULT 0,
    captured bigint NOT NULL GENERATED ALWAYS AS (COALESCE((payment ->> 'captured')::bigint, 0)) STORED,
    refunded bigint NOT NULL GENERATED ALWAYS AS (COALESCE((payment ->> 'refunded')::bigint, 0)) STORED,

    CONSTRAINT sales_order_binding CHECK (
        status NOT IN ('placed', 'completed')
        OR (placed_at IS NOT NULL AND (closing <> '' OR hold IN ('confirmed', 'shipped') AND allocations <> '[]'))),
    CONSTRAINT sales_order_cancelled CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL))
) WITH (fillfactor = 70); -- most steps of an order change nothing that is indexed
CREATE UNIQUE INDEX sales_order_once_per_cart ON orders.sales_order (cart_id) WHERE status <> 'cancelled';
CREATE INDEX sales_order_cart ON orders.sales_order (cart_id);
CREATE INDEX sales_order_due ON orders.sales_order (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sales_order_newest ON orders.sales_order (made_at, id);
CREATE INDEX sales_order_total ON orders.sales_order (total, id);
CREATE INDEX sales_order_status ON orders.sales_order (status, made_at, id);
CREATE INDEX sales_order_payment_status ON orders.sales_order (payment_status, made_at, id);
CREATE INDEX sales_order_fulfillment_status ON orders.sales_order (fulfillment_status, made_at, id);
CREATE INDEX sales_order_words ON orders.sales_order USING gin (words);

CREATE TABLE orders.order_line (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders.sales_order,
    position bigint NOT NULL,
    variant_id uuid NOT NULL,
    sku text NOT NULL,
    slug text NOT NULL,
    name jsonb NOT NULL,
    image text,
    quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    unit bigint NOT NULL CHECK (unit >= 0),
    discount bigint NOT NULL CHECK (discount >= 0),
    total bigint NOT NULL CHECK (total = unit * quantity - discount AND total >= 0),
    tax bigint NOT NULL CHECK (tax >= 0),
    tax_rate bigint NOT NULL CHECK (tax_rate >= 0),
    reasons jsonb NOT NULL,
    refunded bigint NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND quantity),
    UNIQUE (order_id, variant_id)
);

-- What was told of an order and by whom. Only ever added to.
CREATE TABLE orders.timeline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders.sales_order,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    code text NOT NULL,
    facts jsonb NOT NULL,
    by text NOT NULL,
    private boolean NOT NULL
);
CREATE INDEX timeline_order ON orders.timeline (order_id, id);

-- What other services told of an order, until the order has taken it in (and after, as a record).
CREATE TABLE orders.fact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'work_order', 'refund')),
    subject uuid NOT NULL,
    version bigint NOT NULL,
    body jsonb NOT NULL,
    heard_at timestamptz NOT NULL DEFAULT now(),
    taken boolean NOT NULL DEFAULT false,
    CONSTRAINT fact_once UNIQUE (order_id, kind, subject, version)
);
CREATE INDEX fact_new ON orders.fact (order_id) WHERE NOT taken;

-- Money that staff granted to send back. `asked` until payments has answered.
CREATE TABLE orders.refund (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders.sales_order,
    key text NOT NULL,
    lines jsonb NOT NULL,
    shipping bigint NOT NULL CHECK (shipping >= 0),
    amount bigint NOT NULL CHECK (amount > 0 AND amount >= shipping),
    reason text NOT NULL,
    by text NOT NULL,
    status text NOT NULL CHECK (status IN ('asked', 'requested', 'sent', 'settled', 'failed')),
    refund_id uuid, -- at payments
    made_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refund_once UNIQUE (order_id, key)
);
CREATE INDEX refund_asked ON orders.refund (made_at) WHERE status = 'asked';
