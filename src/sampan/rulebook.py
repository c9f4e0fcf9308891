"""The rules of the shop in one document, collected from the docstrings of every room's rules."""

import ast
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

import sampan.services

HEAD = """# The rules of the shop

Made from the code by `make rules`; do not edit. Each rule stands where it is enforced.
"""


class Rule(Struct, frozen=True):
    """A rule in the merchant's words, and where it is enforced."""

    service: str
    function: str
    text: str
    place: str  # path from the root of the source, with the line


def rules(source: Path | None = None) -> Iterator[Rule]:
    """All public `check_…` and `is_…` functions in rules.py or rules/ of every service, with their docstrings."""
    root = source or Path(next(iter(sampan.services.__path__))).parent.parent
    for file in sorted((root / "sampan" / "services").rglob("*.py")):
        parts = file.relative_to(root / "sampan" / "services").parts
        if not (parts[1:2] == ("rules.py",) or parts[1:2] == ("rules",)):
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and is_rule(node.name):
                text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                place = f"src/{file.relative_to(root).as_posix()}:{node.lineno}"
                yield Rule(parts[0], node.name, text, place)


def is_rule(name: str) -> bool:
    """`check_…` and `is_…` state rules; `…_for` computes."""
    return name.startswith(("check_", "is_")) and not name.endswith("_for")


def rulebook(source: Path | None = None) -> str:
    """docs/rules.md."""
    lines, service = [HEAD], ""
    for rule in sorted(rules(source), key=lambda r: (r.service, r.place.rpartition(":")[0], r.function)):
        if rule.service != service:
            service = rule.service
            lines.append(f"\n## {service}\n\n")
        file = rule.place.rpartition(":")[0]
        lines.append(f"- {rule.text} ([`{rule.function}`](../{file}))\n")
    return "".join(lines)
