"""Every icon that a template names is in the sprite: a missing one would make a page fail, perhaps only when sold out."""

import re
from pathlib import Path

import sampan

ROOT = Path(next(iter(sampan.__path__)))
LISTED = Path(__file__).parents[2] / "frontend/icons.txt"


def test_every_icon_that_a_template_names_exists() -> None:
    lines = LISTED.read_text().splitlines()
    names = {f"{line[7:]}-filled" if line.startswith("filled/") else line for line in lines if line and line[0] != "#"}
    wrong = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in ROOT.rglob("templates/**/*.html")
        for name in re.findall(r"\b(?:icon_name|icon)=\"([a-z0-9-]+)\"|\bicon\(\"([a-z0-9-]+)\"", file.read_text())
        for name in filter(None, name)
        if name not in names
    ]
    assert wrong == []
