"""Products as tables: export and import."""

import logging
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.http import Answer, Request, Routes, Stream, staff
from sampan.kernel.pagination import decode_cursor, page_of
from sampan.services.catalog.actions.catalog_actions import CatalogActions
from sampan.services.catalog.actions.importing import BadImport, TooManyImports
from sampan.services.catalog.actions.sheet import Separator
from sampan.services.catalog.store.imports import CellChange, ImportItem, Outcome, StoredImport

log = logging.getLogger(__name__)

routes = Routes()

Place = Annotated[int, Meta(ge=0, le=1_000_000)]


class ExportQuery(Struct, frozen=True):
    """`separator` is the sign between columns; a spreadsheet set to Vietnamese expects a semicolon."""

    separator: Separator = "comma"


class ImportQuery(Struct, frozen=True):
    """`dry_run` says what would change, and changes nothing."""

    dry_run: bool = False


class ItemsQuery(Struct, frozen=True):
    outcome: Outcome | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 24
    cursor: Annotated[str, Meta(max_length=500)] | None = None


class ShownError(Struct, frozen=True):
    """What is wrong in a row; row 1 is the header. `column` is empty when it is the row as a whole."""

    row: int
    column: str
    code: str
    detail: str


class Import(Struct, frozen=True):
    """How far an import is: `done` of its `products`, and what came of them. In a dry run, what would have come.

    `errors` are those of the first hundred products that were refused.
    """

    id: UUID
    status: Literal["waiting", "running", "done"]
    dry_run: bool
    rows: int
    products: int
    done: int
    created: int
    changed: int
    unchanged: int
    refused: int
    made_at: datetime
    finished_at: datetime | None
    errors: list[ShownError] = []


class ImportedProduct(Struct, frozen=True):
    """What came of the rows of one handle, of which `row` is the first."""

    row: int
    handle: str
    outcome: Outcome
    product_id: UUID | None
    changes: list[CellChange]
    errors: list[ShownError]


class ImportedProducts(Struct, frozen=True):
    items: list[ImportedProduct]
    next: str | None


def shown(stored: StoredImport, errors: list[ShownError]) -> Import:
    return Import(
        id=stored.id,
        status="done" if stored.finished_at else "running" if stored.up_to else "waiting",
        dry_run=stored.dry_run,
        rows=stored.rows,
        products=stored.products,
        done=stored.up_to,
        created=stored.created,
        changed=stored.changed,
        unchanged=stored.unchanged,
        refused=stored.refused,
        made_at=stored.made_at,
        finished_at=stored.finished_at,
        errors=errors,
    )


def shown_errors(catalog: CatalogActions, item: ImportItem, language: str) -> list[ShownError]:
    return [ShownError(e.row, e.column, e.code, catalog.imports.detail(e, language)) for e in item.errors]


@routes.get("/admin/products/export", policy=staff("catalog.read"), gives="text/csv")
async def export_products(catalog: CatalogActions, request: Request, query: ExportQuery) -> Answer | Stream:
    """All products as a table (CSV in UTF-8), a row a variant, in the columns that an import takes."""
    headers = [(b"content-disposition", b'attachment; filename="products.csv"')]
    kind = b"text/csv; charset=utf-8"
    if request.method == "HEAD":
        return Answer(200, b"", kind, headers)
    log.info("products exported", extra={"actor": request.actor.name})
    return Stream(catalog.export(separator=query.separator), 200, kind, headers)


@routes.post(
    "/admin/products/import",
    policy=staff("catalog.write"),
    status=202,
    body_limit=10 << 20,
    takes=("text/csv",),
    errors=(BadImport, TooManyImports),
)
async def import_products(catalog: CatalogActions, request: Request, query: ImportQuery, language: str) -> Import:
    """Take in a table of products (the body is CSV in UTF-8, at most 50,000 rows).

    It is worked off behind the scenes: wrong rows are reported, the others land, and what is there already is left as
    it is. A file whose header is wrong is refused as a whole.
    """
    data = await request.body()
    return shown(await catalog.imports.start(data=data, dry_run=query.dry_run, language=language), [])


@routes.get("/admin/products/imports/{import_id}", policy=staff("catalog.read"))
async def get_import(catalog: CatalogActions, import_id: UUID, language: str) -> Import:
    """How far an import is, and what is wrong with the rows that were refused."""
    stored = await catalog.imports.find(import_id=import_id)
    refused = await catalog.imports.items(import_id=import_id, outcome="refused", after=0, limit=100)
    return shown(stored, [error for item in refused for error in shown_errors(catalog, item, language)])


@routes.get("/admin/products/imports/{import_id}/products", policy=staff("catalog.read"))
async def list_imported(catalog: CatalogActions, import_id: UUID, query: ItemsQuery, language: str) -> ImportedProducts:
    """What came of each product so far, in the order of the file: its changes, or what is wrong with its rows."""
    after = decode_cursor(query.cursor, Place)[0] if query.cursor else 0
    rows = await catalog.imports.items(import_id=import_id, outcome=query.outcome, after=after, limit=query.limit + 1)
    page = page_of(rows, query.limit, lambda row: (row.place,))

    def shown_item(item: ImportItem) -> ImportedProduct:
        errors = shown_errors(catalog, item, language)
        return ImportedProduct(item.row, item.handle, item.outcome, item.product_id, item.changes, errors)

    return ImportedProducts([shown_item(item) for item in page.items], page.next)
