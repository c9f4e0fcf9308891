"""Đèn, trang trí, chăn gối: what makes a room somebody's room."""

import math

from sampan.demo.art.colour import (
    BAMBOO,
    BRASS,
    CLAY,
    INK,
    IRON,
    LEAF,
    NIGHT,
    PAPER,
    RED,
    STRING,
    WHITE,
    WOOD,
    YELLOW,
    mix,
)
from sampan.demo.art.paint import Paint
from sampan.demo.art.pen import again, clipped, disc, kept, line, moved, n, oval, path, rect, ring
from sampan.demo.art.stage import nail
from sampan.demo.art.tiles import figure

LAMPLIGHT = path("M92 204 34 350Q130 366 234 350L178 238Z", YELLOW, 0.22)


def lantern(c: Paint) -> str:
    """A silk lantern on bamboo ribs, alight."""
    ribs = "".join(f"M160 148C{160 + k} 176 {160 + k} 264 160 292" for k in (-92, -62, -30, 0, 30, 62, 92))
    return (
        path("M160 148C252 158 252 282 160 292 68 282 68 158 160 148Z", c.base)
        + path("M160 148C120 160 104 270 160 292 68 282 68 158 160 148Z", c.light, 0.8)
        + path("M160 148C212 170 216 262 160 292 252 282 252 158 160 148Z", c.dark, 0.35)
        + oval(154, 222, 34, 48, mix(c.base, YELLOW, 0.5), 0.55)
        + line(ribs, c.dark, 2, 0.65)
        + line("M100 184Q88 206 90 232", c.pale, 5, 0.8)
        + rect(138, 128, 44, 22, INK, 3)
        + rect(142, 288, 36, 14, INK, 3)
        + line("M142 133H164", IRON, 2.4)
        + line("M152 126C152 112 168 112 168 126", INK, 3)
        + disc(160, 312, 7, c.accent)
        + line("M160 318V362M152 318 149 354M168 318 171 354M156 320 154 360M164 320 166 360", c.dark, 3.4)
        + rect(150, 316, 20, 6, BRASS, 2)
    )


def star(c: Paint) -> str:
    """A mid-autumn star lantern of bamboo and cellophane."""
    points = [
        f"{n(160 + r * math.sin(math.pi * k / 5))} {n(214 - r * math.cos(math.pi * k / 5))}"
        for k, r in enumerate((112, 46) * 5)
    ]
    shades = (c.light, c.base, c.base, c.dark, c.base, c.dark, c.base, c.base, c.light, c.light)
    facets = "".join(path(f"M160 214L{points[k]}L{points[(k + 1) % 10]}Z", shade) for k, shade in enumerate(shades))
    outline = "M" + "L".join(points) + "Z"
    spokes = "".join(f"M160 214L{point}" for point in points[::2])
    return (
        ring(160, 214, 112, mix(BAMBOO, NIGHT, 0.15), 5)
        + "".join(
            disc(
                160 + 112 * math.cos(math.tau * (k + 0.5) / 20),
                214 + 112 * math.sin(math.tau * (k + 0.5) / 20),
                3.6,
                c.accent,
            )
            for k in range(20)
        )
        + facets
        + disc(160, 214, 34, YELLOW, 0.5)
        + disc(160, 214, 18, mix(YELLOW, WHITE, 0.5), 0.8)
        + line(outline + spokes, mix(BAMBOO, WHITE, 0.1), 3)
        + moved(figure("flower", PAPER, RED), 160, 214, scale=0.6)
        + line("M160 104 148 120M160 104 172 120M160 100V104", mix(BAMBOO, NIGHT, 0.2), 3)
        + line("M160 326V338", mix(BAMBOO, NIGHT, 0.2), 4)
        + rect(152, 336, 16, 7, BRASS, 2)
        + line("M160 344V380M154 344 151 374M166 344 169 374", c.accent, 3.4)
    )


