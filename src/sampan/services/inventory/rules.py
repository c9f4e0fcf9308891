"""What may be sold, from where, and how goods move.

A warehouse's level of a variant has what is on hand, what of it is held for checkouts, and what is allocated to placed
orders. Levels change by movements only, and every movement has a cause that moves things once.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from uuid import UUID

from msgspec import Struct

from sampan.kernel.errors import invalid
from sampan.services.inventory.contract import (
    Allocation,
    AlreadyConfirmed,
    AlreadyShipped,
    Delivery,
    Demand,
    HoldGone,
    NotConfirmed,
    OutOfStock,
    Reservation,
    StockCommitted,
)

MOST_PARCELS = 3  # up to so many warehouses the best split is looked for; beyond, any split does
MOST_WAREHOUSES = 20  # of which the best split is looked for
MOST_LINES = 1000


class Stock(Struct, frozen=True):
    """What of a variant a warehouse can sell (`free`, below zero if it owes), with what ranks the warehouse."""

    variant_id: UUID
    warehouse_id: UUID
    free: int
    priority: int
    code: str
    provinces: list[str]


class Part(Struct, frozen=True):
    """What of a hold comes out of one warehouse."""

    variant_id: UUID
    warehouse_id: UUID
    quantity: int
    shipped: bool = False
    returned: int = 0


class Hold(Struct, frozen=True):
    """An order's grip on goods. `attempt` counts how often it took hold; `lapsed` is true for a hold that expired."""

    order_id: UUID
    status: str
    attempt: int
    province_code: str
    first_held_at: datetime
    expires_at: datetime | None
    lapsed: bool
    parts: list[Part]
    closed: bool = False  # the order was called off

    @property
    def cause(self) -> str:
        return f"order:{self.order_id}:{self.attempt}"


class Movement(Struct, frozen=True):
    """A change of a level, why, and by how much of each kind. Σ of all movements of a level is the level."""

    kind: str
    cause: str
    variant_id: UUID
    warehouse_id: UUID
    on_hand: int = 0
    held: int = 0
    allocated: int = 0
    unsellable: int = 0
    reason: str = ""
    order_id: UUID | None = None
    attempt: int | None = None


# --- what is wanted -------------------------------------------------------------------------------------------------


def wanted_for(demands: Sequence[Demand]) -> dict[UUID, int]:
    """Demand for the same variant is added up before it is compared with the stock.

    There is at least one line, and every quantity is at least one.
    """
    if not 1 <= len(demands) <= MOST_LINES:
        raise invalid("demands", "length", f"1 to {MOST_LINES} lines can be asked for at once")
    wanted: defaultdict[UUID, int] = defaultdict(int)
    for at, demand in enumerate(demands):
        if not 1 <= demand.quantity <= 100_000:
            raise invalid(f"demands.{at}.quantity", "range", "a quantity is 1 to 100000")
        wanted[demand.variant_id] += demand.quantity
    return dict(wanted)


def check_minutes(minutes: int) -> None:
    """A hold is for at least a minute."""
    if minutes < 1:
        raise invalid("minutes", "range", "a hold is for at least a minute")


def check_reason(reason: str) -> None:
    """A reason is said in 1 to 200 characters."""
    if not 1 <= len(reason) <= 200:
        raise invalid("reason", "length", "a reason has 1 to 200 characters")


def check_deliveries(items: Sequence[Delivery]) -> None:
    """What comes in is at least one piece, and a variant comes into a warehouse once in a delivery."""
    seen = set()
    for at, item in enumerate(items):
        if item.quantity < 1:
            raise invalid(f"items.{at}.quantity", "range", "a delivery is at least one piece")
        if (item.variant_id, item.warehouse_id) in seen:
            raise invalid(f"items.{at}", "twice", "the same goods are named twice in one delivery")
        seen.add((item.variant_id, item.warehouse_id))


# --- where it comes from --------------------------------------------------------------------------------------------


def ranked(stocks: Sequence[Stock], province_code: str) -> list[UUID]:
    """Warehouses that serve the customer's province are asked first, then the lower priority number, then the code."""
    rank = {stock.warehouse_id: (province_code not in stock.provinces, stock.priority, stock.code) for stock in stocks}
    return sorted(rank, key=rank.__getitem__)


