"""Forwarding, against an upstream on a real socket that writes down what reaches it and answers as a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import pytest_asyncio
from msgspec import Struct

from sampan.kernel.app import Web
from sampan.kernel.cache import Cache
from sampan.kernel.context import Actor
from sampan.kernel.errors import RemoteUnavailable
from sampan.kernel.files import LocalFiles
from sampan.kernel.http import BadRequest, PayloadTooLarge
from sampan.kernel.outbound import Outbound
from sampan.kernel.service import Ground
from sampan.kernel.settings import load
from sampan.run import declared
from sampan.services.gateway.actions import GatewayActions


class Seen(Struct):
    """A request as it arrived."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def saying(raw: bytes) -> Answering:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return answer


async def hanging_up(writer: asyncio.StreamWriter) -> None:
    """The request arrived, and no answer ever comes."""


class Upstream:
    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: list[Answering] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = [(k.lower(), v.strip()) for k, _, v in (line.partition(":") for line in head[1:-2])]
        length = int(next((v for k, v in headers if k == "content-length"), "0"))
        self.seen.append(Seen(head[0], headers, await reader.readexactly(length)))
        answer = self.answers.pop(0) if self.answers else saying(OK)
        await answer(writer)
        writer.close()


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    found = Upstream()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    await server.wait_closed()


@pytest_asyncio.fixture
async def web(upstream: Upstream, tmp_path) -> AsyncIterator[Web]:
    """A gateway alone in its process; catalog, search and storefront are the upstream, locations is where nobody listens."""
    everything = declared(sandbox=True)
    url = f"http://127.0.0.1:{upstream.port}"
    places = {f"SAMPAN_URL_{name.upper()}": url for name in ("catalog", "search", "storefront")}
    settings = load({**places, "SAMPAN_URL_LOCATIONS": "http://127.0.0.1:9"}, home=str(tmp_path))
    ground = Ground(
        settings=settings,
        files=LocalFiles(tmp_path),
        outbound=Outbound(),
        answers=Cache("answers", max_items=10, ttl=1),
        table=[(name, route) for name, service in everything.items() for r in service.routes for route in r],
        local=frozenset({"gateway"}),
    )
    gateway = GatewayActions(None, ground)  # type: ignore[arg-type]  # the gateway has no tables

    async def nobody(token: str) -> Actor | None:
        return None

    yield Web(
        bound=[],
        served={},
        authenticate=nobody,
        limiter=None,
        answers=Cache("test", max_items=10, ttl=60.0),
        fallback=gateway.forward,
        trusted=frozenset({"10.0.0.1"}),
    )
    await gateway.close()


