"""SQL of zones, rates and days off."""

from collections.abc import Sequence
from datetime import date

from sampan.kernel.db import Tx
from sampan.services.shipping.rules.offer import Rate
from sampan.services.shipping.rules.zone import (
    Holiday,
    HolidayDraft,
    NewZone,
    Place,
    RateDraft,
    Service,
    ServiceDraft,
    Zone,
    ZoneDraft,
)

# Days off are read as far ahead as a promise can reach: 90 working days.
RATES_AT = """
WITH here AS (
    SELECT z.code, m.currency, z.surcharge
      FROM shipping.area a JOIN shipping.zone z ON z.code = a.zone JOIN shipping.market m ON m.code = z.market
     WHERE a.code = ANY($2) AND z.market = $1 AND z.active
     ORDER BY length(a.code) DESC, z.priority, z.code
     LIMIT 1
)
SELECT here.code, here.currency, here.surcharge, s.code, s.carrier, s.name, s.weekdays, r.cod_fee, r.cod_limit,
       r.first_days, r.last_days, r.cutoff,
       coalesce((SELECT jsonb_agg(jsonb_build_object('from_value', b.from_value, 'up_to_grams', b.up_to_grams,
                                                     'price', b.price))
                   FROM shipping.band b WHERE b.zone = r.zone AND b.service = r.service), '[]'),
       now(),
       ARRAY(SELECT h.day FROM shipping.holiday h WHERE h.day BETWEEN now()::date - 1 AND now()::date + 200)
  FROM here
  JOIN shipping.rate r ON r.zone = here.code AND r.active
  JOIN shipping.service s ON s.code = r.service AND s.active
"""
ZONES = """
SELECT z.code, z.market, m.currency, z.name,
       EXISTS (SELECT 1 FROM shipping.area a WHERE a.zone = z.code AND a.code = ''),
       ARRAY(SELECT a.code FROM shipping.area a WHERE a.zone = z.code AND length(a.code) = 2 ORDER BY a.code),
       coalesce((SELECT jsonb_agg(jsonb_build_object('province_code', a.province_code, 'ward_code', a.code)
                                  ORDER BY a.code)
                   FROM shipping.area a WHERE a.zone = z.code AND length(a.code) = 5), '[]'),
       z.priority, z.surcharge, z.active, z.version, z.changed_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object(
                          'service', r.service, 'first_days', r.first_days, 'last_days', r.last_days,
                          'cutoff', r.cutoff, 'cod_fee', r.cod_fee, 'cod_limit', r.cod_limit, 'active', r.active,
                          'bands', (SELECT jsonb_agg(jsonb_build_object('from_value', b.from_value,
                                                                        'up_to_grams', b.up_to_grams,
                                                                        'price', b.price)
                                                     ORDER BY b.from_value, b.up_to_grams)
                                      FROM shipping.band b WHERE b.zone = r.zone AND b.service = r.service))
                        ORDER BY r.service)
                   FROM shipping.rate r WHERE r.zone = z.code), '[]')
  FROM shipping.zone z JOIN shipping.market m ON m.code = z.market
"""
ZONE = ZONES + " WHERE z.code = $1"
ZONES_AFTER = ZONES + " WHERE z.code > $1 ORDER BY z.code LIMIT $2"
# Writing over itself, so that an existing market's currency is returned.
MARKET = """
INSERT INTO shipping.market (code, currency) VALUES ($1, $2)
ON CONFLICT (code) DO UPDATE SET currency = market.currency RETURNING currency
"""
ADD_ZONE = """
INSERT INTO shipping.zone (code, market, name, priority, surcharge, active) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (code) DO NOTHING
"""
LOCK_ZONE = "SELECT version FROM shipping.zone WHERE code = $1 FOR UPDATE"
MARKET_OF = "SELECT market FROM shipping.zone WHERE code = $1"
SET_ZONE = "UPDATE shipping.zone SET name = $2, priority = $3, surcharge = $4, active = $5 WHERE code = $1"
TOUCH_ZONE = "UPDATE shipping.zone SET version = version + 1, changed_at = now() WHERE code = $1"
DROP_AREAS = "DELETE FROM shipping.area WHERE zone = $1"
ADD_AREAS = """
INSERT INTO shipping.area (zone, code, province_code) SELECT $1, * FROM unnest($2::text[], $3::text[])
"""
SERVICE_EXISTS = "SELECT true FROM shipping.service WHERE code = $1"
PUT_RATE = """
INSERT INTO shipping.rate (zone, service, cod_fee, cod_limit, first_days, last_days, cutoff, active)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (zone, service) DO UPDATE SET cod_fee = EXCLUDED.cod_fee, cod_limit = EXCLUDED.cod_limit,
    first_days = EXCLUDED.first_days, last_days = EXCLUDED.last_days, cutoff = EXCLUDED.cutoff, active = EXCLUDED.active
"""
DROP_BANDS = "DELETE FROM shipping.band WHERE zone = $1 AND service = $2"
ADD_BANDS = """
INSERT INTO shipping.band (zone, service, from_value, up_to_grams, price)
SELECT $1, $2, * FROM unnest($3::bigint[], $4::bigint[], $5::bigint[])
"""
SERVICES = "SELECT code, carrier, name, weekdays, active FROM shipping.service ORDER BY code"
PUT_SERVICE = """
INSERT INTO shipping.service (code, carrier, name, weekdays, active) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (code) DO UPDATE SET carrier = EXCLUDED.carrier, name = EXCLUDED.name, weekdays = EXCLUDED.weekdays,
    active = EXCLUDED.active
"""
HOLIDAYS = """
SELECT day, name, source FROM shipping.holiday
 WHERE $1::bigint IS NULL OR extract(year FROM day) = $1 ORDER BY day
"""
PUT_HOLIDAY = """
INSERT INTO shipping.holiday (day, name, source) VALUES ($1, $2, $3)
ON CONFLICT (day) DO UPDATE SET name = EXCLUDED.name, source = EXCLUDED.source
"""
DROP_HOLIDAY = "DELETE FROM shipping.holiday WHERE day = $1"


