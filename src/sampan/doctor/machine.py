"""The program, its folder and its port."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from importlib.util import find_spec

from sampan.doctor.finding import Finding, bad, ok, warning
from sampan.door import is_ready
from sampan.home import RESTORING
from sampan.kernel.settings import Settings

GB = 1 << 30


def environment(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield ok(f"Python {version}")
    missing = [name for name in ("asyncpg", "msgspec", "tantivy", "uvicorn") if find_spec(name) is None]
    if missing:
        yield bad(f"packages are missing: {', '.join(missing)}", "run: make run")
    yield ok(f"mode {settings.core.mode}, public address {settings.public_url}")
    if settings.core.muted:
        yield warning(
            "this shop is muted: no mail goes out, no provider is asked",
            f"when it is not a copy: take `muted` out of {settings.home}/sampan.toml (or SAMPAN_MUTED) and start again",
        )
    if 0 < len(settings.core.secret) < 32:
        yield warning("SAMPAN_SECRET has fewer than 32 characters", "take 32 or more random ones: openssl rand -hex 32")


def folder(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    if not home.exists():
        above = next(each for each in home.parents if each.exists())
        if os.access(above, os.W_OK | os.X_OK):
            yield ok(f"the data folder {home} will be made at the first start")
        else:
            yield bad(f"the data folder {home} cannot be made", f"give yourself the right to write to {above}")
        return
    if not home.is_dir():
        yield bad(f"the data folder {home} is not a folder", "move that file, or name another folder: SAMPAN_HOME")
        return
    if (home / RESTORING).exists():
        yield bad(
            f"a restoration into {home} is under way or was broken off",
            "if it was broken off: remove the folder and restore again",
        )
    if os.access(home, os.W_OK | os.X_OK):
        yield ok(f"the data folder {home} is writable")
    else:
        yield bad(f"the data folder {home} is not writable", f"give yourself the right to write to {home}")
    space = shutil.disk_usage(home)
    text = f"{space.free >> 20:,} MB free on the disk of {home}"
    if space.free < GB:
        yield bad(text, "make room: PostgreSQL stops when the disk is full")
    elif space.free < 5 * GB:
        yield warning(text, "make room in time: PostgreSQL stops when the disk is full")
    else:
        yield ok(text)
    secret = home / "secret"
    if secret.exists() and os.access(secret, os.R_OK):
        if secret.stat().st_mode & 0o077:
            yield bad("others can read the secret", f"chmod 600 {secret}")
        if len(secret.read_text(errors="replace").strip()) < 32:
            yield bad(f"{secret} is too short to be a secret", f"bring it back from a backup, or: rm {secret}")


def is_running(settings: Settings) -> bool:
    """True when a shop answers where ours would."""
    return is_ready(settings.core.host, settings.core.port)


def address(settings: Settings, *, running: bool) -> Iterator[Finding]:
    core = settings.core
    if running:
        yield ok(f"the shop answers on port {core.port}")
        return
    with socket.socket(socket.AF_INET6 if ":" in core.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((core.host, core.port))
        except OSError as failure:
            yield bad(
                f"port {core.port} on {core.host} cannot be taken: {failure.strerror}",
                "stop what uses it, or: sampan run --port 8080",
            )
            return
    yield ok(f"port {core.port} is free")
