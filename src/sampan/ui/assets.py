"""Static files under names that change with their content, so that browsers keep them for a year unasked.

The style sheet is put together here from `styles/`, in the order of its cascade layers, so changing a style
needs no build step. What needs one (islands, icons, fonts) lies built in `static/`.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
STYLES: Final = HERE / "styles"
STATIC: Final = HERE / "static"

PREFIX: Final = "/static/"
CACHE_CONTROL: Final = "public, max-age=31536000, immutable"

LAYERS: Final = ("reset", "tokens", "base", "layout", "components", "utilities")

CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ico": "image/x-icon",
}
COMPRESSED_ALREADY: Final = frozenset({"font/woff2", "image/png", "image/webp", "image/avif"})

_URL: Final = re.compile(r'url\("([^"#:]+)"\)')


class UnknownAsset(LookupError):
    """A template or a style sheet names a static file that does not exist."""


@dataclass(frozen=True)
class Asset:
    """One static file. `etag` is quoted as HTTP wants it; `integrity` is the value of the HTML attribute."""

    body: bytes
    content_type: str
    etag: str
    integrity: str

    @cached_property
    def gzip_body(self) -> bytes | None:
        """The body for `Content-Encoding: gzip`, made at its first use; None where it would not be smaller."""
        if self.content_type in COMPRESSED_ALREADY:
            return None
        packed = gzip.compress(self.body, compresslevel=9, mtime=0)
        return packed if len(packed) < len(self.body) else None


class Assets:
    """All static files of this process: by name for templates, by path for the route that serves them."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._url_by_name: dict[str, str] = {}
        self._by_path: dict[str, Asset] = {}
        # Style sheets last: the addresses inside them must be known.
        for name in sorted(files, key=lambda name: name.endswith(".css")):
            body = files[name]
            if name.endswith(".css"):
                body = _URL.sub(lambda found: f'url("{self.url(found[1])}")', body.decode()).encode()
            self._add(name, body)

    @classmethod
    def load(cls, *folders: Path) -> "Assets":
        """Read the style sheet, our static files and those of further folders; a name may occur only once.

        Raises `UnknownAsset` when a style sheet points to a file that is not there, and ValueError for a second
        file of one name or a type of file that is not meant to be served.
        """
        files = {"sampan.css": stylesheet().encode()}
        for folder in (STATIC, *folders):
            for path in _files_in(folder):
                name = path.relative_to(folder).as_posix()
                if name in files:
                    raise ValueError(f"two static files are called {name}")
                if path.suffix not in CONTENT_TYPES:
                    raise ValueError(f"{name}: static files of this type are not served")
                files[name] = path.read_bytes()
        return cls(files)

    def url(self, name: str) -> str:
        """`islands/copy-button.js` is `/static/islands/copy-button.<hash>.js`. Raises `UnknownAsset`."""
        try:
            return self._url_by_name[name]
        except KeyError:
            raise UnknownAsset(name) from None

    def integrity(self, name: str) -> str:
        """The `integrity` attribute for a script or a style sheet. Raises `UnknownAsset`."""
        return self._by_path[self.url(name)].integrity

    def get(self, path: str) -> Asset | None:
        """The file at the path of a request, `/static/…`; None when there is none, or not in this version."""
        return self._by_path.get(path)

    def names(self) -> list[str]:
        """Every file by its plain name."""
        return sorted(self._url_by_name)

    def _add(self, name: str, body: bytes) -> None:
        digest = hashlib.sha384(body).digest()
        version = digest.hex()[:12]
        stem, dot, suffix = name.rpartition(".")
        url = f"{PREFIX}{stem}.{version}{dot}{suffix}"
        self._url_by_name[name] = url
        self._by_path[url] = Asset(
            body=body,
            content_type=CONTENT_TYPES["." + suffix],
            etag=f'"{version}"',
            integrity=f"sha384-{base64.b64encode(digest).decode()}",
        )


def stylesheet(styles: Path = STYLES) -> str:
    """The whole style sheet. A file's place is its layer: `tokens.css`, and `components/…` for all components."""
    parts = [f"@layer {', '.join(LAYERS)};\n"]
    for layer in LAYERS:
        alone = styles / f"{layer}.css"
        sources = [alone] if alone.exists() else sorted((styles / layer).glob("*.css"))
        parts += [f"@layer {layer} {{\n{source.read_text().strip()}\n}}\n" for source in sources]
    return "\n".join(parts)


def _files_in(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
