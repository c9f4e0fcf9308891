"""Đồ nhà: what a house sits on, sweeps with, cools itself with and tells the time by."""

import math

from sampan.demo.art.colour import (
    BAMBOO,
    BRASS,
    CLAY,
    INK,
    IRON,
    NIGHT,
    PAPER,
    STEEL,
    STRING,
    WHITE,
    WOOD,
    mix,
)
from sampan.demo.art.paint import Paint
from sampan.demo.art.pen import clipped, disc, line, moved, n, oval, path, rect, ring, woven
from sampan.demo.art.stage import nail


def stool(c: Paint) -> str:
    """The stackable plastic stool of every pavement."""
    back_legs = path("M118 168 104 330H126L144 168Z", c.dark) + path("M176 168 194 330H216L202 168Z", c.deep)
    front = (
        path("M96 176 72 346H98L120 228H200L222 346H248L224 176Z", c.base)
        + path("M120 228H200L196 206H124Z", c.dark)
        + path("M96 176H112L84 346H72Z", c.light)
        + path("M212 176H224L248 346H236Z", c.dark)
        + line("M134 216H186", c.deep, 3, 0.6)
    )
    seat = (
        path("M86 150Q86 136 100 136H220Q234 136 234 150V170Q234 180 222 180H98Q86 180 86 170Z", c.light)
        + path("M86 160Q88 180 98 180H222Q232 180 234 160V170Q234 180 222 180H98Q86 180 86 170Z", c.base)
        + path("M214 136H220Q234 136 234 150V170Q234 180 222 180H210Q224 160 214 136Z", c.base)
        + line("M108 146H196", c.pale, 5)
        + oval(160, 158, 6, 4, c.deep)
    )
    return back_legs + front + seat


def basket(c: Paint) -> str:
    """A bamboo basket with a dyed band and two handles."""
    weave = woven(
        "weave",
        20,
        16,
        rect(0, 0, 20, 16, BAMBOO)
        + rect(0, 0, 9, 7, mix(BAMBOO, WHITE, 0.28), 1.5)
        + rect(10, 8, 9, 7, mix(BAMBOO, WHITE, 0.28), 1.5)
        + rect(10, 0, 9, 7, mix(BAMBOO, NIGHT, 0.16), 1.5)
        + rect(0, 8, 9, 7, mix(BAMBOO, NIGHT, 0.16), 1.5),
    )
    body = "M58 204H262L240 336Q238 354 220 354H100Q82 354 80 336Z"
    handle = line("M88 200C70 132 138 132 128 200M192 200C182 132 250 132 232 200", mix(WOOD, NIGHT, 0.3), 11)
    return (
        weave
        + handle
        + line(
            "M92 188C84 150 122 144 126 178M196 178C190 150 236 144 230 186",
            mix(WOOD, WHITE, 0.2),
            3,
            dash="8 6",
        )
        + oval(160, 204, 102, 20, mix(BAMBOO, NIGHT, 0.5))
        + oval(160, 210, 88, 12, mix(BAMBOO, NIGHT, 0.66))
        + clipped(
            "body",
            body,
            path(body, "url(#weave)")
            + path("M40 254Q160 280 280 254V296Q160 322 40 296Z", c.base)
            + "".join(c.print(x, 286 - abs(x - 160) * 0.06, 0.7, c.pale, c.accent) for x in (88, 124, 160, 196, 232))
            + line("M50 255Q160 281 270 255M60 296Q160 322 260 296", c.deep, 3)
            + path("M40 200H92L104 360H40Z", WHITE, 0.2)
            + path("M224 200H280V360H206Z", NIGHT, 0.24),
        )
        + path("M58 204A102 20 0 0 0 262 204L260 217A101 20 0 0 1 60 217Z", mix(WOOD, WHITE, 0.12))
        + line("M64 214Q100 230 160 231", mix(WOOD, WHITE, 0.5), 3)
    )


