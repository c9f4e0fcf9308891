"""An order has a short number that people can read out on the telephone: `SP` and eight characters.

None of the characters looks like another (no 0 and O, 1 and I, 2 and Z, 5 and S, 8 and B) and none is a
vowel, so that no number is a word. The last one is a check: one character heard wrong, or two neighbours
exchanged, is noticed. The others are drawn at random, so a number says nothing of how many orders there are.
It is never a secret.
"""

import re
from typing import Final

PREFIX: Final = "SP"
ALPHABET: Final = "23456789CDFGHJKMNPQRTWX"  # 23, a prime: that is what makes the check work
LENGTH: Final = 7  # without the check
NUMBERS: Final = len(ALPHABET) ** LENGTH
_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
_SHAPE: Final = re.compile(f"{PREFIX}([{ALPHABET}]{{{LENGTH}}})([{ALPHABET}])")


def number_for(draw: int) -> str:
    """The order number of a random draw from 0 to `NUMBERS` − 1."""
    if not 0 <= draw < NUMBERS:
        raise ValueError("the draw is out of range")
    body = ""
    for _ in range(LENGTH):
        draw, value = divmod(draw, len(ALPHABET))
        body += ALPHABET[value]
    return PREFIX + body + _check_for(body)


def is_number(text: str) -> bool:
    """Whether `text` is a number that was, or could have been, given to an order."""
    found = _SHAPE.fullmatch(text)
    return found is not None and _check_for(found[1]) == found[2]


def tidied(text: str) -> str:
    """A number as it is stored, from the way somebody typed it: `sp-4kt7 9xqw` is `SP4KT79XQW`."""
    return re.sub(r"[\s.\-–_#]", "", text[:64]).upper()


def _check_for(body: str) -> str:
    weighted = sum(place * _VALUES[character] for place, character in enumerate(body, start=1))
    return ALPHABET[weighted % len(ALPHABET)]
