"""Bếp & cà phê: what a Vietnamese kitchen cooks, brews and eats with."""

import math

from sampan.demo.art.colour import BAMBOO, BLUE, IRON, LEAF, NIGHT, PAPER, RED, STEEL, WHITE, WOOD, mix
from sampan.demo.art.paint import Paint
from sampan.demo.art.pen import disc, line, moved, oval, path, rect, ring

_COFFEE = "#3a1d10"
_CREMA = "#e6cfa6"


def phin(c: Paint) -> str:
    """A drip filter on its glass, half way through."""
    glass = (
        path("M104 268H216L206 346Q204 358 192 358H128Q116 358 114 346Z", PAPER, 0.72)
        + path("M110 306H210L204 346Q203 354 195 354H125Q117 354 116 346Z", _COFFEE)
        + path("M108 290H212L210 307H110Z", _CREMA)
        + path("M192 290H212L204 346Q203 354 195 354H184Z", NIGHT, 0.16)
        + line("M118 277 126 346", WHITE, 5, 0.55)
        + line("M106 268H214", WHITE, 3, 0.8)
    )
    drops = line("M160 268V302", _COFFEE, 3, dash="6 7")
    filter_ = (
        path("M88 256H232Q238 256 238 262T232 268H88Q82 268 82 262T88 256Z", c.dark)
        + line("M92 259H176", c.light, 2.5)
        + path("M116 176H204L198 256H122Z", c.base)
        + path("M116 176H140L144 256H122Z", c.light)
        + path("M184 176H204L198 256H180Z", c.dark)
        + line("M128 186 131 244", c.pale, 4, 0.7)
        + line("M118 204H202M119 214H201", c.dark, 1.6, 0.7)
        + line("M204 198Q236 200 231 226 228 238 203 236", c.deep, 8)
        + line("M206 196Q230 198 229 214", c.dark, 3)
    )
    lid = (
        rect(108, 166, 104, 12, c.light, 5)
        + rect(160, 166, 52, 12, c.base, 5)
        + path("M120 166Q120 144 160 144T200 166Z", c.base)
        + path("M160 144Q200 144 200 166H176Q178 150 160 144Z", c.dark)
        + line("M126 161Q132 150 152 149", c.pale, 4)
        + rect(157, 136, 6, 10, c.deep)
        + disc(160, 134, 9, c.deep)
        + disc(157, 131, 3, c.light, 0.8)
    )
    return glass + drops + filter_ + lid


def thermos(c: Paint) -> str:
    """The flowered flask of every grandmother's kitchen."""
    motifs = c.print(146, 254, 0.98, PAPER, c.accent) + c.print(176, 304, 0.84, PAPER, c.accent)
    return (
        line("M212 196Q252 214 246 276 244 296 214 300", c.deep, 10)
        + line("M214 194Q246 212 243 262", c.dark, 3)
        + rect(106, 178, 108, 180, c.base, 12)
        + path("M118 178H132V358H118Q106 358 106 346V190Q106 178 118 178Z", c.light)
        + path("M192 178H202Q214 178 214 190V346Q214 358 202 358H192Z", c.dark)
        + motifs
        + rect(102, 202, 116, 10, STEEL)
        + rect(102, 334, 116, 12, STEEL)
        + rect(192, 202, 26, 10, IRON, opacity=0.5)
        + rect(192, 334, 26, 12, IRON, opacity=0.5)
        + path("M122 178Q124 148 144 144V128H176V144Q196 148 198 178Z", c.dark)
        + path("M122 178Q124 148 144 144V128H152V146Q138 152 136 178Z", c.base)
        + rect(138, 104, 44, 28, STEEL, 6)
        + rect(138, 104, 14, 28, WHITE, 6)
        + rect(170, 104, 12, 28, IRON, 6, 0.5)
        + line("M112 190V346", c.pale, 3, 0.6)
    )


