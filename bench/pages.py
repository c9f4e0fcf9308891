"""How soon a phone shows the pages of the shop: `python -m bench.pages`, in Chromium.

Each page is opened five times by a browser that has nothing in its cache, as fast as this machine can, and five times
as Lighthouse assumes a cheap phone: its processor four times slower, its network with 150 ms there and back and
1.6 Mbit a second. LCP is when the largest thing of the first view stands there, TBT how long scripts kept the page from
answering, both of the worst of the five.
"""

import argparse
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bench.shop import RunningShop

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PRODUCT: Final = "/p/goi-tho-cam"  # of the demo, with pictures
PATHS: Final = ("/", "/search?q=goi", "/c/do-nha", PRODUCT, "/cart", "/checkout")
LOADS: Final = 5
LCP, PHONE_LCP, TBT = 1000, 2000, 100  # milliseconds at most

VITALS: Final = """() => new Promise(resolve => {
  const found = {lcp: 0, tbt: 0};
  new PerformanceObserver(list => { for (const e of list.getEntries()) found.lcp = e.startTime; })
    .observe({type: 'largest-contentful-paint', buffered: true});
  new PerformanceObserver(list => { for (const e of list.getEntries()) found.tbt += Math.max(0, e.duration - 50); })
    .observe({type: 'longtask', buffered: true});
  setTimeout(() => resolve(found), 300);
})"""


def context(browser: Browser, state: Any = None) -> BrowserContext:
    return browser.new_context(viewport={"width": 390, "height": 844}, locale="vi-VN", storage_state=state)


def with_cart(browser: Browser, url: str) -> Any:
    """The cookies of somebody who has put a cushion in the cart."""
    buyer = context(browser)
    page = buyer.new_page()
    page.goto(url + PRODUCT)
    page.locator("#buy button[type=submit]").click()
    page.locator("#cart-drawer .line").first.wait_for()
    state = buyer.storage_state()
    buyer.close()
    return state


def as_phone(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    bytes_a_second = 1.6e6 / 8
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    devtools.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 150,
            "downloadThroughput": bytes_a_second,
            "uploadThroughput": bytes_a_second / 2,
        },
    )


def load(browser: Browser, address: str, state: Any, *, phone: bool) -> tuple[float, float]:
    """Milliseconds of LCP and TBT of one load with an empty cache."""
    visitor = context(browser, state)
    page = visitor.new_page()
    if phone:
        as_phone(page)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    seen = page.evaluate(VITALS)
    visitor.close()
    if not seen["lcp"]:
        raise SystemExit(f"{address} showed nothing")
    return seen["lcp"], seen["tbt"]


def main() -> None:
    """Run it, and print one table; ends with 1 when a page is over a budget."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--home", default=".bench/10000", type=Path)
    parser.add_argument("--products", default=10_000, type=int)
    chosen = parser.parse_args()
    if not Path(CHROMIUM).exists():
        raise SystemExit(f"there is no browser at {CHROMIUM}: install Debian's chromium")
    shop = RunningShop(chosen.home, workers=2)
    shop.seed(chosen.products, demo=True)
    shop.start()
    slow = []
    try:
        url = f"http://127.0.0.1:{shop.port}"
        print("| page | LCP ms | as a cheap phone, LCP ms | TBT ms |")
        print("| --- | ---: | ---: | ---: |")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            state = with_cart(browser, url)
            for path in PATHS:
                load(browser, url + path, state, phone=False)  # the first makes the page
                here = [load(browser, url + path, state, phone=False) for _ in range(LOADS)]
                there = [load(browser, url + path, state, phone=True) for _ in range(LOADS)]
                lcp, far, tbt = (
                    max(lcp for lcp, _ in here),
                    max(lcp for lcp, _ in there),
                    max(tbt for _, tbt in there),
                )
                print(f"| {path} | {lcp:.0f} | {far:.0f} | {tbt:.0f} |", flush=True)
                if lcp >= LCP or far > PHONE_LCP or tbt > TBT:
                    slow.append(path)
            browser.close()
    finally:
        shop.stop()
    if slow:
        raise SystemExit(f"over the budget ({LCP} · {PHONE_LCP} · {TBT} ms): {', '.join(slow)}")


if __name__ == "__main__":
    main()
