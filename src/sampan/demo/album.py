"""Drawings as pictures of the catalog: rasterised in processes of their own, kept like uploads."""

import asyncio
import hashlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Final

import resvg_py
from msgspec import Struct
from PIL import Image
from tqdm import tqdm

from sampan.demo.art import stage
from sampan.kernel.files import Files
from sampan.services.catalog.actions.pictures import Renditions, encoded, keep_renditions, key_for

QUALITY: Final = 78
METHOD: Final = 2  # of WebP: half the time of the usual 4, files five per cent larger
MOST_PROCESSES: Final = 4


class Drawing(Struct, frozen=True):
    """An SVG drawing, and how wide in pixels its widest rendition is."""

    svg: str
    width: int

    @property
    def height(self) -> int:
        return round(self.width * stage.HEIGHT / stage.WIDTH)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.svg.encode()).hexdigest()

    @property
    def key(self) -> str:
        return key_for(self.digest, self.width, self.width, self.height)


def rasterised(drawing: Drawing) -> Renditions:
    """The drawing's renditions."""
    png = resvg_py.svg_to_bytes(svg_string=drawing.svg, width=drawing.width, skip_system_fonts=True)
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    return encoded(picture, quality=QUALITY, method=METHOD)


async def keep(files: Files, drawings: Sequence[Drawing]) -> None:
    """Rasterise and keep those of the drawings that are not kept yet, with a progress bar on a terminal."""
    missing = [drawing for drawing in dict.fromkeys(drawings) if not await files.exists(drawing.key)]
    if not missing:
        return
    loop, left = asyncio.get_running_loop(), iter(missing)
    count = min(os.cpu_count() or 1, MOST_PROCESSES, len(missing))
    with (
        tqdm(total=len(missing), desc="Drawing the goods", unit=" pictures", disable=not sys.stderr.isatty()) as bar,
        processes(count) as pool,
    ):

        async def work() -> None:
            for drawing in left:
                made = await loop.run_in_executor(pool, rasterised, drawing)
                await keep_renditions(files, drawing.digest, made, {})
                bar.update()

        async with asyncio.TaskGroup() as group:
            for _ in range(2 * count):  # while one's pictures are being kept, the other's are drawn
                group.create_task(work())


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes to draw or write in, because either keeps the interpreter to itself.

    They are started afresh, not forked: this process has threads and connections.
    """
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=follow_the_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def follow_the_parent() -> None:
    """Ctrl-C is for the parent to answer; when the parent is gone, however it ended, so are we."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=end_with, args=(parent,), daemon=True).start()


def end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
