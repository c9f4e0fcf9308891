"""A small shop afloat with real pictures, and Chromium to walk through it."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from bench.pages import CHROMIUM, FLAGS
from msgspec import structs
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect
from tests.serving import free_port, served

from sampan.demo.album import keep
from sampan.demo.goods.model import load_goods
from sampan.demo.seed import (
    album_of,
    known_variants,
    seed_content,
    seed_prices,
    seed_products,
    seed_shelves,
    seed_stock,
)
from sampan.kernel import context
from sampan.kernel.settings import load
from sampan.run import Shop, compose

SECRET = "a secret for tests only, of more than 32 characters"
ON_THE_SHELF = ("GHE01", "PHI01", "GOI03", "GIO03", "TO01", "LY01")
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not Path(CHROMIUM).exists():
                item.add_marker(pytest.mark.skip(reason=f"there is no {CHROMIUM} to look at pages with"))


class Reports(logging.Handler):
    """What browsers told of pages that broke the content security policy."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "content security policy violated":
            self.heard.append(str(getattr(record, "report", "")))


class Afloat:
    """A shop that is served, and where."""

    def __init__(self, shop: Shop, url: str) -> None:
        self.shop = shop
        self.url = url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def afloat(place: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Afloat]:
    """A shop with a handful of products, served over HTTP by the server it is really run with."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    home = str(tmp_path_factory.mktemp("afloat"))
    settings = load({}, home=home, secret=SECRET, rate_limits=False, pool_size=8, public_url=url)
    shop = await compose(settings, await place.new_database())
    await stock(shop)
    async with served(shop.web(), port):
        work = asyncio.create_task(shop.work())
        yield Afloat(shop, url)
        work.cancel()
        await asyncio.wait([work], timeout=8)
    await shop.close()
    shutil.rmtree(home, ignore_errors=True)


async def stock(shop: Shop) -> None:
    """A few of the demo's products, put in as the demo puts them in."""
    goods = load_goods()
    goods = structs.replace(goods, products=tuple(p for p in goods.products if p.code in ON_THE_SHELF))
    catalog, files = shop.live["catalog"], shop.ground.files
    with context.working_as(context.SYSTEM, request="seed"):
        albums = {product.code: album_of(product, goods) for product in goods.products}
        await keep(files, [drawing for album in albums.values() for drawing in album.drawings])
        await seed_shelves(catalog, goods)
        await seed_products(catalog, files, goods, albums)
        variants = await known_variants(catalog, goods)
        await seed_prices(shop, goods, variants)
        await seed_stock(shop, goods, variants)
        await seed_content(shop, goods)
        await shop.settle()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


