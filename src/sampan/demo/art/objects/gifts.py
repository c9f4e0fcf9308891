"""Quà, giấy bút, tắm gội: small things that are easy to give."""

from sampan.demo.art.colour import (
    BAMBOO,
    BRASS,
    CLAY,
    INK,
    NIGHT,
    PAPER,
    RED,
    STRING,
    WHITE,
    WOOD,
    YELLOW,
    mix,
    ramp,
)
from sampan.demo.art.paint import Paint
from sampan.demo.art.pen import clipped, disc, line, moved, oval, path, rect
from sampan.demo.art.stage import nail


def notebook(c: Paint) -> str:
    """A sewn notebook standing open a little, a pencil in front."""
    return (
        path("M92 146 226 132Q236 132 236 142V338Q236 348 226 348L92 354Z", "#e4ddcb")
        + line("M230 140V342M234 144V338", mix(STRING, NIGHT, 0.2), 1.6)
        + path("M80 150Q80 138 92 138H208Q220 138 220 150V342Q220 354 208 354H92Q80 354 80 342Z", c.base)
        + path("M80 150Q80 138 92 138H104V354H92Q80 354 80 342Z", c.deep)
        + path("M104 138H128Q118 240 122 354H104Z", c.light, 0.75)
        + path("M204 138H208Q220 138 220 150V342Q220 354 208 354H192Q208 240 204 138Z", c.dark, 0.7)
        + line("M97 156V336", c.pale, 2, dash="10 8")
        + rect(124, 172, 76, 58, PAPER, 2)
        + c.print(162, 195, 0.74, c.base, c.accent)
        + line("M140 218H184", c.dark, 3)
        + c.print(162, 288, 1.9, c.pale, c.accent)
        + rect(202, 138, 8, 216, c.accent)
        + path("M150 354V372L156 366 162 372V354Z", RED)
        + path("M232 366 284 252 296 258 244 372 230 382Z", YELLOW)
        + path("M290 255 296 258 244 372 238 369Z", mix(YELLOW, NIGHT, 0.22))
        + path("M232 366 244 372 230 382Z", "#f0d9b5")
        + path("M233 376 236 378 230 382Z", INK)
        + path("M284 252 289 241Q292 237 297 239T302 247L296 258Z", RED)
    )


def soap(c: Paint) -> str:
    """Two bars of cold-process soap on a wooden dish."""
    bubbles = "".join(
        disc(x, y, r, WHITE, 0.55) + disc(x - r * 0.3, y - r * 0.3, r * 0.28, WHITE)
        for x, y, r in ((84, 196, 12), (62, 232, 8), (104, 168, 7), (252, 190, 9))
    )
    flecks = "".join(
        oval(x, y, 3.4, 2, c.deep, 0.6)
        for x, y in ((96, 296), (118, 312), (222, 300), (236, 284), (204, 316), (88, 318))
    )
    return (
        path("M44 330H276L264 350H246V356H220V350H100V356H74V350H56Z", mix(WOOD, NIGHT, 0.28))
        + path("M36 322Q36 316 42 316H278Q284 316 284 322V332H36Z", WOOD)
        + line("M48 321H200", mix(WOOD, WHITE, 0.4), 3)
        + path("M70 262Q70 248 86 248H234Q250 248 250 262V304Q250 318 236 318H84Q70 318 70 304Z", c.base)
        + path("M70 262Q70 248 86 248H234Q250 248 250 262V270H70Z", c.light)
        + path("M226 248H234Q250 248 250 262V304Q250 318 236 318H222Z", c.dark, 0.8)
        + flecks
        + rect(126, 247, 68, 72, PAPER)
        + rect(126, 247, 68, 22, WHITE)
        + rect(180, 247, 14, 72, NIGHT, opacity=0.1)
        + c.print(160, 291, 1.05, c.base, c.accent)
        + rect(126, 247, 4, 72, c.accent)
        + rect(190, 247, 4, 72, c.accent)
        + moved(
            path("M-72-6Q-72-18-58-18H58Q72-18 72-6V20Q72 32 58 32H-58Q-72 32-72 20Z", mix(c.base, CLAY, 0.55))
            + path("M-72-6Q-72-18-58-18H58Q72-18 72-6V2H-72Z", mix(c.light, CLAY, 0.5))
            + path("M52-18H58Q72-18 72-6V20Q72 32 58 32H48Z", mix(c.dark, CLAY, 0.35))
            + line("M-56 12Q-28 2 0 14T50 10M-50 22Q-20 14 4 24", c.base, 4)
            + line("M-58-11H10", WHITE, 3, 0.7),
            158,
            222,
            turn=-6,
        )
        + line("M84 258H118", c.pale, 4)
        + bubbles
    )


