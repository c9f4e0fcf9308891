CREATE TABLE auth.api_key (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    permissions text[] NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL,
    expires_at timestamptz,
    withdrawn_at timestamptz,
    withdrawn_by text
);
