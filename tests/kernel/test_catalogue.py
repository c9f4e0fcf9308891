from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.catalogue import (
    BadCatalogue,
    Catalogue,
    format_date,
    format_datetime,
    format_time,
    negotiate,
)

VI = """
hello = "Chào {name}"
[cart]
title = "Giỏ hàng"
items = {other = "{count} sản phẩm"}
left = "Còn {count} sản phẩm"
braces = "{{như vậy}}"
"""
EN = """
hello = "Hello {name}"
[cart]
title = "Cart"
items = {one = "One item", other = "{count} items"}
left = {one = "{count} item left", other = "{count} items left"}
braces = "{{like this}}"
"""


def folder(path: Path, vi: str, en: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "vi.toml").write_text(vi, encoding="utf-8")
    (path / "en.toml").write_text(en, encoding="utf-8")
    return path


def test_texts_are_found_by_key_in_both_languages(tmp_path: Path) -> None:
    catalogue = Catalogue.load(folder(tmp_path, VI, EN))
    vi, en = catalogue.texts("vi"), catalogue.texts("en")
    assert (vi("cart.title"), en("cart.title")) == ("Giỏ hàng", "Cart")
    assert vi("hello", name="{Lan}") == "Chào {Lan}"
    assert en("cart.braces") == "{like this}"
    assert "cart.title" in vi
    assert "cart.nothing" not in vi
    assert set(vi) == set(en) == {"hello", "cart.title", "cart.items", "cart.left", "cart.braces"}


def test_plural_forms_follow_the_language(tmp_path: Path) -> None:
    catalogue = Catalogue.load(folder(tmp_path, VI, EN))
    en, vi = catalogue.texts("en"), catalogue.texts("vi")
    assert [en("cart.items", count=n) for n in (0, 1, 2)] == ["0 items", "One item", "2 items"]
    assert [vi("cart.items", count=n) for n in (0, 1, 2)] == ["0 sản phẩm", "1 sản phẩm", "2 sản phẩm"]
    assert en("cart.left", count=1) == "1 item left"
    assert (vi("cart.left", count=1), vi("cart.left", count=12345)) == (
        "Còn 1 sản phẩm",
        "Còn 12.345 sản phẩm",
    )
    assert en("cart.items", count=12345) == "12,345 items"


def test_a_missing_key_or_value_is_no_silent_gap(tmp_path: Path) -> None:
    texts = Catalogue.load(folder(tmp_path, VI, EN)).texts("en")
    for key in ("nothing", "hello", "cart.items"):
        with pytest.raises(KeyError):
            texts(key)
    with pytest.raises(KeyError):
        Catalogue.load(tmp_path).texts("fr")


def test_the_pseudo_language_brackets_every_text(tmp_path: Path) -> None:
    texts = Catalogue.load(folder(tmp_path, VI, EN)).texts("qps")
    assert texts("hello", name="Lan") == "⟦Hello Lan⟧"
    assert texts("cart.items", count=1) == "⟦One item⟧"


