"""A crowd before the shop's door: in one process, and before three processes of one database, by real HTTP."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import pytest_asyncio
from tests.conftest import SECRET, Place
from tests.town import Town, open_town

from sampan.kernel.ids import uuid7
from sampan.services.orders.contract import Cart, Order
from sampan.services.orders.rules.token import digest_for

Act = Callable[[], Awaitable[Any]]
STAFF = ("fulfillment.write", "inventory.read", "inventory.write", "orders.read", "orders.write", "payments.refund")


class Crowd:
    """Many who come at the same moment. `doors` are where they come in, one after the other."""

    def __init__(self, town: Town, doors: list[httpx.AsyncClient]) -> None:
        self.town = town
        self.stall = town.stall
        self.doors = doors
        self.came = 0

    def door(self) -> httpx.AsyncClient:
        """The next process."""
        self.came += 1
        return self.doors[self.came % len(self.doors)]

    async def at_once(self, acts: Sequence[Act]) -> list[Any]:
        """All acts start behind one barrier; what each gave."""
        start = asyncio.Barrier(len(acts))

        async def run(act: Act) -> Any:
            await start.wait()
            return await act()

        return await asyncio.gather(*(run(act) for act in acts))

    def calling(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str], key: str | None = None
    ) -> Act:
        """A request by one of the crowd, through a door of their own."""
        door = self.door()
        sent = headers if method == "GET" else {**headers, "idempotency-key": key or uuid4().hex}
        return lambda: door.request(method, f"/api/v1{path}", json=body, headers=sent)

    def ordering(self, cart: Cart, method: str = "cod", *, key: str | None = None) -> Act:
        wanted = {"payment_method": method, "expected_total": msgspec.to_builtins(cart.totals.total)}
        ask = self.calling(
            "POST", f"/carts/{cart.id}/checkout", wanted, headers={"x-cart-token": cart.token or ""}, key=key
        )

        async def order() -> Any:
            """Who is told that the shop is very busy comes again when they are told to.

            Not sooner: in the long form hundreds who ask all the time would keep those from the database who are served.
            """
            while (answer := await ask()).status_code == 503:
                await asyncio.sleep(float(answer.headers["retry-after"]))
            return answer

        return order

    async def copies(self, cart: Cart, count: int) -> list[Cart]:
        """The carts of as many buyers who want the same, ready to be ordered."""
        tokens = [secrets.token_urlsafe(32) for _ in range(count)]
        ids = [uuid7() for _ in range(count)]
        async with self.stall.db.begin() as tx:
            await tx.execute(
                "INSERT INTO orders.cart SELECT (jsonb_populate_record(c, jsonb_build_object('id', n.id, 'token_hash', "
                "n.hash))).* FROM orders.cart c, unnest($2::uuid[], $3::bytea[]) AS n (id, hash) WHERE c.id = $1",
                cart.id,
                ids,
                [digest_for(token) for token in tokens],
            )
            await tx.execute(
                "INSERT INTO orders.cart_line SELECT (jsonb_populate_record(l, jsonb_build_object('id', "
                "gen_random_uuid(), 'cart_id', n.id))).* FROM orders.cart_line l, unnest($2::uuid[]) AS n (id) "
                "WHERE l.cart_id = $1",
                cart.id,
                ids,
            )
        return [
            msgspec.structs.replace(cart, id=cart_id, token=token)
            for cart_id, token in zip(ids, tokens, strict=True)
        ]  # fmt: skip

    async def staff(self) -> dict[str, str]:
        return await self.town.shop.staff(*STAFF)

    def bank_calls(self, said: str) -> Act:
        return self.calling("GET", f"/payments/vnpay/ipn?{said}", headers={})

    async def at_the_bank(self, method: str = "vnpay", *wanted: Any) -> tuple[Order, str]:
        """An order whose payer has just paid at the bank, who has told nobody yet; what the bank says, signed."""
        placed = await self.stall.checkout(await self.stall.ready(*wanted), method=method)
        await self.town.fault("never_notify", placed.order)
        said = await self.town.teller({}).pay(placed.payment.action.url or "")
        return placed.order, said

    async def look(self, order: Order) -> Order:
        return await self.stall.look(order)

    async def peace(self) -> None:
        """Everything is done, and everything is right."""
        await self.town.a_while_later()
        assert await self.town.wrong() == []


SERVE = """
import socket, sys
from sampan.kernel.settings import load
from sampan.process import main
from sampan.run import declared

settings = load()
urls = {name: settings.database_url(name) for name in declared(sandbox=True)}
main(settings, [], urls, web=socket.socket(fileno=int(sys.argv[1])), work=False)
"""


class WebProcess:
    """One more process that serves the shop, on a port of its own."""

    def __init__(self, database: str, home: Path, public_url: str) -> None:
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            door.listen(512)
            self.url = f"http://127.0.0.1:{door.getsockname()[1]}"
            environment = {name: value for name, value in os.environ.items() if not name.startswith("SAMPAN_")}
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(door.fileno())],
                pass_fds=(door.fileno(),),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={
                    **environment,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    "SAMPAN_HOME": str(home),
                    "SAMPAN_SECRET": SECRET,
                    "SAMPAN_DATABASE_URL": database,
                    "SAMPAN_PUBLIC_URL": public_url,
                    "SAMPAN_RATE_LIMITS": "no",
                },
            )

    async def ready(self, http: httpx.AsyncClient) -> None:
        for _ in range(600):
            assert self.process.poll() is None, "a process ended at its start"
            try:
                if (await http.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
        raise AssertionError("a process is not ready within half a minute")

    def end(self) -> None:
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def town(place: Place, tmp_path_factory: Any) -> AsyncIterator[Town]:
    async with open_town(await place.new_database(), tmp_path_factory.mktemp("races")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def three(town: Town, tmp_path_factory: Any) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Three processes on one database, and a client of each."""
    home = tmp_path_factory.mktemp("three")
    processes = [WebProcess(town.shop.url, home, town.url) for _ in range(3)]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    doors = [
        httpx.AsyncClient(base_url=each.url, timeout=60, trust_env=False, limits=limits) for each in processes
    ]  # fmt: skip
    try:
        for process, door in zip(processes, doors, strict=True):
            await process.ready(door)
        yield doors
    finally:
        for door in doors:
            await door.aclose()
        for process in processes:
            process.process.send_signal(signal.SIGTERM)
        for process in processes:
            process.end()


@pytest.fixture(params=["one process", "three processes"])
def doors(request: pytest.FixtureRequest, town: Town) -> list[httpx.AsyncClient]:
    found: list[httpx.AsyncClient] = (
        [town.shop.http] if request.param == "one process" else request.getfixturevalue("three")
    )
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(town: Town, doors: list[httpx.AsyncClient]) -> AsyncIterator[Crowd]:
    gathered = Crowd(town, doors)
    yield gathered
    await town.bank.clear_faults()
    await gathered.peace()
