-- Texts in several languages are jsonb objects {"vi": "…", "en": "…"}.

-- Every change of a document takes the next number; `search.document` says how writers keep the numbers in order.
CREATE SEQUENCE search.change AS bigint;

-- A published product as catalog tells it, and what of it a list is narrowed by: direct categories, lowest price in
-- minor units by market, facet values by code. A withdrawn product stays as a mark that holds its version. `change` is
-- taken under the advisory lock of the writers, which is held until the commit: numbers are seen in their order.
CREATE TABLE search.document (
    product_id uuid PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0),
    change bigint NOT NULL DEFAULT nextval('search.change') UNIQUE,
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted boolean NOT NULL,
    body jsonb,
    categories uuid [] NOT NULL,
    prices jsonb NOT NULL CHECK (jsonb_typeof(prices) = 'object'),
    facets jsonb NOT NULL CHECK (jsonb_typeof(facets) = 'object'),
    in_stock boolean NOT NULL,
    created_at timestamptz,
    -- What is found: not withdrawn, and for sale somewhere.
    listed boolean NOT NULL GENERATED ALWAYS AS (NOT deleted AND prices <> '{}'::jsonb) STORED,
    CHECK (deleted OR (body IS NOT NULL AND created_at IS NOT NULL))
);
CREATE INDEX document_newest ON search.document (created_at DESC, product_id DESC) WHERE listed;
CREATE INDEX document_categories ON search.document USING gin (categories) WHERE listed;

-- A variant may be sold before its product is known here, and stays sold when the product drops it.
CREATE TABLE search.variant (
    variant_id uuid PRIMARY KEY,
    product_id uuid,
    sold bigint NOT NULL DEFAULT 0 CHECK (sold >= 0)
);
CREATE INDEX variant_product ON search.variant (product_id);

-- What facets (an empty `value`) and their values are called.
CREATE TABLE search.label (
    code text NOT NULL,
    value text NOT NULL,
    texts jsonb NOT NULL,
    swatch text,
    PRIMARY KEY (code, value)
);

CREATE TABLE search.category (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name jsonb NOT NULL,
    parent_id uuid
);

-- How often catalog said that the tree changed, and up to which of these times we have read it.
CREATE TABLE search.tree (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    told bigint NOT NULL DEFAULT 1,
    learned bigint NOT NULL DEFAULT 0
);
INSERT INTO search.tree DEFAULT VALUES;

-- What the index holds: the build it is, and the last change in it.
CREATE TABLE search.indexed (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    build uuid NOT NULL,
    change bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
