"""Đồ khô & gia vị: what stands on the shelf above the stove."""

from sampan.demo.art.colour import BRASS, NIGHT, PAPER, STRING, WHITE, WOOD, mix
from sampan.demo.art.paint import Paint
from sampan.demo.art.pen import clipped, disc, line, moved, oval, path, rect

_BEAN = "#4a2716"
_AMBER = "#a4511c"


def coffee(c: Paint) -> str:
    """A bag of roasted coffee with a folded top; a few beans have escaped."""
    beans = "".join(
        moved(oval(0, 0, 11, 7.5, _BEAN) + line("M-8 1Q0-4 8 0", mix(_BEAN, WHITE, 0.35), 1.8), x, y, turn=turn)
        for x, y, turn in ((72, 348, -20), (256, 350, 24), (50, 358, 40), (272, 340, -50))
    )
    return (
        path("M92 132H228L236 340Q237 356 222 356H98Q83 356 84 340Z", c.base)
        + path("M92 132H122Q112 250 116 356H98Q83 356 84 340Z", c.light)
        + path("M204 132H228L236 340Q237 356 222 356H200Q212 250 204 132Z", c.dark)
        + path("M92 104H228V140H92Z", c.dark)
        + path("M92 104H228V118H92Z", c.light)
        + line("M92 128H228", c.deep, 2)
        + rect(84, 118, 152, 9, BRASS, 3)
        + rect(84, 118, 10, 18, BRASS, 3)
        + rect(226, 118, 10, 18, mix(BRASS, NIGHT, 0.25), 3)
        + disc(160, 162, 8, c.deep)
        + disc(160, 162, 4, c.base)
        + path("M108 190H212V312H108Z", PAPER)
        + path("M200 190H212V312H200Z", NIGHT, 0.08)
        + path("M108 190H212V200H108Z", c.accent)
        + c.print(160, 240, 1.6, c.base, c.accent)
        + line("M128 284H192M138 298H182", c.dark, 4)
        + line("M100 150Q96 240 98 336", c.pale, 4, 0.7)
        + beans
    )


def bottle(c: Paint) -> str:
    """Fish sauce in a glass bottle: amber, clear, one label."""
    outline = (
        "M140 112H180V150C180 172 208 176 208 208V338Q208 356 192 356H128Q112 356 112 338V208C112 176 140 172 140 150Z"
    )
    return (
        path(outline, mix(_AMBER, WHITE, 0.55))
        + clipped(
            "glass",
            outline,
            rect(100, 164, 120, 200, _AMBER)
            + path("M186 100H220V364H180Z", NIGHT, 0.28)
            + oval(160, 164, 30, 5, mix(_AMBER, WHITE, 0.4)),
        )
        + path("M112 218H208V322H112Z", PAPER)
        + path("M184 218H208V322H184Z", NIGHT, 0.12)
        + path("M112 218H208V234H112ZM112 308H208V322H112Z", c.base)
        + path("M184 218H208V234H184ZM184 308H208V322H184Z", c.dark)
        + path(
            "M126 274C142 252 168 252 182 270L196 258Q192 272 196 286L182 276C168 294 142 294 126 274Z",
            c.base,
        )
        + path("M154 258Q166 248 172 262ZM150 290Q160 300 168 286Z", c.dark)
        + disc(141, 271, 3, PAPER)
        + line("M156 266q5 7 0 14M168 268q4 6 0 12", c.pale, 2)
        + rect(136, 84, 48, 34, c.base, 4)
        + rect(136, 84, 12, 34, c.light, 4)
        + rect(170, 84, 14, 34, c.dark, 4)
        + line("M152 92V112M160 92V112M168 92V112", c.deep, 2, 0.6)
        + rect(138, 116, 44, 8, mix(c.base, NIGHT, 0.4), 2)
        + line("M122 200Q124 184 138 176M122 206V212M122 328V342", WHITE, 5, 0.75)
    )


def tin(c: Paint) -> str:
    """A tea caddy with a close lid."""
    return (
        rect(96, 160, 128, 196, c.base, 8)
        + path("M104 160H124V356H104Q96 356 96 348V168Q96 160 104 160Z", c.light)
        + path("M196 160H216Q224 160 224 168V348Q224 356 216 356H196Z", c.dark)
        + rect(96, 206, 128, 108, PAPER)
        + rect(196, 206, 28, 108, NIGHT, opacity=0.14)
        + rect(96, 206, 22, 108, WHITE)
        + "".join(c.print(x, y, 0.86, c.base, c.accent) for x in (118, 160, 202) for y in (233, 287))
        + "".join(c.print(x, 260, 0.52, c.accent, c.base) for x in (139, 181))
        + rect(96, 204, 128, 5, BRASS)
        + rect(96, 311, 128, 5, BRASS)
        + path("M90 140Q90 126 104 126H216Q230 126 230 140V168H90Z", c.dark)
        + path("M90 140Q90 126 104 126H122V168H90Z", c.base)
        + path("M202 126H216Q230 126 230 140V168H202Z", c.deep)
        + path("M112 126Q112 112 128 112H192Q208 112 208 126Z", c.base)
        + rect(146, 102, 28, 12, BRASS, 5)
        + line("M100 140H148", c.pale, 4, 0.8)
        + rect(96, 168, 128, 5, NIGHT, opacity=0.25)
        + line("M104 180V198M104 322V344", c.pale, 4, 0.8)
    )


