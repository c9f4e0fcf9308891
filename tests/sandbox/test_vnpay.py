"""The stand-in for VNPay, spoken to with nothing but the wire: its page, its API, its notices, its faults."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus
from uuid import UUID, uuid4

import httpx
import pytest
from msgspec.structs import replace

from sampan.kernel.http import pairs
from sampan.kernel.ids import uuid7
from sampan.kernel.settings import load
from sampan.sandbox.vnpay import rules
from sampan.sandbox.vnpay.actions import VnpaySandboxActions
from sampan.sandbox.vnpay.contract import Fault
from sampan.sandbox.vnpay.rules import Disagreement
from sampan.services.payments.providers.vnpay import wire

ROOT = "/sandbox/vnpay"
SECRET = "SPECVNPAYSECRET0123456789ABCDEFG"


class Merchant:
    """A shop that knows the specification and nothing of the stand-in."""

    def __init__(self, shop: Any) -> None:
        self.http: httpx.AsyncClient = shop.http
        self.bank: VnpaySandboxActions = shop.actions("vnpay_sandbox")
        self.secret = self.bank.settings.hash_secret
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.ref = f"SP{uuid7().hex[-10:].upper()}-1"

    def request(self, **changes: str) -> dict[str, str]:
        return {
            "vnp_Version": "2.1.0",
            "vnp_Command": "pay",
            "vnp_TmnCode": "SAMPAN01",
            "vnp_Amount": "25900000",
            "vnp_CreateDate": wire.gmt7(self.now),
            "vnp_ExpireDate": wire.gmt7(self.now + timedelta(minutes=15)),
            "vnp_CurrCode": "VND",
            "vnp_IpAddr": "203.0.113.7",
            "vnp_Locale": "vn",
            "vnp_OrderInfo": "Thanh toan don hang",
            "vnp_OrderType": "other",
            "vnp_ReturnUrl": "https://shop.example/back?lang=vi",
            "vnp_TxnRef": self.ref,
            **changes,
        }

    def mac(self, text: str) -> str:
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha512).hexdigest()

    async def show(self, fields: dict[str, str], *, mac: str = "", **headers: str) -> httpx.Response:
        text = "&".join(f"{name}={quote_plus(value)}" for name, value in sorted(fields.items()))
        return await self.http.get(
            f"{ROOT}/paymentv2/vpcpay.html?{text}&vnp_SecureHash={mac or self.mac(text)}", headers=headers
        )

    async def choose(self, choice: str = "pay", **changes: str) -> httpx.Response:
        page = await self.show(self.request(**changes))
        found = re.search(r'name="payment" value="([0-9a-f-]{36})"', page.text)
        assert found is not None, page.text
        return await self.confirm(found[1], choice)

    async def confirm(self, payment: str, choice: str) -> httpx.Response:
        return await self.http.post(f"{ROOT}/paymentv2/confirm", data={"payment": payment, "choice": choice})

    async def call(self, names: tuple[str, ...], fields: dict[str, str], *, mac: str = "") -> Any:
        """One call of the API; the answer's signature is checked unless the terminal is unknown."""
        fields = {f"vnp_{name}": value for name, value in fields.items()}
        text = "|".join(fields.get(f"vnp_{name}", "") for name in names)
        answer = await self.http.post(
            f"{ROOT}/merchant_webapi/api/transaction", json={**fields, "vnp_SecureHash": mac or self.mac(text)}
        )
        if answer.status_code != 200:
            return answer
        return answer.json()

    async def query(self, *, mac: str = "", **changes: str) -> Any:
        fields = {
            "RequestId": uuid4().hex,
            "Version": "2.1.0",
            "Command": "querydr",
            "TmnCode": "SAMPAN01",
            "TxnRef": self.ref,
            "TransactionDate": wire.gmt7(self.now),
            "CreateDate": wire.gmt7(self.now),
            "IpAddr": "203.0.113.7",
            "OrderInfo": "Truy van",
        }
        return await self.call(rules.QUERY_FIELDS, {**fields, **changes}, mac=mac)

    async def refund(self, amount: int, *, mac: str = "", **changes: str) -> Any:
        fields = {
            "RequestId": uuid4().hex,
            "Version": "2.1.0",
            "Command": "refund",
            "TmnCode": "SAMPAN01",
            "TransactionType": "03",
            "TxnRef": self.ref,
            "Amount": str(amount * 100),
            "TransactionDate": wire.gmt7(self.now),
            "CreateBy": "cskh01",
            "CreateDate": wire.gmt7(self.now),
            "IpAddr": "203.0.113.7",
            "OrderInfo": "Hoan tien",
        }
        return await self.call(rules.REFUND_FIELDS, {**fields, **changes}, mac=mac)

    def check_sealed(self, answer: dict[str, str], names: str) -> None:
        text = "|".join(answer.get(f"vnp_{name}", "") for name in names.split())
        assert answer["vnp_SecureHash"] == self.mac(text)


