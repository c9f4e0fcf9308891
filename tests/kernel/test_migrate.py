"""Migrations, against a database of their own and packages that a test writes."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from tests.conftest import settings_for

from sampan.kernel.migrate import LOCK, MigrationFailed, is_secured, migrate, secure
from sampan.run import declared, migrate_all


class Files:
    """A package of migrations in a folder."""

    def __init__(self, folder: Path, package: str) -> None:
        self.package = package
        self.folder = folder / package / "migrations"
        self.folder.mkdir(parents=True)
        (folder / package / "__init__.py").touch()

    def write(self, name: str, sql: str) -> None:
        (self.folder / name).write_text(sql)


@pytest.fixture
def files(tmp_path, monkeypatch, request):
    monkeypatch.syspath_prepend(str(tmp_path))
    return Files(tmp_path, f"room_{abs(hash(request.node.name))}")


@pytest.fixture
async def connection(place):
    found = await asyncpg.connect(await place.new_database())
    yield found
    await found.close()


# Every right of every role, and the guards of tables.
RIGHTS = """
SELECT c.oid::regclass::text,
       ARRAY(SELECT unnest(c.relacl)::text ORDER BY 1),
       ARRAY(SELECT unnest(n.nspacl)::text ORDER BY 1),
       ARRAY(SELECT tgname || ' ' || tgenabled::text FROM pg_trigger
              WHERE tgrelid = c.oid AND NOT tgisinternal ORDER BY 1),
       ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'sampan_app'::regrole ORDER BY 1)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY($1) ORDER BY 1
