"""Two web processes with one database and one Redis: what one has loaded serves the other, and nothing old ever does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.conftest import settings_for

from sampan.kernel import context
from sampan.kernel.settings import load
from sampan.run import Shop, compose
from sampan.services.catalog.rules import Draft, NewVariant, ProductType
from sampan.services.pricing.contract import NewPrice

if TYPE_CHECKING:
    from tests.kernel.conftest import RedisServer


class Worker:
    """One of the processes: the whole shop, its web side, and the tags that it has dropped."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=shop.web()), base_url="http://shop.test")
        self.dropped: list[str] = []
        self.following: asyncio.Task[None] | None = None
        invalidate = shop.answers.invalidate

        async def noted(tags: Any) -> None:
            tags = list(tags)
            await invalidate(tags)
            self.dropped += tags

        shop.answers.invalidate = noted  # type: ignore[method-assign]

    def follow(self) -> None:
        self.following = asyncio.create_task(self.shop.drop_stale_answers())

    async def price(self, slug: str) -> int:
        answer = await self.http.get(f"/api/v1/products/{slug}")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["variants"][0]["price"]["amount"])

    async def close(self) -> None:
        if self.following is not None:
            self.following.cancel()
            with suppress(asyncio.CancelledError):
                await self.following
        await self.http.aclose()
        await self.shop.close()


class Pair:
    """Two workers on one shelf."""

    def __init__(self, one: Worker, two: Worker, slug: str, variant: UUID) -> None:
        self.one, self.two, self.slug, self.variant = one, two, slug, variant

    async def reprice(self, amount: int) -> None:
        """Set a price and let the shop behind the scenes work it in."""
        await self.one.shop.live["pricing"].set_prices(
            actor=context.SYSTEM, prices=[NewPrice(self.variant, "VN", amount)]
        )
        await self.one.shop.settle()

    async def followed(self, *workers: Worker) -> None:
        """Wait until the workers have heard of the change."""
        await until(lambda: all(f"product:{self.slug}" in worker.dropped for worker in workers))
        for worker in workers:
            worker.dropped.clear()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


@pytest.fixture
async def pair(redis_server: RedisServer, place: Any, tmp_path: Any) -> AsyncIterator[Pair]:
    url = await place.new_database()
    shops = [await compose(settings_for(tmp_path, redis_url=redis_server.url), url) for _ in range(2)]

    def ring(service: str) -> None:
        for shop in shops:
            shop.signals.fire(service)

    for shop in shops:
        shop.ring = ring
        assert shop.redis is not None
        shop.redis._timeout = 5.0  # on a busy machine a slow answer would be a miss, which is not what is tested here
    catalog = shops[0].live["catalog"]
    await catalog.put_type(product_type=ProductType("anything", {"vi": "Đồ", "en": "Things"}, []))
    slug = f"ghe-{uuid4().hex[:8]}"
    made = await catalog.create_product(
        draft=Draft(
            name={"vi": "Ghế", "en": "Stool"},
            product_type="anything",
            variants=[NewVariant(f"GHE-{slug}", grams=400)],
            slugs={"vi": slug, "en": f"{slug}-en"},
            status="published",
        )
    )
    found = Pair(Worker(shops[0]), Worker(shops[1]), slug, made.document.variants[0].id)
    await found.reprice(1000)
    yield found
    await found.one.close()
    await found.two.close()


async def test_one_worker_finds_what_the_other_has_loaded_and_never_what_it_has_dropped(pair: Pair) -> None:
    one, two = pair.one, pair.two
    one.follow()
    await until(lambda: one.shop.ground.news.is_followed)
    assert await one.price(pair.slug) == await two.price(pair.slug) == 1000
    assert two.shop.answers.stats().redis_hits == 1
    english = f"{pair.slug}-en"
    assert await one.price(english) == 1000
    await pair.reprice(2000)
    await pair.followed(one)
    assert await two.price(english) == 2000  # it follows nothing, and asks for this for the first time
    assert two.shop.answers.stats().redis_hits == 1


async def test_shops_that_share_a_redis_do_not_share_answers(tmp_path: Any) -> None:
    names = set()
    for secret in ("a secret of more than 32 characters", "another secret of more than 32 characters"):
        shop = Shop(load({}, home=str(tmp_path), secret=secret), {}, {})
        names.add(shop.answers.name)
        assert secret not in shop.answers.name
        await shop.close()
    assert len(names) == 2


async def test_no_old_price_is_shown_after_its_change_was_followed_whatever_becomes_of_redis(
    pair: Pair, redis_server: RedisServer
) -> None:
    workers = (pair.one, pair.two)
    for worker in workers:
        worker.follow()
    await until(lambda: all(worker.shop.ground.news.is_followed for worker in workers))
    told, stop, seen = 1000, asyncio.Event(), 0

    async def shop(worker: Worker) -> None:
        nonlocal seen
        while not stop.is_set():
            least = told
            assert await worker.price(pair.slug) >= least
            seen += 1
            await asyncio.sleep(0.02)

    shoppers = [asyncio.create_task(shop(worker)) for worker in workers for _ in range(2)]
    for turn in range(1, 10):
        if turn == 4:
            redis_server.stop()
        if turn == 7:
            redis_server.start()
            await until(lambda: not any(worker.shop.redis.is_away for worker in workers))  # type: ignore[union-attr]
        await pair.reprice(1000 + turn)
        await pair.followed(*workers)
        told = 1000 + turn
        for worker in (*workers, *workers):
            assert await worker.price(pair.slug) == told
    stop.set()
    await asyncio.gather(*shoppers)
    assert seen > 50
