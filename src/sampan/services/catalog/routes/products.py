"""Catalog's public HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.errors import NotFound
from sampan.kernel.http import Answer, Request, Routes, public, staff
from sampan.kernel.money import Money
from sampan.kernel.pagination import decode_cursor, page_of
from sampan.services.catalog.actions.catalog_actions import CatalogActions
from sampan.services.catalog.actions.pictures import BadPicture
from sampan.services.catalog.contract import Category, Media, Moved, ProductDocument, ProductGone, UnknownProduct
from sampan.services.catalog.rules import (
    Draft,
    Label,
    NewMedia,
    ProductType,
    SkuTaken,
    Slug,
    SlugTaken,
    VersionChanged,
    Words,
    said,
    variant_name,
)
from sampan.services.catalog.store.products import ListedProduct, StoredProduct

routes = Routes()


class Picture(Struct, frozen=True):
    url: str
    alt: str
    width: int
    height: int
    widths: list[int]


class Named(Struct, frozen=True):
    slug: str
    name: str


class ShownValue(Struct, frozen=True):
    code: str
    label: str
    swatch: str | None


class ShownOption(Struct, frozen=True):
    code: str
    label: str
    values: list[ShownValue]


class ShownVariant(Struct, frozen=True):
    """`price` is null where the variant is not sold in the market; `purchasable` says whether it can be bought now."""

    id: UUID
    sku: str
    name: str
    options: dict[str, str]
    price: Money | None
    compare_at: Money | None
    available: int
    purchasable: bool
    media: list[int]


class ShownAttribute(Struct, frozen=True):
    code: str
    label: str
    value: str


class ShownRating(Struct, frozen=True):
    average: float
    count: int


class Product(Struct, frozen=True):
    """A product in one language and market."""

    id: UUID
    slug: str
    name: str
    summary: str
    description: str
    brand: str | None
    categories: list[Named]
    media: list[Picture]
    options: list[ShownOption]
    variants: list[ShownVariant]
    default_variant_id: UUID
    rating: ShownRating
    attributes: list[ShownAttribute]


class ShownCategory(Struct, frozen=True):
    id: UUID
    slug: str
    name: str
    description: str
    count: int
    image: Picture | None
    children: list["ShownCategory"] = []


class Tree(Struct, frozen=True):
    items: list[ShownCategory]


class CategoryPage(Struct, frozen=True):
    id: UUID
    slug: str
    name: str
    description: str
    count: int
    image: Picture | None
    ancestors: list[Named]
    children: list[ShownCategory]


class In(Struct, frozen=True):
    market: Annotated[str, Meta(pattern=r"^[A-Z]{2,8}\Z")] = "VN"


def shown_product(product: ProductDocument, language: str, market: str) -> Product:
    """The product as the API shows it."""
    variants = []
    for variant in product.variants:
        offer = next((offer for offer in variant.offers if offer.market == market), None)
        variants.append(
            ShownVariant(
                id=variant.id,
                sku=variant.sku,
                name=said(variant_name(product.name, product.options, variant.options), language),
                options=variant.options,
                price=offer.price if offer else None,
                compare_at=offer.compare_at if offer else None,
                available=variant.available,
                purchasable=offer is not None and variant.available > 0,
                media=variant.media,
            )
        )
    return Product(
        id=product.id,
        slug=product.slugs.get(language, product.slug),
        name=said(product.name, language),
        summary=said(product.summary, language),
        description=said(product.description, language),
        brand=product.brand,
        categories=[Named(category.slug, said(category.name, language)) for category in product.categories],
        media=[picture_of(media, language) for media in product.media],
        options=[
            ShownOption(
                option.code,
                said(option.label, language),
                [ShownValue(value.code, said(value.label, language), value.swatch) for value in option.values],
            )
            for option in product.options
        ],
        variants=variants,
        default_variant_id=product.default_variant_id,
        rating=ShownRating(0.0, 0),
        attributes=[
            ShownAttribute(attribute.code, said(attribute.label, language), said(attribute.value, language))
            for attribute in product.attributes
        ],
    )


def picture_of(media: Media, language: str) -> Picture:
    return Picture(media.url, said(media.alt, language), media.width, media.height, media.widths)


def shown_category(category: Category, language: str, children: list[ShownCategory]) -> ShownCategory:
    return ShownCategory(
        id=category.id,
        slug=category.slug,
        name=said(category.name, language),
        description=said(category.description, language),
        count=category.count,
        image=picture_of(category.media, language) if category.media else None,
        children=children,
    )


def tree_of(categories: list[Category], language: str, parent: UUID | None = None) -> list[ShownCategory]:
    return [
        shown_category(category, language, tree_of(categories, language, category.id))
        for category in categories
        if category.parent_id == parent
    ]


@routes.get(
    "/products/{key}",
    policy=public,
    cached=lambda request: [f"product:{request.params['key'].lower()}"],
    errors=(UnknownProduct, ProductGone, Moved),
)
async def get_product(
    catalog: CatalogActions, request: Request, key: str, language: str, query: In
) -> Product | Answer:
    """A product by slug or id, with its variants, prices and availability. An old slug redirects."""
    try:
        return shown_product(await catalog.find_product(key=key), language, query.market)
    except Moved as moved:
        path = f"/api/v1/products/{moved.facts['slugs'].get(language, moved.facts['slug'])}".encode()
        return Answer(301, headers=[(b"location", path + (b"?" + request.raw_query if request.raw_query else b""))])


@routes.get("/categories", policy=public, cached=lambda request: ["categories"])
async def get_categories(catalog: CatalogActions, language: str) -> Tree:
    """The tree of categories."""
    return Tree(tree_of(await catalog.list_categories(), language))


@routes.get("/categories/{slug}", policy=public, cached=lambda request: ["categories"])
async def get_category(catalog: CatalogActions, slug: str, language: str) -> CategoryPage:
    """One category with its ancestors and children."""
    categories = await catalog.list_categories()
    by_id = {category.id: category for category in categories}
    found = next((category for category in categories if category.slug == slug), None)
    if found is None:
        raise NotFound("there is no such category")
    ancestors: list[Named] = []
    above = by_id.get(found.parent_id) if found.parent_id else None
    while above is not None:
        ancestors.insert(0, Named(above.slug, said(above.name, language)))
        above = by_id.get(above.parent_id) if above.parent_id else None
    return CategoryPage(
        id=found.id,
        slug=found.slug,
        name=said(found.name, language),
        description=said(found.description, language),
        count=found.count,
        image=picture_of(found.media, language) if found.media else None,
        ancestors=ancestors,
        children=tree_of(categories, language, found.id),
    )


# --- files --------------------------------------------------------------------------------------------------------

media_routes = Routes(prefix="/files", in_documents=False)


@media_routes.get("/{key...}", policy=public)
async def get_file(catalog: CatalogActions, request: Request, key: str) -> Answer:
    """A rendition of a picture; it never changes, so it is kept for a year."""
    if not (key.startswith("media/") and key.endswith(".webp")):
        raise NotFound("there is nothing at this address")
    body = await catalog.files.get(key)
    return Answer(
        200,
        body,
        b"image/webp",
        [
            (b"cache-control", b"public, max-age=31536000, immutable"),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
        ],
    )


# --- staff --------------------------------------------------------------------------------------------------------


class ListQuery(Struct, frozen=True):
    status: Literal["draft", "published", "archived"] | None = None
    sku: Annotated[str, Meta(max_length=64)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 24
    cursor: Annotated[str, Meta(max_length=500)] | None = None


class ProductList(Struct, frozen=True):
    items: list[ListedProduct]
    next: str | None


class StaffProduct(Struct, frozen=True):
    """A product as staff wrote it. `version` goes back with a change."""

    id: UUID
    version: int
    status: str
    slug: str
    variants: list[UUID]
    product: Draft
    created_at: datetime


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """A product written anew over `version`."""

    version: Annotated[int, Meta(ge=1)]
    product: Draft


class NewCategory(Struct, frozen=True, forbid_unknown_fields=True):
    slug: Slug
    name: Label
    description: Words = {}
    parent: Slug | None = None
    position: Annotated[int, Meta(ge=0, le=100_000)] = 0
    media: NewMedia | None = None


class MadeCategory(Struct, frozen=True):
    id: UUID


class Types(Struct, frozen=True):
    items: list[ProductType]


def staff_product(stored: StoredProduct) -> StaffProduct:
    return StaffProduct(
        id=stored.id,
        version=stored.version,
        status=stored.status,
        slug=stored.slug,
        variants=[variant.id for variant in stored.document.variants],
        product=stored.draft,
        created_at=stored.created_at,
    )


@routes.get("/admin/products", policy=staff("catalog.read"))
async def list_products(catalog: CatalogActions, query: ListQuery) -> ProductList:
    """All products, newest first; with a SKU, the one whose variant has it."""
    after = decode_cursor(query.cursor, UUID)[0] if query.cursor else None
    rows = await catalog.list_drafts(status=query.status, after=after, sku=query.sku, limit=query.limit + 1)
    page = page_of(rows, query.limit, lambda row: (row.id,))
    return ProductList(page.items, page.next)


@routes.post(
    "/admin/products",
    policy=staff("catalog.write"),
    status=201,
    errors=(SkuTaken, SlugTaken),
    leads={"product_id": "/id", "variant_id": "/variants/0"},
)
async def create_product(catalog: CatalogActions, data: Draft) -> StaffProduct:
    """A new product."""
    return staff_product(await catalog.create_product(draft=data))


@routes.get("/admin/products/{product_id}", policy=staff("catalog.read"))
async def get_draft(catalog: CatalogActions, product_id: UUID) -> StaffProduct:
    """A product as staff wrote it."""
    return staff_product(await catalog.find_draft(product_id=product_id))


@routes.patch(
    "/admin/products/{product_id}", policy=staff("catalog.write"), errors=(SkuTaken, SlugTaken, VersionChanged)
)
async def change_product(catalog: CatalogActions, product_id: UUID, data: Change) -> StaffProduct:
    """Write a product anew, over the version that was read."""
    return staff_product(await catalog.change_product(product_id=product_id, draft=data.product, version=data.version))


@routes.post("/admin/categories", policy=staff("catalog.write"), status=201)
async def put_category(catalog: CatalogActions, data: NewCategory) -> MadeCategory:
    """Add or change the category with this slug."""
    return MadeCategory(
        await catalog.put_category(
            slug=data.slug,
            name=dict(data.name),
            description=dict(data.description),
            parent=data.parent,
            position=data.position,
            media=data.media,
        )
    )


@routes.get("/admin/product-types", policy=staff("catalog.read"))
async def list_types(catalog: CatalogActions) -> Types:
    """All product types with their typed attributes."""
    return Types(await catalog.list_types())


@routes.post("/admin/product-types", policy=staff("catalog.write"), status=201)
async def put_type(catalog: CatalogActions, data: ProductType) -> ProductType:
    """Add or change a product type."""
    return await catalog.put_type(product_type=data)


@routes.post(
    "/admin/media",
    policy=staff("catalog.write"),
    status=201,
    idempotency="none",
    body_limit=10 << 20,
    takes=("image/jpeg", "image/png", "image/webp"),
    errors=(BadPicture,),
)
async def upload(catalog: CatalogActions, request: Request) -> Media:
    """A picture (the body is a JPEG, PNG or WebP file). It is re-encoded, its metadata removed."""
    return await catalog.keep_picture(data=await request.body(), alt={"vi": ""})