"""


async def exists(connection, table) -> bool:
    return await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table)


async def test_each_file_is_applied_once_and_in_the_order_of_names(connection, files):
    files.write("0002_more.sql", "ALTER TABLE boats.boat ADD COLUMN name text")
    files.write("0001_boats.sql", "CREATE TABLE boats.boat (id bigint PRIMARY KEY)")
    assert await migrate(connection, "boats", files.package) > 2  # the kernel's ground came first
    assert await exists(connection, "boats.outbox")
    await connection.execute("INSERT INTO boats.boat (id, name) VALUES (1, 'x')")
    assert await migrate(connection, "boats", files.package) == 0
    files.write("0003_most.sql", "CREATE TABLE boats.oar (id bigint)")
    assert await migrate(connection, "boats", files.package) == 1


async def test_of_a_file_that_fails_nothing_stays_and_it_is_named(connection, files):
    files.write("0001_good.sql", "CREATE TABLE boats.good (id bigint)")
    files.write("0002_bad.sql", "CREATE TABLE boats.half (id bigint); SELECT 1 / 0;")
    with pytest.raises(MigrationFailed, match=r"boats/0002_bad\.sql: division by zero"):
        await migrate(connection, "boats", files.package)
    assert await exists(connection, "boats.good")
    assert not await exists(connection, "boats.half")
    files.write("0002_bad.sql", "CREATE TABLE boats.half (id bigint)")
    assert await migrate(connection, "boats", files.package) == 1


async def test_a_file_that_was_applied_must_not_change(connection, files):
    files.write("0001_boats.sql", "CREATE TABLE boats.boat (id bigint)")
    await migrate(connection, "boats", files.package)
    files.write("0001_boats.sql", "CREATE TABLE boats.boat (id bigint, name text)")
    with pytest.raises(MigrationFailed, match=r"boats/0001_boats\.sql was changed"):
        await migrate(connection, "boats", files.package)


async def test_what_is_no_schema_name_is_refused(connection, files):
    for wrong in ("", "Boats", "boats; DROP SCHEMA auth", "1boats", "b" * 50):
        with pytest.raises(MigrationFailed):
            await migrate(connection, wrong, files.package)


async def test_two_that_migrate_at_once_do_it_once(place, files):
    url = await place.new_database()
    files.write("0001_boats.sql", "CREATE TABLE boats.boat (id bigint); SELECT pg_sleep(0.2)")
    barrier = asyncio.Barrier(2)

    async def go() -> int:
        connection = await asyncpg.connect(url)
        try:
            await barrier.wait()
            return await migrate(connection, "boats", files.package)
        finally:
            await connection.close()

    assert sorted(await asyncio.gather(go(), go()))[0] == 0


async def test_append_only_tables_refuse_to_be_changed_or_emptied_by_anybody(place):
    connection = await asyncpg.connect(await place.new_database())
    tables = await connection.fetch(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p') AND obj_description(c.oid, 'pg_class') = 'append-only'"
    )
    assert tables
    for (table,) in tables:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await connection.execute(f"TRUNCATE {table} CASCADE")
    await connection.close()


async def test_a_database_that_is_up_to_date_needs_nothing(place, tmp_path, monkeypatch):
    monkeypatch.setattr("sampan.run.secure", None)  # is not called
    assert await migrate_all(settings_for(tmp_path), await place.new_database()) == 0


@pytest.mark.parametrize(
    "lost",
    [
        "DROP TRIGGER append_only ON inventory.movement",
        "DROP FUNCTION inventory.refuse_change CASCADE",
        "ALTER TABLE inventory.movement DISABLE TRIGGER append_only_whole",
        "REVOKE USAGE ON SCHEMA orders FROM sampan_orders",
        "REVOKE ALL ON orders.cart FROM sampan_orders",
        "REVOKE DELETE ON orders.cart FROM sampan_orders",
        "REVOKE ALL ON inventory.movement FROM sampan_inventory",
        "REVOKE ALL ON SEQUENCE orders.outbox_position_seq FROM sampan_orders",
        "REVOKE sampan_orders FROM sampan_app",
    ],
)
async def test_what_guards_the_tables_is_made_by_the_next_start_where_one_died_before_it(place, tmp_path, lost):
    """Migrations are committed one by one; a process may die after the last of them."""
    settings, url, names = settings_for(tmp_path), await place.new_database(), list(declared(sandbox=True))
    connection = await asyncpg.connect(url)
    assert await is_secured(connection, names)
    rights = await connection.fetch(RIGHTS, names)
    await connection.execute(lost)
    assert not await is_secured(connection, names)
    assert await migrate_all(settings, url) == 0
    assert await is_secured(connection, names)
    assert await connection.fetch(RIGHTS, names) == rights
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await connection.execute("TRUNCATE inventory.movement CASCADE")
    await connection.close()


async def test_a_schema_whose_first_start_died_after_its_migrations_is_secured_by_the_second(connection, files):
    files.write(
        "0001_boats.sql",
        "CREATE TABLE boats.boat (id bigint); CREATE TABLE boats.log (id bigint); "
        "COMMENT ON TABLE boats.log IS 'append-only'",
    )
    await migrate(connection, "boats", files.package)
    assert not await is_secured(connection, ["boats"])
    try:
        await secure(connection, ["boats"])
        assert await is_secured(connection, ["boats"])
        await connection.execute("SET ROLE sampan_app; INSERT INTO boats.log VALUES (1); DELETE FROM boats.boat")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM boats.log")
    finally:
        await connection.execute("RESET ROLE; DROP OWNED BY sampan_boats; DROP ROLE sampan_boats")


async def test_two_starts_do_not_secure_at_once(place, connection, files):
    files.write("0001_boats.sql", "CREATE TABLE boats.log (id bigint); COMMENT ON TABLE boats.log IS 'append-only'")
    await migrate(connection, "boats", files.package)
    other = await asyncpg.connect(place.url(await connection.fetchval("SELECT current_database()")))
    await other.execute("SELECT pg_advisory_lock($1)", LOCK)  # the one that is at it
    securing = asyncio.create_task(secure(connection, ["boats"]))
    done, _ = await asyncio.wait([securing], timeout=0.3)
    assert not done
    assert not await other.fetchval("SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'boats.log'::regclass)")
    securing.cancel()
    await asyncio.wait([securing])
    await other.close()


async def test_an_index_whose_making_was_broken_off_is_made_anew(connection, files):
    files.write("0001_boats.sql", "CREATE TABLE boats.boat (id bigint)")
    files.write("0002_once_concurrently.sql", "CREATE UNIQUE INDEX CONCURRENTLY boat_id ON boats.boat (id)")
    with pytest.raises(MigrationFailed, match="IF NOT EXISTS"):
        await migrate(connection, "boats", files.package)
    await connection.execute("INSERT INTO boats.boat VALUES (1), (1)")
    files.write(
        "0002_once_concurrently.sql", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS boat_id ON boats.boat (id)"
    )
    with pytest.raises(MigrationFailed, match="could not create unique index"):
        await migrate(connection, "boats", files.package)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'boats.boat_id'::regclass"
    assert await connection.fetchval(valid) is False
    await connection.execute("TRUNCATE boats.boat")
    assert await migrate(connection, "boats", files.package) == 1
    assert await connection.fetchval(valid) is True


SHAPE = """
SELECT table_schema || '.' || table_name || '.' || column_name || ' ' || data_type || ' ' || coalesce(column_default, '')
  FROM information_schema.columns WHERE table_schema = ANY($1) ORDER BY 1
"""


async def test_what_failed_half_way_through_the_services_is_resumed_and_ends_as_if_it_had_not(place, tmp_path):
    settings = settings_for(tmp_path)
    names = list(declared(sandbox=True))
    whole = await asyncpg.connect(await place.new_database())
    url = await place.new_database()
    half = await asyncpg.connect(url)
    await half.execute("; ".join(f"DROP SCHEMA {name} CASCADE" for name in names))
    assert await migrate_all(settings, url, ["auth"]) > 0  # one service alone, as in a fleet
    await half.execute("CREATE SCHEMA orders; CREATE TABLE orders.cart (id bigint)")
    with pytest.raises(MigrationFailed, match=r"orders/0001_carts\.sql"):
        await migrate_all(settings, url)
    assert await exists(half, "payments.intent")  # orders needs payments, so it came first
    assert await exists(half, "orders.outbox")
    assert not await exists(half, "orders.cart_line")
    await half.execute("DROP TABLE orders.cart")
    assert await migrate_all(settings, url) > 0
    assert await half.fetch(SHAPE, names) == await whole.fetch(SHAPE, names)
    assert await migrate_all(settings, url) == 0
    await whole.close()
    await half.close()
