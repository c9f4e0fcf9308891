"""How products are written: each whole (row, addresses, categories, variants, events), any number in one go."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from sampan.kernel.db import Tx
from sampan.kernel.errors import ShopError, invalid
from sampan.kernel.events import Event
from sampan.kernel.ids import uuid7
from sampan.kernel.text import slugify
from sampan.services.catalog import rules
from sampan.services.catalog.contract import (
    CategoryRef,
    Media,
    ProductChanged,
    ProductDocument,
    ProductWithdrawn,
    Texts,
    VariantDocument,
    VariantSnapshot,
    VariantsTaxed,
)
from sampan.services.catalog.rules import Draft, NewMedia, ProductType, SkuTaken, SlugTaken
from sampan.services.catalog.store import offers, products, shelves
from sampan.services.catalog.store.products import KnownVariant, StoredProduct
from sampan.services.catalog.store.shelves import CategoryNode


class Writing(Struct):
    """A product to be written: a new one, or one that was like `before`."""

    product_id: UUID
    draft: Draft
    before: StoredProduct | None = None


class Tree:
    """The categories, to say where a product lies."""

    def __init__(self, nodes: Sequence[CategoryNode]) -> None:
        self.by_slug = {node.slug: node for node in nodes}
        self.by_id = {node.id: node for node in nodes}

    def places_of(self, draft: Draft) -> tuple[list[CategoryRef], list[UUID]]:
        """The draft's categories, and all of them with those above. Raises Invalid for an unknown one."""
        references: list[CategoryRef] = []
        ancestors: list[UUID] = []
        for place, slug in enumerate(dict.fromkeys(draft.categories)):
            node = self.by_slug.get(slug)
            if node is None:
                raise invalid(f"categories.{place}", "unknown", f"there is no category {slug}")
            references.append(CategoryRef(id=node.id, slug=node.slug, name=node.name))
            above: CategoryNode | None = node
            while above is not None:
                ancestors.append(above.id)
                above = self.by_id.get(above.parent_id) if above.parent_id else None
        return references, list(dict.fromkeys(ancestors))


class Plan(Struct):
    """What writings come to before anything is written: those that can be, as they will be kept, and why others cannot.

    `known` are the variants that have had the SKUs until now.
    """

    writings: list[Writing]
    made: list[StoredProduct]
    refused: dict[UUID, ShopError]
    known: dict[str, KnownVariant]

    def slugs(self) -> dict[str, UUID]:
        """The addresses of the products as they will be, and whose each is."""
        return {slug: product.id for product in self.made for slug in product.document.slugs.values()}


async def plan(
    tx: Tx, at: datetime, writings: Sequence[Writing], pictures: Mapping[str, Media], dry_run: UUID | None = None
) -> Plan:
    """Look at products that are to be written. `pictures` are those we keep, by address.

    What a `dry_run` would have written before them counts as written.
    The number of statements does not depend on the number of products.
    """
    types = {t.code: t for t in await shelves.types(tx, list({each.draft.product_type for each in writings}))}
    tree = Tree(await shelves.category_nodes(tx))
    skus = [variant.sku for each in writings for variant in each.draft.variants]
    known = {v.sku: v for v in await products.variants_known(tx, [each.product_id for each in writings], skus)}
    wanted = [rules.wanted_slugs(each.draft, each.before.document.slugs if each.before else {}) for each in writings]
    owners = await products.slug_owners(tx, [slug for slugs in wanted for slug in slugs.values()], dry_run)
    found = Plan([], [], {}, known)
    for each, slugs in zip(writings, wanted, strict=True):
        try:
            product_type = types.get(each.draft.product_type)
            if product_type is None:
                raise invalid("product_type", "unknown", f"there is no product type {each.draft.product_type}")
            rules.check_draft(each.draft, product_type)
            own = rules.slugs_for(each.draft, slugs, each.product_id, owners)
            product = stored(each, at, own, product_type, tree, pictures, known)
        except ShopError as refusal:
            found.refused[each.product_id] = refusal
            continue
        owners.update(dict.fromkeys(own.values(), each.product_id))
        for variant in product.document.variants:
            known.setdefault(variant.sku, KnownVariant(variant.sku, variant.id, product.id))
        found.writings.append(each)
        found.made.append(product)
    return found


