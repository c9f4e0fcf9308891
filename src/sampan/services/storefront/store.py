"""All SQL of storefront."""

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.services.storefront.contract import ShopContent

PUT = """
INSERT INTO storefront.content (key, body) VALUES ('shop', $1)
ON CONFLICT (key) DO UPDATE SET body = EXCLUDED.body, at = now()
"""
GET = "SELECT body FROM storefront.content WHERE key = 'shop'"


class Stored(Struct, frozen=True):
    body: ShopContent


async def put_content(tx: Tx, content: ShopContent) -> None:
    await tx.execute(PUT, content)


async def content(tx: Tx) -> ShopContent | None:
    row = await tx.maybe(Stored, GET)
    return row.body if row else None
