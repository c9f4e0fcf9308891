"""Places' public HTTP: lists, search, old to new, and pasted addresses."""

from typing import Annotated

from msgspec import Meta, Struct

from sampan.kernel.http import Request, Routes, public
from sampan.kernel.limits import Limit
from sampan.services.locations.actions import LocationsActions
from sampan.services.locations.contract import Match, Province, UnknownPlace, Ward

routes = Routes()

TYPING = Limit(times=20, seconds=1, burst=60)
PASTING = Limit(times=5, seconds=1, burst=30)

Words = Annotated[str, Meta(max_length=120)]

ENGLISH = {"tinh": "Province", "thanh_pho": "City", "phuong": "Ward", "xa": "Commune", "dac_khu": "Special Zone"}


class ShownProvince(Struct, frozen=True):
    """`label` is the full name in the language that was asked for: `Thành phố Đà Nẵng`, `Da Nang City`."""

    code: str
    name: str
    type: str
    full_name: str
    name_en: str
    label: str


class ShownWard(Struct, frozen=True):
    """As a province. Names may repeat within one when they are written without accents; with the type they differ."""

    code: str
    name: str
    type: str
    full_name: str
    name_en: str
    label: str
    province_code: str


class ShownMatch(Struct, frozen=True):
    """`ward` is null when only the province is known. `confidence` is a whole number from 1 to 100 (sure)."""

    province: ShownProvince
    ward: ShownWard | None
    confidence: int


class Provinces(Struct, frozen=True):
    items: list[ShownProvince]


class Wards(Struct, frozen=True):
    items: list[ShownWard]


class Matches(Struct, frozen=True):
    items: list[ShownMatch]


class Candidates(Struct, frozen=True):
    candidates: list[ShownMatch]


class Parts(Struct, frozen=True):
    """`phone` is in E.164; what was not found is empty. `legacy` says that the old three levels were written."""

    name: str
    phone: str
    street: str
    candidates: list[ShownMatch]
    legacy: bool
    confidence: int


class WardQuery(Struct, frozen=True):
    q: Words = ""


class SearchQuery(Struct, frozen=True):
    q: Words = ""
    limit: Annotated[int, Meta(ge=1, le=50)] = 10


class OldPlace(Struct, frozen=True, forbid_unknown_fields=True):
    """A place of before July 2025, each part a code or a name, or empty."""

    province: Words = ""
    district: Words = ""
    ward: Words = ""


class Pasted(Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(max_length=1000)]


def places(request: Request) -> list[str]:
    return ["places"]


@routes.get("/locations/vn/provinces", policy=public, cached=places)
async def get_provinces(locations: LocationsActions, language: str) -> Provinces:
    """Today's provinces, in the order of the Vietnamese alphabet."""
    return Provinces([shown_province(province, language) for province in await locations.list_provinces()])


@routes.get("/locations/vn/provinces/{code}/wards", policy=public, cached=places, errors=(UnknownPlace,))
async def get_wards(locations: LocationsActions, code: str, language: str, query: WardQuery) -> Wards:
    """All wards of a province in the order of the alphabet, or those with a word that begins like `q`."""
    wards = await locations.list_wards(province_code=code, q=query.q)
    return Wards([shown_ward(ward, language) for ward in wards])


@routes.get("/locations/vn/search", policy=public, cached=places, limit=TYPING)
async def search(locations: LocationsActions, language: str, query: SearchQuery) -> Matches:
    """Provinces and wards by new and old names, with or without accents, best first."""
    return Matches(shown(await locations.find_by_text(q=query.q, limit=query.limit), language))


@routes.post("/locations/vn/convert", policy=public, idempotency="none", limit=TYPING)
async def convert(locations: LocationsActions, language: str, data: OldPlace) -> Candidates:
    """Where a place of before July 2025 is today; several candidates where it was divided."""
    found = await locations.find_new(province=data.province, district=data.district, ward=data.ward)
    return Candidates(shown(found, language))


@routes.post("/locations/vn/parse", policy=public, idempotency="none", limit=PASTING)
async def parse(locations: LocationsActions, language: str, data: Pasted) -> Parts:
    """A pasted address in parts: name, phone, street, and the wards that may be meant."""
    found = await locations.find_parts(text=data.text)
    return Parts(
        name=found.name,
        phone=found.phone,
        street=found.street,
        candidates=shown(found.candidates, language),
        legacy=found.legacy,
        confidence=found.confidence,
    )


def shown(found: list[Match], language: str) -> list[ShownMatch]:
    return [
        ShownMatch(
            province=shown_province(match.province, language),
            ward=shown_ward(match.ward, language) if match.ward is not None else None,
            confidence=match.confidence,
        )
        for match in found
    ]


def shown_province(unit: Province, language: str) -> ShownProvince:
    return ShownProvince(unit.code, unit.name, unit.type, unit.full_name, unit.name_en, label_for(unit, language))


def shown_ward(unit: Ward, language: str) -> ShownWard:
    label = label_for(unit, language)
    return ShownWard(unit.code, unit.name, unit.type, unit.full_name, unit.name_en, label, unit.province_code)


def label_for(unit: Province | Ward, language: str) -> str:
    """`Phường Bến Thành`, `Ben Thanh Ward`."""
    return f"{unit.name_en} {ENGLISH[unit.type]}" if language == "en" else unit.full_name