def test_services_bring_their_own_texts(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", 'a = "1"', 'a = "1"')
    other = folder(tmp_path / "other", '[b]\nc = "2"', '[b]\nc = "2"')
    assert Catalogue.load(one, other).texts("vi")("b.c") == "2"
    with pytest.raises(BadCatalogue, match="a appears twice"):
        Catalogue.load(one, folder(tmp_path / "third", 'a = "3"', 'a = "3"'))


@pytest.mark.parametrize(
    ("vi", "en", "problem"),
    [
        ('a = "x"', "", "en: a is missing"),
        ("", 'a = "x"', "vi: a is missing"),
        ('a = "{x}"', 'a = "{y}"', r"a has different placeholders: vi \['x'\], en \['y'\]"),
        ('a = "x"', 'a = "{y}"', "different placeholders"),
        ('a = "{0}"', 'a = "{0}"', "no plain name"),
        ('a = "{}"', 'a = "{}"', "no plain name"),
        ('a = "{x.y}"', 'a = "{x.y}"', "no plain name"),
        ('a = "{x[y]}"', 'a = "{x[y]}"', "no plain name"),
        ('a = "{x!r}"', 'a = "{x!r}"', "no plain name"),
        ('a = "{x:>9}"', 'a = "{x:>9}"', "no plain name"),
        ('a = "{x"', 'a = "{x}"', "vi: a "),
        ("a = 1", 'a = "1"', "vi: a is not a text"),
        ('a = ["1"]', 'a = "1"', "vi: a is not a text"),
        ('a = "{count}"', 'a = {other = "{count}"}', r"en: a has the plural forms \['other'\]"),
        ('a = {one = "{count}", other = "{count}"}', 'a = "{count}"', "vi: a has the plural forms"),
        (
            'a = "{count}"',
            'a = {one = "1 {x}", other = "{count}"}',
            "plural forms with different placeholders",
        ),
        ('a = "x"', 'a = {one = "1", other = "{count}"}', "different placeholders"),
        ("a = ", 'a = "1"', "vi.toml"),
    ],
)
def test_texts_that_do_not_match_do_not_load(tmp_path: Path, vi: str, en: str, problem: str) -> None:
    with pytest.raises(BadCatalogue, match=problem):
        Catalogue.load(folder(tmp_path, vi, en))


def test_every_problem_is_listed(tmp_path: Path) -> None:
    catalogue = Catalogue.read(folder(tmp_path, 'a = "{x}"\nb = "1"', 'a = "{y}"\nc = "1"'))
    assert len(catalogue.check()) == 3
    assert Catalogue.read(tmp_path / "nowhere").check()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "vi"),
        ("vi", "vi"),
        ("en", "en"),
        ("EN-us", "en"),
        ("vi-VN,vi;q=0.9,en-US;q=0.6,en;q=0.5", "vi"),
        ("en-US,en;q=0.9,vi;q=0.8", "en"),
        ("en;q=0.5, vi;q=0.8", "vi"),
        ("fr-FR, de;q=0.9, en;q=0.3", "en"),
        ("fr, de", "vi"),
        ("fr, *;q=0.5", "vi"),
        ("*", "vi"),
        ("en;q=0.4, *;q=0.6", "vi"),
        ("en;q=0.6, *;q=0.4", "en"),
        ("vi;q=0, *", "en"),
        ("vi;q=0", "en"),
        ("vi;q=0, en;q=0", "vi"),
        ("en;q=0", "vi"),
        ("en;q=0.000,vi;q=0.001", "vi"),
        ("en ; q = 0.5 , vi ;Q=0.4", "en"),
        ("en;q=1.000, vi", "en"),
        ("vi, en", "vi"),
        ("en, vi", "en"),
        ("en;q=2, vi;q=0.1", "vi"),
        ("en;q=high, vi;q=0.1", "vi"),
        (";;;,,,=", "vi"),
        ("enx", "vi"),
    ],
)
def test_the_reader_gets_the_language_wanted_most(header: str, language: str) -> None:
    assert negotiate(header) == language


@given(st.text())
def test_any_header_gives_a_language(header: str) -> None:
    assert negotiate(header) in ("vi", "en")


def test_dates_are_written_as_the_language_writes_them() -> None:
    moment = datetime(2026, 11, 21, 18, 5, tzinfo=UTC)  # already the 22nd in Vietnam
    assert format_date(moment, "vi") == "22/11/2026"
    assert format_date(moment, "en") == "22 Nov 2026"
    assert format_date(moment, "en", ZoneInfo("Europe/Paris")) == "21 Nov 2026"
    assert format_date(date(2026, 1, 2), "vi") == "02/01/2026"
    assert format_time(moment, "vi") == format_time(moment, "en") == "01:05"
    assert format_datetime(moment, "vi") == "01:05 22/11/2026"
    assert format_datetime(moment, "en") == "22 Nov 2026, 01:05"
    assert format_datetime(moment, "qps", UTC) == "21 Nov 2026, 18:05"


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 11, 22)
    for write in (format_date, format_time, format_datetime):
        with pytest.raises(ValueError, match="zone"):
            write(naive, "vi")
