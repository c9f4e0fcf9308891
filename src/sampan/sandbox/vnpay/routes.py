"""The addresses that VNPay has, below ours."""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from sampan.kernel.http import Answer, Request, Routes, public, redirect_away
from sampan.sandbox.vnpay.actions import Dropped, PageRefused, VnpaySandboxActions
from sampan.sandbox.vnpay.contract import Fault
from sampan.sandbox.vnpay.page import PREFIX, STYLE, dropped_page, pay_page, refusal_page

routes = Routes(prefix=PREFIX, in_documents=False)

Choice = Literal["pay", "suspicious", "insufficient", "locked", "otp", "limit", "maintenance", "cancel"]


class Confirmed(Struct, frozen=True):
    payment: UUID
    choice: Choice


@routes.get("/paymentv2/vpcpay.html", policy=public)
async def show(bank: VnpaySandboxActions, request: Request) -> Answer:
    """The pay page. The shop's redirect is the only word VNPay gets of a payment, so the book is opened here."""
    try:
        return pay_page(await bank.begin(query=request.raw_query))
    except PageRefused as refusal:
        return refusal_page("en" if request.language == "en" else "vn", refusal.facts["vnpay"])


@routes.post("/paymentv2/confirm", policy=public, idempotency="none")
async def confirm(bank: VnpaySandboxActions, form: Confirmed) -> Answer:
    """The payer has chosen."""
    try:
        return redirect_away(await bank.confirm(payment_id=form.payment, choice=form.choice))
    except Dropped:
        return dropped_page()


@routes.get("/page.css", policy=public)
async def style() -> Answer:
    """The looks of the pay page."""
    return Answer(200, STYLE, b"text/css; charset=utf-8", [(b"cache-control", b"public, max-age=300")])


@routes.post("/merchant_webapi/api/transaction", policy=public, idempotency="none", body_limit=64 << 10)
async def transaction(bank: VnpaySandboxActions, request: Request) -> Answer:
    """Query and refund: signed JSON, always HTTP 200 unless something is to go wrong."""
    try:
        return Answer(200, await bank.transaction(body=await request.body()))
    except Dropped:
        return Answer(500, b"")


@routes.post("/faults", policy=public, idempotency="none", status=201)
async def set_fault(bank: VnpaySandboxActions, data: Fault) -> Fault:
    """Something goes wrong from now on. This stand-in does not exist in production."""
    await bank.set_fault(fault=data)
    return data


@routes.delete("/faults", policy=public)
async def clear_faults(bank: VnpaySandboxActions) -> None:
    """Nothing goes wrong any more."""
    await bank.clear_faults()
