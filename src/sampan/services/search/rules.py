"""What is found, how a product is shown in a list, and when an index can be trusted.

A product is found while it is published and has a price somewhere; in a market, while it has a price there. The card
shows the lowest price of its variants. Facets are its filterable attributes, its options and its brand. What catalog
said later counts: an older version of a product never replaces a newer one. An index that is not of this database, or
knows more than it, is made anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel.errors import NotFound, invalid
from sampan.kernel.text import slugify
from sampan.services.catalog.contract import (
    Offer,
    OffersChanged,
    ProductChanged,
    ProductDocument,
    ProductOffers,
    ProductWithdrawn,
    Texts,
    VariantDocument,
)
from sampan.services.search.contract import Image, ProductCard, Rating, Swatch
from sampan.services.search.engine.interface import LANGUAGES, MOST_FILTERS
from sampan.services.search.engine.interface import Category as IndexedCategory
from sampan.services.search.engine.interface import Document as IndexedDocument
from sampan.services.search.engine.interface import Texts as IndexedTexts

MOST_TERMS: Final = 50  # filter values of one question
MOST_FACETS: Final = 20  # facets of one answer
FORMAT: Final = 2  # raise it when what is indexed of a product changes: an index of another format is made anew

BRAND: Final = "brand"
NO_RATING: Final = Rating(average=0.0, count=0)


class Place(Struct, frozen=True):
    """What an index holds: which build it is, and the last change in it. `format` is that of what is indexed."""

    build: UUID
    change: int
    format: int = FORMAT


class Label(Struct, frozen=True):
    """What a facet (an empty `value`) or one of its values is called."""

    code: str
    value: str
    texts: Texts
    swatch: str | None = None


class CategoryNode(Struct, frozen=True):
    """A category and the one above it."""

    id: UUID
    slug: str
    name: Texts
    parent_id: UUID | None


class Names:
    """What everything is called, and the tree of categories."""

    def __init__(self, labels: Iterable[Label] = (), categories: Iterable[CategoryNode] = ()) -> None:
        self.labels = {(label.code, label.value): label for label in labels}
        self.by_id = {node.id: node for node in categories}
        self.by_slug = {node.slug: node for node in self.by_id.values()}

    def category(self, slug: str) -> CategoryNode:
        """The category with this slug. Raises NotFound."""
        node = self.by_slug.get(slug)
        if node is None:
            raise NotFound("there is no such category")
        return node

    def label(self, code: str, value: str, language: str) -> str:
        """What a facet or value is called in a language; its code, when nobody said."""
        label = self.labels.get((code, value))
        return (said(label.texts, language) if label else "") or value or code

    def swatch(self, code: str, value: str) -> str | None:
        label = self.labels.get((code, value))
        return label.swatch if label else None

    def upwards(self, ids: Iterable[UUID]) -> list[CategoryNode]:
        """These categories and all above them, each once; unknown ones are left out."""
        found: dict[UUID, CategoryNode] = {}
        for one in ids:
            node = self.by_id.get(one)
            while node is not None and node.id not in found:
                found[node.id] = node
                node = self.by_id.get(node.parent_id) if node.parent_id else None
        return list(found.values())

    def downwards(self, ids: Iterable[UUID]) -> list[UUID]:
        """These categories and all below them."""
        below: dict[UUID, list[UUID]] = {}
        for node in self.by_id.values():
            if node.parent_id is not None:
                below.setdefault(node.parent_id, []).append(node.id)
        found: dict[UUID, None] = {}
        waiting = list(ids)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found[one] = None
                waiting += below.get(one, [])
        return list(found)


def said(texts: Mapping[str, str], language: str) -> str:
    """The text in a language, else in Vietnamese."""
    return texts.get(language) or texts.get("vi", "")


def spoken(language: str) -> str:
    """The language if we speak it, else Vietnamese."""
    return language if language in LANGUAGES else LANGUAGES[0]


# --- questions --------------------------------------------------------------------------------------------------------


def check_filters(filters: Mapping[str, Sequence[str]]) -> None:
    """A list is narrowed by at most ten attributes and fifty values at once."""
    if len(filters) > MOST_FILTERS:
        raise invalid("attr", "too_many", f"at most {MOST_FILTERS} attributes at once")
    if sum(len(values) for values in filters.values()) > MOST_TERMS:
        raise invalid("attr", "too_many", f"at most {MOST_TERMS} values at once")


# --- what a product is ------------------------------------------------------------------------------------------------


def offers_in(product: ProductDocument, market: str) -> list[tuple[VariantDocument, Offer]]:
    """The variants for sale in a market, each with its offer there."""
    return [(variant, offer) for variant in product.variants for offer in variant.offers if offer.market == market]


def markets_of(product: ProductDocument) -> list[str]:
    return sorted({offer.market for variant in product.variants for offer in variant.offers})


def is_in_stock(product: ProductDocument) -> bool:
    """A product is in stock while one of its variants that has a price can be had."""
    return any(variant.available > 0 and variant.offers for variant in product.variants)


def prices_for(product: ProductDocument) -> dict[str, int]:
    """The price of a product in a market is the lowest of its variants there, in minor units."""
    return {
        market: min(offer.price.amount for _, offer in offers_in(product, market)) for market in markets_of(product)
    }


def facets_for(product: ProductDocument) -> dict[str, list[str]]:
    """A product is found by its brand, its filterable attributes and the options that its variants have."""
    found: dict[str, dict[str, None]] = {}
    if product.brand:
        found.setdefault(BRAND, {})[brand_code(product.brand)] = None
    for attribute in product.attributes:
        if attribute.filterable:
            found.setdefault(attribute.code, {}).update(dict.fromkeys(attribute.codes))
    for variant in product.variants:
        for option, value in variant.options.items():
            found.setdefault(option, {})[value] = None
    return {code: list(values) for code, values in found.items() if values}


def brand_code(brand: str) -> str:
    return slugify(brand) or brand


def labels_for(products: Iterable[ProductDocument]) -> list[Label]:
    """A facet and its values are called what the last product with them calls them, in each language."""
    labels: dict[tuple[str, str], Label] = {}
    for product in products:
        labels.update(labels_in(product))
    return [labels[key] for key in sorted(labels)]


def labels_in(product: ProductDocument) -> dict[tuple[str, str], Label]:
    labels: dict[tuple[str, str], Label] = {}

    def call(code: str, value: str, texts: Texts, swatch: str | None = None) -> None:
        labels.setdefault((code, value), Label(code, value, texts, swatch))

    for option in product.options:
        call(option.code, "", option.label)
        for value in option.values:
            call(option.code, value.code, value.label, value.swatch)
    for attribute in product.attributes:
        if attribute.filterable:
            call(attribute.code, "", attribute.label)
            for code in attribute.codes:
                call(attribute.code, code, attribute.value_labels.get(code, attribute.value))
    if product.brand:
        call(BRAND, "", {"vi": "Thương hiệu", "en": "Brand"})
        call(BRAND, brand_code(product.brand), {"vi": product.brand, "en": product.brand})
    return labels


def with_offers(product: ProductDocument, news: ProductOffers) -> ProductDocument | None:
    """The product with other prices and availability; None when the news are of an older version of it."""
    if news.version < product.version:
        return None
    said_of = {variant.id: variant for variant in news.variants}
    variants = [
        msgspec.structs.replace(variant, available=found.available, offers=found.offers)
        if (found := said_of.get(variant.id))
        else variant
        for variant in product.variants
    ]
    return uncounted(msgspec.structs.replace(product, variants=variants))


def uncounted(product: ProductDocument) -> ProductDocument:
    """A list shows whether a variant can be had, not how many: one that is sold need not be written again until it is
    the last one.
    """
    variants = [msgspec.structs.replace(each, available=min(each.available, 1)) for each in product.variants]
    return msgspec.structs.replace(product, variants=variants)


# --- what becomes of products -----------------------------------------------------------------------------------------

ProductNews = ProductChanged | OffersChanged | ProductWithdrawn


class Known(Struct, frozen=True):
    """A product as it is known: whole, if it is not withdrawn and somebody asked for that."""

    version: int
    withdrawn: bool
    product: ProductDocument | None = None


def named_in(events: Iterable[ProductNews]) -> set[UUID]:
    """The products that these events are about."""
    ids: set[UUID] = set()
    for event in events:
        if isinstance(event, ProductChanged):
            ids.add(event.product.id)
        elif isinstance(event, ProductWithdrawn):
            ids.add(event.product_id)
        else:
            ids.update(offers.product_id for offers in event.offers)
    return ids


def after(events: Iterable[ProductNews], known: Mapping[UUID, Known]) -> dict[UUID, Known]:
    """The products that are other ones after these events. Prices of an unknown product come with its own event."""
    changed: dict[UUID, Known] = {}
    for event in events:
        if isinstance(event, OffersChanged):
            for offers in event.offers:
                before = changed.get(offers.product_id) or known.get(offers.product_id)
                if before is not None and before.product is not None:
                    now = with_offers(before.product, offers)
                    if now is not None and now.variants != before.product.variants:
                        changed[now.id] = Known(before.version, False, now)
        elif isinstance(event, ProductWithdrawn):
            before = changed.get(event.product_id) or known.get(event.product_id)
            state = Known(event.version, True)
            if before is None or is_newer(state, before):
                changed[event.product_id] = state
        else:
            product = uncounted(event.product)
            before = changed.get(product.id) or known.get(product.id)
            state = Known(product.version, False, product)
            if before is None or is_newer(state, before):
                changed[product.id] = state
    return changed


def is_newer(state: Known, before: Known) -> bool:
    """A later version of a product replaces an earlier one; of two with the same version the withdrawn one counts."""
    return (state.version, state.withdrawn) > (before.version, before.withdrawn)


# --- how it is shown --------------------------------------------------------------------------------------------------


def card_for(product: ProductDocument, *, language: str, market: str) -> ProductCard | None:
    """A card shows the lowest price, and the highest where variants differ; nothing where there is no price.

    The variant to buy is the default one, or else one that can be had.
    """
    offers = offers_in(product, market)
    if not offers:
        return None
    lowest = min((offer for _, offer in offers), key=lambda offer: offer.price.amount)
    highest = max((offer.price for _, offer in offers), key=lambda price: price.amount)
    buyable = [variant for variant, _ in offers if variant.available > 0]
    choice = buyable or [variant for variant, _ in offers]
    shown = next((variant for variant in choice if variant.id == product.default_variant_id), choice[0])
    used = {value for variant in product.variants for value in variant.options.items()}
    values = [
        (place, value)
        for place, option in enumerate(product.options)
        for value in option.values
        if (option.code, value.code) in used
    ]
    before = lowest.compare_at
    return ProductCard(
        id=product.id,
        slug=said(product.slugs, language) or product.slug,
        name=said(product.name, language),
        brand=product.brand,
        image=image_for(product, shown, language),
        price=lowest.price,
        price_max=highest if highest.amount > lowest.price.amount else None,
        compare_at=before if before is not None and before.amount > lowest.price.amount else None,
        rating=NO_RATING,
        available=bool(buyable),
        variant_id=shown.id,
        options=[said(value.label, language) for place, value in values if place == 0],
        swatches=[Swatch(said(value.label, language), value.swatch) for _, value in values if value.swatch],
        attributes={one.code: said(one.value, language) for one in product.attributes if one.filterable},
    )


def image_for(product: ProductDocument, variant: VariantDocument, language: str) -> Image | None:
    """The picture of a product is that of the variant shown, else its first one."""
    places = [place for place in (*variant.media, 0) if place < len(product.media)]
    if not places:
        return None
    media = product.media[places[0]]
    return Image(
        url=media.url,
        alt=said(media.alt, language) or said(product.name, language),
        width=media.width,
        height=media.height,
        widths=media.widths,
    )


CARD: Final = msgspec.json.Decoder(ProductCard)
CARDS: Final = msgspec.msgpack.Decoder(dict[str, bytes])


def packed_cards(product: ProductDocument) -> bytes:
    """A product's cards in every language and market, written as JSON, to be kept in the index."""
    cards = {
        f"{language} {market}": msgspec.json.encode(card_for(product, language=language, market=market))
        for language in LANGUAGES
        for market in markets_of(product)
    }
    return msgspec.msgpack.encode(cards)


