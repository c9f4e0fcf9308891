"""What others tell us about a payment. Nobody has drawn a conclusion from it yet.

A provider's notice, its answer to our question, a carrier's delivery, a decision of staff: each is written down
as a fact first, once, and taken to the order's case afterwards (`rules/case.py`).
"""

from enum import StrEnum
from typing import Literal
from uuid import UUID

from msgspec import Struct

from sampan.kernel.money import Money


class Verdict(StrEnum):
    """What a provider says has become of a payment or a refund."""

    PAID = "paid"
    PENDING = "pending"
    """Nobody knows yet; ask again."""
    FAILED = "failed"
    REVIEW = "review"
    """A person decides. Do not ship, do not give up."""
    REVERSED = "reversed"
    """Debited at the bank, not successful at the provider; the bank gives it back."""
    REFUNDED = "refunded"


class Outcome(Struct, frozen=True):
    """A verdict and, where it needs one, the message key of its reason (`payments.reason.…`)."""

    verdict: Verdict
    reason: str | None = None


class Told(Struct, frozen=True):
    """A provider's word. `amount` is what it says was paid or given back, None when it does not say."""

    verdict: Verdict
    reason: str | None = None
    amount: Money | None = None
    provider_txn_id: str | None = None


Kind = Literal[
    "opened",  # the payer was sent on, or cash on delivery was accepted
    "told",  # a provider spoke of a payment
    "expired",  # the time to pay is long over, and the provider knows of no money
    "given_up",  # the order is off
    "delivered",  # every parcel of a cash-on-delivery order was handed over
    "returned",  # every parcel came back
    "partly_delivered",  # some did, some did not
    "refund_told",  # a provider, or whoever paid it out, spoke of a refund
    "accepted",  # a person: the money is ours and counts
    "sent_back",  # a person: the money came and goes back
    "dismissed",  # a person: there is no money
]


class Fact(Struct, frozen=True, kw_only=True):
    """One fact about an order's payment. `source` and `event_id` together make it the same fact when told twice.

    `held` says why a person has to look at it, for a fact that belongs to no order at all.
    """

    kind: Kind
    source: str
    event_id: str
    order_id: UUID | None
    attempt_id: UUID | None = None
    refund_id: UUID | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    amount: Money | None = None
    provider_txn_id: str | None = None
    raw: str = ""
    held: str | None = None
