"""The gateway, as others see it. Nobody calls it: it calls."""

from typing import Protocol


class Gateway(Protocol):
    """The way in: routing, documents, and forwarding where services are apart."""

    async def list_services(self) -> list[str]:
        """The services that have routes."""
        ...
