"""Composition: which services live in this process, and how they reach each other.

This is the only place that knows which shape we are in. A peer in the same process is the live object; any other is
found by URL. Everything else is written once.
"""

import asyncio
import hmac
import importlib
import importlib.util
import logging
import pkgutil
import time
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from typing import Any, cast

import asyncpg
import httpx
import msgspec

import sampan.sandbox
import sampan.services
from sampan.kernel import feed as feeds
from sampan.kernel.app import CSP, Authenticate, Bound, Page, Web
from sampan.kernel.cache import Cache
from sampan.kernel.connect import Remote, Served, connect
from sampan.kernel.consumers import BREATH, Consumer
from sampan.kernel.context import Actor
from sampan.kernel.db import Database, open_pool
from sampan.kernel.errors import ShopError
from sampan.kernel.events import Cursor, Event
from sampan.kernel.files import LocalFiles
from sampan.kernel.http import Handler, Route, bind
from sampan.kernel.idempotency import Keys
from sampan.kernel.identity import Identity
from sampan.kernel.jobs import JobRunner
from sampan.kernel.limits import Limiter
from sampan.kernel.migrate import is_secured, migrate, secure
from sampan.kernel.operations import Health, operations
from sampan.kernel.outbound import Outbound, no_cookies
from sampan.kernel.pool import Pool
from sampan.kernel.redis_link import RedisLink
from sampan.kernel.service import Ground, Service, owner_of
from sampan.kernel.settings import BadSetting, Settings, home_secret
from sampan.kernel.watch import Watch

log = logging.getLogger(__name__)

POLL = 5.0  # seconds after which a reader looks by itself, when no bell rang
REMOTE_POLL = 1.0
# Read by the tests.
AROUND = frozenset({"SEED", "TORTURE", "REFERENCE_DATA", "IMPORT_ROWS"})
TAGS = 500  # of cached answers, dropped at once


class MissingPeer(ShopError, code="kernel.missing_peer", status=500):
    """A service needs a peer that is neither in this process nor reachable."""


class NoSuchService(ShopError, code="kernel.no_such_service", status=500):
    """There is no service of this name."""


class Cycle(ShopError, code="kernel.cycle", status=500):
    """Services need each other in a circle."""


def declared(*, sandbox: bool) -> dict[str, Service[Any]]:
    """All services, by name, those needed before those that need them.

    Raises:
        Cycle: the graph of synchronous calls has one.
    """
    found: dict[str, Service[Any]] = {}
    packages = [sampan.services, sampan.sandbox] if sandbox else [sampan.services]
    for package in packages:
        for module in pkgutil.iter_modules(package.__path__):
            name = f"{package.__name__}.{module.name}.service"
            if importlib.util.find_spec(name) is not None:
                service = importlib.import_module(name).service
                found[service.name] = service
    return in_order(found)


def in_order(services: dict[str, Service[Any]]) -> dict[str, Service[Any]]:
    """Peers first. Raises Cycle."""
    ordered: dict[str, Service[Any]] = {}
    visiting: list[str] = []

    def visit(name: str) -> None:
        if name in ordered or name not in services:
            return
        if name in visiting:
            raise Cycle("services need each other in a circle: " + " → ".join([*visiting, name]))
        visiting.append(name)
        for contract in (*services[name].needs, *services[name].optional):
            visit(owner_of(contract))
        visiting.pop()
        ordered[name] = services[name]

    for name in services:
        visit(name)
    return ordered


def package_of(service: Service[Any]) -> str:
    return service.contract.__module__.rpartition(".")[0]


