"""What a contract's methods do, as tables of examples: one for each service, in `examples/`.

An example makes the shop ready and says how the method is called; whether it is then called in process or over HTTP,
once or twice, is not its business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sampan.kernel.connect import methods_of
from sampan.kernel.context import ANONYMOUS, Actor
from sampan.kernel.errors import ShopError
from sampan.kernel.service import owner_of

if TYPE_CHECKING:
    from tests.contracts.stage import Stage


@asynccontextmanager
async def nothing_special() -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class Call:
    """The arguments, and what is expected.

    `answer` checks what comes back, `facts` are some of those of a refusal. `within` is how things stand while the
    call is made. `actor` is who works, as the edge would know it.
    """

    arguments: Mapping[str, Any]
    answer: Callable[[Any], bool] = lambda answer: True
    facts: Mapping[str, Any] = field(default_factory=dict)
    within: Callable[[], AbstractAsyncContextManager[None]] = nothing_special
    actor: Actor = ANONYMOUS


Prepare = Callable[["Stage"], Awaitable[Call]]


@dataclass(frozen=True)
class Example:
    """One line of a table.

    `refuses`: the refusal it shows. `again`: the refusal that a repetition meets, where the contract says so.
    `same`: what of an answer must be the same for a repetition. `moves`: table → columns that a repetition may
    change (a version, the time until which something lives). `makes`: tables (or whole schemas) that grow with every
    call, where the contract says so.
    """

    contract: type[Any]
    method: str
    title: str
    prepare: Prepare
    refuses: type[ShopError] | None = None
    again: type[ShopError] | None = None
    same: Callable[[Any], Any] = lambda answer: answer
    moves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    makes: tuple[str, ...] = ()

    @property
    def service(self) -> str:
        return service_of(self.contract)

    def __str__(self) -> str:
        return f"{self.service}.{self.method}: {self.title}"


def service_of(contract: type[Any]) -> str:
    """The name under which a contract's service is deployed."""
    owner = owner_of(contract)
    return f"{owner}_sandbox" if ".sandbox." in contract.__module__ else owner


class Table:
    """The examples of one contract."""

    def __init__(self, contract: type[Any]) -> None:
        self.contract = contract
        self.methods = methods_of(contract)
        self.examples: list[Example] = []

    def answers(self, method: str, **more: Any) -> Callable[[Prepare], Prepare]:
        """The function prepares a call that is answered."""

        def add(prepare: Prepare) -> Prepare:
            assert method in self.methods, f"{self.contract.__name__} has no {method}"
            title = prepare.__name__.strip("_").replace("_", " ")
            self.examples.append(Example(self.contract, method, title, prepare, **more))
            return prepare

        return add

    def refuses(self, method: str, error: type[ShopError]) -> Callable[[Prepare], Prepare]:
        """The function prepares a call that is refused with this error, and changes nothing."""
        return self.answers(method, refuses=error)
