"""The ground of the tests: a real PostgreSQL and a database a worker, the whole shop in process."""

import asyncio
import os
import random
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio

from sampan.kernel.postgres import EmbeddedPostgres
from sampan.kernel.settings import Settings, load
from sampan.run import Shop, compose, migrate_all

TEMPLATE = "sampan_template"
SECRET = "a secret for tests only, of more than 32 characters"

# What is left to chance follows from one number, which is told with every run: SAMPAN_SEED=<number> replays it.
SEED = int(os.environ.setdefault("SAMPAN_SEED", str(secrets.randbelow(2**32))))
TORTURE = float(os.environ.get("SAMPAN_TORTURE") or 0)


def effort(quick: int, long: int) -> int:
    """How much of something to try: `quick` by default, `long` times SAMPAN_TORTURE where that is set."""
    return max(quick, round(long * TORTURE)) if TORTURE else quick


def dice(name: str) -> random.Random:
    """This run's chance for one test, whatever runs beside it."""
    return random.Random(f"{SEED} {name}")


def settings_for(home: Path, **overrides: Any) -> Settings:
    """Settings of a test's process: no limits, its own data folder."""
    return load({}, home=str(home), secret=SECRET, rate_limits=False, pool_size=12, **overrides)


def pytest_configure(config: pytest.Config) -> None:
    """Each process that runs tests has a PostgreSQL of its own: events hide behind the transactions of a whole cluster."""
    only_tells_workers = not hasattr(config, "workerinput") and config.getoption("numprocesses", None)
    if only_tells_workers or config.option.collectonly:
        return
    folder = Path(tempfile.mkdtemp(prefix="sampan-tests-"))
    server = EmbeddedPostgres(folder / "postgres", fsync=False, connections=600)  # a dozen shops at once
    server.start()
    config.stash[SERVER] = server
    config.stash[FOLDER] = folder
    asyncio.run(make_template(server, folder))


SERVER: pytest.StashKey[EmbeddedPostgres] = pytest.StashKey()
FOLDER: pytest.StashKey[Path] = pytest.StashKey()


async def make_template(server: EmbeddedPostgres, folder: Path) -> None:
    admin = await asyncpg.connect(server.url("postgres"))
    await admin.execute(f"CREATE DATABASE {TEMPLATE}")
    await admin.close()
    await migrate_all(settings_for(folder / "home"), server.url(TEMPLATE))


def pytest_sessionstart(session: pytest.Session) -> None:
    tell_seed(session.config)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    if exitstatus:
        tell_seed(config)


def tell_seed(config: pytest.Config) -> None:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(config, "workerinput"):
        size = f" SAMPAN_TORTURE={os.environ['SAMPAN_TORTURE']}" if TORTURE else ""
        reporter.write_line(f"SAMPAN_SEED={SEED}{size}")


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(SERVER, None)
    if server is not None:
        server.stop()
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share what it sets up, and run in one process; long ones are dealt out one by one."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        group = item.nodeid if item.get_closest_marker("long") else file
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Were they not kept together, nothing would fail; but what a file sets up would be set up twice."""
    if getattr(session.config.option, "loadgroup", False) and not all("@" in item.nodeid for item in session.items):
        raise pytest.UsageError("this pytest and this xdist do not keep the tests of a file together")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Every worker collects the same names, also where a parameter holds an id made this moment."""
    if isinstance(val, str | UUID) and UUID_TEXT.search(str(val)):
        return UUID_TEXT.sub("id", str(val))
    return None


class Place:
    """Where this worker's databases are."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.url = server.url
        self.made = 0

    async def new_database(self) -> str:
        """A fresh database with all schemas; its administrator's URL."""
        self.made += 1
        name = f"t_{self.made}"
        admin = await asyncpg.connect(self.url("postgres"))
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        finally:
            await admin.close()
        return self.url(name)


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> Place:
    return Place(request.config.stash[SERVER])


class TestShop:
    """The shop of a worker, with shortcuts for tests."""

    __test__ = False

    def __init__(self, shop: Shop, http: httpx.AsyncClient, url: str) -> None:
        self.shop = shop
        self.http = http
        self.url = url
        self._keys: dict[tuple[str, ...], dict[str, str]] = {}

    def actions(self, name: str) -> Any:
        """The live actions of a service."""
        return self.shop.live[name]

    def client(self, contract: type[Any]) -> Any:
        """A client as any peer would have it."""
        return self.shop.client(contract)

    def db(self, name: str) -> Any:
        return self.shop.databases[name]

    async def settle(self) -> None:
        """Run consumers and jobs until nothing is left to do."""
        await self.shop.settle()

    async def staff(self, *permissions: str) -> dict[str, str]:
        """Headers of an API key with these permissions."""
        if permissions not in self._keys:
            secret = await self.actions("auth").create_key(name="tests", permissions=list(permissions))
            self._keys[permissions] = {"authorization": f"Bearer {secret}"}
        return self._keys[permissions]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shop(place: Place, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestShop]:
    """The whole shop in this process, on a database of this worker's own."""
    url = await place.new_database()
    composed = await compose(settings_for(tmp_path_factory.mktemp("home")), url)
    transport = httpx.ASGITransport(app=composed.web(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as http:
        yield TestShop(composed, http, url)
    await composed.close()
