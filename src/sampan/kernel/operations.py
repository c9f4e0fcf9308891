"""What an operator asks every process: does it live, is it ready, how is it doing. Not for the public."""

from ipaddress import ip_address

from sampan.kernel.db import Database, DatabaseUnavailable
from sampan.kernel.errors import NotFound
from sampan.kernel.http import Answer, Request, Routes, public
from sampan.kernel.metrics import metrics
from sampan.kernel.pool import Pool

operations = Routes(prefix="", in_documents=False)


class Health:
    """The databases of a process."""

    def __init__(self, pools: dict[str, Pool]) -> None:
        self.pools = pools

    async def check(self) -> None:
        """Raises DatabaseUnavailable when one of them does not answer."""
        for pool in self.pools.values():
            async with Database(pool, "health").read() as tx:
                if await tx.maybe(int, "SELECT 1") != 1:
                    raise DatabaseUnavailable("the database did not answer", retry_after=2)


def check_inside(request: Request) -> None:
    """These pages exist for this machine and its private network only, and never through a proxy."""
    client = request.scope.get("client")
    try:
        inside = client is None or ip_address(client[0]).is_private
    except ValueError:
        inside = True  # not an address: an in-process caller
    if not inside or request.header("x-forwarded-for"):
        raise NotFound("there is nothing at this address")


@operations.get("/health/live", policy=public)
async def live(request: Request) -> Answer:
    """The process works; says nothing of others."""
    check_inside(request)
    return Answer(200, b'{"status":"live"}')


@operations.get("/health/ready", policy=public)
async def ready(health: Health, request: Request) -> Answer:
    """The process can serve: its database answers."""
    check_inside(request)
    await health.check()
    return Answer(200, b'{"status":"ready"}')


@operations.get("/metrics", policy=public)
async def figures(request: Request) -> Answer:
    """All metrics of this process in Prometheus' text format."""
    check_inside(request)
    metrics.statements.set(Database.all_statements)
    return Answer(200, metrics.render(), b"text/plain; version=0.0.4; charset=utf-8")
