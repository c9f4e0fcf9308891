"""Product pictures: one object, painted in the colour of its variant, in one of four views.

The set (wall, tiles, motif) follows the part of the SKU before its first dash, so all variants of a product
are photographed in the same place; only the object changes colour, and the wall where the two are too alike.
"""

import hashlib
import io
from typing import Literal, TypeVar, get_args

import resvg_py
from PIL import Image

from sampan.demo.art import stage
from sampan.demo.art.colour import INK, NIGHT, WHITE, difference, mix
from sampan.demo.art.objects.kinds import KINDS
from sampan.demo.art.objects.shelf import Thing
from sampan.demo.art.paint import paint
from sampan.demo.art.pen import line, moved
from sampan.demo.art.tiles import FLOORS, MOTIFS, Motif, TileColours

View = Literal["stage", "in_scale", "detail", "flat"]
VIEWS: tuple[View, ...] = get_args(View)

Choice = TypeVar("Choice")


def draw(kind: str, colour: str, sku: str, view: str, *, height_cm: float | None = None) -> str:
    """The picture of one variant as an SVG of 320 × 400 units.

    `stage` shows it on the tiled floor or on the wall, `in_scale` beside a hand, ruler, chair or door,
    `detail` close up, `flat` cut out on a plain sheet. `colour` is `#rrggbb`. `height_cm` is the true height
    of this article where it is not the usual one of its kind. The same arguments give the same text. Raises
    ValueError for an unknown kind, view or colour.
    """
    if kind not in KINDS:
        raise ValueError(f"nothing on the shelf is called {kind!r}")
    thing = KINDS[kind]
    place = _Place(thing, colour, sku)
    marks = thing.draw(paint(colour, place.motif))
    match view:
        case "stage":
            picture = _stage(thing, marks, place)
        case "in_scale":
            picture = _in_scale(thing, marks, place, height_cm or thing.height_cm)
        case "detail":
            picture = _detail(thing, marks, place)
        case "flat":
            picture = _flat(thing, marks, place)
        case _:
            raise ValueError(f"not a view: {view!r}; there are {', '.join(VIEWS)}")
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{stage.WIDTH}" height="{stage.HEIGHT}"'
        f' viewBox="0 0 {stage.WIDTH} {stage.HEIGHT}">{picture}</svg>'
    )
    return _with_own_ids(svg, f"{kind} {colour} {sku} {view}")


def rasterise(svg: str, width: int) -> bytes:
    """`svg` as a WebP picture `width` pixels wide. Raises ValueError for what is no SVG and for no width."""
    if width < 1:
        raise ValueError(f"a picture is at least one pixel wide, not {width}")
    png = resvg_py.svg_to_bytes(svg_string=svg, width=width, skip_system_fonts=True)
    webp = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(webp, "WEBP", quality=86, method=4)
    return webp.getvalue()


class _Place:
    """Where one product is photographed, decided by its code and kept clear of the colour of the object."""

    def __init__(self, thing: Thing, colour: str, sku: str) -> None:
        seed = hashlib.sha256(sku.split("-")[0].encode()).digest()
        walls = stage.NIGHT_WALLS if thing.glows else stage.WALLS
        self.wall = _clear_of(colour, _turned(walls, seed[0]))
        self.motif: Motif = MOTIFS[seed[1] % len(MOTIFS)]
        floors = _turned(FLOORS, seed[2])
        figure = _clear_of(colour, tuple(colours.figure for _, colours in floors))
        self.floor: tuple[Motif, TileColours] = next(floor for floor in floors if floor[1].figure == figure)
        self.glow = mix(colour, WHITE, 0.6) if thing.glows else ""


def _turned(choices: tuple[Choice, ...], by: int) -> tuple[Choice, ...]:
    start = by % len(choices)
    return choices[start:] + choices[:start]


def _clear_of(colour: str, choices: tuple[str, ...]) -> str:
    """The first choice the eye tells apart from `colour` without effort, else the most different one."""
    for choice in choices:
        if difference(colour, choice) > 0.12:
            return choice
    return max(choices, key=lambda choice: difference(colour, choice))


def _stage(thing: Thing, marks: str, place: _Place) -> str:
    cx, _ = thing.box.middle
    if thing.place == "floor":
        return _room(place, floor=248) + _light(thing, place) + _shadow(thing) + thing.beam + marks
    if thing.place == "ceiling":
        return _room(place, floor=300) + _light(thing, place) + _cord(cx, thing.box.top) + marks
    return _room(place, floor=350) + _light(thing, place) + stage.cast(marks, 7, 9)


