"""A shop that lives on while other processes of it are killed."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from tests.conftest import Place
from tests.faults.stories import Facts
from tests.town import Town, open_town


class Stage:
    """Plays stories in processes that die. See stage.py."""

    def __init__(self, program: asyncio.subprocess.Process, town: Town, home: Path) -> None:
        self.program = program
        self.town = town
        self.home = home
        self.played = 0

    async def play(self, story: str, facts: Facts, dies_at: list[Any] | None = None) -> tuple[int, list[Any]]:
        """How the process ended (-9: killed), and what it told before: its points, or the answers that it got."""
        self.played += 1
        report = self.home / f"{self.played}.jsonl"
        order = {
            "story": story,
            "facts": facts,
            "dies_at": dies_at,
            "report": str(report),
            "home": str(self.home),
            "database": self.town.shop.url,
            "bank": self.town.url,
        }
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(json.dumps(order).encode() + b"\n")
        code = int(await asyncio.wait_for(self.program.stdout.readline(), 60))
        told = [json.loads(line) for line in report.read_text().splitlines()]
        report.unlink()
        return code, told


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(place: Place, tmp_path_factory: Any) -> AsyncIterator[Town]:
    async with open_town(await place.new_database(), tmp_path_factory.mktemp("town")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(town: Town, tmp_path_factory: Any) -> AsyncIterator[Stage]:
    home = tmp_path_factory.mktemp("stage")
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.stage", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    yield Stage(program, town, home)
    assert program.stdin is not None
    program.stdin.close()
    await asyncio.wait_for(program.wait(), 10)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def no_faults(request: Any) -> AsyncIterator[None]:
    """A fault of the bank ends with its test."""
    yield
    if "town" in request.fixturenames:
        await request.getfixturevalue("town").bank.clear_faults()
