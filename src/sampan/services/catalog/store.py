"""All SQL of catalog."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.catalog.contract import (
    Category,
    Media,
    Offer,
    ProductDocument,
    ProductOffers,
    Texts,
    VariantDocument,
    VariantSnapshot,
)
from sampan.services.catalog.rules import Draft, ProductType

# A published product's variants with what follows from the events of others.
VARIANTS = """
SELECT v.id, o.offers, coalesce(s.available, 0)
  FROM catalog.variant v
  LEFT JOIN catalog.stock s ON s.variant_id = v.id
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_object(
                'market', o.market,
                'price', jsonb_build_object('amount', o.amount, 'currency', o.currency),
                'compare_at', CASE WHEN o.compare_at IS NULL THEN NULL
                    ELSE jsonb_build_object('amount', o.compare_at, 'currency', o.currency) END)) AS offers
         FROM catalog.offer o WHERE o.variant_id = v.id) o ON true
 WHERE v.product_id = ANY($1) AND v.active
"""
PRODUCT_BY_ID = "SELECT document FROM catalog.product WHERE id = $1 AND status = 'published'"
PRODUCT_BY_SLUG = """
SELECT p.document FROM catalog.slug s JOIN catalog.product p ON p.id = s.product_id
 WHERE s.slug = $1 AND p.status = 'published'
"""
PRODUCTS = """
SELECT p.document FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, place)
  JOIN catalog.product p ON p.id = wanted.id AND p.status = 'published'
 ORDER BY wanted.place
"""
NEWEST = """
SELECT p.document FROM catalog.product p
 WHERE p.status = 'published' AND ($1::uuid IS NULL OR p.id < $1)
   AND ($2::uuid[] IS NULL OR EXISTS (
        SELECT 1 FROM catalog.product_category c WHERE c.product_id = p.id AND c.category_id = ANY($2)))
 ORDER BY p.id DESC LIMIT $3
"""
SNAPSHOTS = """
SELECT v.snapshot, p.status = 'published' AND v.active
  FROM catalog.variant v JOIN catalog.product p ON p.id = v.product_id WHERE v.id = ANY($1)
"""
CATEGORIES = """
WITH RECURSIVE tree AS (
    SELECT c.id, c.id AS top FROM catalog.category c
    UNION ALL
    SELECT c.id, t.top FROM catalog.category c JOIN tree t ON c.parent_id = t.id
), counts AS (
    SELECT t.top, count(DISTINCT pc.product_id) AS count
      FROM tree t JOIN catalog.product_category pc ON pc.category_id = t.id
      JOIN catalog.product p ON p.id = pc.product_id AND p.status = 'published'
     GROUP BY t.top
), walk AS (
    SELECT c.id, ARRAY[c.position] AS path FROM catalog.category c WHERE c.parent_id IS NULL
    UNION ALL
    SELECT c.id, w.path || c.position FROM catalog.category c JOIN walk w ON c.parent_id = w.id
)
SELECT c.id, c.slug, c.name, c.description, c.parent_id, c.position, coalesce(n.count, 0), c.media
  FROM walk w JOIN catalog.category c ON c.id = w.id LEFT JOIN counts n ON n.top = c.id
 ORDER BY w.path
"""
CATEGORY_LOCK = "SELECT pg_advisory_xact_lock(hashtext('catalog.category'))"
CATEGORY_PARENTS = "SELECT id, slug, parent_id, name FROM catalog.category"
PUT_CATEGORY = """
INSERT INTO catalog.category (id, slug, name, description, parent_id, position, media)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (slug) DO UPDATE SET name = EXCLUDED.name, description = EXCLUDED.description,
    parent_id = EXCLUDED.parent_id, position = EXCLUDED.position, media = EXCLUDED.media
