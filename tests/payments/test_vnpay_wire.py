"""VNPay on the wire. The expected signatures are constants, computed apart from the code under test."""

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sampan.services.payments.providers.vnpay import meaning, wire
from sampan.services.payments.providers.vnpay.meaning import Verdict
from sampan.services.payments.providers.vnpay.wire import (
    BadSignature,
    InvalidAmount,
    IpnAnswer,
    Malformed,
    Notice,
    PayRequest,
    QueryRequest,
    QueryResponse,
    RefundRequest,
    RefundResponse,
    WireError,
)

SECRET = "SPECVNPAYSECRET0123456789ABCDEFG"

PAY_QUERY = (
    "vnp_Amount=25900000&vnp_Command=pay&vnp_CreateDate=20261125093000&vnp_CurrCode=VND"
    "&vnp_ExpireDate=20261125094500&vnp_IpAddr=203.0.113.7&vnp_Locale=vn"
    "&vnp_OrderInfo=Thanh+toan+don+hang+DH1001&vnp_OrderType=other"
    "&vnp_ReturnUrl=https%3A%2F%2Fshop.example%2Fpay%2Fvnpay%2Freturn%3Flang%3Dvi&vnp_TmnCode=DEMO0001"
    "&vnp_TxnRef=DH1001-1&vnp_Version=2.1.0"
)
PAY_SIGNATURE = (
    "6074acc0d26bde2e0dff66c2080803c797f3268e5e05044ff18895c07771d3fe"
    "f65bb3334ddfc1b62e7a90fbb815f6d4591bafdb311d7e8d54605985085cee26"
)
NOTICE_QUERY = (
    "vnp_Amount=25900000&vnp_BankCode=NCB&vnp_BankTranNo=VNP14600001&vnp_CardType=ATM"
    "&vnp_OrderInfo=Thanh+toan+don+hang+DH1001&vnp_PayDate=20261125093212&vnp_ResponseCode=00"
    "&vnp_TmnCode=DEMO0001&vnp_TransactionNo=14600001&vnp_TransactionStatus=00&vnp_TxnRef=DH1001-1"
)
NOTICE_SIGNATURE = (
    "7c2d73dfb670d71f245ba3b50574b08fb7fc079c066f271e1ac753b563b8d94e"
    "c50849cec777d7331ac7c5ab029ad46f4756b3272d75ffbbcb903f523043c5ff"
)
QUERY_SIGNATURE = (
    "d64d3db3d1ad9c00a2f03594cee6f576be09211fff2b3a862a39c4ea7a9a0448"
    "024ba08fb8a5685f46aa49fe52a3f0b988bc00bea7b1d03bd45d67e8f22c4b01"
)
REFUND_SIGNATURE = (
    "a48588f51c6153ea422b5a411121a32d683acf8103772e4a496123028f37f971"
    "458a878076ea150fcd9fa43f4d1372fac265d852816d4ad3278ed5470edb759f"
)

PAY_REQUEST = PayRequest(
    tmn_code="DEMO0001",
    txn_ref="DH1001-1",
    amount=259_000,
    order_info="Thanh toan don hang DH1001",
    create_date=datetime(2026, 11, 25, 2, 30, tzinfo=UTC),
    expire_date=datetime(2026, 11, 25, 2, 45, tzinfo=UTC),
    ip_addr="203.0.113.7",
    return_url="https://shop.example/pay/vnpay/return?lang=vi",
)
NOTICE = Notice(
    tmn_code="DEMO0001",
    txn_ref="DH1001-1",
    amount=259_000,
    response_code="00",
    transaction_status="00",
    transaction_no="14600001",
    order_info="Thanh toan don hang DH1001",
    bank_code="NCB",
    bank_tran_no="VNP14600001",
    card_type="ATM",
    pay_date=datetime(2026, 11, 25, 2, 32, 12, tzinfo=UTC),
)
QUERY_REQUEST = QueryRequest(
    request_id="req-0001",
    tmn_code="DEMO0001",
    txn_ref="DH1001-1",
    transaction_date=PAY_REQUEST.create_date,
    create_date=datetime(2026, 11, 25, 3, 0, tzinfo=UTC),
    ip_addr="203.0.113.7",
    order_info="Truy van DH1001",
)
REFUND_REQUEST = RefundRequest(
    request_id="req-0002",
    tmn_code="DEMO0001",
    transaction_type="03",
    txn_ref="DH1001-1",
    amount=50_000,
    transaction_no="14600001",
    transaction_date=PAY_REQUEST.create_date,
    create_by="cskh01",
    create_date=datetime(2026, 11, 26, 1, 0, tzinfo=UTC),
    ip_addr="203.0.113.7",
    order_info="Hoan tien DH1001",
)
QUERY_RESPONSE = QueryResponse(
    response_id="8f0c2b",
    response_code="00",
    message="Giao dịch thành công",
    tmn_code="DEMO0001",
    txn_ref="DH1001-1",
    amount=259_000,
    bank_code="NCB",
    pay_date=datetime(2026, 11, 25, 2, 32, 12, tzinfo=UTC),
    transaction_no="14600001",
    transaction_type="01",
    transaction_status="00",
    order_info="Thanh toan don hang DH1001",
)
REFUND_RESPONSE = RefundResponse(
    response_id="8f0c2c",
    response_code="00",
    message="Refund Success",
    tmn_code="DEMO0001",
    txn_ref="DH1001-1",
    amount=50_000,
    bank_code="NCB",
    pay_date=datetime(2026, 11, 26, 1, 0, 3, tzinfo=UTC),
    transaction_no="14600002",
    transaction_type="03",
    transaction_status="05",
    order_info="Hoan tien DH1001",
)


