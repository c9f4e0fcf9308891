"""Catalog: products, variants, categories."""

from typing import Any
from uuid import uuid4

import msgspec
from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table

from sampan.kernel.errors import Invalid
from sampan.services.catalog.contract import Catalog, Moved, ProductGone, UnknownProduct
from sampan.services.catalog.rules import Draft, NewVariant

table = Table(Catalog)


async def product(stage: Stage, **more: Any) -> Any:
    tag = uuid4().hex[:10]
    draft = Draft(
        name={"vi": f"Ghế {tag}", "en": f"Stool {tag}"},
        product_type="anything",
        variants=[NewVariant(f"GHE-{tag}", grams=400)],
        status="published",
        **more,
    )
    return await stage.actions("catalog").create_product(draft=draft)


async def category(stage: Stage) -> str:
    slug = f"do-nha-{uuid4().hex[:10]}"
    await stage.actions("catalog").put_category(
        slug=slug, name={"vi": "Đồ nhà"}, description={"vi": ""}, parent=None, position=1
    )
    return slug


@table.answers("find_variants")
async def those_that_exist(stage: Stage) -> Call:
    made = await product(stage)
    variant = made.document.variants[0].id
    return Call({"variants": [variant, uuid4()]}, lambda found: [each.variant_id for each in found] == [variant])


@table.answers("find_product")
async def by_its_slug(stage: Stage) -> Call:
    made = await product(stage)
    return Call({"key": made.document.slug}, lambda found: found.id == made.document.id)


@table.answers("find_product")
async def by_its_id(stage: Stage) -> Call:
    made = await product(stage)
    return Call({"key": str(made.document.id)}, lambda found: found.slug == made.document.slug)


@table.refuses("find_product", UnknownProduct)
async def by_a_slug_that_nobody_has(stage: Stage) -> Call:
    return Call({"key": f"khong-{uuid4().hex}"})


@table.refuses("find_product", ProductGone)
async def that_is_archived(stage: Stage) -> Call:
    made = await product(stage)
    draft = msgspec.structs.replace(made.draft, status="archived")
    await stage.actions("catalog").change_product(product_id=made.document.id, draft=draft, version=made.version)
    return Call({"key": made.document.slug})


@table.refuses("find_product", Moved)
async def by_its_old_slug(stage: Stage) -> Call:
    made = await product(stage)
    old, new = made.document.slug, f"moi-{uuid4().hex[:10]}"
    draft = msgspec.structs.replace(made.draft, slugs={"vi": new})
    await stage.actions("catalog").change_product(product_id=made.document.id, draft=draft, version=made.version)
    return Call({"key": old}, facts={"slug": new})


@table.answers("find_products")
async def in_the_order_asked(stage: Stage) -> Call:
    ids = [(await product(stage)).document.id for _ in range(2)][::-1]
    return Call({"ids": [ids[0], uuid4(), ids[1]]}, lambda found: [each.id for each in found] == ids)


@table.answers("list_categories")
async def the_whole_tree(stage: Stage) -> Call:
    slug = await category(stage)
    return Call({}, lambda found: slug in [each.slug for each in found])


@table.answers("list_products")
async def the_newest_of_a_category(stage: Stage) -> Call:
    slug = await category(stage)
    old = await product(stage, categories=[slug])
    new = await product(stage, categories=[slug])
    expected = [new.document.id, old.document.id]
    return Call({"category": slug, "limit": 2}, lambda found: [each.id for each in found] == expected)


@table.refuses("list_products", Invalid)
async def after_an_id_that_is_none(stage: Stage) -> Call:
    return Call({"after": "7"})
