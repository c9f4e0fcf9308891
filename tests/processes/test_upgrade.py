"""From the former version to this one: its data folder is taken over, and both run side by side for a while."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from tests.journeys.conftest import Merchant, Shopper
from tests.processes.conftest import House, eventually

from sampan.kernel.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True).stdout


def former_commit() -> str:
    """The newest release before this commit; before there is one, what came before the newest migration."""
    try:
        tags = git("tag", "--merged", "HEAD^", "--list", "v*", "--sort=-creatordate").decode().split()
        if tags:
            return tags[0]
        changed = git("rev-list", "-1", "--first-parent", "HEAD", "--", "src/**/migrations/*.sql").decode().strip()
        return git("rev-parse", "--verify", f"{changed}^1").decode().strip()
    except (OSError, subprocess.CalledProcessError) as failure:
        pytest.skip(f"the former version is not in this checkout: {failure}")


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The former version's source, as a PYTHONPATH."""
    folder = tmp_path_factory.mktemp("former")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=git("archive", former_commit(), "src"), check=True)
    return str(folder / "src")


async def buy(house: House, key: str) -> Shopper:
    async with httpx.AsyncClient(base_url=house.url, timeout=20, trust_env=False) as http:
        product = await Merchant(http, key).product()
        shopper = Shopper(http)
        await shopper.fill(product)
        await shopper.checkout("cod")
        shopper.order["slug"] = product["slug"]
        return shopper


async def pages(house: House, shopper: Shopper) -> dict[str, int]:
    """The status of what people read."""
    order = shopper.order
    paths = ["/", "/en", f"/p/{order['slug']}", "/cart", "/orders/lookup", "/api/v1/products", "/api/v1/categories"]
    paths += [f"/api/v1/products/{order['slug']}", f"/api/v1/orders/{order['id']}", "/openapi.json", "/health/ready"]
    async with httpx.AsyncClient(base_url=house.url, timeout=20, trust_env=False) as http:
        answers = [await http.get(path, headers=shopper.headers) for path in paths]
    return {path: answer.status_code for path, answer in zip(paths, answers, strict=True)}


async def seen(house: House, shopper: Shopper) -> Any:
    async with httpx.AsyncClient(base_url=house.url, timeout=20, trust_env=False) as http:
        shopper.http = http
        return await shopper.see()


async def worked_on(house: House, key: str, shopper: Shopper) -> None:
    async with httpx.AsyncClient(base_url=house.url, timeout=20, trust_env=False) as http:
        await Merchant(http, key).work_order(shopper.order["id"])


async def readers(house: House, source: str) -> set[str]:
    """Who told a service how far it has read its events."""
    connection = await asyncpg.connect(EmbeddedPostgres(house.home / "postgres").url())
    try:
        return {row[0] for row in await connection.fetch(f"SELECT name FROM {source}.reader")}
    finally:
        await connection.close()


def test_a_data_folder_of_the_former_version_is_taken_over_and_both_run_together(former, tmp_path):
    secret = uuid4().hex
    home = tmp_path / "home"
    old = House(home, PYTHONPATH=former, SAMPAN_SECRET=secret)
    new = House(home, SAMPAN_SECRET=secret)
    beside = House(tmp_path / "beside", PYTHONPATH=former, SAMPAN_SECRET=secret)
    try:
        old.start()
        key = old.command("key", "create", "tests", "--permissions", "all").stdout.strip()
        before = asyncio.run(buy(old, key))
        number = before.order["number"]
        assert old.stop() < 30

        new.start()  # its migrations are applied
        assert asyncio.run(seen(new, before))["number"] == number
        asyncio.run(worked_on(new, key, before))
        eventually(lambda: asyncio.run(readers(new, "orders")) == {"fulfillment", "notifications", "search"}, 10)
        # A rolling update: the former version goes on over the new tables.
        beside.environment["SAMPAN_DATABASE_URL"] = EmbeddedPostgres(home / "postgres").url()
        beside.start()
        for house, other in ((beside, new), (new, beside)):
            order = asyncio.run(buy(house, key))
            assert asyncio.run(seen(other, order))["number"] == order.order["number"]
            asyncio.run(worked_on(other, key, order))
            statuses = asyncio.run(pages(beside, order))
            assert all(status < 500 for status in statuses.values()), statuses
            assert statuses[f"/api/v1/orders/{order.order['id']}"] == 200
        assert beside.stop() < 30
        done = eventually(lambda: new.command("invariants"), 5)
        assert json.loads(done.stdout) == {"ok": True, "violations": {}}
        assert new.stop() < 30
    finally:
        for house in (beside, new, old):
            house.end_all()
        shutil.rmtree(home, ignore_errors=True)
