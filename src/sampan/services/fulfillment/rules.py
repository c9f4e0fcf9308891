"""The work in a warehouse.

Each warehouse that has goods of a placed order has a work order: pick, pack, ship, deliver; or fail and try again, or
return and receive. A cancelled order is not sent. Steps that concern others (stock, carrier) are written down as an
intent first, so that whatever stops half way is taken up again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from sampan.kernel.errors import invalid
from sampan.services.fulfillment.contract import (
    IllegalStep,
    NotPicked,
    Piece,
    Status,
    Step,
    WorkOrderLine,
)
from sampan.services.orders.contract import EventAllocation, EventLine
from sampan.services.shipping.contract import Tracking


class Transition(Struct, frozen=True):
    """Where a step may begin and where it ends."""

    begins: frozenset[Status]
    ends: Status


STEPS: Final[Mapping[Step, Transition]] = {
    "pick": Transition(frozenset(("allocated", "picking")), "picking"),
    "pack": Transition(frozenset(("picking",)), "packed"),
    "ship": Transition(frozenset(("packed",)), "shipped"),
    "deliver": Transition(frozenset(("shipped", "delivery_failed")), "delivered"),
    "fail": Transition(frozenset(("shipped",)), "delivery_failed"),
    "return": Transition(frozenset(("delivery_failed",)), "returning"),
    "receive": Transition(frozenset(("returning",)), "returned"),
    "cancel": Transition(frozenset(("allocated", "picking", "packed")), "cancelled"),
}
# What a step says of the parcel; shipping it makes the parcel.
SAID: Final[Mapping[Step, Tracking]] = {
    "deliver": "delivered",
    "fail": "delivery_failed",
    "return": "returning",
    "receive": "returned",
}


class Intent(Struct, frozen=True):
    """A step that concerns others, written down before they are asked. `at` names the attempt."""

    step: Step
    at: datetime
    by: str
    reason: str = ""
    back: list[Piece] = []
    sellable: bool = True


class NewWork(Struct, frozen=True):
    """What one warehouse has to do for an order."""

    warehouse_id: UUID
    lines: list[WorkOrderLine]


def answer_for(step: Step, status: Status, doing: Step | None) -> Literal["go", "done", "resume"]:
    """A step begins where the table says. The same step again changes nothing, or takes up what stopped half way.

    While one step is half way no other begins. Raises IllegalStep.
    """
    if doing is not None:
        if doing == step:
            return "resume"
        raise IllegalStep(f"the work order is {status}, and {doing} is under way", state=status, doing=doing)
    if status == STEPS[step].ends and status not in STEPS[step].begins:
        return "done"
    check_begins(step, status)
    return "go"


def check_begins(step: Step, status: Status) -> None:
    """A work order moves only along the table of steps, whoever moves it."""
    if status not in STEPS[step].begins:
        raise IllegalStep(f"a work order that is {status} cannot {step}", state=status)


def steps_for(status: Status, doing: Step | None, lines: Sequence[WorkOrderLine]) -> list[Step]:
    """What staff can do now; packing waits until everything is picked, picking ends then."""
    if doing is not None:
        return [doing]
    found = [step for step, transition in STEPS.items() if status in transition.begins and step != "cancel"]
    whole = all(line.picked == line.quantity for line in lines)
    return [step for step in found if (step != "pack" or whole) and (step != "pick" or not whole)]


def is_cancellable(status: Status, doing: Step | None) -> bool:
    """What has not left is not sent when its order is cancelled; of a parcel that is just leaving the stock decides."""
    return doing is None and status in STEPS["cancel"].begins


def work_for(lines: Sequence[EventLine], allocations: Sequence[EventAllocation]) -> list[NewWork]:
    """One work order for each warehouse that has goods of the order, with what comes out of it."""
    named = {line.variant_id: line for line in reversed(lines)}
    taken: defaultdict[UUID, dict[UUID, int]] = defaultdict(dict)
    for part in allocations:
        goods = taken[part.warehouse_id]
        goods[part.variant_id] = goods.get(part.variant_id, 0) + part.quantity
    return [
        NewWork(
            warehouse,
            [
                WorkOrderLine(variant, named[variant].sku, named[variant].name, quantity, 0)
                for variant, quantity in goods.items()
            ],
        )
        for warehouse, goods in sorted(taken.items())
    ]


def picks_for(lines: Sequence[WorkOrderLine], pieces: Sequence[Piece] | None) -> dict[UUID, int]:
    """How many of each are picked by now, of the lines that change; without pieces everything is.

    A number counts from nothing, so saying it twice picks nothing twice, and a wrong one can be put right.
    """
    if pieces is None:
        return {line.variant_id: line.quantity for line in lines if line.picked != line.quantity}
    picked = {line.variant_id: line.picked for line in lines}
    said = counted(lines, pieces)
    return {variant: quantity for variant, quantity in said.items() if quantity != picked[variant]}


def returns_for(lines: Sequence[WorkOrderLine], pieces: Sequence[Piece] | None) -> list[Piece]:
    """What came back in the parcel; without pieces everything did, and of a line that is not named nothing.

    Nothing at all came back only where that is said of every line: then the parcel is lost.
    """
    if pieces is None:
        return [Piece(line.variant_id, line.quantity) for line in lines]
    said = counted(lines, pieces)
    if not any(said.values()) and len(said) < len(lines):
        raise invalid("lines", "missing", "say what came back; if nothing did, say 0 for every line")
    return [Piece(variant, quantity) for variant, quantity in said.items() if quantity]


def tracking_for(step: Step, back: Sequence[Piece]) -> Tracking:
    """A parcel of which nothing came back is lost."""
    return "lost" if step == "receive" and not back else SAID[step]


def counted(lines: Sequence[WorkOrderLine], pieces: Sequence[Piece]) -> dict[UUID, int]:
    """What was said of each line: each line once, none of another work order, at most its quantity. Raises Invalid."""
    known = {line.variant_id: line.quantity for line in lines}
    said: dict[UUID, int] = {}
    for place, piece in enumerate(pieces):
        if piece.variant_id not in known:
            raise invalid(f"lines.{place}.variant_id", "unknown", "the work order has no such line")
        if piece.variant_id in said:
            raise invalid(f"lines.{place}.variant_id", "duplicate", "the line is named twice")
        if not 0 <= piece.quantity <= known[piece.variant_id]:
            raise invalid(f"lines.{place}.quantity", "range", f"the line is of {known[piece.variant_id]} pieces")
        said[piece.variant_id] = piece.quantity
    return said


def check_picked(lines: Sequence[WorkOrderLine]) -> None:
    """A parcel is packed when everything of it is picked."""
    lacking = [
        {"variant_id": str(line.variant_id), "quantity": line.quantity, "picked": line.picked}
        for line in lines
        if line.picked != line.quantity
    ]
    if lacking:
        raise NotPicked("not everything is picked", lines=lacking)