def bowl(c: Paint) -> str:
    """A porcelain soup bowl, painted by hand under the glaze."""
    clay, shade = "#fbfdfb", "#d4ded8"
    return (
        path("M118 330H202L196 350H124Z", "#dfe7e2")
        + path("M176 330H202L196 350H172Z", shade)
        + path("M52 226H268C268 288 228 334 160 334S52 288 52 226Z", clay)
        + path("M236 226H268C268 288 228 334 160 334 210 316 234 276 236 226Z", shade)
        + oval(160, 226, 108, 26, "#eef3ef")
        + oval(160, 229, 94, 20, mix(c.base, WHITE, 0.78))
        + path("M66 229A94 20 0 0 1 254 229Q160 208 66 229Z", NIGHT, 0.1)
        + path("M60 252C90 268 230 268 260 252L257 262C221 277 99 277 63 262Z", c.base)
        + line("M63 271C99 286 221 286 257 271", c.base, 2)
        + c.print(160, 304, 0.72, c.base, c.light)
        + c.print(112, 296, 0.5, c.base, c.light)
        + c.print(208, 296, 0.5, c.dark, c.base)
        + line("M126 300Q134 292 141 302M194 300Q186 292 179 302", c.dark, 2.6)
        + line("M62 222Q84 208 124 204", WHITE, 3, 0.9)
    )


def plate(c: Paint) -> str:
    """A dinner plate on a bamboo stand, so that its painting shows."""
    sprays = "".join(
        moved(
            line("M0-98Q8-88 0-78", c.base, 3) + path("M0-98q-10 4-9 15 9-4 9-15M0-90q10 3 10 13-9-3-10-13Z", c.dark),
            160,
            218,
            turn=turn,
        )
        for turn in range(0, 360, 45)
    )
    return (
        line("M116 268 92 352M204 268 228 352", mix(WOOD, NIGHT, 0.4), 9)
        + disc(164, 222, 116, "#cfd9d3")
        + disc(160, 218, 116, "#fbfdfb")
        + path("M242 136A116 116 0 0 1 78 300 128 128 0 0 0 242 136Z", "#dfe8e3")
        + ring(160, 218, 110, c.base, 4)
        + ring(160, 218, 72, c.base, 2)
        + disc(160, 218, 69, mix(c.base, WHITE, 0.9))
        + sprays
        + c.print(160, 218, 2.2, c.base, c.light)
        + "".join(disc(160 + 50 * math.cos(a), 218 + 50 * math.sin(a), 3.4, c.dark) for a in _eighths(0.5))
        + line("M62 178Q80 128 122 112", WHITE, 5, 0.9)
        + path("M84 316H236L244 334H76Z", BAMBOO)
        + rect(76, 334, 168, 12, mix(BAMBOO, NIGHT, 0.25), 2)
        + line("M92 352V346M228 352V346", mix(WOOD, NIGHT, 0.4), 9)
    )


def chopsticks(c: Paint) -> str:
    """Ten pairs in a ceramic holder."""
    sticks = ""
    for x, top, lean in (
        (118, 130, -20),
        (134, 112, -11),
        (149, 124, -4),
        (163, 106, 3),
        (178, 120, 11),
        (194, 132, 21),
    ):
        foot = x - lean * 0.9
        sticks += line(f"M{foot + 6:g} 270 {x + lean} {top}", mix(c.base, NIGHT, 0.18), 7)
        sticks += line(f"M{foot} 270 {x + lean - 6} {top + 3}", c.base, 7)
        sticks += line(f"M{x + lean - 6} {top + 3} {x + lean - 9 - lean * 0.1:g} {top + 25}", c.accent, 7)
        sticks += line(f"M{x + lean - 7.5:g} {top + 4} {foot - 1} 262", c.light, 1.8, 0.7)
    return (
        oval(160, 244, 56, 13, "#b9c5be")
        + sticks
        + path("M104 244C104 262 216 262 216 244L208 346Q206 354 196 354H124Q114 354 112 346Z", "#f8fbf9")
        + path("M190 256Q214 252 216 244L208 346Q206 354 196 354H180Z", "#d6e0da")
        + path("M105 264Q160 282 215 264L214 274Q160 292 106 274Z", BLUE)
        + path("M111 334Q160 350 209 334L208 342Q160 358 112 342Z", BLUE)
        + c.print(160, 310, 0.86, BLUE, c.accent)
        + line("M116 284 121 330", WHITE, 5)
    )


