"""All SQL of orders: what was sold, how far it has come, what was told of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from msgspec import Struct

from sampan.kernel.context import Actor
from sampan.kernel.db import Tx, telling
from sampan.kernel.errors import NotFound
from sampan.services.orders.contract import OrderFilter, OrderSummary
from sampan.services.orders.rules.cart import Basket
from sampan.services.orders.rules.order import Entry, Progress
from sampan.services.orders.rules.sale import Sale
from sampan.services.orders.rules.token import is_token

BUSY = 20  # seconds after which the sweeper takes over what somebody began and did not finish

PROGRESS = """
       o.id, o.version, o.made_at, o.currency, o.total, o.status, o.payment_status, o.fulfillment_status, o.method,
       o.return_url, o.client_ip, o.attempt, o.opened, o.pay_until, o.confirm_by, o.confirmed_at, o.hold,
       o.held_until, o.held_for, o.allocations, o.booked, o.payment, o.asked, o.work_orders, o.closing,
       o.closing_by, o.closing_note, o.given_up, o.refund_due, o.sent_back, o.refused, o.placed_at, o.delivered_at,
       o.completed_at, o.cancelled_at, o.pay_key
"""
LINES = """
       COALESCE((SELECT jsonb_agg(jsonb_build_object(
                     'id', l.id, 'variant_id', l.variant_id, 'sku', l.sku, 'slug', l.slug, 'name', l.name,
                     'image', l.image, 'quantity', l.quantity, 'unit', l.unit, 'discount', l.discount,
                     'total', l.total, 'tax', l.tax, 'tax_rate', l.tax_rate, 'reasons', l.reasons,
                     'refunded', l.refunded) ORDER BY l.position)
                   FROM orders.order_line l WHERE l.order_id = o.id), '[]')
"""
SALE = f"""
SELECT o.id, o.number, o.cart_id, o.token_hash, o.market, o.language, o.contact, o.shipping_address,
       o.shipping_option, o.grams, o.items, o.discount, o.shipping, o.fee, o.tax, o.shipping_tax,
       o.shipping_refunded, o.total, o.currency, o.made_at, {LINES}
  FROM orders.sales_order o
 WHERE o.id = $1
"""
SEEN = f"""
SELECT {PROGRESS}, clock_timestamp(),
       COALESCE((SELECT jsonb_agg(jsonb_build_object('at', t.at, 'code', t.code, 'facts', t.facts, 'by', t.by,
                                                     'private', t.private) ORDER BY t.id)
                   FROM orders.timeline t WHERE t.order_id = o.id), '[]')
  FROM orders.sales_order o
 WHERE o.id = $1
"""
LOOK = f"""
SELECT {PROGRESS}, clock_timestamp(), o.due_at,
       COALESCE((SELECT jsonb_agg(jsonb_build_object('id', f.id, 'kind', f.kind, 'subject', f.subject,
                                                     'body', f.body) ORDER BY f.id)
                   FROM orders.fact f WHERE f.order_id = o.id AND NOT f.taken), '[]')
  FROM orders.sales_order o
 WHERE o.id = $1
