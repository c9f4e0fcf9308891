"""The stand-in for VNPay, as tests and demonstrations see it: its book, and what it is told to do wrong."""

from datetime import datetime
from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta, Struct

from sampan.kernel.events import Event

FaultKind = Literal[
    "decline",  # whatever the payer chooses, the bank declines with `response_code`
    "slow",  # the API answers after `seconds`
    "http_500",  # the API answers with HTTP 500; `after`: but did what it was asked
    "take_money_then_drop",  # paid, but the payer is not sent back and nobody is told; a query knows
    "duplicate",  # the notice is sent three times at once
    "reordered",  # the notice waits until one about a later attempt to pay the same order has been confirmed
    "never_notify",  # no notice; the payer is sent back
    "wrong_amount",  # `amount` was paid instead of what was asked
    "forged_signature",  # the notice bears a signature that nobody made
    "late",  # the notice is sent after `seconds`
    "refuse_refund",  # the bank refuses the refund
]


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that goes wrong from now on, with one payment or, without `txn_ref`, with all of the terminal.

    `times` limits how often; without it, until the faults are cleared.
    """

    kind: FaultKind
    txn_ref: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    times: Annotated[int, Meta(ge=1, le=1000)] | None = None
    seconds: Annotated[float, Meta(ge=0, le=86400)] = 0.0
    response_code: Annotated[str, Meta(pattern=r"^[0-9]{2}\Z")] = "51"
    amount: Annotated[int, Meta(ge=1, le=9_999_999_999)] | None = None
    after: bool = False


class BookedRefund(Struct, frozen=True):
    """Money given back. `status`: 05 under way, 00 done, 09 refused."""

    request_id: str
    amount: int
    status: str
    transaction_no: int


class BookedPayment(Struct, frozen=True):
    """A payment in the book. `status`: 01 not finished, 00 paid, 02 failed, 07 suspicious. Amounts in VND."""

    id: UUID
    txn_ref: str
    amount: int
    status: str
    response_code: str | None
    paid_amount: int | None
    transaction_no: int
    expire_date: datetime
    refunds: list[BookedRefund]
    notices: list[str | None]  # what the shop answered last to each notice


class NoticeDue(Event, name="vnpay_sandbox.notice_due.v1"):
    """A notice waits to be sent."""

    payment_id: UUID


class VnpaySandbox(Protocol):
    """A bank of one's own."""

    async def set_fault(self, *, fault: Fault) -> None:
        """From now on this goes wrong."""
        ...

    async def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        ...

    async def find_payment(self, *, txn_ref: str) -> BookedPayment | None:
        """What the book says of a payment."""
        ...
