-- Kept answers are sealed, whole, in one value that only the shop's secret opens. What lies there in plain text goes:
-- its keys answer from now on that their work was done. The column of headers is no longer written; it is dropped with
-- the next release, when no process of this one runs any more.

UPDATE {schema}.idempotency_key SET body = NULL, headers = NULL WHERE body IS NOT NULL;
