"""The world in which everybody acts at once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from tests.conftest import Place
from tests.machines.world import World, open_world
from tests.town import open_town


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(place: Place, tmp_path_factory: Any) -> AsyncIterator[World]:
    home = tmp_path_factory.mktemp("machines")
    async with open_town(await place.new_database(), home) as town:
        opened = await open_world(town, home)
        yield opened
        await opened.there.shop.close()
