"""Files behind one interface: a local folder here, S3-compatible storage where one is configured.

A key is a path of lower-case letters, digits, `.`, `_` and `-`, so that it means the same on every file
system and needs no escaping in an address. Files that never change are named by their content (`key_for`).
"""

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from sampan.kernel.errors import NotFound, ShopError


class BadFileKey(ShopError, code="kernel.bad_file_key", status=422):
    """The key is not a path of plain lower-case names."""


class Files(Protocol):
    """Where files are kept. Every method raises `BadFileKey` for a key that is none."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Keep the bytes under the key. Readers see the whole old file or the whole new one."""

    async def get(self, key: str) -> bytes:
        """The bytes under the key. Raises `NotFound`."""

    async def delete(self, key: str) -> None:
        """Remove the file; nothing happens if there is none."""

    async def missing(self, keys: Iterable[str]) -> list[str]:
        """Those under which there is no file."""

    async def exists(self, key: str) -> bool:
        """Whether there is a file under the key."""

    def url(self, key: str) -> str:
        """The address under which browsers get the file."""


_KEY: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]*(?:/[a-z0-9_-][a-z0-9._-]*)*")
_SUFFIX: Final = re.compile(r"(?:\.[a-z0-9]{1,10})?")
_MOST: Final = 200  # characters of a key; many file systems end names at 255 bytes


def check_key(key: str) -> None:
    """A file key is a relative path of plain lower-case names, none of which begins with a dot."""
    if len(key) > _MOST or _KEY.fullmatch(key) is None:
        raise BadFileKey("not a file key")


def key_for(data: bytes, suffix: str, folder: str = "") -> str:
    """The key that names the content itself: equal bytes have one key, and what is under it never changes.

    `suffix` is the file's ending with its dot (`.webp`) or empty; `folder` comes before.
    """
    if _SUFFIX.fullmatch(suffix) is None:
        raise BadFileKey("not a suffix")
    digest = hashlib.sha256(data).hexdigest()
    key = f"{folder}/{digest[:2]}/{digest[2:]}{suffix}" if folder else f"{digest[:2]}/{digest[2:]}{suffix}"
    check_key(key)
    return key


class LocalFiles:
    """Files in a folder of this machine. The content type is not kept: the key's suffix tells it."""

    def __init__(self, root: Path | str, *, base_url: str = "/files") -> None:
        self._root = Path(root)
        self._base_url = base_url.rstrip("/")

    def path(self, key: str) -> Path:
        """The file's place in the folder, whether or not it is there."""
        check_key(key)
        return self._root / key

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await asyncio.to_thread(_write, self.path(key), data)

    async def get(self, key: str) -> bytes:
        try:
            return await asyncio.to_thread(self.path(key).read_bytes)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFound("no such file", key=key) from None

    async def delete(self, key: str) -> None:
        path = self.path(key)
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            await asyncio.to_thread(path.unlink)

    async def missing(self, keys: Iterable[str]) -> list[str]:
        return await asyncio.to_thread(lambda: [key for key in keys if not self.path(key).is_file()])

    async def exists(self, key: str) -> bool:
        return await asyncio.to_thread(self.path(key).is_file)

    def url(self, key: str) -> str:
        check_key(key)
        return f"{self._base_url}/{key}"


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, also if the machine stops: written beside, forced to the disk, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / f".{secrets.token_hex(8)}"  # no key begins with a dot
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
