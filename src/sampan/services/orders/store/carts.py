"""All SQL of carts."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.context import Actor
from sampan.kernel.db import Tx
from sampan.kernel.errors import NotFound
from sampan.services.orders.rules.cart import Basket
from sampan.services.orders.rules.token import is_token

COLUMNS = """
       c.id, c.token_hash, c.market, c.currency, c.contact, c.shipping_address, c.shipping_option_id, c.shipping_seen,
       c.order_id, c.version, c.expires_at, clock_timestamp()
"""
ADD = f"""
INSERT INTO orders.cart AS c (id, token_hash, market, currency, expires_at)
VALUES ($1, $2, $3, $4, now() + make_interval(days => $5::integer))
RETURNING {COLUMNS}, '[]'::jsonb, c.keys
"""
FIND = f"""
SELECT {COLUMNS},
       COALESCE((SELECT jsonb_agg(jsonb_build_object('id', l.id, 'variant_id', l.variant_id, 'quantity', l.quantity,
                                                     'unit_seen', l.unit_seen, 'sku', l.sku, 'name', l.name)
                                  ORDER BY l.id)
                   FROM orders.cart_line l WHERE l.cart_id = c.id), '[]'), c.keys
  FROM orders.cart c
 WHERE c.id = $1
"""
LOCK = "SELECT 1 FROM orders.cart WHERE id = $1 FOR UPDATE"
# One statement, and only on top of the version it was computed from: who was overtaken changes nothing.
SAVE = """
WITH moved AS (
    UPDATE orders.cart
       SET contact = $3, shipping_address = $4, shipping_option_id = $5, version = version + 1,
           shipping_seen = $13, keys = $14, expires_at = now() + make_interval(days => $6::integer)
     WHERE id = $1 AND version = $2 AND order_id IS NULL AND expires_at > now()
 RETURNING id, version, expires_at
), gone AS (
    DELETE FROM orders.cart_line l USING moved WHERE l.cart_id = moved.id AND l.id <> ALL ($7::uuid[])
), put AS (
    INSERT INTO orders.cart_line (id, cart_id, variant_id, quantity, unit_seen, sku, name)
    SELECT n.id, moved.id, n.variant_id, n.quantity, n.unit_seen, n.sku, n.name
      FROM moved, unnest($7::uuid[], $8::uuid[], $9::bigint[], $10::bigint[], $11::text[], $12::jsonb[])
               AS n (id, variant_id, quantity, unit_seen, sku, name)
    ON CONFLICT (id) DO UPDATE SET quantity = EXCLUDED.quantity, unit_seen = EXCLUDED.unit_seen
     WHERE (cart_line.quantity, cart_line.unit_seen) IS DISTINCT FROM (EXCLUDED.quantity, EXCLUDED.unit_seen)
)
SELECT version, expires_at FROM moved
"""
FORGET = """
DELETE FROM orders.cart WHERE id IN (
    SELECT id FROM orders.cart WHERE expires_at < now() - interval '7 days'
     ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
"""


class Saved(Struct, frozen=True):
    version: int
    expires_at: datetime


async def add_cart(tx: Tx, *, cart_id: UUID, token_hash: bytes, market: str, currency: str, days: int) -> Basket:
    """A new, empty cart."""
    return await tx.one(Basket, ADD, cart_id, token_hash, market, currency, days)


async def find_cart(tx: Tx, cart_id: UUID) -> Basket | None:
    """A cart with its lines, in the order in which they were added."""
    return await tx.maybe(Basket, FIND, cart_id)


async def lock_cart(tx: Tx, cart_id: UUID) -> Basket | None:
    """The same, and nobody else changes it before this transaction ends."""
    await tx.execute(LOCK, cart_id)
    return await find_cart(tx, cart_id)


async def save_cart(tx: Tx, basket: Basket, *, days: int) -> Saved | None:
    """Write a changed cart over the version it was made from; None: somebody else was faster, or it is
    closed.
    """
    lines = basket.lines
    return await tx.maybe(
        Saved,
        SAVE,
        basket.id,
        basket.version,
        basket.contact,
        basket.shipping_address,
        basket.shipping_option_id,
        days,
        [line.id for line in lines],
        [line.variant_id for line in lines],
        [line.quantity for line in lines],
        [line.unit_seen for line in lines],
        [line.sku for line in lines],
        [line.name for line in lines],
        basket.shipping_seen,
        basket.keys,
    )


async def forget_carts(tx: Tx, most: int) -> int:
    """Delete carts that expired a week ago or earlier; how many."""
    return await tx.execute(FORGET, most)


async def load_cart(tx: Tx, actor: Actor, cart_id: UUID, *, lock: bool = False) -> Basket:
    """The cart, for whoever holds its secret. Foreign and missing look the same: NotFound."""
    basket = await (lock_cart if lock else find_cart)(tx, cart_id)
    if basket is None or not is_token(actor.cart_token, basket.token_hash):
        raise NotFound("there is no such cart")
    return basket
