-- Texts in several languages are jsonb objects {"vi": "…", "en": "…"}; `vi` is always there.

CREATE TABLE catalog.product_type (
    code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]{0,39}$'),
    name jsonb NOT NULL CHECK (name ? 'vi'),
    attributes jsonb NOT NULL CHECK (jsonb_typeof(attributes) = 'array')
);

CREATE TABLE catalog.brand (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL
);

CREATE TABLE catalog.category (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name jsonb NOT NULL CHECK (name ? 'vi'),
    description jsonb NOT NULL,
    parent_id uuid REFERENCES catalog.category (id),
    position bigint NOT NULL,
    media jsonb
);
CREATE INDEX category_parent ON catalog.category (parent_id);

-- `document` is the product as readers get it, without what follows from the events of others (offers, stock).
CREATE TABLE catalog.product (
    id uuid PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0),
    status text NOT NULL CHECK (status IN ('draft', 'published', 'archived')),
    slug text NOT NULL,
    product_type text NOT NULL REFERENCES catalog.product_type (code),
    brand_id uuid REFERENCES catalog.brand (id),
    tax_class text NOT NULL,
    channels text [] NOT NULL,
    draft jsonb NOT NULL,
    document jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX product_newest ON catalog.product (id DESC) WHERE status = 'published';
CREATE INDEX product_type_of ON catalog.product (product_type);

-- Every slug a product ever had; all but the present ones redirect.
CREATE TABLE catalog.slug (
    slug text PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES catalog.product (id) ON DELETE CASCADE,
    made_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX slug_product ON catalog.slug (product_id);

CREATE TABLE catalog.product_category (
    product_id uuid NOT NULL REFERENCES catalog.product (id) ON DELETE CASCADE,
    category_id uuid NOT NULL REFERENCES catalog.category (id),
    PRIMARY KEY (product_id, category_id)
);
CREATE INDEX product_category_category ON catalog.product_category (category_id, product_id DESC);

-- Keyed by its id for ever; a SKU may be renamed.
CREATE TABLE catalog.variant (
    id uuid PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES catalog.product (id) ON DELETE CASCADE,
    sku text NOT NULL UNIQUE,
    position bigint NOT NULL,
    active boolean NOT NULL DEFAULT true,
    snapshot jsonb NOT NULL
);
CREATE INDEX variant_product ON catalog.variant (product_id, position);

-- Read models of pricing's and inventory's events.
CREATE TABLE catalog.offer (
    variant_id uuid NOT NULL,
    market text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    compare_at bigint,
    PRIMARY KEY (variant_id, market)
);
CREATE TABLE catalog.stock (
    variant_id uuid PRIMARY KEY,
    available bigint NOT NULL CHECK (available >= 0)
);
