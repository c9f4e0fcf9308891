"""VNPay 2.1.0 on the wire: the pay page's address, the notice (IPN and browser return), query and refund.

Pure code for both sides: what the shop sends and verifies, and what VNPay sends and verifies. Amounts are
whole VND and times are aware `datetime`s here; on the wire VNPay writes VND × 100 and `yyyyMMddHHmmss` in
GMT+7.

Every reader verifies the signature before it looks at the meaning of a field, and raises only `WireError`s.

Sources: https://sandbox.vnpayment.vn/apis/docs/thanh-toan-pay/pay.html (pay, return, IPN, codes) and
https://sandbox.vnpayment.vn/apis/docs/truy-van-hoan-tien/querydr&refund.html (query, refund); the order of
the signed fields and the published vector: docs and tests of `lehuygiang28/vnpay` (MIT). The production hosts
are those of public integrations; no primary document states them.
"""

import hashlib
import hmac
import ipaddress
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar
from urllib.parse import quote_plus, unquote_to_bytes

import msgspec
from msgspec import Meta, Struct

VERSION: Final = "2.1.0"
CURRENCY: Final = "VND"

SANDBOX_PAY_PAGE: Final = "https://sandbox.vnpayment.vn/paymentv2/vpcpay.html"
SANDBOX_API: Final = "https://sandbox.vnpayment.vn/merchant_webapi/api/transaction"
DEVELOPMENT_TERMINAL: Final = "SAMPAN01"  # of a shop without keys, at our own stand-in
PRODUCTION_PAY_PAGE: Final = "https://pay.vnpay.vn/vpcpay.html"
PRODUCTION_API: Final = "https://merchant.vnpay.vn/merchant_webapi/api/transaction"

IPN_TRIES: Final = 10
IPN_INTERVAL: Final = timedelta(minutes=5)

MAX_QUERY: Final = 8192  # bytes of a query string
MAX_PARAMETERS: Final = 64
MAX_NAME: Final = 64  # characters
MAX_VALUE: Final = 1024  # characters, decoded; the longest field of the specification has 255
MAX_BODY: Final = 65_536  # bytes of a JSON message

_GMT7: Final = timezone(timedelta(hours=7))


# --- answers and refusals -----------------------------------------------------------------------------------


class IpnAnswer(Enum):
    """What the shop answers to an IPN, always with HTTP 200 (pay.html, "RspCode").

    VNPay sends the notice again, up to `IPN_TRIES` times `IPN_INTERVAL` apart, until the answer
    `ends_retries`. The messages are compared by VNPay's acceptance test, so their spelling is VNPay's.
    """

    CONFIRMED = ("00", "Confirm Success")
    """Recorded. Also when the payment itself failed and we took note of that."""
    ORDER_NOT_FOUND = ("01", "Order not found")
    ALREADY_CONFIRMED = ("02", "Order already confirmed")
    INVALID_AMOUNT = ("04", "invalid amount")
    INVALID_SIGNATURE = ("97", "Invalid signature")
    UNKNOWN_ERROR = ("99", "Unknown error")

    @property
    def code(self) -> str:
        return self.value[0]

    @property
    def message(self) -> str:
        return self.value[1]

    @property
    def ends_retries(self) -> bool:
        return self in (IpnAnswer.CONFIRMED, IpnAnswer.ALREADY_CONFIRMED)

    def body(self) -> bytes:
        """The JSON to answer with."""
        return msgspec.json.encode({"RspCode": self.code, "Message": self.message})

    @classmethod
    def read(cls, body: bytes) -> Self | None:
        """VNPay's side: the answer a shop gave, known by its code alone; None when it is no answer at all."""
        try:
            code = _json_object(body).get("RspCode")
        except WireError:
            return None
        return next((answer for answer in cls if answer.code == code), None)


class WireError(Exception):
    """A message that must not be believed. `answer` is what an IPN that carries it is answered with."""

    answer: ClassVar[IpnAnswer] = IpnAnswer.UNKNOWN_ERROR


class Malformed(WireError):
    """Not a message of this protocol: a limit exceeded, a name twice, a field missing or wrong."""


