"""Catalog, as others see it: what we sell."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event
from sampan.kernel.money import Money

Texts = dict[str, str]  # language → text; at least `vi`


class UnknownProduct(ShopError, code="catalog.unknown_product", status=404):
    """There is no such product, or it is not published here."""


class ProductGone(UnknownProduct, code="catalog.product_gone", status=410):
    """The product is archived: it is no longer sold. The fact `category` is the shelf where others like it are."""


class Moved(ShopError, code="catalog.moved", status=301):
    """The slug is an old one; the fact `slug` is the present one, `slugs` that of each language."""


class UnknownVariant(ShopError, code="catalog.unknown_variant", status=422):
    """There is no such variant to buy; the fact `variants` lists them."""


class Media(Struct, frozen=True):
    """A picture: the path of its widest rendition, its size in pixels, the widths there are, and a text for it."""

    url: str
    alt: Texts
    width: int
    height: int
    widths: list[int] = []


class OptionValue(Struct, frozen=True):
    code: str
    label: Texts
    swatch: str | None = None  # "#c6321f"


class Option(Struct, frozen=True):
    code: str
    label: Texts
    values: list[OptionValue]


class Attribute(Struct, frozen=True):
    """A typed fact about a product. `value` is what is shown, per language; `codes` are what facets filter by."""

    code: str
    label: Texts
    value: Texts
    codes: list[str] = []
    value_labels: dict[str, Texts] = {}
    filterable: bool = False


class CategoryRef(Struct, frozen=True):
    id: UUID
    slug: str
    name: Texts


class Offer(Struct, frozen=True):
    """What a variant costs in a market; from the events of pricing."""

    market: str
    price: Money
    compare_at: Money | None


class VariantDocument(Struct, frozen=True):
    """A stock-keeping unit as readers need it. `available` and `offers` follow from the events of others."""

    id: UUID
    sku: str
    options: dict[str, str]  # option code → value code
    media: list[int] = []  # positions in the product's media
    grams: int = 0
    available: int = 0
    offers: list[Offer] = []


class ProductDocument(Struct, frozen=True):
    """A published product, whole: what search indexes and pages show. `version` grows with every change."""

    id: UUID
    version: int
    slug: str
    slugs: Texts
    name: Texts
    summary: Texts
    description: Texts
    brand: str | None
    product_type: str
    tax_class: str
    categories: list[CategoryRef]
    ancestors: list[UUID]  # of all its categories, themselves included
    media: list[Media]
    options: list[Option]
    variants: list[VariantDocument]
    default_variant_id: UUID
    attributes: list[Attribute]
    channels: list[str]
    created_at: datetime


class Category(Struct, frozen=True):
    """A node of the tree; `count` is the number of published products in it and below."""

    id: UUID
    slug: str
    name: Texts
    description: Texts
    parent_id: UUID | None
    position: int
    count: int
    media: Media | None = None


class VariantSnapshot(Struct, frozen=True):
    """What a cart and an order copy of a variant. `name` includes the options (`Ghế nhựa Chợ Lớn · Đỏ`)."""

    variant_id: UUID
    product_id: UUID
    slug: str
    sku: str
    name: Texts
    image: str | None
    grams: int
    tax_class: str
    published: bool
    max_quantity: int

    @property
    def tag(self) -> str:
        """Told as stale when anything of this may have changed, unless the product was and stays unpublished."""
        return snapshot_tag(self.product_id)

    @property
    def offer_tag(self) -> str:
        """Told as stale when catalog has heard of another price or availability, while the product is published."""
        return product_tag(self.product_id)


def snapshot_tag(product_id: UUID) -> str:
    return f"snapshots:{product_id}"


def product_tag(product_id: UUID) -> str:
    return f"product:{product_id}"


def tags_of(product_id: UUID, *slugs: Texts) -> list[str]:
    """Of the answers about a product: by its id, and by each of its slugs."""
    return [product_tag(product_id), *(f"product:{slug}" for each in slugs for slug in each.values())]


class ProductChanged(Event, name="catalog.product_changed.v1"):
    """A published product is now like this (new, edited, or another price or availability).

    `was` are the slugs it had until now, when they changed.
    """

    product: ProductDocument
    was: Texts = {}

    def stale(self) -> list[str]:
        return [*tags_of(self.product.id, self.product.slugs, self.was), snapshot_tag(self.product.id), "categories"]


class OffersChanged(Event, name="catalog.offers_changed.v1"):
    """Price or availability of these products changed; nothing else did, and `version` is the one of before.

    The feed has the events of a product in the order in which they became true.
    """

    offers: list["ProductOffers"]

    def stale(self) -> list[str]:
        return [tag for offer in self.offers for tag in tags_of(offer.product_id, offer.slugs)]


class ProductOffers(Struct, frozen=True):
    product_id: UUID
    version: int
    slugs: Texts
    variants: list[VariantDocument]


class ProductWithdrawn(Event, name="catalog.product_withdrawn.v1"):
    """A product is no longer published (or is gone)."""

    product_id: UUID
    version: int
    slugs: Texts

    def stale(self) -> list[str]:
        return [*tags_of(self.product_id, self.slugs), snapshot_tag(self.product_id), "categories"]


class CategoriesChanged(Event, name="catalog.categories_changed.v1"):
    """The tree changed."""

    def stale(self) -> list[str]:
        return ["categories"]


class VariantsTaxed(Event, name="catalog.variants_taxed.v1"):
    """The tax class of these variants is now this one."""

    tax_class: str
    variants: list[UUID]


class Catalog(Protocol):
    """Products, variants, categories."""

    async def find_variants(self, *, variants: list[UUID]) -> list[VariantSnapshot]:
        """Those of the variants that exist, published or not."""
        ...

    async def find_product(self, *, key: str) -> ProductDocument:
        """A published product by slug or id. Raises UnknownProduct, ProductGone, Moved."""
        ...

    async def find_products(self, *, ids: list[UUID]) -> list[ProductDocument]:
        """Published products in the order asked; missing ones are left out."""
        ...

    async def list_categories(self) -> list[Category]:
        """The whole tree, parents before children, in their order."""
        ...

    async def list_products(
        self, *, category: str | None = None, limit: int = 24, after: str | None = None
    ) -> list[ProductDocument]:
        """Published products of a category (slug), newest first, after a product id: for when search is away."""
        ...
