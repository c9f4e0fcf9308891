-- Sales that the documents have not been told of yet: they are counted into the index together, every few minutes.
ALTER TABLE search.variant ADD COLUMN fresh boolean NOT NULL DEFAULT false;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX variant_fresh ON search.variant (variant_id) WHERE fresh;
