-- Amounts are minor units of the market's currency; a zone, its rates and its bands have no other.

CREATE TABLE shipping.market (
    code text PRIMARY KEY CHECK (code ~ '^[A-Z]{2,8}$'),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$')
);

CREATE TABLE shipping.zone (
    code text PRIMARY KEY CHECK (code ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(code) <= 40),
    market text NOT NULL REFERENCES shipping.market (code),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    priority bigint NOT NULL CHECK (priority >= 0),
    surcharge bigint NOT NULL CHECK (surcharge >= 0),
    active boolean NOT NULL,
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- A ward (5 digits), a province (2 digits), or the whole market (empty): the longer the code, the more precise.
CREATE TABLE shipping.area (
    zone text NOT NULL REFERENCES shipping.zone (code) ON DELETE CASCADE,
    code text NOT NULL CHECK (code ~ '^([0-9]{2}|[0-9]{5})?$'),
    province_code text NOT NULL CHECK (province_code ~ '^([0-9]{2})?$'),
    PRIMARY KEY (zone, code)
);
CREATE INDEX area_code ON shipping.area (code);

CREATE TABLE shipping.service (
    code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9]{0,19}$'),
    carrier text NOT NULL CHECK (carrier ~ '^[a-z][a-z0-9_]{0,39}$'),
    name jsonb NOT NULL CHECK (name ? 'vi'),
    weekdays bigint [] NOT NULL CHECK (cardinality(weekdays) > 0 AND weekdays <@ '{1,2,3,4,5,6,7}'),
    active boolean NOT NULL
);

CREATE TABLE shipping.rate (
    zone text NOT NULL REFERENCES shipping.zone (code) ON DELETE CASCADE,
    service text NOT NULL REFERENCES shipping.service (code),
    cod_fee bigint NOT NULL CHECK (cod_fee >= 0),
    cod_limit bigint CHECK (cod_limit >= 0),
    first_days bigint NOT NULL CHECK (first_days >= 0),
    last_days bigint NOT NULL CHECK (last_days BETWEEN first_days AND 90),
    cutoff time NOT NULL,
    active boolean NOT NULL,
    PRIMARY KEY (zone, service)
);

CREATE TABLE shipping.band (
    zone text NOT NULL,
    service text NOT NULL,
    from_value bigint NOT NULL CHECK (from_value >= 0),
    up_to_grams bigint NOT NULL CHECK (up_to_grams > 0),
    price bigint NOT NULL CHECK (price >= 0),
    PRIMARY KEY (zone, service, from_value, up_to_grams),
    FOREIGN KEY (zone, service) REFERENCES shipping.rate (zone, service) ON DELETE CASCADE
);

CREATE TABLE shipping.holiday (
    day date PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    source text NOT NULL CHECK (length(source) BETWEEN 1 AND 500)
);

-- How and to whom an order travels. Name, telephone and address of a person stand here and nowhere else.
CREATE TABLE shipping.booking (
    order_id uuid PRIMARY KEY,
    option_id text NOT NULL,
    carrier text NOT NULL,
    service text NOT NULL,
    delivery jsonb NOT NULL,
    grams bigint NOT NULL CHECK (grams >= 0),
    value bigint NOT NULL CHECK (value >= 0),
    currency text NOT NULL,
    cod_amount bigint CHECK (cod_amount > 0),
    booked_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shipping.shipment (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES shipping.booking (order_id),
    work_order_id uuid NOT NULL UNIQUE,
    carrier text NOT NULL,
    service text NOT NULL,
    tracking_number text NOT NULL UNIQUE,
    status text NOT NULL CHECK (status IN (
        'created', 'awaiting_pickup', 'pickup_failed', 'picked_up', 'in_transit', 'out_for_delivery',
        'delivery_failed', 'delivered', 'partially_delivered', 'returning', 'return_failed', 'returned', 'cancelled',
        'lost', 'damaged', 'exception')),
    status_at timestamptz NOT NULL,
    cod_amount bigint CHECK (cod_amount > 0),
    currency text NOT NULL,
    reference text NOT NULL,
    grams bigint CHECK (grams > 0),
    made_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX shipment_order ON shipping.shipment (order_id, made_at);
-- The cash of an order is collected once.
CREATE UNIQUE INDEX shipment_cash ON shipping.shipment (order_id) WHERE cod_amount IS NOT NULL;

CREATE TABLE shipping.tracking_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shipment_id uuid NOT NULL REFERENCES shipping.shipment (id),
    at timestamptz NOT NULL,
    status text NOT NULL,
    text text NOT NULL CHECK (length(text) <= 500),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (shipment_id, status, at)
);
COMMENT ON TABLE shipping.tracking_event IS 'append-only';
