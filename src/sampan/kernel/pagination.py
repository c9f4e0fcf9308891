"""Pages of a list: what is asked for, and opaque cursors that hold the sort key of the last row."""

import base64
import binascii
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from sampan.kernel.errors import invalid

T = TypeVar("T")

DEFAULT = 24
MOST = 100


class Paged(Struct, frozen=True):
    """Base of what is asked of a list: so many, after the cursor of the page before; without one from the beginning."""

    limit: Annotated[int, Meta(ge=1, le=MOST)] = DEFAULT
    cursor: Annotated[str, Meta(max_length=500)] = ""


class Page(Struct, Generic[T], frozen=True):
    """Some items, and the cursor of what follows or None."""

    items: list[T]
    next: str | None


def encode_cursor(*key: Any) -> str:
    """An opaque cursor that holds `key` (JSON values, UUIDs, datetimes)."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *types: Any) -> tuple[Any, ...]:
    """The key in a cursor, checked against `types`. Raises Invalid for anything we did not encode."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=tuple[types])  # type: ignore[valid-type]
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise invalid("cursor", "malformed", "this cursor is not one of ours") from None


def page_of(rows: list[T], limit: int, key: Any) -> Page[T]:
    """A page from `limit + 1` rows: the last one only shows that there is more. `key(row)` is its cursor's tuple."""
    more = len(rows) > limit
    items = rows[:limit]
    return Page(items=items, next=encode_cursor(*key(items[-1])) if more else None)
