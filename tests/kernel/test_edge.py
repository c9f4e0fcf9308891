"""The edge, as clients meet it: too much, too long, too many, not like that."""

import asyncio
from typing import Any

import httpx
import pytest

from sampan.kernel import app
from sampan.kernel.app import Bound, HeadersTooLarge, Overloaded, UriTooLong, Web
from sampan.kernel.cache import Cache
from sampan.kernel.context import Actor
from sampan.kernel.http import MethodNotAllowed, PayloadTooLarge, Request, Routes, bind, public
from sampan.kernel.limits import Limiter


async def nobody(token: str) -> Actor | None:
    return None


class Room:
    """A service of these tests whose work lasts as long as a test wants."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.working = 0


def web_of(room: Room) -> Web:
    routes = Routes()

    @routes.get("/slow", policy=public)
    async def slow(room: Room) -> None:
        room.working += 1
        await room.go.wait()

    @routes.post("/letters", policy=public, body_limit=1000, idempotency="none")
    async def letters(request: Request) -> None:
        await request.body()

    @routes.get("/health/live", policy=public)
    async def live() -> None:
        return None

    bound = [Bound(route, bind(route, [room]), None) for route in routes]
    health = Routes(prefix="")
    health.get("/health/live", policy=public)(live)
    bound += [Bound(route, bind(route, []), None) for route in health]
    answers = Cache("test", max_items=10, ttl=60.0)
    return Web(bound=bound, served={}, authenticate=nobody, limiter=None, answers=answers)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def http(room: Room) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=web_of(room)), base_url="http://shop.test")


async def test_what_is_more_than_a_process_can_do_is_refused_at_once_and_health_still_answers(http, room):
    asked = [asyncio.create_task(http.get("/api/v1/slow")) for _ in range(app.IN_FLIGHT)]
    while room.working < app.IN_FLIGHT:
        await asyncio.sleep(0.01)
    refused = await asyncio.wait_for(http.get("/api/v1/slow"), 2)
    assert (refused.status_code, refused.json()["code"]) == (503, Overloaded.code)
    assert refused.headers["retry-after"] == "1"
    assert (await http.get("/health/live")).status_code == 204
    room.go.set()
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {204}
    assert (await http.get("/api/v1/slow")).status_code == 204


async def test_an_address_has_at_most_8_kib(http):
    assert (await http.get("/" + "a" * 8191)).status_code == 404
    for long in ("/" + "a" * 8192, "/x?q=" + "a" * 8190):
        answer = await http.get(long)
        assert (answer.status_code, answer.json()["code"]) == (414, UriTooLong.code)


async def test_headers_have_at_most_16_kib_together(http):
    assert (await http.get("/x", headers={"x-long": "a" * 15000})).status_code == 404
    answer = await http.get("/x", headers={f"x-{number}": "a" * 100 for number in range(200)})
    assert (answer.status_code, answer.json()["code"]) == (431, HeadersTooLarge.code)


async def test_a_body_beyond_the_limit_is_refused_whether_it_says_its_length_or_not(http):
    async def pieces() -> Any:
        for _ in range(3):
            yield b"x" * 400

    assert (await http.post("/api/v1/letters", content=b"x" * 1000)).status_code == 204
    for body in (b"x" * 1001, pieces()):
        answer = await http.post("/api/v1/letters", content=body)
        assert (answer.status_code, answer.json()["code"]) == (413, PayloadTooLarge.code)


async def test_a_method_that_an_address_does_not_take_is_named_with_those_it_takes(http):
    answer = await http.put("/api/v1/letters")
    assert (answer.status_code, answer.json()["code"]) == (405, MethodNotAllowed.code)
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert (await http.options("/api/v1/letters")).headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("token", ["Service anything", "Service", "service x"])
async def test_a_stranger_who_says_he_is_a_service_is_limited_and_cannot_name_his_request(room, token):
    web = web_of(room)
    web.limiter = Limiter(clock=lambda: 0.0)
    headers = {"authorization": token, "x-request-id": "forged-request-id"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=web), base_url="http://shop.test") as http:
        for _ in range(app.EVERYONE.capacity):
            answer = await http.get("/api/v1/nothing", headers=headers)
            assert answer.headers["x-request-id"] != "forged-request-id"
        assert (await http.get("/api/v1/nothing", headers=headers)).status_code == 429
