"""Routes: what they read, what they refuse, and that a key has one effect."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
import pytest
from msgspec import Meta, Struct
from tests.conftest import SECRET

import sampan
from sampan.kernel import places
from sampan.kernel.app import Bound, Web
from sampan.kernel.cache import Cache
from sampan.kernel.context import Actor
from sampan.kernel.errors import Conflict, NotFound
from sampan.kernel.http import Answer, BadRequest, Request, Routes, bind, html, page, public, redirect, staff
from sampan.kernel.idempotency import Keys
from sampan.kernel.limits import Limit, Limiter


class Note(Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=20)]
    stars: Annotated[int, Meta(ge=1, le=5)] = 5


class Made(Struct, frozen=True):
    id: UUID
    text: str


class Search(Struct, frozen=True):
    q: str = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 24
    attr: dict[str, list[str]] = {}
    stars: Annotated[int, Meta(ge=1, le=5)] | None = None
    word: Annotated[str, Meta(max_length=9)] | None = None


class Sent(Struct):
    text: str = ""


class Notes:
    def __init__(self) -> None:
        self.made = 0
        self.reads = 0
        self.slow = asyncio.Event()
        self.slow.set()


routes = Routes()


@routes.post("/notes", policy=public, status=201, idempotency="required")
async def make_note(notes: Notes, data: Note) -> Made:
    await notes.slow.wait()
    if data.text == "refused":
        raise Conflict("not now")
    notes.made += 1
    return Made(uuid4(), data.text)


@routes.get("/notes/{note_id}", policy=public)
async def get_note(notes: Notes, note_id: UUID) -> Made:
    if note_id.int == 0:
        raise ValueError("a secret of ours: /etc/passwd")
    raise NotFound("no such note")


@routes.get("/notes", policy=public)
async def find_notes(notes: Notes, query: Search) -> Search:
    return query


@routes.get("/kept/{key}", policy=public, cached=lambda request: [f"note:{request.params['key']}"])
async def kept(notes: Notes, key: str, language: str) -> dict[str, object]:
    notes.reads += 1
    return {"reads": notes.reads, "language": language}


@routes.delete("/notes", policy=staff("notes.write"))
async def drop_notes(notes: Notes, actor: Actor) -> None:
    return None


@routes.post("/notes/count", policy=public)
async def count_notes(notes: Notes, data: Note | None) -> dict[str, int]:
    return {"stars": data.stars if data else 0}


@routes.post("/notes/picture", policy=public, takes=("image/png",))
async def take_picture(notes: Notes, request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@routes.get("/few", policy=public, limit=Limit(times=2, seconds=60))
async def few(notes: Notes) -> dict[str, int]:
    return {}


pages = Routes(prefix="")


@pages.get("/form", policy=page)
async def form_page(notes: Notes, request: Request) -> Answer:
    return html("<form>").with_cookie("csrf", "a" * 43, secure=False)


@pages.post("/form", policy=page)
async def send_form(notes: Notes, form: Sent) -> Answer:
    notes.made += 1
    return redirect("/form")


@pytest.fixture
async def web(shop):
    notes = Notes()
    keys = Keys(shop.db("auth"), SECRET)

    async def authenticate(token: str) -> Actor | None:
        found = {"writer": "notes.write", "reader": "notes.read"}.get(token)
        return Actor(kind="staff", id=token, permissions=frozenset({found})) if found else None

    bound = [Bound(route, bind(route, [notes]), keys) for group in (routes, pages) for route in group]
    app = Web(
        bound=bound,
        served={},
        authenticate=authenticate,
        limiter=Limiter(),
        answers=Cache("answers", max_items=100, ttl=60),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://t") as client:
        client.notes, client.web, client.bound = notes, app, bound
        yield client


def key() -> dict[str, str]:
    return {"idempotency-key": uuid4().hex}


async def test_the_same_key_and_request_have_one_effect_and_one_answer(web):
    headers = key()
    first = await web.post("/api/v1/notes", json={"text": "a"}, headers=headers)
    again = await web.post("/api/v1/notes", json={"text": "a"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert web.notes.made == 1


async def test_a_key_with_another_request_is_refused(web):
    headers = key()
    await web.post("/api/v1/notes", json={"text": "a"}, headers=headers)
    other = await web.post("/api/v1/notes", json={"text": "b"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["code"] == "kernel.idempotency_key_reused"


async def test_guests_elsewhere_who_think_of_the_same_key_do_not_get_each_others_answers(web):
    headers = key()
    for address in ("203.0.113.7", "203.0.113.8"):
        transport = httpx.ASGITransport(app=web.web, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as guest:
            for replayed in (None, "true"):
                answer = await guest.post("/api/v1/notes", json={"text": "a"}, headers=headers)
                assert answer.headers.get("idempotency-replayed") == replayed
    assert web.notes.made == 2


async def test_a_key_whose_request_is_under_way_says_so(web):
    headers = key()
    web.notes.slow.clear()
    first = asyncio.create_task(web.post("/api/v1/notes", json={"text": "a"}, headers=headers))
    await asyncio.sleep(0.1)
    second = await web.post("/api/v1/notes", json={"text": "a"}, headers=headers)
    assert second.status_code == 409
    assert second.json()["code"] == "kernel.idempotency_key_in_progress"
    assert second.headers["retry-after"] == "1"
    web.notes.slow.set()
    assert (await first).status_code == 201


async def test_a_hundred_requests_with_one_key_have_one_effect(web, monkeypatch):
    monkeypatch.setattr(places, "ALL", 10_000)  # none is refused for being one too many
    headers = key()
    answers = await asyncio.gather(
        *(web.post("/api/v1/notes", json={"text": "a"}, headers=headers) for _ in range(100))
    )
    assert web.notes.made == 1
    assert {answer.status_code for answer in answers} <= {201, 409}


async def test_a_kept_answer_cannot_be_read_in_the_database_and_comes_back_whole(web, shop):
    headers = key()
    text = "Đào 0912345678"
    first = await web.post("/api/v1/notes", json={"text": text}, headers=headers)
    async with shop.db("auth").read() as tx:
        row = await tx.one(
            bytes,
            "SELECT convert_to(k::text, 'UTF8') FROM auth.idempotency_key k WHERE key = $1",
            headers["idempotency-key"],
        )
        sealed = await tx.one(bytes, "SELECT body FROM auth.idempotency_key WHERE key = $1", headers["idempotency-key"])
    assert first.json()["text"] == text
    for part in (text, "0912345678"):
        assert part.encode() not in row + sealed
    again = await web.post("/api/v1/notes", json={"text": text}, headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]


@pytest.mark.parametrize("what", ["the secret was changed", "the answer was moved", "the answer is empty"])
async def test_an_answer_that_cannot_be_opened_is_refused_and_nothing_is_done_twice(web, shop, what):
    headers, other = key(), key()
    for each in (headers, other):
        await web.post("/api/v1/notes", json={"text": "a"}, headers=each)
    made = web.notes.made
    if what == "the secret was changed":
        later = Keys(shop.db("auth"), SECRET + " of next year")
        for entry in web.bound:
            entry.keys = later
    else:
        source = "NULL" if what == "the answer is empty" else "(SELECT body FROM auth.idempotency_key WHERE key = $2)"
        async with shop.db("auth").begin() as tx:
            await tx.execute(
                f"UPDATE auth.idempotency_key SET body = {source} WHERE key = $1 AND $2 <> key",
                headers["idempotency-key"],
                other["idempotency-key"],
            )
    again = await web.post("/api/v1/notes", json={"text": "a"}, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "kernel.idempotency_answer_gone")
    assert web.notes.made == made
    assert (await web.post("/api/v1/notes", json={"text": "b"}, headers=headers)).status_code == 422


async def test_a_refusal_does_not_burn_the_key(web):
    headers = key()
    assert (await web.post("/api/v1/notes", json={"text": ""}, headers=headers)).status_code == 422
    assert (await web.post("/api/v1/notes", json={"text": "refused"}, headers=headers)).status_code == 409
    assert (await web.post("/api/v1/notes", json={"text": "a"}, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "kernel.idempotency_key_missing"),
        ({"idempotency-key": "short"}, "kernel.idempotency_key_malformed"),
        ({"idempotency-key": "with a space in it"}, "kernel.idempotency_key_malformed"),
        ({"idempotency-key": "x" * 256}, "kernel.idempotency_key_malformed"),
    ],
)
async def test_a_key_is_needed_and_well_formed(web, headers, code):
    answer = await web.post("/api/v1/notes", json={"text": "a"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"text": "a", "owner": "me"}', 422),
        (b'{"text": "a", "stars": 6}', 422),
        (b'{"text": "a", "stars": 1.5}', 422),
        (b'{"text": "a", "text": "b"}', 400),
        (b'{"text": NaN}', 400),
        (b"", 400),
        (b"[" * 100_000, 400),
        (b'{"text": "\\ud800"}', 400),
        (b'{"text": "\\u0000"}', 400),
        (b"\xff\xfe", 400),
        (b"null", 422),
        (b'{"text": "' + b"a" * (1 << 20) + b'"}', 413),
    ],
)
async def test_a_body_that_is_not_what_is_asked_for_is_refused(web, body, status):
    answer = await web.post("/api/v1/notes", content=body, headers={**key(), "content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_of_another_type_is_refused(web):
    answer = await web.post("/api/v1/notes", content=b"text=a", headers={**key(), "content-type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "kernel.unsupported_media_type")


async def test_a_validation_problem_names_the_field(web):
    answer = await web.post("/api/v1/notes", json={"text": "a", "stars": 9}, headers=key())
    assert answer.json()["errors"][0]["field"] == "stars"


async def test_a_malformed_id_is_not_found(web):
    for path in ("/api/v1/notes/7", f"/api/v1/notes/{uuid4()}"):
        assert (await web.get(path)).status_code == 404


async def test_an_unexpected_failure_tells_nothing_of_itself(web):
    answer = await web.get(f"/api/v1/notes/{UUID(int=0)}")
    assert (answer.status_code, answer.json()["code"]) == (500, "kernel.internal")
    assert "passwd" not in answer.text
    assert "ValueError" not in answer.text


async def test_query_parameters_are_known_and_given_once(web):
    found = await web.get("/api/v1/notes?q=gh%E1%BA%BF&limit=5&attr.colour=red&attr.colour=blue")
    assert found.json() == {
        "q": "ghế",
        "limit": 5,
        "attr": {"colour": ["red", "blue"]},
        "stars": None,
        "word": None,
    }
    assert (await web.get("/api/v1/notes?q=a&q=b")).json()["code"] == "kernel.bad_request"
    for wrong in ("?page=2", "?limit=0", "?limit=101", "?limit=x"):
        assert (await web.get(f"/api/v1/notes{wrong}")).status_code == 422
    for wrong in ("?q=%00", "?q=%ff", "?" + "&".join(f"attr.a{i}=1" for i in range(101))):
        assert (await web.get(f"/api/v1/notes{wrong}")).status_code == 400


async def test_staff_routes_say_who_may(web):
    assert (await web.delete("/api/v1/notes")).json()["code"] == "kernel.unauthenticated"
    assert (await web.delete("/api/v1/notes", headers={"authorization": "Bearer nobody"})).status_code == 401
    assert (await web.delete("/api/v1/notes", headers={"authorization": "Basic eDp5"})).status_code == 401
    assert (await web.delete("/api/v1/notes", headers={"authorization": "Bearer reader"})).json()["code"] == (
        "kernel.forbidden"
    )
    assert (await web.delete("/api/v1/notes", headers={"authorization": "Bearer writer"})).status_code == 204


async def test_a_public_answer_is_kept_until_one_of_its_tags_is_dropped(web):
    first = await web.get("/api/v1/kept/a")
    assert (await web.get("/api/v1/kept/a")).json() == first.json()
    assert (await web.get("/api/v1/kept/a", headers={"accept-language": "en"})).json()["language"] == "en"
    assert "accept-language" in first.headers["vary"]
    assert "set-cookie" not in first.headers
    await web.web.answers.invalidate(["note:a"])
    assert (await web.get("/api/v1/kept/a")).json()["reads"] > first.json()["reads"]


async def test_an_id_in_an_address_has_one_spelling(web):
    plain = uuid4().hex
    for odd in (plain, f"{{{plain}}}", f"urn:uuid:{plain}", plain[:-2] + "_1", plain[:-1] + "%D9%A1"):
        answer = await web.get(f"/api/v1/notes/{odd}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "there is nothing at this address")


async def test_the_word_null_is_not_nothing(web):
    for wrong in ("?stars=null", "?stars=NULL", "?stars="):
        answer = await web.get(f"/api/v1/notes{wrong}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "stars"), wrong
    assert (await web.get("/api/v1/notes?word=null")).json()["word"] == "null"


async def test_a_body_that_may_be_left_out_is_checked_when_it_comes(web):
    sent = {"content-type": "application/json"}
    assert (await web.post("/api/v1/notes/count")).json() == {"stars": 0}
    assert (await web.post("/api/v1/notes/count", json={"text": "a", "stars": 3})).json() == {"stars": 3}
    assert (await web.post("/api/v1/notes/count", content=b"null", headers=sent)).status_code == 422
    assert (await web.post("/api/v1/notes/count", json={"text": "a", "more": 1})).status_code == 422
    assert (await web.post("/api/v1/notes/count", content=b"{}")).status_code == 415


async def test_a_file_is_of_a_type_that_is_taken(web):
    for kind, status in (
        ("image/png", 200),
        ("IMAGE/PNG; a=b", 200),
        ("image/pngx", 415),
        ("text/html", 415),
        ("", 415),
    ):
        answer = await web.post("/api/v1/notes/picture", content=b"12345", headers={"content-type": kind})
        assert answer.status_code == status, kind


async def test_an_empty_key_is_not_taken_for_none(web):
    for path, given in (("/notes", ""), ("/notes/count", "")):
        answer = await web.post(f"/api/v1{path}", json={"text": "a"}, headers={"idempotency-key": given})
        assert (answer.status_code, answer.json()["code"]) == (400, "kernel.idempotency_key_malformed")
    assert web.notes.made == 0


async def test_who_asks_too_often_has_to_wait(web):
    answers = [await web.get("/api/v1/few") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) >= 1
    assert answers[2].json()["code"] == "kernel.too_many_requests"


async def test_a_form_of_another_site_is_refused_and_needs_the_visitors_token(web):
    token = "a" * 43
    form = {"text": "x", "_csrf": token}
    own = {"cookie": f"csrf={token}"}
    assert (await web.post("/form", data=form)).status_code == 403  # no cookie
    assert (await web.post("/form", data={"text": "x"}, headers=own)).status_code == 403
    assert (await web.post("/form", data={"text": "x", "_csrf": "b" * 43}, headers=own)).status_code == 403
    assert (await web.post("/form", data=form, headers={**own, "sec-fetch-site": "cross-site"})).status_code == 403
    assert (await web.post("/form", data=form, headers={**own, "origin": "http://evil"})).status_code == 403
    assert web.notes.made == 0
    assert (await web.post("/form", data=form, headers={**own, "origin": "http://t"})).status_code == 303
    header = {**own, "x-csrf-token": token, "sec-fetch-site": "same-origin"}
    assert (await web.post("/form", data={"text": "x"}, headers=header)).status_code == 303
    assert web.notes.made == 2


def test_redirects_go_to_our_own_paths_only():
    assert redirect("/a?b=c").status == 303
    for path in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/a\r\nx: y", ""):
        with pytest.raises(ValueError, match="our own paths"):
            redirect(path)


def test_cookies_in_production_are_locked_to_the_host():
    value = Answer().with_cookie("cart", "x", secure=True).headers[0][1].decode()
    assert value.startswith("__Host-cart=x;")
    assert all(part in value for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert json.dumps(value)


def request(*headers: tuple[bytes, bytes], **scope: Any) -> Request:
    async def nothing() -> Any:
        raise AssertionError("there is no body")

    return Request({"type": "http", "method": "GET", "path": "/", "headers": list(headers), **scope}, nothing)


def test_of_what_there_is_one_there_are_not_two():
    """Two of them would be read one way here and another way by somebody in between."""
    for name in (b"authorization", b"host", b"content-type", b"idempotency-key", b"x-cart-token", b"x-csrf-token"):
        with pytest.raises(BadRequest):
            request((name, b"a"), (name, b"b")).header("accept")
    several = request((b"accept", b"a"), (b"cookie", b"a=1"), (b"accept", b"b"), (b"cookie", b"b=2"))
    assert several.header("accept") == "a, b"
    assert (several.cookie("a"), several.cookie("b")) == ("1", "2")  # as HTTP/2 sends them


def test_only_what_a_script_of_ours_wrote_may_lack_the_prefix():
    both = ((b"cookie", b"cart=neighbour; theme=dark; __Host-theme=x; __Host-cart=ours"),)
    assert request(*both, **{"sampan.secure": True}).cookie("cart") == "ours"
    assert request(*both, **{"sampan.secure": False}).cookie("cart") == "neighbour"
    assert request(*both, **{"sampan.secure": True}).cookie("theme", ours=False) == "dark"
    assert request((b"cookie", b"cart=neighbour"), **{"sampan.secure": True}).cookie("cart") == ""


@pytest.mark.parametrize(
    ("client", "address"),
    [("203.0.113.7", "203.0.113.7"), ("2001:db8::/64", "2001:db8::"), ("unknown", "127.0.0.1"), ("", "127.0.0.1")],
)
def test_providers_are_told_the_address_that_the_edge_worked_out(client: str, address: str):
    assert request(**{"sampan.client": client, "client": ("10.0.0.1", 1)}).client_ip == address


def test_pages_and_the_api_ask_for_it_in_one_way():
    """Behind a proxy the socket's address is the proxy's."""
    for path in (Path(sampan.__file__).parent / "services").rglob("*.py"):
        assert 'scope.get("client")' not in path.read_text(), path
