"""How much a process works on at once, and who is refused first when that is too much.

Refused at once is better than answered late: what is let in is finished, and whoever is refused knows it and comes
again. So there are so many places; each request that is worked on takes one, and what costs the shop least to refuse
finds them taken first. Answers that are kept take none, and nobody is refused those.
"""

import asyncio
import math
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sampan.kernel.errors import ShopError

ALL = 400
FIRST_REFUSED = 0.0625  # bots; shares of all places
# Looking has few places, since above fifty or so at once they only wait for each other, and so does who is refused.
BROWSING, CART, ORDERING = 0.125, 0.5, 1.0
BOT = re.compile(rb"bot|crawl|spider|slurp|scrap|curl|wget|python|java/|go-http", re.IGNORECASE)

PROMPT = 0.002  # seconds within which the loop comes to what is new, as long as there is no rush
IN_A_RUSH = 2  # of those who look are worked for at once then: while one waits for the database, one has the CPU
PATIENCE = 0.5  # seconds that anybody waits for a turn; with the work itself it is less than a second then
PARTS = 5  # of the patience; however long the loop stands still, it costs one: it kept back turns as well
MEMORY = 0.1  # how much one look at the loop counts against those before it


class Overloaded(ShopError, code="kernel.overloaded", status=503):
    """More work than this process can do; try again in a moment."""


class Places:
    """The places of a process. `working`: how many are taken."""

    def __init__(self) -> None:
        self.working = 0
        self._late = 0.0
        self._looking = False
        self._turns = 0  # that are taken
        self._queue: deque[asyncio.Future[None]] = deque()

    def look(self, now: float) -> None:
        """See how long the loop takes to come to what is new, which everybody waits for, whatever they ask for.

        One call is put behind all that the loop has to do `now` (`time.perf_counter()`), if none is there yet.
        """
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._come, now)

    def _come(self, asked: float) -> None:
        self._looking = False
        self._late += MEMORY * (time.perf_counter() - asked - self._late)
        self._call()

    def place_for(self, scope: Any) -> AbstractAsyncContextManager[None]:
        """Where a request is worked on. In a rush those who look take turns, so that the loop soon comes to everybody
        else: to carts and orders, to what is kept, and to whoever is refused.

        Raises:
            Overloaded: there is no place, or no turn in time; try again in a second.
        """
        share = share_of(scope)
        if self.working > share * ALL:
            raise busy()
        takes_turns = share <= BROWSING and self._is_rush() and scope["method"] in ("GET", "HEAD")
        return self._turn() if takes_turns else nullcontext()

    def _is_rush(self) -> bool:
        return self._late > PROMPT

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._call()
        try:
            for _ in range(PARTS):
                await asyncio.wait((turn,), timeout=PATIENCE / PARTS)
                if turn.done():
                    break
            else:
                raise busy()
            yield
        finally:
            if not turn.cancel():  # else it never came, to who waited too long or went away
                self._turns -= 1
                self._call()

    def _call(self) -> None:
        """Let in whose turn it is: all of them when the rush is over, for who waits for a peer keeps nobody busy."""
        while self._queue and (self._turns < IN_A_RUSH or not self._is_rush()):
            turn = self._queue.popleft()
            if not turn.cancelled():
                self._turns += 1
                turn.set_result(None)


def busy() -> Overloaded:
    return Overloaded("the shop is very busy", retry_after=1)


def share_of(scope: Any) -> float:
    """How many of the places may be taken before this request is refused: bots go first, orders last."""
    path: str = scope["path"]
    if path.startswith(("/health", "/internal")):
        return math.inf
    if any(part in path for part in ("/checkout", "/orders", "/payments", "/admin/")):
        return ORDERING
    if "/cart" in path:
        return CART
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    return FIRST_REFUSED if BOT.search(agent) else BROWSING
