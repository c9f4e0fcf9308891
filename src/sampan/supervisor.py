"""The supervisor: one process group that is the whole shop (or a fleet of services) on one machine.

It holds the listening sockets and the embedded PostgreSQL, starts the processes, restarts what dies, and on SIGTERM
stops everything within thirty seconds. When the supervisor itself is killed, its children notice and stop. It has all
services in memory and never asks them anything: its processes are forks of it, and share what it has.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from msgspec import Struct

from sampan.database import prepare, wait_for_peers
from sampan.door import is_ready, listen, listen_each
from sampan.home import Urls, held, urls_for
from sampan.kernel.postgres import EmbeddedPostgres, PostgresFailed
from sampan.kernel.settings import Settings, home_secret, load
from sampan.kernel.stopping import ASKED, ends_on_sigterm, undisturbed
from sampan.process import fill
from sampan.process import main as serve
from sampan.run import assembled

log = logging.getLogger(__name__)

STOP_SECONDS = 26.0
MOST_FILES = 65_536
CALM = 30.0  # a process that lived this long starts again at once when it dies
ORPHAN_SECONDS = 10.0  # how long the processes of a supervisor that was killed may still hold the port
# A fork has in memory once what all have alike, and imports nothing again. What macOS brings along does not bear it.
STARTING = get_context("fork") if sys.platform == "linux" else get_context("spawn")


def allow_connections() -> None:
    """Each connection is an open file, and the usual soft limit of a thousand is soon reached: up to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Spec(Struct):
    """A process to keep alive: its name, what it does, and the socket it listens on, if it does."""

    name: str
    work: Callable[[], None]
    door: socket.socket | None = None


def become(spec: Spec, others: list[socket.socket]) -> None:
    """In the new process: be one of its own, without what only the supervisor has to hold, and do the work."""
    for number in ASKED:
        signal.signal(number, signal.SIG_DFL)  # till now it had our way of taking one
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKED)
    os.setsid()  # Ctrl-C on the terminal is for the supervisor, who stops us in good order
    for door in others:
        door.close()
    with suppress(OSError):
        Path("/proc/self/comm").write_text(spec.name)  # `top` shows it
    spec.work()


class Child:
    """A running process and the memory of its deaths. `others` are sockets that are none of its business."""

    def __init__(self, spec: Spec, others: list[socket.socket]) -> None:
        self.spec = spec
        self.others = others
        self.pause = 0.0
        self.next_start = 0.0
        self.process: BaseProcess | None = None
        self.started = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        process = STARTING.Process(target=become, args=(self.spec, self.others), name=self.spec.name, daemon=True)
        with undisturbed():
            process.start()
            self.process = process

    def watch(self) -> None:
        """Start again what died; the more often it dies the longer the pause, at most ten seconds.

        Where the system has no memory or process left to start it with, that is tried again as well: the others live.
        """
        if self.process is not None and self.process.exitcode is None:
            return
        now = time.monotonic()
        if self.process is not None:
            log.error(
                "a process died and is started again",
                extra={"child": self.spec.name, "exit": self.process.exitcode},
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


def done_once(spec: Spec, others: list[socket.socket]) -> int | None:
    """Have it done in a process of its own, which may have helpers, and wait for that: its exit code.

    When we are to stop before, it is interrupted, and killed if that takes long: it can be broken off at any point.
    """
    process = STARTING.Process(target=become, args=(spec, others), name=spec.name)
    with undisturbed():
        process.start()
    try:
        process.join()
    finally:
        if process.exitcode is None and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)
            process.join(10)
            process.kill()
            process.join()
    return process.exitcode


