"""How a product lies in the tantivy index."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import tantivy

from sampan.kernel.text import canonical, fold, has_diacritics
from sampan.services.search.engine.analysis import (
    TOKEN,
    Word,
    clean,
    indexed,
    indexed_apart,
    loose,
    sku_key,
    without_invisible,
    without_markup,
    words_of,
)
from sampan.services.search.engine.interface import LANGUAGES, Document, Texts
from sampan.services.search.engine.lexicon import lexicon

FORMAT: Final = 1  # raise it when the fields or the analysis change: an index of another format must be rebuilt
MARKETS: Final = 32  # markets with prices of their own; a column that stays empty costs nothing
EVERY_MARKET: Final = "*"
BREAK: Final = "|"  # no word; keeps phrases from reaching over the end of a text
SEPARATOR: Final = "\x1f"  # between the parts of a compound term

# The texts of a product: what it is called, how its description begins, what else it is (brand, categories, keywords),
# and the rest of its description. The first words of a description say what the thing is; later ones wander.
PARTS: Final = ("name", "lead", "about", "rest")

FORMS: Final = ("exact", "folded")

_LEAD_WORDS: Final = 24
_LONGEST_DESCRIPTION: Final = 20_000
_LARGEST: Final = 2**62


def text_field(language: str, part: str, form: str) -> str:
    """The field of a text; `form` is `exact` or `folded`."""
    return f"{language}_{part}_{form}"


def any_field(form: str) -> str:
    """All texts of a product in all languages: this field decides what matches, the others how well."""
    return f"any_{form}"


def bare(folded: str) -> str:
    """A word of the name of a product whose Vietnamese was written without any accents: it may mean every accent."""
    return f"~{folded}"


def price_field(slot: int) -> str:
    """The column with the prices of the market in this slot."""
    return f"price_{slot}"


def kind_field(language: str) -> str:
    """Whole names of categories, with and without accents."""
    return f"{language}_kind"


def completion_field(language: str) -> str:
    """Terms `folded␟shown`: ways to go on from what was typed."""
    return f"{language}_completion"


def category_field(language: str) -> str:
    """Terms `folded␟id␟name`, one from the start of each word of a category's name."""
    return f"{language}_category"


def facet_term(code: str, value: str) -> str:
    return f"{clean(code)}{SEPARATOR}{clean(value)}"


def build() -> tantivy.Schema:
    schema = tantivy.SchemaBuilder()
    schema.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    schema.add_bytes_field("card", stored=True)
    for language in LANGUAGES:
        for part in PARTS:
            for form in FORMS:
                schema.add_text_field(text_field(language, part, form), tokenizer_name="whitespace")
        for field in (kind_field(language), completion_field(language), category_field(language)):
            schema.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for form in FORMS:
        schema.add_text_field(any_field(form), tokenizer_name="whitespace")
    for field in ("sku", "category", "market", "sale"):
        schema.add_text_field(field, tokenizer_name="raw", index_option="basic")
    schema.add_text_field("facet", fast=True, tokenizer_name="raw", index_option="basic")
    schema.add_boolean_field("in_stock", indexed=True)
    for column in ("created_at", "sold", "rating", *(price_field(slot) for slot in range(MARKETS))):
        schema.add_integer_field(column, fast=True)
    schema.add_float_field("popularity", fast=True)
    return schema.build()


def fields_of(document: Document, slots: Mapping[str, int]) -> dict[str, object]:
    """A product as tantivy takes it; `slots` says which price column belongs to which market."""
    fields: dict[str, object] = {
        "id": document.product_id,
        "card": document.card,
        "sku": [key for sku in document.skus if (key := sku_key(sku))],
        "category": [clean(category.id) for category in document.categories],
        "market": [clean(market) for market in document.price] or [EVERY_MARKET],
        "sale": [
            clean(market)
            for market, before in document.compare_at.items()
            if before > document.price.get(market, before)
        ],
        "facet": [facet_term(code, value) for code, values in document.attributes.items() for value in set(values)],
        "in_stock": document.in_stock,
        "created_at": within(document.created_at),
        "sold": within(document.sold),
        "rating": steadied_rating(document.rating_average, document.rating_count),
        "popularity": _as_weight(popularity(document)),
    }
    for market, amount in document.price.items():
        fields[price_field(slots[market])] = within(amount)
    return fields | _text_fields(document)