"""
# The facts are those of before the lock was got; a later one stays untaken, and the sweeper comes by.
LOCK = f"{LOOK} FOR UPDATE OF o"
# The cart becomes an order, once, and only as it was when its price was computed.
ADD = """
WITH moved AS (
    UPDATE orders.cart SET order_id = $1, version = version + 1
     WHERE id = $2 AND version = $3 AND order_id IS NULL AND expires_at > now()
 RETURNING id
), made AS (
    INSERT INTO orders.sales_order (
        id, cart_id, number, token_hash, market, language, contact, shipping_address, shipping_option, grams, items,
        discount, shipping, fee, tax, shipping_tax, quantity, words, made_at, currency, total, status,
        payment_status, fulfillment_status, method, return_url, client_ip, attempt, opened, pay_until, confirm_by,
        hold, held_for, allocations, booked, asked, work_orders, closing, closing_by, closing_note, refund_due,
        sent_back, due_at)
    SELECT $1, $2, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, array_to_tsvector($19),
           $20, $21, $22, 'pending', 'unpaid', 'unfulfilled', $23, $24, $25, 1, 0, $26, $27, 'none', 0, '[]', '',
           false, '[]', '', '', '', 0, '{}', now() + make_interval(secs => $28)
      FROM moved
 RETURNING id
), lines AS (
    INSERT INTO orders.order_line (id, order_id, position, variant_id, sku, slug, name, image, quantity, unit,
                                   discount, total, tax, tax_rate, reasons)
    SELECT n.id, made.id, n.position, n.variant_id, n.sku, n.slug, n.name, n.image, n.quantity, n.unit, n.discount,
           n.total, n.tax, n.tax_rate, n.reasons
      FROM made, ROWS FROM (jsonb_to_recordset($29::jsonb) AS (
               id uuid, variant_id uuid, sku text, slug text, name jsonb, image text, quantity bigint, unit bigint,
               discount bigint, total bigint, tax bigint, tax_rate bigint, reasons jsonb)) WITH ORDINALITY
               AS n (id, variant_id, sku, slug, name, image, quantity, unit, discount, total, tax, tax_rate, reasons,
                     position)
), told AS (
    INSERT INTO orders.timeline (order_id, code, facts, by, private)
    SELECT id, 'created', '{}', $30, false FROM made
)
SELECT id FROM made
"""
# Everything that may change, the timeline, the facts that were taken in, and the events: together. Under the order's
# lock, or ($43) in the version that the writer knows, if nothing else was heard.
SAVE = f"""
WITH moved AS (
    UPDATE orders.sales_order
       SET version = version + 1, status = $2, payment_status = $3, fulfillment_status = $4, method = $5,
           return_url = $6, client_ip = $7, attempt = $8, opened = $9, pay_until = $10, confirm_by = $11,
           confirmed_at = $12, hold = $13, held_until = $14, held_for = $15, allocations = $16, booked = $17,
           payment = $18, asked = $19, work_orders = $20, closing = $21, closing_by = $22, closing_note = $23,
           given_up = $24, refund_due = $25, sent_back = $26, refused = $27, placed_at = $28, delivered_at = $29,
           completed_at = $30, cancelled_at = $31, pay_key = $42,
           due_at = CASE
               WHEN NOT $32::boolean THEN $33::timestamptz
               WHEN due_at BETWEEN now() + interval '10 seconds' AND now() + interval '30 seconds' THEN due_at
               ELSE now() + make_interval(secs => $34) END,
           tries = CASE WHEN $32::boolean THEN tries ELSE 0 END
     WHERE id = $1
       AND ($43::bigint IS NULL OR version = $43
            AND NOT EXISTS (SELECT FROM orders.fact WHERE order_id = $1 AND NOT taken AND id <> ALL ($39)))
 RETURNING id, version
), told AS (
    INSERT INTO orders.timeline (order_id, code, facts, by, private)
    SELECT moved.id, n.code, n.facts, $35, n.private
      FROM moved, unnest($36::text[], $37::jsonb[], $38::boolean[]) AS n (code, facts, private)
), heard AS (
    UPDATE orders.fact f SET taken = true FROM moved WHERE f.order_id = moved.id AND f.id = ANY ($39::bigint[])
), reopened AS (
    UPDATE orders.cart c SET order_id = NULL, version = c.version + 1
      FROM moved WHERE $40::boolean AND c.order_id = moved.id AND c.id = $41
), {telling("orders", "$44", of="moved")}
SELECT version FROM moved
"""
TELL = """
INSERT INTO orders.timeline (order_id, code, facts, by, private, key) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (order_id, key) WHERE key IS NOT NULL DO NOTHING
"""
# Facts about orders that are not ours are nobody's here. What payments tells of a payment it mostly answered before,
# when it was asked: an order that knows it already need not be moved.
HEAR = """
INSERT INTO orders.fact (order_id, kind, subject, version, body)
SELECT o.id, n.kind, n.subject, n.version, n.body
  FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::jsonb[]) WITH ORDINALITY
       AS n (order_id, kind, subject, version, body, position)
  JOIN orders.sales_order o ON o.id = n.order_id
 WHERE n.kind <> 'payment' OR o.payment IS NULL OR (o.payment ->> 'version')::bigint < n.version
 ORDER BY n.position
ON CONFLICT ON CONSTRAINT fact_once DO NOTHING
RETURNING order_id
"""
DUE = """
(SELECT id FROM orders.sales_order WHERE due_at <= now() ORDER BY due_at LIMIT $1)
UNION
(SELECT DISTINCT f.order_id
   FROM orders.fact f JOIN orders.sales_order o ON o.id = f.order_id
  WHERE NOT f.taken AND (o.tries = 0 OR o.due_at <= now())
  LIMIT $1)
