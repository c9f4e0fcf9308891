"""The shop that is measured: a data folder with seeded goods, started as an operator starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.drive import Caller, request
from bench.measure import Group, Psql
from sampan.kernel.postgres import EmbeddedPostgres, binaries

PROGRAM = [sys.executable, "-m", "sampan.commands"]


class DidNotStart(Exception):
    """The shop was not ready in time; the text is the end of its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningShop:
    """`home` is filled with so many made-up products once and kept for the next run."""

    def __init__(self, home: Path, *, workers: int) -> None:
        self.home = home.absolute()
        self.workers = workers
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.embedded = EmbeddedPostgres(self.home / "postgres")
        self.psql = Psql(binaries() / "psql", self.embedded.sockets)
        self.log = self.home / "bench.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SAMPAN_")},
            "SAMPAN_HOME": str(self.home),
            "SAMPAN_PORT": str(self.port),
            "SAMPAN_WORKERS": str(workers),
            "SAMPAN_RATE_LIMITS": "no",
        }

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*PROGRAM, *arguments], env=self.environment, stdout=subprocess.PIPE, text=True, check=False
        )
        if check and done.returncode:
            raise SystemExit(f"sampan {' '.join(arguments)} ended with {done.returncode}")
        return done

    def seed(self, products: int, *, demo: bool) -> None:
        """Fill the folder, unless it is filled already; with the demo's goods and home page too, if wanted."""
        mark = self.home / "seeded"
        if mark.exists() and mark.read_text().strip() == str(products):
            return
        if (self.home / "postgres").exists():
            raise SystemExit(f"{self.home} has other goods in it, or was left half filled; remove it")
        self.home.mkdir(parents=True, exist_ok=True)
        print(f"filling {self.home} with {products} products (once) …", file=sys.stderr)
        if demo:
            self.command("seed")
        self.command("seed", "--products", str(products))
        mark.write_text(f"{products}\n")

    def seeding(self, products: int) -> float:
        """Made-up products a second, put into an empty folder beside this one (the command's own figure: what a new
        shop does in any case is apart)."""
        with tempfile.TemporaryDirectory(prefix=f"{self.home.name}-", dir=self.home.parent) as folder:
            done = subprocess.run(
                [*PROGRAM, "seed", "--products", str(products)],
                env={**self.environment, "SAMPAN_HOME": folder},
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        found = re.search(r"products in .*, ([0-9]+) a second", done.stderr)
        if done.returncode or found is None:
            raise SystemExit(f"sampan seed ended with {done.returncode}: {done.stderr}")
        return float(found[1])

    def start(self) -> float:
        """Seconds until it answered that it is ready; returns when every worker serves.

        Raises:
            DidNotStart: it is not ready within 90 seconds.
        """
        started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "run", "--no-demo"], env=self.environment, stdout=log, stderr=log
            )
        ready, caller = 0.0, Caller(self.port)
        while time.monotonic() < started + 90 and self.process.poll() is None:
            with suppress(OSError, EOFError):
                if not ready and caller.ask(request("GET", "/health/ready")).status == 200:
                    ready = time.monotonic() - started
            if ready and self.log.read_text(errors="replace").count('"message":"started"') > self.workers:
                caller.close()
                return ready
            time.sleep(0.02)
        raise DidNotStart(self.log.read_text(errors="replace")[-2000:])

    @property
    def group(self) -> Group:
        assert self.process is not None
        return Group(self.process.pid)

    @property
    def postgres_log(self) -> Path:
        return self.home / "postgres.log"

    def key(self) -> str:
        """An API key that may do everything."""
        return self.command("key", "create", "bench", "--permissions", "all").stdout.strip()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)
