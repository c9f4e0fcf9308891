"""Search: what is found."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from tests.contracts.examples.catalog import product
from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table

from sampan.kernel.errors import Invalid, NotFound
from sampan.services.search.contract import IndexUnavailable, Search

table = Table(Search)


async def found_by_name(stage: Stage) -> Any:
    """A product that is for sale and in the index."""
    made = await product(stage)
    await stage.stall.reprice(made.document.variants[0].id, 85_000)
    await stage.shop.settle()
    return made.document


def without_index(stage: Stage) -> Any:
    """The index cannot be read meanwhile."""

    @asynccontextmanager
    async def hidden() -> AsyncIterator[None]:
        folder = stage.shop.settings.home / "search"
        away = folder.with_name("search-away")
        folder.rename(away)
        try:
            yield
        finally:
            away.rename(folder)

    return hidden


@table.answers("find_for")
async def by_words(stage: Stage) -> Call:
    document = await found_by_name(stage)
    return Call({"q": document.name["vi"], "limit": 5}, lambda found: document.id in [card.id for card in found.items])


@table.answers("find_for")
async def everything_newest_first(stage: Stage) -> Call:
    document = await found_by_name(stage)
    return Call({"sort": "newest", "limit": 1}, lambda found: [card.id for card in found.items] == [document.id])


@table.refuses("find_for", NotFound)
async def in_no_category(stage: Stage) -> Call:
    return Call({"category": f"khong-{uuid4().hex}"})


@table.refuses("find_for", Invalid)
async def with_a_cursor_that_is_none(stage: Stage) -> Call:
    return Call({"cursor": "!"})


@table.refuses("find_for", IndexUnavailable)
async def by_words_without_an_index(stage: Stage) -> Call:
    await found_by_name(stage)
    return Call({"q": "ghế"}, within=without_index(stage))


@table.answers("suggestions_for")
async def while_somebody_types(stage: Stage) -> Call:
    document = await found_by_name(stage)
    return Call(
        {"q": document.name["vi"], "language": "vi"}, lambda found: document.id in [p.id for p in found.products]
    )


@table.refuses("suggestions_for", IndexUnavailable)
async def while_there_is_no_index(stage: Stage) -> Call:
    await found_by_name(stage)
    return Call({"q": "gh"}, within=without_index(stage))