def lamp(c: Paint) -> str:
    """A desk lamp with an enamel shade and a jointed arm."""
    return (
        line("M218 328 246 222", c.deep, 9)
        + line("M246 222 176 136", c.deep, 9)
        + line("M216 326 243 224M243 219 178 140", c.light, 2.6)
        + disc(246, 222, 11, c.dark)
        + disc(246, 222, 5, BRASS)
        + path("M156 346Q158 326 214 326T272 346V352Q272 356 266 356H162Q156 356 156 352Z", c.base)
        + path("M156 344H272V352Q272 356 266 356H162Q156 356 156 352Z", c.deep)
        + line("M172 338Q178 332 206 332", c.pale, 4)
        + disc(248, 337, 4.5, BRASS)
        + oval(134, 212, 26, 18, mix(YELLOW, WHITE, 0.55))
        + path("M160 116Q176 110 190 122L200 134Q204 146 192 152Z", c.deep)
        + path("M92 202C84 152 116 118 156 114Q186 118 194 152 198 190 178 238Z", c.base)
        + path("M92 202C84 152 116 118 156 114 128 132 116 164 116 209Z", c.light)
        + path("M178 238C198 190 198 152 172 122 190 160 176 206 158 230Z", c.dark)
        + path("M88 200Q90 194 98 196L178 232Q186 236 180 242 172 246 164 242L92 208Q86 204 88 200Z", c.deep)
        + line("M104 178Q108 146 134 128", c.pale, 5, 0.8)
        + c.print(140, 172, 0.8, c.pale, c.accent)
    )


def candle(c: Paint) -> str:
    """A scented candle in a glazed cup."""
    return (
        path("M160 104C140 132 144 152 160 154S180 132 160 104Z", "#f6a94a")
        + path("M160 122C150 138 152 150 160 151S170 138 160 122Z", "#fff1c4")
        + line("M160 148V176", INK, 3.5)
        + path("M84 184H236L226 338Q224 354 208 354H112Q96 354 94 338Z", c.base)
        + path("M84 184H118L122 354H112Q96 354 94 338Z", c.light)
        + path("M206 184H236L226 338Q224 354 208 354H194Z", c.dark)
        + oval(160, 184, 76, 17, c.deep)
        + oval(160, 185, 66, 13, "#f6efdc")
        + oval(160, 184, 30, 6, "#fffaf0")
        + line("M160 164V184", INK, 3.5)
        + rect(108, 226, 104, 92, PAPER, 2)
        + rect(196, 226, 16, 92, NIGHT, opacity=0.1)
        + rect(108, 226, 104, 8, c.accent)
        + c.print(160, 266, 1.1, c.base, c.accent)
        + line("M132 300H188", c.dark, 3.5)
        + line("M98 204 104 326", c.pale, 4.5, 0.75)
        + path("M94.500 344Q160 356 225.500 344 224 354 208 354H112Q96 354 94.500 344Z", c.deep, 0.6)
    )


def vase(c: Paint) -> str:
    """A vase with a branch in flower."""
    petals = "".join(moved(path("M0 0C-9-5-8-15 0-17 8-15 9-5 0 0", "#f4b0a9"), turn=k * 72) for k in range(5))
    blossoms = kept("blossom", petals + disc(0, 0, 3, YELLOW)) + "".join(
        again("blossom", x, y, turn, scale)
        for x, y, turn, scale in (
            (98, 92, 0, 1),
            (132, 120, 30, 0.9),
            (206, 78, 12, 1.05),
            (184, 112, 50, 0.8),
            (232, 116, 20, 0.8),
            (148, 62, 8, 0.85),
        )
    )
    outline = (
        "M136 196H184C184 222 226 236 226 284 226 322 204 340 196 354H124C116 340 94 322 94 284 94 236 136 222 136 196Z"
    )
    return (
        line(
            "M160 202C158 160 140 130 98 92M156 168C176 140 196 116 206 78"
            "M172 142Q204 134 232 116M142 134Q150 96 148 62",
            mix(WOOD, NIGHT, 0.5),
            4.5,
        )
        + blossoms
        + "".join(disc(x, y, 4.5, "#e57f7a") for x, y in ((116, 74), (222, 94), (166, 90), (118, 112)))
        + path("M170 158q14-4 18 6-12 6-18-6M128 116q-14 0-16 8 10 4 16-8", LEAF)
        + path(outline, c.base)
        + path(
            "M136 196H150C150 230 112 244 116 290 118 322 132 340 138 354H124"
            "C116 340 94 322 94 284 94 236 136 222 136"
            " 196Z",
            c.light,
        )
        + path(
            "M170 196H184C184 222 226 236 226 284 226 322 204 340 196 354H178"
            "C192 336 206 316 204 284 202 248 168 232"
            " 170 196Z",
            c.dark,
        )
        + oval(160, 196, 26, 7, c.deep)
        + clipped(
            "clay",
            outline,
            line("M90 262Q160 286 230 262M90 318Q160 338 230 318", PAPER, 4)
            + c.print(160, 298, 1.05, PAPER, c.accent)
            + c.print(118, 292, 0.8, PAPER, c.accent)
            + c.print(202, 292, 0.8, c.pale, c.accent),
        )
        + line("M112 262Q116 248 126 236", c.pale, 5, 0.8)
    )