class Supervisor:
    """Keeps the processes of one data folder alive."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = False
        self.children: list[Child] = []
        self.postgres: EmbeddedPostgres | None = None

    def begin_database(self) -> None:
        """The embedded PostgreSQL begins to start, unless another database is configured. Raises PostgresFailed."""
        if not self.settings.core.database_url:
            self.postgres = EmbeddedPostgres(self.settings.home / "postgres")
            self.postgres.begin()

    def bring_up_database(self, services: list[str], *, apart: bool) -> Urls:
        """Return when the database answers and is up to date: how these services reach it. Raises as `prepare`."""
        if self.postgres is not None:
            self.postgres.wait()
        urls = urls_for(self.settings, services, apart=apart)
        asyncio.run(prepare(self.settings, urls.admin))
        return urls

    def run(self, specs: list[Spec], *, host: str, port: int, ready: str) -> None:
        """Start the processes, say when the shop is ready, and keep them alive until SIGTERM or SIGINT."""
        for number in ASKED:
            signal.signal(number, self._stop)
        allow_connections()
        doors = {spec.door.fileno(): spec.door for spec in specs if spec.door is not None}.values()
        self.children = [Child(spec, [door for door in doors if door is not spec.door]) for spec in specs]
        gc.collect()
        gc.freeze()  # a process that looks for circles in what is ours would have it copied
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
        running = [child.process for child in self.children if child.process and child.process.exitcode is None]
        for process in running:
            process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for process in running:
            process.join(max(0.1, until - time.monotonic()))
            if process.exitcode is None:
                process.kill()
                process.join()
        if self.postgres is not None:
            self.postgres.stop()


def settings_of(settings: Settings, **more: str) -> Settings:
    """What a process goes by: our settings, and what is its alone (by the names of the variables, without SAMPAN_)."""
    core = settings.core
    ours = {
        "HOME": str(settings.home),
        "SECRET": core.secret or home_secret(settings.home),
        "PORT": str(core.port),
        "HOST": core.host,
    }
    return load({**os.environ, **{f"SAMPAN_{name}": value for name, value in (ours | more).items()}})


def run_together(settings: Settings, names: list[str], *, ready: str, demo: bool) -> None:
    """`sampan run`: web workers and one background process, with all services or the named ones.

    `demo`: an empty shop gets the demo goods once the database is up and before it opens.
    """
    with held(settings.home) as was_killed, ends_on_sigterm():
        supervisor = Supervisor(settings)
        core = settings.core
        doors = listen_each(core.host, core.port, core.workers, seconds=ORPHAN_SECONDS if was_killed else 0.0)
        try:
            supervisor.begin_database()
            services = list(assembled(settings, names).services)  # what one of them refuses is said once, and here
            wait_for_peers(settings, names)
            urls = supervisor.bring_up_database(services, apart=False)
            ours = settings_of(settings)
            if demo:
                filling = Spec("seed", partial(fill, ours, urls.services, supervisor=os.getpid()))
                if code := done_once(filling, doors):
                    log.error("the shop opens without its demo goods", extra={"exit": code})
            live = partial(serve, ours, names, urls.services, supervisor=os.getpid())
            specs = [Spec("background", partial(live, web=None, work=True))]
            specs += [Spec(f"web {n}", partial(live, web=door, work=False), door) for n, door in enumerate(doors, 1)]
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
            supervisor.begin_database()
            for name in assembled(settings).services:
                port = settings.core.port if name == "gateway" else 0
                doors[name] = listen("127.0.0.1", port, seconds=patience)
            urls = supervisor.bring_up_database(list(doors), apart=True)
            theirs = settings_of(
                settings,
                TRUSTED_PROXIES=",".join(sorted(settings.trusted_proxies | {"127.0.0.1"})),
                POOL_SIZE="5",
                **{f"URL_{name.upper()}": f"http://127.0.0.1:{door.getsockname()[1]}" for name, door in doors.items()},
            )
            live = partial(serve, theirs, work=True, supervisor=os.getpid())
            specs = [
                Spec(name, partial(live, [name], {name: urls.services[name]}, web=door), door)
                for name, door in doors.items()
            ]
            supervisor.run(specs, host="127.0.0.1", port=settings.core.port, ready=ready)
        finally:
            supervisor.end()
