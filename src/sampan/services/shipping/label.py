"""The label of a parcel as a page to print, in Vietnamese, for paper of A6."""

import base64
import hashlib
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sampan.kernel.money import format_money
from sampan.kernel.phone import BadPhone, show_phone
from sampan.services.shipping.actions.shipping_actions import ShippingSettings
from sampan.services.shipping.rules.barcode import barcode_svg
from sampan.services.shipping.store.parcels import Label

TEMPLATES: Final = Path(__file__).parent / "templates"
STYLE: Final = (TEMPLATES / "label.css").read_text("utf-8")
# The page loads nothing and runs nothing; its one style is named by its hash.
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
INSPECTION: Final = {
    "try": "Được xem và thử hàng trước khi nhận",
    "look": "Được xem hàng trước khi nhận, không thử",
    "none": "Không mở kiện hàng trước khi nhận",
}
_PAGE: Final = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
).get_template("label.html")


def label_page(label: Label, sender: ShippingSettings) -> str:
    """The page. The courier reads from it whom to find, what to collect, and whether the parcel may be opened."""
    return _PAGE.render(
        label=label,
        sender=sender,
        style=Markup(STYLE),  # noqa: S704 - our own file
        barcode=Markup(barcode_svg(label.tracking_number)),  # noqa: S704 - digits and the number's character references
        phone=phone_on(label),
        cash=format_money(label.cash, "vi") if label.cash else "",
        inspection=INSPECTION[sender.inspection],
        weight=f"{label.grams:,} g".replace(",", "."),
    )


def phone_on(label: Label) -> str:
    """As people here write it; a number in another form is printed as it is."""
    try:
        return show_phone(label.delivery.phone)
    except BadPhone:
        return label.delivery.phone
