"""What the stand-in does: it shows the pay page, takes the money, tells the shop, answers and gives back."""

import asyncio
from collections.abc import Sequence
from typing import Final, TypeVar
from uuid import UUID, uuid4

from msgspec import Struct
from msgspec.structs import replace

from sampan.kernel.db import Database, Tx
from sampan.kernel.errors import ShopError
from sampan.kernel.outbound import Bounds, Outbound, Unavailable, UnknownOutcome
from sampan.kernel.service import Ground
from sampan.kernel.settings import development_secret, home_secret
from sampan.sandbox.vnpay import rules, store
from sampan.sandbox.vnpay.contract import BookedPayment, Fault, NoticeDue
from sampan.sandbox.vnpay.store import DueNotice, Payment, Refund
from sampan.services.payments.providers.vnpay import wire

S = TypeVar("S", bound=wire.Sealed)

BANK: Final = "NCB"
SLICE: Final = 100  # notices that one run of the job sends
BOUNDS: Final = Bounds(connect=2.0, read=10.0, total=15.0, concurrency=60, failures=1_000_000, retries=0)


class PageRefused(ShopError, code="vnpay_sandbox.page_refused", status=400):
    """The pay page does not open; the fact `vnpay` is the code that the payer sees."""


class Dropped(ShopError, code="vnpay_sandbox.dropped", status=502):
    """The line is dead."""


class SandboxSettings(Struct, frozen=True):
    """`SAMPAN_VNPAY_SANDBOX_…`: the terminal's keys, where its shop takes notices, how often and how fast.

    Without keys they are those that the shop makes for development.
    """

    tmn_code: str = wire.DEVELOPMENT_TERMINAL
    hash_secret: str = ""
    ipn_url: str = ""
    ipn_tries: int = wire.IPN_TRIES
    ipn_interval: float = wire.IPN_INTERVAL.total_seconds()
    refund_seconds: float = 5.0


