"""All SQL of search."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.catalog.contract import ProductDocument, Texts
from sampan.services.search import rules
from sampan.services.search.rules import CategoryNode, Known, Label, Place

TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtext('search.change'))"
KNOWN = """
SELECT product_id, version, deleted, CASE WHEN product_id = ANY($2) THEN body END
  FROM search.document WHERE product_id = ANY($1)
"""
PUT_DOCUMENTS = """
INSERT INTO search.document
    (product_id, version, deleted, body, categories, prices, facets, in_stock, created_at)
SELECT product_id, version, false, body, ARRAY(SELECT jsonb_array_elements(body -> 'categories') ->> 'id')::uuid[],
       prices, facets, in_stock, created_at
  FROM unnest($1::uuid[], $2::bigint[], $3::jsonb[], $4::jsonb[], $5::jsonb[], $6::boolean[], $7::timestamptz[])
    AS n (product_id, version, body, prices, facets, in_stock, created_at)
ON CONFLICT (product_id) DO UPDATE SET version = EXCLUDED.version, change = EXCLUDED.change, updated_at = now(),
    deleted = false, body = EXCLUDED.body, categories = EXCLUDED.categories, prices = EXCLUDED.prices,
    facets = EXCLUDED.facets, in_stock = EXCLUDED.in_stock, created_at = EXCLUDED.created_at
 WHERE document.version <= EXCLUDED.version
"""
WITHDRAW = """
INSERT INTO search.document (product_id, version, deleted, categories, prices, facets, in_stock)
SELECT product_id, version, true, '{}', '{}', '{}', false
  FROM unnest($1::uuid[], $2::bigint[]) AS n (product_id, version)
ON CONFLICT (product_id) DO UPDATE SET version = EXCLUDED.version, change = EXCLUDED.change, updated_at = now(),
    deleted = true, body = NULL, categories = '{}', prices = '{}', facets = '{}', in_stock = false, created_at = NULL
 WHERE document.version <= EXCLUDED.version
"""
PUT_VARIANTS = """
INSERT INTO search.variant (variant_id, product_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
ON CONFLICT (variant_id) DO UPDATE SET product_id = EXCLUDED.product_id
 WHERE variant.product_id IS DISTINCT FROM EXCLUDED.product_id
"""
PUT_LABELS = """
INSERT INTO search.label (code, value, texts, swatch)
SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::text[])
ON CONFLICT (code, value) DO UPDATE SET texts = EXCLUDED.texts, swatch = EXCLUDED.swatch
 WHERE (label.texts, label.swatch) IS DISTINCT FROM (EXCLUDED.texts, EXCLUDED.swatch)
"""
ADD_SOLD = """
INSERT INTO search.variant (variant_id, sold, fresh)
SELECT n.variant_id, n.sold, true FROM unnest($1::uuid[], $2::bigint[]) AS n (variant_id, sold) ORDER BY n.variant_id
ON CONFLICT (variant_id) DO UPDATE SET sold = variant.sold + EXCLUDED.sold, fresh = true
"""
TAKE_SALES = """
UPDATE search.variant SET fresh = false
 WHERE variant_id IN (SELECT variant_id FROM search.variant WHERE fresh ORDER BY variant_id LIMIT $1 FOR UPDATE)
RETURNING coalesce(product_id, '00000000-0000-0000-0000-000000000000')
"""
TOUCH = """
UPDATE search.document SET change = nextval('search.change'), updated_at = now()
 WHERE product_id = ANY($1) AND listed
"""
TOUCH_CATEGORIES = """
UPDATE search.document SET change = nextval('search.change'), updated_at = now()
 WHERE categories && $1::uuid[] AND listed
"""
ROW = """
d.product_id, d.change, CASE WHEN d.listed THEN d.body END,
       coalesce((SELECT sum(v.sold) FROM search.variant v WHERE v.product_id = d.product_id), 0)::bigint
  FROM search.document d
