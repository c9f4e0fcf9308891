"""Reads the reference data: the files of the package `vietnamadminunits` (MIT), then our amendments to them.

The package's Python code is not imported: it would load geometry and geocoding libraries for nothing.
"""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from sampan.kernel.text import canonical, fold
from sampan.services.locations.contract import Province, Ward
from sampan.services.locations.reference.units import (
    Amendment,
    Edge,
    Kind,
    LegacyDistrict,
    LegacyProvince,
    LegacyWard,
    Reference,
)

THE_REFORM: Final = date(2025, 7, 1)

_PACKAGE: Final = "vietnamadminunits"
_FILES: Final = ("parser_from_2025", "parser_legacy", "converter_2025")
_TYPES: Final = {
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
_FULL_TYPE_KEYS: Final = tuple(word.replace("_", "") for word in _TYPES)
_TYPE_KEYS: Final = (*_FULL_TYPE_KEYS, "tp", "tx", "tt", "h")
_NUMBERED: Final = re.compile("(?:quan|q|district|phuong|p|f|ward)0*([0-9]+)")


def _tones_moved() -> dict[str, str]:
    def toned(letter: str, tone: str) -> str:
        return unicodedata.normalize("NFC", letter + tone)

    tones = "\u0300\u0301\u0303\u0309\u0323"
    return {toned(a, tone) + b: a + toned(b, tone) for a, b in ("oa", "oe", "uy") for tone in tones}


_TONES_MOVED: Final = _tones_moved()
_TONE_ON_FIRST: Final = re.compile(rf"(?<=\w)(?:{'|'.join(_TONES_MOVED)})\b")


def load_reference(as_of: date | None = None) -> Reference:
    """Vietnam's units of today, those of before July 2025, and what became of each. Takes about 0.3 s.

    `as_of` leaves out amendments that were not yet in force on that day; without it all are applied.

    Raises:
        RuntimeError: the package is not installed.
        LookupError: `as_of` is before the reform, or an amendment or the mapping names an unknown unit.
    """
    if as_of is not None and as_of < THE_REFORM:
        raise LookupError(f"today's units exist since {THE_REFORM}")
    amendments = [a for a in _amendments() if as_of is None or a.effective_from <= as_of]
    today, legacy, converter = (_package_file(f"{name}.json") for name in _FILES)

    renamed_today = _merged(a.provinces for a in amendments) | _merged(a.wards for a in amendments)
    provinces = {key: _province(row, renamed_today) for key, row in today["DICT_PROVINCE"].items()}
    wards = {
        (province_key, ward_key): _ward(row, provinces[province_key], renamed_today)
        for province_key, ward_key, row in _wards_of(today)
    }

    renamed = _merged(a.legacy_districts for a in amendments) | _merged(a.legacy_wards for a in amendments)
    names = _names(amendments)
    legacy_provinces = dict(_legacy_provinces(legacy, converter, provinces, names))
    districts = {
        (province_key, key): _legacy_district(row, legacy_provinces[province_key], renamed, names)
        for province_key, rows in legacy["DICT_PROVINCE_DISTRICT"].items()
        for key, row in rows.items()
    }
    legacy_wards = {
        (province_key, district_key, key): _legacy_ward(row, districts[province_key, district_key], renamed, names)
        for province_key, district_key, key, row in _legacy_wards_of(legacy)
    }

    targets = _targets(converter, wards, districts, legacy_wards)
    targets |= _merged(a.edges for a in amendments)
    reference = Reference(
        version=max(a.effective_from for a in amendments),
        provinces=_sorted(provinces.values()),
        wards=_sorted(wards.values()),
        legacy_provinces=_sorted(legacy_provinces.values()),
        legacy_districts=_sorted(districts.values()),
        legacy_wards=_sorted(legacy_wards.values()),
        edges=tuple(_edges(targets, amendments, wards.values(), districts.values(), legacy_wards.values())),
        centres=_centres(today),
    )
    _check_codes(reference, amendments)
    return reference


def _check_codes(reference: Reference, amendments: Iterable[Amendment]) -> None:
    """An amendment of a unit that does not exist is a slip of the pen, and must not pass unseen."""
    legacy_wards = {ward.code for ward in reference.legacy_wards}
    known = {
        "provinces": {province.code for province in reference.provinces},
        "wards": {ward.code for ward in reference.wards},
        "legacy_districts": {district.code for district in reference.legacy_districts},
        "legacy_wards": legacy_wards,
        "province_names": {province.code for province in reference.legacy_provinces},
        "district_names": {district.code for district in reference.legacy_districts},
        "former_names": legacy_wards,
        "all_people": legacy_wards,
        "all_land": legacy_wards,
    }
    for table, codes in known.items():
        for amendment in amendments:
            if unknown := set(getattr(amendment, table)) - codes:
                raise LookupError(f"amendment of {amendment.effective_from}, {table}: no unit {sorted(unknown)}")


# --- the files --------------------------------------------------------------------------------------------


def _package_file(name: str) -> dict[str, Any]:
    spec = find_spec(_PACKAGE)  # finds a top-level package without running it
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package {_PACKAGE} with the reference data is not installed")
    path = Path(spec.submodule_search_locations[0]) / "data" / name
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded


def _amendments() -> list[Amendment]:
    class File(msgspec.Struct, forbid_unknown_fields=True):
        amendment: list[Amendment]

    text = resources.files(__package__).joinpath("amendments.toml").read_bytes()
    return sorted(msgspec.toml.decode(text, type=File).amendment, key=lambda a: a.effective_from)


def _merged(tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: value for table in tables for key, value in table.items()}


def _names(amendments: Iterable[Amendment]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for amendment in amendments:
        for table in (amendment.province_names, amendment.district_names, amendment.former_names):
            for code, names in table.items():
                found[code] += names
    return found


def _wards_of(today: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    # Wards of one province that differ in accents only stand apart, under keys with accents.
    for part in ("DICT_PROVINCE_WARD_NO_ACCENTED", "DICT_PROVINCE_WARD_ACCENTED"):
        for province_key, rows in today[part].items():
            for key, row in rows.items():
                yield province_key, key, row


def _legacy_wards_of(legacy: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for part in ("DICT_PROVINCE_DISTRICT_WARD_NO_ACCENTED", "DICT_PROVINCE_DISTRICT_WARD_ACCENTED"):
        for province_key, districts in legacy[part].items():
            for district_key, rows in districts.items():
                for key, row in rows.items():
                    if isinstance(row["wardCode"], str):  # island districts have one nameless row
                        yield province_key, district_key, key, row


# --- units ------------------------------------------------------------------------------------------------


def _province(row: dict[str, Any], renamed: Mapping[str, str]) -> Province:
    code = row["provinceCode"]
    kind, name = _split(_official_spelling(renamed.get(code, row["province"])))
    return Province(
        code=code,
        name=name,
        type=kind,
        full_name=_full(kind, name),
        name_en=_ENGLISH.get(code) or _unaccented(name),
    )


def _ward(row: dict[str, Any], province: Province, renamed: Mapping[str, str]) -> Ward:
    code = row["wardCode"]
    kind, name = _split(_official_spelling(renamed.get(code, row["ward"])))
    return Ward(
        code=code,
        name=name,
        type=kind,
        full_name=_full(kind, name),
        name_en=_unaccented(name),
        province_code=province.code,
    )


def _legacy_provinces(
    legacy: dict[str, Any],
    converter: dict[str, Any],
    provinces: Mapping[str, Province],
    names: Mapping[str, list[str]],
) -> Iterator[tuple[str, LegacyProvince]]:
    new_key = {old: new for new, olds in converter["DICT_PROVINCE"].items() for old in olds}
    for key, row in legacy["DICT_PROVINCE"].items():
        kind, name = _split(row["province"])
        yield (
            key,
            LegacyProvince(
                code=row["provinceCode"],
                name=name,
                type=kind,
                full_name=_full(kind, name),
                new_province_code=provinces[new_key[key]].code,
                aliases=_aliases([*row["provinceKeywords"], *names.get(row["provinceCode"], ())], name),
            ),
        )


def _legacy_district(
    row: dict[str, Any],
    province: LegacyProvince,
    renamed: Mapping[str, str],
    names: Mapping[str, list[str]],
) -> LegacyDistrict:
    code = row["districtCode"]
    kind, name = _split(renamed.get(code, row["district"]))
    return LegacyDistrict(
        code=code,
        name=name,
        type=kind,
        full_name=_full(kind, name),
        province_code=province.code,
        aliases=_aliases([*row["districtKeywords"], *names.get(code, ())], name),
    )


def _legacy_ward(
    row: dict[str, Any],
    district: LegacyDistrict,
    renamed: Mapping[str, str],
    names: Mapping[str, list[str]],
) -> LegacyWard:
    code = row["wardCode"]
    kind, name = _split(renamed.get(code, row["ward"]))
    return LegacyWard(
        code=code,
        name=name,
        type=kind,
        full_name=_full(kind, name),
        district_code=district.code,
        province_code=district.province_code,
        aliases=_aliases([*row["wardKeywords"], *names.get(code, ())], name),
    )


def _split(full_name: str) -> tuple[str, str]:
    """`Thị Xã Buôn Hồ` is a thi_xa named Buôn Hồ. A numbered unit keeps the word in its name: `Quận 1`."""
    for kind, word in _TYPES.items():
        if full_name.casefold().startswith(word.casefold() + " "):
            name = full_name[len(word) + 1 :]
            return kind, f"{word} {name}" if name.isdigit() else name
    raise LookupError(f"no type of unit in {full_name!r}")


def _full(kind: str, name: str) -> str:
    word = _TYPES[kind]
    return name if name.startswith(word + " ") and name[len(word) + 1 :].isdigit() else f"{word} {name}"


def _official_spelling(name: str) -> str:
    """Decision 19/2025 writes the tone of open `oa`, `oe` and `uy` on the last letter: Hoà, Thuỷ."""
    return _TONE_ON_FIRST.sub(lambda found: _TONES_MOVED[found[0]], name)


def _unaccented(name: str) -> str:
    decomposed = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _glued(name: str) -> str:
    return fold(name).replace(" ", "")


def _aliases(keywords: Iterable[str], name: str) -> tuple[str, ...]:
    """The package's search words, less the unit's own name and forms with a type word.

    `q9` and `district09` are both the number `9`.
    """
    own = _search_word(_glued(name))
    words = {_search_word(_glued(word)) for word in keywords}
    found = set()
    for word in words:
        bare = {word.removeprefix(t) for t in _TYPE_KEYS} | {word.removesuffix(t) for t in _FULL_TYPE_KEYS}
        if own not in bare and not bare & (words - {word}):
            found.add(word)
    return tuple(sorted(found))


def _search_word(word: str) -> str:
    numbered = _NUMBERED.fullmatch(word)
    return numbered[1] if numbered else word


# --- what became of the old wards -------------------------------------------------------------------------


def _targets(
    converter: dict[str, Any],
    wards: Mapping[tuple[str, str], Ward],
    districts: Mapping[tuple[str, str], LegacyDistrict],
    legacy_wards: Mapping[tuple[str, str, str], LegacyWard],
) -> dict[str, list[str]]:
    """Old ward code (district code where there were no wards) → new ward codes, the likeliest first."""

    def old_code(keys: str) -> str:
        province_key, district_key, ward_key = keys.split("_")
        if not ward_key:
            return districts[province_key, district_key].code
        return legacy_wards[province_key, district_key, ward_key].code

    found: dict[str, list[str]] = defaultdict(list)
    for province_key, rows in converter["DICT_PROVINCE_WARD_NO_DIVIDED"].items():
        for ward_key, olds in rows.items():
            for keys in olds:
                found[old_code(keys)].append(wards[province_key, ward_key].code)
    for province_key, rows in converter["DICT_PROVINCE_WARD_DIVIDED"].items():
        for keys, parts in rows.items():
            likeliest_first = sorted(parts, key=lambda part: not part["isDefaultNewWard"])
            found[old_code(keys)] += (wards[province_key, part["newWardKey"]].code for part in likeliest_first)
    return dict(found)


def _edges(
    targets: Mapping[str, list[str]],
    amendments: Iterable[Amendment],
    wards: Iterable[Ward],
    districts: Iterable[LegacyDistrict],
    legacy_wards: Iterable[LegacyWard],
) -> Iterator[Edge]:
    new = {ward.code: ward for ward in wards}
    old = {ward.code: ward for ward in legacy_wards}
    district_codes = {district.code for district in districts}
    all_people = _merged(a.all_people for a in amendments)
    all_land = _merged(a.all_land for a in amendments)
    sources = Counter(code for codes in targets.values() for code in codes)

    def kind_of(old_code: str, new_code: str, alone: bool) -> Kind:
        if not alone:
            if all_people.get(old_code) == new_code:
                return "part_all_people"
            return "whole" if all_land.get(old_code) == new_code else "part"
        if sources[new_code] > 1 or old_code not in old:
            return "whole"
        before, after = old[old_code], new[new_code]
        if canonical(before.name) != canonical(after.name):
            return "renamed"
        return "same" if before.type == after.type else "whole"

    for old_code, codes in sorted(targets.items()):
        if old_code not in old and old_code not in district_codes:
            raise LookupError(f"edge from {old_code}, which never was")
        for code in codes:
            yield Edge(
                old_district_code=old[old_code].district_code if old_code in old else old_code,
                old_ward_code=old_code if old_code in old else "",
                new_ward_code=new[code].code,
                kind=kind_of(old_code, code, alone=len(codes) == 1),
                suggested_default=len(codes) > 1 and code == codes[0],
            )


def _centres(today: dict[str, Any]) -> dict[str, tuple[float, float]]:
    provinces = {r["provinceCode"]: (r["provinceLat"], r["provinceLon"]) for r in today["DICT_PROVINCE"].values()}
    return provinces | {row["wardCode"]: (row["wardLat"], row["wardLon"]) for _, _, row in _wards_of(today)}


class _Coded(Protocol):
    @property
    def code(self) -> str: ...


U = TypeVar("U", bound=_Coded)


def _sorted(units: Iterable[U]) -> tuple[U, ...]:
    return tuple(sorted(units, key=lambda unit: unit.code))