def hmac_sha512(text: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def signed(query: str) -> bytes:
    """A query string signed exactly as it is written here."""
    return f"{query}&vnp_SecureHash={hmac_sha512(query)}".encode()


# --- vectors ------------------------------------------------------------------------------------------------


def test_the_published_vector_is_reproduced() -> None:
    fields = {
        "vnp_TnxRef": "1234567890",  # spelt as published
        "vnp_OrderInfo": "Payment for order #1234567890",
        "vnp_Amount": "10000",
    }
    assert wire.form_encoded(fields) == (
        "vnp_Amount=10000&vnp_OrderInfo=Payment+for+order+%231234567890&vnp_TnxRef=1234567890"
    )
    assert wire.signature(wire.form_encoded(fields), "YOUR_SECURE_SECRET") == (
        "7bb8160a5d2085a85b3267817a40ee4f770a335282f19714726e6fc6f28a64c7"
        "5a1e7e9c1aa96f3cbda5ce44095088fb4cb2af66c596d2f655b0b53966312089"
    )


def test_the_pay_url_is_the_vector_byte_for_byte() -> None:
    url = wire.pay_url(page=wire.SANDBOX_PAY_PAGE, request=PAY_REQUEST, secret=SECRET)
    assert url == f"{wire.SANDBOX_PAY_PAGE}?{PAY_QUERY}&vnp_SecureHash={PAY_SIGNATURE}"


def test_vnpay_reads_the_pay_request_of_the_vector() -> None:
    query = f"{PAY_QUERY}&vnp_SecureHash={PAY_SIGNATURE}".encode()
    assert wire.read_pay_request(query=query, secret=SECRET) == PAY_REQUEST


def test_the_notice_of_the_vector_is_read_and_written() -> None:
    query = f"{NOTICE_QUERY}&vnp_SecureHash={NOTICE_SIGNATURE}"
    assert wire.read_notice(query=query.encode(), secret=SECRET) == NOTICE
    assert wire.notice_query(notice=NOTICE, secret=SECRET) == query


@pytest.mark.parametrize(
    ("message", "expected"), [(QUERY_REQUEST, QUERY_SIGNATURE), (REFUND_REQUEST, REFUND_SIGNATURE)]
)
def test_the_requests_are_signed_like_the_vectors(message: QueryRequest | RefundRequest, expected: str) -> None:
    body = wire.encode(message, secret=SECRET)
    assert json.loads(body)["vnp_SecureHash"] == expected
    assert wire.decode(type(message), body, secret=SECRET) == message


def test_a_refund_request_stands_on_the_wire_as_specified() -> None:
    assert json.loads(wire.encode(REFUND_REQUEST, secret=SECRET)) == {
        "vnp_RequestId": "req-0002",
        "vnp_Version": "2.1.0",
        "vnp_Command": "refund",
        "vnp_TmnCode": "DEMO0001",
        "vnp_TransactionType": "03",
        "vnp_TxnRef": "DH1001-1",
        "vnp_Amount": "5000000",
        "vnp_TransactionNo": "14600001",
        "vnp_TransactionDate": "20261125093000",
        "vnp_CreateBy": "cskh01",
        "vnp_CreateDate": "20261126080000",
        "vnp_IpAddr": "203.0.113.7",
        "vnp_OrderInfo": "Hoan tien DH1001",
        "vnp_SecureHash": REFUND_SIGNATURE,
    }


def test_responses_are_signed_over_raw_values_joined_by_pipes() -> None:
    """The signatures were computed with `openssl dgst -sha512 -hmac` over the texts in the comments."""
    # 8f0c2b|querydr|00|Giao dịch thành công|DEMO0001|DH1001-1|25900000|NCB|20261125093212|14600001|01|00
    # |Thanh toan don hang DH1001||                                                    (one line, no space)
    assert json.loads(wire.encode(QUERY_RESPONSE, secret=SECRET))["vnp_SecureHash"] == (
        "0fa4def3290e0c0a5542dc26f65b39485fcd3b331125ec6047f7ae3991ddae40"
        "c5ef4f7c8457ffb6d5280507ec88c123dac60184d63b10322ff27151a6978195"
    )
    # 8f0c2c|refund|00|Refund Success|DEMO0001|DH1001-1|5000000|NCB|20261126080003|14600002|03|05
    # |Hoan tien DH1001                                                                (one line, no space)
    assert json.loads(wire.encode(REFUND_RESPONSE, secret=SECRET))["vnp_SecureHash"] == (
        "6d8d3719d08067a08cc38c7e740ccd6998de2b2bdc32fd06cc10168115d290df"
        "cc2fa25d452b88902a62b36e6534114405120388b3a79ff5fefa171d49632354"
    )


@pytest.mark.parametrize("absent", ["", None])
def test_an_absent_empty_or_null_field_of_a_response_is_signed_as_empty(absent: str | None) -> None:
    text = "r1|querydr|91|Not found|DEMO0001|||||||||" + "|"
    fields = {
        "vnp_ResponseId": "r1",
        "vnp_Command": "querydr",
        "vnp_ResponseCode": "91",
        "vnp_Message": "Not found",
        "vnp_TmnCode": "DEMO0001",
        "vnp_Amount": absent,
        "vnp_SecureHash": hmac_sha512(text),
    }
    read = wire.decode(QueryResponse, json.dumps(fields).encode(), secret=SECRET)
    assert (read.response_code, read.amount, read.transaction_status) == ("91", None, None)


def test_an_amount_sent_as_a_number_is_signed_as_its_digits() -> None:
    fields = json.loads(wire.encode(QUERY_RESPONSE, secret=SECRET))
    fields["vnp_Amount"] = int(fields["vnp_Amount"])
    assert wire.decode(QueryResponse, json.dumps(fields).encode(), secret=SECRET) == QUERY_RESPONSE


# --- what the form encoder does -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("a b", "a+b"),
        ("a+b", "a%2Bb"),
        ("100%", "100%25"),
        ("~", "~"),
        ("*", "%2A"),
        ("a=b&c", "a%3Db%26c"),
        ("Đơn hàng", "%C4%90%C6%A1n+h%C3%A0ng"),
        ("-_.", "-_."),
        ("\U0001f600", "%F0%9F%98%80"),
    ],
)
def test_a_value_is_form_encoded_and_read_back(value: str, encoded: str) -> None:
    assert wire.form_encoded({"vnp_X": value}) == f"vnp_X={encoded}"
    query = f"vnp_Amount=100&vnp_OrderInfo={encoded}&vnp_ResponseCode=00&vnp_TmnCode=DEMO0001"
    query += "&vnp_TransactionStatus=00&vnp_TxnRef=A1"
    assert wire.read_notice(query=signed(query), secret=SECRET).order_info == value


