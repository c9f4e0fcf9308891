"""The folder of an index: numbered versions and a pointer to the one in use.

    <root>/current          "index-3"
    <root>/writer.lock      held by the one process that writes
    <root>/index-3/         the tantivy files, and
    <root>/index-3/sampan.json   the format and the markets' price columns

A rebuild writes a new version beside the old one and moves the pointer in one step. Readers have the old files mapped;
removing them does not take them away from who is still reading.
"""

import fcntl
import os
import re
import shutil
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from sampan.services.search.contract import IndexUnavailable
from sampan.services.search.engine.schema import FORMAT

_POINTER: Final = "current"
_LOCK: Final = "writer.lock"
_FACTS: Final = "sampan.json"
_VERSION: Final = re.compile(r"index-([1-9][0-9]{0,17})")

Stamp = tuple[int, int, int]


class Facts(Struct, frozen=True):
    """What one must know to read a version. `markets` stand in the order of their price columns."""

    format: int
    markets: tuple[str, ...] = ()


def current(root: Path) -> Path:
    """The version in use. Raises `IndexUnavailable` when there is none."""
    try:
        name = pointer(root).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise IndexUnavailable("there is no search index yet") from error
    if not _VERSION.fullmatch(name) or not (root / name).is_dir():
        raise IndexUnavailable("the search index is incomplete")
    return root / name


def next_version(root: Path) -> Path:
    """A new empty folder, not yet in use; what earlier attempts left is removed."""
    numbers = [int(match[1]) for path in root.iterdir() if (match := _VERSION.fullmatch(path.name))]
    try:
        remove_others(root, current(root))
    except IndexUnavailable:
        remove_others(root, None)
    folder = root / f"index-{max(numbers, default=0) + 1}"
    folder.mkdir()
    return folder


def point_to(root: Path, folder: Path) -> None:
    """Put a version in use, in one step for every reader."""
    _write(pointer(root), folder.name.encode())


def remove_others(root: Path, folder: Path | None) -> None:
    """Remove every version but this one."""
    for path in root.iterdir():
        if _VERSION.fullmatch(path.name) and path != folder:
            shutil.rmtree(path, ignore_errors=True)


def read_facts(folder: Path) -> Facts:
    """The facts of a version. Raises `IndexUnavailable` when it is broken or of another format."""
    try:
        facts = msgspec.json.decode((folder / _FACTS).read_bytes(), type=Facts)
    except (OSError, msgspec.DecodeError) as error:
        raise IndexUnavailable("the search index is incomplete") from error
    if facts.format != FORMAT:
        raise IndexUnavailable(f"the search index has format {facts.format}, this program reads {FORMAT}")
    return facts


def write_facts(folder: Path, facts: Facts) -> None:
    _write(folder / _FACTS, msgspec.json.encode(facts))


def pointer(root: Path) -> Path:
    """The file that changes when another version is put in use."""
    return root / _POINTER


def commits(folder: Path) -> Path:
    """The file that changes with every commit to a version."""
    return folder / "meta.json"


def stamp(path: str) -> Stamp | None:
    """A value that changes when the file is replaced; None when it is missing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _write(path: Path, data: bytes) -> None:
    """Replace a file so that it is never seen half written, not even after the power failed."""
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def lock(root: Path) -> int:
    """The right to write: a file descriptor to close, or to lose with the process. Raises `IndexUnavailable` when
    another writer has it."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise IndexUnavailable("another process is writing the search index") from error
    return descriptor
