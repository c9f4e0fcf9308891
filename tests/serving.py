"""An application behind the web server that shops are really run with."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sampan.door import listen
from sampan.kernel.app import Web
from sampan.server import Server


@asynccontextmanager
async def served(app: Web, port: int = 0) -> AsyncIterator[int]:
    """The port it is served on, one that is free unless it is given."""
    with listen("127.0.0.1", port) as door:
        server = Server(app, door)
        server.start()
        try:
            yield door.getsockname()[1]
        finally:
            await server.finish(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
