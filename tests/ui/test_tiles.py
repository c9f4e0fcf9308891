from xml.etree import ElementTree

import pytest

from sampan.ui.tiles import COLOURS, MOTIFS, tile_pattern


@pytest.mark.parametrize("motif", MOTIFS)
@pytest.mark.parametrize("colours", COLOURS)
def test_every_motif_is_drawn_in_every_set_of_colours(motif: str, colours: str) -> None:
    svg = ElementTree.fromstring(str(tile_pattern(motif, colours)))
    fills = {path.get("fill") for path in svg.iter("path")}
    assert {COLOURS[colours].ground, COLOURS[colours].first} <= fills
    assert svg.get("aria-hidden") == "true"


def test_the_same_pattern_is_the_same_bytes() -> None:
    assert tile_pattern("fan", "jade") == tile_pattern("fan", "jade")


def test_a_key_tells_two_patterns_of_a_page_apart() -> None:
    assert 'id="tiles-fan-jade-hero"' in tile_pattern("fan", "jade", key="hero")
    assert "url(#tiles-fan-jade-hero)" in tile_pattern("fan", "jade", key="hero")


def test_a_key_cannot_break_out_of_its_attribute() -> None:
    assert "<script>" not in tile_pattern("fan", "jade", key='"><script>')


def test_an_unknown_motif_is_refused() -> None:
    with pytest.raises(KeyError):
        tile_pattern("stripes", "jade")
