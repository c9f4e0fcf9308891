import io
from uuid import uuid4

import pytest
from PIL import Image

from sampan.kernel.errors import Invalid
from sampan.kernel.money import Money
from sampan.services.catalog.actions.pictures import BadPicture
from sampan.services.catalog.contract import Moved, UnknownProduct
from sampan.services.catalog.rules import (
    AttributeDefinition,
    Choice,
    Draft,
    NewOption,
    NewOptionValue,
    NewVariant,
    ProductType,
    SkuTaken,
    SlugTaken,
    VersionChanged,
)


def a_draft(**changes) -> Draft:
    tag = uuid4().hex[:8]
    values = dict(
        name={"vi": f"Ghế nhựa {tag}", "en": f"Plastic stool {tag}"},
        product_type="furniture",
        options=[
            NewOption(
                "colour",
                {"vi": "Màu", "en": "Colour"},
                [
                    NewOptionValue("red", {"vi": "Đỏ", "en": "Red"}),
                    NewOptionValue("blue", {"vi": "Xanh", "en": "Blue"}),
                ],
            )
        ],
        variants=[NewVariant(f"{tag}-R", {"colour": "red"}), NewVariant(f"{tag}-B", {"colour": "blue"})],
        attributes={"material": "plastic"},
        status="published",
    )
    return Draft(**{**values, **changes})


@pytest.fixture
async def catalog(shop):
    catalog = shop.actions("catalog")
    await catalog.put_type(
        product_type=ProductType(
            "furniture",
            {"vi": "Đồ nhà", "en": "Furniture"},
            [
                AttributeDefinition(
                    "material",
                    {"vi": "Chất liệu", "en": "Material"},
                    "choice",
                    choices=[Choice("plastic", {"vi": "Nhựa", "en": "Plastic"})],
                    filterable=True,
                )
            ],
        )
    )
    return catalog


async def test_a_product_is_found_by_its_slugs_and_its_id(catalog):
    made = await catalog.create_product(draft=a_draft())
    for key in (str(made.id), *made.document.slugs.values()):
        assert (await catalog.find_product(key=key)).id == made.id


async def test_a_draft_is_not_found_by_shoppers(catalog):
    made = await catalog.create_product(draft=a_draft(status="draft"))
    with pytest.raises(UnknownProduct):
        await catalog.find_product(key=str(made.id))
    assert not (await catalog.find_variants(variants=[made.document.variants[0].id]))[0].published


async def test_an_old_slug_leads_to_the_new_one(catalog):
    draft = a_draft()
    made = await catalog.create_product(draft=draft)
    old, tag = made.slug, uuid4().hex[:8]
    changed = a_draft(
        name=draft.name, variants=draft.variants, slugs={"vi": f"ghe-moi-{tag}", "en": f"new-stool-{tag}"}
    )
    await catalog.change_product(product_id=made.id, draft=changed, version=made.version)
    with pytest.raises(Moved) as moved:
        await catalog.find_product(key=old)
    assert moved.value.facts["slug"] == f"ghe-moi-{tag}"


async def test_a_variant_keeps_its_id_when_the_product_is_saved_again(catalog):
    draft = a_draft()
    made = await catalog.create_product(draft=draft)
    again = await catalog.change_product(product_id=made.id, draft=draft, version=made.version)
    assert [v.id for v in again.document.variants] == [v.id for v in made.document.variants]
    assert again.version == made.version + 1


async def test_who_saves_over_another_version_is_told(catalog):
    draft = a_draft()
    made = await catalog.create_product(draft=draft)
    await catalog.change_product(product_id=made.id, draft=draft, version=made.version)
    with pytest.raises(VersionChanged):
        await catalog.change_product(product_id=made.id, draft=draft, version=made.version)


async def test_a_sku_belongs_to_one_product(catalog):
    draft = a_draft()
    await catalog.create_product(draft=draft)
    with pytest.raises(SkuTaken):
        await catalog.create_product(draft=a_draft(variants=draft.variants))


async def test_a_slug_belongs_to_one_product_for_ever(catalog):
    made = await catalog.create_product(draft=a_draft())
    with pytest.raises(SlugTaken):
        await catalog.create_product(draft=a_draft(slugs={"vi": made.slug}))


async def test_products_of_the_same_name_get_different_addresses(catalog):
    first = await catalog.create_product(draft=a_draft())
    second = await catalog.create_product(draft=a_draft(name=first.draft.name))
    assert first.slug != second.slug


async def test_a_category_counts_what_is_in_it_and_below_and_is_not_below_itself(catalog):
    tag = uuid4().hex[:8]
    top, below = f"nha-{tag}", f"ghe-{tag}"
    await catalog.put_category(slug=top, name={"vi": "Nhà"}, description={}, parent=None, position=1)
    await catalog.put_category(slug=below, name={"vi": "Ghế"}, description={}, parent=top, position=1)
    made = await catalog.create_product(draft=a_draft(categories=[below]))
    counts = {c.slug: c.count for c in await catalog.list_categories()}
    assert counts[top] == counts[below] == 1
    assert [p.id for p in await catalog.list_products(category=top)] == [made.id]
    with pytest.raises(Invalid, match="below itself"):
        await catalog.put_category(slug=top, name={"vi": "Nhà"}, description={}, parent=below, position=1)


async def test_an_unknown_category_or_type_is_refused(catalog):
    with pytest.raises(Invalid):
        await catalog.create_product(draft=a_draft(categories=["no-such-category"]))
    with pytest.raises(Invalid):
        await catalog.create_product(draft=a_draft(product_type="no_such_type"))


def picture(width=800, height=1000, kind="PNG") -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (width, height), "#c6321f").save(output, kind)
    return output.getvalue()


async def test_a_picture_becomes_renditions_of_known_size(catalog, shop):
    media = await catalog.keep_picture(data=picture(), alt={"vi": "Ghế"})
    assert (media.width, media.height, media.widths) == (800, 1000, [320, 640, 800])
    for width in media.widths:
        answer = await shop.http.get(media.url.replace(f"/{media.width}-", f"/{width}-"))
        assert answer.status_code == 200
        assert Image.open(io.BytesIO(answer.content)).size == (width, round(1000 * width / 800))
        assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"GIF89a", picture()[:200], b"\xff\xd8\xff" * 9])
async def test_what_is_no_picture_is_refused(catalog, data):
    with pytest.raises(BadPicture):
        await catalog.keep_picture(data=data, alt={})


async def test_a_picture_of_too_many_pixels_is_refused(catalog):
    with pytest.raises(BadPicture):
        await catalog.keep_picture(data=picture(9000, 9000), alt={})


async def test_all_is_well_with_what_these_tests_made(catalog):
    assert await catalog.invariants() == []
    assert Money(1, "VND").amount == 1
