"""Products, their addresses and their variants."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from sampan.kernel.db import Tx
from sampan.services.catalog.contract import ProductDocument, Texts, VariantSnapshot
from sampan.services.catalog.rules import Draft

# Who writes products holds this lock with others of his kind; who changes what any number of products show (offers,
# stock, categories, types) holds it alone. It comes before the first write of a transaction, so that those who hold it
# one after the other also get their transaction ids, by which the feed orders events, in that order.
LOCK_SOME = "SELECT now() FROM pg_advisory_xact_lock_shared(hashtext('catalog.product'))"
LOCK_ALL = "SELECT pg_advisory_xact_lock(hashtext('catalog.product'))"

PRODUCT_BY_ID = "SELECT document FROM catalog.product WHERE id = $1 AND status = 'published'"
PRODUCT_BY_SLUG = """
SELECT p.document FROM catalog.slug s JOIN catalog.product p ON p.id = s.product_id
 WHERE s.slug = $1 AND p.status = 'published'
"""
ARCHIVED = """
SELECT p.document FROM catalog.product p
 WHERE p.id = coalesce($1, (SELECT s.product_id FROM catalog.slug s WHERE s.slug = $2)) AND p.status = 'archived'
"""
PRODUCTS = """
SELECT p.document FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, place)
  JOIN catalog.product p ON p.id = wanted.id AND p.status = 'published'
 ORDER BY wanted.place
"""
NEWEST = """
SELECT document FROM catalog.product
 WHERE status = 'published' AND id < coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
 ORDER BY id DESC LIMIT $2
"""
NEWEST_OF_CATEGORY = """
WITH RECURSIVE inside AS (
    SELECT id FROM catalog.category WHERE slug = $3
    UNION ALL
    SELECT c.id FROM catalog.category c JOIN inside i ON c.parent_id = i.id
)
SELECT p.document FROM catalog.product p
 WHERE p.status = 'published' AND p.id < coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
   AND p.id IN (SELECT pc.product_id FROM catalog.product_category pc JOIN inside i ON i.id = pc.category_id)
 ORDER BY p.id DESC LIMIT $2
"""
SNAPSHOTS = """
SELECT v.snapshot, p.status = 'published' AND v.active
  FROM catalog.variant v JOIN catalog.product p ON p.id = v.product_id WHERE v.id = ANY($1)
"""
SNAPSHOTS_OF_SKUS = """
SELECT v.snapshot, p.status = 'published' AND v.active
  FROM catalog.variant v JOIN catalog.product p ON p.id = v.product_id WHERE v.sku = ANY($1)
"""
COLUMNS = "id, version, status, slug, draft, document, created_at"
STAFF_LIST = """
SELECT p.id, p.version, p.status, p.slug, p.document -> 'name', p.updated_at
  FROM catalog.product p
 WHERE ($1::text IS NULL OR p.status = $1) AND p.id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
   AND ($3::text IS NULL OR p.id = (SELECT v.product_id FROM catalog.variant v WHERE v.sku = $3))
 ORDER BY p.id DESC LIMIT $4
"""
STAFF_PRODUCT = f"SELECT {COLUMNS} FROM catalog.product WHERE id = $1"
PRODUCTS_AFTER = f"SELECT {COLUMNS} FROM catalog.product WHERE id > $1 ORDER BY id LIMIT $2"
PRODUCTS_FOR_CHANGE = f"SELECT {COLUMNS} FROM catalog.product WHERE id = ANY($1) ORDER BY id FOR UPDATE"

PUT_PRODUCTS = """
INSERT INTO catalog.product
    (id, version, status, slug, product_type, brand_id, tax_class, channels, draft, document)
SELECT id, version, status, slug, product_type, brand_id, tax_class,
       ARRAY(SELECT jsonb_array_elements_text(draft -> 'channels')), draft, document
  FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::jsonb[],
              $9::jsonb[])
    AS t (id, version, status, slug, product_type, brand_id, tax_class, draft, document)
ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, status = EXCLUDED.status, slug = EXCLUDED.slug,
    product_type = EXCLUDED.product_type, brand_id = EXCLUDED.brand_id, tax_class = EXCLUDED.tax_class,
    channels = EXCLUDED.channels, draft = EXCLUDED.draft, document = EXCLUDED.document, updated_at = now()
"""
PUT_DOCUMENTS = """
UPDATE catalog.product p SET version = n.version, document = n.document, updated_at = now()
  FROM unnest($1::uuid[], $2::bigint[], $3::jsonb[]) AS n (id, version, document) WHERE p.id = n.id
