"""What a text may have meant: a ladder of readings, tried until one finds something.

1. as typed: words with accents match with them (or where the text has none), words without match any accents
2. as typed, accents aside
3. as raw Telex or VNI keystrokes
4. respelt: glued words cut, torn words joined, slips of typing and of hearing mended
5. relaxed: fewer words required; also when all words find only a few products, which then come first
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sampan.kernel.text import telex_decode, vni_decode
from sampan.services.search.engine.analysis import SYLLABLE, Word, words_of
from sampan.services.search.engine.vocabulary import Vocabulary

MOST_WORDS: Final = 16
FEW: Final = 3  # with fewer products found, other readings are worth a look
_MUCH_MORE: Final = 10  # a different spelling of a word that exists must be so many times as common to be offered
_MOST_RESPELT: Final = 6  # words of one query that are respelt

Phrase = tuple[Word, ...]


class Reading(NamedTuple):
    """Words to find. `strict`: those with accents as they are. `likes`: also acceptable at a position, ranked below.
    `required`: how many must be found, all when None. `meant`: how to show the reading to who typed something else."""

    words: Phrase
    strict: bool = False
    likes: Mapping[int, Word] = {}
    required: int | None = None
    meant: str | None = None

    @property
    def relaxed(self) -> bool:
        return self.required is not None


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
        reading = Reading(typed, strict=any(word.marked for word in typed))
        found = self._count(reading)
        if not found and reading.strict:
            reading = Reading(typed)
            found = self._count(reading)
        if found >= FEW:
            return reading
        if found:
            return self._commoner(reading, found) or self._more(reading, found) or reading
        for decoded in self._decoded(typed):
            if self._count(decoded):
                return decoded
        respelt = self._respelt(typed)
        if respelt.meant is not None and (found := self._count(respelt)):
            return respelt if found >= FEW else self._more(respelt, found) or respelt
        return self._relaxed(respelt, len(typed)) or reading

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
                    yield Reading(words, meant=text)

    # --- other spellings ---

    def _commoner(self, reading: Reading, found: int) -> Reading | None:
        """Few products hold this spelling, and many a similar one: both, the typed one first."""
        for at, word, other in self._neighbours(reading.words):
            if self._vocabulary().texts(other.folded) < _MUCH_MORE * self._vocabulary().texts(word.folded):
                continue
            words = (*reading.words[:at], other, *reading.words[at + 1 :])
            if self._count(Reading(words)) >= _MUCH_MORE * found:
                return reading._replace(likes={at: other}, meant=_shown(words, reading.words))
        return None

    def _respelt(self, typed: Phrase) -> Reading:
        """The reading with every unknown word mended where possible; without `meant` when nothing was."""
        words = self._joined(typed)
        unknown = [word for word in words if not self._is_known(word)]
        if unknown:
            for word in unknown[:_MOST_RESPELT]:
                at = words.index(word)
                if mended := self._mended(words, at):
                    words = (*words[:at], *mended, *words[at + 1 :])
        elif words == typed:
            words = self._misheard(typed)
        return Reading(words, meant=_shown(words, typed) if words != typed else None)

    def _joined(self, typed: Phrase) -> Phrase:
        """Neighbours that are one word in the shop (`power bank`, `1000 xm5`) and find nothing apart."""
        words: list[Word] = []
        for word in typed:
            whole = Word(words[-1].exact + word.exact, words[-1].folded + word.folded) if words else word
            if (
                words
                and len(whole.folded) > 3
                and self._is_known(whole)
                and not self._count(Reading((words[-1], word)))
            ):
                words[-1] = whole
            else:
                words.append(word)
        return tuple(words)

    def _mended(self, words: Phrase, at: int) -> Phrase | None:
        """What an unknown word may have been, best beside the other known words: one slip, words glued, two slips."""
        others = [word for word in words if self._is_known(word)]
        first: Phrase | None = None
        for ways in self._ways(words[at]):
            counted = [(self._count(Reading((*others, *way))), way) for way in ways]
            if counted:
                best = max(counted, key=lambda pair: pair[0])
                if best[0]:
                    return best[1]
                first = first or counted[0][1]
        return first

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
        """Every word exists, but not together: the one that, respelt, finds most."""
        best, most = typed, 0
        for at, _, other in self._neighbours(typed):
            words = (*typed[:at], other, *typed[at + 1 :])
            found = self._count(Reading(words))
            if found > most:
                best, most = words, found
        return best

    def _neighbours(self, words: Phrase) -> Iterator[tuple[int, Word, Word]]:
        vocabulary = self._vocabulary()
        for at, word in enumerate(words[:_MOST_RESPELT]):
            for other in vocabulary.near(word.folded, 1):
                if other not in words:
                    yield at, word, other

    # --- fewer words ---

    def _relaxed(self, reading: Reading, typed: int) -> Reading | None:
        """As many of the words as any product holds, but at least half of them."""
        words = tuple(dict.fromkeys(word for word in reading.words if self._is_known(word)))
        for required in range(min(len(words), typed - 1), (typed - 1) // 2, -1):
            fewer = Reading(words, required=required, meant=reading.meant)
            if self._count(fewer):
                return fewer
        return None

    def _more(self, reading: Reading, found: int) -> Reading | None:
        """The few products with all words, then those with fewer. One syllable alone says nothing in Vietnamese, where
        most words have two."""
        words = reading.words
        least = 2 if any(SYLLABLE.fullmatch(word.folded) for word in words) else 1
        for required in range(len(words) - 1, max(least, (len(words) + 1) // 2) - 1, -1):
            fewer = reading._replace(required=required)
            if self._count(fewer) > found:
                return fewer
        return None


_CHUNK: Final = re.compile("[a-z]+|[0-9]+")
_MOST_CHUNKS: Final = 5


def _shown(words: Sequence[Word], typed: Sequence[Word]) -> str:
    """A text for people: mended words get accents only when some were typed."""
    accented = any(word.marked for word in typed)
    return " ".join(word.exact if accented or word in typed else word.folded for word in words)
