"""The file of a backup: a plain tar of the database's dump, the shop's files and its secret.

The manifest with the checksums of all of it comes last, so that a file that was cut off has none.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sampan.kernel.errors import ShopError

FORMAT = 2
UNSEALED = 1  # the format of former backups, whose manifest has no checksum of its own
MANIFEST, DATABASE, SECRET, FILES = "manifest.json", "database.dump", "secret", "files/"
PIECE = 1 << 20


class BadBackup(ShopError, code="backup.bad_backup", status=422):
    """The file is no backup, is not whole, or is not what was written; nothing was changed."""


class Member(Struct, frozen=True):
    """What lies in the archive under a name: its size in bytes and the SHA-256 of its content."""

    size: int
    sha256: str


class Manifest(Struct, frozen=True):
    """What a backup is. `version` is Sampan's, `postgresql` the server's, `tools` the major version of pg_dump;
    `migrations` are those that were applied, by schema; `tables` and `bytes` are for showing progress; `sha256` is of
    the manifest itself, as it is written with nothing in this place."""

    format: int
    version: str
    made_at: datetime
    postgresql: str
    tools: int
    migrations: dict[str, list[str]]
    tables: int
    members: dict[str, Member]
    sha256: str = ""

    @property
    def bytes(self) -> int:
        return sum(member.size for member in self.members.values())


class Archive:
    """A backup that is being written to `target`."""

    def __init__(self, target: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 -- see close
        self.members: dict[str, Member] = {}

    def add(self, name: str, source: BinaryIO) -> int:
        """Take an open file in under a name; its size."""
        size = os.fstat(source.fileno()).st_size
        summed = Summed(source)
        self._tar.addfile(entry(name, size), cast(Any, summed))
        self.members[name] = Member(size, summed.digest)
        return size

    def close(self, manifest: Manifest) -> None:
        """Write the manifest, which makes it whole."""
        body = written(replace(manifest, sha256=seal_of(written(replace(manifest, sha256="")))))
        self._tar.addfile(entry(MANIFEST, len(body)), io.BytesIO(body))
        self._tar.close()


def written(manifest: Manifest) -> bytes:
    """The manifest as it lies in the archive."""
    return msgspec.json.format(msgspec.json.encode(manifest))


def seal_of(body: bytes, sha256: str = "") -> str:
    """The checksum of a manifest as it was before that, `sha256`, was put in."""
    return hashlib.sha256(body.replace(sha256.encode(), b"", 1)).hexdigest()


class Summed:
    """A file whose checksum is taken as it is read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._sum = hashlib.sha256()

    def read(self, size: int) -> bytes:
        piece = self._source.read(size)
        self._sum.update(piece)
        return piece

    @property
    def digest(self) -> str:
        return self._sum.hexdigest()


def entry(name: str, size: int) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size = size
    made.mode = 0o600
    return made


def is_safe(name: str) -> bool:
    """True for what a backup may hold; nothing leads out of the folder it is unpacked to."""
    parts = PurePosixPath(name).parts
    return name in (DATABASE, SECRET) or (
        name.startswith(FILES) and len(parts) > 1 and ".." not in parts and str(PurePosixPath(name)) == name
    )


def verified(file: Path, read: Callable[[int], object]) -> Manifest:
    """Read a whole backup and compare every byte with its manifest; `read` is told how many were read.

    Raises:
        BadBackup: it is not whole, not ours, or changed.
    """
    found: dict[str, Member] = {}
    manifest = None
    body = b""
    try:
        with open(file, "rb") as source, tarfile.open(fileobj=source, mode="r:") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is None or not member.isreg() or member.name in found or manifest is not None:
                    raise BadBackup(f"{file} is not a backup of Sampan: {member.name}")
                if member.name == MANIFEST:
                    body = content.read(64 * PIECE)
                    manifest = msgspec.json.decode(body, type=Manifest)
                    continue
                if not is_safe(member.name):
                    raise BadBackup(f"{file} is not a backup of Sampan: {member.name}")
                summed = hashlib.sha256()
                while piece := content.read(PIECE):
                    summed.update(piece)
                    read(len(piece))
                found[member.name] = Member(member.size, summed.hexdigest())
    except FileNotFoundError:
        raise BadBackup(f"there is no file {file}") from None
    except (tarfile.TarError, msgspec.DecodeError, UnicodeDecodeError, EOFError) as failure:
        raise BadBackup(f"{file} is not a whole backup of Sampan: {failure}") from None
    except OSError as failure:
        raise BadBackup(f"{file} cannot be read: {failure.strerror}") from None
    if manifest is None or DATABASE not in found:
        raise BadBackup(f"{file} is not a whole backup of Sampan: its end is missing")
    if manifest.format not in (FORMAT, UNSEALED):
        raise BadBackup(f"{file} was made by Sampan {manifest.version}, in a format that is not known here")
    former = manifest.format == UNSEALED and not manifest.sha256
    if not former and manifest.sha256 != seal_of(body, manifest.sha256):
        raise BadBackup(f"{file} is damaged: {MANIFEST} is not what was written")
    if wrong := sorted(name for name in {**manifest.members, **found} if manifest.members.get(name) != found.get(name)):
        raise BadBackup(f"{file} is damaged: {wrong[0]} is not what was written" + more(len(wrong) - 1))
    return manifest


def more(count: int) -> str:
    return f" (and {count} more)" if count else ""


def unpack(file: Path, folder: Path, read: Callable[[int], object]) -> None:
    """Put the members of a verified backup into a folder, readable for their owner only."""
    with open(file, "rb") as source, tarfile.open(fileobj=source, mode="r:") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if member.name == MANIFEST or content is None:
                continue
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                while piece := content.read(PIECE):
                    target.write(piece)
                    read(len(piece))
