-- What every service's schema has: its feed of events, its places in the feeds of others, its jobs, its keys.
-- {schema} is replaced by the service's name.

CREATE TABLE {schema}.outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id uuid NOT NULL,
    name text NOT NULL,
    body jsonb NOT NULL,
    request_id text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_feed ON {schema}.outbox (xid, position);

CREATE TABLE {schema}.consumer (
    source text PRIMARY KEY,
    xid bigint NOT NULL DEFAULT 0,
    position bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE {schema}.parked_event (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    name text NOT NULL,
    body jsonb NOT NULL,
    request_id text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    tries bigint NOT NULL,
    error text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE {schema}.job (
    name text PRIMARY KEY,
    due_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    done_at timestamptz,
    error text
);

CREATE TABLE {schema}.idempotency_key (
    scope text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status bigint,
    body bytea,
    headers jsonb,
    lease_until timestamptz NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_key_age ON {schema}.idempotency_key (made_at);