"""
CHANGED = f"SELECT {ROW} WHERE d.change > $1 ORDER BY d.change LIMIT $2"
LISTED = f"SELECT {ROW} WHERE d.listed AND d.product_id > $1 ORDER BY d.product_id LIMIT $2"
# The page is chosen before its documents are read.
BROWSE = """
WITH page AS (
SELECT d.product_id, d.created_at, count(*) OVER () AS total
  FROM search.document d
 WHERE d.listed AND d.prices ? $1
   AND ($2::uuid[] IS NULL OR d.categories && $2)
   AND (NOT $3::boolean OR d.in_stock)
   AND ($4::bigint IS NULL OR (d.prices ->> $1)::bigint >= $4)
   AND ($5::bigint IS NULL OR (d.prices ->> $1)::bigint <= $5)
   AND NOT EXISTS (
       SELECT 1 FROM jsonb_each($6::jsonb) AS wanted (code, choices)
        WHERE NOT coalesce(d.facets -> wanted.code ?| ARRAY(SELECT jsonb_array_elements_text(wanted.choices)), false))
 ORDER BY d.created_at DESC, d.product_id DESC
OFFSET $7 LIMIT $8
)
SELECT d.body, page.total FROM page JOIN search.document d ON d.product_id = page.product_id
 ORDER BY page.created_at DESC, page.product_id DESC
"""
LABELS = "SELECT code, value, texts, swatch FROM search.label"
CATEGORIES = "SELECT id, slug, name, parent_id FROM search.category"
TREE = "SELECT told, learned FROM search.tree"
TREE_TOLD = "UPDATE search.tree SET told = told + 1"
TREE_LEARNED = "UPDATE search.tree SET learned = greatest(learned, $1)"
DROP_CATEGORIES = "DELETE FROM search.category WHERE id <> ALL($1::uuid[]) RETURNING id"
# Slugs may change places; the old ones go first.
CLEAR_SLUGS = """
UPDATE search.category c SET slug = c.id::text
  FROM unnest($1::uuid[], $2::text[]) AS n (id, slug) WHERE c.id = n.id AND c.slug <> n.slug
"""
PUT_CATEGORIES = """
INSERT INTO search.category (id, slug, name, parent_id)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::uuid[])
ON CONFLICT (id) DO UPDATE SET slug = EXCLUDED.slug, name = EXCLUDED.name, parent_id = EXCLUDED.parent_id
 WHERE (category.slug, category.name, category.parent_id)
       IS DISTINCT FROM (EXCLUDED.slug, EXCLUDED.name, EXCLUDED.parent_id)
RETURNING id
"""
PLACE = "SELECT build, change FROM search.indexed"
PUT_PLACE = """
INSERT INTO search.indexed (build, change) VALUES ($1, $2)
ON CONFLICT (single) DO UPDATE SET build = EXCLUDED.build, change = EXCLUDED.change, at = now()
"""
STATE = """
SELECT count(*) FILTER (WHERE listed), coalesce(max(change), 0), count(*) FILTER (WHERE change > $1),
       count(*) FILTER (WHERE change > $1 AND updated_at < now() - interval '5 minutes'),
       coalesce(max(updated_at) < now() - interval '5 minutes', true)
  FROM search.document
