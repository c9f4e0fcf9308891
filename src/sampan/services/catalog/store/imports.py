"""Imports: what was sent, how far it is, and what came of each product."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx

ADD = """
INSERT INTO catalog.import (id, dry_run, columns, rows, products, actor, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
ADD_PRODUCTS = """
INSERT INTO catalog.import_product (import_id, place, handle, row, rows, errors)
SELECT $1, place, handle, row, rows, errors
  FROM jsonb_to_recordset($2) AS t (place bigint, handle text, row bigint, rows jsonb, errors jsonb)
"""
COLUMNS = """id, dry_run, columns, rows, products, up_to, created, changed, unchanged, refused, actor, request_id,
       made_at, finished_at"""
FIND = f"SELECT {COLUMNS} FROM catalog.import WHERE id = $1"
OLDEST = f"SELECT {COLUMNS} FROM catalog.import WHERE finished_at IS NULL ORDER BY id LIMIT 1"
OPEN = "SELECT count(*) FROM catalog.import WHERE finished_at IS NULL"
NEXT = """
SELECT place, handle, row, rows, errors FROM catalog.import_product
 WHERE import_id = $1 AND place > $2 ORDER BY place LIMIT $3
"""
# Whoever holds the row works on; that `up_to` is what he read makes sure that he works on what is not done.
HOLD = "SELECT id FROM catalog.import WHERE id = $1 AND up_to = $2 FOR UPDATE SKIP LOCKED"
RECORD = """
UPDATE catalog.import_product p
   SET rows = '[]', outcome = n.outcome, product_id = n.product_id, changes = n.changes, errors = n.errors
  FROM jsonb_to_recordset($2) AS n (place bigint, outcome text, product_id uuid, changes jsonb, errors jsonb)
 WHERE p.import_id = $1 AND p.place = n.place
"""
MOVE = """
UPDATE catalog.import
   SET up_to = $2, created = created + $3, changed = changed + $4, unchanged = unchanged + $5, refused = refused + $6,
       finished_at = CASE WHEN $2 = products THEN now() END
 WHERE id = $1
"""
ADD_SLUGS = """
INSERT INTO catalog.import_slug (import_id, slug, product_id) SELECT $1, * FROM unnest($2::text[], $3::uuid[])
ON CONFLICT DO NOTHING
"""
MET = "SELECT product_id FROM catalog.import_product WHERE import_id = $1 AND product_id = ANY($2)"
ITEMS = """
SELECT place, handle, row, outcome, product_id, changes, errors FROM catalog.import_product
 WHERE import_id = $1 AND place > $2 AND outcome IS NOT NULL AND ($3::text IS NULL OR outcome = $3)
 ORDER BY place LIMIT $4
"""
PURGE = """
DELETE FROM catalog.import
 WHERE id = (SELECT id FROM catalog.import WHERE finished_at < now() - interval '30 days' ORDER BY id LIMIT 1)
"""


Outcome = Literal["created", "changed", "unchanged", "refused"]


class RowError(Struct, frozen=True):
    """What is wrong in a row. `code` chooses the sentence, `value` is the cell, shortened."""

    row: int
    column: str
    code: str
    value: str = ""


class SheetRow(Struct, frozen=True):
    """A row as it stands in the file. `number` is the one a spreadsheet shows: the header is row 1."""

    number: int
    cells: list[str]


class CellChange(Struct, frozen=True):
    """A cell that says another thing than before; `sku` names the variant it is about, empty for the product."""

    sku: str
    column: str
    before: str
    after: str


class StoredImport(Struct, frozen=True):
    """An import and its progress: the first `up_to` of its products are done."""

    id: UUID
    dry_run: bool
    columns: list[str]
    rows: int
    products: int
    up_to: int
    created: int
    changed: int
    unchanged: int
    refused: int
    actor: str
    request_id: str
    made_at: datetime
    finished_at: datetime | None


class SentProduct(Struct, frozen=True):
    """The rows of one handle, and what is wrong with them at first sight."""

    place: int
    handle: str
    row: int
    rows: list[SheetRow]
    errors: list[RowError]


class Done(Struct, frozen=True):
    """What came of a product. `product_id` is the one that its handle leads to, None as long as there is none."""

    place: int
    outcome: Outcome
    product_id: UUID | None = None
    changes: list[CellChange] = []
    errors: list[RowError] = []


class ImportItem(Struct, frozen=True):
    """What came of a product, with its first row."""

    place: int
    handle: str
    row: int
    outcome: Outcome
    product_id: UUID | None
    changes: list[CellChange]
    errors: list[RowError]


async def add(
    tx: Tx,
    *,
    import_id: UUID,
    dry_run: bool,
    columns: Sequence[str],
    rows: int,
    products: int,
    actor: str,
    request_id: str,
) -> None:
    await tx.execute(ADD, import_id, dry_run, columns, rows, products, actor, request_id)


async def add_products(tx: Tx, import_id: UUID, products: Sequence[SentProduct]) -> None:
    await tx.execute(ADD_PRODUCTS, import_id, products)


async def find(tx: Tx, import_id: UUID) -> StoredImport:
    """Raises NotFound."""
    return await tx.one(StoredImport, FIND, import_id)


async def oldest(tx: Tx) -> StoredImport | None:
    """The import whose turn it is."""
    return await tx.maybe(StoredImport, OLDEST)


async def count_open(tx: Tx) -> int:
    return await tx.one(int, OPEN)


async def next_products(tx: Tx, due: StoredImport, limit: int) -> list[SentProduct]:
    return await tx.many(SentProduct, NEXT, due.id, due.up_to, limit)


async def hold(tx: Tx, due: StoredImport) -> bool:
    """True if nobody else works on the import, nor has since it was read; nobody will until this transaction ends."""
    return await tx.maybe(UUID, HOLD, due.id, due.up_to) is not None


async def met(tx: Tx, due: StoredImport, products: Collection[UUID]) -> set[UUID]:
    """Those of the products that an earlier handle of this file led to."""
    return set(await tx.many(UUID, MET, due.id, list(products)))


async def add_slugs(tx: Tx, due: StoredImport, owners: Mapping[str, UUID]) -> None:
    """Slugs that products would have got in this dry run."""
    await tx.execute(ADD_SLUGS, due.id, list(owners), list(owners.values()))


async def record(tx: Tx, due: StoredImport, done: Sequence[Done]) -> None:
    """What came of the next products."""
    await tx.execute(RECORD, due.id, done)
    counts = [sum(each.outcome == kind for each in done) for kind in get_args(Outcome)]
    await tx.execute(MOVE, due.id, done[-1].place, *counts)


async def items(tx: Tx, import_id: UUID, *, outcome: str | None, after: int, limit: int) -> list[ImportItem]:
    """The products that are done, in the order of the file."""
    return await tx.many(ImportItem, ITEMS, import_id, after, outcome, limit)


async def purge(tx: Tx) -> None:
    """One import that ended a month ago is forgotten."""
    await tx.execute(PURGE)
