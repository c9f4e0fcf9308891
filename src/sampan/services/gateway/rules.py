"""What must be true of forwarding."""

import re
from collections.abc import Iterable

from sampan.kernel.http import Route

# Headers that belong to one connection, or that only we may set; never passed on.
NOT_FORWARDED = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
        b"transfer-encoding", b"upgrade", b"host", b"content-length", b"x-forwarded-for", b"x-forwarded-host",
        b"x-forwarded-proto", b"forwarded", b"x-real-ip", b"x-request-id", b"x-deadline",
    }
)  # fmt: skip
NOT_RETURNED = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"content-length", b"date", b"server"})


class Owners:
    """Which service serves an address."""

    def __init__(self, table: Iterable[tuple[str, Route]]) -> None:
        self._fixed: dict[str, str] = {}
        patterns: dict[str, str] = {}
        for service, route in table:
            if "{" in route.path:
                patterns[re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path))] = service
            else:
                self._fixed[route.path] = service
        self._patterns = [(re.compile(pattern), service) for pattern, service in patterns.items()]

    def owner_for(self, path: str) -> str | None:
        """The service of the route that matches, or None. A fixed address goes before one with parameters."""
        path = path.rstrip("/") or "/"
        if path in self._fixed:
            return self._fixed[path]
        return next((service for pattern, service in self._patterns if pattern.fullmatch(path)), None)


def is_repeatable(method: str) -> bool:
    """Only reads are sent a second time; a write may have happened although its answer was lost."""
    return method in ("GET", "HEAD", "OPTIONS")
