-- A feed's clock never runs backwards, also when the database moves to another cluster, whose transaction ids may be
-- behind those in the feed. What a row keeps is `feed_xid` of its transaction; kernel/feed.py winds it forward when a
-- move is noticed. Until then it is the id itself, and the planner takes the function out.
CREATE FUNCTION {schema}.feed_xid(id xid8) RETURNS xid8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT id';
ALTER TABLE {schema}.outbox ALTER COLUMN xid SET DEFAULT {schema}.feed_xid(pg_current_xact_id());
