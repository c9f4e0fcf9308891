"""Two actors in an order that is not left to chance: the second runs exactly before or after a chosen function."""

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from contextvars import Context, ContextVar
from typing import Any, Literal, NamedTuple

from sampan.kernel import context

When = Literal["before", "after"]
Second = Callable[[], Awaitable[Any]]
Listener = Callable[[str, When], Awaitable[None]]

PATIENCE = 0.05  # seconds for a second actor who may have to wait for a lock of the first
MOST = 30.0  # seconds after which two actors are taken to wait for each other
_first: ContextVar[bool] = ContextVar("first", default=False)  # the first actor, and all that it sets going


class Point(NamedTuple):
    """Before or after the nth call of a function."""

    name: str
    when: When
    nth: int

    def __str__(self) -> str:
        return f"{self.when} {self.name} #{self.nth}"


class Place(NamedTuple):
    """A function that is watched: a method of a live object, or of all objects of a class."""

    owner: Any
    method: str
    name: Callable[[Any], str]


def place(owner: Any, method: str, name: str | Callable[[Any], str] = "") -> Place:
    """`name`: what it is called, or how to tell from the object it is called on."""
    said = name if callable(name) else lambda _: name or method
    return Place(owner if hasattr(owner, "__dict__") else type(owner), method, said)


@contextmanager
def watched(places: Sequence[Place], listener: Listener) -> Iterator[None]:
    """Tell the listener before and after each call of these functions by the first actor."""
    with ExitStack() as stack:
        for each in places:
            stack.enter_context(_watched(each, listener))
        yield


@contextmanager
def _watched(watch: Place, listener: Listener) -> Iterator[None]:
    owner, method = watch.owner, watch.method
    had = method in vars(owner)
    original = getattr(owner, method)

    def name_of(arguments: tuple[Any, ...]) -> str:
        return watch.name(arguments[0] if isinstance(owner, type) and arguments else owner)

    async def call(*arguments: Any, **named: Any) -> Any:
        if not _first.get():
            return await original(*arguments, **named)
        name = name_of(arguments)
        await listener(name, "before")
        try:
            return await original(*arguments, **named)
        finally:
            await listener(name, "after")

    @asynccontextmanager
    async def block(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
        if not _first.get():
            async with original(*arguments, **named) as given:
                yield given
            return
        name = name_of(arguments)
        await listener(name, "before")
        async with original(*arguments, **named) as given:
            yield given
        await listener(name, "after")

    is_block = inspect.isasyncgenfunction(inspect.unwrap(getattr(original, "__func__", original)))
    kept = vars(owner).get(method)
    setattr(owner, method, block if is_block else call)
    try:
        yield
    finally:
        if had:
            setattr(owner, method, kept)
        else:
            delattr(owner, method)


async def recorded(places: Sequence[Place], first: Second) -> list[Point]:
    """What the first actor does alone: every point where another can come in between, in order."""
    found: list[Point] = []
    counts: Counter[tuple[str, str]] = Counter()

    async def listen(name: str, when: When) -> None:
        counts[name, when] += 1
        found.append(Point(name, when, counts[name, when]))

    with watched(places, listen), _as_first():
        await first()
    return found


class Interleaved:
    """Whether the second actor has run, and what became of it."""

    def __init__(self, second: Second) -> None:
        self._second = second
        self._task: asyncio.Task[Any] | None = None

    @property
    def ran(self) -> bool:
        return self._task is not None

    async def begin(self) -> None:
        """Run it to its end, or, if the first one is in a transaction, for as long as it may need without its locks."""
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._second(), context=Context())  # type: ignore[arg-type]
        patient = not context.in_transaction.get()
        done, _ = await asyncio.wait({self._task}, timeout=MOST if patient else PATIENCE)
        assert done or not patient, "the second actor waits for the first"
        if done and isinstance(death := self._task.exception(), BaseException) and not isinstance(death, Exception):
            raise death  # it takes the first one with it

    async def end(self) -> Any:
        """What became of it. If the point was never passed it runs now."""
        if self._task is None:
            await self.begin()
        assert self._task is not None
        return await asyncio.wait_for(self._task, MOST)


@contextmanager
def interleaved(places: Sequence[Place], point: Point, second: Second) -> Iterator[Interleaved]:
    """While this is open, the second actor runs exactly at this point of what is done here."""
    run = Interleaved(second)
    counts: Counter[tuple[str, str]] = Counter()

    async def listen(name: str, when: When) -> None:
        counts[name, when] += 1
        if not run.ran and point == (name, when, counts[name, when]):
            await run.begin()

    with watched(places, listen), _as_first():
        yield run


@contextmanager
def _as_first() -> Iterator[None]:
    token = _first.set(True)
    try:
        yield
    finally:
        _first.reset(token)
