import json
import time
from contextlib import suppress
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import Invalid
from sampan.kernel.money import Money, UnknownCurrency
from sampan.kernel.strict_json import MAX_DEPTH, BadJson, convert, decode, loads

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@given(values, st.booleans())
def test_every_json_value_is_read_as_it_was_written(value: object, ascii_only: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        loads(body)
    except BadJson as refused:
        if not refused.detail:
            raise


REFUSED = {
    "empty": b"",
    "blank": b"  \n",
    "duplicate key": b'{"a":1,"b":2,"a":1}',
    "duplicate key written with an escape": b'{"a":1,"\\u0061":2}',
    "duplicate key inside": b'[{"x":{"a":1,"a":2}}]',
    "NaN": b'{"a":NaN}',
    "Infinity": b"[Infinity]",
    "-Infinity": b"-Infinity",
    "float overflow": b"[1e999]",
    "negative float overflow": b"[-1.5e400]",
    "2^63": b"[9223372036854775808]",
    "-2^63-1": b"[-9223372036854775809]",
    "very long integer": b"[" + b"9" * 100_000 + b"]",
    "NUL escape": b'{"a":"x\\u0000y"}',
    "NUL escape in a key": b'{"x\\u0000":1}',
    "raw NUL": b'"a\x00b"',
    "raw control character": b'"a\nb"',
    "lone high surrogate": b'["\\ud800"]',
    "lone low surrogate": b'["\\uDC00x"]',
    "swapped surrogates": b'["\\udc00\\ud800"]',
    "lone surrogate in a key": b'{"\\ud83d":1}',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "overlong UTF-8": b'"\xc0\x80"',
    "invalid UTF-8": b'"\xff"',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "trailing value": b"{} {}",
    "trailing garbage": b'{"a":1}x',
    "trailing comma": b"[1,]",
    "comment": b"[1 /* one */]",
    "single quotes": b"{'a':1}",
    "unfinished": b'{"a":[1,2',
    "unfinished string": b'"abc',
    "leading zero": b"[01]",
    "plus": b"[+1]",
    "unicode digits": "[١]".encode(),
    "unicode space": "[1,\u00a01]".encode(),
    "deep lists": b"[" * 65 + b"]" * 65,
    "deep objects": b'{"a":' * 65 + b"1" + b"}" * 65,
    "deepest": b"[" * 200_000 + b"]" * 200_000,
    "deepest objects": b'{"a":' * 100_000,
    "deep beside much": b"[" + b"[1]," * 100 + b"[" * 64 + b"]" * 64 + b"]",
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_could_be_understood_differently_is_refused(body: bytes) -> None:
    with pytest.raises(BadJson):
        loads(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    loads(b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH)
    loads(b'{"a":' * MAX_DEPTH + b'"x"' + b"}" * MAX_DEPTH)
    loads(b"[" + b",".join([b"[[]]"] * 1000) + b"]")
    loads(b'["' + b"[" * 1000 + b'"]')


def test_texts_may_have_pairs_and_escaped_backslashes() -> None:
    assert loads(b'"\\ud83d\\ude00"') == "😀"
    assert loads(b'"\\\\u0000 \\\\ud800"') == "\\u0000 \\ud800"
    assert loads("“Tiếng Việt”".join('""').encode()) == "“Tiếng Việt”"


def test_the_limits_of_64_bits_are_read() -> None:
    assert loads(b"[9223372036854775807,-9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_hostile_bodies_cost_no_more_than_others() -> None:
    start = time.process_time()
    for body in (
        b'"' + b'\\"' * 500_000,
        b"[" + b"1e5," * 200_000,
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'["' + b"\\ud83d\\ude00" * 80_000 + b'\\u0000"]',
        b"-" * 1_000_000,
        b"0." + b"1" * 1_000_000,
        b"1e" + b"9" * 1_000_000,
    ):
        with suppress(BadJson):
            loads(body)
    assert time.process_time() - start < 3


class Line(msgspec.Struct, forbid_unknown_fields=True):
    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=8, pattern="^[A-Z0-9]+$")]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=99)]


class Order(msgspec.Struct, forbid_unknown_fields=True):
    lines: list[Line]
    id: UUID | None = None
    language: Literal["vi", "en"] = "vi"
    notes: dict[str, str] = {}
    by_year: dict[int, int] = {}
    total: Money | None = None

    def __post_init__(self) -> None:
        if self.language == "en" and not self.lines:
            raise ValueError("an order has lines")


def test_a_document_becomes_a_value_of_its_type() -> None:
    body = b'{"lines":[{"sku":"AO1","quantity":2}],"by_year":{"2026":1},"total":{"amount":5,"currency":"VND"}}'
    order = decode(body, Order)
    assert order == Order(lines=[Line("AO1", 2)], by_year={2026: 1}, total=Money(5, "VND"))


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (b"[]", "", "type"),
        (b"{}", "lines", "missing"),
        (b'{"lines":[{"sku":"A"}]}', "lines.0.quantity", "missing"),
        (b'{"lines":[],"x":1}', "x", "unknown"),
        (b'{"lines":[{"sku":"A","quantity":1,"price":1}]}', "lines.0.price", "unknown"),
        (b'{"lines":[{"sku":"A","quantity":"1"}]}', "lines.0.quantity", "type"),
        (b'{"lines":[{"sku":"A","quantity":1.0}]}', "lines.0.quantity", "type"),
        (b'{"lines":[{"sku":"A","quantity":true}]}', "lines.0.quantity", "type"),
        (b'{"lines":[{"sku":"A","quantity":1},{"sku":"A","quantity":0}]}', "lines.1.quantity", "range"),
        (b'{"lines":[{"sku":"","quantity":1}]}', "lines.0.sku", "length"),
        (b'{"lines":[{"sku":"a","quantity":1}]}', "lines.0.sku", "pattern"),
        (b'{"lines":[],"id":"x"}', "id", "format"),
        (b'{"lines":[],"language":"fr"}', "language", "choice"),
        (b'{"lines":[],"notes":{"a":1}}', "notes.*", "type"),
        (b'{"lines":[],"by_year":{"a":1}}', "by_year", "type"),
        (b'{"lines":[],"language":"en"}', "", "value"),
        (b'{"lines":[],"total":{"amount":1.5,"currency":"VND"}}', "total.amount", "type"),
        (b'{"lines":[],"language":" - at `$.notes`"}', "language", "choice"),
    ],
)
def test_what_does_not_fit_is_named_by_its_field(body: bytes, field: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode(body, Order)
    (error,) = refused.value.facts["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert error["detail"]
    assert refused.value.status == 422


def test_a_refusal_of_the_type_itself_passes_through() -> None:
    with pytest.raises(UnknownCurrency):
        decode(b'{"lines":[],"total":{"amount":1,"currency":"ABC"}}', Order)


def test_a_query_is_converted_from_texts() -> None:
    assert convert({"sku": "A", "quantity": "3"}, Line, strict=False) == Line("A", 3)
