"""The read side of the embedded index: any number of processes may read one folder."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import tantivy
from tantivy import Occur, Order

from sampan.services.search.contract import IndexUnavailable
from sampan.services.search.engine import facets, folders, schema, suggestions
from sampan.services.search.engine.analysis import clean, words_of
from sampan.services.search.engine.interface import (
    DEEPEST,
    LANGUAGES,
    LONGEST_TEXT,
    Item,
    Query,
    Result,
    Suggestions,
    check_query,
    cursor_at,
    offset_at,
)
from sampan.services.search.engine.matching import Matcher
from sampan.services.search.engine.readings import FEW, MOST_WORDS, Reader, Reading, as_typed
from sampan.services.search.engine.vocabulary import Vocabulary

_VOCABULARY_SECONDS: Final = 60.0  # a new word may be unknown to the spelling for about so long
# What is remembered until the next commit.
_MEANINGS: Final = 500  # texts with their meaning: pages and filters repeat them
_ITEMS: Final = 2000  # products as they are shown, of a few kilobytes each

_Asked = tuple[str, str, str]  # a text, its language, a market
_Stamps = tuple[folders.Stamp | None, folders.Stamp | None]

_COLUMNS: Final = {"newest": "created_at", "best_selling": "sold", "rating": "rating"}


class _Meaning(NamedTuple):
    """What a text asks for: the reading, what products must match, and the same with scores."""

    reading: Reading
    matches: tuple[tantivy.Query, ...]
    scored: tantivy.Query


_EVERYTHING: Final = _Meaning(Reading(()), (), tantivy.Query.all_query())


class _Words(NamedTuple):
    """The vocabulary of a snapshot, and when it was made."""

    folder: Path
    stamps: _Stamps
    at: float
    vocabulary: Vocabulary


class _Snapshot:
    """One state of the index; searches that began on it end on it. `stamps` are those of the files it was read from."""

    def __init__(self, folder: Path, index: tantivy.Index, stamps: _Stamps) -> None:
        self.folder = folder
        self.index = index
        self.stamps = stamps
        self.meanings: dict[_Asked, _Meaning] = {}
        self.counted = facets.Counted()
        self.items: dict[tuple[int, int], Item] = {}
        self.slots = {market: slot for slot, market in enumerate(folders.read_facts(folder).markets)}
        self.searcher = index.searcher()
        self.matcher = Matcher(self.searcher, index.schema, self.slots)


class TantivyIndex:
    """An `Index` over a folder that a `TantivyWriter` fills, here or in another process.

    Opening never fails: as long as there is nothing to read, every call raises `IndexUnavailable`. Each call first
    looks (two stats) whether the writer has committed or published since.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._reload = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._pointer = str(folders.pointer(root))
        self._commits = ""
        self._vocabulary: _Words | None = None
        self._renewal = threading.Lock()

    def search(self, query: Query) -> Result:
        """See `Index.search`."""
        check_query(query)
        with _readable():
            return self._search(self._current(), query)

    def suggest(self, *, prefix: str, language: str, market: str, limit: int = 10) -> Suggestions:
        """See `Index.suggest`."""
        with _readable():
            return self._suggest(self._current(), clean(prefix[:LONGEST_TEXT]), language, market, limit)

    def count(self) -> int:
        """See `Index.count`."""
        with _readable():
            return int(self._current().searcher.num_docs)

    # --- searching ---

    def _search(self, now: _Snapshot, query: Query) -> Result:
        typed = clean(query.text[:LONGEST_TEXT]).strip()
        asked: _Asked = typed, _known_language(query.language), query.market
        base = now.matcher.narrowed(query)
        chosen = {code: now.matcher.any_of(code, values) for code, values in query.filters.items() if values}
        offset = offset_at(query.cursor)
        end = min(offset + query.limit, DEEPEST)

        def found_for(meaning: _Meaning) -> tantivy.SearchResult:
            return _sorted(now, meaning, [*base, *chosen.values()], query, offset, end)

        meaning = now.meanings.get(asked) if typed else _EVERYTHING
        found = found_for(meaning) if meaning is not None else None
        if found is None and (likely := self._as_typed(now, *asked)) is not None:
            # Most texts mean what they say, and the search itself tells: if even the filters leave enough, this is how
            # the text is read, and nothing has to be counted before.
            found = found_for(likely)
            meaning = self._remember(now, asked, likely) if found.count >= FEW else None
        if found is None or meaning is None:
            meaning = self._meaning(now, *asked)
            found = found_for(meaning)
        return Result(
            items=tuple([_item(now, address) for _, address in found.hits]),
            total=found.count,
            facets=facets.count(
                now.searcher,
                now.matcher,
                now.counted,
                base=[*meaning.matches, *base],
                key=(asked, meaning.reading, *_narrowing(query)),
                chosen=chosen,
                selected=query.filters,
                codes=query.facets,
            ),
            next=cursor_at(end) if end < min(found.count, DEEPEST) else None,
            did_you_mean=meaning.reading.meant,
            relaxed=meaning.reading.relaxed,
        )

    def _meaning(self, now: _Snapshot, typed: str, language: str, market: str) -> _Meaning:
        """What a text that is not empty asks for in a market."""
        asked = typed, language, market
        return now.meanings.get(asked) or self._remember(now, asked, self._understood(now, *asked))

    def _remember(self, now: _Snapshot, asked: _Asked, meaning: _Meaning) -> _Meaning:
        if len(now.meanings) >= _MEANINGS:
            now.meanings = {}
        now.meanings[asked] = meaning
        return meaning

    def _as_typed(self, now: _Snapshot, typed: str, language: str, market: str) -> _Meaning | None:
        """The meaning of a text if it is found as it was typed often enough; None when it may be a SKU."""
        words = words_of(typed)
        if not words or now.matcher.sku(typed) is not None:
            return None
        return _meaning_of(now, as_typed(words), language)

    def _understood(self, now: _Snapshot, typed: str, language: str, market: str) -> _Meaning:
        words = words_of(typed)
        sold_here = now.matcher.market(market)

        def found(query: tantivy.Query) -> int:
            return int(now.searcher.search(now.matcher.all_of([query, sold_here]), 1).count)

        @cache
        def count(reading: Reading) -> int:
            return found(now.matcher.matches(reading, language))

        if not words:
            return _Meaning(Reading(()), (tantivy.Query.empty_query(),), tantivy.Query.empty_query())
        sku = now.matcher.sku(typed)
        if sku is not None and found(sku):
            also = _meaning_of(now, Reading(words, strict=True), language)
            return _Meaning(also.reading, (_either(sku, *also.matches),), _either(sku, also.scored))
        plain = Reading(words)
        beginning = now.matcher.sku_beginning(typed)
        if beginning is not None and found(beginning) and not count(plain):
            return _Meaning(plain, (beginning,), beginning)
        reader = Reader(is_known=now.matcher.is_known, count=count, vocabulary=lambda: self._words(now))
        return _meaning_of(now, reader.read(words), language)

    def _words(self, now: _Snapshot) -> Vocabulary:
        """The vocabulary: the first is made when it is needed, later ones beside the searches, for it takes a while."""
        made = self._vocabulary
        if made is None or made.folder != now.folder:
            made = self._vocabulary = _words_of(now)
            return made.vocabulary
        is_old = made.stamps != now.stamps and time.monotonic() - made.at > _VOCABULARY_SECONDS
        if is_old and self._renewal.acquire(blocking=False):
            threading.Thread(target=self._renew, args=(now,), daemon=True).start()
        return made.vocabulary

    def _renew(self, now: _Snapshot) -> None:
        try:
            with suppress(IndexUnavailable), _readable():
                self._vocabulary = _words_of(now)
            if (current := self._snapshot) is not None:
                current.meanings = {}  # understood without the new words
        finally:
            self._renewal.release()

    # --- search as you type ---

    def _suggest(self, now: _Snapshot, prefix: str, language: str, market: str, limit: int) -> Suggestions:
        language = _known_language(language)
        words = words_of(prefix)[:MOST_WORDS]
        if not words or limit < 1:
            return Suggestions()
        sold_here = now.matcher.market(market)
        text = now.matcher.typing(words, language)
        beginning = now.matcher.sku_beginning(prefix)
        if beginning is not None:
            text = _either(beginning, text)
        hits = _best(now, now.matcher.within(text, [sold_here]), (limit + 1) // 2)
        queries: tuple[str, ...] = ()
        if not hits:
            meaning = self._meaning(now, prefix.strip(), language, market)
            hits = _best(now, now.matcher.within(meaning.scored, [sold_here]), (limit + 1) // 2)
            if hits and meaning.reading.meant is not None:
                queries = (meaning.reading.meant,)
        products = tuple(_item(now, address) for address in hits)
        categories = suggestions.categories(
            now.searcher,
            sold_here,
            prefix=prefix,
            language=language,
            limit=min(limit // 4, limit - len(products)),
        )
        queries += suggestions.queries(
            now.searcher,
            sold_here,
            prefix=prefix,
            language=language,
            limit=limit - len(products) - len(categories),
        )
        return Suggestions(queries[: limit - len(products) - len(categories)], categories, products)

    # --- following the writer ---

    def _current(self) -> _Snapshot:
        now = self._snapshot
        if now is not None and now.stamps == self._stamps():
            return now
        with self._reload:
            now = self._snapshot
            if now is not None and now.stamps == self._stamps():
                return now
            return self._load(now)

    def _stamps(self) -> _Stamps:
        return folders.stamp(self._pointer), folders.stamp(self._commits)

    def _load(self, before: _Snapshot | None) -> _Snapshot:
        while True:
            folder = folders.current(self._root)
            self._commits = str(folders.commits(folder))
            # Stamps are taken first: a commit during the load is seen at the next call.
            stamps = self._stamps()
            try:
                if before is not None and before.folder == folder:
                    before.index.reload()
                    now = _Snapshot(folder, before.index, stamps)
                else:
                    now = _Snapshot(folder, _opened(folder), stamps)
            except (IndexUnavailable, ValueError, OSError):
                if folders.current(self._root) == folder:
                    raise
                continue  # another version came into use while this one was opened
            self._snapshot = now
            return now


def _narrowing(query: Query) -> tuple[object, ...]:
    """What tells the filters of a query that are not facets from others."""
    return query.category_id, query.in_stock, query.on_sale, query.price_min, query.price_max


def _meaning_of(now: _Snapshot, reading: Reading, language: str) -> _Meaning:
    matches = now.matcher.matches(reading, language)
    return _Meaning(reading, (matches,), now.matcher.scored(reading, language, matches))


def _words_of(now: _Snapshot) -> _Words:
    fields = (schema.text_field(language, part, "exact") for language in LANGUAGES for part in ("name", "about"))
    terms = (term for field in fields for term in now.searcher.terms_with_prefix(field, ""))
    return _Words(now.folder, now.stamps, time.monotonic(), Vocabulary(terms))


def _opened(folder: Path) -> tantivy.Index:
    folders.read_facts(folder)
    index = tantivy.Index.open(str(folder))
    index.config_reader("manual")  # we look ourselves; no thread that watches files
    index.reload()
    return index


def _sorted(
    now: _Snapshot, meaning: _Meaning, filters: list[tantivy.Query], asked: Query, offset: int, end: int
) -> tantivy.SearchResult:
    """The products from `offset` to `end` in the order asked for; by relevance, scores are weighted by popularity."""
    column, order = _COLUMNS.get(asked.sort), Order.Desc
    if asked.sort in ("price_asc", "price_desc") and asked.market in now.slots:
        column = schema.price_field(now.slots[asked.market])
        order = Order.Asc if asked.sort == "price_asc" else Order.Desc
    if column is None:
        query = now.matcher.within(meaning.scored, filters)
        return now.searcher.search(query, end - offset, offset=offset, weight_by_field="popularity")
    query = now.matcher.all_of([*meaning.matches, *filters])
    return now.searcher.search(query, end - offset, offset=offset, order_by_field=column, order=order)


def _best(now: _Snapshot, query: tantivy.Query, limit: int) -> list[tantivy.DocAddress]:
    found = now.searcher.search(query, limit, count=False, weight_by_field="popularity")
    return [address for _, address in found.hits]


def _item(now: _Snapshot, address: tantivy.DocAddress) -> Item:
    place = address.segment_ord, address.doc
    item = now.items.get(place)
    if item is None:
        document = now.searcher.doc(address)
        item = Item(str(document.get_first("id")), bytes(document.get_first("card") or b""))
        if len(now.items) >= _ITEMS:
            now.items = {}
        now.items[place] = item
    return item


def _either(one: tantivy.Query, other: tantivy.Query) -> tantivy.Query:
    return tantivy.Query.boolean_query([(Occur.Should, one), (Occur.Should, other)])


def _known_language(language: str) -> str:
    return language if language in LANGUAGES else LANGUAGES[0]


@contextmanager
def _readable() -> Iterator[None]:
    """Whatever the index files do to the library, the caller hears `IndexUnavailable`."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise IndexUnavailable("the search index cannot be read") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what a Rust panic becomes; it has no importable name
            raise
        raise IndexUnavailable("the search index cannot be read") from error
