"""Idempotency keys: the same request with the same key has one effect and one answer.

A key is claimed under a lease before the work and keeps the answer after it. A refusal does not burn the key; a
process that dies leaves a lease that runs out, and the retry does the work again (every action is safe to repeat).

Answers hold guests' secrets and addresses, so they are kept sealed and only for two days.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from secrets import randbelow
from typing import Any

import msgspec
from msgspec import Struct

from sampan.kernel.db import Database, DatabaseUnavailable
from sampan.kernel.errors import Conflict, Invalid, ShopError
from sampan.kernel.http import Answer, Stream
from sampan.kernel.seal import Seal, Unreadable

LEASE = 30  # seconds
CLAIM = """
INSERT INTO {schema}.idempotency_key (scope, key, request_hash, lease_until)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
ON CONFLICT (scope, key) DO UPDATE SET lease_until = EXCLUDED.lease_until
   WHERE idempotency_key.status IS NULL AND idempotency_key.lease_until < now()
     AND idempotency_key.request_hash = EXCLUDED.request_hash
RETURNING lease_until
"""
FIND = "SELECT request_hash, status, body FROM {schema}.idempotency_key WHERE scope = $1 AND key = $2"
KEEP = """
UPDATE {schema}.idempotency_key SET status = $3, body = $4 WHERE scope = $1 AND key = $2 AND status IS NULL
"""
# Only by whoever holds the lease: it may have run out, and another one may work under the same key.
FREE = """
DELETE FROM {schema}.idempotency_key WHERE scope = $1 AND key = $2 AND status IS NULL AND lease_until = $3
"""
# A claim whose answer was lost may have been written; its own seconds tell it from every other.
UNCLAIM = """
DELETE FROM {schema}.idempotency_key
 WHERE scope = $1 AND key = $2 AND status IS NULL AND lease_until = made_at + make_interval(secs => $3)
"""
PURGE = """
DELETE FROM {schema}.idempotency_key WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {schema}.idempotency_key WHERE made_at < now() - interval '48 hours' ORDER BY made_at LIMIT $1
))
"""


class KeyMissing(ShopError, code="kernel.idempotency_key_missing", status=400):
    """This operation needs an Idempotency-Key header."""


class KeyMalformed(ShopError, code="kernel.idempotency_key_malformed", status=400):
    """An Idempotency-Key has 8 to 255 printable ASCII characters."""


class KeyReused(Invalid, code="kernel.idempotency_key_reused", status=422):
    """The key was used for another request."""


class KeyInProgress(Conflict, code="kernel.idempotency_key_in_progress", status=409):
    """The first request with this key is still being worked on."""


class AnswerGone(Conflict, code="kernel.idempotency_answer_gone", status=409):
    """The request with this key was done before, and its answer cannot be shown again. Nothing was done twice."""


class Kept(Struct):
    """A record: `body` is the sealed answer, once there is a `status`."""

    request_hash: bytes
    status: int | None
    body: bytes | None


class Sealed(Struct, array_like=True):
    """An answer as it is sealed."""

    body: bytes
    content_type: bytes
    headers: list[tuple[bytes, bytes]]


def check_key(key: str, *, required: bool) -> None:
    """Raises KeyMissing or KeyMalformed."""
    if not key:
        if required:
            raise KeyMissing("send an Idempotency-Key header with this operation")
        return
    if not 8 <= len(key) <= 255 or not all("!" <= character <= "~" for character in key):
        raise KeyMalformed("an Idempotency-Key has 8 to 255 printable ASCII characters without spaces")


class Keys:
    """The keys of one service. `secret` is the shop's."""

    def __init__(self, db: Database, secret: str) -> None:
        self.db = db
        self._seal = Seal(secret, "idempotency")
        self._later: set[asyncio.Task[None]] = set()
        self._claim, self._find, self._keep, self._free, self._unclaim, self._purge = (
            sql.format(schema=db.schema) for sql in (CLAIM, FIND, KEEP, FREE, UNCLAIM, PURGE)
        )

    async def once(
        self, *, scope: str, key: str, request: bytes, work: Callable[[], Awaitable[Answer | Stream]]
    ) -> Answer | Stream:
        """Do `work` once for (scope, key); later callers with the same `request` get the kept answer.

        Raises:
            KeyReused: another request came with the key.
            KeyInProgress: the work is being done right now.
            AnswerGone: the work was done, and the shop's secret is another one since then.
        """
        digest = hashlib.sha256(request).digest()
        seconds = LEASE + randbelow(1_000_000) / 1_000_000
        try:
            async with self.db.read() as tx:
                lease = await tx.maybe(datetime, self._claim, scope, key, digest, seconds)
        except DatabaseUnavailable:
            self._write_soon(self._unclaim, scope, key, seconds)
            raise
        if lease is None:
            return await self._kept(scope, key, digest)
        try:
            answer = await work()
        except Exception:
            await self._write(self._free, scope, key, lease)
            raise
        if isinstance(answer, Answer) and answer.status < 300:
            content = msgspec.msgpack.encode(Sealed(answer.body, answer.content_type, list(answer.headers)))
            sealed = self._seal.close(content, about=self._record(scope, key))
            await self._write(self._keep, scope, key, answer.status, sealed)
        else:
            await self._write(self._free, scope, key, lease)
        return answer

    async def _write(self, sql: str, *values: Any) -> None:
        """Now, or as soon as the database is back: what was done is known here, and whoever retries waits for it."""
        try:
            async with self.db.read() as tx:
                await tx.execute(sql, *values)
        except DatabaseUnavailable:
            self._write_soon(sql, *values)

    def _write_soon(self, sql: str, *values: Any) -> None:
        task = asyncio.create_task(self._write_later(sql, *values), context=Context())  # no request's deadline
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _write_later(self, sql: str, *values: Any) -> None:
        """Given up after the lease: then the retry does the work again."""
        until = time.monotonic() + LEASE
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            with suppress(DatabaseUnavailable):
                async with self.db.read() as tx:
                    await tx.execute(sql, *values)
                return

    async def _kept(self, scope: str, key: str, digest: bytes) -> Answer:
        async with self.db.read() as tx:
            kept = await tx.maybe(Kept, self._find, scope, key)
        if kept is not None and kept.request_hash != digest:
            raise KeyReused("this Idempotency-Key was used for another request")
        if kept is None or kept.status is None:
            raise KeyInProgress("the first request with this Idempotency-Key is not finished", retry_after=1)
        try:
            content = self._seal.open(kept.body or b"", about=self._record(scope, key))
        except Unreadable:
            raise AnswerGone("this was done before; its answer can no longer be shown") from None
        answer = msgspec.msgpack.decode(content, type=Sealed)
        headers = [*answer.headers, (b"idempotency-replayed", b"true")]
        return Answer(kept.status, answer.body, answer.content_type, headers)

    def _record(self, scope: str, key: str) -> bytes:
        """Which record an answer belongs to; sealed in one, it opens in no other."""
        return msgspec.msgpack.encode((self.db.schema, scope, key))

    async def purge(self) -> int:
        """Forget keys older than two days."""
        return await self.db.in_slices(self._purge)
