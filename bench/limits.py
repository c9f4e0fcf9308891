"""The limits that this machine sets, measured in the same run: what a server and a database can do at best here.

For reads a bare ASGI application under granian, the fastest server that takes such, with as many workers, that answers
a constant of the same size. For writes pgbench on the shop's own PostgreSQL with the shop's settings: its TPC-B (five
statements and a commit to disk) and its select-only.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.server.embed import Server

from bench.drive import Operation, drive, expect, request
from bench.shop import RunningShop, free_port
from sampan.door import listen
from sampan.kernel.postgres import binaries

DATABASE = "bench_limits"


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """`GET /<bytes>` answers so many bytes of JSON."""
    size = int(scope["path"][1:])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": constant(size)})


def constant(size: int, kept: dict[int, bytes] = {}) -> bytes:
    if size not in kept:
        kept[size] = b'{"items":"' + b"x" * (size - 12) + b'"}'
    return kept[size]


@contextmanager
def bare_server(workers: int) -> Iterator[int]:
    """The port of the bare application."""
    port = free_port()
    door = listen("127.0.0.1", port)
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.limits", str(door.fileno())], pass_fds=(door.fileno(),), env=dict(os.environ)
        )
        for _ in range(workers)
    ]
    door.close()
    try:
        drive(port, iter([ask(100) for _ in range(200)]), clients=16)
        yield port
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(10)


def ask(size: int) -> Operation:
    data = request("GET", f"/{size}")
    expect((yield "read", data), 200, b"items")


def bare_rate(port: int, size: int, *, clients: int, seconds: float) -> float:
    """Answers a second of the bare application with bodies of this size."""
    size = max(50, size)
    return drive(port, (ask(size) for _ in repeat(None)), clients=clients, seconds=seconds).rate


def pgbench(shop: RunningShop, *, clients: int, seconds: float, select_only: bool, scale: int) -> float:
    """Transactions a second, on `scale` × 100,000 accounts (those of the first call in a data folder)."""
    host = ["-h", str(shop.embedded.sockets), "-U", "postgres"]
    program = str(binaries() / "pgbench")
    if shop.psql(f"SELECT count(*) FROM pg_database WHERE datname = '{DATABASE}'") == "0":
        shop.psql(f"CREATE DATABASE {DATABASE}")
        subprocess.run([program, *host, "-i", "-q", "-s", str(scale), DATABASE], check=True, capture_output=True)
    command = [program, *host, "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(max(1, round(seconds)))]
    done = subprocess.run(
        [*command, *(["-S"] if select_only else []), DATABASE], check=True, capture_output=True, text=True
    )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


class OnDoor(Server):  # type: ignore[misc]
    """Granian on a socket that listens already."""

    descriptor: int

    def _init_shared_socket(self) -> None:
        self._ssp = None
        self._shd = SocketHolder(self.descriptor, False, 2048)  # type: ignore[call-arg]
        self._sfd = self.descriptor


async def serve(descriptor: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = OnDoor(bare, interface=Interfaces.ASGINL, log_enabled=False, websockets=False, backpressure=20_000)
    server.descriptor = descriptor
    serving = asyncio.create_task(server.serve())
    await stop.wait()
    server.stop()
    await asyncio.wait([serving], timeout=3)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