def gift_box(c: Paint) -> str:
    """A gift box in patterned paper with a cloth ribbon."""
    ribbon = ramp(c.accent)
    prints = "".join(
        c.print(x, y, 0.62, c.pale, c.light)
        for x, y in ((96, 246), (96, 296), (128, 272), (192, 272), (224, 246), (224, 296))
    )
    return (
        rect(72, 212, 176, 140, c.base, 3)
        + rect(72, 212, 30, 140, c.light, 3)
        + rect(216, 212, 32, 140, c.dark, 3)
        + prints
        + rect(144, 212, 32, 140, ribbon.base)
        + rect(164, 212, 12, 140, ribbon.dark)
        + rect(72, 212, 176, 9, NIGHT, opacity=0.2)
        + rect(62, 172, 196, 42, c.base, 3)
        + rect(62, 172, 34, 42, c.light, 3)
        + rect(222, 172, 36, 42, c.dark, 3)
        + rect(62, 206, 196, 8, c.dark, 2)
        + rect(142, 172, 36, 42, ribbon.base)
        + rect(166, 172, 12, 42, ribbon.dark)
        + line("M74 182H132", c.pale, 4, 0.8)
        + path("M152 172Q124 190 112 204L122 178 132 170ZM168 172Q196 190 208 204L198 178 188 170Z", ribbon.dark)
        + path("M160 168C138 116 92 116 98 146 102 166 136 170 160 168Z", ribbon.base)
        + path("M160 168C182 116 228 116 222 146 218 166 184 170 160 168Z", ribbon.base)
        + path("M160 168C142 138 112 134 114 150 116 162 140 168 160 168Z", ribbon.deep)
        + path("M160 168C178 138 208 134 206 150 204 162 180 168 160 168Z", ribbon.deep)
        + line("M106 140Q114 128 130 134M192 134Q206 128 214 140", ribbon.pale, 3)
        + rect(147, 154, 26, 24, ribbon.dark, 6)
        + rect(147, 154, 16, 24, ribbon.base, 6)
    )


def kite(c: Paint) -> str:
    """A flute kite: a crescent of paper on bamboo, three flutes and two tails."""
    wing = "M20 214C60 110 260 110 300 214 250 176 206 190 160 226 114 190 70 176 20 214Z"
    return (
        line("M120 196Q98 256 116 290T104 338M200 196Q222 256 204 290T216 338", c.accent, 6)
        + "".join(
            path(f"M{x} {y}l-10-7v14ZM{x} {y}l10-7v14Z", c.base)
            for x, y in ((108, 262), (113, 312), (212, 262), (207, 312))
        )
        + clipped(
            "wing",
            wing,
            path(wing, c.base)
            + path("M0 100H120Q84 160 96 240H0Z", c.light, 0.7)
            + path("M320 100H214Q250 160 226 240H320Z", c.dark, 0.7)
            + line("M14 206C60 118 260 118 306 206", c.accent, 9)
            + c.print(160, 178, 1.35, c.pale, c.accent)
            + c.print(98, 174, 0.9, c.pale, c.accent)
            + c.print(222, 174, 0.9, c.pale, c.accent),
        )
        + line(wing, c.deep, 3)
        + line("M160 134V250M68 160Q160 130 252 160", mix(BAMBOO, NIGHT, 0.25), 4)
        + "".join(
            rect(160 - w, y, 2 * w, 13, BAMBOO, 6)
            + rect(160 + w - 9, y, 9, 13, mix(BAMBOO, NIGHT, 0.35), 4)
            + line(f"M{160 - w + 7} {y + 4}h{w}", mix(BAMBOO, WHITE, 0.5), 2.4)
            for w, y in ((52, 112), (38, 96), (25, 81))
        )
        + line("M160 82V140", mix(BAMBOO, NIGHT, 0.35), 4)
        + nail(160, 76)
        + path("M160 226 176 250 160 274 144 250Z", c.accent)
        + path("M160 226 176 250 160 274Z", NIGHT, 0.2)
    )


