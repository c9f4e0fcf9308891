"""What travels with a piece of work: who asked, under which request id, until when.

Context variables, so that nothing has to be handed through every signature; the edge, the consumer and the job runner
set them, `connect` sends them to peers, the log writes them.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from msgspec import Struct

from sampan.kernel.errors import Forbidden

Kind = Literal["anonymous", "customer", "staff", "service", "system"]


class Actor(Struct, frozen=True):
    """Who acts. A guest is anonymous and may hold the secret of one cart and one order.

    `permissions` are those of a member of staff or of an API key (`orders.write`). `address` is the client's network
    block, for limits only; it is never a proof of anything.
    """

    kind: Kind = "anonymous"
    id: str = ""
    permissions: frozenset[str] = frozenset()
    cart_token: str = ""
    order_token: str = ""
    address: str = ""

    def may(self, permission: str) -> bool:
        """True for staff and keys that hold the permission; the system itself may do all."""
        return self.kind == "system" or (self.kind == "staff" and permission in self.permissions)

    @property
    def name(self) -> str:
        """For logs, events and audit: `staff:0190…`, `anonymous`."""
        return f"{self.kind}:{self.id}" if self.id else self.kind


def check_may(who: Actor, permission: str) -> None:
    """Raises Forbidden."""
    if not who.may(permission):
        raise Forbidden(f"this needs the permission {permission}")


ANONYMOUS = Actor()
SYSTEM = Actor(kind="system")

request_id: ContextVar[str] = ContextVar("request_id", default="")
actor: ContextVar[Actor] = ContextVar("actor", default=ANONYMOUS)
deadline: ContextVar[float | None] = ContextVar("deadline", default=None)  # on the clock of time.monotonic()
in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


def seconds_left(default: float) -> float:
    """Seconds until the deadline of the current work, at most `default`; never below zero."""
    limit = deadline.get()
    return default if limit is None else max(0.0, min(default, limit - time.monotonic()))


@contextmanager
def working_as(who: Actor, *, request: str = "", seconds: float | None = None) -> Iterator[None]:
    """Do a piece of work as `who`, with a request id and a deadline `seconds` from now."""
    tokens = (actor.set(who), request_id.set(request), deadline.set(time.monotonic() + seconds if seconds else None))
    try:
        yield
    finally:
        actor.reset(tokens[0])
        request_id.reset(tokens[1])
        deadline.reset(tokens[2])