class Shopper:
    """Somebody with a browser, who reads Vietnamese or English."""

    def __init__(self, page: Page, url: str, language: str, *, scripts: bool) -> None:
        self.page = page
        self.url = url
        self.scripts = scripts
        self.prefix = "" if language == "vi" else "/en"

    async def go(self, path: str) -> None:
        """Open a page and wait until all of its elements are at work."""
        await self.page.goto(f"{self.url}{self.prefix}{path}")
        if self.scripts:
            await self.page.wait_for_function("() => !document.querySelector(':not(:defined)')")

    async def look_for(self, words: str) -> None:
        """From the home page over search to the product."""
        await self.go("/")
        await self.page.locator("input[type=search]").first.fill(words)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url("**/search?q=*")
        await self.page.locator("#cards .product-card__link").first.click()
        await expect(self.page.locator("#buy")).to_be_visible()

    async def name_ward(self) -> None:
        """Beside the buy button: to Bến Thành ward."""
        box = self.page.locator("#delivery")
        await expect(box.locator("[hx-trigger=load]")).to_have_count(0)  # who is faster follows the link to a page
        await box.locator("a").first.click()
        for field, words in (("province_code", "ho chi minh"), ("ward_code", "ben thanh")):
            shown = box.locator(f"combo-box:has(select[name={field}]) input")
            await shown.fill(words)
            await box.locator(f"combo-box:has(select[name={field}]) [role=option]").first.click()
            await expect(box.locator("select[name=ward_code]")).not_to_have_attribute("aria-busy", "true")
        await box.locator("button[type=submit]").last.click()
        await expect(box).to_contain_text("Phường Bến Thành")

    async def put_in_cart(self) -> None:
        await self.page.locator("#buy button[type=submit]").click()

    async def go_to_bank(self) -> None:
        """With a cushion in the cart, through the checkout, to the page that stands in for VNPay's."""
        await self.go("/p/goi-tho-cam" if self.prefix == "" else "/p/brocade-cushion")
        await self.put_in_cart()
        await expect(self.page.locator("#cart-drawer")).to_be_visible()
        await self.check_out()
        await self.pay_by("vnpay")
        await self.page.wait_for_url("**/paymentv2/**")

    async def check_out(self) -> None:
        """From the cart to the choice of payment."""
        page = self.page
        await self.go("/checkout")
        await page.locator("[name=phone]").fill("0912 345 678")
        await page.locator("[name=name]").fill("Trần Thị Minh Châu")
        if self.scripts:
            await page.locator("address-picker summary").click()
            await page.locator("#whole_address").fill("12 Lê Lợi, Phường Bến Thành, Quận 1, TP Hồ Chí Minh")
            await page.locator("[data-parse]").click()
            await expect(page.locator("select[name=ward_code]")).to_have_value("26743")  # may be remembered
            await expect(page.locator("[name=street]")).to_have_value("12 Lê Lợi")
        else:
            await page.locator("[name=province_code]").select_option("79")
            await page.locator("button[name=action]").click()
            await page.locator("[name=ward_code]").select_option("26743")
            await page.locator("[name=street]").fill("12 Lê Lợi")
        await page.locator("form[action$='/checkout/address'] > button[type=submit]").click()
        await page.wait_for_url("**/checkout?step=delivery")
        await page.locator("form[action$='/checkout/delivery'] button[type=submit]").click()
        await page.wait_for_url("**/checkout?step=payment")

    async def pay_by(self, method: str) -> None:
        await self.page.locator(f"input[name=payment_method][value={method}]").check()
        await self.page.locator("form[action$='/checkout/place'] button[type=submit]").click()

    async def answer_of_bank(self, what: str) -> None:
        """On the payment page, which stands in for VNPay's."""
        await self.page.wait_for_url("**/paymentv2/**")
        await self.page.locator(f"button[value={what}]").click()
        await self.page.wait_for_url(f"{self.url}{self.prefix}/orders/**")


class Street:
    """Where shoppers come from; it hears what their browsers complain about."""

    def __init__(self, browser: Browser, afloat: Afloat) -> None:
        self.browser = browser
        self.shop = afloat.shop
        self.url = afloat.url
        self.complaints: list[str] = []
        self.contexts: list[BrowserContext] = []

    async def shopper(
        self, *, size: ViewportSize = PHONE, language: str = "vi", dark: bool = False, scripts: bool = True
    ) -> Shopper:
        made = await self.browser.new_context(
            viewport=size,
            locale="vi-VN" if language == "vi" else "en-US",
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        made.set_default_timeout(8000)
        self.contexts.append(made)
        page = await made.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return Shopper(page, self.url, language, scripts=scripts)


@pytest_asyncio.fixture(loop_scope="session")
async def street(chromium: Browser, afloat: Afloat) -> AsyncIterator[Street]:
    """Shoppers for one test. In the end no browser may have complained, of errors or of broken policy."""
    reports = Reports()
    logging.getLogger().addHandler(reports)
    found = Street(chromium, afloat)
    yield found
    for made in found.contexts:
        await made.close()
    logging.getLogger().removeHandler(reports)
    assert found.complaints == []
    assert reports.heard == []
