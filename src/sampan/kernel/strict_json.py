"""The JSON reader for what comes from outside: RFC 8259, and nothing that two readers could understand apart.

Refused are duplicate keys, NaN and Infinity, integers beyond 64 bits, numbers that overflow, nesting deeper
than 64, NUL and unpaired surrogates in texts, invalid UTF-8, a byte order mark, and anything after the value.
"""

import re
from json import JSONDecodeError, JSONDecoder
from math import isinf
from typing import Any, Final, TypeVar

import msgspec

from sampan.kernel.errors import Invalid, ShopError

T = TypeVar("T")

MAX_DEPTH: Final = 64


class BadJson(ShopError, code="kernel.bad_json", status=400):
    """The body is not JSON as this shop reads it; the detail says why."""


def loads(body: bytes | bytearray | memoryview) -> object:
    """The value of a JSON document: dict, list, str, int (64 bits), float, bool or None. Raises `BadJson`."""
    try:
        text = str(body, "utf-8")
    except UnicodeDecodeError:
        raise BadJson("the body is not UTF-8") from None
    if not text:
        raise BadJson("the body is empty")
    try:
        value = _DECODER.decode(text)
    except JSONDecodeError as error:
        raise BadJson(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BadJson("nested too deeply") from None
    texts = _SUSPECT_ESCAPE.search(text) is not None
    if texts or text.count("[") + text.count("{") > MAX_DEPTH:
        _check(value, texts=texts)
    return value


def decode(body: bytes | bytearray | memoryview, shape: type[T]) -> T:
    """The document as a value of `shape`, types taken strictly (`"1"` is no number).

    Raises `BadJson` for what is not JSON and `Invalid` for what does not fit.
    """
    return convert(loads(body), shape)


def convert(value: object, shape: type[T], *, strict: bool = True) -> T:
    """A value read from JSON, or from a query when not `strict`, as a value of `shape`.

    Raises `Invalid` with one entry in `errors`: the field as `items.0.sku` (`*` stands for some key of a
    mapping, an empty field for the whole), a code (missing, unknown, type, range, length, pattern, choice,
    format, value) and what was expected.
    """
    try:
        return msgspec.convert(value, shape, strict=strict, str_keys=True)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


# The marks of JSON that the C scanner of the standard library leaves to its user.


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("a key appears twice in one object")
    return found


def _integer(digits: str) -> int:
    # The length is tested first: reading a very long number takes quadratic time.
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**63:
        raise BadJson("an integer does not fit in 64 bits")
    return number


def _fraction(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise BadJson("a number is too large")
    return number


def _constant(name: str) -> object:
    raise BadJson(f"{name} is not JSON")


_DECODER: Final = JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)

# UTF-8 cannot carry a surrogate and JSON no raw NUL, so both can only come from an escape.
_SUSPECT_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_BAD_CHARACTER: Final = re.compile("[\x00\ud800-\udfff]")


def _check(value: object, *, texts: bool) -> None:
    level: list[Any] = [value]
    depth = 0
    while level:
        inner: list[Any] = []
        if any(type(item) in (dict, list) for item in level):
            depth += 1
            if depth > MAX_DEPTH:
                raise BadJson("nested too deeply")
        for item in level:
            if type(item) is dict:
                inner.extend(item.values())
                if texts:
                    inner.extend(item)
            elif type(item) is list:
                inner.extend(item)
            elif texts and type(item) is str and _BAD_CHARACTER.search(item):
                raise BadJson("a text contains NUL or half of a surrogate pair")
        level = inner


# What msgspec says, as an entry of a problem document.

_PLACE: Final = re.compile(r"(.*) - at (?:`key` in )?`\$(.*)`", re.DOTALL)
_NAMED_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(.*)`", re.DOTALL)
_CODES: Final = (
    ("Object missing", "missing"),
    ("Object contains unknown", "unknown"),
    ("length", "length"),
    ("matching regex", "pattern"),
    ("Expected `int` ", "range"),
    ("Expected `float` ", "range"),
    ("Expected `decimal` ", "range"),
    ("Expected ", "type"),
    ("Invalid enum value", "choice"),
    ("Invalid value", "choice"),
    ("Invalid ", "format"),
)


def _invalid(message: str) -> Invalid:
    placed = _PLACE.fullmatch(message)
    detail, path = (placed[1], placed[2]) if placed else (message, "")
    field = path.replace("[...]", ".*").replace("[", ".").replace("]", "").lstrip(".")
    named = _NAMED_FIELD.fullmatch(detail)
    if named:
        field = f"{field}.{named[2]}".lstrip(".")
    code = next((code for start, code in _CODES if start in detail), "value")
    entry = {"field": field[:200], "code": code, "detail": detail[:200]}
    return Invalid("the input does not have the expected shape", errors=[entry])