class Shop:
    """The services of one process, live. Made by `compose`; `close()` when done."""

    def __init__(
        self, settings: Settings, services: dict[str, Service[Any]], everything: dict[str, Service[Any]]
    ) -> None:
        self.settings = settings
        self.services = services
        self.everything = everything
        self.signals = feeds.Signals()
        self.ring: Callable[[str], None] = self.signals.fire
        self.urls: dict[str, str] = {}
        self.pools: dict[str, Pool] = {}
        self.databases: dict[str, Database] = {}
        self.live: dict[str, Any] = {}
        self.feeds: dict[str, feeds.Feed] = {}
        self.clients: dict[str, dict[type[Any], Any]] = {}
        self.secret = settings.core.secret or home_secret(settings.home)
        self.identity = Identity(self.secret)
        self.http = httpx.AsyncClient(
            trust_env=False,
            cookies=no_cookies(),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
        )
        try:
            self.redis = RedisLink(settings.core.redis_url) if settings.core.redis_url else None
        except ValueError as failure:
            raise BadSetting(f"SAMPAN_REDIS_URL: {failure}") from None
        # Shops that share a Redis do not share answers.
        own = hmac.digest(self.secret.encode(), b"answers", "sha256").hex()[:12]
        self.answers = Cache(
            f"answers:{own}", max_items=50_000, max_bytes=settings.core.answers_mb << 20, ttl=60.0, redis=self.redis
        )
        self.ground = Ground(
            settings=settings,
            files=LocalFiles(settings.home / "files"),
            answers=self.answers,
            outbound=Outbound(muted=settings.core.muted),
            redis=self.redis,
            table=[(name, route) for name, service in everything.items() for r in service.routes for route in r],
            local=frozenset(services),
        )

    async def build(self, urls: dict[str, str]) -> None:
        """Connect to the databases and build the services."""
        self.urls = urls
        for name in self.services:
            url = urls[name]
            if url not in self.pools:
                core = self.settings.core
                self.pools[url] = await open_pool(url, size=core.pool_size, patience=core.database_seconds)
            self.databases[name] = Database(self.pools[url], name, wake=lambda schema: self.ring(schema))
        self.assemble()

    def assemble(self) -> None:
        """Build the services on their databases, peers first. Raises BadSetting."""
        for name, db in self.databases.items():
            self.feeds[name] = feeds.Feed(db, self.signals)
        for name, service in self.services.items():
            needed = [self._peer(name, contract) for contract in service.needs]
            wanted = [self._peer(name, contract) if self._deployed(contract) else None for contract in service.optional]
            self.live[name] = service.build(self.databases[name], self.ground, *needed, *wanted)
            pairs = zip((*service.needs, *service.optional), (*needed, *wanted), strict=True)
            self.clients[name] = {contract: client for contract, client in pairs if client is not None}

    def _deployed(self, contract: type[Any]) -> bool:
        owner = owner_of(contract)
        return owner in self.services or owner in self.everything

    def _peer(self, caller: str, contract: type[Any]) -> Any:
        owner = owner_of(contract)
        if owner in self.live:
            return connect(contract, self.live[owner])
        if owner not in self.everything:
            raise MissingPeer(f"{caller} needs {owner}, which does not exist here")
        return connect(contract, self._remote(caller, owner))

    def _remote(self, caller: str, owner: str, channel: str = "") -> Remote:
        return Remote(
            service=f"{owner}{channel}",
            url=self.settings.peer_url(owner),
            caller=caller,
            identity=self.identity,
            http=self.http,
        )

    def client(self, contract: type[Any]) -> Any:
        """A client as any peer would have it."""
        return self._peer("gateway", contract)

    def event_feed(self, reader: str, source: str) -> feeds.EventFeed:
        if source in self.feeds:
            return cast(feeds.EventFeed, self.feeds[source])
        return connect(feeds.EventFeed, self._remote(reader, source, "-feed"))

    # --- what runs behind the scenes --------------------------------------------------------------------------------

    def consumers(self) -> list[Consumer]:
        """One for each service and each source whose events it handles, deployed sources only."""
        found = []
        for name, service in self.services.items():
            sources: dict[str, dict[Any, Any]] = {}
            for event, handler in service.handlers.items():
                sources.setdefault(event.source(), {})[event] = handler
            for source, handlers in sources.items():
                if source in self.everything:
                    feed = self.event_feed(name, source)
                    found.append(Consumer(self.databases[name], self.live[name], source, feed, handlers))
        return found

    def job_runners(self) -> list[JobRunner]:
        return [
            JobRunner(self.databases[name], self.live[name], job)
            for name, service in self.services.items()
            for job in service.jobs
        ]

    def watches(self) -> dict[str, Watch]:
        consumers = self.consumers()
        return {
            name: Watch(db, self.live[name], [each for each in consumers if each.db is db])
            for name, db in self.databases.items()
        }

    def keys(self) -> dict[str, Keys]:
        return {name: Keys(self.databases[name], self.secret) for name in self.services}

    async def work(self) -> None:
        """Consumers and jobs, forever."""
        async with asyncio.TaskGroup() as group:
            for consumer in self.consumers():
                local = consumer.source in self.feeds
                group.create_task(consumer.run(wait=POLL if local else REMOTE_POLL))
            for runner in [*self.job_runners(), *(watch.runner() for watch in self.watches().values())]:
                group.create_task(runner.run(self.signals))
            group.create_task(self._tidy())

    async def _tidy(self) -> None:
        """Old events and keys go, once an hour."""
        while True:
            await asyncio.sleep(3600)
            await self.tidy()

    async def tidy(self) -> None:
        """Old events and keys go, as far as they can; the rest the next time."""
        for name, keys in self.keys().items():
            for what, purge in (("events", partial(self.feeds[name].purge, days=30)), ("keys", keys.purge)):
                try:
                    await purge()
                except Exception as failure:
                    log.warning("not tidied", extra={"service": name, "things": what}, exc_info=failure)

    async def drop_stale_answers(self) -> None:
        """Follow the events that make cached answers of our services stale, and drop those, forever."""
        sources: dict[str, dict[str, type[Event]]] = {}
        readers: dict[str, str] = {}
        for name, service in self.services.items():
            for event in service.stale:
                if event.source() in self.everything:
                    sources.setdefault(event.source(), {})[event.name] = event
                    readers[event.source()] = name
        news = self.ground.news
        news.begin(sources)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.Event().wait())  # also when there is nothing to follow
                for source, kinds in sources.items():
                    group.create_task(self._follow(source, self.event_feed(readers[source], source), kinds))
        finally:
            news.end()

    async def _follow(self, source: str, feed: feeds.EventFeed, kinds: dict[str, type[Event]]) -> None:
        news = self.ground.news
        wait = POLL if source in self.feeds else REMOTE_POLL
        cursor: Cursor | None = None
        while True:
            try:
                if cursor is None:
                    cursor = await feed.end()
                    await self.answers.clear()
                    news.found(source)
                stale: dict[str, None] = {}
                for event in await feed.events_after(cursor=cursor, limit=500, wait=wait, names=list(kinds)):
                    cursor = event.cursor
                    if event.name in kinds:
                        told = msgspec.json.decode(event.body, type=kinds[event.name])
                        stale.update(dict.fromkeys(told.stale()))
                if stale:
                    news.tell([*stale])
                for at in range(0, len(stale), TAGS):
                    await self.answers.invalidate([*stale][at : at + TAGS])
                if stale:
                    await asyncio.sleep(BREATH)
            except Exception as failure:
                if not isinstance(failure, ShopError):
                    log.error("events cannot be followed", extra={"source": source}, exc_info=failure)
                elif cursor is not None:  # once for each time that they are lost
                    log.warning("events are lost sight of", extra={"source": source, "error": failure.detail})
                cursor = None
                news.lost(source)
                await asyncio.sleep(1)

    async def deliver(self) -> int:
        """For tests and commands: let every service read its events; how many were moved past."""
        moved = 0
        for consumer in self.consumers():
            while count := await consumer.step():
                moved += count
        return moved

    async def settle(self, *, rounds: int = 200, patience: float = 60.0) -> None:
        """For tests and commands: run consumers and jobs until nothing is left to do.

        Events that hide behind somebody's transaction, also in another database of the cluster, are waited for.
        """
        runners = self.job_runners()
        until = time.monotonic() + patience
        while rounds:
            moved = await self.deliver()
            for runner in runners:
                await runner.step(now=True)
            moved += await self.deliver()
            if moved:
                rounds -= 1
            elif time.monotonic() < until and any([await feed.is_hiding() for feed in self.feeds.values()]):
                await asyncio.sleep(0.02)
            else:
                return

    # --- the web side -----------------------------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        return [route for service in self.services.values() for routes in service.routes for route in routes]

    def web(self) -> Web:
        """The ASGI application of this process."""
        bound, served = [], {}
        fallback: Handler | None = None
        pages: Page | None = None
        keys = self.keys()
        for name, service in self.services.items():
            parts = [self.live[name], *self.clients[name].values(), self]
            for routes in service.routes:
                bound += [Bound(route, bind(route, parts), keys[name]) for route in routes]
            served[name] = Served(name, service.contract, self.live[name], self.identity)
            served[f"{name}-feed"] = Served(f"{name}-feed", feeds.EventFeed, self.feeds[name], self.identity)
            pages = getattr(self.live[name], "refusal_page", None) or pages
            fallback = getattr(self.live[name], "forward", None) or fallback
        bound += [Bound(route, bind(route, [Health(self.pools)]), None) for route in operations]
        core = self.settings.core
        return Web(
            bound=bound,
            served=served,
            authenticate=self._authenticate(),
            limiter=Limiter(self.redis) if core.rate_limits else None,
            answers=self.answers,
            pages=pages,
            fallback=fallback,
            trusted=self.settings.trusted_proxies,
            secure=self.settings.secure,
            csp=CSP,
        )

    def _authenticate(self) -> Authenticate:
        """Asks the auth service; without one, nobody is staff."""
        if "auth" not in self.everything:

            async def nobody(token: str) -> Actor | None:
                return None

            return nobody
        from sampan.services.auth.contract import Auth

        auth = self.client(Auth)
        return lambda token: auth.find_actor(token=token)

    async def invariants(self) -> dict[str, list[str]]:
        """What is broken, by service; empty when all is well. Read-only."""
        found = {name: await watch.violations() for name, watch in self.watches().items()}
        return {name: broken for name, broken in found.items() if broken}

    async def close(self) -> None:
        for actions in self.live.values():
            if end := getattr(actions, "close", None):
                await end()
        await self.ground.outbound.close()
        await self.http.aclose()
        await self.answers.close()
        if self.redis is not None:
            await self.redis.close()
        for pool in self.pools.values():
            await pool.close()


