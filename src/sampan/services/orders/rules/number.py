"""An order has a short number that people can read out on the telephone: `SP` and eight characters.

None of the characters looks like another (no 0 and O, 1 and I, 2 and Z, 5 and S, 8 and B) and none is a
vowel, so that no number is a word. The last one is a check: one character heard wrong, or two neighbours
exchanged, is noticed. The others are drawn at random, so a number says nothing of how many orders there are.
It is never a secret.
"""

import re
from typing import Final

from sampan.kernel.numbers import Numbering

ALPHABET: Final = "23456789CDFGHJKMNPQRTWX"
_NUMBERING: Final = Numbering("SP", ALPHABET, length=7)
NUMBERS: Final = _NUMBERING.count


def number_for(draw: int) -> str:
    """The order number of a random draw from 0 to `NUMBERS` − 1."""
    return _NUMBERING.number_for(draw)


def is_number(text: str) -> bool:
    """Whether `text` is a number that was, or could have been, given to an order."""
    return _NUMBERING.is_number(text)


def tidied(text: str) -> str:
    """A number as it is stored, from the way somebody typed it: `sp-4kt7 9xqw` is `SP4KT79XQW`."""
    return re.sub(r"[\s.\-–_#]", "", text[:64]).upper()