def route_for(wanted: dict[UUID, int], stocks: Sequence[Stock], province_code: str) -> list[Part] | None:
    """An order comes out of as few warehouses as possible, and of those that could, out of the first in rank.

    One warehouse that has everything goes before any split. None: there is not enough in all of them together.
    """
    free: defaultdict[UUID, dict[UUID, int]] = defaultdict(dict)
    for stock in stocks:
        if stock.free > 0 and stock.variant_id in wanted:
            free[stock.warehouse_id][stock.variant_id] = stock.free
    places = [place for place in ranked(stocks, province_code) if place in free]
    for count in range(1, MOST_PARCELS + 1):
        for some in combinations(places[:MOST_WAREHOUSES], count):
            if has_all(wanted, [free[place] for place in some]):
                return split(wanted, {place: free[place] for place in some})
    if not has_all(wanted, list(free.values())):
        return None
    return split(wanted, {place: free[place] for place in places})


def has_all(wanted: dict[UUID, int], free: Sequence[dict[UUID, int]]) -> bool:
    return all(sum(have.get(variant, 0) for have in free) >= need for variant, need in wanted.items())


def split(wanted: dict[UUID, int], free: dict[UUID, dict[UUID, int]]) -> list[Part]:
    """A line is not torn apart if one of the chosen warehouses has all of it; else each gives what it has, in rank."""
    parts = []
    for variant, need in wanted.items():
        whole = next((place for place, have in free.items() if have.get(variant, 0) >= need), None)
        for place in [whole] if whole is not None else free:
            take = min(need, free[place].get(variant, 0))
            if take:
                parts.append(Part(variant, place, take))
                need -= take
    return sorted(parts, key=lambda part: (part.variant_id, part.warehouse_id))


def out_of_stock(wanted: dict[UUID, int], stocks: Sequence[Stock]) -> OutOfStock:
    """The refusal names each line that lacks, what was wanted of it and how much there is."""
    free: defaultdict[UUID, int] = defaultdict(int)
    for stock in stocks:
        free[stock.variant_id] += max(0, stock.free)
    lines = [
        {"variant_id": str(variant), "wanted": need, "available": free[variant]}
        for variant, need in wanted.items()
        if free[variant] < need
    ]
    return OutOfStock("there is not enough left of some of these", lines=lines)


# --- the life of a hold ---------------------------------------------------------------------------------------------


def is_answered(hold: Hold, wanted: dict[UUID, int], province_code: str) -> bool:
    """An order that asks again for what it holds gets the same answer; a lapsed or released hold is no answer.

    A placed order cannot become other goods, and a shipped one even less; one that was called off takes none.
    """
    if hold.closed:
        raise HoldGone("the order was called off")
    same = quantities(hold.parts) == wanted
    if hold.status == "held":
        return same and hold.province_code == province_code and not hold.lapsed
    if hold.status == "released":
        return False
    if not same and hold.status == "confirmed":
        raise AlreadyConfirmed("the order is placed and cannot become other goods")
    if not same:
        raise AlreadyShipped("the order has been shipped")
    return True


def quantities(parts: Sequence[Part]) -> dict[UUID, int]:
    found: defaultdict[UUID, int] = defaultdict(int)
    for part in parts:
        found[part.variant_id] += part.quantity
    return dict(found)


def with_own(stocks: Sequence[Stock], hold: Hold | None) -> list[Stock]:
    """What an order holds itself is free for itself, when it asks for something else."""
    own: defaultdict[tuple[UUID, UUID], int] = defaultdict(int)
    for part in hold.parts if hold is not None and hold.status == "held" else []:
        own[part.variant_id, part.warehouse_id] += part.quantity
    return [
        Stock(s.variant_id, s.warehouse_id, s.free + own[s.variant_id, s.warehouse_id], s.priority, s.code, s.provinces)
        for s in stocks
    ]


def check_holds(hold: Hold | None) -> Hold:
    """Only a hold that is there, has not lapsed and was not given back can be extended, confirmed or shipped."""
    if hold is None or hold.status == "released" or (hold.status == "held" and hold.lapsed):
        raise HoldGone("the order holds nothing any more")
    return hold


