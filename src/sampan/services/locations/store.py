"""All SQL of locations."""

from collections.abc import Iterable
from datetime import date
from typing import TypeVar

import msgspec

from sampan.kernel.db import Tx
from sampan.services.locations.contract import Place, Province, Ward
from sampan.services.locations.reference.units import Reference
from sampan.services.locations.rules.spelling import alphabetical

# The day is that of Vietnam. Of two lists for one day an imported one goes before ours, then the later. Where the clock
# is behind the oldest list, that one counts.
TODAY = "(now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date"
IN_FORCE = """
(SELECT v.id FROM locations.version v
  WHERE v.effective_from <= greatest({day}, (SELECT min(o.effective_from) FROM locations.version o))
  ORDER BY v.effective_from DESC, v.digest IS NOT NULL, v.id DESC LIMIT 1)
"""
NOW = IN_FORCE.format(day=TODAY)
VERSION = f"SELECT {NOW}"
VERSION_ON = f"SELECT {IN_FORCE.format(day='$1::date')}"
DAY = f"SELECT {TODAY}"
KNOWN = "SELECT EXISTS (SELECT FROM locations.version v WHERE v.digest = $1)"
LOCK = "SELECT pg_advisory_xact_lock(hashtext('locations.version'))"

PROVINCES = f"""
SELECT p.code, p.name, p.type, p.full_name, p.name_en FROM locations.province p
 WHERE p.version_id = {NOW} ORDER BY p.position
"""
WARDS = f"""
SELECT w.code, w.name, w.type, w.full_name, w.name_en, w.province_code FROM locations.ward w
 WHERE w.version_id = {NOW} AND w.province_code = $1 ORDER BY w.position
"""
PLACE = f"""
SELECT to_jsonb(p), to_jsonb(w), to_char(v.effective_from, 'YYYY-MM-DD')
  FROM locations.version v
  JOIN locations.ward w ON w.version_id = v.id AND w.code = $2 AND w.province_code = $1
  JOIN locations.province p ON p.version_id = v.id AND p.code = w.province_code
 WHERE v.id = {NOW}
"""

# One statement, so that all of it is of one moment; bytes, because as Python text it would take three times as much.
REFERENCE = """
SELECT convert_to(json_build_object(
    'version', v.effective_from,
    'provinces', (SELECT json_agg(t) FROM (
        SELECT p.code, p.name, p.type, p.full_name, p.name_en
          FROM locations.province p WHERE p.version_id = v.id ORDER BY p.code) t),
    'wards', (SELECT json_agg(t) FROM (
        SELECT w.code, w.name, w.type, w.full_name, w.name_en, w.province_code
          FROM locations.ward w WHERE w.version_id = v.id ORDER BY w.code) t),
    'legacy_provinces', (SELECT json_agg(t) FROM (
        SELECT p.code, p.name, p.type, p.full_name, e.new_province_code, p.aliases
          FROM locations.province_edge e JOIN locations.legacy_province p ON p.code = e.old_province_code
         WHERE e.version_id = v.id ORDER BY p.code) t),
    'legacy_districts', (SELECT json_agg(t) FROM (
        SELECT d.code, d.name, d.type, d.full_name, d.province_code, d.aliases
          FROM locations.legacy_district d ORDER BY d.code) t),
    'legacy_wards', (SELECT json_agg(t) FROM (
        SELECT w.code, w.name, w.type, w.full_name, w.district_code, w.province_code, w.aliases
          FROM locations.legacy_ward w ORDER BY w.code) t),
    'edges', (SELECT json_agg(t) FROM (
        SELECT e.old_district_code, coalesce(e.old_ward_code, '') AS old_ward_code, e.new_ward_code, e.kind,
               e.suggested_default
          FROM locations.ward_edge e WHERE e.version_id = v.id ORDER BY e.position) t),
    'centres', '{}'::json)::text, 'UTF8')
  FROM locations.version v WHERE v.id = $1
"""

