-- What is known of a refund's way to its provider. An answer that took note of it ends all sending; without one it may
-- be sent again only as long as the provider knows its reference again.
ALTER TABLE payments.refund
    ADD COLUMN called_at timestamptz, -- first
    ADD COLUMN asked_at timestamptz, -- last, to send it or to ask about it
    ADD COLUMN noted boolean NOT NULL DEFAULT false, -- the provider has taken note of it
    ADD COLUMN denials bigint NOT NULL DEFAULT 0; -- how often it said that it has no such refund
