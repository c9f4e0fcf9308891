"""What a service declares of itself, and the ground it is built on."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from sampan.kernel.cache import Cache
from sampan.kernel.consumers import Handler
from sampan.kernel.events import Event
from sampan.kernel.files import Files
from sampan.kernel.http import Route, Routes
from sampan.kernel.jobs import Job
from sampan.kernel.kept import News
from sampan.kernel.outbound import Outbound
from sampan.kernel.redis_link import RedisLink
from sampan.kernel.settings import Settings

C = TypeVar("C")


class Ground(msgspec.Struct, frozen=True):
    """What every service stands on: settings, files, the outbound client, the second cache tier if there is one.

    `answers` are those that are the same for everybody, kept until an event makes them stale; `news` tells of that
    whoever keeps something else. `table` lists every route of the whole shop with the service that serves it, here or
    elsewhere.
    """

    settings: Settings
    files: Files
    outbound: Outbound
    answers: Cache
    news: News = msgspec.field(default_factory=News)
    redis: RedisLink | None = None
    table: list[tuple[str, Route]] = []
    local: frozenset[str] = frozenset()  # the services that live in this process


class Service(msgspec.Struct, Generic[C], frozen=True, kw_only=True):
    """A service's declaration.

    `build` is called with (db, ground, *clients of `needs`, *clients of `optional`); an optional peer that is not
    deployed is None. `handlers` react to other services' events in the transaction that moves the cursor.
    `stale` are the events, of its own and of others, that make stale what it keeps (`Event.stale`).
    `sandbox` services exist outside production only.
    """

    name: str
    contract: type[C]
    build: Callable[..., Any]
    needs: tuple[type[Any], ...] = ()
    optional: tuple[type[Any], ...] = ()
    routes: tuple[Routes, ...] = ()
    handlers: Mapping[type[Event], Handler] = {}
    jobs: tuple[Job, ...] = ()
    stale: tuple[type[Event], ...] = ()
    sandbox: bool = False


def owner_of(contract: type[Any]) -> str:
    """The service a contract belongs to, by its module: `sampan.services.orders.contract` → `orders`."""
    return contract.__module__.split(".")[-2]
