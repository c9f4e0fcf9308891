"""What is left of a pasted text when its places are taken out: phone, name and street."""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from sampan.kernel.phone import BadPhone, normalise_phone
from sampan.kernel.text import fold

Span = tuple[int, int]

# The first digits say how many follow: `0912 345 678 12 Lê Lợi` is a number and a house.
_SIGN: Final = r"[\s.\-\u2010-\u2015()]{0,3}"
_PHONE: Final = re.compile(
    r"(?<![\d/])(?:\+?84{s}(?:\(0\)|0)?|0){s}(?:[35789](?:{s}\d){{8}}|1(?:{s}\d){{9}}|2(?:{s}\d){{9}})(?![\d/])".replace(
        "{s}", _SIGN
    )
    .replace("{{", "{")
    .replace("}}", "}")
)

_PARTING: Final = re.compile(r"[,;|\n\r\t•()]|\s[-–—]+\s|\s[-–—]+$|^[-–—]+\s")
_EDGES: Final = " \t\r\n.,;:|/\\-–—_*•\"'()[]{}<>~!?=+#&"
_DIGIT: Final = re.compile(r"\d")

_NAME_LABELS: Final = frozenset(
    (
        "ten",
        "ho ten",
        "ho va ten",
        "ten nguoi nhan",
        "nguoi nhan",
        "nguoi mua",
        "nguoi nhan hang",
        "ten khach",
        "ten khach hang",
        "khach hang",
        "khach",
        "kh",
        "name",
        "full name",
        "receiver",
        "nn",
    )
)
_OTHER_LABELS: Final = frozenset(
    (
        "sdt",
        "so dt",
        "so dien thoai",
        "dien thoai",
        "dt",
        "dtdd",
        "phone",
        "tel",
        "mobile",
        "zalo",
        "so",
        "lien he",
        "lh",
        "call",
        "sdt nhan",
        "sdt nguoi nhan",
    )
)
_ADDRESS_LABELS: Final = frozenset(
    (
        "dia chi",
        "dia chi nhan hang",
        "dia chi nhan",
        "dia chi giao hang",
        "dia chi giao",
        "dc",
        "d c",
        "dc nhan",
        "address",
        "add",
        "giao den",
        "giao toi",
        "giao ve",
        "giao",
        "giao hang den",
        "ship",
        "ship ve",
        "ship den",
        "ship toi",
        "ship cho em ve",
        "ship cho minh ve",
        "gui ve",
        "gui den",
        "gui toi",
        "noi nhan",
        "nha",
    )
)
_NEEDS_COLON: Final = frozenset(
    ("ten", "kh", "khach", "nn", "so", "nha", "add", "d c", "giao", "ship", "call")
)
_LONGEST_LABEL: Final = 5

_HONORIFICS: Final = frozenset("anh chi co chu bac ong ba em mr mrs ms miss a c".split())
_FAMILY_NAMES: Final = frozenset(
    (
        "nguyen tran le pham hoang huynh phan vu vo dang bui do ho ngo duong ly dinh dao doan vuong trinh truong lam mai "
        "phung luong cao chau ta ha thai to luu kieu quach tang la nghiem tong mac quan khuc thach kim danh son trieu "
        "ninh au duong bach chu diep giang hua khong lai luc mach nhan nong phu quang sam thieu tieu tu ung van vi vien"
    ).split()
)
_OF_DOORS: Final = frozenset(
    (
        "duong pho hem ngo ngach kiet to ap thon xom khu kp kdc kcn cc chung toa nha so gan doi canh sau truoc cho "
        "cau lo tang phong can ql tl dt quoc dai km shop cong cty truong benh ben lau block buon ban"
    ).split()
)
_OF_PLACES: Final = _OF_DOORS | frozenset("tinh xa quan huyen phuong thi tp tx tt".split())
_OF_PARCELS: Final = frozenset(
    "ship giao gui don hang nhe shop cod thanh toan chuyen khoan nhanh gio goi truoc ok dc duoc vay".split()
)
_COUNTRY: Final = frozenset(("viet nam", "vietnam", "vn"))
_ENOUGH: Final = 1.6


