"""The gallery in Chromium under the real content security policy: accessibility, reflow, and every island at work."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, async_playwright, expect

from sampan.ui import gallery
from sampan.ui.render import Pages

pytestmark = pytest.mark.browser

POLICY = "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}

WARDS = [
    {"code": "20194", "full_name": "Phường Hải Châu"},
    {"code": "20263", "full_name": "Phường Sơn Trà"},
]
MATCHES = [
    {"province": {"code": "48", "full_name": "Thành phố Đà Nẵng"}, "ward": WARDS[0]},
    {"province": {"code": "48", "full_name": "Thành phố Đà Nẵng"}, "ward": WARDS[1]},
]


FORM = """{% extends "base.html" %}{% block content %}<div id="region">{% block region %}
<details id="more"><summary>Thêm</summary><p>Lần {{ turn }}</p></details>
{% call ui.form("/form", attrs={"hx-post": "/form", "hx-target": "#region", "hx-swap": "innerMorph"}) %}
{{ ui.form_summary(errors) }}
{{ ui.text_field("name", "Tên", value=name, error=errors[0].detail if errors else none) }}
{{ ui.combobox_field("colour", "Màu", [("red", "Đỏ"), ("blue", "Xanh")], optional=true) }}
{{ ui.button("Gửi", type="submit") }}
{% endcall %}{% endblock %}</div>{{ ui.combobox("other", [("a", "A")], attrs={"aria-label": "Khác"}) }}{% endblock %}"""


class Shop:
    """A small site around the gallery: its pages, its files, and the few addresses that islands ask."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.asked: list[str] = []
        self.status_asked = 0

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        url = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.asked.append(f"{method} {path}")
        asset = self.pages.assets.get(url.path)
        if asset is not None:
            return 200, asset.content_type, asset.body
        if url.path == "/":
            context = gallery.gallery_context(query.get("theme", ""))
            html = self.pages.render(gallery.TEMPLATE, context, lang=query.get("lang", "vi"))
            return 200, "text/html; charset=utf-8", html.encode()
        if url.path.endswith("/provinces/48/wards"):
            at = int(query.get("cursor", 0))
            page = {"items": WARDS[at : at + 1], "next": str(at + 1) if at + 1 < len(WARDS) else None}
            return 200, "application/json", json.dumps(page).encode()
        if url.path.endswith("/parse"):
            if "x-csrf-token" not in headers:
                return 403, "text/plain", b""
            several = "cũ" in json.loads(body)["text"]
            parsed = {"name": "", "phone": "", "street": "25 Bạch Đằng"}
            return (
                200,
                "application/json",
                json.dumps(parsed | {"candidates": MATCHES if several else MATCHES[:1]}).encode(),
            )
        if url.path == "/_/count":
            ticked = len(parse_qs(url.query)["colour"])
            return 200, "text/plain", f"Xem {12 * ticked} sản phẩm".encode()
        if url.path == "/form":
            form = gallery.gallery_context() | {"errors": [], "name": "", "turn": 1}
            if method == "GET":
                return 200, "text/html; charset=utf-8", self.pages.render("form.html", form, lang="vi").encode()
            if headers.get("x-csrf-token") != form["csrf_token"]:
                return 403, "text/plain", b"no token"
            typed = parse_qs(body.decode(), keep_blank_values=True)["name"][0]
            form.update(errors=[{"field": "name", "detail": "Tên này đã có."}], name=typed, turn=2)
            html = self.pages.render_block("form.html", "region", form, lang="vi")
            return 422, "text/html; charset=utf-8", html.encode()
        fragment = self.fragment(url.path, query)
        return (200, "text/html; charset=utf-8", fragment.encode()) if fragment else (404, "text/plain", b"")

    def fragment(self, path: str, query: dict[str, str]) -> str:
        if path == "/_/suggest":
            links = [{"label": f"{query['q']} {at}", "href": f"/?q={at}"} for at in (1, 2)]
            groups = [{"title": "Sản phẩm", "links": links}]
            return self.pages.render("suggest.html", {"groups": groups}, lang="vi")
        if path == "/_/cart":
            return "<p>Hai món trong giỏ</p>"
        if path == "/_/status":
            self.status_asked += 1
            return "<p data-final>Đã thanh toán</p>"
        return ""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "suggest.html").write_text("{{ ui.search_suggestions(groups) }}")
    (folder / "form.html").write_text(FORM)
    return Shop(Pages.load(templates=[Path(folder)]))