@pytest.fixture
async def merchant(shop: Any) -> AsyncIterator[Merchant]:
    found = Merchant(shop)
    yield found
    await found.bank.clear_faults()


QUERY_ANSWER = (
    "ResponseId Command ResponseCode Message TmnCode TxnRef Amount BankCode PayDate TransactionNo TransactionType "
    "TransactionStatus OrderInfo PromotionCode PromotionAmount"
)
REFUND_ANSWER = (
    "ResponseId Command ResponseCode Message TmnCode TxnRef Amount BankCode PayDate TransactionNo TransactionType "
    "TransactionStatus OrderInfo"
)

# --- the page


async def test_the_page_shows_what_is_to_be_paid_without_script_or_style_of_its_own(merchant: Merchant) -> None:
    page = await merchant.show(merchant.request())
    assert page.status_code == 200
    assert "259.000 ₫" in page.text
    assert merchant.ref in page.text
    csp = page.headers["content-security-policy"]
    assert "default-src 'none'" in csp
    assert "script-src" not in csp
    assert "unsafe" not in csp
    assert "form-action 'self' https://shop.example" in csp
    assert not re.search(r"<script|<style|style=|onclick", page.text)
    assert "set-cookie" not in page.headers
    style = await merchant.http.get(f"{ROOT}/page.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


async def test_the_page_speaks_the_language_it_was_asked_to(merchant: Merchant) -> None:
    page = await merchant.show(merchant.request(vnp_Locale="en"))
    assert '<html lang="en">' in page.text
    assert "No real money moves" in page.text


async def test_what_a_shop_writes_is_shown_as_text(merchant: Merchant) -> None:
    page = await merchant.show(merchant.request(vnp_OrderInfo="<script>alert(1)</script>"))
    assert page.status_code == 400  # not what an order's text may contain


@pytest.mark.parametrize(
    ("changes", "mac", "code"),
    [
        ({}, "0" * 128, "70"),
        ({}, "none", "70"),
        ({"vnp_TmnCode": "OTHERONE"}, "", "71"),
        ({"vnp_Amount": "x"}, "", "03"),
        ({"vnp_Version": "2.0.0"}, "", "03"),
        ({"vnp_CurrCode": "USD"}, "", "03"),
        ({"vnp_CreateDate": "20200101000000", "vnp_ExpireDate": "20200101001500"}, "", "15"),
    ],
)
async def test_a_request_that_vnpay_would_refuse_is_refused(
    merchant: Merchant, changes: dict[str, str], mac: str, code: str
) -> None:
    page = await merchant.show(merchant.request(**changes), mac=mac)
    assert (page.status_code, f": {code}<" in page.text) == (400, True), page.text


async def test_a_reference_is_of_one_payment_and_a_payment_is_made_once(merchant: Merchant) -> None:
    await merchant.show(merchant.request())
    other = await merchant.show(merchant.request(vnp_Amount="100"))
    assert (other.status_code, ": 01<" in other.text) == (400, True)
    await merchant.choose()
    done = await merchant.show(merchant.request())
    assert (done.status_code, ": 02<" in done.text) == (400, True)


async def test_the_payer_is_sent_back_with_a_signed_answer(merchant: Merchant) -> None:
    back = await merchant.choose()
    assert back.status_code == 303
    address, _, query = back.headers["location"].partition("&")
    assert address == "https://shop.example/back?lang=vi"
    assert rules.is_signed(query, merchant.secret)
    fields = dict(pairs(query.encode()))
    assert (fields["vnp_ResponseCode"], fields["vnp_TransactionStatus"], fields["vnp_Amount"]) == (
        "00",
        "00",
        "25900000",
    )
    assert fields["vnp_TxnRef"] == merchant.ref


async def test_a_payment_is_decided_once(merchant: Merchant) -> None:
    page = await merchant.show(merchant.request())
    payment = re.search(r'value="([0-9a-f-]{36})"', page.text)
    assert payment is not None
    first = await merchant.confirm(payment[1], "pay")
    second = await merchant.confirm(payment[1], "cancel")
    assert first.headers["location"] == second.headers["location"]
    booked = await merchant.bank.find_payment(txn_ref=merchant.ref)
    assert booked is not None
    assert (booked.status, len(booked.notices)) == ("00", 1)


async def test_a_payment_that_ran_out_on_the_page_fails(merchant: Merchant, shop: Any) -> None:
    page = await merchant.show(merchant.request())
    payment = re.search(r'value="([0-9a-f-]{36})"', page.text)
    assert payment is not None
    async with shop.db("vnpay_sandbox").begin() as tx:
        await tx.execute(
            "UPDATE vnpay_sandbox.payment SET expire_date = now() - interval '1 second' WHERE txn_ref = $1",
            merchant.ref,
        )
    back = await merchant.confirm(payment[1], "pay")
    assert "vnp_ResponseCode=11" in back.headers["location"]


@pytest.mark.parametrize(
    "form", [{}, {"payment": "x", "choice": "pay"}, {"payment": str(UUID(int=7)), "choice": "rob"}]
)
async def test_a_form_that_the_page_does_not_have_is_refused(merchant: Merchant, form: dict[str, str]) -> None:
    answer = await merchant.http.post(f"{ROOT}/paymentv2/confirm", data=form)
    assert answer.status_code in (415, 422)


async def test_a_payment_that_does_not_exist_cannot_be_confirmed(merchant: Merchant) -> None:
    assert (await merchant.confirm(str(uuid7()), "pay")).status_code == 404


# --- query and refund


async def test_a_query_says_what_became_of_a_payment(merchant: Merchant) -> None:
    unknown = await merchant.query()
    assert (unknown["vnp_ResponseCode"], unknown["vnp_Message"]) == ("91", "Transaction not found")
    await merchant.show(merchant.request())
    open_still = await merchant.query()
    assert (open_still["vnp_ResponseCode"], open_still["vnp_TransactionStatus"]) == ("00", "01")
    await merchant.choose()
    paid = await merchant.query()
    assert (paid["vnp_TransactionStatus"], paid["vnp_TransactionType"], paid["vnp_Amount"]) == ("00", "01", "25900000")
    for answer in (unknown, open_still, paid):
        merchant.check_sealed(answer, QUERY_ANSWER)


async def test_a_query_of_another_day_is_not_found(merchant: Merchant) -> None:
    await merchant.choose()
    answer = await merchant.query(TransactionDate="20260101000000")
    assert answer["vnp_ResponseCode"] == "91"


@pytest.mark.parametrize(
    ("changes", "mac", "code"),
    [
        ({}, "0" * 128, "97"),
        ({"TmnCode": "OTHERONE"}, "", "02"),
        ({"TransactionDate": "yesterday"}, "", "03"),
        ({"Version": "1.0.0"}, "", "03"),
    ],
)
async def test_a_call_that_is_not_right_is_answered_with_its_code(
    merchant: Merchant, changes: dict[str, str], mac: str, code: str
) -> None:
    assert (await merchant.query(mac=mac, **changes))["vnp_ResponseCode"] == code
    assert (await merchant.refund(1, mac=mac, **changes))["vnp_ResponseCode"] == code


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"vnp_Command": 1}', b"\xff", b"[" * 5000])
async def test_a_body_that_is_no_message_is_answered(merchant: Merchant, body: bytes) -> None:
    answer = await merchant.http.post(f"{ROOT}/merchant_webapi/api/transaction", content=body)
    assert (answer.status_code, answer.json()["vnp_ResponseCode"]) == (200, "02")


