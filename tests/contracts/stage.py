"""The whole shop behind one real server, so that the same object is reached in process and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

import httpx
from tests.conftest import SECRET, Place, TestShop
from tests.contracts.table import service_of
from tests.fulfillment.conftest import Floor
from tests.inventory.conftest import Room
from tests.orders.conftest import Stall
from tests.payments.conftest import Till
from tests.serving import free_port, served

from sampan.kernel.app import Web
from sampan.kernel.connect import Remote, connect
from sampan.kernel.context import Actor
from sampan.kernel.identity import Identity
from sampan.kernel.settings import load
from sampan.run import Shop, compose

C = TypeVar("C")

NOT_STATE = ("consumer", "reader", "job", "migration")  # how far readers and jobs have come
REFERENCE = "locations"  # thousands of rows that no call of a contract changes


class LostAnswers(httpx.AsyncBaseTransport):
    """Sends every request twice, as when the first answer was lost on its way; the caller gets the second."""

    def __init__(self) -> None:
        self.inner = httpx.AsyncHTTPTransport()
        self.lost: list[httpx.Response] = []
        self.between: Callable[[], Awaitable[None]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        first = await self.inner.handle_async_request(
            httpx.Request(request.method, request.url, headers=request.headers, content=body)
        )
        await first.aread()
        self.lost.append(first)
        if self.between is not None:
            await self.between()
        return await self.inner.handle_async_request(
            httpx.Request(request.method, request.url, headers=request.headers, content=body)
        )

    async def aclose(self) -> None:
        await self.inner.aclose()


# The examples of payments are paid for orders that nobody made, which is noticed after a quarter of an hour.
ALONE = "what was captured belongs to an order that knows of it"


class Stage:
    """A shop with shortcuts to make it ready for any call."""

    def __init__(self, shop: Shop, web: Web, url: str, http: httpx.AsyncClient, database: str) -> None:
        self.shop = shop
        self.web = web
        self.url = url
        self.http = http
        self.goods = TestShop(shop, http, database)
        self.lossy = LostAnswers()
        self.wire = httpx.AsyncClient(transport=self.lossy)
        self.till = Till(shop, url, http)
        self.stall: Stall
        self.floor: Floor
        self.room: Room
        self._tables: dict[str, list[str]] = {}

    async def furnish(self) -> None:
        """Warehouses, a product type."""
        from sampan.services.catalog.rules import ProductType

        await self.actions("catalog").put_type(product_type=ProductType("anything", {"vi": "Đồ", "en": "Things"}, []))
        places = []
        for number, province in enumerate(("79", "79", "01", "01")):
            made = await self.actions("inventory").add_warehouse(
                code=f"C-{number}",
                name=f"Kho {number}",
                province_code=province,
                ward_code="26743" if province == "79" else "00070",
                street="1 Lê Lợi",
                priority=number + 1,
                provinces=[province],
            )
            places.append(made.id)
        self.stall = Stall(self.goods, places[0], places[1])
        self.floor = Floor(self.goods, places[2], places[0])
        self.room = Room(self.actions("inventory"), self.shop.databases["inventory"], places[2], places[0])

    def actions(self, service: str) -> Any:
        return self.shop.live[service]

    def here(self, contract: type[C]) -> C:
        """A client in this process."""
        return connect(contract, self.actions(service_of(contract)))

    def there(self, contract: type[C], *, identity: Identity | None = None, http: httpx.AsyncClient | None = None) -> C:
        """A client over HTTP that sends everything twice."""
        return connect(contract, self.remote(service_of(contract), identity=identity, http=http))

    def remote(
        self, service: str, *, identity: Identity | None = None, http: httpx.AsyncClient | None = None
    ) -> Remote:
        return Remote(service, self.url, "tests", identity or self.shop.identity, http or self.wire)

    async def rest(self) -> None:
        """Until what was promised for "soon" is done."""
        for service in ("payments", "orders"):
            while soon := self.actions(service)._soon:
                await asyncio.gather(*soon)

    async def moment(self, service: str) -> int:
        """The number of the next transaction."""
        await self.rest()
        async with self.shop.databases[service].read() as tx:
            return await tx.one(int, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")

    async def state(self, service: str, moves: Any, *, since: int) -> dict[str, list[str]]:
        """The service and those it calls: of every table how many rows it has, and those rows, apart from columns that
        may move, which were written from the transaction `since` on.
        """
        await self.rest()
        schemas = sorted(({service} | self._peers(service)) - {REFERENCE})
        parts = []
        async with self.shop.databases[service].read() as tx:
            for schema in schemas:
                if schema not in self._tables:
                    self._tables[schema] = await tx.many(
                        str, "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 1", schema
                    )
                for table in self._tables[schema]:
                    if table not in NOT_STATE:
                        name = f"{schema}.{table}"
                        gone = ",".join(moves.get(name, ()))
                        parts.append(
                            f"SELECT '{name}', (to_jsonb(t) - '{{{gone}}}'::text[])::text FROM {name} t "
                            f"WHERE t.xmin::text::bigint >= {since}"
                        )
                        parts.append(f"SELECT '{name}', count(*) || ' rows' FROM {name}")
            if not parts:
                return {}
            rows = await tx.connection.fetch(" UNION ALL ".join(parts) + " ORDER BY 1, 2")
        found: dict[str, list[str]] = {}
        for table, row in rows:
            found.setdefault(table, []).append(row)
        return found

    def _peers(self, service: str) -> set[str]:
        found: set[str] = set()
        declared = self.shop.everything[service]
        for contract in (*declared.needs, *declared.optional):
            peer = service_of(contract)
            found |= {peer} | self._peers(peer)
        return found

    # --- what several tables need -----------------------------------------------------------------------------------

    def staff(self, *permissions: str) -> Actor:
        return Actor(kind="staff", id=str(uuid4()), permissions=frozenset(permissions))

    async def paid_order(self) -> Any:
        """An order that the bank says is paid."""
        order = await self.stall.order("vnpay")
        await self.bank_tells(order)
        return await self.stall.look(order)

    async def bank_tells(self, order: Any, **more: Any) -> None:
        await self.stall.bank_tells(order, **more)

    async def variant(self, **more: Any) -> UUID:
        """A variant for sale."""
        return cast(UUID, await self.stall.goods(**more))


@asynccontextmanager
async def staged(place: Place, home: str) -> AsyncIterator[Stage]:
    """The stage, lit."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = load(
        {"SAMPAN_VNPAY_SANDBOX_IPN_INTERVAL": "0", "SAMPAN_VNPAY_SANDBOX_REFUND_SECONDS": "0"},
        home=home,
        secret=SECRET,
        pool_size=12,
        public_url=url,
        port=port,
    )
    database = await place.new_database()
    shop = await compose(settings, database)
    web = shop.web()
    async with served(web, port), httpx.AsyncClient(base_url=url, timeout=20) as http:
        stage = Stage(shop, web, url, http, database)
        await stage.furnish()
        yield stage
        await stage.rest()
        await shop.settle()  # the tests of others may have taken longer than anything is to wait here
        assert [each for found in (await shop.invariants()).values() for each in found if ALONE not in each] == []
        await stage.wire.aclose()
    await shop.close()
