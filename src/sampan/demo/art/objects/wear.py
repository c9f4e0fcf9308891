"""Áo quần, giày dép, nón: what is worn, on its hanger or on the floor."""

from sampan.demo.art.colour import BAMBOO, INK, NIGHT, PAPER, RED, STRING, WHITE, WOOD, mix
from sampan.demo.art.paint import Paint
from sampan.demo.art.pen import again, disc, kept, line, moved, path, rect, woven
from sampan.demo.art.stage import nail


def hanger(top: float, reach: float, drop: float) -> str:
    """A wooden hanger on a nail: its hook is at `top`, its shoulders end `reach` aside and `drop` below."""
    shoulders = f"M{160 - reach:g} {top + drop + 26:g}L160 {top + 26:g}L{160 + reach:g} {top + drop + 26:g}"
    return (
        nail(160, top - 8)
        + line(f"M160 {top + 26:g}V{top + 14:g}C174 {top + 8:g} 172 {top - 10:g} 160 {top - 8:g}", INK, 4)
        + line(shoulders, mix(WOOD, NIGHT, 0.2), 8)
        + line(f"M{160 - reach:g} {top + drop + 24:g}L160 {top + 24:g}", mix(WOOD, WHITE, 0.35), 2)
    )


def tee(c: Paint) -> str:
    """A cotton T-shirt with a tile printed on its chest."""
    return (
        hanger(76, 62, 30)
        + path(
            "M122 132C132 152 188 152 198 132L232 144 274 196 240 224 224 206V316"
            "Q160 324 96 316V206L80 224 46 196"
            " 88 144Z",
            c.base,
        )
        + path("M96 206 88 144 122 132C126 140 134 144 142 146 118 196 112 250 114 318.500L96 316Z", c.light, 0.6)
        + path("M224 206 232 144 212 137C216 200 216 260 206 318.500L224 316Z", c.dark, 0.7)
        + path("M122 132C132 152 188 152 198 132L190 129C180 142 140 142 130 129Z", c.deep)
        + path("M130 129C140 142 180 142 190 129 176 120 144 120 130 129Z", mix(c.deep, NIGHT, 0.3))
        + path("M80 224 46 196 52 189 86 218ZM240 224 274 196 268 189 234 218Z", c.dark)
        + line("M98 309Q160 317 222 309", c.deep, 1.8, 0.6)
        + line("M96 206Q98 190 104 178M224 206Q222 190 216 178", c.deep, 2.4, 0.6)
        + line("M120 240Q126 262 122 290M196 236Q190 262 196 288", c.deep, 2.4, 0.3)
        + c.print(160, 224, 1.55, c.pale, c.accent)
    )


def aodai(c: Paint) -> str:
    """An áo dài: high collar, long sleeves, two panels over white silk trousers."""
    silk, shade = "#f8faf6", "#d5ded8"
    worn = (
        hanger(38, 54, 26)
        + path("M128 226H192L206 366Q184 372 162 366L160 300 158 366Q136 372 114 366Z", silk)
        + path("M176 226H192L206 366Q194 370 182 369Z", shade)
        + path("M128 226H142L132 369Q122 369 114 366Z", WHITE)
        + path(
            "M140 84 180 84 214 100Q226 108 230 124"
            "L252 232 226 238 204 148 196 206 216 352Q160 366 104 352L124 206"
            " 116 148 94 238 68 232 90 124Q94 108 106 100Z",
            c.base,
        )
        + path(
            "M140 84Q126 110 124 148L132 204 118 355 104 352 124 206 116 148 94 238 68 232 90 124Q94 108 106 100Z",
            c.light,
            0.65,
        )
        + path(
            "M180 84 214 100Q226 108 230 124"
            "L252 232 226 238 204 148 196 206 216 352 200 355 184 208 190 146Q192 112"
            " 180 84Z",
            c.dark,
            0.75,
        )
        + path("M142 70Q160 76 178 70L181 88Q160 96 139 88Z", c.base)
        + path("M142 70Q160 76 178 70 160 66 142 70Z", c.deep)
        + line("M160 76V92Q176 104 190 122", c.deep, 2.4)
        + disc(163, 92, 2.6, c.accent)
        + disc(176, 105, 2.6, c.accent)
        + disc(188, 120, 2.6, c.accent)
        + line("M124 206 122 232M196 206 198 232", c.deep, 3)
        + line("M150 200Q154 250 144 340M176 210Q172 260 180 344", c.deep, 2.2, 0.35)
        + line("M134 344C150 322 130 304 146 288 156 278 150 262 158 250", c.accent, 2.6)
        + c.print(134, 332, 0.82, c.pale, c.accent)
        + c.print(150, 294, 0.6, c.pale, c.accent)
        + c.print(156, 252, 0.44, c.pale, c.accent)
        + line("M71 226 95 232M225 232 249 226", c.deep, 2, 0.6)
    )
    return moved(worn, 17.6, 16, scale=0.88)


