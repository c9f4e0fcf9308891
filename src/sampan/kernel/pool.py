"""Connections to one database, opened when they are needed, at most `size` of them.

A shop of ours takes and gives back a connection some fifty times for one order. asyncpg's own pool spends about
fifty microseconds on each turn (a proxy, two timers, a shielded task); here a free connection is popped off a list.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

IDLE: Final = 300.0  # seconds after which a connection that nobody needed is closed; the last one stays
CLOSING: Final = 5.0  # seconds for a connection to say good-bye, a query of its that was abandoned included

# After these, nobody knows what the connection is in the middle of.
UNSOUND: Final = (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Pool:
    """`take` a connection and `give` it back, always; or `async with pool.acquire()`.

    The one that was used last is taken first, so that few connections stay warm and the others go.
    """

    def __init__(self, open_one: Callable[[], Awaitable[asyncpg.Connection]], *, size: int) -> None:
        self._open_one = open_one
        self.size = size
        self._open = 0  # opened or being opened
        self._free: deque[tuple[float, asyncpg.Connection]] = deque()
        self._waiting: deque[asyncio.Future[asyncpg.Connection | None]] = deque()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def take(self, timeout: float) -> asyncpg.Connection:
        """A connection that nobody else has.

        Raises:
            TimeoutError: all were in use for `timeout` seconds, or the server did not answer in that time.
            OSError, asyncpg.PostgresError: the server cannot be reached, or refuses us.
            asyncpg.InterfaceError: the pool is closed.
        """
        if self._closed:
            raise asyncpg.InterfaceError("the pool is closed")
        while self._free:
            connection = self._free.pop()[1]
            if not connection.is_closed():
                return connection
            self._open -= 1
        if self._open >= self.size:
            handed = await self._wait(timeout)
            if handed is not None:
                return handed
        else:
            self._open += 1
        # A place is ours; either we fill it or the next in line may. (Not `wait_for`: in Python 3.11 it forgets that we
        # were cancelled when the opening ends in the same moment, and who was told to stop goes on for ever.)
        try:
            async with asyncio.timeout(timeout):
                return await self._open_one()
        except BaseException:
            self._leave()
            raise

    async def _wait(self, timeout: float) -> asyncpg.Connection | None:
        """A connection that is given back, or None: the place of one that is no more."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                handed: asyncpg.Connection | None = await waiter
                return handed
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:  # handed over too late
                late = waiter.result()
                if late is None:
                    self._leave()
                else:
                    self.give(late)
            raise

    def give(self, connection: asyncpg.Connection, failure: BaseException | None = None) -> None:
        """Take the connection back; `failure` is what ended its use, if something did."""
        if connection.is_closed():
            self._leave()
        elif self._closed or not is_sound(connection, failure):
            task = asyncio.get_running_loop().create_task(self._retire(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        elif (waiter := self._next()) is not None:
            waiter.set_result(connection)
        else:
            now = time.monotonic()
            self._free.append((now, connection))
            if len(self._free) > 1 and self._free[0][0] < now - IDLE:
                self._free.popleft()[1].terminate()
                self._open -= 1

    def _next(self) -> "asyncio.Future[asyncpg.Connection | None] | None":
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    def _leave(self) -> None:
        """A connection is no more: its place goes to the next in line."""
        waiter = self._next()
        if waiter is not None:
            waiter.set_result(None)
        else:
            self._open -= 1

    async def _retire(self, connection: asyncpg.Connection) -> None:
        """Closing tells the server to stop what was abandoned; only then somebody else gets the place."""
        try:
            await connection.close(timeout=CLOSING)
        except Exception:
            connection.terminate()
        finally:
            self._leave()

    @asynccontextmanager
    async def acquire(self, timeout: float = 5.0) -> AsyncIterator[asyncpg.Connection]:
        """A connection for the length of a block. Raises as `take`."""
        connection = await self.take(timeout)
        try:
            yield connection
        except BaseException as failure:
            self.give(connection, failure)
            raise
        self.give(connection)

    async def close(self) -> None:
        """Close what is free now and what is in use as soon as it is given back; who waits is refused."""
        self._closed = True
        while (waiter := self._next()) is not None:
            waiter.set_exception(asyncpg.InterfaceError("the pool is closed"))
        while self._free:
            connection = self._free.pop()[1]
            try:
                await connection.close(timeout=CLOSING)
            except Exception:
                connection.terminate()
            self._open -= 1
        if self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)


def is_sound(connection: asyncpg.Connection, failure: BaseException | None) -> bool:
    """Whether somebody else may have the connection: no transaction is open and no query under way."""
    if connection.is_in_transaction():
        return False
    return failure is None or (isinstance(failure, Exception) and not isinstance(failure, UNSOUND))
