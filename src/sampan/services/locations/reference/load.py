"""Reads the reference data: the files of the package `vietnamadminunits` (MIT), then our amendments to them.

The package's Python code is not imported: it would load geometry and geocoding libraries for nothing.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from sampan.kernel.text import fold
from sampan.services.locations.contract import Province, Ward
from sampan.services.locations.reference.edges import edges_for
from sampan.services.locations.reference.naming import (
    TYPES,
    english_for,
    full_name_for,
    official_spelling,
    split_full_name,
)
from sampan.services.locations.reference.units import (
    Amendment,
    LegacyDistrict,
    LegacyProvince,
    LegacyWard,
    Reference,
)

THE_REFORM: Final = date(2025, 7, 1)

_PACKAGE: Final = "vietnamadminunits"
_FILES: Final = ("parser_from_2025", "parser_legacy", "converter_2025")
_READING: Final = b"1"  # to be raised when this module makes something else of the same files
_FULL_TYPE_KEYS: Final = tuple(word.replace("_", "") for word in TYPES)
_TYPE_KEYS: Final = (*_FULL_TYPE_KEYS, "tp", "tx", "tt", "h")
_NUMBERED: Final = re.compile("(?:quan|q|district|phuong|p|f|ward)0*([0-9]+)")


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
        edges=tuple(
            edges_for(
                targets,
                all_people=_merged(a.all_people for a in amendments),
                all_land=_merged(a.all_land for a in amendments),
                wards=wards.values(),
                districts=districts.values(),
                legacy_wards=legacy_wards.values(),
            )
        ),
        centres=_centres(today),
    )
    _check_codes(reference, amendments)
    return reference


@cache
def reference_digest() -> str:
    """Tells one state of the data from another without reading it: the package, our amendments, how we read them.

    Raises:
        RuntimeError: the package is not installed.
    """
    digest = hashlib.sha256(_READING + _amendments_bytes())
    for name in _FILES:
        digest.update(_package_bytes(f"{name}.json"))
    return digest.hexdigest()


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


def _package_bytes(name: str) -> bytes:
    spec = find_spec(_PACKAGE)  # finds a top-level package without running it
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package {_PACKAGE} with the reference data is not installed")
    return (Path(spec.submodule_search_locations[0]) / "data" / name).read_bytes()


def _package_file(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(_package_bytes(name))
    return loaded


def _amendments_bytes() -> bytes:
    return resources.files(__package__).joinpath("amendments.toml").read_bytes()


def _amendments() -> list[Amendment]:
    class File(msgspec.Struct, forbid_unknown_fields=True):
        amendment: list[Amendment]

    return sorted(msgspec.toml.decode(_amendments_bytes(), type=File).amendment, key=lambda a: a.effective_from)


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
    kind, name = split_full_name(official_spelling(renamed.get(code, row["province"])))
    return Province(
        code=code,
        name=name,
        type=kind,
        full_name=full_name_for(kind, name),
        name_en=english_for(code, name),
    )


def _ward(row: dict[str, Any], province: Province, renamed: Mapping[str, str]) -> Ward:
    code = row["wardCode"]
    kind, name = split_full_name(official_spelling(renamed.get(code, row["ward"])))
    return Ward(
        code=code,
        name=name,
        type=kind,
        full_name=full_name_for(kind, name),
        name_en=english_for(code, name),
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
        kind, name = split_full_name(row["province"])
        yield (
            key,
            LegacyProvince(
                code=row["provinceCode"],
                name=name,
                type=kind,
                full_name=full_name_for(kind, name),
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
    kind, name = split_full_name(renamed.get(code, row["district"]))
    return LegacyDistrict(
        code=code,
        name=name,
        type=kind,
        full_name=full_name_for(kind, name),
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
    kind, name = split_full_name(renamed.get(code, row["ward"]))
    return LegacyWard(
        code=code,
        name=name,
        type=kind,
        full_name=full_name_for(kind, name),
        district_code=district.code,
        province_code=district.province_code,
        aliases=_aliases([*row["wardKeywords"], *names.get(code, ())], name),
    )


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


def _centres(today: dict[str, Any]) -> dict[str, tuple[float, float]]:
    provinces = {r["provinceCode"]: (r["provinceLat"], r["provinceLon"]) for r in today["DICT_PROVINCE"].values()}
    return provinces | {row["wardCode"]: (row["wardLat"], row["wardLon"]) for _, _, row in _wards_of(today)}


class _Coded(Protocol):
    @property
    def code(self) -> str: ...


U = TypeVar("U", bound=_Coded)


def _sorted(units: Iterable[U]) -> tuple[U, ...]:
    return tuple(sorted(units, key=lambda unit: unit.code))
