"""All SQL of the stand-in."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.kernel.ids import uuid7
from sampan.sandbox.vnpay.contract import BookedPayment, BookedRefund, Fault

PAYMENT = """
id, tmn_code, txn_ref, order_name, amount, order_info, locale, return_url, create_date, expire_date, status,
response_code, paid_amount, transaction_no, pay_date, dropped, now()
"""
ADD_PAYMENT = """
INSERT INTO vnpay_sandbox.payment (id, tmn_code, txn_ref, order_name, amount, order_info, locale, return_url,
                                   create_date, expire_date, status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '01') ON CONFLICT (tmn_code, txn_ref) DO NOTHING
"""
BY_REF = f"SELECT {PAYMENT} FROM vnpay_sandbox.payment WHERE tmn_code = $1 AND txn_ref = $2"
LOCK_BY_REF = BY_REF + " FOR UPDATE"
LOCK_BY_ID = f"SELECT {PAYMENT} FROM vnpay_sandbox.payment WHERE id = $1 FOR UPDATE"
FINISH = f"""
UPDATE vnpay_sandbox.payment
   SET status = $2, response_code = $3, paid_amount = $4, dropped = $5, pay_date = date_trunc('second', now())
 WHERE id = $1
RETURNING {PAYMENT}
"""
REFUNDS = """
SELECT request_id, amount, CASE WHEN refused THEN '09' WHEN settle_at <= now() THEN '00' ELSE '05' END,
       transaction_no, kind
  FROM vnpay_sandbox.refund WHERE payment_id = $1 ORDER BY transaction_no
