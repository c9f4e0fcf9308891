"""What the shop asks of whoever collects its money.

A provider is told what to do and says what it knows; it decides nothing. Whatever it says is a fact for the
order's case. The networks of providers are reached through `kernel.outbound`, never inside a transaction.
"""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from sampan.kernel.money import Money
from sampan.services.payments.contract import Action
from sampan.services.payments.rules.fact import Told


class Offer(Struct, frozen=True):
    """A way to pay. `limit` is the most it takes; `reason`, a message key, is why it is not available."""

    fee: Money
    limit: Money | None = None
    reason: str | None = None


class Charge(Struct, frozen=True, kw_only=True):
    """An attempt, as its provider needs it. `reference` names it at the provider, now and for ever."""

    reference: str
    order_number: str
    amount: Money
    made_at: datetime
    expires_at: datetime
    language: str
    provider_txn_id: str | None = None


class Return(Struct, frozen=True, kw_only=True):
    """A refund, as its provider needs it. `known` are the provider's own ids of this charge's other refunds."""

    reference: str
    amount: Money
    whole: bool  # all that the charge brought
    known: frozenset[str] = frozenset()


class Notice(Struct, frozen=True, kw_only=True):
    """A provider's message whose signature holds. `event_id` is the same when the provider says the same again.

    `ours`: it is about our account at the provider.
    """

    reference: str
    event_id: str
    told: Told
    ours: bool


class NoticeRefused(Exception):
    """A message that must not be believed; `reply` is what its sender is answered."""

    def __init__(self, why: str, reply: bytes) -> None:
        super().__init__(why)
        self.reply = reply


class PaymentProvider(Protocol):
    """A way to pay: what it is called, what it takes, how a payment begins."""

    code: str

    def offer(self, *, market: str, total: Money, cod_fee: Money | None, cod_limit: Money | None) -> Offer | None:
        """The terms for paying `total`; None where it does not exist at all."""
        ...

    def refusal_for(self, amount: Money) -> str | None:
        """Why this amount cannot be paid this way, as a message key, or None."""
        ...

    async def begin(self, charge: Charge, *, client_ip: str) -> Action:
        """What the payer does next. The same charge begins the same payment, however often it is asked.

        Raises Unavailable or UnknownOutcome: then nobody knows, the poller asks, and the same call may be repeated.
        """
        ...


class OnlineProvider(PaymentProvider, Protocol):
    """A provider that is asked, refunds by itself, and sends notices."""

    async def query(self, charge: Charge) -> Told:
        """What became of the payment, as the provider says now. Raises Unavailable: ask again later."""
        ...

    async def refund(self, charge: Charge, refund: Return) -> Told:
        """Give money back. Whatever the provider answers, it has taken note of it, or refuses it for good.

        Raises Unavailable: it was not asked. UnknownOutcome: it may have been; look with `find_refund` first.
        """
        ...

    async def find_refund(self, charge: Charge, refund: Return) -> Told | None:
        """What became of a refund; None when the provider does not know of it. Raises Unavailable."""
        ...

    def knows_again(self, *, since: datetime, now: datetime) -> bool:
        """Whether a refund that may have reached the provider at `since` is still known by its reference, so that
        sending it once more cannot pay it twice."""
        ...

    def read_notice(self, raw: bytes) -> Notice:
        """The notice in a message as it was received. Raises NoticeRefused."""
        ...

    def reply_to(self, notice: Notice, *, amount: Money | None, is_final: bool) -> bytes:
        """What the provider is answered. `amount` is what its payment asked for, None when there is no such payment.

        `is_final`: the payment is decided already, or the shop was told this before.
        """
        ...
