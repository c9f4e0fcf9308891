"""A shop with goods on its pages, and people who come by without a browser."""

import re
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio
from httpx import Response

from sampan.kernel import context
from sampan.kernel.ids import uuid7
from sampan.services.catalog.rules import Draft, NewVariant, ProductType
from sampan.services.inventory.contract import Delivery
from sampan.services.pricing.contract import NewPrice
from sampan.services.storefront.contract import HomeRail, HomeTile, Seller, ShopContent, Store

HIDDEN = re.compile(r'name="_csrf" value="([^"]+)"')


class Window:
    """What stands in the shop window: a category and a product of this worker's own."""

    def __init__(self, shop: Any, category: str, slugs: dict[str, str], variant: UUID) -> None:
        self.shop = shop
        self.category = category
        self.slugs = slugs
        self.variant = variant

    def visitor(self) -> "Visitor":
        return Visitor(httpx.AsyncClient(transport=httpx.ASGITransport(app=self.shop.shop.web()), base_url=BASE))


BASE = "http://shop.test"


class Visitor:
    """Somebody whose browser runs no scripts: pages, forms, cookies, and nothing else."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def see(self, path: str) -> Response:
        return await self.http.get(path, headers={"accept": "text/html"})

    async def send(self, path: str, **fields: Any) -> Response:
        """Fill in the form that leads to `path` and send it, with the token that the page gave."""
        page = await self.see("/orders/lookup")
        found = HIDDEN.search(page.text)
        assert found is not None
        return await self.http.post(path, data={"_csrf": found[1], **fields}, headers={"accept": "text/html"})

    async def follow(self, path: str, **fields: Any) -> Response:
        answer = await self.send(path, **fields)
        assert answer.status_code == 303, answer.text[:2000]
        return await self.see(answer.headers["location"])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def window(shop: Any) -> Window:
    mark = uuid7().hex[-10:]
    catalog, inventory = shop.actions("catalog"), shop.actions("inventory")
    slugs = {"vi": f"ghe-nhua-{mark}", "en": f"plastic-stool-{mark}"}
    with context.working_as(context.SYSTEM, request="tests"):
        kind, category = f"type_{mark}", f"do-nha-{mark}"
        await catalog.put_type(product_type=ProductType(kind, {"vi": "Đồ nhà", "en": "Home"}, []))
        await catalog.put_category(
            slug=category,
            name={"vi": "Đồ nhà", "en": "Home"},
            description={"vi": "Đồ dùng trong nhà.", "en": "Things for the home."},
            parent=None,
            position=1,
        )
        sku = f"GHE-{mark}".upper()
        draft = Draft(
            name={"vi": "Ghế nhựa Chợ Lớn", "en": "Cho Lon stool"},
            summary={"vi": "Ghế thấp.", "en": "A low stool."},
            description={"vi": "Ghế đúc một khối.", "en": "Cast in one piece."},
            product_type=kind,
            categories=[category],
            variants=[NewVariant(sku=sku, grams=900)],
            slugs=slugs,
            status="published",
        )
        await catalog.create_products(drafts=[draft])
        variant: UUID = (await catalog.find_skus(skus=[sku]))[0].variant_id
        await shop.actions("pricing").set_prices(
            actor=context.SYSTEM, prices=[NewPrice(variant, "VN", 85_000, 110_000)]
        )
        warehouse = await inventory.add_warehouse(
            code=f"K{mark}".upper()[:10],
            name="Kho thử",
            province_code="79",
            ward_code="26743",
            street="1 Lê Lợi",
            priority=900,
            provinces=[],
        )
        await inventory.stock_up(cause=f"tests {mark}", items=[Delivery(variant, warehouse.id, 50)])
        await shop.actions("storefront").put_content(
            content=ShopContent(
                name="Tiệm Thử",
                announcement={"vi": "Đổi trả 30 ngày", "en": "30-day returns"},
                announcement_href="/search",
                kicker={"vi": "Hàng mới", "en": "New"},
                title={"vi": "Đồ nhà Việt", "en": "Vietnamese things"},
                text={"vi": "Bền, dễ mua.", "en": "They last."},
                tiles=[HomeTile(category, "star", "jade")],
                rails=[HomeRail({"vi": "Mới nhất", "en": "Newest"}, "newest", category)],
                seller=Seller("Công ty Thử", "1 Lê Lợi", tax_code="0123456789"),
                stores=[
                    Store(
                        {"vi": "Tiệm bên chợ", "en": "The shop by the market"},
                        "1 Lê Lợi",
                        {"vi": "8 giờ đến 20 giờ", "en": "8 to 20 o'clock"},
                        phone="028 3822 0000",
                    )
                ],
            )
        )
        await shop.settle()
    return Window(shop, category, slugs, variant)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nothing_is_kept(shop: Any) -> None:
    """Pages that former tests looked at are made anew: tests change what pages are made of behind their back."""
    await shop.shop.answers.clear()
