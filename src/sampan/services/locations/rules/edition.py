"""A newer official list: two tables of today's units, checked row by row, and what they change.

Provinces need the columns `code` and `full_name`, wards `code`, `full_name` and `province_code`. Optional are
`name_en` and, for wards, `formerly`: the codes of the wards before that a ward has taken land of. Further columns are
passed over. The sign between columns is a comma, a semicolon or a tab.
"""

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from sampan.kernel.errors import ShopError
from sampan.kernel.text import nfc
from sampan.services.locations.contract import Province, Ward
from sampan.services.locations.reference.edges import edges_for
from sampan.services.locations.reference.naming import english_for, full_name_for, official_spelling, split_full_name
from sampan.services.locations.reference.units import Reference
from sampan.services.locations.rules.spelling import PROVINCE_TYPES

MOST_BYTES: Final = 5_000_000  # of one table
_LONGEST: Final = 100  # characters of a name
_MOST_MISTAKES: Final = 100
_MOST_SHOWN: Final = 30
_WARD_TYPES: Final = frozenset(("phuong", "xa", "dac_khu"))
_NAME: Final = re.compile(r"[^\W_](?:[ '’.-]{0,3}[^\W_])*")
_CODES: Final = re.compile(r"[0-9]{5}")
_BETWEEN_CODES: Final = " ,;|+"


class BadList(ShopError, code="locations.bad_list", status=422):
    """The list cannot be used as it is; the fact `errors` names each wrong row."""


class Edition(Struct, frozen=True):
    """A list that was read. `formerly` gives by new ward code the codes of the wards before."""

    provinces: tuple[Province, ...]
    wards: tuple[Ward, ...]
    formerly: Mapping[str, tuple[str, ...]]


class Differences(Struct, frozen=True):
    """What a list changes, each unit with its code: how many units there are then, and lines to read."""

    effective_from: date
    provinces: int
    wards: int
    added: list[str]
    removed: list[str]
    renamed: list[str]
    moved: list[str]

    @property
    def changes_anything(self) -> bool:
        return bool(self.added or self.removed or self.renamed or self.moved)


Row = tuple[str, dict[str, str]]  # where it stands, and its cells by column


def edition_in(provinces: bytes, wards: bytes) -> Edition:
    """Reads the two tables. Raises BadList with all that is wrong with them."""
    mistakes: list[str] = []
    province_rows = _rows("provinces", provinces, ("code", "full_name"), mistakes)
    ward_rows = _rows("wards", wards, ("code", "full_name", "province_code"), mistakes)
    found_provinces = [p for at, row in province_rows if (p := _province(at, row, mistakes))]
    found_wards = [w for at, row in ward_rows if (w := _ward(at, row, mistakes))]
    if not mistakes:
        check_units(found_provinces, found_wards)
    _refuse(mistakes)
    formerly = {row["code"].strip(): _formerly(row) for _, row in ward_rows if _formerly(row)}
    return Edition(_by_code(found_provinces), _by_code(found_wards), formerly)


def check_units(provinces: Sequence[Province], wards: Sequence[Ward]) -> None:
    """A code and, inside one province, a full name belong to one unit; every ward lies in a province of the list, and
    every province has wards."""
    mistakes = [f"the code {code} stands twice" for code in _twice(unit.code for unit in provinces)]
    mistakes += [f"the code {code} stands twice" for code in _twice(unit.code for unit in wards)]
    mistakes += [f"{name} stands twice" for name in _twice(unit.full_name for unit in provinces)]
    named = ((ward.province_code, ward.full_name) for ward in wards)
    mistakes += [f"{name} stands twice in the province {province}" for province, name in _twice(named)]
    known, used = {unit.code for unit in provinces}, {ward.province_code for ward in wards}
    strays = [ward for ward in wards if ward.province_code not in known]
    mistakes += [f"{_shown(ward)}: there is no province {ward.province_code} in the list" for ward in strays]
    mistakes += [f"{_shown(unit)} has no wards" for unit in provinces if unit.code not in used]
    _refuse(mistakes)


def check_descent(edition: Edition, before: Reference) -> None:
    """A ward that is gone went somewhere: the wards that took it over name its code in `formerly`."""
    known = {ward.code: ward for ward in before.wards}
    there = {ward.code for ward in edition.wards}
    named = {code for codes in edition.formerly.values() for code in codes}
    mistakes = [f"there was no ward {code}, which `formerly` names" for code in sorted(named - set(known))]
    mistakes += [
        f"{_shown(ward)} is gone: name its code in the column `formerly` of each ward that took it over"
        for code, ward in known.items()
        if code not in there and code not in named
    ]
    _refuse(mistakes)


