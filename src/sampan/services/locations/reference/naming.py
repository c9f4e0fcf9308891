"""How the official lists write the names of units: the type word first, the tone of open `oa`, `oe`, `uy` last."""

import re
import unicodedata
from typing import Final

# In the order in which they are tried: no word is the beginning of a later one.
TYPES: Final = {
    "thanh_pho": "Thành phố",
    "tinh": "Tỉnh",
    "phuong": "Phường",
    "xa": "Xã",
    "dac_khu": "Đặc khu",
    "quan": "Quận",
    "huyen": "Huyện",
    "thi_xa": "Thị xã",
    "thi_tran": "Thị trấn",
}
_ENGLISH: Final = {"01": "Hanoi", "31": "Haiphong"}  # the rest is the name without accents


def _tones_moved() -> dict[str, str]:
    def toned(letter: str, tone: str) -> str:
        return unicodedata.normalize("NFC", letter + tone)

    tones = "\u0300\u0301\u0303\u0309\u0323"
    return {toned(a, tone) + b: a + toned(b, tone) for a, b in ("oa", "oe", "uy") for tone in tones}


_TONES_MOVED: Final = _tones_moved()
_TONE_ON_FIRST: Final = re.compile(rf"(?<=\w)(?:{'|'.join(_TONES_MOVED)})\b")


def split_full_name(full_name: str) -> tuple[str, str]:
    """`Thị Xã Buôn Hồ` is a thi_xa named Buôn Hồ. A numbered unit keeps the word in its name: `Quận 1`.

    Raises:
        LookupError: the name begins with no type word.
    """
    for kind, word in TYPES.items():
        if full_name.casefold().startswith(word.casefold() + " "):
            name = full_name[len(word) + 1 :]
            return kind, f"{word} {name}" if name.isdigit() else name
    raise LookupError(f"no type of unit in {full_name!r}")


def full_name_for(kind: str, name: str) -> str:
    """The name with its type word, which a numbered unit has already."""
    word = TYPES[kind]
    return name if name.startswith(word + " ") and name[len(word) + 1 :].isdigit() else f"{word} {name}"


def official_spelling(name: str) -> str:
    """Decision 19/2025 writes the tone of open `oa`, `oe` and `uy` on the last letter: Hoà, Thuỷ."""
    return _TONE_ON_FIRST.sub(lambda found: _TONES_MOVED[found[0]], name)


def english_for(code: str, name: str) -> str:
    """Provinces with an English name of their own have it; of all others it is the name without accents."""
    if code in _ENGLISH:
        return _ENGLISH[code]
    decomposed = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))
