"""The database: one pool a process, one schema a service, plain SQL.

`Database.begin()` is a transaction, `Database.read()` a single statement without one. Both yield a `Tx` whose helpers
build Structs positionally from rows. Events emitted in a transaction are written with it: by the statement that does
what they tell of where that is one (`telling`, `Tx.take_events`), else by one more at its end.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import asyncpg
import msgspec
from msgspec import Raw, Struct

from sampan.kernel import context
from sampan.kernel.errors import NotFound, ShopError
from sampan.kernel.events import Event
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.kernel.pool import UNSOUND, Pool

T = TypeVar("T")

SLICE = 5000  # rows that are tidied away at once


class DatabaseUnavailable(ShopError, code="kernel.database_unavailable", status=503):
    """PostgreSQL does not answer, or not in time. Nothing is lost; the pool heals by itself."""


class CalledInTransaction(RuntimeError):
    """A mistake in our code: another service was called inside a transaction."""


class Tx:
    """A connection inside (or, from `read()`, outside) a transaction, bound to one service's schema."""

    __slots__ = ("_after", "_events", "connection", "schema", "statements", "told")

    def __init__(self, connection: asyncpg.Connection, schema: str) -> None:
        self.connection = connection
        self.schema = schema
        self.statements = 0  # so far
        self.told = False  # a statement wrote events itself
        self._events: list[dict[str, Any]] = []  # emitted and not written yet
        self._after: list[Callable[[], object]] = []

    async def execute(self, sql: str, *values: Any) -> int:
        """Run a statement; the number of rows it touched."""
        self.statements += 1
        tag = await self.connection.execute(sql, *values)
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for many rows, pipelined in one round trip."""
        if rows:
            self.statements += 1
            await self.connection.executemany(sql, rows)

    async def many(self, shape: type[T], sql: str, *values: Any) -> list[T]:
        """All rows, each as a `shape`: a Struct built positionally, or a plain type from the first column."""
        self.statements += 1
        make = maker(cast(Any, shape))
        return [make(row) for row in await self.connection.fetch(sql, *values)]

    async def maybe(self, shape: type[T], sql: str, *values: Any) -> T | None:
        """The first row as a `shape`, or None."""
        self.statements += 1
        row = await self.connection.fetchrow(sql, *values)
        return None if row is None else maker(cast(Any, shape))(row)

    async def one(self, shape: type[T], sql: str, *values: Any) -> T:
        """The first row as a `shape`.

        Raises:
            NotFound: there is none.
        """
        found = await self.maybe(shape, sql, *values)
        if found is None:
            raise NotFound(f"no such {shape.__name__.lower()}")
        return found

    async def emit(self, *events: Event) -> None:
        """Record events; they are written with the transaction, or not at all."""
        for event in events:
            if event.source() != self.schema:
                raise ValueError(f"{self.schema} cannot emit {event.name}: an event begins with its emitter's name")
        request, actor = context.request_id.get(), context.actor.get().name
        self._events += [
            {"id": uuid7(), "name": event.name, "body": event, "request_id": request, "actor": actor}
            for event in events
        ]

    def after_commit(self, do: Callable[[], object]) -> None:
        """Call `do` once the transaction is committed (to wake a worker, never to do what must not be lost)."""
        self._after.append(do)

    def take_events(self) -> list[dict[str, Any]]:
        """What was emitted so far, for a statement that writes it itself (`telling`)."""
        taken, self._events = self._events, []
        self.told |= bool(taken)
        return taken

    async def write_events(self) -> None:
        if self._events:
            self.statements += 1
            await self.connection.execute(EVENTS.format(schema=self.schema, events="$1"), self.take_events())

    def committed(self, wake: Callable[[str], None]) -> None:
        if self.told:
            wake(self.schema)
        for do in self._after:
            do()


EVENTS = """
INSERT INTO {schema}.outbox (id, name, body, request_id, actor)
SELECT e.* FROM jsonb_to_recordset({events}::jsonb) AS e (id uuid, name text, body jsonb, request_id text, actor text)
"""


def telling(schema: str, events: str, *, of: str) -> str:
    """The part of a statement's WITH that writes the events in its value `events` (`$9`, from `Tx.take_events`).

    They are written if the part called `of` has rows, that is, if what they tell of was done.
    """
    return f"outgoing AS ({EVENTS.format(schema=schema, events=events)} WHERE EXISTS (SELECT FROM {of}))"


class Database:
    """One service's way to its schema: `begin()` for writes, `read()` for single statements that stand alone.

    `wake(name)` rings for readers of the service's feed (its schema), or for its jobs (`<schema>.work`).
    """

    all_statements = 0  # of this process, for the metrics

    def __init__(self, pool: Pool, schema: str, wake: Callable[[str], None] = lambda schema: None) -> None:
        self.pool = pool
        self.schema = schema
        self.wake = wake
        self.statements = 0  # so far, BEGIN and COMMIT included

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction: commits at the end, rolls back on any error. No call to another service inside."""
        if context.in_transaction.get():
            raise CalledInTransaction("a transaction inside a transaction")
        async with self._connection() as connection:
            tx = Tx(connection, self.schema)
            token = context.in_transaction.set(True)
            try:
                await connection.execute("BEGIN")
                try:
                    yield tx
                    await tx.write_events()
                except Exception as failure:
                    # A connection that does not answer is not asked a second time. That one, as that of whoever is
                    # cancelled, the pool closes, which rolls back as well.
                    if not isinstance(failure, UNSOUND):
                        with suppress(Exception):
                            await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")
            finally:
                context.in_transaction.reset(token)
                self._count(tx.statements + 2)
        tx.committed(self.wake)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """A connection without a transaction: each statement stands alone, also one that writes.

        It emits only by a statement that takes the events with it.
        """
        async with self._connection() as connection:
            tx = Tx(connection, self.schema)
            try:
                yield tx
            finally:
                self._count(tx.statements)
            if tx._events:
                raise ValueError("events were emitted outside of a transaction, and no statement took them")
        if tx.told:
            self.wake(self.schema)

    async def in_slices(self, sql: str, *values: Any) -> int:
        """Run a statement that takes at most `$1` rows again and again until it finds fewer; how many it took in all.

        Each time stands alone: however much there is to do, no statement takes long, and what is done stays done.
        """
        done = 0
        while True:
            async with self.read() as tx:
                taken = await tx.execute(sql, SLICE, *values)
            done += taken
            if taken < SLICE:
                return done

    def _count(self, statements: int) -> None:
        self.statements += statements
        Database.all_statements += statements

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            connection = await self.pool.take(context.seconds_left(5.0) or 0.001)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
            raise DatabaseUnavailable("no connection to the database", retry_after=2) from failure
        try:
            yield connection
        except LOST as failure:
            self.pool.give(connection, failure)
            raise DatabaseUnavailable("the database did not answer", retry_after=2) from failure
        except BaseException as failure:
            self.pool.give(connection, failure)
            raise
        self.pool.give(connection)


