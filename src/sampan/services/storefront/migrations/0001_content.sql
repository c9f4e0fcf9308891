CREATE TABLE storefront.content (
    key text PRIMARY KEY,
    body jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
