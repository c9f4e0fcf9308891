"""Bytes that no client library would send, over a socket, to the server that really runs.

What two readers could understand apart is refused or ends the connection: nothing after it is taken for a request.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.serving import served
from tests.world import World

from sampan import server
from sampan.kernel import http

HEAD = b"Host: shop.test\r\n"
CART = b"POST /api/v1/carts HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\n"
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n"


class Line:
    """A socket to the server."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def say(self, *pieces: bytes, seconds: float = 0.6, end: bool = False) -> bytes:
        """All that comes back until the server closes or says nothing more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        found = b""
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if end:
                writer.write_eof()
            while chunk := await asyncio.wait_for(reader.read(65536), seconds):
                found += chunk
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
        return found

    async def lives(self) -> None:
        assert (await self.say(b"GET /robots.txt HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")).startswith(
            b"HTTP/1.1 200"
        )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def line(world: World) -> AsyncIterator[Line]:
    async with served(world.shop.web()) as port:
        found = Line(port)
        await found.lives()
        yield found
        await found.lives()


def statuses(said: bytes) -> list[int]:
    return [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


AMBIGUOUS = {
    "two lengths": CART + b"Content-Length: 2\r\nContent-Length: 60\r\n\r\n{}" + HIDDEN,
    "a list of lengths": CART + b"Content-Length: 2, 60\r\n\r\n{}" + HIDDEN,
    "a negative length": CART + b"Content-Length: -1\r\n\r\n{}" + HIDDEN,
    "a length with a sign": CART + b"Content-Length: +2\r\n\r\n{}" + HIDDEN,
    "a hexadecimal length": CART + b"Content-Length: 0x2\r\n\r\n{}" + HIDDEN,
    "a length beyond 64 bits": CART + b"Content-Length: 99999999999999999999999\r\n\r\n{}" + HIDDEN,
    "an unknown transfer coding": CART + b"Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "chunked before identity": CART + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two transfer encodings": CART + b"Transfer-Encoding: identity\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a blank before the colon": CART + b"Content-Length : 60\r\n\r\n{}" + HIDDEN,
    "a folded header": CART + b"X-Fold: a\r\n Content-Length: 2\r\n\r\n" + HIDDEN,
    "a header without a colon": CART + b"Content-Length\r\n\r\n" + HIDDEN,
    "NUL in a header": CART + b"X-Nul: a\x00b\r\n\r\n" + HIDDEN,
    "a bare carriage return": CART + b"X-Cr: a\rContent-Length: 60\r\n\r\n" + HIDDEN,
    "a chunk of negative size": CART + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a chunk size that overflows": CART + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n" + HIDDEN,
    "a chunk without its end": CART + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n" + HIDDEN,
    "a chunk size of letters": CART + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a blank in the request line": b"GET /a b HTTP/1.1\r\n" + HEAD + b"\r\n" + HIDDEN,
    "a tab in the method": b"GE\tT / HTTP/1.1\r\n" + HEAD + b"\r\n" + HIDDEN,
    "another version": b"GET / HTTP/9.9\r\n" + HEAD + b"\r\n" + HIDDEN,
    "no version": b"GET /\r\n" + HIDDEN,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n" + HIDDEN,
    "zeros": b"\x00" * 500 + b"\r\n\r\n" + HIDDEN,
    "NUL in the address": b"GET /\x00 HTTP/1.1\r\n" + HEAD + b"\r\n" + HIDDEN,
    "letters beyond ASCII in a name": CART + "Contënt-Length: 2\r\n\r\n{}".encode() + HIDDEN,
}


@pytest.mark.parametrize("how", AMBIGUOUS)
async def test_what_can_be_read_in_two_ways_hides_no_request(line: Line, how: str) -> None:
    said = await line.say(AMBIGUOUS[how])
    found = statuses(said)
    assert len(found) <= 1, said[-300:]
    assert all(400 <= status < 500 for status in found) or not found, said[:300]
    assert b"smuggled" not in said
    await line.lives()


async def test_a_length_beside_chunks_hides_no_request(line: Line) -> None:
    """RFC 9112, 6.3: the chunks count. Where the length would end, no other request begins."""
    body = b"0\r\n\r\n"
    said = await line.say(
        CART + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % (len(body) + len(HIDDEN)) + body + HIDDEN
    )
    assert 400 <= statuses(said)[0] < 500
    assert len(statuses(said)) == 1, said[-300:]


async def test_two_hosts_are_none(line: Line) -> None:
    said = await line.say(b"GET / HTTP/1.1\r\nHost: shop.test\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert statuses(said) == [400]


async def test_a_request_without_a_host_is_answered_or_refused(line: Line) -> None:
    for version in (b"1.0", b"1.1"):
        said = await line.say(b"GET /robots.txt HTTP/" + version + b"\r\nConnection: close\r\n\r\n")
        assert said[9:12] in (b"200", b"400"), said[:100]


async def test_an_address_has_at_most_8_kib_as_it_is_written(line: Line) -> None:
    for path in (b"/" + b"a" * 8200, b"/" + b"%61" * 2800, b"/x?q=" + b"%20" * 2800):
        said = await line.say(b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
        assert statuses(said) == [414], said[:100]


async def test_headers_have_at_most_16_kib(line: Line) -> None:
    for headers in (
        b"X-Long: " + b"a" * 17_000 + b"\r\n",
        b"".join(b"X-%d: %s\r\n" % (n, b"a" * 300) for n in range(70)),
    ):
        said = await line.say(b"GET / HTTP/1.1\r\n" + HEAD + headers + b"Connection: close\r\n\r\n")
        assert statuses(said) == [431], said[:100]
    for headers in (b"X-Long: " + b"a" * 3_000_000 + b"\r\n", b"".join(b"X-%d: a\r\n" % n for n in range(5000))):
        said = await line.say(b"GET / HTTP/1.1\r\n" + HEAD + headers + b"Connection: close\r\n\r\n")
        assert statuses(said) in ([431], []), said[:100]
    await line.lives()


async def test_a_body_beyond_the_limit_is_refused_before_it_was_read(line: Line) -> None:
    said = await line.say(CART + b"Content-Length: 5000000\r\n\r\n{")
    assert statuses(said) == [413], said[:100]
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    said = await line.say(CART + b"Transfer-Encoding: chunked\r\n\r\n", *[piece] * 40)
    assert statuses(said) in ([413], []), said[:100]  # it may hang up while we still talk
    await line.lives()


async def test_a_body_that_dribbles_in_ends_in_time(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(http, "BODY_RATE", 1 << 30)
    said = await line.say(CART + b"Content-Length: 20\r\n\r\n{", seconds=3)
    assert statuses(said) == [408], said[:100]
    assert b"kernel.request_timeout" in said


async def test_a_client_that_goes_away_half_way_is_nobodys_error(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    await line.say(CART + b"Content-Length: 20\r\n\r\n{", end=True, seconds=0.3)
    await line.say(CART + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", end=True, seconds=0.3)
    await line.lives()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def ends(port: int, *pieces: bytes) -> bytes:
    """All that the server says until it hangs up, which it does although we would go on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\n" + HEAD, b"GET /robots.txt HTTP/1.1\r\n" + HEAD + b"\r\nGET"]
)
async def test_who_does_not_say_what_he_wants_is_hung_up_on(
    line: Line, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    assert statuses(await ends(line.port, said)) == ([200] if b"robots" in said else [])


async def test_a_head_that_comes_in_pieces_has_its_time_from_the_beginning(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    writer.write(b"GET / HTTP/1.1\r\n" + HEAD)
    with pytest.raises(ConnectionError):
        for number in range(200):
            writer.write(b"X-%d: a\r\n" % number)
            await writer.drain()
            await asyncio.sleep(0.05)
    writer.close()
    assert number < 100


async def test_who_says_nothing_but_empty_lines_is_hung_up_on(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    for _ in range(2):  # a few of them stand before a request and are nobody's business
        writer.write(b"HEAD /robots.txt HTTP/1.1\r\n" + HEAD + b"\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.2)
    with pytest.raises(ConnectionError):
        for _ in range(200):
            writer.write(b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)
    writer.close()


async def test_a_head_without_an_end_is_not_read_to_the_end_of_days(line: Line) -> None:
    assert await ends(line.port, b"GET / HTTP/1.1\r\n" + HEAD, *[b"X-Long: " + b"a" * 30_000 + b"\r\n"] * 20) == b""
    assert await ends(line.port, b"GET /" + b"a" * 30_000, *[b"a" * 30_000] * 20) == b""


async def test_who_was_answered_already_does_not_go_on_for_long(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REST_SECONDS", 0.3)
    assert statuses(await ends(line.port, CART + b"Content-Length: 5000000\r\n\r\n{")) == [413]


async def test_a_body_that_came_to_its_end_leaves_the_connection_open(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "REST_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    writer.write(CART + b"Content-Length: 3000000\r\n\r\n{")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413")
    writer.write(b" " * 2_999_999)
    await writer.drain()
    await asyncio.sleep(0.6)
    writer.write(b"GET /robots.txt HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
    assert b"HTTP/1.1 200" in await asyncio.wait_for(reader.read(), 10)
    writer.close()


async def test_requests_that_come_together_are_answered_in_their_order(line: Line) -> None:
    paths = (b"/robots.txt", b"/nothing-here", b"/api/v1/products?limit=1", b"/robots.txt")
    asked = b"".join(b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"\r\n" for path in paths)
    said = await line.say(asked[:-30], asked[-30:], seconds=2)
    assert statuses(said) == [200, 404, 200, 200]
    said = await line.say(
        CART + b"Content-Length: 2\r\n\r\n{}" + HIDDEN.replace(b"/smuggled", b"/robots.txt"), seconds=2
    )
    assert statuses(said) == [201, 200]


async def test_nothing_is_unpacked(line: Line) -> None:
    bomb = gzip.compress(b" " * 20_000_000)
    said = await line.say(CART + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb, seconds=2)
    assert statuses(said) == [415], said[:200]


async def test_methods_are_what_they_say(line: Line) -> None:
    override = b"X-HTTP-Method-Override: DELETE\r\nX-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\n"
    said = await line.say(CART + override + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    assert statuses(said) == [201]
    for method in (b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"X" * 300):
        said = await line.say(
            method + b" /robots.txt HTTP/1.1\r\n" + HEAD + b"X-Canary: 4711\r\nConnection: close\r\n\r\n"
        )
        assert all(400 <= status < 500 for status in statuses(said)), said[:100]
        assert b"4711" not in said


async def test_no_other_protocol_is_spoken(line: Line) -> None:
    for upgrade in (b"websocket", b"h2c", b"TLS/1.0"):
        said = await line.say(
            b"GET /robots.txt HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert statuses(said) == [200], said[:100]
        again = await ends(
            line.port,
            b"GET /robots.txt HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n",
        )
        assert b"connection: close" in again


@pytest.mark.parametrize(
    "path",
    [b"/", b"/en", b"/cart", b"/orders/lookup", b"/nothing-here", b"/robots.txt", b"/sitemap.xml", b"/openapi.json",
     b"/checkout", b"/api/v1/payments/vnpay/return", b"/orders/last", b"/search?q=x"],
)  # fmt: skip
async def test_links_and_redirects_do_not_follow_the_host_of_the_request(line: Line, path: bytes) -> None:
    for request in (
        b"GET " + path + b" HTTP/1.1\r\nHost: evil.example\r\n",
        b"GET " + path + b" HTTP/1.1\r\nHost: shop.test:80@evil.example\r\n",
        b"GET http://evil.example" + path + b" HTTP/1.1\r\nHost: shop.test\r\n",
        b"GET " + path + b" HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Host: evil.example\r\nX-Host: evil.example\r\n"
        b"Forwarded: host=evil.example\r\nX-Original-URL: //evil.example\r\nX-Forwarded-Prefix: //evil.example\r\n",
    ):
        said = await line.say(request + b"Connection: close\r\nAccept: text/html\r\n\r\n", seconds=3)
        assert statuses(said)[0] < 500, said[:200]
        assert b"evil.example" not in said


@pytest.mark.parametrize("path", [b"//evil.example/x", b"/en//evil.example/x", b"/en/%5Cevil.example", b"/%5C%5Cevil.example",
                                  b"/en/%2F%2Fevil.example", b"/en/%2F/evil.example"])  # fmt: skip
async def test_an_address_that_looks_like_a_site_leads_nowhere_else(line: Line, path: bytes) -> None:
    said = await line.say(
        b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"Connection: close\r\nAccept: text/html\r\n\r\n", seconds=3
    )
    assert statuses(said) == [404]
    for start in (b'"//', b'"/\\', b'"/%5c/', b"'//"):
        assert start + b"evil" not in said