class InvalidAmount(Malformed):
    """An amount that is not a whole number of VND, which the shop can never have asked for."""

    answer = IpnAnswer.INVALID_AMOUNT


class BadSignature(WireError):
    """The signature is missing or wrong; nothing in the message is true until proved otherwise.

    `claimed` is the two digits that stood as `vnp_ResponseCode`, or empty. It is for the log only: VNPay
    cannot sign an answer to a terminal it does not know.
    """

    answer = IpnAnswer.INVALID_SIGNATURE

    def __init__(self, detail: str, claimed: str = "") -> None:
        super().__init__(detail)
        self.claimed = claimed


# --- messages -----------------------------------------------------------------------------------------------


def _vnp(field: str) -> str:
    return "vnp_" + "".join(word.capitalize() for word in field.split("_"))


_AMOUNTS: Final = frozenset(("vnp_Amount",))
_TIMES: Final = frozenset(("vnp_CreateDate", "vnp_ExpireDate", "vnp_PayDate", "vnp_TransactionDate"))

# `\Z`, because `$` would let a line feed pass. What the shop sends keeps to letters that the encoders of all
# official samples write alike: PHP encodes `~` and `*`, Java keeps `*`, Python keeps `~`.
Vnd = Annotated[int, Meta(ge=1, le=9_999_999_999)]  # twelve digits on the wire
TmnCode = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{8}\Z")]
TxnRef = Annotated[str, Meta(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,31}[A-Za-z0-9])?\Z")]
RequestId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,32}\Z")]
IpAddr = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f:.]{7,45}\Z")]
OrderInfo = Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ._:-]{1,255}\Z")]
OrderType = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,100}\Z")]
BankCode = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{3,20}\Z")]
CreateBy = Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ._:@-]{1,245}\Z")]
ReturnUrl = Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9._:/?=&#%-]+\Z", min_length=10, max_length=255)]
TransactionNo = Annotated[str, Meta(pattern=r"^[0-9]{1,20}\Z")]
Code = Annotated[str, Meta(pattern=r"^[0-9]{2}\Z")]
Text = Annotated[str, Meta(max_length=255)]


class Message(Struct, frozen=True, kw_only=True, rename=_vnp):
    """Fields in our words; on the wire `txn_ref` is `vnp_TxnRef`. None is absent."""

    fixed: ClassVar[Mapping[str, str]] = {}
    """Fields that always have one value, written and demanded."""


class PayRequest(Message, frozen=True, kw_only=True):
    """Send the customer to pay. `txn_ref` is new for every attempt and unique per day and terminal.

    `order_info` comes from `order_info_for`, `ip_addr` (the customer's) from `ip_addr_for`. Without
    `bank_code` the customer chooses; `VNPAYQR`, `VNBANK` (domestic) and `INTCARD` choose for him.
    `create_date` is what query and refund later name as `transaction_date`.
    """

    fixed = {"vnp_Version": VERSION, "vnp_Command": "pay", "vnp_CurrCode": CURRENCY}

    tmn_code: TmnCode
    txn_ref: TxnRef
    amount: Vnd
    order_info: OrderInfo
    create_date: datetime
    expire_date: datetime
    ip_addr: IpAddr
    return_url: ReturnUrl
    locale: Literal["vn", "en"] = "vn"
    order_type: OrderType = "other"
    bank_code: BankCode | None = None

    def __post_init__(self) -> None:
        if self.expire_date <= self.create_date:
            raise ValueError("a payment expires after it was created")


class Notice(Message, frozen=True, kw_only=True):
    """What VNPay says about a payment: server to server (IPN), and by way of the browser (return).

    Only the IPN decides anything; compare `tmn_code`, `txn_ref` and `amount` with the payment before
    believing it. `transaction_no` is VNPay's id, `"0"` when no bank was reached.
    """

    tmn_code: TmnCode
    txn_ref: Annotated[str, Meta(min_length=1, max_length=100)]
    amount: Vnd
    response_code: Code
    transaction_status: Code
    transaction_no: TransactionNo | None = None
    order_info: Text | None = None
    bank_code: Text | None = None
    bank_tran_no: Text | None = None
    card_type: Text | None = None
    pay_date: datetime | None = None