ADD_VERSION = """
INSERT INTO locations.version (effective_from, source, digest, province_count, ward_count, made_by)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
"""
ADD_PROVINCES = """
INSERT INTO locations.province (version_id, code, name, type, full_name, name_en, position)
SELECT $1, t.* FROM ROWS FROM (jsonb_to_recordset($2)
    AS (code text, name text, type text, full_name text, name_en text)) WITH ORDINALITY AS t
"""
ADD_WARDS = """
INSERT INTO locations.ward (version_id, code, name, type, full_name, name_en, province_code, position)
SELECT $1, t.* FROM ROWS FROM (jsonb_to_recordset($2)
    AS (code text, name text, type text, full_name text, name_en text, province_code text)) WITH ORDINALITY AS t
"""
PUT_LEGACY_PROVINCES = """
INSERT INTO locations.legacy_province (code, name, type, full_name, aliases)
SELECT t.* FROM jsonb_to_recordset($1) AS t (code text, name text, type text, full_name text, aliases text[])
ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, type = EXCLUDED.type, full_name = EXCLUDED.full_name,
    aliases = EXCLUDED.aliases
"""
PUT_LEGACY_DISTRICTS = """
INSERT INTO locations.legacy_district (code, name, type, full_name, province_code, aliases)
SELECT t.* FROM jsonb_to_recordset($1)
    AS t (code text, name text, type text, full_name text, province_code text, aliases text[])
ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, type = EXCLUDED.type, full_name = EXCLUDED.full_name,
    province_code = EXCLUDED.province_code, aliases = EXCLUDED.aliases
"""
PUT_LEGACY_WARDS = """
INSERT INTO locations.legacy_ward (code, name, type, full_name, district_code, province_code, aliases)
SELECT t.* FROM jsonb_to_recordset($1) AS t (
    code text, name text, type text, full_name text, district_code text, province_code text, aliases text[])
ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, type = EXCLUDED.type, full_name = EXCLUDED.full_name,
    district_code = EXCLUDED.district_code, province_code = EXCLUDED.province_code, aliases = EXCLUDED.aliases
"""
ADD_PROVINCE_EDGES = """
INSERT INTO locations.province_edge (version_id, old_province_code, new_province_code)
SELECT $1, t.code, t.new_province_code FROM jsonb_to_recordset($2) AS t (code text, new_province_code text)
"""
ADD_WARD_EDGES = """
INSERT INTO locations.ward_edge
    (version_id, old_district_code, old_ward_code, new_ward_code, kind, suggested_default, position)
SELECT $1, t.district, nullif(t.ward, ''), t.new, t.kind, t.suggested, t.position
  FROM ROWS FROM (jsonb_to_recordset($2) AS (
        old_district_code text, old_ward_code text, new_ward_code text, kind text, suggested_default boolean))
       WITH ORDINALITY AS t (district, ward, new, kind, suggested, position)
"""