async def put(tx: Tx, planned: Plan) -> list[StoredProduct]:
    """Write the products of a plan of this transaction, and tell everybody. Raises SlugTaken."""
    writings, made = planned.writings, planned.made
    await products.put_products(tx, made, await brands_of(tx, writings))
    owners = planned.slugs()
    if missing := owners.keys() - await products.take_slugs(tx, owners):
        raise SlugTaken("the address belongs to another product", slug=min(missing))
    if changed := [each.product_id for each in writings if each.before is not None]:
        await products.leave_categories(tx, changed)
        now = {variant.sku: variant.id for product in made for variant in product.document.variants}
        await products.retire_variants(tx, changed, list(now.values()))
        if moved := [variant.id for sku, variant in planned.known.items() if now.get(sku, variant.id) != variant.id]:
            await products.free_skus(tx, moved)
    await products.join_categories(tx, [(p.id, category.id) for p in made for category in p.document.categories])
    await products.put_variants(tx, [snapshots_of(product) for product in made])
    await tell(tx, writings, made)
    return made


async def write(
    tx: Tx, at: datetime, writings: Sequence[Writing], pictures: Mapping[str, Media]
) -> list[StoredProduct]:
    """Write products, all or none, and tell everybody. Raises Invalid, SkuTaken, SlugTaken."""
    planned = await plan(tx, at, writings, pictures)
    for refusal in planned.refused.values():
        raise refusal
    return await put(tx, planned)


def stored(
    writing: Writing,
    at: datetime,
    slugs: Texts,
    product_type: ProductType,
    tree: Tree,
    pictures: Mapping[str, Media],
    known: Mapping[str, KnownVariant],
) -> StoredProduct:
    """The product as it will be kept. Raises Invalid, SkuTaken."""
    before = writing.before
    ids = variant_ids(writing, known)
    draft = replace(
        writing.draft,
        variants=[replace(variant, id=own) for variant, own in zip(writing.draft.variants, ids, strict=True)],
    )
    version = (before.version if before else 0) + 1
    created_at = before.created_at if before else at
    categories, ancestors = tree.places_of(draft)
    document = rules.document_of(
        draft,
        product_id=writing.product_id,
        version=version,
        slugs=slugs,
        product_type=product_type,
        categories=categories,
        ancestors=ancestors,
        media=[shown_media(place, media, pictures) for place, media in enumerate(draft.media)],
        variants=[
            VariantDocument(
                id=own, sku=variant.sku, options=dict(variant.options), media=variant.media, grams=variant.grams
            )
            for variant, own in zip(draft.variants, ids, strict=True)
        ],
        created_at=created_at,
    )
    return StoredProduct(writing.product_id, version, draft.status, slugs["vi"], draft, document, created_at)


def variant_ids(writing: Writing, known: Mapping[str, KnownVariant]) -> list[UUID]:
    """The id of each variant: the one it names, else that of the variant with its SKU, else a new one.

    Raises Invalid for an id, SkuTaken for a SKU of another product.
    """
    # A new product has none yet: all that are known need not be looked through for each of a thousand.
    own = (
        {variant.id for variant in known.values() if variant.product_id == writing.product_id}
        if writing.before is not None
        else set()
    )
    named = {variant.id for variant in writing.draft.variants}
    found = []
    for place, variant in enumerate(writing.draft.variants):
        same = known.get(variant.sku)
        if same is not None and same.product_id != writing.product_id:
            raise SkuTaken(f"the SKU {variant.sku} belongs to another product", sku=variant.sku)
        if variant.id is not None and variant.id not in own:
            raise invalid(f"variants.{place}.id", "unknown", "the product has no such variant")
        found.append(variant.id or (same.id if same is not None and same.id not in named else uuid7()))
    return found


