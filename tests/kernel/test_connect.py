"""The two shapes of a call: the same answers, the same refusals."""

from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

import httpx
import pytest
from msgspec import Struct

from sampan.kernel import context
from sampan.kernel.connect import Remote, Served, connect, methods_of, refused
from sampan.kernel.context import Actor
from sampan.kernel.errors import NotFound, Refusal, RemoteUnavailable, ShopError, Unauthenticated, raised
from sampan.kernel.identity import Identity
from sampan.kernel.money import Money


class Parcel(Struct, frozen=True):
    id: UUID
    price: Money
    at: datetime
    tags: frozenset[str] = frozenset()


class Odd(ShopError, code="tests.odd", status=409):
    """For these tests."""


class Posts(Protocol):
    async def find_parcel(self, *, id: UUID, note: str = "none") -> Parcel: ...

    async def find_none(self) -> None: ...

    async def refuse(self, *, kind: str) -> None: ...

    async def whoami(self) -> Actor: ...


class PostsActions:
    async def find_parcel(self, *, id: UUID, note: str = "none") -> Parcel:
        return Parcel(id, Money(199000, "VND"), datetime(2026, 11, 23, tzinfo=UTC), frozenset({note}))

    async def find_none(self) -> None:
        return None

    async def refuse(self, *, kind: str) -> None:
        raise Odd("no", kind=kind) if kind == "odd" else NotFound("gone")

    async def whoami(self) -> Actor:
        return context.actor.get()


IDENTITY = Identity("a secret that only tests know, long enough")


def remote(identity: Identity = IDENTITY) -> Posts:
    served = Served("posts", Posts, PostsActions(), IDENTITY)

    async def answer(request: httpx.Request) -> httpx.Response:
        note = request.headers["authorization"].removeprefix("Service ")
        try:
            claims = served.admit(note)
            status, body = await served.call(request.url.path.rpartition("/")[2], request.content, claims, "r", 5.0)
        except ShopError as refusal:
            status, body = refused(refusal)
        return httpx.Response(status, content=body, headers={"content-type": "application/msgpack"})

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return connect(Posts, Remote("posts", "http://posts.test", "tests", identity, http))


@pytest.fixture(params=["together", "apart"])
def posts(request) -> Posts:
    return connect(Posts, PostsActions()) if request.param == "together" else remote()


async def test_a_call_gives_the_same_in_both_shapes(posts):
    number = uuid4()
    found = await posts.find_parcel(id=number, note="fragile")
    assert found == Parcel(number, Money(199000, "VND"), datetime(2026, 11, 23, tzinfo=UTC), frozenset({"fragile"}))
    assert await posts.find_none() is None


async def test_a_refusal_is_the_same_class_in_both_shapes(posts):
    with pytest.raises(Odd) as refusal:
        await posts.refuse(kind="odd")
    assert refusal.value.facts["kind"] == "odd"
    assert refusal.value.status == 409
    with pytest.raises(NotFound):
        await posts.refuse(kind="gone")


async def test_the_actor_travels_with_the_call(posts):
    with context.working_as(Actor(kind="staff", id="42", permissions=frozenset({"orders.read"}))):
        assert (await posts.whoami()).may("orders.read")


async def test_a_note_of_another_fleet_is_refused():
    with pytest.raises(Unauthenticated):
        await remote(Identity("another secret, also long enough, but not ours")).find_none()


async def test_a_note_for_another_service_or_a_changed_one_is_refused():
    note = IDENTITY.note(caller="tests", audience="posts", actor=Actor())
    assert IDENTITY.check(note, audience="posts").caller == "tests"
    for wrong in ("", "x", note[:-2], note.replace(".", "")):
        with pytest.raises(Unauthenticated):
            IDENTITY.check(wrong, audience="posts")
    with pytest.raises(Unauthenticated):
        IDENTITY.check(note, audience="payments")


class Counted:
    """A wire on which the first answer is lost."""

    def __init__(self) -> None:
        self.sent = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        if self.sent == 1:
            raise httpx.ReadError("the answer was lost")
        return httpx.Response(200, content=b"\xc0", headers={"content-type": "application/msgpack"})


class Wishes(Protocol):
    async def find_nothing(self) -> None: ...

    async def wish(self, *, for_what: str, key: str = "") -> None: ...


@pytest.mark.parametrize(
    ("method", "arguments", "sent"),
    [
        ("find_nothing", {}, 2),
        ("wish", {"for_what": "rain", "key": "once"}, 2),
        ("wish", {"for_what": "rain"}, 1),
        ("wish", {"for_what": "rain", "key": ""}, 1),
    ],
)
async def test_a_call_that_reads_or_bears_a_key_is_sent_again_and_no_other(method, arguments, sent):
    wire = Counted()
    http = httpx.AsyncClient(transport=httpx.MockTransport(wire.answer))
    client = connect(Wishes, Remote("wishes", "http://wishes.test", "tests", IDENTITY, http))
    if sent == 2:
        assert await getattr(client, method)(**arguments) is None
    else:
        with pytest.raises(RemoteUnavailable):
            await getattr(client, method)(**arguments)
    assert wire.sent == sent
    await http.aclose()


async def test_a_peer_that_is_away_is_a_refusal_to_try_later():
    http = httpx.AsyncClient()
    client = connect(Posts, Remote("posts", "http://127.0.0.1:9", "tests", IDENTITY, http))
    with pytest.raises(RemoteUnavailable):
        await client.find_none()
    await http.aclose()


def test_what_does_not_fit_the_contract_is_refused_at_start():
    class Wrong:
        async def find_parcel(self, *, id: UUID) -> Parcel: ...

    with pytest.raises(TypeError):
        connect(Posts, Wrong())

    class Positional(Protocol):
        async def find(self, id: UUID) -> None: ...

    with pytest.raises(TypeError, match="keyword-only"):
        methods_of(Positional)


def test_an_unknown_refusal_keeps_its_code_and_status():
    error = raised("future.error", 418, "from a newer peer", {"x": 1})
    assert isinstance(error, Refusal)
    assert (error.code, error.status) == ("future.error", 418)
