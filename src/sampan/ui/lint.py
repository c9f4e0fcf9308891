"""The lint of the surfaces: what a strict content security policy, htmx 4, forms and two languages demand.

`python -m sampan.ui.lint` prints every problem with its file and line, and exits with 1 if there is any. It
reads templates, style sheets and texts of the component library, the storefront and the admin.

For templates: no inline script or style, no `style=`, `on…=` or `hx-on` attributes, no `js:` values, no filters
in brackets in `hx-trigger`, nothing loaded from another host, no new windows; labels for controls, alternative
texts and sizes for pictures, types for buttons, the visitor's token in forms that post; htmx attributes only
where there is a request, since htmx 4 does not inherit them; every text key in both languages, and none that
nobody uses.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes
from msgspec import Struct

from sampan.kernel.catalogue import LANGUAGES, Catalogue

PACKAGE: Final = Path(__file__).parents[1]
SURFACES: Final = ("ui", "services/storefront", "services/admin")

DATA_SCRIPTS: Final = frozenset({"application/json", "application/ld+json"})
LOADING: Final = frozenset({"src", "srcset", "poster", "data", "action", "formaction"})
LOADING_HREF: Final = frozenset({"link", "use", "image", "base"})
REQUESTS: Final = frozenset(f"hx-{verb}" for verb in ("get", "post", "put", "patch", "delete", "action", "boost"))
NEED_A_REQUEST: Final = frozenset(
    f"hx-{name}" for name in ("target", "swap", "trigger", "push-url", "replace-url", "select", "include", "vals")
)
UNLABELLED_INPUTS: Final = frozenset({"hidden", "submit", "button", "image", "reset"})

_SYNTAX: Final = Environment(autoescape=True)
_COMMENT: Final = re.compile(r"{#.*?#}", re.DOTALL)
_STATEMENT: Final = re.compile(r"{%.*?%}", re.DOTALL)
_EXPRESSION: Final = re.compile(r"{{-?(.*?)-?}}", re.DOTALL)
_TOKEN: Final = re.compile("\ue000(\\d+)\ue001")
_ELSEWHERE: Final = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
_SCRIPTED: Final = re.compile(r"\s*(js|javascript):", re.IGNORECASE)
_STYLE_ELSEWHERE: Final = re.compile(r"@import|url\(\s*[\"']?(https?:)?//", re.IGNORECASE)


class Problem(Struct, frozen=True):
    """Something wrong at a line of a file (0: the file as a whole)."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class TextUse(Struct, frozen=True):
    """A key, or the beginning of keys, that somebody asks the catalogue for."""

    path: str
    line: int
    key: str
    is_prefix: bool


def problems(surfaces: Iterable[Path]) -> list[Problem]:
    """Everything wrong in folders that each may have `templates/`, `styles/`, `texts/` and Python files."""
    folders = [folder for folder in surfaces if folder.is_dir()]
    found: list[Problem] = []
    uses: list[TextUse] = []
    for folder in folders:
        for path in sorted((folder / "templates").rglob("*.html")):
            source = path.read_text()
            found += template_problems(source, str(path))
            uses += text_uses(source, str(path))
        for path in sorted((folder / "styles").rglob("*.css")):
            found += style_problems(path.read_text(), str(path))
        for path in sorted(folder.rglob("*.py")):
            uses += python_text_uses(path.read_text(), str(path))
    texts = [folder / "texts" for folder in folders if (folder / "texts").is_dir()]
    return found + text_problems(Catalogue.read(*texts), uses)


def template_problems(source: str, path: str) -> list[Problem]:
    """What is wrong with the HTML of one template."""
    try:
        tree = _SYNTAX.parse(source)
    except TemplateSyntaxError as error:
        return [Problem(path, error.lineno, f"does not parse: {error.message}")]
    reader = _Reader(path)
    reader.read(source)
    # Attributes may also be given as a mapping: attrs={"hx-on:click": "…"}.
    for pair in tree.find_all(nodes.Pair):
        if isinstance(pair.key, nodes.Const) and isinstance(pair.key.value, str):
            value = pair.value.value if isinstance(pair.value, nodes.Const) else ""
            reader.check_attribute("", pair.key.value, str(value), pair.lineno)
    return reader.found


def style_problems(source: str, path: str) -> list[Problem]:
    """Addresses of other hosts in a style sheet."""
    return [
        Problem(path, line, "loads from another place")
        for line, text in enumerate(source.splitlines(), 1)
        if _STYLE_ELSEWHERE.search(text)
    ]


def text_uses(source: str, path: str) -> list[TextUse]:
    """Every `t(…)` of a template. A key that cannot be known counts as the prefix ""."""
    try:
        tree = _SYNTAX.parse(source)
    except TemplateSyntaxError:
        return []
    calls = (call for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name))
    asked = (call for call in calls if call.node.name == "t" and call.args)  # type: ignore[attr-defined]
    return [TextUse(path, call.lineno, key, is_prefix) for call in asked for key, is_prefix in _keys(call.args[0])]


def python_text_uses(source: str, path: str) -> list[TextUse]:
    """Every string that could be a key; one that ends with a dot stands for all keys that begin so."""
    return [
        TextUse(path, node.lineno, node.value, node.value.endswith("."))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value
    ]