def shown_media(place: int, media: NewMedia, pictures: Mapping[str, Media]) -> Media:
    found = pictures.get(media.url)
    if found is None:
        raise invalid(f"media.{place}.url", "unknown", "upload the picture first and send the address you got")
    return replace(found, alt=rules.worded(media.alt))


def snapshots_of(product: StoredProduct) -> list[VariantSnapshot]:
    """What carts and orders copy of each variant."""
    document = product.document
    found = []
    for variant, wanted in zip(document.variants, product.draft.variants, strict=True):
        picture = variant.media[0] if variant.media else 0
        found.append(
            VariantSnapshot(
                variant_id=variant.id,
                product_id=document.id,
                slug=document.slug,
                sku=variant.sku,
                name=rules.variant_name(document.name, document.options, variant.options),
                image=document.media[picture].url if document.media else None,
                grams=wanted.grams,
                tax_class=document.tax_class,
                published=True,
                max_quantity=wanted.max_quantity,
            )
        )
    return found


async def brands_of(tx: Tx, writings: Sequence[Writing]) -> list[UUID | None]:
    """The brand of each product; a new one is added."""
    slugs = {each.draft.brand: slugify(each.draft.brand) or each.draft.brand for each in writings if each.draft.brand}
    if not slugs:
        return [None for _ in writings]
    ids = await products.brand_ids(tx, {slug: (uuid7(), brand) for brand, slug in slugs.items()})
    return [ids[slugs[each.draft.brand]] if each.draft.brand else None for each in writings]


async def tell(tx: Tx, writings: Sequence[Writing], made: Sequence[StoredProduct]) -> None:
    """Say what readers see of these products now, and which variants are new for the taxes."""
    taxed: defaultdict[str, list[UUID]] = defaultdict(list)
    live = await offers.live_of(tx, changed) if (changed := [w.product_id for w in writings if w.before]) else {}
    events: list[Event] = []
    for each, product in zip(writings, made, strict=True):
        document, before = product.document, each.before
        same_tax = before is not None and before.draft.tax_class == each.draft.tax_class
        known = {variant.id for variant in before.document.variants} if before and same_tax else set()
        taxed[each.draft.tax_class] += [variant.id for variant in document.variants if variant.id not in known]
        seen = before.document.slugs if before and before.status == "published" else {}
        if product.status == "published":
            was = seen if seen != document.slugs else {}
            events.append(ProductChanged(product=offers.with_live(document, live), was=was))
        elif seen:
            events.append(ProductWithdrawn(product_id=product.id, version=product.version, slugs=seen))
    await tx.emit(*(VariantsTaxed(tax_class=code, variants=found) for code, found in taxed.items() if found), *events)


async def refresh(tx: Tx, ids: Sequence[UUID]) -> None:
    """Let products show what their categories and types are now; nothing happens to those that do already."""
    found = await products.products_for_change(tx, ids)
    types = {t.code: t for t in await shelves.types(tx, list({product.draft.product_type for product in found}))}
    tree = Tree(await shelves.category_nodes(tx))
    changed: list[ProductDocument] = []
    for product in found:
        categories, ancestors = tree.places_of(product.draft)
        attributes = rules.shown_attributes(types[product.draft.product_type], product.draft.attributes)
        new = replace(product.document, categories=categories, ancestors=ancestors, attributes=attributes)
        if new != product.document:
            changed.append(replace(new, version=product.version + 1))
    if changed:
        await products.put_documents(tx, changed)
        published = {product.id for product in found if product.status == "published"}
        seen = await offers.alive(tx, [document for document in changed if document.id in published])
        await tx.emit(*(ProductChanged(product=document) for document in seen))
