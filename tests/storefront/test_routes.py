"""The pages over HTTP, as crawlers and browsers without scripts see them."""

import re
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import msgspec
import pytest

from sampan.services.search.contract import Found
from sampan.services.storefront.routes import machines

LINK = re.compile(r'<link rel="(canonical|alternate)"(?: hreflang="([^"]+)")? href="([^"]+)">')
STRUCTURED = re.compile(r'<script type="application/ld\+json">(.*?)</script>', re.DOTALL)
WHO = {"name": "Nguyễn Thị Đào", "phone": "0912 345 678"}
WHERE = {"province_code": "79", "ward_code": "26743", "street": "12 Lê Lợi"}


def pages(window: Any, language: str) -> list[str]:
    prefix = "" if language == "vi" else "/en"
    paths = ["/", f"/c/{window.category}", "/search", "/search?q=ghe", f"/p/{window.slugs[language]}"]
    paths += ["/cart", "/orders/lookup", "/languages"]
    return [prefix + path for path in paths]


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_every_page_stands_in_both_languages(window: Any, language: str) -> None:
    visitor = window.visitor()
    for path in pages(window, language):
        answer = await visitor.see(path)
        assert answer.status_code == 200, path
        assert f'<html lang="{language}"' in answer.text, path
        assert len(re.findall(r"<h1[ >]", answer.text)) == 1, path
        assert "Công ty Thử" in answer.text, path
        assert "hx-partial" not in answer.text, path


async def test_the_english_home_has_an_address_without_a_slash_too(window: Any) -> None:
    assert '<html lang="en"' in (await window.visitor().see("/en")).text


async def test_pages_to_be_found_name_themselves_and_their_translations(window: Any) -> None:
    for language in ("vi", "en"):
        for path in pages(window, language)[:2] + pages(window, language)[4:5]:
            answer = await window.visitor().see(path)
            found = {(kind, tag): href for kind, tag, href in LINK.findall(answer.text)}
            assert found["canonical", ""].endswith(path), path
            assert found["alternate", language].endswith(path), path
            assert found["alternate", "x-default"] == found["alternate", "vi"]
            assert '<meta name="robots"' not in answer.text


async def test_the_translations_of_a_product_have_their_own_slugs(window: Any) -> None:
    answer = await window.visitor().see(f"/p/{window.slugs['vi']}")
    found = {(kind, tag): href for kind, tag, href in LINK.findall(answer.text)}
    assert found["alternate", "en"].endswith(f"/en/p/{window.slugs['en']}")


@pytest.mark.parametrize("path", ["/cart", "/orders/lookup", "/search?q=ghe", "/search?in_stock=1"])
async def test_pages_for_one_person_or_one_question_are_not_for_crawlers(window: Any, path: str) -> None:
    assert '<meta name="robots" content="noindex">' in (await window.visitor().see(path)).text


async def test_a_slug_of_the_other_language_leads_to_the_right_one(window: Any) -> None:
    answer = await window.visitor().see(f"/en/p/{window.slugs['vi']}")
    assert answer.status_code == 301
    assert answer.headers["location"] == f"/en/p/{window.slugs['en']}"


async def test_a_product_tells_machines_its_price_and_stock(window: Any) -> None:
    answer = await window.visitor().see(f"/p/{window.slugs['vi']}")
    group = msgspec.json.decode(STRUCTURED.findall(answer.text)[0])
    offer = group["hasVariant"][0]["offers"]
    assert group["@type"] == "ProductGroup"
    assert (offer["price"], offer["priceCurrency"]) == (85000, "VND")
    assert offer["availability"].endswith("/InStock")


async def test_a_card_shows_how_much_less_it_costs(window: Any) -> None:
    answer = await window.visitor().see(f"/c/{window.category}")
    assert "85.000" in answer.text
    assert "−22%" in answer.text


async def test_crawlers_are_told_where_to_look_and_where_not(window: Any) -> None:
    answer = await window.visitor().see("/robots.txt")
    assert "Disallow: /en/checkout" in answer.text
    assert answer.text.rstrip().endswith("/sitemap.xml")


