import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from sampan.kernel import context
from sampan.kernel.outbound import (
    AddressRefused,
    AnswerTooLarge,
    Bounds,
    Outbound,
    PublicAddressOnly,
    Unavailable,
    UnknownOutcome,
    is_public,
)

QUICK = Bounds(connect=0.5, read=0.5, total=2, failures=3, pause=0.2, backoff=0.01)
Behave = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """An HTTP server whose every answer is one step of a script; the last step is repeated."""

    def __init__(self, *script: bytes | Behave) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                for line in request.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        request += await reader.readexactly(int(line.split(b":")[1]))
                self.requests.append(request)
                step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await step(request, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def reply(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def hang_up(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
    raise ConnectionResetError


async def be_silent(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


@asynccontextmanager
async def serving(*script: bytes | Behave) -> AsyncIterator[Server]:
    server = Server(*script)
    listener = await asyncio.start_server(server, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    outbound = Outbound(guard=PublicAddressOnly(also=["127.0.0.1/32"]))
    yield outbound
    await outbound.close()


async def test_an_answer_comes_back_whatever_its_status(outbound: Outbound) -> None:
    async with serving(reply(200, b'{"a":1}', x_test="yes"), reply(404, b"no")) as server:
        dependency = outbound.dependency("shop", QUICK)
        answer = await dependency.get(server.url + "/a?b=c", params={"d": "é"})
        assert (answer.status, answer.ok, answer.json(), answer.headers["X-Test"]) == (
            200,
            True,
            {"a": 1},
            "yes",
        )
        assert server.requests[0].startswith(b"GET /a?b=c&d=%C3%A9 HTTP/1.1\r\n")
        missing = await dependency.get(server.url)
        assert (missing.status, missing.ok, missing.text()) == (404, False, "no")


async def test_bodies_are_json_forms_or_bytes(outbound: Outbound) -> None:
    async with serving(reply()) as server:
        dependency = outbound.dependency("shop", QUICK)
        await dependency.post(server.url, json={"tên": 1})
        await dependency.post(server.url, form={"a": "b c", "d": "&"})
        await dependency.post(server.url, content=b"raw", headers={"Content-Type": "text/xml"})
    bodies = [request.partition(b"\r\n\r\n") for request in server.requests]
    assert bodies[0][2] == '{"tên":1}'.encode()
    assert b"application/json" in bodies[0][0]
    assert bodies[1][2] == b"a=b+c&d=%26"
    assert b"application/x-www-form-urlencoded" in bodies[1][0]
    assert bodies[2][2] == b"raw"
    assert b"text/xml" in bodies[2][0]


async def test_cookies_are_not_kept_and_redirects_not_followed(outbound: Outbound) -> None:
    async with serving(reply(302, location="/elsewhere", set_cookie="id=1; Path=/"), reply()) as server:
        dependency = outbound.dependency("shop", QUICK)
        assert (await dependency.get(server.url)).status == 302
        await dependency.get(server.url)
    assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()


async def test_an_answer_that_is_not_json_leaves_the_outcome_unknown(outbound: Outbound) -> None:
    async with serving(reply(200, b"<html>")) as server:
        answer = await outbound.dependency("shop", QUICK).post(server.url)
        with pytest.raises(UnknownOutcome):
            answer.json()


# --- what a failure means


async def test_where_nobody_listens_nothing_was_done(outbound: Outbound) -> None:
    with pytest.raises(Unavailable) as refused:
        await outbound.dependency("shop", QUICK).post("http://127.0.0.1:1/pay")
    assert refused.value.facts == {"dependency": "shop"}
    assert refused.value.status == 503


async def test_after_the_request_was_sent_the_outcome_is_unknown(outbound: Outbound) -> None:
    for behaviour in (
        hang_up,
        be_silent,
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"nonsense\r\n\r\n",
    ):
        async with serving(behaviour) as server:
            with pytest.raises(UnknownOutcome) as refused:
                await outbound.dependency(str(id(server)), QUICK).post(server.url, json={})
            assert refused.value.status == 502
            assert len(server.requests) == 1


async def test_a_safe_call_that_fails_changed_nothing(outbound: Outbound) -> None:
    async with serving(hang_up) as server:
        with pytest.raises(Unavailable):
            await outbound.dependency("shop", QUICK).get(server.url)


async def test_slow_drops_do_not_prolong_the_total_time(outbound: Outbound) -> None:
    async def drip(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(drip) as server:
        start = time.monotonic()
        with pytest.raises(UnknownOutcome):
            await outbound.dependency("shop", Bounds(total=0.4, read=0.3)).post(server.url)
        assert time.monotonic() - start < 1


async def test_the_deadline_of_the_work_is_kept(outbound: Outbound) -> None:
    async with serving(be_silent) as server:
        dependency = outbound.dependency("shop", Bounds())
        start = time.monotonic()
        with pytest.raises(UnknownOutcome):
            await dependency.post(server.url, deadline=time.monotonic() + 0.3)
        with context.working_as(context.SYSTEM, seconds=0.3), pytest.raises(UnknownOutcome):
            await dependency.post(server.url)
        assert time.monotonic() - start < 2
        with pytest.raises(Unavailable):  # too late to begin
            await dependency.post(server.url, deadline=time.monotonic() - 1)
        assert len(server.requests) == 2
        assert dependency.stats().breaker == "closed"


async def test_a_caller_without_time_does_not_open_the_breaker(outbound: Outbound) -> None:
    async with serving(be_silent) as server:
        dependency = outbound.dependency("shop", QUICK)
        for _ in range(5):
            with pytest.raises((UnknownOutcome, Unavailable)):
                await dependency.post(server.url, deadline=time.monotonic() + 0.05)
        assert dependency.stats().breaker == "closed"


# --- size


async def test_an_answer_beyond_the_limit_is_refused(outbound: Outbound) -> None:
    async with serving(reply(200, b"x" * 2000)) as server:
        dependency = outbound.dependency("shop", QUICK)
        with pytest.raises(AnswerTooLarge):
            await dependency.get(server.url, max_bytes=1999)
        assert len((await dependency.get(server.url, max_bytes=2000)).body) == 2000


async def test_a_small_compressed_answer_cannot_become_a_huge_one(outbound: Outbound) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    honest = gzip.compress(b'{"a":1}')
    async with serving(
        reply(200, bomb, content_encoding="gzip"),
        reply(200, honest, content_encoding="gzip"),
        reply(200, honest[:-9], content_encoding="gzip"),
        reply(200, b"not gzip", content_encoding="gzip"),
        reply(200, b"x", content_encoding="br"),
    ) as server:
        dependency = outbound.dependency("shop", Bounds(max_bytes=100_000))
        with pytest.raises(AnswerTooLarge):
            await dependency.post(server.url)
        assert (await dependency.post(server.url)).json() == {"a": 1}
        for _ in range(3):
            with pytest.raises(UnknownOutcome):
                await dependency.post(server.url)


# --- trying again


async def test_only_safe_and_keyed_calls_are_tried_again(outbound: Outbound) -> None:
    async with serving(reply(503)) as server:
        assert (await outbound.dependency("plain", QUICK).post(server.url)).status == 503
        assert len(server.requests) == 1
    async with serving(reply(503), reply(200)) as server:
        assert (await outbound.dependency("safe", QUICK).get(server.url)).status == 200
        assert len(server.requests) == 2
    async with serving(hang_up, reply(200)) as server:
        answer = await outbound.dependency("keyed", QUICK).post(server.url, idempotency_key="k1")
        assert answer.status == 200
        assert len(server.requests) == 2
        assert all(b"Idempotency-Key: k1\r\n" in request for request in server.requests)


async def test_other_answers_are_not_asked_for_again(outbound: Outbound) -> None:
    for status in (200, 302, 400, 404, 409, 500):
        async with serving(reply(status)) as server:
            assert (await outbound.dependency(str(status), QUICK).get(server.url)).status == status
            assert len(server.requests) == 1


async def test_retries_stay_below_a_tenth_of_the_calls(outbound: Outbound) -> None:
    async with serving(reply(429)) as server:
        dependency = outbound.dependency("shop", QUICK)
        for _ in range(200):
            await dependency.get(server.url)
        extra = len(server.requests) - 200
        assert 10 <= extra <= 21
        assert dependency.stats().retries == extra


async def test_an_unknown_outcome_is_not_forgotten_over_a_retry(outbound: Outbound) -> None:
    async with serving(hang_up, reply(429)) as server:
        with pytest.raises(UnknownOutcome):
            await outbound.dependency("shop", QUICK).post(server.url, idempotency_key="k1")
        assert len(server.requests) == 2


async def test_the_wish_to_wait_is_respected(outbound: Outbound) -> None:
    async with serving(reply(503, retry_after="1"), reply(200)) as server:
        start = time.monotonic()
        assert (await outbound.dependency("shop", QUICK).get(server.url)).status == 200
        assert time.monotonic() - start >= 1
    async with serving(reply(503, retry_after="100"), reply(200)) as server:
        assert (await outbound.dependency("other", QUICK).get(server.url)).status == 503


# --- breaker and concurrency


async def test_a_dependency_that_fails_is_left_alone_and_then_asked_once(outbound: Outbound) -> None:
    async with serving(*[reply(500)] * 3, reply(200)) as server:
        dependency = outbound.dependency("shop", QUICK)
        for _ in range(3):
            assert (await dependency.post(server.url)).status == 500
        for _ in range(10):
            with pytest.raises(Unavailable, match="left alone"):
                await dependency.post(server.url)
        assert len(server.requests) == 3
        assert dependency.stats().breaker == "open"
        await asyncio.sleep(0.25)
        answers = await asyncio.gather(*(dependency.post(server.url) for _ in range(5)), return_exceptions=True)
        assert sum(not isinstance(answer, Exception) for answer in answers) == 1
        assert (await dependency.post(server.url)).status == 200
        assert outbound.stats()["shop"].breaker == "closed"


async def test_refusals_of_single_requests_do_not_open_the_breaker(outbound: Outbound) -> None:
    async with serving(reply(422)) as server:
        dependency = outbound.dependency("shop", QUICK)
        for _ in range(10):
            assert (await dependency.post(server.url)).status == 422


async def test_a_cancelled_probe_lets_the_next_one_pass(outbound: Outbound) -> None:
    async with serving(*[reply(500)] * 3, be_silent, reply(200)) as server:
        dependency = outbound.dependency("shop", QUICK)
        for _ in range(3):
            await dependency.post(server.url)
        await asyncio.sleep(0.25)
        probe = asyncio.create_task(dependency.post(server.url))
        await asyncio.sleep(0.05)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert (await dependency.post(server.url)).status == 200


async def test_one_slow_dependency_does_not_take_all_places(outbound: Outbound) -> None:
    running = most = 0

    async def count(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        writer.write(reply())

    async with serving(count) as server:
        dependency = outbound.dependency("shop", Bounds(concurrency=3))
        await asyncio.gather(*(dependency.get(server.url) for _ in range(12)))
        assert most == 3
    async with serving(be_silent) as server:
        dependency = outbound.dependency("stuck", Bounds(concurrency=1, read=0.5, total=0.5))
        first = asyncio.create_task(dependency.post(server.url))
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable, match="no time left"):
            await dependency.post(server.url, deadline=time.monotonic() + 0.1)
        with pytest.raises(UnknownOutcome):
            await first
        assert len(server.requests) == 1


def test_a_name_is_one_dependency() -> None:
    outbound = Outbound()
    assert outbound.dependency("a") is outbound.dependency("a")
    for number in range(1500):
        outbound.supplied(f"https://h{number}.example/x")
    assert len(outbound._supplied) == 1000
    assert outbound.supplied("https://H1499.example/y") is outbound.supplied("http://h1499.example:80/")


async def test_a_muted_shop_asks_nobody() -> None:
    outbound = Outbound(guard=PublicAddressOnly(also=["127.0.0.1/32"]), muted=True)
    async with serving(reply()) as server:
        for dependency in (outbound.dependency("bank"), outbound.supplied(server.url)):
            with pytest.raises(Unavailable, match="muted"):
                await dependency.post(server.url, idempotency_key="k")
        assert server.connections == 0
    assert outbound.stats()["bank"].refused == 1
    await outbound.close()


# --- supplied addresses


PRIVATE = """
    0.0.0.0 127.0.0.1 127.1.2.3 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200
    192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
    168.63.129.16 192.88.99.1 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 fe80::1 fe80::1%eth0 fc00::1
    fd00:ec2::254 ff02::1 2001:db8::1 2002:7f00:1::1 2001:0:7f00:1::1 64:ff9b::7f00:1 64:ff9b:1::1 100::1
    fec0::1 localhost 1 0x7f000001 3fff::1 2001:1::1
"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_no_private_address_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "203.113.131.1", "2606:4700::1111", "2001:ee0::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def resolving(*addresses: str) -> PublicAddressOnly:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return PublicAddressOnly(resolve=resolve)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "//shop.example/",
        "shop.example",
        "https://user:password@shop.example/",
        "https://user@shop.example/",
        "https://shop.example:8443/",
        "http://shop.example:22/",
        "http:///path",
        "http://\x00/",
    ],
)
async def test_only_plain_web_addresses_are_accepted(url: str) -> None:
    with pytest.raises(AddressRefused):
        await resolving("1.1.1.1").address_of(url)


@pytest.mark.parametrize("url", ["http://shop.example/", "https://shop.example:443/x", "https://shop.example:80/"])
async def test_a_public_name_is_pinned_to_its_address(url: str) -> None:
    assert await resolving("1.1.1.1", "2606:4700::1").address_of(url) == "1.1.1.1"


async def test_a_name_with_any_private_address_is_refused() -> None:
    for addresses in (["10.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::1", "1.1.1.1"]):
        with pytest.raises(AddressRefused):
            await resolving(*addresses).address_of("https://shop.example/")
    with pytest.raises(Unavailable):
        await resolving().address_of("https://shop.example/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://localhost/",
        "http://[::1]/",
    ],
)
async def test_every_way_to_write_this_machine_is_refused(url: str) -> None:
    with pytest.raises((AddressRefused, Unavailable)):
        await PublicAddressOnly().address_of(url)


async def test_a_supplied_address_is_reached_at_the_address_that_was_checked(outbound: Outbound) -> None:
    async with serving(reply(200, b"picture")) as server:
        port = int(server.url.rpartition(":")[2])
        asked: list[str] = []

        async def resolve(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

        outbound = Outbound(guard=PublicAddressOnly(also=["127.0.0.1/32"], resolve=resolve))
        url = f"http://shop.example:{port}/a.png"
        assert (await outbound.supplied(url).get(url)).body == b"picture"
        assert f"Host: shop.example:{port}\r\n".encode() in server.requests[0]
        with pytest.raises(AddressRefused):  # now the name leads inside
            await outbound.supplied(url).get(url)
        assert len(server.requests) == 1
        await outbound.close()


async def test_pinned_connections_are_not_shared(outbound: Outbound) -> None:
    async with serving(reply()) as server:
        for _ in range(3):
            await outbound.supplied(server.url).get(server.url)
        assert server.connections == 3
        for _ in range(3):
            await outbound.dependency("named").get(server.url)
        assert server.connections == 4


async def test_a_supplied_address_inside_is_not_reached() -> None:
    async with serving(reply()) as server:
        outbound = Outbound()
        with pytest.raises(AddressRefused):
            await outbound.supplied(server.url).get(server.url)
        assert server.connections == 0
        await outbound.close()
