"""What a peer says of things by their id, kept in this process until an event says that it changed.

Kept is only while the events are followed (`News.is_followed`); where nobody follows them, and whenever a feed is lost,
every question goes to the peer. What was told of while it was asked for is answered and not kept.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

EVERYTHING: Final = "*"  # the tag that all bears, also of kept answers (`cache.py`)


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
        self._most = most
        self._ttl = ttl
        self._clock = clock
        self._values: OrderedDict[K, tuple[float, bytes, str]] = OrderedDict()
        self._keys_of: dict[str, K | set[K]] = {}  # mostly one
        self._loads: list[set[str]] = []  # for each question under way, what was told since it was asked
        news.listen(self._forget)

    async def find(self, keys: Iterable[K]) -> dict[K, V]:
        """The values of those keys that have one. Raises what `load` raises."""
        now = self._clock()
        found: dict[K, V] = {}
        unknown: list[K] = []
        for key in dict.fromkeys(keys):
            kept = self._values.get(key)
            if kept is not None and kept[0] > now:
                self._values.move_to_end(key)
                found[key] = self._unpack(kept[1])
            else:
                unknown.append(key)
        if unknown:
            stale: set[str] = set()
            self._loads.append(stale)
            try:
                loaded = await self._load(unknown)
            finally:
                self._loads = [each for each in self._loads if each is not stale]
            found.update(loaded)
            if EVERYTHING not in stale and self._news.is_followed:
                for key, value in loaded.items():
                    if self._tag(value) not in stale:
                        self._keep(key, value)
        return found

    def _keep(self, key: K, value: V) -> None:
        self._drop(key)
        tag = self._tag(value)
        self._values[key] = (self._clock() + self._ttl, msgspec.msgpack.encode(value), tag)
        others = self._keys_of.get(tag)
        if others is None:
            self._keys_of[tag] = key
        elif isinstance(others, set):
            others.add(key)
        else:
            self._keys_of[tag] = {others, key}
        if len(self._values) > self._most:
            self._drop(next(iter(self._values)))

    def _drop(self, key: K) -> None:
        kept = self._values.pop(key, None)
        if kept is None:
            return
        tag = kept[2]
        keys = self._keys_of[tag]
        if isinstance(keys, set):
            keys.discard(key)
        if not isinstance(keys, set) or not keys:
            del self._keys_of[tag]

    def _forget(self, tags: Sequence[str]) -> None:
        for stale in self._loads:
            stale.update(tags)
        if EVERYTHING in tags:
            self._values.clear()
            self._keys_of.clear()
        for tag in tags:
            keys = self._keys_of.get(tag)
            if keys is not None:
                for key in list(keys) if isinstance(keys, set) else [keys]:
                    self._drop(key)
