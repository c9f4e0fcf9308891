"""How answers are sent. What comes in is tried in tests/hostile/test_wire.py."""

import asyncio
import socket
from typing import Any

import pytest
from tests.serving import served

from sampan import server
from sampan.server import Gathering


class Wire:
    """A transport that notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.written.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.written


async def test_head_and_body_go_out_together() -> None:
    wire = Wire()
    transport = Gathering(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
    transport.write(b"head ")
    transport.write(b"body")
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [b"head body"]
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.written == [b"head body", b"next"]


async def test_what_is_large_does_not_lie_about() -> None:
    wire = Wire()
    transport = Gathering(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
    transport.write(b"head")
    transport.write(b"b" * server.AT_ONCE)
    assert len(wire.written) == 1
    transport.write(b"more")
    await asyncio.sleep(0)
    assert wire.written[1:] == [b"more"]


async def test_all_is_written_before_it_closes() -> None:
    wire = Wire()
    transport = Gathering(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert wire.written == [b"last words", b"closed"]
    assert transport.is_closing()


async def much(scope: Any, receive: Any, send: Any) -> None:
    """An application with an answer that no system takes in one piece."""
    body = b"x" * 50_000_000
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def fetched(port: int, *, pause: float) -> int:
    """How many bytes come to somebody who begins to read after so many seconds, until the server hangs up."""
    with socket.socket() as line:
        line.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(line, ("127.0.0.1", port))
        await loop.sock_sendall(line, b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(pause)
        found = 0
        try:
            while piece := await asyncio.wait_for(loop.sock_recv(line, 1 << 20), 20):
                found += len(piece)
        except ConnectionError:
            pass
        return found


async def test_one_connection_too_many_is_refused_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        return (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10))[9:12]

    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    async with served(hello) as port:  # type: ignore[arg-type]
        lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert [await asked(*line) for line in lines] == [b"204"] * 2
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 503 ")
        writer.close()
        assert [await asked(*line) for line in lines] == [b"204"] * 2
        lines.pop()[1].close()
        await asyncio.sleep(0.1)
        lines.append(await asyncio.open_connection("127.0.0.1", port))
        assert [await asked(*line) for line in lines] == [b"204"] * 2
        for _, writer in lines:
            writer.close()


async def test_who_does_not_read_what_he_asked_for_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(much) as port:  # type: ignore[arg-type]
        assert await fetched(port, pause=0) > 50_000_000
        monkeypatch.setattr(server, "READ_SECONDS", 0.2)
        assert await fetched(port, pause=1) < 50_000_000