@pytest.fixture(scope="module")
def address(shop: Shop) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, content_type, answer = shop.answer(self.command, self.path, headers, body)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


class Visit:
    """A page, and what the browser complained about while it was open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)


async def opened(browser: Browser, address: str, size: dict[str, int], path: str = "/", **options: Any) -> Visit:
    context = await browser.new_context(viewport=size, reduced_motion="reduce", **options)  # type: ignore[arg-type]
    visit = Visit(await context.new_page())
    await visit.page.goto(address + path)
    if options.get("java_script_enabled", True):
        await visit.page.wait_for_function(
            "() => !!customElements.get('theme-toggle') && !!customElements.get('combo-box')"
        )
    return visit


@pytest_asyncio.fixture
async def desktop(browser: Browser, address: str) -> AsyncIterator[Page]:
    visit = await opened(browser, address, DESKTOP)
    yield visit.page
    await visit.page.context.close()
    assert visit.complaints == []


@pytest_asyncio.fixture
async def phone(browser: Browser, address: str) -> AsyncIterator[Page]:
    visit = await opened(browser, address, PHONE, has_touch=True, is_mobile=True)
    yield visit.page
    await visit.page.context.close()
    assert visit.complaints == []


# --- the whole


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_the_gallery_has_no_accessibility_violations(
    browser: Browser, address: str, theme: str, size: dict[str, int]
) -> None:
    visit = await opened(browser, address, size, f"/?theme={theme}")
    results = await Axe().run(visit.page)
    found = [
        (violation["id"], violation["nodes"][0]["html"][:200], violation["nodes"][0]["failureSummary"][:300])
        for violation in results.response["violations"]
    ]
    await visit.page.context.close()
    assert found == []
    assert visit.complaints == []


@pytest.mark.parametrize("width", [320, 390, 760, 1080, 1360])
async def test_nothing_makes_the_page_wider_than_the_screen(browser: Browser, address: str, width: int) -> None:
    visit = await opened(browser, address, {"width": width, "height": 800})
    too_wide = await visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    await visit.page.context.close()
    assert too_wide == 0


async def test_on_touch_screens_every_control_is_large_enough(phone: Page) -> None:
    small = await phone.evaluate("""() =>
        [...document.querySelectorAll("a.button, button, a.chip, a.option, .input, .menu__item, .header__icon")]
            .filter((element) => element.checkVisibility() && !element.classList.contains("visually-hidden"))
            .map((element) => [element.outerHTML.slice(0, 90), element.getBoundingClientRect().height])
            .filter(([, height]) => height < 44)""")
    assert small == []


async def test_the_page_works_without_scripts(browser: Browser, address: str) -> None:
    visit = await opened(browser, address, PHONE, java_script_enabled=False)
    page = visit.page
    await expect(page.locator("select#province_code")).to_be_visible()
    await expect(page.get_by_role("button", name="Tải phường, xã").first).to_be_visible()
    await expect(page.locator(".filters").get_by_role("button", name="Xem kết quả")).to_be_visible()
    await expect(page.get_by_role("spinbutton", name="Số lượng", exact=True)).to_be_visible()
    for gone in ("[data-step]", "copy-button", "theme-toggle", ".facet__search", ".address-form__parse"):
        assert await page.locator(f"{gone} >> visible=true").count() == 0
    await page.locator("summary[aria-label='Danh mục']").click()
    await expect(page.locator(".header__menu .menu__item").first).to_be_visible()
    await page.context.close()


# --- the islands


async def test_search_suggests_while_one_types(desktop: Page) -> None:
    field = desktop.get_by_role("combobox", name="Tìm sản phẩm")
    await desktop.keyboard.press("/")
    await expect(field).to_be_focused()
    await field.press_sequentially("ghe", delay=20)
    options = desktop.locator("#search-panel [role=option]")
    await expect(options.first).to_have_text("ghe 1")
    await expect(field).to_have_attribute("aria-expanded", "true")
    await field.press("ArrowDown")
    await field.press("ArrowDown")
    await expect(field).to_have_attribute("aria-activedescendant", await options.nth(1).get_attribute("id") or "")
    await expect(field).to_have_value("ghe")
    await field.press("ArrowDown")  # past the last: nothing is marked, and Enter searches for what was typed
    assert await field.get_attribute("aria-activedescendant") is None
    await field.press("Escape")
    await expect(desktop.locator("#search-panel")).to_be_hidden()
    await expect(field).to_be_focused()


async def test_a_burst_of_typing_asks_once(desktop: Page, shop: Shop) -> None:
    """The page's clock is the test's and stands still, so that a busy machine cannot make the burst a slow one."""
    await desktop.clock.install()
    await desktop.clock.pause_at(datetime.now() + timedelta(hours=1))
    shop.asked.clear()
    await desktop.get_by_role("combobox", name="Tìm sản phẩm").focus()
    await desktop.keyboard.type("phin", delay=100)
    assert [path for path in shop.asked if "suggest" in path] == []
    await desktop.clock.run_for(1000)
    await expect(desktop.locator("#search-panel [role=option]").first).to_have_text("phin 1")
    assert [path for path in shop.asked if "suggest" in path] == ["GET /_/suggest?q=phin"]


async def test_shortcut_keys_can_be_switched_off(desktop: Page) -> None:
    await desktop.get_by_label("Phím tắt /").uncheck()
    await desktop.locator("h1").click()
    await desktop.keyboard.press("/")
    await expect(desktop.get_by_role("combobox", name="Tìm sản phẩm")).not_to_be_focused()


async def test_the_wards_follow_the_province(desktop: Page) -> None:
    province = desktop.get_by_role("combobox", name="Tỉnh, thành phố").first
    await province.fill("da nang")
    await expect(desktop.get_by_role("option", name="Thành phố Đà Nẵng")).to_be_visible()
    await province.press("Enter")
    await expect(province).to_have_value("Thành phố Đà Nẵng")
    await expect(desktop.locator("#province_code")).to_have_value("48")
    await expect(desktop.locator("#ward_code option[value='20263']")).to_be_attached()
    ward = desktop.get_by_role("combobox", name="Phường, xã, đặc khu").first
    await ward.fill("son tra")
    await expect(desktop.locator("#ward_code-list [role=option]").first).to_contain_text("Sơn Trà")
    await ward.press("Enter")
    await expect(desktop.locator("#ward_code")).to_have_value("20263")
    await expect(desktop.locator("#ward_code-error")).to_be_hidden()


async def test_names_that_differ_by_accents_are_both_offered(desktop: Page) -> None:
    ward = desktop.get_by_role("combobox", name="Phường, xã, đặc khu").first
    await ward.fill("my tho")
    options = desktop.locator("#ward_code-list [role=option]")
    await expect(options).to_have_text(["Phường Mỹ Tho", "Xã Mỹ Thọ"])
    await ward.fill("mỹ thọ")
    await expect(options).to_have_text(["Xã Mỹ Thọ", "Phường Mỹ Tho"])


async def test_leaving_a_combobox_undoes_what_is_no_choice(desktop: Page) -> None:
    province = desktop.get_by_role("combobox", name="Tỉnh, thành phố").first
    await province.fill("nowhere")
    await expect(desktop.get_by_text("Không có mục nào khớp")).to_be_visible()
    await province.press("Tab")
    await expect(province).to_have_value("Tỉnh Đồng Tháp")


async def test_a_pasted_address_fills_the_fields(desktop: Page) -> None:
    await desktop.get_by_text("Dán cả địa chỉ").click()
    await desktop.locator("#whole_address").fill("25 Bạch Đằng, Hải Châu, Đà Nẵng")
    await desktop.get_by_role("button", name="Điền vào các ô").click()
    await expect(desktop.locator("#ward_code")).to_have_value("20194")
    await expect(desktop.locator("#street")).to_have_value("25 Bạch Đằng")
    await expect(desktop.get_by_text("Đã điền địa chỉ")).to_be_visible()


async def test_an_old_address_that_was_divided_is_the_customers_choice(desktop: Page) -> None:
    await desktop.get_by_text("Dán cả địa chỉ").click()
    await desktop.locator("#whole_address").fill("25 Bạch Đằng, địa chỉ cũ")
    await desktop.get_by_role("button", name="Điền vào các ô").click()
    await desktop.get_by_role("button", name="Phường Sơn Trà, Thành phố Đà Nẵng").click()
    await expect(desktop.locator("#ward_code")).to_have_value("20263")


async def test_the_quantity_stays_within_its_limits(desktop: Page) -> None:
    stepper = desktop.locator("quantity-stepper").first
    number, more = stepper.locator("input"), stepper.get_by_role("button", name="Thêm một")
    await desktop.evaluate(
        "document.addEventListener('change', (e) => { document.body.dataset.heard = e.target.value })"
    )
    for _ in range(4):
        await more.click()
    await more.click(force=True)  # at the limit: it keeps the focus and does nothing
    await expect(more).to_be_focused()
    await expect(number).to_have_value("5")
    await expect(more).to_have_attribute("aria-disabled", "true")
    await expect(desktop.locator("body")).to_have_attribute("data-heard", "5")


async def test_a_picture_opens_large_and_gives_the_focus_back(desktop: Page) -> None:
    first = desktop.locator("#gallery-1")
    await first.click()
    zoom = desktop.locator("dialog.zoom")
    await expect(zoom).to_be_visible()
    await desktop.keyboard.press("ArrowRight")
    await expect(zoom.locator("img")).to_have_attribute("alt", "Tô sứ men lam")
    await desktop.keyboard.press("Escape")
    await expect(zoom).to_be_hidden()
    await expect(first).to_be_focused()
    await expect(desktop.locator("[data-thumb]").nth(1)).to_have_attribute("aria-current", "true")


async def test_on_a_phone_the_filters_are_a_sheet_that_counts(phone: Page) -> None:
    opener = phone.get_by_role("link", name="Bộ lọc · 1").last
    await opener.click()
    sheet = phone.locator("dialog.sheet[open]")
    await sheet.get_by_text("Vàng").click()
    await expect(sheet.get_by_role("button", name="Xem 24 sản phẩm")).to_be_visible()
    await sheet.get_by_role("searchbox", name="Tìm trong Màu").fill("den")
    await expect(sheet.get_by_text("Đen")).to_be_visible()
    await expect(sheet.get_by_text("Vàng")).to_be_hidden()
    await sheet.get_by_role("button", name="Đóng").click()
    await expect(phone.locator("filter-sheet form.filters")).to_have_count(1)
    await opener.click()
    await sheet.get_by_role("button", name="Xem 24 sản phẩm").click()
    await phone.wait_for_url("**/?q=*&colour=red&colour=a&*")


async def test_the_cart_opens_beside_the_page(desktop: Page) -> None:
    await desktop.get_by_role("link", name="Giỏ hàng, 2 sản phẩm").click()
    drawer = desktop.locator("#cart-drawer")
    await expect(drawer.get_by_text("Hai món trong giỏ")).to_be_visible()
    await desktop.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()


async def test_what_was_added_is_said_aloud(desktop: Page) -> None:
    await desktop.evaluate(
        "document.dispatchEvent(new CustomEvent('cart:added', {detail: {message: 'Đã thêm Ghế nhựa'}}))"
    )
    await expect(desktop.locator("#cart-drawer")).to_be_visible()
    await expect(desktop.locator("cart-drawer > [role=status]")).to_have_text("Đã thêm Ghế nhựa")


async def test_a_status_is_fetched_again_when_the_visitor_returns(desktop: Page, shop: Shop) -> None:
    assert (await desktop.locator("[data-countdown]").inner_text()).startswith("14:")
    shop.status_asked = 0
    await desktop.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(desktop.locator("[data-region]")).to_have_text("Đã thanh toán")
    await expect(desktop.locator("[data-clock]")).to_be_hidden()
    await desktop.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert shop.status_asked == 1  # the answer was final


async def test_a_value_is_copied(browser: Browser, address: str) -> None:
    visit = await opened(browser, address, DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    button = visit.page.get_by_role("button", name="Chép: Nội dung chuyển khoản")
    await button.click()
    assert await visit.page.evaluate("navigator.clipboard.readText()") == "GB10482"
    await expect(visit.page.locator("copy-button[data-copied] [role=status]")).to_have_text("Đã chép")
    await visit.page.context.close()


async def test_the_chosen_theme_stays(desktop: Page) -> None:
    await desktop.get_by_role("radio", name="Tối").check()
    await expect(desktop.locator("html")).to_have_attribute("data-theme", "dark")
    await desktop.reload()
    await expect(desktop.locator("html")).to_have_attribute("data-theme", "dark")
    await desktop.get_by_role("radio", name="Theo thiết bị").check()
    assert await desktop.locator("html").get_attribute("data-theme") is None


async def test_dialogs_and_menus_close_with_escape_and_give_the_focus_back(desktop: Page) -> None:
    opener = desktop.get_by_role("link", name="Mở hộp thoại")
    await opener.click()
    await expect(desktop.get_by_role("dialog", name="Đổi nơi giao")).to_be_visible()
    await desktop.keyboard.press("Escape")
    await expect(opener).to_be_focused()
    menu = desktop.locator("summary", has_text="Sắp xếp")
    await menu.click()
    await expect(desktop.get_by_role("link", name="Giá thấp trước")).to_be_visible()
    await desktop.keyboard.press("Escape")
    await expect(desktop.get_by_role("link", name="Giá thấp trước")).to_be_hidden()
    await expect(menu).to_be_focused()


async def test_a_field_tells_what_is_wrong_when_it_is_left(desktop: Page) -> None:
    field = desktop.get_by_role("textbox", name="Họ và tên")
    await field.fill("")
    await field.press("Tab")
    assert await field.get_attribute("aria-invalid") is None  # an empty field is not scolded before it is sent
    await desktop.get_by_role("textbox", name="Số điện thoại").fill("0912 345 678")
    await expect(desktop.locator("#phone-error")).to_be_hidden()
    await desktop.locator("#c-inputs").get_by_role("button", name="Lưu").click()
    await expect(desktop.locator("#name-error")).to_have_text("Bạn chưa điền mục này.")
    await expect(field).to_be_focused()


async def test_a_lost_connection_is_told(browser: Browser, address: str) -> None:
    visit = await opened(browser, address, DESKTOP)
    await visit.page.route("**/?page=2", lambda route: route.abort())
    await visit.page.get_by_role("link", name="Xem thêm").click()
    toast = visit.page.locator("#toasts .toast")
    await expect(toast).to_contain_text("Không kết nối được.")
    await visit.page.get_by_role("link", name="Xem thêm").click()
    await expect(toast).to_have_count(1)
    await toast.get_by_role("button", name="Đóng thông báo").click()
    await expect(toast).to_have_count(0)
    await visit.page.context.close()


async def test_a_refused_form_is_morphed_and_keeps_what_was_typed_and_opened(browser: Browser, address: str) -> None:
    visit = await opened(browser, address, DESKTOP, "/form")
    page = visit.page
    await page.get_by_text("Thêm", exact=True).click()
    colour = page.get_by_role("combobox", name="Màu")
    await colour.fill("xanh")
    await colour.press("Enter")
    await page.get_by_role("textbox", name="Tên").fill("Ghế")
    await page.get_by_role("button", name="Gửi").click()
    await expect(page.locator("#form-errors")).to_be_focused()
    await expect(page.get_by_text("Lần 2")).to_be_visible()  # still open, with the new contents
    await expect(page.locator("#colour")).to_have_value("blue")
    await expect(colour).to_have_value("Xanh")
    await expect(page.get_by_role("textbox", name="Tên")).to_have_value("Ghế")
    await expect(page.locator("#name-error")).to_have_text("Tên này đã có.")
    await page.locator("#form-errors").get_by_role("link", name="Tên này đã có.").click()
    await expect(page.get_by_role("textbox", name="Tên")).to_be_focused()
    await page.context.close()
    assert [complaint for complaint in visit.complaints if "422" not in complaint] == []
