-- Warehouses, levels, movements, holds.

CREATE TABLE inventory.warehouse (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z0-9][A-Z0-9-]{0,19}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    province_code text NOT NULL,
    ward_code text NOT NULL,
    street text NOT NULL,
    priority bigint NOT NULL CHECK (priority BETWEEN 0 AND 1000),
    provinces text[] NOT NULL,
    active boolean NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    -- True while its levels are still being opened or closed after a change of `active`.
    switching boolean NOT NULL DEFAULT false
);

-- How much of a variant is in a warehouse. `on_hand` is what can be sold and lies on the shelf, `held` of it waits for
-- a checkout, `allocated` for a parcel; `unsellable` (damaged) lies apart. `sells` follows the warehouse being active.
CREATE TABLE inventory.level (
    variant_id uuid NOT NULL,
    warehouse_id uuid NOT NULL REFERENCES inventory.warehouse (id),
    on_hand bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    allocated bigint NOT NULL DEFAULT 0 CHECK (allocated >= 0),
    unsellable bigint NOT NULL DEFAULT 0 CHECK (unsellable >= 0),
    safety bigint NOT NULL DEFAULT 0 CHECK (safety >= 0),
    threshold bigint NOT NULL DEFAULT 0 CHECK (threshold >= 0),
    sells boolean NOT NULL,
    PRIMARY KEY (variant_id, warehouse_id),
    CHECK (on_hand - held - allocated >= 0)
) WITH (fillfactor = 80);
CREATE INDEX level_of_warehouse ON inventory.level (warehouse_id, variant_id);

-- What was last told about a variant over all warehouses; `version` grows with every word.
CREATE TABLE inventory.availability (
    variant_id uuid PRIMARY KEY,
    available bigint NOT NULL,
    version bigint NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE inventory.hold (
    order_id uuid PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('held', 'confirmed', 'shipped', 'released')),
    attempt bigint NOT NULL CHECK (attempt >= 1),
    province_code text NOT NULL,
    first_held_at timestamptz NOT NULL,
    expires_at timestamptz,
    CHECK ((status = 'held') = (expires_at IS NOT NULL))
);
CREATE INDEX hold_lapses ON inventory.hold (expires_at) WHERE expires_at IS NOT NULL;

-- The parts of a hold. Each attempt of an order to hold something has its own; the hold names the present one.
-- `held_until` repeats the hold's `expires_at`, so that what lapsed of a variant is found by an index.
CREATE TABLE inventory.allocation (
    order_id uuid NOT NULL REFERENCES inventory.hold (order_id),
    attempt bigint NOT NULL,
    variant_id uuid NOT NULL,
    warehouse_id uuid NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    shipped boolean NOT NULL DEFAULT false,
    returned bigint NOT NULL DEFAULT 0 CHECK (returned BETWEEN 0 AND quantity),
    held_until timestamptz,
    PRIMARY KEY (order_id, attempt, variant_id, warehouse_id),
    CHECK (returned = 0 OR shipped),
    CHECK (held_until IS NULL OR NOT shipped)
);
CREATE INDEX allocation_lapses ON inventory.allocation (variant_id, held_until) WHERE held_until IS NOT NULL;

-- Why every level is what it is. A cause moves a variant in a warehouse once.
CREATE TABLE inventory.movement (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind IN
        ('received', 'adjusted', 'held', 'released', 'lapsed', 'confirmed', 'shipped', 'returned')),
    cause text NOT NULL CHECK (length(cause) BETWEEN 1 AND 400),
    variant_id uuid NOT NULL,
    warehouse_id uuid NOT NULL,
    order_id uuid,
    attempt bigint,
    on_hand bigint NOT NULL,
    held bigint NOT NULL,
    allocated bigint NOT NULL,
    unsellable bigint NOT NULL,
    reason text NOT NULL,
    moved_by text NOT NULL,
    UNIQUE (cause, kind, variant_id, warehouse_id)
);
COMMENT ON TABLE inventory.movement IS 'append-only';
CREATE INDEX movement_of ON inventory.movement (variant_id, id);

-- What catalog calls a variant.
CREATE TABLE inventory.sku (
    variant_id uuid PRIMARY KEY,
    sku text NOT NULL,
    product_id uuid NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX sku_named ON inventory.sku (sku);