def chosen(names: Iterable[str], settings: Settings) -> tuple[dict[str, Service[Any]], dict[str, Service[Any]]]:
    """The services to run here, and all there are. No names: all of them.

    Raises:
        NoSuchService: a name is none of ours.
    """
    everything = declared(sandbox=not settings.production)
    wanted = list(names)
    for name in wanted:
        if name not in everything:
            raise NoSuchService(f"there is no service {name}; there are: {', '.join(sorted(everything))}")
    return {name: everything[name] for name in everything if name in wanted or not wanted}, everything


async def compose(settings: Settings, urls: dict[str, str] | str, names: Iterable[str] = ()) -> Shop:
    """Build the named services (all, if none is named) on their databases."""
    here, everything = chosen(names, settings)
    shop = Shop(settings, here, everything)
    await shop.build(urls if isinstance(urls, dict) else dict.fromkeys(here, urls))
    return shop


def assembled(settings: Settings, names: Iterable[str] = ()) -> Shop:
    """The named services (all, if none is named) built without a database: what they read can be seen, nothing asked.

    Raises:
        BadSetting: a service refuses a value; the text names it.
    """
    secret = settings.core.secret or "of nobody: this shop is built to see what it reads, and never asked"
    here, everything = chosen(names, settings)
    shop = Shop(Settings(settings.values, msgspec.structs.replace(settings.core, secret=secret)), here, everything)
    shop.databases = {name: Database(cast(Any, None), name) for name in here}
    shop.assemble()
    return shop