# The constraints make most of these impossible; an invariant does not rely on that.
BROKEN = f"""
WITH v AS (SELECT * FROM locations.version WHERE id = {NOW})
SELECT 'version ' || v.effective_from || ' has ' || count(p.code) || ' provinces, its list had ' || v.province_count
  FROM v LEFT JOIN locations.province p ON p.version_id = v.id
 GROUP BY v.effective_from, v.province_count HAVING count(p.code) <> v.province_count
UNION ALL
SELECT 'version ' || v.effective_from || ' has ' || count(w.code) || ' wards, its list had ' || v.ward_count
  FROM v LEFT JOIN locations.ward w ON w.version_id = v.id
 GROUP BY v.effective_from, v.ward_count HAVING count(w.code) <> v.ward_count
UNION ALL
SELECT 'ward ' || w.code || ' lies in the province ' || w.province_code || ', which does not exist'
  FROM v JOIN locations.ward w ON w.version_id = v.id
  LEFT JOIN locations.province p ON p.version_id = v.id AND p.code = w.province_code WHERE p.code IS NULL
UNION ALL
SELECT 'province ' || p.code || ' has no wards'
  FROM v JOIN locations.province p ON p.version_id = v.id
 WHERE NOT EXISTS (SELECT FROM locations.ward w WHERE w.version_id = v.id AND w.province_code = p.code)
UNION ALL
SELECT 'an edge of the district ' || e.old_district_code || ' leads to the ward ' || e.new_ward_code
       || ', which does not exist'
  FROM v JOIN locations.ward_edge e ON e.version_id = v.id
  LEFT JOIN locations.ward w ON w.version_id = v.id AND w.code = e.new_ward_code WHERE w.code IS NULL
UNION ALL
SELECT 'the old ward ' || l.code || ' leads nowhere'
  FROM v CROSS JOIN locations.legacy_ward l
 WHERE NOT EXISTS (SELECT FROM locations.ward_edge e WHERE e.version_id = v.id AND e.old_ward_code = l.code)
UNION ALL
SELECT 'the old province ' || l.code || ' leads nowhere'
  FROM v CROSS JOIN locations.legacy_province l
 WHERE NOT EXISTS (
       SELECT FROM locations.province_edge e JOIN locations.province p
           ON p.version_id = e.version_id AND p.code = e.new_province_code
        WHERE e.version_id = v.id AND e.old_province_code = l.code)
LIMIT 100
"""


async def version_in_force(tx: Tx) -> int | None:
    """The id of today's version; None before the first."""
    return await tx.maybe(int, VERSION)


async def version_on(tx: Tx, day: date) -> int | None:
    """The id of the version in force on a day; None before the first."""
    return await tx.maybe(int, VERSION_ON, day)


async def today(tx: Tx) -> date:
    """The day it is in Vietnam."""
    return await tx.one(date, DAY)


async def is_known(tx: Tx, digest: str) -> bool:
    """Whether this state of the data that comes with the software was loaded."""
    return await tx.one(bool, KNOWN, digest)


async def lock_versions(tx: Tx) -> None:
    """One writer of versions at a time, until the end of the transaction."""
    await tx.execute(LOCK)


async def provinces(tx: Tx) -> list[Province]:
    return await tx.many(Province, PROVINCES)


async def wards(tx: Tx, province_code: str) -> list[Ward]:
    return await tx.many(Ward, WARDS, province_code)


async def place(tx: Tx, province_code: str, ward_code: str) -> Place | None:
    return await tx.maybe(Place, PLACE, province_code, ward_code)


async def reference(tx: Tx, version_id: int) -> Reference:
    """A version with all that was before it. The centres of units are not kept here."""
    return msgspec.json.decode(await tx.one(bytes, REFERENCE, version_id), type=Reference)


async def put_legacy(tx: Tx, found: Reference) -> None:
    """What was before the reform, as this release knows it."""
    await tx.execute(PUT_LEGACY_PROVINCES, found.legacy_provinces)
    await tx.execute(PUT_LEGACY_DISTRICTS, found.legacy_districts)
    await tx.execute(PUT_LEGACY_WARDS, found.legacy_wards)


async def add_version(tx: Tx, found: Reference, *, source: str, digest: str | None, made_by: str) -> None:
    """Write today's units and the edges to them as a version of their own."""
    version_id = await tx.one(
        int, ADD_VERSION, found.version, source, digest, len(found.provinces), len(found.wards), made_by
    )
    await tx.execute(ADD_PROVINCES, version_id, in_a_list(found.provinces))
    await tx.execute(ADD_WARDS, version_id, in_a_list(found.wards))
    await tx.execute(ADD_PROVINCE_EDGES, version_id, found.legacy_provinces)
    await tx.execute(ADD_WARD_EDGES, version_id, found.edges)


U = TypeVar("U", Province, Ward)


def in_a_list(units: Iterable[U]) -> list[U]:
    return sorted(units, key=lambda unit: (alphabetical(unit.name), unit.code))


async def broken(tx: Tx) -> list[str]:
    return await tx.many(str, BROKEN)
