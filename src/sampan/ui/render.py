"""Templates to HTML, for both surfaces.

Templates see, besides what the page gives them:

- `t("key", …)` the text in the page's language; a value that is Markup stays HTML, everything else is escaped
- `ui.button(…)` every macro of `components/`, without an import, in pages and in fragments alike
- `icon("name")`, `asset_url("name")`, `asset_integrity("name")`, `tile_pattern("motif", "colours")`
- `islands()` where the custom elements are loaded from, `csrf_field()` the visitor's token for a form
- filters: `money`, `number`, `date`, `time`, `date_time`; `merge` joins two mappings, `pairs("code", "name")`
  makes tuples of attributes
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import babel.numbers
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context, Macro
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape
from msgspec import Struct

from sampan.kernel.catalogue import PSEUDO, Catalogue, Texts, format_date, format_datetime, format_time
from sampan.kernel.money import format_money
from sampan.ui.assets import Assets
from sampan.ui.tiles import tile_pattern

HERE: Final = Path(__file__).parent
TEMPLATES: Final = HERE / "templates"
TEXTS: Final = HERE / "texts"
COMPONENTS: Final = "components"
CSRF_FIELD: Final = "_csrf"

_MACRO: Final = re.compile(r"{%-?\s*macro\s+([a-z]\w*)")
_SYMBOL: Final = re.compile(rb'<symbol id="([^"]+)"')
_ISLANDS: Final = "islands/"

Value = TypeVar("Value")


class _Page(Struct, frozen=True):
    """What is the same all through one rendering."""

    texts: Texts
    csrf_token: str


# Macros see no template context, so that they are compiled once and kept; what the page knows reaches them here.
_page: ContextVar[_Page] = ContextVar("sampan.ui.page")


class Pages:
    """Renders pages and fragments in the languages of the catalogue. Safe to share between requests."""

    def __init__(self, catalogue: Catalogue, assets: Assets, templates: Sequence[Path] = ()) -> None:
        self.assets = assets
        self.env = environment(assets, templates)
        self._catalogue = catalogue

    @classmethod
    def load(
        cls, *, templates: Sequence[Path] = (), texts: Sequence[Path] = (), static: Sequence[Path] = ()
    ) -> "Pages":
        """A surface: our components, and the templates, texts and static files of its own.

        Raises `BadCatalogue` when the languages do not match; `UnknownAsset` and ValueError as `Assets.load`.
        """
        return cls(Catalogue.load(TEXTS, *texts), Assets.load(*static), templates)

    def render(self, template: str, context: Mapping[str, object], *, lang: str) -> str:
        """The whole page. `context` may hold `csrf_token`, for its forms and scripts; `lang` is vi or en."""
        with self._speaking(lang, context):
            return self.env.get_template(template).render(context, lang=html_language(lang))

    def render_block(self, template: str, block: str, context: Mapping[str, object], *, lang: str) -> str:
        """One block of a page, for a request that wants a fragment.

        Names that the template sets outside its blocks are not there. Raises KeyError for a block that the
        template itself does not define.
        """
        with self._speaking(lang, context):
            page = self.env.get_template(template)
            return "".join(page.blocks[block](page.new_context({**context, "lang": html_language(lang)})))

    def texts(self, lang: str) -> Texts:
        """The texts of a language, for words that Python puts into a page."""
        return self._catalogue.texts(lang)

    @contextmanager
    def _speaking(self, lang: str, context: Mapping[str, object]) -> Iterator[None]:
        token = _page.set(_Page(self.texts(lang), str(context.get("csrf_token") or "")))
        try:
            yield
        finally:
            _page.reset(token)


# The parts of a page that are the same on many, and take a fifth of the time to write one. What they say depends on
# nothing but the language and what they are given: no token, no caller's block.
FRAME: Final = frozenset(("header", "category_nav", "footer", "cart_drawer"))
_MOST_REMEMBERED: Final = 200  # of each: languages, categories, numbers of things in the bag, words searched for


class Components:
    """The macros of `components/` by name: `ui.button`. A file is compiled at its first use, `FRAME` remembered."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._file_by_macro: dict[str, str] = {}
        for template in env.list_templates(filter_func=lambda name: name.startswith(f"{COMPONENTS}/")):
            assert env.loader is not None
            for name in _MACRO.findall(env.loader.get_source(env, template)[0]):
                if name in self._file_by_macro:
                    raise ValueError(f"{name} stands in {self._file_by_macro[name]} and in {template}")
                self._file_by_macro[name] = template

    def __getattr__(self, name: str) -> "Macro | Remembered":
        template = self._file_by_macro.get(name)
        if template is None:
            raise AttributeError(f"there is no component {name}")
        macro: Macro = getattr(self._env.get_template(template).module, name)
        component: Macro | Remembered = Remembered(macro) if name in FRAME else macro
        setattr(self, name, component)
        return component

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_by_macro)


