-- The stand-in's own book. It knows nothing of the shop but what came over the wire.

CREATE TABLE vnpay_sandbox.payment (
    id uuid PRIMARY KEY,
    tmn_code text NOT NULL,
    txn_ref text NOT NULL,
    order_name text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    order_info text NOT NULL,
    locale text NOT NULL,
    return_url text NOT NULL,
    create_date timestamptz NOT NULL,
    expire_date timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('01', '00', '02', '07')),
    response_code text,
    paid_amount bigint CHECK (paid_amount > 0),
    transaction_no bigint GENERATED ALWAYS AS IDENTITY (START 14600001),
    pay_date timestamptz,
    dropped boolean NOT NULL DEFAULT false,
    UNIQUE (tmn_code, txn_ref),
    CHECK ((status = '01') = (response_code IS NULL))
);

CREATE TABLE vnpay_sandbox.refund (
    request_id text PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES vnpay_sandbox.payment,
    amount bigint NOT NULL CHECK (amount > 0),
    kind text NOT NULL CHECK (kind IN ('02', '03')),
    transaction_no bigint GENERATED ALWAYS AS IDENTITY (START 24600001),
    refused boolean NOT NULL,
    settle_at timestamptz NOT NULL
);
CREATE INDEX refund_of_payment ON vnpay_sandbox.refund (payment_id, transaction_no);

-- A request id is used once a day.
CREATE TABLE vnpay_sandbox.api_request (
    tmn_code text NOT NULL,
    request_id text NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (tmn_code, request_id, day)
);

CREATE TABLE vnpay_sandbox.notice (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES vnpay_sandbox.payment,
    query text NOT NULL,
    due_at timestamptz NOT NULL,
    waits boolean NOT NULL, -- for a notice about a later attempt
    tries bigint NOT NULL DEFAULT 0,
    answered text,
    done_at timestamptz
);
CREATE INDEX notice_due ON vnpay_sandbox.notice (due_at) WHERE done_at IS NULL;

CREATE TABLE vnpay_sandbox.fault (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    txn_ref text,
    times bigint CHECK (times >= 0),
    body jsonb NOT NULL
);
