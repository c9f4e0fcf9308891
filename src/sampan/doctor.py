"""`sampan doctor`: what is wrong with this installation, and how to mend it. It only looks."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec

import asyncpg
import httpx
from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.postgres import EmbeddedPostgres, binaries
from sampan.kernel.settings import Settings
from sampan.run import declared, package_of
from sampan.supervisor import urls_for


class Finding(Struct, frozen=True):
    """One thing that was looked at. `mend` says what to do when it is not well."""

    well: bool
    text: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything, in the order in which a start would need it."""
    return [
        *environment(settings),
        *folder(settings),
        *database(settings),
        *address(settings),
        *connections(settings),
    ]


def environment(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(sys.version_info >= (3, 11), f"Python {version}", "install Python 3.11 or newer and run make again")
    for module in ("asyncpg", "granian", "msgspec", "tantivy"):
        yield Finding(find_spec(module) is not None, f"package {module}", "run: make run")
    yield Finding(True, f"mode {settings.core.mode}, public address {settings.public_url}")


def folder(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    if not home.exists():
        yield Finding(True, f"the data folder {home} will be made at the first start")
        return
    writable = os.access(home, os.W_OK)
    yield Finding(writable, f"the data folder {home} is writable", f"give yourself the right to write to {home}")
    free = shutil.disk_usage(home).free
    yield Finding(
        free > 1 << 30, f"{free >> 20:,} MB free on its disk", "make room: PostgreSQL stops when the disk is full"
    )
    secret = home / "secret"
    if secret.exists():
        private = not secret.stat().st_mode & 0o077
        yield Finding(private, "the secret is readable for its owner only", f"chmod 600 {secret}")


def database(settings: Settings) -> Iterator[Finding]:
    names = list(declared(sandbox=not settings.production))
    if not settings.core.database_url:
        try:
            binaries()
        except ShopError as failure:
            yield Finding(False, "the embedded PostgreSQL is installed", failure.detail)
            return
        if not EmbeddedPostgres(settings.home / "postgres").answers():
            yield Finding(True, "the embedded PostgreSQL does not run (it starts with the shop)")
            return
    url = urls_for(settings, names, apart=False).admin
    try:
        yield from asyncio.run(tables(url, names))
    except (OSError, asyncpg.PostgresError, TimeoutError) as failure:
        mend = "check SAMPAN_DATABASE_URL: host, port, user, password and database"
        yield Finding(False, f"the database does not answer: {failure}", mend)


async def tables(url: str, names: list[str]) -> list[Finding]:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        version = connection.get_server_version()
        found = [Finding(version.major >= 15, f"PostgreSQL {version.major}.{version.minor}", "PostgreSQL 15 is needed")]
        for name in names:
            done = await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{name}.migration")
            if not done:
                found.append(Finding(False, f"{package_of_name(name)} has its tables", "run: sampan migrate"))
                continue
            parked = await connection.fetchval(f"SELECT count(*) FROM {name}.parked_event")
            if parked:
                found.append(Finding(False, f"{name}: {parked} parked events", "run: sampan events redrive"))
            failed = await connection.fetch(f"SELECT name, error FROM {name}.job WHERE error IS NOT NULL")
            found += [Finding(False, f"{name}: job {row[0]} failed: {row[1]}", "see the log") for row in failed]
        if all(finding.well for finding in found):
            found.append(Finding(True, f"{len(names)} services have their tables, nothing is parked, no job failed"))
        return found
    finally:
        await connection.close()


def package_of_name(name: str) -> str:
    return package_of(declared(sandbox=True)[name]).rpartition(".")[2]


def address(settings: Settings) -> Iterator[Finding]:
    core = settings.core
    with suppress(httpx.HTTPError):
        if httpx.get(f"http://127.0.0.1:{core.port}/health/ready", timeout=2, trust_env=False).status_code == 200:
            yield Finding(True, f"the shop answers on port {core.port}")
            return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((core.host, core.port))
        except OSError:
            yield Finding(False, f"port {core.port} is free", "stop what uses it, or: sampan run --port 8080")
            return
    yield Finding(True, f"port {core.port} is free")


def connections(settings: Settings) -> Iterator[Finding]:
    if settings.core.redis_url:
        yield asyncio.run(redis_answers(settings.core.redis_url))


async def redis_answers(url: str) -> Finding:
    from sampan.kernel.redis_link import RedisAway, RedisLink

    link = RedisLink(url)
    try:
        await link.ask(lambda redis: redis.ping())
    except RedisAway:
        return Finding(False, "Redis answers", "check SAMPAN_REDIS_URL; without it the shop works, only slower")
    finally:
        await link.close()
    return Finding(True, "Redis answers")
