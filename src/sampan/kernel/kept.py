"""What a peer says of things by their id, kept in this process until an event says that it changed.

Kept is only while the events are followed (`News.is_followed`); where nobody follows them, and whenever a feed is lost,
every question goes to the peer. What was told of while it was asked for is answered and not kept.
"""

import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from sampan.kernel.shelf import EVERYTHING, Shelf

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class News:
    """Tells those who keep something what became stale. The one who follows the events speaks; see `Shop`."""

    def __init__(self) -> None:
        self._missing: set[str] | None = None  # the sources that are not followed; none is known before the start
        self._listeners: list[Callable[[Sequence[str]], None]] = []

    @property
    def is_followed(self) -> bool:
        """True while all sources are followed."""
        return self._missing is not None and not self._missing

    def begin(self, sources: Iterable[str]) -> None:
        """These are going to be followed; none of them is yet."""
        self._missing = set(sources)

    def found(self, source: str) -> None:
        """From here on no event of this source is missed."""
        if self._missing is not None:
            self._missing.discard(source)
        self.tell((EVERYTHING,))  # what was asked for before may be older

    def lost(self, source: str) -> None:
        """Events of this source may be missed from here on."""
        if self._missing is not None:
            self._missing.add(source)
        self.tell((EVERYTHING,))

    def end(self) -> None:
        """Nobody follows any more."""
        self._missing = None
        self.tell((EVERYTHING,))

    def listen(self, listener: Callable[[Sequence[str]], None]) -> None:
        self._listeners.append(listener)

    def tell(self, tags: Sequence[str]) -> None:
        for listener in self._listeners:
            listener(tags)


class Kept(Generic[K, V]):
    """Up to `most` values by key, each for up to `ttl` seconds and until its tag is told.

    `load` asks for those that are not here, once for all keys of a question; what it leaves out does not exist and is
    not kept. `tag` is the one of a value. They lie here packed, a third as large as alive, and are read as `shape`.
    """

    def __init__(
        self,
        news: News,
        load: Callable[[list[K]], Awaitable[Mapping[K, V]]],
        tag: Callable[[V], str],
        shape: Any,
        *,
        most: int = 10_000,
        ttl: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._news = news
        self._load = load
        self._tag = tag
        self._unpack: Callable[[bytes], V] = msgspec.msgpack.Decoder(shape).decode
        self._shelf: Shelf[K, bytes] = Shelf(most=most, ttl=ttl, clock=clock)
        news.listen(self._shelf.forget)

    async def find(self, keys: Iterable[K]) -> dict[K, V]:
        """The values of those keys that have one. Raises what `load` raises."""
        found: dict[K, V] = {}
        unknown: list[K] = []
        for key in dict.fromkeys(keys):
            packed = self._shelf.get(key)
            if packed is not None:
                found[key] = self._unpack(packed)
            else:
                unknown.append(key)
        if unknown:
            asked = self._shelf.ask()
            loaded = await self._load(unknown)
            found.update(loaded)
            if self._news.is_followed:
                for key, value in loaded.items():
                    self._shelf.put(key, msgspec.msgpack.encode(value), (self._tag(value),), asked)
        return found
