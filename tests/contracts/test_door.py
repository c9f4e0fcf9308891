"""The door for peers, `POST /internal/<service>/<method>`: who gets in, and what they may say."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from tests.contracts.stage import Stage

from sampan.kernel import context
from sampan.kernel.context import Actor
from sampan.kernel.errors import Forbidden, Unauthenticated
from sampan.kernel.identity import LIFETIME, Identity
from sampan.kernel.ids import uuid7
from sampan.services.auth.contract import Auth
from sampan.services.fulfillment.contract import Fulfillment, WorkOrderFilter
from sampan.services.inventory.contract import Delivery, Inventory

NOBODY = msgspec.msgpack.encode({"token": "nobody"})


class Door:
    """Knocks, with whatever one likes in the hand."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def note(self, audience: str = "auth", identity: Identity | None = None, actor: Actor = context.ANONYMOUS) -> str:
        return (identity or self.stage.shop.identity).note(caller="tests", audience=audience, actor=actor)

    async def knock(
        self,
        path: str = "auth/find_actor",
        body: bytes = NOBODY,
        *,
        note: str | None = None,
        method: str = "POST",
        **headers: str,
    ) -> httpx.Response:
        given = self.note(path.partition("/")[0]) if note is None else note
        if given:
            headers["authorization"] = f"Service {given}"
        return await self.stage.http.request(method, f"/internal/{path}", content=body, headers=headers)