def jar(c: Paint) -> str:
    """A glass jar under a cloth cap; what is in it gives the colour."""
    outline = "M96 196Q96 180 112 178H208Q224 180 224 196V336Q224 356 204 356H116Q96 356 96 336Z"
    grains = "".join(
        disc(
            104 + (k * 37) % 114,
            214 + (k * 53) % 138,
            7 - k % 3,
            (c.light, c.dark, c.deep, c.pale)[k % 4],
            0.75,
        )
        for k in range(24)
    )
    return (
        path(outline, "#eef4f1", 0.8)
        + clipped(
            "glass",
            outline,
            path("M90 210Q160 196 230 210V360H90Z", c.base) + grains + path("M198 170H230V360H190Z", NIGHT, 0.2),
        )
        + path("M112 238H208V312H112Z", PAPER)
        + path("M192 238H208V312H192Z", NIGHT, 0.1)
        + c.print(160, 266, 1.05, c.base, c.accent)
        + line("M134 300H186", c.dark, 4)
        + line("M106 200V330", WHITE, 5, 0.7)
        + path(
            "M104 132Q160 104 216 132L232 184"
            "Q216 176 204 188 190 178 176 188 160 178 146 188 132 178 118 188 104 176 88 184Z",
            c.accent,
        )
        + path("M216 132 232 184Q216 176 204 188 200 160 192 120Q206 124 216 132Z", NIGHT, 0.2)
        + path("M104 132Q120 122 134 119 118 150 118 188 104 176 88 184Z", WHITE, 0.3)
        + "".join(
            disc(x, y, 4, PAPER) for x, y in ((122, 140), (146, 130), (172, 132), (196, 144), (134, 174), (186, 174))
        )
        + line("M101 158Q160 172 219 158", STRING, 5)
        + line(
            "M160 168C140 176 136 196 150 190M160 168C182 176 186 196 170 190M160 168 152 206M160 168 170 208",
            STRING,
            4,
        )
        + disc(160, 167, 5, mix(STRING, NIGHT, 0.2))
    )


def rice(c: Paint) -> str:
    """A cloth sack of rice, tied, with a wooden scoop."""
    grains = "".join(
        moved(oval(0, 0, 4.6, 1.9, PAPER), 60 + (k * 29) % 62, 350 + (k * 7) % 11, turn=(k * 47) % 180)
        for k in range(12)
    )
    return (
        path(
            "M122 134Q104 106 128 96 146 108 160 98 176 108 194 96 214 106 198 134 178 144 160 142T122 134Z",
            STRING,
        )
        + path("M160 98Q176 108 194 96 214 106 198 134 180 142 168 142 182 120 160 98Z", mix(STRING, NIGHT, 0.18))
        + path(
            "M126 138H194C240 168 256 250 244 336Q242 356 222 356H98Q78 356 76 336C64 250 80 168 126 138Z",
            STRING,
        )
        + path("M126 138C96 170 96 290 116 356H98Q78 356 76 336C64 250 80 168 126 138Z", mix(STRING, WHITE, 0.45))
        + path(
            "M194 138C240 168 256 250 244 336Q242 356 222 356H196C222 290 220 180 194 138Z",
            mix(STRING, NIGHT, 0.18),
        )
        + line("M134 150Q122 176 118 196M160 152V182M186 150Q198 172 202 190", mix(STRING, NIGHT, 0.3), 2.4)
        + path(
            "M72 220Q160 244 248 220L250 244Q160 268 70 244ZM72 300Q160 322 248 300L247 316Q160 338 73 316Z",
            c.base,
        )
        + path(
            "M214 229Q236 225 248 220L250 244Q234 249 216 252ZM216 308Q236 304 248 300L247 316Q236 320 216 324Z",
            c.dark,
        )
        + c.print(160, 286, 1.2, c.base, c.accent)
        + line("M122 138Q160 150 198 138", c.deep, 8)
        + line("M150 146C128 154 126 172 142 166M168 146C190 152 196 170 178 166", c.base, 5)
        + path("M216 334H276Q282 350 262 356H236Q218 352 216 334Z", WOOD)
        + line("M274 340 300 326", WOOD, 9)
        + oval(246, 334, 30, 7, mix(WOOD, NIGHT, 0.35))
        + oval(246, 332, 24, 6, PAPER)
        + grains
    )
