"""A real nginx before the real shop: what comes through, and what does not."""

import asyncio
import contextlib
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.catalog.conftest import FURNITURE, a_draft
from tests.gateway.test_edge import SETTINGS, TABLE, of
from tests.serving import free_port

from sampan.services.gateway.edge import nginx
from sampan.services.gateway.edge.plan import plan_for


class Upstream:
    """The shop behind a socket; it remembers what arrived."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.http = httpx.AsyncClient(transport=transport, base_url="http://shop.test")
        self.seen: list[tuple[str, dict[str, str]]] = []

    async def serve(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        head = (await reading.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        pairs = [(k.lower(), v.strip()) for k, _, v in (line.partition(":") for line in head[1:-2])]
        headers = dict(pairs)
        assert len(headers) == len(pairs)
        self.seen.append((f"{method} {path}", headers))
        body = await reading.readexactly(int(headers.get("content-length", "0")))
        try:
            answer = await self.http.request(method, path, headers=pairs, content=body)
        except ConnectionError:  # hang up, which not every Python 3.11 does by itself
            writing.close()
            return
        lines = [
            f"{name}: {value}"
            for name, value in answer.headers.items()
            if name not in ("content-length", "content-encoding")
        ]
        content = answer.content
        top = "\r\n".join(
            [f"HTTP/1.1 {answer.status_code} X", *lines, f"content-length: {len(content)}", "connection: close"]
        )
        writing.write(top.encode("latin-1") + b"\r\n\r\n" + content)
        await writing.drain()
        writing.close()


NGINX = """
daemon off; master_process off; pid {home}/pid; error_log {home}/log; events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    include {home}/sampan.conf;
}}
"""


def needs_nginx() -> None:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed here")


def configured(home: Path, text: str) -> list[str]:
    (home / "sampan.conf").write_text(text)
    (home / "nginx.conf").write_text(NGINX.format(home=home))
    return ["nginx", "-p", str(home), "-e", str(home / "log"), "-c", str(home / "nginx.conf")]


@pytest.mark.parametrize("names", [None, ("catalog", "search"), ("catalog",), ("storefront", "orders")])
def test_nginx_takes_the_configuration(tmp_path: Path, names: tuple[str, ...] | None) -> None:
    needs_nginx()
    table = [(service, route) for service, route in TABLE if names is None or service in names]
    table += [("orders", of("/o/{id}/a.b")), ("catalog", of("/o/{id}/b"))] if names is None else []
    text = nginx.render(plan_for(table, SETTINGS, to="https://127.0.0.1:9"), listen="127.0.0.1:8099")
    done = subprocess.run([*configured(tmp_path, text), "-t"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
async def upstream(shop: Any) -> AsyncIterator[tuple[Upstream, int]]:
    web = shop.shop.web()
    web.trusted = frozenset({"127.0.0.1"})
    found = Upstream(httpx.ASGITransport(app=web, client=("127.0.0.1", 1)))
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    yield found, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    await found.http.aclose()


@contextlib.asynccontextmanager
async def afloat(home: Path, to: str) -> AsyncIterator[httpx.AsyncClient]:
    """A running nginx before a shop at this address."""
    needs_nginx()
    port = free_port()
    text = nginx.render(plan_for(TABLE, SETTINGS, to=to), listen=f"127.0.0.1:{port}")
    process = subprocess.Popen(configured(home, text))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            for _ in range(200):
                with contextlib.suppress(httpx.TransportError):
                    await client.get("/metrics")
                    break
                assert process.poll() is None, (home / "log").read_text()
                await asyncio.sleep(0.02)
            yield client
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
async def edge(upstream: tuple[Upstream, int], tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with afloat(tmp_path, f"http://127.0.0.1:{upstream[1]}") as client:
        yield client


@pytest.fixture
def seen(upstream: tuple[Upstream, int]) -> Iterator[list[tuple[str, dict[str, str]]]]:
    return upstream[0].seen  # type: ignore[return-value]


async def test_a_product_is_shown_through_the_edge(edge: httpx.AsyncClient, shop: Any, seen: Any) -> None:
    catalog = shop.actions("catalog")
    await catalog.put_type(product_type=FURNITURE)
    made = await catalog.create_product(draft=a_draft())
    await shop.settle()
    answer = await edge.get(f"/api/v1/products/{made.slug}?market=VN", headers={"accept-language": "en"})
    assert (answer.status_code, answer.json()["name"]) == (200, made.draft.name["en"])
    page = await edge.get(f"/p/{made.slug}")
    assert page.status_code == 200
    assert made.draft.name["vi"] in page.text
    assert len(answer.headers.get_list("x-request-id")) == 1
    line, headers = seen[0]
    assert line == f"GET /api/v1/products/{made.slug}?market=VN"
    assert headers["x-request-id"] == answer.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert headers["host"] == edge.base_url.netloc.decode()


async def test_what_is_not_public_is_refused_in_every_spelling(edge: httpx.AsyncClient, seen: Any) -> None:
    for path in ("/internal/catalog/find_variants", "/internal", "/metrics", "/health/live", "/health/ready", "//internal/catalog/x",
                 "/%69nternal/catalog/x", "/a/../internal/catalog/x", "/x/%2e%2e/metrics", "/./metrics", "/api/v1/nothing"):  # fmt: skip
        url = edge.base_url.copy_with(raw_path=path.encode())  # as it is written here
        answer = await edge.send(httpx.Request("POST", url))
        assert (answer.status_code, answer.json()["code"]) == (404, "kernel.no_such_address"), path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert seen == []


async def test_nothing_forged_comes_through(edge: httpx.AsyncClient, seen: Any) -> None:
    forged = {
        "x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9", "x-real-ip": "203.0.113.9", "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https", "x-request-id": "forged-request-id", "x-deadline": "9999",
    }  # fmt: skip
    for token in ("Service forged", "service x", "Service"):
        answer = await edge.get("/api/v1/categories", headers={**forged, "authorization": token})
        assert answer.status_code == 200
        assert answer.headers["x-request-id"] != "forged-request-id"
        _, headers = seen.pop()
        assert headers["x-forwarded-for"] == "127.0.0.1"
        assert (
            not {"authorization", "forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-proto", "x-deadline"}
            & headers.keys()
        )
    await edge.get("/api/v1/categories", headers={"authorization": "Bearer Service"})
    assert seen.pop()[1]["authorization"] == "Bearer Service"


async def test_bodies_are_as_large_as_their_routes_take(edge: httpx.AsyncClient, shop: Any, seen: Any) -> None:
    writer = await shop.staff("catalog.write")
    large = b"handle,sku\r\n" + b"a,b\r\n" * 300_000
    answer = await edge.post(
        "/api/v1/admin/products/import", content=large, headers={**writer, "content-type": "text/csv"}
    )
    assert (answer.status_code, answer.json()["reason"]) == (422, "long")
    seen.clear()
    for path, size in (
        ("/api/v1/admin/products", (1 << 20) + 1),
        ("/api/v1/admin/products/import", (10 << 20) + 1),
        ("/csp-report", 20_000),
    ):
        answer = await edge.post(path, content=b"x" * size, headers=writer)
        assert (answer.status_code, answer.json()["code"]) == (413, "kernel.payload_too_large")
    assert seen == []


async def test_an_address_that_asks_too_much_has_to_wait(tmp_path: Path) -> None:
    async with afloat(tmp_path, "http://127.0.0.1:9") as edge:  # nobody is there, so that the answers come fast
        reading, writing = await asyncio.open_connection("127.0.0.1", edge.base_url.port)
        request = b"GET /api/v1/categories HTTP/1.%d\r\nhost: x\r\n\r\n"
        writing.write(request % 1 * 990 + request % 0)
        answers = await asyncio.wait_for(reading.read(), 20)
        writing.close()
    statuses = re.findall(rb"HTTP/1.1 (\d+) ", answers)
    assert len(statuses) == 991
    assert statuses[:600] == [b"503"] * 600
    assert b"429" in statuses
    refused = answers[answers.index(b"HTTP/1.1 429") :]
    assert b"Retry-After: 1\r\n" in refused.partition(b"\r\n\r\n")[0]
    assert b'"code":"kernel.too_many_requests"' in refused


async def test_a_shop_that_does_not_answer_is_a_problem_with_a_request_id(
    edge: httpx.AsyncClient, upstream: Any, monkeypatch: Any
) -> None:
    async def gone(*arguments: Any, **more: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(upstream[0].http, "request", gone)
    answer = await edge.get("/api/v1/categories")
    assert answer.status_code == 503
    assert (answer.json()["code"], answer.headers["retry-after"]) == ("kernel.remote_unavailable", "2")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
