"""What must be true of messages."""

import re
from typing import Any
from uuid import UUID

from msgspec import Struct

from sampan.kernel.catalogue import Texts
from sampan.kernel.money import Money, format_money

TRIES = 12
LEASE = 120.0  # seconds for which a mail is nobody else's to send, once somebody took it
# Enhanced codes (RFC 3463) of a refusal that may pass: a full mailbox, and what a policy says of us, not of the mail.
PASSING = re.compile(r"5\.(2\.2|7\.\d+)\b")
MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


class Line(Struct, frozen=True):
    name: str
    quantity: int
    total: Money


class Facts(Struct, frozen=True):
    """What a message is made of."""

    number: str
    name: str
    payment_method: str = ""
    lines: list[Line] = []
    items: Money | None = None
    shipping: Money | None = None
    total: Money | None = None
    amount: Money | None = None
    tracking: str | None = None


class Draft(Struct, frozen=True):
    """A message to be, for whoever can be written to. `key` tells it from every other one."""

    key: str
    order_id: UUID
    template: str
    language: str
    recipient: str | None
    facts: Facts


class Letter(Struct, frozen=True):
    """A message in words, before it becomes a mail."""

    subject: str
    heading: str
    paragraphs: list[str]
    lines: list[dict[str, Any]]
    sums: list[tuple[str, str]]


def is_mail_address(address: str) -> bool:
    """True for what can be an e-mail address: one @, a dotted host, no spaces or line breaks."""
    return len(address) <= 254 and MAIL_ADDRESS.fullmatch(address) is not None


def is_worth_another_try(tries: int, *, permanent: bool) -> bool:
    """A mail is tried twelve times over most of a day, and not again once the server refused it for good."""
    return not permanent and tries < TRIES


def is_for_good(code: int, words: str) -> bool:
    """A mail is refused for good when the server says so (5xx) of its recipient or of the mail itself.

    Not for a full mailbox, and not for a policy: both may be another one tomorrow.
    """
    return 500 <= code < 600 and PASSING.match(words.lstrip()) is None


def minutes_until_next(tries: int) -> int:
    """1, 2, 4, 8 … minutes, at most six hours."""
    return int(min(360, 2 ** max(0, tries - 1)))


def letter_for(template: str, facts: Facts, texts: Texts, language: str) -> Letter:
    """The words of a message: subject, heading, paragraphs, and the lines and sums where the template shows them."""

    def money(amount: Money) -> str:
        return format_money(amount, language)

    paragraphs = [texts(f"{template}.body", number=facts.number) if template != "order_refunded" else ""]
    if template == "order_refunded" and facts.amount is not None:
        paragraphs = [texts("order_refunded.body", number=facts.number, amount=money(facts.amount))]
    if template == "order_placed" and facts.total is not None:
        key = "cod" if facts.payment_method == "cod" else "paid"
        paragraphs.append(texts(f"order_placed.{key}", total=money(facts.total)))
    if template == "order_cancelled" and facts.amount is not None:
        paragraphs.append(texts("order_cancelled.refund", amount=money(facts.amount)))
    if template == "order_shipped" and facts.tracking:
        paragraphs.append(texts("order_shipped.tracking", tracking=facts.tracking))
    sums = []
    if facts.lines:
        parts = (("items", facts.items), ("shipping", facts.shipping), ("total", facts.total))
        sums = [(texts(f"mail.{key}"), money(amount)) for key, amount in parts if amount is not None]
    return Letter(
        subject=one_line(texts(f"{template}.subject", number=facts.number)),
        heading=texts(f"{template}.heading"),
        paragraphs=paragraphs,
        lines=[{"name": line.name, "quantity": line.quantity, "total": money(line.total)} for line in facts.lines],
        sums=sums,
    )


def one_line(text: str) -> str:
    """Nothing in a header breaks the line."""
    return " ".join(text.split())
