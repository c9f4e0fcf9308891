"""Inventory: holds and levels."""

from uuid import UUID

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table
from tests.inventory.test_busy import always_overtaken

from sampan.kernel.errors import Invalid
from sampan.kernel.ids import uuid7
from sampan.services.inventory.contract import (
    AlreadyConfirmed,
    AlreadyShipped,
    Delivery,
    Demand,
    HoldGone,
    Inventory,
    NotConfirmed,
    OutOfStock,
    StockBusy,
    UnknownWarehouse,
)

table = Table(Inventory)
UNTIL = {"inventory.hold": ("expires_at",), "inventory.allocation": ("held_until",)}


def wanted(order: UUID, variant: UUID, quantity: int, **more: object) -> dict[str, object]:
    demands = [Demand(variant, quantity)]
    return {"order_id": order, "demands": demands, "province_code": "01", "minutes": 10, **more}


async def held(stage: Stage) -> tuple[UUID, UUID]:
    """An order that holds two, and the variant."""
    variant, order = await stage.room.stocked(hanoi=5), uuid7()
    await stage.room.reserve(order, (variant, 2))
    return order, variant


async def confirmed(stage: Stage) -> tuple[UUID, UUID]:
    order, variant = await held(stage)
    await stage.room.actions.confirm(order_id=order)
    return order, variant


async def shipped(stage: Stage) -> tuple[UUID, UUID]:
    order, variant = await confirmed(stage)
    await stage.room.actions.ship(order_id=order, warehouse_id=stage.room.hanoi)
    return order, variant


async def released(stage: Stage) -> tuple[UUID, UUID]:
    order, variant = await held(stage)
    await stage.room.actions.release(order_id=order, reason="changed mind")
    return order, variant


@table.answers("available_for")
async def what_can_be_sold(stage: Stage) -> Call:
    variant = await stage.room.stocked(hanoi=3, saigon=4)
    return Call({"variants": [variant, uuid7()]}, lambda found: [each.available for each in found] == [7, 0])


@table.answers("reserve")
async def all_of_it(stage: Stage) -> Call:
    variant = await stage.room.stocked(hanoi=5)
    return Call(wanted(uuid7(), variant, 2), lambda made: made.status == "held")


@table.refuses("reserve", OutOfStock)
async def more_than_there_is(stage: Stage) -> Call:
    variant = await stage.room.stocked(hanoi=1)
    line = {"variant_id": variant, "wanted": 2, "available": 1}
    return Call(wanted(uuid7(), variant, 2), facts={"lines": [line]})


@table.refuses("reserve", AlreadyConfirmed)
async def other_goods_for_a_placed_order(stage: Stage) -> Call:
    return Call(wanted((await confirmed(stage))[0], await stage.room.stocked(hanoi=5), 1))


@table.refuses("reserve", AlreadyShipped)
async def other_goods_for_an_order_that_left(stage: Stage) -> Call:
    return Call(wanted((await shipped(stage))[0], await stage.room.stocked(hanoi=5), 1))


@table.refuses("reserve", HoldGone)
async def for_an_order_that_was_called_off(stage: Stage) -> Call:
    return Call(wanted((await released(stage))[0], await stage.room.stocked(hanoi=5), 1))


@table.refuses("reserve", StockBusy)
async def what_others_always_get_first(stage: Stage) -> Call:
    variant = await stage.room.stocked(hanoi=5)
    return Call(
        wanted(uuid7(), variant, 2), facts={"retry_after": 1}, within=lambda: always_overtaken(stage.room, variant)
    )


@table.refuses("reserve", Invalid)
async def for_no_time(stage: Stage) -> Call:
    return Call(wanted(uuid7(), await stage.room.stocked(hanoi=5), 2, minutes=0))


@table.answers("extend", moves=UNTIL, same=lambda hold: (hold.status, hold.allocations))
async def a_hold_lives_longer(stage: Stage) -> Call:
    return Call({"order_id": (await held(stage))[0], "minutes": 20}, lambda hold: hold.status == "held")


