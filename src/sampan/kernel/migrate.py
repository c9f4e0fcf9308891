"""Migrations: plain SQL files per schema, forward only, each in its own transaction under one lock.

The kernel's ground comes first in every schema, then the service's own files in the order of their names. A file that
was applied must not change. A name `…_concurrently.sql` runs outside a transaction: one statement that may run again
(IF NOT EXISTS), for it may be broken off half way.
"""

import hashlib
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from importlib.resources.abc import Traversable

import asyncpg

from sampan.kernel.errors import ShopError

log = logging.getLogger(__name__)

LOCK = 0x53414D50  # "SAMP": one migrator at a time in a database
LEDGER = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.migration (
    name text PRIMARY KEY, digest text NOT NULL, at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationFailed(ShopError, code="kernel.migration_failed", status=500):
    """A migration did not run, or a file that was applied has changed; the text names it."""


def files_of(package: str) -> list[Traversable]:
    """The `.sql` files in `<package>/migrations`, in order."""
    folder = resources.files(package) / "migrations"
    if not folder.is_dir():
        return []
    return sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)


def named_files(package: str) -> dict[str, Traversable]:
    """All migrations of a service's schema in their order, by the names under which they are noted when applied."""
    ground = {f"kernel/{file.name}": file for file in files_of("sampan.kernel")}
    return ground | {file.name: file for file in files_of(package)}


@asynccontextmanager
async def alone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """For what is not safe to be done twice at once: whoever else migrates this database waits."""
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def migrate(connection: asyncpg.Connection, schema: str, package: str) -> int:
    """Bring one schema up to date; how many files were applied.

    Raises:
        MigrationFailed: a file failed (nothing of it stays) or was changed after it had been applied.
    """
    if not re.fullmatch(r"[a-z][a-z_]{0,40}", schema):
        raise MigrationFailed(f"{schema} is not a schema name")
    applied = 0
    async with alone(connection):
        await connection.execute(LEDGER.format(schema=schema))
        done = dict(await connection.fetch(f"SELECT name, digest FROM {schema}.migration"))
        for name, file in named_files(package).items():
            sql = file.read_text("utf-8").replace("{schema}", schema)
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if name in done:
                if done[name] != digest:
                    raise MigrationFailed(f"{schema}/{name} was changed after it had been applied")
                continue
            await apply(connection, schema, name, sql, digest)
            applied += 1
    return applied


# What a CREATE INDEX CONCURRENTLY that was broken off leaves: an index of that name that is never used.
BROKEN_INDEXES = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND NOT i.indisvalid
"""


async def apply(connection: asyncpg.Connection, schema: str, name: str, sql: str, digest: str) -> None:
    record = f"INSERT INTO {schema}.migration (name, digest) VALUES ($1, $2)"
    try:
        if name.endswith("_concurrently.sql"):
            if " IF " not in sql.upper():
                raise MigrationFailed(f"{schema}/{name}: this may run twice, so it needs IF NOT EXISTS")
            for (broken,) in await connection.fetch(BROKEN_INDEXES, schema):
                await connection.execute(f'DROP INDEX {schema}."{broken}"')
            await connection.execute(sql)
            await connection.execute(record, name, digest)
            return
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '1s'")
            await connection.execute(sql)
            await connection.execute(record, name, digest)
    except asyncpg.PostgresError as failure:
        raise MigrationFailed(f"{schema}/{name}: {failure}") from failure


# A table whose comment is 'append-only' cannot be changed or emptied, whoever connects.
APPEND_ONLY = """
SELECT c.oid, n.nspname, c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p') AND obj_description(c.oid, 'pg_class') = 'append-only'
"""
REFUSE = """
CREATE OR REPLACE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON {schema}.{table}
    FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_change();
CREATE OR REPLACE TRIGGER append_only_whole BEFORE TRUNCATE ON {schema}.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()
"""


async def secure(connection: asyncpg.Connection, schemas: list[str]) -> None:
    """Guard the append-only tables, and give each service a role that reaches only its own schema.

    Roles are made where we may make them (the embedded PostgreSQL, or an administrator's URL); elsewhere the operator
    gives each service its own URL. What is broken off is found by `is_secured`.
    """
    async with alone(connection):
        kept = await connection.fetch(APPEND_ONLY, schemas)
        for _, schema, table in kept:
            await connection.execute(REFUSE.format(schema=schema, table=table))
        if not await connection.fetchval(MAY_MAKE_ROLES):
            return
        known = {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        if "sampan_app" not in known:
            await connection.execute("CREATE ROLE sampan_app LOGIN")
        for schema in schemas:
            role = f"sampan_{schema}"
            if role not in known:
                await connection.execute(f"CREATE ROLE {role} LOGIN")
            if not await connection.fetchval("SELECT pg_has_role('sampan_app', $1, 'MEMBER')", role):
                await connection.execute(f"GRANT {role} TO sampan_app")
            await connection.execute(
                f"GRANT USAGE ON SCHEMA {schema} TO {role};"
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};"
                f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
                f"REVOKE ALL ON {schema}.migration FROM {role};"
                + "".join(
                    f"REVOKE UPDATE, DELETE, TRUNCATE ON {schema}.{table} FROM {role};"
                    for _, owner, table in kept
                    if owner == schema
                )
            )


# An append-only table that lacks a trigger, or has one that was put out of action.
UNGUARDED = f"""
SELECT EXISTS (
    SELECT FROM ({APPEND_ONLY}) AS kept
     WHERE (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = kept.oid AND t.tgenabled <> 'D'
               AND t.tgname IN ('append_only', 'append_only_whole')) < 2)
"""
# A service whose role lacks something. (A role that is not there has no id, and nothing can be said of its rights.)
LACKING = """
SELECT EXISTS (
    SELECT FROM pg_namespace n
      LEFT JOIN pg_roles role ON role.rolname = 'sampan_' || n.nspname
      LEFT JOIN pg_roles app ON app.rolname = 'sampan_app'
     WHERE n.nspname = ANY($1) AND (
           pg_has_role(app.oid, role.oid, 'MEMBER') IS NOT TRUE
        OR NOT has_schema_privilege(role.oid, n.oid, 'USAGE')
        OR EXISTS (
           SELECT FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted (act)
            WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname <> 'migration'
              AND NOT has_table_privilege(role.oid, c.oid, wanted.act)
              AND NOT (wanted.act IN ('UPDATE', 'DELETE')
                       AND obj_description(c.oid, 'pg_class') IS NOT DISTINCT FROM 'append-only'))
        OR EXISTS (
           SELECT FROM pg_class c
            WHERE c.relnamespace = n.oid
              AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(role.oid, c.oid, 'USAGE') END)))
"""
MAY_MAKE_ROLES = "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"


async def is_secured(connection: asyncpg.Connection, schemas: list[str]) -> bool:
    """True when all is there that `secure` makes; who migrated may have died before."""
    if await connection.fetchval(UNGUARDED, schemas):
        return False
    return not (await connection.fetchval(MAY_MAKE_ROLES) and await connection.fetchval(LACKING, schemas))
