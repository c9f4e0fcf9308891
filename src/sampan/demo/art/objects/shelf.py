"""The shelf: every kind of object the demo shop can photograph, with its true size and how to place it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from sampan.demo.art.paint import Paint

Place = Literal["floor", "wall", "ceiling"]


class Box(NamedTuple):
    """The edges of a drawing, in picture units."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


class Foot(NamedTuple):
    """Where a thing touches the floor: from `left` to `right`, at the height `y`."""

    left: float
    right: float
    y: float


class Thing(NamedTuple):
    """One kind of object.

    `draw` paints it on a 320 × 400 picture; all its ink lies inside `box`, which is `height_cm` high in the
    world. The close-up looks at `focus`, enlarged `zoom` times. What stands has a `foot`. A thing that
    `glows` is shown on a dark wall; `beam` is the light it throws, no part of the object.
    """

    draw: Callable[[Paint], str]
    height_cm: float
    box: Box
    focus: tuple[float, float]
    foot: Foot | None = None
    zoom: float = 2.3
    place: Place = "floor"
    glows: bool = False
    beam: str = ""
