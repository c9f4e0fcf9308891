"""Old places to new: where a province, district and ward of before July 2025 are today."""

from collections import defaultdict

from sampan.services.locations.contract import Match
from sampan.services.locations.reference.units import LegacyWard
from sampan.services.locations.rules.gazetteer import (
    Gazetteer,
    legacy_districts_for,
    legacy_provinces_for,
    named,
    narrowed,
    wards_for,
)

SURE = 100
ALL_PEOPLE = 90  # everybody who lived there is in this one; only land without people went elsewhere
SUGGESTED = 60  # the likelier part of a divided ward: the street decides


def candidates_for(gazetteer: Gazetteer, *, province: str, district: str, ward: str) -> list[Match]:
    """An old ward that went whole to one new ward is that ward, with confidence 100. An old ward that was divided
    gives all its new wards, the likeliest first: the one where all its people live, else the suggested one.

    Province, district and ward are codes or names of before July 2025, each may be empty; a district that does not
    fit, or that was skipped, makes the answer less sure, and a name that several old wards share gives all of them.
    A name of today is understood too. Nothing found: an empty list.
    """
    provinces = {p.code for p in legacy_provinces_for(gazetteer, province)}
    named_so = legacy_districts_for(gazetteer, district)
    districts = {d.code for d in named_so if d.province_code in provinces}
    if not districts:
        districts = {d.code for d in named_so if not provinces or _same_new(gazetteer, d.province_code, provinces)}
    if not ward.strip():
        return matches(gazetteer, _island_weights(gazetteer, districts))
    found, sureness = _old_wards(gazetteer, ward, provinces, districts, around=f"{district} {province}")
    if found:
        return matches(gazetteer, _spread(gazetteer, found, sureness))
    return matches(gazetteer, _today(gazetteer, ward, provinces, districts))


def weights_of(gazetteer: Gazetteer, old_code: str) -> dict[str, int]:
    """New ward code → how likely an address of this old ward is there, of 100; the likeliest first."""
    edges = gazetteer.edges.get(old_code, ())
    if len(edges) == 1:
        return {edges[0].new_ward_code: SURE}

    def likelihood(edge_at: int) -> tuple[bool, bool]:
        edge = edges[edge_at]
        return edge.kind == "part_all_people", edge.suggested_default

    order = sorted(range(len(edges)), key=likelihood, reverse=True)
    if not order:
        return {}
    first = ALL_PEOPLE if edges[order[0]].kind == "part_all_people" else SUGGESTED
    rest = (SURE - first) // (len(order) - 1)
    return {edges[at].new_ward_code: first if at == order[0] else rest for at in order}


def matches(gazetteer: Gazetteer, weights: dict[str, float]) -> list[Match]:
    """The wards with their confidence, the surest first."""
    ranked = sorted(weights.items(), key=lambda item: -item[1])
    return [
        Match(
            province=gazetteer.provinces[gazetteer.wards[code].province_code],
            ward=gazetteer.wards[code],
            confidence=max(1, min(SURE, round(weight))),
        )
        for code, weight in ranked
    ]


def _same_new(gazetteer: Gazetteer, province_code: str, provinces: set[str]) -> bool:
    """People write the new province over the old district: `Thuận An, Hồ Chí Minh`."""
    new = gazetteer.legacy_provinces[province_code].new_province_code
    return any(gazetteer.legacy_provinces[code].new_province_code == new for code in provinces)


def _old_wards(
    gazetteer: Gazetteer, ward: str, provinces: set[str], districts: set[str], around: str
) -> tuple[list[LegacyWard], float]:
    """The old wards that are meant, in the nearest circle that knows the name, and how sure that is (0…1)."""
    if exact := gazetteer.legacy_wards.get(ward.strip()):
        return [exact], 1.0
    bearers = named(gazetteer, ward).legacy_wards
    in_district = [w for w in bearers if w.district_code in districts]
    if in_district:
        return narrowed(in_district, ward, around), 1.0
    unsure = 0.7 if districts else 1.0
    in_province = [w for w in bearers if w.province_code in provinces]
    if in_province:
        return narrowed(in_province, ward, around), unsure
    nearby = [w for w in bearers if _same_new(gazetteer, w.province_code, provinces)]
    if nearby:
        return narrowed(nearby, ward, around), unsure * 0.9
    return ([], 0.0) if provinces or districts else (narrowed(bearers, ward, around), 1.0)


def _spread(gazetteer: Gazetteer, olds: list[LegacyWard], sureness: float) -> dict[str, float]:
    weights: dict[str, float] = defaultdict(float)
    for old in olds:
        for code, weight in weights_of(gazetteer, old.code).items():
            weights[code] += weight * sureness / len(olds)
    return weights


def _island_weights(gazetteer: Gazetteer, districts: set[str]) -> dict[str, float]:
    return {code: float(w) for d in districts for code, w in weights_of(gazetteer, d).items()}


def _today(gazetteer: Gazetteer, ward: str, provinces: set[str], districts: set[str]) -> dict[str, float]:
    """The name is one of today's wards, written into the old form."""
    new_provinces = {gazetteer.legacy_provinces[code].new_province_code for code in provinces}
    found = [w for w in wards_for(gazetteer, ward) if not new_provinces or w.province_code in new_provinces]
    near = [w for w in found if gazetteer.districts_before[w.code] & districts]
    chosen = near or found
    sureness = 90 if near else 70
    return {w.code: sureness / len(chosen) for w in chosen}
