"""The places in the tables: loaded once, listed, found, and followed by newer lists."""

import asyncio
import csv
import io
from contextlib import asynccontextmanager
from datetime import date, timedelta
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from sampan.kernel.db import Database, open_pool
from sampan.kernel.errors import Conflict, Invalid
from sampan.kernel.settings import load
from sampan.services.locations.actions import LocationsActions
from sampan.services.locations.contract import Locations, UnknownPlace
from sampan.services.locations.reference.load import load_reference, reference_digest
from sampan.services.locations.rules.edition import BadList

REFERENCE = load_reference()
BEN_THANH, SAIGON = "26743", "26740"


@pytest.fixture
async def locations(shop):
    return shop.client(Locations)


@asynccontextmanager
async def processes(url, shop, count=1):
    """As many processes as asked for on one database; what they keep in memory they compare at every question."""
    pool = await open_pool(url, size=6)
    ground = msgspec.structs.replace(shop.shop.ground, settings=load({"SAMPAN_LOCATIONS_REFRESH_SECONDS": "0"}))
    try:
        yield [LocationsActions(Database(pool, "locations"), ground) for _ in range(count)]
    finally:
        await pool.close()


@pytest.fixture(scope="module")
async def loaded(place, shop):
    """A database with the data of this release, to be copied."""
    url = await place.new_database()
    async with processes(url, shop) as (actions,):
        await actions.ensure_loaded()
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture
async def alone(place, shop, loaded):
    """Two processes on a database of this test's own, with the data of this release."""
    name = f"{loaded}_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(place.url("postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {loaded}")
    await admin.close()
    async with processes(place.url(name), shop, 2) as both:
        yield both


async def count(actions, table) -> int:
    async with actions.db.read() as tx:
        return await tx.one(int, f"SELECT count(*) FROM locations.{table}")


def table(head, rows) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([head, *rows])
    return text.getvalue().encode()


PROVINCES = table(["code", "full_name"], [[p.code, p.full_name] for p in REFERENCE.provinces])


def a_list(*, without=(), **renamed) -> dict:
    """Today's list, with wards renamed (`w26743="Phường Mới"`), or gone into Phường Sài Gòn."""
    rows = []
    for ward in REFERENCE.wards:
        if ward.code not in without:
            formerly = " ".join(without) if ward.code == SAIGON else ""
            rows.append([ward.code, renamed.get(f"w{ward.code}", ward.full_name), ward.province_code, formerly])
    wards = table(["code", "full_name", "province_code", "formerly"], rows)
    return {"provinces": PROVINCES, "wards": wards, "effective_from": None, "source": "a test"}


# --- lists and places ---------------------------------------------------------------------------------------------


async def test_there_are_34_provinces_in_the_order_of_the_alphabet(locations):
    provinces = await locations.list_provinces()
    assert len(provinces) == 34
    names = [province.name for province in provinces]
    assert names[:6] == ["An Giang", "Bắc Ninh", "Cà Mau", "Cao Bằng", "Cần Thơ", "Đà Nẵng"]
    assert names[-1] == "Vĩnh Long"


async def test_the_wards_of_all_provinces_are_3321_each_in_its_province(locations):
    found = {p.code: await locations.list_wards(province_code=p.code) for p in await locations.list_provinces()}
    assert sum(map(len, found.values())) == 3321
    assert all(ward.province_code == code for code, wards in found.items() for ward in wards)
    assert [ward.name for ward in found["79"][:3]] == ["An Đông", "An Hội Đông", "An Hội Tây"]


async def test_wards_are_narrowed_with_or_without_accents(locations):
    assert [w.code for w in await locations.list_wards(province_code="79", q="ben th")] == [BEN_THANH]
    assert [w.code for w in await locations.list_wards(province_code="79", q="Phường Bến Thành")] == [BEN_THANH]
    assert await locations.list_wards(province_code="79", q="zzz") == []


@pytest.mark.parametrize("code", ["", "00", "7", "790", "79\x00", "７９", "'; --", "\ud800", "Hồ Chí Minh" * 100])
async def test_an_unknown_province_has_no_wards(locations, code):
    with pytest.raises(UnknownPlace):
        await locations.list_wards(province_code=code)


async def test_a_ward_is_found_in_its_province_with_the_day_of_the_list(locations):
    place = await locations.find_place(province_code="79", ward_code=BEN_THANH)
    assert (place.province.full_name, place.ward.full_name) == ("Thành phố Hồ Chí Minh", "Phường Bến Thành")
    assert place.version == "2026-09-20"


