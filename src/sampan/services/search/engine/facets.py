"""Counting facet values so that each facet shows what choosing in it would bring.

All values of a product lie in one column (`color␟red`), so one pass counts every facet. A facet without a selection is
counted among the products found. A facet with a selection needs a pass of its own without its own filter; when it is
the only one, that is the pass over the base set, which is needed anyway to know the values that came down to zero.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import islice
from typing import Final

import tantivy

from sampan.services.search.engine.interface import Facet, FacetValue
from sampan.services.search.engine.matching import Matcher
from sampan.services.search.engine.schema import SEPARATOR

_MOST_COUNTED: Final = 20_000  # distinct values over all facets of one answer
_MOST_LISTED: Final = 250  # values of one facet, the commonest and the selected

_MOST_KEPT: Final = 300  # passes over the index that are remembered

Counts = Mapping[str, Mapping[str, int]]


class Counted:
    """Counts of one state of the index: lists of a category, and the pages and filters of a text, share them."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Counts] = {}

    def get(self, key: Hashable, count: Callable[[], Counts]) -> Counts:
        """What is known under a key, else what `count` says."""
        found = self._known.get(key)
        if found is None:
            found = count()
            if len(self._known) >= _MOST_KEPT:
                self._known = {}
            self._known[key] = found
        return found


def count(
    searcher: tantivy.Searcher,
    matcher: Matcher,
    known: Counted,
    *,
    base: Sequence[tantivy.Query],
    key: Hashable,
    chosen: Mapping[str, tantivy.Query],
    selected: Mapping[str, Sequence[str]],
    codes: Sequence[str] | None,
) -> tuple[Facet, ...]:
    """The facets of a query. `base` is everything that narrows but the facets themselves, `key` tells one base from
    another, `chosen` has the filter of each facet with a selection, `selected` its values; `codes` are the facets
    wanted, None for all."""
    if codes is not None and not codes:
        return ()

    def counted(without: str | None) -> Counts:
        others = {code: one for code, one in chosen.items() if code != without}
        narrowed = frozenset((code, frozenset(selected[code])) for code in others)
        return known.get((key, narrowed), lambda: _counts(searcher, matcher.all_of([*base, *others.values()])))

    base_counts = known.get((key, frozenset()), lambda: _counts(searcher, matcher.all_of(base)))
    found = counted(None) if chosen else base_counts
    facets = []
    for code in _order(base_counts, chosen) if codes is None else dict.fromkeys(codes):
        if code not in chosen:
            now = found.get(code, {})
        elif len(chosen) == 1:
            now = base_counts.get(code, {})
        else:
            now = counted(code).get(code, {})
        ticked = set(selected.get(code, ()))
        listed = dict.fromkeys([*islice(base_counts.get(code, {}), _MOST_LISTED), *selected.get(code, ())])
        if listed:
            facets.append(Facet(code, tuple(FacetValue(v, now.get(v, 0), v in ticked) for v in listed)))
    return tuple(facets)


def _counts(searcher: tantivy.Searcher, query: tantivy.Query) -> Counts:
    """How many products hold each value, by attribute code, the commonest first."""
    terms = {"field": "facet", "size": _MOST_COUNTED, "segment_size": _MOST_COUNTED}
    buckets = searcher.aggregate(query, {"facet": {"terms": terms}})["facet"]["buckets"]
    counts: dict[str, dict[str, int]] = {}
    for bucket in buckets:
        code, _, value = bucket["key"].partition(SEPARATOR)
        counts.setdefault(code, {})[value] = int(bucket["doc_count"])
    return counts


def _order(counts: Counts, chosen: Mapping[str, object]) -> list[str]:
    """Attributes that more of the products have come first."""
    codes = dict.fromkeys([*counts, *chosen])
    return sorted(codes, key=lambda code: (-sum(counts.get(code, {}).values()), code))
