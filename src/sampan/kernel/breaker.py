"""A circuit breaker: what does not answer is left alone for a while, then asked once."""

import time
from collections.abc import Callable
from typing import Literal


class Breaker:
    """Opens after `failures` in a row. After `pause` seconds one probe may pass; its success closes it.

    Whoever got True from `enter` reports back with `succeeded`, `failed` or, when nothing was learnt,
    `abandoned`. A probe that never reports back costs one more pause.
    """

    __slots__ = ("_clock", "_failed", "_limit", "_open_until", "_pause")

    def __init__(self, *, failures: int, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._failed = 0
        self._open_until = 0.0

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        if self._failed < self._limit:
            return "closed"
        return "open" if self._clock() < self._open_until else "half-open"

    def enter(self) -> bool:
        """Whether a call may be made now."""
        if self._failed < self._limit:
            return True
        now = self._clock()
        if now < self._open_until:
            return False
        self._open_until = now + self._pause  # this caller is the probe; the others wait for its report
        return True

    def succeeded(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        self._failed += 1
        if self._failed >= self._limit:
            self._open_until = self._clock() + self._pause

    def abandoned(self) -> None:
        """The call ended without telling anything about the other side: somebody else may probe at once."""
        if self._failed >= self._limit:
            self._open_until = self._clock()
