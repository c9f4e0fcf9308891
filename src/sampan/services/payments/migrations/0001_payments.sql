-- One order's payment: what is asked, each attempt to pay it, each refund, and the facts they follow from.
-- Amounts are minor units of the row's currency.

CREATE TABLE payments.intent (
    order_id uuid PRIMARY KEY,
    order_number text NOT NULL CHECK (length(order_number) <= 32),
    -- Empty until the order asks to be paid: an order can be given up before.
    amount bigint CHECK (amount >= 0),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL CHECK (status IN (
        'pending', 'authorized', 'paid', 'partially_refunded', 'refunded', 'failed', 'cancelled', 'cod_due',
        'cod_collected', 'review')),
    given_up text CHECK (length(given_up) <= 500),
    authorised bigint NOT NULL DEFAULT 0,
    captured bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0, -- granted
    returned bigint NOT NULL DEFAULT 0, -- back with the customer
    version bigint NOT NULL DEFAULT 0,
    -- As others see it: the last attempt, and the way the order is paid.
    attempt_id uuid,
    method text,
    failure text,
    made_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT intent_money CHECK ((amount IS NULL) = (currency IS NULL)),
    CONSTRAINT intent_bounds CHECK (
        0 <= returned AND returned <= refunded AND refunded <= captured AND captured <= authorised),
    CONSTRAINT intent_view CHECK ((attempt_id IS NULL) = (method IS NULL))
);
CREATE INDEX intent_newest ON payments.intent (made_at, order_id);

CREATE TABLE payments.attempt (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES payments.intent,
    number bigint NOT NULL CHECK (number >= 1),
    reference text NOT NULL CONSTRAINT attempt_reference_once UNIQUE
        CHECK (reference ~ '^[A-Za-z0-9]([A-Za-z0-9_-]{0,31}[A-Za-z0-9])?$'),
    method text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL CHECK (status IN (
        'created', 'open', 'unknown', 'authorized', 'paid', 'voided', 'failed', 'review')),
    owed bigint NOT NULL DEFAULT 0 CHECK (owed IN (0, amount)),
    captured bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0,
    returned bigint NOT NULL DEFAULT 0,
    surplus text CHECK (surplus IN ('late', 'twice', 'stray')),
    failure text,
    provider_txn_id text,
    action jsonb,
    return_path text NOT NULL CHECK (return_path LIKE '/%' AND return_path NOT LIKE '//%'),
    language text NOT NULL CHECK (language IN ('vi', 'en')),
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ask_at timestamptz, -- when the poller asks the provider next
    asks bigint NOT NULL DEFAULT 0,
    asked_at timestamptz,

    UNIQUE (order_id, number),
    CONSTRAINT attempt_bounds CHECK (
        0 <= returned AND returned <= refunded AND refunded <= captured),
    CONSTRAINT attempt_paid CHECK (captured = 0 OR status = 'paid'),
    CONSTRAINT attempt_time CHECK (made_at < expires_at)
);
CREATE INDEX attempt_to_ask ON payments.attempt (ask_at) WHERE ask_at IS NOT NULL;

CREATE TABLE payments.refund (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES payments.intent,
    attempt_id uuid NOT NULL REFERENCES payments.attempt,
    number bigint NOT NULL CHECK (number >= 1),
    reference text NOT NULL CONSTRAINT refund_reference_once UNIQUE,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL CHECK (status IN ('requested', 'sent', 'settled', 'failed')),
    reason text NOT NULL CHECK (length(reason) <= 500),
    by_hand boolean NOT NULL, -- a person pays it out
    failure text,
    provider_txn_id text,
    made_at timestamptz NOT NULL DEFAULT now(),
    ask_at timestamptz CHECK (ask_at IS NULL OR NOT by_hand), -- when the provider is called or asked next
    asks bigint NOT NULL DEFAULT 0,
    called boolean NOT NULL DEFAULT false, -- the provider may have it

    UNIQUE (order_id, key),
    UNIQUE (order_id, number)
);
CREATE INDEX refund_of_attempt ON payments.refund (attempt_id, number);
CREATE INDEX refund_open ON payments.refund (made_at, id) WHERE status IN ('requested', 'sent');

-- What we were told, once each, in the order we heard it. Facts wait here until they are taken to the order's case.
CREATE TABLE payments.fact (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    source text NOT NULL,
    event_id text NOT NULL CHECK (length(event_id) <= 400),
    order_id uuid,
    attempt_id uuid,
    refund_id uuid,
    kind text NOT NULL CHECK (kind IN (
        'opened', 'told', 'expired', 'given_up', 'delivered', 'returned', 'partly_delivered', 'refund_told',
        'accepted', 'sent_back', 'dismissed')),
    verdict text CHECK (verdict IN ('paid', 'pending', 'failed', 'review', 'reversed', 'refunded')),
    reason text,
    amount bigint,
    currency text,
    provider_txn_id text,
    raw text NOT NULL CHECK (length(raw) <= 8192),
    told_by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    applied_at timestamptz,
    held text, -- why a person must look at it
    resolved_at timestamptz,
    resolved_by text,

    CONSTRAINT fact_once UNIQUE (source, event_id),
    CONSTRAINT fact_verdict CHECK ((verdict IS NOT NULL) = (kind IN ('told', 'refund_told'))),
    CONSTRAINT fact_homeless CHECK (order_id IS NOT NULL OR (held IS NOT NULL AND applied_at IS NOT NULL)),
    CONSTRAINT fact_money CHECK ((amount IS NULL) = (currency IS NULL))
);
CREATE INDEX fact_waiting ON payments.fact (order_id, seq) WHERE applied_at IS NULL;
CREATE INDEX fact_held ON payments.fact (at, id) WHERE held IS NOT NULL AND resolved_at IS NULL;
CREATE INDEX fact_of_order ON payments.fact (order_id, seq);

-- Cash on delivery: where the parcels of an order are.
CREATE TABLE payments.parcel (
    work_order_id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES payments.intent,
    status text NOT NULL,
    of bigint NOT NULL CHECK (of >= 1),
    version bigint NOT NULL
);
CREATE INDEX parcel_of_order ON payments.parcel (order_id);
