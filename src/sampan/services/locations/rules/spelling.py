"""Under which letters a place name is found, and which words before it tell the kind of place.

Names are compared by a key without accents, spaces and signs, in which `i` and `y`, and `c` and `k`, are one
letter: `Mỹ Tho`, `Mĩ Tho` and `my tho` are `mitho`; `Đắk Lắk`, `Đắc Lắc` and `Daklak` are `daclac`.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from sampan.kernel.text import canonical, fold, has_diacritics, nfc

_Y: Final = re.compile("(?<!a)y")  # `tay` and `tai` are two syllables, `my` and `mi` are one
_K: Final = re.compile("k(?![hiey])")
_ZEROS: Final = re.compile("^0+(?=[0-9])")
_SIGNS: Final = re.compile(r"[\W_]+")


@lru_cache(maxsize=16384)
def word_key(word: str) -> str:
    """The key of one word: folded, `y` as `i`, `k` as `c`, a number without leading zeros."""
    return _ZEROS.sub("", _K.sub("c", _Y.sub("i", fold(word).replace(" ", ""))))


def name_key(name: str) -> str:
    """The key of a name: the keys of its words in a row."""
    return "".join(map(word_key, fold(name).split()))


@lru_cache(maxsize=16384)
def letters(text: str) -> str:
    """The text with its accents but without spaces and signs: equal for two ways of writing one name."""
    return _SIGNS.sub("", canonical(text))


_ALPHABET: Final = {
    letter: place for place, letter in enumerate(" 0123456789aăâbcdđeêfghijklmnoôơpqrstuưvwxyz", start=1)
}
_TONES: Final = {"\u0300": 1, "\u0309": 2, "\u0303": 3, "\u0301": 4, "\u0323": 5}


def alphabetical(name: str) -> tuple[list[int], list[int]]:
    """The place of a name in a Vietnamese list: by its letters (a ă â b c d đ …), and by its tones where those are
    the same."""
    places, tones = [], []
    for char in nfc(name).lower():
        parts = unicodedata.normalize("NFD", char)
        bare = "".join(part for part in parts if part not in _TONES)
        places.append(_ALPHABET.get(unicodedata.normalize("NFC", bare), 0))
        tones.append(next((_TONES[part] for part in parts if part in _TONES), 0))
    return places, tones


WARD_TYPES: Final = frozenset(("phuong", "xa", "thi_tran", "dac_khu"))
DISTRICT_TYPES: Final = frozenset(("quan", "huyen", "thi_xa", "thanh_pho"))
PROVINCE_TYPES: Final = frozenset(("tinh", "thanh_pho"))

# As written, and what it means. Those of two words are found by both.
_BEFORE: Final = {
    "phường": "phuong",
    "p": "phuong",
    "f": "phuong",
    "ward": "phuong",
    "xã": "xa",
    "x": "xa",
    "commune": "xa",
    "thị trấn": "thi_tran",
    "tt": "thi_tran",
    "t t": "thi_tran",
    "đặc khu": "dac_khu",
    "quận": "quan",
    "q": "quan",
    "district": "quan",
    "dist": "quan",
    "huyện": "huyen",
    "h": "huyen",
    "thị xã": "thi_xa",
    "tx": "thi_xa",
    "t x": "thi_xa",
    "thành phố": "thanh_pho",
    "tp": "thanh_pho",
    "t p": "thanh_pho",
    "city": "thanh_pho",
    "tỉnh": "tinh",
    "t": "tinh",
    "province": "tinh",
}
_AFTER: Final = {
    "ward": "phuong",
    "commune": "xa",
    "town": "thi_tran",
    "district": "quan",
    "city": "thanh_pho",
    "province": "tinh",
}
_BEFORE_BY_KEY: Final = {tuple(map(word_key, words.split())): (kind, letters(words)) for words, kind in _BEFORE.items()}


def type_before(words: list[str], end: int) -> tuple[str, int] | None:
    """The type named by the one or two words that end before index `end`, and how many they are.

    `quán` is a tavern and not a district: a word with accents must have the right ones.
    """
    for count in (2, 1):
        if count > end:
            continue
        found = _BEFORE_BY_KEY.get(tuple(map(word_key, words[end - count : end])))
        if found is not None:
            written = "".join(words[end - count : end])
            if not has_diacritics(written) or letters(written) == found[1]:
                return found[0], count
    return None


def type_after(word: str) -> str | None:
    """The type named by an English word after the name: `Ben Thanh Ward`."""
    return _AFTER.get(fold(word))


def split_type(name: str) -> tuple[str | None, str]:
    """`P. Bến Thành` is a phuong, `Bến Thành`; without a type word None and the name as it is.

    A name that would be empty keeps its word.
    """
    spans = [match.span() for match in re.finditer(r"[^\W_]+", name)]
    words = [name[start:end] for start, end in spans]
    for count in (2, 1):
        if count < len(words) and (found := type_before(words, count)) and found[1] == count:
            return found[0], name[spans[count][0] :].strip()
    if len(words) == 1 and (parts := unglued(words[0])):
        glued = type_before([parts[0]], 1)
        return (glued[0] if glued else None), parts[1]
    if len(words) > 1 and (kind := type_after(words[-1])):
        return kind, name[: spans[-2][1]].strip()
    return None, name.strip()


# No Vietnamese syllable begins with `tp` or `tx`.
_GLUED: Final = re.compile("(q|quan|quận|p|f|phuong|phường)([0-9]{1,2})|(tp|tx)([^\\W\\d_]{2,})", re.IGNORECASE)


def unglued(word: str) -> tuple[str, str] | None:
    """`Q1` is `Q` and `1`, `TPHCM` is `TP` and `HCM`."""
    found = _GLUED.fullmatch(word)
    return (found[1] or found[3], found[2] or found[4]) if found else None