@table.refuses("extend", HoldGone)
async def what_was_given_back(stage: Stage) -> Call:
    return Call({"order_id": (await released(stage))[0], "minutes": 20})


@table.refuses("extend", Invalid)
async def for_no_time_at_all(stage: Stage) -> Call:
    return Call({"order_id": (await held(stage))[0], "minutes": 0})


@table.answers("confirm")
async def the_order_is_placed(stage: Stage) -> Call:
    return Call({"order_id": (await held(stage))[0]}, lambda hold: hold.status == "confirmed")


@table.refuses("confirm", HoldGone)
async def an_order_that_holds_nothing_any_more(stage: Stage) -> Call:
    return Call({"order_id": (await released(stage))[0]})


@table.answers("release")
async def what_an_order_holds(stage: Stage) -> Call:
    return Call({"order_id": (await held(stage))[0], "reason": "changed mind"}, lambda hold: hold.status == "released")


@table.answers("release")
async def what_an_order_never_held(stage: Stage) -> Call:
    return Call({"order_id": uuid7(), "reason": "changed mind"}, lambda hold: hold is None)


@table.refuses("release", AlreadyShipped)
async def what_has_left(stage: Stage) -> Call:
    return Call({"order_id": (await shipped(stage))[0], "reason": "changed mind"})


@table.answers("ship")
async def the_goods_leave(stage: Stage) -> Call:
    order, variant = await confirmed(stage)
    return Call(
        {"order_id": order, "warehouse_id": stage.room.hanoi},
        lambda left: [(each.variant_id, each.quantity) for each in left] == [(variant, 2)],
    )


@table.refuses("ship", HoldGone)
async def goods_of_a_cancelled_order(stage: Stage) -> Call:
    return Call({"order_id": (await released(stage))[0], "warehouse_id": stage.room.hanoi})


@table.refuses("ship", NotConfirmed)
async def goods_of_an_order_that_is_not_placed(stage: Stage) -> Call:
    return Call({"order_id": (await held(stage))[0], "warehouse_id": stage.room.hanoi})


async def back(stage: Stage, **more: object) -> dict[str, object]:
    order, variant = await shipped(stage)
    given = {"order_id": order, "warehouse_id": stage.room.hanoi, "demands": [Demand(variant, 1)]}
    return {**given, "sellable": True, "reason": f"return of {order}", **more}


@table.answers("take_back")
async def goods_to_be_sold_again(stage: Stage) -> Call:
    return Call(await back(stage), lambda answer: answer is None)


@table.answers("take_back")
async def goods_to_be_put_apart(stage: Stage) -> Call:
    return Call(await back(stage, sellable=False))


@table.refuses("take_back", UnknownWarehouse)
async def into_no_warehouse(stage: Stage) -> Call:
    nowhere = uuid7()
    return Call(await back(stage, warehouse_id=nowhere), facts={"warehouse_id": nowhere})


@table.refuses("take_back", Invalid)
async def for_no_reason(stage: Stage) -> Call:
    return Call(await back(stage, reason=""))


@table.answers("stock_up")
async def goods_came_in(stage: Stage) -> Call:
    items = [Delivery(uuid7(), stage.room.hanoi, 5), Delivery(uuid7(), stage.room.saigon, 7)]
    return Call({"cause": f"delivery {uuid7()}", "items": items}, lambda answer: answer is None)


@table.refuses("stock_up", UnknownWarehouse)
async def goods_came_into_no_warehouse(stage: Stage) -> Call:
    nowhere = uuid7()
    items = [Delivery(uuid7(), nowhere, 5)]
    return Call({"cause": f"delivery {uuid7()}", "items": items}, facts={"warehouse_id": nowhere})


@table.refuses("stock_up", Invalid)
async def goods_came_in_for_no_cause(stage: Stage) -> Call:
    return Call({"cause": "", "items": [Delivery(uuid7(), stage.room.hanoi, 5)]})


@table.answers("list_warehouses")
async def by_priority(stage: Stage) -> Call:
    return Call({}, lambda found: [each.code for each in found] == ["C-0", "C-1", "C-2", "C-3"])
