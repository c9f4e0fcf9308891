"""The supervisor: one process group that is the whole shop (or a fleet of services) on one machine.

It holds the listening sockets and the embedded PostgreSQL, starts the processes, restarts what dies, and on SIGTERM
stops everything within thirty seconds. When the supervisor itself is killed, its children notice and stop. It stays as
long as the shop, so it keeps little in memory: what needs the services is done by others.
"""

import errno
import fcntl
import http.client
import json
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.postgres import EmbeddedPostgres, PostgresFailed
from sampan.kernel.settings import BadSetting, Settings, home_secret

log = logging.getLogger(__name__)

STOP_SECONDS = 26.0
MOST_FILES = 65_536
CALM = 30.0  # a process that lived this long starts again at once when it dies
ORPHAN_SECONDS = 10.0  # how long the processes of a supervisor that was killed may still hold the port


class PortTaken(ShopError, code="kernel.port_taken", status=500):
    """Somebody else listens on the port, or it is not for everybody."""


class AlreadyRunning(ShopError, code="kernel.already_running", status=500):
    """Another supervisor holds this data folder."""


class HalfRestored(ShopError, code="kernel.half_restored", status=500):
    """A backup is being restored into this data folder, or that was broken off."""


def allow_connections() -> None:
    """Each connection is an open file, and the usual soft limit of a thousand is soon reached: up to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Spec(Struct):
    """A process to keep alive: its name, arguments, extra environment and the descriptor of its socket."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    descriptor: int


class Child:
    """A running process and the memory of its deaths."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.pause = 0.0
        self.next_start = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sampan.commands", "process", *self.spec.arguments],
            pass_fds=(self.spec.descriptor,) if self.spec.descriptor >= 0 else (),
            # Few arenas: each thread's own keeps what its former work needed, which adds up to a hundred megabytes.
            env={"MALLOC_ARENA_MAX": "2", **os.environ, **self.spec.environment, "SAMPAN_SUPERVISOR": str(os.getpid())},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self) -> None:
        """Start again what died; the more often it dies the longer the pause, at most ten seconds.

        Where the system has no memory or process left to start it with, that is tried again as well: the others live.
        """
        if self.process is not None and self.process.poll() is None:
            return
        now = time.monotonic()
        if self.process is not None:
            log.error(
                "a process died and is started again",
                extra={"child": self.spec.name, "exit": self.process.returncode},
            )
            self._pause(now)
            self.process = None
        if now >= self.next_start:
            try:
                self.start()
            except OSError as failure:
                log.error("a process cannot be started", extra={"child": self.spec.name, "why": str(failure)})
                self._pause(now)

    def _pause(self, now: float) -> None:
        self.pause = 0.1 if now - self.started > CALM else min(10.0, self.pause * 2 + 0.1)
        self.next_start = now + self.pause


def listen(host: str, port: int, *, seconds: float = 0.0, beside: bool = False) -> socket.socket:
    """A listening socket that children inherit; a taken port may become free within `seconds`. Raises PortTaken.

    `beside`: others of ours may listen on the same port, and the system deals new connections out among all of them.
    """
    until = time.monotonic() + seconds
    while True:
        found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if beside:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            found.bind((host, port))
            break
        except OSError as failure:
            found.close()
            if failure.errno == errno.EACCES:
                raise PortTaken(
                    f"port {port} on {host} is not for us: {failure.strerror}; "
                    "choose one from 1024 on (sampan run --port 8080) and put a proxy before it"
                ) from None
            if failure.errno != errno.EADDRINUSE:
                raise BadSetting(f"SAMPAN_HOST: cannot listen on {host}: {failure.strerror}") from None
            if time.monotonic() >= until:
                raise PortTaken(
                    f"port {port} on {host} is taken; stop what uses it, or choose another: sampan run --port 8080"
                ) from None
        time.sleep(0.1)
    found.listen(2048)
    found.setblocking(False)
    found.set_inheritable(True)
    return found


RESTORING = "restoring"  # a file in a data folder that is there until a restoration is whole


def check_not_restoring(home: Path) -> None:
    """Raises HalfRestored."""
    if (home / RESTORING).exists():
        raise HalfRestored(
            f"a backup is being restored into {home}, or that was broken off; if it was, "
            "remove the folder and restore again"
        )


@contextmanager
def held(home: Path) -> Iterator[bool]:
    """The data folder, ours alone; true when whoever had it before was killed. Raises AlreadyRunning, HalfRestored."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            check_not_restoring(home)
            raise AlreadyRunning(f"the shop in {home} is running already") from None
        check_not_restoring(home)
        file.seek(0)
        was_killed = bool(file.read())
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield was_killed
        finally:
            file.truncate(0)