def test_what_other_encoders_write_differently_is_read_alike() -> None:
    """`%c3`, `%20` for a space and a bare `*` decode to the same value, so the same text is signed."""
    canonical = "vnp_Amount=100&vnp_OrderInfo=a+%2A%C3%A0&vnp_ResponseCode=00&vnp_TmnCode=DEMO0001"
    canonical += "&vnp_TransactionStatus=00&vnp_TxnRef=A1"
    written = canonical.replace("a+%2A%C3%A0", "a%20*%c3%a0")
    query = f"{written}&vnp_SecureHash={hmac_sha512(canonical)}".encode()
    assert wire.read_notice(query=query, secret=SECRET).order_info == "a *à"


def test_names_are_sorted_by_bytes_and_empty_values_are_left_out() -> None:
    fields = {"vnp_b": "4", "vnp_BankTranNo": "2", "vnp_Z": "3", "vnp_BankCode": "1", "vnp_Empty": ""}
    assert wire.form_encoded(fields) == "vnp_BankCode=1&vnp_BankTranNo=2&vnp_Z=3&vnp_b=4"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Thanh toán đơn hàng #DH1001", "Thanh toan don hang DH1001"),
        ("ĐƯỜNG Nguyễn Huệ, Q.1", "DUONG Nguyen Hue Q.1"),
        ("a|b&c=d~e*f+g%h", "a b c d e f g h"),
        ("  nhiều \n khoảng   trắng\t", "nhieu khoang trang"),
        ("đ" * 400, "d" * 255),
        ("日本 😀", ""),
    ],
)
def test_order_info_is_cleaned_to_plain_ascii(text: str, cleaned: str) -> None:
    assert wire.order_info_for(text) == cleaned


@given(st.text(max_size=2000))
def test_any_cleaned_order_info_is_accepted_and_stays_as_it_is(text: str) -> None:
    cleaned = wire.order_info_for(text)
    assert wire.order_info_for(cleaned) == cleaned
    if cleaned:
        body = wire.encode(replace(QUERY_REQUEST, order_info=cleaned), secret=SECRET)
        assert wire.decode(QueryRequest, body, secret=SECRET).order_info == cleaned


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::1", "0000:0000:0000:0000:0000:0000:0000:0001"),
        ("fe80::1%eth0", "fe80:0000:0000:0000:0000:0000:0000:0001"),
    ],
)
def test_an_address_always_fits_vnpay(address: str, written: str) -> None:
    assert wire.ip_addr_for(address) == written
    assert wire.pay_url(page="https://p", request=replace(PAY_REQUEST, ip_addr=written), secret=SECRET)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        wire.ip_addr_for("shop.example")


# --- times and amounts --------------------------------------------------------------------------------------


