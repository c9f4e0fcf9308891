"""A table as people keep it in a spreadsheet: CSV (RFC 4180), read with suspicion and written so that nothing runs.

Files are UTF-8. What is written begins with a byte order mark, without which Excel takes Vietnamese for something
else; the sign between columns is a comma, or a semicolon or tab for spreadsheets that expect one. What is read may have
any of them: the header line decides. Lines end as on any system, in CR alone as well.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct

from sampan.services.catalog.store.imports import SheetRow

Separator = Literal["comma", "semicolon", "tab"]

SIGNS: Final[dict[Separator, str]] = {"comma": ",", "semicolon": ";", "tab": "\t"}
MOST_ROWS: Final = 50_000
MOST_SIGNS: Final = 100_000  # separators in one line of the file, far above what a row needs
BOM: Final = "\ufeff"

# What a spreadsheet would take for a formula, and what stands for it after we put an apostrophe before it.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_NEUTRAL: Final = re.compile(r"'+[=+\-@\t\r]")


class Unreadable(Exception):
    """The file as a whole is not a table we can use; `reason` says why, with `facts` for its sentence."""

    def __init__(self, reason: str, **facts: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts


class Sheet(Struct, frozen=True):
    """A table that was read; rows may have another number of cells than there are columns."""

    columns: list[str]
    rows: list[SheetRow]


def neutral(cell: str) -> str:
    """The cell with an apostrophe before it if a spreadsheet would calculate it (also if it looks as if it had one)."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def meant(cell: str) -> str:
    """What a cell said before `neutral`; any other cell as it is."""
    return cell[1:] if _NEUTRAL.match(cell) else cell


def read(body: bytes) -> Sheet:
    """The table in a file. Names of columns are lower case and trimmed; rows without any text are left out.

    Raises Unreadable: encoding, empty, malformed (with the row), wide, long, no_rows.
    """
    try:
        text = body.decode("utf-8").removeprefix(BOM)
    except UnicodeDecodeError:
        raise Unreadable("encoding") from None
    header = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    if not header:
        raise Unreadable("empty")
    sign = max(SIGNS.values(), key=header.count)
    reader = csv.reader(_lines(text, sign), delimiter=sign, strict=True)
    columns: list[str] = []
    rows: list[SheetRow] = []
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip().lower() for cell in cells]
                while not columns[-1]:  # a spreadsheet may write separators after the last column
                    columns.pop()
                continue
            if len(rows) == MOST_ROWS:
                raise Unreadable("long", count=MOST_ROWS)
            while len(cells) > len(columns) and not cells[-1]:
                cells.pop()
            rows.append(SheetRow(number, [meant(cell) for cell in cells]))
    except csv.Error:
        raise Unreadable("malformed", row=number + 1) from None
    if not rows:
        raise Unreadable("no_rows")
    return Sheet(columns, rows)


def _lines(text: str, sign: str) -> Iterator[str]:
    for line in io.StringIO(text, newline=""):
        if line.count(sign) > MOST_SIGNS:
            raise Unreadable("wide")
        yield line


class Writer:
    """Turns rows into pieces of a file."""

    def __init__(self, separator: Separator) -> None:
        self._buffer = io.StringIO(newline="")
        self._csv = csv.writer(self._buffer, delimiter=SIGNS[separator])
        self._buffer.write(BOM)

    def piece(self, rows: Iterable[Iterable[str]]) -> bytes:
        """The bytes of further rows; before the first ones stands the byte order mark."""
        for cells in rows:
            self._csv.writerow([neutral(cell) for cell in cells])
        found = self._buffer.getvalue().encode()
        self._buffer.seek(0)
        self._buffer.truncate()
        return found


# --- several values in one cell ---------------------------------------------------------------------------------------

_PART: Final = re.compile(r"((?:[^|\\]|\\.|\\\Z)*)(\||\Z)", re.DOTALL)


def joined(values: Iterable[str]) -> str:
    """Several values as one cell, `|` between them; a `|` or backslash of a value has a backslash before it."""
    return "|".join(value.replace("\\", "\\\\").replace("|", "\\|") for value in values)


def parts(cell: str) -> list[str]:
    """The values of a cell, as `joined` wrote them; none of an empty cell."""
    if not cell:
        return []
    found = []
    for match in _PART.finditer(cell):
        found.append(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
        if not match[2]:
            break
    return found
