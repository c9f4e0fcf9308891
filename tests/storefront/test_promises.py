"""What a product page promises: when and for how much it arrives, why it costs what it costs, what was seen before."""

import asyncio
import re
from datetime import time
from typing import Any
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from sampan.kernel import context
from sampan.kernel.errors import RemoteUnavailable
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.pricing.contract import NewPrice
from sampan.services.shipping.rules.offer import Band
from sampan.services.shipping.rules.zone import NewZone, RateDraft, WardIn
from sampan.services.storefront.routes.product import ways_words
from sampan.services.storefront.rules import place_from, shown_total, shown_totals

BEN_THANH = {"province_code": "79", "ward_code": "26743"}
FAR = {"province_code": "56", "ward_code": "22736"}


class Away:
    """A service that does not answer."""

    def __getattr__(self, name: str) -> Any:
        async def call(**_: Any) -> Any:
            raise RemoteUnavailable("it does not answer")

        return call


def path_of(window: Any, what: str = "delivery", language: str = "vi") -> str:
    prefix = "" if language == "vi" else "/en"
    return f"{prefix}/p/{window.slugs[language]}/{what}"


async def test_the_ward_once_named_is_remembered_for_every_product_and_for_the_order(window: Any) -> None:
    visitor = window.visitor()
    assert "Chọn phường, xã" in (await visitor.see(path_of(window))).text
    promise = await visitor.follow(path_of(window), **BEN_THANH)
    assert "Phường Bến Thành, Thành phố Hồ Chí Minh" in promise.text
    assert re.search(r"<strong>Nhận (từ|ngày) \d\d/\d\d/\d{4}", promise.text)
    assert "20.000" in promise.text
    assert "miễn phí từ 499.000" in promise.text
    english = await visitor.see(path_of(window, language="en"))
    assert "Arrives" in english.text
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    form = (await visitor.see("/checkout")).text
    assert 'value="26743" selected' in form


async def test_the_address_of_an_order_is_remembered_as_the_place(window: Any) -> None:
    visitor = window.visitor()
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    await visitor.follow("/checkout/address", name="Đào", phone="0912345678", street="12 Lê Lợi", **BEN_THANH)
    assert "Phường Bến Thành" in (await visitor.see(path_of(window))).text


async def test_a_product_page_is_the_same_for_everybody(window: Any) -> None:
    """It may be kept by caches: what is one person's stands in parts that are fetched apart, and kept by nobody."""
    visitor = window.visitor()
    await visitor.follow(path_of(window), **BEN_THANH)
    page = (await visitor.see(f"/p/{window.slugs['vi']}")).text
    assert "Bến Thành" not in page
    link = re.search(r'<a href="([^"]+)" rel="nofollow" hx-get="\1" hx-trigger="load"', page)
    assert link is not None
    part = await visitor.http.get(link[1], headers={"hx-request": "true"})
    assert "Bến Thành" in part.text
    assert "<html" not in part.text
    assert part.headers["cache-control"] == "no-store"


async def test_the_ward_is_chosen_without_scripts_and_what_is_wrong_stands_at_its_field(window: Any) -> None:
    visitor = window.visitor()
    assert 'name="province_code"' in (await visitor.see(path_of(window) + "?change=1")).text
    wards = await visitor.send(path_of(window), province_code="79", action="wards")
    assert "Phường Bến Thành" in wards.text
    missing = await visitor.send(path_of(window), province_code="79")
    assert missing.status_code == 422
    assert "Bạn chọn phường, xã." in missing.text
    elsewhere = await visitor.send(path_of(window), province_code="01", ward_code="26743")
    assert elsewhere.status_code == 422
    assert "không thuộc tỉnh" in elsewhere.text
    assert "place" not in visitor.http.cookies


@pytest.mark.parametrize("cookie", ["", "79", "79.26743.x", "ab.cdefg", "79.2674\u0663"])
def test_a_place_that_is_none_is_forgotten(cookie: str) -> None:
    assert place_from(cookie) is None


async def test_a_ward_that_does_not_exist_any_more_is_asked_for_again(window: Any) -> None:
    visitor = window.visitor()
    visitor.http.cookies.set("place", "79.99999")
    assert "Chọn phường, xã" in (await visitor.see(path_of(window))).text


