import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import msgspec
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from sampan.kernel.catalogue import BadCatalogue
from sampan.kernel.money import Money
from sampan.ui import gallery
from sampan.ui.assets import stylesheet
from sampan.ui.render import TEMPLATES, Components, Pages, Remembered

LANGUAGES = ("vi", "en", "qps")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small surface."""
    folder = tmp_path_factory.mktemp("surface")
    (folder / "vi.toml").write_text('[own]\nterms = "Xem {link} & mua"\n')
    (folder / "en.toml").write_text('[own]\nterms = "See {link} & buy"\n')
    files = {
        "terms.html": '{{ t("own.terms", link=link) }}',
        "form.html": '{% call ui.form("/x") %}{{ ui.button("OK", type="submit") }}{% endcall %}',
        "values.html": "{{ price|money }} {{ 4.8|number }} {{ 1204|number }} {{ at|date }} {{ at|time }}",
        "parts.html": "before {% block list %}<p>{{ name }} {{ ui.badge('x') }} {{ lang }}</p>{% endblock %} after",
        "missing.html": "{{ nothing }}",
        "icon.html": '{{ icon("search", "Tìm") }}',
        "unknown_icon.html": '{{ icon("no-such-icon") }}',
        "unknown_component.html": "{{ ui.no_such_thing() }}",
    }
    for name, source in files.items():
        (folder / name).write_text(source)
    return folder


@pytest.fixture(scope="module")
def pages(own: Path) -> Pages:
    return Pages.load(templates=[own], texts=[own])


# --- the gallery shows everything


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_component_renders_in_every_language_and_theme(pages: Pages, lang: str, theme: str) -> None:
    html = pages.render(gallery.TEMPLATE, gallery.gallery_context(theme), lang=lang)
    assert f'data-theme="{theme}"' in html
    assert f'<html lang="{"en" if lang == "qps" else lang}"' in html


def test_the_gallery_shows_every_component(pages: Pages) -> None:
    components = pages.env.globals["ui"]
    assert isinstance(components, Components)
    sources = "".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    shown = set(re.findall(r"\bui\.(\w+)\(", sources))
    used_beside = {name for name in components if re.search(rf"(?<!macro )\b{name}\(", sources)}
    assert set(components) <= shown | used_beside


def test_what_is_remembered_of_the_frame_is_what_was_asked_for(pages: Pages) -> None:
    """Each part, asked for in turn with what differs by a hair, is written as one that remembers nothing writes it."""
    site = gallery.gallery_context()["site"]
    sites = [
        site,
        msgspec.structs.replace(site, cart_count=3),
        msgspec.structs.replace(site, categories=[*site.categories[1:]]),
        msgspec.structs.replace(site, name="A & B <i>"),
        msgspec.structs.replace(site, name=Markup("A & B <i>")),
    ]
    own = "{{ ui.header(site, query) }}{{ ui.category_nav(site.categories) }}{{ ui.footer(site) }}{{ ui.cart_drawer(src) }}"
    shown = [
        {"site": each, "query": query, "src": src}
        for each in sites
        for query, src in (("", "/_/cart"), ('"><b>', "/en/_/cart"), (Markup("&amp;"), "#"), ("&amp;", "#"))
    ]

    def written(pages: Pages, context: dict[str, object], lang: str) -> str:
        with pages._speaking(lang, context):
            return pages.env.from_string(own).render(context)

    expected = [written(Pages.load(), context, lang) for context in shown for lang in ("vi", "en")]
    assert len(set(expected)) == len(expected)
    for _ in range(2):
        assert [written(pages, context, lang) for context in shown for lang in ("vi", "en")] == expected


def test_no_more_of_the_frame_is_remembered_than_has_room(pages: Pages) -> None:
    drawer = cast(Components, pages.env.globals["ui"]).cart_drawer
    assert isinstance(drawer, Remembered)
    with pages._speaking("vi", {}):
        for number in range(1000):
            assert f'"/cart/{number}"' in drawer(f"/cart/{number}")
    assert len(drawer.kept) <= 200


def test_what_is_remembered_holds_nothing_of_a_visitor(pages: Pages) -> None:
    for token in ("first-token-of-theirs", "other-token-of-mine"):
        html = pages.render("base.html", {**gallery.gallery_context(), "csrf_token": token}, lang="vi")
        assert token in html
    assert "first-token" not in html


def test_the_words_of_components_come_from_the_catalogue(pages: Pages) -> None:
    """In the pseudo-language every word of the frame stands in brackets; what does not was written into a template."""
    html = pages.render("base.html", {"site": gallery.gallery_context()["site"]}, lang="qps")
    words = re.sub(r"<(script|style).*?</\1>|<[^>]+>", "\n", html, flags=re.DOTALL)
    loose = {line.strip() for line in words.splitlines()} - {""}
    assert {line for line in loose if not line.startswith("⟦")} <= SAMPLE_WORDS


SAMPLE_WORDS = {
    "Tiệm Gạch Bông",
    "Miễn phí giao nội thành từ 499.000 ₫ · Đổi trả 30 ngày",
    "VI · ₫",
    "2",
    "/",
    *("Đồ nhà", "Bếp &amp; cà phê", "Áo quần", "Túi &amp; giỏ", "Đèn &amp; trang trí", "Quà biếu", "Khuyến mãi"),
    *("Tiếng Việt, ₫", "English, ₫"),
    *("Mua hàng", "Giao hàng", "Đổi trả 30 ngày", "Giúp đỡ", "Tra cứu đơn", "Liên hệ", "Về tiệm", "Cửa hàng", "Xưởng"),
    *("Công ty TNHH Tiệm Gạch Bông", "0316794479", "12 Lê Lợi, Phường Bến Thành, Thành phố Hồ Chí Minh"),
    *("028 7300 0000", "·", "chao@gachbong.example"),
}


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.classes: set[str] = set()
        self.referred: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.classes |= set(given.get("class", "").split())
        self.ids += [given["id"]] if "id" in given else []
        for name in ("for", "aria-labelledby", "aria-describedby"):
            self.referred |= set(given.get(name, "").split())


@pytest.fixture(scope="module")
def page(pages: Pages) -> _Page:
    return _Page(pages.render(gallery.TEMPLATE, gallery.gallery_context(), lang="vi"))


def test_every_class_of_a_template_has_a_style(page: _Page) -> None:
    styled = set(re.findall(r"\.(-?[_a-zA-Z][\w-]*)", stylesheet()))
    plain = {"badge--neutral", "banner--info", "steps__later", "timeline__done", "timeline__text"}
    assert page.classes - styled <= plain


def test_every_id_is_unique_and_every_reference_leads_somewhere(page: _Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert page.referred <= set(page.ids)


# --- rendering


def test_a_form_that_posts_carries_the_visitors_token(pages: Pages) -> None:
    html = pages.render("form.html", {"csrf_token": 'a"b'}, lang="vi")
    assert '<input type="hidden" name="_csrf" value="a&#34;b">' in html
    assert "_csrf" not in pages.render("form.html", {}, lang="vi")


def test_markup_in_a_text_stays_and_the_text_is_escaped(pages: Pages) -> None:
    link = Markup('<a href="/terms">điều khoản</a>')
    assert pages.render("terms.html", {"link": link}, lang="vi") == ('Xem <a href="/terms">điều khoản</a> &amp; mua')
    assert "&lt;b&gt;" in pages.render("terms.html", {"link": "<b>"}, lang="en")


def test_values_are_written_as_the_language_writes_them(pages: Pages) -> None:
    context = {"price": Money(199000, "VND"), "at": datetime(2026, 11, 22, 7, 32, tzinfo=UTC)}
    assert pages.render("values.html", context, lang="vi") == "199.000\u00a0₫ 4,8 1.204 22/11/2026 14:32"
    assert pages.render("values.html", context, lang="en") == "₫199,000 4.8 1,204 22 Nov 2026 14:32"


def test_a_fragment_is_one_block_with_all_components_at_hand(pages: Pages) -> None:
    html = pages.render_block("parts.html", "list", {"name": "<Ghế>"}, lang="vi")
    assert html.startswith("<p>&lt;Ghế&gt; <span class=")
    assert html.endswith("vi</p>")
    with pytest.raises(KeyError):
        pages.render_block("parts.html", "no_such_block", {}, lang="vi")


def test_what_the_page_does_not_give_is_an_error(pages: Pages) -> None:
    with pytest.raises(UndefinedError):
        pages.render("missing.html", {}, lang="vi")
    with pytest.raises(UndefinedError, match="no_such_thing"):
        pages.render("unknown_component.html", {}, lang="vi")


def test_an_icon_is_decoration_or_has_a_name(pages: Pages) -> None:
    assert 'role="img" aria-label="Tìm"' in pages.render("icon.html", {}, lang="vi")
    with pytest.raises(KeyError, match="no-such-icon"):
        pages.render("unknown_icon.html", {}, lang="vi")


def test_languages_that_do_not_match_do_not_load(tmp_path: Path) -> None:
    (tmp_path / "vi.toml").write_text('title = "Một"')
    (tmp_path / "en.toml").write_text("")
    with pytest.raises(BadCatalogue):
        Pages.load(texts=[tmp_path])
