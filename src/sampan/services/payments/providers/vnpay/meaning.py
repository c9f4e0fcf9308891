"""What VNPay's codes mean to the shop. What is unknown or contradictory is never money: a person looks at it.

Sources: tables "vnp_ResponseCode" and "vnp_TransactionStatus" of
https://sandbox.vnpayment.vn/apis/docs/thanh-toan-pay/pay.html and the API codes of
https://sandbox.vnpayment.vn/apis/docs/truy-van-hoan-tien/querydr&refund.html. Lists in circulation disagree
on 05 (balance too low, or a wrong password too often) and on OTP (06 or 13); both readings are failures.
"""

from collections.abc import Mapping
from typing import Final

from sampan.services.payments.providers.vnpay.wire import IpnAnswer, Notice, QueryResponse
from sampan.services.payments.rules.fact import Outcome, Verdict

PAID: Final = Outcome(Verdict.PAID)
PENDING: Final = Outcome(Verdict.PENDING)
REFUNDED: Final = Outcome(Verdict.REFUNDED)
REVERSED: Final = Outcome(Verdict.REVERSED, "payments.reason.reversed")

FAILURES: Final[Mapping[str, str]] = {
    "05": "payments.reason.insufficient_funds",
    "06": "payments.reason.wrong_otp",
    "08": "payments.reason.bank_maintenance",
    "09": "payments.reason.no_internet_banking",
    "10": "payments.reason.wrong_card_data",
    "11": "payments.reason.expired",
    "12": "payments.reason.card_locked",
    "13": "payments.reason.wrong_otp",
    "24": "payments.reason.cancelled_by_customer",
    "51": "payments.reason.insufficient_funds",
    "65": "payments.reason.limit_exceeded",
    "75": "payments.reason.bank_maintenance",
    "79": "payments.reason.wrong_password",
    "99": "payments.reason.declined",
}
"""`vnp_ResponseCode` of a payment that failed."""

ERROR: Final = "99"
"""`vnp_ResponseCode` of a call that failed at VNPay; what became of it nobody knows."""

REFUND_FAILURES: Final[Mapping[str, str]] = {
    "02": "payments.reason.bad_terminal",
    "03": "payments.reason.bad_request",
    "91": "payments.reason.payment_not_found",
    "95": "payments.reason.payment_not_successful",
    "97": "payments.reason.bad_request_signature",
}
"""`vnp_ResponseCode` of a refund that was not accepted, so that no money moves."""


def outcome_for(response_code: str, transaction_status: str) -> Outcome:
    """A payment is paid only if VNPay says so twice: response code 00 and transaction status 00.

    Debited but suspicious (07) is held, a reversal is a reversal, an unfinished or timed-out one is asked
    about again. A failure is believed only when the status says so too. Codes that contradict each other,
    that are unknown, or that belong to a refund go to a person.
    """
    if "07" in (response_code, transaction_status):
        return Outcome(Verdict.REVIEW, "payments.reason.suspicious")
    match transaction_status:
        case "00" if response_code == "00":
            return PAID
        case "01" | "08":
            return PENDING
        case "02":
            return Outcome(Verdict.FAILED, FAILURES.get(response_code, "payments.reason.declined"))
        case "04":
            return REVERSED
    return Outcome(Verdict.REVIEW, "payments.reason.unclear_answer")


def query_outcome_for(response: QueryResponse) -> Outcome:
    """A query speaks of the payment only when it succeeded itself; otherwise we ask again.

    Not found (91) is pending too: the customer may not have opened the pay page yet. Whether the time to pay
    is over is decided by whoever asks. The answer about a refund is not an answer about the payment.
    """
    if response.response_code != "00" or response.transaction_status is None:
        return PENDING
    if response.transaction_type != "01":
        return Outcome(Verdict.REVIEW, "payments.reason.unclear_answer")
    return outcome_for("00", response.transaction_status)


def refund_outcome_for(response_code: str, transaction_status: str | None) -> Outcome:
    """A refund is done when VNPay says 00 twice; accepted, under way or asked for before (94) is pending.

    It failed when VNPay refused it for a reason it names, or the bank refused it (status 09). Anything else
    is not known: pending after an error at VNPay (99), a person after a code that nobody documented.
    """
    if response_code in ("94", ERROR):
        return PENDING
    if response_code in REFUND_FAILURES:
        return Outcome(Verdict.FAILED, REFUND_FAILURES[response_code])
    if response_code == "00":
        match transaction_status:
            case "00":
                return REFUNDED
            case None | "" | "01" | "05" | "06" | "08":
                return PENDING
            case "09":
                return Outcome(Verdict.FAILED, "payments.reason.refund_refused")
    return Outcome(Verdict.REVIEW, "payments.reason.unclear_answer")


def ipn_answer_for(notice: Notice, *, tmn_code: str, expected_amount: int | None, is_final: bool) -> IpnAnswer:
    """A verified notice is answered in VNPay's order: is it our order, is it the amount, is it decided
    already?

    `expected_amount` is what the payment with this `txn_ref` asked for in VND, None when there is no such
    payment. Only `CONFIRMED` asks the shop to record the outcome, and is sent once that is done.
    """
    if expected_amount is None or notice.tmn_code != tmn_code:
        return IpnAnswer.ORDER_NOT_FOUND
    if notice.amount != expected_amount:
        return IpnAnswer.INVALID_AMOUNT
    return IpnAnswer.ALREADY_CONFIRMED if is_final else IpnAnswer.CONFIRMED
