"""The few SVG marks everything is drawn with. Coordinates are the units of a 320 × 400 picture."""


def n(value: float) -> str:
    """A number as SVG wants it: at most one decimal, no trailing zero."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def path(d: str, fill: str, opacity: float = 1) -> str:
    """A filled shape."""
    return f'<path d="{d}" fill="{fill}"{_opacity(opacity)}/>'


def line(d: str, colour: str, width: float, opacity: float = 1, dash: str = "") -> str:
    """A stroke with round ends; `dash` as in `stroke-dasharray`."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{n(width)}" stroke-linecap="round"'
        f' stroke-linejoin="round"{dashes}{_opacity(opacity, "stroke")}/>'
    )


def rect(x: float, y: float, w: float, h: float, fill: str, corner: float = 0, opacity: float = 1) -> str:
    """A rectangle, its corners rounded by `corner`."""
    rounded = f' rx="{n(corner)}"' if corner else ""
    return f'<rect x="{n(x)}" y="{n(y)}" width="{n(w)}" height="{n(h)}"{rounded} fill="{fill}"{_opacity(opacity)}/>'


def oval(cx: float, cy: float, rx: float, ry: float, fill: str, opacity: float = 1) -> str:
    """A filled ellipse."""
    return f'<ellipse cx="{n(cx)}" cy="{n(cy)}" rx="{n(rx)}" ry="{n(ry)}" fill="{fill}"{_opacity(opacity)}/>'


def disc(cx: float, cy: float, r: float, fill: str, opacity: float = 1) -> str:
    """A filled circle."""
    return f'<circle cx="{n(cx)}" cy="{n(cy)}" r="{n(r)}" fill="{fill}"{_opacity(opacity)}/>'


def ring(cx: float, cy: float, r: float, colour: str, width: float, opacity: float = 1) -> str:
    """A circle as a stroke."""
    return (
        f'<circle cx="{n(cx)}" cy="{n(cy)}" r="{n(r)}" fill="none" stroke="{colour}"'
        f' stroke-width="{n(width)}"{_opacity(opacity, "stroke")}/>'
    )


def moved(marks: str, x: float = 0, y: float = 0, turn: float = 0, scale: float = 1, flatten: float = 1) -> str:
    """`marks` scaled (and pressed flat by `flatten`), turned by degrees, then moved to x, y."""
    steps = [f"translate({n(x)} {n(y)})"] if x or y else []
    if turn:
        steps.append(f"rotate({n(turn)})")
    if scale != 1 or flatten != 1:
        steps.append(f"scale({scale:.4g} {scale * flatten:.4g})" if flatten != 1 else f"scale({scale:.4g})")
    return f'<g transform="{" ".join(steps)}">{marks}</g>' if steps else marks


def clipped(name: str, outline: str, marks: str) -> str:
    """`marks` cut to `outline` (path data). `name` is unique inside its drawing."""
    return f'<clipPath id="{name}"><path d="{outline}"/></clipPath><g clip-path="url(#{name})">{marks}</g>'


def kept(name: str, marks: str) -> str:
    """Draws nothing yet: keeps `marks` under `name`, for `again`."""
    return f'<defs><g id="{name}">{marks}</g></defs>'


def again(name: str, x: float = 0, y: float = 0, turn: float = 0, scale: float = 1) -> str:
    """What was kept under `name`, placed as `moved` places it."""
    return moved(f'<use href="#{name}"/>', x, y, turn, scale)


def woven(name: str, width: float, height: float, marks: str, turn: float = 0) -> str:
    """Defines a repeating texture to fill shapes with: use it as `url(#name)`."""
    turned = f' patternTransform="rotate({n(turn)})"' if turn else ""
    return (
        f'<pattern id="{name}" width="{n(width)}" height="{n(height)}" patternUnits="userSpaceOnUse"{turned}>'
        f"{marks}</pattern>"
    )


def _opacity(opacity: float, of: str = "fill") -> str:
    """Of a fill or a stroke: the opacity of a whole shape would cost a layer of the size of the picture."""
    return "" if opacity == 1 else f' {of}-opacity="{opacity:g}"'
