-- The addresses that the products of a dry run would have got so far: what later rows of its file find taken.
CREATE TABLE catalog.import_slug (
    import_id uuid NOT NULL REFERENCES catalog.import (id) ON DELETE CASCADE,
    slug text NOT NULL,
    product_id uuid NOT NULL,
    PRIMARY KEY (import_id, slug)
);

-- Whether an import has come by a product already.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX import_product_met ON catalog.import_product (import_id, product_id) WHERE product_id IS NOT NULL;
