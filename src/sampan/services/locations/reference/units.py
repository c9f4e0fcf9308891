"""The reference data in memory: today's units, those of before July 2025, and where each old ward went."""

from collections.abc import Mapping
from datetime import date
from typing import Literal

from msgspec import Struct

from sampan.services.locations.contract import Province, Ward

Kind = Literal["same", "renamed", "whole", "part", "part_all_people"]


class LegacyProvince(Struct, frozen=True, gc=False):
    """One of the 63 provinces of before 2025-07-01. `type`: tinh or thanh_pho; `aliases` as of districts."""

    code: str
    name: str
    type: str
    full_name: str
    new_province_code: str
    aliases: tuple[str, ...] = ()


class LegacyDistrict(Struct, frozen=True, gc=False):
    """One of the 696 districts; the level no longer exists. `type`: quan, huyen, thi_xa or thanh_pho.

    `aliases` are names it took over or is called by: letters without accents or a number (`hoanhbo`, `9`).
    """

    code: str
    name: str
    type: str
    full_name: str
    province_code: str
    aliases: tuple[str, ...] = ()


class LegacyWard(Struct, frozen=True, gc=False):
    """One of the 10,035 wards of before 2025-07-01. `type`: phuong, xa or thi_tran.

    A surviving code may denote another, larger unit today: never look a legacy code up among today's wards.
    `aliases` are names that earlier mergers abolished here, written like those of `LegacyDistrict`.
    """

    code: str
    name: str
    type: str
    full_name: str
    district_code: str
    province_code: str
    aliases: tuple[str, ...] = ()


class Edge(Struct, frozen=True, gc=False):
    """Land or people of an old ward that went to a new one.

    `old_ward_code` is empty where a whole district had no wards (islands). `kind`:
    same              the ward alone became the new one and kept its name and type
    renamed           the ward alone became the new one under another name
    whole             all of it moved there, together with others
    part              some of it moved there; the street decides
    part_all_people   uninhabited land went elsewhere too, everybody who lived in it is here
    `suggested_default` marks one edge of each divided ward: a guess by distance, not official.
    """

    old_district_code: str
    old_ward_code: str
    new_ward_code: str
    kind: Kind
    suggested_default: bool


class Reference(Struct, frozen=True):
    """Everything that is known on the day `version`, the date of the last amendment in it.

    `centres` gives latitude and longitude of today's provinces and wards by code (2 and 5 digits): good for
    zones and guesses of distance, not surveyed.
    """

    version: date
    provinces: tuple[Province, ...]
    wards: tuple[Ward, ...]
    legacy_provinces: tuple[LegacyProvince, ...]
    legacy_districts: tuple[LegacyDistrict, ...]
    legacy_wards: tuple[LegacyWard, ...]
    edges: tuple[Edge, ...]
    centres: Mapping[str, tuple[float, float]]


class Amendment(Struct, frozen=True, forbid_unknown_fields=True):
    """What one resolution changed, or one correction of the data: absolute values by code, so that applying
    it to a newer package that already knows is harmless.

    `provinces` … `legacy_wards` give full names, type word first. `edges` gives all targets of an old ward
    (or of a district without wards, 3 digits), likeliest first; `all_people` and `all_land` name the one
    target among several that took every inhabitant, or all the land. `former_names` and `district_names`,
    `province_names` add names that an old ward, district or province took over or is called by.
    """

    effective_from: date
    source: str
    provinces: Mapping[str, str] = {}
    wards: Mapping[str, str] = {}
    legacy_districts: Mapping[str, str] = {}
    legacy_wards: Mapping[str, str] = {}
    province_names: Mapping[str, list[str]] = {}
    district_names: Mapping[str, list[str]] = {}
    former_names: Mapping[str, list[str]] = {}
    edges: Mapping[str, list[str]] = {}
    all_people: Mapping[str, str] = {}
    all_land: Mapping[str, str] = {}
