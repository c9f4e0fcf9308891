"""What the doctor says of one thing."""

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing that was looked at.

    `bad` is wrong and keeps the shop from working as it should; `warning` will be, or may be meant. `mend` says what to
    do about either.
    """

    level: Literal["ok", "warning", "bad"]
    text: str
    mend: str = ""


def ok(text: str) -> Finding:
    return Finding("ok", text)


def warning(text: str, mend: str) -> Finding:
    return Finding("warning", text, mend)


def bad(text: str, mend: str) -> Finding:
    return Finding("bad", text, mend)
