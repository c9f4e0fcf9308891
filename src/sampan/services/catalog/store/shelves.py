"""Categories and product types, and which products have yet to follow a change of them."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.catalog.contract import Category, Media, Texts
from sampan.services.catalog.rules import ProductType

# The path sorts siblings by position, then by slug, and everything below its parent. Products are counted once in each
# category at or above one of theirs; those that stand in the same ones together, for there are few such sets.
CATEGORIES = """
WITH RECURSIVE walk AS (
    SELECT c.id, ARRAY[to_char(c.position, 'FM000000') || c.slug] AS path
      FROM catalog.category c WHERE c.parent_id IS NULL
    UNION ALL
    SELECT c.id, w.path || (to_char(c.position, 'FM000000') || c.slug)
      FROM catalog.category c JOIN walk w ON c.parent_id = w.id
), tree AS (
    SELECT c.id, c.id AS top FROM catalog.category c
    UNION ALL
    SELECT c.id, t.top FROM catalog.category c JOIN tree t ON c.parent_id = t.id
), placed AS (
    SELECT array_agg(pc.category_id ORDER BY pc.category_id) AS ids
      FROM catalog.product_category pc JOIN catalog.product p ON p.id = pc.product_id AND p.status = 'published'
     GROUP BY pc.product_id
), alike AS (
    SELECT ids, count(*) AS products FROM placed GROUP BY ids
), held AS (
    SELECT DISTINCT t.top, a.ids, a.products
      FROM alike a CROSS JOIN unnest(a.ids) AS one (id) JOIN tree t ON t.id = one.id
), counts AS (
    SELECT top, sum(products)::bigint AS count FROM held GROUP BY top
)
SELECT c.id, c.slug, c.name, c.description, c.parent_id, c.position, coalesce(n.count, 0), c.media
  FROM walk w JOIN catalog.category c ON c.id = w.id LEFT JOIN counts n ON n.top = c.id
 ORDER BY w.path COLLATE "C"
"""
NODES = "SELECT id, slug, parent_id, name FROM catalog.category"
PUT_CATEGORY = """
INSERT INTO catalog.category (id, slug, name, description, parent_id, position, media)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (slug) DO UPDATE SET name = EXCLUDED.name, description = EXCLUDED.description,
    parent_id = EXCLUDED.parent_id, position = EXCLUDED.position, media = EXCLUDED.media
RETURNING id
"""
TYPES = """
SELECT code, name, attributes FROM catalog.product_type WHERE $1::text[] IS NULL OR code = ANY($1) ORDER BY code
"""
PUT_TYPE = """
INSERT INTO catalog.product_type (code, name, attributes) VALUES ($1, $2, $3)
ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, attributes = EXCLUDED.attributes
"""

# A cause that comes up again begins again.
REFRESH = """
INSERT INTO catalog.refresh (cause, category_id, product_type)
VALUES (coalesce($1::uuid::text, $2::text), $1, $2)
ON CONFLICT (cause) DO UPDATE SET up_to = NULL
"""
NEXT_REFRESH = "SELECT cause, category_id, product_type, up_to FROM catalog.refresh ORDER BY cause LIMIT 1"
REFRESHED_UP_TO = "UPDATE catalog.refresh SET up_to = $2 WHERE cause = $1"
REFRESHED = "DELETE FROM catalog.refresh WHERE cause = $1"
OF_CATEGORY = """
WITH RECURSIVE inside AS (
    SELECT $1::uuid AS id
    UNION ALL
    SELECT c.id FROM catalog.category c JOIN inside i ON c.parent_id = i.id
)
SELECT DISTINCT pc.product_id FROM catalog.product_category pc JOIN inside i ON i.id = pc.category_id
 WHERE pc.product_id > $2 ORDER BY pc.product_id LIMIT $3
"""
OF_TYPE = "SELECT id FROM catalog.product WHERE product_type = $1 AND id > $2 ORDER BY id LIMIT $3"
FIRST = UUID(int=0)


class CategoryNode(Struct, frozen=True):
    id: UUID
    slug: str
    parent_id: UUID | None
    name: Texts


class Refresh(Struct, frozen=True):
    """The products of a category (with all below it) or of a type follow a change; up to this id they do."""

    cause: str
    category_id: UUID | None
    product_type: str | None
    up_to: UUID | None


async def categories(tx: Tx) -> list[Category]:
    return await tx.many(Category, CATEGORIES)


async def category_nodes(tx: Tx) -> list[CategoryNode]:
    return await tx.many(CategoryNode, NODES)


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
    """Add the category under this id, or change the one with this slug; its id."""
    return await tx.one(UUID, PUT_CATEGORY, category_id, slug, name, description, parent_id, position, media)


async def types(tx: Tx, codes: Sequence[str] | None = None) -> list[ProductType]:
    """The product types of these codes, or all."""
    return await tx.many(ProductType, TYPES, codes)


async def put_type(tx: Tx, product_type: ProductType) -> None:
    await tx.execute(PUT_TYPE, product_type.code, product_type.name, product_type.attributes)


async def refresh(tx: Tx, *, category_id: UUID | None = None, product_type: str | None = None) -> None:
    """The products of this category or type are to follow."""
    await tx.execute(REFRESH, category_id, product_type)


async def next_refresh(tx: Tx) -> Refresh | None:
    return await tx.maybe(Refresh, NEXT_REFRESH)


async def products_to_refresh(tx: Tx, due: Refresh, limit: int) -> list[UUID]:
    """The next products, in the order of their ids."""
    if due.category_id is not None:
        return await tx.many(UUID, OF_CATEGORY, due.category_id, due.up_to or FIRST, limit)
    return await tx.many(UUID, OF_TYPE, due.product_type, due.up_to or FIRST, limit)


async def refreshed(tx: Tx, due: Refresh, up_to: UUID | None) -> None:
    """The products follow up to this id; None: all do."""
    if up_to is None:
        await tx.execute(REFRESHED, due.cause)
    else:
        await tx.execute(REFRESHED_UP_TO, due.cause, up_to)