def unbuffered(stage: Stage) -> httpx.AsyncClient:
    """Straight to the application, so that one sees what it reads of a body."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=stage.web), base_url="http://shop.test")


@pytest.fixture
def door(stage: Stage) -> Door:
    return Door(stage)


def refusal(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/msgpack"
    found: dict[str, Any] = msgspec.msgpack.decode(answer.content)
    assert found["status"] == answer.status_code
    return found


async def test_a_peer_with_its_identity_gets_in(door: Door) -> None:
    answer = await door.knock()
    assert (answer.status_code, msgspec.msgpack.decode(answer.content)) == (200, None)


@pytest.mark.parametrize("audience", ["orders", "auth-feed", "", "Auth"])
async def test_an_identity_for_another_service_is_refused(door: Door, audience: str) -> None:
    answer = await door.knock(note=door.note(audience))
    assert (answer.status_code, refusal(answer)["code"]) == (401, "kernel.unauthenticated")


async def test_an_identity_of_another_fleet_is_refused(door: Door) -> None:
    forged = door.note(identity=Identity("another secret, also long enough, but not ours"))
    assert (await door.knock(note=forged)).status_code == 401


async def test_an_identity_dies_after_half_a_minute_and_none_is_from_the_future(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for shift, status in ((-LIFETIME - 1, 401), (-LIFETIME + 5, 200), (+LIFETIME + 5, 401)):
        monkeypatch.setattr("sampan.kernel.identity.time.time", lambda shift=shift: now + shift)
        note = door.note()
        monkeypatch.undo()
        assert (await door.knock(note=note)).status_code == status


async def test_a_changed_identity_is_refused(door: Door) -> None:
    note = door.note()
    body, _, signature = note.partition(".")
    staff = door.note(actor=Actor(kind="staff", permissions=frozenset({"orders.read"})))
    for changed in (
        note[:-1],
        note + "A",
        f"{staff.partition('.')[0]}.{signature}",
        f"{body}.{signature[::-1]}",
        body,
        ".",
    ):
        answer = await door.knock(note=changed)
        assert answer.status_code == 401, changed


async def test_without_an_identity_there_is_nothing_here(door: Door) -> None:
    assert (await door.knock(note="")).status_code == 404
    answer = await door.stage.http.post(
        "/internal/auth/find_actor", content=NOBODY, headers={"authorization": f"Bearer {door.note()}"}
    )
    assert answer.status_code == 404


async def test_a_stranger_is_refused_before_anything_of_the_body_is_read(door: Door) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 1024

    headers = {"authorization": "Service stranger"}
    async with unbuffered(door.stage) as http:
        answer = await http.post("/internal/auth/find_actor", content=body(), headers=headers)
    assert (answer.status_code, read) == (401, 0)


async def test_strangers_at_the_door_are_limited_and_peers_are_not(door: Door) -> None:
    limiter = door.stage.web.limiter
    assert limiter is not None
    spent: list[str] = []
    spend = limiter.spend

    async def noted(name: str, *arguments: Any, **more: Any) -> None:
        spent.append(name)
        await spend(name, *arguments, **more)

    limiter.spend = noted  # type: ignore[method-assign]
    try:
        await door.knock()
        assert spent == []
        await door.knock(note="stranger")
        await door.knock(note="")
        await door.stage.http.get("/api/v1/markets", headers={"authorization": "Service stranger"})
        assert spent == ["edge"] * 3
    finally:
        del limiter.spend  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("auth/create_key", "kernel.no_such_method"),  # it exists, but the contract does not offer it
        ("auth/withdraw_key", "kernel.no_such_method"),
        ("auth/__init__", "kernel.no_such_method"),
        ("auth/", "kernel.no_such_method"),
        ("auth/find_actor/", "kernel.no_such_method"),
        ("auth-feed/purge", "kernel.no_such_method"),
    ],
)
async def test_only_what_the_contract_offers_can_be_called(door: Door, path: str, code: str) -> None:
    answer = await door.knock(path)
    assert (answer.status_code, refusal(answer)["code"]) == (404, code)


async def test_there_is_no_other_service_and_no_other_way(door: Door) -> None:
    assert (await door.knock("nobody/find_actor")).status_code == 404
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        assert (await door.knock(method=method)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"{}",
        b'{"token": "x"}',
        msgspec.msgpack.encode({}),
        msgspec.msgpack.encode({"token": 7}),
        msgspec.msgpack.encode({"token": None}),
        msgspec.msgpack.encode(["x"]),
        msgspec.msgpack.encode({"token": "x"})[:-1],
        msgspec.msgpack.encode({"token": "x"}) + b"\x00",
        b"\x91" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_what_is_no_call_is_refused(door: Door, body: bytes) -> None:
    answer = await door.knock(body=body)
    assert (answer.status_code, refusal(answer)["code"]) == (400, "kernel.bad_call")


async def test_a_number_out_of_bounds_is_refused_with_its_name(door: Door) -> None:
    order = {"order_id": str(uuid7()), "province_code": "01", "minutes": 10}
    body = msgspec.msgpack.encode({**order, "demands": [{"variant_id": str(uuid7()), "quantity": 0}]})
    answer = await door.knock("inventory/reserve", body)
    assert answer.status_code == 400
    assert "quantity" in refusal(answer)["detail"]


async def test_a_call_that_is_too_large_is_refused(door: Door) -> None:
    headers = {"authorization": f"Service {door.note()}"}
    async with unbuffered(door.stage) as http:
        answer = await http.post("/internal/auth/find_actor", content=b"x" * ((32 << 20) + 1), headers=headers)
    assert (answer.status_code, refusal(answer)["code"]) == (413, "kernel.payload_too_large")


async def test_a_call_from_a_newer_peer_with_one_argument_more_is_understood(door: Door) -> None:
    answer = await door.knock(body=msgspec.msgpack.encode({"token": "nobody", "colour": "red"}))
    assert answer.status_code == 200


async def test_a_strange_deadline_harms_nobody(door: Door) -> None:
    for given in ("soon", "", "1e9", "5"):
        assert (await door.knock(**{"x-deadline": given})).status_code == 200


async def test_who_asks_is_known_on_the_other_side(stage: Stage) -> None:
    variant, anna = uuid7(), Actor(kind="staff", id=str(uuid7()), permissions=frozenset({"inventory.write"}))
    with context.working_as(anna, request="contracts"):
        items = [Delivery(variant, stage.room.hanoi, 5)]
        await stage.there(Inventory).stock_up(cause=f"delivery {variant}", items=items)
    async with stage.shop.databases["inventory"].read() as tx:
        by = await tx.many(str, "SELECT moved_by FROM inventory.movement WHERE variant_id = $1", variant)
        told = await tx.many(
            str, "SELECT actor FROM inventory.outbox WHERE body::text LIKE '%' || $1 || '%'", str(variant)
        )
    assert {*by, *told} == {f"staff:{anna.id}"}


async def test_permissions_are_asked_for_on_the_other_side(stage: Stage) -> None:
    secret = await stage.actions("auth").create_key(name="contracts", permissions=["fulfillment.write"])
    worker = await stage.there(Auth).find_actor(token=secret)
    assert worker is not None
    which = WorkOrderFilter(limit=1)
    page = await stage.there(Fulfillment).list_work_orders(actor=worker, which=which)
    assert page.items is not None
    with pytest.raises(Forbidden):
        await stage.there(Fulfillment).list_work_orders(actor=Actor(kind="staff", id=worker.id), which=which)


async def test_a_client_of_another_fleet_learns_why(stage: Stage) -> None:
    stranger = Identity("another secret, also long enough, but not ours")
    with pytest.raises(Unauthenticated):
        await stage.there(Auth, identity=stranger).find_actor(token="x")
