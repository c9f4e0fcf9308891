"""No page speaks a language of its own: every word a person reads comes from the catalogues."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment

import sampan

ROOT = Path(next(iter(sampan.__path__)))
TEMPLATES = sorted(
    file
    for file in ROOT.rglob("templates/**/*.html")
    # a stand-in's own page, the designers' own page, and the parcel's label for Vietnamese carriers
    if "sandbox" not in file.parts and file.name not in ("gallery.html", "label.html")
)
SPOKEN = {"title", "alt", "placeholder", "aria-label", "aria-description", "aria-roledescription", "summary", "label"}
NAMES = {"Sampan", "VNPay", "VietQR", "COD"}  # the same in every language


class Reader(HTMLParser):
    """Collects what a person would read: texts, and attributes that are read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("script", "style")
        self.read += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.read.append(data)


def said_aloud(attribute: re.Match[str]) -> str:
    """Of an attribute that a macro writes for another tag, what a person would hear."""
    return attribute[0] if attribute[1] in SPOKEN else ""


def written_in(source: str) -> list[str]:
    """The words of a template that are neither markup nor come from an expression."""
    parts = []
    for _, kind, value in Environment(autoescape=True).lex(source):
        if kind == "data":
            parts.append(value)
        elif kind in ("variable_begin", "block_begin"):
            parts.append("0")  # something stands here that is no word
    reader = Reader()
    reader.feed("".join(parts))
    text = re.sub(r'(?:required )?([a-z-]+)="[^"]*"', said_aloud, " ".join(reader.read))
    words = re.findall(r"[^\W\d_]{2,}", text)
    return [word for word in words if word not in NAMES]


def test_a_word_in_a_template_is_found_wherever_a_person_would_read_it():
    assert written_in("<p>{{ t('a') }} <b>Giỏ hàng</b></p>") == ["Giỏ", "hàng"]
    assert written_in('<img alt="Ghế" src="/x.webp"><input placeholder="Tìm" name="q">') == ["Ghế", "Tìm"]
    assert written_in("{% if a == 'word' %}<p class='text-large'>{{ t('cart.title') }}</p>{% endif %}{# note #}") == []
    assert written_in('{% macro state() %} data-x="word" aria-label="Xóa"{% endmacro %}') == ["aria", "label", "Xóa"]
    assert written_in("<style>p { color: red }</style><p>Sampan · 12 ₫</p>") == []


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_word_of_a_page_comes_from_the_catalogues(file):
    assert written_in(file.read_text("utf-8")) == []
