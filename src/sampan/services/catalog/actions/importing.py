"""Imports: a table of products is taken in at once and worked off product by product behind the scenes.

What was sent lies in the database before the sender gets an answer. Then batches of it are written, each in one
transaction together with the place up to which the import is done: whoever is killed in the middle has done nothing of
his batch, and whoever comes next begins with it. A batch takes hold of the import only where it read it, so that two at
once, or one whose lease ran out, never write the same product twice.

What comes of a product does not depend on where batches end, and a dry run does the same but for the writing: what it
would have written is noted where the next batch looks.
"""

import asyncio
import logging
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel import context
from sampan.kernel.catalogue import Catalogue
from sampan.kernel.context import Actor
from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import Conflict, Invalid, ShopError
from sampan.kernel.files import Files
from sampan.kernel.ids import uuid7
from sampan.services.catalog.actions.columns import NEEDED, columns_for
from sampan.services.catalog.actions.pictures import known_media
from sampan.services.catalog.actions.reading import SHOWN, Refused, changes_between, draft_from, errors_of
from sampan.services.catalog.actions.sheet import Sheet, Unreadable, parts, read
from sampan.services.catalog.actions.writing import Writing, plan, put
from sampan.services.catalog.contract import Media
from sampan.services.catalog.rules import MAX_VARIANTS, Draft, ProductType, Slug
from sampan.services.catalog.store import imports, products, shelves
from sampan.services.catalog.store.imports import Done, ImportItem, RowError, SentProduct, SheetRow, StoredImport
from sampan.services.catalog.store.products import StoredProduct

log = logging.getLogger(__name__)

BATCH: Final = 50  # products in one transaction
BATCH_ROWS: Final = 500  # variants in one transaction, unless one product has more
STEP: Final = 1_000  # products in one statement when they are taken in
MOST_OPEN: Final = 20  # imports that wait
MOST_NAMED: Final = 20  # columns that a refusal names


class BadImport(Invalid, code="catalog.bad_import", status=422):
    """The file is no table of products; nothing of it was taken. The fact `reason` says why."""


class TooManyImports(Conflict, code="catalog.too_many_imports", status=409):
    """Twenty imports wait to be worked off; send this one when some are done."""


class Batch(Struct, frozen=True):
    """The next products of an import, with the pictures they name that we keep."""

    due: StoredImport
    sent: list[SentProduct]
    pictures: Mapping[str, Media]