async def test_a_request_id_is_used_once_a_day(merchant: Merchant) -> None:
    await merchant.choose()
    assert (await merchant.query(RequestId="same-id-" + merchant.ref))["vnp_ResponseCode"] == "00"
    assert (await merchant.query(RequestId="same-id-" + merchant.ref))["vnp_ResponseCode"] == "94"
    assert (await merchant.refund(1000, RequestId="r-" + merchant.ref))["vnp_ResponseCode"] == "00"
    assert (await merchant.refund(1000, RequestId="r-" + merchant.ref))["vnp_ResponseCode"] == "94"
    booked = await merchant.bank.find_payment(txn_ref=merchant.ref)
    assert booked is not None
    assert len(booked.refunds) == 1


async def test_refunds_never_exceed_what_was_paid(merchant: Merchant) -> None:
    await merchant.show(merchant.request())
    assert (await merchant.refund(1000))["vnp_ResponseCode"] == "95"
    await merchant.choose()
    answer = await merchant.refund(200_000)
    assert (answer["vnp_ResponseCode"], answer["vnp_TransactionType"], answer["vnp_Amount"]) == ("00", "03", "20000000")
    merchant.check_sealed(answer, REFUND_ANSWER)
    assert (await merchant.refund(59_001))["vnp_ResponseCode"] == "03"
    assert (await merchant.refund(259_000, TransactionType="02"))["vnp_ResponseCode"] == "03"
    assert (await merchant.refund(59_000))["vnp_ResponseCode"] == "00"
    assert (await merchant.refund(1))["vnp_ResponseCode"] == "03"
    assert (await merchant.refund(1, TransactionNo="1"))["vnp_ResponseCode"] == "91"
    latest = await merchant.query()
    assert (latest["vnp_TransactionType"], latest["vnp_Amount"]) == ("03", "5900000")


