"""What facets, values and categories are called: kept in memory, read again when the index was written."""

import asyncio
import os
from pathlib import Path

from sampan.kernel.db import Database, DatabaseUnavailable
from sampan.services.search import store
from sampan.services.search.rules import Names

Stamp = tuple[int, int, int]


class NamesInMemory:
    """The names of one process. `file` is replaced with every write of the index, by whichever process writes it."""

    def __init__(self, db: Database, file: Path) -> None:
        self.db = db
        self.file = str(file)
        self._names: Names | None = None
        self._stamp: Stamp | None = None
        self._loading = asyncio.Lock()

    async def current(self) -> Names:
        """The names as of the last write of the index; older ones while the database is away."""
        if self._names is not None and self._stamp == self._now():
            return self._names
        async with self._loading:
            stamp = self._now()
            if self._names is None or self._stamp != stamp:
                try:
                    self._names, self._stamp = await self.read(), stamp
                except DatabaseUnavailable:
                    if self._names is None:
                        raise
            return self._names

    async def read(self) -> Names:
        """The names as they stand in the database."""
        async with self.db.read() as tx:
            return Names(await store.labels(tx), await store.categories(tx))

    def _now(self) -> Stamp | None:
        try:
            found = os.stat(self.file)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
