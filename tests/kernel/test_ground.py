import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from sampan.kernel.db import DatabaseUnavailable
from sampan.kernel.events import Cursor, Delivered
from sampan.kernel.ids import uuid7
from sampan.services.catalog.contract import ProductChanged


async def test_the_shop_composes_and_settles(shop):
    await shop.settle()


async def test_an_unknown_address_is_a_problem_with_a_request_id(shop):
    answer = await shop.http.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["code"] == "kernel.no_such_address"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


async def test_operators_see_health_and_metrics_and_nobody_sees_them_through_a_proxy(shop):
    assert (await shop.http.get("/health/live")).json() == {"status": "live"}
    assert (await shop.http.get("/health/ready")).json() == {"status": "ready"}
    assert "sampan_requests_total" in (await shop.http.get("/metrics")).text
    proxied = await shop.http.get("/metrics", headers={"x-forwarded-for": "1.2.3.4"})
    assert proxied.status_code == 404


async def test_a_method_that_an_address_does_not_take_is_refused_with_those_it_takes(shop):
    answer = await shop.http.delete("/openapi.json")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    head = await shop.http.head("/openapi.json")
    assert head.status_code == 200
    assert head.content == b""


async def test_every_answer_carries_the_security_headers(shop):
    for path in ("/nowhere", "/openapi.json", "/docs"):
        headers = (await shop.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


async def test_a_long_address_and_long_headers_are_refused(shop):
    assert (await shop.http.get("/" + "a" * 9000)).status_code == 414
    assert (await shop.http.get("/x", headers={"x-long": "a" * 20000})).status_code == 431


async def test_an_unknown_key_is_nobody(shop):
    answer = await shop.http.get("/api/v1/x", headers={"authorization": "Bearer nonsense"})
    assert answer.status_code in (401, 404)
    inside = await shop.http.post(
        "/internal/auth/find_actor", content=b"x", headers={"authorization": "Service forged"}
    )
    assert inside.status_code == 401
    assert (await shop.http.post("/internal/auth/find_actor", content=b"x")).status_code == 404


async def test_the_openapi_document_is_served(shop):
    found = (await shop.http.get("/openapi.json")).json()
    assert found["openapi"] == "3.1.0"
    assert isinstance(shop.http, httpx.AsyncClient)


async def test_what_one_peer_says_leaves_no_cookie_for_the_next_call(shop):
    asked = httpx.Request("POST", "http://orders.test:8000/internal/orders/find_order")
    shop.shop.http.cookies.extract_cookies(httpx.Response(200, headers={"set-cookie": "a=1"}, request=asked))
    assert not list(shop.shop.http.cookies.jar)


WRONG = Delivered(Cursor(1, 1), uuid7(), ProductChanged.name, b"{}", datetime.now(UTC), "", "")


@pytest.mark.parametrize("trouble", [DatabaseUnavailable("away"), TimeoutError(), ValueError("a fault"), WRONG])
async def test_whatever_fails_the_events_are_followed_again(shop, monkeypatch, trouble):
    real = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: real(0))
    begun = 0

    class Feed:
        async def end(self) -> Cursor:
            nonlocal begun
            begun += 1
            return Cursor()

        async def events_after(self, **_: object) -> list[Delivered]:
            if begun == 3:
                await asyncio.Event().wait()
            if isinstance(trouble, Delivered):
                return [trouble]
            raise trouble

    with pytest.raises(TimeoutError):  # it goes on for ever
        async with asyncio.timeout(0.5):
            await shop.shop._follow("catalog", Feed(), {ProductChanged.name: ProductChanged})
    assert begun == 3