def shirt(c: Paint) -> str:
    """An áo bà ba: round neck, buttons down the front, two pockets, slits at the sides."""
    return (
        hanger(72, 60, 28)
        + path(
            "M126 128C134 142 186 142 194 128L226 138Q238 144 242 158"
            "L282 288 252 298 226 218 230 318Q160 328 90 318L94"
            " 218 68 298 38 288 78 158Q82 144 94 138Z",
            c.base,
        )
        + path(
            "M126 128Q128 134 134 137 114 180 110 250L112 320.500 90 318 94 218 68 298 38 288 78 158Q82 144 94 138Z",
            c.light,
            0.6,
        )
        + path(
            "M206 132 226 138Q238 144 242 158L282 288 252 298 226 218 230 318 208 320.500Q214 220 206 132Z",
            c.dark,
            0.7,
        )
        + path("M126 128C134 142 186 142 194 128L187 126C178 135 142 135 133 126Z", c.deep)
        + path("M133 126C142 135 178 135 187 126 174 118 146 118 133 126Z", mix(c.deep, NIGHT, 0.3))
        + line("M160 139V322", c.deep, 2.4)
        + "".join(disc(160, y, 4.2, PAPER) + disc(160, y, 1.6, c.deep) for y in (158, 192, 226, 260, 294))
        + rect(104, 254, 40, 46, c.dark, 4, 0.5)
        + rect(178, 254, 40, 46, c.deep, 4, 0.4)
        + line("M104 262H144M178 262H218", c.pale, 2.4)
        + line("M94 218Q98 200 104 188M226 218Q222 200 216 188", c.deep, 2.4, 0.6)
        + line("M92 290V316M228 290V316", c.deep, 3, 0.7)
        + line("M41 280 70 290M279 280 250 290", c.deep, 2, 0.6)
        + line("M122 170Q130 200 124 240", c.deep, 2.2, 0.3)
    )


def scarf(c: Paint) -> str:
    """A khăn rằn, the checked cotton scarf of the delta, over a bamboo rail."""
    checks = woven(
        "check",
        22,
        22,
        rect(0, 0, 22, 22, PAPER)
        + rect(0, 0, 12, 22, c.base, opacity=0.62)
        + rect(0, 0, 22, 12, c.base, opacity=0.62)
        + line("M17 0V22M0 17H22", c.base, 1.4),
    )
    fringe = "".join(f"M{x} {302 if x < 160 else 268}v18" for x in [*range(82, 152, 8), *range(174, 240, 8)])
    front = "M78 108Q78 96 90 96H146Q156 96 156 108V304H76Z"
    back = "M166 108Q166 96 176 96H232Q242 96 242 108L244 270H168Z"
    return (
        checks
        + line("M44 104H276", mix(BAMBOO, NIGHT, 0.3), 14)
        + line("M46 101H274", BAMBOO, 8)
        + line("M92 98V110M132 98V110M196 98V110M232 98V110M58 98V110M262 98V110", mix(BAMBOO, NIGHT, 0.35), 2.4)
        + line("M56 98 56 66M264 98V66", mix(STRING, NIGHT, 0.35), 4)
        + nail(56, 64)
        + nail(264, 64)
        + line(fringe, c.dark, 2.4)
        + path(back, "url(#check)")
        + path(back, NIGHT, 0.13)
        + path(front, "url(#check)")
        + path("M78 108Q78 96 90 96H98Q92 200 96 304H76Z", WHITE, 0.35)
        + path(
            "M122 96H146Q156 96 156 108V304H138Q146 200 122 96ZM212 96H232Q242 96 242 108L244 270H226Q230 180 212 96Z",
            NIGHT,
            0.14,
        )
        + path("M76 296H156V304H76ZM168 262H244V270H168Z", c.dark)
        + path("M78 108Q78 96 90 96H232Q242 96 242 108V116Q160 104 78 116Z", NIGHT, 0.12)
    )


