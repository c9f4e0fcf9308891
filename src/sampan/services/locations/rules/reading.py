"""Which ward a text means: the mention that fits best with the district and the province around it.

Every mention that may be a ward is weighed with every unit of that name. A type word (`P.`, `xã`), a district or a
province that contains the unit, right accents, and filling its part of the text speak for it; a house number or
`đường` before it makes it a street. The weights are ours, found by trying addresses as people paste them
(tests/locations/test_rules.py).
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from sampan.services.locations.contract import Ward
from sampan.services.locations.reference.units import LegacyDistrict, LegacyProvince, LegacyWard
from sampan.services.locations.rules.gazetteer import Gazetteer
from sampan.services.locations.rules.mentions import Mention
from sampan.services.locations.rules.spelling import DISTRICT_TYPES, PROVINCE_TYPES, WARD_TYPES, letters

_ENOUGH: Final = 2.2  # below it a mention is more likely a street or a person
_AS_GOOD: Final = 0.35  # readings this near to the best are offered beside it
_MOST_READINGS: Final = 12


class Reading(Struct):
    """One way to read the text: this unit at this mention, inside these. It `fits` when the text names no district
    or province that the unit is not in."""

    ward: Ward | LegacyWard
    mention: Mention
    district: Mention | None
    province: Mention | None
    weight: float
    fits: bool


class Evidence(Struct):
    """How much a mention speaks for one unit."""

    mention: Mention
    weight: float


class Around(Struct):
    """What the text says about larger units, by code: old districts, old provinces, today's provinces."""

    districts: dict[str, list[Evidence]]
    old_provinces: dict[str, list[Evidence]]
    provinces: dict[str, list[Evidence]]
    plain_districts: list[Mention]
    plain_provinces: list[Mention]


def readings_of(mentions: list[Mention], around: Around, word_count: int, gazetteer: Gazetteer) -> list[Reading]:
    """The readings that are as good as the best, the best first; empty when no ward was meant."""
    found: list[Reading] = []
    for mention in mentions:
        if mention.of_street or (mention.kind is not None and mention.kind not in WARD_TYPES):
            continue
        for ward in mention.named.wards:
            found.append(_today(ward, mention, around, gazetteer))
        for old in mention.named.legacy_wards:
            found.append(_before(old, mention, around, gazetteer))
    found = [reading for reading in found if _is_enough(reading, word_count)]
    if not found:
        return []
    best = max(found, key=lambda reading: reading.weight)
    if best.district is None and best.province is None and not best.fits:
        return []  # the district or the province has no such ward
    found = [
        reading
        for reading in found
        if reading.weight >= best.weight - _AS_GOOD and not best.mention.contains(reading.mention)
    ]
    found.sort(key=lambda reading: -reading.weight)
    return found[:_MOST_READINGS]


def around_in(mentions: list[Mention], gazetteer: Gazetteer) -> Around:
    """The evidence for districts and provinces."""
    around = Around(defaultdict(list), defaultdict(list), defaultdict(list), [], [])
    for mention in mentions:
        if mention.kind is None or mention.kind in DISTRICT_TYPES:
            for district in mention.named.districts:
                weight = _weight_of_district(mention, district)
                if _is_province_today(mention, gazetteer):
                    weight -= 0.9
                around.districts[district.code].append(Evidence(mention, weight))
            if mention.kind is not None and mention.named.districts:
                around.plain_districts.append(mention)
        if mention.kind is None or mention.kind in PROVINCE_TYPES:
            several = len({p.new_province_code for p in mention.named.legacy_provinces}) > 1
            for province in mention.named.legacy_provinces:
                weight = _weight_of_province(mention, province) - (0.4 if several else 0)
                around.old_provinces[province.code].append(Evidence(mention, weight))
                today = gazetteer.provinces[province.new_province_code]
                share = 1.0 if letters(today.name) == letters(province.name) else 0.3
                around.provinces[today.code].append(Evidence(mention, share * weight))
            plain = mention.kind is not None or (mention.fills and not mention.of_street)
            if plain and mention.named.legacy_provinces:
                around.plain_provinces.append(mention)
    return around


def _is_province_today(mention: Mention, gazetteer: Gazetteer) -> bool:
    """`Bắc Ninh`, and since 2026 `TP Bắc Ninh`, is the province rather than the old city; `TP Hà Tĩnh` is the city."""
    return any(
        mention.kind in (None, gazetteer.provinces[old.new_province_code].type)
        and letters(gazetteer.provinces[old.new_province_code].name) == letters(old.name)
        for old in mention.named.legacy_provinces
    )


def _is_enough(reading: Reading, word_count: int) -> bool:
    mention = reading.mention
    alone = reading.district is None and reading.province is None
    if alone and mention.kind is None and mention.last - mention.first < word_count:
        return False
    return reading.weight >= (_ENOUGH if not alone else _ENOUGH - 0.6)


