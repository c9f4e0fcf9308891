"""The database of a data folder, or the configured one: found, started if need be, brought up to date."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import httpx

from sampan.home import Urls, check_not_restoring, held, urls_for
from sampan.kernel.errors import ShopError
from sampan.kernel.postgres import EmbeddedPostgres
from sampan.kernel.service import owner_of
from sampan.kernel.settings import BadSetting, Settings
from sampan.kernel.stopping import ends_on_sigterm
from sampan.run import MissingPeer, chosen, migrate_all

PEER_SECONDS = 10.0  # how long we wait for needed peers that may be starting as well


class DatabaseUnreachable(ShopError, code="kernel.database_unreachable", status=500):
    """The configured database does not answer."""


@contextmanager
def reachable() -> Iterator[None]:
    """What connecting to the database can fail with, in words. Raises DatabaseUnreachable, BadSetting."""
    try:
        yield
    except asyncpg.InterfaceError as failure:
        raise BadSetting(f"SAMPAN_DATABASE_URL: {failure}") from None
    except (OSError, asyncpg.PostgresError) as failure:
        reason = failure or "no answer in time"
        raise DatabaseUnreachable(f"SAMPAN_DATABASE_URL: the database does not answer: {reason}") from None


async def prepare(settings: Settings, admin: str) -> int:
    """Make the database if need be and migrate, also those that services have of their own; how many migrations ran.

    Raises:
        DatabaseUnreachable, BadSetting, MigrationFailed
    """
    with reachable():
        if not settings.core.database_url:
            await make_database(settings)
        tables: dict[str, list[str]] = {}
        for name in chosen([], settings)[0]:
            tables.setdefault(settings.database_url(name) if settings.has_own_database(name) else admin, []).append(
                name
            )
        return sum([await migrate_all(settings, url, names) for url, names in tables.items()])


async def make_database(settings: Settings) -> None:
    """The embedded PostgreSQL's database, if it is not there."""
    connection = await asyncpg.connect(EmbeddedPostgres(settings.home / "postgres").url("postgres"))
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'sampan'"):
            await connection.execute("CREATE DATABASE sampan")
    finally:
        await connection.close()


def wait_for_peers(settings: Settings, names: list[str], *, seconds: float = PEER_SECONDS) -> None:
    """Return once every needed service that does not run here answers at its address; any answer will do.

    Raises:
        MissingPeer: one does not within `seconds`.
    """
    here, _ = chosen(names, settings)
    needed = {owner_of(contract): name for name, service in here.items() for contract in service.needs}
    until = time.monotonic() + seconds
    with httpx.Client(timeout=2.0, trust_env=False) as http:
        for peer in sorted(needed.keys() - here.keys()):
            url = settings.peer_url(peer)
            while True:
                try:
                    http.get(f"{url}/health/live")
                    break
                except (httpx.HTTPError, httpx.InvalidURL) as failure:
                    if time.monotonic() > until:
                        raise MissingPeer(
                            f"{needed[peer]} needs {peer}, which does not answer at {url}: {failure}; start it, "
                            f"or say where it is: SAMPAN_URL_{peer.upper()}=http://…"
                        ) from None
                time.sleep(0.2)


@contextmanager
def server(settings: Settings) -> Iterator[str]:
    """The database as it is, for as long as the block runs: its administrator's URL.

    The embedded one is started if it does not run yet.
    """
    check_not_restoring(settings.home)
    url = urls_for(settings, [], apart=False).admin
    embedded = EmbeddedPostgres(settings.home / "postgres")
    if settings.core.database_url or embedded.answers():  # the latter belongs to a running shop
        yield url
        return
    with held(settings.home), ends_on_sigterm():
        try:
            embedded.start()
            yield url
        finally:
            embedded.stop()


@contextmanager
def database(settings: Settings, *, apart: bool = False) -> Iterator[Urls]:
    """The database, migrated, for as long as the block runs."""
    urls = urls_for(settings, list(chosen([], settings)[1]), apart=apart)
    with server(settings):
        asyncio.run(prepare(settings, urls.admin))
        yield urls