RETURNING id
"""
PUT_TYPE = """
INSERT INTO catalog.product_type (code, name, attributes) VALUES ($1, $2, $3)
ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, attributes = EXCLUDED.attributes
"""
TYPES = "SELECT code, name, attributes FROM catalog.product_type ORDER BY code"
PUT_BRAND = """
INSERT INTO catalog.brand (id, slug, name) VALUES ($1, $2, $3)
ON CONFLICT (slug) DO UPDATE SET name = EXCLUDED.name RETURNING id
"""
PRODUCT_FOR_CHANGE = (
    "SELECT id, version, status, slug, draft, document, created_at FROM catalog.product WHERE id = $1 FOR UPDATE"
)
PUT_PRODUCT = """
INSERT INTO catalog.product
    (id, version, status, slug, product_type, brand_id, tax_class, channels, draft, document, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, status = EXCLUDED.status, slug = EXCLUDED.slug,
    product_type = EXCLUDED.product_type, brand_id = EXCLUDED.brand_id, tax_class = EXCLUDED.tax_class,
    channels = EXCLUDED.channels, draft = EXCLUDED.draft, document = EXCLUDED.document, updated_at = now()
"""
TAKE_SLUGS = """
INSERT INTO catalog.slug (slug, product_id) SELECT unnest($1::text[]), $2
ON CONFLICT (slug) DO UPDATE SET product_id = EXCLUDED.product_id WHERE slug.product_id = EXCLUDED.product_id
RETURNING slug
"""
SLUGS_OF_OTHERS = "SELECT slug FROM catalog.slug WHERE slug = ANY($1) AND product_id <> $2"
SET_CATEGORIES = """
WITH gone AS (DELETE FROM catalog.product_category WHERE product_id = $1 AND category_id <> ALL($2::uuid[]))
INSERT INTO catalog.product_category (product_id, category_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING
"""
PUT_VARIANTS = """
INSERT INTO catalog.variant (id, product_id, sku, position, active, snapshot)
SELECT id, $1, sku, position, true, snapshot
  FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::jsonb[]) AS t (id, sku, position, snapshot)
ON CONFLICT (id) DO UPDATE SET sku = EXCLUDED.sku, position = EXCLUDED.position, active = true,
    snapshot = EXCLUDED.snapshot WHERE variant.product_id = EXCLUDED.product_id
"""
RETIRE_VARIANTS = "UPDATE catalog.variant SET active = false WHERE product_id = $1 AND id <> ALL($2::uuid[])"
VARIANT_IDS = "SELECT sku, id, product_id FROM catalog.variant WHERE product_id = $1 OR sku = ANY($2)"
PUT_OFFERS = """
INSERT INTO catalog.offer (variant_id, market, amount, currency, compare_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])
ON CONFLICT (variant_id, market) DO UPDATE
   SET amount = EXCLUDED.amount, currency = EXCLUDED.currency, compare_at = EXCLUDED.compare_at
 WHERE (offer.amount, offer.currency, offer.compare_at)
       IS DISTINCT FROM (EXCLUDED.amount, EXCLUDED.currency, EXCLUDED.compare_at)
RETURNING variant_id
"""
DROP_OFFERS = "DELETE FROM catalog.offer WHERE market = $1 AND variant_id = ANY($2) RETURNING variant_id"
PUT_STOCK = """
INSERT INTO catalog.stock (variant_id, available) SELECT * FROM unnest($1::uuid[], $2::bigint[])
ON CONFLICT (variant_id) DO UPDATE SET available = EXCLUDED.available
 WHERE stock.available <> EXCLUDED.available
RETURNING variant_id
"""
PRODUCTS_OF = """
SELECT p.id, p.version, p.document -> 'slugs', p.document -> 'variants'
  FROM catalog.product p
 WHERE p.status = 'published'
   AND p.id IN (SELECT v.product_id FROM catalog.variant v WHERE v.id = ANY($1))
 ORDER BY p.id
"""
STAFF_LIST = """
SELECT p.id, p.version, p.status, p.slug, p.document -> 'name', p.updated_at
  FROM catalog.product p
 WHERE ($1::text IS NULL OR p.status = $1) AND ($2::uuid IS NULL OR p.id < $2)
   AND ($3::text IS NULL OR EXISTS (SELECT 1 FROM catalog.variant v WHERE v.product_id = p.id AND v.sku = $3))
 ORDER BY p.id DESC LIMIT $4
