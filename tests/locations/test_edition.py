"""The rules of a newer official list."""

import csv
import io
from collections import defaultdict
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.services.locations.contract import Province, Ward
from sampan.services.locations.reference.load import load_reference
from sampan.services.locations.reference.units import Edge
from sampan.services.locations.rules.address import parse
from sampan.services.locations.rules.conversion import candidates_for
from sampan.services.locations.rules.edition import (
    MOST_BYTES,
    BadList,
    Edition,
    check_descent,
    check_units,
    differences_for,
    edition_in,
    reference_after,
    report_of,
)
from sampan.services.locations.rules.gazetteer import gazetteer_for
from sampan.services.locations.rules.search import search

REFERENCE = load_reference()
DAY = date(2027, 1, 1)

PROVINCES = [[p.code, p.full_name, p.name_en] for p in REFERENCE.provinces]
WARDS = [[w.code, w.full_name, w.province_code, ""] for w in REFERENCE.wards]
BEN_THANH, TAN_DINH, SAIGON = "26743", "26737", "26740"


def provinces_csv(rows=PROVINCES) -> bytes:
    return table(["code", "full_name", "name_en"], rows)


def wards_csv(rows=WARDS) -> bytes:
    return table(["code", "full_name", "province_code", "formerly"], rows)


def table(head, rows, delimiter=",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([head, *rows])
    return text.getvalue().encode()


def wards_with(*rows: list[str], without: tuple[str, ...] = ()) -> bytes:
    """Today's wards, with these rows added or in the place of those with the same code."""
    changed = {row[0]: row for row in rows}
    kept = [changed.pop(row[0], row) for row in WARDS if row[0] not in without]
    return wards_csv([*kept, *changed.values()])


def mistakes_of(provinces: bytes, wards: bytes) -> list[str]:
    with pytest.raises(BadList) as refused:
        edition_in(provinces, wards)
    return refused.value.facts["errors"]


def edges_from(after, old: str) -> dict[str, Edge]:
    return {e.new_ward_code: e for e in after.edges if (e.old_ward_code or e.old_district_code) == old}


def test_the_list_of_today_is_read_as_it_is_and_changes_nothing():
    edition = edition_in(provinces_csv(), wards_csv())
    assert edition.provinces == REFERENCE.provinces
    assert edition.wards == REFERENCE.wards
    assert not differences_for(REFERENCE, edition, DAY).changes_anything
    after = reference_after(edition, REFERENCE, REFERENCE.version)
    assert after == REFERENCE


def test_a_list_may_come_from_a_spreadsheet_of_vietnam():
    head = ["\ufeffSTT", "Code", "full_name", "province_code"]
    rows = [["1", w[0], f"  {w[1].upper()} " if w[0] == BEN_THANH else w[1], w[2]] for w in WARDS]
    edition = edition_in(provinces_csv(), table(head, rows, ";"))
    assert len(edition.wards) == 3321
    assert edition_in(provinces_csv(), table(head, rows, "\t")) == edition
    ward = next(w for w in edition.wards if w.code == BEN_THANH)
    assert (ward.type, ward.full_name) == ("phuong", "Phường BẾN THÀNH")


def test_a_code_belongs_to_one_unit_and_every_unit_has_its_place():
    here = Province("79", "Hồ Chí Minh", "thanh_pho", "Thành phố Hồ Chí Minh", "Ho Chi Minh")
    ward = Ward("00001", "An", "xa", "Xã An", "An", "79")
    check_units([here], [ward])
    for provinces, wards, said in (
        ([here, here], [ward], "79 stands twice"),
        ([here], [ward, ward], "00001 stands twice"),
        ([here], [ward, Ward("00002", "An", "xa", "Xã An", "An", "79")], "Xã An stands twice in the province 79"),
        ([here], [ward, Ward("00002", "Bo", "xa", "Xã Bo", "Bo", "80")], "no province 80"),
        ([here, Province("80", "Bo", "tinh", "Tỉnh Bo", "Bo")], [ward], "80 Tỉnh Bo has no wards"),
    ):
        with pytest.raises(BadList) as refused:
            check_units(provinces, wards)
        assert any(said in mistake for mistake in refused.value.facts["errors"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["4", "Phường Ba Đình", "01", ""], "spreadsheet took its zeros away"),
        (["2674A", "Phường Bến Thành", "79", ""], "`code` has 5 digits"),
        (["٢٦٧٤٣", "Phường Bến Thành", "79", ""], "`code` has 5 digits"),
        ([BEN_THANH, "Phường Bến Thành", "", ""], "`province_code` has 2 digits"),
        ([BEN_THANH, "Bến Thành", "79", ""], "begins with its type"),
        ([BEN_THANH, "Quận Bến Thành", "79", ""], "begins with its type"),
        ([BEN_THANH, "Phường ", "79", ""], "begins with its type"),
        ([BEN_THANH, "Phường <b>", "79", ""], "is no name"),
        ([BEN_THANH, "Phường =1+1", "79", ""], "is no name"),
        ([BEN_THANH, "Phường A\x00B", "79", ""], "is no name"),
        ([BEN_THANH, "Phường " + "a" * 101, "79", ""], "is no name"),
        ([BEN_THANH, "Phường Bến Thành", "79", "Phường Sài Gòn"], "`formerly` holds codes"),
        ([BEN_THANH], "begins with its type"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(row, said):
    at = 1 + next((number for number, ward in enumerate(WARDS, start=1) if ward[0] == row[0]), len(WARDS) + 1)
    found = mistakes_of(provinces_csv(), wards_with(row))
    assert any(said in mistake and mistake.startswith(f"wards, line {at}:") for mistake in found), found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "missing in the first line"),
        (b"code,name\n", "full_name, province_code are missing"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (MOST_BYTES + 1), "larger than 5 MB"),
        (b'code,full_name,province_code\n"' + b"x" * 200_000, "field larger"),
    ],
)
def test_what_is_no_list_is_refused(content, said):
    assert any(said in mistake for mistake in mistakes_of(provinces_csv(), content))