def test_times_are_written_in_gmt7_and_read_as_utc() -> None:
    at = datetime(2026, 12, 31, 20, 0, 5, 999_999, tzinfo=UTC)
    assert wire.gmt7(at) == "20270101030005"
    assert wire.gmt7(at.astimezone(timezone(timedelta(hours=-5)))) == "20270101030005"
    assert wire.from_gmt7("20270101030005") == at.replace(microsecond=0)
    assert wire.from_gmt7("20270101030005").tzinfo is UTC
    with pytest.raises(ValueError, match="without a zone"):
        wire.gmt7(datetime(2026, 1, 1))


@given(st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)))
def test_a_time_survives_the_wire_to_the_second(at: datetime) -> None:
    at = at.replace(microsecond=0, tzinfo=UTC)
    assert wire.from_gmt7(wire.gmt7(at)) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026112509300",
        "202611250930000",
        "2026112509300a",
        " 2026112509300",
        "20261125093000\n",
        "２０２６１１２５０９３０００",
        "20261325093000",
        "20260230093000",
        "20261125246000",
        "00000101000000",
        "00010101000000",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        wire.from_gmt7(text)


def test_an_amount_is_multiplied_by_a_hundred_on_the_wire() -> None:
    largest = replace(PAY_REQUEST, amount=9_999_999_999)
    url = wire.pay_url(page="https://p", request=largest, secret=SECRET)
    assert "vnp_Amount=999999999900&" in url
    assert wire.read_pay_request(query=url.partition("?")[2].encode(), secret=SECRET) == largest


def test_an_amount_that_is_not_whole_vnd_is_an_invalid_amount() -> None:
    with pytest.raises(InvalidAmount) as refusal:
        wire.read_notice(query=signed(NOTICE_QUERY.replace("25900000", "25900001")), secret=SECRET)
    assert refusal.value.answer is IpnAnswer.INVALID_AMOUNT


@pytest.mark.parametrize("amount", ["0", "-100", "1e4", "100.00", "0100", "1" * 13, "١٠٠"])
def test_an_amount_is_one_to_twelve_digits(amount: str) -> None:
    query = wire.form_encoded(_fields(NOTICE_QUERY) | {"vnp_Amount": amount})
    with pytest.raises(Malformed):
        wire.read_notice(query=signed(query), secret=SECRET)


# --- what we do not send ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": 10_000_000_000},
        {"txn_ref": ""},
        {"txn_ref": "-DH1001"},
        {"txn_ref": "DH1001-"},
        {"txn_ref": "DH1001-1\n"},
        {"txn_ref": "Đ1"},
        {"txn_ref": "A" * 34},
        {"tmn_code": "DEMO001"},
        {"order_info": ""},
        {"order_info": "Đơn hàng"},
        {"order_info": "a|b"},
        {"order_info": "a" * 256},
        {"ip_addr": "::1"},
        {"return_url": "https://shop.example/~*"},
        {"return_url": "javascript:alert(1)"},
        {"return_url": "https://shop.example/" + "a" * 240},
        {"locale": "fr"},
        {"bank_code": "V"},
    ],
)
def test_a_pay_request_that_vnpay_would_refuse_is_not_sent(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        wire.pay_url(page="https://p", request=replace(PAY_REQUEST, **changes), secret=SECRET)


def test_a_payment_expires_after_it_was_created() -> None:
    with pytest.raises(ValueError, match="expires"):
        replace(PAY_REQUEST, expire_date=PAY_REQUEST.create_date)
    query = PAY_QUERY.replace("vnp_ExpireDate=20261125094500", "vnp_ExpireDate=20261125093000")
    with pytest.raises(Malformed):
        wire.read_pay_request(query=signed(query), secret=SECRET)


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "a\x7fb", "a\x85b", "\ud800"])
def test_control_characters_and_broken_unicode_are_not_sent(text: str) -> None:
    with pytest.raises(Malformed):
        wire.notice_query(notice=replace(NOTICE, order_info=text), secret=SECRET)
    with pytest.raises(Malformed):
        wire.encode(replace(QUERY_RESPONSE, message=text), secret=SECRET)


def test_an_empty_secret_neither_signs_nor_verifies() -> None:
    with pytest.raises(ValueError, match="secret"):
        wire.pay_url(page="https://p", request=PAY_REQUEST, secret="")
    forged = f"{NOTICE_QUERY}&vnp_SecureHash={hmac_sha512(NOTICE_QUERY, '')}".encode()
    with pytest.raises(ValueError, match="secret"):
        wire.read_notice(query=forged, secret="")


# --- hostile notices ----------------------------------------------------------------------------------------


def _fields(query: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in query.replace("+", " ").split("&"))


GOOD = f"{NOTICE_QUERY}&vnp_SecureHash={NOTICE_SIGNATURE}"