@pytest.mark.parametrize(
    ("province", "ward"),
    [("01", BEN_THANH), ("79", "00000"), ("79", ""), ("", BEN_THANH), ("79", "2674\x00"), ("79", "２６７４３")],
)
async def test_a_ward_that_is_not_in_the_province_is_unknown(locations, province, ward):
    with pytest.raises(UnknownPlace):
        await locations.find_place(province_code=province, ward_code=ward)


async def test_places_are_found_by_new_and_old_names(locations):
    assert (await locations.find_by_text(q="ben thanh"))[0].ward.code == BEN_THANH
    assert len(await locations.find_by_text(q="tan", limit=3)) == 3
    found = await locations.find_new(province="Hồ Chí Minh", district="Thành phố Thủ Đức", ward="Thảo Điền")
    assert [(match.ward.code, match.confidence) for match in found] == [("27094", 100)]
    assert await locations.find_new(province="", district="", ward="") == []


async def test_a_pasted_address_is_read_in_parts(locations):
    parsed = await locations.find_parts(text="Chị Lan 0912 345 678, 12 Lê Lợi, P. Bến Thành, Q1, TPHCM")
    assert (parsed.name, parsed.phone, parsed.street) == ("Lan", "+84912345678", "12 Lê Lợi")
    assert parsed.legacy
    assert parsed.candidates[0].ward.code == BEN_THANH


# --- loading ------------------------------------------------------------------------------------------------------


async def test_processes_that_begin_together_load_the_data_once(place, shop):
    async with processes(await place.new_database(), shop, 3) as (one, two, three):
        start = asyncio.Barrier(3)

        async def begin(question):
            await start.wait()
            return await question

        provinces, found, _ = await asyncio.gather(
            begin(one.list_provinces()), begin(two.find_by_text(q="ben thanh")), begin(three.ensure_loaded())
        )
        assert len(provinces) == 34
        assert found[0].ward.code == BEN_THANH
        await one.ensure_loaded()
        assert await count(one, "version") == 1
        assert [await count(one, name) for name in ("province", "ward", "ward_edge")] == [34, 3321, 10571]
        assert [await count(one, f"legacy_{name}") for name in ("province", "district", "ward")] == [63, 696, 10035]
        assert await one.invariants() == []


async def test_questions_of_one_process_share_one_gazetteer(alone):
    actions, _ = alone
    await actions.list_provinces()
    assert actions._kept is None  # lists need none
    await asyncio.gather(*(actions.find_by_text(q=q) for q in ("hue", "vinh", "ben thanh")))
    first = actions._kept.gazetteer
    await actions.find_parts(text="Huế")
    assert actions._kept.gazetteer is first


async def test_what_was_loaded_is_what_the_release_brings(alone):
    actions, _ = alone
    async with actions.db.read() as tx:
        row = await tx.connection.fetchrow("SELECT effective_from, digest FROM locations.version")
        assert tuple(row) == (REFERENCE.version, reference_digest())
    await actions.find_by_text(q="hue")
    kept = actions._kept.gazetteer
    assert list(kept.wards.values()) == list(REFERENCE.wards)
    assert list(kept.legacy_wards.values()) == list(REFERENCE.legacy_wards)
    assert list(kept.legacy_provinces.values()) == list(REFERENCE.legacy_provinces)
    assert sum(map(len, kept.edges.values())) == len(REFERENCE.edges)


# --- newer lists --------------------------------------------------------------------------------------------------


async def test_a_newer_list_counts_at_once_and_the_one_before_stays(alone):
    actions, other = alone
    assert (await other.find_by_text(q="Bến Thành"))[0].ward.code == BEN_THANH
    found = await actions.import_units(**a_list(without=(BEN_THANH,)))
    assert found.removed == ["26743 Phường Bến Thành"]
    with pytest.raises(UnknownPlace):
        await other.find_place(province_code="79", ward_code=BEN_THANH)
    saigon = await other.find_place(province_code="79", ward_code=SAIGON)
    assert date.fromisoformat(saigon.version) > REFERENCE.version
    matches = await other.find_new(province="79", district="Quận 1", ward="Bến Thành")
    assert SAIGON in [match.ward.code for match in matches]
    assert BEN_THANH not in [match.ward.code for match in matches]
    assert await count(actions, "version") == 2
    assert await count(actions, "ward") == 3321 + 3320
    assert await actions.invariants() == []
    await actions.ensure_loaded()  # what comes with the release is not written again
    assert await count(actions, "version") == 2


