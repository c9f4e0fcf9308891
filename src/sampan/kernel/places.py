"""How much a process works on at once, and who is refused first when that is too much.

Refused at once is better than answered late: what is let in is finished, and whoever is refused knows it and comes
again. So there are so many places; each request that is worked on takes one, and what costs the shop least to refuse
finds them taken first. Answers that are kept take none, and nobody is refused those.
"""

import asyncio
import math
import re
from collections import deque
from typing import Any

from sampan.kernel.errors import ShopError

ALL = 400
FIRST_REFUSED = 0.0625  # bots; shares of all places
# Looking has few places, since above fifty or so at once they only wait for each other, and so does who is refused.
BROWSING, CART, ORDERING = 0.125, 0.5, 1.0
BOT = re.compile(rb"bot|crawl|spider|slurp|scrap|curl|wget|python|java/|go-http", re.IGNORECASE)

PATIENCE = 0.5  # seconds that anybody waits to begin; with the work itself it is less than a second then
PARTS = 5  # of the patience; however long the loop stands still, it costs one: it kept back others as well


class Overloaded(ShopError, code="kernel.overloaded", status=503):
    """More work than this process can do; try again in a moment."""


class Places:
    """The places of a process. `working`: how many are taken.

    Of those who look, one begins in each turn of the loop, which it keeps for a millisecond or two while everybody else
    waits. The more else there is to do, the longer are the turns and the fewer begin; so the loop soon comes to carts
    and orders, to what is kept, and to whoever is refused.
    """

    def __init__(self) -> None:
        self.working = 0
        self._queue: deque[asyncio.Future[None]] = deque()  # of those who will look
        self._has_begun = False  # one of them, in this turn; then we are told when it is over

    async def take(self, scope: Any) -> None:
        """Come back when this request may be worked on.

        Raises:
            Overloaded: there is no place, or its turn did not come in time; try again in a second.
        """
        share = share_of(scope)
        if self.working > share * ALL:
            raise busy()
        if share > BROWSING or scope["method"] not in ("GET", "HEAD"):
            return
        if self._has_begun:
            await self._wait()
        else:
            self._begin()

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            for _ in range(PARTS):
                await asyncio.wait((turn,), timeout=PATIENCE / PARTS)
                if turn.done():
                    return
            raise busy()
        finally:
            turn.cancel()  # in vain if it came; else of somebody who waited too long or went away

    def _begin(self) -> None:
        self._has_begun = True
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._has_begun = False
        while self._queue and not self._has_begun:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self._begin()


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
