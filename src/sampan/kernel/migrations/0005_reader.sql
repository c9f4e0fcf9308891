-- The lasting readers of this service's feed, and how far each said last that it has come: what lies beyond is kept for
-- it (kernel/feed.py). `day` is the number of the day on which it was last heard, of the days on which any reader was.
CREATE TABLE {schema}.reader (
    name text PRIMARY KEY,
    xid xid8 NOT NULL,
    position bigint NOT NULL,
    day bigint NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);