@pytest.mark.parametrize(
    "query",
    [
        "",
        NOTICE_QUERY,
        f"{NOTICE_QUERY}&vnp_SecureHash=",
        f"{NOTICE_QUERY}&vnp_SecureHash=00",
        f"{NOTICE_QUERY}&vnp_SecureHash={'0' * 128}",
        f"{NOTICE_QUERY}&vnp_SecureHash={NOTICE_SIGNATURE[:-1]}",
        f"{NOTICE_QUERY}&vnp_SecureHash={NOTICE_SIGNATURE}00",
        f"{NOTICE_QUERY}&vnp_SecureHash=%C4%90{NOTICE_SIGNATURE[2:]}",
        f"{NOTICE_QUERY}&VNP_SECUREHASH={NOTICE_SIGNATURE}",
        f"{NOTICE_QUERY}&vnp_SecureHash={hmac_sha512(NOTICE_QUERY, 'another secret')}",
        GOOD.replace("vnp_Amount=25900000", "vnp_Amount=100"),
        GOOD.replace("vnp_ResponseCode=00", "vnp_ResponseCode=24"),
        GOOD.replace("&vnp_CardType=ATM", ""),
        GOOD + "&vnp_Extra=1",
    ],
)
def test_a_notice_without_its_signature_is_answered_97(query: str) -> None:
    with pytest.raises(BadSignature) as refusal:
        wire.read_notice(query=query.encode(), secret=SECRET)
    assert refusal.value.answer is IpnAnswer.INVALID_SIGNATURE


@pytest.mark.parametrize(
    "query",
    [
        GOOD + "&vnp_Amount=25900000",
        GOOD + "&vnp%5FAmount=100",
        "vnp_Amount=100&" + GOOD,
        GOOD + f"&vnp_SecureHash={NOTICE_SIGNATURE}",
        GOOD + "&lang=vi&lang=en",
        GOOD + "&",
        GOOD + "&=1",
        GOOD + "&vnp_X=%",
        GOOD + "&vnp_X=%zz",
        GOOD + "&vnp_X=%C4",
        GOOD + "&vnp_X=%00",
        GOOD + "&vnp_X=%0d%0a",
        GOOD + "&vnp_X=a b",
        GOOD + "&vnp_X=Đ",
        GOOD + "&vnp_%C4%90=1",
        GOOD + "&vnp_X%26vnp_Y=1",
        GOOD + f"&vnp_X={'a' * 1025}",
        GOOD + f"&vnp_X={'a' * 10_240}",
        GOOD + f"&{'a' * 65}=1",
        "&".join(f"a{n}=1" for n in range(65)),
    ],
)
def test_a_query_beyond_the_limits_is_refused(query: str) -> None:
    with pytest.raises(Malformed) as refusal:
        wire.read_notice(query=query.encode(), secret=SECRET)
    assert refusal.value.answer is IpnAnswer.UNKNOWN_ERROR


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vnp_TmnCode", ""),
        ("vnp_TxnRef", ""),
        ("vnp_TxnRef", "A" * 101),
        ("vnp_ResponseCode", "0"),
        ("vnp_ResponseCode", "000"),
        ("vnp_TransactionStatus", ""),
        ("vnp_TransactionNo", "x"),
        ("vnp_PayDate", "20269999000000"),
        ("vnp_BankCode", "B" * 256),
    ],
)
def test_a_signed_notice_with_a_field_of_the_wrong_form_is_refused(name: str, value: str) -> None:
    query = wire.form_encoded(_fields(NOTICE_QUERY) | {name: value})
    with pytest.raises(Malformed):
        wire.read_notice(query=signed(query), secret=SECRET)


def test_unknown_vnp_parameters_are_part_of_what_is_signed() -> None:
    fields = _fields(NOTICE_QUERY) | {"vnp_Anything": "new & old"}
    query = wire.signed_query(fields, secret=SECRET)
    assert "vnp_Amount=25900000&vnp_Anything=new+%26+old&vnp_BankCode" in query
    assert wire.read_notice(query=query.encode(), secret=SECRET) == NOTICE
    with pytest.raises(BadSignature):
        wire.read_notice(query=query.replace("new", "old").encode(), secret=SECRET)


@pytest.mark.parametrize(
    "query",
    [
        GOOD + "&vnp_SecureHashType=HMACSHA512",
        GOOD + "&vnp_SecureHashType=",
        GOOD + "&vnp_Empty=",
        GOOD + "&vnp_Flag",
        "lang=vi&" + GOOD,
        "&".join(reversed(GOOD.split("&"))),
        GOOD.replace(NOTICE_SIGNATURE, NOTICE_SIGNATURE.upper()),
    ],
)
def test_what_is_not_signed_does_not_disturb_a_notice(query: str) -> None:
    assert wire.read_notice(query=query.encode(), secret=SECRET) == NOTICE


@given(st.binary(max_size=400))
def test_no_bytes_whatsoever_make_a_reader_fail_otherwise(junk: bytes) -> None:
    for kind in (QueryRequest, QueryResponse, RefundRequest, RefundResponse):
        with pytest.raises(WireError):
            wire.decode(kind, junk, secret=SECRET)
    with pytest.raises(WireError):
        wire.read_notice(query=junk, secret=SECRET)
    with pytest.raises(WireError):
        wire.read_notice(query=GOOD.replace("&vnp_SecureHash", "").encode() + junk, secret=SECRET)


# --- round trips, and one changed byte ----------------------------------------------------------------------