async def test_refunds_at_once_never_exceed_what_was_paid(merchant: Merchant) -> None:
    await merchant.choose()
    answers = await asyncio.gather(*(merchant.refund(100_000) for _ in range(8)))
    assert sorted(answer["vnp_ResponseCode"] for answer in answers) == ["00"] * 2 + ["03"] * 6


async def test_a_refund_is_under_way_before_it_is_done(merchant: Merchant, shop: Any) -> None:
    await merchant.choose()
    answer = await merchant.refund(1000)
    assert answer["vnp_TransactionStatus"] == "05"
    async with shop.db("vnpay_sandbox").begin() as tx:
        await tx.execute("UPDATE vnpay_sandbox.refund SET settle_at = now() - interval '1 second'")
    assert (await merchant.query())["vnp_TransactionStatus"] == "00"


# --- notices


@asynccontextmanager
async def shop_that_answers(answers: list[bytes | int]) -> AsyncIterator[tuple[str, list[str]]]:
    """A shop's IPN address that gives these answers one after the other, the last one for ever."""
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heard.append(head.split(b" ")[1].decode().partition("?")[2])
        answer = answers[min(len(heard), len(answers)) - 1]
        status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
        writer.write(
            b"HTTP/1.1 %d x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
            % (status, len(body), body)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://127.0.0.1:{port}/ipn", heard


@pytest.fixture
async def teller(shop: Any, merchant: Merchant) -> AsyncIterator[Merchant]:
    """A merchant whose bank tells it of payments without pausing between its tries."""
    usual = merchant.bank.settings
    async with shop.db("vnpay_sandbox").begin() as tx:
        await tx.execute("UPDATE vnpay_sandbox.notice SET done_at = now() WHERE done_at IS NULL")
    merchant.bank.settings = replace(usual, ipn_interval=0.0)
    yield merchant
    merchant.bank.settings = usual


async def tell(merchant: Merchant, url: str, *, times: int) -> list[str | None]:
    merchant.bank.settings = replace(merchant.bank.settings, ipn_url=url)
    for _ in range(times):
        await merchant.bank.send_notices()
    booked = await merchant.bank.find_payment(txn_ref=merchant.ref)
    assert booked is not None
    return booked.notices


@pytest.mark.parametrize("code", ["00", "02"])
async def test_a_notice_is_told_once_when_the_shop_confirms_it(teller: Merchant, code: str) -> None:
    await teller.choose()
    async with shop_that_answers([b'{"RspCode":"%s"}' % code.encode()]) as (url, heard):
        assert await tell(teller, url, times=3) == [code]
    assert len(heard) == 1
    assert rules.is_signed(heard[0], teller.secret)


async def test_a_notice_is_told_ten_times_at_most_until_it_is_confirmed(teller: Merchant) -> None:
    await teller.choose()
    async with shop_that_answers([500, b"hello", b'{"RspCode":"97"}', b'{"RspCode":"99"}', b'{"RspCode":"01"}']) as (
        url,
        heard,
    ):
        assert await tell(teller, url, times=15) == ["01"]
    assert len(heard) == wire.IPN_TRIES
    assert len(set(heard)) == 1


async def test_a_shop_that_does_not_answer_is_told_again_later(teller: Merchant) -> None:
    await teller.choose()
    await tell(teller, "http://127.0.0.1:9/ipn", times=1)
    async with shop_that_answers([b'{"RspCode":"00"}']) as (url, heard):
        assert await tell(teller, url, times=1) == ["00"]
    assert len(heard) == 1


async def test_between_two_tries_vnpay_waits_five_minutes(teller: Merchant) -> None:
    teller.bank.settings = replace(teller.bank.settings, ipn_interval=wire.IPN_INTERVAL.total_seconds())
    await teller.choose()
    async with shop_that_answers([b'{"RspCode":"99"}']) as (url, heard):
        await tell(teller, url, times=4)
    assert len(heard) == 1


async def test_faults_change_what_is_told(teller: Merchant) -> None:
    for fault in (Fault("duplicate", times=1), Fault("wrong_amount", amount=1_000, times=1)):
        await teller.bank.set_fault(fault=fault)
    await teller.choose()
    async with shop_that_answers([b'{"RspCode":"04"}', b'{"RspCode":"02"}']) as (url, heard):
        await tell(teller, url, times=1)
    assert len(heard) == 3
    assert all("vnp_Amount=100000&" in query for query in heard)
    assert (await teller.query())["vnp_Amount"] == "100000"


async def test_a_forged_notice_does_not_verify(teller: Merchant) -> None:
    await teller.bank.set_fault(fault=Fault("forged_signature", txn_ref=teller.ref))
    await teller.choose()
    async with shop_that_answers([b'{"RspCode":"97"}']) as (url, heard):
        await tell(teller, url, times=1)
    assert not rules.is_signed(heard[0], teller.secret)


async def test_a_late_notice_waits_and_a_payment_without_notice_has_none(teller: Merchant) -> None:
    await teller.bank.set_fault(fault=Fault("late", txn_ref=teller.ref, seconds=3600))
    await teller.choose()
    async with shop_that_answers([b'{"RspCode":"00"}']) as (url, heard):
        assert await tell(teller, url, times=2) == [None]
        teller.ref = teller.ref.replace("-1", "-2")
        await teller.bank.set_fault(fault=Fault("never_notify", txn_ref=teller.ref))
        await teller.choose()
        assert await tell(teller, url, times=2) == []
    assert heard == []


async def test_a_reordered_notice_comes_after_that_of_the_next_attempt(teller: Merchant) -> None:
    first = teller.ref
    await teller.bank.set_fault(fault=Fault("reordered", txn_ref=first))
    await teller.choose("insufficient")
    async with shop_that_answers([b'{"RspCode":"00"}']) as (url, heard):
        await tell(teller, url, times=2)
        assert heard == []
        teller.ref = first.replace("-1", "-2")
        await teller.choose("pay")
        await tell(teller, url, times=2)
    refs = [dict(pairs(query.encode()))["vnp_TxnRef"] for query in heard]
    assert refs == [teller.ref, first]


# --- faults of the page and the API


async def test_a_declined_card_and_a_lost_connection(merchant: Merchant) -> None:
    await merchant.bank.set_fault(fault=Fault("decline", txn_ref=merchant.ref, response_code="75"))
    back = await merchant.choose()
    assert "vnp_ResponseCode=75&vnp_TmnCode" in back.headers["location"]
    merchant.ref = merchant.ref.replace("-1", "-2")
    await merchant.bank.set_fault(fault=Fault("take_money_then_drop", txn_ref=merchant.ref))
    lost = await merchant.choose()
    assert (lost.status_code, "location" in lost.headers) == (502, False)
    assert (await merchant.query())["vnp_TransactionStatus"] == "00"


async def test_the_api_breaks_before_or_after_it_did_what_it_was_asked(merchant: Merchant) -> None:
    await merchant.choose()
    for after, expected in ((False, 0), (True, 1)):
        await merchant.bank.set_fault(fault=Fault("http_500", txn_ref=merchant.ref, times=1, after=after))
        answer = await merchant.refund(1000)
        assert answer.status_code == 500
        booked = await merchant.bank.find_payment(txn_ref=merchant.ref)
        assert booked is not None
        assert len(booked.refunds) == expected


async def test_a_slow_api_is_slow_as_often_as_it_was_told(merchant: Merchant) -> None:
    loop = asyncio.get_running_loop()
    await merchant.bank.set_fault(fault=Fault("slow", txn_ref=merchant.ref, seconds=0.2, times=1))
    took = []
    for _ in range(2):
        started = loop.time()
        await merchant.query()
        took.append(loop.time() - started)
    assert took[0] >= 0.2 > took[1]


async def test_faults_are_set_and_cleared_by_http(merchant: Merchant) -> None:
    answer = await merchant.http.post(f"{ROOT}/faults", json={"kind": "decline", "txn_ref": merchant.ref})
    assert answer.status_code == 201
    assert (await merchant.http.delete(f"{ROOT}/faults")).status_code == 204
    assert "vnp_ResponseCode=00" in (await merchant.choose()).headers["location"]
    for body in ({"kind": "explode"}, {}, {"kind": "slow", "seconds": -1}, {"kind": "slow", "who": "me"}):
        assert (await merchant.http.post(f"{ROOT}/faults", json=body)).status_code == 422


# --- what it is


def test_the_second_implementation_of_the_signature_knows_the_published_vectors() -> None:
    query = (
        "vnp_Amount=25900000&vnp_BankCode=NCB&vnp_BankTranNo=VNP14600001&vnp_CardType=ATM"
        "&vnp_OrderInfo=Thanh+toan+don+hang+DH1001&vnp_PayDate=20261125093212&vnp_ResponseCode=00"
        "&vnp_TmnCode=DEMO0001&vnp_TransactionNo=14600001&vnp_TransactionStatus=00&vnp_TxnRef=DH1001-1"
        "&vnp_SecureHash=7c2d73dfb670d71f245ba3b50574b08fb7fc079c066f271e1ac753b563b8d94e"
        "c50849cec777d7331ac7c5ab029ad46f4756b3272d75ffbbcb903f523043c5ff"
    )
    assert rules.is_signed(query, SECRET)
    assert not rules.is_signed(query.replace("25900000", "25900001"), SECRET)
    sealed = (
        b'{"vnp_RequestId":"req-0001","vnp_Version":"2.1.0","vnp_Command":"querydr","vnp_TmnCode":"DEMO0001",'
        b'"vnp_TxnRef":"DH1001-1","vnp_TransactionDate":"20261125093000","vnp_CreateDate":"20261125100000",'
        b'"vnp_IpAddr":"203.0.113.7","vnp_OrderInfo":"Truy van DH1001","vnp_SecureHash":'
        b'"d64d3db3d1ad9c00a2f03594cee6f576be09211fff2b3a862a39c4ea7a9a0448'
        b'024ba08fb8a5685f46aa49fe52a3f0b988bc00bea7b1d03bd45d67e8f22c4b01"}'
    )
    assert rules.is_sealed(sealed, rules.QUERY_FIELDS, SECRET)
    assert not rules.is_sealed(sealed.replace(b"DH1001-1", b"DH1001-2"), rules.QUERY_FIELDS, SECRET)


def test_two_implementations_that_disagree_stop_everything() -> None:
    rules.check_agreement(ours=True, theirs=True)
    with pytest.raises(Disagreement):
        rules.check_agreement(ours=False, theirs=True)


def test_the_stand_in_does_not_exist_in_production(tmp_path: Any) -> None:
    from sampan.run import chosen

    found = {"database_url": "postgresql://db.example/shop", "public_url": "https://shop.example"}
    for mode, exists in (("development", True), ("production", False)):
        settings = load(
            {}, home=str(tmp_path), mode=mode, secret="a secret of many different letters 0123456789", **found
        )
        assert ("vnpay_sandbox" in chosen([], settings)[0]) is exists