"""
STAFF_PRODUCT = "SELECT id, version, status, slug, draft, document, created_at FROM catalog.product WHERE id = $1"
BROKEN = """
SELECT 'the default variant of product ' || p.id || ' is not one of its active variants'
  FROM catalog.product p
 WHERE p.status = 'published' AND NOT EXISTS (
       SELECT 1 FROM catalog.variant v WHERE v.product_id = p.id AND v.active
          AND v.id = (p.document ->> 'default_variant_id')::uuid)
UNION ALL
SELECT 'the slug ' || p.slug || ' of product ' || p.id || ' leads elsewhere'
  FROM catalog.product p
 WHERE NOT EXISTS (SELECT 1 FROM catalog.slug s WHERE s.slug = p.slug AND s.product_id = p.id)
LIMIT 100
"""


class Live(Struct, frozen=True):
    """What others' events say of a variant."""

    variant_id: UUID
    offers: list[Offer] | None
    available: int


class StoredProduct(Struct, frozen=True):
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


class CategoryNode(Struct, frozen=True):
    id: UUID
    slug: str
    parent_id: UUID | None
    name: Texts


class KnownVariant(Struct, frozen=True):
    sku: str
    id: UUID
    product_id: UUID


class OffersRow(Struct, frozen=True):
    product_id: UUID
    version: int
    slugs: Texts
    variants: list[VariantDocument]


class StoredSnapshot(Struct, frozen=True):
    snapshot: VariantSnapshot
    published: bool


async def live_of(tx: Tx, products: list[UUID]) -> dict[UUID, Live]:
    """By variant: its offers and how many are available."""
    return {row.variant_id: row for row in await tx.many(Live, VARIANTS, products)}


async def product_by_id(tx: Tx, product_id: UUID) -> ProductDocument | None:
    return await maybe_document(tx, PRODUCT_BY_ID, product_id)


async def product_by_slug(tx: Tx, slug: str) -> ProductDocument | None:
    return await maybe_document(tx, PRODUCT_BY_SLUG, slug)


class Wrapped(Struct, frozen=True):
    document: ProductDocument


async def maybe_document(tx: Tx, sql: str, *values: Any) -> ProductDocument | None:
    row = await tx.maybe(Wrapped, sql, *values)
    return row.document if row else None


async def products_by_ids(tx: Tx, ids: list[UUID]) -> list[ProductDocument]:
    return [row.document for row in await tx.many(Wrapped, PRODUCTS, ids)]


async def newest(tx: Tx, *, categories: list[UUID] | None, after: UUID | None, limit: int) -> list[ProductDocument]:
    return [row.document for row in await tx.many(Wrapped, NEWEST, after, categories, limit)]


async def snapshots(tx: Tx, variants: list[UUID]) -> list[StoredSnapshot]:
    return await tx.many(StoredSnapshot, SNAPSHOTS, variants)


async def categories(tx: Tx) -> list[Category]:
    return await tx.many(Category, CATEGORIES)


async def category_nodes(tx: Tx, *, lock: bool = False) -> list[CategoryNode]:
    if lock:
        await tx.execute(CATEGORY_LOCK)
    return await tx.many(CategoryNode, CATEGORY_PARENTS)


async def put_category(
    tx: Tx,
    *,
    category_id: UUID,
    slug: str,
    name: Texts,
    description: Texts,
    parent_id: UUID | None,
    position: int,
    media: Media | None,
) -> UUID:
    return await tx.one(UUID, PUT_CATEGORY, category_id, slug, name, description, parent_id, position, media)


async def put_type(tx: Tx, product_type: ProductType) -> None:
    await tx.execute(PUT_TYPE, product_type.code, product_type.name, product_type.attributes)


async def types(tx: Tx) -> list[ProductType]:
    return await tx.many(ProductType, TYPES)


