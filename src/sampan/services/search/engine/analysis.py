"""From text to words, the same way for products and for queries.

Each word has two forms: *exact*, with its accents in one tone placement, and *folded*, without accents and with `đ` as
`d`. English words are indexed by the stem of the folded form.
"""

import html
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

from sampan.kernel.text import canonical, fold, nfc

LONGEST_WORD: Final = 64

# Letters and digits with any marks they did not merge with.
TOKEN: Final = re.compile("(?:[^\\W_][\u0300-\u036f]*)+")
_INVISIBLE: Final = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff]")
_TAG: Final = re.compile(r"<[^<>]{0,1000}>")
_UNITS: Final = frozenset(
    re.findall(r"\w+", "mg g kg ml cl l mm cm m km inch in w kw wh mah v hz khz mhz ghz kb mb gb tb mp dpi btu")
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
    return tuple([word for token in _tokens(text) for word in _forms(token)])


def _tokens(text: str) -> list[str]:
    # Word by word: words repeat and their canonical forms are remembered, while hardly two texts are the same.
    tokens: list[str] = [canonical(token)[:LONGEST_WORD] for token in TOKEN.findall(nfc(without_invisible(text)))]
    if _UNITS.isdisjoint(tokens):
        return tokens
    joined: list[str] = []
    for token in tokens:
        if token in _UNITS and joined and joined[-1].isdecimal():
            joined[-1] += token
        else:
            joined.append(token)
    return joined


def without_invisible(text: str) -> str:
    """The text without soft hyphens, joiners and the like, which split no word."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


# Words repeat, in queries and even more in products.
@lru_cache(maxsize=16384)
def _forms(exact: str) -> tuple[Word, ...]:
    folded = fold(exact).split()
    return (Word(exact, folded[0]),) if len(folded) == 1 else tuple(Word(part, part) for part in folded)


# A Vietnamese syllable without its accents: what begins it, its vowels, what ends it.
SYLLABLE: Final = re.compile(
    "(ngh|ng|nh|gh|gi(?=[aeiouy])|g|kh|k|qu(?=[aeiouy])|th|tr|t|ch|c|ph|p|b|d|h|l|m|n|r|s|v|x)?"
    "([aeiouy]{1,3})"
    "(ng|nh|ch|c|m|n|p|t)?"
)


def loose(folded: str) -> str:
    """The folded form as it is indexed: a Vietnamese syllable as it is, any other word by its English stem.

    Both languages mix: `tai nghe headphones` must be found by `headphone`.
    """
    return folded if folded.isdecimal() else _stem(folded)  # numbers have none, and would crowd out words


@lru_cache(maxsize=16384)
def _stem(folded: str) -> str:
    if SYLLABLE.fullmatch(folded):
        return folded
    stems: list[str] = _STEMMER.analyze(folded)
    return stems[0] if stems else folded


_STEMMER: Final = TextAnalyzerBuilder(Tokenizer.whitespace()).filter(Filter.stemmer("english")).build()


def indexed(text: str) -> tuple[str, str]:
    """A text ready for a field that splits at spaces: its exact and its folded words."""
    return _short_indexed(text) if len(text) <= _SHORT else _text_indexed(text)


def indexed_apart(texts: Iterable[str]) -> tuple[str, str]:
    """Texts that stand side by side, such as labels, which many products share."""
    forms = [indexed(text) for text in texts]
    return " ".join([exact for exact, _ in forms if exact]), " ".join([folded for _, folded in forms if folded])


def _text_indexed(text: str) -> tuple[str, str]:
    forms = [_indexed(token) for token in _tokens(text)]
    return " ".join([exact for exact, _ in forms]), " ".join([folded for _, folded in forms])


_SHORT: Final = 40  # characters: labels, brands and categories repeat, names and descriptions do not
_short_indexed = lru_cache(maxsize=8192)(_text_indexed)


@lru_cache(maxsize=16384)
def _indexed(token: str) -> tuple[str, str]:
    words = _forms(token)
    exact = " ".join([_with_number(word.exact) for word in words])
    return exact, " ".join([_with_number(loose(word.folded)) for word in words])


def _with_number(term: str) -> str:
    """A measure is found by its number too: `500gb` by `500`."""
    measure = _MEASURE.fullmatch(term) if term[0].isdecimal() else None
    return f"{term} {measure[1]}" if measure else term


def without_markup(text: str) -> str:
    """The words of an HTML fragment."""
    return html.unescape(_TAG.sub(" ", text)) if "<" in text or "&" in text else text


def sku_key(text: str) -> str:
    """A SKU however it is typed: `at 001-den` and `AT-001-DEN` are one."""
    return fold(text).replace(" ", "")


def clean(value: str) -> str:
    """The value without what cannot be written as UTF-8 (lone surrogates from broken clients)."""
    return value if value.isascii() else value.encode("utf-8", "ignore").decode()