"""


class ChangedDocument(Struct, frozen=True):
    """A product to index; without a `product` one to take out."""

    product_id: UUID
    change: int
    product: ProductDocument | None
    sold: int


class State(Struct, frozen=True):
    """How many products are to be found, the last change, how many changes come after one, how many of these wait for
    longer than five minutes, and whether the last change is older than that."""

    listed: int
    change: int
    pending: int
    late: int
    quiet: bool


class Tree(Struct, frozen=True):
    told: int
    learned: int


class KnownRow(Struct, frozen=True):
    product_id: UUID
    version: int
    withdrawn: bool
    product: ProductDocument | None


class Browsed(Struct, frozen=True):
    product: ProductDocument
    total: int


async def take_turn(tx: Tx) -> None:
    """Writers of documents take turns until they commit, so that changes are seen in the order of their numbers."""
    await tx.execute(TAKE_TURN)


async def known(tx: Tx, ids: Collection[UUID], *, with_bodies: Collection[UUID]) -> dict[UUID, Known]:
    """Those of the products that are known; the body of a product is read only where it is wanted."""
    rows = await tx.many(KnownRow, KNOWN, list(ids), list(with_bodies))
    return {row.product_id: Known(row.version, row.withdrawn, row.product) for row in rows}


async def put_documents(tx: Tx, products: Sequence[ProductDocument]) -> None:
    """Keep products as they are now; a newer version than these stays."""
    if products:
        await tx.execute(
            PUT_DOCUMENTS,
            [product.id for product in products],
            [product.version for product in products],
            products,
            [rules.prices_for(product) for product in products],
            [rules.facets_for(product) for product in products],
            [rules.is_in_stock(product) for product in products],
            [product.created_at for product in products],
        )


async def withdraw(tx: Tx, gone: Sequence[tuple[UUID, int]]) -> None:
    """These products are gone as of these versions."""
    if gone:
        await tx.execute(WITHDRAW, [product_id for product_id, _ in gone], [version for _, version in gone])


async def put_variants(tx: Tx, products: Sequence[ProductDocument]) -> None:
    """Which product each variant belongs to; of two that claim it the last one."""
    owners = {variant.id: product.id for product in products for variant in product.variants}
    if owners:
        variants = sorted(owners)
        await tx.execute(PUT_VARIANTS, variants, [owners[variant] for variant in variants])


async def put_labels(tx: Tx, labels: Sequence[Label]) -> None:
    if labels:
        await tx.execute(
            PUT_LABELS,
            [label.code for label in labels],
            [label.value for label in labels],
            [label.texts for label in labels],
            [label.swatch for label in labels],
        )


async def add_sold(tx: Tx, quantities: Mapping[UUID, int]) -> None:
    """Count variants as sold."""
    await tx.execute(ADD_SOLD, list(quantities), list(quantities.values()))


async def take_sales(tx: Tx, *, limit: int) -> list[UUID]:
    """The products of up to so many variants that were sold since they were taken; zeros for one not known yet."""
    return await tx.many(UUID, TAKE_SALES, limit)


async def touch(tx: Tx, ids: list[UUID]) -> None:
    """These products are to be indexed again."""
    await tx.execute(TOUCH, ids)


async def changed(tx: Tx, *, after: int, limit: int) -> list[ChangedDocument]:
    """What changed after a change, in order."""
    return await tx.many(ChangedDocument, CHANGED, after, limit)


async def listed(tx: Tx, *, after: UUID, limit: int) -> list[ChangedDocument]:
    """All that is to be found, by id after an id."""
    return await tx.many(ChangedDocument, LISTED, after, limit)


async def browse(
    tx: Tx,
    *,
    market: str,
    categories: list[UUID] | None,
    in_stock: bool,
    price_min: int | None,
    price_max: int | None,
    filters: dict[str, list[str]],
    offset: int,
    limit: int,
) -> list[Browsed]:
    """The newest products, narrowed without the index; each row says how many there are in all."""
    return await tx.many(Browsed, BROWSE, market, categories, in_stock, price_min, price_max, filters, offset, limit)


async def labels(tx: Tx) -> list[Label]:
    return await tx.many(Label, LABELS)


async def categories(tx: Tx) -> list[CategoryNode]:
    return await tx.many(CategoryNode, CATEGORIES)


async def tree(tx: Tx) -> Tree:
    return await tx.one(Tree, TREE)


async def tree_told(tx: Tx) -> None:
    """The tree of categories is to be read again."""
    await tx.execute(TREE_TOLD)


async def put_tree(tx: Tx, nodes: Sequence[CategoryNode], *, learned: int) -> list[UUID]:
    """Keep the tree as it is now; the categories that changed or went."""
    ids, slugs = [node.id for node in nodes], [node.slug for node in nodes]
    gone = await tx.many(UUID, DROP_CATEGORIES, ids)
    await tx.execute(CLEAR_SLUGS, ids, slugs)
    names: list[Texts] = [node.name for node in nodes]
    other = await tx.many(UUID, PUT_CATEGORIES, ids, slugs, names, [node.parent_id for node in nodes])
    await tx.execute(TREE_LEARNED, learned)
    return [*gone, *other]


async def touch_categories(tx: Tx, ids: list[UUID]) -> None:
    """The products of these categories are to be indexed again."""
    await tx.execute(TOUCH_CATEGORIES, ids)


async def place(tx: Tx) -> Place | None:
    """What the index holds, as far as the database knows."""
    return await tx.maybe(Place, PLACE)


async def put_place(tx: Tx, now: Place) -> None:
    await tx.execute(PUT_PLACE, now.build, now.change)


async def state(tx: Tx, *, after: int) -> State:
    return await tx.one(State, STATE, after)
