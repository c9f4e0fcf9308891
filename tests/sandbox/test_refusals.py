"""What the stand-in refuses, and what it loses on purpose, as its routes hear of it."""

from typing import Any
from urllib.parse import quote_plus
from uuid import UUID

import pytest
from tests.sandbox.test_vnpay import Merchant

from sampan.sandbox.vnpay.actions import Dropped, PageRefused
from sampan.sandbox.vnpay.contract import Fault


@pytest.fixture
async def merchant(shop: Any) -> Any:
    found = Merchant(shop)
    yield found
    await found.bank.clear_faults()


def signed(merchant: Merchant, fields: dict[str, str]) -> bytes:
    text = "&".join(f"{name}={quote_plus(value)}" for name, value in sorted(fields.items()))
    return f"{text}&vnp_SecureHash={merchant.mac(text)}".encode()


async def test_a_page_that_is_refused_says_with_vnpays_code_why(merchant):
    good = merchant.request()
    payment = await merchant.bank.begin(query=signed(merchant, good))
    for query, code in (
        (signed(merchant, good)[:-4] + b"0000", "70"),
        (b"", "70"),
        (signed(merchant, {**good, "vnp_TmnCode": "OTHERONE"}), "71"),
        (signed(merchant, {**good, "vnp_Amount": "100"}), "01"),
    ):
        with pytest.raises(PageRefused) as refusal:
            await merchant.bank.begin(query=query)
        assert (refusal.value.status, refusal.value.facts) == (400, {"vnpay": code})
    again = await merchant.bank.begin(query=signed(merchant, good))
    assert (again.id, again.status) == (payment.id, "01")  # none of them touched the book


async def test_an_answer_that_is_dropped_was_done_all_the_same_and_is_not_done_twice(merchant):
    payment = await merchant.bank.begin(query=signed(merchant, merchant.request()))
    await merchant.bank.set_fault(fault=Fault("take_money_then_drop", txn_ref=merchant.ref))
    for choice in ("pay", "cancel"):
        with pytest.raises(Dropped):
            await merchant.bank.confirm(payment_id=UUID(str(payment.id)), choice=choice)
    booked = await merchant.bank.find_payment(txn_ref=merchant.ref)
    assert booked.status == "00"