class VnpaySandboxActions:
    """The book of one terminal."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        found = ground.settings.section(SandboxSettings, "VNPAY_SANDBOX")
        core = ground.settings.core
        secret = found.hash_secret or development_secret(core.secret or home_secret(ground.settings.home), "vnpay")
        ipn_url = found.ipn_url or f"{ground.settings.public_url}/api/v1/payments/vnpay/ipn"
        self.settings = replace(found, hash_secret=secret, ipn_url=ipn_url)
        self.outbound: Outbound = ground.outbound

    # --- the pay page -----------------------------------------------------------------------------------------------

    async def begin(self, *, query: bytes) -> Payment:
        """The payer arrives with a shop's signed request, and the book is opened. Raises PageRefused."""
        request = self._request(query)
        async with self.db.begin() as tx:
            payment = await store.add_payment(
                tx,
                tmn_code=request.tmn_code,
                txn_ref=request.txn_ref,
                order_name=rules.order_of(request.txn_ref),
                amount=request.amount,
                order_info=request.order_info,
                locale=request.locale,
                return_url=request.return_url,
                create_date=request.create_date,
                expire_date=request.expire_date,
            )
        if (payment.amount, payment.create_date) != (request.amount, request.create_date):
            raise PageRefused("this reference belongs to another payment", vnpay="01")
        if payment.status != "01":
            raise PageRefused("this payment is done", vnpay="02")
        if payment.expire_date <= payment.now:
            raise PageRefused("the time to pay is over", vnpay="15")
        return payment

    def _request(self, query: bytes) -> wire.PayRequest:
        secret = self.settings.hash_secret
        by_us = rules.is_signed(query.decode("ascii", "replace"), secret)
        try:
            request = wire.read_pay_request(query=query, secret=secret)
        except wire.BadSignature:
            rules.check_agreement(ours=by_us, theirs=False)
            raise PageRefused("the signature is wrong", vnpay="70") from None
        except wire.WireError as refusal:
            raise PageRefused(str(refusal), vnpay="03") from None
        rules.check_agreement(ours=by_us, theirs=True)
        if request.tmn_code != self.settings.tmn_code:
            raise PageRefused("this terminal does not exist", vnpay="71")
        return request

    async def confirm(self, *, payment_id: UUID, choice: str) -> str:
        """The payer has chosen; where the browser goes now. A payment is decided once.

        Raises NotFound, and Dropped when the payer is not to be sent back.
        """
        async with self.db.begin() as tx:
            payment = await store.locked_payment(tx, payment_id)
            if payment.status == "01":
                payment = await self._decide(tx, payment, choice)
        if payment.dropped:
            raise Dropped("the connection to the bank was lost")
        joint = "&" if "?" in payment.return_url else "?"
        return payment.return_url + joint + self._notice(payment)

    async def _decide(self, tx: Tx, payment: Payment, choice: str) -> Payment:
        code, status = rules.CHOICES[choice]
        if payment.expire_date <= payment.now:
            code, status = rules.EXPIRED
        elif declined := await store.take_fault(tx, "decline", payment.txn_ref):
            code, status = declined.response_code, "02"
        took = status in ("00", "07")
        wrong = await store.take_fault(tx, "wrong_amount", payment.txn_ref) if took else None
        dropped = took and await store.take_fault(tx, "take_money_then_drop", payment.txn_ref) is not None
        paid = ((wrong.amount or payment.amount + 10_000) if wrong else payment.amount) if took else None
        decided = await store.finish(
            tx, payment.id, status=status, response_code=code, paid_amount=paid, dropped=dropped
        )
        if not dropped and not await store.take_fault(tx, "never_notify", payment.txn_ref):
            await self._announce(tx, decided)
        return decided

    async def _announce(self, tx: Tx, payment: Payment) -> None:
        forged = await store.take_fault(tx, "forged_signature", payment.txn_ref) is not None
        late = await store.take_fault(tx, "late", payment.txn_ref)
        waits = await store.take_fault(tx, "reordered", payment.txn_ref) is not None
        copies = 3 if await store.take_fault(tx, "duplicate", payment.txn_ref) else 1
        query = self._notice(payment, secret="forged" if forged else self.settings.hash_secret)
        for _ in range(copies):
            await store.add_notice(tx, payment.id, query, seconds=late.seconds if late else 0.0, waits=waits)
        await tx.emit(NoticeDue(payment_id=payment.id))

    def _notice(self, payment: Payment, *, secret: str = "") -> str:
        reached_a_bank = payment.response_code not in ("24", "11")
        notice = wire.Notice(
            tmn_code=payment.tmn_code,
            txn_ref=payment.txn_ref,
            amount=payment.paid_amount or payment.amount,
            response_code=payment.response_code or "99",
            transaction_status=payment.status,
            transaction_no=str(payment.transaction_no) if reached_a_bank else "0",
            order_info=payment.order_info,
            bank_code=BANK if reached_a_bank else "VNPAY",
            bank_tran_no=f"VNP{payment.transaction_no}" if payment.paid_amount else None,
            card_type="ATM" if reached_a_bank else "QRCODE",
            pay_date=payment.pay_date,
        )
        secret = secret or self.settings.hash_secret
        query = wire.notice_query(notice=notice, secret=secret)
        rules.check_agreement(ours=rules.is_signed(query, secret), theirs=True)
        return query

    # --- notices to the shop ----------------------------------------------------------------------------------------

    async def send_notices(self) -> None:
        """Tell the shop, again and again until it answers 00 or 02, as often as VNPay would."""
        async with self.db.begin() as tx:
            due = await store.claim_notices(tx, again_after=self.settings.ipn_interval, limit=SLICE)
        await asyncio.gather(*(self._send(notice) for notice in due))

    async def _send(self, notice: DueNotice) -> None:
        shop = self.outbound.dependency("vnpay sandbox to shop", BOUNDS)
        answer: wire.IpnAnswer | None = None
        try:
            reply = await shop.get(f"{self.settings.ipn_url}?{notice.query}", max_bytes=wire.MAX_BODY)
            said = f"http {reply.status}"
            if reply.status == 200 and reply.headers.get("content-type", "").startswith("application/json"):
                answer = wire.IpnAnswer.read(reply.body)
        except (Unavailable, UnknownOutcome) as failure:
            said = failure.detail
        confirmed = answer is not None and answer.ends_retries
        async with self.db.begin() as tx:
            done = confirmed or notice.tries >= self.settings.ipn_tries
            await store.answered(tx, notice.id, answer.code if answer else said, done=done)
            if confirmed and await store.release(tx, notice.payment_id):
                await tx.emit(NoticeDue(payment_id=notice.payment_id))

    # --- query and refund -------------------------------------------------------------------------------------------

    async def transaction(self, *, body: bytes) -> bytes:
        """One call of the API. Raises Dropped for an answer that gets lost."""
        txn_ref = rules.field_of(body, "vnp_TxnRef")
        slow, broken = await self._faults_of_call(txn_ref)
        if slow is not None:
            await asyncio.sleep(slow.seconds)
        if broken is not None and not broken.after:
            raise Dropped("the API is out of order")
        answer = await self._answer(body)
        if broken is not None:
            raise Dropped("the API is out of order")
        return answer

    async def _faults_of_call(self, txn_ref: str) -> tuple[Fault | None, Fault | None]:
        async with self.db.begin() as tx:
            return await store.take_fault(tx, "slow", txn_ref), await store.take_fault(tx, "http_500", txn_ref)

    async def _answer(self, body: bytes) -> bytes:
        command = rules.field_of(body, "vnp_Command")
        known = rules.field_of(body, "vnp_TmnCode") == self.settings.tmn_code
        if command == "refund":
            return await self._refund(body) if known else self._refund_answer("02", None)
        return await self._query(body) if known else self._query_answer("02", None)

    async def _query(self, body: bytes) -> bytes:
        request = self._read(wire.QueryRequest, body, rules.QUERY_FIELDS)
        if isinstance(request, str):
            return self._query_answer(request, None)
        async with self.db.begin() as tx:
            if not await store.is_first_today(tx, request.tmn_code, request.request_id):
                return self._query_answer("94", None)
            payment = await store.payment(tx, request.tmn_code, request.txn_ref)
            refunds = await store.refunds(tx, payment.id) if payment else []
        if payment is None or payment.create_date != request.transaction_date:
            return self._query_answer("91", None)
        return self._query_answer("00", payment, refunds[-1] if refunds else None)

    async def _refund(self, body: bytes) -> bytes:
        request = self._read(wire.RefundRequest, body, rules.REFUND_FIELDS)
        if isinstance(request, str):
            return self._refund_answer(request, None)
        async with self.db.begin() as tx:
            if not await store.is_first_today(tx, request.tmn_code, request.request_id):
                return self._refund_answer("94", None)
            payment = await store.payment(tx, request.tmn_code, request.txn_ref, lock=True)
            if payment is None or payment.create_date != request.transaction_date:
                return self._refund_answer("91", None)
            if request.transaction_no not in (None, str(payment.transaction_no)):
                return self._refund_answer("91", None)
            if payment.status != "00" or payment.paid_amount is None:
                return self._refund_answer("95", None)
            before = [refund for refund in await store.refunds(tx, payment.id) if refund.status != "09"]
            left = payment.paid_amount - sum(refund.amount for refund in before)
            if request.amount > left or (request.transaction_type == "02" and request.amount != payment.paid_amount):
                return self._refund_answer("03", None)
            refused = await store.take_fault(tx, "refuse_refund", payment.txn_ref) is not None
            is_new = await store.add_refund(
                tx,
                request_id=request.request_id,
                payment_id=payment.id,
                amount=request.amount,
                kind=request.transaction_type,
                refused=refused,
                seconds=self.settings.refund_seconds,
            )
            if not is_new:
                return self._refund_answer("94", None)
            refund = (await store.refunds(tx, payment.id))[-1]
        return self._refund_answer("00", payment, refund)

    def _read(self, kind: type[S], body: bytes, names: Sequence[str]) -> S | str:
        """The request, or the code that refuses it."""
        secret = self.settings.hash_secret
        try:
            request = wire.decode(kind, body, secret=secret)
        except wire.BadSignature:
            rules.check_agreement(ours=rules.is_sealed(body, names, secret), theirs=False)
            return "97"
        except wire.WireError:
            return "03"
        rules.check_agreement(ours=rules.is_sealed(body, names, secret), theirs=True)
        return request

    def _query_answer(self, code: str, payment: Payment | None, refund: Refund | None = None) -> bytes:
        """What happened last to a payment: a refund, if there was one."""
        response = wire.QueryResponse(
            response_id=uuid4().hex,
            response_code=code,
            message=rules.API_MESSAGES[code],
            tmn_code=self.settings.tmn_code,
            txn_ref=payment.txn_ref if payment else None,
            amount=_amount(payment, refund),
            bank_code=BANK if payment and payment.paid_amount else None,
            pay_date=payment.pay_date if payment else None,
            transaction_no=_transaction_no(payment, refund),
            transaction_type=(refund.kind if refund else "01") if payment else None,
            transaction_status=(refund.status if refund else payment.status) if payment else None,
            order_info=payment.order_info if payment else None,
        )
        return wire.encode(response, secret=self.settings.hash_secret)

    def _refund_answer(self, code: str, payment: Payment | None, refund: Refund | None = None) -> bytes:
        response = wire.RefundResponse(
            response_id=uuid4().hex,
            response_code=code,
            message=rules.API_MESSAGES[code],
            tmn_code=self.settings.tmn_code,
            txn_ref=payment.txn_ref if payment else None,
            amount=refund.amount if refund else None,
            bank_code=BANK if payment else None,
            pay_date=payment.pay_date if payment else None,
            transaction_no=str(refund.transaction_no) if refund else None,
            transaction_type=refund.kind if refund else None,
            transaction_status=refund.status if refund else None,
            order_info=payment.order_info if payment else None,
        )
        return wire.encode(response, secret=self.settings.hash_secret)

    # --- what is to go wrong ----------------------------------------------------------------------------------------

    async def set_fault(self, *, fault: Fault) -> None:
        async with self.db.begin() as tx:
            await store.add_fault(tx, fault)

    async def clear_faults(self) -> None:
        async with self.db.begin() as tx:
            await store.clear_faults(tx)

    async def find_payment(self, *, txn_ref: str) -> BookedPayment | None:
        async with self.db.read() as tx:
            return await store.booked(tx, self.settings.tmn_code, txn_ref)


def _amount(payment: Payment | None, refund: Refund | None) -> int | None:
    if refund is not None:
        return refund.amount
    return (payment.paid_amount or payment.amount) if payment else None


def _transaction_no(payment: Payment | None, refund: Refund | None) -> str | None:
    if refund is not None:
        return str(refund.transaction_no)
    return str(payment.transaction_no) if payment and payment.paid_amount else None