def board(c: Paint) -> str:
    """A chopping board against the wall; a lime and a chilli wait."""
    lime, flesh = "#6aa23a", "#d9e89a"
    return (
        path(
            "M98 150Q98 134 114 134H140L146 96Q147 84 160 84T174 96L180 134H206Q222 134 222 150V352H98Z",
            c.dark,
        )
        + path(
            "M92 152Q92 134 110 134H136L142 94Q143 80 156 80T170 94L176 134H202"
            "Q220 134 220 152V340Q220 354 206 354"
            "H106Q92 354 92 340Z",
            c.base,
        )
        + path(
            "M92 152Q92 134 110 134H136L142 94Q143 82 152 80 148 92 150 140L118 146Q106 148 106 160V354Q92 354 92 340Z",
            c.light,
        )
        + disc(156, 104, 7, c.deep)
        + line(
            "M124 168Q118 230 128 340M146 160Q156 240 144 344M170 156Q160 230 172 344M196 160Q204 250 192 340",
            c.dark,
            2,
            0.6,
        )
        + line("M176 214q8-18 16 0-8 18-16 0M180 190q4-10 8-14M180 238q4 10 8 14", c.dark, 2, 0.6)
        + line("M104 160V336", c.pale, 3, 0.7)
        + disc(236, 330, 24, lime)
        + path("M236 306A24 24 0 0 1 236 354Q246 330 236 306Z", mix(lime, NIGHT, 0.2))
        + disc(228, 332, 20, flesh)
        + line("M228 315V349M211 332H245M216 320 240 344M240 320 216 344", lime, 1.8, 0.8)
        + disc(228, 332, 3, PAPER)
        + path("M58 352Q80 356 100 334 104 330 108 334 100 360 66 358 56 357 58 352Z", RED)
        + line("M66 354Q86 354 100 338", WHITE, 2, 0.5)
        + line("M105 334Q112 330 112 322", LEAF, 4)
    )


def teapot(c: Paint) -> str:
    """A round pot with a rattan handle and one small cup."""
    pot = (
        line("M86 214C78 108 222 108 214 214", mix(WOOD, NIGHT, 0.35), 9)
        + line("M88 206C84 118 200 116 210 190", WOOD, 4, dash="7 5")
        + path("M200 258C236 256 232 214 262 200L274 210C256 232 254 286 204 294Z", c.dark)
        + path("M204 262C236 258 234 218 262 200L266 204C248 222 248 268 204 276Z", c.base)
        + oval(268, 205, 8, 4, c.deep)
        + path("M66 266C66 222 102 206 150 206S234 222 234 266C234 320 200 350 150 350S66 320 66 266Z", c.base)
        + path("M66 266C66 222 102 206 150 206 104 226 92 292 122 346 86 336 66 306 66 266Z", c.light)
        + path("M234 266C234 320 200 350 150 350 204 330 216 272 190 214 220 224 234 240 234 266Z", c.dark)
        + c.print(150, 278, 1.9, PAPER, c.accent)
        + line("M72 246Q150 268 228 246", PAPER, 2.5, 0.75)
        + path("M110 210Q112 190 150 190T190 210Q150 222 110 210Z", c.dark)
        + path("M110 210Q112 190 150 190 130 198 132 215 116 213 110 210Z", c.base)
        + rect(146, 180, 8, 12, c.deep)
        + disc(150, 178, 9, c.dark)
        + disc(147, 175, 3, c.pale)
        + line("M80 250Q84 228 108 216", c.pale, 5, 0.8)
        + disc(86, 212, 7, c.deep)
        + disc(214, 212, 7, c.deep)
    )
    cup = (
        path("M222 312H290L282 346Q280 354 270 354H242Q232 354 230 346Z", "#fbfdfb")
        + path("M270 312H290L282 346Q280 354 270 354H258Z", "#d6e0da")
        + oval(256, 312, 34, 8, "#eaf0ec")
        + oval(256, 313, 28, 5.5, "#b9892f")
        + path("M225 328H287L286 334H226Z", c.base)
    )
    return pot + cup