class Sealed(Message, frozen=True, kw_only=True):
    """A JSON message of the query and refund API, signed over `signed` in this order."""

    signed: ClassVar[tuple[str, ...]] = ()


def _names(words: str) -> tuple[str, ...]:
    return tuple("vnp_" + word for word in words.split())


class QueryRequest(Sealed, frozen=True, kw_only=True):
    """Ask what became of a payment. `request_id` is unique per day, `ip_addr` is our server's."""

    fixed = {"vnp_Version": VERSION, "vnp_Command": "querydr"}
    signed = _names("RequestId Version Command TmnCode TxnRef TransactionDate CreateDate IpAddr OrderInfo")

    request_id: RequestId
    tmn_code: TmnCode
    txn_ref: TxnRef
    transaction_date: datetime
    create_date: datetime
    ip_addr: IpAddr
    order_info: OrderInfo


class Response(Sealed, frozen=True, kw_only=True):
    """What the answers to a query and to a refund have in common. `response_code` speaks of what was asked."""

    response_id: Text
    response_code: Code
    message: Text | None = None
    tmn_code: TmnCode | None = None
    txn_ref: Annotated[str, Meta(max_length=100)] | None = None
    amount: Vnd | None = None
    bank_code: Text | None = None
    pay_date: datetime | None = None
    transaction_no: TransactionNo | None = None
    transaction_type: Code | None = None
    transaction_status: Code | None = None
    order_info: Text | None = None


class QueryResponse(Response, frozen=True, kw_only=True):
    """The answer to a query. `response_code` speaks of the query, `transaction_status` of the payment.

    `transaction_type` is 01 for a payment, 02 for a full and 03 for a partial refund. `promotion_amount`
    stays text: no source states its unit.
    """

    fixed = {"vnp_Command": "querydr"}
    signed = _names(
        "ResponseId Command ResponseCode Message TmnCode TxnRef Amount BankCode PayDate TransactionNo"
        " TransactionType TransactionStatus OrderInfo PromotionCode PromotionAmount"
    )

    promotion_code: Text | None = None
    promotion_amount: Text | None = None


class RefundRequest(Sealed, frozen=True, kw_only=True):
    """Give money back: all of it (`02`) or a part (`03`). `request_id` is the refund's own id, stored before
    the call.

    `transaction_date` is the payment's `create_date`; `create_by` names who asked for the refund.
    """

    fixed = {"vnp_Version": VERSION, "vnp_Command": "refund"}
    signed = _names(
        "RequestId Version Command TmnCode TransactionType TxnRef Amount TransactionNo TransactionDate"
        " CreateBy CreateDate IpAddr OrderInfo"
    )

    request_id: RequestId
    tmn_code: TmnCode
    transaction_type: Literal["02", "03"]
    txn_ref: TxnRef
    amount: Vnd
    transaction_no: TransactionNo | None = None
    transaction_date: datetime
    create_by: CreateBy
    create_date: datetime
    ip_addr: IpAddr
    order_info: OrderInfo


class RefundResponse(Response, frozen=True, kw_only=True):
    """The answer to a refund; accepted (`response_code` 00) is not paid back yet: `transaction_status`."""

    fixed = {"vnp_Command": "refund"}
    signed = _names(
        "ResponseId Command ResponseCode Message TmnCode TxnRef Amount BankCode PayDate TransactionNo"
        " TransactionType TransactionStatus OrderInfo"
    )


M = TypeVar("M", bound=Message)
S = TypeVar("S", bound=Sealed)


# --- pay page, IPN and return: signed query strings ---------------------------------------------------------


def pay_url(*, page: str, request: PayRequest, secret: str) -> str:
    """"""
    return f"{page}?{signed_query(_texts(request), secret=secret)}"


def read_pay_request(*, query: bytes, secret: str) -> PayRequest:
    """VNPay's side of `pay_url`: the request in the query string that a shop signed."""
    return _typed(PayRequest, _verified_query(query, secret))


