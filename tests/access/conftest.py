"""A victim whose every word is a canary, and everybody who would like to hear one of them."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from tests.access.actors import CANARIES, Actors, Victim
from tests.world import World, world

from sampan.kernel.logs import JsonLines

__all__ = ["world"]


class Ear(logging.Handler):
    """What the log would say, line by line."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonLines("tests"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="session")
def ear() -> Iterator[Ear]:
    found = Ear()
    logging.getLogger().addHandler(found)
    before = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # as in every process of the shop
    yield found
    logging.getLogger().setLevel(before)
    logging.getLogger().removeHandler(found)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def victim(world: World, ear: Ear) -> AsyncIterator[Victim]:
    found = Victim(world)
    before, world.person = world.person, CANARIES
    await found.live()
    world.person = before
    yield found
    heard = [line for line in ear.lines for word in found.words if word in line]
    assert heard == [], "the log tells of people"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def actors(world: World, victim: Victim) -> Actors:
    found = Actors(world, victim)
    await found.come()
    return found
