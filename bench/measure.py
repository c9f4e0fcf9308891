"""What the shop uses up: CPU and memory of its processes from /proc, SQL statements from PostgreSQL's own log."""

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

TICK = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


class Process(Struct):
    """One line of /proc. `name` is what it calls itself; `seconds` of CPU are its own and those of buried children."""

    pid: int
    parent: int
    seconds: float
    name: str
    command: str


def processes() -> dict[int, Process]:
    found = {}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):  # it may end while we look
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            name = (folder / "comm").read_text().rstrip()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            seconds = sum(int(value) for value in fields[11:15]) / TICK
            found[int(folder.name)] = Process(int(folder.name), int(fields[1]), seconds, name, command)
    return found


class Used(Struct):
    """CPU seconds of the application, of PostgreSQL, and of the whole machine so far."""

    application: float
    postgres: float
    machine: float

    def since(self, before: "Used") -> "Used":
        return Used(
            self.application - before.application, self.postgres - before.postgres, self.machine - before.machine
        )

    @property
    def shop(self) -> float:
        return self.application + self.postgres


class Group:
    """The processes of a running shop: the supervisor, all its descendants, PostgreSQL among them."""

    def __init__(self, supervisor: int) -> None:
        self.supervisor = supervisor

    def members(self) -> tuple[list[Process], list[Process]]:
        """The application's processes and PostgreSQL's."""
        everything = processes()
        children: dict[int, list[Process]] = {}
        for process in everything.values():
            children.setdefault(process.parent, []).append(process)

        def below(pid: int) -> Iterator[Process]:
            for child in children.get(pid, []):
                yield child
                yield from below(child.pid)

        application = [everything[self.supervisor]] if self.supervisor in everything else []
        postgres: list[Process] = []
        for child in children.get(self.supervisor, []):
            group = postgres if "/postgres " in child.command else application
            group += [child, *below(child.pid)]
        return application, postgres

    def used(self) -> Used:
        application, postgres = self.members()
        return Used(sum(p.seconds for p in application), sum(p.seconds for p in postgres), machine_seconds())

    def settle(self, *, most: float) -> None:
        """Wait until the work behind the scenes is done (the shop uses less than a tenth of a CPU), `most` seconds."""
        until = time.monotonic() + most
        before = self.used().shop
        while time.monotonic() < until:
            time.sleep(0.3)
            now = self.used().shop
            if now - before < 0.03:
                return
            before = now

    def idle(self, seconds: float) -> float:
        """CPUs used meanwhile."""
        before = self.used().shop
        time.sleep(seconds)
        return (self.used().shop - before) / seconds

    def memory(self) -> tuple[float, float, float]:
        """Proportional set size in MB: of the application, how much of that are pages of files (programs, the search
        index), which the kernel takes back when it needs them, and of PostgreSQL.
        """
        application, postgres = self.members()
        return (
            sum(pss(p.pid) for p in application),
            sum(pss(p.pid, "Pss_File") for p in application),
            sum(pss(p.pid) for p in postgres),
        )

    def web_workers(self) -> list[int]:
        application, _ = self.members()
        return sorted(p.pid for p in application if p.name.startswith("web"))