@pytest_asyncio.fixture
async def http(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=web, client=("198.51.100.7", 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        yield client


async def test_a_request_arrives_as_it_was_sent_and_the_answer_comes_back_as_it_was_given(http, upstream):
    body = b'{"answer":42}'
    head = f"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nlocation: /x\r\n"
    upstream.answers = [saying(head.encode() + b'etag: "7"\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n' + body)]
    headers = {"idempotency-key": "key-1", "authorization": "Bearer secret", "accept-language": "en"}
    answer = await http.post("/api/v1/admin/products?q=gh%E1%BA%BF%20tre&q=2", content=b"{ }", headers=headers)
    [seen] = upstream.seen
    assert seen.line == "POST /api/v1/admin/products?q=gh%E1%BA%BF%20tre&q=2 HTTP/1.1"
    assert seen.body == b"{ }"
    assert seen.header("idempotency-key") == ["key-1"]
    assert seen.header("authorization") == ["Bearer secret"]
    assert seen.header("host") == ["shop.test"]
    assert (answer.status_code, answer.content) == (201, body)
    assert (answer.headers["location"], answer.headers["etag"]) == ("/x", '"7"')
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_a_client_cannot_say_where_it_comes_from_or_which_request_it_is(http, upstream):
    forged = {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "forwarded": "for=127.0.0.1",
        "x-real-ip": "127.0.0.1",
        "x-request-id": "forged-request-id",
        "x-deadline": "99999",
        "connection": "keep-alive, x-custom",
        "te": "trailers",
    }
    answer = await http.get("/api/v1/products", headers=forged)
    [seen] = upstream.seen
    assert seen.header("x-forwarded-for") == ["198.51.100.7"]
    assert seen.header("x-forwarded-host") == ["shop.test"]
    assert seen.header("x-request-id") == [answer.headers["x-request-id"]]
    assert answer.headers["x-request-id"] != "forged-request-id"
    for name in ("x-forwarded-proto", "forwarded", "x-real-ip", "x-deadline", "te"):
        assert seen.header(name) == []


async def test_nothing_is_said_in_the_visitors_name(http, upstream):
    """Who names no compression gets none."""
    upstream.answers = [
        saying(b"HTTP/1.1 200 OK\r\nvary: accept-encoding\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000)
    ]
    silent = http.build_request("GET", "/api/v1/products")
    silent.headers.clear()
    silent.headers["host"] = "shop.test"
    answer = await http.send(silent)
    [seen] = upstream.seen
    assert {name for name, _ in seen.headers} == {"host", "x-forwarded-for", "x-forwarded-host", "x-request-id"}
    assert answer.headers.get_list("vary") == ["accept-encoding"]
    assert "content-encoding" not in answer.headers


async def test_a_cookie_of_one_visitor_is_not_sent_for_the_next(web, upstream):
    head = b"HTTP/1.1 200 OK\r\nset-cookie: sampan_cart=secret; Path=/\r\ncontent-length: 2\r\n\r\n{}"
    upstream.answers = [saying(head)]
    for given in ("sampan_cart=secret; Path=/", None):  # each visitor with a browser of their own
        transport = httpx.ASGITransport(app=web, client=("198.51.100.7", 4000))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as visitor:
            assert (await visitor.get("/vi/cart")).headers.get("set-cookie") == given
    assert [seen.header("cookie") for seen in upstream.seen] == [[], []]


async def test_headers_of_the_upstream_connection_are_not_handed_on(http, upstream):
    raw = b"HTTP/1.1 200 OK\r\nserver: secret/1.0\r\nconnection: close\r\nkeep-alive: 5\r\n"
    upstream.answers = [saying(raw + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")]
    answer = await http.get("/api/v1/products")
    assert answer.content == b"abc"
    for name in ("server", "connection", "keep-alive", "transfer-encoding"):
        assert name not in answer.headers
    assert answer.headers["content-length"] == "3"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_read_is_sent_once_more_when_its_answer_was_lost(http, upstream):
    upstream.answers = [hanging_up]
    answer = await http.get("/api/v1/products")
    assert answer.status_code == 200
    assert len(upstream.seen) == 2


async def test_a_read_is_not_sent_a_third_time(http, upstream):
    upstream.answers = [hanging_up, hanging_up]
    answer = await http.get("/api/v1/products")
    assert (answer.status_code, answer.json()["code"]) == (503, RemoteUnavailable.code)
    assert len(upstream.seen) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_whose_answer_was_lost_is_not_sent_again(http, upstream, method):
    upstream.answers = [hanging_up]
    answer = await http.request(method, "/api/v1/admin/products", content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (503, RemoteUnavailable.code)
    assert len(upstream.seen) == 1


async def test_a_service_that_is_away_is_503_and_named(http):
    answer = await http.get("/api/v1/locations/vn/provinces")
    assert answer.status_code == 503
    assert answer.json()["code"] == "kernel.remote_unavailable"
    assert answer.json()["service"] == "locations"


async def test_an_answer_that_breaks_off_is_not_handed_on_as_whole(http, upstream):
    upstream.answers = [saying(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")]
    answer = await http.get("/api/v1/products")
    assert (answer.status_code, answer.json()["service"]) == (503, "search")
    assert len(upstream.seen) == 1


async def test_a_refusal_of_a_service_is_handed_on_as_it_is(http, upstream):
    body = b'{"code":"catalog.version_conflict"}'
    head = f"HTTP/1.1 409 Conflict\r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n\r\n"
    upstream.answers = [saying(head.encode() + body)]
    answer = await http.put("/api/v1/admin/products", content=b"{}")
    assert (answer.status_code, answer.content) == (409, body)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_nobody_serves_is_not_found_and_internal_addresses_are_never_forwarded(http, upstream):
    for path in ("/api/v1/nothing-here", "/internal/catalog/find_variants", "/internal/catalog-feed/end"):
        for headers in ({}, {"authorization": "Service forged"}):
            assert (await http.post(path, headers=headers)).status_code == 404
    assert upstream.seen == []


async def test_an_unknown_page_is_the_storefronts_to_answer(http, upstream):
    await http.get("/vi/khong-co-trang-nay")
    assert [seen.line for seen in upstream.seen] == ["GET /vi/khong-co-trang-nay HTTP/1.1"]


@pytest.mark.parametrize(
    ("path", "most"),
    [("/api/v1/admin/products", 1 << 20), ("/api/v1/admin/products/import", 10 << 20), ("/vi/nothing-here", 1 << 20)],
)
async def test_a_body_beyond_what_its_address_takes_is_refused_at_the_door(http, upstream, path, most):
    answer = await http.post(path, content=b"x" * (most + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, PayloadTooLarge.code)
    assert upstream.seen == []
    assert (await http.post(path, content=b"x" * most)).status_code == 200
    assert [len(seen.body) for seen in upstream.seen] == [most]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (b"/vi/../internal/catalog/find_variants", b""),
        (b"/api/v1/products/..", b""),
        (b"/vi/./cart", b""),
        (b"/vi/%2E%2e/cart", b""),
        (b"@evil.test/", b""),
        (b"/vi/cart", b"q=\x7f"),
    ],
)
async def test_an_address_that_would_arrive_elsewhere_or_nowhere_is_a_bad_request(web, upstream, path, query):
    sent: list[Any] = []
    scope = {
        "type": "http", "method": "GET", "path": unquote(path), "raw_path": path, "query_string": query,
        "headers": [(b"host", b"shop.test")], "client": ("198.51.100.7", 1),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await web(scope, receive, send)
    assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (400, BadRequest.code)
    assert upstream.seen == []


@pytest.mark.parametrize("kind", ["text/event-stream", "text/csv; charset=utf-8"])
async def test_a_long_answer_is_handed_on_piece_by_piece(web, upstream, kind):
    more = asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + b"data: 1\n\n")
        await writer.drain()
        await more.wait()
        writer.write(b"data: 2\n\n")
        await writer.drain()

    upstream.answers = [drip]
    sent: asyncio.Queue[Any] = asyncio.Queue()
    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/products", "raw_path": b"/api/v1/products",
        "query_string": b"", "headers": [(b"host", b"shop.test")], "client": ("198.51.100.7", 1),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    answering = asyncio.create_task(web(scope, receive, sent.put))
    assert (await asyncio.wait_for(sent.get(), 5))["status"] == 200
    assert (await asyncio.wait_for(sent.get(), 5))["body"] == b"data: 1\n\n"
    assert not answering.done()
    more.set()
    assert (await asyncio.wait_for(sent.get(), 5))["body"] == b"data: 2\n\n"
    await asyncio.wait_for(answering, 5)
