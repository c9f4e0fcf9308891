"""VNPay 2.1.0: the customer pays on VNPay's page, VNPay tells us (IPN), we ask (querydr) and give back (refund)."""

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import uuid4

from msgspec import Struct

from sampan.kernel.money import Money, zero
from sampan.kernel.outbound import Bounds, Outbound, Unavailable, UnknownOutcome
from sampan.kernel.settings import BadSetting, Settings, development_secret, home_secret
from sampan.services.payments.contract import Action
from sampan.services.payments.providers.interface import Charge, Notice, NoticeRefused, Offer, Return
from sampan.services.payments.providers.vnpay import meaning, wire
from sampan.services.payments.rules.fact import Outcome, Told, Verdict

log = logging.getLogger(__name__)

R = TypeVar("R", bound=wire.Response)

CODE: Final = "vnpay"
LARGEST: Final = 9_999_999_999  # what twelve digits hold, times 100
BOUNDS: Final = Bounds(connect=2.0, read=6.0, total=8.0, concurrency=20)


class VnpaySettings(Struct, frozen=True):
    """`SAMPAN_VNPAY_…`. Keys are VNPay's, `limit` is in whole VND, `server_ip` is how VNPay sees this server.

    `pay_url` and `api_url` default to VNPay's own for the mode; without keys, in development, to our stand-in.
    """

    pay_url: str = ""
    api_url: str = ""
    tmn_code: str = ""
    hash_secret: str = ""
    minutes: int = 15
    limit: int = LARGEST
    markets: str = "VN"
    server_ip: str = "127.0.0.1"


class VnpayNotice(Notice, frozen=True, kw_only=True):
    """With the message that VNPay's reply depends on."""

    message: wire.Notice


