"""The embedded PostgreSQL: what its files say, without starting it."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sampan.doctor.finding import Finding, bad, ok, warning
from sampan.kernel.dump import version_of
from sampan.kernel.errors import ShopError
from sampan.kernel.postgres import EmbeddedPostgres, binaries, command_of, server_user
from sampan.kernel.settings import Settings


def findings(settings: Settings) -> Iterator[Finding]:
    if settings.core.database_url:
        return
    try:
        programs = binaries()
    except ShopError as failure:
        yield bad("the embedded PostgreSQL is not installed", failure.detail)
        return
    folder = settings.home / "postgres"
    if not folder.exists():
        return
    embedded = EmbeddedPostgres(folder)
    if embedded.answers():
        yield ok("the embedded PostgreSQL answers")
        return
    yield from pid_file(folder)
    yield from owner(folder)
    try:
        made_by = int((folder / "PG_VERSION").read_text())
    except (OSError, ValueError):
        yield bad(f"{folder} is no whole database", "restore a backup into a new folder: sampan restore")
        return
    ours = version_of(programs / "postgres")
    if made_by != ours:
        yield bad(
            f"{folder} was made by PostgreSQL {made_by}, this is {ours}",
            f"back it up with the Sampan that has PostgreSQL {made_by}, and restore that with this one",
        )
        return
    yield from readable(folder, programs)


def pid_file(folder: Path) -> Iterator[Finding]:
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return
    if str(folder) in command_of(pid):
        yield bad(
            f"the embedded PostgreSQL (process {pid}) runs and does not answer",
            f"see {folder.parent}/postgres.log; sampan run ends that process and starts it anew",
        )
    else:
        yield warning(
            f"{folder}/postmaster.pid was left behind by a process that is gone",
            "nothing to do: the next start recovers by itself",
        )


def owner(folder: Path) -> Iterator[Finding]:
    """PostgreSQL takes only a folder of its own user, closed to others."""
    user = server_user()
    if user is None:
        return
    wanted = pwd.getpwnam(str(user["user"])).pw_uid if user else os.geteuid()
    found = folder.stat()
    inside = folder / "PG_VERSION"
    if inside.exists() and inside.stat().st_uid != wanted:
        yield bad(f"what is in {folder} does not belong to user {wanted}", f"chown -R {wanted} {folder}")
    if found.st_mode & 0o027:
        yield bad(f"{folder} is open to others; PostgreSQL refuses that", f"chmod 700 {folder}")


def readable(folder: Path, programs: Path) -> Iterator[Finding]:
    """Its control file and its configuration can be read."""
    control = subprocess.run(
        [str(programs / "pg_controldata"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    if control.returncode or control.stderr:
        said = (control.stderr or control.stdout).strip().splitlines()[:1]
        yield bad(f"the database's control file cannot be read: {''.join(said)}", "restore the last backup")
        return
    user = server_user()
    if user is not None:
        configured = subprocess.run(
            [str(programs / "postgres"), "-D", str(folder), "-C", "max_connections"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"LC_ALL": "C"},
            **user,  # type: ignore[call-overload]
        )
        if configured.returncode:
            said = configured.stderr.strip().splitlines()[:1]
            yield bad(f"PostgreSQL does not take its configuration: {''.join(said)}", f"mend {folder}/postgresql.conf")
            return
    yield ok("the embedded PostgreSQL does not run (it starts with the shop)")
