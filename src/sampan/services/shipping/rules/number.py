"""The number of a parcel, as it stands on its label: `GH` and ten characters.

It is drawn at random, so it says nothing of how many parcels there are. The letters that are most often misread (I, L,
O, U, Z) are left out, and the last character is a check: one read wrong, or any two exchanged, is noticed.
"""

from typing import Final

from sampan.kernel.numbers import Numbering

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXY"
_NUMBERING: Final = Numbering("GH", ALPHABET, length=9, first=2)
NUMBERS: Final = _NUMBERING.count


def tracking_number_for(draw: int) -> str:
    """The tracking number of a random draw from 0 to `NUMBERS` − 1."""
    return _NUMBERING.number_for(draw)


def is_tracking_number(text: str) -> bool:
    """A tracking number is the prefix, nine characters and the check that fits them."""
    return _NUMBERING.is_number(text)