"""
PUT_OFF = """
UPDATE orders.sales_order
   SET tries = tries + 1,
       due_at = now() + LEAST(interval '10 minutes', interval '20 seconds' * (2 ^ LEAST(tries, 6)))
 WHERE id = $1
"""
BY_NUMBER = "SELECT id, phone FROM orders.sales_order WHERE number = $1"
LIST = """
SELECT o.id, o.number, o.status, o.payment_status, o.method, o.fulfillment_status, o.made_at, o.placed_at, o.total,
       o.currency, o.quantity, o.contact ->> 'name', o.phone, o.shipping_address ->> 'province',
       o.status = 'pending' AND o.confirm_by IS NOT NULL AND o.closing = '' AND o.payment_status = 'cod_due'
  FROM orders.sales_order o
"""
SORTS = {
    "newest": ("(o.made_at, o.id) < ({}, {})", "o.made_at DESC, o.id DESC"),
    "oldest": ("(o.made_at, o.id) > ({}, {})", "o.made_at, o.id"),
    "total_desc": ("(o.total, o.id) < ({}, {})", "o.total DESC, o.id DESC"),
    "total_asc": ("(o.total, o.id) > ({}, {})", "o.total, o.id"),
}


Kind = Literal["payment", "work_order", "refund"]


class NumberTaken(Exception):
    """Another order has this number; draw again."""


class CartTaken(Exception):
    """The cart has become another order."""


class Word(Struct, frozen=True):
    """What another service says of one of its things, which may be an order's of ours."""

    order_id: UUID
    kind: Kind
    subject: UUID
    version: int
    body: Struct


class Fact(Struct, frozen=True):
    id: int
    kind: Kind
    subject: UUID
    body: dict[str, Any]


class Heard(Progress, frozen=True):
    """An order, the database's clock, and the facts it has not taken in yet."""

    now: datetime
    due_at: datetime | None
    facts: list[Fact]


class Told(Struct, frozen=True):
    """An entry of the timeline as it is stored."""

    at: datetime
    code: str
    facts: dict[str, Any]
    by: str
    private: bool


class Seen(Progress, frozen=True):
    """An order's progress with its timeline, as people see it."""

    now: datetime
    timeline: list[Told]


class Numbered(Struct, frozen=True):
    id: UUID
    phone: str


async def add_order(tx: Tx, basket: Basket, sale: Sale, progress: Progress, *, words: list[str], by: str) -> bool:
    """The cart becomes this order. False: the cart has changed, is closed, or is an order already.

    Raises NumberTaken, CartTaken; the transaction is then lost.
    """
    lines = sale.lines
    try:
        made = await tx.maybe(
            UUID,
            ADD,
            sale.id,
            basket.id,
            basket.version,
            sale.number,
            sale.token_hash,
            sale.market,
            sale.language,
            sale.contact,
            sale.shipping_address,
            sale.shipping_option,
            sale.grams,
            sale.items,
            sale.discount,
            sale.shipping,
            sale.fee,
            sale.tax,
            sale.shipping_tax,
            sum(line.quantity for line in lines),
            words,
            sale.made_at,
            sale.currency,
            sale.total,
            progress.method,
            progress.return_url,
            progress.client_ip,
            progress.pay_until,
            progress.confirm_by,
            float(BUSY),
            lines,
            by,
        )
    except asyncpg.UniqueViolationError as failure:
        if failure.constraint_name == "sales_order_number_once":
            raise NumberTaken from None
        if failure.constraint_name == "sales_order_once_per_cart":
            raise CartTaken from None
        raise
    return made is not None


async def find_sale(tx: Tx, order_id: UUID) -> Sale | None:
    """What was sold."""
    return await tx.maybe(Sale, SALE, order_id)


async def load_order(tx: Tx, actor: Actor, order_id: UUID, *, permission: str) -> Sale:
    """What was sold, for whoever holds the order's secret or, as staff, the permission.

    Foreign and missing look the same: NotFound.
    """
    sale = await find_sale(tx, order_id)
    if sale is None or not (actor.may(permission) or is_token(actor.order_token, sale.token_hash)):
        raise NotFound("there is no such order")
    return sale