class Vnpay:
    """The adapter. Made by `vnpay_from`."""

    code = CODE

    def __init__(self, settings: VnpaySettings, *, return_url: str, outbound: Outbound) -> None:
        self._settings = settings
        self._secret = settings.hash_secret
        self._return_url = return_url
        self._limit = Money(settings.limit, wire.CURRENCY)
        self._markets = {market.strip() for market in settings.markets.split(",")}
        self._api = outbound.dependency(CODE, BOUNDS)

    # --- paying -----------------------------------------------------------------------------------------------------

    def offer(self, *, market: str, total: Money, cod_fee: Money | None, cod_limit: Money | None) -> Offer | None:
        """No fee to the customer; VND only."""
        if market not in self._markets or total.currency != wire.CURRENCY:
            return None
        return Offer(zero(wire.CURRENCY), self._limit, self.refusal_for(total))

    def refusal_for(self, amount: Money) -> str | None:
        if amount.currency != wire.CURRENCY:
            return "payments.reason.other_currency"
        if amount > self._limit:
            return "payments.reason.over_limit"
        return "payments.reason.nothing_to_pay" if amount.amount < 1 else None

    async def begin(self, charge: Charge, *, client_ip: str) -> Action:
        """The address of VNPay's page. Nobody is called: the customer's browser brings the order there."""
        expires_at = min(charge.expires_at, charge.made_at + timedelta(minutes=self._settings.minutes))
        request = wire.PayRequest(
            tmn_code=self._settings.tmn_code,
            txn_ref=charge.reference,
            amount=charge.amount.amount,
            order_info=wire.order_info_for(f"Thanh toan don hang {charge.order_number}"),
            create_date=charge.made_at,
            expire_date=expires_at,
            ip_addr=self._ip_addr(client_ip),
            return_url=self._return_url,
            locale="en" if charge.language == "en" else "vn",
        )
        url = wire.pay_url(page=self._settings.pay_url, request=request, secret=self._secret)
        return Action(kind="redirect", url=url, expires_at=expires_at)

    def _ip_addr(self, client_ip: str) -> str:
        """The client's address, or its network's; VNPay demands one, so ours stands in for one we do not know."""
        try:
            return wire.ip_addr_for(client_ip.partition("/")[0])
        except ValueError:
            return wire.ip_addr_for(self._settings.server_ip)

    # --- asking -----------------------------------------------------------------------------------------------------

    async def query(self, charge: Charge) -> Told:
        response = await self._queried(charge)
        return self._told(meaning.query_outcome_for(response), response.amount, response.transaction_no)

    async def _queried(self, charge: Charge) -> wire.QueryResponse:
        """VNPay's account of the charge. An answer that cannot be believed, or is about another one, is none."""
        request = wire.QueryRequest(
            request_id=uuid4().hex,
            tmn_code=self._settings.tmn_code,
            txn_ref=charge.reference,
            transaction_date=charge.made_at,
            create_date=datetime.now(UTC),
            ip_addr=wire.ip_addr_for(self._settings.server_ip),
            order_info=wire.order_info_for(f"Truy van {charge.reference}"),
        )
        return await self._asked(request, wire.QueryResponse, charge, failure=Unavailable)

    async def _asked(
        self, request: wire.Sealed, kind: type[R], charge: Charge, *, failure: type[Unavailable] | type[UnknownOutcome]
    ) -> R:
        """VNPay's answer to a call about a charge; what is none, cannot be believed, or is about another one raises
        `failure`. Only a query, after whose failure nothing has happened, is sent again.
        """
        answer = await self._api.post(
            self._settings.api_url,
            content=wire.encode(request, secret=self._secret),
            headers={"Content-Type": "application/json"},
            safe=failure is Unavailable,
            max_bytes=wire.MAX_BODY,
        )
        if not answer.ok:
            raise failure(f"VNPay answered {answer.status}", dependency=CODE)
        call = request.fixed["vnp_Command"]
        try:
            response = wire.decode(kind, answer.body, secret=self._secret)
        except wire.WireError as refusal:
            self._complain(call, charge, refusal)
            raise failure("VNPay's answer cannot be believed", dependency=CODE) from refusal
        if response.response_code == "00" and not self._is_about(charge, response):
            self._complain(call, charge, None)
            raise failure("VNPay's answer is about something else", dependency=CODE)
        return response

    def _is_about(self, charge: Charge, response: wire.Response) -> bool:
        return (response.tmn_code, response.txn_ref) == (self._settings.tmn_code, charge.reference)

    def _complain(self, what: str, charge: Charge, refusal: wire.WireError | None) -> None:
        extra = {"provider": CODE, "call": what, "reference": charge.reference, "why": str(refusal or "not ours")}
        if isinstance(refusal, wire.BadSignature) and refusal.claimed:
            extra["claimed"] = refusal.claimed
        log.error("a provider's answer was not believed", extra=extra)

    def _told(self, outcome: Outcome, amount: int | None, transaction_no: str | None) -> Told:
        return Told(
            outcome.verdict,
            outcome.reason,
            None if amount is None else Money(amount, wire.CURRENCY),
            transaction_no if transaction_no and transaction_no.strip("0") else None,
        )

    # --- giving back ------------------------------------------------------------------------------------------------

    async def refund(self, charge: Charge, refund: Return) -> Told:
        """Asked with the refund's own reference, so that VNPay knows a second asking for what it is (94).

        After an error of VNPay's own (99) nobody knows whether it took note of it.
        """
        request = wire.RefundRequest(
            request_id=refund.reference,
            tmn_code=self._settings.tmn_code,
            transaction_type="02" if refund.whole else "03",
            txn_ref=charge.reference,
            amount=refund.amount.amount,
            transaction_no=charge.provider_txn_id,
            transaction_date=charge.made_at,
            create_by="sampan",
            create_date=datetime.now(UTC),
            ip_addr=wire.ip_addr_for(self._settings.server_ip),
            order_info=wire.order_info_for(f"Hoan tien {charge.order_number}"),
        )
        response = await self._asked(request, wire.RefundResponse, charge, failure=UnknownOutcome)
        if response.response_code == meaning.ERROR:
            raise UnknownOutcome("VNPay answered with an error of its own", dependency=CODE)
        outcome = meaning.refund_outcome_for(response.response_code, response.transaction_status)
        return self._told(outcome, response.amount, response.transaction_no)

    async def find_refund(self, charge: Charge, refund: Return) -> Told | None:
        """VNPay's query speaks of what happened last to a payment: of the payment itself, or of a refund of it.

        A refund of our amount that is none of the `known` ones is ours: refunds of one payment go one at a time.
        """
        response = await self._queried(charge)
        if response.response_code != "00":
            return Told(Verdict.PENDING)
        known = response.transaction_no in refund.known
        if response.transaction_type not in ("02", "03") or response.amount != refund.amount.amount or known:
            return None
        outcome = meaning.refund_outcome_for("00", response.transaction_status)
        return self._told(outcome, response.amount, response.transaction_no)

    def knows_again(self, *, since: datetime, now: datetime) -> bool:
        """`vnp_RequestId` names one request a day, of Vietnam's days; a minute is left for the way there."""
        return wire.gmt7(since)[:8] == wire.gmt7(now + timedelta(minutes=1))[:8]

    # --- notices ----------------------------------------------------------------------------------------------------

    def read_notice(self, raw: bytes) -> VnpayNotice:
        try:
            message = wire.read_notice(query=raw, secret=self._secret)
        except wire.WireError as refusal:
            raise NoticeRefused(f"{type(refusal).__name__}: {refusal}", refusal.answer.body()) from refusal
        outcome = meaning.outcome_for(message.response_code, message.transaction_status)
        said = (message.transaction_no or "", message.response_code, message.transaction_status, str(message.amount))
        return VnpayNotice(
            reference=message.txn_ref,
            event_id=":".join(("ipn", message.tmn_code, message.txn_ref, *said)),
            told=self._told(outcome, message.amount, message.transaction_no),
            ours=message.tmn_code == self._settings.tmn_code,
            message=message,
        )

    def reply_to(self, notice: Notice, *, amount: Money | None, is_final: bool) -> bytes:
        """With HTTP 200 and in VNPay's words."""
        assert isinstance(notice, VnpayNotice)
        return meaning.ipn_answer_for(
            notice.message,
            tmn_code=self._settings.tmn_code,
            expected_amount=None if amount is None else amount.amount,
            is_final=is_final,
        ).body()


