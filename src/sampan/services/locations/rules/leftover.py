"""What is left of a pasted text when its places are taken out: phone, name and street."""

import math
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from sampan.kernel.phone import BadPhone, normalise_phone
from sampan.kernel.text import fold

Span = tuple[int, int]

# The first digits say how many follow: `0912 345 678 12 Lê Lợi` is a number and a house.
_SIGN: Final = r"[ .\-\u2010-\u2015()]{0,3}"
_PHONE: Final = re.compile(
    rf"(?<![\d/])(?:\+?84{_SIGN}(?:\(0\)|0)?|0){_SIGN}"
    rf"(?:[35789](?:{_SIGN}\d){{8}}|1(?:{_SIGN}\d){{9}}|2(?:{_SIGN}\d){{9}})(?![\d/])"
)

_PARTING: Final = re.compile(r"[,;|\n\r\t•()]|\s[-–—]+\s|\s[-–—]+$|^[-–—]+\s")
_EDGES: Final = " \t\r\n.,;:|/\\-–—_*•\"'()[]{}<>~!?=+#&"
_DIGIT: Final = re.compile(r"\d")


def _set(words: str, sign: str | None = None) -> frozenset[str]:
    return frozenset(words.split(sign))


# All folded.
_LABELS: Final = {
    "name": _set(
        "ten|ho ten|ho va ten|ten nguoi nhan|nguoi nhan|nguoi mua|nguoi nhan hang|ten khach|ten khach hang|"
        "khach hang|khach|kh|nn|name|full name|receiver",
        "|",
    ),
    "address": _set(
        "dia chi|dia chi nhan hang|dia chi nhan|dia chi giao hang|dia chi giao|noi nhan|dc|d c|dc nhan|address|add|"
        "giao|giao den|giao toi|giao ve|giao hang den|ship|ship ve|ship den|ship toi|ship cho em ve|"
        "ship cho minh ve|gui ve|gui den|gui toi|nha",
        "|",
    ),
    "phone": _set(
        "sdt|so dt|so dien thoai|dien thoai|dt|dtdd|phone|tel|mobile|zalo|so|lien he|lh|call|sdt nhan|sdt nguoi nhan",
        "|",
    ),
}
_NEEDS_COLON: Final = _set("ten|kh|khach|nn|so|nha|add|d c|giao|ship|call", "|")
_LONGEST_LABEL: Final = 5

_HONORIFICS: Final = _set("anh chi co chu bac ong ba em mr mrs ms miss a c")
_FAMILY_NAMES: Final = _set(
    "nguyen tran le pham hoang huynh phan vu vo dang bui do ho ngo duong ly dinh dao doan vuong trinh truong lam "
    "mai phung luong cao chau ta ha thai to luu kieu quach tang la nghiem tong mac quan khuc thach kim danh son "
    "trieu ninh au bach chu diep giang hua khong lai luc mach nhan nong phu quang sam thieu tieu tu ung van vi vien"
)
_OF_DOORS: Final = _set(
    "duong pho hem ngo ngach kiet to ap thon xom khu kp kdc kcn cc chung toa nha so gan doi canh sau truoc cho cau "
    "lo tang phong can ql tl dt quoc dai km shop cong cty truong benh ben lau block buon ban"
)
_OF_PLACES: Final = _OF_DOORS | _set("tinh xa quan huyen phuong thi tp tx tt")
_OF_PARCELS: Final = _set(
    "ship giao gui don hang nhe shop cod thanh toan chuyen khoan nhanh gio goi truoc ok dc duoc vay"
)
_COUNTRY: Final = _set("viet nam|vietnam|vn", "|")
_ENOUGH: Final = 1.6


class Piece(Struct):
    """A stretch of text between commas, lines and what was taken out.

    `label` is what was written before it (`name`, `phone`, `address`, or nothing). `by_phone` and `before_place`
    say what stands beside it; `own_line` that its line, of several, holds nothing else.
    """

    text: str
    start: int
    label: str
    by_phone: bool
    before_place: bool
    own_line: bool


def take_phone(text: str) -> tuple[str, Span | None]:
    """The first phone number in E.164 and where it stood; empty and None without one."""
    for found in _PHONE.finditer(text):
        try:
            return normalise_phone(found[0]), found.span()
        except BadPhone:
            continue
    return "", None


def name_and_street(text: str, phone: Span | None, places: Sequence[Span]) -> tuple[str, str]:
    """Tells the rest apart: a person's name, and the street with all that helps to find the door.

    A name is recognised by its label (`Người nhận:`), by standing beside the phone number or in a line of its own, by
    a family name or a form of address, and by having no digits; in doubt a piece belongs to the street.
    """
    pieces = _pieces(text, phone, places)
    name = ""
    scores = [_likeness_of_name(piece, at, len(pieces)) for at, piece in enumerate(pieces)]
    if scores and max(scores) >= _ENOUGH:
        at = scores.index(max(scores))
        name, rest = _split_name(pieces[at].text)
        if rest:
            pieces[at].text = rest
        else:
            del pieces[at]
    return name, ", ".join(piece.text for piece in _street(pieces, places))


def _street(pieces: list[Piece], places: Sequence[Span]) -> list[Piece]:
    """The pieces before the place, from the address label on; those behind it only where they lead to a door."""
    first_place = min((start for start, _ in places), default=math.inf)
    pieces = [piece for piece in pieces if piece.label != "phone"]
    before = [piece for piece in pieces if piece.start < first_place]
    after = [piece for piece in pieces if piece.start >= first_place]
    labelled = [at for at, piece in enumerate(before) if piece.label == "address"]
    before = before[labelled[0] :] if labelled else before
    if not any(_DIGIT.search(piece.text) for piece in before):
        doors = [piece for piece in after if _DIGIT.search(piece.text)]
        if doors:  # the large was written before the small
            return [piece for piece in (*before, *after) if piece in doors or _helps(piece)]
    return [*before, *(piece for piece in after if _helps(piece))]


