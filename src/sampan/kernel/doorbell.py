"""Wakes the other processes of this machine when there is news.

Each process listens on a datagram socket in one folder; ringing sends a name to all the others, once for all that rings
within some milliseconds. A lost ring
costs a moment, never an event: whoever listens also looks by itself now and then.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
import tempfile
import time
from pathlib import Path

from sampan.kernel.feed import Signals
from sampan.kernel.postgres import make_private

GATHER = 0.005  # seconds


def bell_folder(home: Path) -> Path:
    """A short path for the sockets of one data folder (socket paths have about 100 bytes)."""
    digest = hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"sampan-{digest}-bell"


class Doorbell:
    """One process's bell. `ring` is called after each commit with events: it costs next to nothing.

    Raises PostgresFailed for a folder that is not ours.
    """

    def __init__(self, folder: Path, signals: Signals) -> None:
        self.signals = signals
        self.folder = folder
        make_private(folder, {os.geteuid()})
        self.path = str(folder / f"{os.getpid()}.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(self.path)
        self._others: list[str] = []
        self._looked = 0.0
        self._rung: set[str] = set()

    def listen(self) -> None:
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    def ring(self, name: str) -> None:
        self.signals.fire(name)
        if not self._rung:
            asyncio.get_running_loop().call_later(GATHER, self._send)
        self._rung.add(name)

    def _send(self) -> None:
        rung, self._rung = self._rung, set()
        now = time.monotonic()
        if now - self._looked > 1:
            self._others = [str(p) for p in self.folder.glob("*.sock") if str(p) != self.path]
            self._looked = now
        for name in rung:
            for other in self._others:
                try:
                    self.socket.sendto(name.encode(), other)
                except BlockingIOError:
                    pass  # it has more rings waiting than it needs
                except OSError:
                    with contextlib.suppress(OSError):
                        os.unlink(other)  # that process is gone
                    self._looked = 0.0

    def _read(self) -> None:
        heard = set()
        with contextlib.suppress(BlockingIOError):
            for _ in range(1000):
                heard.add(self.socket.recv(64))
        for service in heard:
            self.signals.fire(service.decode("ascii", "replace"))

    def close(self) -> None:
        with contextlib.suppress(Exception):
            asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
