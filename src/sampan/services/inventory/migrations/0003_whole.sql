-- What a statement does is done whole or not at all: with less than it wanted it fails, and nothing of it stays.
CREATE FUNCTION inventory.whole(wanted bigint, done bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF wanted <> done THEN
        RAISE EXCEPTION 'overtaken: % of % levels could follow', done, wanted USING ERRCODE = 'SA001';
    END IF;
    RETURN true;
END
$$;
