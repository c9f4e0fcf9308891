"""What scripts add to the pages: suggestions, the cart beside the page, filters, variants."""

from typing import Any

from playwright.async_api import expect

DESKTOP = {"width": 1280, "height": 900}


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