_PRINTED = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="|")
texts = st.text(_PRINTED, min_size=1, max_size=60)
codes = st.from_regex(r"[0-9]{2}", fullmatch=True)
terminals = st.from_regex(r"[A-Za-z0-9]{8}", fullmatch=True)
refs = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,31}[A-Za-z0-9])?", fullmatch=True)
times = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
amounts = st.integers(1, 9_999_999_999)
infos = st.from_regex(r"[A-Za-z0-9 ._:-]{1,80}", fullmatch=True)
addresses = st.ip_addresses().map(lambda address: wire.ip_addr_for(str(address)))
numbers = st.from_regex(r"[0-9]{1,20}", fullmatch=True)
secrets = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


notices = st.builds(
    Notice,
    tmn_code=terminals,
    txn_ref=texts,
    amount=amounts,
    response_code=codes,
    transaction_status=codes,
    transaction_no=maybe(numbers),
    order_info=maybe(texts),
    bank_code=maybe(texts),
    bank_tran_no=maybe(texts),
    card_type=maybe(texts),
    pay_date=maybe(times),
)
pay_requests = st.builds(
    lambda lasts, **fields: PayRequest(expire_date=fields["create_date"] + timedelta(seconds=lasts), **fields),
    lasts=st.integers(1, 86_400),
    tmn_code=terminals,
    txn_ref=refs,
    amount=amounts,
    order_info=infos,
    create_date=times,
    ip_addr=addresses,
    return_url=st.from_regex(r"https?://[A-Za-z0-9._:/?=&#%-]{3,100}", fullmatch=True),
    locale=st.sampled_from(["vn", "en"]),
    bank_code=maybe(st.sampled_from(["VNPAYQR", "VNBANK", "INTCARD"])),
)
_asked: dict[str, st.SearchStrategy[Any]] = {
    "request_id": st.from_regex(r"[A-Za-z0-9-]{1,32}", fullmatch=True),
    "tmn_code": terminals,
    "txn_ref": refs,
    "transaction_date": times,
    "create_date": times,
    "ip_addr": addresses,
    "order_info": infos,
}
_told: dict[str, st.SearchStrategy[Any]] = {
    "response_id": texts,
    "response_code": codes,
    "message": maybe(texts),
    "tmn_code": maybe(terminals),
    "txn_ref": maybe(texts),
    "amount": maybe(amounts),
    "bank_code": maybe(texts),
    "pay_date": maybe(times),
    "transaction_no": maybe(numbers),
    "transaction_type": maybe(codes),
    "transaction_status": maybe(codes),
    "order_info": maybe(texts),
}
messages = st.one_of(
    st.builds(QueryRequest, **_asked),
    st.builds(
        RefundRequest,
        **_asked,
        transaction_type=st.sampled_from(["02", "03"]),
        amount=amounts,
        transaction_no=maybe(numbers),
        create_by=infos,
    ),
    st.builds(QueryResponse, **_told, promotion_code=maybe(texts), promotion_amount=maybe(numbers)),
    st.builds(RefundResponse, **_told),
)


@given(notices, secrets)
def test_a_notice_that_was_signed_is_verified(notice: Notice, secret: str) -> None:
    query = wire.notice_query(notice=notice, secret=secret)
    assert wire.read_notice(query=query.encode(), secret=secret) == notice
    with pytest.raises(BadSignature):
        wire.read_notice(query=query.encode(), secret=secret + "x")


@given(pay_requests)
def test_a_pay_request_that_was_signed_is_verified(request: PayRequest) -> None:
    page, _, query = wire.pay_url(page="https://p", request=request, secret=SECRET).partition("?")
    assert page == "https://p"
    assert wire.read_pay_request(query=query.encode(), secret=SECRET) == request


@given(messages, secrets)
def test_a_message_that_was_signed_is_verified(message: wire.Sealed, secret: str) -> None:
    body = wire.encode(message, secret=secret)
    assert wire.decode(type(message), body, secret=secret) == message
    with pytest.raises(BadSignature):
        wire.decode(type(message), body, secret=secret + "x")


def _changed(whole: bytes, data: st.DataObject) -> bytes:
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    return whole[:at] + bytes([byte]) + whole[at + 1 :]


@given(notices, st.data())
def test_one_changed_byte_of_a_notice_is_refused_or_means_the_same(notice: Notice, data: st.DataObject) -> None:
    """The same notice has several spellings (`%c3` and `%C3`); no byte changes what is believed."""
    query = _changed(wire.notice_query(notice=notice, secret=SECRET).encode(), data)
    with suppress(WireError):
        assert wire.read_notice(query=query, secret=SECRET) == notice


@given(messages, st.data())
def test_one_changed_byte_of_a_message_is_refused_or_means_the_same(message: wire.Sealed, data: st.DataObject) -> None:
    body = _changed(wire.encode(message, secret=SECRET), data)
    with suppress(WireError):
        assert wire.decode(type(message), body, secret=SECRET) == message


def test_every_changed_byte_of_the_signed_part_of_the_vector_is_refused() -> None:
    """In the vector no value needs an escape, so each byte has exactly one spelling."""
    for at in range(len(NOTICE_QUERY)):
        for byte in (b"0", b"a", b"Z", b"%", b"&", b"=", b"+", b"\x00", b"\xff"):
            query = GOOD.encode()[:at] + byte + GOOD.encode()[at + 1 :]
            if query != GOOD.encode():
                with pytest.raises(WireError):
                    wire.read_notice(query=query, secret=SECRET)


