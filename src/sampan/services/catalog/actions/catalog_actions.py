"""What catalog does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from sampan.kernel.db import Database
from sampan.kernel.errors import Invalid, NotFound, invalid
from sampan.kernel.ids import uuid7
from sampan.kernel.service import Ground
from sampan.services.catalog import rules
from sampan.services.catalog.actions.exporting import table_of
from sampan.services.catalog.actions.importing import Importing
from sampan.services.catalog.actions.pictures import KEY, keep_picture, known_media
from sampan.services.catalog.actions.sheet import Separator
from sampan.services.catalog.actions.writing import Writing, refresh, write
from sampan.services.catalog.contract import (
    CategoriesChanged,
    Category,
    Media,
    Moved,
    ProductDocument,
    ProductGone,
    Texts,
    UnknownProduct,
    VariantSnapshot,
)
from sampan.services.catalog.rules import Draft, NewMedia, ProductType, SkuTaken
from sampan.services.catalog.store import checks, offers, products, shelves
from sampan.services.catalog.store.products import ListedProduct, StoredProduct

MOST_ASKED: Final = 200  # products in one answer
SLICE: Final = 200  # products refreshed in one transaction
SLICES: Final = 100  # of one run of the job
PICTURES_AT_ONCE: Final = 2  # a large one takes a core, and 100 MB


class CatalogActions:
    """Products, variants, categories, pictures."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        self.files = ground.files
        self.imports = Importing(db, ground.files)
        self.resizing = asyncio.Semaphore(PICTURES_AT_ONCE)

    # --- reading --------------------------------------------------------------------------------------------------

    async def find_variants(self, *, variants: list[UUID]) -> list[VariantSnapshot]:
        """Those of the variants that exist, published or not."""
        async with self.db.read() as tx:
            return [row.told() for row in await products.snapshots(tx, variants)]

    async def find_product(self, *, key: str) -> ProductDocument:
        """A published product by slug or id. Raises UnknownProduct, ProductGone, Moved."""
        product_id = rules.product_id_in(key)
        async with self.db.read() as tx:
            if product_id is not None:
                document = await products.product_by_id(tx, product_id)
            else:
                document = await products.product_by_slug(tx, key[:200])
            if document is None:
                gone = await products.archived(tx, product_id, key[:200])
                if gone is not None:
                    shelf = gone.categories[0].slug if gone.categories else None
                    raise ProductGone("the product is no longer sold", category=shelf)
                raise UnknownProduct("there is no such product")
            if product_id is None and key not in document.slugs.values():
                raise Moved("the product has another address now", slug=document.slug, slugs=document.slugs)
            return (await offers.alive(tx, [document]))[0]

    async def find_products(self, *, ids: list[UUID]) -> list[ProductDocument]:
        """Published products in the order asked, at most 200; missing ones are left out."""
        async with self.db.read() as tx:
            return await offers.alive(tx, await products.products_by_ids(tx, ids[:MOST_ASKED]))

    async def list_products(
        self, *, category: str | None = None, limit: int = 24, after: str | None = None
    ) -> list[ProductDocument]:
        """Published products of a category and below, newest first, after a product id; none of an unknown category.

        Raises kernel.Invalid for an id that is none.
        """
        before = rules.product_id_in(after) if after else None
        if after and before is None:
            raise invalid("after", "malformed", "this is not a product's id")
        async with self.db.read() as tx:
            found = await products.newest(tx, category=category, after=before, limit=max(1, min(limit, 100)))
            return await offers.alive(tx, found)

    async def list_categories(self) -> list[Category]:
        """The whole tree, parents before children, in their order."""
        async with self.db.read() as tx:
            return await shelves.categories(tx)

    # --- staff: types, categories, pictures -------------------------------------------------------------------------

    async def list_types(self) -> list[ProductType]:
        """All product types."""
        async with self.db.read() as tx:
            return await shelves.types(tx)

    async def put_type(self, *, product_type: ProductType) -> ProductType:
        """Add or change a product type; what its products show follows within seconds. Raises Invalid."""
        rules.check_type(product_type)
        async with self.db.begin() as tx:
            await products.lock_all(tx)
            before = await shelves.types(tx, [product_type.code])
            if before == [product_type]:
                return product_type
            await shelves.put_type(tx, product_type)
            if before:
                await shelves.refresh(tx, product_type=product_type.code)
        return product_type

    async def put_category(
        self,
        *,
        slug: str,
        name: Texts,
        description: Texts,
        parent: str | None,
        position: int,
        media: NewMedia | None = None,
    ) -> UUID:
        """Add or change the category with this slug; what its products show follows within seconds. Raises Invalid."""
        rules.check_texts("name", name, required=True)
        rules.check_texts("description", description, required=False)
        name, description = rules.worded(name), rules.worded(description)
        picture = await self._picture(media) if media is not None else None
        async with self.db.begin() as tx:
            await products.lock_all(tx)
            by_slug = {node.slug: node for node in await shelves.category_nodes(tx)}
            if parent is not None and parent not in by_slug:
                raise invalid("parent", "unknown", f"there is no category {parent}")
            parent_id = by_slug[parent].id if parent is not None else None
            before = by_slug.get(slug)
            rules.check_tree(
                {node.id: node.parent_id for node in by_slug.values()}, before.id if before else None, parent_id
            )
            category_id = await shelves.put_category(
                tx,
                category_id=uuid7(),
                slug=slug,
                name=name,
                description=description,
                parent_id=parent_id,
                position=position,
                media=picture,
            )
            if before is not None and (before.name, before.parent_id) != (name, parent_id):
                await shelves.refresh(tx, category_id=category_id)
            await tx.emit(CategoriesChanged())
        return category_id

    async def refresh_products(self) -> None:
        """Let products show what their categories and types are now, in slices."""
        for _ in range(SLICES):
            async with self.db.read() as tx:
                if await shelves.next_refresh(tx) is None:
                    return
            async with self.db.begin() as tx:
                await products.lock_some(tx)
                due = await shelves.next_refresh(tx)
                if due is not None:
                    ids = await shelves.products_to_refresh(tx, due, SLICE)
                    await refresh(tx, ids)
                    await shelves.refreshed(tx, due, ids[-1] if len(ids) == SLICE else None)

    async def keep_picture(self, *, data: bytes, alt: Texts) -> Media:
        """An uploaded picture as renditions. Raises BadPicture."""
        async with self.resizing:
            return await keep_picture(self.files, data, alt)

    async def _picture(self, media: NewMedia) -> Media:
        rules.check_texts("media.alt", media.alt, required=False)
        known = await known_media(self.files, {media.url})
        if media.url not in known:
            raise invalid("media.url", "unknown", "upload the picture first and send the address you got")
        return replace(known[media.url], alt=dict(media.alt))

    # --- staff: products --------------------------------------------------------------------------------------------

    async def find_draft(self, *, product_id: UUID) -> StoredProduct:
        """A product as staff wrote it, published or not. Raises NotFound."""
        async with self.db.read() as tx:
            return await products.staff_product(tx, product_id)

    async def find_skus(self, *, skus: list[str]) -> list[VariantSnapshot]:
        """Those of the variants that exist, published or not, by SKU: for imports."""
        async with self.db.read() as tx:
            return [row.told() for row in await products.snapshots_of_skus(tx, skus)]

    async def list_drafts(
        self, *, status: str | None, after: UUID | None, sku: str | None, limit: int
    ) -> list[ListedProduct]:
        """All products, newest first."""
        async with self.db.read() as tx:
            return await products.staff_list(tx, status=status, after=after, sku=sku, limit=limit)

    async def create_product(self, *, draft: Draft) -> StoredProduct:
        """A new product. Raises Invalid, SkuTaken, SlugTaken."""
        return (await self.create_products(drafts=[draft]))[0]

    async def create_products(self, *, drafts: Sequence[Draft]) -> list[StoredProduct]:
        """New products, all or none, at most a thousand: for imports. Raises Invalid, SkuTaken, SlugTaken."""
        return await self._write([Writing(uuid7(), draft) for draft in drafts])

    async def change_product(self, *, product_id: UUID, draft: Draft, version: int) -> StoredProduct:
        """Write a product anew over the version that was read.

        Raises NotFound, VersionChanged, Invalid, SkuTaken, SlugTaken.
        """
        return (await self._write([Writing(product_id, draft)], over=version))[0]

    def export(self, *, separator: Separator) -> AsyncIterator[bytes]:
        """All products as a table, piece by piece."""
        return table_of(self.db, separator)

    async def work_imports(self) -> None:
        """Write the products of the tables that were sent in."""
        await self.imports.work()

    async def _write(self, writings: list[Writing], over: int | None = None) -> list[StoredProduct]:
        """Write new products, or a product `over` its version."""
        if len(writings) > rules.MAX_BATCH:
            raise Invalid(f"at most {rules.MAX_BATCH} products can be written at once")
        pictures = await known_media(self.files, {media.url for each in writings for media in each.draft.media})
        try:
            async with self.db.begin() as tx:
                at = await products.lock_some(tx)
                if over is not None:
                    before = await products.products_for_change(tx, [each.product_id for each in writings])
                    if not before:
                        raise NotFound("there is no such product")
                    rules.check_version(before[0].version, over)
                    writings = [replace(each, before=before[0]) for each in writings]
                return await write(tx, at, writings, pictures)
        except asyncpg.UniqueViolationError as failure:
            raise SkuTaken("a SKU was taken by another variant meanwhile") from failure

    async def invariants(self) -> list[str]:
        """What is wrong with products, addresses, variants, categories and pictures; empty when all is well."""
        async with self.db.read() as tx:
            found = await checks.violations(tx)
            shown = await checks.pictures(tx)
        missing = await self.files.missing(named[0] for url in shown if (named := KEY.search(url)))
        return found + [f"the picture {key} is shown and its file is missing" for key in missing[:100]]
