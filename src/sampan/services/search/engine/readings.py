"""What a text may have meant: a ladder of readings, tried until one finds something.

1. as typed: words with accents match with them (or where the text has none), words without match any accents
2. as typed, accents aside
3. as raw Telex or VNI keystrokes
4. respelt: glued words cut, torn words joined, slips of typing and of hearing mended
5. relaxed: fewer words required; also when all words find only a few products, which then come first
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from sampan.kernel.text import telex_decode, vni_decode
from sampan.services.search.engine.analysis import SYLLABLE, Word, words_of
from sampan.services.search.engine.vocabulary import SHORTEST_SLIP, Vocabulary

MOST_WORDS: Final = 16
FEW: Final = 3  # with fewer products found, other readings are worth a look
_MUCH_MORE: Final = 10  # a different spelling of a word that exists must be so many times as common to be offered
_MOST_RESPELT: Final = 6  # words of one query that are respelt

Phrase = tuple[Word, ...]


class Reading(NamedTuple):
    """Words to find. `strict`: those with accents as they are. `required`: how many must be found, all when None.
    `meant`: how to show another reading to who typed something else."""

    words: Phrase
    strict: bool = False
    required: int | None = None
    meant: str | None = None

    @property
    def relaxed(self) -> bool:
        return self.required is not None


def as_typed(words: Phrase) -> Reading:
    """The first rung of the ladder: whatever it finds at least `FEW` products for is read so."""
    return Reading(words[:MOST_WORDS], strict=any(word.marked for word in words[:MOST_WORDS]))


class Reader:
    """Chooses the reading of a text. `is_known` says whether any product holds a word, `count` how many products a
    reading finds, `vocabulary` gives the words for mending."""

    def __init__(
        self,
        *,
        is_known: Callable[[Word], bool],
        count: Callable[[Reading], int],
        vocabulary: Callable[[], Vocabulary],
    ) -> None:
        self._is_known = is_known
        self._count = count
        self._vocabulary = vocabulary

    def read(self, typed: Phrase) -> Reading:
        """The reading to search; the text as typed when nothing finds anything."""
        typed = typed[:MOST_WORDS]
        accented = any(word.marked for word in typed)
        reading = self._first(Reading(typed, strict=strict) for strict in _strictness(accented))
        if reading is not None:
            return reading if self._count(reading) >= FEW else self._few(reading)
        reading = self._first(self._decoded(typed))
        if reading is not None:
            return reading
        words = self._respelt(typed)
        if words != typed:
            meant = _shown(words, typed)
            reading = self._first(Reading(words, strict=strict, meant=meant) for strict in _strictness(accented))
            if reading is not None:
                return reading if self._count(reading) >= FEW else self._more(reading) or reading
        return self._relaxed(words, typed) or Reading(typed)

    def _first(self, readings: Iterable[Reading]) -> Reading | None:
        return next(filter(self._count, readings), None)

    # --- raw keystrokes ---

    def _decoded(self, typed: Phrase) -> Iterator[Reading]:
        """Only the unknown words decoded, then all of them: `aos hoodie` has one word of each kind."""
        for decode in (telex_decode, vni_decode):
            tried = set()
            for every in (False, True):
                exact = [
                    (decode(word.exact) if every or not self._is_known(word) else None) or word.exact for word in typed
                ]
                text = " ".join(exact)
                words = words_of(text)
                if words != typed and words not in tried and all(map(self._is_known, words)):
                    tried.add(words)
                    yield Reading(words, strict=True, meant=text)

    # --- other spellings ---

    def _few(self, reading: Reading) -> Reading:
        """Few products hold these words: offer a similar spelling that many hold, or add what holds fewer words."""
        found = self._count(reading)
        texts = self._vocabulary().texts
        for words, word, other in self._neighbours(reading.words):
            common = len(word.folded) >= SHORTEST_SLIP and texts(other.folded) >= _MUCH_MORE * texts(word.folded)
            if common and self._count(Reading(words)) >= _MUCH_MORE * found:
                return reading._replace(meant=_shown(words, reading.words))
        return self._more(reading) or reading

    def _respelt(self, typed: Phrase) -> Phrase:
        """The words with every unknown one mended where possible; if all are known, the one that fits least."""
        words = self._joined(typed)
        unknown = [word for word in words if not self._is_known(word)]
        if not unknown and words == typed:
            return self._misheard(typed)
        for word in unknown[:_MOST_RESPELT]:
            at = words.index(word)
            words = (*words[:at], *self._mended(words, at), *words[at + 1 :])
        return words

    def _joined(self, typed: Phrase) -> Phrase:
        """Neighbours that are one word in the shop (`power bank`, `1000 xm5`) and find nothing apart."""
        words: list[Word] = []
        for word in typed:
            before = words[-1] if words else None
            if before is not None and self._is_whole(before, word):
                words[-1] = Word(before.exact + word.exact, before.folded + word.folded)
            else:
                words.append(word)
        return tuple(words)

    def _is_whole(self, one: Word, other: Word) -> bool:
        whole = Word(one.exact + other.exact, one.folded + other.folded)
        return len(whole.folded) >= SHORTEST_SLIP and self._is_known(whole) and not self._count(Reading((one, other)))

    def _mended(self, words: Phrase, at: int) -> Phrase:
        """What an unknown word may have been, best beside the known words: one slip, words glued, two slips."""
        others = tuple(word for word in words if self._is_known(word))
        if others and not self._count(Reading(others)):
            others = ()
        for ways in self._ways(words[at]):
            counted = [(self._count(Reading((*others, *way))), way) for way in ways]
            found, way = max(counted, key=lambda pair: pair[0], default=(0, ()))
            if found:
                return way
        return (words[at],)

    def _ways(self, word: Word) -> Iterator[list[Phrase]]:
        vocabulary = self._vocabulary()
        yield [(other,) for other in vocabulary.near(word.folded, 1)]
        yield [way for way in (vocabulary.split(word.folded), self._model(word)) if way]
        yield [(other,) for other in vocabulary.near(word.folded, 2)]

    def _model(self, word: Word) -> Phrase | None:
        """A model number cut where letters meet digits: `wh1000xm5` is `wh 1000xm5` in the shop."""
        chunks = _CHUNK.findall(word.folded)
        if not 2 <= len(chunks) <= _MOST_CHUNKS or "".join(chunks) != word.folded:
            return None
        cuts = range(1, 1 << (len(chunks) - 1))
        for cut in sorted(cuts, key=int.bit_count):
            pieces = [chunks[0]]
            for at, chunk in enumerate(chunks[1:]):
                if cut >> at & 1:
                    pieces.append(chunk)
                else:
                    pieces[-1] += chunk
            words = tuple(Word(piece, piece) for piece in pieces)
            if all(map(self._is_known, words)):
                return words
        return None

    def _misheard(self, typed: Phrase) -> Phrase:
        """Every word exists, but not together: the text with one of them respelt that finds most."""
        counted = [(self._count(Reading(words)), words) for words, _, _ in self._neighbours(typed)]
        found, best = max(counted, key=lambda pair: pair[0], default=(0, typed))
        return best if found else typed

    def _neighbours(self, words: Phrase) -> Iterator[tuple[Phrase, Word, Word]]:
        """The text with one word written as a similar one, that word, and the similar one."""
        for at, word in enumerate(words[:_MOST_RESPELT]):
            for other in self._vocabulary().near(word.folded, 1):
                if other not in words:
                    yield (*words[:at], other, *words[at + 1 :]), word, other

    # --- fewer words ---

    def _relaxed(self, words: Phrase, typed: Phrase) -> Reading | None:
        """As many of the words as any product holds, but at least half of them, and not numbers alone."""
        known = tuple(dict.fromkeys(word for word in words if self._is_known(word)))
        if all(word.folded[0].isdecimal() for word in known):
            return None
        meant = _shown(words, typed) if words != typed else None
        return self._first(
            Reading(known, strict, required, meant)
            for required in range(min(len(known), len(typed) - 1), (len(typed) - 1) // 2, -1)
            for strict in _strictness(any(word.marked for word in typed))
        )

    def _more(self, reading: Reading) -> Reading | None:
        """The few products with all words, then those with fewer. One syllable alone says nothing in Vietnamese, where
        most words have two."""
        words, found = reading.words, self._count(reading)
        least = 2 if any(SYLLABLE.fullmatch(word.folded) for word in words) else 1
        for required in range(len(words) - 1, max(least, (len(words) + 1) // 2) - 1, -1):
            fewer = reading._replace(required=required)
            if self._count(fewer) > found:
                return fewer
        return None


_CHUNK: Final = re.compile("[a-z]+|[0-9]+")
_MOST_CHUNKS: Final = 5


def _strictness(accented: bool) -> tuple[bool, ...]:
    """With accents typed, first with them, then without."""
    return (True, False) if accented else (False,)


def _shown(words: Sequence[Word], typed: Sequence[Word]) -> str:
    """A text for people: mended words get accents only when some were typed."""
    accented = any(word.marked for word in typed)
    return " ".join(word.exact if accented or word in typed else word.folded for word in words)
