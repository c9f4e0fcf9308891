"""One process of the shop: it serves HTTP, or works behind the scenes, or both.

The supervisor starts these; a service of a fleet is one that does both.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
import time
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.server.embed import Server

from sampan.kernel.app import Web
from sampan.kernel.doorbell import Doorbell, bell_folder
from sampan.kernel.logs import configure
from sampan.kernel.settings import Settings
from sampan.kernel.watch import keep_measuring
from sampan.run import Shop, compose

log = logging.getLogger(__name__)

# That a process holds, mostly idle ones: how many requests it works on at once is up to the edge (kernel/app.py).
MOST_CONNECTIONS = 20_000
LAST = 30.0  # seconds after which an orphan ends, whatever it still does
GRACE = 20.0  # seconds for requests under way when we are asked to stop
# Python looks for circles of objects after so many new ones; by default after 700, through all of them now and then.
RARELY = (5_000, 20, 20)


class FdServer(Server):  # type: ignore[misc]
    """Granian on a listening socket that the supervisor holds, so that no connection is lost when a worker restarts."""

    def __init__(self, app: Web, descriptor: int) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            log_enabled=False,
            websockets=False,
            backlog=2048,
            backpressure=MOST_CONNECTIONS,
        )
        self.descriptor = descriptor

    def _init_shared_socket(self) -> None:
        self._ssp = None
        self._shd = SocketHolder(self.descriptor, False, 2048)  # type: ignore[call-arg]
        self._sfd = self.descriptor


async def run(
    settings: Settings, names: list[str], urls: dict[str, str], *, web: socket.socket | None, work: bool
) -> None:
    """Compose the services and run until SIGTERM or SIGINT."""
    shop = await compose(settings, urls, names)
    bell = Doorbell(bell_folder(settings.home), shop.signals)
    bell.listen()
    shop.ring = bell.ring
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks: list[asyncio.Task[Any]] = []
    if work:
        tasks.append(asyncio.create_task(shop.work(), name="work"))
    server = None
    app = None
    if web is not None:
        app = shop.web()
        await shop.answers.clear()  # of what lies in Redis nobody knows what changed while no process followed
        tasks.append(asyncio.create_task(shop.drop_stale_answers(), name="drop stale answers"))
        tasks.append(asyncio.create_task(keep_measuring(list(shop.watches().values())), name="measure"))
        server = FdServer(app, web.fileno())
        tasks.append(asyncio.create_task(server.serve(), name="web"))
    waiting = asyncio.create_task(stop.wait())
    # What is here now stays: looking through it again and again made everybody wait for 30 ms, and cost 2 % of the CPU.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY)
    log.info("started", extra={"services": ",".join(shop.services), "web": web is not None, "work": work})
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {waiting}:
        log.critical("a part of the process ended", extra={"part": task.get_name()}, exc_info=task.exception())
    await end(shop, app, server, tasks, bell)
    if done - {waiting}:
        raise SystemExit(70)


def end_when_orphaned(supervisor: int) -> None:
    """When the supervisor was killed, nobody would ever stop us. A thread, so that nothing that hangs hinders it."""

    def watch() -> None:
        while os.getppid() == supervisor:
            time.sleep(1)
        log.error("the supervisor is gone")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(LAST)
        log.critical("the process did not end by itself")
        os._exit(70)

    threading.Thread(target=watch, name="orphan", daemon=True).start()


async def end(
    shop: Shop, app: Web | None, server: FdServer | None, tasks: list[asyncio.Task[Any]], bell: Doorbell
) -> None:
    """Finish what is under way, then let go of everything."""
    if server is not None and app is not None:
        server.stop()
        until = asyncio.get_running_loop().time() + GRACE
        while app.in_flight and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 -- a count, not an event
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=8)  # of what does not stop the loop gets rid when it closes
    bell.close()
    await shop.close()
    log.info("stopped")


def main(
    settings: Settings,
    names: list[str],
    urls: dict[str, str],
    *,
    web: socket.socket | None,
    work: bool,
    supervisor: int = 0,
) -> None:
    """Run one process to its end, with the named services (all, if none is named) on the databases at `urls`.

    It serves on the listening socket `web`, if there is one. It ends with the process `supervisor`, if there is one.
    """
    if supervisor:
        end_when_orphaned(supervisor)
    configure(",".join(names) or ("background" if web is None else "web"), settings.core.log_level)
    uvloop.run(run(settings, names, urls, web=web, work=work))