def mug(c: Paint) -> str:
    """An enamelled mug with its dark rim."""
    speck = "".join(disc(x, y, 2, c.pale, 0.5) for x, y in ((122, 318), (146, 338), (204, 330), (190, 222), (110, 262)))
    return (
        line("M222 226C286 214 286 316 218 314", c.deep, 15)
        + line("M222 224C272 216 276 300 226 308", c.base, 8)
        + path("M92 190H228L222 340Q221 354 206 354H114Q99 354 98 340Z", c.base)
        + path("M92 190H126L128 354H114Q99 354 98 340Z", c.light)
        + path("M200 190H228L222 340Q221 354 206 354H192Z", c.dark)
        + oval(160, 190, 68, 15, c.deep)
        + oval(160, 191, 60, 11, "#f4f7f4")
        + path("M100 191A60 11 0 0 1 220 191Q160 178 100 191Z", NIGHT, 0.16)
        + c.print(160, 272, 1.9, PAPER, c.accent)
        + speck
        + line("M106 208 110 330", c.pale, 5, 0.7)
        + path("M98 340Q160 356 222 340 221 354 206 354H114Q99 354 98 340Z", c.deep)
    )


def pot(c: Paint) -> str:
    """A clay pot for braised fish, lid slightly worn by the fire."""
    return (
        path("M60 246Q34 244 36 264T66 278Z", c.deep)
        + path("M260 246Q286 244 284 264T254 278Z", c.deep)
        + path("M54 236H266C270 300 244 350 160 350S50 300 54 236Z", c.base)
        + path("M54 236H96C92 290 104 330 134 348 72 342 50 296 54 236Z", c.light)
        + path("M224 236H266C270 300 244 350 160 350 214 336 226 292 224 236Z", c.dark)
        + line("M58 268Q160 292 262 268", c.deep, 2, 0.7)
        + line("M60 278Q160 302 260 278", c.deep, 2, 0.7)
        + path("M84 330Q160 356 236 330 210 350 160 350T84 330Z", NIGHT, 0.45)
        + path("M46 228H274Q280 228 280 234T274 241H46Q40 241 40 234T46 228Z", c.deep)
        + path("M58 228C66 188 112 174 160 174S254 188 262 228Z", c.base)
        + path("M58 228C66 188 112 174 160 174 118 184 100 204 98 228Z", c.light)
        + path("M262 228C254 188 208 174 160 174 206 184 224 206 226 228Z", c.dark)
        + line("M70 216Q160 200 250 216", c.deep, 2, 0.6)
        + path("M140 176Q136 156 160 154T180 176Q160 182 140 176Z", c.deep)
        + oval(160, 156, 17, 6, c.dark)
        + disc(236, 208, 3.4, c.deep)
        + line("M112 188Q92 196 84 212", c.pale, 4, 0.6)
        + line("M70 256Q72 290 90 316", c.pale, 4, 0.45)
    )


