"""Túi & giỏ: what carries the shopping, the books and the keys."""

from sampan.demo.art.colour import BRASS, NIGHT, PAPER, WHITE, mix, ramp
from sampan.demo.art.paint import Paint
from sampan.demo.art.pen import clipped, disc, line, path, rect, woven


def market_bag(c: Paint) -> str:
    """The woven plastic bag that goes to market every morning."""
    accent = ramp(c.accent)
    body = "M76 186H244L256 334Q257 346 244 346H76Q63 346 64 334Z"
    uprights = "".join(
        rect(60 + k * 28.6, 186, 28.8, 164, colour)
        for k, colour in enumerate((c.base, PAPER, c.base, accent.base, c.base, PAPER, c.base))
    )
    across = "".join(
        rect(56, 198 + k * 20, 208, 10, colour, opacity=0.58)
        for k, colour in enumerate((c.dark, PAPER, c.dark, accent.dark, c.dark, PAPER, c.dark, accent.dark))
    )
    return (
        line("M104 196C104 90 216 90 216 196", c.deep, 11)
        + line("M106 190C108 98 212 98 214 190", c.dark, 3)
        + clipped(
            "body",
            body,
            uprights + across + path("M60 186H104V350H56Z", WHITE, 0.12) + path("M222 186H266V350H228Z", NIGHT, 0.18),
        )
        + line("M122 196C122 116 198 116 198 196", c.base, 9)
        + line("M124 188C126 122 194 122 196 188", c.light, 2.6)
        + rect(70, 182, 180, 14, c.dark, 2)
        + line("M76 186H180", c.light, 2.4)
        + line("M112 214V226M130 214V226M190 214V226M208 214V226", c.deep, 5)
    )


def backpack(c: Paint) -> str:
    """A canvas backpack for school or for two days away."""
    return (
        path("M84 226Q58 236 62 320 64 346 92 350Z", c.deep)
        + path("M236 226Q262 236 258 320 256 346 228 350Z", c.deep)
        + line("M140 114C138 84 182 84 180 114", c.deep, 9)
        + path("M88 178Q88 104 160 104T232 178V328Q232 356 204 356H116Q88 356 88 328Z", c.base)
        + path("M88 178Q88 104 148 104 116 124 114 178V356Q88 354 88 328Z", c.light)
        + path("M232 178Q232 104 172 104 206 126 208 178V356Q232 354 232 328Z", c.dark)
        + line("M100 176Q102 118 160 117T220 176", c.deep, 2, 0.7)
        + path("M96 160Q100 112 160 112T224 160V214Q224 226 212 226H108Q96 226 96 214Z", c.dark)
        + path("M96 160Q100 112 160 112T224 160V206Q224 218 212 218H108Q96 218 96 206Z", c.base)
        + path("M96 160Q100 116 142 113 118 128 116 160V218H108Q96 218 96 206Z", c.light)
        + c.print(160, 168, 1.25, c.pale, c.accent)
        + rect(104, 250, 112, 92, c.dark, 12)
        + rect(104, 246, 112, 90, c.base, 12)
        + path("M104 258Q104 246 116 246H204Q216 246 216 258V268H104Z", c.dark)
        + line("M112 268H208", c.deep, 3, dash="5 4")
        + line("M200 268V282", BRASS, 5)
        + rect(128, 206, 14, 56, mix(c.accent, NIGHT, 0.2), 3)
        + rect(178, 206, 14, 56, mix(c.accent, NIGHT, 0.2), 3)
        + rect(125, 224, 20, 16, BRASS, 3)
        + rect(175, 224, 20, 16, BRASS, 3)
        + rect(130, 229, 10, 6, c.deep)
        + rect(180, 229, 10, 6, c.deep)
        + line("M114 292H172M114 312H150", c.deep, 2, 0.35)
        + line("M98 190V320", c.pale, 3.5, 0.7)
    )


def tote(c: Paint) -> str:
    """A cotton tote with one big print."""
    return (
        line("M112 200C108 84 150 84 150 200", c.deep, 9)
        + line("M172 200C172 84 212 84 208 200", c.deep, 9)
        + path("M78 184H242L250 340Q250 352 238 352H82Q70 352 70 340Z", c.base)
        + path("M78 184H110Q96 260 100 352H82Q70 352 70 340Z", c.light)
        + path("M214 184H242L250 340Q250 352 238 352H222Q232 260 214 184Z", c.dark)
        + line("M110 208C104 96 148 96 146 208M176 208C172 96 216 96 212 208", c.light, 8)
        + line("M112 196C108 108 142 104 144 190M178 196C174 108 210 104 210 190", c.base, 2.4)
        + rect(104, 196, 13, 20, c.light, 2)
        + rect(140, 196, 13, 20, c.light, 2)
        + rect(169, 196, 13, 20, c.light, 2)
        + rect(205, 196, 13, 20, c.light, 2)
        + line(
            "M107 199 114 213M114 199 107 213M143 199 150 213M150 199 143 213"
            "M172 199 179 213M179 199 172 213M208 199"
            " 215 213M215 199 208 213",
            c.deep,
            1.6,
        )
        + line("M78 194H242", c.deep, 1.8, dash="6 4")
        + c.print(160, 278, 2.5, c.deep, c.accent)
        + line("M92 250Q98 300 90 336M228 240Q222 290 230 330", c.deep, 2.2, 0.35)
    )


def pouch(c: Paint) -> str:
    """A zipped brocade pouch with a tassel."""
    weave = woven(
        "brocade",
        32,
        34,
        rect(0, 0, 32, 34, c.base)
        + rect(0, 0, 32, 4, c.accent)
        + rect(0, 5, 32, 2, c.pale)
        + path("M0 20 8 11 16 20 24 11 32 20V24L24 15 16 24 8 15 0 24Z", c.pale)
        + path("M16 26 20 30 16 34 12 30ZM0 26 4 30 0 34ZM32 26 28 30 32 34Z", c.accent)
        + rect(0, 8, 32, 1.6, c.deep),
    )
    body = "M52 222Q52 212 62 212H258Q268 212 268 222V334Q268 350 252 350H68Q52 350 52 334Z"
    return (
        weave
        + clipped(
            "body",
            body,
            path(body, c.base)
            + rect(52, 246, 216, 104, "url(#brocade)")
            + path("M40 200H84Q70 280 82 360H40Z", WHITE, 0.2)
            + path("M240 200H280V360H232Q248 280 240 200Z", NIGHT, 0.24)
            + path("M52 330Q160 348 268 330V360H52Z", NIGHT, 0.18),
        )
        + rect(46, 202, 228, 16, c.deep, 7)
        + line("M58 210H262", BRASS, 5, dash="3 3.5")
        + rect(236, 203, 24, 14, BRASS, 4)
        + line("M252 211Q276 226 274 252", mix(BRASS, NIGHT, 0.3), 3)
        + disc(274, 256, 6, c.accent)
        + path("M268 260H280L284 304H264Z", c.accent)
        + line("M270 268 268 300M274 266V302M278 268 280 300", mix(c.accent, NIGHT, 0.35), 1.8)
        + line("M62 232H200", c.pale, 3, 0.7)
    )
