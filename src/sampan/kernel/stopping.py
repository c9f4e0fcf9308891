"""Being asked to stop: SIGTERM, and Ctrl-C on the terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

ASKED = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def ends_on_sigterm() -> Iterator[None]:
    """SIGTERM unwinds the block, like Ctrl-C does, so that what was started is stopped."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; a second one must not disturb the unwinding
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Who asks us to stop is heard after the block: what it starts is noted by then, and can be stopped as well.

    A process that is started in the block begins with these signals held back, and lets them in when it is ready.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
