"""Colours as `#rrggbb`: mixing them, ramps from light to shade, and how different two of them look."""

import math
from typing import NamedTuple

WHITE = "#ffffff"
PAPER = "#f7faf8"
CLAY = "#f1ece2"
INK = "#25332d"
NIGHT = "#0b1713"
STEEL = "#dfe7e3"
IRON = "#8b9892"
WOOD = "#c98f55"
BAMBOO = "#dcb574"
STRING = "#e6d3ab"
GREEN = "#0f5b4a"
LEAF = "#4c8f5b"
YELLOW = "#e9b93b"
BRASS = "#d9a93a"
RED = "#c6321f"
BLUE = "#234e9d"


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`, each 0 to 255. Raises ValueError for any other notation."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"not a colour of the form #rrggbb: {colour!r}")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with a `share` (0 to 1) of `other` in it."""
    pairs = zip(channels(colour), channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


class Ramp(NamedTuple):
    """One colour under a lamp: from its highlight (`pale`) through the colour (`base`) to deep shade."""

    pale: str
    light: str
    base: str
    dark: str
    deep: str


def ramp(colour: str) -> Ramp:
    """The ramp of a colour. Shade leans to the shop's green-black, so that all objects share one light."""
    return Ramp(
        pale=mix(colour, WHITE, 0.6),
        light=mix(colour, WHITE, 0.32),
        base=colour,
        dark=mix(colour, NIGHT, 0.28),
        deep=mix(colour, NIGHT, 0.5),
    )


def oklab(colour: str) -> tuple[float, float, float]:
    """Lightness, green-red and blue-yellow as the eye sees them (Björn Ottosson's OKLab)."""
    r, g, b = (_linear(c / 255) for c in channels(colour))
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def difference(colour: str, other: str) -> float:
    """How different two colours look: 0 for the same, about 0.1 for neighbours, 1 for black and white."""
    return math.dist(oklab(colour), oklab(other))


def accent_for(colour: str) -> str:
    """A colour that sits well beside `colour`: the shop's yellow, or its red where yellow would vanish."""
    return YELLOW if difference(colour, YELLOW) > 0.2 else RED


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