def reference_after(edition: Edition, before: Reference, effective_from: date) -> Reference:
    """The reference data with this list in the place of the one before; old wards lead on to where their land is now.

    Raises BadList when it is not said where a ward went.
    """
    check_descent(edition, before)
    successors: dict[str, list[str]] = defaultdict(list)
    for ward in edition.wards:
        successors[ward.code].append(ward.code)
    for code, olds in edition.formerly.items():
        for old in olds:
            if code not in successors[old]:
                successors[old].append(code)
    targets: dict[str, list[str]] = defaultdict(list)
    all_people: dict[str, str] = {}
    all_land: dict[str, str] = {}
    for edge in sorted(before.edges, key=lambda edge: not edge.suggested_default):
        old = edge.old_ward_code or edge.old_district_code
        heirs = successors[edge.new_ward_code]
        targets[old] += (code for code in heirs if code not in targets[old])
        if len(heirs) == 1:
            if edge.kind == "part_all_people":
                all_people[old] = heirs[0]
            elif edge.kind == "whole":
                all_land[old] = heirs[0]
    edges = tuple(
        edges_for(
            targets,
            all_people=all_people,
            all_land=all_land,
            wards=edition.wards,
            districts=before.legacy_districts,
            legacy_wards=before.legacy_wards,
        )
    )
    after = replace(before, version=effective_from, provinces=edition.provinces, wards=edition.wards, edges=edges)
    return _with_old_provinces(after)


def differences_for(before: Reference, edition: Edition, effective_from: date) -> Differences:
    """What the list changes against the one before, by code."""
    old, new = _units(before.provinces, before.wards), _units(edition.provinces, edition.wards)
    both = [(old[code], new[code]) for code in sorted(old.keys() & new.keys(), key=lambda code: (len(code), code))]
    return Differences(
        effective_from=effective_from,
        provinces=len(edition.provinces),
        wards=len(edition.wards),
        added=[_shown(new[code]) for code in sorted(new.keys() - old.keys())],
        removed=[_shown(old[code]) for code in sorted(old.keys() - new.keys())],
        renamed=[
            f"{_shown(was)} → {_named(now)}"
            for was, now in both
            if (was.full_name, was.name_en) != (now.full_name, now.name_en)
        ],
        moved=[
            f"{_shown(now)}: province {was.province_code} → {now.province_code}"
            for was, now in both
            if isinstance(was, Ward) and isinstance(now, Ward) and was.province_code != now.province_code
        ],
    )


def report_of(found: Differences, *, dry_run: bool) -> list[str]:
    """The differences in lines for a person to read."""
    lines = [f"in force from {found.effective_from}: {found.provinces} provinces, {found.wards} wards"]
    for word in ("added", "removed", "renamed", "moved"):
        units: list[str] = getattr(found, word)
        lines += [f"{word}: {len(units)}", *(f"  {unit}" for unit in units[:_MOST_SHOWN])]
        if len(units) > _MOST_SHOWN:
            lines.append(f"  … and {len(units) - _MOST_SHOWN} more")
    if not found.changes_anything:
        return [*lines, "nothing differs from the list before, nothing was written"]
    return [*lines, "nothing was written" if dry_run else "the new version was written; the one before stays"]


def _with_old_provinces(after: Reference) -> Reference:
    """A province of before the reform is where most of its old wards are."""
    province_of = {district.code: district.province_code for district in after.legacy_districts}
    now = {ward.code: ward.province_code for ward in after.wards}
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for edge in after.edges:
        votes[province_of[edge.old_district_code]][now[edge.new_ward_code]] += 1
    olds = tuple(replace(old, new_province_code=votes[old.code].most_common(1)[0][0]) for old in after.legacy_provinces)
    return replace(after, legacy_provinces=olds)


# --- rows ---------------------------------------------------------------------------------------------------------


