"""The shop as an operator has it: real processes that a test starts, kills and looks at."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import free_port

PROGRAM = [sys.executable, "-m", "sampan.commands"]


def eventually(what: Any, seconds: float) -> Any:
    """The first true answer of `what`."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, f"not within {seconds} seconds: {getattr(what, '__doc__', None) or what}"
        time.sleep(0.05)
    return found


def command_line(pid: int) -> str:
    """What a process runs; empty when it is gone, or dead and not yet buried."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def children_of(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
    return found


@contextmanager
def frozen(server: int) -> Iterator[None]:
    """A PostgreSQL that hangs: it takes connections and statements, and answers nothing."""
    stopped = []
    for pids in ([server], children_of(server)):  # the first one first, so that it makes no more
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
    try:
        yield
    finally:
        for pid in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("this needs the right to mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


class House:
    """A data folder with a port, and the shop that runs there."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SAMPAN_")},
            "SAMPAN_HOME": str(home),
            "SAMPAN_PORT": str(self.port),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.ready_after = 0.0
        self.log = home.parent / f"{home.name}.log"
        self.said = home.parent / f"{home.name}.said"

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )

    def begin(self, *, demo: bool = False) -> None:
        command = [*PROGRAM, "run", *([] if demo else ["--no-demo"])]
        with open(self.log, "ab") as log, open(self.said, "ab") as said:
            self.process = subprocess.Popen(command, env=self.environment, stdout=said, stderr=log)

    def start(self, *, demo: bool = False) -> float:
        """Seconds until the shop was ready."""
        started = time.monotonic()
        self.begin(demo=demo)
        eventually(self.is_ready, 120 if demo else 60)
        self.ready_after = time.monotonic() - started
        return self.ready_after

    def is_ready(self) -> bool:
        """the shop is ready"""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        return self.answers("/health/ready") == 200

    def answers(self, path: str) -> int:
        """The status of a page, 0 when nobody answers."""
        try:
            return httpx.get(self.url + path, timeout=2, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    def stop(self) -> float:
        """Seconds until the supervisor had ended."""
        started = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)
        return time.monotonic() - started

    def children(self) -> dict[int, str]:
        """The supervisor's processes: pid → `web`, `background` or `postgres`."""
        assert self.process is not None
        found = {}
        for pid in children_of(self.process.pid):
            if command_line(pid):
                found[pid] = Path(f"/proc/{pid}/comm").read_text().split()[0]  # of `web 1` the kind
        return found

    def child(self, kind: str) -> int:
        return next((pid for pid, found in self.children().items() if found == kind), 0)

    def family(self) -> list[int]:
        """Everything that works for this folder: the supervisor, its processes, and PostgreSQL's own."""
        assert self.process is not None
        found = [self.process.pid, *self.children()]
        if server := self.child("postgres"):
            found += children_of(server)
        return found

    def kill(self, kind: str) -> int:
        pid: int = eventually(lambda: self.child(kind), 30)
        os.kill(pid, signal.SIGKILL)
        return pid

    def end_all(self) -> None:
        """Whatever a test did, nothing of ours is left behind."""
        if self.process is not None:
            mine = self.family() if self.process.poll() is None else []
            self.stop()
            for pid in mine:
                if command_line(pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        with suppress(OSError, ValueError, IndexError):
            pid = int((self.home / "postgres/postmaster.pid").read_text().splitlines()[0])
            if str(self.home) in command_line(pid):
                os.kill(pid, signal.SIGINT)
                eventually(lambda: not command_line(pid), 20)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that has been used before: its tables are there, the shop does not run."""
    home = tmp_path_factory.mktemp("processes") / "migrated"
    done = House(home).command("migrate")
    assert done.returncode == 0, done.stderr
    return home


def moved_in(migrated: Path, name: str) -> House:
    home = migrated.parent / name
    subprocess.run(["cp", "-a", str(migrated), str(home)], check=True)  # with owners: PostgreSQL insists on its own
    return House(home)


@pytest.fixture
def house(migrated: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A data folder of this test's own."""
    found = moved_in(migrated, f"house-{request.node.name[:40]}")
    yield found
    found.end_all()
    shutil.rmtree(found.home, ignore_errors=True)


@pytest.fixture(scope="module")
def running(migrated: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A shop that runs as long as the tests of a file; tests leave it healthy."""
    found = moved_in(migrated, f"running-{request.node.name[:20].replace('/', '-')}")
    found.start()
    yield found
    found.end_all()
    shutil.rmtree(found.home, ignore_errors=True)