class Importing:
    """Takes in tables of products, and works them off."""

    def __init__(self, db: Database, files: Files) -> None:
        self.db = db
        self.files = files
        self.texts = Catalogue.load(Path(__file__).parent.parent / "texts")
        self.reading = asyncio.Semaphore(2)  # a large file takes a core and some 100 MB

    # --- taking in --------------------------------------------------------------------------------------------------

    async def start(self, *, data: bytes, dry_run: bool, language: str) -> StoredImport:
        """Take in a file; with `dry_run` it is only said what it would change. Raises BadImport, TooManyImports."""
        async with self.db.read() as tx:
            if await imports.count_open(tx) >= MOST_OPEN:
                raise TooManyImports("other imports are to be worked off first", retry_after=30)
            known = columns_for(await shelves.types(tx))
        try:
            async with self.reading:
                sheet = await asyncio.to_thread(read, data)
                check_columns(sheet, known)
                sent = await asyncio.to_thread(grouped, sheet)
        except Unreadable as failure:
            said = self.texts.texts(language)(f"import.file.{failure.reason}", **failure.facts)
            raise BadImport(said, reason=failure.reason) from None
        import_id = uuid7()
        async with self.db.begin() as tx:
            await imports.add(
                tx,
                import_id=import_id,
                dry_run=dry_run,
                columns=sheet.columns,
                rows=len(sheet.rows),
                products=len(sent),
                actor=context.actor.get().name,
                request_id=context.request_id.get(),
            )
            for start in range(0, len(sent), STEP):
                await imports.add_products(tx, import_id, sent[start : start + STEP])
            tx.after_commit(lambda: self.db.wake("catalog.import"))
            return await imports.find(tx, import_id)

    async def find(self, *, import_id: UUID) -> StoredImport:
        """Raises NotFound."""
        async with self.db.read() as tx:
            return await imports.find(tx, import_id)

    async def items(self, *, import_id: UUID, outcome: str | None, after: int, limit: int) -> list[ImportItem]:
        """What came of the products that are done, in the order of the file. Raises NotFound."""
        async with self.db.read() as tx:
            await imports.find(tx, import_id)
            return await imports.items(tx, import_id, outcome=outcome, after=after, limit=limit)

    def detail(self, error: RowError, language: str) -> str:
        """What is wrong, in words."""
        texts, key = self.texts.texts(language), f"import.row.{error.code}"
        return texts(key if key in texts else "import.row.value", value=error.value)

    # --- working off ------------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Work off all that waits, oldest first, and forget what ended a month ago."""
        async with self.db.begin() as tx:
            await imports.purge(tx)
        while await self.step():
            pass

    async def step(self) -> bool:
        """One batch of the oldest import; False when nothing waits, or somebody else is at it.

        What makes a whole batch fail (another took a SKU or an address in this moment) is found out one by one, and
        what still fails then is refused, so that no product stops the others.
        """
        batch = await self.next_batch(BATCH)
        if batch is None:
            return False
        kind, _, name = batch.due.actor.partition(":")
        staff = msgspec.convert({"kind": kind, "id": name}, Actor)
        with context.working_as(staff, request=batch.due.request_id):
            try:
                return await self.take(batch)
            except Exception as failure:
                if is_passing(failure):
                    raise
            batch = msgspec.structs.replace(batch, sent=batch.sent[:1])
            try:
                return await self.take(batch)
            except Exception as failure:
                if is_passing(failure):
                    raise
                if not isinstance(failure, ShopError):
                    log.error("a product of an import could not be written", exc_info=failure)
                return await self.give_up(batch, failure)

    async def next_batch(self, limit: int) -> Batch | None:
        async with self.db.read() as tx:
            due = await imports.oldest(tx)
            if due is None:
                return None
            sent = await imports.next_products(tx, due, limit)
        total, fitting = 0, 0
        for each in sent:
            total += len(each.rows)
            fitting += total <= BATCH_ROWS
        sent = sent[: max(1, fitting)]
        urls: set[str] = set()
        if "pictures" in due.columns:
            place = due.columns.index("pictures")
            cells = (row.cells[place] for each in sent for row in each.rows if not each.errors)
            urls = {part.strip() for cell in cells for part in parts(cell)}
        return Batch(due, sent, await known_media(self.files, urls))

    async def take(self, batch: Batch) -> bool:
        """Write a batch and that it is done. False if somebody else is at it or has done it."""
        async with self.db.begin() as tx:
            at = await products.lock_some(tx)
            if not await imports.hold(tx, batch.due):
                return False
            types = {each.code: each for each in await shelves.types(tx)}
            dry_run = batch.due.id if batch.due.dry_run else None
            known, again = await self.present(tx, batch, dry_run)
            writings, done = drafts_of(batch, known, again, types)
            own = {media.url: media for each in known.values() for media in each.document.media}
            planned = await plan(tx, at, list(writings.values()), {**own, **batch.pictures}, dry_run)
            if batch.due.dry_run:
                await imports.add_slugs(tx, batch.due, planned.slugs())
            elif planned.made:
                await put(tx, planned)
            made = {product.id: product for product in planned.made}
            given: set[str] = set()  # addresses in this batch
            for place, sent in enumerate(batch.sent):
                writing = writings.get(place)
                if sent.handle in given and not sent.errors:
                    done[place] = Done(sent.place, "refused", errors=[same(sent)])
                elif writing is None:
                    continue
                elif refusal := planned.refused.get(writing.product_id):
                    errors = errors_of(refusal, writing.draft, batch.due.columns, sent.rows)
                    done[place] = Done(sent.place, "refused", id_of(writing.before), errors=errors)
                else:
                    product = made[writing.product_id]
                    given.update(product.document.slugs.values())
                    if writing.before is None:
                        done[place] = Done(sent.place, "created", None if batch.due.dry_run else product.id)
                    else:
                        changes = changes_between(writing.before, product, types)
                        done[place] = Done(sent.place, "changed", product.id, changes)
            await imports.record(tx, batch.due, [done[place] for place in sorted(done)])
        return True

    async def present(self, tx: Tx, batch: Batch, dry_run: UUID | None) -> tuple[dict[str, StoredProduct], set[str]]:
        """The products that there are already, by the first handle of the file that leads to each, and locked.

        And the handles that lead where an earlier one of the file led, in whatever batch it stood. What is not there
        although a handle leads to it is what this dry run would have made.
        """
        owners = await products.slug_owners(tx, [each.handle for each in batch.sent], dry_run)
        found = {each.id: each for each in await products.products_for_change(tx, list(set(owners.values())))}
        met = await imports.met(tx, batch.due, found)
        again: set[str] = set()
        for each in batch.sent:
            if (owner := owners.get(each.handle)) is None:
                continue
            if owner in met or owner not in found:
                again.add(each.handle)
            met.add(owner)
        return {handle: found[owner] for handle, owner in owners.items() if handle not in again}, again

    async def give_up(self, batch: Batch, failure: Exception) -> bool:
        """Refuse the first product of a batch."""
        sent = batch.sent[0]
        error = RowError(sent.row, "", "failed")
        if isinstance(failure, ShopError):
            error = RowError(sent.row, "sku", "conflict")
        async with self.db.begin() as tx:
            await products.lock_some(tx)
            if not await imports.hold(tx, batch.due):
                return False
            await imports.record(tx, batch.due, [Done(sent.place, "refused", errors=[error])])
        return True


