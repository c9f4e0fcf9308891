"""From the home page to the placed order, as people go."""

from typing import Any

import pytest
from playwright.async_api import expect

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
THANKS = {"vi": "Cảm ơn Bạn đã đặt hàng", "en": "Thank you"}


@pytest.mark.parametrize(
    ("size", "language", "words"), [(PHONE, "vi", "gối thổ cẩm"), (DESKTOP, "en", "brocade cushion")]
)
async def test_a_guest_orders_and_pays_on_delivery(street: Any, size: Any, language: str, words: str) -> None:
    shopper = await street.shopper(size=size, language=language)
    await shopper.look_for(words)
    await shopper.put_in_cart()
    await expect(shopper.page.locator("#cart-drawer")).to_be_visible()
    await shopper.check_out()
    await shopper.pay_by("cod")
    await shopper.page.wait_for_url("**/orders/*?placed=1")
    assert f"{street.url}{shopper.prefix}/orders/" in shopper.page.url
    await expect(shopper.page.locator("h1")).to_contain_text(THANKS[language])
    await expect(shopper.page.locator(".header__count")).to_be_empty()


async def test_the_same_works_without_scripts(street: Any) -> None:
    shopper = await street.shopper(scripts=False)
    await shopper.look_for("goi tho cam")
    await shopper.put_in_cart()
    await shopper.page.wait_for_url("**/cart")
    await expect(shopper.page.locator(".line")).to_have_count(1)
    await shopper.check_out()
    await shopper.pay_by("cod")
    await shopper.page.wait_for_url("**/orders/*?placed=1")
    await expect(shopper.page.locator("h1")).to_contain_text(THANKS["vi"])


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_who_paid_at_the_bank_comes_back_to_a_paid_order_in_the_same_language(street: Any, language: str) -> None:
    shopper = await street.shopper(size=DESKTOP, language=language)
    await shopper.go_to_bank()
    await shopper.answer_of_bank("pay")
    await expect(shopper.page.locator(".badge--ok")).to_be_visible(timeout=10_000)  # the bank's word may be on its way
    await expect(shopper.page.locator(".timeline").first).to_be_visible()


async def test_a_page_that_waits_for_the_money_becomes_the_page_of_the_paid_order(street: Any) -> None:
    shopper = await street.shopper()
    await shopper.go_to_bank()
    waiting = await shopper.page.context.new_page()
    await waiting.goto(f"{shopper.url}/orders/last")
    pay = waiting.locator("a[href$='/pay']")
    await expect(pay).to_be_visible()
    await shopper.answer_of_bank("pay")
    await expect(waiting.locator(".badge--ok")).to_be_visible(timeout=10_000)
    await expect(pay).to_have_count(0)
    await expect(waiting.locator("status-poll")).to_have_count(0)


async def test_who_was_declined_may_pay_on_delivery_instead(street: Any) -> None:
    shopper = await street.shopper()
    await shopper.go_to_bank()
    await shopper.answer_of_bank("insufficient")
    cash = shopper.page.locator("form[action$='/pay']:has(input[value=cod]) button")
    await expect(cash).to_be_visible(timeout=10_000)  # the bank's word may be a moment on its way
    await cash.click()
    await shopper.page.wait_for_url("**/orders/*?placed=1")
    await expect(shopper.page.locator("h1")).to_contain_text(THANKS["vi"])


async def test_an_order_can_be_looked_up_and_cancelled(street: Any) -> None:
    shopper = await street.shopper()
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    await shopper.put_in_cart()
    await expect(page.locator("#cart-drawer")).to_be_visible()
    await shopper.check_out()
    await shopper.pay_by("cod")
    await page.wait_for_url("**/orders/*?placed=1")
    number = (await page.locator("main .num").first.inner_text()).strip()
    stranger = await street.shopper()
    await stranger.go("/orders/lookup")
    await stranger.page.locator("[name=number]").fill(number)
    await stranger.page.locator("[name=phone]").fill("0912345678")
    await stranger.page.locator("form[action$='/lookup'] button[type=submit]").click()
    await expect(stranger.page.locator("main .num").first).to_have_text(number)
    await page.locator("main .accordion__item summary").click()
    await page.locator("form[action$='/cancel'] button[type=submit]").click()
    await expect(page.locator("h1")).to_have_text("Đơn hàng đã huỷ")
