"""From a reading and the buyer's filters to tantivy queries."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import tantivy
from tantivy import FieldType, Occur

from sampan.services.search.engine import schema
from sampan.services.search.engine.analysis import SYLLABLE, Word, clean, loose, sku_key
from sampan.services.search.engine.interface import LANGUAGES, Query
from sampan.services.search.engine.lexicon import Phrase, lexicon
from sampan.services.search.engine.readings import Reading

_PARTS: Final = {"name": 1.0, "lead": 1.0, "about": 0.7, "rest": 0.4}
_ELSEWHERE: Final = 0.1  # of the score in the other fields, beside the best one
_OTHER_LANGUAGE: Final = 0.7
_EXACT: Final = 3.0  # as typed against without accents
_SYNONYM: Final = 0.5
_LIKE: Final = 0.3
_TOGETHER: Final = 0.3  # two syllables side by side in a Vietnamese name
_KIND: Final = 1.0  # words that are the name of the product's category
_LONGEST_KIND: Final = 5
_EVERY_WORD: Final = 1e3  # before what holds only some of the words
_SKU: Final = 1e6  # before everything else


class Matcher:
    """Builds queries for one state of the index."""

    def __init__(self, searcher: tantivy.Searcher, fields: tantivy.Schema, slots: dict[str, int]) -> None:
        self._searcher = searcher
        self._schema = fields
        self._slots = slots

    # --- words ---

    def is_known(self, word: Word) -> bool:
        """Whether any product holds the word, accents aside, or a synonym of it."""
        if self._is_held(word):
            return True
        synonyms = lexicon().synonyms_at((word,), 0)
        return synonyms is not None and any(all(map(self._is_held, phrase)) for phrase in synonyms.others)

    def _is_held(self, word: Word) -> bool:
        return any(
            self._searcher.doc_freq(schema.text_field(language, part, "folded"), loose(word.folded))
            for language in LANGUAGES
            for part in schema.PARTS
        )

    def reading(self, reading: Reading, language: str) -> tantivy.Query:
        """The products that hold what the reading requires, scored."""
        clauses = list(self._clauses(reading, language))
        if reading.required is None:
            insist = any(required for _, required in clauses)
            parts = [(Occur.Must if required or not insist else Occur.Should, one) for one, required in clauses]
        else:
            share = max(1, len(clauses) * reading.required // len(reading.words))
            enough = tantivy.Query.boolean_query([(Occur.Should, one) for one, _ in clauses], share)
            every = tantivy.Query.boolean_query([(Occur.Must, one) for one, _ in clauses])
            parts = [(Occur.Must, enough), (Occur.Should, tantivy.Query.const_score_query(every, _EVERY_WORD))]
        parts += [(Occur.Should, pair) for pair in self._pairs(reading)]
        parts += [(Occur.Should, kind) for kind in self._kinds(reading, language)]
        return tantivy.Query.boolean_query(parts)

    def _clauses(self, reading: Reading, language: str) -> Iterator[tuple[tantivy.Query, bool]]:
        """One query for each word or synonymous phrase, and whether it is required."""
        accented = any(word.marked for word in reading.words)
        at = 0
        while at < len(reading.words):
            synonyms = lexicon().synonyms_at(reading.words, at)
            if synonyms and synonyms.length > 1 and reading.required is not None:
                synonyms = None  # its words may be found apart
            length = synonyms.length if synonyms else 1
            typed = [self._word(reading, i, language, accented) for i in range(at, at + length)]
            said = tantivy.Query.boolean_query([(Occur.Must, word) for word in typed]) if length > 1 else typed[0]
            if synonyms:
                others = [other for phrase in synonyms.others for other in self._phrase(phrase, language, accented)]
                said = tantivy.Query.disjunction_max_query([said, *others]) if others else said
            word = reading.words[at]
            optional = length == 1 and lexicon().is_optional(word, language=language, accented=accented)
            yield said, not optional
            at += length

    def _word(self, reading: Reading, at: int, language: str, accented: bool) -> tantivy.Query:
        word = reading.words[at]
        forms = list(self._forms(word, language, accented, only_exact=reading.strict and word.marked))
        if like := reading.likes.get(at):
            forms += [tantivy.Query.boost_query(form, _LIKE) for form in self._forms(like, language, accented)]
        return tantivy.Query.disjunction_max_query(forms, _ELSEWHERE) if forms else tantivy.Query.empty_query()

    def _forms(
        self, word: Word, language: str, accented: bool, only_exact: bool = False
    ) -> Iterator[tantivy.Query]:
        """A word in every field that holds it anywhere."""
        for field_language in LANGUAGES:
            spoken = 1.0 if field_language == language else _OTHER_LANGUAGE
            forms = []
            if accented:
                forms.append(("exact", word.exact, _EXACT))
            if not only_exact:
                forms.append(("folded", loose(word.folded), 1.0))
            for part, weight in _PARTS.items():
                for form, term, preference in forms:
                    field = schema.text_field(field_language, part, form)
                    if self._searcher.doc_freq(field, term):
                        found = tantivy.Query.term_query(self._schema, field, term)
                        yield tantivy.Query.boost_query(found, weight * spoken * preference)

    def _phrase(self, phrase: Phrase, language: str, accented: bool) -> Iterator[tantivy.Query]:
        """A synonym, its words side by side. One with accents must be met with them: `ô` is not `o`."""
        marked = any(word.marked for word in phrase)
        for field_language in LANGUAGES:
            spoken = 1.0 if field_language == language else _OTHER_LANGUAGE
            terms = [word.exact if marked else loose(word.folded) for word in phrase]
            for part, weight in _PARTS.items():
                field = schema.text_field(field_language, part, "exact" if marked else "folded")
                if all(self._searcher.doc_freq(field, term) for term in terms):
                    found = self._side_by_side(field, terms)
                    preference = _EXACT if accented and marked else 1.0
                    yield tantivy.Query.boost_query(found, weight * spoken * preference * _SYNONYM)

    def _pairs(self, reading: Reading) -> Iterator[tantivy.Query]:
        """Syllables that are neighbours in the name too: most Vietnamese words are two of them."""
        field = schema.text_field("vi", "name", "folded")
        for one, other in pairwise(reading.words):
            pair = (one.folded, other.folded)
            if all(SYLLABLE.fullmatch(part) and self._searcher.doc_freq(field, part) for part in pair):
                yield tantivy.Query.boost_query(self._side_by_side(field, pair), _TOGETHER)

    def _kinds(self, reading: Reading, language: str) -> Iterator[tantivy.Query]:
        """Who types the name of a category means its products, before others that mention it."""
        for at in range(len(reading.words)):
            for length in range(1, min(_LONGEST_KIND, len(reading.words) - at) + 1):
                yield from self._kind(reading.words[at : at + length], language, _KIND)
            if synonyms := lexicon().synonyms_at(reading.words, at):
                for phrase in synonyms.others:
                    yield from self._kind(phrase, language, _KIND * _SYNONYM)

    def _kind(self, words: Phrase, language: str, weight: float) -> Iterator[tantivy.Query]:
        for field_language in LANGUAGES:
            spoken = 1.0 if field_language == language else _OTHER_LANGUAGE
            exact, folded = schema.kinds_of(words)
            kind = exact if any(word.marked for word in words) else folded
            field = schema.kind_field(field_language)
            if self._searcher.doc_freq(field, kind):
                yield tantivy.Query.boost_query(tantivy.Query.term_query(self._schema, field, kind), weight * spoken)

    def _side_by_side(self, field: str, terms: Sequence[str]) -> tantivy.Query:
        if len(terms) == 1:
            return tantivy.Query.term_query(self._schema, field, terms[0])
        return tantivy.Query.phrase_query(self._schema, field, list(terms))

    # --- SKUs ---

    def sku(self, text: str) -> tantivy.Query | None:
        """The product with this SKU, before everything else; None when there is none."""
        key = sku_key(text)
        if not key or not self._searcher.doc_freq("sku", key):
            return None
        return tantivy.Query.const_score_query(tantivy.Query.term_query(self._schema, "sku", key), _SKU)

    def sku_beginning(self, text: str) -> tantivy.Query | None:
        """Products whose SKU begins like this, when the text looks like a SKU: at least three signs, one a digit."""
        key = sku_key(text)
        if len(key) < 3 or len(key) > 64 or not any(char.isdecimal() for char in key):
            return None
        return tantivy.Query.fuzzy_term_query(self._schema, "sku", key, distance=0, prefix=True)

    # --- beginnings of words ---

    def typing(self, words: Phrase, language: str) -> tantivy.Query:
        """The products for words of which the last may be unfinished."""
        parts = [(Occur.Must, self._beginning(words[-1], language))]
        if words[:-1]:
            parts.append((Occur.Must, self.reading(Reading(words[:-1]), language)))
        return tantivy.Query.boolean_query(parts)

    def _beginning(self, word: Word, language: str) -> tantivy.Query:
        """The products with a word that begins like this in the name or about; a finished word counts for more."""
        forms = list(self._forms(word, language, word.marked))
        for field_language in LANGUAGES:
            spoken = 1.0 if field_language == language else _OTHER_LANGUAGE
            for part in ("name", "about"):
                for form, term in {("folded", word.folded), ("exact", word.exact)}:
                    field = schema.text_field(field_language, part, form)
                    begins = tantivy.Query.fuzzy_term_query(self._schema, field, term, distance=0, prefix=True)
                    forms.append(tantivy.Query.boost_query(begins, _PARTS[part] * spoken))
        return tantivy.Query.disjunction_max_query(forms)

    # --- what only narrows ---

    def within(self, text: tantivy.Query | None, *filters: tantivy.Query) -> tantivy.Query:
        """The text's products that pass every filter; filters do not count for the score."""
        parts = [(Occur.Must, tantivy.Query.const_score_query(one, 0.0)) for one in filters]
        return tantivy.Query.boolean_query([(Occur.Must, text or tantivy.Query.all_query()), *parts])

    def market(self, market: str) -> tantivy.Query:
        return tantivy.Query.term_set_query(self._schema, "market", [clean(market), schema.EVERY_MARKET])

    def category(self, category_id: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, "category", clean(category_id))

    def any_of(self, code: str, values: Sequence[str]) -> tantivy.Query:
        terms = [schema.facet_term(code, value) for value in values]
        return tantivy.Query.term_set_query(self._schema, "facet", terms)

    def narrowed(self, query: Query) -> list[tantivy.Query]:
        """The filters of a query that are not facets."""
        filters = [self.market(query.market)]
        if query.category_id is not None:
            filters.append(self.category(query.category_id))
        if query.in_stock:
            filters.append(tantivy.Query.term_query(self._schema, "in_stock", True))
        if query.on_sale:
            filters.append(tantivy.Query.term_query(self._schema, "sale", clean(query.market)))
        if query.price_min is not None or query.price_max is not None:
            filters.append(self._price(query))
        return filters

    def _price(self, query: Query) -> tantivy.Query:
        slot = self._slots.get(query.market)
        if slot is None:
            return tantivy.Query.empty_query()
        return tantivy.Query.range_query(
            self._schema,
            schema.price_field(slot),
            FieldType.Integer,
            None if query.price_min is None else schema.within(query.price_min),
            None if query.price_max is None else schema.within(query.price_max),
        )
