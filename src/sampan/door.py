"""The door of a shop: the sockets it listens on, and whether somebody opens."""

import errno
import http.client
import socket
import sys
import time

from sampan.kernel.errors import ShopError
from sampan.kernel.settings import BadSetting


class PortTaken(ShopError, code="kernel.port_taken", status=500):
    """Somebody else listens on the port, or it is not for everybody."""


def listen(host: str, port: int, *, seconds: float = 0.0, beside: bool = False) -> socket.socket:
    """A listening socket that children inherit; a taken port may become free within `seconds`. Raises PortTaken.

    `beside`: others of ours may listen on the same port, and the system deals new connections out among all of them.
    """
    until = time.monotonic() + seconds
    while True:
        found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if beside:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            found.bind((host, port))
            break
        except OSError as failure:
            found.close()
            if failure.errno == errno.EACCES:
                raise PortTaken(
                    f"port {port} on {host} is not for us: {failure.strerror}; "
                    "choose one from 1024 on (sampan run --port 8080) and put a proxy before it"
                ) from None
            if failure.errno != errno.EADDRINUSE:
                raise BadSetting(f"SAMPAN_HOST: cannot listen on {host}: {failure.strerror}") from None
            if time.monotonic() >= until:
                raise PortTaken(
                    f"port {port} on {host} is taken; stop what uses it, or choose another: sampan run --port 8080"
                ) from None
        time.sleep(0.1)
    found.listen(2048)
    found.setblocking(False)
    return found


def listen_each(host: str, port: int, count: int, *, seconds: float) -> list[socket.socket]:
    """A listening socket for each of so many workers, so that connections are dealt out evenly among them.

    With one socket for all, whoever wakes first takes most of a burst. Where the system does not deal out (it does on
    Linux) they share one. Raises PortTaken.
    """
    first = listen(host, port, seconds=seconds)  # as nobody's neighbour, so that a taken port is noticed
    if sys.platform != "linux" or count == 1:
        return [first] * count
    first.close()
    return [listen(host, port, beside=True) for _ in range(count)]


def way_in(host: str) -> str:
    """Where a shop that listens on `host` is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def is_ready(host: str, port: int) -> bool:
    """True when a shop that listens there can serve."""
    connection = http.client.HTTPConnection(way_in(host), port, timeout=1.0)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