def machine_seconds() -> float:
    """CPU time that anybody on this machine has used."""
    fields = [int(value) for value in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / TICK


def pss(pid: int, part: str = "Pss") -> float:
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith(f"{part}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def owners(port: int, pids: list[int]) -> dict[int, int]:
    """Which of these processes serves each connection to `port`: the client's port → pid."""
    inodes = {}
    for line in (PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "01":  # established
            inodes[int(fields[9])] = int(fields[2].rpartition(":")[2], 16)
    return {inodes[inode]: pid for pid in pids for inode in sockets_of(pid) if inode in inodes}


def sockets_of(pid: int) -> list[int]:
    """The inodes of a process's sockets."""
    found = []
    with suppress(OSError):
        for entry in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                target = os.readlink(entry)
                if target.startswith("socket:["):
                    found.append(int(target[8:-1]))
    return found


# --- SQL ------------------------------------------------------------------------------------------------------------

PREFIX = "bench %p "  # %p: PostgreSQL's process for the session
ENTRY = re.compile(r"^bench (\d+) LOG:  (?:statement|execute [^:]*): ", re.M)


class Logged(NamedTuple):
    """A statement, on one line, and the session (by its process) that sent it."""

    session: int
    text: str


class StatementLog:
    """Every statement that any process of the shop sends, as PostgreSQL logs it (`log_statement = all`)."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.place = log.stat().st_size if log.exists() else 0

    def new(self) -> list[Logged]:
        """The statements since the last look."""
        with open(self.log, "rb") as file:
            file.seek(self.place)
            data = file.read()
        self.place += len(data)
        parts = ENTRY.split(data.decode(errors="replace"))[1:]
        found = []
        for session, part in zip(parts[::2], parts[1::2], strict=True):
            lines = part.split("\n")
            more = [line for line in lines[1:] if line.startswith("\t")]
            found.append(Logged(int(session), " ".join(" ".join([lines[0], *more]).split()).removesuffix(";")))
        return found

    def wait_and_see(self, seconds: float) -> list[Logged]:
        """The statements of the next seconds."""
        self.new()
        time.sleep(seconds)
        return self.new()

    def rate(self, seconds: float) -> float:
        """Statements a second while nobody asks for anything."""
        return len(self.wait_and_see(seconds)) / seconds


class Statements(Struct):
    """The mean number of statements of one operation, and what they are.

    `answering`: sent by the web workers until the answers are there. `behind`: by the background process meanwhile, and
    by anybody in the half second after; what would have been sent anyway is taken off. `crowded`: everything that
    anybody sends, with many buyers at once, for a write. `by_step`: those of each step, and of the work `(behind)`, by
    text.
    """

    answering: float
    behind: float
    by_step: dict[str, dict[str, float]]
    crowded: float | None = None


BEHIND = "(behind)"
MARK = "SELECT 'bench'"


@contextmanager
def logged(log: Path, psql: "Psql") -> Iterator[StatementLog]:
    """PostgreSQL logs all statements as long as the block runs."""
    names = ("log_statement", "log_line_prefix", "log_parameter_max_length")
    for name, value in zip(names, ("all", PREFIX, "0"), strict=True):
        psql(f"ALTER SYSTEM SET {name} = '{value}'")
    seen = StatementLog(log)
    psql("SELECT pg_reload_conf()")
    try:
        until = time.monotonic() + 20
        while not any(text == MARK for _, text in seen.new()):
            if time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL logs no statements to {log}")
            psql(MARK)
            time.sleep(0.1)
        time.sleep(0.3)  # the shop's sessions learn it a moment later than new ones
        yield seen
    finally:
        for name in names:
            psql(f"ALTER SYSTEM RESET {name}")
        psql("SELECT pg_reload_conf()")


class Psql:
    """Statements as the database's administrator."""

    def __init__(self, program: Path, sockets: Path) -> None:
        self.program = program
        self.sockets = sockets

    def __call__(self, sql: str, database: str = "postgres") -> str:
        done = subprocess.run(
            [str(self.program), "-h", str(self.sockets), "-U", "postgres", "-X", "-q", "-A", "-t", "-c", sql, database],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


class Counts:
    """Adds up statements by step over several operations."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, list[Logged]]] = []

    def add(self, step: str, statements: list[Logged]) -> None:
        self.steps.append((step, statements))

    def mean(self, times: int, *, web: set[int], polls: float, crowded: float | None) -> Statements:
        """Of so many operations. `web`: the web workers' sessions. `polls`: statements that would have come anyway."""
        by_step: dict[str, Counter[str]] = {}
        for step, statements in self.steps:
            for session, text in statements:
                place = step if session in web else BEHIND
                by_step.setdefault(place, Counter())[text] += 1
        totals = {step: counter.total() for step, counter in by_step.items()}
        behind = max(0.0, totals.pop(BEHIND, 0) - polls)
        return Statements(
            answering=sum(totals.values()) / times,
            behind=behind / times,
            by_step={
                step: {text: count / times for text, count in counter.most_common()}
                for step, counter in by_step.items()
            },
            crowded=crowded,
        )
