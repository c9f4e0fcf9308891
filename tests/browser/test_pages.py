"""What scripts add to the pages: suggestions, the cart beside the page, filters, variants."""

from typing import Any

import pytest
from playwright.async_api import expect

DESKTOP = {"width": 1280, "height": 900}
HIDDEN_BEHIND = """() => {
  const on = document.activeElement;
  if (!on || on === document.body) return {what: "end", hidden: false};
  const box = on.getBoundingClientRect();
  const bar = document.querySelector(".buy-bar");
  const top = bar?.getBoundingClientRect().top ?? innerHeight;
  const within = bar?.contains(on) ?? false;
  const what = [on.className, on.name, on.dataset.opens && "data-opens=" + on.dataset.opens,
                on.closest("#delivery") && "#delivery"].filter(Boolean).join(" ") || on.tagName;
  return {what, hidden: !within && box.top >= top};
}"""


async def test_suggestions_are_chosen_by_keyboard(street: Any) -> None:
    shopper = await street.shopper(size=DESKTOP)
    page = shopper.page
    await shopper.go("/")
    await page.keyboard.press("/")
    box = page.locator("input[type=search]").first
    await expect(box).to_be_focused()
    await page.keyboard.type("goi", delay=20)
    options = page.locator(".search__panel [role=option]")
    await expect(options.first).to_be_visible()
    assert await options.count() <= 10
    await page.keyboard.press("ArrowDown")
    await expect(options.first).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Escape")
    await expect(page.locator(".search__panel")).to_be_hidden()
    await expect(box).to_have_value("goi")
    await page.keyboard.type(" ", delay=20)
    await expect(options.last).to_be_visible()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(page.locator("#buy")).to_be_visible()


async def test_the_drawer_counts_adds_takes_out_and_gives_back(street: Any) -> None:
    shopper = await street.shopper()
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    await shopper.put_in_cart()
    drawer = page.locator("#cart-drawer")
    total = drawer.locator(".line__total")
    await expect(drawer).to_be_visible()
    await expect(total).to_have_text("390.000 ₫")
    await expect(drawer.locator(":focus")).to_have_count(1)
    await drawer.locator("[data-step='1']").click()
    await expect(total).to_have_text("780.000 ₫")
    await expect(page.locator(".header__count")).to_have_text("2")
    await drawer.locator("form[action$='/remove'] button").click()
    await expect(drawer.locator(".empty-state")).to_be_visible()
    await expect(page.locator(".header__count")).to_be_empty()
    await drawer.locator(".banner form button").click()
    await expect(total).to_have_text("780.000 ₫")
    await page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()
    await expect(page.locator("#cart-count")).to_have_count(1)


async def test_a_variant_brings_its_picture_price_and_address(street: Any) -> None:
    shopper = await street.shopper(size=DESKTOP)
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    before = await page.locator(".gallery__slide img").first.get_attribute("src")
    await page.locator(".option:not([aria-current])").first.click()
    await page.wait_for_url("**?variant=GOI03-*")
    await expect(page.locator(".gallery__slide img").first).not_to_have_attribute("src", before or "")
    await page.go_back()
    await expect(page.locator(".gallery__slide img").first).to_have_attribute("src", before or "")


async def test_filters_live_in_the_address(street: Any) -> None:
    shopper = await street.shopper(size=DESKTOP)
    page = shopper.page
    await shopper.go("/search")
    await page.locator("filter-sheet input[type=checkbox]:enabled").first.check()
    await page.wait_for_url("**attr.*")
    await expect(page.locator(".applied .chip")).to_have_count(1)
    await page.locator(".applied .chip").click()
    await expect(page.locator(".applied")).to_have_count(0)


async def test_errors_stand_at_their_fields_and_go_when_the_address_is_pasted(street: Any) -> None:
    shopper = await street.shopper()
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    await shopper.put_in_cart()
    await expect(page.locator("#cart-drawer")).to_be_visible()
    await shopper.go("/checkout")
    submit = page.locator("form[action$='/checkout/address'] > button[type=submit]")
    await submit.click()
    await expect(page.locator("#phone")).to_be_focused()
    await expect(page.locator(".field__error:visible")).to_have_count(5)
    await page.locator("#phone").fill("0912345678")
    await page.locator("#name").fill("Châu")
    await page.locator("address-picker summary").click()
    await page.locator("#whole_address").fill("12 Lê Lợi, Phường Bến Thành, Quận 1, TP Hồ Chí Minh")
    await page.locator("[data-parse]").click()
    await expect(page.locator("select[name=ward_code]")).to_have_value("26743")
    await expect(page.locator(".field__error:visible")).to_have_count(0)
    await submit.click()
    await page.wait_for_url("**/checkout?step=delivery")


