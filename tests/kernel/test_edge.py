"""The edge, as clients meet it: too much, too long, too many, not like that."""

import asyncio
import re
import time
from typing import Any

import httpx
import pytest

from sampan.kernel import app, places
from sampan.kernel.app import Bound, HeadersTooLarge, UriTooLong, Web
from sampan.kernel.cache import Cache
from sampan.kernel.context import Actor
from sampan.kernel.errors import ShopError
from sampan.kernel.http import Answer, MethodNotAllowed, PayloadTooLarge, Request, Routes, bind, html, public
from sampan.kernel.limits import Limit, Limiter
from sampan.kernel.places import Overloaded


async def nobody(token: str) -> Actor | None:
    return None


class Room:
    """A service of these tests whose work lasts as long as a test wants."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.working = 0
        self.begun: list[str] = []
        self.heavy = 0.01  # seconds for which a heavy piece of work lets nobody else come to anything


def web_of(room: Room) -> Web:
    routes = Routes()

    @routes.get("/slow", policy=public)
    @routes.get("/cart/slow", policy=public)
    @routes.get("/orders/slow", policy=public)
    async def slow(room: Room) -> None:
        room.working += 1
        await room.go.wait()

    @routes.get("/heavy/{name}", policy=public)
    @routes.get("/cart/heavy/{name}", policy=public)
    async def heavy(room: Room, name: str) -> None:
        room.begun.append(name)
        time.sleep(room.heavy)

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


PERSON = {"user-agent": "Mozilla/5.0 (Linux; Android 14)", "accept": "text/html"}


async def test_what_is_more_than_a_process_can_do_is_refused_at_once_bots_first_and_orders_last(http, room):
    asked = []

    async def fill(share: float) -> None:
        """So much of what may be under way is under way."""
        while len(asked) < share * places.ALL:
            asked.append(asyncio.create_task(http.get("/api/v1/orders/slow")))
        while room.working < len(asked):
            await asyncio.sleep(0.01)

    async def refused() -> list[str]:
        """Which of them are refused now; the others are let in and wait."""
        found = []
        tries = {
            "bot": ("/slow", {"user-agent": "Googlebot/2.1"}),
            "browse": ("/slow", PERSON),
            "cart": ("/cart/slow", PERSON),
            "order": ("/orders/slow", PERSON),
        }
        for name, (path, headers) in tries.items():
            task = asyncio.create_task(http.get("/api/v1" + path, headers=headers))
            done, _ = await asyncio.wait([task], timeout=0.1)
            if done:
                answer = task.result()
                assert (answer.status_code, answer.json()["code"]) == (503, Overloaded.code)
                assert answer.headers["retry-after"] == "1"
                found.append(name)
            else:
                asked.append(task)
        return found

    assert await refused() == []
    await fill(places.FIRST_REFUSED)
    assert await refused() == ["bot"]
    await fill(places.BROWSING)
    assert await refused() == ["bot", "browse"]
    await fill(places.CART)
    assert await refused() == ["bot", "browse", "cart"]
    await fill(places.ORDERING)
    assert await refused() == ["bot", "browse", "cart", "order"]
    assert (await http.get("/health/live")).status_code == 204
    for path, words in (("/c/ghe", "đông"), ("/en/c/ghe", "busy")):
        page = await http.get(path, headers=PERSON)
        assert (page.status_code, page.headers["retry-after"]) == (503, "5")
        assert words in page.text
        assert 'http-equiv="refresh"' in page.text
        form = await http.post(f"{path}/checkout/place", headers=PERSON)
        assert form.status_code == 503
        assert words in form.text
        assert "refresh" not in form.text  # there is nothing to look at where a form goes
    room.go.set()
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {204}
    assert (await http.get("/api/v1/slow")).status_code == 204


def heavy(http: httpx.AsyncClient, count: int) -> list[asyncio.Task[httpx.Response]]:
    """So many who look for something heavy, all at the same moment."""
    return [asyncio.create_task(http.get(f"/api/v1/heavy/{number}", headers=PERSON)) for number in range(count)]


async def statuses(asked: list[asyncio.Task[httpx.Response]]) -> list[int]:
    return [answer.status_code for answer in await asyncio.gather(*asked)]


async def test_those_who_look_begin_one_after_the_other_and_nobody_else_waits_for_them(http, room):
    asked = heavy(http, 10)
    asked.append(asyncio.create_task(http.get("/api/v1/cart/heavy/cart", headers=PERSON)))
    assert await statuses(asked) == [204] * 11
    assert room.begun.index("cart") <= 1
    assert [name for name in room.begun if name != "cart"] == [str(number) for number in range(10)]


async def test_who_waits_for_something_else_keeps_nobody_from_beginning(http, room):
    asked = [asyncio.create_task(http.get("/api/v1/slow", headers=PERSON)) for _ in range(10)]
    await asyncio.sleep(0.1)
    assert room.working == 10
    room.go.set()
    assert await statuses(asked) == [204] * 10


async def test_whose_turn_does_not_come_is_refused_and_takes_nobody_elses(http, room, monkeypatch):
    monkeypatch.setattr(places, "PATIENCE", 0.05)
    found = await statuses(heavy(http, 30))
    assert set(found) == {204, 503}
    assert found == sorted(found)  # who came first had the first turns
    assert await statuses(heavy(http, 3)) == [204] * 3


async def test_a_loop_that_stood_still_has_nobody_refused_for_it(http, room, monkeypatch):
    monkeypatch.setattr(places, "PATIENCE", 0.2)
    room.heavy = 0.3  # as when another program has the CPUs
    assert await statuses(heavy(http, 4)) == [204] * 4


async def test_who_goes_away_leaves_a_turn_to_others(http, room):
    asked = heavy(http, 5)
    while not room.begun:
        await asyncio.sleep(0)
    asked[2].cancel()
    assert await statuses(asked[:2] + asked[3:]) == [204] * 4
    assert room.begun == ["0", "1", "3", "4"]
    assert await statuses(heavy(http, 1)) == [204]


async def test_who_exceeds_the_limit_of_all_requests_gets_a_page_that_costs_nothing():
    routes, shown = Routes(prefix=""), []

    @routes.get("/seldom", policy=public, limit=Limit(times=1, seconds=3600))
    async def seldom() -> None:
        return None

    async def dear(request: Request, error: ShopError) -> Answer:
        shown.append(error)
        return html("the shop's own", status=error.status)

    web = Web(
        bound=[Bound(route, bind(route, []), None) for route in routes],
        served={},
        authenticate=nobody,
        limiter=Limiter(clock=lambda: 0.0),
        answers=Cache("test", max_items=10, ttl=60.0),
        pages=dear,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=web), base_url="http://shop.test") as http:
        assert [(await http.get("/seldom", headers=PERSON)).status_code for _ in range(2)] == [204, 429]
        assert len(shown) == 1  # the limit of a route
        for _ in range(app.EVERYONE.capacity):
            problem = await http.get("/api/v1/nothing")
        assert problem.status_code == 429
        for path, language, words in (("/seldom", "vi", "Nhanh quá"), ("/en/nothing", "en", "a little fast")):
            page = await http.get(path, headers=PERSON)
            assert page.status_code == 429
            for name in ("retry-after", "ratelimit", "ratelimit-policy", "cache-control"):
                assert page.headers[name] == problem.headers[name]
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert f'<html lang="{language}">' in page.text
            assert words in page.text
            assert 'http-equiv="refresh"' in page.text
            assert "refresh" not in (await http.post(path, headers=PERSON)).text
    assert len(shown) == 1


BY = ["203.0.113.7", "10.0.5.1"]  # a client, and the balancer in front of the proxy that asks us


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ({"10.0.0.0/8"}, "10.0.7.2", BY, BY[0]),
        ({"10.0.7.2", "10.0.5.1"}, "10.0.7.2", BY, BY[0]),
        ({"10.0.7.2"}, "10.0.7.2", BY, "10.0.5.1"),
        ({"10.0.0.0/8"}, "10.0.7.2", ["198.51.100.1", *BY], BY[0]),  # the first was written by the client
        ({"10.0.0.0/8"}, "::ffff:10.0.7.2", BY, BY[0]),
        ({"fd00::/8"}, "fd00::7", ["2001:db8:1:2::3"], "2001:db8:1:2::/64"),
        ({"10.0.0.0/8"}, "198.51.100.1", BY, "198.51.100.1"),  # a stranger's word
        (set(), "10.0.7.2", BY, "10.0.7.2"),
        ({"10.0.0.0/8"}, "10.0.7.2", [], "10.0.7.2"),
    ],
)
async def test_the_client_is_the_first_on_the_way_that_is_none_of_our_proxies(trusted, peer, forwarded, client):
    """Many shoppers behind one balancer are many, and not one who asks too often."""
    routes = Routes(prefix="")

    @routes.get("/who", policy=public)
    async def who(actor: Actor) -> Answer:
        return html(actor.address)

    web = Web(
        bound=[Bound(route, bind(route, []), None) for route in routes],
        served={},
        authenticate=nobody,
        limiter=None,
        answers=Cache("test", max_items=10, ttl=60.0),
        trusted=frozenset(trusted),
    )
    sent = [("x-forwarded-for", ", ".join(forwarded))] if forwarded else []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=web, client=(peer, 5000)), base_url="http://s"
    ) as http:
        assert (await http.get("/who", headers=sent)).text == client
        if forwarded:
            lines = [("x-forwarded-for", each) for each in forwarded]
            assert (await http.get("/who", headers=lines)).text == client


@pytest.mark.parametrize("page", [*app.BUSY.values(), *app.TOO_FAST.values()])
def test_a_page_made_without_any_work_fits_the_policy_and_the_screen_of_a_phone(page):
    text = page.decode()
    assert '<meta name="viewport" content="width=device-width">' in text
    assert '<meta charset="utf-8">' in text
    assert not re.search(r"<(style|script|link|img)|\s(style|on\w+)=|//", text)


async def test_who_sends_slowly_takes_no_place_from_those_who_are_worked_for(http, room):
    async def drop_by_drop():
        yield b"{"
        await room.go.wait()
        yield b"}"

    slow = [asyncio.create_task(http.post("/api/v1/letters", content=drop_by_drop())) for _ in range(places.ALL)]
    await asyncio.sleep(0.1)
    bot = asyncio.create_task(http.get("/api/v1/slow", headers={"user-agent": "Googlebot/2.1"}))
    await asyncio.wait([bot], timeout=0.1)
    assert not bot.done()  # let in
    room.go.set()
    assert {answer.status_code for answer in await asyncio.gather(bot, *slow)} == {204}


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
