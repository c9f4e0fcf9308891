"""Public addresses: what providers call, where browsers come back, what staff read and decide."""

import logging
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.errors import Conflict, NotFound
from sampan.kernel.http import JSON, Answer, Request, Routes, provider, public, redirect, staff
from sampan.kernel.pagination import Page, Paged
from sampan.services.payments.actions.payments_actions import Decision, PaymentsActions
from sampan.services.payments.contract import Status
from sampan.services.payments.providers.vnpay import provider as vnpay
from sampan.services.payments.providers.vnpay.wire import IpnAnswer
from sampan.services.payments.rules.case import NotHeld
from sampan.services.payments.store.lists import HeldSeen, PaymentSeen, Payout

log = logging.getLogger(__name__)

routes = Routes()

Note = Annotated[str, Meta(min_length=1, max_length=500)]


@routes.get("/payments/vnpay/ipn", policy=provider, gives="application/json", errors=(NotFound,))
async def vnpay_notice(payments: PaymentsActions, request: Request) -> Answer:
    """VNPay tells what became of a payment. The answer is HTTP 200 with VNPay's own codes."""
    try:
        reply = await payments.take_notice(provider=vnpay.CODE, raw=request.raw_query)
    except NotFound:
        raise
    except Exception as failure:
        # Whatever stands in the way, VNPay understands only its own words, and sends the notice again for these.
        log.error("a notice could not be recorded", exc_info=failure)
        reply = IpnAnswer.UNKNOWN_ERROR.body()
    return Answer(200, reply, JSON)


@routes.get("/payments/vnpay/return", policy=public, status=303)
async def vnpay_return(payments: PaymentsActions, request: Request) -> Answer:
    """The payer's browser comes back from VNPay and is sent on to the order's page. This proves nothing."""
    return redirect(await payments.way_back(provider=vnpay.CODE, raw=request.raw_query))


class PaymentsQuery(Paged, frozen=True):
    order_id: UUID | None = None
    status: Status | None = None


class DecisionMade(Struct, frozen=True, forbid_unknown_fields=True):
    """`accepted`: the money is ours and pays the order. `sent_back`: it goes back. `dismissed`: there is none.

    Of a refund: `sent_back` takes it from the provider, and a person pays it out.
    """

    decision: Decision
    note: Note


class PaidOut(Struct, frozen=True, forbid_unknown_fields=True):
    """`reference` is the bank's for the transfer."""

    reference: Annotated[str, Meta(min_length=1, max_length=100)]


@routes.get("/admin/payments", policy=staff("payments.read"))
async def list_payments(payments: PaymentsActions, query: PaymentsQuery) -> Page[PaymentSeen]:
    """Payments with their attempts, refunds and facts, newest first."""
    return await payments.payments(order_id=query.order_id, status=query.status, limit=query.limit, cursor=query.cursor)


@routes.get("/admin/payments/review", policy=staff("payments.read"), leads={"fact_id": "/items/0/id"})
async def list_held(payments: PaymentsActions, query: Paged) -> Page[HeldSeen]:
    """What waits for a person, oldest first."""
    return await payments.review(limit=query.limit, cursor=query.cursor)


@routes.post(
    "/admin/payments/review/{fact_id}",
    policy=staff("payments.refund"),
    idempotency="required",
    errors=(NotHeld, Conflict),
)
async def decide(payments: PaymentsActions, fact_id: UUID, data: DecisionMade) -> None:
    """Decide about money that waits for a person."""
    await payments.decide(fact_id=fact_id, decision=data.decision, note=data.note)


@routes.get("/admin/payments/payouts", policy=staff("payments.read"), leads={"refund_id": "/items/0/id"})
async def list_payouts(payments: PaymentsActions, query: Paged) -> Page[Payout]:
    """Refunds that a person has to pay out, oldest first."""
    return await payments.payouts(limit=query.limit, cursor=query.cursor)


@routes.post(
    "/admin/payments/payouts/{refund_id}/settle",
    policy=staff("payments.refund"),
    idempotency="required",
    errors=(NotFound,),
)
async def settle_payout(payments: PaymentsActions, refund_id: UUID, data: PaidOut) -> None:
    """A refund was paid out by hand, or has arrived though its provider does not say so."""
    await payments.settle_payout(refund_id=refund_id, reference=data.reference)