"""
PUT_BRANDS = """
INSERT INTO catalog.brand (id, slug, name) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (slug) DO NOTHING
"""
BRANDS = "SELECT slug, id FROM catalog.brand WHERE slug = ANY($1)"
SLUG_OWNERS = """
SELECT slug, product_id FROM catalog.slug WHERE slug = ANY($1)
UNION ALL
SELECT slug, product_id FROM catalog.import_slug WHERE import_id = $2 AND slug = ANY($1)
"""
TAKE_SLUGS = """
INSERT INTO catalog.slug (slug, product_id) SELECT * FROM unnest($1::text[], $2::uuid[])
ON CONFLICT (slug) DO UPDATE SET product_id = EXCLUDED.product_id WHERE slug.product_id = EXCLUDED.product_id
RETURNING slug
"""
LEAVE_CATEGORIES = "DELETE FROM catalog.product_category WHERE product_id = ANY($1)"
JOIN_CATEGORIES = """
INSERT INTO catalog.product_category (product_id, category_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
"""
VARIANTS_KNOWN = "SELECT sku, id, product_id FROM catalog.variant WHERE product_id = ANY($1) OR sku = ANY($2)"
# A SKU goes to another variant of the product. Who had it gets a stand-in until it is given its own; one that was left
# out of the product keeps the stand-in.
FREE_SKUS = "UPDATE catalog.variant SET sku = 'moving/' || id WHERE id = ANY($1)"
RETIRE_VARIANTS = "UPDATE catalog.variant SET active = false WHERE product_id = ANY($1) AND active AND id <> ALL($2)"
PUT_VARIANTS = """
INSERT INTO catalog.variant (id, product_id, sku, position, active, snapshot)
SELECT id, product_id, sku, position, true, snapshot
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::jsonb[])
    AS t (id, product_id, sku, position, snapshot)
ON CONFLICT (id) DO UPDATE SET sku = EXCLUDED.sku, position = EXCLUDED.position, active = true,
    snapshot = EXCLUDED.snapshot WHERE variant.product_id = EXCLUDED.product_id
"""


class StoredProduct(Struct, frozen=True):
    """A product as staff wrote it (`draft`), and what readers get of it (`document`)."""

    id: UUID
    version: int
    status: str
    slug: str
    draft: Draft
    document: ProductDocument
    created_at: datetime


class ListedProduct(Struct, frozen=True):
    """A row of the staff's list."""

    id: UUID
    version: int
    status: str
    slug: str
    name: Texts
    updated_at: datetime


class KnownVariant(Struct, frozen=True):
    sku: str
    id: UUID
    product_id: UUID


class StoredSnapshot(Struct, frozen=True):
    snapshot: VariantSnapshot
    published: bool

    def told(self) -> VariantSnapshot:
        return self.snapshot if self.published else replace(self.snapshot, published=False)


class Document(Struct, frozen=True):
    document: ProductDocument


class Owned(Struct, frozen=True):
    name: str
    owner: UUID


async def lock_some(tx: Tx) -> datetime:
    """Others may write products too, but nobody changes what all of them show. The time of this transaction."""
    return await tx.one(datetime, LOCK_SOME)


async def lock_all(tx: Tx) -> None:
    """Nobody else writes products, or changes what they show, until this transaction ends."""
    await tx.execute(LOCK_ALL)


# --- reading --------------------------------------------------------------------------------------------------------


async def product_by_id(tx: Tx, product_id: UUID) -> ProductDocument | None:
    row = await tx.maybe(Document, PRODUCT_BY_ID, product_id)
    return row.document if row else None


async def product_by_slug(tx: Tx, slug: str) -> ProductDocument | None:
    row = await tx.maybe(Document, PRODUCT_BY_SLUG, slug)
    return row.document if row else None


async def archived(tx: Tx, product_id: UUID | None, slug: str) -> ProductDocument | None:
    """The product of this id, or else of this slug, that is archived."""
    row = await tx.maybe(Document, ARCHIVED, product_id, slug)
    return row.document if row else None


async def products_by_ids(tx: Tx, ids: list[UUID]) -> list[ProductDocument]:
    return [row.document for row in await tx.many(Document, PRODUCTS, ids)]


async def newest(tx: Tx, *, category: str | None, after: UUID | None, limit: int) -> list[ProductDocument]:
    """Published products, newest first; those of a category (slug) with all below it."""
    if category is None:
        rows = await tx.many(Document, NEWEST, after, limit)
    else:
        rows = await tx.many(Document, NEWEST_OF_CATEGORY, after, limit, category)
    return [row.document for row in rows]


async def snapshots(tx: Tx, variants: list[UUID]) -> list[StoredSnapshot]:
    return await tx.many(StoredSnapshot, SNAPSHOTS, variants)


