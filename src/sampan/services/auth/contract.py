"""Auth, as others see it: who is behind a token."""

from typing import Protocol

from sampan.kernel.context import Actor


class Auth(Protocol):
    """Credentials and what they allow."""

    async def find_actor(self, *, token: str) -> Actor | None:
        """Whose API key this is, with its permissions; None for an unknown, expired or withdrawn one."""
        ...