def test_of_very_many_mistakes_the_first_hundred_are_told():
    found = mistakes_of(provinces_csv(), wards_csv([["x", "", "", ""]] * 5000))
    assert len(found) == 101
    assert found[-1] == "… and 14900 more"


@given(st.binary(max_size=300), st.text(max_size=300))
@settings(deadline=None, max_examples=50)
def test_any_file_is_read_or_refused(provinces, wards):
    with pytest.raises(BadList):
        edition_in(provinces, b"code,full_name,province_code\n" + wards.encode("utf-8", "replace"))


def test_a_renamed_ward_keeps_its_code_and_its_old_wards():
    edition = edition_in(provinces_csv(), wards_with([BEN_THANH, "Phường Chợ Lớn Mới", "79", ""]))
    found = differences_for(REFERENCE, edition, DAY)
    assert found.renamed == ["26743 Phường Bến Thành → Phường Chợ Lớn Mới (Cho Lon Moi)"]
    assert (found.added, found.removed, found.moved) == ([], [], [])
    after = reference_after(edition, REFERENCE, DAY)
    assert after.version == DAY
    assert [e.old_ward_code for e in after.edges] == [e.old_ward_code for e in REFERENCE.edges]


def test_a_ward_that_is_gone_went_somewhere():
    edition = edition_in(provinces_csv(), wards_with(without=(BEN_THANH,)))
    with pytest.raises(BadList) as refused:
        check_descent(edition, REFERENCE)
    assert refused.value.facts["errors"] == [
        "26743 Phường Bến Thành is gone: name its code in the column `formerly` of each ward that took it over"
    ]
    named = Edition(edition.provinces, edition.wards, {SAIGON: ("99999",)})
    with pytest.raises(BadList, match="mistakes: 2") as refused:
        check_descent(named, REFERENCE)
    assert "there was no ward 99999" in refused.value.facts["errors"][0]


def test_old_wards_are_led_on_to_the_ward_that_took_theirs_over():
    rows = [[SAIGON, "Phường Sài Gòn", "79", f"{SAIGON} {BEN_THANH}"]]
    edition = edition_in(provinces_csv(), wards_with(*rows, without=(BEN_THANH,)))
    after = reference_after(edition, REFERENCE, DAY)
    olds = [e.old_ward_code for e in REFERENCE.edges if e.new_ward_code == BEN_THANH]
    assert olds
    for old in olds:
        assert SAIGON in edges_from(after, old)
        assert BEN_THANH not in edges_from(after, old)
    assert_edges_are_whole(after)
    assert differences_for(REFERENCE, edition, DAY).removed == ["26743 Phường Bến Thành"]


def test_the_old_wards_of_a_ward_that_was_divided_may_be_in_any_part():
    whole = next(e for e in REFERENCE.edges if e.kind == "whole" and e.new_ward_code == BEN_THANH)
    rows = [
        ["99001", "Phường Bến Thành Đông", "79", BEN_THANH],
        ["99002", "Phường Bến Thành Tây", "79", f"{BEN_THANH},{TAN_DINH}"],
    ]
    edition = edition_in(provinces_csv(), wards_with(*rows, without=(BEN_THANH,)))
    after = reference_after(edition, REFERENCE, DAY)
    parts = edges_from(after, whole.old_ward_code)
    assert {code: edge.kind for code, edge in parts.items()} == {"99001": "part", "99002": "part"}
    assert [edge.suggested_default for edge in parts.values()] == [True, False]
    assert differences_for(REFERENCE, edition, DAY).added == [
        "99001 Phường Bến Thành Đông",
        "99002 Phường Bến Thành Tây",
    ]
    assert_edges_are_whole(after)


