"""From a reading and the buyer's filters to tantivy queries."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import tantivy
from tantivy import FieldType, Occur, Query

from sampan.services.search.engine import schema
from sampan.services.search.engine.analysis import SYLLABLE, Word, clean, loose, sku_key
from sampan.services.search.engine.interface import LANGUAGES
from sampan.services.search.engine.interface import Query as Asked
from sampan.services.search.engine.lexicon import Phrase, lexicon
from sampan.services.search.engine.readings import Reading

_PARTS: Final = {"name": 1.0, "lead": 1.0, "about": 0.7, "rest": 0.4}
_ELSEWHERE: Final = 0.1  # of the score in the other fields, beside the best one
_OTHER_LANGUAGE: Final = 0.7
_EXACT: Final = 3.0  # as typed against without accents
_SYNONYM: Final = 0.5
_TOGETHER: Final = 0.3  # two syllables side by side in a Vietnamese name
_KIND: Final = 1.0  # words that are the name of the product's category
_LONGEST_KIND: Final = 5
_EVERY_WORD: Final = 1e3  # before what holds only some of the words
_SKU: Final = 1e6  # before everything else

# What is remembered until the next commit: words repeat from query to query.
_FREQUENCIES: Final = 20_000
_WORDS: Final = 2_000

_ANY_EXACT: Final = schema.any_field("exact")
_ANY_FOLDED: Final = schema.any_field("folded")


class _Span(NamedTuple):
    """Words of a reading that say one thing, and the other ways to say it."""

    at: int
    length: int
    others: tuple[Phrase, ...]
    optional: bool


class Matcher:
    """Builds queries for one state of the index."""

    def __init__(self, searcher: tantivy.Searcher, fields: tantivy.Schema, slots: dict[str, int]) -> None:
        self._searcher = searcher
        self._schema = fields
        self._slots = slots
        self._frequencies: dict[tuple[str, str], int] = {}
        self._scores: dict[tuple[Word, str, bool, bool], Query] = {}

    @cached_property
    def _kinds_sold(self) -> Mapping[str, frozenset[str]]:
        """The names of the categories of all products, by language."""
        return {
            language: frozenset(term for term, _ in self._searcher.terms_with_prefix(schema.kind_field(language), ""))
            for language in LANGUAGES
        }

    # --- words ---

    def is_known(self, word: Word) -> bool:
        """Whether any product holds the word, accents aside, or a synonym of it."""
        if self._is_held(word):
            return True
        synonyms = lexicon().synonyms_at((word,), 0)
        return synonyms is not None and any(all(map(self._is_held, phrase)) for phrase in synonyms.others)

    def _is_held(self, word: Word) -> bool:
        return bool(self._frequency(_ANY_FOLDED, loose(word.folded)))

    def _frequency(self, field: str, term: str) -> int:
        """How many products hold a term in a field."""
        known = self._frequencies.get((field, term))
        if known is None:
            if len(self._frequencies) >= _FREQUENCIES:
                self._frequencies = {}
            known = self._frequencies[field, term] = self._searcher.doc_freq(field, term)
        return known

    # --- what matches ---

    def matches(self, reading: Reading, language: str) -> Query:
        """The products that hold what the reading requires, without a score."""
        spans = _spans(reading, language)
        if reading.required is not None:
            return Query.boolean_query([(Occur.Should, self._held(reading, span)) for span in spans], reading.required)
        insisted = [span for span in spans if not span.optional] or spans
        return self.all_of([self._held(reading, span) for span in insisted])

    def _held(self, reading: Reading, span: _Span) -> Query:
        ways = [self.all_of([self._holds(reading, at) for at in range(span.at, span.at + span.length)])]
        for phrase in span.others:
            form, terms = _said(phrase)
            field = schema.any_field(form)
            if self._are_in(field, terms):
                ways.append(self._side_by_side(field, terms))
        return _any(ways)

    def _holds(self, reading: Reading, at: int) -> Query:
        word = reading.words[at]
        if reading.strict and word.marked:
            return _any([self._term(_ANY_EXACT, form) for form in (word.exact, schema.bare(word.folded))])
        return self._term(_ANY_FOLDED, loose(word.folded))

    # --- how well ---

    def scored(self, reading: Reading, language: str, matches: Query) -> Query:
        """The same products, scored; `matches` are those."""
        accented = any(word.marked for word in reading.words)
        spans = _spans(reading, language)
        scores = [self._score(reading, span, language, accented) for span in spans]
        scores += self._pairs(reading)
        scores += self._kinds(reading, language)
        if reading.required is not None:
            every = self.all_of([self._held(reading, span) for span in spans])
            scores.append(Query.const_score_query(every, _EVERY_WORD))
        return self._ranked([matches], scores)

    def _score(self, reading: Reading, span: _Span, language: str, accented: bool) -> Query:
        typed = reading.words[span.at : span.at + span.length]
        words = [self._word(word, language, accented, reading.strict) for word in typed]
        said = Query.boolean_query([(Occur.Should, word) for word in words]) if span.length > 1 else words[0]
        others = [other for phrase in span.others for other in self._phrase(phrase, language, accented)]
        return Query.disjunction_max_query([said, *others]) if others else said

    def _word(self, word: Word, language: str, accented: bool, strict: bool) -> Query:
        """A word where it counts most, and a little for where else it is."""
        key = word, language, accented, strict
        known = self._scores.get(key)
        if known is None:
            if len(self._scores) >= _WORDS:
                self._scores = {}
            known = self._scores[key] = self._word_anew(*key)
        return known

    def _word_anew(self, word: Word, language: str, accented: bool, strict: bool) -> Query:
        forms = []
        if accented:
            forms.append(("exact", word.exact, _EXACT))
        if not (strict and word.marked):
            forms.append(("folded", loose(word.folded), 1.0))
        scores = [
            Query.boost_query(self._term(field, term), weight * preference)
            for form, term, preference in forms
            for field, weight in _fields(form, language)
            if self._frequency(field, term)
        ]
        return Query.disjunction_max_query(scores, _ELSEWHERE)

    def _phrase(self, phrase: Phrase, language: str, accented: bool) -> Iterator[Query]:
        """A synonym, its words side by side."""
        form, terms = _said(phrase)
        preference = _SYNONYM * (_EXACT if accented and form == "exact" else 1.0)
        for field, weight in _fields(form, language):
            if self._are_in(field, terms):
                yield Query.boost_query(self._side_by_side(field, terms), weight * preference)

    def _pairs(self, reading: Reading) -> Iterator[Query]:
        """Syllables that are neighbours in the name too: most Vietnamese words are two of them."""
        field = schema.text_field("vi", "name", "folded")
        for one, other in pairwise(reading.words):
            pair = (one.folded, other.folded)
            if all(map(SYLLABLE.fullmatch, pair)) and self._are_in(field, pair):
                yield Query.boost_query(self._side_by_side(field, pair), _TOGETHER)

    def _kinds(self, reading: Reading, language: str) -> Iterator[Query]:
        """Who types the name of a category means its products, before others that mention it."""
        for at in range(len(reading.words)):
            for length in range(1, min(_LONGEST_KIND, len(reading.words) - at) + 1):
                yield from self._kind(reading.words[at : at + length], language, _KIND)
            if synonyms := lexicon().synonyms_at(reading.words, at):
                for phrase in synonyms.others:
                    yield from self._kind(phrase, language, _KIND * _SYNONYM)

    def _kind(self, words: Phrase, language: str, weight: float) -> Iterator[Query]:
        exact, folded = schema.kinds_of(words)
        kind = exact if any(word.marked for word in words) else folded
        for field_language in LANGUAGES:
            spoken = 1.0 if field_language == language else _OTHER_LANGUAGE
            if kind in self._kinds_sold[field_language]:
                field = schema.kind_field(field_language)
                yield Query.boost_query(Query.term_query(self._schema, field, kind), weight * spoken)

    def _side_by_side(self, field: str, terms: Sequence[str]) -> Query:
        return self._term(field, terms[0]) if len(terms) == 1 else Query.phrase_query(self._schema, field, list(terms))

    def _are_in(self, field: str, terms: Sequence[str]) -> bool:
        return all(self._frequency(field, term) for term in terms)

    def _term(self, field: str, term: str) -> Query:
        return Query.term_query(self._schema, field, term)

    # --- SKUs ---

    def sku(self, text: str) -> Query | None:
        """The product with this SKU, before everything else; None when there is none."""
        key = sku_key(text)
        if not key or not self._searcher.doc_freq("sku", key):
            return None
        return Query.const_score_query(Query.term_query(self._schema, "sku", key), _SKU)

    def sku_beginning(self, text: str) -> Query | None:
        """Products whose SKU begins like this, when the text looks like a SKU: at least three signs, one a digit."""
        key = sku_key(text)
        if len(key) < 3 or len(key) > 64 or not any(char.isdecimal() for char in key):
            return None
        return Query.fuzzy_term_query(self._schema, "sku", key, distance=0, prefix=True)

    # --- beginnings of words ---

    def typing(self, words: Phrase, language: str) -> Query:
        """The products for words of which the last may be unfinished. The steps of the score are few, so that among
        names that fit alike the popular ones come first."""
        *before, last = words
        filters, steps = [], []
        # A beginning has many words, so each is looked for once: in the name it is two steps, elsewhere one.
        begins = Query.disjunction_max_query(
            [
                Query.const_score_query(self._beginning("folded", last.folded, part), step)
                for part, step in (("name", 2.0), ("about", 1.0))
            ]
        )
        steps += [self._term(schema.text_field(spoken, "name", "folded"), loose(last.folded)) for spoken in LANGUAGES]
        if before:
            filters.append(self.matches(Reading(tuple(before)), language))
            steps.append(self._goes_on("folded", [*(loose(word.folded) for word in before), last.folded]))
        if any(word.marked for word in words):
            steps.append(self._beginning("exact", last.exact, "name"))
            if before:
                steps.append(self._goes_on("exact", [word.exact for word in words]))
        shoulds = [(Occur.Should, Query.const_score_query(step, 1.0)) for step in steps]
        return Query.boolean_query([(Occur.Must, begins), *_unscored(filters), *shoulds])

    def _beginning(self, form: str, start: str, part: str) -> Query:
        fields = [schema.text_field(language, part, form) for language in LANGUAGES]
        return _any([Query.fuzzy_term_query(self._schema, field, start, distance=0, prefix=True) for field in fields])

    def _goes_on(self, form: str, terms: Sequence[str]) -> Query:
        """Names in which the words stand side by side, the last one perhaps longer."""
        fields = [schema.text_field(language, "name", form) for language in LANGUAGES]
        return _any([Query.phrase_prefix_query(self._schema, field, list(terms)) for field in fields])

    # --- what only narrows ---

    def within(self, scored: Query, filters: Sequence[Query]) -> Query:
        """The scored products that pass every filter; filters do not count for the score."""
        return Query.boolean_query([(Occur.Must, scored), *_unscored(filters)])

    def _ranked(self, filters: Sequence[Query], scores: Sequence[Query]) -> Query:
        """The products that pass every filter, with the sum of the scores that apply."""
        return Query.boolean_query([*_unscored(filters), *((Occur.Should, score) for score in scores)])

    def all_of(self, filters: Sequence[Query]) -> Query:
        """The products that pass every filter, without a score."""
        if not filters:
            return Query.all_query()
        return filters[0] if len(filters) == 1 else Query.boolean_query([(Occur.Must, one) for one in filters])

    def market(self, market: str) -> Query:
        """What is sold in a market: has a price there, or no price at all."""
        return self._one_of("market", [clean(market), schema.EVERY_MARKET])

    def category(self, category_id: str) -> Query:
        return Query.term_query(self._schema, "category", clean(category_id))

    def any_of(self, code: str, values: Sequence[str]) -> Query:
        return self._one_of("facet", [schema.facet_term(code, value) for value in values])

    def _one_of(self, field: str, terms: Sequence[str]) -> Query:
        # Faster than a term set query for a handful of terms.
        return _any([self._term(field, term) for term in terms if self._frequency(field, term)])

    def narrowed(self, query: Asked) -> list[Query]:
        """The filters of a query that are not facets."""
        filters = [self.market(query.market)]
        if query.category_id is not None:
            filters.append(self.category(query.category_id))
        if query.in_stock:
            filters.append(Query.term_query(self._schema, "in_stock", True))
        if query.on_sale:
            filters.append(Query.term_query(self._schema, "sale", clean(query.market)))
        if query.price_min is not None or query.price_max is not None:
            filters.append(self._price(query))
        return filters

    def _price(self, query: Asked) -> Query:
        slot = self._slots.get(query.market)
        if slot is None:
            return Query.empty_query()
        return Query.range_query(
            self._schema,
            schema.price_field(slot),
            FieldType.Integer,
            None if query.price_min is None else schema.within(query.price_min),
            None if query.price_max is None else schema.within(query.price_max),
        )


@lru_cache(maxsize=1000)
def _spans(reading: Reading, language: str) -> Sequence[_Span]:
    """The reading cut into words and phrases that have synonyms."""
    accented = any(word.marked for word in reading.words)
    spans: list[_Span] = []
    at = 0
    while at < len(reading.words):
        synonyms = lexicon().synonyms_at(reading.words, at)
        if synonyms and synonyms.length > 1 and reading.required is not None:
            synonyms = None  # its words may be found apart
        length, others = synonyms or (1, ())
        word = reading.words[at]
        optional = length == 1 and lexicon().is_optional(word.exact, language=language, accented=accented)
        spans.append(_Span(at, length, others, optional))
        at += length
    return spans


def _unscored(filters: Sequence[Query]) -> list[tuple[Occur, Query]]:
    return [(Occur.Must, Query.const_score_query(one, 0.0)) for one in filters]


def _any(ways: Sequence[Query]) -> Query:
    if not ways:
        return Query.empty_query()
    return ways[0] if len(ways) == 1 else Query.boolean_query([(Occur.Should, way) for way in ways])


def _said(phrase: Phrase) -> tuple[str, list[str]]:
    """The form and the terms of a synonym. One with accents must be met with them: `ô` is not `o`."""
    if any(word.marked for word in phrase):
        return "exact", [word.exact for word in phrase]
    return "folded", [loose(word.folded) for word in phrase]


def _fields(form: str, language: str) -> Iterator[tuple[str, float]]:
    """The fields that tell how well a text fits, each with its weight; the buyer's language counts more."""
    for field_language in LANGUAGES:
        spoken = 1.0 if field_language == language else _OTHER_LANGUAGE
        for part in schema.PARTS:
            yield schema.text_field(field_language, part, form), _PARTS[part] * spoken
