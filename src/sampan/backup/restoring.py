"""`sampan restore`: a backup becomes a shop again, in a folder that holds nothing yet.

What comes back is a copy until somebody says otherwise: it starts muted, so that it sends no mail again and calls no
provider while the shop it was taken from may still be there.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from tqdm import tqdm

from sampan.backup.archive import DATABASE, Manifest, unpack, verified
from sampan.backup.making import own_database
from sampan.database import make_database, prepare, reachable
from sampan.home import RESTORING, Urls, check_not_restoring, held, urls_for
from sampan.kernel.dump import restore, tools_for, version_of
from sampan.kernel.errors import ShopError
from sampan.kernel.migrate import named_files
from sampan.kernel.postgres import EmbeddedPostgres, binaries
from sampan.kernel.settings import Settings
from sampan.kernel.stopping import ends_on_sigterm
from sampan.run import chosen, compose, package_of

MUTED = """\
# This data folder was restored from a backup of {made_at:%Y-%m-%d %H:%M} UTC. Until the next line is taken out, the
# shop sends no mail and calls no provider. Take it out (and start again) when this is the shop, and not a copy of it.
muted = true
"""
JOBS = 4


class CannotRestore(ShopError, code="backup.cannot_restore", status=409):
    """The place is not empty, or the backup does not fit this version; nothing was changed."""


def bring_back(settings: Settings, file: Path, *, live: bool) -> Manifest:
    """Restore a backup into an empty data folder; the shop there is whole when this returns.

    The backup is read and checked to its last byte before anything is touched. Until the end a mark in the folder
    keeps everything else from using it, so that a half restored shop is never taken for a whole one. `live`: not muted.

    Raises:
        BadBackup, CannotRestore, HalfRestored, AlreadyRunning: nothing was changed.
        DumpFailed, PostgresFailed, MigrationFailed: the folder is empty again.
    """
    home = settings.home
    check_empty(home)
    if own := own_database(settings):
        raise CannotRestore(f"{own}, where a backup does not go; restore without that setting")
    size = file.stat().st_size if file.exists() else 0
    with tqdm(total=size, desc="verifying", unit="B", unit_scale=True, disable=None) as bar:
        manifest = verified(file, bar.update)
    check_known(settings, manifest)
    if settings.core.database_url:
        asyncio.run(check_database(settings, manifest))
    home.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(home).free < 3 * manifest.bytes:
        raise CannotRestore(f"there is not enough room for the shop on the disk of {home}")
    with held(home), ends_on_sigterm(), marked(home):
        with tqdm(total=manifest.bytes, desc="files", unit="B", unit_scale=True, disable=None) as bar:
            unpack(file, home, bar.update)
        if not live:
            (home / "sampan.toml").write_text(MUTED.format(made_at=manifest.made_at))
        # Nothing is forced to the disk until the end, when everything is.
        embedded = None if settings.core.database_url else EmbeddedPostgres(home / "postgres", fsync=False)
        try:
            if embedded is not None:
                embedded.start()
            urls = urls_for(settings, list(chosen([], settings)[1]), apart=False)
            fill(settings, urls, manifest)
            asyncio.run(finish(settings, urls))
        finally:
            if embedded is not None:
                embedded.stop()
        (home / DATABASE).unlink()
        os.sync()  # tens of thousands of small files, at once
    os.sync()
    return manifest


@contextmanager
def marked(home: Path) -> Iterator[None]:
    """The folder bears the mark until the restoration is whole; one that fails leaves it as empty as it was.

    The folder is ours by now, and looked at again: to read the backup took a while, in which a shop may have come.
    Raises CannotRestore, HalfRestored.
    """
    check_empty(home)
    try:
        (home / RESTORING).touch()
        yield
    except BaseException:
        for path in home.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in ("lock", RESTORING):
                path.unlink(missing_ok=True)
        (home / RESTORING).unlink(missing_ok=True)  # last
        raise
    (home / RESTORING).unlink()


def check_empty(home: Path) -> None:
    """Raises CannotRestore."""
    if not home.exists():
        return
    if not home.is_dir():
        raise CannotRestore(f"{home} is not a folder")
    there = {path.name for path in home.iterdir()} - {"lock"}
    if RESTORING in there:
        check_not_restoring(home)
    if there:
        what = "holds a shop already" if "postgres" in there else "is not empty"
        raise CannotRestore(f"{home} {what}; a backup is restored into a new or empty folder only: --home FOLDER")


def check_known(settings: Settings, manifest: Manifest) -> None:
    """A backup of a newer version has migrations that we do not know. Raises CannotRestore."""
    services = chosen([], settings)[1]
    for schema, applied in manifest.migrations.items():
        names = set(applied)
        service = services.get(schema)
        if service is None:
            continue  # a stand-in of development
        if unknown := sorted(names - named_files(package_of(service)).keys()):
            raise CannotRestore(
                f"the backup was made by a newer Sampan ({manifest.version}): {schema}/{unknown[0]} is not known here; "
                "restore it with that version"
            )


async def check_database(settings: Settings, manifest: Manifest) -> None:
    """The external database must have nothing of ours. Raises CannotRestore, DumpFailed, DatabaseUnreachable."""
    with reachable():
        connection = await asyncpg.connect(settings.core.database_url, timeout=10)
    try:
        there = await connection.fetchval(
            "SELECT min(nspname) FROM pg_namespace WHERE nspname = ANY($1)", [*manifest.migrations]
        )
        if there:
            raise CannotRestore(f"the database of SAMPAN_DATABASE_URL has a schema {there} already; name an empty one")
        major = connection.get_server_version().major
        tools = version_of(tools_for(major) / "pg_restore")
        if tools < manifest.tools:
            raise CannotRestore(
                f"the backup was written by pg_dump {manifest.tools}; PostgreSQL {major} cannot take it"
            )
    finally:
        await connection.close()


def fill(settings: Settings, urls: Urls, manifest: Manifest) -> None:
    """The dump goes into the database: into the embedded one quickly, into another one whole or not at all."""
    dumped = settings.home / DATABASE
    with tqdm(total=manifest.tables, desc="database", unit=" tables", disable=None) as bar:
        if settings.core.database_url:
            major = asyncio.run(major_of(urls.admin))
            restore(dumped, urls.admin, tools=tools_for(major), jobs=1, table=bar.update)
        else:
            asyncio.run(make_database(settings))
            restore(dumped, urls.admin, tools=binaries(), jobs=min(JOBS, os.cpu_count() or 1), table=bar.update)


async def major_of(url: str) -> int:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return int(connection.get_server_version().major)
    finally:
        await connection.close()


async def finish(settings: Settings, urls: Urls) -> None:
    """Roles and rights, newer migrations, the feeds' clocks, and the search index."""
    await prepare(settings, urls.admin)
    shop = await compose(settings, urls.services)
    try:
        await shop.live["search"].rebuild(progress=sys.stderr.isatty())
    finally:
        await shop.close()