def _rows(table: str, content: bytes, columns: tuple[str, ...], mistakes: list[str]) -> list[Row]:
    if len(content) > MOST_BYTES:
        mistakes.append(f"{table}: the table is larger than {MOST_BYTES // 1_000_000} MB")
        return []
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        mistakes.append(f"{table}: the table is not UTF-8; save it as “CSV UTF-8”")
        return []
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=head.count))
    found: list[Row] = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in columns if name not in names]:
            mistakes.append(f"{table}: the columns {', '.join(missing)} are missing in the first line")
            return []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * len(names)]
                found.append((f"{table}, line {reader.line_num}", dict(zip(names, padded, strict=False))))
    except csv.Error as failure:
        mistakes.append(f"{table}, line {reader.line_num}: {failure}")
    return found


def _province(at: str, row: dict[str, str], mistakes: list[str]) -> Province | None:
    code = _code(at, row, "code", 2, mistakes)
    unit = _unit(at, row, PROVINCE_TYPES, mistakes)
    if not code or unit is None:
        return None
    kind, name = unit
    return Province(code, name, kind, full_name_for(kind, name), _english(code, name, row))


def _ward(at: str, row: dict[str, str], mistakes: list[str]) -> Ward | None:
    code = _code(at, row, "code", 5, mistakes)
    province_code = _code(at, row, "province_code", 2, mistakes)
    unit = _unit(at, row, _WARD_TYPES, mistakes)
    if row.get("formerly", "").strip(_BETWEEN_CODES) and not _formerly(row):
        mistakes.append(f"{at}: `formerly` holds codes of 5 digits, with spaces between them")
        return None
    if not code or not province_code or unit is None:
        return None
    kind, name = unit
    return Ward(code, name, kind, full_name_for(kind, name), _english(code, name, row), province_code)


def _code(at: str, row: dict[str, str], column: str, digits: int, mistakes: list[str]) -> str:
    code = row[column].strip()
    if re.fullmatch(rf"[0-9]{{{digits}}}", code):
        return code
    hint = "; a spreadsheet took its zeros away" if code.isdigit() and len(code) < digits else ""
    mistakes.append(f"{at}: `{column}` has {digits} digits{hint}")
    return ""


def _unit(at: str, row: dict[str, str], types: frozenset[str], mistakes: list[str]) -> tuple[str, str] | None:
    """Type and name of a full name such as `Phường Bến Thành`."""
    full_name = official_spelling(" ".join(nfc(row["full_name"]).split()))
    try:
        kind, name = split_full_name(full_name)
    except LookupError:
        kind, name = "", ""
    if kind not in types:
        words = ", ".join(sorted(full_name_for(kind, "…") for kind in types))
        mistakes.append(f"{at}: `full_name` begins with its type: {words}")
        return None
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        mistakes.append(f"{at}: `full_name` is no name")
        return None
    return kind, name


def _english(code: str, name: str, row: dict[str, str]) -> str:
    given = " ".join(row.get("name_en", "").split())
    return given if len(given) <= _LONGEST and _NAME.fullmatch(given) else english_for(code, name)


def _formerly(row: dict[str, str]) -> tuple[str, ...]:
    """Empty also when something else than codes is written there."""
    written = row.get("formerly", "")
    for sign in _BETWEEN_CODES:
        written = written.replace(sign, " ")
    codes = tuple(dict.fromkeys(written.split()))
    return codes if all(_CODES.fullmatch(code) for code in codes) else ()


# --- words --------------------------------------------------------------------------------------------------------


def _units(provinces: Iterable[Province], wards: Iterable[Ward]) -> dict[str, Province | Ward]:
    found: dict[str, Province | Ward] = {province.code: province for province in provinces}
    found.update((ward.code, ward) for ward in wards)
    return found


def _shown(unit: Province | Ward) -> str:
    return f"{unit.code} {unit.full_name}"


def _named(unit: Province | Ward) -> str:
    return f"{unit.full_name} ({unit.name_en})"


H = TypeVar("H", str, tuple[str, str])


def _twice(found: Iterable[H]) -> Iterator[H]:
    return (one for one, count in Counter(found).items() if count > 1)


U = TypeVar("U", Province, Ward)


def _by_code(units: Iterable[U]) -> tuple[U, ...]:
    return tuple(sorted(units, key=lambda unit: unit.code))


def _refuse(mistakes: Sequence[str]) -> None:
    if not mistakes:
        return
    more = len(mistakes) - _MOST_MISTAKES
    shown = [*mistakes[:_MOST_MISTAKES], *([f"… and {more} more"] if more > 0 else [])]
    raise BadList(f"the list was refused and nothing changed; mistakes: {len(mistakes)}", errors=shown)