def is_passing(failure: Exception) -> bool:
    """True for what a later try may not meet again: the database is away."""
    return isinstance(failure, ShopError) and failure.status == 503


def check_columns(sheet: Sheet, known: Sequence[str]) -> None:
    """Raises Unreadable unless each column is one of ours and stands once, and those that identify a row are there."""
    seen: set[str] = set()
    unknown = [name for name in sheet.columns if name not in known]
    if unknown:
        raise Unreadable("unknown", columns=", ".join(name[:60] for name in unknown[:MOST_NAMED]))
    for name in sheet.columns:
        if name in seen:
            raise Unreadable("twice", columns=name)
        seen.add(name)
    if missing := [name for name in NEEDED if name not in seen]:
        raise Unreadable("needed", columns=", ".join(missing))


def grouped(sheet: Sheet) -> list[SentProduct]:
    """The rows by their handles, in the order in which handles first stand there, with what is wrong at first sight."""
    handle_at, sku_at = sheet.columns.index("handle"), sheet.columns.index("sku")
    rows: dict[str, list[SheetRow]] = {}
    errors: dict[str, list[RowError]] = {}
    skus: dict[str, str] = {}
    for row in sheet.rows:
        handle = row.cells[handle_at].strip() if handle_at < len(row.cells) else ""
        sku = row.cells[sku_at].strip() if sku_at < len(row.cells) else ""
        wrong = None
        if len(row.cells) != len(sheet.columns):
            wrong = RowError(row.number, "", "cells", str(len(row.cells)))
        elif odd := [place for place, cell in enumerate(row.cells) if "\x00" in cell]:
            wrong = RowError(row.number, sheet.columns[odd[0]], "characters")
        elif not handle or not is_slug(handle):
            wrong = RowError(row.number, "handle", "pattern" if handle else "missing", handle[:SHOWN])
        elif not sku:
            wrong = RowError(row.number, "sku", "missing")
        elif sku in skus:
            wrong = RowError(row.number, "sku", "duplicate", sku[:SHOWN])
        # A row without a usable handle is refused for itself alone.
        key = handle if handle and is_slug(handle) else f"\x00{row.number}"
        skus.setdefault(sku, key)
        group = rows.setdefault(key, [])
        group.append(row)
        if len(group) == MAX_VARIANTS + 1:
            wrong = wrong or RowError(row.number, "sku", "length", str(MAX_VARIANTS))
        if wrong is not None:
            errors.setdefault(key, []).append(wrong)
    return [
        SentProduct(
            place,
            "" if key.startswith("\x00") else key,
            group[0].number,
            [] if key in errors else group,
            errors.get(key, [])[:MOST_NAMED],
        )
        for place, (key, group) in enumerate(rows.items(), start=1)
    ]


def is_slug(text: str) -> bool:
    try:
        msgspec.convert(text, Slug)
    except msgspec.ValidationError:
        return False
    return True


def same(sent: SentProduct) -> RowError:
    return RowError(sent.row, "handle", "same", sent.handle)


def id_of(product: StoredProduct | None) -> UUID | None:
    return product.id if product else None


def drafts_of(
    batch: Batch, known: Mapping[str, StoredProduct], again: Container[str], types: Mapping[str, ProductType]
) -> tuple[dict[int, Writing], dict[int, Done]]:
    """What is to be written, by its place in the batch, and what is done already: refused, or as it was.

    `again` are handles that lead where an earlier one of the file led.
    """
    writings: dict[int, Writing] = {}
    done: dict[int, Done] = {}
    for place, sent in enumerate(batch.sent):
        before = known.get(sent.handle)
        draft: Draft | None = None
        errors = sent.errors or ([same(sent)] if sent.handle in again else [])
        if not errors:
            try:
                draft = draft_from(batch.due.columns, sent.rows, before, types)
            except Refused as refused:
                errors = refused.errors
        if draft is None:
            done[place] = Done(sent.place, "refused", id_of(before), errors=errors)
        elif before is not None and draft == before.draft:
            done[place] = Done(sent.place, "unchanged", before.id)
        else:
            writings[place] = Writing(before.id if before else uuid7(), draft, before)
    return writings, done