def notice_query(*, notice: Notice, secret: str) -> str:
    """VNPay's side: the query string of an IPN or a return, to be put after the shop's address."""
    return signed_query(_texts(notice), secret=secret)


def read_notice(*, query: bytes, secret: str) -> Notice:
    """The notice in the raw query string of an IPN or a return.

    Raises `BadSignature`, `Malformed` or `InvalidAmount`; each knows the `IpnAnswer` it deserves.
    """
    return _typed(Notice, _verified_query(query, secret))


def signed_query(fields: Mapping[str, str], *, secret: str) -> str:
    """The fields as a query string, in the order they are signed, with the signature last."""
    encoded = form_encoded(fields)
    return f"{encoded}&vnp_SecureHash={signature(encoded, secret)}"


def form_encoded(fields: Mapping[str, str]) -> str:
    """What is signed: the non-empty fields sorted by name, form-encoded as UTF-8 (space `+`, upper-case
    `%XX`).
    """
    return "&".join(f"{name}={quote_plus(value)}" for name, value in sorted(fields.items()) if value)


def signature(text: str, secret: str) -> str:
    """HMAC-SHA512 of the UTF-8 text, in lower-case hex. Raises ValueError without a secret."""
    if not secret:
        raise ValueError("the VNPay hash secret is empty")
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def _verified_query(query: bytes, secret: str) -> dict[str, str]:
    """The `vnp_` fields of a query whose signature holds.

    Fields that we do not know are signed too. Others belong to the shop's return address and prove nothing.
    """
    fields = {name: value for name, value in _parameters(query).items() if name.startswith("vnp_")}
    given = fields.pop("vnp_SecureHash", "")
    fields.pop("vnp_SecureHashType", None)
    _check_signature(given, form_encoded(fields), secret)
    return fields


def _parameters(query: bytes) -> dict[str, str]:
    if len(query) > MAX_QUERY:
        raise Malformed("the query string is too long")
    if query.count(b"&") >= MAX_PARAMETERS:
        raise Malformed("too many parameters")
    found: dict[str, str] = {}
    for pair in query.split(b"&") if query else ():
        raw_name, _, raw_value = pair.partition(b"=")
        name, value = _form_decoded(raw_name), _form_decoded(raw_value)
        _check_name(name)
        _check_text(value)
        if name in found:
            raise Malformed("a parameter twice")
        found[name] = value
    return found


_FORM: Final = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")


def _form_decoded(raw: bytes) -> str:
    if _FORM.fullmatch(raw) is None:
        raise Malformed("not form-encoded")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


# --- query and refund: signed JSON --------------------------------------------------------------------------


def encode(message: Sealed, *, secret: str) -> bytes:
    """The JSON body of a query or refund, request or response. Raises `Malformed`."""
    fields = _texts(message)
    sealed = signature(_joined(message.signed, fields), secret)
    return msgspec.json.encode({**fields, "vnp_SecureHash": sealed})


def decode(kind: type[S], body: bytes, *, secret: str) -> S:
    """The message in a JSON body. Raises `BadSignature` or `Malformed`: nothing is known, ask again."""
    fields = _json_object(body)
    given = fields.pop("vnp_SecureHash", "")
    _check_signature(given, _joined(kind.signed, fields), secret, claimed=fields.get("vnp_ResponseCode", ""))
    return _typed(kind, fields)


def _joined(signed: Iterable[str], fields: Mapping[str, str]) -> str:
    """Raw values joined by pipes, empty for absent ones."""
    values = [fields.get(name, "") for name in signed]
    if any("|" in value for value in values):
        raise Malformed("a pipe in a value would make the signature ambiguous")
    return "|".join(values)


def _json_object(body: bytes) -> dict[str, str]:
    if len(body) > MAX_BODY:
        raise Malformed("the body is too long")
    try:
        found = json.loads(body.decode(), object_pairs_hook=_flat, parse_float=_no_number, parse_constant=_no_number)
    except (ValueError, RecursionError):  # JSON or UTF-8 that is none
        raise Malformed("not JSON") from None
    if not isinstance(found, dict):
        raise Malformed("not a JSON object")
    return found


