"""Storefront: what the merchant says."""

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table

from sampan.services.storefront.contract import HomeRail, HomeTile, Seller, ShopContent, Storefront

table = Table(Storefront)


@table.answers("put_content", moves={"storefront.content": ("at",)})
async def the_words_of_the_front_page(stage: Stage) -> Call:
    content = ShopContent(
        name="Tiệm Thử",
        announcement={"vi": "Đổi trả 30 ngày", "en": "30-day returns"},
        announcement_href="/search",
        kicker={"vi": "Hàng mới"},
        title={"vi": "Đồ nhà Việt"},
        text={"vi": "Bền, dễ mua."},
        tiles=[HomeTile("do-nha", "star", "jade")],
        rails=[HomeRail({"vi": "Mới nhất"}, "newest")],
        seller=Seller("Công ty Thử", "1 Lê Lợi", tax_code="0123456789"),
        free_shipping_from=500_000,
    )
    return Call({"content": content}, lambda answer: answer is None)