def provinces_of(around: Around, gazetteer: Gazetteer) -> tuple[list[str], list[Mention]]:
    """Where no ward was meant: today's provinces that may be, by name or by an old district, and the mentions."""
    best: Evidence | None = None
    for found in around.provinces.values():
        for item in found:
            plain = item.mention.kind is not None or item.mention.fills
            if plain and (best is None or item.weight > best.weight):
                best = item
    if best is not None:
        olds = best.mention.named.legacy_provinces
        inside = [m for m in around.plain_districts if not m.overlaps(best.mention)]
        return list(dict.fromkeys(old.new_province_code for old in olds)), [best.mention, *inside]
    for mention in around.plain_districts:
        codes = {d.province_code for d in mention.named.districts}
        if len(codes) == 1:
            return [gazetteer.legacy_provinces[codes.pop()].new_province_code], [mention]
    return [], []


# --- weights -----------------------------------------------------------------------------------------------


def _spelling(mention: Mention, name: str) -> float:
    if not mention.accented:
        return 0.0
    return 0.5 if mention.written == letters(name) else -0.3


def _weight_of_ward(mention: Mention, unit: Ward | LegacyWard) -> float:
    if mention.kind is not None:
        weight = 3.0 if mention.kind == unit.type else 2.6
    else:
        weight = 0.2 + 0.9 * mention.begins + 0.7 * mention.ends
    return weight + 0.15 * (mention.last - mention.first - 1) + _spelling(mention, unit.name)


def _weight_of_district(mention: Mention, district: LegacyDistrict) -> float:
    if mention.kind is not None:
        weight = 2.5 if mention.kind == district.type else 2.3
    else:
        weight = 1.0 + 0.4 * mention.begins + 0.4 * mention.ends - 1.5 * mention.of_street
    return weight + 0.5 * _spelling(mention, district.name)


def _weight_of_province(mention: Mention, province: LegacyProvince) -> float:
    if mention.kind is not None:
        weight = 1.8
    else:
        weight = 0.8 + 0.4 * mention.begins + 0.4 * mention.ends - 1.2 * mention.of_street
    return weight + 0.5 * _spelling(mention, province.name)


def _best(evidence: Iterable[Evidence], inside: Mention, *taken: Mention | None) -> Evidence | None:
    """The weightiest that overlaps no mention in use; larger units are usually written after smaller ones."""
    best: Evidence | None = None
    for item in evidence:
        if any(other is not None and item.mention.overlaps(other) for other in (inside, *taken)):
            continue
        weight = item.weight
        if item.mention.first >= inside.last:
            weight += 0.3
        elif item.mention.kind is None:
            weight -= 0.6
        if weight > 0 and (best is None or weight > best.weight):
            best = Evidence(item.mention, weight)
    return best


def _reading(
    unit: Ward | LegacyWard,
    mention: Mention,
    district: Evidence | None,
    province: Evidence | None,
    around: Around,
    weight: float,
) -> Reading:
    inside = district.mention if district else None
    within = province.mention if province else None
    strange_district = district is None and any(
        not m.overlaps(mention) and m is not within for m in around.plain_districts
    )
    strange_province = province is None and any(
        not m.overlaps(mention) and m is not inside for m in around.plain_provinces
    )
    in_province = province is not None or (inside is not None and inside.named.legacy_provinces)
    if mention.kind is None and mention.named.legacy_provinces and not in_province:
        weight -= 3.0  # `…, Q1, Sài Gòn` means the city
    weight += (district.weight if district else 0) + (province.weight if province else 0)
    weight -= 1.0 * strange_district + 1.5 * strange_province
    fits = not strange_district and not strange_province
    return Reading(unit, mention, inside, within, weight, fits)


def _today(ward: Ward, mention: Mention, around: Around, gazetteer: Gazetteer) -> Reading:
    """As one of today's wards: its province decides; people still add the old district."""
    provinces = [item for code in gazetteer.provinces_before[ward.code] for item in around.old_provinces.get(code, ())]
    provinces += around.provinces.get(ward.province_code, ())
    province = _best(provinces, mention)
    districts = [
        Evidence(item.mention, 0.5 * item.weight)
        for code in gazetteer.districts_before[ward.code]
        for item in around.districts.get(code, ())
    ]
    district = _best(districts, mention, province.mention if province else None)
    return _reading(ward, mention, district, province, around, _weight_of_ward(mention, ward))


def _before(old: LegacyWard, mention: Mention, around: Around, gazetteer: Gazetteer) -> Reading:
    """As a ward of before July 2025: its district decides."""
    district = _best(around.districts.get(old.district_code, ()), mention)
    inside = district.mention if district else None
    province = _best(around.old_provinces.get(old.province_code, ()), mention, inside)
    if province is None:
        new = gazetteer.legacy_provinces[old.province_code].new_province_code
        over = [Evidence(item.mention, 0.6 * item.weight) for item in around.provinces.get(new, ())]
        province = _best(over, mention, inside)
    weight = _weight_of_ward(mention, old) - (0.5 if district is None else 0)
    return _reading(old, mention, district, province, around, weight)
