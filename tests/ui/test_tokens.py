"""The contrast of the colour tokens, computed from the style sheet itself."""

import re

import pytest

from sampan.ui.assets import STYLES

TOKENS = (STYLES / "tokens.css").read_text()

TEXT = 4.5
CONTROL = 3.0

PAIRS = [
    *((ink, plane, TEXT) for ink in ("ink", "ink-2", "ink-3") for plane in ("bg", "surface", "sunken", "overlay")),
    *((ink, "primary-soft", TEXT) for ink in ("ink", "ink-2", "primary")),
    *((ink, plane, TEXT) for ink in ("primary", "sale", "danger") for plane in ("bg", "surface", "overlay")),
    *((tone, "surface", TEXT) for tone in ("warn", "ok", "info", "star")),
    *((tone, f"{tone}-soft", TEXT) for tone in ("danger", "warn", "ok", "info")),
    *((ink, f"{tone}-soft", TEXT) for ink in ("ink", "ink-2") for tone in ("danger", "warn", "ok", "info")),
    ("on-primary", "primary", TEXT),
    ("on-accent", "accent", TEXT),
    ("surface", "ink", TEXT),
    ("surface", "sale", TEXT),
    ("on-plane", "plane", TEXT),
    ("on-plane-2", "plane", TEXT),
    ("on-plane-2", "rail", TEXT),
    ("accent-text", "plane", TEXT),
    ("accent-text", "rail", TEXT),
    *((edge, plane, CONTROL) for edge in ("line-strong", "focus") for plane in ("bg", "surface", "overlay")),
    ("primary", "primary-soft", CONTROL),
]


def declarations(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", css))


def block(selector: str) -> dict[str, str]:
    found = re.search(re.escape(selector) + r"\s*{([^}]*)}", TOKENS)
    assert found, selector
    return declarations(found[1])


LIGHT = block(":root")
DARK = block(':root[data-theme="dark"]')
PLANES = {name: declarations(TOKENS)[name] for name in ("plane", "on-plane", "on-plane-2", "accent-text", "rail")}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance of #RRGGBB."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("front", "back", "least"), PAIRS, ids=lambda value: str(value))
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_controls_have_enough_contrast(theme: str, front: str, back: str, least: float) -> None:
    colours = (LIGHT if theme == "light" else DARK) | PLANES
    assert contrast(colours[front], colours[back]) >= least


def test_contrast_is_that_of_black_on_white() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_the_visitors_dark_is_the_devices_dark() -> None:
    assert block(':root:not([data-theme="light"])') == DARK


def test_both_themes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()


def test_components_use_tokens_and_no_colours_of_their_own() -> None:
    allowed = {
        "#FFFFFF",  # the plane behind a code to scan, and the mix that lightens a yellow button
        "#9FC2FF",  # the focus ring on dark planes, whatever the theme
    }
    for path in (STYLES / "components").glob("*.css"):
        own = set(re.findall(r"#[0-9A-Fa-f]{3,8}\b", path.read_text())) - allowed
        assert not own, path.name


def test_every_token_in_use_is_declared() -> None:
    css = "".join(path.read_text() for path in STYLES.rglob("*.css"))
    declared = set(re.findall(r"--([\w-]+)\s*:", css))
    assert set(re.findall(r"var\(--([\w-]+)", css)) <= declared
