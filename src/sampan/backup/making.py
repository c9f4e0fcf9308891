"""`sampan backup`: the database as one snapshot, the files it refers to, and the secret, in one file."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

import asyncpg
import msgspec
from msgspec import Struct
from tqdm import tqdm

from sampan.backup.archive import DATABASE, FILES, FORMAT, SECRET, Archive, Manifest, verified
from sampan.database import reachable, server
from sampan.kernel.dump import dump, tools_for, version_of
from sampan.kernel.errors import ShopError
from sampan.kernel.files import sync_folder
from sampan.kernel.settings import Settings
from sampan.run import declared

STAGE = ".sampan-backup"  # beside the target; what a broken-off backup leaves there the next one removes
NOTE = "last_backup.json"
SCHEMAS = """
SELECT n.nspname FROM pg_namespace n
 WHERE to_regclass(format('%I.migration', n.nspname)) IS NOT NULL
   AND to_regclass(format('%I.outbox', n.nspname)) IS NOT NULL
 ORDER BY 1
"""
TABLES = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = ANY($1::text[]::regnamespace[])"


class CannotBackUp(ShopError, code="backup.cannot_back_up", status=409):
    """There is nothing to back up, or no place to put it; the text says what to do."""


class LastBackup(Struct, frozen=True):
    """What the data folder remembers of its last backup."""

    at: datetime
    file: str
    bytes: int


def back_up(settings: Settings, target: Path) -> Path:
    """Write a backup to `target`, a file that is not there yet, or a folder that gets one named by the time.

    Works while the shop runs. The file appears under its name when it is whole, verified and on the disk.

    Raises:
        CannotBackUp, DumpFailed, DatabaseUnreachable: there is no file then.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    if target.is_dir():
        target = target / f"sampan-{now:%Y%m%d-%H%M%S}.tar"
    target = target.absolute()
    check_target(settings, target)
    with staged(target.parent) as stage, server(settings) as url:
        whole = stage / "whole"
        with fresh(whole) as file:
            write(settings, url, stage, Archive(file), now)
            file.flush()
            os.fsync(file.fileno())
        size = whole.stat().st_size
        with tqdm(total=size, desc="verifying", unit="B", unit_scale=True, disable=None) as bar:
            verified(whole, bar.update)
        try:
            give_name(whole, target)
        except FileExistsError:
            raise CannotBackUp(f"{target} is there already; name another file") from None
        sync_folder(target.parent)
    with suppress(OSError):
        note = settings.home / f"{NOTE}.new"
        note.write_bytes(msgspec.json.encode(LastBackup(now, str(target), size)))
        note.replace(settings.home / NOTE)
    return target


def check_target(settings: Settings, target: Path) -> None:
    """Raises CannotBackUp before anything is begun."""
    if target.exists():
        raise CannotBackUp(f"{target} is there already; name another file")
    if not target.parent.is_dir():
        raise CannotBackUp(f"there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise CannotBackUp(f"{target.parent} cannot be written to")
    core = settings.core
    if not core.database_url and not (settings.home / "postgres/PG_VERSION").exists():
        raise CannotBackUp(f"there is no shop in {settings.home}")
    if own := own_database(settings):
        raise CannotBackUp(f"{own}: one snapshot cannot hold several databases; back them up with their own tools")


def own_database(settings: Settings) -> str:
    """A service that has a database of its own, with the setting that says so; empty when none has."""
    for name in declared(sandbox=not settings.production):
        if settings.has_own_database(name):
            return f"{name} has a database of its own (SAMPAN_DATABASE_URL_{name.upper()})"
    return ""


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder for work under way, ours alone. Raises CannotBackUp when another backup is being written there."""
    stage = folder / STAGE
    stage.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(stage, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotBackUp(f"another backup is being written to {folder}") from None
        for left in stage.iterdir():
            left.unlink()
        yield stage
        shutil.rmtree(stage, ignore_errors=True)
    except BaseException:
        with suppress(OSError):
            for left in stage.iterdir():
                left.unlink()
        raise
    finally:
        os.close(descriptor)


def give_name(whole: Path, target: Path) -> None:
    """The file gets its name, and replaces none, as a renaming would. Raises FileExistsError."""
    try:
        os.link(whole, target)
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links, as many that one carries away: FAT, exFAT, shares of Windows
        fresh(target).close()
        whole.replace(target)


def version_here() -> str:
    try:
        return version("sampan")
    except PackageNotFoundError:
        return "of a checkout"


class Dumped(Struct, frozen=True):
    """What the dump was made of."""

    postgresql: str
    tools: int
    migrations: dict[str, list[str]]
    tables: int


def write(settings: Settings, url: str, stage: Path, archive: Archive, now: datetime) -> None:
    """First the database, then the files: what the snapshot refers to was written before it, and is never removed."""
    with fresh(stage / DATABASE) as file:
        dumped = asyncio.run(write_database(url, file))
        file.seek(0)
        archive.add(DATABASE, file)
    (stage / DATABASE).unlink()
    secret = settings.home / "secret"
    if secret.exists():
        with open(secret, "rb") as file:
            archive.add(SECRET, file)
    root = settings.home / "files"
    found = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
    with tqdm(found, desc="files", unit=" files", disable=None) as bar:
        for path in bar:
            with suppress(FileNotFoundError), open(path, "rb") as file:  # the mark of a seeding may go meanwhile
                archive.add(FILES + path.relative_to(root).as_posix(), file)
    archive.close(
        Manifest(
            format=FORMAT,
            version=version_here(),
            made_at=now,
            postgresql=dumped.postgresql,
            tools=dumped.tools,
            migrations=dumped.migrations,
            tables=dumped.tables,
            members=archive.members,
        )
    )


async def write_database(url: str, file: BinaryIO) -> Dumped:
    """Dump our schemas as one snapshot. Raises CannotBackUp, DumpFailed, DatabaseUnreachable."""
    with reachable():
        connection = await asyncpg.connect(url, timeout=10)
    try:
        postgresql = await connection.fetchval("SHOW server_version")
        tools = tools_for(connection.get_server_version().major)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            schemas = [row[0] for row in await connection.fetch(SCHEMAS)]
            if not schemas:
                raise CannotBackUp("there are no tables of Sampan in the database")
            migrations = {
                schema: [row[0] for row in await connection.fetch(f"SELECT name FROM {schema}.migration ORDER BY name")]
                for schema in schemas
            }
            tables = await connection.fetchval(TABLES, schemas)
            with tqdm(total=tables, desc="database", unit=" tables", disable=None) as bar:
                await asyncio.to_thread(dump, url, schemas, snapshot, file, tools=tools, table=bar.update)
    finally:
        await connection.close()
    return Dumped(postgresql, version_of(tools / "pg_dump"), migrations, tables)


def fresh(path: Path) -> BinaryIO:
    """A new file that only its owner reads: what it holds is all of the shop's secrets."""
    return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
