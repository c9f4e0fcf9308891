"""From text to words, the same way for products and for queries.

Each word has two forms: *exact*, with its accents in one tone placement, and *folded*, without accents and with `đ` as
`d`. English words are indexed by the stem of the folded form.
"""

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

from sampan.kernel.text import canonical, fold

LONGEST_WORD: Final = 64

# Letters and digits with any marks they did not merge with.
TOKEN: Final = re.compile("(?:[^\\W_][\u0300-\u036f]*)+")
_INVISIBLE: Final = dict.fromkeys([0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_TAG: Final = re.compile(r"<[^<>]{0,1000}>")
_UNITS: Final = frozenset(
    "mg g kg ml cl l mm cm m km inch in w kw wh mah v hz khz mhz ghz kb mb gb tb mp dpi btu".split()
)
_MEASURE: Final = re.compile(rf"([0-9]+)(?:{'|'.join(sorted(_UNITS, key=len, reverse=True))})")


class Word(NamedTuple):
    """One word; `marked` words carry accents: who typed them chose exactly."""

    exact: str
    folded: str

    @property
    def marked(self) -> bool:
        return self.exact != self.folded


def words_of(text: str) -> tuple[Word, ...]:
    """The words of a text in order; `500 ml` is one word, as `500ml` is."""
    words: list[Word] = []
    for match in TOKEN.finditer(canonical(text.translate(_INVISIBLE))):
        exact = match[0][:LONGEST_WORD]
        if exact in _UNITS and words and words[-1].exact.isdecimal():
            exact = words.pop().exact + exact
        words.extend(_forms(exact))
    return tuple(words)


def _forms(exact: str) -> Iterator[Word]:
    folded = fold(exact).split()
    if len(folded) == 1:
        yield Word(exact, folded[0])
    else:
        yield from (Word(part, part) for part in folded)


# A Vietnamese syllable without its accents: what begins it, its vowels, what ends it.
SYLLABLE: Final = re.compile(
    "(ngh|ng|nh|gh|gi(?=[aeiouy])|g|kh|k|qu(?=[aeiouy])|th|tr|t|ch|c|ph|p|b|d|h|l|m|n|r|s|v|x)?"
    "([aeiouy]{1,3})"
    "(ng|nh|ch|c|m|n|p|t)?"
)


@lru_cache(maxsize=65536)
def loose(folded: str) -> str:
    """The folded form as it is indexed: a Vietnamese syllable as it is, any other word by its English stem.

    Both languages mix: `tai nghe headphones` must be found by `headphone`.
    """
    if SYLLABLE.fullmatch(folded):
        return folded
    stems: list[str] = _STEMMER.analyze(folded)
    return stems[0] if stems else folded


_STEMMER: Final = TextAnalyzerBuilder(Tokenizer.whitespace()).filter(Filter.stemmer("english")).build()


def indexed(text: str) -> tuple[str, str]:
    """A text ready for a field that splits at spaces: its exact and its folded words.

    A measure is found by its number too: `500gb` by `500`.
    """
    exact: list[str] = []
    folded: list[str] = []
    for word in words_of(text):
        exact.append(word.exact)
        folded.append(loose(word.folded))
        if measure := _MEASURE.fullmatch(word.folded):
            exact.append(measure[1])
            folded.append(measure[1])
    return " ".join(exact), " ".join(folded)


def without_markup(text: str) -> str:
    """The words of an HTML fragment."""
    return html.unescape(_TAG.sub(" ", text)) if "<" in text or "&" in text else text


def sku_key(text: str) -> str:
    """A SKU however it is typed: `at 001-den` and `AT-001-DEN` are one."""
    return fold(text).replace(" ", "")


def clean(value: str) -> str:
    """The value without what cannot be written as UTF-8 (lone surrogates from broken clients)."""
    return value if value.isascii() else value.encode("utf-8", "ignore").decode()