class Urls(Struct):
    """How to reach the database: as administrator (migrations), and as each service."""

    admin: str
    services: dict[str, str]


def urls_for(settings: Settings, names: list[str], *, apart: bool) -> Urls:
    """`apart`: each service with its own role, as in a fleet; else one role that may use every schema."""
    core = settings.core
    if core.database_url:
        return Urls(core.database_url, {name: settings.database_url(name) for name in names})
    embedded = EmbeddedPostgres(settings.home / "postgres")
    return Urls(
        embedded.url(),
        {
            name: settings.database_url(name) or embedded.url(user=f"sampan_{name}" if apart else "sampan_app")
            for name in names
        },
    )


@contextmanager
def ends_on_sigterm() -> Iterator[None]:
    """SIGTERM unwinds the block, like Ctrl-C does, so that what was started is stopped."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; a second one must not disturb the unwinding
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Supervisor:
    """Keeps the processes of one data folder alive."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = False
        self.children: list[Child] = []
        self.postgres: EmbeddedPostgres | None = None

    def start_database(self) -> None:
        if not self.settings.core.database_url:
            self.postgres = EmbeddedPostgres(self.settings.home / "postgres")
            self.postgres.start()

    def run(self, specs: list[Spec], *, host: str, port: int, ready: str) -> None:
        """Start the processes, say when the shop is ready, and keep them alive until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        allow_connections()
        self.children = [Child(spec) for spec in specs]
        told = False
        while not self.stopping:
            self._watch_database()
            for child in self.children:
                child.watch()
            if not told and is_ready(host, port):
                told = True
                print(ready, flush=True)
            time.sleep(0.05 if not told else 0.2)

    def _watch_database(self) -> None:
        """Start the embedded PostgreSQL again when it died; until the last of its own processes is gone it refuses.

        Nobody waits for it here: it may have a lot to do again, and whoever needs it looks for it again and again.
        """
        if self.postgres is None or self.postgres.alive():
            return
        log.error("the embedded PostgreSQL died and is started again", extra={"said": self.postgres.last_words()})
        try:
            self.postgres.begin()
        except (PostgresFailed, OSError) as failure:
            log.error("the embedded PostgreSQL did not start; the next attempt follows", extra={"why": str(failure)})
        time.sleep(0.5)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def end(self) -> None:
        """Stop everything: the processes first, the database last."""
        running = [child.process for child in self.children if child.process and child.process.poll() is None]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        if self.postgres is not None:
            self.postgres.stop()


def way_in(host: str) -> str:
    """Where a shop that listens on `host` is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def is_ready(host: str, port: int) -> bool:
    """True when a shop that listens there can serve."""
    connection = http.client.HTTPConnection(way_in(host), port, timeout=1.0)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Preparation:
    """A command that names the services and brings the database up to date, in a process of its own: that needs all of
    them in memory, and is over soon. It gets ready while the database starts.
    """

    def __init__(self, settings: Settings, names: list[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sampan.commands", "prepare", *names],
            env={**os.environ, **environment_of(settings, {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> "Preparation":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def services(self) -> list[str]:
        """The names of the services that are to run. Whatever is wrong, the command has said; we end as it did."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(self.process.wait())
        found: list[str] = json.loads(line)
        return found

    def finish(self) -> None:
        """The database is there; return when it is up to date."""
        self.process.communicate(b"go\n")
        if self.process.returncode:
            raise SystemExit(self.process.returncode)


def environment_of(settings: Settings, urls: dict[str, str], **more: str) -> dict[str, str]:
    """What a child needs to know beyond our own environment."""
    core = settings.core
    return {
        "SAMPAN_HOME": str(settings.home),
        "SAMPAN_SECRET": core.secret or home_secret(settings.home),
        "SAMPAN_PORT": str(core.port),
        "SAMPAN_HOST": core.host,
        "SAMPAN_LOG_LEVEL": core.log_level,
        **{f"SAMPAN_DATABASE_URL_{name.upper()}": url for name, url in urls.items()},
        **more,
    }


def listen_each(host: str, port: int, count: int, *, seconds: float) -> list[socket.socket]:
    """A listening socket for each of so many workers, so that connections are dealt out evenly among them.

    With one socket for all, whoever wakes first takes most of a burst. Where the system does not deal out (it does on
    Linux) they share one. Raises PortTaken.
    """
    first = listen(host, port, seconds=seconds)  # as nobody's neighbour, so that a taken port is noticed
    if sys.platform != "linux" or count == 1:
        return [first] * count
    first.close()
    return [listen(host, port, beside=True) for _ in range(count)]


def run_together(settings: Settings, names: list[str], *, ready: str, before: list[str]) -> None:
    """`sampan run`: web workers and one background process, with all services or the named ones.

    `before` are arguments of commands that run once the database is up and before the shop opens (seeding).
    """
    with held(settings.home) as was_killed, ends_on_sigterm():
        supervisor = Supervisor(settings)
        core = settings.core
        doors = listen_each(core.host, core.port, core.workers, seconds=ORPHAN_SECONDS if was_killed else 0.0)
        try:
            with Preparation(settings, names) as preparation:
                supervisor.start_database()
                services = preparation.services()
                preparation.finish()
            urls = urls_for(settings, services, apart=False)
            if before:
                done = subprocess.run([sys.executable, "-m", "sampan.commands", *before], check=False)
                if done.returncode:
                    log.error("the shop opens without its demo goods", extra={"exit": done.returncode})
            environment = environment_of(settings, urls.services)
            specs = [Spec("background", ["--work", *names], environment, -1)]
            specs += [
                Spec(f"web {number}", ["--web", f"--fd={door.fileno()}", *names], environment, door.fileno())
                for number, door in enumerate(doors, 1)
            ]
            supervisor.run(specs, host=core.host, port=core.port, ready=ready)
        finally:
            supervisor.end()


def run_fleet(settings: Settings, *, ready: str) -> None:
    """`sampan fleet`: every service a process of its own on loopback, behind the gateway."""
    with held(settings.home) as was_killed, ends_on_sigterm():
        supervisor = Supervisor(settings)
        patience = ORPHAN_SECONDS if was_killed else 0.0
        doors: dict[str, socket.socket] = {}
        try:
            with Preparation(settings, []) as preparation:
                for name in preparation.services():
                    port = settings.core.port if name == "gateway" else 0
                    doors[name] = listen("127.0.0.1", port, seconds=patience)
                supervisor.start_database()
                preparation.finish()
            urls = urls_for(settings, list(doors), apart=True)
            peers = {
                f"SAMPAN_URL_{name.upper()}": f"http://127.0.0.1:{door.getsockname()[1]}"
                for name, door in doors.items()
            }
            specs = [
                Spec(
                    name,
                    ["--web", "--work", f"--fd={door.fileno()}", name],
                    environment_of(
                        settings,
                        {name: urls.services[name]},
                        SAMPAN_TRUSTED_PROXIES=",".join(sorted(settings.trusted_proxies | {"127.0.0.1"})),
                        SAMPAN_POOL_SIZE="5",
                        **peers,
                    ),
                    door.fileno(),
                )
                for name, door in doors.items()
            ]
            supervisor.run(specs, host="127.0.0.1", port=settings.core.port, ready=ready)
        finally:
            supervisor.end()
