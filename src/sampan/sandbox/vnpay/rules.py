"""VNPay's side of the protocol: its signature, its codes, what the payer can choose.

The signature is written here a second time, from the specification and with nothing of the shop's own code, so that
a mistake there is not confirmed by the same mistake here.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, quote_plus

CHOICES: Final[Mapping[str, tuple[str, str]]] = {
    "pay": ("00", "00"),
    "suspicious": ("07", "07"),
    "insufficient": ("51", "02"),
    "locked": ("12", "02"),
    "otp": ("13", "02"),
    "limit": ("65", "02"),
    "maintenance": ("75", "02"),
    "cancel": ("24", "02"),
}
"""What the payer can do on the page: response code and transaction status."""

EXPIRED: Final = ("11", "02")

API_MESSAGES: Final[Mapping[str, str]] = {
    "00": "Success",
    "02": "Invalid terminal",
    "03": "Invalid data",
    "91": "Transaction not found",
    "94": "Duplicate request",
    "95": "Transaction was not successful",
    "97": "Invalid signature",
    "99": "Unknown error",
}
"""Of query and refund, by response code."""

QUERY_FIELDS: Final = (
    "RequestId", "Version", "Command", "TmnCode", "TxnRef", "TransactionDate", "CreateDate", "IpAddr", "OrderInfo",
)  # fmt: skip
REFUND_FIELDS: Final = (
    "RequestId", "Version", "Command", "TmnCode", "TransactionType", "TxnRef", "Amount", "TransactionNo",
    "TransactionDate", "CreateBy", "CreateDate", "IpAddr", "OrderInfo",
)  # fmt: skip


class Disagreement(Exception):
    """The two ways to check a signature do not agree: one of them is wrong."""


def is_signed(query: str, secret: str) -> bool:
    """Whether a query string bears the signature of its own fields."""
    fields = [(name, value) for name, value in parse_qsl(query) if name.startswith("vnp_")]
    given = [value for name, value in fields if name == "vnp_SecureHash"]
    signed = sorted((name, value) for name, value in fields if not name.startswith("vnp_SecureHash"))
    text = "&".join(name + "=" + quote_plus(value) for name, value in signed)
    return len(given) == 1 and given[0].lower() == _hmac(text, secret)


def is_sealed(body: bytes, names: Sequence[str], secret: str) -> bool:
    """Whether a JSON message bears the signature of the named fields, in this order."""
    message = json.loads(body)
    text = "|".join(str(message.get("vnp_" + name, "")) for name in names)
    return str(message.get("vnp_SecureHash", "")).lower() == _hmac(text, secret)


def _hmac(text: str, secret: str) -> str:
    return hmac.new(secret.encode("utf-8"), text.encode("utf-8"), hashlib.sha512).hexdigest()


def check_agreement(*, ours: bool, theirs: bool) -> None:
    """Both ways to check a signature must come to the same end."""
    if ours != theirs:
        raise Disagreement("two implementations of the VNPay signature do not agree")


def field_of(body: bytes, name: str) -> str:
    """A field of a JSON message that has not been verified, to find out whom it speaks to; empty if there is none."""
    try:
        value = json.loads(body).get(name, "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""


def order_of(txn_ref: str) -> str:
    """The order that attempts belong to: `DH1001-2` is of `DH1001`."""
    return re.sub(r"-[0-9]+$", "", txn_ref)
