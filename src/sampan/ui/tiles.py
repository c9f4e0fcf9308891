"""Cement tiles: four motifs in a few sets of colours, drawn as a repeating SVG pattern.

One module is 80 units wide and holds four tiles, so that a motif may alternate between neighbours.
"""

from collections.abc import Callable
from math import cos, pi, sin
from typing import Final, NamedTuple

from markupsafe import Markup

TILE: Final = 40
MODULE: Final = 2 * TILE


class Colours(NamedTuple):
    """Ground, the main figure, the second figure and the small pieces between them."""

    ground: str
    first: str
    second: str
    small: str


COLOURS: Final = {
    "leaf": Colours("#0F5B4A", "#E9B93B", "#FFFFFF", "#8FBFAC"),
    "jade": Colours("#F4F7F4", "#0F5B4A", "#E9B93B", "#9CCBB8"),
    "indigo": Colours("#F4F7F4", "#26519E", "#E9B93B", "#B9CBE8"),
    "brick": Colours("#F8F1E9", "#BF3A24", "#26519E", "#F0C2AC"),
    "sun": Colours("#F0C753", "#0F5B4A", "#FFFFFF", "#C4912A"),
}


def tile_pattern(motif: str, colours: str, *, size: int = TILE, key: str = "") -> Markup:
    """An SVG that fills its positioned parent with tiles of `size` pixels; decoration, hidden from assistive tools.

    The same motif twice on a page needs a `key` that tells the two apart. Raises KeyError for a motif or a set
    of colours that does not exist.
    """
    frame = Markup(
        '<svg class="tile-pattern" aria-hidden="true" focusable="false"><defs><pattern id="{id}" width="{side}" '
        'height="{side}" patternUnits="userSpaceOnUse" patternTransform="scale({scale})">{tiles}</pattern></defs>'
        '<rect width="100%" height="100%" fill="url(#{id})"/></svg>'
    )
    return frame.format(
        id="-".join(part for part in ("tiles", motif, colours, key) if part),
        side=MODULE,
        scale=f"{size / TILE:g}",
        tiles=Markup(module(motif, colours)),  # noqa: S704 - drawn below from our own tables
    )


def module(motif: str, colours: str) -> str:
    """The four tiles of one module, without a surrounding element."""
    paint = COLOURS[colours]
    grout = f"M0 0H{MODULE}M0 {TILE}H{MODULE}M0 0V{MODULE}M{TILE} 0V{MODULE}"
    return (
        f'<path d="M0 0H{MODULE}V{MODULE}H0Z" fill="{paint.ground}"/>{MOTIFS[motif](paint)}'
        f'<path d="{grout}" stroke="#0B1713" stroke-opacity=".14" stroke-width=".7"/>'
    )


def _blossom(paint: Colours) -> str:
    """Four-petalled flowers and open stars take turns; pinwheels turn where four tiles meet."""
    flowers = "".join(_petals(x, y, 18.5, 9.5) for x, y in _tiles() if x == y)
    hearts = "".join(_disc(x, y, 3.6) for x, y in _tiles() if x == y)
    stars = "".join(_star(x, y, 17.5, 6.4) + _star(x, y, 9.2, 3.4) for x, y in _tiles() if x != y)
    wheels = "".join(_pinwheel(x, y) for x in (0, TILE, MODULE) for y in (0, TILE, MODULE))
    return (
        _path(wheels, paint.small)
        + _path(flowers, paint.first)
        + _path(hearts, paint.small)
        + _path(stars, paint.second, holes=True)
    )


def _star_field(paint: Colours) -> str:
    """Eight-pointed stars with a small one inside, and corner pieces that join to a third."""
    stars = "".join(_points(x, y, (18.5, 9.6), 8) for x, y in _tiles())
    inner = "".join(_star(x, y, 9.0, 3.6) for x, y in _tiles())
    corners = "".join(_star(x, y, 9.5, 4.4) for x in (0, TILE, MODULE) for y in (0, TILE, MODULE))
    return _path(stars, paint.first) + _path(inner, paint.second) + _path(corners, paint.small)


def _fan(paint: Colours) -> str:
    """Half rounds in scallops: quarter fans, mirrored from tile to tile."""
    rings = ((36.0, paint.first), (27.0, paint.ground), (20.0, paint.small), (11.0, paint.second))
    fans = []
    for x, y in _tiles():
        turned = x == y
        across, down = (1, 1) if turned else (-1, 1)
        corner_x, corner_y = x - across * TILE / 2, y - down * TILE / 2
        fans += [
            f'<path d="M{corner_x:g} {corner_y:g}h{across * r:g}A{r:g} {r:g} 0 0 {int(turned)} '
            f'{corner_x:g} {corner_y + down * r:g}Z" fill="{fill}"/>'
            for r, fill in rings
        ]
    return "".join(fans)


def _diamond(paint: Colours) -> str:
    """Diamonds set in one another."""
    return "".join(
        _path("".join(_points(x, y, (r,), 4) for x, y in _tiles()), fill)
        for r, fill in ((20.0, paint.first), (13.0, paint.ground), (9.5, paint.second), (4.0, paint.first))
    )


MOTIFS: Final[dict[str, Callable[[Colours], str]]] = {
    "blossom": _blossom,
    "star": _star_field,
    "fan": _fan,
    "diamond": _diamond,
}


def _tiles() -> list[tuple[int, int]]:
    """The middles of the four tiles."""
    half = TILE // 2
    return [(x, y) for y in (half, half + TILE) for x in (half, half + TILE)]


def _path(d: str, fill: str, *, holes: bool = False) -> str:
    rule = ' fill-rule="evenodd"' if holes else ""
    return f'<path d="{d}" fill="{fill}"{rule}/>'


def _at(x: float, y: float, r: float, turn: float) -> str:
    """A point at a distance from a middle; a whole turn is 1, and 0 is upwards."""
    return f"{x + r * sin(turn * 2 * pi):.1f} {y - r * cos(turn * 2 * pi):.1f}"


def _points(x: float, y: float, radii: tuple[float, ...], count: int) -> str:
    """A polygon or a star: `count` corners, at these distances in turn."""
    corners = count * len(radii)
    steps = [_at(x, y, radii[step % len(radii)], step / corners) for step in range(corners)]
    return "M" + "L".join(steps) + "Z"


def _star(x: float, y: float, outer: float, inner: float) -> str:
    return _points(x, y, (outer, inner), 4)


def _disc(x: float, y: float, r: float) -> str:
    return f"M{x - r:g} {y:g}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0Z"


def _petals(x: float, y: float, length: float, width: float) -> str:
    """Four petals with a point at the end."""
    petals = []
    for quarter in range(4):
        turn = quarter / 4
        tip = _at(x, y, length, turn)
        left = _at(x, y, length * 0.86, turn - 0.085), _at(x, y, width * 1.15, turn - 0.155)
        right = _at(x, y, length * 0.86, turn + 0.085), _at(x, y, width * 1.15, turn + 0.155)
        petals.append(f"M{x:g} {y:g}C{right[1]} {right[0]} {tip}C{left[0]} {left[1]} {x:g} {y:g}Z")
    return "".join(petals)


def _pinwheel(x: float, y: float) -> str:
    return "".join(
        f"M{x:g} {y:g}L{_at(x, y, 13.5, turn / 4 + 0.045)}L{_at(x, y, 11.5, turn / 4 + 0.17)}Z" for turn in range(4)
    )
