"""Locations: places, old and new."""

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table

from sampan.services.locations.contract import Locations, UnknownPlace

table = Table(Locations)


@table.answers("list_provinces")
async def all_of_today(stage: Stage) -> Call:
    return Call({}, lambda found: len(found) == 34)


@table.answers("list_wards")
async def those_that_begin_like_what_was_typed(stage: Stage) -> Call:
    return Call({"province_code": "79", "q": "ben thanh"}, lambda found: [w.name for w in found] == ["Bến Thành"])


@table.refuses("list_wards", UnknownPlace)
async def of_no_province(stage: Stage) -> Call:
    return Call({"province_code": "00"})


@table.answers("find_place")
async def a_ward_in_its_province(stage: Stage) -> Call:
    return Call({"province_code": "79", "ward_code": "26743"}, lambda place: place.province.code == "79")


@table.refuses("find_place", UnknownPlace)
async def a_ward_of_another_province(stage: Stage) -> Call:
    return Call({"province_code": "01", "ward_code": "26743"})


@table.answers("find_by_text")
async def without_accents(stage: Stage) -> Call:
    return Call({"q": "ben thanh", "limit": 3}, lambda found: found[0].ward.name == "Bến Thành")


@table.answers("find_new")
async def what_became_of_an_old_ward(stage: Stage) -> Call:
    old = {"province": "Hồ Chí Minh", "district": "Quận 1", "ward": "Bến Thành"}
    return Call(old, lambda found: found[0].ward.code == "26743")


@table.answers("find_parts")
async def of_a_pasted_address(stage: Stage) -> Call:
    text = "Nguyễn Văn A, 0912345678, 12 Lê Lợi, Phường Bến Thành, TP Hồ Chí Minh"
    return Call({"text": text}, lambda parsed: parsed.candidates[0].ward.code == "26743")
