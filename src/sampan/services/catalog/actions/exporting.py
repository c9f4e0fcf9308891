"""The export: all products as a table, a piece at a time, so that it costs the same memory however many there are."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from sampan.kernel.db import Database
from sampan.services.catalog.actions.columns import cells_of, columns_for
from sampan.services.catalog.actions.sheet import Separator, Writer
from sampan.services.catalog.store import products, shelves
from sampan.services.catalog.store.products import StoredProduct

PAGE: Final = 100  # products read at once
FIRST: Final = UUID(int=0)


async def table_of(db: Database, separator: Separator) -> AsyncIterator[bytes]:
    """Pieces of the file: the header, then products in the order in which they were made, each whole.

    No connection is held between two pieces, however slowly they are taken. A product that is changed meanwhile is
    there as it was or as it is.
    """
    async with db.read() as tx:
        types = {each.code: each for each in await shelves.types(tx)}
    columns = columns_for(types.values())
    writer = Writer(separator)
    yield writer.piece([columns])
    after = FIRST
    while True:
        async with db.read() as tx:
            page: list[StoredProduct] = await products.products_after(tx, after, PAGE)
        if not page:
            return
        rows = (row for product in page for row in cells_of(product, types))
        yield writer.piece([row.get(column, "") for column in columns] for row in rows)
        after = page[-1].id
