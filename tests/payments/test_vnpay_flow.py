"""Paying with VNPay from the first click to the books, with everything that can go wrong on the way."""

from typing import Any


async def test_a_payment_goes_through(till: Any) -> None:
    payment = await till.open()
    assert (payment.status, payment.action.kind) == ("pending", "redirect")
    back = await till.choose(payment)
    assert back.status_code == 303, back.text
    await till.work()
    assert (await till.look(payment)).status == "paid"