def vnpay_from(settings: Settings, outbound: Outbound) -> Vnpay | None:
    """VNPay as it is configured; None in production without keys.

    In development without keys it is our stand-in, with keys of its own.

    Raises:
        BadSetting: one key without the other, or a value that VNPay would refuse.
    """
    found = settings.section(VnpaySettings, "VNPAY")
    if bool(found.tmn_code) != bool(found.hash_secret):
        missing = "SAMPAN_VNPAY_HASH_SECRET" if found.tmn_code else "SAMPAN_VNPAY_TMN_CODE"
        raise BadSetting(f"{missing}: VNPay needs both of its keys, or none")
    if found.tmn_code:
        production = settings.production
        pay_url = found.pay_url or (wire.PRODUCTION_PAY_PAGE if production else wire.SANDBOX_PAY_PAGE)
        api_url = found.api_url or (wire.PRODUCTION_API if production else wire.SANDBOX_API)
        tmn_code, secret = found.tmn_code, found.hash_secret
    elif settings.production:
        return None
    else:
        stand_in = f"{settings.public_url}/sandbox/vnpay"
        pay_url = found.pay_url or f"{stand_in}/paymentv2/vpcpay.html"
        api_url = found.api_url or f"{stand_in}/merchant_webapi/api/transaction"
        tmn_code = wire.DEVELOPMENT_TERMINAL
        secret = development_secret(settings.core.secret or home_secret(settings.home), "vnpay")
    configured = VnpaySettings(
        pay_url=pay_url,
        api_url=api_url,
        tmn_code=tmn_code,
        hash_secret=secret,
        minutes=found.minutes,
        limit=found.limit,
        markets=found.markets,
        server_ip=found.server_ip,
    )
    check_settings(configured, production=settings.production)
    return Vnpay(configured, return_url=f"{settings.public_url}/api/v1/payments/vnpay/return", outbound=outbound)


def check_settings(found: VnpaySettings, *, production: bool) -> None:
    """Refuse at the start what VNPay would refuse at every payment. Raises BadSetting."""
    if re.fullmatch(r"[A-Za-z0-9]{8}", found.tmn_code) is None:
        raise BadSetting("SAMPAN_VNPAY_TMN_CODE: a terminal has eight letters or digits")
    schemes = ("https://",) if production else ("https://", "http://")
    for name, url in (("PAY_URL", found.pay_url), ("API_URL", found.api_url)):
        if not url.startswith(schemes):
            raise BadSetting(f"SAMPAN_VNPAY_{name}: not an address that starts with {' or '.join(schemes)}")
    if not 1 <= found.minutes <= 1440:
        raise BadSetting("SAMPAN_VNPAY_MINUTES: not between 1 and 1440")
    if not 1 <= found.limit <= LARGEST:
        raise BadSetting(f"SAMPAN_VNPAY_LIMIT: not between 1 and {LARGEST}")
    try:
        wire.ip_addr_for(found.server_ip)
    except ValueError:
        raise BadSetting("SAMPAN_VNPAY_SERVER_IP: not an address") from None