# --- hostile bodies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"text"',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"vnp_X":1.5}',
        b'{"vnp_X":NaN}',
        b'{"vnp_X":true}',
        b'{"vnp_X":{}}',
        b'{"vnp_X":["a"]}',
        b'{"vnp_X":"a","vnp_X":"a"}',
        b'{"vnp_X":"\\ud800"}',
        b'{"vnp_X":"\\u0000"}',
        b'{"vnp X":"a"}',
        b'{"vnp_X":' + b"9" * 5000 + b"}",
        b'{"vnp_X":"' + b"a" * 1025 + b'"}',
        b'{"vnp_X":"' + b"a" * 65_536 + b'"}',
    ],
)
def test_a_body_that_is_no_flat_object_of_texts_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.decode(QueryResponse, body, secret=SECRET)


def test_a_field_named_twice_is_refused_even_with_a_good_signature() -> None:
    body = wire.encode(QUERY_RESPONSE, secret=SECRET)
    twice = b'{"vnp_Amount":"25900000",' + body[1:]
    with pytest.raises(Malformed):
        wire.decode(QueryResponse, twice, secret=SECRET)


def test_a_pipe_cannot_move_a_field_into_its_neighbour() -> None:
    """`a|b` and nothing would sign like `a` and `b`."""
    with pytest.raises(Malformed):
        wire.encode(replace(QUERY_RESPONSE, message="a|b"), secret=SECRET)
    fields = json.loads(wire.encode(QUERY_RESPONSE, secret=SECRET))
    fields["vnp_Message"], fields["vnp_TmnCode"] = "Giao dịch thành công|DEMO0001", None
    with pytest.raises(Malformed):
        wire.decode(QueryResponse, json.dumps(fields).encode(), secret=SECRET)


def test_an_answer_of_another_command_is_refused() -> None:
    fields = json.loads(wire.encode(QUERY_RESPONSE, secret=SECRET))
    fields["vnp_Command"] = "refund"
    values = [fields.get(name) or "" for name in QueryResponse.signed]
    fields["vnp_SecureHash"] = hmac_sha512("|".join(values))
    with pytest.raises(Malformed):
        wire.decode(QueryResponse, json.dumps(fields).encode(), secret=SECRET)


@pytest.mark.parametrize(("said", "claimed"), [("02", "02"), ("<b>", ""), ("", "")])
def test_an_unsigned_answer_is_not_believed_but_its_code_may_be_logged(said: str, claimed: str) -> None:
    body = json.dumps({"vnp_ResponseCode": said, "vnp_Message": "Invalid TmnCode"}).encode()
    with pytest.raises(BadSignature) as refusal:
        wire.decode(QueryResponse, body, secret=SECRET)
    assert refusal.value.claimed == claimed


# --- answers to the IPN -------------------------------------------------------------------------------------


def test_the_answers_to_an_ipn_are_vnpays_to_the_letter() -> None:
    assert [answer.body() for answer in IpnAnswer] == [
        b'{"RspCode":"00","Message":"Confirm Success"}',
        b'{"RspCode":"01","Message":"Order not found"}',
        b'{"RspCode":"02","Message":"Order already confirmed"}',
        b'{"RspCode":"04","Message":"invalid amount"}',
        b'{"RspCode":"97","Message":"Invalid signature"}',
        b'{"RspCode":"99","Message":"Unknown error"}',
    ]


def test_vnpay_reads_the_answer_and_retries_unless_it_is_00_or_02() -> None:
    for answer in IpnAnswer:
        assert IpnAnswer.read(answer.body()) is answer
        assert answer.ends_retries == (answer.code in ("00", "02"))
    for body in (b"", b"OK", b"[]", b'{"RspCode":"98"}', b'{"Message":"Confirm Success"}', b'{"RspCode":0}'):
        assert IpnAnswer.read(body) is None


@pytest.mark.parametrize(
    ("tmn_code", "expected", "is_final", "answer"),
    [
        ("DEMO0001", 259_000, False, IpnAnswer.CONFIRMED),
        ("DEMO0001", 259_000, True, IpnAnswer.ALREADY_CONFIRMED),
        ("DEMO0001", 258_999, False, IpnAnswer.INVALID_AMOUNT),
        ("DEMO0001", 258_999, True, IpnAnswer.INVALID_AMOUNT),
        ("DEMO0001", None, False, IpnAnswer.ORDER_NOT_FOUND),
        ("OTHER001", 259_000, False, IpnAnswer.ORDER_NOT_FOUND),
    ],
)
def test_a_notice_is_answered_order_then_amount_then_finality(
    tmn_code: str, expected: int | None, is_final: bool, answer: IpnAnswer
) -> None:
    assert meaning.ipn_answer_for(NOTICE, tmn_code=tmn_code, expected_amount=expected, is_final=is_final) is answer


# --- what the codes mean ------------------------------------------------------------------------------------

