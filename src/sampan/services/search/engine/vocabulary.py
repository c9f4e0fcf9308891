"""The words that products use, and which of them a misspelt word may have meant."""

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from sampan.kernel.text import fold
from sampan.services.search.engine.analysis import SYLLABLE, Word

SHORTEST_SLIP: Final = 4  # letters of a word in which one typing slip is looked for; twice as many for two
_SHORTEST_PIECE: Final = 2
_MOST_PIECES: Final = 6
_MOST_CANDIDATES: Final = 5


class Known(NamedTuple):
    """A folded word in use: how many texts hold it, and how it is usually accented."""

    texts: int
    exact: str


class Vocabulary:
    """Built from `(exact word, texts holding it)` of names, brands and categories; numbers and SKUs are left out."""

    def __init__(self, terms: Iterable[tuple[str, int]]) -> None:
        totals: dict[str, int] = {}
        usual: dict[str, tuple[int, str]] = {}
        for exact, texts in terms:
            folded = exact if exact.isascii() else fold(exact)  # most are numbers
            if folded.isalpha():
                totals[folded] = totals.get(folded, 0) + texts
                usual[folded] = max(usual.get(folded, (0, "")), (texts, exact))
        self._known: Mapping[str, Known] = {folded: Known(texts, usual[folded][1]) for folded, texts in totals.items()}
        self._sum = sum(totals.values()) or 1
        self._by_length: dict[int, list[str]] = {}
        self._by_sound: dict[str, list[str]] = {}
        for folded in totals:
            self._by_length.setdefault(len(folded), []).append(folded)
            if sound := sound_of(folded):
                self._by_sound.setdefault(sound, []).append(folded)

    def word(self, folded: str) -> Word:
        """The word as it is usually written."""
        return Word(self._known[folded].exact, folded)

    def texts(self, folded: str) -> int:
        """How many texts hold the word."""
        known = self._known.get(folded)
        return known.texts if known else 0

    def near(self, folded: str, distance: int) -> list[Word]:
        """The commonest words at exactly this many typing slips from a word, or, at one, that sound like it.

        A slip is a letter too many, missing or wrong, or two swapped. One is allowed in words of four letters, two in
        words of eight. Never for what holds a digit.
        """
        if not folded.isalpha():
            return []
        found: set[str] = set()
        if distance == 1:
            found.update(self._by_sound.get(sound_of(folded) or "", ()))
        if len(folded) >= SHORTEST_SLIP * distance:
            for length in range(len(folded) - distance, len(folded) + distance + 1):
                others = self._by_length.get(length, ())
                near = process.extract(folded, others, scorer=OSA.distance, score_cutoff=distance, limit=None)
                found.update(other for other, slips, _ in near if slips == distance)
        found.discard(folded)
        best = sorted(found, key=lambda other: (-self._known[other].texts, other))
        return [self.word(other) for other in best[:_MOST_CANDIDATES]]

    def split(self, folded: str) -> tuple[Word, ...] | None:
        """The likeliest way to cut a word that was typed without spaces (`aothunnam`) into known words."""
        best: list[tuple[float, tuple[str, ...]]] = [(0.0, ())]
        for end in range(1, len(folded) + 1):
            ways = [
                (best[start][0] + likelihood, (*best[start][1], piece))
                for start in range(max(0, end - 16), end)
                if best[start][0] > -math.inf
                and len(best[start][1]) < _MOST_PIECES
                and (likelihood := self._likelihood(piece := folded[start:end])) is not None
            ]
            best.append(max(ways, default=(-math.inf, ())))
        pieces = best[-1][1]
        return tuple(self._piece(piece) for piece in pieces) if len(pieces) > 1 else None

    def _likelihood(self, piece: str) -> float | None:
        if piece.isdecimal():
            return -math.log(self._sum) / 2
        if len(piece) < _SHORTEST_PIECE or piece not in self._known:
            return None
        return math.log(self._known[piece].texts / self._sum)

    def _piece(self, piece: str) -> Word:
        return self.word(piece) if piece in self._known else Word(piece, piece)


_SOUND: Final = {"tr": "ch", "gi": "d", "r": "d", "x": "s", "l": "n", "k": "c", "ngh": "ng", "gh": "g"}
_ENDING: Final = {"t": "c", "ch": "c", "ng": "n", "nh": "n"}


def sound_of(folded: str) -> str | None:
    """What a Vietnamese syllable sounds like where people mix up `s x`, `ch tr`, `d gi r`, `l n` or the endings `c t`
    and `n ng`; words with the same key are written for each other."""
    syllable = SYLLABLE.fullmatch(folded)
    if syllable is None:
        return None
    onset, vowels, coda = syllable[1] or "", syllable[2], syllable[3] or ""
    return f"{_SOUND.get(onset, onset)}{vowels.replace('y', 'i')}{_ENDING.get(coda, coda)}"
