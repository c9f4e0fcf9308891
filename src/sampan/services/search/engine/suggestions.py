"""Search as you type: ways to finish the query, categories, and products."""

from collections.abc import Mapping
from typing import Final

import tantivy

from sampan.kernel.text import canonical, fold, has_diacritics
from sampan.services.search.engine import schema
from sampan.services.search.engine.interface import LANGUAGES, CategorySuggestion

_LOOKED_AT: Final = 60  # the commonest completions, from which the best are chosen


def queries(
    searcher: tantivy.Searcher, market: tantivy.Query, *, prefix: str, language: str, limit: int
) -> tuple[str, ...]:
    """Beginnings of product names and brands that go on from the prefix, the commonest first."""
    typed = canonical(" ".join(prefix.split())) + " " * prefix[-1:].isspace()
    for spoken in (language, *(other for other in LANGUAGES if other != language)):
        ways = _ways(searcher, market, spoken, typed)
        if ways:
            return tuple(ways[:limit])
    return ()


def _ways(searcher: tantivy.Searcher, market: tantivy.Query, language: str, typed: str) -> list[str]:
    start = fold(typed) + " " * typed.endswith(" ")
    field = schema.completion_field(language)
    ways: dict[str, tuple[str, int]] = {}
    for term, products in searcher.terms_with_prefix(field, start, filter_query=market, limit=_LOOKED_AT):
        folded, _, shown = term.partition(schema.SEPARATOR)
        if products and folded != start.strip():
            ways.setdefault(folded, (shown, products))
    if has_diacritics(typed):
        as_typed = {folded: way for folded, way in ways.items() if way[0].startswith(typed)}
        ways = as_typed or ways
    shared = {folded: way for folded, way in ways.items() if way[1] > 1} or ways
    torn = _torn(shared)
    return [shown for folded, (shown, _) in shared.items() if folded not in torn]


def _torn(ways: Mapping[str, tuple[str, int]]) -> set[str]:
    """The phrases that stop inside a word: nearly all that begin with `điện thoại di` go on with `động`."""
    torn = set()
    for other, (_, more) in ways.items():
        cut = other.rfind(" ")
        while cut > 0:
            before = ways.get(other[:cut])
            if before is not None and 10 * more >= 9 * before[1]:
                torn.add(other[:cut])
            cut = other.rfind(" ", 0, cut)
    return torn


def categories(
    searcher: tantivy.Searcher, market: tantivy.Query, *, prefix: str, language: str, limit: int
) -> tuple[CategorySuggestion, ...]:
    """Categories with a word that begins like the prefix, the fullest first."""
    for spoken in (language, *(other for other in LANGUAGES if other != language)):
        found: dict[str, CategorySuggestion] = {}
        field = schema.category_field(spoken)
        for term, products in searcher.terms_with_prefix(field, fold(prefix), filter_query=market, limit=_LOOKED_AT):
            _, category_id, name = term.split(schema.SEPARATOR, 2)
            if products:
                found.setdefault(category_id, CategorySuggestion(category_id, name, products))
        if found:
            return tuple(sorted(found.values(), key=lambda one: _rank(one.name, prefix))[:limit])
    return ()


def _rank(name: str, prefix: str) -> tuple[bool, bool]:
    """Accents as typed come first, then names that begin with what was typed; within that the order stays."""
    typed = canonical(prefix.strip())
    return typed not in canonical(name), not fold(name).startswith(fold(typed))