def drum(c: Paint) -> str:
    """A child's festival drum with its two sticks."""
    studs = "".join(disc(78 + k * 20.5, 236 + 15 * (1 - ((k - 4) / 4) ** 2), 4, BRASS) for k in range(9))
    low = "".join(disc(84 + k * 19, 322 + 15 * (1 - ((k - 4) / 4) ** 2), 4, BRASS) for k in range(9))
    return (
        path("M70 220C54 260 60 300 78 326A84 22 0 0 0 242 326C260 300 266 260 250 220Z", c.base)
        + path("M70 220C54 260 60 300 78 326Q88 340 112 345C94 300 96 260 104 232Z", c.light)
        + path("M250 220C266 260 260 300 242 326Q232 340 208 345C226 300 224 260 216 232Z", c.dark)
        + c.print(160, 292, 1.9, c.accent, c.pale)
        + c.print(98, 282, 1.1, c.accent, c.pale)
        + c.print(222, 282, 1.1, mix(c.accent, NIGHT, 0.2), c.base)
        + path("M66 216V228A94 26 0 0 0 254 228V216Z", c.deep)
        + line("M75 322A86 24 0 0 0 245 322", c.deep, 7)
        + studs
        + low
        + oval(160, 216, 94, 26, BRASS)
        + oval(160, 214, 86, 21, "#f3e4c6")
        + path("M74 214A86 21 0 0 1 246 214Q160 202 74 214Z", NIGHT, 0.1)
        + line("M150 208 268 146", mix(WOOD, NIGHT, 0.2), 8)
        + line("M150 206 266 145", mix(WOOD, WHITE, 0.35), 2.4)
        + line("M176 216 286 176", mix(WOOD, NIGHT, 0.2), 8)
        + line("M176 214 284 175", mix(WOOD, WHITE, 0.35), 2.4)
        + oval(150, 208, 9, 7, RED)
        + oval(176, 216, 9, 7, RED)
    )


def cards(c: Paint) -> str:
    """Letterpress cards and their envelopes, tied with string."""

    def card(x: float, y: float, turn: float, body: str) -> str:
        return moved(body, x, y, turn=turn)

    back = rect(-84, -58, 168, 116, c.dark, 3)
    envelope = (
        rect(-84, -58, 168, 116, c.base, 3)
        + path("M-84-55 0 14 84-55Q84-58 81-58H-81Q-84-58-84-55Z", c.light)
        + line("M-83-55 0 14 83-55", c.deep, 2)
        + line("M-82 56-18 0M82 56 18 0", c.dark, 2)
        + disc(0, 14, 13, RED)
        + disc(-3, 11, 4, WHITE, 0.35)
    )
    front = (
        rect(-62, -88, 124, 176, "#fbf8f0", 3)
        + rect(-52, -78, 104, 156, c.pale, 2, 0.5)
        + line("M-48-74H48V74H-48Z", c.base, 2)
        + c.print(0, -16, 2, c.base, c.accent)
        + line("M-26 44H26M-16 56H16", c.dark, 3.5)
    )
    return card(200, 296, 0, back) + card(192, 290, -4, envelope) + card(116, 256, -5, front)