ALL_CODES = [f"{code:02}" for code in range(100)]


def test_a_payment_is_paid_only_if_both_codes_are_00() -> None:
    paid = [
        (response, status)
        for response in ALL_CODES
        for status in ALL_CODES
        if meaning.outcome_for(response, status).verdict is Verdict.PAID
    ]
    assert paid == [("00", "00")]


def test_a_suspicious_payment_is_held_whichever_code_says_so() -> None:
    for code in ALL_CODES:
        for pair in (("07", code), (code, "07")):
            assert meaning.outcome_for(*pair) == meaning.Outcome(Verdict.REVIEW, "payments.reason.suspicious")


@pytest.mark.parametrize(
    ("response", "status", "verdict", "reason"),
    [
        ("24", "02", Verdict.FAILED, "cancelled_by_customer"),
        ("51", "02", Verdict.FAILED, "insufficient_funds"),
        ("05", "02", Verdict.FAILED, "insufficient_funds"),
        ("06", "02", Verdict.FAILED, "wrong_otp"),
        ("13", "02", Verdict.FAILED, "wrong_otp"),
        ("08", "02", Verdict.FAILED, "bank_maintenance"),
        ("09", "02", Verdict.FAILED, "no_internet_banking"),
        ("10", "02", Verdict.FAILED, "wrong_card_data"),
        ("11", "02", Verdict.FAILED, "expired"),
        ("12", "02", Verdict.FAILED, "card_locked"),
        ("65", "02", Verdict.FAILED, "limit_exceeded"),
        ("75", "02", Verdict.FAILED, "bank_maintenance"),
        ("79", "02", Verdict.FAILED, "wrong_password"),
        ("99", "02", Verdict.FAILED, "declined"),
        ("42", "02", Verdict.FAILED, "declined"),
        ("00", "02", Verdict.FAILED, "declined"),
        ("00", "01", Verdict.PENDING, None),
        ("24", "01", Verdict.PENDING, None),
        ("00", "08", Verdict.PENDING, None),
        ("00", "04", Verdict.REVERSED, "reversed"),
        ("99", "04", Verdict.REVERSED, "reversed"),
        ("24", "00", Verdict.REVIEW, "unclear_answer"),
        ("00", "05", Verdict.REVIEW, "unclear_answer"),
        ("00", "06", Verdict.REVIEW, "unclear_answer"),
        ("00", "09", Verdict.REVIEW, "unclear_answer"),
        ("00", "03", Verdict.REVIEW, "unclear_answer"),
        ("", "", Verdict.REVIEW, "unclear_answer"),
    ],
)
def test_the_codes_of_a_payment_have_their_meaning(
    response: str, status: str, verdict: Verdict, reason: str | None
) -> None:
    key = f"payments.reason.{reason}" if reason else None
    assert meaning.outcome_for(response, status) == meaning.Outcome(verdict, key)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.PAID),
        ({"transaction_status": "02"}, Verdict.FAILED),
        ({"transaction_status": "01"}, Verdict.PENDING),
        ({"transaction_status": "07"}, Verdict.REVIEW),
        ({"transaction_status": None}, Verdict.PENDING),
        ({"response_code": "91", "transaction_status": None}, Verdict.PENDING),
        ({"response_code": "94"}, Verdict.PENDING),
        ({"response_code": "97"}, Verdict.PENDING),
        ({"response_code": "99"}, Verdict.PENDING),
        ({"transaction_type": "02"}, Verdict.REVIEW),
        ({"transaction_type": None}, Verdict.REVIEW),
    ],
)
def test_a_query_tells_of_the_payment_only_when_it_succeeded(changes: dict[str, str | None], verdict: Verdict) -> None:
    assert meaning.query_outcome_for(replace(QUERY_RESPONSE, **changes)).verdict is verdict


@pytest.mark.parametrize(
    ("response", "status", "verdict"),
    [
        ("00", "00", Verdict.REFUNDED),
        ("00", "05", Verdict.PENDING),
        ("00", "06", Verdict.PENDING),
        ("00", None, Verdict.PENDING),
        ("00", "09", Verdict.FAILED),
        ("00", "02", Verdict.REVIEW),
        ("00", "07", Verdict.REVIEW),
        ("94", "00", Verdict.PENDING),
        ("99", None, Verdict.PENDING),
        ("02", None, Verdict.FAILED),
        ("03", None, Verdict.FAILED),
        ("91", None, Verdict.FAILED),
        ("95", None, Verdict.FAILED),
        ("97", None, Verdict.FAILED),
        ("16", None, Verdict.REVIEW),
        ("93", "00", Verdict.REVIEW),
    ],
)
def test_the_codes_of_a_refund_have_their_meaning(response: str, status: str | None, verdict: Verdict) -> None:
    assert meaning.refund_outcome_for(response, status).verdict is verdict


def test_a_refund_is_done_only_if_both_codes_are_00() -> None:
    done = [
        (response, status)
        for response in ALL_CODES
        for status in ALL_CODES
        if meaning.refund_outcome_for(response, status).verdict is Verdict.REFUNDED
    ]
    assert done == [("00", "00")]
