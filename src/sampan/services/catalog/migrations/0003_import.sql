-- Tables of products that staff send in. A row of `import` is the progress of one: its products are worked off in the
-- order of their places, and `up_to` moves in the transaction that writes them, so that each takes effect once.
CREATE TABLE catalog.import (
    id uuid PRIMARY KEY,
    dry_run boolean NOT NULL,
    columns text [] NOT NULL,
    rows bigint NOT NULL,
    products bigint NOT NULL,
    up_to bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    actor text NOT NULL,
    request_id text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CHECK (up_to <= products AND up_to = created + changed + unchanged + refused),
    CHECK ((finished_at IS NULL) = (up_to < products))
);
CREATE INDEX import_open ON catalog.import (id) WHERE finished_at IS NULL;

-- `rows` are the cells as they were sent, until the product is done.
CREATE TABLE catalog.import_product (
    import_id uuid NOT NULL REFERENCES catalog.import (id) ON DELETE CASCADE,
    place bigint NOT NULL,
    handle text NOT NULL,
    row bigint NOT NULL,
    rows jsonb NOT NULL,
    outcome text CHECK (outcome IN ('created', 'changed', 'unchanged', 'refused')),
    product_id uuid,
    changes jsonb NOT NULL DEFAULT '[]',
    errors jsonb NOT NULL,
    PRIMARY KEY (import_id, place)
);
CREATE INDEX import_product_outcome ON catalog.import_product (import_id, outcome, place);
