"""What the bank says is lost, late, doubled, out of order, wrong or forged: the order and the money still agree."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from tests.conftest import dice, effort
from tests.town import Town

from sampan.services.orders.contract import Order, Placed
from sampan.services.payments.providers.vnpay import wire

PLACED, OFF = ("placed", "paid"), ("cancelled", "refunded")


async def checkout(town: Town, *wanted: Any) -> Placed:
    return await town.stall.checkout(await town.stall.ready(*wanted), method="vnpay")


async def pay(town: Town, placed: Placed) -> str:
    return await town.teller({}).pay(placed.payment.action.url or "")


async def end_of(town: Town, order: Order) -> tuple[str, str]:
    await town.a_while_later()
    assert await town.wrong() == []
    seen = await town.stall.look(order)
    return seen.status, seen.payment_status


async def told(town: Town, query: str) -> str:
    """The bank, or somebody who says so, calls; the code of the answer."""
    answer = await town.shop.http.get(f"/api/v1/payments/vnpay/ipn?{query}")
    assert answer.status_code == 200, answer.text
    code: str = answer.json()["RspCode"]
    return code


def signed(town: Town, order: Order, *, attempt: int = 1, **said: Any) -> str:
    """What the bank itself would sign."""
    facts: dict[str, Any] = {
        "tmn_code": town.bank.settings.tmn_code,
        "txn_ref": f"{order.number}-{attempt}",
        "amount": order.totals.total.amount,
        "response_code": "00",
        "transaction_status": "00",
        "transaction_no": str(order.id.int % 10**13),
    }
    return wire.notice_query(notice=wire.Notice(**{**facts, **said}), secret=town.bank.settings.hash_secret)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "duplicate"},
        {"kind": "late", "seconds": 0.3},
        {"kind": "never_notify"},
        {"kind": "forged_signature"},
        {"kind": "slow", "seconds": 0.3, "times": 1},
        {"kind": "http_500", "times": 1},
        {"kind": "http_500", "times": 1, "after": True},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
async def test_whatever_becomes_of_the_notice_who_paid_has_an_order(town: Town, fault: dict[str, Any]) -> None:
    placed = await checkout(town)
    await town.fault(**fault, order=placed.order)
    if fault["kind"] in ("slow", "http_500"):
        await town.fault("never_notify", placed.order)
    await pay(town, placed)
    assert await end_of(town, placed.order) == PLACED


async def test_who_paid_and_lost_the_line_has_an_order(town: Town) -> None:
    placed = await checkout(town)
    await town.fault("take_money_then_drop", placed.order)
    with pytest.raises(AssertionError):
        await pay(town, placed)
    assert await end_of(town, placed.order) == PLACED


async def test_a_notice_that_comes_before_the_payment_is_open_counts(town: Town, monkeypatch: Any) -> None:
    """The payer is faster than the shop that has just made the address of the bank's page."""
    provider = town.payments.online["vnpay"]
    begin = provider.begin

    async def overtaken(charge: Any, **more: Any) -> Any:
        action = await begin(charge, **more)
        said = await asyncio.create_task(town.teller({}).pay(action.url))
        assert await told(town, said) == "00"
        return action

    monkeypatch.setattr(provider, "begin", overtaken)
    placed = await checkout(town)
    assert placed.order.status in ("pending", "placed")
    assert await end_of(town, placed.order) == PLACED


async def test_notices_of_two_attempts_in_the_wrong_order_pay_once(town: Town) -> None:
    placed = await checkout(town)
    await town.fault("reordered", placed.order)
    await pay(town, placed)
    again = await town.stall.orders.pay(
        actor=town.stall.owner(placed.order), order_id=placed.order.id, payment_method="vnpay", return_url=None,
        client_ip="203.0.113.7", language="vi",
    )  # fmt: skip
    await pay(town, again)
    assert await end_of(town, placed.order) == PLACED
    payment = await town.payments.find_payment(order_id=placed.order.id)
    assert (payment.captured - payment.refunded) == placed.order.totals.total


async def test_another_amount_places_nothing_and_goes_back(town: Town) -> None:
    placed = await checkout(town)
    await town.fault("wrong_amount", placed.order, amount=1_000)
    await pay(town, placed)
    assert await end_of(town, placed.order) == ("pending", "pending")
    headers = await town.shop.staff("payments.read", "payments.refund", "orders.read")
    held = (await town.shop.http.get("/api/v1/admin/payments/review", headers=headers)).json()["items"]
    mine = [item for item in held if item["order_id"] == str(placed.order.id)]
    assert mine
    await town.payments.decide(fact_id=mine[0]["id"], decision="sent_back", note="sai số tiền")
    assert (await end_of(town, placed.order))[0] != "placed"
    payment = await town.payments.find_payment(order_id=placed.order.id)
    assert payment.captured.amount == payment.refunded.amount == 1_000
    await town.stall.orders.cancel(
        actor=town.stall.owner(placed.order), order_id=placed.order.id, reason="", language="vi"
    )


