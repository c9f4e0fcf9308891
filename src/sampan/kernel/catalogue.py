"""The shop's texts in Vietnamese and English, and dates as each language writes them.

A folder holds `vi.toml` and `en.toml`. Tables are parts of the key (`[cart]` `title = "…"` is `cart.title`).
A text has named placeholders, `{name}`; braces themselves are doubled. A table of plural forms, `{one = "…",
other = "…"}`, is chosen by `count`. Both languages have the same keys with the same placeholders, or the
catalogue does not load.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import babel.dates
import babel.numbers
from babel import Locale

from sampan.kernel.errors import ShopError

Language = Literal["vi", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("vi", "en")
DEFAULT: Final[Language] = "vi"
PSEUDO: Final = "qps"  # the pseudo-language of tests: English in ⟦brackets⟧, so that a text outside shows
TIME_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")

_PLURAL_FORMS: Final = frozenset(("zero", "one", "two", "few", "many", "other"))
_LOCALES: Final[Mapping[str, Locale]] = {"vi": Locale("vi"), "en": Locale("en"), PSEUDO: Locale("en")}


class BadCatalogue(ShopError, code="kernel.bad_catalogue", status=500):
    """The texts of the languages do not match; the detail lists every problem."""


class Texts:
    """The texts of one language: `texts("cart.items", count=3)`. Values are put in as they are; a page
    escapes them together with the text.
    """

    def __init__(self, language: str, messages: Mapping[str, str | Mapping[str, str]]) -> None:
        self.language = language
        self._messages = messages
        self._locale = _LOCALES[language]

    def __call__(self, key: str, **values: object) -> str:
        """The text, with its placeholders filled. `count` chooses the plural form and is grouped (1.200).

        Raises KeyError for an unknown key or a missing value.
        """
        message = self._messages[key]
        count = values.get("count")
        if type(count) is int:
            if not isinstance(message, str):
                message = message[self._locale.plural_form(count)]
            if abs(count) >= 1000:
                values["count"] = babel.numbers.format_decimal(count, locale=self._locale)
        elif not isinstance(message, str):
            raise KeyError(f"{key} needs a count")
        return message.format_map(values)

    def __contains__(self, key: str) -> bool:
        return key in self._messages

    def __iter__(self) -> Iterator[str]:
        return iter(self._messages)


class Catalogue:
    """The texts of all languages, read from one or several folders."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]], problems: list[str] | None = None) -> None:
        self._tables = tables
        self._problems = problems or []
        self._texts: dict[str, Texts] = {language: Texts(language, tables[language]) for language in LANGUAGES}
        bracketed = {key: _bracketed(message) for key, message in tables["en"].items()}
        self._texts[PSEUDO] = Texts(PSEUDO, bracketed)

    @classmethod
    def load(cls, *folders: Path | str) -> "Catalogue":
        """Read `vi.toml` and `en.toml` of each folder. Raises `BadCatalogue` if `check` finds anything."""
        catalogue = cls.read(*folders)
        problems = catalogue.check()
        if problems:
            raise BadCatalogue("; ".join(problems))
        return catalogue

    @classmethod
    def read(cls, *folders: Path | str) -> "Catalogue":
        """As `load`, without checking."""
        tables: dict[str, dict[str, Any]] = {language: {} for language in LANGUAGES}
        problems: list[str] = []
        for folder in folders:
            for language in LANGUAGES:
                path = Path(folder) / f"{language}.toml"
                try:
                    content = tomllib.loads(path.read_text(encoding="utf-8"))
                except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                    problems.append(f"{path}: {error}")
                    continue
                for key, message in _flat(content, ""):
                    if key in tables[language]:
                        problems.append(f"{language}: {key} appears twice, the second time in {path}")
                    tables[language][key] = message
        return cls(tables, problems)

    def texts(self, language: str) -> Texts:
        """The texts of `vi`, `en` or `qps`. Raises KeyError for any other language."""
        return self._texts[language]

    def check(self) -> list[str]:
        """What is wrong: missing keys and plural forms, placeholders that differ or are no plain names."""
        problems = list(self._problems)
        for key in sorted(set().union(*self._tables.values())):
            placeholders: dict[str, frozenset[str]] = {}
            for language in LANGUAGES:
                message = self._tables[language].get(key)
                if message is None:
                    problems.append(f"{language}: {key} is missing")
                    continue
                try:
                    placeholders[language] = _checked(message, _LOCALES[language])
                except ValueError as error:
                    problems.append(f"{language}: {key} {error}")
            if len(set(placeholders.values())) > 1:
                listed = ", ".join(f"{language} {sorted(names)}" for language, names in placeholders.items())
                problems.append(f"{key} has different placeholders: {listed}")
        return problems


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and not ("other" in value and value.keys() <= _PLURAL_FORMS):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def _checked(message: object, locale: Locale) -> frozenset[str]:
    """The placeholders of a message. Raises ValueError saying what is wrong with it."""
    if isinstance(message, str):
        return _placeholders(message)
    if not isinstance(message, dict):
        raise ValueError("is not a text")
    expected = {"other", *locale.plural_form.tags}
    if message.keys() != expected:
        raise ValueError(f"has the plural forms {sorted(message)} instead of {sorted(expected)}")
    forms = {form: _placeholders(text) | {"count"} for form, text in message.items()}
    if len(set(forms.values())) > 1:
        raise ValueError("has plural forms with different placeholders")
    return forms["other"]


