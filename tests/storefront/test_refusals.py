"""Pages for what went wrong: what happened, what was kept, what to do; in both languages, and for parts of pages."""

from typing import Any

import pytest
from msgspec.structs import replace

from sampan.kernel import context
from sampan.kernel.errors import Forbidden, RemoteUnavailable, TooManyRequests
from sampan.kernel.http import BadRequest
from sampan.kernel.settings import load
from sampan.services.catalog.contract import ProductGone
from sampan.services.catalog.rules import Draft, NewVariant
from sampan.services.search.contract import IndexUnavailable
from sampan.services.storefront.actions import StorefrontSettings
from sampan.services.storefront.contract import ClosedForNow
from sampan.services.storefront.rules import refusal_kind


class Refusing:
    """A service that answers everything with this."""

    def __init__(self, refusal: Exception) -> None:
        self.refusal = refusal

    def __getattr__(self, name: str) -> Any:
        async def call(**_: Any) -> Any:
            raise self.refusal

        return call


REFUSALS = {
    "403": (Forbidden("no"), 403, "Trang này không dành cho Bạn", "This page is not open to you"),
    "404": (None, 404, "Không có trang này", "There is no such page"),
    "429": (TooManyRequests("slowly", retry_after=7), 429, "Bạn thao tác nhanh quá", "That was a little fast"),
    "500": (RuntimeError("a fault"), 500, "Cửa hàng đang gặp trục trặc", "Something is wrong on our side"),
    "503": (RemoteUnavailable("away"), 503, "Cửa hàng đang đông khách", "The shop is very busy"),
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_refusal_is_a_page_in_the_language_of_its_address(
    window: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    refusal, status, vietnamese, english = REFUSALS[kind]
    visitor = window.visitor()
    await visitor.see("/")  # the frame is known, as it is in a shop that runs
    if refusal is not None:
        monkeypatch.setattr(window.shop.actions("storefront"), "catalog", Refusing(refusal))
    for prefix, words in (("", vietnamese), ("/en", english)):
        answer = await visitor.see(f"{prefix}/p/nothing-of-the-kind")
        assert answer.status_code == status
        assert words in answer.text
        assert "Công ty Thử" in answer.text  # the seller stands on every page
        assert answer.headers["cache-control"] == "no-store"
        assert ('name="q"' in answer.text.split("<main")[1]) is (kind == "404")
        assert (answer.headers["x-request-id"] in answer.text) is (kind in ("500", "503"))
        assert ("retry-after" in answer.headers) is (kind in ("429", "503"))


async def test_a_part_of_a_page_is_refused_beside_the_page(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was on the page stays there: the words come as a toast, or into the open cart."""
    monkeypatch.setattr(window.shop.actions("storefront"), "catalog", Refusing(TooManyRequests("slowly")))
    visitor = window.visitor()
    part = await visitor.http.get("/p/x", headers={"hx-request": "true", "accept": "text/html"})
    assert part.status_code == 429
    assert part.text.strip().startswith('<hx-partial hx-target="#toasts"')
    assert "Bạn thao tác nhanh quá" in part.text
    drawer = await visitor.http.get(
        "/en/p/x", headers={"hx-request": "true", "hx-target": "div#cart-drawer-body", "accept": "text/html"}
    )
    assert "hx-partial" not in drawer.text
    assert "That was a little fast" in drawer.text


async def test_a_product_that_is_no_longer_sold_is_gone_and_others_of_its_shelf_are_shown(window: Any) -> None:
    catalog = window.shop.actions("catalog")
    with context.working_as(context.SYSTEM, request="tests"):
        draft = Draft(
            name={"vi": "Ghế cũ", "en": "Old stool"},
            summary={"vi": "Cũ.", "en": "Old."},
            description={"vi": "Cũ.", "en": "Old."},
            product_type=window.category.replace("do-nha-", "type_"),
            categories=[window.category],
            variants=[NewVariant(sku=f"CU-{window.category[-10:]}".upper(), grams=900)],
            slugs={"vi": f"ghe-cu-{window.category[-10:]}", "en": f"old-stool-{window.category[-10:]}"},
            status="published",
        )
        made = await catalog.create_product(draft=draft)
        await catalog.change_product(product_id=made.id, draft=replace(draft, status="archived"), version=1)
    with pytest.raises(ProductGone) as gone:
        await catalog.find_product(key=str(made.id))
    assert gone.value.facts["category"] == window.category
    for language, words in (("vi", "không còn bán"), ("en", "no longer sold")):
        prefix = "" if language == "vi" else "/en"
        answer = await window.visitor().see(f"{prefix}/p/{draft.slugs[language]}")
        assert answer.status_code == 410
        assert words in answer.text
        assert f"{prefix}/p/{window.slugs[language]}" in answer.text
        assert "noindex" in answer.text


async def test_while_the_shop_is_worked_on_it_says_so_and_orders_can_be_followed(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.shop.actions("storefront"), "maintenance", True)
    visitor = window.visitor()
    for path, words in (("/", "đang được sửa sang"), ("/en/search", "being worked on"), ("/checkout", "sửa sang")):
        answer = await visitor.see(path)
        assert answer.status_code == 503
        assert words in answer.text
        assert int(answer.headers["retry-after"]) > 60
    lookup = await visitor.see("/orders/lookup")
    assert lookup.status_code == 200
    order = await visitor.send("/cart/lines", variant_id=str(window.variant))
    assert order.status_code == 503


def test_maintenance_is_a_setting() -> None:
    settings = load({"SAMPAN_STOREFRONT_MAINTENANCE": "true"}, home="/nonexistent")
    assert settings.section(StorefrontSettings, "storefront").maintenance
    assert not load({}, home="/nonexistent").section(StorefrontSettings, "storefront").maintenance


def test_a_refusal_is_told_in_the_words_of_its_kind() -> None:
    """Words of the status, or words of their own where people can do something about it."""
    assert refusal_kind(Forbidden("old", reason="csrf")) == "old_form"
    assert refusal_kind(Forbidden("no")) == "403"
    assert refusal_kind(ClosedForNow("later")) == "maintenance"
    assert refusal_kind(BadRequest("what")) == "400"
    assert refusal_kind(IndexUnavailable("gone")) == "503"


# --- search is away ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", [False, True], ids=["it does not answer", "it is not deployed"])
async def test_without_search_one_browses_on_and_is_offered_nothing_that_does_not_work(
    window: Any, monkeypatch: pytest.MonkeyPatch, absent: bool
) -> None:
    away = None if absent else Refusing(IndexUnavailable("the index cannot be read"))
    monkeypatch.setattr(window.shop.actions("storefront"), "search", away)
    visitor = window.visitor()
    for prefix, words in (("", "đang tạm nghỉ"), ("/en", "resting")):
        listed = await visitor.see(f"{prefix}/c/{window.category}")
        assert listed.status_code == 200
        assert words in listed.text
        assert f"{prefix}/p/" in listed.text
        assert "<filter-sheet" not in listed.text
        assert "noindex" in listed.text
        found = await visitor.see(f"{prefix}/search?q=ghe")
        assert words in found.text
        assert "“ghe”" not in found.text  # these are not the results of anything
    assert (await visitor.http.get("/_/suggest?q=ghe")).status_code == 204
    assert (await visitor.http.get("/_/count?q=ghe")).text == "Xem kết quả"
    home = await visitor.see("/")
    assert "product-card__link" in home.text
    product = await visitor.see(f"/p/{window.slugs['vi']}")
    assert product.status_code == 200
