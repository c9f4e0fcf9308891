"""A data folder: whose it is, whether it is whole, and where its database is."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.postgres import EmbeddedPostgres
from sampan.kernel.settings import Settings


class AlreadyRunning(ShopError, code="kernel.already_running", status=500):
    """Another supervisor holds this data folder."""


class HalfRestored(ShopError, code="kernel.half_restored", status=500):
    """A backup is being restored into this data folder, or that was broken off."""


RESTORING = "restoring"  # a file in a data folder that is there until a restoration is whole


def check_not_restoring(home: Path) -> None:
    """Raises HalfRestored."""
    if (home / RESTORING).exists():
        raise HalfRestored(
            f"a backup is being restored into {home}, or that was broken off; if it was, "
            "remove the folder and restore again"
        )


@contextmanager
def held(home: Path) -> Iterator[bool]:
    """The data folder, ours alone; true when whoever had it before was killed. Raises AlreadyRunning, HalfRestored."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            check_not_restoring(home)
            raise AlreadyRunning(f"the shop in {home} is running already") from None
        os.register_at_fork(after_in_child=file.close)  # a process that outlives us must not hold what is ours
        check_not_restoring(home)
        file.seek(0)
        was_killed = bool(file.read())
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield was_killed
        finally:
            file.truncate(0)


class Urls(Struct):
    """How to reach the database: as administrator (migrations), and as each service."""

    admin: str
    services: dict[str, str]


def urls_for(settings: Settings, names: list[str], *, apart: bool) -> Urls:
    """`apart`: each service with its own role, as in a fleet; else one role that may use every schema."""
    core = settings.core
    if core.database_url:
        return Urls(core.database_url, {name: settings.database_url(name) for name in names})
    embedded = EmbeddedPostgres(settings.home / "postgres")
    return Urls(
        embedded.url(),
        {
            name: settings.database_url(name) or embedded.url(user=f"sampan_{name}" if apart else "sampan_app")
            for name in names
        },
    )
