"""The drawings of the demo shop: every kind, every view, in any colour."""

import io
import re
from xml.etree import ElementTree

import pytest
import resvg_py
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from sampan.demo.art import stage
from sampan.demo.art.colour import accent_for, difference, mix, oklab, ramp
from sampan.demo.art.objects.kinds import KINDS
from sampan.demo.art.paint import paint
from sampan.demo.art.scene import VIEWS, draw, rasterise
from sampan.demo.art.tiles import FLOORS, HERO, MOTIFS, TileColours, tile_pattern_svg

RED, TEAL = "#c6321f", "#2c7f80"
SVG = "{http://www.w3.org/2000/svg}"

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
views = pytest.mark.parametrize("view", VIEWS)
kinds = pytest.mark.parametrize("kind", KINDS)


def pixels(svg: str, width: int = 80) -> Image.Image:
    return Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, width=width, skip_system_fonts=True)))


def without_names(svg: str) -> str:
    return re.sub(r"p[0-9a-f]{6}-", "", svg)


def test_the_shelf_holds_at_least_twenty_two_kinds() -> None:
    assert len(KINDS) >= 22


@kinds
@views
def test_every_kind_can_be_drawn_in_every_view(kind: str, view: str) -> None:
    svg = draw(kind, RED, "SKU1", view)
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox") == "0 0 320 400"
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names)), "an id is used twice"
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    assert used <= set(names), "a name is used that nothing bears"
    assert "NaN" not in svg
    assert "None" not in svg
    assert 1_000 <= len(svg.encode()) <= 6_000
    picture = pixels(svg)
    assert picture.size == (80, 100)
    assert len(picture.convert("RGB").quantize(64).getcolors() or []) >= 8, "nothing but a wall"


@kinds
@views
def test_the_same_sku_is_always_drawn_alike(kind: str, view: str) -> None:
    assert draw(kind, TEAL, "AB12-TEAL", view) == draw(kind, TEAL, "AB12-TEAL", view)


@kinds
@views
def test_the_colour_of_the_variant_changes_the_picture(kind: str, view: str) -> None:
    in_red, in_teal = (pixels(draw(kind, colour, "AB12", view)).convert("RGB") for colour in (RED, TEAL))
    red, green, blue = ImageChops.difference(in_red, in_teal).split()
    changed = ImageChops.lighter(ImageChops.lighter(red, green), blue).point(lambda value: 255 if value > 24 else 0)
    assert changed.histogram()[255] >= 60, "too little of the picture takes the colour"


@kinds
def test_two_pictures_can_share_a_page(kind: str) -> None:
    first, second = (
        {element.get("id") for element in ElementTree.fromstring(draw(kind, RED, sku, "stage")).iter()} - {None}
        for sku in ("AB12-RED", "AB12-TEAL")
    )
    assert not first & second


def test_all_variants_of_a_product_are_photographed_in_the_same_place() -> None:
    small, large = (draw("tee", TEAL, f"AOT01-TEAL-{size}", "stage") for size in ("S", "L"))
    assert without_names(small) == without_names(large)


def test_products_are_photographed_in_different_places() -> None:
    assert len({without_names(draw("bowl", TEAL, f"TO{number}", "stage")) for number in range(40)}) >= 25


@kinds
def test_a_drawing_keeps_inside_its_box(kind: str) -> None:
    """The views place and scale a thing by its box; ink outside would be cut off or float."""
    thing = KINDS[kind]
    for motif in MOTIFS:
        marks = thing.draw(paint(RED, motif))
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-40 -40 400 480">{marks}</svg>'
        ink = pixels(svg, width=400).getchannel("A").point(lambda alpha: 255 if alpha > 100 else 0).getbbox()
        assert ink is not None
        left, top, right, bottom = (edge - 40 for edge in ink)
        assert left == pytest.approx(thing.box.left, abs=2)
        assert top == pytest.approx(thing.box.top, abs=2)
        assert right == pytest.approx(thing.box.right, abs=2)
        assert bottom == pytest.approx(thing.box.bottom, abs=2)


@kinds
def test_a_thing_stands_on_the_floor_or_hangs(kind: str) -> None:
    thing = KINDS[kind]
    assert 12 <= thing.box.left < thing.box.right <= stage.WIDTH - 12
    assert 20 <= thing.box.top < thing.box.bottom <= stage.HEIGHT - 10
    if thing.place == "floor":
        assert thing.foot is not None
        assert thing.box.left <= thing.foot.left < thing.foot.right <= thing.box.right
        assert 330 <= thing.foot.y <= thing.box.bottom
    else:
        assert thing.foot is None
    if thing.place == "wall":
        assert thing.box.bottom <= 342, "it would hang down over the floor"