def text_problems(catalogue: Catalogue, uses: Iterable[TextUse]) -> list[Problem]:
    """Keys that are missing, keys that nobody asks for, and what the catalogue itself finds wrong."""
    found = [Problem("texts", 0, text) for text in catalogue.check()]
    known = {key for language in LANGUAGES for key in catalogue.texts(language)}
    used: set[str] = set()
    for use in uses:
        matching = {key for key in known if key.startswith(use.key)} if use.is_prefix else {use.key} & known
        used |= matching if use.key else set()
        if not matching and use.path.endswith(".html"):
            found.append(Problem(use.path, use.line, f"there is no text {use.key}"))
        if use.is_prefix and not use.key:
            found.append(Problem(use.path, use.line, "the key of this text cannot be known; write it out"))
    return found + [Problem("texts", 0, f"nobody uses {key}") for key in sorted(known - used)]


def _keys(node: nodes.Node) -> Iterator[tuple[str, bool]]:
    """The key an expression gives, or its beginning: "ui.theme." ~ value."""
    if isinstance(node, nodes.Const):
        yield str(node.value), False
    elif isinstance(node, nodes.CondExpr) and node.expr2 is not None:
        yield from _keys(node.expr1)
        yield from _keys(node.expr2)
    elif isinstance(node, nodes.Concat) and isinstance(node.nodes[0], nodes.Const):
        yield str(node.nodes[0].value), True
    else:
        yield "", True


class _Reader(HTMLParser):
    """Reads a template as HTML: statements fall out (both branches stay), an expression becomes a token."""

    def __init__(self, path: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Problem] = []
        self._path = path
        self._expressions: list[str] = []
        self._labels: dict[str, int] = {}
        self._ids: dict[str, int] = {}
        self._controls: list[tuple[int, str]] = []
        self._inside_labels = 0
        self._unproved_form = 0

    def read(self, source: str) -> None:
        self.feed(self._plain(source))
        self.close()
        for line, name in self._controls:
            if name not in self._labels and not _TOKEN.search(name):
                self._tell("a control without a label", line)
        for name, line in self._labels.items():
            if name not in self._ids and not _TOKEN.search(name):
                self._tell(f"a label for {name}, which is not in this template", line)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line = self.getpos()[0]
        given = {name: value or "" for name, value in attrs}
        spread = any(_TOKEN.search(name) for name in given)  # {{ attrs|xmlattr }} may bring anything
        for name, value in given.items():
            self.check_attribute(tag, name, value, line)
        self._note_id(given, line)
        if tag == "script" and "src" not in given and given.get("type") not in DATA_SCRIPTS:
            self._tell("an inline script", line)
        if tag == "style":
            self._tell("an inline style sheet", line)
        if tag == "img" and not {"alt", "width", "height"} <= given.keys():
            self._tell("a picture without alt, width and height", line)
        if tag == "button" and "type" not in given:
            self._tell("a button without a type", line)
        if tag == "label":
            self._inside_labels += 1
            if "for" in given:
                self._labels[given["for"]] = line
        if tag in ("select", "textarea") or (tag == "input" and given.get("type") not in UNLABELLED_INPUTS):
            named = self._inside_labels or {"aria-label", "aria-labelledby"} & given.keys()
            self._controls += [] if named else [(line, given.get("id", ""))]
        if tag == "form":
            self._unproved_form = line if given.get("method", "").lower() == "post" else 0
        if tag != "hx-partial" and not spread and not REQUESTS & given.keys():
            for name in sorted(NEED_A_REQUEST & given.keys()):
                self._tell(f"{name} without a request: htmx 4 does not inherit it (or write {name}:inherited)", line)

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._inside_labels = max(0, self._inside_labels - 1)
        if tag == "form" and self._unproved_form:
            self._tell("a form that posts without csrf_field()", self._unproved_form)
            self._unproved_form = 0

    def handle_data(self, data: str) -> None:
        for token in _TOKEN.finditer(data):
            if "csrf_field" in self._expressions[int(token[1])]:
                self._unproved_form = 0

    def check_attribute(self, tag: str, name: str, value: str, line: int) -> None:
        """The rules of one attribute; `tag` is empty when it is given in a mapping."""
        if name == "style":
            self._tell("a style attribute", line)
        if name.startswith(("on", "hx-on", "data-hx-on")) and not _TOKEN.search(name) and name != "on":
            self._tell(f"a script in the attribute {name}", line)
        if _SCRIPTED.match(value):
            self._tell(f"a script in the value of {name}", line)
        if name.removeprefix("data-") == "hx-trigger" and "[" in value:
            self._tell("a filter in brackets in hx-trigger is a script", line)
        if name == "target" and value == "_blank":
            self._tell("a new window: browsers inside chat applications have none", line)
        loads = name in LOADING or name.startswith("hx-") or (name == "href" and tag in LOADING_HREF)
        if loads and _ELSEWHERE.match(value):
            self._tell(f"{name} points to another host", line)

    def _note_id(self, given: dict[str, str], line: int) -> None:
        name = given.get("id")
        if not name:
            return
        if name in self._ids and not _TOKEN.search(name):
            self._tell(f"the id {name} appears twice", line)
        self._ids[name] = line

    def _tell(self, text: str, line: int) -> None:
        self.found.append(Problem(self._path, line, text))

    def _plain(self, source: str) -> str:
        def newlines(found: re.Match[str]) -> str:
            return "\n" * found[0].count("\n")

        def token(found: re.Match[str]) -> str:
            expression = " ".join(found[1].split())
            if expression not in self._expressions:
                self._expressions.append(expression)
            return f"\ue000{self._expressions.index(expression)}\ue001" + newlines(found)

        return _EXPRESSION.sub(token, _STATEMENT.sub(newlines, _COMMENT.sub(newlines, source)))


def main() -> int:
    found = problems(PACKAGE / surface for surface in SURFACES)
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
