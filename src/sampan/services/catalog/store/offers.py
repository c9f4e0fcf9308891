"""What pricing and inventory say of our variants."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.kernel.money import Money
from sampan.services.catalog.contract import Offer, ProductDocument, ProductOffers, Texts, VariantDocument

# OFFSET 0 makes it a look-up for each variant: a plan that was made while the tables were small would read all of them.
LIVE = """
SELECT v.id, coalesce(s.available, 0), o.market, o.amount, o.currency, o.compare_at
  FROM catalog.variant v
  LEFT JOIN LATERAL (SELECT available FROM catalog.stock WHERE variant_id = v.id OFFSET 0) s ON true
  LEFT JOIN LATERAL (SELECT * FROM catalog.offer WHERE variant_id = v.id OFFSET 0) o ON true
 WHERE v.product_id = ANY($1) AND v.active
 ORDER BY v.id, o.market
"""
PUT_OFFERS = """
INSERT INTO catalog.offer (variant_id, market, amount, currency, compare_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])
ON CONFLICT (variant_id, market) DO UPDATE
   SET amount = EXCLUDED.amount, currency = EXCLUDED.currency, compare_at = EXCLUDED.compare_at
 WHERE (offer.amount, offer.currency, offer.compare_at)
       IS DISTINCT FROM (EXCLUDED.amount, EXCLUDED.currency, EXCLUDED.compare_at)
RETURNING variant_id
"""
DROP_OFFERS = """
DELETE FROM catalog.offer o USING unnest($1::uuid[], $2::text[]) AS gone (variant_id, market)
 WHERE o.variant_id = gone.variant_id AND o.market = gone.market
RETURNING o.variant_id
"""
# A reader believes the highest version; a variant nobody spoke of has none to sell.
PUT_STOCK = """
WITH before AS (
    SELECT variant_id, available FROM catalog.stock WHERE variant_id = ANY($1)
), put AS (
    INSERT INTO catalog.stock (variant_id, available, version)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[])
    ON CONFLICT (variant_id) DO UPDATE SET available = EXCLUDED.available, version = EXCLUDED.version
     WHERE stock.version < EXCLUDED.version
    RETURNING variant_id, available
)
SELECT p.variant_id FROM put p LEFT JOIN before b ON b.variant_id = p.variant_id
 WHERE p.available <> coalesce(b.available, 0)
"""
PRODUCTS_OF = """
SELECT p.id, p.version, p.document -> 'slugs', p.document -> 'variants'
  FROM catalog.product p
 WHERE p.status = 'published'
   AND p.id IN (SELECT v.product_id FROM catalog.variant v WHERE v.id = ANY($1) AND v.active)
 ORDER BY p.id
"""


class Live(Struct, frozen=True):
    """What others say of a variant."""

    available: int
    offers: list[Offer]


class LiveRow(Struct, frozen=True):
    """A variant with one of its offers, if it has any."""

    variant_id: UUID
    available: int
    market: str | None
    amount: int
    currency: str
    compare_at: int | None


class OffersRow(Struct, frozen=True):
    product_id: UUID
    version: int
    slugs: Texts
    variants: list[VariantDocument]


async def put_offers(tx: Tx, rows: Sequence[tuple[UUID, str, int, str, int | None]]) -> list[UUID]:
    """Offers as variant, market, amount, currency, price before; the variants whose offer is another one now."""
    return await tx.many(UUID, PUT_OFFERS, *(list(column) for column in zip(*rows, strict=True)))


async def drop_offers(tx: Tx, gone: Sequence[tuple[UUID, str]]) -> list[UUID]:
    """Those of the variants that had an offer in the market until now."""
    return await tx.many(UUID, DROP_OFFERS, [variant for variant, _ in gone], [market for _, market in gone])


async def put_stock(tx: Tx, rows: Sequence[tuple[UUID, int, int]]) -> list[UUID]:
    """Availability as variant, available, version; the variants of which another number is available now."""
    return await tx.many(UUID, PUT_STOCK, *(list(column) for column in zip(*rows, strict=True)))


async def live_of(tx: Tx, products: Sequence[UUID]) -> dict[UUID, Live]:
    """By variant: its offers and how many are available."""
    found: dict[UUID, Live] = {}
    for row in await tx.many(LiveRow, LIVE, products):
        live = found.get(row.variant_id)
        if live is None:
            live = found[row.variant_id] = Live(row.available, [])
        if row.market is not None:
            before = None if row.compare_at is None else Money(row.compare_at, row.currency)
            live.offers.append(Offer(row.market, Money(row.amount, row.currency), before))
    return found


async def alive(tx: Tx, documents: Sequence[ProductDocument]) -> list[ProductDocument]:
    """The products with what others say of their variants."""
    live = await live_of(tx, [document.id for document in documents])
    return [with_live(document, live) for document in documents]


async def offers_of(tx: Tx, variants: Sequence[UUID]) -> list[ProductOffers]:
    """The published products of these variants with all their variants' present offers and availability."""
    rows = await tx.many(OffersRow, PRODUCTS_OF, variants)
    live = await live_of(tx, [row.product_id for row in rows])
    return [
        ProductOffers(
            product_id=row.product_id,
            version=row.version,
            slugs=row.slugs,
            variants=[variant_with(variant, live) for variant in row.variants],
        )
        for row in rows
    ]


def with_live(document: ProductDocument, live: dict[UUID, Live]) -> ProductDocument:
    values = {name: getattr(document, name) for name in document.__struct_fields__}
    values["variants"] = [variant_with(variant, live) for variant in document.variants]
    return ProductDocument(**values)


def variant_with(variant: VariantDocument, live: dict[UUID, Live]) -> VariantDocument:
    found = live.get(variant.id)
    return VariantDocument(
        id=variant.id,
        sku=variant.sku,
        options=variant.options,
        media=variant.media,
        grams=variant.grams,
        available=found.available if found else 0,
        offers=found.offers if found else [],
    )