def _flat(pairs: list[tuple[str, Any]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        # Numbers are signed as their digits: some integrations send `vnp_Amount` as a number.
        text = "" if value is None else str(value) if type(value) is int else value
        if not isinstance(text, str):
            raise Malformed("only texts and whole numbers")
        _check_name(name)
        _check_text(text)
        if name in fields:
            raise Malformed("a name twice")
        fields[name] = text
    return fields


def _no_number(_: str) -> Any:
    raise Malformed("only whole numbers")


# --- fields as text -----------------------------------------------------------------------------------------


def gmt7(at: datetime) -> str:
    """A moment as VNPay writes it, `yyyyMMddHHmmss` in GMT+7; parts of a second are cut off."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(_GMT7).strftime("%Y%m%d%H%M%S")


def from_gmt7(text: str) -> datetime:
    """The moment, in UTC, that VNPay wrote. Raises `Malformed`."""
    if re.fullmatch(r"[0-9]{14}", text) is None:
        raise Malformed("not a time")
    year, rest = int(text[:4]), [int(text[at : at + 2]) for at in range(4, 14, 2)]
    try:
        return datetime(year, *rest, tzinfo=_GMT7).astimezone(UTC)  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        raise Malformed("not a time") from None


_INFO_REFUSED: Final = re.compile(r"[^A-Za-z0-9._:-]+")


def order_info_for(text: str) -> str:
    """The text as `vnp_OrderInfo` may have it: no diacritics, no special characters, at most 255 of them.

    `Thanh toán đơn hàng #DH1001` becomes `Thanh toan don hang DH1001`. Empty when nothing is left.
    """
    letters = unicodedata.normalize("NFKD", text[:MAX_VALUE]).replace("đ", "d").replace("Đ", "D")
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _INFO_REFUSED.sub(" ", plain).strip()[:255].rstrip()


def ip_addr_for(address: str) -> str:
    """The address in VNPay's 7 to 45 characters: IPv4, or IPv6 in full. Raises ValueError for neither."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or found.exploded)
    return str(found)


def _texts(message: Message) -> dict[str, str]:
    """The fields as they stand on the wire. What we would refuse from others, we do not send."""
    values = msgspec.to_builtins(message, builtin_types=(datetime,))
    _converted(type(message), values)
    fields = {**message.fixed, **{name: _text(value) for name, value in values.items()}}
    for text in fields.values():
        _check_text(text)
    return fields


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return gmt7(value)
    return str(value * 100) if isinstance(value, int) else str(value)


def _typed(kind: type[M], fields: Mapping[str, str]) -> M:
    for name, demanded in kind.fixed.items():
        if fields.get(name) != demanded:
            raise Malformed(f"{name} is not {demanded}")
    values: dict[str, object] = {}
    for name, text in fields.items():
        if text:
            values[name] = _amount(text) if name in _AMOUNTS else from_gmt7(text) if name in _TIMES else text
    return _converted(kind, values)


def _converted(kind: type[M], values: Mapping[str, object]) -> M:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from None


def _amount(text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,11}", text) is None:
        raise Malformed("not an amount")
    vnd, hundredths = divmod(int(text), 100)
    if hundredths:
        raise InvalidAmount("not whole VND")
    return vnd


_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")  # which the form encoding leaves as they are
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
        raise Malformed("not the name of a field")


def _check_text(text: str) -> None:
    if len(text) > MAX_VALUE or _CONTROL.search(text):
        raise Malformed("a value too long, or with control characters")


_SIGNATURE: Final = re.compile(r"[0-9A-Fa-f]{128}")


def _check_signature(given: str, text: str, secret: str, claimed: str = "") -> None:
    wanted = signature(text, secret)
    # The shape first: compare_digest refuses non-ASCII texts with a TypeError.
    if _SIGNATURE.fullmatch(given) is None or not hmac.compare_digest(wanted, given.lower()):
        known = claimed if re.fullmatch(r"[0-9]{2}", claimed) else ""
        raise BadSignature("the signature is missing or wrong", claimed=known)
