"""Payments, as others see it: how an order is paid, and what has become of the money."""

from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.events import Event
from sampan.kernel.money import Money

# Of one order's payment. `review`: money that came but may not count (suspicious, wrong amount); a person decides.
Status = Literal[
    "pending", "authorized", "paid", "partially_refunded", "refunded", "failed", "cancelled", "cod_due",
    "cod_collected", "review",
]  # fmt: skip


class MethodNotAvailable(ShopError, code="payments.method_not_available", status=422):
    """This way to pay is unknown here or not offered for this order; the fact `reason` says why."""


class AlreadyPaid(ShopError, code="payments.already_paid", status=409):
    """The order is paid or on its way to be; there is nothing more to pay."""


class GivenUp(ShopError, code="payments.given_up", status=409):
    """The order was given up; it takes no payment any more, and what still arrives is sent back."""


class RefundTooLarge(ShopError, code="payments.refund_too_large", status=409):
    """More than was captured and not yet refunded; the fact `refundable` says how much is left."""


class NotAnswered(ShopError, code="payments.not_answered", status=503):
    """The provider does not say now how a payment stands; ask again later."""


class UnknownPayment(ShopError, code="payments.unknown_payment", status=404):
    """The order has no payment."""


class Method(Struct, frozen=True):
    """A way to pay, and whether it is offered for this order. `reason` is a message key when it is not."""

    code: str
    name: str
    fee: Money
    limit: Money | None
    available: bool
    reason: str | None


class Action(Struct, frozen=True):
    """What the payer does next: nothing, go to `url`, or scan `qr`."""

    kind: Literal["none", "redirect", "qr"]
    url: str | None = None
    qr: str | None = None
    expires_at: datetime | None = None


class Payment(Struct, frozen=True):
    """What an order's payment is now. `id` is the latest attempt's; amounts are sums of facts.

    Of two accounts of a payment the one with the higher `version` is newer; PaymentChanged bears the same number.
    """

    id: UUID
    order_id: UUID
    method: str
    status: Status
    amount: Money
    captured: Money
    refunded: Money
    action: Action
    failure: str | None  # a message key: why the last attempt failed
    version: int = 0


class Refund(Struct, frozen=True):
    """Money on its way back. `status`: requested, sent, settled, failed."""

    id: UUID
    order_id: UUID
    amount: Money
    status: Literal["requested", "sent", "settled", "failed"]
    reason: str
    at: datetime


class Kept(Struct, frozen=True):
    """What was captured for an order, as payments has it."""

    order_id: UUID
    order_number: str
    captured: Money


class PaymentChanged(Event, name="payments.payment_changed.v1"):
    """The state of an order's payment changed; `version` grows with each change of the order's payment."""

    order_id: UUID
    payment_id: UUID
    method: str
    status: Status
    amount: Money
    captured: Money
    refunded: Money
    failure: str | None
    version: int


class RefundChanged(Event, name="payments.refund_changed.v1"):
    """A refund was asked for, sent, settled or refused."""

    refund_id: UUID
    order_id: UUID
    amount: Money
    status: str


class Payments(Protocol):
    """Intents, attempts, refunds, the ledger. Calls are keyed by the order and may be repeated."""

    async def methods_for(
        self,
        *,
        market: str,
        total: Money,
        cod_fee: Money | None,
        cod_limit: Money | None,
        language: str = "vi",
    ) -> list[Method]:
        """The ways to pay `total` in a market; `cod_limit` None: the chosen delivery takes no cash."""
        ...

    async def open(
        self,
        *,
        order_id: UUID,
        order_number: str,
        attempt: int,
        method: str,
        amount: Money,
        return_url: str,
        client_ip: str,
        language: str,
        expires_at: datetime,
    ) -> Payment:
        """Begin to pay: the same order and attempt, the same payment. COD is accepted at once (`cod_due`).

        Raises MethodNotAvailable, AlreadyPaid.
        """
        ...

    async def find_payment(self, *, order_id: UUID) -> Payment | None:
        """The order's payment as it stands, or None."""
        ...

    async def ask(self, *, order_id: UUID, sure: bool = False) -> Payment:
        """Ask the provider about a pending payment now (a browser came back); the answer may still be pending.

        While it does not answer, what was known before is. `sure`: then NotAnswered is raised.
        """
        ...

    async def give_up(self, *, order_id: UUID, reason: str) -> Payment | None:
        """The order is off: void what is open, refund all that was captured (now or when it arrives late)."""
        ...

    async def refund(self, *, order_id: UUID, key: str, amount: Money, reason: str) -> Refund:
        """Send money back to where it came from; the same key, the same refund.

        Raises RefundTooLarge, UnknownPayment.
        """
        ...

    async def list_refunds(self, *, order_id: UUID) -> list[Refund]:
        """An order's refunds, oldest first."""
        ...

    async def list_kept(self, *, after: UUID, limit: int = 1000) -> list[Kept]:
        """What was captured and has not changed for fifteen minutes, by order; those after one of them."""
        ...