def _text_fields(document: Document) -> dict[str, object]:
    fields: dict[str, object] = {}
    anywhere: dict[str, list[str]] = {form: [] for form in FORMS}
    for language, texts in document.texts.items():
        if language not in LANGUAGES:
            continue
        categories = [(one.id, one.names[language]) for one in document.categories if language in one.names]
        about = (texts.brand, *(name for _, name in categories), *texts.keywords.split(BREAK))
        told = without_markup(texts.description[:_LONGEST_DESCRIPTION]).split()
        lead, rest = " ".join(told[:_LEAD_WORDS]), " ".join(told[_LEAD_WORDS:])
        said = (indexed(texts.name), indexed(lead), indexed_apart(about), indexed(rest))
        for part, forms in zip(PARTS, said, strict=True):
            for form, words in zip(FORMS, forms, strict=True):
                fields[text_field(language, part, form)] = words
                anywhere[form].append(words)
        if language == "vi" and not has_diacritics(f"{texts.name} {texts.description}"):
            anywhere["exact"].append(" ".join(bare(word.folded) for word in words_of(texts.name)))
        fields[kind_field(language)] = [kind for _, name in categories for kind in _kinds_called(name)]
        fields[completion_field(language)] = list(completions(texts, language))
        fields[category_field(language)] = [
            term for category_id, name in categories for term in _category_terms(category_id, name)
        ]
    for form in FORMS:
        fields[any_field(form)] = f" {BREAK} ".join(anywhere[form])
    return fields


@lru_cache(maxsize=4096)
def _kinds_called(name: str) -> tuple[str, str]:
    return kinds_of(words_of(name))


def kinds_of(words: Sequence[Word]) -> tuple[str, str]:
    """A whole category name as a term: with its accents, and without."""
    return " ".join(word.exact for word in words), " ".join(loose(word.folded) for word in words)


def within(number: int) -> int:
    return max(-_LARGEST, min(_LARGEST, number))


# --- popularity -------------------------------------------------------------------------------------------------


def steadied_rating(average: int, count: int) -> int:
    """The rating in hundredths as if five more buyers had given 3.50: one perfect review is not yet the best."""
    return (average * count + 350 * 5) // (count + 5) if count > 0 else 350


def popularity(document: Document) -> float:
    """From 0 to 1: mostly how often it was sold, on a logarithmic scale, then its rating, then whether it is there."""
    sold = min(1.0, math.log1p(max(0, document.sold)) / math.log1p(10_000))
    rating = max(0.0, min(1.0, (steadied_rating(document.rating_average, document.rating_count) - 250) / 250))
    return 0.5 * sold + 0.3 * rating + 0.2 * document.in_stock


_POPULARITY_SHARE: Final = 0.4  # the most popular product's text score counts 1.4 times


def _as_weight(value: float) -> float:
    """tantivy multiplies a score by log2(2 + weight); this is the weight for a factor of 1 + 0.4 × value."""
    return float(2 ** (1 + _POPULARITY_SHARE * value) - 2)


# --- terms for suggestions --------------------------------------------------------------------------------------

# What follows is no longer what the thing is, but more about it: "Áo thun nam (combo 3)".
_ASIDE: Final = re.compile(r"[(\[{,;:|/]| [-–—] ")
_LONGEST_NAME: Final = 200


def completions(texts: Texts, language: str) -> Iterator[str]:
    """Queries that this product could complete: the beginning of its name, and its brand.

    Vietnamese names begin with what the thing is, so only beginnings are taken; English names end with it, so pairs and
    triples from the middle are taken too.
    """
    name = without_invisible(_ASIDE.split(canonical(clean(texts.name[:_LONGEST_NAME])), maxsplit=1)[0])
    words = list(TOKEN.finditer(name))
    folded = [fold(word[0]) for word in words]
    spans = [None if _is_little(word[0], language) else word.span() for word in words]
    shown = {
        name[first[0] : last[1]]: " ".join(folded[at : to + 1])
        for at, to in _cuts(len(words), language)
        if (first := spans[at]) and (last := spans[to])
    }
    brand = canonical(clean(texts.brand[:_LONGEST_NAME])).strip()
    shown[brand] = fold(brand)
    for text, key in shown.items():
        if key:
            yield f"{key}{SEPARATOR}{text}"


@lru_cache(maxsize=8192)
def _is_little(word: str, language: str) -> bool:
    return lexicon().is_optional(word, language=language, accented=True)


@lru_cache(maxsize=256)
def _cuts(words: int, language: str) -> frozenset[tuple[int, int]]:
    """The first and last words of what is taken from a name of so many words."""
    cuts = {(0, end) for end in range(1, min(5, words))} or {(0, 0) for _ in range(words)}
    if language == "en":
        cuts.update((at, at + more) for more in (1, 2) for at in range(words - more))
    return frozenset(cuts)


@lru_cache(maxsize=4096)
def _category_terms(category_id: str, name: str) -> list[str]:
    name = clean(name[:_LONGEST_NAME])
    words = fold(name).split()
    return [SEPARATOR.join((" ".join(words[at:]), clean(category_id), name)) for at in range(len(words))]
