"""Locations, as others see it: Vietnam's places, old and new."""

from typing import Protocol

from msgspec import Struct

from sampan.kernel.errors import ShopError


class UnknownPlace(ShopError, code="locations.unknown_place", status=422):
    """The province or ward code is not one of today's, or the ward is not in the province."""


class Province(Struct, frozen=True):
    """One of today's 34. `type`: tinh or thanh_pho."""

    code: str
    name: str
    type: str
    full_name: str
    name_en: str


class Ward(Struct, frozen=True):
    """One of today's 3,321. `type`: phuong, xa or dac_khu; `full_name` begins with the type word."""

    code: str
    name: str
    type: str
    full_name: str
    name_en: str
    province_code: str


class Place(Struct, frozen=True):
    """A ward in its province, and the version of the reference data (the day it was in force)."""

    province: Province
    ward: Ward
    version: str


class Match(Struct, frozen=True):
    """A place found by text. `ward` is None when the text names a province only. `confidence` 0…100."""

    province: Province
    ward: Ward | None
    confidence: int


class Parsed(Struct, frozen=True):
    """A pasted address in parts. `candidates` best first; `legacy` when it was written in the old three levels."""

    name: str
    phone: str
    street: str
    candidates: list[Match]
    legacy: bool
    confidence: int


class Locations(Protocol):
    """Vietnam's administrative units."""

    async def list_provinces(self) -> list[Province]:
        """Today's provinces, in the order of the Vietnamese alphabet."""
        ...

    async def list_wards(self, *, province_code: str, q: str = "") -> list[Ward]:
        """A province's wards, narrowed by `q` with or without accents. Raises UnknownPlace."""
        ...

    async def find_place(self, *, province_code: str, ward_code: str) -> Place:
        """The ward in its province. Raises UnknownPlace."""
        ...

    async def find_by_text(self, *, q: str, limit: int = 10) -> list[Match]:
        """Wards and provinces by free text, best first."""
        ...

    async def find_new(self, *, province: str, district: str, ward: str) -> list[Match]:
        """Today's candidates for a place of before July 2025, names or codes; one, or several where it was divided."""
        ...

    async def find_parts(self, *, text: str) -> Parsed:
        """A pasted address in parts."""
        ...
