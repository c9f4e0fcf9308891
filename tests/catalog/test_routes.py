"""Catalog over HTTP: what shoppers see, what staff do, and every refusal."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from msgspec.structs import replace

from sampan.kernel.context import SYSTEM
from sampan.kernel.ids import uuid7
from sampan.services.catalog.rules import Draft, NewMedia
from sampan.services.pricing.contract import NewPrice

Drafts = Callable[..., Draft]
ENGLISH = {"accept-language": "en"}


@pytest.fixture
async def follower(shop: Any) -> AsyncIterator[None]:
    """A web process drops the answers that events make stale."""
    task = asyncio.create_task(shop.shop.drop_stale_answers())
    await asyncio.sleep(0.05)
    yield
    task.cancel()


def sent(draft: Draft) -> Any:
    """The draft as JSON."""
    return msgspec.to_builtins(draft)


async def get(shop: Any, path: str, **headers: str) -> Any:
    return await shop.http.get(
        f"/api/v1{path}", headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


async def becomes(ask: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """The answer, once it is as wanted; within three seconds."""
    for _ in range(60):
        answer = await ask()
        if wanted(answer):
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"it stayed {answer.status_code} {answer.text[:300]}")


async def kept(shop: Any, path: str) -> Any:
    """The answer, once it comes out of the cache: the news of what is there already has been followed."""
    for _ in range(60):
        before = shop.shop.answers.stats().hits
        await get(shop, path)
        answer = await get(shop, path)
        if shop.shop.answers.stats().hits > before:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} is not kept")


# --- shoppers -----------------------------------------------------------------------------------------------------------


async def test_a_product_is_shown_by_slug_and_id_in_the_language_asked(catalog: Any, shop: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft(summary={"vi": "Ghế thấp", "en": "A low stool"}, brand="Bến Ghe"))
    vi = (await get(shop, f"/products/{made.slug}")).json()
    assert (vi["name"], vi["slug"], vi["summary"]) == (made.draft.name["vi"], made.document.slugs["vi"], "Ghế thấp")
    assert vi["options"][0]["values"][0] == {"code": "red", "label": "Đỏ", "swatch": "#c6321f"}
    assert vi["attributes"] == [{"code": "material", "label": "Chất liệu", "value": "Nhựa"}]
    assert vi["variants"][0]["name"] == f"{made.draft.name['vi']} · Đỏ"
    en = (await get(shop, f"/products/{made.id}", **ENGLISH)).json()
    assert (en["name"], en["slug"], en["summary"]) == (made.draft.name["en"], made.document.slugs["en"], "A low stool")
    assert en["variants"][1]["name"] == f"{made.draft.name['en']} · Blue"
    assert en["default_variant_id"] == vi["default_variant_id"] == vi["variants"][0]["id"]


async def test_prices_are_those_of_the_market_asked(catalog: Any, shop: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    red, blue = (variant.id for variant in made.document.variants)
    prices = [NewPrice(red, "VN", 90_000, 120_000), NewPrice(blue, "VN", 95_000), NewPrice(red, "INTL", 500)]
    await shop.actions("pricing").set_prices(actor=SYSTEM, prices=prices)
    await shop.settle()
    here = (await get(shop, f"/products/{made.slug}")).json()["variants"]
    assert [variant["price"] for variant in here] == [
        {"amount": 90_000, "currency": "VND"},
        {"amount": 95_000, "currency": "VND"},
    ]
    assert here[0]["compare_at"] == {"amount": 120_000, "currency": "VND"}
    assert not any(variant["purchasable"] for variant in here)  # there is a price, and nothing in stock
    abroad = (await get(shop, f"/products/{made.slug}?market=INTL")).json()["variants"]
    assert [variant["price"] for variant in abroad] == [{"amount": 500, "currency": "USD"}, None]
    elsewhere = (await get(shop, f"/products/{made.slug}?market=MOON")).json()["variants"]
    assert [variant["price"] for variant in elsewhere] == [None, None]


async def test_an_old_slug_redirects_in_the_language_asked(catalog: Any, shop: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    slugs = {"vi": f"ghe-{made.id.hex}", "en": f"stool-{made.id.hex}"}
    await catalog.change_product(product_id=made.id, draft=replace(made.draft, slugs=slugs), version=1)
    answer = await get(shop, f"/products/{made.slug}?market=INTL")
    assert answer.status_code == 301
    assert answer.headers["location"] == f"/api/v1/products/{slugs['vi']}?market=INTL"
    answer = await get(shop, f"/products/{made.slug}", **ENGLISH)
    assert answer.headers["location"] == f"/api/v1/products/{slugs['en']}"


async def test_an_unknown_and_an_unpublished_product_look_the_same(catalog: Any, shop: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft(status="draft"))
    for key in (made.slug, str(made.id), str(uuid7()), "no-such-product"):
        answer = await get(shop, f"/products/{key}")
        assert (answer.status_code, answer.json()["code"]) == (404, "catalog.unknown_product")


async def test_an_archived_product_is_gone_by_each_of_its_names(catalog: Any, shop: Any, draft: Drafts) -> None:
    archived = await catalog.create_product(draft=draft(status="archived"))
    for key in (archived.slug, str(archived.id)):
        answer = await get(shop, f"/products/{key}")
        assert (answer.status_code, answer.json()["code"]) == (410, "catalog.product_gone")


@pytest.mark.parametrize("query", ["market=vn", "market=", "market=VN&market=VN", "market=VN%0a", "colour=red"])
async def test_a_query_that_is_not_ours_is_refused(catalog: Any, shop: Any, draft: Drafts, query: str) -> None:
    made = await catalog.create_product(draft=draft())
    assert (await get(shop, f"/products/{made.slug}?{query}")).status_code in (400, 422)


async def test_a_kept_answer_is_dropped_when_a_price_changes(
    catalog: Any, shop: Any, draft: Drafts, follower: None
) -> None:
    made = await catalog.create_product(draft=draft())
    paths = [f"/products/{made.slug}", f"/products/{made.document.slugs['en']}", f"/products/{str(made.id).upper()}"]
    for path in paths:
        assert (await kept(shop, path)).json()["variants"][0]["price"] is None
    price = NewPrice(made.document.variants[0].id, "VN", 90_000)
    await shop.actions("pricing").set_prices(actor=SYSTEM, prices=[price])
    await shop.settle()
    for path in paths:
        await becomes(partial(get, shop, path), lambda a: a.json()["variants"][0]["price"] is not None)


async def test_a_kept_answer_is_dropped_when_its_slug_changes_and_when_the_product_goes(
    catalog: Any, shop: Any, draft: Drafts, follower: None
) -> None:
    made = await catalog.create_product(draft=draft())
    assert (await kept(shop, f"/products/{made.slug}")).status_code == 200
    moved = replace(made.draft, slugs={"vi": f"ghe-{made.id.hex}", "en": f"stool-{made.id.hex}"})
    await catalog.change_product(product_id=made.id, draft=moved, version=1)
    await becomes(lambda: get(shop, f"/products/{made.slug}"), lambda a: a.status_code == 301)
    assert (await kept(shop, f"/products/ghe-{made.id.hex}")).status_code == 200
    await catalog.change_product(product_id=made.id, draft=replace(moved, status="archived"), version=2)
    await becomes(lambda: get(shop, f"/products/ghe-{made.id.hex}"), lambda a: a.status_code == 410)


async def test_categories_are_a_tree_in_the_language_asked(
    catalog: Any, shop: Any, draft: Drafts, follower: None
) -> None:
    tag = uuid4().hex[:8]
    top, below = f"nha-{tag}", f"ghe-{tag}"
    for slug, name, parent in ((top, "Nhà", None), (below, "Ghế", top)):
        await catalog.put_category(
            slug=slug, name={"vi": name, "en": f"{name} (en)"}, description={}, parent=parent, position=1
        )
    await catalog.create_product(draft=draft(categories=[below]))

    def found(answer: Any) -> Any:
        return next((node for node in answer.json()["items"] if node["slug"] == top), None)

    def whole(answer: Any) -> bool:
        return (found(answer) or {}).get("count") == 1

    node = found(await becomes(lambda: get(shop, "/categories"), whole))
    assert (node["name"], [child["slug"] for child in node["children"]]) == ("Nhà", [below])
    one = (await get(shop, f"/categories/{below}", **ENGLISH)).json()
    assert (one["name"], one["ancestors"], one["count"]) == ("Ghế (en)", [{"slug": top, "name": "Nhà (en)"}], 1)
    assert (await get(shop, "/categories/no-such-category")).status_code == 404


async def test_only_renditions_are_served_as_files(catalog: Any, shop: Any, picture: Callable[..., bytes]) -> None:
    media = await catalog.keep_picture(data=picture(), alt={})
    answer = await shop.http.get(media.url)
    assert answer.headers["content-type"] == "image/webp"
    assert "immutable" in answer.headers["cache-control"]
    assert "sandbox" in answer.headers["content-security-policy"]
    await catalog.files.put("demo/other.webp", b"x", "image/webp")
    await catalog.files.put("media/other.txt", b"x", "text/plain")
    for path in ("demo/other.webp", "media/other.txt", "media/none.webp", "media/%2e%2e/secret.webp", "media/.webp"):
        assert (await shop.http.get(f"/files/{path}")).status_code in (404, 422)


# --- staff --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/products"),
        ("POST", "/admin/products"),
        ("GET", f"/admin/products/{uuid7()}"),
        ("PATCH", f"/admin/products/{uuid7()}"),
        ("POST", "/admin/categories"),
        ("GET", "/admin/product-types"),
        ("POST", "/admin/product-types"),
        ("POST", "/admin/media"),
    ],
)
async def test_the_catalog_is_kept_by_staff_with_the_permission(shop: Any, method: str, path: str) -> None:
    assert (await shop.http.request(method, f"/api/v1{path}")).status_code == 401
    other = await shop.staff("orders.read")
    assert (await shop.http.request(method, f"/api/v1{path}", headers=other)).status_code == 403
    if method != "GET":
        reader = await shop.staff("catalog.read")
        assert (await shop.http.request(method, f"/api/v1{path}", headers=reader)).status_code == 403


async def test_a_product_is_created_read_and_changed(catalog: Any, shop: Any, writer: Any, draft: Drafts) -> None:
    body = sent(draft())
    created = await shop.http.post("/api/v1/admin/products", json=body, headers=writer)
    assert created.status_code == 201
    product = created.json()
    path = f"/api/v1/admin/products/{product['id']}"
    read = (await shop.http.get(path, headers=writer)).json()
    assert read == product
    assert read["variants"] == [variant["id"] for variant in read["product"]["variants"]]
    change = {"version": read["version"], "product": {**read["product"], "name": {"vi": "Ghế khác"}}}
    changed = await shop.http.patch(path, json=change, headers=writer)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (changed.json()["slug"], changed.json()["variants"]) == (read["slug"], read["variants"])
    stale = await shop.http.patch(path, json=change, headers=writer)
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (409, "catalog.version_changed", 2)


async def test_a_creation_repeats_with_its_key(catalog: Any, shop: Any, writer: Any, draft: Drafts) -> None:
    headers, body = {**writer, "idempotency-key": f"key-{uuid7()}"}, sent(draft())
    first = await shop.http.post("/api/v1/admin/products", json=body, headers=headers)
    again = await shop.http.post("/api/v1/admin/products", json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())


async def test_a_sku_and_a_slug_that_are_taken_are_refused(catalog: Any, shop: Any, writer: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    same = draft(variants=[replace(variant, id=None) for variant in made.draft.variants])
    answer = await shop.http.post("/api/v1/admin/products", json=sent(same), headers=writer)
    assert (answer.status_code, answer.json()["code"]) == (409, "catalog.sku_taken")
    answer = await shop.http.post("/api/v1/admin/products", json=sent(draft(slugs={"vi": made.slug})), headers=writer)
    assert (answer.status_code, answer.json()["code"]) == (409, "catalog.slug_taken")


async def test_what_staff_ask_for_that_is_not_there_is_not_found(
    catalog: Any, shop: Any, writer: Any, draft: Drafts
) -> None:
    for key in (str(uuid7()), "no-id"):
        assert (await shop.http.get(f"/api/v1/admin/products/{key}", headers=writer)).status_code == 404
        change = {"version": 1, "product": sent(draft())}
        assert (await shop.http.patch(f"/api/v1/admin/products/{key}", json=change, headers=writer)).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"name": {"vi": ""}},
        {"name": {"vi": "x" * 201}},
        {"name": {"fr": "Tabouret"}},
        {"product_type": "no_such_type"},
        {"product_type": "Möbel"},
        {"variants": []},
        {"variants": [{"sku": "ghế", "options": {"colour": "red"}}]},
        {"variants": [{"sku": "A", "options": {"colour": "red"}, "price": 1}]},
        {"variants": [{"sku": "A", "options": {"colour": "red"}, "grams": -1}]},
        {"variants": [{"sku": "A", "options": {"colour": "red"}, "media": [0]}]},
        {"variants": [{"sku": "A", "options": {"colour": "red"}}] * 201},
        {"attributes": {"taste": "sweet"}},
        {"attributes": {"material": {"a": [1.5]}}},
        {"categories": ["no-such-category"]},
        {"slugs": {"vi": "Ghế"}},
        {"slugs": {"vi": "ghe\n"}},
        {"status": "sold"},
        {"media": [{"url": "https://elsewhere.example/files/media/x.webp", "alt": {}}]},
        {"tax_class": "Standard"},
    ],
)
async def test_what_is_wrong_with_a_product_is_refused(
    catalog: Any, shop: Any, writer: Any, draft: Drafts, change: Any
) -> None:
    answer = await shop.http.post("/api/v1/admin/products", json={**sent(draft()), **change}, headers=writer)
    assert answer.status_code == 422, answer.text


async def test_the_list_of_products_is_paged_and_narrowed(catalog: Any, shop: Any, writer: Any, draft: Drafts) -> None:
    made = [await catalog.create_product(draft=draft(status="archived")) for _ in range(3)]
    path = "/api/v1/admin/products?status=archived&limit=2"
    first = (await shop.http.get(path, headers=writer)).json()
    assert [item["id"] for item in first["items"]] == [str(made[2].id), str(made[1].id)]
    rest = (await shop.http.get(f"{path}&cursor={first['next']}", headers=writer)).json()
    assert rest["items"][0]["id"] == str(made[0].id)
    sku = made[1].draft.variants[1].sku
    [only] = (await shop.http.get(f"/api/v1/admin/products?sku={sku}", headers=writer)).json()["items"]
    assert (only["id"], only["status"], only["name"]) == (str(made[1].id), "archived", made[1].draft.name)
    for query in ("limit=101", "limit=0", "status=sold", "cursor=abc", "page=2"):
        assert (await shop.http.get(f"/api/v1/admin/products?{query}", headers=writer)).status_code == 422


async def test_categories_are_added_and_changed(catalog: Any, shop: Any, writer: Any) -> None:
    slug = f"ke-{uuid4().hex[:8]}"
    first = await shop.http.post("/api/v1/admin/categories", json={"slug": slug, "name": {"vi": "Kệ"}}, headers=writer)
    again = await shop.http.post(
        "/api/v1/admin/categories", json={"slug": slug, "name": {"vi": "Kệ sách"}, "position": 5}, headers=writer
    )
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    for wrong in (
        {"parent": slug},
        {"parent": "no-such-category"},
        {"name": {"en": "Shelf"}},
        {"position": -1},
        {"x": 1},
    ):
        body = {"slug": slug, "name": {"vi": "Kệ"}, **wrong}
        assert (await shop.http.post("/api/v1/admin/categories", json=body, headers=writer)).status_code == 422


async def test_product_types_are_added_and_listed(catalog: Any, shop: Any, writer: Any) -> None:
    code = f"type_{uuid4().hex[:8]}"
    care = {"code": "care", "label": {"vi": "Giữ gìn"}, "kind": "text"}
    body = {"code": code, "name": {"vi": "Đồ thử"}, "attributes": [care]}
    assert (await shop.http.post("/api/v1/admin/product-types", json=body, headers=writer)).status_code == 201
    listed = (await shop.http.get("/api/v1/admin/product-types", headers=writer)).json()["items"]
    assert [each["attributes"][0]["code"] for each in listed if each["code"] == code] == ["care"]
    for wrong in ({"attributes": [care, care]}, {"attributes": [{**care, "kind": "colour"}]}, {"name": {}}):
        answer = await shop.http.post("/api/v1/admin/product-types", json={**body, **wrong}, headers=writer)
        assert answer.status_code == 422


async def test_an_uploaded_picture_can_be_shown(
    catalog: Any, shop: Any, writer: Any, draft: Drafts, picture: Callable[..., bytes]
) -> None:
    headers = {**writer, "content-type": "image/jpeg"}
    answer = await shop.http.post("/api/v1/admin/media", content=picture(kind="JPEG"), headers=headers)
    assert answer.status_code == 201
    url = answer.json()["url"]
    made = await catalog.create_product(draft=draft(media=[NewMedia(url, {"vi": "Ghế đỏ", "en": "A red stool"})]))
    [shown] = (await get(shop, f"/products/{made.slug}", **ENGLISH)).json()["media"]
    assert shown == {"url": url, "alt": "A red stool", "width": 800, "height": 1000, "widths": [320, 480, 640, 800]}
    [snapshot, _] = await catalog.find_variants(variants=[variant.id for variant in made.document.variants])
    assert snapshot.image == url


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"<svg/>", "image/svg+xml", 415),
        (b"x", "", 415),
        (b"<svg/>", "image/png", 422),
        (b"", "image/webp", 422),
        (b"x" * (10 * 1024 * 1024 + 1), "image/png", 413),
    ],
)
async def test_an_upload_that_is_no_picture_or_too_large_is_refused(
    shop: Any, writer: Any, content: bytes, kind: str, status: int
) -> None:
    headers = {**writer, "content-type": kind}
    assert (await shop.http.post("/api/v1/admin/media", content=content, headers=headers)).status_code == status
