-- What the last look at this service found broken (kernel/watch.py); empty when all is well.
CREATE TABLE {schema}.violation (
    sentence text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now()
);
