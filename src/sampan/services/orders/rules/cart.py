"""A cart is what somebody means to buy. It holds choices only; every price in it is computed when it is
looked at.

A variant stands in it once: adding it again adds up. It takes up to a hundred variants, and of each no more
than the variant allows, 999 at most. It is open for thirty days after the last change, or until it becomes an
order.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel.errors import NotFound, invalid
from sampan.kernel.money import Money
from sampan.services.catalog.contract import Texts, UnknownVariant, VariantSnapshot
from sampan.services.orders.contract import Address, CartClosed, Contact, Problem
from sampan.services.pricing.contract import QuoteLine

MOST_LINES: Final = 100
MOST_OF_ONE: Final = 999
MOST_KEYS: Final = 10  # of additions that a cart remembers
FALLBACK: Final = "vi"  # every text of the shop has this language


class Line(Struct, frozen=True):
    """So many of a variant, at the unit price that was shown when it was chosen (None: not shown yet).

    `sku` and `name` are those of that moment, for when the catalogue forgets it.
    """

    id: UUID
    variant_id: UUID
    quantity: int
    unit_seen: int | None
    sku: str
    name: Texts


class Basket(Struct, frozen=True):
    """A cart as it is stored. `version` grows with every change; `read_at` is by the clock of the database.

    `shipping_seen` is what the chosen way to deliver cost when it was shown last.
    """

    id: UUID
    token_hash: bytes
    market: str
    currency: str
    contact: Contact | None
    shipping_address: Address | None
    shipping_option_id: str | None
    shipping_seen: int | None
    order_id: UUID | None
    version: int
    expires_at: datetime
    read_at: datetime
    lines: list[Line]
    keys: list[str] = []  # of the last additions


def check_open(basket: Basket) -> None:
    """A cart that became an order, or has expired, takes no more changes."""
    if basket.order_id is not None:
        raise CartClosed("the cart became an order", reason="ordered", order_id=str(basket.order_id))
    if basket.expires_at <= basket.read_at:
        raise CartClosed("the cart has expired", reason="expired")


def check_quantity(quantity: int) -> None:
    """Of one variant there is at least one piece in a cart, and at most 999."""
    if type(quantity) is not int or not 1 <= quantity <= MOST_OF_ONE:
        raise invalid("quantity", "range", f"a quantity is a whole number from 1 to {MOST_OF_ONE}")


def check_choice(line: Line, snapshot: VariantSnapshot | None, *, before: int) -> None:
    """Only what is published is put into a cart, and no more of it than the variant allows. Less is always possible.

    `before`: how many there were.
    """
    if line.quantity <= before:
        return
    if snapshot is None or not snapshot.published:
        raise UnknownVariant("this is not for sale", variants=[str(line.variant_id)])
    if line.quantity > snapshot.max_quantity:
        raise invalid("quantity", "too_many", f"at most {snapshot.max_quantity} of this can be ordered at once")


def with_more(basket: Basket, *, line_id: UUID, variant_id: UUID, quantity: int, key: str = "") -> Basket:
    """Adding a variant that is in the cart already adds up; the sum is what the limits count.

    `line_id` is for a new line. What was added under `key` a moment ago is not added again. Raises CartClosed, Invalid.
    """
    check_open(basket)
    check_quantity(quantity)
    if key in basket.keys:
        return basket
    if key:
        basket = msgspec.structs.replace(basket, keys=[*basket.keys, key][-MOST_KEYS:])
    found = line_with(basket, variant_id)
    if found is not None:
        return with_quantity(basket, line_id=found.id, quantity=found.quantity + quantity)
    if len(basket.lines) >= MOST_LINES:
        raise invalid("variant_id", "too_many_lines", f"a cart takes up to {MOST_LINES} different things")
    line = Line(line_id, variant_id, quantity, None, "", {})
    return msgspec.structs.replace(basket, lines=[*basket.lines, line])


def with_quantity(basket: Basket, *, line_id: UUID, quantity: int) -> Basket:
    """A line's quantity is changed; its price is then the one shown now. Raises CartClosed, Invalid, NotFound."""
    check_open(basket)
    check_quantity(quantity)
    line = line_of(basket, line_id)
    changed = msgspec.structs.replace(line, quantity=quantity, unit_seen=None)
    return msgspec.structs.replace(basket, lines=[changed if old is line else old for old in basket.lines])


def without_line(basket: Basket, line_id: UUID) -> Basket:
    """Taking out a line that is not there (any more) changes nothing. Raises CartClosed."""
    check_open(basket)
    return msgspec.structs.replace(basket, lines=[line for line in basket.lines if line.id != line_id])


def line_of(basket: Basket, line_id: UUID) -> Line:
    """The line with this id. Raises NotFound."""
    for line in basket.lines:
        if line.id == line_id:
            return line
    raise NotFound("there is no such line")


def line_with(basket: Basket, variant_id: UUID) -> Line | None:
    """The line of this variant."""
    return next((line for line in basket.lines if line.variant_id == variant_id), None)


def name_in(texts: Texts, language: str) -> str:
    """A name in the asked language, in Vietnamese where there is none."""
    return texts.get(language) or texts.get(FALLBACK, "")


def line_problems(
    line: Line, *, snapshot: VariantSnapshot | None, priced: QuoteLine | None, available: int
) -> list[str]:
    """What stands against a line: not sold, not priced, more than allowed, less in stock, or another price
    than shown.
    """
    if snapshot is None or not snapshot.published:
        return ["not_sold"]
    if priced is None:
        return ["not_priced"]
    found = []
    if line.quantity > min(snapshot.max_quantity, MOST_OF_ONE):
        found.append("too_many")
    if line.quantity > available:
        found.append("stock_fell")
    if line.unit_seen is not None and line.unit_seen != priced.unit.amount:
        found.append("price_changed")
    return found


# A customer may order in spite of these: the new price is shown and confirmed with the total, and only a
# reservation knows what is really there.
NO_OBSTACLE: Final = frozenset(("price_changed", "stock_fell"))


def cart_problems(basket: Basket, *, option_offered: bool) -> list[str]:
    """An order needs something to order, somebody to call, somewhere to go, and a way to get there."""
    found = []
    if not basket.lines:
        found.append("empty")
    if basket.contact is None:
        found.append("missing_contact")
    if basket.shipping_address is None:
        found.append("missing_address")
    if not option_offered:
        found.append("missing_shipping_option")
    return found


def obstacles(problems: list[Problem]) -> list[Problem]:
    """Those of the problems with which nothing can be ordered."""
    return [problem for problem in problems if problem.code not in NO_OBSTACLE]


def seen_now(basket: Basket, snapshots: dict[UUID, VariantSnapshot], units: dict[UUID, Money]) -> Basket:
    """Lines remember what they are called, and the price that was shown when they were chosen."""
    lines = []
    for line in basket.lines:
        snapshot, unit = snapshots.get(line.variant_id), units.get(line.variant_id)
        if line.unit_seen is None and unit is not None:
            line = msgspec.structs.replace(line, unit_seen=unit.amount)
        if not line.sku and snapshot is not None:
            line = msgspec.structs.replace(line, sku=snapshot.sku, name=snapshot.name)
        lines.append(line)
    return msgspec.structs.replace(basket, lines=lines)
