-- What many products show has changed (a category's name or place, a product type); they follow in slices, in the
-- order of their ids.
CREATE TABLE catalog.refresh (
    cause text PRIMARY KEY,
    category_id uuid REFERENCES catalog.category (id),
    product_type text REFERENCES catalog.product_type (code),
    up_to uuid,
    CHECK (num_nonnulls(category_id, product_type) = 1)
);

-- Inventory's count of what it said of a variant: the highest is believed.
ALTER TABLE catalog.stock ADD COLUMN version bigint NOT NULL DEFAULT 0;
