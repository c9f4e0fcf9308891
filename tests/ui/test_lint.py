from pathlib import Path

import pytest

from sampan.kernel.catalogue import Catalogue
from sampan.ui import lint

VIOLATIONS = {
    "<script>alert(1)</script>": "inline script",
    '<script type="module">x()</script>': "inline script",
    "<style>a{}</style>": "inline style sheet",
    '<p style="color: red">x</p>': "a style attribute",
    '<p onclick="x()">x</p>': "a script in the attribute onclick",
    '<p hx-on:click="x()">x</p>': "a script in the attribute hx-on:click",
    '<p hx-on::after:swap="x()">x</p>': "a script in the attribute",
    '<a href="javascript:x()">x</a>': "a script in the value of href",
    "<a hx-get='/x' hx-vals='js:{a: 1}'>x</a>": "a script in the value of hx-vals",
    '<a hx-get="/x" hx-trigger="click[ctrlKey]">x</a>': "a filter in brackets",
    '<img src="https://cdn.example/x.png" alt="" width="1" height="1">': "src points to another host",
    '<link rel="stylesheet" href="//cdn.example/x.css">': "href points to another host",
    '<script src="https://cdn.example/x.js"></script>': "src points to another host",
    '<a href="/x" target="_blank">x</a>': "a new window",
    '<img src="/x.png" alt="x">': "a picture without",
    '<img src="/x.png" width="1" height="1">': "a picture without",
    "<button>x</button>": "a button without a type",
    '<input name="q">': "a control without a label",
    '<select id="a" name="a"></select><label for="b">B</label><input id="b">': "a control without a label",
    '<label for="nowhere">x</label>': "a label for nowhere",
    '<p id="a"></p><p id="a"></p>': "the id a appears twice",
    '<form method="post" action="/x"><input type="hidden" name="a"></form>': "without csrf_field()",
    '<div hx-target="#list"><a hx-get="/x">x</a></div>': "hx-target without a request",
    '{{ ui.button("x", attrs={"hx-on:click": "x()"}) }}': "a script in the attribute hx-on:click",
    '{{ ui.button("x", attrs={"style": "color: red"}) }}': "a style attribute",
    "{% if a %}": "does not parse",
}


@pytest.mark.parametrize(("source", "expected"), VIOLATIONS.items(), ids=VIOLATIONS.keys())
def test_a_planted_violation_is_found(source: str, expected: str) -> None:
    found = lint.template_problems(source, "page.html")
    assert any(expected in problem.text for problem in found), found


@pytest.mark.parametrize(
    "source",
    [
        '<script src="/static/page.js" type="module"></script>',
        '<script type="application/json" id="x">{}</script>',
        '<a href="https://example.com">x</a>',
        '<label>Tên <input name="q"></label>',
        '<label for="{{ id }}">Tên</label><input id="{{ id }}" name="q">',
        '<input type="hidden" name="q"><input name="q" aria-label="{{ t("a.b") }}">',
        '<form method="post" action="/x">{{ csrf_field() }}</form>',
        '<form method="get" action="/x"></form>',
        '<a class="x"{{ attrs|xmlattr }} hx-target="#list">x</a>',
        '<div hx-target:inherited="#list"></div>',
        '<hx-partial hx-target="#list" hx-swap="innerMorph">x</hx-partial>',
        "{# <script>x()</script> #}",
        '<option value="1"{{ " selected" if a }}>{% if a %}x{% else %}y{% endif %}</option>',
    ],
)
def test_what_is_allowed_is_not_reported(source: str) -> None:
    assert lint.template_problems(source, "page.html") == []


def test_a_problem_names_its_line() -> None:
    found = lint.template_problems("{# one\n two #}\n{% if\n a %}\n<p style='x'>{% endif %}", "page.html")
    assert [problem.line for problem in found] == [5]


def test_a_style_sheet_loads_nothing_from_elsewhere() -> None:
    assert lint.style_problems('a { background: url("https://x.example/a.png"); }', "a.css")
    assert lint.style_problems("@import 'x.css';", "a.css")
    assert not lint.style_problems('a { background: url("fonts/a.woff2"); }', "a.css")


def surface(folder: Path, template: str, vi: str, en: str, python: str = "") -> Path:
    for name in ("templates", "texts"):
        (folder / name).mkdir()
    (folder / "templates" / "page.html").write_text(template)
    (folder / "texts" / "vi.toml").write_text(vi)
    (folder / "texts" / "en.toml").write_text(en)
    (folder / "routes.py").write_text(python)
    return folder


def texts_of(problems: list[lint.Problem]) -> list[str]:
    return [problem.text for problem in problems]


def test_a_text_that_is_asked_for_must_exist(tmp_path: Path) -> None:
    folder = surface(tmp_path, '{{ t("a.b") }}', "", "")
    assert texts_of(lint.problems([folder])) == ["there is no text a.b"]


def test_a_text_must_exist_in_both_languages(tmp_path: Path) -> None:
    folder = surface(tmp_path, '{{ t("a.b") }}', 'a.b = "x"', "")
    assert texts_of(lint.problems([folder])) == ["en: a.b is missing"]


def test_a_text_that_nobody_asks_for_is_reported(tmp_path: Path) -> None:
    folder = surface(tmp_path, "", 'a.b = "x"', 'a.b = "x"')
    assert texts_of(lint.problems([folder])) == ["nobody uses a.b"]


def test_a_key_may_begin_in_the_template_and_end_in_a_value(tmp_path: Path) -> None:
    folder = surface(tmp_path, '{{ t("a." ~ state) }}', 'a.b = "x"', 'a.b = "x"')
    assert lint.problems([folder]) == []


def test_a_key_may_be_chosen_by_a_condition(tmp_path: Path) -> None:
    texts = 'a.b = "x"\na.c = "y"'
    folder = surface(tmp_path, '{{ t("a.b" if x else "a.c") }}', texts, texts)
    assert lint.problems([folder]) == []


def test_a_key_that_cannot_be_known_is_reported(tmp_path: Path) -> None:
    folder = surface(tmp_path, "{{ t(key) }}", 'a.b = "x"', 'a.b = "x"', python='KEY = "a.b"')
    assert texts_of(lint.problems([folder])) == ["the key of this text cannot be known; write it out"]


def test_python_uses_texts_too(tmp_path: Path) -> None:
    folder = surface(tmp_path, "", 'a.b = "x"', 'a.b = "x"', python='texts("a.b")')
    assert lint.problems([folder]) == []


def test_our_own_surfaces_are_clean() -> None:
    assert lint.problems(lint.PACKAGE / name for name in lint.SURFACES) == []


def test_the_catalogue_of_nothing_has_no_problems() -> None:
    assert lint.text_problems(Catalogue.read(), []) == []


def test_the_component_library_is_clean() -> None:
    assert lint.problems([lint.PACKAGE / "ui"]) == []