def check_releasable(hold: Hold) -> None:
    """Goods that left the warehouse come back as a return, not as a release: one shipped part binds them all."""
    if any(part.shipped for part in hold.parts):
        raise AlreadyShipped("goods of the order have left the warehouse")


def check_confirmed(hold: Hold) -> None:
    """Only a placed order is shipped."""
    if hold.status == "held":
        raise NotConfirmed("the order is not placed")


def reservation_of(hold: Hold) -> Reservation:
    return Reservation(
        order_id=hold.order_id,
        status=hold.status,
        expires_at=hold.expires_at,
        allocations=[Allocation(part.variant_id, part.warehouse_id, part.quantity) for part in hold.parts],
    )


# --- movements ------------------------------------------------------------------------------------------------------


def taken(order_id: UUID, attempt: int, parts: Sequence[Part], *, firm: bool = False) -> list[Movement]:
    """What an order takes hold of is held; what it takes for good is allocated at once."""
    return [
        Movement(
            "confirmed" if firm else "held",
            f"order:{order_id}:{attempt}",
            part.variant_id,
            part.warehouse_id,
            held=0 if firm else part.quantity,
            allocated=part.quantity if firm else 0,
            order_id=order_id,
            attempt=attempt,
        )
        for part in parts
    ]


def moved(kind: str, hold: Hold, parts: Sequence[Part], *, reason: str = "") -> list[Movement]:
    """What was held becomes allocated when the order is placed, and leaves the shelf when it is shipped.

    What is released or lapsed is free again, whether it was held or allocated.
    """
    movements = []
    for part in parts:
        away = -part.quantity
        change = {
            "confirmed": {"held": away, "allocated": part.quantity},
            "shipped": {"on_hand": away, "allocated": away},
            "lapsed": {"held": away},
            "released": {"held": away} if hold.status == "held" else {"allocated": away},
        }[kind]
        movements.append(
            Movement(
                kind,
                hold.cause,
                part.variant_id,
                part.warehouse_id,
                reason=reason,
                order_id=hold.order_id,
                attempt=hold.attempt,
                **change,
            )
        )
    return movements


def returns_for(hold: Hold, demands: Sequence[Demand], warehouse_id: UUID) -> list[Part]:
    """What comes back is at most what was shipped and has not come back before; the warehouse's own parts first.

    The answer says which shipped parts it is, with the quantity that comes back.
    """
    found = []
    shipped = sorted((part for part in hold.parts if part.shipped), key=lambda p: p.warehouse_id != warehouse_id)
    for variant, need in wanted_for(demands).items():
        for part in shipped:
            if part.variant_id == variant and (back := min(need, part.quantity - part.returned)) > 0:
                found.append(Part(variant, part.warehouse_id, back))
                need -= back
    return found


def brought_back(
    hold: Hold, parts: Sequence[Part], *, warehouse_id: UUID, sellable: bool, reason: str
) -> list[Movement]:
    """What comes back is for sale again, or is put apart as unsellable. The reason makes it one return."""
    state = "sellable" if sellable else "unsellable"
    return [
        Movement(
            "returned",
            f"return:{hold.order_id}:{warehouse_id}:{state}:{reason}",
            variant,
            warehouse_id,
            on_hand=quantity if sellable else 0,
            unsellable=0 if sellable else quantity,
            reason=reason,
            order_id=hold.order_id,
            attempt=hold.attempt,
        )
        for variant, quantity in quantities(parts).items()
    ]


def adjusted(key: str, variant_id: UUID, warehouse_id: UUID, change: int, reason: str) -> Movement:
    """A correction adds to what is on hand, or takes from it."""
    return Movement("adjusted", f"adjustment:{key}", variant_id, warehouse_id, on_hand=change, reason=reason)


def committed(on_hand: int, held: int, allocated: int) -> StockCommitted:
    """No correction takes away what orders hold."""
    return StockCommitted(
        "so many would not be left for the orders that hold them", on_hand=on_hand, held=held, allocated=allocated
    )


def received(cause: str, items: Sequence[Delivery]) -> list[Movement]:
    """What comes in is on hand."""
    return [
        Movement("received", f"delivery:{cause}", item.variant_id, item.warehouse_id, on_hand=item.quantity)
        for item in items
    ]
