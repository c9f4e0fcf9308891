"""Every page in both themes without barriers, and inside the budgets."""

import asyncio
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from msgspec.structs import replace
from playwright.async_api import Response, Route, expect

from sampan.kernel import context
from sampan.kernel.errors import Forbidden, RemoteUnavailable, TooManyRequests
from sampan.services.search.contract import IndexUnavailable

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
OPEN = (
    "/",
    "/c/do-nha",
    "/search?q=goi",
    "/search?q=zzxqw",
    "/search?q=goi&price_max=1",
    "/p/goi-tho-cam",
    "/p/goi-tho-cam/price",
    "/p/goi-tho-cam/delivery?change=1",
    "/cart",
    "/orders/lookup",
    "/languages",
)
KILOBYTE = 1024
BUDGET = {"document": 18, "script": 45, "stylesheet": 25, "font": 62}

SHIFTS = """() => new Promise(resolve => {
  let shifts = 0;
  new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) shifts += e.value; })
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => resolve(shifts), 300);
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


class Refusing:
    """A service that answers everything with this."""

    def __init__(self, refusal: Exception) -> None:
        self.refusal = refusal

    def __getattr__(self, name: str) -> Any:
        async def call(**_: Any) -> Any:
            raise self.refusal

        return call


TROUBLES: dict[str, tuple[str, str, Any]] = {
    "403": ("catalog", "/p/x", Refusing(Forbidden("no"))),
    "404": ("catalog", "/p/x", None),
    "429": ("catalog", "/p/x", Refusing(TooManyRequests("slowly"))),
    "500": ("catalog", "/p/x", Refusing(RuntimeError("a fault"))),
    "503": ("catalog", "/p/x", Refusing(RemoteUnavailable("away"))),
    "maintenance": ("maintenance", "/", True),
    "search is away": ("search", "/search?q=goi", Refusing(IndexUnavailable("unreadable"))),
    "shipping is away": ("shipping", "/p/goi-tho-cam/delivery", Refusing(RemoteUnavailable("away"))),
}


@pytest.mark.parametrize(
    ("size", "language", "dark"), [(PHONE, "en", True), (DESKTOP, "vi", False)], ids=["phone-dark", "desktop-light"]
)
async def test_pages_of_trouble_have_no_barriers_and_a_way_on(
    street: Any, monkeypatch: pytest.MonkeyPatch, size: Any, language: str, dark: bool
) -> None:
    shopper = await street.shopper(size=size, language=language, dark=dark)
    await shopper.go("/p/goi-tho-cam")
    await shopper.name_ward()
    for kind, (part, path, trouble) in TROUBLES.items():
        with monkeypatch.context() as patch:
            if trouble is not None:
                patch.setattr(street.shop.live["storefront"], part, trouble)
            await shopper.go(path)
            assert await barriers(shopper.page) == [], kind
            assert await shopper.page.locator("main a").count() > 0, kind
            assert await shopper.page.locator("h1").count() == 1, kind
    assert all("Failed to load resource" in complaint for complaint in street.complaints)
    street.complaints.clear()


async def test_a_product_that_is_gone_has_no_barriers(street: Any) -> None:
    catalog = street.shop.live["catalog"]
    with context.working_as(context.SYSTEM, request="tests"):
        gone = await catalog.find_product(key="ly-thuy-tinh-soc")
        draft = await catalog.find_draft(product_id=gone.id)
        await catalog.change_product(
            product_id=gone.id, draft=replace(draft.draft, status="archived"), version=draft.version
        )
    for dark in (False, True):
        shopper = await street.shopper(dark=dark)
        await shopper.go("/p/ly-thuy-tinh-soc")
        await expect(shopper.page.locator("main .product-card").first).to_be_visible()
        assert await barriers(shopper.page) == []
    assert all("410" in complaint for complaint in street.complaints)
    street.complaints.clear()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_what_opens_on_a_product_page_has_no_barriers(street: Any, dark: bool) -> None:
    shopper = await street.shopper(dark=dark)
    page = shopper.page
    await shopper.go("/p/goi-tho-cam")
    await page.locator("#delivery a").click()
    await expect(page.locator("#delivery combo-box input").first).to_be_visible()
    assert await barriers(page) == [], "choosing a ward"
    await shopper.go("/p/goi-tho-cam")
    await shopper.name_ward()
    assert await barriers(page) == [], "the promise"
    await page.locator("[data-opens=why]").click()
    await expect(page.locator("#why .totals__sum").last).to_be_visible()
    assert await barriers(page) == [], "why this price"
    await shopper.go("/")
    await page.locator("footer").scroll_into_view_if_needed()
    await expect(page.locator("seen-rail .product-card")).to_have_count(1)
    assert await barriers(page) == [], "recently viewed"


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_pages_for_those_who_work_here_have_no_barriers(street: Any, theme: str) -> None:
    shopper = await street.shopper(dark=theme == "dark")
    for path in (f"/_ui?theme={theme}", "/dev/mailbox"):
        await shopper.go(path)
        assert await barriers(shopper.page) == [], path


MEASURED = ("/", "/search", "/c/do-nha", "/p/goi-tho-cam", "/p/goi-tho-cam/delivery", "/cart", "/checkout")
MEASURED += ("/checkout?step=delivery", "/checkout?step=payment", "/orders/last", "/orders/lookup", "/languages")


@pytest.mark.parametrize("path", MEASURED)
async def test_pages_keep_inside_their_budgets(street: Any, path: str) -> None:
    """Of bytes, requests, nodes and shifts. How soon a page stands there is measured by bench/pages.py."""
    shopper = await street.shopper()
    page = shopper.page
    if path.startswith(("/cart", "/checkout", "/orders/last", "/p/")):
        await shopper.go("/p/goi-tho-cam")
        await shopper.name_ward()
        await shopper.put_in_cart()
        await expect(page.locator("#cart-drawer .line")).to_be_visible()
        if path.startswith(("/checkout?", "/orders")):
            await shopper.check_out()
        if path.startswith("/orders"):
            await shopper.pay_by("cod")
            await page.wait_for_url("**/orders/*?placed=1")
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
    assert await page.evaluate(SHIFTS) < 0.05


@pytest.mark.parametrize("path", ["/", "/search"])
async def test_nothing_jumps_when_the_lettering_comes_late(street: Any, path: str) -> None:
    page = (await street.shopper()).page
    seen = asyncio.Event()

    async def later(route: Route) -> None:
        await seen.wait()
        await route.continue_()

    await page.route("**/*.woff2", later)
    await page.goto(street.url + path, wait_until="domcontentloaded")
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert not await page.evaluate("document.fonts.check('600 1rem Phudu')")
    seen.set()
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate("document.fonts.check('600 1rem Phudu')")
    assert await page.evaluate(SHIFTS) < 0.05


async def test_filters_that_will_be_in_a_sheet_are_not_seen_before_and_are_found_without_it(street: Any) -> None:
    """On a phone: they stand before the list in the page, and would be shown until the list is there."""
    page = (await street.shopper()).page
    await page.route("**/islands/filter-sheet*.js", lambda route: route.abort())
    await page.goto(f"{street.url}/search")
    filters = page.locator("form.filters")
    await expect(filters).to_be_hidden()
    await page.locator(".filters__opener").click()
    await expect(filters).to_be_in_viewport()
    street.complaints.clear()  # of the script that was kept away
    plain = (await street.shopper(scripts=False)).page
    await plain.goto(f"{street.url}/search")
    await expect(plain.locator("form.filters")).to_be_visible()