async def test_a_list_for_a_later_day_waits_for_it(alone):
    actions, _ = alone
    later = date.today() + timedelta(days=400)
    named = a_list(w26743="Phường Chợ Mới")
    found = await actions.import_units(**{**named, "effective_from": later})
    assert found.effective_from == later
    now = await actions.find_place(province_code="79", ward_code=BEN_THANH)
    assert now.ward.name == "Bến Thành"
    assert not (await actions.import_units(**{**named, "effective_from": later})).changes_anything


async def test_of_two_lists_for_one_day_the_imported_one_counts_and_then_the_later(alone):
    actions, _ = alone
    for name in ("Phường Chợ Một", "Phường Chợ Hai"):
        await actions.import_units(**{**a_list(w26743=name), "effective_from": REFERENCE.version})
        assert (await actions.find_place(province_code="79", ward_code=BEN_THANH)).ward.full_name == name


async def test_a_dry_run_and_a_list_without_differences_write_nothing(alone):
    actions, _ = alone
    found = await actions.import_units(**a_list(w26743="Phường Chợ Mới"), dry_run=True)
    assert found.renamed == ["26743 Phường Bến Thành → Phường Chợ Mới (Cho Moi)"]
    assert not (await actions.import_units(**a_list())).changes_anything
    assert await count(actions, "version") == 1


async def test_a_list_that_is_not_whole_changes_nothing(alone):
    actions, _ = alone
    with pytest.raises(BadList):
        await actions.import_units(**{**a_list(), "wards": b"code\n"})
    lost = a_list(without=("00004",))
    with pytest.raises(BadList):
        await actions.import_units(**{**lost, "wards": lost["wards"].replace(b",79,00004", b",79,")})
    for wrong in ({"effective_from": date(2025, 6, 30)}, {"source": " "}, {"source": "x" * 501}):
        with pytest.raises(Invalid):
            await actions.import_units(**{**a_list(w26743="Phường Chợ Mới"), **wrong})
    assert await count(actions, "version") == 1


async def test_of_two_lists_at_once_one_comes_in(alone):
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with alone[0].db.pool.acquire() as referee:
        await referee.execute("SELECT pg_advisory_lock(hashtext('locations.version'))")
        both = asyncio.gather(
            alone[0].import_units(**a_list(w26743="Phường Chợ Một")),
            alone[1].import_units(**a_list(w26743="Phường Chợ Hai")),
            return_exceptions=True,
        )
        async with asyncio.timeout(10):
            while await referee.fetchval(waiting) < 2:
                await asyncio.sleep(0.01)
        await referee.execute("SELECT pg_advisory_unlock(hashtext('locations.version'))")
        done = await both
    assert sum(isinstance(result, Conflict) for result in done) == 1
    assert await count(alone[0], "version") == 2
    assert await alone[0].invariants() == []


async def test_a_version_is_never_changed(alone):
    actions, _ = alone
    for name in ("version", "province", "ward", "province_edge", "ward_edge"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            async with actions.db.begin() as tx:
                await tx.execute(f"DELETE FROM locations.{name}")


async def test_a_version_that_lost_units_is_a_violation(alone):
    actions, _ = alone
    async with actions.db.begin() as tx:
        await tx.execute(
            "INSERT INTO locations.version (effective_from, source, province_count, ward_count, made_by) "
            "VALUES ($1, 'a test', 34, 3321, 'a test')",
            REFERENCE.version + timedelta(days=1),
        )
        await tx.execute(
            "INSERT INTO locations.province (version_id, code, name, type, full_name, name_en, position) "
            "SELECT max(id), '79', 'A', 'tinh', 'Tỉnh A', 'A', 1 FROM locations.version"
        )
    found = await actions.invariants()
    assert "version 2026-09-21 has 1 provinces, its list had 34" in found
    assert "version 2026-09-21 has 0 wards, its list had 3321" in found
    assert "province 79 has no wards" in found
    assert any(violation.startswith("the old ward") for violation in found)
    assert "the old province 01 leads nowhere" in found or len(found) == 100


async def test_no_edge_and_no_ward_can_lead_nowhere(alone):
    actions, _ = alone
    for sql in (
        "INSERT INTO locations.ward (version_id, code, name, type, full_name, name_en, province_code, position) "
        "SELECT max(id), '99999', 'A', 'xa', 'Xã A', 'A', '00', 1 FROM locations.version",
        "INSERT INTO locations.ward_edge (version_id, position, old_district_code, old_ward_code, new_ward_code, "
        "kind, suggested_default) SELECT max(id), 99999, '001', '00001', '99999', 'whole', false "
        "FROM locations.version",
    ):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            async with actions.db.begin() as tx:
                await tx.execute(sql)


async def test_all_is_well_with_the_shop(shop):
    await shop.settle()
    assert await shop.actions("locations").invariants() == []