def _in_scale(thing: Thing, marks: str, place: _Place, height_cm: float) -> str:
    """The object at its true size to the right of something everybody knows."""
    width_cm = height_cm * thing.box.width / thing.box.height
    measure = _measure_for(thing, max(width_cm, height_cm))
    gap_cm = 0.1 * (measure.width_cm + width_cm)
    hangs_at_cm = max(170, height_cm + 12)
    if thing.place == "floor":
        tallest = max(measure.height_cm, height_cm) * 300 / 262
    elif measure is stage.RULER:
        tallest = max(measure.height_cm, height_cm)
    else:
        tallest = max(measure.height_cm, hangs_at_cm)
    unit = min(272 / (measure.width_cm + gap_cm + width_cm), 300 / tallest)
    left = (stage.WIDTH - unit * (measure.width_cm + gap_cm + width_cm)) / 2
    x_measure = left + unit * measure.width_cm / 2
    x_thing = left + unit * (measure.width_cm + gap_cm + width_cm / 2)
    size = unit * height_cm / thing.box.height

    if thing.place == "floor":
        foot, lowest = 344.0, 344.0
        room = _room(place, 262, 0.6) if measure is stage.CHAIR else _table(place, 258)
    elif measure is stage.RULER:
        foot, lowest = 190 + unit * measure.height_cm / 2, 190 + unit * height_cm / 2
        room = _room(place, 366)
    else:
        foot = 344.0
        lowest = foot - unit * (hangs_at_cm - height_cm)
        room = _room(place, 344 if measure is stage.DOOR else 326, 0.5)
    known = stage.at_scale(measure, x_measure, foot + (14 if measure is stage.HAND else 0), unit)
    x, y = x_thing - size * thing.box.middle[0], lowest - size * thing.box.bottom
    shown = moved(marks, x, y, scale=size)
    if place.glow:
        room += stage.glow(x_thing, lowest - unit * height_cm / 2, place.glow, min(0.9, size))

    if thing.place == "floor":
        shadow = moved(_shadow(thing) + thing.beam, x, y, scale=size)
        if measure is stage.HAND:
            return room + shadow + shown + known
        return room + stage.contact_shadow(x_measure, foot - 1, unit * measure.width_cm * 0.55) + known + shadow + shown
    if measure is stage.RULER:
        known = stage.cast(known, 4, 5)
    elif measure is stage.CHAIR:
        known = stage.contact_shadow(x_measure, foot - 1, unit * measure.width_cm * 0.55) + known
    if thing.place == "ceiling":
        return room + known + _cord(x_thing, lowest - unit * height_cm) + shown
    return room + known + stage.cast(shown, 4, 5)


def _detail(thing: Thing, marks: str, place: _Place) -> str:
    x, y = thing.focus
    close = moved(marks, 160 - thing.zoom * x, 200 - thing.zoom * y, scale=thing.zoom)
    return stage.wall(place.wall) + stage.cast(close, 10, 12)


def _flat(thing: Thing, marks: str, place: _Place) -> str:
    cx, cy = thing.box.middle
    size = min(236 / thing.box.width, 300 / thing.box.height)
    sheet = mix(place.wall, NIGHT if thing.glows else WHITE, 0.3)
    cut_out = moved(marks, 160 - size * cx, 200 - size * cy, scale=size)
    return stage.ground(sheet) + stage.cast(cut_out, 10, 12)


def _room(place: _Place, floor: float, tiles: float = 1) -> str:
    return (
        stage.wall(place.wall, floor)
        + stage.skirting(place.wall, floor)
        + stage.tiled_floor(*place.floor, floor, tiles)
    )


def _table(place: _Place, edge: float) -> str:
    return stage.wall(place.wall, edge) + stage.table_top(place.wall, edge)


def _light(thing: Thing, place: _Place) -> str:
    return stage.glow(*thing.focus, place.glow) if place.glow else ""


def _shadow(thing: Thing) -> str:
    if thing.foot is None:
        return ""
    left, right, y = thing.foot
    return stage.contact_shadow((left + right) / 2, y, (right - left) * 0.53)


def _cord(x: float, to: float) -> str:
    return line(f"M{x:g} -4V{to + 2:g}", INK, 3)


def _measure_for(thing: Thing, largest_cm: float) -> stage.Measure:
    """What to put beside it: something of about its own size."""
    if thing.place == "floor":
        if largest_cm <= 16:
            return stage.HAND
        return stage.RULER if largest_cm <= 42 else stage.CHAIR
    if largest_cm <= 60:
        return stage.RULER
    return stage.CHAIR if largest_cm <= 110 else stage.DOOR


def _with_own_ids(svg: str, what: str) -> str:
    """Names inside a drawing are short; here they get a prefix, so that two pictures can share a page."""
    own = "p" + hashlib.sha256(what.encode()).hexdigest()[:7]
    return svg.replace(' id="', f' id="{own}-').replace("url(#", f"url(#{own}-").replace('href="#', f'href="#{own}-')