def cushion(c: Paint) -> str:
    """A square cushion embroidered like a floor of tiles."""
    shape = "M60 158Q160 186 260 158 236 256 262 350 160 334 58 350 84 256 60 158Z"
    tiles = "".join(
        c.print(x, y, 1.1, c.pale, c.accent) for x, y in ((122, 216), (198, 216), (122, 292), (198, 292))
    ) + c.print(160, 254, 0.9, c.accent, c.pale)
    return (
        line("M60 158 50 146M260 158 270 146M262 350 274 356M58 350 46 356", c.accent, 6)
        + path(shape, c.base)
        + path("M60 158Q90 166 120 170 96 260 104 342 80 346 58 350 84 256 60 158Z", c.light, 0.75)
        + path("M260 158Q236 165 212 169 230 260 222 343 244 346 262 350 236 256 260 158Z", c.dark, 0.85)
        + tiles
        + line("M160 176V336M82 254H240", c.deep, 1.8, 0.5, dash="5 5")
        + line("M66 164Q160 192 254 164M64 344Q160 328 256 344", c.deep, 2, 0.5)
        + line(shape, c.deep, 3)
        + line("M74 174Q96 182 118 184", c.pale, 4, 0.7)
    )


def blanket(c: Paint) -> str:
    """Three folded blankets, fringe to the front."""

    def fold(y: float, height: float, shades: tuple[str, str, str, str], x0: float, x1: float) -> str:
        base, light, dark, stripe = shades
        h = height
        shape = f"M{x0 + h / 2:g} {y}H{x1}V{y + h:g}H{x0 + h / 2:g}A{h / 2:g} {h / 2:g} 0 0 1 {x0 + h / 2:g} {y}Z"
        name = f"fold{y:g}"
        threads = "".join(f"M{x:g} {y + h - 3:g}v13" for x in range(int(x0 + h / 2 + 6), int(x1), 9))
        return (
            (line(threads, dark, 3) if y > 260 else "")
            + clipped(
                name,
                shape,
                path(shape, base)
                + rect(x0, y, x1, h * 0.34, light, opacity=0.8)
                + rect(x0, y + h * 0.82, x1, h, dark)
                + rect(x1 - 70, y, 14, h, stripe)
                + rect(x1 - 50, y, 6, h, stripe)
                + rect(x1 - 98, y, 6, h, stripe)
                + rect(x1 - 28, y, 40, h, NIGHT, opacity=0.14),
            )
            + line(f"M{x1} {y + h * 0.5:g}H{x0 + h * 0.55:g}", dark, 3)
        )

    return (
        fold(292, 52, (c.dark, c.base, c.deep, c.accent), 46, 276)
        + fold(240, 52, (PAPER, WHITE, "#cdd7d1", c.base), 54, 270)
        + fold(188, 52, (c.base, c.light, c.dark, c.accent), 50, 272)
        + path("M92 188H250L262 178Q264 172 254 172H110Q92 172 92 188Z", c.light)
        + line("M112 178H220", c.pale, 4)
    )


def frame(c: Paint) -> str:
    """A framed print of a sampan on the river."""
    return (
        line("M160 76 110 112M160 76 210 112", mix(STRING, NIGHT, 0.35), 3)
        + nail(160, 74)
        + rect(62, 108, 196, 232, mix(WOOD, NIGHT, 0.42))
        + rect(62, 108, 192, 228, WOOD)
        + path("M62 108H254L242 120H74V324L62 336Z", mix(WOOD, WHITE, 0.3))
        + rect(74, 120, 168, 204, CLAY)
        + clipped(
            "print",
            "M90 138H226V306H90Z",
            rect(90, 138, 136, 168, c.pale)
            + disc(192, 176, 21, c.accent)
            + path("M90 214Q120 190 146 206T200 202 226 214V240H90Z", c.light)
            + rect(90, 228, 136, 80, c.base)
            + path("M178 240H206V244H178ZM184 250H200V253H184Z", c.accent)
            + line("M98 244H124M206 270H222M100 288H146M178 292H214", c.light, 3)
            + path("M104 258Q150 280 206 254L194 272Q150 290 114 272Z", c.deep)
            + path("M130 264Q150 236 172 262Q150 270 130 264Z", BAMBOO)
            + line("M184 258 176 214", c.deep, 3)
            + path("M170 222 176 206 186 222Z", BAMBOO)
            + path("M176 222Q186 230 184 258L174 260Q170 238 176 222Z", c.deep)
            + line("M180 230 212 292", c.deep, 2.6),
        )
        + path("M74 120H242L236 126H80V318L74 324Z", NIGHT, 0.12)
        + path("M86 124 150 124 96 250 86 250Z", WHITE, 0.28)
    )
