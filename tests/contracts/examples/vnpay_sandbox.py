"""The stand-in for VNPay: its book and its faults."""

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table

from sampan.sandbox.vnpay.contract import Fault, VnpaySandbox

table = Table(VnpaySandbox)


@table.answers("set_fault", makes=("vnpay_sandbox.fault",))
async def every_call_adds_a_fault(stage: Stage) -> Call:
    return Call({"fault": Fault("decline", "nobody-1", times=1, response_code="51")})


@table.answers("clear_faults")
async def nothing_goes_wrong_any_more(stage: Stage) -> Call:
    await stage.actions("vnpay_sandbox").set_fault(fault=Fault("slow", "nobody-1", seconds=1))
    return Call({})


@table.answers("find_payment")
async def what_the_book_says(stage: Stage) -> Call:
    payment = await stage.till.open()
    await stage.till.choose(payment)
    return Call({"txn_ref": stage.till.ref(payment)}, lambda found: found.status == "00" and found.paid_amount)


@table.answers("find_payment")
async def nothing_of_a_payment_that_nobody_began(stage: Stage) -> Call:
    return Call({"txn_ref": "nobody-1"}, lambda found: found is None)
