"""A pasted address read into parts: who, which number, which street, which ward.

People paste what a customer wrote in a chat: one line or five, in the old three levels or the new two, with or
without accents, abbreviated, with name and phone before or after. The places in the text are found (`mentions`), the
ward that fits best with the district and the province around it is chosen (`reading`), and what is left is told apart
into phone, name and street (`leftover`). The text is cut to a length that no address has; time grows with it.
"""

import unicodedata
from collections import defaultdict
from typing import Final

from sampan.kernel.text import nfc
from sampan.services.locations.contract import Match, Parsed, Ward
from sampan.services.locations.rules.conversion import SURE, matches, weights_of
from sampan.services.locations.rules.gazetteer import Gazetteer
from sampan.services.locations.rules.leftover import name_and_street, take_phone
from sampan.services.locations.rules.mentions import Mention, mentions_in, words_in
from sampan.services.locations.rules.reading import Around, Reading, around_in, provinces_of, readings_of
from sampan.services.locations.rules.spelling import letters

LONGEST: Final = 1000  # characters

_PROVINCE_ONLY: Final = 50
_UNTYPED: Final = 92  # the bare name, but inside a district or province that has such a ward
_BETWEEN_WORDS: Final = 80  # the same in the middle of other words
_OLD_DISTRICT_TOO: Final = 50  # `Hai Bà Trưng, Hà Nội`: the ward of today, or the district, which was larger
_ALONE: Final = 75  # no district or province beside it
_MISFIT: Final = 25  # taken off when the text names a district or province that the ward is not in
_OTHER_ACCENTS: Final = 8


def parse(gazetteer: Gazetteer, text: str) -> Parsed:
    """A pasted text gives the phone in E.164, the name, the street, and today's wards that may be meant, surest
    first.

    A place written in the old three levels is converted, and the answer is marked `legacy`. Where no ward was
    recognised the candidates may still name the province (`ward` is None); empty strings and lists mean not found.
    `confidence` is that of the first candidate, 0 without one.
    """
    text = _clean(text)
    phone, phone_span = take_phone(text)
    searched = text
    if phone_span is not None:
        start, end = phone_span
        searched = text[:start] + "," * (end - start) + text[end:]
    words = words_in(searched)
    mentions = mentions_in(words, gazetteer)
    around = around_in(mentions, gazetteer)
    readings = readings_of(mentions, around, len(words), gazetteer)
    if readings:
        used = _used(readings[0], around)
        candidates = _candidates(gazetteer, readings)
        legacy = not isinstance(readings[0].ward, Ward)
    else:
        codes, used = provinces_of(around, gazetteer)
        candidates = [Match(gazetteer.provinces[c], None, _PROVINCE_ONLY // len(codes)) for c in codes]
        legacy = any(mention.named.districts and mention.kind is not None for mention in used)
    name, street = name_and_street(text, phone_span, [(mention.start, mention.end) for mention in used])
    return Parsed(
        name=name,
        phone=phone,
        street=street,
        candidates=candidates,
        legacy=legacy,
        confidence=candidates[0].confidence if candidates else 0,
    )


def _clean(text: str) -> str:
    """One Unicode form, plain digits, no invisible characters; pictures part the text like a comma."""
    text = unicodedata.normalize("NFKC", nfc(text[: 2 * LONGEST]))[:LONGEST]
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_cleaned, text))


def _cleaned(char: str) -> str:
    if char in "\n\r\t" or char.isalnum():
        return char
    category = unicodedata.category(char)
    if category in ("Cf", "Mn", "Me", "Cs", "Co", "Cn"):
        return ""
    if category in ("So", "Sk"):
        return ";"
    return " " if category in ("Cc", "Zs", "Zl", "Zp") else char


def _used(best: Reading, around: Around) -> list[Mention]:
    """The mentions that are the place, with what else was written behind it: `…, Bình Dương, TP.HCM`."""
    used = [m for m in (best.mention, best.district, best.province) if m is not None]
    for mention in (*around.plain_districts, *around.plain_provinces):
        if mention.first >= best.mention.last and not any(mention.overlaps(other) for other in used):
            used.append(mention)
    return used


def _candidates(gazetteer: Gazetteer, readings: list[Reading]) -> list[Match]:
    weights: dict[str, float] = defaultdict(float)
    for reading in readings:
        sureness = _sureness(reading) / len(readings)
        if isinstance(reading.ward, Ward):
            weights[reading.ward.code] += sureness
        else:
            for code, weight in weights_of(gazetteer, reading.ward.code).items():
                weights[code] += sureness * weight / SURE
    return matches(gazetteer, weights)


def _sureness(reading: Reading) -> int:
    mention = reading.mention
    if reading.district is None and reading.province is None:
        sureness = _ALONE
    elif mention.kind is None and reading.district is None and mention.named.districts:
        sureness = _OLD_DISTRICT_TOO
    elif mention.kind is None:
        sureness = _UNTYPED if mention.fills else _BETWEEN_WORDS
    else:
        sureness = SURE
    if mention.accented and mention.written != letters(reading.ward.name):
        sureness -= _OTHER_ACCENTS
    return sureness if reading.fits else sureness - _MISFIT
