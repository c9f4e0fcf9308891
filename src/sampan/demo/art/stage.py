"""Where an object is photographed: a wall with a fall of light, a floor or a table, things of known size."""

from typing import NamedTuple

from sampan.demo.art.colour import BRASS, CLAY, INK, NIGHT, WHITE, WOOD, mix, oklab
from sampan.demo.art.pen import again, disc, line, moved, oval, path, rect
from sampan.demo.art.tiles import MODULE, Motif, TileColours, grout, tile

WIDTH, HEIGHT = 320, 400

WALLS = ("#f5d37f", "#c9dfd3", "#f7c7b5", "#e4ecf5", "#9ccbb8", "#d8e8ee", "#efe0c4", "#e9cdd3", "#dde3bf")
NIGHT_WALLS = ("#24483e", "#22405c", "#5a2f33", "#3d4428")
_FLAT = 0.62  # how much the eye presses a floor flat


def wall(colour: str, to: float = HEIGHT) -> str:
    """A wall as high as the picture (or down to `to`), lit from the upper left."""
    return rect(0, 0, WIDTH, HEIGHT, colour) + path(f"M0 0H320V{to - 86:g}L0 {to - 16:g}Z", _lit(colour), 0.6)


def _lit(colour: str) -> str:
    """The colour where light falls on it: plain on a pale wall, a hint on a dark one."""
    return mix(colour, WHITE, 0.22 if oklab(colour)[0] > 0.6 else 0.1)


def skirting(colour: str, floor: float) -> str:
    """The board along the foot of the wall."""
    return rect(0, floor - 9, WIDTH, 9, mix(colour, NIGHT, 0.22)) + rect(
        0, floor - 9, WIDTH, 2, mix(colour, WHITE, 0.25)
    )


def tiled_floor(motif: Motif, colours: TileColours, floor: float, size: float = 1) -> str:
    """Cement tiles from `floor` down, pressed flat as the eye sees them; `size` 1 is a 40-unit tile.

    The tiles are doubled again and again instead of filled as a pattern: that is drawn four times faster.
    """
    tiles, wide, high = tile(motif, colours) + grout(), MODULE, MODULE
    while wide * size < WIDTH:
        tiles, wide = _doubled(f"w{wide}", tiles, wide, 0), 2 * wide
    while high * size * _FLAT < HEIGHT - floor:
        tiles, high = _doubled(f"h{high}", tiles, 0, high), 2 * high
    return (
        rect(0, floor, WIDTH, HEIGHT - floor, colours.ground)
        + moved(tiles, 0, floor, scale=size, flatten=_FLAT)
        + path(f"M0 {floor:g}H320V{floor + 12:g}H0Z", NIGHT, 0.1)
    )


def _doubled(name: str, marks: str, dx: float, dy: float) -> str:
    return f'<g id="{name}">{marks}</g>{again(name, dx, dy)}'


def table_top(colour: str, floor: float) -> str:
    """A wooden table from edge to edge: the small things stand here."""
    wood = mix(WOOD, colour, 0.18)
    boards = "".join(line(f"M0 {y:g}H320", mix(wood, NIGHT, 0.3), 1.2) for y in (floor + 26, floor + 62, floor + 108))
    grain = line(
        f"M12 {floor + 12:g}h70m60 4h96M40 {floor + 44:g}h120m50-6h90M-4 {floor + 84:g}h64m70 8h130",
        mix(wood, WHITE, 0.22),
        2,
    )
    return (
        rect(0, floor, WIDTH, HEIGHT - floor, wood) + rect(0, floor, WIDTH, 5, mix(wood, WHITE, 0.3)) + boards + grain
    )


def ground(colour: str) -> str:
    """A plain sheet seen from above, with one plane of light across it."""
    return rect(0, 0, WIDTH, HEIGHT, colour) + path("M0 0H214L86 400H0Z", _lit(colour))


def contact_shadow(cx: float, y: float, rx: float) -> str:
    """The shadow where something stands; light comes from the left, so it reaches a little to the right."""
    return oval(cx + rx * 0.07, y, rx, max(4, rx * 0.115), NIGHT, 0.26)


def cast(marks: str, dx: float, dy: float) -> str:
    """`marks` with a hard-edged shadow on the surface behind them.

    The shadow is the outline of the marks as a mask: a drop-shadow filter takes three times as long.
    """
    held = f'<g id="cast">{marks}</g>'
    return (
        f'<mask id="shade" mask-type="alpha" maskUnits="userSpaceOnUse" x="0" y="0" width="{WIDTH}"'
        f' height="{HEIGHT}">{moved(held, dx, dy)}</mask>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{NIGHT}" opacity=".17" mask="url(#shade)"/>{again("cast")}'
    )


