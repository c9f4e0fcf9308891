"""Requests that change only what they name."""

from typing import Any

from msgspec import UNSET, Struct


def named_in(data: Struct) -> dict[str, Any]:
    """The fields that were sent, null ones too; what was left out is `UNSET` and stays as it is."""
    values = ((name, getattr(data, name)) for name in data.__struct_fields__)
    return {name: value for name, value in values if value is not UNSET}
