"""Fulfilment: the steps of a work order."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table
from tests.fulfillment.conftest import ANNA

from sampan.kernel.errors import Forbidden, Invalid
from sampan.kernel.ids import uuid7
from sampan.services.fulfillment.contract import (
    Fulfillment,
    IllegalStep,
    NotPicked,
    Piece,
    UnknownWorkOrder,
    WorkOrder,
    WorkOrderFilter,
)

table = Table(Fulfillment)


async def allocated(stage: Stage) -> WorkOrder:
    return (await stage.floor.placed(2, 1))[0]


async def picked(stage: Stage) -> WorkOrder:
    work = await allocated(stage)
    return await stage.floor.actions.pick(actor=ANNA, work_order_id=work.id)


async def packed(stage: Stage) -> WorkOrder:
    return await stage.floor.packed(2)


async def shipped(stage: Stage) -> WorkOrder:
    return await stage.floor.shipped(2)


async def failed(stage: Stage) -> WorkOrder:
    work = await shipped(stage)
    return await stage.floor.actions.fail(actor=ANNA, work_order_id=work.id, reason="không ai ở nhà")


async def sent_back(stage: Stage) -> WorkOrder:
    work = await failed(stage)
    return await stage.floor.actions.send_back(actor=ANNA, work_order_id=work.id)


@table.answers("work_orders_for")
async def one_for_each_warehouse(stage: Stage) -> Call:
    works = await stage.floor.placed(1, split=1)
    return Call({"order_id": works[0].order_id}, lambda found: len(found) == 2)


@table.answers("list_work_orders")
async def a_page_of_them(stage: Stage) -> Call:
    await allocated(stage)
    which = WorkOrderFilter(status="allocated", limit=1)
    return Call({"actor": ANNA, "which": which}, lambda page: len(page.items) == 1)


@table.refuses("list_work_orders", Forbidden)
async def for_somebody_else(stage: Stage) -> Call:
    return Call({"actor": stage.staff("orders.read"), "which": WorkOrderFilter()})


@table.refuses("list_work_orders", Invalid)
async def after_a_cursor_that_is_none(stage: Stage) -> Call:
    return Call({"actor": ANNA, "which": WorkOrderFilter(cursor="!")})


@table.answers("find_work_order")
async def with_its_history(stage: Stage) -> Call:
    work = await picked(stage)
    return Call({"actor": ANNA, "work_order_id": work.id}, lambda found: found.status == "picking")


Ready = Callable[[Stage], Awaitable[WorkOrder]]
STEPS: dict[str, tuple[Ready, Ready | None, dict[str, Any], str]] = {
    "pick": (allocated, packed, {}, "picking"),
    "pack": (picked, shipped, {"grams": 700}, "packed"),
    "ship": (packed, picked, {}, "shipped"),
    "deliver": (shipped, picked, {}, "delivered"),
    "fail": (shipped, picked, {"reason": "không ai ở nhà"}, "delivery_failed"),
    "send_back": (failed, picked, {}, "returning"),
    "receive": (sent_back, picked, {"sellable": False}, "returned"),
    "find_work_order": (picked, None, {}, "picking"),
}


def step(method: str, ready: Ready, too_early: Ready | None, more: dict[str, Any], ends: str) -> None:
    """What every step does, and whom and what it refuses."""

    if too_early is not None:

        @table.answers(method)
        async def from_where_it_begins(stage: Stage) -> Call:
            work = await ready(stage)
            return Call({"actor": ANNA, "work_order_id": work.id, **more}, lambda after: after.status == ends)

        @table.refuses(method, IllegalStep)
        async def from_elsewhere(stage: Stage) -> Call:
            work = await too_early(stage)
            return Call({"actor": ANNA, "work_order_id": work.id, **more}, facts={"state": work.status})

    @table.refuses(method, Forbidden)
    async def for_somebody_else(stage: Stage) -> Call:
        work = await ready(stage)
        return Call({"actor": stage.staff("orders.write"), "work_order_id": work.id, **more})

    @table.refuses(method, UnknownWorkOrder)
    async def of_no_work_order(stage: Stage) -> Call:
        return Call({"actor": ANNA, "work_order_id": uuid7(), **more})


for name, (ready, too_early, more, ends) in STEPS.items():
    step(name, ready, too_early, more, ends)


@table.answers("pick")
async def some_of_it(stage: Stage) -> Call:
    work = await allocated(stage)
    lines = [Piece(work.lines[0].variant_id, 1)]
    return Call({"actor": ANNA, "work_order_id": work.id, "lines": lines}, lambda after: after.lines[0].picked == 1)


@table.refuses("pick", Invalid)
async def what_it_does_not_have(stage: Stage) -> Call:
    work = await allocated(stage)
    return Call({"actor": ANNA, "work_order_id": work.id, "lines": [Piece(uuid7(), 1)]})


@table.refuses("pack", NotPicked)
async def before_all_is_picked(stage: Stage) -> Call:
    work = await allocated(stage)
    await stage.floor.actions.pick(actor=ANNA, work_order_id=work.id, lines=[Piece(work.lines[0].variant_id, 1)])
    return Call({"actor": ANNA, "work_order_id": work.id})


@table.answers("receive")
async def a_part_of_it(stage: Stage) -> Call:
    work = await sent_back(stage)
    lines = [Piece(work.lines[0].variant_id, 1)]
    return Call({"actor": ANNA, "work_order_id": work.id, "lines": lines}, lambda after: after.status == "returned")


@table.answers("receive")
async def nothing_of_it(stage: Stage) -> Call:
    work = await sent_back(stage)
    lines = [Piece(line.variant_id, 0) for line in work.lines]
    return Call({"actor": ANNA, "work_order_id": work.id, "lines": lines}, lambda after: after.status == "returned")


@table.refuses("receive", Invalid)
async def what_it_never_had(stage: Stage) -> Call:
    work = await sent_back(stage)
    return Call({"actor": ANNA, "work_order_id": work.id, "lines": [Piece(uuid7(), 1)]})
