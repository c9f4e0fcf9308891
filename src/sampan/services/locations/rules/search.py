"""The search box over places: wards and provinces of today, found by new and old names, while one types."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from sampan.kernel.text import has_diacritics, telex_decode, vni_decode
from sampan.services.locations.contract import Match, Province, Ward
from sampan.services.locations.reference.units import LegacyProvince, LegacyWard
from sampan.services.locations.rules.address import parse
from sampan.services.locations.rules.gazetteer import Gazetteer, Named
from sampan.services.locations.rules.spelling import WARD_TYPES, letters, name_key, split_type

LONGEST: Final = 120  # characters of a question
_SHORT: Final = 3  # fewer letters are asked of today's names only
_MOST_SEEN: Final = 60  # names of one sort looked at; two letters have more

# How good a hit is, of 100.
_SAME: Final = 100
_BEGINS: Final = 90
_OTHER_ACCENTS: Final = 20  # taken off when the question has accents and the name has others
_INNER_WORD: Final = 20
_OTHER_TYPE: Final = 8
_OLD_NAME: Final = 30
_OLD_DISTRICT: Final = 50

_ENOUGH: Final = 150  # places, of which a few are shown

Place = tuple[str, str]  # province code, ward code or nothing


def search(gazetteer: Gazetteer, q: str, limit: int = 10) -> list[Match]:
    """What was typed finds every ward and province with a word that begins like it: the right accents first, whole
    names before beginnings, today's names before old ones. A name that several bear gives all of them.

    `Bến Thành, Quận 1` and `thao dien hcm` are read as addresses. When nothing is found the text is tried as raw
    Telex or VNI keystrokes (`thaor ddieenf`). `confidence` is 100 for a whole name, less the looser the hit.
    """
    q = q[:LONGEST]
    found = _hits(gazetteer, q)
    if not found:
        decoded = telex_decode(q) or vni_decode(q)
        found = _hits(gazetteer, decoded) if decoded else {}
    order = sorted(found.items(), key=lambda item: (-item[1], item[0][1] != "", _name(gazetteer, item[0]), item[0]))
    return [
        Match(gazetteer.provinces[province], gazetteer.wards[ward] if ward else None, score)
        for (province, ward), score in order[:limit]
    ]


def _name(gazetteer: Gazetteer, place: Place) -> tuple[int, str]:
    unit = gazetteer.wards[place[1]] if place[1] else gazetteer.provinces[place[0]]
    key = name_key(unit.name)
    return len(key), key


def _hits(gazetteer: Gazetteer, q: str) -> dict[Place, int]:
    kind, bare = split_type(q)
    found: dict[Place, int] = {}
    _add_named(gazetteer, bare, kind, found)
    if kind is not None and not has_diacritics(q):
        _add_named(gazetteer, q, None, found)  # `quan ba` is Quản Bạ too
    if max(found.values(), default=0) < _BEGINS:
        for match in parse(gazetteer, q).candidates:
            if match.ward is not None:
                place = match.province.code, match.ward.code
                found[place] = max(match.confidence, found.get(place, 0))
    return found


def _add_named(gazetteer: Gazetteer, bare: str, kind: str | None, found: dict[Place, int]) -> None:
    key = name_key(bare)
    if not key:
        return

    def add(place: Place, score: int) -> None:
        if score > found.get(place, 0):
            found[place] = score

    is_number = key.isdigit() and kind is not None  # `Quận 1` and `P4` name no ward that begins so
    for name in () if is_number else _names_beginning(gazetteer, key):
        if len(found) > _ENOUGH:
            break
        closeness = _SAME if name == key else _BEGINS if name.startswith(key) else _BEGINS - _INNER_WORD
        for place, loss in _places(gazetteer, gazetteer.named[name], bare, kind):
            add(place, closeness - loss)
    for today in gazetteer.provinces.values():
        if name_key(today.name).startswith(key):
            add((today.code, ""), _BEGINS - _loss(today, bare, kind))
    for province in gazetteer.legacy_provinces.values():
        if name_key(province.name).startswith(key):
            place, loss = _province(gazetteer, province, bare, kind)
            add(place, _BEGINS - loss)
    same = gazetteer.named.get(key)
    if same is not None and (is_number or not key.isdigit()) and kind not in WARD_TYPES:
        for district in same.districts:
            for ward in gazetteer.wards_from[district.code]:
                add((ward.province_code, ward.code), _OLD_DISTRICT)


def _names_beginning(gazetteer: Gazetteer, key: str) -> Iterator[str]:
    """The name itself, then names that begin with the key or have a word from which on they do."""
    if key in gazetteer.named and not key.isdigit():
        yield key
    old = gazetteer.old_beginnings if len(key) >= _SHORT else ()
    for beginnings in (*gazetteer.beginnings, *old):
        at = bisect_left(beginnings, (key, ""))
        for beginning, name in beginnings[at : at + _MOST_SEEN]:
            if not beginning.startswith(key):
                break
            yield name


def _places(gazetteer: Gazetteer, named: Named, bare: str, kind: str | None) -> Iterator[tuple[Place, int]]:
    """Today's places that bear the name or took it over, each with what is lost by accents, type and age."""
    for old in named.legacy_provinces:
        yield _province(gazetteer, old, bare, kind)
    for ward in named.wards:
        yield (ward.province_code, ward.code), _loss(ward, bare, kind)
    for old_ward in named.legacy_wards:
        lost = _OLD_NAME + _loss(old_ward, bare, kind)
        for edge in gazetteer.edges[old_ward.code]:
            yield (gazetteer.wards[edge.new_ward_code].province_code, edge.new_ward_code), lost


def _province(gazetteer: Gazetteer, old: LegacyProvince, bare: str, kind: str | None) -> tuple[Place, int]:
    today = gazetteer.provinces[old.new_province_code]
    if name_key(today.name) == name_key(old.name):
        return (today.code, ""), _loss(today, bare, kind)
    return (today.code, ""), _OLD_NAME + _loss(old, bare, kind)


def _loss(unit: Province | Ward | LegacyProvince | LegacyWard, bare: str, kind: str | None) -> int:
    other_accents = has_diacritics(bare) and letters(bare) not in letters(unit.name)
    return _OTHER_ACCENTS * other_accents + _OTHER_TYPE * (kind not in (None, unit.type))
