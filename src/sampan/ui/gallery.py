"""`/_ui`: every component in every state, for the eye, for screenshots and for accessibility checks.

Development only; the words are samples and stand in the template, outside the catalogue.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from sampan.kernel.money import Money
from sampan.ui.site import LanguageChoice, Legal, Link, LinkColumn, Site
from sampan.ui.tiles import COLOURS, MOTIFS

TEMPLATE = "gallery.html"


def gallery_context(theme: str = "") -> dict[str, Any]:
    """What `gallery.html` shows. `theme`: "light", "dark" or "" for the device's choice."""
    return {
        "site": _site(),
        "languages": [
            LanguageChoice("Tiếng Việt, ₫", "?lang=vi", "vi", current=True),
            LanguageChoice("English, ₫", "?lang=en", "en"),
        ],
        "title": "Components",
        "robots": "noindex",
        "theme": theme if theme in ("light", "dark") else "",
        "csrf_token": "sample-token-of-the-gallery",
        "vnd": lambda amount: Money(amount, "VND"),
        "now": datetime(2026, 11, 22, 7, 32, tzinfo=UTC),
        "soon": datetime.now(UTC) + timedelta(minutes=14, seconds=30),
        "motifs": list(MOTIFS),
        "colours": list(COLOURS),
        "code": _code(),
        "provinces": _PROVINCES,
        "wards": _WARDS,
    }


class _Unit:
    def __init__(self, code: str, full_name: str, name_en: str) -> None:
        self.code, self.full_name, self.name_en = code, full_name, name_en


_PROVINCES = [
    _Unit("01", "Thành phố Hà Nội", "Hanoi"),
    _Unit("48", "Thành phố Đà Nẵng", "Da Nang"),
    _Unit("79", "Thành phố Hồ Chí Minh", "Ho Chi Minh City"),
    _Unit("82", "Tỉnh Đồng Tháp", "Dong Thap"),
]
_WARDS = [
    _Unit("28249", "Phường Mỹ Tho", "My Tho Ward"),
    _Unit("29992", "Xã Mỹ Thọ", "My Tho Commune"),
    _Unit("29869", "Phường Cao Lãnh", "Cao Lanh Ward"),
]


def _site() -> Site:
    names = ("Đồ nhà", "Bếp & cà phê", "Áo quần", "Túi & giỏ", "Đèn & trang trí", "Quà biếu")
    return Site(
        name="Tiệm Gạch Bông",
        home_url="#",
        search_url="#search",
        suggest_url="/_/suggest",
        cart_url="#cart",
        cart_fragment_url="/_/cart",
        lookup_url="#lookup",
        account_url="#account",
        languages_url="#languages",
        language_label="VI · ₫",
        legal=Legal(
            name="Công ty TNHH Tiệm Gạch Bông",
            address="12 Lê Lợi, Phường Bến Thành, Thành phố Hồ Chí Minh",
            tax_code="0316794479",
            phone="028 7300 0000",
            email="chao@gachbong.example",
            notice_url="#notice",
        ),
        categories=[
            *(Link(name, f"#category-{at}", current=at == 0) for at, name in enumerate(names)),
            Link("Khuyến mãi", "#sale", sale=True),
        ],
        footer=[
            LinkColumn("Mua hàng", [Link("Giao hàng", "#ship"), Link("Đổi trả 30 ngày", "#return")]),
            LinkColumn("Giúp đỡ", [Link("Tra cứu đơn", "#lookup"), Link("Liên hệ", "#contact")]),
            LinkColumn("Về tiệm", [Link("Cửa hàng", "#stores"), Link("Xưởng", "#workshop")]),
        ],
        announcement=Link("Miễn phí giao nội thành từ 499.000 ₫ · Đổi trả 30 ngày", "#ship"),
        cart_count=2,
    )


def _code() -> Markup:
    """A drawing of the size and shape of a QR code. It says nothing: real ones are drawn by payments."""
    side = 25
    cells = "".join(f"M{x} {y}h1v1h-1z" for y in range(side) for x in range(side) if (x * 7919 ^ y * 104729) % 11 < 5)
    return Markup(f'<svg viewBox="0 0 {side} {side}" width="224" height="224"><path d="{cells}"/></svg>')  # noqa: S704
