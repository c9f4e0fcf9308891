"""What catalog does."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import msgspec

from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import invalid
from sampan.kernel.ids import uuid7
from sampan.kernel.service import Ground
from sampan.kernel.text import slugify
from sampan.services.catalog import rules, store
from sampan.services.catalog.actions.pictures import keep_picture, known_media
from sampan.services.catalog.contract import (
    CategoriesChanged,
    Category,
    CategoryRef,
    Media,
    Moved,
    ProductChanged,
    ProductDocument,
    ProductWithdrawn,
    Texts,
    UnknownProduct,
    VariantDocument,
    VariantSnapshot,
    VariantsTaxed,
)
from sampan.services.catalog.rules import Draft, NewVariant, ProductType, SkuTaken, SlugTaken
from sampan.services.catalog.store import ListedProduct, StoredProduct


class CatalogActions:
    """Products, variants, categories, pictures."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        self.files = ground.files

    # --- reading --------------------------------------------------------------------------------------------------

    async def find_variants(self, *, variants: list[UUID]) -> list[VariantSnapshot]:
        """Those of the variants that exist, published or not."""
        async with self.db.read() as tx:
            rows = await store.snapshots(tx, variants)
        return [
            row.snapshot if row.published else msgspec.structs.replace(row.snapshot, published=False) for row in rows
        ]

    async def find_product(self, *, key: str) -> ProductDocument:
        """A published product by slug or id. Raises UnknownProduct, Moved."""
        async with self.db.read() as tx:
            try:
                document = await store.product_by_id(tx, UUID(key))
            except ValueError:
                document = await store.product_by_slug(tx, key[:200])
                if document is not None and key not in document.slugs.values():
                    raise Moved("the product has another address now", slug=document.slug) from None
            if document is None:
                raise UnknownProduct("there is no such product")
            return (await self._alive(tx, [document]))[0]

    async def find_products(self, *, ids: list[UUID]) -> list[ProductDocument]:
        """Published products in the order asked; missing ones are left out."""
        async with self.db.read() as tx:
            return await self._alive(tx, await store.products_by_ids(tx, ids[:200]))

    async def list_products(
        self, *, category: str | None = None, limit: int = 24, after: str | None = None
    ) -> list[ProductDocument]:
        """Published products of a category and below, newest first, after a product id."""
        async with self.db.read() as tx:
            inside = None
            if category is not None:
                nodes = await store.category_nodes(tx)
                inside = [node.id for node in nodes if node.slug == category]
                for _ in nodes:
                    grown = [*inside, *(n.id for n in nodes if n.parent_id in inside and n.id not in inside)]
                    if len(grown) == len(inside):
                        break
                    inside = grown
            found = await store.newest(
                tx, categories=inside, after=UUID(after) if after else None, limit=max(1, min(limit, 100))
            )
            return await self._alive(tx, found)

    async def list_categories(self) -> list[Category]:
        """The whole tree, parents before children, in their order."""
        async with self.db.read() as tx:
            return await store.categories(tx)

    async def _alive(self, tx: Tx, documents: list[ProductDocument]) -> list[ProductDocument]:
        live = await store.live_of(tx, [document.id for document in documents])
        return [
            msgspec.structs.replace(document, variants=[store.alive(v, live) for v in document.variants])
            for document in documents
        ]

    # --- staff ----------------------------------------------------------------------------------------------------

    async def list_types(self) -> list[ProductType]:
        """All product types."""
        async with self.db.read() as tx:
            return await store.types(tx)

    async def put_type(self, *, product_type: ProductType) -> ProductType:
        """Add or change a product type; products made before keep what they show until they are saved again."""
        codes = [definition.code for definition in product_type.attributes]
        if len(set(codes)) != len(codes):
            raise invalid("attributes", "duplicate", "two attributes have the same code")
        rules.check_texts("name", product_type.name, required=True)
        async with self.db.begin() as tx:
            await store.put_type(tx, product_type)
        return product_type

    async def put_category(
        self,
        *,
        slug: str,
        name: Texts,
        description: Texts,
        parent: str | None,
        position: int,
        media: Media | None = None,
    ) -> UUID:
        """Add or change the category with this slug."""
        rules.check_texts("name", name, required=True)
        async with self.db.begin() as tx:
            nodes = await store.category_nodes(tx, lock=True)
            by_slug = {node.slug: node.id for node in nodes}
            if parent is not None and parent not in by_slug:
                raise invalid("parent", "unknown", f"there is no category {parent}")
            parent_id = by_slug[parent] if parent is not None else None
            if slug in by_slug:
                rules.check_tree({node.id: node.parent_id for node in nodes}, by_slug[slug], parent_id)
            category_id = await store.put_category(
                tx,
                category_id=uuid7(),
                slug=slug,
                name=name,
                description=description,
                parent_id=parent_id,
                position=position,
                media=media,
            )
            await tx.emit(CategoriesChanged())
        return category_id

    async def keep_picture(self, *, data: bytes, alt: Texts) -> Media:
        """An uploaded picture as renditions. Raises BadPicture."""
        return await keep_picture(self.files, data, alt)

    async def create_product(self, *, draft: Draft) -> StoredProduct:
        """A new product. Raises Invalid, SkuTaken, SlugTaken."""
        return await self._save(uuid7(), None, draft)

    async def change_product(self, *, product_id: UUID, draft: Draft, version: int) -> StoredProduct:
        """Write a product anew over the version that was read. Raises NotFound, VersionChanged, SkuTaken, SlugTaken."""
        return await self._save(product_id, version, draft)

    async def find_draft(self, *, product_id: UUID) -> StoredProduct:
        """A product as staff wrote it, published or not. Raises NotFound."""
        async with self.db.read() as tx:
            return await store.staff_product(tx, product_id)

    async def list_drafts(
        self, *, status: str | None, after: UUID | None, sku: str | None, limit: int
    ) -> list[ListedProduct]:
        """All products, newest first."""
        async with self.db.read() as tx:
            return await store.staff_list(tx, status=status, after=after, sku=sku, limit=limit)

    async def create_products(self, *, drafts: Sequence[Draft]) -> list[ProductDocument]:
        """Many new products at once, in one transaction: for imports and seeding."""
        types = {found.code: found for found in await self.list_types()}
        made = []
        async with self.db.begin() as tx:
            nodes = await store.category_nodes(tx)
            brands: dict[str, UUID] = {}
            for draft in drafts:
                made.append(await self._write(tx, uuid7(), None, draft, types, nodes, brands))
        return made

    async def _save(self, product_id: UUID, version: int | None, draft: Draft) -> StoredProduct:
        types = {found.code: found for found in await self.list_types()}
        try:
            async with self.db.begin() as tx:
                before = await store.product_for_change(tx, product_id) if version is not None else None
                if before is not None and before.version != version:
                    raise rules.VersionChanged(
                        "somebody else changed the product meanwhile", version=before.version, yours=version
                    )
                nodes = await store.category_nodes(tx)
                await self._write(tx, product_id, before, draft, types, nodes, {})
                return await store.staff_product(tx, product_id)
        except asyncpg.UniqueViolationError as failure:
            raise SkuTaken("a SKU was taken by another variant meanwhile") from failure

    async def _write(
        self,
        tx: Tx,
        product_id: UUID,
        before: StoredProduct | None,
        draft: Draft,
        types: dict[str, ProductType],
        nodes: list[store.CategoryNode],
        brands: dict[str, UUID],
    ) -> ProductDocument:
        """Write one product whole: row, slugs, categories, variants, event."""
        product_type = types.get(draft.product_type)
        if product_type is None:
            raise invalid("product_type", "unknown", f"there is no product type {draft.product_type}")
        rules.check_draft(draft, product_type)
        variants = await self._variants(tx, product_id, draft.variants)
        references, ancestors = categories_of(draft, nodes)
        slugs = await self._slugs(tx, product_id, before, draft)
        created_at = before.created_at if before else datetime.now(UTC)
        document = rules.document_of(
            draft,
            product_id=product_id,
            version=(before.version if before else 0) + 1,
            slugs=slugs,
            product_type=product_type,
            categories=references,
            ancestors=ancestors,
            media=[media_of(place, media) for place, media in enumerate(draft.media)],
            variants=variants,
            created_at=created_at,
        )
        brand_id = None
        if draft.brand is not None:
            if draft.brand not in brands:
                brands[draft.brand] = await store.put_brand(tx, uuid7(), slugify(draft.brand), draft.brand)
            brand_id = brands[draft.brand]
        await store.put_product(tx, document, draft, brand_id, created_at)
        taken = await store.take_slugs(tx, sorted(set(slugs.values())), product_id)
        if missing := set(slugs.values()) - set(taken):
            raise SlugTaken("the address belongs to another product", slug=sorted(missing)[0])
        await store.set_categories(tx, product_id, [reference.id for reference in references])
        await store.put_variants(tx, product_id, snapshots_of(document, draft))
        await tx.emit(VariantsTaxed(tax_class=draft.tax_class, variants=[variant.id for variant in variants]))
        if draft.status == "published":
            live = await store.live_of(tx, [product_id])
            await tx.emit(
                ProductChanged(
                    product=msgspec.structs.replace(
                        document, variants=[store.alive(variant, live) for variant in document.variants]
                    )
                )
            )
        elif before is not None and before.status == "published":
            await tx.emit(ProductWithdrawn(product_id=product_id, version=document.version, slugs=slugs))
        return document

    async def _variants(self, tx: Tx, product_id: UUID, wanted: list[NewVariant]) -> list[VariantDocument]:
        """The product's variants: a SKU that the product has already keeps its id."""
        known = {v.sku: v for v in await store.known_variants(tx, product_id, [variant.sku for variant in wanted])}
        own = {v.id for v in known.values() if v.product_id == product_id}
        found = []
        for place, variant in enumerate(wanted):
            same = known.get(variant.sku)
            if same is not None and same.product_id != product_id:
                raise SkuTaken(f"the SKU {variant.sku} belongs to another product", sku=variant.sku)
            if variant.id is not None and variant.id not in own:
                raise invalid(f"variants.{place}.id", "unknown", "the product has no such variant")
            found.append(
                VariantDocument(
                    id=variant.id or (same.id if same else uuid7()),
                    sku=variant.sku,
                    options=dict(variant.options),
                    media=variant.media,
                    grams=variant.grams,
                )
            )
        return found

    async def _slugs(self, tx: Tx, product_id: UUID, before: StoredProduct | None, draft: Draft) -> Texts:
        """The product's addresses: those asked for, else those it has, else its name, made unique."""
        found: Texts = {}
        for language in ("vi", "en"):
            name = rules.said(draft.name, language)
            kept = before.document.slugs.get(language) if before else None
            found[language] = draft.slugs.get(language) or kept or slugify(name) or "san-pham"
        taken = set(await store.slugs_of_others(tx, sorted(set(found.values())), product_id))
        for language, slug in found.items():
            if slug in taken:
                if language in draft.slugs:
                    raise SlugTaken(f"the address {slug} belongs to another product", slug=slug)
                found[language] = f"{slug}-{product_id.hex[-6:]}"
        return found

    async def invariants(self) -> list[str]:
        """Products without a default variant, slugs that lead elsewhere."""
        async with self.db.read() as tx:
            return await store.broken(tx)


