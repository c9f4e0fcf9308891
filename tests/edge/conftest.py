"""The world, and the same shop as the public sees it: by HTTPS, with its limits on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from tests.conftest import SECRET
from tests.world import Wire, World, world

from sampan.kernel.settings import load
from sampan.run import compose

__all__ = ["world"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def public(world: World) -> AsyncIterator[Any]:
    """Makes the web side of a new process of the public shop; its limits begin full."""
    [url] = world.shop.pools
    settings = load({}, home=str(world.shop.settings.home), secret=SECRET, pool_size=4, public_url="https://shop.test")
    shop = await compose(settings, url)
    yield lambda: Wire(shop.web())
    await shop.close()
