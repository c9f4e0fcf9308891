"""What an object is painted with: the ramp of its colour, a second colour that suits it, and a motif."""

from typing import NamedTuple

from sampan.demo.art.colour import accent_for, ramp
from sampan.demo.art.pen import moved
from sampan.demo.art.tiles import Motif, figure


class Paint(NamedTuple):
    """The colours of one object, light to dark, with the `motif` its maker prints, weaves or embroiders."""

    pale: str
    light: str
    base: str
    dark: str
    deep: str
    accent: str
    motif: Motif

    def print(self, x: float, y: float, scale: float, colour: str, middle: str) -> str:
        """The motif at x, y; at scale 1 it is 36 across."""
        return moved(figure(self.motif, colour, middle), x, y, scale=scale)


def paint(colour: str, motif: Motif) -> Paint:
    """Everything one colour (`#rrggbb`) and a motif give."""
    return Paint(*ramp(colour), accent=accent_for(colour), motif=motif)
