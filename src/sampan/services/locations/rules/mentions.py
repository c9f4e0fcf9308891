"""Where a text names places: each mention with the words around it that tell how much it weighs."""

import re
from typing import Final

from msgspec import Struct

from sampan.kernel.text import has_diacritics
from sampan.services.locations.rules.gazetteer import Gazetteer, Named
from sampan.services.locations.rules.spelling import (
    DISTRICT_TYPES,
    PROVINCE_TYPES,
    WARD_TYPES,
    letters,
    type_after,
    type_before,
    unglued,
    word_key,
)

_LONGEST_NAME: Final = 5  # words: `Văn Miếu - Quốc Tử Giám`
_LONGEST_WORD: Final = 24  # `thanhphohochiminh` and longer than any
_MOST_OF_A_KIND: Final = 4  # mentions of one name; more of it tells nothing new
_MOST: Final = 150
_NEAR: Final = 12  # mentions that may hold the type word of the next: `thanh pho ha tinh ha tinh`

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_PARTING: Final = re.compile(r"[,;|\n\r\t•]")  # no name goes across


def _keys(words: str) -> frozenset[str]:
    return frozenset(map(word_key, words.split()))


# After one of these a name is that of a street, a market, a building …
_NOT_A_UNIT_AFTER: Final = _keys(
    "đường đ phố hẻm ngõ ngách kiệt ql tl đt lộ hương tổ ấp thôn xóm khóm khu kp kdc kđt kcn cc cư toà nhà tháp "
    "chợ cầu cảng bay xe trường viện bệnh buôn bản làng số ngã tư gần cạnh diện vòng xoay shop cty ty"
)
# After one of these and a number the next name is the ward's: `khu phố 2 Phước Trung`.
_HAMLETS: Final = _keys("phố kp khu tổ ấp thôn xóm khóm đội buôn bản")


class Word(Struct):
    """A word of the text; `parted` is 0 after a space, 1 after a dash, dot or bracket, 2 after a comma or line."""

    text: str
    key: str
    start: int
    end: int
    parted: int


class Mention(Struct):
    """A name at words `first` (its type word) … `last` (excluded), characters `start` … `end`.

    `kind` is the type that was written. `begins` and `ends` say whether it fills its part of the text from the left
    and to the right. `of_street` says that a house number or such a word as `đường` goes before, `accented` that the
    text has accents, so that a name without any is meant so.
    """

    named: Named
    kind: str | None
    first: int
    last: int
    start: int
    end: int
    written: str
    accented: bool
    begins: bool
    ends: bool
    of_street: bool

    def overlaps(self, other: "Mention") -> bool:
        return self.first < other.last and other.first < self.last

    def contains(self, other: "Mention") -> bool:
        """`Bình Hưng Hoà A` contains `Bình Hưng Hoà`."""
        return self.last - self.first > other.last - other.first and self.overlaps(other)

    @property
    def fills(self) -> bool:
        return self.begins and self.ends


def words_in(text: str) -> list[Word]:
    """The words of the text; `Q1` and `TPHCM` are two."""
    words: list[Word] = []
    before = 0
    for found in _WORD.finditer(text):
        written, start = found[0], found.start()
        parted = 0
        between = text[before:start]
        if not words or between.strip():
            parted = 2 if not words or _PARTING.search(between) else 1
        elif "\n" in between or "\r" in between or "\t" in between:
            parted = 2
        before = found.end()
        if parts := unglued(written):
            cut = start + len(parts[0])
            words.append(Word(parts[0], word_key(parts[0]), start, cut, parted))
            words.append(Word(parts[1], word_key(parts[1]), cut, before, 0))
        else:
            key = word_key(written) if len(written) <= _LONGEST_WORD else " "
            words.append(Word(written, key, start, before, parted))
    return words


def mentions_in(words: list[Word], gazetteer: Gazetteer) -> list[Mention]:
    """All names of places in these words, also those inside others and those that are people or streets."""
    texts = [word.text for word in words]
    accented = any(map(has_diacritics, texts))
    found: list[Mention] = []
    seen: dict[str, int] = {}
    for at in range(len(words)):
        key = ""
        for last in range(at + 1, min(at + _LONGEST_NAME, len(words)) + 1):
            if last - 1 > at and words[last - 1].parted == 2:
                break
            key += words[last - 1].key
            named = gazetteer.named.get(key)
            if named is None or seen.get(key, 0) >= _MOST_OF_A_KIND:
                continue
            seen[key] = seen.get(key, 0) + 1
            kind, first, end = _typed(words, texts, named, at, last)
            if not key.isdigit():
                if kind is None or any(other.first < first < other.last for other in found[-_NEAR:]):
                    found.append(_mention(words, named, None, (at, at, last, last), accented))
                if kind is not None:
                    found.append(_mention(words, named, kind, (first, at, last, end), accented))
            elif kind is not None and words[at].parted < 2:
                found.append(_mention(words, named, kind, (first, at, last, end), accented))
        if len(found) >= _MOST:
            break
    _let_end_before_places(found)
    return found


def _typed(words: list[Word], texts: list[str], named: Named, at: int, last: int) -> tuple[str | None, int, int]:
    """The type written before or after the name at `at` … `last`, and where name and type begin and end together."""
    before = type_before(texts, at) if at and words[at].parted < 2 else None
    if before is not None and _may_be(named, before[0]):
        return before[0], at - before[1], last
    if last < len(words) and words[last].parted == 0:
        after = type_after(texts[last])
        if after is not None and _may_be(named, after):
            return after, at, last + 1
    return None, at, last


def _mention(
    words: list[Word], named: Named, kind: str | None, bounds: tuple[int, int, int, int], accented: bool
) -> Mention:
    first, name_first, name_last, last = bounds
    begins, after_number_or_street = _standing(words, first)
    return Mention(
        named=named,
        kind=kind,
        first=first,
        last=last,
        start=words[first].start,
        end=words[last - 1].end,
        written=letters(" ".join(word.text for word in words[name_first:name_last])),
        accented=accented,
        begins=begins,
        ends=last == len(words) or words[last].parted > 0,
        of_street=kind is None and after_number_or_street,
    )


def _standing(words: list[Word], first: int) -> tuple[bool, bool]:
    """Whether a mention at this word begins a part of the text, and whether it looks like a street there."""
    if words[first].parted:
        return True, False
    previous = words[first - 1]
    if any(char.isdigit() for char in previous.text):
        of_hamlet = first >= 2 and not previous.parted and words[first - 2].key in _HAMLETS
        return of_hamlet, not of_hamlet
    return False, previous.key in _NOT_A_UNIT_AFTER


def _may_be(named: Named, kind: str) -> bool:
    return bool(
        (kind in WARD_TYPES and (named.wards or named.legacy_wards))
        or (kind in DISTRICT_TYPES and named.districts)
        or (kind in PROVINCE_TYPES and named.legacy_provinces)
    )


def _let_end_before_places(mentions: list[Mention]) -> None:
    """Without commas a name ends where the next place begins: `Bến Thành Quận 1 TPHCM`."""
    places = {m.first for m in mentions if m.kind is not None or m.named.legacy_provinces}
    for mention in mentions:
        if mention.last in places:
            mention.ends = True
