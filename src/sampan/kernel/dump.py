"""pg_dump and pg_restore: those of the embedded PostgreSQL, or of another version's where a server needs them."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit, urlunsplit

from sampan.kernel.errors import ShopError
from sampan.kernel.postgres import binaries

OURS = range(17, 19)  # what the embedded tools read and write; what they write an older server does not take
TABLE = re.compile(r"(?:dumping contents of|processing data for) table ")


class DumpFailed(ShopError, code="kernel.dump_failed", status=500):
    """pg_dump or pg_restore refused, or there is none for the server's version; the text says why."""


def tools_for(major: int) -> Path:
    """The folder of the tools for a server of this major version. Raises DumpFailed."""
    if major in OURS:
        return binaries()
    found = shutil.which("pg_dump")
    if found is not None:
        # Debian's /usr/bin/pg_dump chooses a version by itself; the real ones lie side by side.
        folders = [Path(f"/usr/lib/postgresql/{major}/bin"), Path(found).parent]
        for folder in folders:
            if (folder / "pg_dump").exists() and version_of(folder / "pg_dump") == major:
                return folder
    raise DumpFailed(f"the database is PostgreSQL {major}: install its client programs (pg_dump, pg_restore) for this")


def version_of(program: Path) -> int:
    """The major version a program tells of itself; 0 when it does not."""
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(match[1]) if match else 0


def dump(
    url: str, schemas: Sequence[str], snapshot: str, target: BinaryIO, *, tools: Path, table: Callable[[], object]
) -> None:
    """Write these schemas as a snapshot sees them, in pg_dump's own format; `table()` is called for each table.

    Roles and rights are left out: they belong to the cluster, and are made anew.

    Raises:
        DumpFailed: nothing of the target is of use.
    """
    command = [str(tools / "pg_dump"), "--format=custom", "--no-owner", "--no-privileges", "--verbose"]
    command += [f"--snapshot={snapshot}", *(f"--schema={schema}" for schema in schemas)]
    _run(command, url, table, stdout=target)


def restore(file: Path, url: str, *, tools: Path, jobs: int, table: Callable[[], object]) -> None:
    """Bring a dump back into a database without these schemas; with one job it is whole or not at all.

    Raises:
        DumpFailed: with more than one job a part may be there.
    """
    command = [str(tools / "pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error", "--verbose"]
    command += ["--single-transaction"] if jobs == 1 else [f"--jobs={jobs}"]
    _run(command, url, table, last=str(file))


def _run(
    command: list[str],
    url: str,
    table: Callable[[], object],
    *,
    stdout: BinaryIO | int = subprocess.DEVNULL,
    last: str = "",
) -> None:
    bare, password = without_password(url)
    environment = {**os.environ, "LC_ALL": "C", **({"PGPASSWORD": password} if password else {})}
    process = subprocess.Popen(
        [*command, f"--dbname={bare}", *([last] if last else [])],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        for line in process.stderr:
            said = [*said[-4:], line.strip()]
            if TABLE.search(line):
                table()
    finally:
        if process.poll() is None and process.stderr.readable():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stderr.close()
    if process.returncode:
        raise DumpFailed(f"{Path(command[0]).name} failed: {' / '.join(said)}")


def without_password(url: str) -> tuple[str, str]:
    """The address as it may stand on a command line that others see, and the password apart from it.

    It stands before the host or among the options behind the question mark.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    options = parts.query.split("&")
    other = [option for option in options if not option.startswith("password=")]
    password = password or next((each.partition("=")[2] for each in options if each not in other), "")
    return urlunsplit(parts._replace(netloc=f"{name}{at}{host}", query="&".join(other))), unquote(password)
