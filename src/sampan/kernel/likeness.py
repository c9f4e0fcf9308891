"""Values that are alike, such as the pages of all products, kept as what tells each from one of them.

All pages of a kind share their frame, so with one of them at hand another packs to a seventh of what it packs to
alone, and faster (zlib's preset dictionary, RFC 1950, 2.2; `deflateSetDictionary` in zlib's manual).
"""

from collections.abc import Callable
from typing import Final

from isal import isal_zlib
from msgspec import Struct

# Deflate looks back 32 KB. A pattern of that size would be out of reach as soon as a value is a little longer than it
# at the same place, so some room is left; and it is the beginning of a value that all have in common.
_PATTERN: Final = 28 << 10
_LEVEL: Final = 2  # the next one takes twice as long and saves nothing


class Packed(Struct, frozen=True):
    """A packed value; its length is what it takes beside the pattern that it shares."""

    data: bytes
    pattern: bytes

    def __len__(self) -> int:
        return len(self.data)

    def unpack(self) -> bytes:
        opened = isal_zlib.decompressobj(zdict=self.pattern)
        return opened.decompress(self.data) + opened.flush()


class Likeness:
    """Packs values of one kind. The first is the pattern for the others, and another one after `lasts` seconds.

    For an odd first value, or one before the frame changed, only takes room: it is no matter for long. Each packed
    value holds the pattern it was packed with, so what an earlier one packed can be read as long as it is kept.
    """

    def __init__(self, lasts: float, clock: Callable[[], float]) -> None:
        self._lasts = lasts
        self._clock = clock
        self._pattern = b""
        self._until = clock()

    def pack(self, value: bytes) -> Packed:
        now = self._clock()
        if now >= self._until:
            self._pattern, self._until = value[:_PATTERN], now + self._lasts
        packer = isal_zlib.compressobj(_LEVEL, zdict=self._pattern)
        return Packed(packer.compress(value) + packer.flush(), self._pattern)
