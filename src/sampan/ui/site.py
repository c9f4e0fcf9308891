"""What `base.html` needs to know about the shop and the page's surroundings, whatever the page is."""

from msgspec import Struct


class Link(Struct, frozen=True):
    """A link of the navigation. `current`: the visitor is there; `sale`: in the colour of reduced prices."""

    label: str
    href: str
    current: bool = False
    sale: bool = False


class LinkColumn(Struct, frozen=True):
    """A column of the footer."""

    title: str
    links: list[Link]


class LanguageChoice(Struct, frozen=True):
    """This page in another language or market. `language` is its BCP 47 tag."""

    label: str
    href: str
    language: str
    current: bool = False


class Legal(Struct, frozen=True):
    """The seller, as every page must name him. `notice_url`: the ministry's badge link. Empty parts are left out."""

    name: str
    address: str
    tax_code: str = ""
    phone: str = ""
    email: str = ""
    notice_url: str = ""


class Site(Struct, frozen=True):
    """The shop around a page: the same for all of them, but for the visitor's language and bag and the category where
    they are. Addresses are paths in the page's language; `suggest_url` and `cart_fragment_url`
    answer fragments. `language_label` stands in the header ("VI · ₫")."""

    name: str
    home_url: str
    search_url: str
    suggest_url: str
    cart_url: str
    cart_fragment_url: str
    lookup_url: str
    account_url: str
    languages_url: str
    language_label: str
    legal: Legal
    categories: list[Link] = []
    footer: list[LinkColumn] = []
    announcement: Link | None = None
    cart_count: int = 0
