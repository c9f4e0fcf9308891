"""Code 128 as SVG, for the labels that scanners read.

Source: ISO/IEC 15417. Each character is three bars and three spaces that are eleven modules wide together; a symbol is
a start character, the data, a check character and a stop, with ten empty modules on both sides. We write code set B:
printable ASCII.
"""

from typing import Final

# The widths of bar, space, bar, space, … in modules, by the value of the character.
WIDTHS: Final = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112"
)
PATTERNS: Final = WIDTHS.split()
START_B: Final = 104
STOP: Final = 106
CHECK: Final = 103
QUIET: Final = 10


def modules_for(text: str) -> list[int]:
    """The widths of the symbol's bars and spaces in turn, beginning with a bar, without the empty margins.

    Raises ValueError for anything but 1 to 80 characters of printable ASCII.
    """
    if not 1 <= len(text) <= 80 or any(not " " <= character <= "~" for character in text):
        raise ValueError("a barcode is 1 to 80 characters of printable ASCII")
    values = [ord(character) - 32 for character in text]
    check = (START_B + sum(place * value for place, value in enumerate(values, start=1))) % CHECK
    return [int(width) for value in (START_B, *values, check, STOP) for width in PATTERNS[value]]


def barcode_svg(text: str, *, height: int = 40) -> str:
    """The barcode of `text` as an SVG element, one unit a module; it takes the width it is given."""
    at, path = QUIET, []
    for place, width in enumerate(modules_for(text)):
        if place % 2 == 0:
            path.append(f"M{at} 0h{width}v{height}h-{width}z")
        at += width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {at + QUIET} {height}" preserveAspectRatio="none" '
        f'shape-rendering="crispEdges" role="img" aria-label="{"".join(f"&#{ord(c)};" for c in text)}">'
        f'<path d="{"".join(path)}"/></svg>'
    )
