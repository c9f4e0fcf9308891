"""How a payment moves: the intent of one order, the attempts to pay it, and its refunds.

An intent is what an order asks to be paid. Each try to pay it at a provider is an attempt with a reference of
its own. Browser, notice, poller and staff only report facts; every change of a status passes
`check_transition`. Staying is not a change: who learns again what is known already has nothing to move, and
does not ask.

What can never be exceeded: 0 ≤ refunded ≤ captured ≤ authorised.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

from sampan.kernel.errors import ShopError
from sampan.services.payments.contract import RefundTooLarge, Status

Kind = Literal["intent", "attempt", "refund"]

AttemptStatus = Literal["created", "open", "unknown", "authorized", "paid", "voided", "failed", "review"]


class IllegalTransition(ShopError, code="payments.illegal_transition", status=409):
    """The payment cannot go from where it is to there; the facts are `kind`, `current` and `wanted`."""


class CaptureTooLarge(ShopError, code="payments.capture_too_large", status=409):
    """More than is left of the authorisation; the fact `capturable` is in minor units."""


INTENT: Final[Mapping[str, frozenset[str]]] = {
    # Nothing has been paid yet. Cash on delivery waits for the door, not for a provider.
    "pending": frozenset(("authorized", "paid", "failed", "cancelled", "cod_due", "review")),
    # The money is held for us: take it, let it go, or see the hold lapse.
    "authorized": frozenset(("paid", "cancelled", "failed", "review")),
    # Captured. From here money only goes back by refunds; no notice moves it.
    "paid": frozenset(("partially_refunded", "refunded")),
    "partially_refunded": frozenset(("refunded",)),
    # Final, without exception.
    "refunded": frozenset(),
    # Final, except: the customer tries again (a new attempt), the order is given up, or money arrives late.
    "failed": frozenset(("pending", "cancelled", "review")),
    # Final, except: money arrives for what was cancelled, and must go back or find its order.
    "cancelled": frozenset(("review",)),
    # To be collected at the door. When the goods come back, or the order is cancelled before, it is cancelled.
    "cod_due": frozenset(("cod_collected", "failed", "cancelled", "review")),
    "cod_collected": frozenset(("partially_refunded", "refunded")),
    # A person, or a later answer of the provider, decides. When no money came, another attempt may be open.
    "review": frozenset(
        ("authorized", "paid", "cod_collected", "refunded", "failed", "cancelled", "pending", "cod_due")
    ),
}

ATTEMPT: Final[Mapping[str, frozenset[str]]] = {
    # Written down before the provider is called.
    "created": frozenset(("open", "unknown", "authorized", "paid", "failed", "review")),
    # The customer is at the provider.
    "open": frozenset(("authorized", "paid", "failed", "review")),
    # The call got no answer: ask before trying again.
    "unknown": frozenset(("open", "authorized", "paid", "failed", "review")),
    "authorized": frozenset(("paid", "voided", "failed", "review")),
    "paid": frozenset(),
    "voided": frozenset(),
    # Final, except: the provider took the money after we had given up.
    "failed": frozenset(("review",)),
    "review": frozenset(("authorized", "paid", "voided", "failed")),
}

REFUND: Final[Mapping[str, frozenset[str]]] = {
    # Written down, with its own reference, before the provider is called.
    "requested": frozenset(("sent", "settled", "failed")),
    # The provider has it, or may have it: accepted, on its way to the bank, or a call without an answer.
    "sent": frozenset(("settled", "failed")),
    "settled": frozenset(),
    "failed": frozenset(),
}

TRANSITIONS: Final[Mapping[Kind, Mapping[str, frozenset[str]]]] = {
    "intent": INTENT,
    "attempt": ATTEMPT,
    "refund": REFUND,
}

TERMINAL: Final[Mapping[Kind, frozenset[str]]] = {
    "intent": frozenset(("refunded", "failed", "cancelled")),
    "attempt": frozenset(("paid", "voided", "failed")),
    "refund": frozenset(("settled", "failed")),
}
"""Where the story ends. The tables name the few ways out that exist nevertheless."""


def check_transition(kind: Kind, current: str, wanted: str) -> None:
    """A payment moves only along its table; anything else, an unknown status too, is refused."""
    if wanted not in TRANSITIONS[kind].get(current, frozenset()):
        raise IllegalTransition(
            f"{kind} cannot go from {current} to {wanted}", kind=kind, current=current, wanted=wanted
        )


def is_terminal(kind: Kind, status: str) -> bool:
    """Whether nobody waits for anything any more; a notice that arrives now changes nothing by itself."""
    return status in TERMINAL[kind]


def check_capture(authorised: int, captured: int, requested: int) -> None:
    """No more is taken than was authorised, over all captures together."""
    available = _available(authorised, captured)
    if not 0 < requested <= available:
        raise CaptureTooLarge("more than is left of the authorisation", capturable=available)


def check_refund(captured: int, refunded: int, requested: int) -> None:
    """No more is given back than was taken, over all refunds together.

    `refunded` counts refunds that are under way or of unknown fate as well as those that are done.
    """
    available = _available(captured, refunded)
    if not 0 < requested <= available:
        raise RefundTooLarge("more than is left of what was paid", refundable=available)


def _available(limit: int, used: int) -> int:
    """What is left. Never negative: books that are already wrong allow nothing."""
    return max(limit - used, 0) if used >= 0 else 0


def status_after_refund(captured: int, refunded: int) -> Status:
    """An intent is refunded when all that was captured has gone back, partially refunded before that."""
    if not 0 < refunded <= captured:
        raise RefundTooLarge("refunds must stay within what was paid", refundable=max(captured, 0))
    return "refunded" if refunded == captured else "partially_refunded"


_REFERENCE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
MAX_ATTEMPT_REF: Final = 33  # ZaloPay puts seven characters before it and allows forty
MAX_REFUND_REF: Final = 32  # a request id at VNPay


def attempt_ref(order_number: str, attempt: int) -> str:
    """The reference of the n-th attempt to pay an order: `DH1001-1`, then `DH1001-2`.

    The same attempt has the same reference whenever it is computed, so that a call can be repeated. At most
    33 ASCII letters, digits, `-` and `_`, which suits every provider. Raises ValueError for what would not.
    """
    return _reference(order_number, attempt, "", MAX_ATTEMPT_REF)


def refund_ref(order_number: str, refund: int) -> str:
    """The reference of the n-th refund of an order: `DH1001-R1`. At most 32 characters, else ValueError."""
    return _reference(order_number, refund, "R", MAX_REFUND_REF)


def _reference(order_number: str, count: int, mark: str, longest: int) -> str:
    reference = f"{order_number}-{mark}{count}"
    if count < 1 or len(reference) > longest or _REFERENCE.fullmatch(order_number) is None:
        raise ValueError("no provider takes such a reference")
    return reference
