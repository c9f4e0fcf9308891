"""Values by key, each with the tags by which it becomes stale: the memory under `Kept` and `Cache`."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence, Sized
from typing import Final, Generic, TypeVar
from weakref import WeakSet

from msgspec import Struct, field

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Sized)

EVERYTHING: Final = "*"  # the tag that all bears

_ENTRY_OVERHEAD: Final = 400  # bytes of bookkeeping for one entry, roughly
_TAG_OVERHEAD: Final = 200  # and for each of its tags


class Asked(Struct, eq=False, weakref=True):
    """A question under way, for as long as somebody holds it, and what was told since it was asked."""

    told: set[str] = field(default_factory=set)

    def is_overtaken(self, tags: Iterable[str]) -> bool:
        """True if an answer with these tags may be older than what was told."""
        return EVERYTHING in self.told or not self.told.isdisjoint(tags)


class _Entry(Struct, Generic[V]):
    value: V
    expires: float
    tags: Sequence[str]
    size: int


class Shelf(Generic[K, V]):
    """Up to `most` values and `max_bytes` of them by their lengths, each for up to `ttl` seconds; what was not asked
    for longest goes first.
    """

    def __init__(
        self, *, most: int, ttl: float, max_bytes: int = 64 << 20, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._max_bytes = max_bytes
        self._ttl = ttl
        self._clock = clock
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._keys_of: dict[str, K | set[K]] = {}  # mostly one
        self._asked: WeakSet[Asked] = WeakSet()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """What lies under `key`, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def ask(self) -> Asked:
        """To be called before a question whose answer is to be put here."""
        asked = Asked()
        self._asked.add(asked)
        return asked

    def put(self, key: K, value: V, tags: Sequence[str], asked: Asked, *, ttl: float | None = None) -> bool:
        """Keep what the question brought. False, and nothing is kept, if it was overtaken."""
        if asked.is_overtaken(tags):
            return False
        self._drop(key)
        size = len(value) + _ENTRY_OVERHEAD + _TAG_OVERHEAD * len(tags)
        if size > self._max_bytes:
            return True
        self._entries[key] = _Entry(value, self._clock() + (self._ttl if ttl is None else ttl), tags, size)
        self.size += size
        for tag in tags:
            others = self._keys_of.get(tag)
            if others is None:
                self._keys_of[tag] = key
            elif isinstance(others, set):
                others.add(key)
            elif others != key:
                self._keys_of[tag] = {others, key}
        while len(self._entries) > self._most or self.size > self._max_bytes:
            self._drop(next(iter(self._entries)))
        return True

    def forget(self, tags: Sequence[str]) -> None:
        """Drop all that bears any of these tags, and see to it that no older answer takes its place."""
        for asked in self._asked:
            asked.told.update(tags)
        if EVERYTHING in tags:
            self._entries.clear()
            self._keys_of.clear()
            self.size = 0
            return
        for tag in tags:
            keys = self._keys_of.get(tag)
            if keys is not None:
                for key in list(keys) if isinstance(keys, set) else [keys]:
                    self._drop(key)

    def _drop(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.size -= entry.size
        for tag in dict.fromkeys(entry.tags):
            keys = self._keys_of[tag]
            if isinstance(keys, set):
                keys.discard(key)
            if not isinstance(keys, set) or not keys:
                del self._keys_of[tag]
