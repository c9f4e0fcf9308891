-- Which version of the order decided how it travels; an earlier decision that arrives later changes nothing.
ALTER TABLE shipping.booking ADD COLUMN version bigint NOT NULL DEFAULT 0;