class Piece(Struct):
    """A stretch of text between commas, lines and what was taken out.

    `label` is what was written before it (`name`, `other`, `address`, or nothing). `by_phone` and `by_place` say
    what stands beside it; `own_line` that its line holds nothing else.
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
    first_place = min((start for start, _ in places), default=len(text))
    before = [piece for piece in pieces if piece.start < first_place]
    after = [piece for piece in pieces if piece.start >= first_place]
    if any(_DIGIT.search(piece.text) for piece in before) or not after:
        after = [piece for piece in after if _helps(piece)]
    elif any(_DIGIT.search(piece.text) for piece in after):  # the large before the small
        before = [piece for piece in before if _helps(piece)]
    street = ", ".join(piece.text for piece in (*before, *after) if piece.label != "other")
    return name, street


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
        by_phone=phone is not None and _beside(text, (start, end), phone),
        before_place=any(_beside(text, (start, end), place) and place[0] >= end for place in places),
        own_line=not outside.strip(_EDGES) and ("\n" in text or "\r" in text),
    )


def _beside(text: str, piece: Span, other: Span) -> bool:
    """Nothing but signs and a label such as `SĐT` stands between."""
    between = text[piece[1] : other[0]] if other[0] >= piece[1] else text[other[1] : piece[0]]
    if len(between) > 40:
        return False
    key = fold(between)
    return not key or key in _OTHER_LABELS


def _unlabelled(text: str) -> tuple[str, str]:
    """`Người nhận: Lan` is labelled `name`; the label itself is left out."""
    words = list(_WORD.finditer(text))
    for count in range(min(_LONGEST_LABEL, len(words)), 0, -1):
        key = fold(text[: words[count - 1].end()])
        kind = (
            "name"
            if key in _NAME_LABELS
            else "address"
            if key in _ADDRESS_LABELS
            else "other"
            if key in _OTHER_LABELS
            else ""
        )
        if not kind:
            continue
        rest = text[words[count - 1].end() :]
        colon = rest.lstrip()[:1] in (":", "-", "=", ".")
        if key in _NEEDS_COLON and not colon:
            continue
        rest = rest.strip(_EDGES)
        if not rest or colon or kind != "other":
            again = _unlabelled(rest) if rest and kind == "other" else ("", rest)
            return (again[0] or kind if rest else kind), again[1]
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
    if words[0] in _OF_PLACES and not honoured or any(word in _OF_PARCELS for word in words[1:]):
        return -1.0
    if words[0] in _OF_PARCELS and not honoured:
        return -1.0
    beside = piece.by_phone or piece.own_line or bool(rest)
    if not beside and not (honoured and not piece.before_place):
        if not (
            at == 0 and count > 1 and words[0] in _FAMILY_NAMES and len(words) > 1 and not piece.before_place
        ):
            return -1.0
    score = 1.2 * piece.by_phone + 0.8 * piece.own_line + 0.5 * (at in (0, count - 1))
    score += 1.5 * honoured
    score += 1.6 * (words[0] in _FAMILY_NAMES and len(words) > 1)
    written = [word for word in name.split() if word[:1].isalpha()]
    score += 0.2 if all(word[:1].isupper() for word in written) else -0.3
    return score


def _split_name(text: str) -> tuple[str, str]:
    """`Nguyễn Văn A 12 Lê Lợi` is a name and a street; `Lê Lợi 12` is no name and a street."""
    words = text.split()
    digits = [at for at, word in enumerate(words) if _DIGIT.search(word)]
    rest = ""
    if digits:
        at = digits[0]
        first = fold(words[0])
        if at >= 2 and len(words) - at >= 2 and (first in _FAMILY_NAMES and at >= 2 or first in _HONORIFICS):
            words, rest = words[:at], " ".join(words[at:])
        else:
            return "", text
    while (
        words
        and len(words) > 1
        and fold(words[0]) in _HONORIFICS
        and (len(fold(words[0])) > 1 or words[0][-1:] == "." or words[1][:1].isupper())
    ):
        words = words[1:]
    return " ".join(words).strip(_EDGES), rest.strip(_EDGES)


def _helps(piece: Piece) -> bool:
    """Whether a piece in an unusual place still belongs to the street: `gần chợ`, `tầng 3`."""
    words = fold(piece.text).split()
    return bool(words) and words[0] in _OF_DOORS and not any(word in _OF_PARCELS for word in words[1:])
