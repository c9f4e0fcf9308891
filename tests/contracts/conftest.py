"""The stage of the contract tests."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from tests.contracts.stage import Stage, staged


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(place: Any, tmp_path_factory: Any) -> AsyncIterator[Stage]:
    async with staged(place, str(tmp_path_factory.mktemp("stage"))) as found:
        yield found
