"""What inventory learns from catalog's events; each may come twice and out of order."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sampan.kernel.ids import uuid7
from sampan.services.catalog.contract import ProductChanged, ProductDocument, VariantDocument
from sampan.services.inventory.handlers import on_products_changed


def changed(product: UUID, version: int, **skus: UUID) -> ProductChanged:
    variants = [VariantDocument(id=variant, sku=sku, options={}) for sku, variant in skus.items()]
    return ProductChanged(
        product=ProductDocument(
            id=product,
            version=version,
            slug="ghe",
            slugs={"vi": "ghe"},
            name={"vi": "Ghế"},
            summary={"vi": ""},
            description={"vi": ""},
            brand=None,
            product_type="furniture",
            tax_class="standard",
            categories=[],
            ancestors=[],
            media=[],
            options=[],
            variants=variants,
            default_variant_id=variants[0].id if variants else product,
            attributes=[],
            channels=["web"],
            created_at=datetime.now(UTC),
        )
    )


async def tell(shop: Any, *events: ProductChanged) -> None:
    for event in events:
        async with shop.db("inventory").begin() as tx:
            await on_products_changed(shop.actions("inventory"), tx, [event])


async def sku_of(shop: Any, variant: UUID) -> str | None:
    async with shop.db("inventory").read() as tx:
        found: str | None = await tx.maybe(str, "SELECT sku FROM inventory.sku WHERE variant_id = $1", variant)
    return found


async def test_a_variant_has_the_name_of_the_newest_version(shop: Any) -> None:
    product, red, blue = uuid7(), uuid7(), uuid7()
    first = changed(product, 1, RED=red, BLUE=blue)
    second = changed(product, 2, CRIMSON=red, BLUE=blue)
    await tell(shop, first, first, second, second, first)
    assert (await sku_of(shop, red), await sku_of(shop, blue)) == ("CRIMSON", "BLUE")


async def test_among_events_of_one_batch_too_the_newest_version_counts(shop: Any) -> None:
    product, red, blue = uuid7(), uuid7(), uuid7()
    batch = [changed(product, 2, CRIMSON=red), changed(product, 1, RED=red, BLUE=blue), changed(product, 3)]
    for _ in range(2):
        async with shop.db("inventory").begin() as tx:
            await on_products_changed(shop.actions("inventory"), tx, batch)
    assert (await sku_of(shop, red), await sku_of(shop, blue)) == ("CRIMSON", "BLUE")


async def test_a_variant_that_is_gone_keeps_its_name_for_its_stock(shop: Any) -> None:
    product, red, blue = uuid7(), uuid7(), uuid7()
    await tell(shop, changed(product, 1, RED=red, BLUE=blue), changed(product, 2, BLUE=blue), changed(product, 3))
    assert await sku_of(shop, red) == "RED"