def hammock(c: Paint) -> str:
    """A cotton hammock between two hooks."""
    cloth = "M52 138C80 250 240 250 268 138 262 266 226 318 160 318S58 266 52 138Z"
    fringe = "".join(
        f"M{n(x)} {n(y)}v{14 if k % 2 else 18}"
        for k in range(13)
        for x, y in ((78 + k * 13.7, 318 - 46 * abs((k - 6) / 6) ** 2.2),)
    )
    stripes = "".join(
        line(
            f"M{52 + k * 3} {138 + k * 9}C{74 + k * 3} {258 + k * 9}"
            f" {246 - k * 3} {258 + k * 9} {268 - k * 3} {138 + k * 9}",
            colour,
            7,
        )
        for k, colour in ((2, c.pale), (4, c.accent), (6, c.pale), (8, c.dark))
    )
    ropes = "".join(
        f"M{52 + k * 1.5:g} {138 + k * 8}L24 92M{268 - k * 1.5:g} {138 + k * 8}L296 92" for k in (0, 3, 6, 9)
    )
    return (
        line(ropes, mix(STRING, NIGHT, 0.25), 2.4)
        + path("M52 138C80 214 240 214 268 138 240 254 80 254 52 138Z", c.deep)
        + clipped(
            "cloth",
            cloth,
            path(cloth, c.base)
            + stripes
            + path("M216 120H280V330H190Q214 250 216 120Z", NIGHT, 0.2)
            + path("M40 120H92Q84 250 110 320H40Z", WHITE, 0.16),
        )
        + line(fringe, c.accent, 3)
        + line("M24 92V80M296 92V80", mix(STRING, NIGHT, 0.3), 6)
        + nail(24, 78)
        + nail(296, 78)
    )


def clock(c: Paint) -> str:
    """A round enamel clock."""
    hours = "".join(line(_spoke(160, 200, 74 if h % 3 else 68, 82, h / 12), INK, 3 if h % 3 else 6) for h in range(12))
    return (
        line("M160 92 132 106M160 92 188 106", mix(STRING, NIGHT, 0.35), 3)
        + nail(160, 90)
        + disc(160, 200, 106, c.dark)
        + disc(158, 197, 104, c.base)
        + path("M70 146A104 104 0 0 1 158 93V107A92 92 0 0 0 78 156Z", c.light)
        + disc(160, 200, 90, c.deep)
        + disc(161, 202, 87, "#fbfdfb")
        + path("M161 115A87 87 0 0 0 74 202H88A76 76 0 0 1 161 127Z", NIGHT, 0.1)
        + hours
        + c.print(160, 236, 0.72, c.base, c.accent)
        + line("M160 200 122 164", INK, 8)
        + line("M160 200 208 150", INK, 5)
        + line("M150 222 184 128", c.base, 2.5)
        + disc(160, 200, 8, c.base)
        + disc(160, 200, 3, BRASS)
        + line("M86 150A88 88 0 0 1 120 116", WHITE, 4, 0.8)
    )


def fan(c: Paint) -> str:
    """A table fan as our grandparents had it."""
    blades = "".join(
        moved(
            path("M-6-10C-44-30-46-84-4-88 26-86 30-44 8-10Z", c.base)
            + path("M-4-88C26-86 30-44 8-10L2-12C16-44 12-76-4-88Z", c.dark),
            160,
            176,
            turn=turn,
        )
        for turn in (20, 110, 200, 290)
    )
    spokes = "".join(_spoke(160, 176, 26, 96, k / 24) for k in range(24))
    return (
        path("M146 262H174L180 326H140Z", c.dark)
        + path("M146 262H156L154 326H140Z", c.base)
        + path("M92 340Q92 318 124 318H196Q228 318 228 340V348Q228 356 218 356H102Q92 356 92 348Z", c.base)
        + path("M92 344H228V348Q228 356 218 356H102Q92 356 92 348Z", c.deep)
        + line("M108 328Q112 324 126 324H166", c.pale, 4, 0.8)
        + disc(188, 334, 6, STEEL)
        + disc(208, 334, 6, STEEL)
        + rect(150, 330, 22, 8, c.deep, 4)
        + disc(160, 176, 102, WHITE, 0.3)
        + blades
        + line(spokes, PAPER, 1.6, 0.85)
        + ring(160, 176, 62, PAPER, 1.6, 0.85)
        + ring(160, 176, 100, IRON, 7)
        + ring(159, 175, 100, STEEL, 3.5)
        + disc(160, 176, 24, c.dark)
        + disc(159, 175, 21, c.base)
        + c.print(159, 175, 0.78, c.pale, c.accent)
        + line("M72 132A100 100 0 0 1 108 91", WHITE, 4)
    )