async def rates_at(tx: Tx, market: str, places: list[str]) -> list[Rate]:
    """The rates of the one zone that counts for these places of a market."""
    return await tx.many(Rate, RATES_AT, market, places)


async def zones_after(tx: Tx, code: str, limit: int) -> list[Zone]:
    return await tx.many(Zone, ZONES_AFTER, code, limit)


async def zone(tx: Tx, code: str) -> Zone:
    """The zone. Raises NotFound."""
    return await tx.one(Zone, ZONE, code)


async def market_of(tx: Tx, code: str) -> str | None:
    return await tx.maybe(str, MARKET_OF, code)


async def currency_of(tx: Tx, market: str, currency: str) -> str:
    """The market's currency; a market that is new here gets this one."""
    return await tx.one(str, MARKET, market, currency)


async def add_zone(tx: Tx, new: NewZone) -> bool:
    """False: there is one of this code."""
    done = await tx.execute(ADD_ZONE, new.code, new.market, new.name, new.priority, new.surcharge, new.active)
    return done == 1


async def lock_zone(tx: Tx, code: str) -> int | None:
    """The zone's version; nobody else changes the zone until the transaction ends."""
    return await tx.maybe(int, LOCK_ZONE, code)


async def set_zone(tx: Tx, code: str, draft: ZoneDraft) -> None:
    await tx.execute(SET_ZONE, code, draft.name, draft.priority, draft.surcharge, draft.active)


async def touch_zone(tx: Tx, code: str) -> None:
    await tx.execute(TOUCH_ZONE, code)


async def set_places(tx: Tx, code: str, places: Sequence[Place]) -> None:
    await tx.execute(DROP_AREAS, code)
    await tx.execute(ADD_AREAS, code, [place.code for place in places], [place.province_code for place in places])


async def is_service(tx: Tx, code: str) -> bool:
    return await tx.maybe(bool, SERVICE_EXISTS, code) or False


async def put_rate(tx: Tx, zone_code: str, service: str, draft: RateDraft) -> None:
    await tx.execute(
        PUT_RATE,
        zone_code,
        service,
        draft.cod_fee,
        draft.cod_limit,
        draft.first_days,
        draft.last_days,
        draft.cutoff,
        draft.active,
    )
    await tx.execute(DROP_BANDS, zone_code, service)
    await tx.execute(
        ADD_BANDS,
        zone_code,
        service,
        [band.from_value for band in draft.bands],
        [band.up_to_grams for band in draft.bands],
        [band.price for band in draft.bands],
    )


async def services(tx: Tx) -> list[Service]:
    return await tx.many(Service, SERVICES)


async def put_service(tx: Tx, code: str, draft: ServiceDraft) -> None:
    await tx.execute(PUT_SERVICE, code, draft.carrier, draft.name, sorted(draft.weekdays), draft.active)


async def holidays(tx: Tx, year: int | None) -> list[Holiday]:
    return await tx.many(Holiday, HOLIDAYS, year)


async def put_holiday(tx: Tx, day: date, draft: HolidayDraft) -> None:
    await tx.execute(PUT_HOLIDAY, day, draft.name, draft.source)


async def drop_holiday(tx: Tx, day: date) -> bool:
    """False: the day was no day off."""
    return await tx.execute(DROP_HOLIDAY, day) == 1
