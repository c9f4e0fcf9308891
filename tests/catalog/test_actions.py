"""Catalog's actions on a real database."""

import asyncio
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from PIL import Image

from sampan.kernel.errors import Invalid, NotFound
from sampan.kernel.ids import uuid7
from sampan.services.catalog.actions.pictures import BadPicture, encoded, known_media
from sampan.services.catalog.contract import (
    CategoriesChanged,
    Moved,
    ProductChanged,
    ProductWithdrawn,
    UnknownProduct,
    VariantsTaxed,
)
from sampan.services.catalog.rules import (
    Choice,
    Draft,
    NewMedia,
    NewVariant,
    SkuTaken,
    SlugTaken,
    VersionChanged,
)
from sampan.services.catalog.store import checks

Drafts = Callable[..., Draft]
Pictures = Callable[..., bytes]


def renamed(draft: Draft, *skus: str) -> Draft:
    """The draft with other SKUs in the same places."""
    variants = [replace(variant, sku=sku) for variant, sku in zip(draft.variants, skus, strict=True)]
    return replace(draft, variants=variants)


# --- reading ------------------------------------------------------------------------------------------------------------


async def test_a_product_is_found_by_its_slugs_and_its_id(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    for key in (str(made.id), str(made.id).upper(), *made.document.slugs.values()):
        assert (await catalog.find_product(key=key)).id == made.id
    with pytest.raises(UnknownProduct):
        await catalog.find_product(key=made.id.hex)


async def test_a_draft_is_not_found_by_shoppers(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft(status="draft"))
    for key in (str(made.id), made.slug):
        with pytest.raises(UnknownProduct):
            await catalog.find_product(key=key)
    assert await catalog.find_products(ids=[made.id]) == []
    [variant, _] = await catalog.find_variants(variants=[v.id for v in made.document.variants])
    assert not variant.published


async def test_an_old_slug_leads_to_the_new_one_in_each_language(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    tag = uuid4().hex[:8]
    slugs = {"vi": f"ghe-moi-{tag}", "en": f"new-stool-{tag}"}
    await catalog.change_product(product_id=made.id, draft=replace(made.draft, slugs=slugs), version=made.version)
    for old in made.document.slugs.values():
        with pytest.raises(Moved) as moved:
            await catalog.find_product(key=old)
        assert moved.value.facts == {"slug": slugs["vi"], "slugs": slugs}


async def test_products_come_in_the_order_asked(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_products(drafts=[draft() for _ in range(3)])
    wanted = [made[2].id, made[0].id, uuid7(), made[1].id]
    assert [p.id for p in await catalog.find_products(ids=wanted)] == [made[2].id, made[0].id, made[1].id]


async def test_the_newest_products_come_first_and_page_by_page(catalog: Any, draft: Drafts) -> None:
    slug = f"ke-{uuid4().hex[:8]}"
    await catalog.put_category(slug=slug, name={"vi": "Kệ"}, description={}, parent=None, position=1)
    made = [(await catalog.create_product(draft=draft(categories=[slug]))).id for _ in range(3)]
    first = await catalog.list_products(category=slug, limit=2)
    assert [p.id for p in first] == [made[2], made[1]]
    rest = await catalog.list_products(category=slug, limit=2, after=str(first[-1].id))
    assert [p.id for p in rest] == [made[0]]
    assert [p.id for p in await catalog.list_products(limit=1)] == [made[2]]
    assert await catalog.list_products(category="no-such-category") == []
    with pytest.raises(Invalid):
        await catalog.list_products(after="the first one")


async def test_variants_are_found_by_their_skus(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    skus = [variant.sku for variant in made.draft.variants]
    found = await catalog.find_skus(skus=[*skus, "no-such-sku"])
    assert sorted((v.sku, v.variant_id) for v in found) == sorted((v.sku, v.id) for v in made.document.variants)


async def test_a_snapshot_says_what_a_cart_needs(catalog: Any, draft: Drafts) -> None:
    variants = [NewVariant(uuid4().hex[:8], {"colour": "red"}, grams=900, max_quantity=3)]
    made = await catalog.create_product(draft=draft(variants=variants, tax_class="standard-unreduced"))
    [found] = await catalog.find_variants(variants=[made.document.variants[0].id, uuid7()])
    assert found.name == {"vi": f"{made.draft.name['vi']} · Đỏ", "en": f"{made.draft.name['en']} · Red"}
    assert (found.grams, found.max_quantity, found.tax_class, found.published) == (900, 3, "standard-unreduced", True)


# --- writing ------------------------------------------------------------------------------------------------------------


async def test_what_staff_read_can_be_sent_back(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    read = await catalog.find_draft(product_id=made.id)
    assert [variant.id for variant in read.draft.variants] == [variant.id for variant in made.document.variants]
    again = await catalog.change_product(product_id=made.id, draft=read.draft, version=read.version)
    assert replace(again.document, version=1) == made.document
    assert again.version == made.version + 1


async def test_a_variant_keeps_its_id_by_its_sku(catalog: Any, draft: Drafts) -> None:
    written = draft()
    made = await catalog.create_product(draft=written)
    again = await catalog.change_product(product_id=made.id, draft=written, version=made.version)
    assert [v.id for v in again.document.variants] == [v.id for v in made.document.variants]


async def test_a_variant_that_is_named_keeps_its_id_when_its_sku_changes(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    tag = uuid4().hex[:8]
    again = await catalog.change_product(
        product_id=made.id, draft=renamed(made.draft, f"{tag}-1", f"{tag}-2"), version=1
    )
    assert [(v.id, v.sku) for v in again.document.variants] == [
        (made.document.variants[0].id, f"{tag}-1"),
        (made.document.variants[1].id, f"{tag}-2"),
    ]


async def test_two_variants_may_exchange_their_skus(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    red, blue = (variant.sku for variant in made.draft.variants)
    again = await catalog.change_product(product_id=made.id, draft=renamed(made.draft, blue, red), version=1)
    assert [(v.id, v.sku) for v in again.document.variants] == [
        (made.document.variants[0].id, blue),
        (made.document.variants[1].id, red),
    ]
    assert await catalog.invariants() == []


async def test_a_new_variant_may_take_over_the_sku_of_a_renamed_one(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft(variants=[NewVariant(uuid4().hex[:8], {"colour": "red"})]))
    [old] = made.draft.variants
    variants = [replace(old, sku=f"{old.sku}-2"), NewVariant(old.sku, {"colour": "blue"})]
    again = await catalog.change_product(product_id=made.id, draft=replace(made.draft, variants=variants), version=1)
    assert again.document.variants[0].id == old.id
    assert again.document.variants[1].id != old.id


async def test_a_variant_that_is_left_out_cannot_be_bought_until_it_comes_back(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    kept, dropped = made.draft.variants
    await catalog.change_product(product_id=made.id, draft=replace(made.draft, variants=[kept]), version=1)
    assert not (await catalog.find_variants(variants=[dropped.id]))[0].published
    assert [v.id for v in (await catalog.find_product(key=made.slug)).variants] == [kept.id]
    back = [kept, replace(dropped, id=None)]
    again = await catalog.change_product(product_id=made.id, draft=replace(made.draft, variants=back), version=2)
    assert again.document.variants[1].id == dropped.id
    assert (await catalog.find_variants(variants=[dropped.id]))[0].published


async def test_a_variant_may_take_the_sku_of_one_that_was_left_out(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    kept, dropped = made.draft.variants
    only = replace(made.draft, variants=[kept])
    await catalog.change_product(product_id=made.id, draft=only, version=1)
    again = await catalog.change_product(product_id=made.id, draft=renamed(only, dropped.sku), version=2)
    assert [(v.id, v.sku) for v in again.document.variants] == [(kept.id, dropped.sku)]
    assert await catalog.invariants() == []


async def test_a_variant_of_another_product_is_unknown(catalog: Any, draft: Drafts) -> None:
    other = await catalog.create_product(draft=draft())
    made = await catalog.create_product(draft=draft())
    stolen = [replace(made.draft.variants[0], id=other.document.variants[0].id)]
    with pytest.raises(Invalid):
        await catalog.change_product(product_id=made.id, draft=replace(made.draft, variants=stolen), version=1)


async def test_who_saves_over_another_version_is_told(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    await catalog.change_product(product_id=made.id, draft=made.draft, version=made.version)
    with pytest.raises(VersionChanged) as refusal:
        await catalog.change_product(product_id=made.id, draft=made.draft, version=made.version)
    assert refusal.value.facts["version"] == made.version + 1


async def test_of_two_who_save_the_same_version_at_once_one_wins(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    together = asyncio.Barrier(2)

    async def save(summary: str) -> object:
        await together.wait()
        changed = replace(made.draft, summary={"vi": summary})
        return await catalog.change_product(product_id=made.id, draft=changed, version=1)

    results = await asyncio.gather(save("Một"), save("Hai"), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["StoredProduct", "VersionChanged"]


async def test_who_changes_what_is_not_there_is_told(catalog: Any, draft: Drafts) -> None:
    with pytest.raises(NotFound):
        await catalog.change_product(product_id=uuid7(), draft=draft(), version=1)
    with pytest.raises(NotFound):
        await catalog.find_draft(product_id=uuid7())


async def test_a_sku_belongs_to_one_product(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    with pytest.raises(SkuTaken) as refusal:
        await catalog.create_product(draft=draft(variants=[replace(v, id=None) for v in made.draft.variants]))
    assert refusal.value.facts["sku"] == made.draft.variants[0].sku


async def test_of_two_who_take_a_sku_at_once_one_wins(catalog: Any, draft: Drafts) -> None:
    sku, together = uuid4().hex[:8], asyncio.Barrier(2)

    async def create() -> object:
        await together.wait()
        return await catalog.create_product(draft=draft(variants=[NewVariant(sku, {"colour": "red"})]))

    results = await asyncio.gather(create(), create(), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["SkuTaken", "StoredProduct"]


async def test_a_slug_belongs_to_one_product_for_ever(catalog: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    tag = uuid4().hex[:8]
    moved = replace(made.draft, slugs={"vi": f"ghe-{tag}", "en": f"stool-{tag}"})
    await catalog.change_product(product_id=made.id, draft=moved, version=1)
    for slug in (made.slug, f"ghe-{tag}"):
        with pytest.raises(SlugTaken):
            await catalog.create_product(draft=draft(slugs={"vi": slug}))


async def test_products_of_the_same_name_get_different_addresses(catalog: Any, draft: Drafts) -> None:
    first = await catalog.create_product(draft=draft())
    second = await catalog.create_product(draft=draft(name=first.draft.name))
    third, fourth = await catalog.create_products(drafts=[draft(name=first.draft.name), draft(name=first.draft.name)])
    assert len({slug for made in (first, second, third, fourth) for slug in made.document.slugs.values()}) == 8


async def test_many_products_are_written_whole_or_not_at_all(catalog: Any, draft: Drafts) -> None:
    good, bad = draft(), draft(attributes={"material": "gold"})
    with pytest.raises(Invalid):
        await catalog.create_products(drafts=[good, bad])
    assert await catalog.find_skus(skus=[variant.sku for variant in good.variants]) == []
    with pytest.raises(SkuTaken):
        await catalog.create_products(drafts=[good, draft(variants=good.variants)])
    with pytest.raises(Invalid, match="at most 1000"):
        await catalog.create_products(drafts=[good] * 1001)
    assert await catalog.create_products(drafts=[]) == []


async def test_many_products_take_no_more_statements_than_one(catalog: Any, shop: Any, draft: Drafts) -> None:
    async def statements(count: int) -> int:
        before = shop.db("catalog").statements
        await catalog.create_products(drafts=[draft(brand=f"Hiệu {n}") for n in range(count)])
        return int(shop.db("catalog").statements - before)

    assert await statements(1) == await statements(30)


async def test_an_unknown_category_type_or_picture_is_refused(catalog: Any, draft: Drafts) -> None:
    with pytest.raises(Invalid, match="no category"):
        await catalog.create_product(draft=draft(categories=["no-such-category"]))
    with pytest.raises(Invalid, match="no product type"):
        await catalog.create_product(draft=draft(product_type="no_such_type"))
    with pytest.raises(Invalid, match="upload the picture first"):
        await catalog.create_product(draft=draft(media=[NewMedia("/files/media/a.webp", {"vi": "Ghế"})]))


async def test_brands_that_are_spelt_alike_are_one(catalog: Any, shop: Any, draft: Drafts) -> None:
    tag = uuid4().hex[:6]
    made = await catalog.create_products(
        drafts=[draft(brand=f"Bến Ghe {tag}"), draft(brand=f"BẾN GHE {tag}"), draft(brand="★")]
    )
    async with shop.db("catalog").read() as tx:
        found = await tx.many(
            UUID, "SELECT brand_id FROM catalog.product WHERE id = ANY($1) ORDER BY id", [p.id for p in made]
        )
    by_brand = {p.id: brand for p, brand in zip(sorted(made, key=lambda p: p.id), found, strict=True)}
    assert by_brand[made[0].id] == by_brand[made[1].id] != by_brand[made[2].id]
    assert made[1].document.brand == f"BẾN GHE {tag}"


# --- what others are told -----------------------------------------------------------------------------------------------


async def test_others_are_told_of_a_product_from_its_publication_to_its_end(
    catalog: Any, draft: Drafts, news: Callable[..., Any]
) -> None:
    told = await news()
    made = await catalog.create_product(draft=draft(status="draft"))
    assert await told(ProductChanged) == []
    shown = await catalog.change_product(product_id=made.id, draft=replace(made.draft, status="published"), version=1)
    assert [event.product for event in await told(ProductChanged)] == [shown.document]
    slugs = {"vi": f"ghe-{made.id.hex}", "en": f"stool-{made.id.hex}"}
    await catalog.change_product(product_id=made.id, draft=replace(shown.draft, slugs=slugs), version=2)
    assert [event.was for event in await told(ProductChanged)] == [{}, made.document.slugs]
    assert await told(ProductWithdrawn) == []
    await catalog.change_product(
        product_id=made.id, draft=replace(shown.draft, slugs=slugs, status="archived"), version=3
    )
    [gone] = await told(ProductWithdrawn)
    assert (gone.product_id, gone.version, gone.slugs) == (made.id, 4, slugs)


async def test_the_taxes_are_told_of_new_variants_and_of_another_class(
    catalog: Any, draft: Drafts, news: Callable[..., Any]
) -> None:
    told = await news()
    made = await catalog.create_product(draft=draft(status="draft"))
    ids = [variant.id for variant in made.document.variants]
    await catalog.change_product(product_id=made.id, draft=made.draft, version=1)
    await catalog.change_product(product_id=made.id, draft=replace(made.draft, tax_class="exempt"), version=2)
    assert [(event.tax_class, event.variants) for event in await told(VariantsTaxed)] == [
        ("standard", ids),
        ("exempt", ids),
    ]


# --- categories and types -----------------------------------------------------------------------------------------------


async def put(catalog: Any, slug: str, name: str, parent: str | None = None, position: int = 1, **more: Any) -> None:
    values = {"description": {}, "parent": parent, "position": position, **more}
    await catalog.put_category(slug=slug, name={"vi": name}, **values)


async def test_a_category_counts_what_is_in_it_and_below_and_is_not_below_itself(catalog: Any, draft: Drafts) -> None:
    tag = uuid4().hex[:8]
    top, below = f"nha-{tag}", f"ghe-{tag}"
    await put(catalog, top, "Nhà")
    await put(catalog, below, "Ghế", top)
    made = await catalog.create_product(draft=draft(categories=[below, top]))
    await catalog.create_product(draft=draft(categories=[below], status="draft"))
    counts = {c.slug: c.count for c in await catalog.list_categories()}
    assert counts[top] == counts[below] == 1
    assert [p.id for p in await catalog.list_products(category=top)] == [made.id]
    beside = f"ban-{tag}"
    await put(catalog, beside, "Bàn", top)
    for categories in ([beside], [beside, below], [below, beside], [top, below, beside]):
        await catalog.create_product(draft=draft(categories=categories))
    counts = {c.slug: c.count for c in await catalog.list_categories()}
    assert (counts[top], counts[below], counts[beside]) == (5, 4, 4)
    with pytest.raises(Invalid, match="below itself"):
        await put(catalog, top, "Nhà", below)
    with pytest.raises(Invalid, match="no category"):
        await put(catalog, top, "Nhà", "no-such-category")


async def test_categories_come_in_their_order_each_below_its_parent(catalog: Any) -> None:
    tag = uuid4().hex[:8]
    for slug, parent, position in (
        ("b", None, 10),
        ("a", None, 9),
        ("b1", "b", 2),
        ("b0", "b", 1),
        ("a1", "a", 1),
        ("a2", "a", 1),
    ):
        await put(catalog, f"{slug}-{tag}", slug, f"{parent}-{tag}" if parent else None, position)
    found = [c.slug for c in await catalog.list_categories() if c.slug.endswith(tag)]
    assert found == [f"{slug}-{tag}" for slug in ("a", "a1", "a2", "b", "b0", "b1")]


async def test_products_follow_the_name_and_the_place_of_their_category(
    catalog: Any, draft: Drafts, news: Callable[..., Any]
) -> None:
    tag = uuid4().hex[:8]
    house, garden, stools = f"nha-{tag}", f"vuon-{tag}", f"ghe-{tag}"
    await put(catalog, house, "Nhà")
    await put(catalog, garden, "Vườn")
    await put(catalog, stools, "Ghế", house)
    made = await catalog.create_product(draft=draft(categories=[stools]))
    hidden = await catalog.create_product(draft=draft(categories=[stools], status="draft"))
    told = await news()
    await put(catalog, stools, "Ghế thấp", garden)
    assert len(await told(CategoriesChanged)) == 1
    await catalog.refresh_products()
    await catalog.refresh_products()
    ids = {c.slug: c.id for c in await catalog.list_categories()}
    found = await catalog.find_product(key=made.slug)
    assert [(c.slug, c.name) for c in found.categories] == [(stools, {"vi": "Ghế thấp"})]
    assert found.ancestors == [ids[stools], ids[garden]]
    assert found.version == made.version + 1
    assert [event.product for event in await told(ProductChanged)] == [found]
    assert (await catalog.find_draft(product_id=hidden.id)).document.ancestors == [ids[stools], ids[garden]]
    assert await catalog.invariants() == []


async def test_products_far_below_a_category_follow_it_slice_by_slice(catalog: Any, draft: Drafts) -> None:
    tag = uuid4().hex[:8]
    await put(catalog, f"a-{tag}", "A")
    await put(catalog, f"b-{tag}", "B", f"a-{tag}")
    await put(catalog, f"c-{tag}", "C")
    made = await catalog.create_products(drafts=[draft(categories=[f"b-{tag}"]) for _ in range(405)])
    await put(catalog, f"a-{tag}", "A", f"c-{tag}")
    await catalog.refresh_products()
    top = next(c.id for c in await catalog.list_categories() if c.slug == f"c-{tag}")
    found = [
        p
        for start in range(0, 405, 100)
        for p in await catalog.find_products(ids=[p.id for p in made[start : start + 100]])
    ]
    assert len(found) == 405
    assert all(product.ancestors[-1] == top for product in found)


async def test_products_follow_their_type(catalog: Any, draft: Drafts, news: Callable[..., Any]) -> None:
    made = await catalog.create_product(draft=draft())
    type_before = next(t for t in await catalog.list_types() if t.code == "furniture")
    told = await news()
    [material] = type_before.attributes
    changed = replace(material, choices=[Choice("plastic", {"vi": "Nhựa PP", "en": "PP"})])
    await catalog.put_type(product_type=replace(type_before, attributes=[changed]))
    await catalog.refresh_products()
    assert (await catalog.find_product(key=made.slug)).attributes[0].value == {"vi": "Nhựa PP", "en": "PP"}
    assert made.id in {event.product.id for event in await told(ProductChanged)}
    await catalog.put_type(product_type=type_before)
    await catalog.refresh_products()


async def test_nothing_is_refreshed_when_nothing_changed(catalog: Any, draft: Drafts, news: Callable[..., Any]) -> None:
    slug = f"ke-{uuid4().hex[:8]}"
    await put(catalog, slug, "Kệ")
    made = await catalog.create_product(draft=draft(categories=[slug]))
    told = await news()
    await put(catalog, slug, "Kệ", position=7)
    await catalog.put_type(product_type=next(t for t in await catalog.list_types() if t.code == "furniture"))
    await catalog.refresh_products()
    assert await told(ProductChanged) == []
    assert (await catalog.find_product(key=made.slug)).version == 1


# --- pictures -----------------------------------------------------------------------------------------------------------


async def test_a_picture_becomes_renditions_of_known_size(catalog: Any, shop: Any, picture: Pictures) -> None:
    media = await catalog.keep_picture(data=picture(), alt={"vi": "Ghế"})
    assert (media.width, media.height, media.widths) == (800, 1000, [320, 480, 640, 800])
    for width in media.widths:
        answer = await shop.http.get(media.url.replace(f"/{media.width}-", f"/{width}-"))
        assert answer.status_code == 200
        assert Image.open(io.BytesIO(answer.content)).size == (width, round(1000 * width / 800))
    assert await known_media(catalog.files, {media.url}) == {media.url: replace(media, alt={})}


async def test_a_picture_from_before_a_rendition_was_made_is_known_without_it(catalog: Any, picture: Pictures) -> None:
    media = await catalog.keep_picture(data=picture(), alt={})
    name = media.url.removeprefix("/files/").replace("/800-", "/480-")
    await catalog.files.delete(name)
    assert (await known_media(catalog.files, {media.url}))[media.url].widths == [320, 640, 800]


@pytest.mark.parametrize(
    ("width", "height", "widths"),
    [(3000, 2000, [320, 480, 640, 960, 1280]), (960, 10, [320, 480, 640, 960]), (1, 1, [1]), (100, 8000, [100])],
)
async def test_renditions_are_never_wider_than_the_picture_nor_than_1280(
    catalog: Any, picture: Pictures, width: int, height: int, widths: list[int]
) -> None:
    media = await catalog.keep_picture(data=picture(width, height), alt={})
    assert media.widths == widths


async def test_a_large_photo_lies_the_way_its_camera_was_held(catalog: Any) -> None:
    output, sideways = io.BytesIO(), Image.Exif()
    sideways[0x0112] = 6
    Image.new("RGB", (4000, 3000), "#c6321f").save(output, "JPEG", exif=sideways.tobytes())
    media = await catalog.keep_picture(data=output.getvalue(), alt={})
    assert (media.width, media.height) == (1280, 1707)


async def test_a_photo_whose_camera_wrote_nonsense_beside_its_orientation_is_turned_all_the_same(catalog: Any) -> None:
    output, sideways = io.BytesIO(), Image.Exif()
    sideways[0x0112], sideways[0x010E] = 6, "a description"
    nonsense = sideways.tobytes().replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02")  # as the width, in letters
    Image.new("RGB", (400, 300), "#c6321f").save(output, "JPEG", exif=nonsense)
    media = await catalog.keep_picture(data=output.getvalue(), alt={})
    assert (media.width, media.height) == (300, 400)
    kept = Image.open(io.BytesIO(await catalog.files.get(media.url.removeprefix("/files/"))))
    assert not kept.getexif()


async def test_what_a_picture_says_of_its_maker_is_gone_and_what_is_clear_stays_clear(catalog: Any) -> None:
    output, maker = io.BytesIO(), Image.Exif()
    maker[0x010F] = "Camera of a customer"
    Image.new("RGBA", (400, 400), (200, 50, 30, 0)).save(output, "WEBP", exif=maker.tobytes())
    media = await catalog.keep_picture(data=output.getvalue(), alt={})
    kept = Image.open(io.BytesIO(await catalog.files.get(media.url.removeprefix("/files/"))))
    assert not kept.getexif()
    assert kept.mode == "RGBA"


def test_each_rendition_is_scaled_from_a_wider_one() -> None:
    made = encoded(Image.new("RGB", (640, 800), "#c6321f"), method=0)
    assert [Image.open(io.BytesIO(data)).size for data in made.files.values()] == [(320, 400), (480, 600), (640, 800)]


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"GIF89a", b"\xff\xd8\xff" * 9, b"RIFF\x00\x00\x00\x00WEBPVP8 "])
async def test_what_is_no_picture_is_refused(catalog: Any, data: bytes) -> None:
    with pytest.raises(BadPicture):
        await catalog.keep_picture(data=data, alt={})


async def test_half_a_picture_a_huge_one_and_a_very_long_one_are_refused(catalog: Any, picture: Pictures) -> None:
    for data in (picture()[:200], picture(9000, 9000), picture(10, 9000)):
        with pytest.raises(BadPicture):
            await catalog.keep_picture(data=data, alt={})


async def test_only_pictures_that_we_keep_are_known(catalog: Any, picture: Pictures) -> None:
    url = (await catalog.keep_picture(data=picture(), alt={})).url
    others = {
        f"https://elsewhere.example{url}",
        url.replace("/800-", "/640-"),
        url.replace("800x1000", "801x1000"),
        url.replace("media/", "media/../media/"),
        f"{url}?x",
        f"{url}\n",
        "",
    }
    assert set(await known_media(catalog.files, {url, *others})) == {url}


async def test_a_category_may_have_a_picture(catalog: Any, picture: Pictures) -> None:
    media = await catalog.keep_picture(data=picture(), alt={})
    slug = f"ke-{uuid4().hex[:8]}"
    await put(catalog, slug, "Kệ", media=NewMedia(media.url, {"vi": "Cái kệ"}))
    found = next(c for c in await catalog.list_categories() if c.slug == slug)
    assert found.media == replace(media, alt={"vi": "Cái kệ"})
    with pytest.raises(Invalid, match="upload the picture first"):
        await put(catalog, slug, "Kệ", media=NewMedia("/files/media/x.webp", {"vi": "Cái kệ"}))


async def test_all_is_well_with_what_these_tests_made(catalog: Any) -> None:
    assert await catalog.invariants() == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE catalog.variant SET active = false WHERE product_id = $1", "default variant"),
        ("UPDATE catalog.variant SET position = 1 - position WHERE product_id = $1", "other variants"),
        ("DELETE FROM catalog.slug WHERE product_id = $1", "leads elsewhere"),
        ("UPDATE catalog.product SET version = 7 WHERE id = $1", "version 1"),
        ("DELETE FROM catalog.product_category WHERE product_id = $1", "other categories"),
        ("UPDATE catalog.variant SET sku = 'other' || sku WHERE product_id = $1", "another variant, product or SKU"),
        ("UPDATE catalog.category SET parent_id = id WHERE id IN"
         " (SELECT category_id FROM catalog.product_category WHERE product_id = $1)", "below itself"),
    ],
)  # fmt: skip
async def test_the_invariants_find_what_is_broken(
    catalog: Any, shop: Any, draft: Drafts, damage: str, sentence: str
) -> None:
    slug = f"ke-{uuid4().hex[:8]}"
    await put(catalog, slug, "Kệ")
    made = await catalog.create_product(draft=draft(categories=[slug]))
    with pytest.raises(ZeroDivisionError):
        async with shop.db("catalog").begin() as tx:
            await tx.execute(damage, made.id)
            assert any(sentence in found for found in await checks.violations(tx))
            raise ZeroDivisionError  # nothing of it stays


async def test_a_picture_whose_file_is_missing_is_named(catalog: Any, draft: Drafts, picture: Pictures) -> None:
    media = await catalog.keep_picture(data=picture(333, 333), alt={"vi": "Ghế"})
    await catalog.create_product(draft=draft(media=[NewMedia(media.url, {"vi": "Ghế"})]))
    assert await catalog.invariants() == []
    key = media.url.removeprefix("/files/")
    content = await catalog.files.get(key)
    await catalog.files.delete(key)
    assert await catalog.invariants() == [f"the picture {key} is shown and its file is missing"]
    await catalog.files.put(key, content, "image/webp")
    assert await catalog.invariants() == []
