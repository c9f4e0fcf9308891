"""What an answer is sent with."""

import asyncio

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
