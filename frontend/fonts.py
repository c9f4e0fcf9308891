"""Build the web fonts: one woff2 per face and weight, holding Vietnamese and English and nothing else.

Needs `fonttools` and `brotli` (a scratch environment is enough: they are not dependencies of the project) and the npm
packages of package.json. Run it after a font package changes:

    python3 -m venv /tmp/fonts && /tmp/fonts/bin/pip install fonttools brotli && /tmp/fonts/bin/python fonts.py

The packages ship each face cut by script. A browser would fetch two files for every Vietnamese sentence, and text whose
letters come from two files loses the spacing between them, so the Latin and the Vietnamese cut are merged first and
then reduced to the letters that a shop in Vietnam writes.
"""

import io
import unicodedata
from pathlib import Path

from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules" / "@fontsource"
STATIC = HERE.parent / "src" / "sampan" / "ui" / "static" / "fonts"

ASCII = "".join(map(chr, range(0x20, 0x7F)))
VOWELS = "aăâeêioôơuưy"
TONES = "\u0300\u0301\u0303\u0309\u0323"
PUNCTUATION = "\u00a0«»“”‘’–—…·•×−±°©®™€₫½²³"
# Letters of loan words and of names on foreign cards: two hundred bytes each, and one letter in another face shows.
LOANS = "çÇñÑöÖüÜéÉèÈëïäÄåøß"
DIGITS = "0123456789 \u00a0.,:/%+−-–()₫$€×#"


def vietnamese() -> str:
    """Every letter of Vietnamese in both cases, composed: shapers compose decomposed text when the font can show it."""
    letters = {"đ", "Đ"}
    for vowel in VOWELS:
        for tone in ("", *TONES):
            letter = unicodedata.normalize("NFC", vowel + tone)
            letters |= {letter, letter.upper()}
    return "".join(sorted(letters))


TEXT = ASCII + vietnamese() + PUNCTUATION + LOANS

# face, weight in the package, file name, letters, OpenType features
FACES = (
    ("be-vietnam-pro", 400, "be-vietnam-pro-400", TEXT, ("kern", "liga")),
    ("be-vietnam-pro", 600, "be-vietnam-pro-600", TEXT, ("kern", "liga")),
    ("phudu", 600, "phudu-600", TEXT, ("kern",)),
    ("inter", 400, "num-400", DIGITS, ("tnum",)),
    ("inter", 600, "num-600", DIGITS, ("tnum",)),
)


def merged(face: str, weight: int) -> TTFont:
    """The Latin and the Vietnamese cut of one weight as one font."""
    parts = []
    drawn = 0
    for cut in ("latin", "vietnamese"):
        font = TTFont(PACKAGES / face / "files" / f"{face}-{cut}-{weight}-normal.woff2")
        font.flavor = None
        drawn = max(drawn, font["head"].modified)
        part = io.BytesIO()
        font.save(part)
        part.seek(0)
        parts.append(part)
    whole = Merger().merge(parts)
    whole.recalcTimestamp = False
    whole["head"].created = whole["head"].modified = drawn  # the same input gives the same bytes
    return whole


def reduced(font: TTFont, letters: str, features: tuple[str, ...]) -> TTFont:
    options = Options()
    options.flavor = "woff2"
    options.layout_features = list(features)
    options.hinting = False
    options.desubroutinize = True
    options.name_IDs = [0, 1, 2, 13, 14]  # the copyright and the licence stay inside the file
    options.notdef_outline = True
    subsetter = Subsetter(options)
    subsetter.populate(text=letters)
    subsetter.subset(font)
    return font


def build() -> None:
    STATIC.mkdir(parents=True, exist_ok=True)
    for face, weight, name, letters, features in FACES:
        font = reduced(merged(face, weight), letters, features)
        missing = {ord(letter) for letter in letters} - set(font.getBestCmap())
        font.flavor = "woff2"
        font.save(STATIC / f"{name}.woff2")
        size = (STATIC / f"{name}.woff2").stat().st_size
        lacking = " ".join(f"U+{code:04X}" for code in sorted(missing)) or "none"
        print(f"{name}.woff2 {size} bytes, {len(font.getBestCmap())} letters, missing: {lacking}")


if __name__ == "__main__":
    build()