def _placeholders(text: object) -> frozenset[str]:
    if not isinstance(text, str):
        raise ValueError("is not a text")
    names = set()
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"has the placeholder {{{name}}}, which is no plain name")
        names.add(name)
    return frozenset(names)


def _bracketed(message: Any) -> Any:
    if isinstance(message, str):
        return f"⟦{message}⟧"
    return {form: f"⟦{text}⟧" for form, text in message.items()} if isinstance(message, dict) else message


# --- the reader's language

_PREFERENCE: Final = re.compile(
    r"\s*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*[qQ]\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


@lru_cache(maxsize=1024)
def negotiate(accept_language: str) -> Language:
    """The shop's language that an `Accept-Language` header wants most (RFC 9110, 12.5.4).

    Regions do not matter (`en-GB` is `en`), unknown languages give way to the next, `*` is any that is not
    named, `q=0` is none at all. Vietnamese when nothing helps.
    """
    wanted: dict[str, float] = {}
    for part in accept_language[:500].split(","):
        preference = _PREFERENCE.fullmatch(part)
        if preference is not None:
            language = preference[1].partition("-")[0].lower()
            quality = float(preference[2]) if preference[2] else 1.0
            # Of `en-GB;q=0, en` the better one counts: another English is still welcome.
            wanted[language] = max(quality, wanted.get(language, 0.0))
    order = list(wanted)
    anything = wanted.get("*", 0.0)

    def rank(language: str) -> tuple[float, int]:
        named = language in wanted
        return wanted[language] if named else anything, -order.index(language if named else "*")

    offered = [language for language in LANGUAGES if wanted.get(language, anything) > 0]
    if not offered:
        refused = [language for language in LANGUAGES if language in wanted]
        return next((language for language in LANGUAGES if language not in refused), DEFAULT)
    return max(offered, key=rank)


# --- dates

_DATES: Final = {"vi": "dd/MM/yyyy", "en": "d MMM yyyy", PSEUDO: "d MMM yyyy"}
_TIME: Final = "HH:mm"
_DATETIMES: Final = {
    "vi": "HH:mm dd/MM/yyyy",
    "en": "d MMM yyyy, HH:mm",
    PSEUDO: "d MMM yyyy, HH:mm",
}


def format_date(value: date | datetime, language: str, tz: tzinfo = TIME_ZONE) -> str:
    """`22/11/2026` in Vietnamese, `22 Nov 2026` in English, where `5/11` would be read in two ways.

    A datetime is brought to the zone first and must know its own; a date stays as it is.
    """
    day = _local(value, tz) if isinstance(value, datetime) else value
    return str(babel.dates.format_date(day, _DATES[language], locale=_LOCALES[language]))


def format_time(value: datetime, language: str, tz: tzinfo = TIME_ZONE) -> str:
    """`09:05`, of 24 hours in both languages."""
    return str(babel.dates.format_time(_local(value, tz), _TIME, tzinfo=tz, locale=_LOCALES[language]))


def format_datetime(value: datetime, language: str, tz: tzinfo = TIME_ZONE) -> str:
    """`09:05 22/11/2026` in Vietnamese, `22 Nov 2026, 09:05` in English. `value` knows its zone."""
    return str(
        babel.dates.format_datetime(_local(value, tz), _DATETIMES[language], tzinfo=tz, locale=_LOCALES[language])
    )


def _local(value: datetime, tz: tzinfo) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone is no time")
    return value.astimezone(tz)