async def test_money_that_comes_after_the_order_expired_goes_back(town: Town) -> None:
    variant = await town.stall.goods(stock=3)
    placed = await checkout(town, (variant, 3))
    await town.stall.pass_time(placed.order, 30)
    assert (await end_of(town, placed.order))[0] == "cancelled"
    assert await town.stall.available(variant) == 3
    await pay(town, placed)
    assert await end_of(town, placed.order) == OFF
    assert await town.stall.available(variant) == 3


def without_hash(query: str) -> str:
    return urlencode([(name, value) for name, value in parse_qsl(query) if name != "vnp_SecureHash"])


def with_field(name: str, value: str) -> Callable[[str], str]:
    return lambda query: urlencode([(n, value if n == name else v) for n, v in parse_qsl(query)])


# What somebody without the secret can make of a notice that was signed.
FORGERIES: dict[str, Callable[[str], str]] = {
    "no signature": without_hash,
    "an empty signature": with_field("vnp_SecureHash", ""),
    "a signature of zeros": with_field("vnp_SecureHash", "0" * 128),
    "success instead of failure": lambda query: with_field("vnp_ResponseCode", "00")(
        with_field("vnp_TransactionStatus", "00")(query)
    ),
    "another amount": with_field("vnp_Amount", "100"),
    "twice the same field": lambda query: query + "&vnp_ResponseCode=00&vnp_TransactionStatus=00",
    "the field first": lambda query: "vnp_ResponseCode=00&vnp_TransactionStatus=00&" + query,
    "more of it": lambda query: query + "&vnp_Bill_Mobile=1",
    "a second signature": lambda query: query + "&vnp_SecureHash=" + "0" * 128,
    "bytes that are no text": lambda query: query + "&vnp_OrderInfo=%ff%00",
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_notice_moves_nothing(town: Town, forgery: str) -> None:
    placed = await checkout(town)
    failure = signed(town, placed.order, response_code="24", transaction_status="02", transaction_no="0")
    assert await told(town, FORGERIES[forgery](failure)) in ("97", "99")
    await town.shop.settle()
    seen = await town.stall.look(placed.order)
    assert (seen.status, seen.payment_status) == ("pending", "pending")
    facts = "SELECT count(*) FROM payments.fact WHERE order_id = $1 AND kind = 'told'"
    assert await town.count(facts, placed.order.id) == 0


async def test_what_was_signed_for_something_else_is_no_notice(town: Town) -> None:
    """Our own request bears a signature of the same kind, and so does what the bank said of another order."""
    cheap, dear = await checkout(town), await checkout(town, (await town.stall.goods(price=9_000_000), 1))
    assert await told(town, urlsplit(dear.payment.action.url or "").query) in ("97", "99")
    said = await pay(town, cheap)
    for field, value in (("vnp_TxnRef", f"{dear.order.number}-1"), ("vnp_Amount", str(dear.order.totals.total.amount))):
        assert await told(town, with_field(field, value)(said)) == "97"
    assert await end_of(town, cheap.order) == PLACED
    assert await end_of(town, dear.order) == ("pending", "pending")


async def test_a_true_signature_over_the_wrong_facts_is_answered_as_the_bank_expects(town: Town) -> None:
    placed = await checkout(town)
    total = placed.order.totals.total.amount
    assert await told(town, signed(town, placed.order, attempt=7)) == "01"
    assert await told(town, signed(town, placed.order, txn_ref="SPNOSUCHORDER-1")) == "01"
    assert await told(town, signed(town, placed.order, tmn_code="OTHER001")) == "01"
    for amount in (total - 1, total + 1, 1):
        assert await told(town, signed(town, placed.order, amount=amount, transaction_no=str(amount))) == "04"
    await town.shop.settle()
    assert (await town.stall.look(placed.order)).status == "pending"
    assert await town.count("SELECT captured FROM payments.intent WHERE order_id = $1", placed.order.id) == 0
    await town.stall.orders.cancel(
        actor=town.stall.owner(placed.order), order_id=placed.order.id, reason="", language="vi"
    )


async def test_a_notice_of_a_paid_order_that_is_played_again_changes_nothing(town: Town) -> None:
    placed = await checkout(town)
    said = await pay(town, placed)
    assert await end_of(town, placed.order) == PLACED
    assert await told(town, said) == "02"
    await town.stall.orders.cancel(
        actor=town.stall.owner(placed.order), order_id=placed.order.id, reason="", language="vi"
    )
    assert await end_of(town, placed.order) == OFF
    assert await told(town, said) == "02"
    assert await end_of(town, placed.order) == OFF


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http_500", "times": 1, "after": True},
        {"kind": "http_500", "times": 1},
        {"kind": "http_500", "times": 3},
        {"kind": "slow", "seconds": 7.0, "times": 1},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
async def test_a_refund_whose_answer_is_lost_is_made_once(town: Town, fault: dict[str, Any]) -> None:
    order = await town.paid()
    await town.fault(**fault, order=order)
    await town.stall.orders.cancel(actor=town.stall.owner(order), order_id=order.id, reason="", language="vi")
    for _ in range(2):
        await town.a_while_later()
    assert await end_of(town, order) == OFF
    booked = await town.bank.find_payment(txn_ref=f"{order.number}-1")
    assert [(refund.amount, refund.status) for refund in booked.refunds] == [(order.totals.total.amount, "00")]


async def test_two_refunds_of_the_same_amount_whose_answers_are_lost_are_two(town: Town) -> None:
    order = await town.paid((await town.stall.goods(stock=5), 3))
    await town.fault("http_500", order, times=4, after=True)
    wanted = {"lines": [{"line_id": str(order.lines[0].id), "quantity": 1}], "shipping": False, "reason": "hàng lỗi"}
    headers = await town.shop.staff("payments.refund", "orders.read", "orders.write")
    for number in range(2):
        answer = await town.shop.http.post(
            f"/api/v1/admin/orders/{order.id}/refunds",
            json=wanted,
            headers={**headers, "idempotency-key": f"{order.id}-{number}"},
        )
        assert answer.status_code == 201, answer.text
    for _ in range(4):
        await town.a_while_later()
    assert await end_of(town, order) == ("placed", "partially_refunded")
    booked = await town.bank.find_payment(txn_ref=f"{order.number}-1")
    assert [refund.amount for refund in booked.refunds] == [town.stall.price] * 2


async def test_a_storm(town: Town) -> None:
    """Many orders at once, to each of which something of all this happens, and their customers do as they please."""
    chance = dice("storm")
    count = effort(6, 80)
    faults = ["duplicate", "never_notify", "forged_signature", "late", "reordered", "decline", "http_500", "none"]
    stories = [(chance.choice(faults), chance.choice(["stay", "cancel", "again", "expire"])) for _ in range(count)]
    variants = [await town.stall.goods(stock=2) for _ in stories]
    checkouts = [await checkout(town, (variant, 2)) for variant in variants]

    at_once = asyncio.Semaphore(20)  # more programs than that a worker tells to come again

    async def live(placed: Placed, fault: str, then: str) -> None:
        async with at_once:
            await live_through(placed, fault, then)

    async def live_through(placed: Placed, fault: str, then: str) -> None:
        owner = town.stall.owner(placed.order)
        if fault != "none":
            more = {"times": 2} if fault == "http_500" else {}
            await town.fault(fault, placed.order, **more)
        said = await pay(town, placed)
        if then == "cancel":
            await town.stall.orders.cancel(actor=owner, order_id=placed.order.id, reason="", language="vi")
        elif then == "again":
            again = await town.stall.orders.pay(
                actor=owner, order_id=placed.order.id, payment_method="vnpay", return_url=None,
                client_ip="203.0.113.7", language="vi",
            )  # fmt: skip
            await pay(town, again)
        elif then == "expire":
            await town.stall.pass_time(placed.order, 25)
        if fault != "never_notify":
            assert await told(town, said) in ("00", "02")

    await asyncio.gather(*(live(placed, fault, then) for placed, (fault, then) in zip(checkouts, stories, strict=True)))
    await town.a_while_later()
    await town.a_while_later()
    assert await town.wrong() == []
    for placed, variant, story in zip(checkouts, variants, stories, strict=True):
        seen = await town.stall.look(placed.order)
        left = await town.stall.available(variant)
        assert (seen.status, left) in {("placed", 0), ("cancelled", 2), ("pending", 0)}, story
        if seen.status == "pending":  # its card was declined, and nobody tried again
            assert (story[0], seen.payment_status) == ("decline", "failed"), story