def umbrella(c: Paint) -> str:
    """An open umbrella put down to dry."""
    canopy = (
        line("M0-118V-138", INK, 6)
        + line("M0-20V150C0 184-38 184-38 156", mix(WOOD, NIGHT, 0.2), 9)
        + line("M-2-20V146", mix(WOOD, WHITE, 0.3), 2.5)
        + path(
            "M-124 0Q-96-20-66-2-34-22 0-4 34-22 66-2 96-20 124 0 100-12 66 4 34-12 0 2-34-12-66 4-100-12-124 0Z",
            c.deep,
        )
        + path("M-124 0C-118-76-66-118 0-118S118-76 124 0Q94-22 64-2 32-22 0-4-32-22-64-2-94-22-124 0Z", c.base)
        + path("M-124 0C-118-76-66-118 0-118-52-92-66-50-64-2-94-22-124 0-124 0Z", c.light)
        + path("M124 0C118-76 66-118 0-118 52-92 66-50 64-2 94-22 124 0 124 0Z", c.dark)
        + line("M0-118C-52-92-66-50-64-2M0-118C52-92 66-50 64-2M0-118V-4", c.deep, 1.8, 0.7)
        + c.print(-32, -52, 0.8, c.pale, c.accent)
        + c.print(33, -52, 0.8, c.pale, c.accent)
        + line("M-106-32C-96-64-70-92-44-104", c.pale, 4, 0.8)
    )
    return moved(canopy, 152, 244, turn=-60)


def mat(c: Paint) -> str:
    """Two sleeping mats of dyed sedge, rolled and tied."""

    def roll(x: float, top: float, r: float, bands: tuple[str, str]) -> str:
        sides = f"M{x - r} {top}H{x + r}V350A{r} {r * 0.24:g} 0 0 1 {x - r} 350Z"
        straw = "".join(f"M{n(x - r + k * r / 5)} {top}V362" for k in range(1, 10))
        stripes = "".join(
            path(
                f"M{x - r} {y}A{r} {r * 0.24:g} 0 0 0 {x + r} {y}V{y + h}A{r} {r * 0.24:g} 0 0 1 {x - r} {y + h}Z",
                paint,
            )
            for y, h, paint in (
                (top + 14, 12, bands[0]),
                (top + 32, 5, bands[1]),
                (318, 5, bands[1]),
                (328, 12, bands[0]),
                ((top + 336) / 2 - 24, 7, bands[1]),
                ((top + 336) / 2 - 8, 22, bands[0]),
                ((top + 336) / 2 + 23, 7, bands[1]),
            )
        )
        return (
            clipped(
                f"roll{x:g}",
                sides,
                path(sides, STRING)
                + stripes
                + line(straw, NIGHT, 1, 0.16)
                + path(f"M{x - r} 60H{x - r * 0.55:g}V380H{x - r}Z", WHITE, 0.26)
                + path(f"M{x + r * 0.45:g} 60H{x + r}V380H{x + r * 0.45:g}Z", NIGHT, 0.2),
            )
            + oval(x, top, r, r * 0.24, mix(STRING, WHITE, 0.3))
            + line(
                f"M{n(x + r * 0.8)} {top}"
                f"A{n(r * 0.8)} {n(r * 0.19)} 0 1 0 {n(x - r * 0.1)} {n(top + r * 0.18)}"
                f"A{n(r * 0.6)} {n(r * 0.13)} 0 1 0 {n(x - r * 0.2)} {n(top - r * 0.1)}",
                mix(STRING, NIGHT, 0.4),
                3,
            )
        )

    return (
        roll(198, 92, 44, (c.dark, c.accent))
        + roll(122, 134, 50, (c.base, c.accent))
        + line("M72 204A50 12 0 0 0 172 204", mix(WOOD, NIGHT, 0.4), 4)
        + line("M150 212q-12 18-2 34M152 212q14 12 10 30", mix(WOOD, NIGHT, 0.4), 4)
    )