# --- pieces ------------------------------------------------------------------------------------------------


def _pieces(text: str, phone: Span | None, places: Sequence[Span]) -> list[Piece]:
    taken = sorted([*places, *([phone] if phone else [])])
    stretches: list[Span] = []
    at = 0
    for start, end in taken:
        stretches.append((at, start))
        at = max(at, end)
    stretches.append((at, len(text)))
    found: list[Piece] = []
    for start, end in stretches:
        cuts = [start, *(cut for sign in _PARTING.finditer(text, start, end) for cut in sign.span()), end]
        for left, right in zip(cuts[::2], cuts[1::2], strict=True):
            if piece := _piece(text, left, right, phone, places):
                found.append(piece)
    return found


def _piece(text: str, start: int, end: int, phone: Span | None, places: Sequence[Span]) -> Piece | None:
    written = text[start:end]
    bare = written.strip(_EDGES)
    label, bare = _unlabelled(bare)
    by_phone = phone is not None and _beside(text, (start, end), phone)
    if by_phone and not label and fold(bare).startswith("ten "):
        label, bare = "name", bare.split(maxsplit=1)[1]  # `0909111222 ten Linh`
    if not bare or fold(bare) in _COUNTRY or not fold(bare):
        return None
    if bare.isdigit() and len(bare) in (5, 6):  # a postcode
        return None
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line_end = text.find("\n", end)
    outside = text[line_start:start] + text[end : line_end if line_end >= 0 else len(text)]
    return Piece(
        text=bare,
        start=start,
        label=label,
        by_phone=by_phone,
        before_place=any(_beside(text, (start, end), place) and place[0] >= end for place in places),
        own_line=not outside.strip(_EDGES) and ("\n" in text or "\r" in text),
    )


def _beside(text: str, piece: Span, other: Span) -> bool:
    """Nothing but signs and a label such as `SĐT` stands between."""
    between = text[piece[1] : other[0]] if other[0] >= piece[1] else text[other[1] : piece[0]]
    if len(between) > 40:
        return False
    key = fold(between)
    return not key or key in _LABELS["phone"]


def _unlabelled(text: str) -> tuple[str, str]:
    """`Người nhận: Lan` is labelled `name`; the label itself is left out."""
    words = list(_WORD.finditer(text))
    for count in range(min(_LONGEST_LABEL, len(words)), 0, -1):
        end = words[count - 1].end()
        key = fold(text[:end])
        kind = next((kind for kind, labels in _LABELS.items() if key in labels), "")
        colon = text[end:].lstrip()[:1] in (":", "-", "=", ".")
        if kind and (colon or key not in _NEEDS_COLON):
            return kind, text[end:].strip(_EDGES)
    return "", text


_WORD: Final = re.compile(r"[^\W_]+")


# --- names -------------------------------------------------------------------------------------------------


def _likeness_of_name(piece: Piece, at: int, count: int) -> float:
    if piece.label == "address":
        return -1.0
    name, rest = _split_name(piece.text)
    words = fold(name).split()
    if not words or len(words) > 6 or any(char.isdigit() for char in name):
        return -1.0
    if piece.label == "name":
        return 9.0
    honoured = len(words) > 1 and words[0] in _HONORIFICS
    of_family = len(words) > 1 and words[0] in _FAMILY_NAMES
    if words[0] in (_OF_PLACES | _OF_PARCELS) and not honoured:
        return -1.0
    if any(word in _OF_PARCELS for word in words[1:]):
        return -1.0
    apart = piece.by_phone or piece.own_line or bool(rest)
    first_of_many = at == 0 and count > 1 and of_family
    if not apart and (piece.before_place or not (honoured or first_of_many)):
        return -1.0
    written = [word for word in name.split() if word[:1].isalpha()]
    capital = all(word[:1].isupper() for word in written)
    return (
        1.2 * piece.by_phone
        + 0.8 * piece.own_line
        + 0.5 * (at in (0, count - 1))
        + 1.5 * honoured
        + 1.6 * of_family
        + (0.2 if capital else -0.3)
    )


def _split_name(text: str) -> tuple[str, str]:
    """`Nguyễn Văn A 12 Lê Lợi` is a name and a street; `Lê Lợi 12` is no name and a street."""
    words = text.split()
    rest = ""
    at = next((at for at, word in enumerate(words) if _DIGIT.search(word)), None)
    if at is not None:
        first = fold(words[0])
        if at < 2 or len(words) - at < 2 or first not in _FAMILY_NAMES | _HONORIFICS:
            return "", text
        words, rest = words[:at], " ".join(words[at:])
    if len(words) > 1 and _is_honorific(words[0], words[1]):
        words = words[1:]
    return " ".join(words).strip(_EDGES), rest.strip(_EDGES)


def _is_honorific(word: str, following: str) -> bool:
    """`Chị Lan`, `C. Lan` and `c Lan`, but not the `a` of `a lan`."""
    key = fold(word)
    return key in _HONORIFICS and (len(key) > 1 or word.endswith(".") or following[:1].isupper())


def _helps(piece: Piece) -> bool:
    """Whether a piece in an unusual place still belongs to the street: `gần chợ`, `tầng 3`."""
    words = fold(piece.text).split()
    return bool(words) and words[0] in _OF_DOORS and not any(word in _OF_PARCELS for word in words[1:])
