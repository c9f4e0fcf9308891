"""What staff do with zones, rates, services and days off."""

from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any

from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import NotFound, invalid
from sampan.kernel.money import zero
from sampan.kernel.pagination import Page, decode_cursor, page_of
from sampan.services.locations.contract import Locations
from sampan.services.shipping.contract import ZoneChanged
from sampan.services.shipping.rules import zone as rules
from sampan.services.shipping.rules.zone import (
    Holiday,
    HolidayDraft,
    NewZone,
    RateDraft,
    Service,
    ServiceDraft,
    UnknownService,
    UnknownZone,
    VersionChanged,
    Zone,
    ZoneDraft,
    ZoneExists,
)
from sampan.services.shipping.store import offers as store


class Tariff:
    """Zones with their places and rates. Where no locations service is deployed, codes are checked by form only."""

    db: Database
    locations: Locations | None

    async def list_zones(self, *, limit: int, cursor: str | None) -> Page[Zone]:
        """All zones by code. Raises Invalid for a cursor that is not ours."""
        after = decode_cursor(cursor, str)[0] if cursor else ""
        async with self.db.read() as tx:
            return page_of(await store.zones_after(tx, after, limit + 1), limit, lambda zone: (zone.code,))

    async def create_zone(self, *, new: NewZone) -> Zone:
        """A new zone without rates. Raises ZoneExists, Invalid, locations.UnknownPlace."""
        zero(new.currency)
        rules.check_places(new, new.market)
        await self._check_codes(new)
        async with self.db.begin() as tx:
            if await store.currency_of(tx, new.market, new.currency) != new.currency:
                raise invalid("currency", "value", "all zones of a market have one currency")
            if not await store.add_zone(tx, new):
                raise ZoneExists(f"there is a zone {new.code}", zone=new.code)
            await store.set_places(tx, new.code, rules.places_of(new))
            return await self._told(tx, new.code)

    async def change_zone(self, *, code: str, draft: ZoneDraft, version: int) -> Zone:
        """Write a zone anew over the version that was read. Raises UnknownZone, VersionChanged, Invalid."""
        async with self.db.read() as tx:
            market = await store.market_of(tx, code)
        if market is None:
            raise UnknownZone("there is no such zone")
        rules.check_places(draft, market)
        await self._check_codes(draft)

        async def write(tx: Tx) -> None:
            await store.set_zone(tx, code, draft)
            await store.set_places(tx, code, rules.places_of(draft))

        return await self._changed(code, version, write)

    async def set_rate(self, *, zone: str, service: str, draft: RateDraft, version: int) -> Zone:
        """Set what a service costs and promises in a zone. Raises UnknownZone, UnknownService, VersionChanged."""
        rules.check_rate(draft)

        async def write(tx: Tx) -> None:
            if not await store.is_service(tx, service):
                raise UnknownService(f"there is no service {service[:40]}")
            await store.put_rate(tx, zone, service, draft)

        return await self._changed(zone, version, write)

    async def list_services(self) -> list[Service]:
        """All services by code."""
        async with self.db.read() as tx:
            return await store.services(tx)

    async def put_service(self, *, code: str, draft: ServiceDraft) -> Service:
        """Add or change a service."""
        rules.check_service_code(code)
        rules.check_service(draft)
        async with self.db.begin() as tx:
            await store.put_service(tx, code, draft)
            return next(service for service in await store.services(tx) if service.code == code)

    async def list_holidays(self, *, year: int | None) -> list[Holiday]:
        """The days off, of a year or all."""
        async with self.db.read() as tx:
            return await store.holidays(tx, year)

    async def put_holiday(self, *, day: date, draft: HolidayDraft) -> Holiday:
        """Add or change a day off."""
        async with self.db.begin() as tx:
            await store.put_holiday(tx, day, draft)
        return Holiday(day, draft.name, draft.source)

    async def drop_holiday(self, *, day: date) -> None:
        """The day is a working day again. Raises NotFound."""
        async with self.db.begin() as tx:
            if not await store.drop_holiday(tx, day):
                raise NotFound("the day is no day off")

    async def _check_codes(self, draft: ZoneDraft) -> None:
        """Raises locations.UnknownPlace for a province, Invalid for a ward that is not there today."""
        if self.locations is None:
            return
        provinces = {*draft.provinces, *(ward.province_code for ward in draft.wards)}
        known = {
            code: {ward.code for ward in await self.locations.list_wards(province_code=code)}
            for code in sorted(provinces)
        }
        rules.check_wards(draft.wards, known)

    async def _changed(self, code: str, version: int, write: Callable[[Tx], Coroutine[Any, Any, None]]) -> Zone:
        """Do `write` under the zone's lock if it still has this version."""
        async with self.db.begin() as tx:
            present = await store.lock_zone(tx, code)
            if present is None:
                raise UnknownZone("there is no such zone")
            if present != version:
                raise VersionChanged("somebody changed the zone after you read it", version=present)
            await write(tx)
            await store.touch_zone(tx, code)
            return await self._told(tx, code)

    async def _told(self, tx: Tx, code: str) -> Zone:
        """The zone as it is now, and the event that says so."""
        zone = await store.zone(tx, code)
        await tx.emit(ZoneChanged(zone=zone.code, market=zone.market, version=zone.version))
        return zone
