"""YAML of plain data: mappings, lists, texts, numbers, truth values. Texts are quoted as in JSON, which YAML reads."""

import json
from typing import Any


def yaml(value: Any, indent: str = "") -> str:
    """The value as a block, each line ended."""
    if isinstance(value, dict) and value:
        return "".join(f"{indent}{key}:{inner(each, indent)}" for key, each in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}-{item(each, indent)}" for each in value)
    return f"{indent}{scalar(value)}\n"


def inner(value: Any, indent: str) -> str:
    if isinstance(value, dict | list) and value:
        return "\n" + yaml(value, f"{indent}  ")
    return f" {scalar(value)}\n"


def item(value: Any, indent: str) -> str:
    if isinstance(value, dict | list) and value:
        return " " + yaml(value, f"{indent}  ").removeprefix(f"{indent}  ")
    return f" {scalar(value)}\n"


def scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