def test_a_taller_article_is_drawn_taller_beside_the_same_chair() -> None:
    heights = []
    for height_cm in (50, 80):
        scales = re.findall(r"scale\(([\d.]+)\)", draw("backpack", RED, "BAL1", "in_scale", height_cm=height_cm))
        heights.append(float(scales[1]) / float(scales[0]))
    assert heights[1] / heights[0] == pytest.approx(80 / 50, rel=0.01)


@pytest.mark.parametrize(
    ("height_cm", "measure"), [(10, stage.HAND), (30, stage.RULER), (60, stage.CHAIR), (100, stage.CHAIR)]
)
def test_a_thing_is_shown_beside_something_of_about_its_size(height_cm: float, measure: stage.Measure) -> None:
    assert measure.marks in draw("thermos", RED, "PHK1", "in_scale", height_cm=height_cm)


@given(colour=colours)
def test_the_wall_never_swallows_the_object(colour: str) -> None:
    svg = draw("stool", colour, "GHE01", "stage")
    walls = re.findall(r'<rect x="0" y="0" width="320" height="400" fill="(#[0-9a-f]{6})"', svg)
    assert len(walls) == 1
    assert difference(walls[0], colour) > 0.1


@given(colour=colours, other=colours)
def test_colours_mix_from_one_end_to_the_other(colour: str, other: str) -> None:
    assert mix(colour, other, 0) == colour
    assert mix(colour, other, 1) == other
    assert difference(colour, colour) == 0
    assert difference(colour, other) == pytest.approx(difference(other, colour))


@given(colour=colours)
def test_a_ramp_leads_from_light_to_shade_and_the_accent_stands_out(colour: str) -> None:
    lightness = [oklab(step)[0] for step in ramp(colour)]
    assert lightness[0] >= lightness[1] >= lightness[2]
    assert difference(accent_for(colour), colour) > 0.05


def test_white_and_black_are_the_ends_of_lightness() -> None:
    assert oklab("#ffffff") == pytest.approx((1, 0, 0), abs=1e-3)
    assert oklab("#000000") == pytest.approx((0, 0, 0), abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "colour", "view"),
    [("spaceship", RED, "stage"), ("stool", "red", "stage"), ("stool", "#c6321", "stage"), ("stool", RED, "behind")],
)
def test_an_unknown_kind_colour_or_view_is_refused(kind: str, colour: str, view: str) -> None:
    with pytest.raises(ValueError):
        draw(kind, colour, "SKU1", view)


@pytest.mark.parametrize("width", [160, 320, 640])
def test_a_picture_becomes_a_webp_of_the_width_asked(width: int) -> None:
    data = rasterise(draw("phin", RED, "PHI01", "stage"), width)
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "WEBP"
    assert picture.size == (width, width * 5 // 4)
    assert len(data) < 60_000


def test_what_is_no_picture_cannot_be_rasterised() -> None:
    with pytest.raises(ValueError):
        rasterise("a poem", 320)
    with pytest.raises(ValueError):
        rasterise(draw("phin", RED, "PHI01", "stage"), 0)


@pytest.mark.parametrize("motif", [*MOTIFS, "flower+star"])
def test_a_pattern_has_the_tiles_asked_for(motif: str) -> None:
    svg = tile_pattern_svg(motif, HERO, 8, 6)
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height")) == ("320", "240")
    assert len(svg) < 4_000
    picture = pixels(svg, width=320).convert("RGB")
    first, below = picture.crop((0, 0, 40, 40)), picture.crop((0, 40, 40, 80))
    assert (first.tobytes() == below.tobytes()) == ("+" not in motif)
    assert first.tobytes() == picture.crop((80, 80, 120, 120)).tobytes()


def test_the_colours_of_a_pattern_show() -> None:
    for motif, pigments in FLOORS:
        shown = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in _colours_of(tile_pattern_svg(motif, pigments, 4, 4))}
        assert {pigments.ground, pigments.figure, pigments.accent} <= shown


def _colours_of(svg: str) -> list[tuple[int, tuple[int, int, int]]]:
    found = pixels(svg, width=320).convert("RGB").getcolors(1 << 16)
    assert found is not None
    return [(count, (pixel[0], pixel[1], pixel[2])) for count, pixel in found if isinstance(pixel, tuple)]


@pytest.mark.parametrize("motif", ["", "cross", "flower+", "flower+star+fan", "flower star"])
def test_an_unknown_motif_is_refused(motif: str) -> None:
    with pytest.raises(ValueError):
        tile_pattern_svg(motif, TileColours("#ffffff", RED, TEAL), 2, 2)


def test_a_pattern_without_tiles_is_refused() -> None:
    with pytest.raises(ValueError):
        tile_pattern_svg("star", HERO, 0, 4)