async def snapshots_of_skus(tx: Tx, skus: list[str]) -> list[StoredSnapshot]:
    return await tx.many(StoredSnapshot, SNAPSHOTS_OF_SKUS, skus)


async def staff_product(tx: Tx, product_id: UUID) -> StoredProduct:
    """Raises NotFound."""
    return await tx.one(StoredProduct, STAFF_PRODUCT, product_id)


async def staff_list(
    tx: Tx, *, status: str | None, after: UUID | None, sku: str | None, limit: int
) -> list[ListedProduct]:
    return await tx.many(ListedProduct, STAFF_LIST, status, after, sku, limit)


async def products_after(tx: Tx, after: UUID, limit: int) -> list[StoredProduct]:
    """All products in the order of their ids, after this one."""
    return await tx.many(StoredProduct, PRODUCTS_AFTER, after, limit)


# --- writing: any number of products in one statement each -----------------------------------------------------------


async def products_for_change(tx: Tx, ids: Sequence[UUID]) -> list[StoredProduct]:
    """Those of the products that exist, locked, in the order of their ids."""
    return await tx.many(StoredProduct, PRODUCTS_FOR_CHANGE, ids)


async def put_products(tx: Tx, products: Sequence[StoredProduct], brands: Sequence[UUID | None]) -> None:
    await tx.execute(
        PUT_PRODUCTS,
        [product.id for product in products],
        [product.version for product in products],
        [product.status for product in products],
        [product.slug for product in products],
        [product.draft.product_type for product in products],
        brands,
        [product.draft.tax_class for product in products],
        [product.draft for product in products],
        [product.document for product in products],
    )


async def put_documents(tx: Tx, documents: Sequence[ProductDocument]) -> None:
    """What readers get of these products is now this."""
    await tx.execute(PUT_DOCUMENTS, [d.id for d in documents], [d.version for d in documents], documents)


async def brand_ids(tx: Tx, brands: Mapping[str, tuple[UUID, str]]) -> dict[str, UUID]:
    """The id of each brand by its slug; an unknown one gets the id and name given with it."""
    slugs = sorted(brands)
    await tx.execute(PUT_BRANDS, [brands[slug][0] for slug in slugs], slugs, [brands[slug][1] for slug in slugs])
    return {row.name: row.owner for row in await tx.many(Owned, BRANDS, slugs)}


async def slug_owners(tx: Tx, slugs: Sequence[str], dry_run: UUID | None = None) -> dict[str, UUID]:
    """Which product each slug belongs to, after what a dry run would have written; those of nobody are left out."""
    return {row.name: row.owner for row in await tx.many(Owned, SLUG_OWNERS, slugs, dry_run)}


async def take_slugs(tx: Tx, owners: Mapping[str, UUID]) -> set[str]:
    """The slugs that are the product's now; one that became another product's meanwhile is missing."""
    slugs = sorted(owners)
    return set(await tx.many(str, TAKE_SLUGS, slugs, [owners[slug] for slug in slugs]))


async def leave_categories(tx: Tx, products: Sequence[UUID]) -> None:
    await tx.execute(LEAVE_CATEGORIES, products)


async def join_categories(tx: Tx, places: Sequence[tuple[UUID, UUID]]) -> None:
    """Put products into categories: pairs of a product and a category."""
    await tx.execute(JOIN_CATEGORIES, [product for product, _ in places], [category for _, category in places])


async def variants_known(tx: Tx, products: Sequence[UUID], skus: Sequence[str]) -> list[KnownVariant]:
    """All variants that these products ever had, and whoever has one of the SKUs."""
    return await tx.many(KnownVariant, VARIANTS_KNOWN, products, skus)


async def free_skus(tx: Tx, variants: Sequence[UUID]) -> None:
    await tx.execute(FREE_SKUS, variants)


async def retire_variants(tx: Tx, products: Sequence[UUID], kept: Sequence[UUID]) -> None:
    """The variants of these products that are not kept can no longer be bought."""
    await tx.execute(RETIRE_VARIANTS, products, kept)


async def put_variants(tx: Tx, products: Sequence[Sequence[VariantSnapshot]]) -> None:
    """The variants of each product, in their order."""
    rows = [(place, snapshot) for found in products for place, snapshot in enumerate(found)]
    await tx.execute(
        PUT_VARIANTS,
        [snapshot.variant_id for _, snapshot in rows],
        [snapshot.product_id for _, snapshot in rows],
        [snapshot.sku for _, snapshot in rows],
        [place for place, _ in rows],
        [snapshot for _, snapshot in rows],
    )