def test_a_new_ward_is_found_by_its_name_also_when_nobody_says_what_it_took_over():
    edition = edition_in(provinces_csv(), wards_with(["99001", "Phường Sao Mai", "79", ""]))
    gazetteer = gazetteer_for(reference_after(edition, REFERENCE, DAY))
    for found in (
        parse(gazetteer, "12 Lê Lợi, Phường Sao Mai, TP.HCM").candidates,
        search(gazetteer, "Sao Mai, Hồ Chí Minh"),
        candidates_for(gazetteer, province="Hồ Chí Minh", district="Quận 1", ward="Sao Mai"),
    ):
        assert [match.ward.code for match in found if match.ward] == ["99001"]


def test_a_ward_that_moves_to_another_province_takes_its_old_wards_along():
    edition = edition_in(provinces_csv(), wards_with([BEN_THANH, "Phường Bến Thành", "80", ""]))
    assert differences_for(REFERENCE, edition, DAY).moved == ["26743 Phường Bến Thành: province 79 → 80"]
    after = reference_after(edition, REFERENCE, DAY)
    assert after.legacy_provinces == REFERENCE.legacy_provinces  # one ward does not move a province


def test_a_province_with_a_new_name_is_known_by_it_and_by_the_old_one():
    provinces = [[c, "Tỉnh Sao Vàng" if c == "75" else name, ""] for c, name, _ in PROVINCES]
    gazetteer = gazetteer_for(reference_after(edition_in(provinces_csv(provinces), wards_csv()), REFERENCE, DAY))
    first = search(gazetteer, "Sao Vàng")[0]
    assert (first.province.code, first.ward, first.confidence) == ("75", None, 100)
    assert [m.province.code for m in search(gazetteer, "sao v") if m.ward is None] == ["75"]
    assert "75" in {match.province.code for match in search(gazetteer, "Đồng Nai") if match.ward is None}
    for province in ("Tỉnh Sao Vàng", "Sao Vàng", "Đồng Nai"):
        parsed = parse(gazetteer, f"12 Lê Lợi, Phường Tân Triều, {province}")
        assert parsed.street == "12 Lê Lợi"
        assert [(match.province.code, match.ward.name) for match in parsed.candidates] == [("75", "Tân Triều")]


def test_old_provinces_follow_their_wards_when_provinces_merge():
    provinces = provinces_csv([row for row in PROVINCES if row[0] != "80"])
    wards = wards_csv(
        [[c, name + (" Mới" if p == "80" else ""), "79" if p == "80" else p, f] for c, name, p, f in WARDS]
    )
    after = reference_after(edition_in(provinces, wards), REFERENCE, DAY)
    now = {old.code: old.new_province_code for old in after.legacy_provinces}
    was = {old.code: old.new_province_code for old in REFERENCE.legacy_provinces}
    assert now == {code: "79" if new == "80" else new for code, new in was.items()}


def test_a_report_tells_what_was_done():
    edition = edition_in(provinces_csv(), wards_with([BEN_THANH, "Phường Chợ Lớn Mới", "79", ""]))
    found = differences_for(REFERENCE, edition, DAY)
    lines = report_of(found, dry_run=True)
    assert lines[0] == "in force from 2027-01-01: 34 provinces, 3321 wards"
    assert "renamed: 1" in lines
    assert lines[-1] == "nothing was written"
    assert "was written" in report_of(found, dry_run=False)[-1]
    same = differences_for(REFERENCE, edition_in(provinces_csv(), wards_csv()), DAY)
    assert "nothing differs" in report_of(same, dry_run=False)[-1]
    every = differences_for(REFERENCE, Edition(edition.provinces, edition.wards[:1], {}), DAY)
    assert "  … and 3290 more" in report_of(every, dry_run=True)


def assert_edges_are_whole(after) -> None:
    known = {ward.code for ward in after.wards}
    assert {edge.new_ward_code for edge in after.edges} <= known
    defaults: dict[str, list[bool]] = defaultdict(list)
    for edge in after.edges:
        defaults[edge.old_ward_code or edge.old_district_code].append(edge.suggested_default)
    assert len(defaults) == len({e.old_ward_code or e.old_district_code for e in REFERENCE.edges})
    assert all(sum(marks) == (len(marks) > 1) for marks in defaults.values())
