"""Encaustic cement tiles (gạch bông): four motifs on a 40 × 40 module, in any colours, and laid patterns."""

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from sampan.demo.art.colour import GREEN, NIGHT, WHITE, YELLOW
from sampan.demo.art.pen import disc, moved, path, rect

Motif = Literal["flower", "star", "fan", "lozenge"]
MOTIFS: tuple[Motif, ...] = get_args(Motif)
MODULE = 40


class TileColours(NamedTuple):
    """The pigments of one tile; `partner` is the figure of every other tile where two motifs alternate."""

    ground: str
    figure: str
    accent: str
    partner: str = WHITE


HERO = TileColours(ground=GREEN, figure=YELLOW, accent="#8fc0ac", partner=WHITE)

FLOORS: tuple[tuple[Motif, TileColours], ...] = (
    ("star", TileColours("#f7faf6", "#0f5b4a", "#e9b93b")),
    ("star", TileColours("#f7faf8", "#234e9d", "#9cb8d6")),
    ("star", TileColours("#fbf6ec", "#b9492e", "#2f6f6a")),
    ("flower", TileColours("#f7faf6", "#234e9d", "#e9b93b")),
    ("flower", TileColours("#f8f7ee", "#0f5b4a", "#d98a6a")),
    ("flower", TileColours("#fbf7ee", "#a8442c", "#e2b75a")),
    ("fan", TileColours("#f7faf8", "#8fb4cf", "#234e9d")),
    ("fan", TileColours("#faf7ec", "#e0b04a", "#0f5b4a")),
    ("fan", TileColours("#f8f5ef", "#d88d74", "#5a6f86")),
    ("lozenge", TileColours("#fbf8ef", "#c6321f", "#e9b93b")),
    ("lozenge", TileColours("#f7faf6", "#0f5b4a", "#efc9b6")),
    ("lozenge", TileColours("#f7f9fb", "#5d7f9e", "#d9e4ee")),
)


def figure(motif: Motif, colour: str, accent: str) -> str:
    """The middle of a tile alone, centred on 0, 0 and about 36 across: a print, a carving, an embroidery."""
    if motif == "flower":
        return path(_PETALS, colour) + disc(0, 0, 3.4, accent)
    if motif == "star":
        return path(_STAR, colour) + path("M0-8 3-3 8 0 3 3 0 8-3 3-8 0-3-3Z", accent)
    if motif == "fan":
        return (
            path("M0 15L-18-3A20 20 0 0 1 18-3Z", colour)
            + path("M0 15L-12 3A14 14 0 0 1 12 3Z", accent)
            + path("M0 15L-6 9A8 8 0 0 1 6 9Z", colour)
        )
    return path("M-18 0 0-18 18 0 0 18Z", colour) + path("M-9 0 0-9 9 0 0 9Z", accent)


def tile(motif: Motif, colours: TileColours) -> str:
    """One tile with its corners, 40 × 40 from 0, 0."""
    ground, main, accent, _ = colours
    base = rect(0, 0, MODULE, MODULE, ground)
    if motif == "fan":
        quarters = "".join(
            path(f"M0 0H{r}A{r} {r} 0 0 1 0 {r}ZM40 40H{40 - r}A{r} {r} 0 0 1 40 {40 - r}Z", paint)
            for r, paint in ((24, main), (16, ground), (9, accent))
        )
        return base + quarters
    if motif == "lozenge":
        return base + moved(path("M-20 0 0-20 20 0 0 20Z", main) + path("M-9 0 0-9 9 0 0 9Z", accent), 20, 20)
    if motif == "star":
        middle = path(_STAR, main) + path("M0-8 3-3 8 0 3 3 0 8-3 3-8 0-3-3Z", ground)
        corners = "M0 0 12 4 4 12ZM40 0 28 4 36 12ZM0 40 12 36 4 28ZM40 40 28 36 36 28Z"
    else:
        middle = figure("flower", main, accent)
        corners = "M0 0h9L0 9ZM40 0h-9l9 9ZM0 40h9L0 31ZM40 40h-9l9-9Z"
    return base + moved(middle, 20, 20) + path(corners, accent)


def grout() -> str:
    """The joint along two sides of a tile; with its neighbours it closes the grid."""
    return f'<path d="M0 0H40M0 0V40" stroke="{NIGHT}" stroke-opacity=".18" stroke-width="1.2"/>'


def tile_pattern_svg(motif: str, colours: TileColours, columns: int, rows: int) -> str:
    """A laid pattern as a standalone SVG of `columns` × `rows` tiles, 40 units each.

    `motif` is one of `MOTIFS`, or two joined by a plus (`flower+star`) that alternate like a chessboard; the
    second then takes `colours.partner` for its figure. Raises ValueError for an unknown motif or no tiles.
    """
    motifs = _motifs(motif)
    if columns < 1 or rows < 1:
        raise ValueError(f"a pattern needs at least one tile, not {columns} × {rows}")
    width, height = columns * MODULE, rows * MODULE
    name = "tiles-" + hashlib.sha256(repr((motif, colours, columns, rows)).encode()).hexdigest()[:8]
    first = tile(motifs[0], colours)
    if len(motifs) == 1:
        module, side = first, MODULE
    else:
        second = tile(motifs[1], colours._replace(figure=colours.partner))
        module = moved(second, MODULE, 0) + moved(second, 0, MODULE) + moved(first, MODULE, MODULE) + first
        side = 2 * MODULE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}"><defs><pattern id="{name}" width="{side}" height="{side}"'
        f' patternUnits="userSpaceOnUse">{module}</pattern></defs>'
        f'<rect width="{width}" height="{height}" fill="url(#{name})"/></svg>'
    )


def _motifs(names: str) -> Sequence[Motif]:
    known = [motif for name in names.split("+") for motif in MOTIFS if motif == name]
    if len(known) != names.count("+") + 1 or len(known) > 2:
        raise ValueError(f"not a motif, or a pair of motifs: {names!r}; there are {', '.join(MOTIFS)}")
    return known


_STAR = "M0-17 5-5 17 0 5 5 0 17-5 5-17 0-5-5Z"
_PETALS = (
    "M0 0C-8-4-10-12 0-18 10-12 8-4 0 0M0 0C-8 4-10 12 0 18 10 12 8 4 0 0"
    "M0 0C-4 8-12 10-18 0-12-10-4-8 0 0M0 0C4 8 12 10 18 0 12-10 4-8 0 0Z"
)