def mortar(c: Paint) -> str:
    """A stone mortar, its pestle at rest, garlic and chilli beside it."""
    grit = "".join(
        disc(x, y, 2.2, c.deep, 0.55)
        for x, y in (
            (104, 270),
            (120, 302),
            (146, 282),
            (170, 316),
            (196, 276),
            (132, 328),
            (208, 302),
            (158, 262),
        )
    )
    return (
        line("M170 226 214 100", c.dark, 30)
        + line("M166 224 208 104", c.base, 20)
        + line("M162 220 200 110", c.light, 6)
        + oval(217, 98, 16, 11, c.deep)
        + oval(215, 96, 13, 8, c.dark)
        + oval(160, 224, 98, 25, c.deep)
        + oval(160, 224, 84, 18, NIGHT, 0.45)
        + line("M173 228 182 202", c.dark, 26)
        + line("M168 226 178 200", c.base, 17)
        + path(
            "M62 224C62 258 258 258 258 224 258 284 238 318 220 330L228 354H92L100 330C82 318 62 284 62 224Z",
            c.base,
        )
        + path(
            "M62 224C66 240 92 246 112 248 104 290 116 320 124 332L118 354H92L100 330C82 318 62 284 62 224Z",
            c.light,
        )
        + path(
            "M258 224C256 240 234 246 214 248 218 290 206 318 192 332L198 354H228L220 330C238 318 258 284 258 224Z",
            c.dark,
        )
        + line("M100 332Q160 344 220 332", c.deep, 3, 0.7)
        + grit
        + line("M64 228C74 254 246 254 256 228", c.pale, 4, 0.8)
        + path(
            "M246 354C232 354 228 342 236 332 244 324 247 318 248 308 254 318 258 324 264 330 274 342 268 354 256 354Z",
            "#faf6ee",
        )
        + line("M250 318Q244 336 250 352M252 318Q262 336 258 352", "#cbbfae", 2)
        + path("M256 354Q268 354 270 344 268 334 258 324 264 340 256 354Z", "#ddd2c0")
    )


def glass(c: Paint) -> str:
    """A pair of pressed tumblers: one full, one waiting."""

    def tumbler(x: float, full: bool) -> str:
        flutes = "".join(line(f"M{x + k * 17:g} 254 {x + k * 15:g} 344", WHITE, 2.4, 0.5) for k in (-2, -1, 0, 1, 2))
        drink = path(f"M{x - 47} 246H{x + 47}L{x + 42} 342H{x - 42}Z", c.base, 0.92) + oval(x, 246, 47, 9, c.light)
        ice = rect(x - 30, 228, 26, 26, WHITE, 5, 0.65) + rect(x + 2, 234, 24, 24, WHITE, 5, 0.5) if full else ""
        return (
            path(
                f"M{x - 52} 204H{x + 52}L{x + 44} 346Q{x + 43} 354 {x + 34} 354H{x - 34}Q{x - 43} 354 {x - 44} 346Z",
                mix(c.base, WHITE, 0.72),
                0.62,
            )
            + (drink if full else "")
            + ice
            + path(f"M{x + 24} 204H{x + 52}L{x + 44} 346Q{x + 43} 354 {x + 34} 354H{x + 20}Z", NIGHT, 0.1)
            + flutes
            + path(
                f"M{x - 44} 344H{x + 44}Q{x + 43} 354 {x + 34} 354H{x - 34}Q{x - 43} 354 {x - 44} 344Z",
                mix(c.base, WHITE, 0.4),
                0.8,
            )
            + f'<ellipse cx="{x}" cy="204" rx="52" ry="11" fill="{WHITE}" fill-opacity=".3" stroke="{WHITE}"'
            f' stroke-width="3"/>' + line(f"M{x - 44} 216 {x - 38} 330", WHITE, 4, 0.8)
        )

    straw = line("M96 250 124 150", c.accent, 7) + line("M98 244 124 152", WHITE, 2, 0.5)
    return tumbler(214, False) + straw + tumbler(104, True)


def _eighths(offset: float) -> list[float]:
    return [math.tau * (k + offset) / 8 for k in range(8)]
