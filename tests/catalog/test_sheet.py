"""Tables as spreadsheets write them: what is read, what is refused, and that nothing we write is calculated."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.services.catalog.actions.sheet import (
    MOST_ROWS,
    MOST_SIGNS,
    SIGNS,
    Unreadable,
    Writer,
    joined,
    meant,
    neutral,
    parts,
    read,
)

CELLS = st.text(st.sampled_from("=+-@\t\r\n'\"|\\;, aậ0\ufeff"), max_size=8)


@settings(deadline=None)
@given(CELLS)
def test_what_would_be_calculated_is_neutralised_and_comes_back_as_it_was(cell):
    assert not neutral(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert meant(neutral(cell)) == cell


def test_only_cells_that_could_be_calculated_get_an_apostrophe():
    assert [neutral(cell) for cell in ("=1+1", "'=1", "'tis", "a=b", "", "-5", "@x")] == [
        "'=1+1", "''=1", "'tis", "a=b", "", "'-5", "'@x",
    ]  # fmt: skip
    assert [meant(cell) for cell in ("=1+1", "'=1", "'tis", "''=1")] == ["=1+1", "=1", "'tis", "'=1"]


@settings(deadline=None)
@given(st.lists(CELLS, max_size=5))
def test_values_of_one_cell_come_apart_as_they_were_put_together(values):
    if values != [""]:  # nothing, and nothing at all, look the same
        assert parts(joined(values)) == values


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(sorted(SIGNS)))
def test_a_table_is_read_as_it_was_written(rows, separator):
    writer = Writer(separator)
    body = writer.piece([["a", "b", "c"]]) + b"".join(writer.piece([row]) for row in rows)
    assert body.startswith(b"\xef\xbb\xbfa")
    kept = [row for row in rows if any(neutral(cell).strip() for cell in row)]
    if not kept:
        with pytest.raises(Unreadable):
            read(body)
        return
    sheet = read(body)
    assert sheet.columns == ["a", "b", "c"]
    assert [row.cells for row in sheet.rows] == kept
    for row in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=SIGNS[separator]):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_header_line_says_how_the_columns_are_parted(mark, sign, end):
    lines = [f" Handle {sign}SKU{sign}name_vi{sign}", f'a{sign}b{sign}"x,;""{end}y"', sign * 3, f"c{sign}d{sign}{sign}"]
    sheet = read((mark + end.join(lines)).encode())
    assert sheet.columns == ["handle", "sku", "name_vi"]
    assert [(row.number, row.cells) for row in sheet.rows] == [(2, ["a", "b", f'x,;"{end}y']), (4, ["c", "d", ""])]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\r\n\r\n", "empty"),
        (b"handle,sku\r\n", "no_rows"),
        (b"handle,sku\r\n,\r\n", "no_rows"),
        ("handle,name_vi\r\na,Ghế".encode("utf-16"), "encoding"),
        ("handle,name_vi\r\na,Gh\u1ebf".encode("cp1258", "replace") + b"\xea", "encoding"),
        (b"handle,sku\r\na,\xed\xa0\x80", "encoding"),
        (b'handle,sku\r\na,"b\r\nc,d', "malformed"),
        (b'handle,sku\r\na,"b"c', "malformed"),
        (b"handle,sku\r\na," + b"x" * 200_000, "malformed"),
        (b"," * 1_000_000, "wide"),
        (b"handle,sku\r\n" + b"," * 1_000_000, "wide"),
        (b"handle,sku\r\n" + b"a,b\r\n" * (MOST_ROWS + 1), "long"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(body, reason):
    with pytest.raises(Unreadable) as refusal:
        read(body)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("before", ["", "\r\n", " \n", "\t\r\n \r\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_signs_of_texts_and_lines_without_text_do_not_stand_for_the_header(before, end):
    sheet = read(f"{before}handle,sku,name_vi{end}a,b,x;y;z;;;;{end}".encode())
    assert sheet.columns == ["handle", "sku", "name_vi"]
    assert [row.cells for row in sheet.rows] == [["a", "b", "x;y;z;;;;"]]


def test_a_malformed_table_names_the_row():
    with pytest.raises(Unreadable) as refusal:
        read(b'handle,sku\r\na,b\r\nc,"d"e\r\n')
    assert refusal.value.facts == {"row": 3}


def test_a_row_may_be_as_wide_as_texts_need():
    text = "," * MOST_SIGNS
    with pytest.raises(Unreadable):
        read(f'a,b\r\nx,"{text}"'.encode())
    assert read(f'a,b\r\nx,"{text[:50_000]}"'.encode()).rows[0].cells[1] == text[:50_000]