"""
ADD_REFUND = """
INSERT INTO vnpay_sandbox.refund (request_id, payment_id, amount, kind, refused, settle_at)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) ON CONFLICT (request_id) DO NOTHING
"""
FIRST_TIME = """
INSERT INTO vnpay_sandbox.api_request (tmn_code, request_id, day)
VALUES ($1, $2, (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date) ON CONFLICT DO NOTHING
"""
ADD_NOTICE = """
INSERT INTO vnpay_sandbox.notice (id, payment_id, query, due_at, waits)
VALUES ($1, $2, $3, now() + make_interval(secs => $4), $5)
"""
CLAIM_NOTICES = """
UPDATE vnpay_sandbox.notice SET tries = tries + 1, due_at = now() + make_interval(secs => $1)
 WHERE id IN (SELECT id FROM vnpay_sandbox.notice WHERE done_at IS NULL AND NOT waits AND due_at <= now()
               ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING id, payment_id, query, tries
"""
ANSWERED = """
UPDATE vnpay_sandbox.notice SET answered = $2, done_at = CASE WHEN $3 THEN now() END WHERE id = $1
"""
RELEASE = """
UPDATE vnpay_sandbox.notice n SET waits = false, due_at = now()
  FROM vnpay_sandbox.payment waiting, vnpay_sandbox.payment confirmed
 WHERE n.waits AND n.payment_id = waiting.id AND confirmed.id = $1 AND waiting.id <> confirmed.id
   AND waiting.order_name = confirmed.order_name AND waiting.tmn_code = confirmed.tmn_code
"""
ANSWERS = "SELECT answered FROM vnpay_sandbox.notice WHERE payment_id = $1 ORDER BY id"
ADD_FAULT = "INSERT INTO vnpay_sandbox.fault (id, kind, txn_ref, times, body) VALUES ($1, $2, $3, $4, $5)"
CLEAR_FAULTS = "DELETE FROM vnpay_sandbox.fault"
TAKE_FAULT = """
UPDATE vnpay_sandbox.fault SET times = times - 1
 WHERE id = (SELECT id FROM vnpay_sandbox.fault
              WHERE kind = $1 AND (txn_ref IS NULL OR txn_ref = $2) AND (times IS NULL OR times > 0)
              ORDER BY id LIMIT 1 FOR UPDATE)
RETURNING body
"""


class Payment(Struct, frozen=True):
    id: UUID
    tmn_code: str
    txn_ref: str
    order_name: str
    amount: int
    order_info: str
    locale: str
    return_url: str
    create_date: datetime
    expire_date: datetime
    status: str
    response_code: str | None
    paid_amount: int | None
    transaction_no: int
    pay_date: datetime | None
    dropped: bool
    now: datetime


class Refund(Struct, frozen=True):
    request_id: str
    amount: int
    status: str
    transaction_no: int
    kind: str


class Taken(Struct, frozen=True):
    fault: Fault


class DueNotice(Struct, frozen=True):
    id: UUID
    payment_id: UUID
    query: str
    tries: int


async def add_payment(
    tx: Tx,
    *,
    tmn_code: str,
    txn_ref: str,
    order_name: str,
    amount: int,
    order_info: str,
    locale: str,
    return_url: str,
    create_date: datetime,
    expire_date: datetime,
) -> Payment:
    """The payment of this reference: new, or the one that is in the book."""
    await tx.execute(
        ADD_PAYMENT,
        uuid7(),
        tmn_code,
        txn_ref,
        order_name,
        amount,
        order_info,
        locale,
        return_url,
        create_date,
        expire_date,
    )
    return await tx.one(Payment, BY_REF, tmn_code, txn_ref)


async def payment(tx: Tx, tmn_code: str, txn_ref: str, *, lock: bool = False) -> Payment | None:
    return await tx.maybe(Payment, LOCK_BY_REF if lock else BY_REF, tmn_code, txn_ref)


async def locked_payment(tx: Tx, payment_id: UUID) -> Payment:
    """Raises NotFound."""
    return await tx.one(Payment, LOCK_BY_ID, payment_id)


async def finish(
    tx: Tx, payment_id: UUID, *, status: str, response_code: str, paid_amount: int | None, dropped: bool
) -> Payment:
    return await tx.one(Payment, FINISH, payment_id, status, response_code, paid_amount, dropped)


async def refunds(tx: Tx, payment_id: UUID) -> list[Refund]:
    """Oldest first."""
    return await tx.many(Refund, REFUNDS, payment_id)


async def add_refund(
    tx: Tx, *, request_id: str, payment_id: UUID, amount: int, kind: str, refused: bool, seconds: float
) -> bool:
    """False if there is one with this id."""
    return await tx.execute(ADD_REFUND, request_id, payment_id, amount, kind, refused, seconds) == 1


async def is_first_today(tx: Tx, tmn_code: str, request_id: str) -> bool:
    return await tx.execute(FIRST_TIME, tmn_code, request_id) == 1


async def add_notice(tx: Tx, payment_id: UUID, query: str, *, seconds: float, waits: bool) -> None:
    await tx.execute(ADD_NOTICE, uuid7(), payment_id, query, seconds, waits)


async def claim_notices(tx: Tx, *, again_after: float, limit: int) -> list[DueNotice]:
    """Notices to send now; unless they are answered they are due again later."""
    return await tx.many(DueNotice, CLAIM_NOTICES, again_after, limit)


async def answered(tx: Tx, notice_id: UUID, answer: str, *, done: bool) -> None:
    await tx.execute(ANSWERED, notice_id, answer, done)


async def release(tx: Tx, payment_id: UUID) -> int:
    """The notices that waited for one about this payment are due."""
    return await tx.execute(RELEASE, payment_id)


async def booked(tx: Tx, tmn_code: str, txn_ref: str) -> BookedPayment | None:
    found = await payment(tx, tmn_code, txn_ref)
    if found is None:
        return None
    return BookedPayment(
        id=found.id,
        txn_ref=found.txn_ref,
        amount=found.amount,
        status=found.status,
        response_code=found.response_code,
        paid_amount=found.paid_amount,
        transaction_no=found.transaction_no,
        expire_date=found.expire_date,
        refunds=[
            BookedRefund(refund.request_id, refund.amount, refund.status, refund.transaction_no)
            for refund in await refunds(tx, found.id)
        ],
        notices=await tx.many(str, ANSWERS, found.id),
    )


async def add_fault(tx: Tx, fault: Fault) -> None:
    await tx.execute(ADD_FAULT, uuid7(), fault.kind, fault.txn_ref, fault.times, fault)


async def clear_faults(tx: Tx) -> None:
    await tx.execute(CLEAR_FAULTS)


async def take_fault(tx: Tx, kind: str, txn_ref: str) -> Fault | None:
    """The fault that is to happen now, if one is; it counts as having happened."""
    taken = await tx.maybe(Taken, TAKE_FAULT, kind, txn_ref)
    return taken.fault if taken else None
