"""What must hold in catalog's tables; each query finds violations."""

from sampan.kernel.db import Tx

NO_DEFAULT = """
SELECT format('the default variant of product %s is not one of its active variants', p.id)
  FROM catalog.product p
 WHERE NOT EXISTS (
       SELECT FROM catalog.variant v
        WHERE v.product_id = p.id AND v.active AND v.id = (p.document ->> 'default_variant_id')::uuid)
 LIMIT 100
"""
OTHER_VARIANTS = """
SELECT format('product %s shows other variants than it has', p.id)
  FROM catalog.product p
 WHERE ARRAY(SELECT (each ->> 'id')::uuid
               FROM jsonb_array_elements(p.document -> 'variants') WITH ORDINALITY AS t (each, place) ORDER BY place)
    <> ARRAY(SELECT v.id FROM catalog.variant v WHERE v.product_id = p.id AND v.active ORDER BY v.position)
 LIMIT 100
"""
STRAY_SLUGS = """
SELECT format('the slug %s of product %s leads elsewhere', shown.slug, p.id)
  FROM catalog.product p, jsonb_each_text(p.document -> 'slugs') AS shown (language, slug)
 WHERE NOT EXISTS (SELECT FROM catalog.slug s WHERE s.slug = shown.slug AND s.product_id = p.id)
 LIMIT 100
"""
OTHER_COPIES = """
SELECT format('product %s: its document says version %s and slug %s, its row %s and %s', p.id,
              p.document ->> 'version', p.document ->> 'slug', p.version, p.slug)
  FROM catalog.product p
 WHERE ((p.document ->> 'version')::bigint, p.document ->> 'slug', p.draft ->> 'status')
       IS DISTINCT FROM (p.version, p.slug, p.status)
 LIMIT 100
"""
OTHER_CATEGORIES = """
SELECT format('product %s shows other categories than it is in', p.id)
  FROM catalog.product p
 WHERE ARRAY(SELECT (each ->> 'id')::uuid FROM jsonb_array_elements(p.document -> 'categories') AS each ORDER BY 1)
    <> ARRAY(SELECT c.category_id FROM catalog.product_category c WHERE c.product_id = p.id ORDER BY 1)
 LIMIT 100
"""
LOST_CATEGORIES = """
WITH RECURSIVE found AS (
    SELECT id FROM catalog.category WHERE parent_id IS NULL
    UNION ALL
    SELECT c.id FROM catalog.category c JOIN found f ON c.parent_id = f.id
)
SELECT format('the category %s is below itself', c.slug) FROM catalog.category c
 WHERE c.id NOT IN (SELECT id FROM found)
 LIMIT 100
"""
OTHER_SNAPSHOTS = """
SELECT format('variant %s: its snapshot is of another variant, product or SKU', v.id)
  FROM catalog.variant v
 WHERE (v.snapshot ->> 'variant_id', v.snapshot ->> 'product_id', v.snapshot ->> 'sku')
       IS DISTINCT FROM (v.id::text, v.product_id::text, v.sku)
   AND v.active
 LIMIT 100
"""
PICTURES = """
SELECT m ->> 'url' FROM catalog.product p, jsonb_array_elements(p.document -> 'media') AS m
UNION
SELECT media ->> 'url' FROM catalog.category WHERE media IS NOT NULL
"""
VIOLATIONS = (
    NO_DEFAULT,
    OTHER_VARIANTS,
    STRAY_SLUGS,
    OTHER_COPIES,
    OTHER_CATEGORIES,
    LOST_CATEGORIES,
    OTHER_SNAPSHOTS,
)


async def violations(tx: Tx) -> list[str]:
    """A sentence for each thing that is wrong, at most a hundred of a kind."""
    return [sentence for query in VIOLATIONS for sentence in await tx.many(str, query)]


async def pictures(tx: Tx) -> list[str]:
    """The addresses of all pictures that are shown."""
    return await tx.many(str, PICTURES)
