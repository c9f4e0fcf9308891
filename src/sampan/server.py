"""The web server of a process: uvicorn on httptools, and what it lacks against clients who mean no good.

It reads, works and writes in one thread, the loop's. So the loop knows how much waits for it (kernel/places.py), and no
request is handed from thread to thread (docs/decisions/0011-one-thread.md has what that cost).
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sampan.kernel.app import Web

# That a process holds, mostly idle ones: how many requests it works on at once is up to the edge (kernel/app.py).
MOST_CONNECTIONS = 20_000
BACKLOG = 2048
IDLE_SECONDS = 75  # that a connection is kept on which nobody asks anything
HEAD_SECONDS = 30.0  # in which a request says what it wants
HEAD_BYTES = 64 << 10  # that it may take for it, beside the first piece; how much of that we like is up to the edge
REST_SECONDS = 2.0  # that somebody may go on sending who was answered already; hung up on at once he might not read it
READ_SECONDS = 60.0  # in which somebody takes some of the answer he asked for
FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
AT_ONCE = 64 << 10  # bytes that are gathered before they are written


class Gathering:
    """A transport that writes what comes in one turn of the loop at once: an answer's head and body together."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > AT_ONCE:  # so that its buffer tells whoever writes more to wait
            self._flush()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()
            self._size = 0


class Connection(HttpToolsProtocol):
    """A connection that gets to the point: in time, in so many bytes, and in HTTP/1.1."""

    _head_bytes: int | None = 0  # that came after the first piece of a request's head; None outside of one
    _has_begun = False  # a request, in the piece that is read

    def connection_made(self, transport: Any) -> None:
        self._expected: dict[str, asyncio.TimerHandle] = {}
        super().connection_made(Gathering(transport, self.loop))  # type: ignore[arg-type]
        self._expect("head", HEAD_SECONDS)
        if len(self.connections) > MOST_CONNECTIONS:
            self.transport.write(FULL)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        for what in list(self._expected):
            self._has_come(what)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._has_begun = False
        super().data_received(data)
        if self._head_bytes is None and self._is_idle():  # an empty line, which may stand before a request
            if "head" not in self._expected:
                self._expect("head", HEAD_SECONDS)
        elif self._head_bytes is None:
            self._has_come("head")
        elif self._has_begun:
            self._expect("head", HEAD_SECONDS)
        else:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._has_begun = True

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._has_come("rest")

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._expect("rest", REST_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect("reader", READ_SECONDS)

    def resume_writing(self) -> None:
        self._has_come("reader")
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """No other protocol is spoken. What follows on this connection is nothing that could be understood."""
        self.cycle.keep_alive = False

    def _is_idle(self) -> bool:
        return self.cycle.response_complete and not self.cycle.more_body

    def _expect(self, what: str, seconds: float) -> None:
        """Hang up unless it has come by then."""
        self._has_come(what)
        self._expected[what] = self.loop.call_later(seconds, self.transport.abort)

    def _has_come(self, what: str) -> None:
        timer = self._expected.pop(what, None)
        if timer is not None:
            timer.cancel()


class Server(uvicorn.Server):
    """Serves `app` on a listening socket that the supervisor holds, so that no connection is lost when we restart."""

    def __init__(self, app: Web, door: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_SECONDS,
                reset_contextvars=True,  # no request begins with what another one left behind
            )
        )
        self._door = door.dup()  # the server closes what it is given

    def start(self) -> asyncio.Task[None]:
        """Serve from now on; the task ends after `finish`, or with what went wrong."""
        self._serving = asyncio.create_task(self.serve([self._door]), name="web")
        return self._serving

    async def finish(self, seconds: float) -> None:
        """Take nothing new, and answer what is under way, at most so long."""
        self.should_exit = True
        await asyncio.wait([self._serving], timeout=seconds)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for the process as a whole."""
        yield