def unread_settings(settings: Settings) -> dict[str, str]:
    """The names among the settings that no part of the shop reads, each with the nearest one that is read (empty when
    none is near). Raises BadSetting as `assembled`.
    """
    shop = assembled(settings)
    peers = {f"{kind}_{name.upper()}" for name in shop.everything for kind in ("URL", "DATABASE_URL")}
    read = shop.settings.asked | peers
    unread = sorted(settings.places.keys() - read - AROUND)
    return {name: next(iter(get_close_matches(name.upper(), read, n=1)), "") for name in unread}


async def migrate_all(settings: Settings, admin_url: str, names: Iterable[str] = ()) -> int:
    """Bring the schemas of the named services up to date; how many files were applied.

    Raises:
        BadSetting: the database is older than PostgreSQL 15.
        MigrationFailed: a file did not run.
    """
    here, _ = chosen(names, settings)
    connection = await asyncpg.connect(admin_url, timeout=10)
    try:
        version = connection.get_server_version()
        if version.major < 15:
            raise BadSetting(f"SAMPAN_DATABASE_URL: PostgreSQL {version.major} is too old, 15 is needed")
        applied = 0
        for name, service in here.items():
            applied += await migrate(connection, name, package_of(service))
            await feeds.wind_clock(connection, name)
        if applied or not await is_secured(connection, list(here)):
            await secure(connection, list(here))
        return applied
    finally:
        await connection.close()
