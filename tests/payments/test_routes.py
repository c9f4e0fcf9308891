"""What VNPay, browsers and staff get, to the letter."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money

API = "/api/v1"
NOTHING = UUID(int=7)  # the id of nothing


async def notice(till: Any, query: str) -> httpx.Response:
    answer = await till.http.get(f"{till.url}{API}/payments/vnpay/ipn?{query}")
    await till.rest()
    return answer


def key() -> dict[str, str]:
    return {"idempotency-key": uuid7().hex}


# --- the acceptance test of VNPay: the answers are compared to the letter


async def test_sit_97_a_wrong_signature(till: Any) -> None:
    payment = await till.open()
    for query in (till.notice(payment, secret="somebody else's"), till.notice(payment)[:-1], "", "vnp_Amount=1"):
        answer = await notice(till, query)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.content == b'{"RspCode":"97","Message":"Invalid signature"}'
    assert (await till.look(payment)).status == "pending"


async def test_sit_01_an_order_that_does_not_exist(till: Any) -> None:
    payment = await till.open()
    answer = await notice(till, till.notice(payment, txn_ref="SPNOSUCHORDER-1"))
    assert (answer.status_code, answer.content) == (200, b'{"RspCode":"01","Message":"Order not found"}')


async def test_sit_04_another_amount(till: Any) -> None:
    payment = await till.open()
    answer = await notice(till, till.notice(payment, amount=1))
    assert (answer.status_code, answer.content) == (200, b'{"RspCode":"04","Message":"invalid amount"}')
    assert (await till.look(payment)).captured == Money(0, "VND")
    answer = await notice(till, till.notice(payment))  # and then the right one, as the acceptance test does
    assert answer.content == b'{"RspCode":"00","Message":"Confirm Success"}'
    assert (await till.look(payment)).status == "paid"


async def test_sit_00_a_payment_that_succeeded(till: Any) -> None:
    payment = await till.open()
    answer = await notice(till, till.notice(payment))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.content == b'{"RspCode":"00","Message":"Confirm Success"}'
    assert (await till.look(payment)).status == "paid"


async def test_sit_00_a_payment_that_failed(till: Any) -> None:
    payment = await till.open()
    answer = await notice(till, till.notice(payment, response_code="24", transaction_status="02"))
    assert answer.content == b'{"RspCode":"00","Message":"Confirm Success"}'
    assert (await till.look(payment)).failure == "payments.reason.cancelled_by_customer"


async def test_sit_02_a_payment_that_was_confirmed(till: Any) -> None:
    payment = await till.open()
    for expected in (
        b'{"RspCode":"00","Message":"Confirm Success"}',
        *[b'{"RspCode":"02","Message":"Order already confirmed"}'] * 3,
    ):
        assert (await notice(till, till.notice(payment))).content == expected


async def test_99_when_the_notice_cannot_be_recorded_and_then_it_counts_when_it_comes_again(till: Any) -> None:
    payment = await till.open()
    async with till.db.begin() as tx:
        await tx.execute("ALTER TABLE payments.fact ADD CONSTRAINT out_of_order CHECK (false) NOT VALID")
    answer = await notice(till, till.notice(payment))
    async with till.db.begin() as tx:
        await tx.execute("ALTER TABLE payments.fact DROP CONSTRAINT out_of_order")
    assert (answer.status_code, answer.content) == (200, b'{"RspCode":"99","Message":"Unknown error"}')
    assert (await notice(till, till.notice(payment))).json()["RspCode"] == "00"


async def test_a_notice_about_another_terminal_is_not_ours_and_is_looked_at(till: Any) -> None:
    payment = await till.open()
    answer = await notice(till, till.notice(payment, tmn_code="OTHERONE"))
    assert answer.json()["RspCode"] == "01"
    assert (await till.look(payment)).status == "pending"
    staff = await till.staff("payments.read", "payments.refund")
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"limit=100&cursor={cursor}" if cursor else "limit=100"
        page = (await till.http.get(f"{till.url}{API}/admin/payments/review?{query}", headers=staff)).json()
        items, cursor = [*items, *page["items"]], page["next"]
    held = [item for item in items if item["reason"] == "payments.reason.other_account"]
    assert held
    for decision, status in (("accepted", 409), ("dismissed", 204), ("dismissed", 409)):
        answer = await till.http.post(
            f"{till.url}{API}/admin/payments/review/{held[0]['id']}",
            json={"decision": decision, "note": "not ours"},
            headers={**staff, **key()},
        )
        assert answer.status_code == status, answer.text


async def test_notices_need_no_key_and_are_read_only_by_get(till: Any) -> None:
    answer = await till.http.post(f"{till.url}{API}/payments/vnpay/ipn")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


# --- the browser comes back


async def test_the_browser_goes_on_to_the_order_and_proves_nothing(till: Any) -> None:
    payment = await till.open()
    answer = await till.http.get(f"{till.url}{API}/payments/vnpay/return?{till.notice(payment)}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/vi/orders/{payment.order_id}")
    assert (await till.look(payment)).status == "pending"


async def test_a_browser_with_a_forged_or_foreign_return_goes_to_the_front_page(till: Any) -> None:
    payment = await till.open()
    forged = till.notice(payment, secret="forged")
    foreign = till.notice(payment, txn_ref="SPNOSUCHORDER-1")
    for query in (forged, foreign, "", "vnp_ReturnUrl=https://evil.example", "%zz", "a=1&a=1"):
        answer = await till.http.get(f"{till.url}{API}/payments/vnpay/return?{query}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


# --- staff


async def test_staff_read_a_payment_with_all_that_happened(till: Any) -> None:
    payment = await till.pay()
    await till.payments.refund(order_id=payment.order_id, key="r", amount=Money(1_000, "VND"), reason="torn")
    staff = await till.staff("payments.read")
    answer = await till.http.get(f"{till.url}{API}/admin/payments?order_id={payment.order_id}", headers=staff)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["items"]
    assert answer.json()["next"] is None
    assert (found["status"], found["captured"]) == ("paid", {"amount": 259_000, "currency": "VND"})
    assert (found["refunded"]["amount"], found["returned"]["amount"]) == (1_000, 0)
    assert [attempt["reference"] for attempt in found["attempts"]] == [till.ref(payment)]
    assert [refund["status"] for refund in found["refunds"]] == ["requested"]
    assert [fact["kind"] for fact in found["facts"]] == ["told", "opened"]


async def test_payments_are_listed_newest_first_in_pages(till: Any) -> None:
    made = [await till.open() for _ in range(3)]
    staff = await till.staff("payments.read")
    found: list[str] = []
    cursor = ""
    while cursor is not None and len(found) < 3:
        url = f"{till.url}{API}/admin/payments?limit=2&status=pending&cursor={cursor}"
        page = (await till.http.get(url, headers=staff)).json()
        found += [item["order_id"] for item in page["items"]]
        cursor = page["next"]
    assert found[:3] == [str(payment.order_id) for payment in reversed(made)]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/payments"),
        ("GET", "/admin/payments/review"),
        ("GET", "/admin/payments/payouts"),
        ("POST", f"/admin/payments/review/{NOTHING}"),
        ("POST", f"/admin/payments/payouts/{NOTHING}/settle"),
    ],
)
async def test_only_staff_with_the_permission_may(till: Any, method: str, path: str) -> None:
    nobody = await till.http.request(method, f"{till.url}{API}{path}", headers=key())
    other = await till.staff("orders.read")
    forbidden = await till.http.request(method, f"{till.url}{API}{path}", headers={**other, **key()})
    assert (nobody.status_code, forbidden.status_code) == (401, 403)


async def test_a_reader_may_not_decide(till: Any) -> None:
    staff = await till.staff("payments.read")
    answer = await till.http.post(f"{till.url}{API}/admin/payments/review/{uuid7()}", headers={**staff, **key()})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"decision": "accepted"}, {"decision": "maybe", "note": "x"}, {"decision": "accepted", "note": ""}]
)
async def test_a_decision_has_a_reason_and_is_one_of_three(till: Any, body: dict[str, str]) -> None:
    staff = await till.staff("payments.refund")
    url = f"{till.url}{API}/admin/payments/review/{uuid7()}"
    assert (await till.http.post(url, json=body, headers={**staff, **key()})).status_code == 422


async def test_decisions_and_payouts_need_a_key(till: Any) -> None:
    staff = await till.staff("payments.refund")
    for path, body in (
        (f"review/{uuid7()}", {"decision": "dismissed", "note": "x"}),
        (f"payouts/{uuid7()}/settle", {"reference": "FT1"}),
    ):
        answer = await till.http.post(f"{till.url}{API}/admin/payments/{path}", json=body, headers=staff)
        assert (answer.status_code, answer.json()["code"]) == (400, "kernel.idempotency_key_missing")


async def test_cash_is_paid_back_by_hand_once_and_the_answer_can_be_repeated(till: Any) -> None:
    payment = await till.open(method="cod")
    await till.deliver(payment)
    await till.payments.refund(order_id=payment.order_id, key="r", amount=Money(9_000, "VND"), reason="torn")
    staff = await till.staff("payments.read", "payments.refund")
    items = (await till.http.get(f"{till.url}{API}/admin/payments/payouts?limit=100", headers=staff)).json()["items"]
    (payout,) = [item for item in items if item["order_id"] == str(payment.order_id)]
    assert payout["amount"] == {"amount": 9_000, "currency": "VND"}
    url = f"{till.url}{API}/admin/payments/payouts/{payout['id']}/settle"
    once = {**staff, **key()}
    for headers, status in ((once, 204), (once, 204), ({**staff, **key()}, 404)):
        assert (await till.http.post(url, json={"reference": "FT26330001"}, headers=headers)).status_code == status
    done = await till.look(payment)
    assert (done.status, done.refunded) == ("partially_refunded", Money(9_000, "VND"))


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=%21", "order_id=1", "status=nice", "q=1"])
async def test_a_list_refuses_what_it_does_not_know(till: Any, query: str) -> None:
    staff = await till.staff("payments.read")
    answer = await till.http.get(f"{till.url}{API}/admin/payments?{query}", headers=staff)
    assert answer.status_code == 422, answer.text
