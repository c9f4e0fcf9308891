"""What pricing learns from catalog's events; each may come twice."""

from typing import Any
from uuid import UUID

from sampan.kernel.ids import uuid7
from sampan.services.catalog.contract import VariantsTaxed
from sampan.services.pricing.handlers import on_variants_taxed


async def class_of(shop: Any, variant: UUID) -> str | None:
    async with shop.db("pricing").read() as tx:
        found: str | None = await tx.maybe(
            str, "SELECT tax_class FROM pricing.variant_tax WHERE variant_id = $1", variant
        )
    return found


async def tell(shop: Any, *events: VariantsTaxed) -> None:
    for event in events:
        async with shop.db("pricing").begin() as tx:
            await on_variants_taxed(shop.actions("pricing"), tx, event)


async def test_variants_have_the_tax_class_that_catalog_said_last(shop: Any) -> None:
    first, second = uuid7(), uuid7()
    both = VariantsTaxed(tax_class="standard", variants=[first, second, first])
    await tell(shop, both, both)
    assert await class_of(shop, first) == "standard"
    await tell(shop, VariantsTaxed(tax_class="essentials", variants=[second]))
    assert (await class_of(shop, first), await class_of(shop, second)) == ("standard", "essentials")


async def test_no_variants_are_no_news(shop: Any) -> None:
    await tell(shop, VariantsTaxed(tax_class="standard", variants=[]))
