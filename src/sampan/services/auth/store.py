"""All SQL of auth."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx

ADD_KEY = """
INSERT INTO auth.api_key (id, name, digest, permissions, made_by) VALUES ($1, $2, $3, $4, $5)
"""
FIND_KEY = """
SELECT id, permissions FROM auth.api_key
 WHERE digest = $1 AND withdrawn_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""
KEYS = "SELECT id, name, permissions, made_at, made_by, withdrawn_at FROM auth.api_key ORDER BY made_at"
WITHDRAW = """
UPDATE auth.api_key SET withdrawn_at = now(), withdrawn_by = $2 WHERE id = $1 AND withdrawn_at IS NULL
"""


class FoundKey(Struct, frozen=True):
    id: UUID
    permissions: list[str]


class ApiKey(Struct, frozen=True):
    """An API key as lists show it; the secret itself was shown once and is not kept."""

    id: UUID
    name: str
    permissions: list[str]
    made_at: datetime
    made_by: str
    withdrawn_at: datetime | None


async def add_key(tx: Tx, *, key_id: UUID, name: str, digest: bytes, permissions: list[str], made_by: str) -> None:
    await tx.execute(ADD_KEY, key_id, name, digest, permissions, made_by)


async def key_by_digest(tx: Tx, digest: bytes) -> FoundKey | None:
    return await tx.maybe(FoundKey, FIND_KEY, digest)


async def keys(tx: Tx) -> list[ApiKey]:
    return await tx.many(ApiKey, KEYS)


async def withdraw(tx: Tx, key_id: UUID, by: str) -> bool:
    return await tx.execute(WITHDRAW, key_id, by) == 1
