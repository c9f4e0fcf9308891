"""The merchant's knowledge of words, from `lexicon.toml`: synonyms, and words that need not be found."""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from sampan.services.search.engine.analysis import SYLLABLE, Word, loose, words_of

Phrase = tuple[Word, ...]


class Synonyms(NamedTuple):
    """`length` words of the text can also be said as any of `others`."""

    length: int
    others: tuple[Phrase, ...]


class Lexicon:
    def __init__(self, *, synonyms: Sequence[Sequence[str]], optional: dict[str, Sequence[str]]) -> None:
        groups = [[words_of(phrase) for phrase in group] for group in synonyms]
        self._by_key: dict[tuple[str, ...], list[tuple[Phrase, list[Phrase]]]] = {}
        for group in groups:
            for phrase in group:
                self._by_key.setdefault(_key(phrase), []).append((phrase, [p for p in group if p != phrase]))
        self._first = frozenset(key[0] for key in self._by_key if key)
        self._longest = max(map(len, self._by_key), default=0)
        self._optional = {language: frozenset(words) for language, words in optional.items()}

    def synonyms_at(self, words: Sequence[Word], at: int) -> Synonyms | None:
        """The longest phrase that starts here and has synonyms."""
        if loose(words[at].folded) not in self._first:
            return None
        for length in range(min(self._longest, len(words) - at), 0, -1):
            typed = words[at : at + length]
            others: dict[Phrase, None] = {}
            for phrase, rest in self._by_key.get(_key(typed), ()):
                if all(_stands_for(word, meant) for word, meant in zip(typed, phrase, strict=True)):
                    others.update(dict.fromkeys(rest))
            if others:
                return Synonyms(length, tuple(others))
        return None

    def is_optional(self, exact: str, *, language: str, accented: bool) -> bool:
        """A product need not hold little words like `của` or `for`, as long as they cannot be others: without accents
        `cho` may be a dog, and in a Vietnamese query `the` may be `thẻ`, a card."""
        if exact in self._optional["vi"]:
            return accented if language == "vi" else not exact.isascii()
        return exact in self._optional["en"] and (language == "en" or not SYLLABLE.fullmatch(exact))


def _key(phrase: Sequence[Word]) -> tuple[str, ...]:
    return tuple(loose(word.folded) for word in phrase)


def _stands_for(typed: Word, meant: Word) -> bool:
    """Of words with the same key: without accents a word stands for any, with accents for itself."""
    return typed.exact == meant.exact or not typed.marked


@cache
def lexicon() -> Lexicon:
    """The lexicon that ships with the shop."""
    return Lexicon(**tomllib.loads(files(__package__).joinpath(_FILE).read_text(encoding="utf-8")))


_FILE: Final = "lexicon.toml"