def broom(c: Paint) -> str:
    """A sorghum broom, its straw bound in coloured cord."""
    straw = "".join(
        line(
            f"M{160 + k * 5} 214Q{160 + k * 9} 270 {n(160 + k * 14.5)} {n(356 - abs(k) * 1.6)}",
            mix(BAMBOO, NIGHT, 0.04 + 0.14 * (k % 2)),
            17,
        )
        for k in range(-6, 7)
    )
    return (
        line("M160 52V210", mix(WOOD, NIGHT, 0.25), 13)
        + line("M157 56V206", mix(WOOD, WHITE, 0.25), 4)
        + line("M160 52C146 36 174 36 160 52", c.base, 4)
        + straw
        + line("M150 222 96 344M158 226 138 350M166 226 186 348M172 224 222 342", mix(BAMBOO, WHITE, 0.45), 2.6)
        + path("M140 196H180L190 232Q160 244 130 232Z", c.base)
        + path("M140 196H150L144 236Q136 235 130 232Z", c.light)
        + path("M180 196H172L176 237Q184 235 190 232Z", c.dark)
        + line("M139 206Q160 213 181 206M136 217Q160 226 184 217M133 227Q160 238 187 227", c.deep, 2)
        + line("M116 276Q160 294 204 276M108 298Q160 318 212 298", c.base, 5)
        + line("M116 274Q140 286 160 286", c.pale, 2)
    )


def tray(c: Paint) -> str:
    """A lacquer tray with its two feet, leaning so that the picture shows."""
    return (
        path("M52 168Q52 150 70 150H250Q268 150 268 168V322Q268 340 250 340H70Q52 340 52 322Z", c.deep)
        + path("M46 162Q46 144 64 144H244Q262 144 262 162V318Q262 336 244 336H64Q46 336 46 318Z", c.base)
        + path("M46 162Q46 144 64 144H244Q250 144 254 147L66 164V330Q46 332 46 318Z", c.light)
        + rect(64, 162, 180, 156, c.dark, 6)
        + rect(70, 170, 174, 148, mix(c.dark, NIGHT, 0.16), 4)
        + rect(78, 178, 156, 130, c.base, 2, 0.35)
        + disc(196, 216, 22, BRASS)
        + line("M86 286Q110 276 134 286T182 286 226 284M94 298Q120 290 146 298T206 297", BRASS, 3)
        + path("M100 270Q140 288 184 268L176 280Q142 292 108 282Z", CLAY)
        + path("M138 272Q112 246 142 208Q150 242 148 272Z", BRASS)
        + path("M152 270Q152 240 148 214Q182 236 174 268Z", mix(BRASS, WHITE, 0.45))
        + line("M58 154H170", c.pale, 4, 0.8)
        + rect(132, 150, 44, 7, c.deep, 3.5)
        + rect(132, 323, 44, 7, c.deep, 3.5)
        + path("M84 336H120L114 354H78ZM196 336H232L238 354H202Z", c.deep)
    )


def _spoke(cx: float, cy: float, inner: float, outer: float, turn: float) -> str:
    """A radius from `inner` to `outer`; `turn` in full turns clockwise from the top."""
    x, y = math.sin(math.tau * turn), -math.cos(math.tau * turn)
    return f"M{n(cx + inner * x)} {n(cy + inner * y)} {n(cx + outer * x)} {n(cy + outer * y)}"