async def put_brand(tx: Tx, brand_id: UUID, slug: str, name: str) -> UUID:
    return await tx.one(UUID, PUT_BRAND, brand_id, slug, name)


async def product_for_change(tx: Tx, product_id: UUID) -> StoredProduct:
    """Locks the product's row. Raises NotFound."""
    return await tx.one(StoredProduct, PRODUCT_FOR_CHANGE, product_id)


async def staff_product(tx: Tx, product_id: UUID) -> StoredProduct:
    """Raises NotFound."""
    return await tx.one(StoredProduct, STAFF_PRODUCT, product_id)


async def staff_list(
    tx: Tx, *, status: str | None, after: UUID | None, sku: str | None, limit: int
) -> list[ListedProduct]:
    return await tx.many(ListedProduct, STAFF_LIST, status, after, sku, limit)


async def put_product(
    tx: Tx, document: ProductDocument, draft: Draft, brand_id: UUID | None, created_at: datetime
) -> None:
    await tx.execute(
        PUT_PRODUCT,
        document.id,
        document.version,
        draft.status,
        document.slug,
        draft.product_type,
        brand_id,
        draft.tax_class,
        draft.channels,
        draft,
        document,
        created_at,
    )


async def slugs_of_others(tx: Tx, slugs: list[str], product_id: UUID) -> list[str]:
    return await tx.many(str, SLUGS_OF_OTHERS, slugs, product_id)


async def take_slugs(tx: Tx, slugs: list[str], product_id: UUID) -> list[str]:
    """The slugs that are the product's now; one that belongs to another product is missing."""
    return await tx.many(str, TAKE_SLUGS, slugs, product_id)


async def set_categories(tx: Tx, product_id: UUID, ids: list[UUID]) -> None:
    await tx.execute(SET_CATEGORIES, product_id, ids)


async def known_variants(tx: Tx, product_id: UUID, skus: list[str]) -> list[KnownVariant]:
    return await tx.many(KnownVariant, VARIANT_IDS, product_id, skus)


async def put_variants(tx: Tx, product_id: UUID, found: list[VariantSnapshot]) -> None:
    ids = [snapshot.variant_id for snapshot in found]
    await tx.execute(RETIRE_VARIANTS, product_id, ids)
    await tx.execute(PUT_VARIANTS, product_id, ids, [s.sku for s in found], list(range(len(found))), found)


async def put_offers(tx: Tx, rows: list[tuple[UUID, str, int, str, int | None]]) -> list[UUID]:
    """The variants whose offer changed."""
    return await tx.many(UUID, PUT_OFFERS, *(list(column) for column in zip(*rows, strict=True)))


async def drop_offers(tx: Tx, market: str, variants: list[UUID]) -> list[UUID]:
    return await tx.many(UUID, DROP_OFFERS, market, variants)


async def put_stock(tx: Tx, available: dict[UUID, int]) -> list[UUID]:
    """The variants whose availability changed."""
    return await tx.many(UUID, PUT_STOCK, list(available), list(available.values()))


async def offers_of(tx: Tx, variants: list[UUID]) -> list[ProductOffers]:
    """The published products of these variants with all their variants' present offers and availability."""
    rows = await tx.many(OffersRow, PRODUCTS_OF, variants)
    live = await live_of(tx, [row.product_id for row in rows])
    return [
        ProductOffers(
            product_id=row.product_id,
            version=row.version,
            slugs=row.slugs,
            variants=[alive(variant, live) for variant in row.variants],
        )
        for row in rows
    ]


def alive(variant: VariantDocument, live: dict[UUID, Live]) -> VariantDocument:
    """The variant with what others' events say of it."""
    found = live.get(variant.id)
    return VariantDocument(
        id=variant.id,
        sku=variant.sku,
        options=variant.options,
        media=variant.media,
        grams=variant.grams,
        available=found.available if found else 0,
        offers=(found.offers or []) if found else [],
    )


async def broken(tx: Tx) -> list[str]:
    return await tx.many(str, BROKEN)
