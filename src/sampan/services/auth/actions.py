"""What auth does."""

import secrets
from uuid import UUID

from sampan.kernel.context import Actor, actor
from sampan.kernel.db import Database
from sampan.kernel.errors import NotFound
from sampan.kernel.ids import uuid7
from sampan.kernel.service import Ground
from sampan.services.auth import rules, store
from sampan.services.auth.store import ApiKey


class AuthActions:
    """API keys of staff and integrations. People log in with a later version."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db

    async def find_actor(self, *, token: str) -> Actor | None:
        """Whose key this is; None for an unknown, expired or withdrawn one."""
        if not rules.is_key(token):
            return None
        async with self.db.read() as tx:
            key = await store.key_by_digest(tx, rules.digest_for(token))
        if key is None:
            return None
        return Actor(kind="staff", id=str(key.id), permissions=frozenset(key.permissions))

    async def create_key(self, *, name: str, permissions: list[str]) -> str:
        """A new key; the answer is the only time its secret is seen. Raises Invalid."""
        rules.check_key_name(name)
        rules.check_permissions(permissions)
        token = rules.PREFIX + secrets.token_urlsafe(32)
        async with self.db.begin() as tx:
            await store.add_key(
                tx,
                key_id=uuid7(),
                name=name.strip(),
                digest=rules.digest_for(token),
                permissions=sorted(set(permissions)),
                made_by=actor.get().name,
            )
        return token

    async def list_keys(self) -> list[ApiKey]:
        """All keys, withdrawn ones too, oldest first."""
        async with self.db.read() as tx:
            return await store.keys(tx)

    async def withdraw_key(self, *, key_id: UUID) -> None:
        """The key opens nothing any more, within ten seconds everywhere. Raises NotFound."""
        async with self.db.begin() as tx:
            if not await store.withdraw(tx, key_id, actor.get().name):
                raise NotFound("there is no such key, or it was withdrawn before")
