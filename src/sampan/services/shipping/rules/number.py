"""The number of a parcel, as it stands on its label: `GH` and ten characters.

It is drawn at random, so it says nothing of how many parcels there are. The letters that are most often misread (I, L,
O, U, Z) are left out, and the last character is a check: one read wrong, or any two exchanged, is noticed.
"""

import re
from typing import Final

PREFIX: Final = "GH"
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXY"  # 31, a prime: with it the check notices what it promises
LENGTH: Final = 9  # without the check
NUMBERS: Final = len(ALPHABET) ** LENGTH
VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
SHAPE: Final = re.compile(f"{PREFIX}([{ALPHABET}]{{{LENGTH}}})([{ALPHABET}])")


def tracking_number_for(draw: int) -> str:
    """The tracking number of a random draw from 0 to `NUMBERS` − 1."""
    if not 0 <= draw < NUMBERS:
        raise ValueError("the draw is out of range")
    body = ""
    for _ in range(LENGTH):
        draw, value = divmod(draw, len(ALPHABET))
        body += ALPHABET[value]
    return PREFIX + body + check_character_for(body)


def check_character_for(body: str) -> str:
    weighted = sum(place * VALUES[character] for place, character in enumerate(body, start=2))
    return ALPHABET[weighted % len(ALPHABET)]


def is_tracking_number(text: str) -> bool:
    """A tracking number is the prefix, nine characters and the check that fits them."""
    found = SHAPE.fullmatch(text)
    return found is not None and check_character_for(found[1]) == found[2]