class Remembered:
    """A macro, with the texts it wrote last by language and what it was given."""

    def __init__(self, macro: Macro) -> None:
        self._macro = macro
        self.kept: dict[str, Markup] = {}

    def __call__(self, *given: object) -> Markup:
        key = f"{_page.get().texts.language} {given!r}"  # as repr, for a text and the Markup of it are equal
        found = self.kept.get(key)
        if found is None:
            found = self.kept[key] = cast(Markup, self._macro(*given))
            if len(self.kept) > _MOST_REMEMBERED:
                del self.kept[next(iter(self.kept))]
        return found


def environment(assets: Assets, templates: Sequence[Path] = ()) -> Environment:
    """Our components and base page, with folders of further templates that come first when names meet."""
    env = Environment(
        loader=FileSystemLoader([*templates, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=-1,
        auto_reload=False,
    )
    env.globals = {
        "t": text,
        "icon": _icon(assets),
        "asset_url": assets.url,
        "asset_integrity": assets.integrity,
        "islands": _islands(assets),
        "tile_pattern": tile_pattern,
        "csrf_field": csrf_field,
        "range": range,
        "namespace": env.globals["namespace"],
    }
    env.globals["ui"] = Components(env)
    env.filters |= {
        "money": _in_language(format_money),
        "number": _in_language(format_number),
        "date": _in_language(format_date),
        "time": _in_language(format_time),
        "date_time": _in_language(format_datetime),
        "merge": lambda first, second: {**first, **second},
        "pairs": _pairs,
    }
    return env


def text(key: str, **values: object) -> str:
    """The text in the language of the page. Values that are Markup stay HTML; the text around them is escaped."""
    texts = _page.get().texts
    marked = {name: value for name, value in values.items() if hasattr(value, "__html__")}
    if not marked:
        return texts(key, **values)
    # Private-use letters keep the places while the text around them is escaped.
    places = {name: chr(0xE000 + at) for at, name in enumerate(marked)}
    written = str(escape(texts(key, **{**values, **places})))
    for name, value in marked.items():
        written = written.replace(places[name], str(escape(value)))
    return Markup(written)  # noqa: S704 - the text was escaped above


def csrf_field() -> Markup:
    """The hidden field that proves a form came from our page; nothing on a page that was given no token."""
    token = _page.get().csrf_token
    field = Markup('<input type="hidden" name="{}" value="{}">')
    return field.format(CSRF_FIELD, token) if token else Markup()


def html_language(lang: str) -> str:
    """The `lang` of the page: the pseudo-language of tests is written in English letters."""
    return "en" if lang == PSEUDO else lang


def format_number(value: int | float | Decimal, language: str) -> str:
    """`1.284` and `4,8` in Vietnamese, `1,284` and `4.8` in English; at most two decimals."""
    written: str = babel.numbers.format_decimal(value, format="#,##0.##", locale=html_language(language))
    return written


def _in_language(write: Callable[[Value, str], str]) -> Callable[[Context, Value], str]:
    """A filter that writes a value as the language of the page does.

    The context is not used; asking for it keeps Jinja from computing constants once for all languages.
    """

    @pass_context
    def filtered(_: Context, value: Value) -> str:
        return write(value, _page.get().texts.language)

    return filtered


def _icon(assets: Assets) -> Callable[..., Markup]:
    sprite = assets.get(assets.url("icons.svg"))
    assert sprite is not None
    known = {name.decode() for name in _SYMBOL.findall(sprite.body)}
    url = assets.url("icons.svg")
    markup = Markup('<svg class="icon{}" width="20" height="20" {}><use href="{}#{}"/></svg>')

    @lru_cache(maxsize=1024, typed=True)  # a page has twenty, mostly the same; typed, for Markup equals its text
    def icon(name: str, label: str = "", classes: str = "") -> Markup:
        """An icon of the sprite; decoration, unless it has a label. Raises KeyError for an unknown one."""
        if name not in known:
            raise KeyError(f"there is no icon {name}; frontend/icons.txt lists them")
        role = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
        return markup.format(f" {classes}" if classes else "", role, url, name)

    return icon


def _islands(assets: Assets) -> Callable[[], Markup]:
    """Where each custom element is loaded from; page.js reads this list."""
    files = {
        name.removeprefix(_ISLANDS).removesuffix(".js"): {
            "src": assets.url(name),
            "integrity": assets.integrity(name),
        }
        for name in assets.names()
        if name.startswith(_ISLANDS)
    }
    listed = htmlsafe_json_dumps(files)
    return lambda: listed


def _pairs(items: Iterable[Any], *attributes: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(item, name) for name in attributes) for item in items]