async def see(tx: Tx, order_id: UUID) -> Seen:
    """How far the order has come, and its timeline. Raises NotFound."""
    return await tx.one(Seen, SEEN, order_id)


async def look_at(tx: Tx, order_id: UUID) -> Heard:
    """The order, without waiting for anybody. Raises NotFound."""
    return await tx.one(Heard, LOOK, order_id)


async def lock_order(tx: Tx, order_id: UUID) -> Heard:
    """Nobody else moves the order before this transaction ends. Raises NotFound."""
    return await tx.one(Heard, LOCK, order_id)


async def save_order(
    tx: Tx,
    order: Progress,
    *,
    cart_id: UUID | None,
    busy: bool,
    due_at: datetime | None,
    entries: list[Entry],
    by: str,
    taken: list[int],
    reopen_cart: bool,
    known: int | None = None,
) -> int | None:
    """Write what became of a locked order, and tell what was emitted; its new version.

    Without the lock `known` is the version that was not locked: None, and nothing happened, if the order is in another
    one or has heard more than is `taken`. `busy`: somebody is about to do the next step.
    """
    return await tx.maybe(
        int,
        SAVE,
        order.id,
        order.status,
        order.payment_status,
        order.fulfillment_status,
        order.method,
        order.return_url,
        order.client_ip,
        order.attempt,
        order.opened,
        order.pay_until,
        order.confirm_by,
        order.confirmed_at,
        order.hold,
        order.held_until,
        order.held_for,
        order.allocations,
        order.booked,
        order.payment,
        order.asked,
        order.work_orders,
        order.closing,
        order.closing_by,
        order.closing_note,
        order.given_up,
        order.refund_due,
        order.sent_back,
        order.refused,
        order.placed_at,
        order.delivered_at,
        order.completed_at,
        order.cancelled_at,
        busy,
        due_at,
        float(BUSY),
        by,
        [entry.code for entry in entries],
        [entry.facts for entry in entries],
        [entry.private for entry in entries],
        taken,
        reopen_cart,
        cart_id,
        order.pay_key,
        known,
        tx.take_events(),
    )


async def tell(
    tx: Tx, order_id: UUID, code: str, facts: dict[str, Any], *, by: str, private: bool = False, key: str = ""
) -> None:
    """One line more in the timeline; under the same key once."""
    await tx.execute(TELL, order_id, code, facts, by, private, key or None)


async def hear(tx: Tx, words: Sequence[Word]) -> list[UUID]:
    """Record facts, in their order; the orders of ours that heard something new, each once."""
    heard = await tx.many(
        UUID,
        HEAR,
        [word.order_id for word in words],
        [word.kind for word in words],
        [word.subject for word in words],
        [word.version for word in words],
        [word.body for word in words],
    )
    return list(dict.fromkeys(heard))


async def due_orders(tx: Tx, most: int) -> list[UUID]:
    """Orders that wait for the sweeper, or have heard something new."""
    return await tx.many(UUID, DUE, most)


async def put_off(tx: Tx, order_id: UUID) -> None:
    """Look at it again later, and later each time."""
    await tx.execute(PUT_OFF, order_id)


async def by_number(tx: Tx, number: str) -> Numbered | None:
    """The order with this number, and its telephone number."""
    return await tx.maybe(Numbered, BY_NUMBER, number)


async def list_orders(tx: Tx, which: OrderFilter, *, words: list[str], after: tuple[Any, ...]) -> list[OrderSummary]:
    """One more than a page of orders. `words` are folded beginnings of words, `after` the sort key of the
    last row.
    """
    values: list[Any] = []

    def place(value: object) -> str:
        values.append(value)
        return f"${len(values)}"

    beyond, ordered = SORTS[which.sort]
    conditions = []
    if which.status:
        conditions.append(f"o.status = {place(which.status)}")
    if which.payment_status:
        conditions.append(f"o.payment_status = {place(which.payment_status)}")
    if which.fulfillment_status:
        conditions.append(f"o.fulfillment_status = {place(which.fulfillment_status)}")
    if words:
        query = " & ".join(f"'{word}':*" for word in words)
        conditions.append(f"o.words @@ CAST({place(query)}::text AS tsquery)")
    if after:
        conditions.append(beyond.format(*(place(part) for part in after)))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"{LIST}{where} ORDER BY {ordered} LIMIT {place(which.limit + 1)}"
    return await tx.many(OrderSummary, sql, *values)
