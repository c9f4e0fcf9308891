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


class _Pair:
    """An object right of something everybody knows, both to one scale: `unit` picture units a centimetre."""

    def __init__(self, thing: Thing, marks: str, height_cm: float) -> None:
        self.thing, self.marks, self.height_cm = thing, marks, height_cm
        self.width_cm = height_cm * thing.box.width / thing.box.height
        self.measure = _measure_for(thing, max(self.width_cm, height_cm))

    def fit(self, room: float, tallest_cm: float) -> None:
        """Choose the scale: both fit between the edges, and `tallest_cm` into `room` units of height."""
        span_cm = 1.1 * (self.measure.width_cm + self.width_cm)
        self.unit = min(272 / span_cm, room / tallest_cm)
        left = (stage.WIDTH - self.unit * span_cm) / 2
        self.known_x = left + self.unit * self.measure.width_cm / 2
        self.thing_x = stage.WIDTH - left - self.unit * self.width_cm / 2
        self.size = self.unit * self.height_cm / self.thing.box.height

    def known(self, foot: float) -> str:
        return stage.at_scale(self.measure, self.known_x, foot, self.unit)

    def known_shadow(self, foot: float) -> str:
        return stage.contact_shadow(self.known_x, foot - 1, self.unit * self.measure.width_cm * 0.55)

    def shown(self, marks: str, lowest: float) -> str:
        """`marks` of the object at its size, its lowest point on `lowest`."""
        x, y = self.thing.box.middle[0], self.thing.box.bottom
        return moved(marks, self.thing_x - self.size * x, lowest - self.size * y, scale=self.size)


def _in_scale(thing: Thing, marks: str, place: _Place, height_cm: float) -> str:
    pair = _Pair(thing, marks, height_cm)
    if thing.place == "floor":
        return _standing_pair(pair, place)
    return _pair_on_the_wall(pair, place) if pair.measure is stage.RULER else _pair_in_the_room(pair, place)


def _standing_pair(pair: _Pair, place: _Place) -> str:
    """Both on a table, or on the floor beside a chair. A hand comes up in front of the table."""
    foot = 344.0
    pair.fit(262, max(pair.measure.height_cm, pair.height_cm))
    ground = _room(place, 262, 0.6) if pair.measure is stage.CHAIR else _table(place, 258)
    glow = _pair_glow(pair, place, foot)
    thing = pair.shown(_shadow(pair.thing) + pair.thing.beam + pair.marks, foot)
    if pair.measure is stage.HAND:
        return ground + glow + thing + pair.known(foot + 14)
    return ground + glow + pair.known_shadow(foot) + pair.known(foot) + thing


def _pair_on_the_wall(pair: _Pair, place: _Place) -> str:
    """Both on the wall, their middles level."""
    pair.fit(300, max(pair.measure.height_cm, pair.height_cm))
    lowest = 190 + pair.unit * pair.height_cm / 2
    ruler = pair.known(190 + pair.unit * pair.measure.height_cm / 2)
    return _room(place, 366) + _pair_glow(pair, place, lowest) + _hung(pair, lowest, ruler)


def _pair_in_the_room(pair: _Pair, place: _Place) -> str:
    """The object as high on the wall as one hangs things, over a chair or beside a door."""
    foot, hangs_at_cm = 344.0, max(170, pair.height_cm + 12)
    pair.fit(300, max(pair.measure.height_cm, hangs_at_cm))
    lowest = foot - pair.unit * (hangs_at_cm - pair.height_cm)
    if pair.measure is stage.DOOR:
        room = _room(place, foot, 0.5) + pair.known(foot)
    else:
        room = _room(place, foot - 18, 0.5) + pair.known_shadow(foot) + pair.known(foot)
    return room + _pair_glow(pair, place, lowest) + _hung(pair, lowest)


def _hung(pair: _Pair, lowest: float, beside: str = "") -> str:
    shown = pair.shown(pair.marks, lowest)
    if pair.thing.place == "ceiling":
        cord = _cord(pair.thing_x, lowest - pair.unit * pair.height_cm)
        return (stage.cast(beside, 4, 5) if beside else "") + cord + shown
    return stage.cast(beside + shown, 4, 5)


def _pair_glow(pair: _Pair, place: _Place, lowest: float) -> str:
    if not place.glow:
        return ""
    middle = lowest - pair.unit * pair.height_cm / 2
    return stage.glow(pair.thing_x, middle, place.glow, min(0.9, pair.size))


def _detail(thing: Thing, marks: str, place: _Place) -> str:
    x, y = thing.focus
    close = moved(marks, 160 - thing.zoom * x, 200 - thing.zoom * y, scale=thing.zoom)
    return stage.wall(place.wall) + stage.cast(close, 10, 12)


def _flat(thing: Thing, marks: str, place: _Place) -> str:
    cx, cy = thing.box.middle
    size = min(252 / thing.box.width, 312 / thing.box.height)
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
    own = "p" + hashlib.sha256(what.encode()).hexdigest()[:6]
    return svg.replace(' id="', f' id="{own}-').replace("url(#", f"url(#{own}-").replace('href="#', f'href="#{own}-')