async def test_the_sitemap_names_every_page_in_both_languages(window: Any) -> None:
    answer = await window.visitor().see("/sitemap.xml")
    root = ElementTree.fromstring(answer.text)
    places = [found.text or "" for found in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert any(place.endswith(f"/p/{window.slugs['vi']}") for place in places)
    assert any(place.endswith(f"/en/p/{window.slugs['en']}") for place in places)
    assert any(place.endswith(f"/en/c/{window.category}") for place in places)
    assert len(places) == len(set(places))


async def test_the_sitemap_is_made_once_for_all_who_ask(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second in a shop of ten thousand products."""
    visitor = window.visitor()
    first = await visitor.see("/sitemap.xml")
    assert first.headers["content-encoding"] == "gzip"
    monkeypatch.setattr(machines, "sitemap_of", None)
    plain = await visitor.http.get("/sitemap.xml", headers={"accept-encoding": "br, gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert plain.text == first.text


@pytest.mark.parametrize(
    ("path", "language"), [("/khong-co", "vi"), ("/en/nothing", "en"), ("/p/khong-co", "vi"), ("/en/c/nothing", "en")]
)
async def test_what_is_not_there_is_a_page_with_a_way_on(window: Any, path: str, language: str) -> None:
    answer = await window.visitor().see(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert f'<html lang="{language}"' in answer.text
    assert ("/en/search" if language == "en" else '"/search"') in answer.text


async def test_machines_are_refused_in_their_own_words(window: Any) -> None:
    answer = await window.visitor().http.get("/api/v1/products/khong-co", headers={"accept": "application/json"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_a_form_without_its_token_is_refused_with_a_page(window: Any) -> None:
    visitor = window.visitor()
    await visitor.see("/cart")
    answer = await visitor.http.post(
        "/cart/lines", data={"variant_id": str(window.variant)}, headers={"accept": "text/html"}
    )
    assert answer.status_code == 403
    assert "Biểu mẫu đã cũ" in answer.text


async def test_an_order_is_placed_with_forms_alone(window: Any) -> None:
    visitor = window.visitor()
    cart = await visitor.follow("/cart/lines", variant_id=str(window.variant), quantity="2")
    assert "170.000" in cart.text
    delivery = await visitor.follow("/checkout/address", **WHO, **WHERE)
    option = re.search(r'name="option" value="([^"]+)"', delivery.text)
    assert option is not None
    payment = await visitor.follow("/checkout/delivery", option=option[1])
    shown = re.search(r'name="shown" value="([^"]+)"', payment.text)
    assert shown is not None
    order = await visitor.follow("/checkout/place", payment_method="cod", shown=shown[1])
    assert "Cảm ơn Bạn đã đặt hàng" in order.text
    assert "0912 345 678" in order.text
    assert 'class="header__count" aria-hidden="true"></span>' in order.text
    again = await visitor.see("/orders/last")
    cancelled = await visitor.follow(f"{again.headers['location']}/cancel", reason="other")
    assert "Đơn hàng đã huỷ" in cancelled.text


async def test_another_total_than_the_one_seen_is_not_charged(window: Any) -> None:
    visitor = window.visitor()
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    delivery = await visitor.follow("/checkout/address", **WHO, **WHERE)
    option = re.search(r'name="option" value="([^"]+)"', delivery.text)
    assert option is not None
    await visitor.follow("/checkout/delivery", option=option[1])
    answer = await visitor.send("/checkout/place", payment_method="cod", shown="cod=1:VND")
    assert answer.status_code == 409
    assert "Tổng tiền vừa thay đổi" in answer.text


async def test_what_was_typed_stays_and_what_is_wrong_is_said_at_its_field(window: Any) -> None:
    visitor = window.visitor()
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    answer = await visitor.send("/checkout/address", **{**WHO, **WHERE, "phone": "12", "street": "12 Lê Lợi"})
    assert answer.status_code == 422
    assert 'href="#phone"' in answer.text
    assert 'value="12 Lê Lợi"' in answer.text


async def test_wards_of_a_province_come_without_scripts(window: Any) -> None:
    visitor = window.visitor()
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    answer = await visitor.send("/checkout/address", province_code="79", action="wards", name="Đào")
    assert answer.status_code == 200
    assert "Phường Bến Thành" in answer.text
    assert 'value="Đào"' in answer.text


async def test_a_ward_of_another_province_is_refused(window: Any) -> None:
    visitor = window.visitor()
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    answer = await visitor.send("/checkout/address", **{**WHO, **WHERE, "province_code": "01"})
    assert answer.status_code == 422
    assert 'href="#ward_code"' in answer.text


async def test_no_step_of_the_checkout_is_skipped(window: Any) -> None:
    visitor = window.visitor()
    assert (await visitor.see("/checkout")).headers["location"] == "/cart"
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    answer = await visitor.see("/checkout?step=payment")
    assert "/checkout/address" in answer.text
    assert "/checkout/place" not in answer.text


async def test_a_line_is_changed_taken_out_and_given_back(window: Any) -> None:
    visitor = window.visitor()
    cart = await visitor.follow("/cart/lines", variant_id=str(window.variant))
    line = re.search(r'action="(/cart/lines/[0-9a-f-]+)"', cart.text)
    assert line is not None
    assert "255.000" in (await visitor.follow(line[1], quantity="3")).text
    answer = await visitor.http.post(
        f"{line[1]}/remove",
        headers={
            "hx-request": "true",
            "hx-target": "div#cart-drawer-body",
            "x-csrf-token": visitor.http.cookies["csrf"],
        },
    )
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert f'name="variant_id" value="{window.variant}"' in answer.text
    assert 'name="quantity" value="3"' in answer.text
    undo = re.search(r'name="undo" value="([^"]+)"', answer.text)
    assert undo is not None
    for _ in range(2):  # a finger that trembles
        back = await visitor.send("/cart/lines", variant_id=str(window.variant), quantity="3", undo=undo[1])
        assert back.headers["location"] == "/cart"
    assert "255.000" in (await visitor.see("/cart")).text


async def test_more_than_there_is_is_said_at_its_line(window: Any) -> None:
    visitor = window.visitor()
    answer = await visitor.send("/cart/lines", variant_id=str(window.variant), quantity="90")
    cart = answer if answer.status_code == 422 else await visitor.see("/cart")
    assert "banner--danger" in cart.text or "Bạn giảm số lượng để đặt." in cart.text


async def test_a_stranger_sees_no_order_and_a_wrong_phone_tells_nothing(window: Any) -> None:
    visitor = window.visitor()
    assert (await visitor.see(f"/orders/{uuid4()}")).headers["location"] == "/orders/lookup"
    assert (await visitor.see("/en/orders/last")).headers["location"] == "/en/orders/lookup"
    answer = await visitor.send("/orders/lookup", number="SP00000000", phone="0912345678")
    assert answer.status_code == 404
    assert "Không có đơn hàng nào khớp" in answer.text


async def test_a_fragment_is_told_apart_from_the_page(window: Any) -> None:
    visitor = window.visitor()
    path = f"/p/{window.slugs['vi']}"
    fragment = await visitor.http.get(path, headers={"hx-request": "true"})
    assert "<html" not in fragment.text
    assert "hx-request" in fragment.headers["vary"].lower()
    assert "<html" in (await visitor.see(path)).text


async def test_files_keep_their_names_for_a_year_and_travel_packed(window: Any) -> None:
    page = await window.visitor().see("/")
    found = re.search(r'href="(/static/sampan\.[0-9a-f]+\.css)"', page.text)
    assert found is not None
    answer = await window.visitor().http.get(found[1], headers={"accept-encoding": "gzip"})
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert (await window.visitor().see("/static/nothing.css")).status_code == 404


async def test_the_components_are_shown_to_those_who_work_on_them(shop):
    for theme in ("", "light", "dark"):
        answer = await shop.http.get("/_ui", params={"theme": theme})
        assert answer.status_code == 200
        assert "sampan.css" in answer.text or "/static/" in answer.text


async def test_a_far_page_of_a_list_is_asked_for_once(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, asked = window.shop.actions("storefront"), []

    class Endless:
        """A shop with more than anybody pages through."""

        async def find_for(self, **question: Any) -> Found:
            asked.append(question)
            return Found(items=[], next="more", total=5000, facets=[])

    monkeypatch.setattr(shop, "search", Endless())
    page = await window.visitor().see("/search?q=ghe&page=40")
    assert [(question["q"], question["page"]) for question in asked if question.get("q")] == [("ghe", 40)]
    assert "page=41" in page.text


async def test_the_mark_of_an_advertisement_makes_no_other_page(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each visitor from an advertisement comes with a mark of their own behind the address."""
    shop, visitor, made = window.shop.actions("storefront"), window.visitor(), []
    render = shop.pages.render

    def counted(template: str, *arguments: Any, **options: Any) -> str:
        made.append(template)
        return str(render(template, *arguments, **options))

    await visitor.see("/orders/lookup")  # for the token
    product = f"/p/{window.slugs['vi']}"
    asked = ["/?", f"{product}?", f"/c/{window.category}?sort=newest&", "/search?q=ghe&"]
    plain = [(await visitor.see(path.rstrip("?&"))).text for path in asked]
    monkeypatch.setattr(shop.pages, "render", counted)
    for number in range(2):
        marked = [(await visitor.see(f"{path}fbclid=IwAR{number}&utm_source=zalo")).text for path in asked]
        assert marked == plain
    assert made == []
    other = await visitor.see(f"{product}?fbclid=x&variant=unknown")
    assert (other.status_code, made) == (200, ["product.html"])


async def test_an_address_of_before_keeps_what_stands_behind_it(window: Any) -> None:
    answer = await window.visitor().see(f"/en/p/{window.slugs['vi']}?variant=a%20b&utm_source=zalo")
    assert answer.status_code == 301
    assert answer.headers["location"] == f"/en/p/{window.slugs['en']}?variant=a+b&utm_source=zalo"
