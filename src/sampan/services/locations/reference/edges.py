"""What became of the old wards, as edges from old to new."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sampan.kernel.text import canonical
from sampan.services.locations.contract import Ward
from sampan.services.locations.reference.units import Edge, Kind, LegacyDistrict, LegacyWard


def edges_for(
    targets: Mapping[str, Sequence[str]],
    *,
    all_people: Mapping[str, str],
    all_land: Mapping[str, str],
    wards: Iterable[Ward],
    districts: Iterable[LegacyDistrict],
    legacy_wards: Iterable[LegacyWard],
) -> Iterator[Edge]:
    """The edges of each old ward (or district without wards), in the order of the old codes.

    `targets` gives by old code all new wards, the likeliest first; `all_people` and `all_land` the one of several
    that took every inhabitant, or all the land.

    Raises:
        LookupError: an edge comes from a unit that never was.
    """
    new = {ward.code: ward for ward in wards}
    old = {ward.code: ward for ward in legacy_wards}
    district_codes = {district.code for district in districts}
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