def categories_of(draft: Draft, nodes: list[store.CategoryNode]) -> tuple[list[CategoryRef], list[UUID]]:
    """The draft's categories, and all of them with their ancestors. Raises Invalid for an unknown one."""
    by_slug = {node.slug: node for node in nodes}
    by_id = {node.id: node for node in nodes}
    references: list[CategoryRef] = []
    ancestors: list[UUID] = []
    for place, slug in enumerate(dict.fromkeys(draft.categories)):
        node = by_slug.get(slug)
        if node is None:
            raise invalid(f"categories.{place}", "unknown", f"there is no category {slug}")
        references.append(CategoryRef(id=node.id, slug=node.slug, name=node.name))
        above: store.CategoryNode | None = node
        while above is not None:
            ancestors.append(above.id)
            above = by_id.get(above.parent_id) if above.parent_id else None
    return references, list(dict.fromkeys(ancestors))


def media_of(place: int, media: rules.NewMedia) -> Media:
    known = known_media(media.url)
    if known is None:
        raise invalid(f"media.{place}.url", "unknown", "upload the picture first and send the address you got")
    return Media(url=media.url, alt=dict(media.alt), width=known[0], height=known[1], widths=known[2])


def snapshots_of(document: ProductDocument, draft: Draft) -> list[VariantSnapshot]:
    """What carts and orders copy of each variant."""
    found = []
    for variant, wanted in zip(document.variants, draft.variants, strict=True):
        picture = variant.media[0] if variant.media else 0
        found.append(
            VariantSnapshot(
                variant_id=variant.id,
                product_id=document.id,
                slug=document.slug,
                sku=variant.sku,
                name=rules.variant_name(document.name, document.options, variant.options),
                image=document.media[picture].url if document.media else None,
                grams=wanted.grams,
                tax_class=document.tax_class,
                published=True,
                max_quantity=wanted.max_quantity,
            )
        )
    return found
