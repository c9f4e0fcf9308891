"""Keeping the index like the table: change by change, or whole.

Beside the index lies `place.json`, and in the database `search.indexed`; both say which build the index is and the last
change in it. The file travels with the folder, so a folder that is lost, old or of another database is noticed.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
from tqdm import tqdm

from sampan.kernel.db import Database
from sampan.kernel.ids import uuid7
from sampan.services.search import rules, store
from sampan.services.search.contract import IndexChanged, IndexUnavailable
from sampan.services.search.engine.interface import Index, Writer
from sampan.services.search.engine.writer import TantivyWriter
from sampan.services.search.rules import Names, Place
from sampan.services.search.store import ChangedDocument

BATCH: Final = 500  # products read at once
COMMIT: Final = 10  # batches that become visible at once: a commit costs as much as a hundred products
COUNTED_EVERY: Final = 60.0  # seconds
_FIRST: Final = UUID(int=0)


class Indexing:
    """The one writer of an index folder; `folder` is locked while it writes."""

    def __init__(self, db: Database, folder: Path, index: Index) -> None:
        self.db = db
        self.folder = folder
        self.file = folder / "place.json"
        self.index = index
        self._counted = 0.0

    async def catch_up(self) -> None:
        """Bring the index up to date; one that cannot be is made anew. Raises IndexUnavailable while another process
        writes."""
        at = await asyncio.to_thread(self._place)
        async with self.db.read() as tx:
            known = await store.place(tx)
        if at is None or not rules.is_continued_by(at, known) or not self._is_readable():
            return await self.rebuild()
        if not await self._apply(at) and await self._is_off():
            await self.rebuild()
        return None

    async def rebuild(self, *, progress: bool = False, patience: float = 0.0) -> None:
        """Make a new index of everything that is listed and put it in use in one step; the old one answers until then.

        Another writer is waited for for `patience` seconds. Raises IndexUnavailable when it does not let go.
        """
        async with self.db.read() as tx:
            state = await store.state(tx, after=0)
        writer = await self._right_to_write(patience)
        try:
            names = await self._names()
            with tqdm(total=state.listed, unit=" products", disable=not progress) as bar:
                after = _FIRST
                while batch := await self._listed(after):
                    await asyncio.to_thread(apply, writer, batch, names)
                    after = batch[-1].product_id
                    bar.update(len(batch))
            await asyncio.to_thread(writer.publish)
            # What changed since the first statement has a higher number, and is caught up with.
            await self._note(Place(uuid7(), state.change))
        finally:
            await asyncio.to_thread(writer.close)
        self._counted = time.monotonic()

    def renew(self) -> None:
        """Tell all processes that names changed, by replacing the file they watch."""
        at = self._place()
        if at is not None:
            self._write(at)

    async def _apply(self, at: Place) -> bool:
        """Index what changed; False when nothing did."""
        batch = await self._changed(at.change)
        if not batch:
            return False
        try:
            writer: Writer = await asyncio.to_thread(TantivyWriter.open, self.folder)
        except IndexUnavailable:
            await self.rebuild()  # it can be read, but not written; or another process writes, which this says too
            return True
        try:
            names = await self._names()
            for number in itertools.count(1):
                await asyncio.to_thread(apply, writer, batch, names)
                change = batch[-1].change
                batch = await self._changed(change) if len(batch) == BATCH else []
                if not batch:
                    break
                if number % COMMIT == 0:
                    await asyncio.to_thread(writer.commit)
                    await self._note(Place(at.build, change))
            # This also merges segments: a writer that is closed before leaves ever more of them.
            await asyncio.to_thread(writer.publish)
            await self._note(Place(at.build, change))
        finally:
            await asyncio.to_thread(writer.close)
        return True

    async def _changed(self, after: int) -> list[ChangedDocument]:
        async with self.db.read() as tx:
            return await store.changed(tx, after=after, limit=BATCH)

    async def _listed(self, after: UUID) -> list[ChangedDocument]:
        async with self.db.read() as tx:
            return await store.listed(tx, after=after, limit=BATCH)

    async def _names(self) -> Names:
        async with self.db.read() as tx:
            return Names(categories=await store.categories(tx))

    async def _note(self, at: Place) -> None:
        """The database first: an index that seems to know less than it does only repeats a little."""
        async with self.db.begin() as tx:
            await store.put_place(tx, at)
            await tx.emit(IndexChanged(change=at.change))
        await asyncio.to_thread(self._write, at)

    async def _is_off(self) -> bool:
        """True when the index holds more or fewer products than it should; looked at once a minute."""
        if self._counted and time.monotonic() - self._counted < COUNTED_EVERY:
            return False
        self._counted = time.monotonic()
        async with self.db.read() as tx:
            known = await store.place(tx)
            state = await store.state(tx, after=known.change if known else 0)
        return state.pending == 0 and self.index.count() != state.listed

    async def _right_to_write(self, patience: float) -> TantivyWriter:
        until = time.monotonic() + patience
        while True:
            try:
                return await asyncio.to_thread(TantivyWriter.rebuild, self.folder)
            except IndexUnavailable:
                if time.monotonic() >= until:
                    raise
            await asyncio.sleep(0.2)

    def _is_readable(self) -> bool:
        try:
            self.index.count()
        except IndexUnavailable:
            return False
        return True

    def _place(self) -> Place | None:
        try:
            return msgspec.json.decode(self.file.read_bytes(), type=Place)
        except (OSError, msgspec.DecodeError):
            return None

    def _write(self, at: Place) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(at))
        os.replace(fresh, self.file)


def apply(writer: Writer, batch: Sequence[ChangedDocument], names: Names) -> None:
    """Put products into the index and take others out."""
    writer.delete(str(row.product_id) for row in batch if row.product is None)
    writer.upsert(
        rules.indexed_for(row.product, sold=row.sold, names=names) for row in batch if row.product is not None
    )
