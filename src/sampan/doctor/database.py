"""The database: can it be reached, does it fit this version, and what lies undone in it."""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import asyncpg

from sampan.doctor.finding import Finding, bad, ok, warning
from sampan.home import urls_for
from sampan.kernel.errors import ShopError
from sampan.kernel.feed import is_behind
from sampan.kernel.migrate import named_files
from sampan.kernel.postgres import EmbeddedPostgres
from sampan.kernel.service import Service
from sampan.kernel.settings import Settings
from sampan.kernel.watch import LOOK
from sampan.run import compose, declared, package_of

SKEW = 5.0  # seconds between our clock and the database's
UNREAD = 5 * 60  # seconds
OVERDUE = 10 * 60
PATIENCE = 3.0  # seconds for the invariants; a large shop asks `sampan invariants` instead

UNREAD_SINCE = """
SELECT extract(epoch FROM now() - min(at))::float8 FROM {source}.outbox
 WHERE (xid, position) > ($1::text::xid8, $2::bigint) AND name = ANY($3)
   AND xid < {source}.feed_xid(pg_snapshot_xmin(pg_current_snapshot()))
"""
JOBS = """
SELECT name, error, extract(epoch FROM now() - due_at)::float8 AS overdue FROM {schema}.job
 WHERE name = ANY($1::text[]) AND (error IS NOT NULL OR (due_at < now() - make_interval(secs => $2)
   AND (lease_until IS NULL OR lease_until < now())))
"""


async def findings(settings: Settings, *, running: bool) -> list[Finding]:
    everything = declared(sandbox=not settings.production)
    services = {name: each for name, each in everything.items() if not settings.has_own_database(name)}
    if not settings.core.database_url and not EmbeddedPostgres(settings.home / "postgres").answers():
        return []
    urls = urls_for(settings, list(everything), apart=False)
    mend = "check SAMPAN_DATABASE_URL: host, port, user, password and database, and that PostgreSQL runs"
    try:
        connection = await asyncpg.connect(urls.admin, timeout=3, command_timeout=4)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as failure:
        return [bad(f"the database does not answer: {failure or 'no answer in time'}", mend)]
    try:
        found = await server(connection)
        schema = [each async for each in migrations(connection, services)]
        found += schema
        if any(each.level == "bad" for each in found):
            return found
        if not schema:
            found += await undone(connection, services, running=running)
    except (OSError, TimeoutError, asyncpg.PostgresError) as failure:
        return [bad(f"the database does not answer: {failure or 'no answer in time'}", mend)]
    finally:
        connection.terminate()
    if not schema:
        found += await invariants(settings, urls.services)
    return found


async def server(connection: asyncpg.Connection) -> list[Finding]:
    """Its version and its clock."""
    version = connection.get_server_version()
    text = f"PostgreSQL {await connection.fetchval('SHOW server_version')}"
    if version.major < 15:
        return [bad(f"{text} is too old", "PostgreSQL 15 or later is needed")]
    before = time.time()
    theirs = float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    return [ok(text), *clocks(before, theirs, time.time())]


def clocks(before: float, theirs: float, after: float) -> Iterator[Finding]:
    """Seconds since 1970 here, there, and here again."""
    apart = max(before - theirs, theirs - after, 0.0)
    if apart > SKEW:
        yield warning(
            f"the clocks of this machine and of the database are {apart:.0f} seconds apart",
            "let both follow a time server: timedatectl set-ntp true",
        )


async def migrations(connection: asyncpg.Connection, services: dict[str, Service[Any]]) -> Any:
    """Nothing when each schema has exactly what this version knows."""
    for name, service in services.items():
        if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{name}.migration"):
            yield warning(f"{name} has no tables yet", "run: sampan migrate (the next start does it too)")
            continue
        applied = dict(await connection.fetch(f"SELECT name, digest FROM {name}.migration"))
        known = {
            file: hashlib.sha256(text.read_text("utf-8").replace("{schema}", name).encode()).hexdigest()
            for file, text in named_files(package_of(service)).items()
        }
        if unknown := sorted(applied.keys() - known.keys()):
            yield bad(
                f"the database is newer than this Sampan: {name}/{unknown[0]} is not known here",
                "run the version that was here last, or restore the backup made before it",
            )
        if changed := sorted(file for file in applied.keys() & known.keys() if applied[file] != known[file]):
            yield bad(
                f"{name}/{changed[0]} was changed after it had been applied", "bring back the file of the release"
            )
        if missing := sorted(known.keys() - applied.keys()):
            yield warning(
                f"{name} waits for {len(missing)} migrations", "run: sampan migrate (the next start does it too)"
            )


async def undone(connection: asyncpg.Connection, services: dict[str, Service[Any]], *, running: bool) -> list[Finding]:
    """Feeds, consumers and jobs."""
    found: list[Finding] = []
    for name, service in services.items():
        if await is_behind(connection, name):
            found.append(
                bad(f"the events of {name} are of another cluster: the database was moved", "stop and start the shop")
            )
        if parked := await connection.fetchval(f"SELECT count(*) FROM {name}.parked_event"):
            found.append(bad(f"{name}: {parked} parked events", "see why in the log, then: sampan events redrive"))
        sources = {event.source() for event in service.handlers} & services.keys()
        rows = await connection.fetch(
            f"SELECT source, xid, position FROM {name}.consumer WHERE source = ANY($1)", sources
        )
        for source, xid, position in rows:
            names = [event.name for event in service.handlers if event.source() == source]
            unread = await connection.fetchval(UNREAD_SINCE.format(source=source), str(xid), position, names)
            if unread is not None and unread > UNREAD:
                found.append(waiting(f"{name} has not read events of {source} for {unread / 60:.0f} minutes", running))
        jobs = [*(job.do for job in service.jobs), LOOK.do]
        for row in await connection.fetch(JOBS.format(schema=name), jobs, float(OVERDUE)):
            if row["error"] is not None:
                found.append(bad(f"{name}: the job {row['name']} failed: {row['error']}", "see the log"))
            else:
                found.append(
                    waiting(f"{name}: the job {row['name']} is {row['overdue'] / 60:.0f} minutes late", running)
                )
    return found or [ok(f"{len(services)} services have their tables; nothing is parked, no job failed")]


def waiting(text: str, running: bool) -> Finding:
    if running:
        return bad(text, "the background process is stuck or missing: see the log, then stop and start the shop")
    return warning(text, "it waits for the shop to run: sampan run")


async def invariants(settings: Settings, urls: dict[str, str]) -> list[Finding]:
    """Money, stock, work half way, files and the search index, as `sampan invariants` finds them."""
    try:
        async with asyncio.timeout(PATIENCE):
            shop = await compose(settings, urls)
            try:
                broken = await shop.invariants()
            finally:
                with suppress(Exception):
                    await shop.close()
    except TimeoutError:
        return [warning("there was no time to look at money and stock", "run: sampan invariants")]
    except (ShopError, OSError, asyncpg.PostgresError) as failure:
        return [warning(f"money and stock could not be looked at: {failure}", "run: sampan invariants")]
    found = [bad(f"{name}: {text}", remedy(name)) for name, texts in broken.items() for text in texts[:10]]
    return found or [ok("money, stock and work under way are right")]


def remedy(name: str) -> str:
    if name == "search":
        return "run: sampan search rebuild"
    if name == "catalog":
        return "bring missing files back from a backup; for the rest see docs/operators.md, `When something is broken`"
    return "see docs/operators.md, `When something is broken`"