def sandals(c: Paint) -> str:
    """A pair of moulded sandals with honeycomb holes."""
    holes = "".join(
        f"M{x} {y}v.1"
        for row in (
            ((-70, -54), (-60, -68), (-48, -80), (-34, -88), (-18, -92), (-2, -90), (12, -82)),
            ((-54, -50), (-44, -62), (-31, -70), (-17, -74), (-3, -72), (10, -64)),
            ((-38, -46), (-27, -54), (-14, -57), (-1, -55), (10, -47)),
        )
        for x, y in row
    )
    one = (
        path("M-108-18C-112-34-86-40-60-40-20-40 10-44 50-50 84-54 112-52 114-38L112-22H-104Z", c.deep)
        + path("M-92-30C-88-76-50-104-14-104 16-104 26-76 30-40 10-30-60-24-92-30Z", c.base)
        + path("M-92-30C-88-76-50-104-14-104-46-92-68-66-70-27-80-27-86-28-92-30Z", c.light)
        + path("M30-40C26-76 16-104-14-104 8-92 12-62 10-34Z", c.dark)
        + line(holes, c.deep, 9)
        + line("M-84-48C-74-76-50-94-26-98", c.pale, 3.5)
        + path(
            "M-112-22C-112-34-104-34-94-32-40-24 20-34 60-38 90-42 112-44 116-30V-8"
            "Q116 0 106 0H30C10 0 4-8-14-8-34-8-40"
            " 0-58 0H-92Q-110 0-112-22Z",
            c.base,
        )
        + path(
            "M-112-20C-60-10 40-16 116-26V-8Q116 0 106 0H30C10 0 4-8-14-8-34-8-40 0-58 0H-92Q-110 0-112-20Z",
            c.dark,
        )
        + line("M-106-26C-50-18 40-24 112-34", c.light, 3)
        + line("M-98-6H-60M34-6H106", c.deep, 3, dash="6 5")
    )
    return kept("sandal", one) + again("sandal", 184, 312, scale=0.94) + again("sandal", 142, 350)


def hat(c: Paint) -> str:
    """A nón lá of palm leaf, sixteen bamboo rings inside, a ribbon under the chin."""
    ribs = "".join(
        f"M160 148Q{160 + k * 6} 230 {160 + k * 19.6:.0f} {340 - abs(k) * abs(k) * 0.36:.0f}" for k in range(-5, 6)
    )
    rings = "".join(
        f"M{160 - k * 19.6:g} {146 + k * 30}Q160 {146 + k * 30 + 6 + k * 4} {160 + k * 19.6:g} {146 + k * 30}"
        for k in range(1, 6)
    )
    return (
        line("M92 334C82 372 100 384 124 378M228 334C240 372 218 386 196 380", RED, 6)
        + path("M160 144 278 326Q160 356 42 326Z", c.base)
        + path("M160 144 42 326Q76 335 112 338Z", c.light)
        + path("M160 144 278 326Q248 334 216 337.500Z", c.dark, 0.6)
        + line(ribs, c.dark, 1.6, 0.5)
        + line(rings, c.dark, 2.2, 0.65)
        + line("M42 326Q160 356 278 326", c.deep, 5)
        + path("M160 140 174 166Q160 171 146 166Z", c.dark)
        + line("M148 164Q160 169 172 164", c.pale, 2)
        + line("M138 190 70 312", c.pale, 3.5, 0.7)
    )