async def test_the_ward_is_named_beside_the_button_and_remembered(street: Any) -> None:
    shopper = await street.shopper()
    box = shopper.page.locator("#delivery")
    await shopper.go("/p/goi-tho-cam")
    await shopper.name_ward()
    await expect(box).to_contain_text("Nhận")
    await shopper.go("/p/phin-nhom-cao-nguyen")
    await expect(box).to_contain_text("Phường Bến Thành")
    await shopper.page.locator(".option:not([aria-current])").first.click()
    await shopper.page.wait_for_url("**?variant=*")
    await expect(box).to_contain_text("Phường Bến Thành")
    await shopper.put_in_cart()
    await expect(shopper.page.locator("#cart-drawer")).to_be_visible()
    await shopper.go("/checkout")
    await expect(shopper.page.locator("select[name=ward_code]")).to_have_value("26743")


async def test_the_ward_is_named_without_scripts(street: Any) -> None:
    shopper = await street.shopper(scripts=False, language="en")
    page = shopper.page
    await shopper.go("/p/brocade-cushion")
    await page.locator("#delivery a").click()
    await page.locator("#delivery a").first.click()
    await page.locator("[name=province_code]").select_option("79")
    await page.locator("button[name=action]").click()
    await page.locator("[name=ward_code]").select_option("26743")
    await page.locator("#delivery button.button--primary").click()
    await expect(page.locator("#delivery")).to_contain_text("Arrives")
    await page.locator("main a.button").last.click()
    await expect(page.locator("#buy")).to_be_visible()


async def test_why_a_price_is_told_in_a_dialog_and_the_focus_comes_back(street: Any) -> None:
    shopper = await street.shopper(size=DESKTOP)
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    opener = page.locator("[data-opens=why]")
    await opener.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#why")).to_contain_text("390.000")
    await expect(page.locator("#why .totals__sum").last).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#why")).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_what_was_looked_at_is_shown_again_and_a_first_visit_asks_for_nothing(street: Any) -> None:
    shopper = await street.shopper(size=DESKTOP)
    page = shopper.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/_/seen" in request.url else None)
    await shopper.go("/")
    await page.locator("seen-rail").scroll_into_view_if_needed()
    await expect(page.locator("seen-rail")).to_be_empty()
    await shopper.go("/p/goi-tho-cam")
    await page.locator("footer").scroll_into_view_if_needed()
    await expect(page.locator("seen-rail")).to_be_empty()
    assert asked == []
    await shopper.go("/p/phin-nhom-cao-nguyen")
    await page.locator("footer").scroll_into_view_if_needed()
    await expect(page.locator("seen-rail .product-card")).to_have_count(1)
    await shopper.go("/")
    await page.locator("footer").scroll_into_view_if_needed()
    cards = page.locator("seen-rail .product-card__link")
    await expect(cards).to_have_count(2)
    await expect(cards.first).to_have_attribute("href", "/p/phin-nhom-cao-nguyen")


async def test_the_button_follows_the_chosen_way_to_pay(street: Any) -> None:
    shopper = await street.shopper()
    await shopper.go("/p/goi-tho-cam")
    await shopper.put_in_cart()
    await expect(shopper.page.locator("#cart-drawer")).to_be_visible()
    await shopper.check_out()
    button = shopper.page.locator("[data-names=payment_method]")
    await expect(button).to_have_text("Đặt hàng · trả 410.000 ₫ khi nhận")
    await shopper.page.locator("input[value=vnpay]").check()
    await expect(button).to_have_text("Đặt hàng · trả 410.000 ₫ qua VNPay")
    await shopper.page.locator("input[value=cod]").check()
    await expect(button).to_have_text("Đặt hàng · trả 410.000 ₫ khi nhận")


async def test_the_button_to_buy_stays_in_reach_of_the_thumb_and_hides_nothing(street: Any) -> None:
    shopper = await street.shopper()
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    button = page.locator("#buy button[type=submit]")
    await expect(button).to_be_in_viewport()
    await page.locator("footer").scroll_into_view_if_needed()
    await expect(button).to_be_in_viewport()
    await page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    legal = await page.locator(".footer__legal").bounding_box()
    bar = await page.locator(".buy-bar").bounding_box()
    assert legal is not None
    assert bar is not None
    assert legal["y"] + legal["height"] <= bar["y"]


@pytest.mark.parametrize("path", ["/", "/c/do-nha", "/p/goi-tho-cam", "/cart", "/orders/lookup", "/khong-co"])
async def test_nothing_is_cut_off_on_the_narrowest_phone(street: Any, path: str) -> None:
    """320 px wide, and the same with text twice as large: no sideways scrolling."""
    shopper = await street.shopper(size={"width": 320, "height": 640})
    page = shopper.page
    await shopper.go(path)
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(wide) == 0
    if path != "/khong-co":
        return
    street.complaints.clear()


async def test_a_way_through_a_product_page_by_keyboard_alone(street: Any) -> None:
    """Everything that can be pressed is reached, and nobody is caught or hidden behind the bar."""
    shopper = await street.shopper()
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    reached: list[str] = []
    for _ in range(60):
        await page.keyboard.press("Tab")
        told = await page.evaluate(HIDDEN_BEHIND)
        reached.append(told["what"])
        assert not told["hidden"], told["what"]
        if told["what"] == "end":
            break
    for needed in ("skip-link", "option", "quantity", "button--primary", "data-opens=why", "#delivery"):
        assert any(needed in what for what in reached), (needed, reached)
