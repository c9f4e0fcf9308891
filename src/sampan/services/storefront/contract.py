"""The storefront, as others see it. Nobody calls it: it is a client of most."""

from typing import Protocol

from msgspec import Struct

from sampan.kernel.errors import ShopError

Texts = dict[str, str]


class ClosedForNow(ShopError, code="storefront.closed_for_now", status=503):
    """The shop is being worked on; come back in a while. Orders can still be followed."""


class HomeTile(Struct, frozen=True):
    """A category on the home page, with its tile pattern."""

    category: str
    motif: str
    colours: str


class HomeRail(Struct, frozen=True):
    """A row of products on the home page: a title, a sort, and a category or all."""

    title: Texts
    sort: str
    category: str | None = None


class Campaign(Struct, frozen=True):
    title: Texts
    text: Texts
    label: Texts
    href: str


class Seller(Struct, frozen=True):
    """Who sells, as the law wants it on every page. Absent until the merchant fills it in."""

    name: str
    address: str
    tax_code: str = ""
    phone: str = ""
    email: str = ""
    notice_url: str = ""


class Store(Struct, frozen=True):
    """A shop that people can walk into: where, and when it is open."""

    name: Texts
    address: str
    hours: Texts
    phone: str = ""


class ShopContent(Struct, frozen=True):
    """What the merchant says on the frame and the home page."""

    name: str
    announcement: Texts
    announcement_href: str
    kicker: Texts
    title: Texts
    text: Texts
    tiles: list[HomeTile]
    rails: list[HomeRail]
    campaign: Campaign | None = None
    seller: Seller | None = None
    free_shipping_from: int | None = None  # VND, for the meter in the cart
    stores: list[Store] = []
    returns_days: int | None = None  # within which goods may be sent back; a page promises it only where this says so


class Storefront(Protocol):
    """The customer website."""

    async def put_content(self, *, content: ShopContent) -> None:
        """Replace what the frame and the home page say."""
        ...
