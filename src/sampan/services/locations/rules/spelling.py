"""Under which letters a place name is found, and how it may be written.

Names are compared by a key without accents, spaces or signs, in which `i` and `y`, and `c` and `k`, are one letter:
`Mỹ Tho`, `Mĩ Tho` and `my tho` are `mitho`; `Đắk Lắk`, `Đắc Lắc` and `Daklak` are `daclac`.
"""

import re
from functools import lru_cache
from typing import Final

from sampan.kernel.text import canonical, fold

_Y: Final = re.compile("(?<!a)y")  # `tay` and `tai` are two syllables, `my` and `mi` are one
_K: Final = re.compile("k(?![hiey])")
_ZEROS: Final = re.compile("^0+(?=[0-9])")


@lru_cache(maxsize=16384)
def word_key(word: str) -> str:
    """The key of one word: folded, `y` as `i`, `k` as `c`, a number without leading zeros."""
    return _ZEROS.sub("", _K.sub("c", _Y.sub("i", fold(word).replace(" ", ""))))


def name_key(name: str) -> str:
    """The key of a whole name, which is the keys of its words in a row."""
    return "".join(map(word_key, fold(name).split()))


def letters(text: str) -> str:
    """The text with its accents but without spaces and signs: equal for two spellings of one name."""
    return _SIGNS.sub("", canonical(text))


_SIGNS: Final = re.compile(r"[\W_]+")