def glow(cx: float, cy: float, colour: str, size: float = 1) -> str:
    """Two rings of lamplight on the wall; at `size` 1 they fill the width of the picture."""
    return disc(cx, cy, 150 * size, colour, 0.2) + disc(cx, cy, 112 * size, colour, 0.28)


class Measure(NamedTuple):
    """A thing whose size everybody knows. `marks` stand on 0, 0 and rise upwards, 10 units a centimetre."""

    width_cm: float
    height_cm: float
    marks: str


def _hand() -> Measure:
    skin, crease, cuff = "#dca27c", "#b97a55", "#f4f7f4"
    fingers = "M-31-80-35-152M-9-84V-169M13-82 17-155M34-70 41-124"
    marks = (
        rect(-32, -20, 64, 60, skin)
        + line("M-26-34-64-88", skin, 24)
        + line(fingers, skin, 20)
        + path("M-43-92Q-44-10-32 6H32Q46-20 44-80Q0-104-43-92Z", skin)
        + path("M44-80Q46-20 32 6H12Q34-30 30-88Z", crease, 0.35)
        + line("M-20-86V-92M2-86V-94M24-80V-88M-38-66Q0-60 22-74M-36-48Q-4-28 4 0", crease, 3)
        + path("M-44 22Q0 12 44 22V70H-44Z", cuff)
        + path("M14 17Q32 18 44 22V70H14Z", mix(cuff, NIGHT, 0.14))
        + line("M-38 30Q0 22 38 30", mix(cuff, NIGHT, 0.25), 2, dash="5 6")
    )
    return Measure(12.8, 18, moved(marks, 12))


def _ruler() -> Measure:
    wood, ink = "#e2b96f", mix(WOOD, NIGHT, 0.55)
    ticks = "".join(f"M-15-{y}h{16 if y % 50 == 0 else 9}" for y in range(10, 300, 10))
    return Measure(
        3,
        30,
        rect(-15, -300, 30, 300, wood, 3)
        + rect(7, -300, 8, 300, mix(wood, NIGHT, 0.14), 3)
        + line(ticks, ink, 1.8)
        + disc(3, -288, 4, mix(wood, NIGHT, 0.6)),
    )


def _chair() -> Measure:
    wood, dark, light = "#a9683a", "#7b4726", "#c4834f"
    return Measure(
        46,
        86,
        path("M-170-440-150 0h-34L-206-440ZM170-440 150 0h34L206-440Z", dark)
        + path("M-150-860h36L-130-420h-36ZM150-860h-36l16 440h36Z", dark)
        + path("M-146-850Q0-880 146-850V-770Q0-800-146-770Z", wood)
        + path("M-140-700Q0-728 140-700V-660Q0-688-140-660Z", wood)
        + line("M-144-842Q0-870 144-842", light, 8)
        + line("M-50-676V-450M50-676V-450", wood, 22)
        + path("M-176-476H176L224-404H-224Z", light)
        + path("M-224-404H224V-366Q224-356 214-356H-214Q-224-356-224-366Z", wood)
        + path("M-210-360h44L-178 40h-36ZM210-360h-44l12 400h36Z", wood)
        + path("M-210-360h16L-198 40h-16Z", light)
        + line("M-176-130H176", dark, 16),
    )


def _door() -> Measure:
    leaf, frame = "#3c7a69", "#f1ece2"
    panel = mix(leaf, NIGHT, 0.22)
    slats = "".join(f"M{x}-{y}h260" for x in (-320, 60) for y in range(1240, 1880, 80))
    return Measure(
        92,
        206,
        rect(-460, -2060, 920, 2060, frame)
        + rect(-400, -2000, 800, 2000, leaf)
        + "".join(rect(x, -1880, 300, 700, panel) for x in (-340, 40))
        + "".join(rect(x, -1060, 300, 940, panel) for x in (-340, 40))
        + line(slats, mix(leaf, WHITE, 0.22), 12)
        + disc(352, -1010, 34, BRASS)
        + rect(-460, -40, 920, 40, mix(CLAY, NIGHT, 0.2)),
    )


HAND, RULER, CHAIR, DOOR = _hand(), _ruler(), _chair(), _door()


def nail(x: float, y: float) -> str:
    """What a thing on the wall hangs from."""
    return disc(x, y, 4.5, INK) + disc(x - 1.2, y - 1.2, 1.6, WHITE, 0.6)


def at_scale(measure: Measure, x: float, y: float, units_per_cm: float) -> str:
    """A thing of known size, standing on x, y."""
    return moved(measure.marks, x, y, scale=units_per_cm / 10)
