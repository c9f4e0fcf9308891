-- What is known of orders. Either word may come first, and a cancelled order may never be placed.
CREATE TABLE fulfillment.order_fact (
    order_id uuid PRIMARY KEY,
    order_number text NOT NULL,
    work_orders bigint CHECK (work_orders >= 0),
    placed_at timestamptz,
    cancelled_at timestamptz,
    CHECK ((work_orders IS NULL) = (placed_at IS NULL)),
    CHECK (placed_at IS NOT NULL OR cancelled_at IS NOT NULL)
);

-- `intent` is a step that is half way; `due_at` is when the sweeper takes it up.
CREATE TABLE fulfillment.work_order (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES fulfillment.order_fact (order_id),
    order_number text NOT NULL,
    warehouse_id uuid NOT NULL,
    part_of bigint NOT NULL CHECK (part_of > 0),
    status text NOT NULL CHECK (status IN (
        'allocated', 'picking', 'packed', 'shipped', 'delivered', 'delivery_failed', 'returning', 'returned',
        'cancelled')),
    shipment_id uuid,
    tracking_number text,
    grams bigint CHECK (grams > 0),
    intent jsonb,
    due_at timestamptz,
    tries bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    made_at timestamptz NOT NULL DEFAULT now(),
    moved_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (order_id, warehouse_id),
    CHECK ((intent IS NULL) = (due_at IS NULL)),
    -- Goods are on their way exactly when there is a parcel.
    CHECK ((tracking_number IS NOT NULL) = (status IN (
        'shipped', 'delivered', 'delivery_failed', 'returning', 'returned'))),
    CHECK ((tracking_number IS NULL) = (shipment_id IS NULL))
);
CREATE INDEX work_order_status ON fulfillment.work_order (status, id);
CREATE INDEX work_order_warehouse ON fulfillment.work_order (warehouse_id, id);
CREATE INDEX work_order_number ON fulfillment.work_order (order_number text_pattern_ops);
CREATE INDEX work_order_tracking ON fulfillment.work_order (tracking_number text_pattern_ops);
CREATE INDEX work_order_due ON fulfillment.work_order (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE fulfillment.line (
    work_order_id uuid NOT NULL REFERENCES fulfillment.work_order (id),
    variant_id uuid NOT NULL,
    position bigint NOT NULL,
    sku text NOT NULL,
    name text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    picked bigint NOT NULL DEFAULT 0 CHECK (picked BETWEEN 0 AND quantity),
    returned bigint NOT NULL DEFAULT 0 CHECK (returned BETWEEN 0 AND picked),
    PRIMARY KEY (work_order_id, variant_id)
);

-- Who changed what, when.
CREATE TABLE fulfillment.change (
    work_order_id uuid NOT NULL REFERENCES fulfillment.work_order (id),
    version bigint NOT NULL,
    status text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL,
    note text NOT NULL CHECK (length(note) <= 500),
    PRIMARY KEY (work_order_id, version)
);
COMMENT ON TABLE fulfillment.change IS 'append-only';