def written_card(packed: bytes, *, language: str, market: str) -> msgspec.Raw | None:
    """One of `packed_cards` as it is written; None where the product is not sold."""
    card = CARDS.decode(packed).get(f"{language} {market}")
    return msgspec.Raw(card) if card else None


def card_in(written: msgspec.Raw) -> ProductCard:
    return CARD.decode(written)


def indexed_for(product: ProductDocument, *, sold: int, names: Names) -> IndexedDocument:
    """A product is searched by its texts, SKUs, brand, categories and the words of its options and attributes."""
    direct = [reference.id for reference in product.categories]
    known = names.upwards(direct)
    categories = [IndexedCategory(str(node.id), node.name) for node in known]
    categories += [IndexedCategory(str(c.id), c.name) for c in product.categories if c.id not in names.by_id]
    before: dict[str, int] = {}
    for market in markets_of(product):
        lowest = min((offer for _, offer in offers_in(product, market)), key=lambda offer: offer.price.amount)
        if lowest.compare_at is not None:
            before[market] = lowest.compare_at.amount
    return IndexedDocument(
        product_id=str(product.id),
        texts={language: texts_for(product, language) for language in LANGUAGES if product.name.get(language)},
        categories=categories,
        attributes=facets_for(product),
        skus=[variant.sku for variant in product.variants],
        price=prices_for(product),
        compare_at=before,
        in_stock=is_in_stock(product),
        created_at=int(product.created_at.timestamp() * 1000),
        sold=sold,
        card=packed_cards(product),
    )


def texts_for(product: ProductDocument, language: str) -> IndexedTexts:
    """What a product says in one language; the labels of its options and attributes are words to find it by."""
    used = {value for variant in product.variants for value in variant.options.items()}
    words = [
        said(value.label, language)
        for option in product.options
        for value in option.values
        if (option.code, value.code) in used
    ]
    words += [said(attribute.value, language) for attribute in product.attributes]
    return IndexedTexts(
        name=product.name[language],
        description="\n".join(filter(None, (product.summary.get(language), product.description.get(language)))),
        brand=product.brand or "",
        keywords=" | ".join(words),
    )


# --- the index --------------------------------------------------------------------------------------------------------


def is_continued_by(index: Place, database: Place | None) -> bool:
    """An index is brought up to date only if it is the build that the database knows, holds what we index today, and
    knows no more than the database: one that was put back from a copy catches up, any other is made anew."""
    return (
        database is not None
        and index.build == database.build
        and index.format == FORMAT
        and index.change <= database.change
    )
