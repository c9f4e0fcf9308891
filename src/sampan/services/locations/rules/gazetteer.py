"""All places in memory, found by code and by name. Built once from the reference data, never changed after."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from sampan.kernel.text import fold, has_diacritics
from sampan.services.locations.contract import Province, Ward
from sampan.services.locations.reference.units import (
    Edge,
    LegacyDistrict,
    LegacyProvince,
    LegacyWard,
    Reference,
)
from sampan.services.locations.rules.spelling import letters, name_key, split_type, word_key

# Sorted pairs: the key of a name from one of its words on, and the key of the whole name.
Beginnings = tuple[tuple[str, str], ...]


class Named(Struct):
    """Everything that bears one name. Old provinces stand for the new ones too, and bear their names."""

    legacy_provinces: list[LegacyProvince] = []
    districts: list[LegacyDistrict] = []
    wards: list[Ward] = []
    legacy_wards: list[LegacyWard] = []


class Gazetteer(Struct, frozen=True):
    """The places by code, by name and by each other. `named` is keyed by `name_key` of the bare name.

    `edges` is keyed by old ward code, or by district code where a district had no wards. `districts_before` and
    `provinces_before` name the old districts and provinces that a ward of today has land of, `wards_from` the wards
    of today with land of an old district. `beginnings` are those of today's wards, `old_beginnings` of the old
    ones: from the first word on, and from inner words on.
    """

    provinces: Mapping[str, Province]
    wards: Mapping[str, Ward]
    legacy_provinces: Mapping[str, LegacyProvince]
    legacy_districts: Mapping[str, LegacyDistrict]
    legacy_wards: Mapping[str, LegacyWard]
    edges: Mapping[str, tuple[Edge, ...]]
    districts_before: Mapping[str, frozenset[str]]
    provinces_before: Mapping[str, frozenset[str]]
    wards_from: Mapping[str, tuple[Ward, ...]]
    named: Mapping[str, Named]
    beginnings: tuple[Beginnings, Beginnings]
    old_beginnings: tuple[Beginnings, Beginnings]


LONGEST: Final = 120  # characters of a name that is looked up

_NOBODY: Final = Named()


def gazetteer_for(reference: Reference) -> Gazetteer:
    """The gazetteer of this reference data. Takes a fraction of a second."""
    districts = {district.code: district for district in reference.legacy_districts}
    edges: dict[str, list[Edge]] = defaultdict(list)
    districts_before: dict[str, set[str]] = defaultdict(set)
    provinces_before: dict[str, set[str]] = defaultdict(set)
    for edge in reference.edges:
        edges[edge.old_ward_code or edge.old_district_code].append(edge)
        districts_before[edge.new_ward_code].add(edge.old_district_code)
        provinces_before[edge.new_ward_code].add(districts[edge.old_district_code].province_code)
    wards_from: dict[str, list[Ward]] = defaultdict(list)
    for ward in reference.wards:
        for code in districts_before[ward.code]:
            wards_from[code].append(ward)
    return Gazetteer(
        provinces={p.code: p for p in reference.provinces},
        wards={w.code: w for w in reference.wards},
        legacy_provinces={p.code: p for p in reference.legacy_provinces},
        legacy_districts=districts,
        legacy_wards={w.code: w for w in reference.legacy_wards},
        edges={code: tuple(found) for code, found in edges.items()},
        # A ward of which nobody said what land it took has none of any, and is found by its name all the same.
        districts_before={ward.code: frozenset(districts_before[ward.code]) for ward in reference.wards},
        provinces_before={ward.code: frozenset(provinces_before[ward.code]) for ward in reference.wards},
        named=_named(reference),
        wards_from={code: tuple(found) for code, found in wards_from.items()},
        beginnings=_beginnings(reference.wards),
        old_beginnings=_beginnings(reference.legacy_wards),
    )


def _named(reference: Reference) -> dict[str, Named]:
    named: dict[str, Named] = defaultdict(Named)
    today = {province.code: province for province in reference.provinces}
    for province in reference.legacy_provinces:
        for key in _keys(province.name, province.aliases):
            named[key].legacy_provinces.append(province)
    kept = {(old.new_province_code, name_key(old.name)) for old in reference.legacy_provinces}
    for province in reference.legacy_provinces:
        now = today[province.new_province_code]
        if (now.code, name_key(now.name)) not in kept:  # renamed since the reform
            renamed = replace(province, name=now.name, type=now.type, full_name=now.full_name)
            named[name_key(now.name)].legacy_provinces.append(renamed)
    for district in reference.legacy_districts:
        for key in _keys(district.name, district.aliases):
            named[key].districts.append(district)
    for ward in reference.wards:
        named[name_key(ward.name)].wards.append(ward)
    for old in reference.legacy_wards:
        for key in _keys(old.name, old.aliases):
            named[key].legacy_wards.append(old)
    return dict(named)


def _keys(name: str, aliases: Iterable[str]) -> set[str]:
    kind, bare = split_type(name)
    is_number = kind is not None and bare.isdigit()  # `Quận 1`, but not `Mỹ Đình 2`
    keys = {name_key(bare if is_number else name)}
    for alias in aliases:  # written in one word, so that a `k` may have ended a word inside
        keys |= {word_key(alias), word_key(alias).replace("k", "c")}
    return keys


def _beginnings(units: Iterable[Ward | LegacyWard]) -> tuple[Beginnings, Beginnings]:
    whole: set[tuple[str, str]] = set()
    inner: set[tuple[str, str]] = set()
    for unit in units:
        words = [word_key(word) for word in fold(unit.name).split()]
        if len(words) == 2 and words[1].isdigit() and split_type(unit.name)[0]:
            continue  # `Phường 4` is known by its number
        key = "".join(words)
        whole.add((key, key))
        inner.update(("".join(words[at:]), key) for at in range(1, len(words)))
    return tuple(sorted(whole)), tuple(sorted(inner))


# --- lookup ------------------------------------------------------------------------------------------------


def named(gazetteer: Gazetteer, name: str) -> Named:
    """Everything that bears this name, with a type word before it or without.

    Without accents `quan ba` is the district Ba or the commune Quản Bạ, and both are meant.
    """
    name = name[:LONGEST]
    bare, whole = (gazetteer.named.get(name_key(part), _NOBODY) for part in (split_type(name)[1], name))
    if bare is whole or whole is _NOBODY:
        return bare
    return Named(
        legacy_provinces=bare.legacy_provinces + whole.legacy_provinces,
        districts=bare.districts + whole.districts,
        wards=bare.wards + whole.wards,
        legacy_wards=bare.legacy_wards + whole.legacy_wards,
    )


def provinces_for(gazetteer: Gazetteer, text: str) -> list[Province]:
    """A province is known by its code or any of its names: with or without the type word and the accents, in both
    tone placements, short (`HCM`), or by the name of a province that went into it.

    Several only where the name is ambiguous (`ĐN`); none when unknown.
    """
    text = text.strip()
    if province := gazetteer.provinces.get(text):
        return [province]
    olds = legacy_provinces_for(gazetteer, text)
    return list({old.new_province_code: gazetteer.provinces[old.new_province_code] for old in olds}.values())


def legacy_provinces_for(gazetteer: Gazetteer, text: str) -> list[LegacyProvince]:
    """The provinces of before July 2025 with this code or name."""
    text = text.strip()
    if province := gazetteer.legacy_provinces.get(text):
        return [province]
    return narrowed(named(gazetteer, text).legacy_provinces, text)


def legacy_districts_for(gazetteer: Gazetteer, text: str) -> list[LegacyDistrict]:
    """The districts with this code or name, of whatever province."""
    text = text.strip()
    if district := gazetteer.legacy_districts.get(text):
        return [district]
    return narrowed(named(gazetteer, text).districts, text)


def wards_for(gazetteer: Gazetteer, text: str, province_code: str | None = None) -> list[Ward]:
    """A ward is known by its code or its name, with or without the type word and the accents.

    The right accents or the type word decide between several; otherwise all of them, of one province or of all.
    """
    text = text.strip()
    if (ward := gazetteer.wards.get(text)) and province_code in (None, ward.province_code):
        return [ward]
    found = [w for w in named(gazetteer, text).wards if province_code in (None, w.province_code)]
    return narrowed(found, text)


def wards_like(wards: Sequence[Ward], q: str) -> list[Ward]:
    """Of a list of wards, those with a word that begins like `q`, the ones with the right accents first; all of them
    for an empty `q`. The order of the list stays."""
    bare = split_type(q[:LONGEST])[1]
    key = name_key(bare)
    if not key:
        return [] if q.strip() else list(wards)
    found = [ward for ward in wards if _has_word_like(ward.name, key)]
    if has_diacritics(bare):
        found.sort(key=lambda ward: not letters(ward.name).startswith(letters(bare)))
    return found


def _has_word_like(name: str, key: str) -> bool:
    words = name.split(" ")
    return any(name_key(" ".join(words[at:])).startswith(key) for at in range(len(words)))


U = TypeVar("U", Province, Ward, LegacyProvince, LegacyDistrict, LegacyWard)


def narrowed(units: list[U], text: str, around: str = "") -> list[U]:
    """Those of the units with the type word and the accents that were written, if there are any; else all of them.

    `around` was written with it: where that has accents, a name without any is meant so.
    """
    if len(units) < 2:
        return units
    kind, name = split_type(text)
    tests: list[Callable[[U], bool]] = []
    if kind is not None:
        tests.append(lambda unit: unit.type == kind)
    if has_diacritics(text) or has_diacritics(around):
        tests.append(lambda unit: letters(name) in (letters(unit.name), letters(unit.full_name)))
    for test in tests:
        units = [unit for unit in units if test(unit)] or units
    return units
