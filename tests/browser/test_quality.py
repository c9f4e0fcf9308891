"""Every page in both themes without barriers, and inside the budgets."""

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Response, expect

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
OPEN = ("/", "/c/do-nha", "/search?q=goi", "/search?q=zzxqw", "/p/goi-tho-cam", "/cart", "/orders/lookup", "/languages")
KILOBYTE = 1024
BUDGET = {"document": 18, "script": 45, "stylesheet": 25, "font": 62}

VITALS = """() => new Promise(resolve => {
  const found = {lcp: 0, cls: 0};
  new PerformanceObserver(list => { for (const e of list.getEntries()) found.lcp = e.startTime; })
    .observe({type: 'largest-contentful-paint', buffered: true});
  new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) found.cls += e.value; })
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => resolve(found), 300);
})"""


async def barriers(page: Any) -> list[str]:
    """What axe finds serious or critical."""
    found = await Axe().run(page)
    return [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in found.response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("size", "language", "dark"), [(PHONE, "vi", False), (DESKTOP, "en", True)], ids=["phone-light", "desktop-dark"]
)
async def test_open_pages_have_no_barriers(street: Any, size: Any, language: str, dark: bool) -> None:
    shopper = await street.shopper(size=size, language=language, dark=dark)
    for path in OPEN:
        await shopper.go(path)
        assert await barriers(shopper.page) == [], path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_the_way_to_the_order_has_no_barriers(street: Any, dark: bool) -> None:
    shopper = await street.shopper(dark=dark)
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    await shopper.put_in_cart()
    await expect(page.locator("#cart-drawer .line")).to_be_visible()
    assert await barriers(page) == [], "drawer"
    await shopper.go("/cart")
    assert await barriers(page) == [], "cart"
    await shopper.go("/checkout")
    await page.locator("form[action$='/checkout/address'] > button[type=submit]").click()
    assert await barriers(page) == [], "address with errors"
    await shopper.check_out()
    assert await barriers(page) == [], "payment"
    await shopper.go("/checkout?step=delivery")
    assert await barriers(page) == [], "delivery"
    await shopper.go("/checkout")
    await shopper.pay_by("cod")
    await page.wait_for_url("**/orders/*?placed=1")
    assert await barriers(page) == [], "order"


async def test_the_page_for_what_is_not_there_has_no_barriers(street: Any) -> None:
    shopper = await street.shopper()
    await shopper.go("/khong-co")
    assert await barriers(shopper.page) == []
    assert all("404" in complaint for complaint in street.complaints)
    street.complaints.clear()


@pytest.mark.parametrize("path", ["/", "/search", "/p/goi-tho-cam", "/cart", "/checkout"])
async def test_pages_keep_inside_their_budgets(street: Any, path: str) -> None:
    shopper = await street.shopper()
    page = shopper.page
    if path == "/checkout":
        await shopper.go("/p/goi-tho-cam")
        await shopper.put_in_cart()
        await expect(page.locator("#cart-drawer .line")).to_be_visible()
        fresh = await street.browser.new_context(
            viewport=PHONE, storage_state=await page.context.storage_state(), locale="vi-VN"
        )
        street.contexts.append(fresh)
        page = await fresh.new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    await page.goto(street.url + path)
    await page.wait_for_load_state("networkidle")
    sizes = dict.fromkeys(BUDGET, 0)
    for answer in answers:
        kind = answer.request.resource_type
        if kind in sizes:
            sizes[kind] += (await answer.request.sizes())["responseBodySize"]
    over = {kind: size for kind, size in sizes.items() if size > BUDGET[kind] * KILOBYTE}
    assert over == {}, sizes
    assert len(answers) <= 25
    assert await page.locator("*").count() <= 1500
    vitals = await page.evaluate(VITALS)
    assert vitals["cls"] < 0.05
    assert 0 < vitals["lcp"] < 1000
