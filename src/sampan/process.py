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
from contextlib import suppress
from typing import Any

import uvloop

from sampan.kernel.doorbell import Doorbell, bell_folder
from sampan.kernel.logs import configure
from sampan.kernel.settings import Settings
from sampan.kernel.watch import keep_measuring
from sampan.run import Shop, compose
from sampan.server import Server

log = logging.getLogger(__name__)

LAST = 30.0  # seconds after which an orphan ends, whatever it still does
GRACE = 20.0  # seconds for requests under way when we are asked to stop
# Python looks for circles of objects after so many new ones; by default after 700, through all of them now and then.
RARELY = (5_000, 20, 20)


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
    if web is not None:
        await shop.answers.clear()  # of what lies in Redis nobody knows what changed while no process followed
        tasks.append(asyncio.create_task(shop.drop_stale_answers(), name="drop stale answers"))
        tasks.append(asyncio.create_task(keep_measuring(list(shop.watches().values())), name="measure"))
        server = Server(shop.web(), web)
        tasks.append(server.start())
    waiting = asyncio.create_task(stop.wait())
    # What is here now stays: looking through it again and again made everybody wait for 30 ms, and cost 2 % of the CPU.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY)
    log.info("started", extra={"services": ",".join(shop.services), "web": web is not None, "work": work})
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {waiting}:
        log.critical("a part of the process ended", extra={"part": task.get_name()}, exc_info=task.exception())
    await end(shop, server, tasks, bell)
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


async def end(shop: Shop, server: Server | None, tasks: list[asyncio.Task[Any]], bell: Doorbell) -> None:
    """Finish what is under way, then let go of everything."""
    if server is not None:
        await server.finish(GRACE)
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


def fill(settings: Settings, urls: dict[str, str], *, supervisor: int) -> None:
    """Put the demo goods into a shop that has none, in a process of its own; a shop with goods is left alone.

    SIGINT breaks it off in good order.
    """
    from sampan.demo.seed import seed_demo  # nobody else needs it

    async def work() -> None:
        shop = await compose(settings, urls)
        try:
            await seed_demo(shop, only_if_empty=True)
        finally:
            await shop.close()

    end_when_orphaned(supervisor)
    configure("seed", settings.core.log_level)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        uvloop.run(work())