async def test_where_nothing_is_delivered_the_page_says_so(window: Any) -> None:
    tariff = window.shop.actions("shipping")
    code = f"z-{uuid7().hex[-12:]}"
    with context.working_as(context.SYSTEM, request="tests"):
        zone = NewZone(code=code, market="VN", currency="VND", name="Xa", wards=[WardIn(*FAR.values())], priority=0)
        await tariff.create_zone(new=zone)
        rate = RateDraft(bands=[Band(0, 1, 1)], first_days=1, last_days=2, cutoff=time(16), active=False)
        await tariff.set_rate(zone=code, service="standard", draft=rate, version=1)
    visitor = window.visitor()
    answer = await visitor.follow(path_of(window), **FAR)
    assert "Cửa hàng chưa giao đến" in answer.text
    assert "banner--warn" in answer.text


async def test_when_shipping_is_away_the_product_is_still_sold(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    storefront = window.shop.actions("storefront")
    visitor = window.visitor()
    await visitor.follow(path_of(window), **BEN_THANH)
    monkeypatch.setattr(storefront, "shipping", Away())
    assert "Lúc này chưa tính được" in (await visitor.see(path_of(window))).text
    monkeypatch.setattr(storefront, "shipping", None)
    assert "/delivery?" not in (await visitor.see(f"/p/{window.slugs['vi']}")).text


async def test_a_price_is_explained_step_by_step(window: Any) -> None:
    visitor = window.visitor()
    page = (await visitor.see(f"/p/{window.slugs['vi']}")).text
    assert f'href="{path_of(window, "price")}?variant=' in page
    told = await visitor.see(path_of(window, "price"))
    rows = re.findall(r"<dt[^>]*>([^<]+)</dt><dd[^>]*>([^<]+)</dd>", told.text)
    amounts = [int(re.sub(r"[^\d-]", "", amount.replace("−", "-"))) for _, amount in rows]
    assert [label for label, _ in rows] == ["Giá niêm yết", "Cửa hàng giảm", "Giá Bạn trả mỗi món"]
    assert amounts == [110_000, -25_000, 85_000]
    assert sum(amounts[:-1]) == amounts[-1]
    assert "thuế GTGT" in told.text
    assert "Why this price?" in (await visitor.see(path_of(window, "price", "en"))).text


SAID = {  # what the shop lacks: what its page says of the ways to pay, and what it says where no cash is taken
    "": ("Bạn trả tiền mặt khi nhận hàng hoặc trả trước qua VNPay.", "khi giao. Bạn trả trước qua VNPay."),
    "vnpay": ("Bạn trả tiền mặt khi nhận hàng.", "chưa có cách trả trước. Bạn chọn nơi nhận khác nhé."),
    "cod": ("Bạn trả trước qua VNPay.", "khi giao. Bạn trả trước qua VNPay."),
    "cod,vnpay": ("", "chưa có cách trả trước. Bạn chọn nơi nhận khác nhé."),
}


@pytest.mark.parametrize("lacks", SAID)
async def test_only_ways_to_pay_that_there_are_are_promised(
    window: Any, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    payments, shop = window.shop.actions("payments"), window.shop.actions("storefront")
    ways = {code: way for code, way in payments.providers.items() if code not in lacks}
    monkeypatch.setattr(payments, "providers", ways)
    said, where_no_cash_is_taken = SAID[lacks]
    page = (await window.visitor().see(f"/p/{window.slugs['vi']}")).text
    assert said in page
    assert bool(said) is ("#cash" in page)
    assert ("VNPay" in page) is ("vnpay" in ways)
    monkeypatch.setattr(shop, "shipping", NoCash(shop.shipping))
    visitor = window.visitor()
    promise = (await visitor.follow(path_of(window), **BEN_THANH)).text
    assert "Nơi này chưa nhận trả tiền mặt" in promise
    assert where_no_cash_is_taken in promise
    assert ("VNPay" in promise) is ("vnpay" in ways)


class NoCash:
    """Carriers that take no cash."""

    def __init__(self, shipping: Any) -> None:
        self.shipping = shipping

    async def options_for(self, **asked: Any) -> Any:
        return [replace(option, cod_limit=None) for option in await self.shipping.options_for(**asked)]


async def test_a_way_to_pay_without_words_of_its_own_is_called_by_its_name(window: Any) -> None:
    shop = window.shop.actions("storefront")
    methods = await shop.ways_to_pay(Money(85_000, "VND"), at_the_door=True, language="en")
    named = [replace(method, code=f"{method.code}_2", name=f"{method.code}!") for method in methods]
    texts = shop.texts("en")
    assert ways_words([*methods, *named], texts) == (
        "Pay cash on delivery, in advance with VNPay, in advance: cod! or in advance: vnpay!."
    )


async def test_while_payments_does_not_answer_no_way_is_promised_and_goods_are_shown(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = window.shop.actions("storefront")
    monkeypatch.setattr(shop, "payments", Away())
    page = await window.visitor().see(f"/p/{window.slugs['vi']}")
    assert page.status_code == 200
    assert "85.000" in page.text
    assert "#cash" not in page.text
    monkeypatch.setattr(shop, "shipping", NoCash(shop.shipping))
    promise = (await window.visitor().follow(path_of(window), **BEN_THANH)).text
    assert "Nơi này chưa nhận trả tiền mặt khi giao.<" in promise


async def test_one_asks_for_the_frame_while_others_take_what_is_known(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a shop of 100,000 products the answer takes a while, and every page needs it."""

    class Slow:
        def __init__(self, asked: Any) -> None:
            self.there, self.go, self.times = asked, asyncio.Event(), 0

        async def list_categories(self) -> Any:
            self.times += 1
            await self.go.wait()
            return await self.there.list_categories()

    shop = window.shop.actions("storefront")
    known = await shop.frame()
    slow = Slow(shop.catalog)
    monkeypatch.setattr(shop, "catalog", slow)
    monkeypatch.setattr(shop, "_frame", (0.0, known))
    first = asyncio.create_task(shop.frame())
    while not slow.times:
        await asyncio.sleep(0.001)
    assert await shop.frame() is known
    slow.go.set()
    assert await first is await shop.frame() is not known

    slow.go.clear()
    monkeypatch.setattr(shop, "_frame", None)
    asking = [asyncio.create_task(shop.frame()) for _ in range(5)]
    while slow.times < 2:
        await asyncio.sleep(0.001)
    asking[0].cancel()
    await shop.put_content(content=known.content)  # now what they ask for is old
    slow.go.set()
    assert len({id(await task) for task in asking[1:]}) == 1
    assert slow.times == 2
    assert await shop.frame() is not await asking[1]
    assert slow.times == 3


async def test_a_page_promises_nothing_that_the_shop_does_not(window: Any) -> None:
    """To take goods back for thirty days, to deliver everywhere, to charge nothing more: whoever says so is bound by it."""
    shop = window.shop.actions("storefront")
    content = (await shop.frame()).content
    for days, words in ((None, None), (7, "Đổi trả trong 7 ngày.")):
        await shop.put_content(content=replace(content, returns_days=days))
        try:
            page = (await window.visitor().see(f"/p/{window.slugs['vi']}")).text
        finally:
            await shop.put_content(content=content)
        assert ("Đổi trả trong" in page) is (days is not None)
        assert words is None or words in page
        assert "toàn quốc" not in page
    assert "Không có phụ phí" not in (await window.visitor().see(path_of(window, "price"))).text


async def test_without_pricing_nothing_is_explained(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.shop.actions("storefront"), "pricing", None)
    visitor = window.visitor()
    assert "/price?" not in (await visitor.see(f"/p/{window.slugs['vi']}")).text
    assert (await visitor.see(path_of(window, "price"))).status_code == 404


async def test_what_was_seen_comes_back_in_its_order_and_is_kept_by_nobody(window: Any) -> None:
    catalog = window.shop.actions("catalog")
    product = await catalog.find_product(key=window.slugs["vi"])
    visitor = window.visitor()
    ids = [("id", str(uuid7())), ("id", "nonsense"), ("id", str(product.id))]
    answer = await visitor.http.get(f"/_/seen?{urlencode(ids)}", headers={"hx-request": "true"})
    assert answer.text.count("product-card__link") == 1
    assert f"/p/{window.slugs['vi']}" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    english = await visitor.http.get(f"/en/_/seen?{urlencode(ids)}")
    assert f"/en/p/{window.slugs['en']}" in english.text


@pytest.mark.parametrize("query", ["", "?id=", "?id=nonsense", f"?id={uuid7()}"])
async def test_a_first_visit_has_no_empty_rail(window: Any, query: str) -> None:
    assert (await window.visitor().http.get(f"/_/seen{query}")).status_code == 204


async def test_the_shops_to_walk_into_stand_on_the_home_page(window: Any) -> None:
    visitor = window.visitor()
    assert "Tiệm bên chợ" in (await visitor.see("/")).text
    english = (await visitor.see("/en")).text
    assert "The shop by the market" in english
    assert '"@type": "Store"' in english


# --- the total of each way to pay --------------------------------------------------------------------------------------


async def test_the_button_of_the_order_says_what_it_does(window: Any) -> None:
    for prefix, cash, card in (
        ("", "Đặt hàng · trả {} khi nhận", "Đặt hàng · trả {} qua VNPay"),
        ("/en", "Order · pay {} on delivery", "Order · pay {} with VNPay"),
    ):
        visitor = window.visitor()
        text = await at_payment(window, visitor, prefix=prefix)
        total = "105.000\xa0₫" if not prefix else "₫105,000"
        words = re.search(r'<button[^>]+data-names="payment_method"[^>]*>([^<]+)<', text)
        assert words is not None
        assert words[1] == cash.format(total)
        assert f'data-consequence="{card.format(total)}"' in text


async def at_payment(window: Any, visitor: Any, *, prefix: str = "", place: dict[str, str] = BEN_THANH) -> str:
    """The text of the last step of the checkout."""
    await visitor.follow(f"{prefix}/cart/lines", variant_id=str(window.variant))
    delivery = await visitor.follow(
        f"{prefix}/checkout/address", name="Đào", phone="0912345678", street="12 Lê Lợi", **place
    )
    option = re.search(r'name="option" value="([^"]+)"', delivery.text)
    assert option is not None
    text: str = (await visitor.follow(f"{prefix}/checkout/delivery", option=option[1])).text
    return text


async def test_a_fee_for_cash_is_in_the_total_that_is_shown_and_charged(window: Any) -> None:
    """What stands on the button is what is charged, also where the way to pay costs something itself."""
    tariff = window.shop.actions("shipping")
    code, ward = f"z-{uuid7().hex[-12:]}", {"province_code": "79", "ward_code": "27007"}
    with context.working_as(context.SYSTEM, request="tests"):
        zone = NewZone(code=code, market="VN", currency="VND", name="Phí", wards=[WardIn(*ward.values())], priority=0)
        await tariff.create_zone(new=zone)
        rate = RateDraft(
            bands=[Band(0, 50_000, 30_000)],
            first_days=1,
            last_days=2,
            cutoff=time(16),
            cod_fee=7_000,
            cod_limit=5_000_000,
        )
        await tariff.set_rate(zone=code, service="standard", draft=rate, version=1)
    visitor = window.visitor()
    text = await at_payment(window, visitor, place=ward)
    assert "Đặt hàng · trả 122.000\xa0₫ khi nhận" in text
    shown = re.search(r'name="shown" value="([^"]+)"', text)
    assert shown is not None
    order = await visitor.follow("/checkout/place", payment_method="cod", shown=shown[1])
    assert "Cảm ơn Bạn đã đặt hàng" in order.text
    assert "122.000" in order.text


async def test_a_way_to_pay_that_is_not_open_says_why_in_words(window: Any) -> None:
    dear = 30_000_000
    with context.working_as(context.SYSTEM, request="tests"):
        await window.shop.actions("pricing").set_prices(
            actor=context.SYSTEM, prices=[NewPrice(window.variant, "VN", dear)]
        )
    try:
        text = await at_payment(window, window.visitor())
    finally:
        with context.working_as(context.SYSTEM, request="tests"):
            await window.shop.actions("pricing").set_prices(
                actor=context.SYSTEM, prices=[NewPrice(window.variant, "VN", 85_000, 110_000)]
            )
    assert "Số tiền vượt mức tối đa" in text
    assert "payments.reason" not in text


def test_the_shown_totals_are_read_as_they_were_written() -> None:
    """What is charged is what was seen, for the way to pay that was chosen; what makes no sense was never shown."""

    totals = {"cod": Money(122_000, "VND"), "vnpay": Money(115_000, "VND")}
    written = shown_totals(totals)
    assert {method: shown_total(written, method) for method in totals} == totals
    for nonsense in ("", "cod", "cod=", "cod=1", "cod=-1:VND", "cod=1:vnd", "cod=\u0661:VND", "cod=1:VNDX"):
        assert shown_total(nonsense, "cod") is None
    assert shown_total(written, "momo") is None