# What a caller may try again: the server is gone, busy or silent. Of a COMMIT without an answer nobody knows whether it
# took place; every action is safe to repeat.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asked between the server's last words and the end of the connection
    asyncpg.OperatorInterventionError,  # shutdown, and statement_timeout
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
    TimeoutError,  # asyncpg's, after `patience`; whoever set a timeout around all this sees his own as a cancellation
)


async def open_pool(url: str, *, size: int = 8, name: str = "sampan", patience: float = 15.0) -> Pool:
    """A pool with our time limits and codecs, one connection of it open.

    A statement without an answer for `patience` seconds is given up.

    Raises:
        OSError, asyncpg.PostgresError: the database cannot be reached.
    """

    async def open_one() -> asyncpg.Connection:
        connection = await asyncpg.connect(
            url,
            timeout=10,
            command_timeout=patience,
            statement_cache_size=1024,
            max_cached_statement_lifetime=0,
            # Our statements are few and each has one good plan, whatever its values: planning them anew for every call
            # (as PostgreSQL does where it takes a short array for cheaper than any) cost up to seven times their run.
            server_settings={
                "application_name": name,
                "plan_cache_mode": "force_generic_plan",
                "random_page_cost": "1.1",
                "statement_timeout": "10s",
                "lock_timeout": "5s",
                "idle_in_transaction_session_timeout": "15s",
                "timezone": "UTC",
                "jit": "off",
            },
        )
        await prepare(connection)
        return connection

    pool = Pool(open_one, size=size)
    async with pool.acquire(10):
        return pool


async def prepare(connection: asyncpg.Connection) -> None:
    """JSON columns stay encoded until `maker` knows their shape; they are written from anything msgspec encodes."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda raw: Raw(raw[1:]),
        format="binary",
    )


@cache
def maker(shape: type[Any]) -> Callable[[Any], Any]:
    """How to build `shape` from a row.

    A Struct takes its columns in the order of its fields; a `Money` field takes two, amount and currency; a JSON
    column is decoded as its field's type. Any other type takes the first column.
    """
    if not (isinstance(shape, type) and issubclass(shape, Struct)):
        return lambda row: decoded(row[0], shape)
    hints = get_type_hints(shape)
    plan: list[Any] = []
    for field in msgspec.structs.fields(shape):
        hint = hints[field.name]
        plan.append(Money if Money in (hint, *get_args(hint)) else hint if may_need_reading(hint) else None)
    if not any(plan):
        return lambda row: shape(*row)

    def make(row: Any) -> Any:
        columns = iter(row)
        fields = []
        for kind in plan:
            value = next(columns)
            if kind is Money:
                currency = next(columns)
                value = None if value is None else Money(value, currency)
            elif kind is not None and value is not None:
                value = decoded(value, kind)
            fields.append(value)
        return shape(*fields)

    return make


def decoded(value: Any, hint: Any) -> Any:
    """A column as a `hint`: JSON is read as that type, an array becomes the tuple or set that was asked for."""
    if type(value) is Raw:
        return decoder(hint).decode(value)
    return msgspec.convert(value, hint) if type(value) is list and get_origin(hint) is not list else value


@cache
def decoder(hint: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(hint)


def may_need_reading(hint: Any) -> bool:
    """True for what may come as JSON or as an array; plain columns are taken as they are."""
    parts = get_args(hint)
    if parts:
        return (
            any(may_need_reading(part) for part in parts if part is not type(None)) or get_origin(hint) in COLLECTIONS
        )
    return hint in COLLECTIONS or hint in (Any, object) or (isinstance(hint, type) and issubclass(hint, Struct))


COLLECTIONS = (list, dict, tuple, set, frozenset)
