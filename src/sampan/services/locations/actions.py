"""What locations does: keeps the versions of the reference data, and answers from the one in force."""

import asyncio
import logging
import time
from datetime import date
from typing import Annotated, Final

from msgspec import Meta, Struct

from sampan.kernel import context
from sampan.kernel.db import Database
from sampan.kernel.errors import Conflict, invalid
from sampan.kernel.service import Ground
from sampan.services.locations import store
from sampan.services.locations.contract import Match, Parsed, Place, Province, UnknownPlace, Ward
from sampan.services.locations.reference.load import THE_REFORM, load_reference, reference_digest
from sampan.services.locations.rules.address import parse
from sampan.services.locations.rules.conversion import candidates_for
from sampan.services.locations.rules.edition import Differences, differences_for, edition_in, reference_after
from sampan.services.locations.rules.gazetteer import Gazetteer, gazetteer_for, wards_like
from sampan.services.locations.rules.search import search

log = logging.getLogger(__name__)

OURS: Final = "the package vietnamadminunits and our amendments to it"


class LocationsSettings(Struct, frozen=True):
    """A process asks again after `refresh_seconds` which version is in force, for what it keeps in memory."""

    refresh_seconds: Annotated[int, Meta(ge=0, le=3600)] = 60


class Kept(Struct, frozen=True):
    """A gazetteer, the version it is made of, and until when (on the clock of time.monotonic()) to believe in it."""

    version: int
    gazetteer: Gazetteer
    until: float


class LocationsActions:
    """Vietnam's places. Lists and places come from the tables; what is read from text, from a gazetteer in memory that
    is built when it is first asked for."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        self._is_loaded = False
        self.settings = ground.settings.section(LocationsSettings, "LOCATIONS")
        self._kept: Kept | None = None
        self._one_at_a_time = asyncio.Lock()

    # --- questions ------------------------------------------------------------------------------------------------

    async def list_provinces(self) -> list[Province]:
        """Today's provinces, in the order of the Vietnamese alphabet."""
        await self._loaded()
        async with self.db.read() as tx:
            return await store.provinces(tx)

    async def list_wards(self, *, province_code: str, q: str = "") -> list[Ward]:
        """A province's wards in the order of the alphabet, narrowed by `q` with or without accents.

        Raises UnknownPlace.
        """
        if not is_code(province_code, 2):
            raise no_province(province_code)
        await self._loaded()
        async with self.db.read() as tx:
            wards = await store.wards(tx, province_code)
        if not wards:
            raise no_province(province_code)
        return wards_like(wards, q)

    async def find_place(self, *, province_code: str, ward_code: str) -> Place:
        """The ward in its province, with the day of the version. Raises UnknownPlace."""
        place = None
        if is_code(province_code, 2) and is_code(ward_code, 5):
            await self._loaded()
            async with self.db.read() as tx:
                place = await store.place(tx, province_code, ward_code)
        if place is None:
            raise UnknownPlace("there is no such ward in this province today")
        return place

    async def find_by_text(self, *, q: str, limit: int = 10) -> list[Match]:
        """Wards and provinces by free text, best first."""
        return search(await self._places(), q, limit)

    async def find_new(self, *, province: str, district: str, ward: str) -> list[Match]:
        """Today's candidates for a place of before July 2025, names or codes; one, or several where it was divided."""
        return candidates_for(await self._places(), province=province, district=district, ward=ward)

    async def find_parts(self, *, text: str) -> Parsed:
        """A pasted address in parts."""
        return parse(await self._places(), text)

    # --- the reference data ---------------------------------------------------------------------------------------

    async def ensure_loaded(self) -> None:
        """Job: the data that comes with this release is in the tables, once. Any number of processes may do this."""
        digest = await asyncio.to_thread(reference_digest)
        async with self.db.read() as tx:
            if await store.is_known(tx, digest):
                return
        found = await asyncio.to_thread(load_reference)
        async with self.db.begin() as tx:
            await store.lock_versions(tx)
            if await store.is_known(tx, digest):
                return
            await store.put_legacy(tx, found)
            await store.add_version(tx, found, source=OURS, digest=digest, made_by="sampan")
        log.info("the places were loaded", extra={"version": str(found.version)})

    async def import_units(
        self, *, provinces: bytes, wards: bytes, effective_from: date | None, source: str, dry_run: bool = False
    ) -> Differences:
        """Take a newer official list, two CSV tables (see `rules/edition.py`), into force from a day on (today).

        The version before stays. A list that changes nothing, or a `dry_run`, writes nothing. Raises BadList, Invalid
        for a day before the reform or a source that is too long, and Conflict when another list came in meanwhile.
        """
        if effective_from is not None and effective_from < THE_REFORM:
            raise invalid("effective_from", "range", f"today's units exist since {THE_REFORM}")
        if not 1 <= len(source.strip()) <= 500:
            raise invalid("source", "length", "a source has 1 to 500 characters")
        edition = await asyncio.to_thread(edition_in, provinces, wards)
        await self._loaded()
        async with self.db.read() as tx:
            day = effective_from or await store.today(tx)
            base = await store.version_on(tx, day)
            before = await store.reference(tx, base or 0)
        differences = differences_for(before, edition, day)
        after = await asyncio.to_thread(reference_after, edition, before, day)
        if dry_run or not differences.changes_anything:
            return differences
        async with self.db.begin() as tx:
            await store.lock_versions(tx)
            if await store.version_on(tx, day) != base:
                raise Conflict("another list was loaded meanwhile; look at the differences again")
            await store.add_version(tx, after, source=source.strip(), digest=None, made_by=context.actor.get().name)
        return differences

    async def invariants(self) -> list[str]:
        """Units that are missing from the version in force, wards without a province, edges that lead nowhere."""
        async with self.db.read() as tx:
            return await store.broken(tx)

    async def _loaded(self) -> None:
        """The tables hold a version: the first question may come before the job."""
        if self._is_loaded:
            return
        async with self.db.read() as tx:
            self._is_loaded = await store.version_in_force(tx) is not None
        if not self._is_loaded:
            async with self._one_at_a_time:
                await self.ensure_loaded()
            self._is_loaded = True

    async def _places(self) -> Gazetteer:
        """The gazetteer of the version in force, as of at most a minute ago. Built once however many ask."""
        await self._loaded()
        kept = self._kept
        if kept is None or time.monotonic() >= kept.until:
            async with self._one_at_a_time:
                kept = self._kept
                if kept is None or time.monotonic() >= kept.until:
                    kept = self._kept = await self._renewed(kept)
        return kept.gazetteer

    async def _renewed(self, kept: Kept | None) -> Kept:
        async with self.db.read() as tx:
            version = await store.version_in_force(tx) or 0
            if kept is not None and kept.version == version:
                return self._kept_of(version, kept.gazetteer)
            found = await store.reference(tx, version)
        return self._kept_of(version, await asyncio.to_thread(gazetteer_for, found))

    def _kept_of(self, version: int, gazetteer: Gazetteer) -> Kept:
        return Kept(version, gazetteer, time.monotonic() + self.settings.refresh_seconds)


def is_code(text: str, digits: int) -> bool:
    return len(text) == digits and text.isascii() and text.isdigit()


def no_province(code: str) -> UnknownPlace:
    return UnknownPlace(f"there is no province {code[:20]!r} today")
