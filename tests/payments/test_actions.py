"""What payments does for orders, and what the database holds whatever anybody does."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

import sampan.services.payments
from sampan.kernel.errors import Conflict, Invalid, NotFound
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.kernel.outbound import Outbound
from sampan.kernel.settings import BadSetting, Settings, development_secret, home_secret, load
from sampan.services.payments.actions.payments_actions import PaymentsActions
from sampan.services.payments.contract import AlreadyPaid, GivenUp, MethodNotAvailable, Payments, UnknownPayment
from sampan.services.payments.providers.vnpay.provider import vnpay_from
from sampan.services.payments.rules.case import NotHeld
from sampan.services.payments.store import checks

VND = "VND"
SECRET = "a secret for tests only, of more than 32 characters"


def settings(tmp_path: Any, *, production: bool = False, **values: str) -> Settings:
    more = {"database_url": "postgresql://db.example/shop"} if production else {}
    return load(
        {f"SAMPAN_{name}": value for name, value in values.items()},
        home=str(tmp_path),
        secret=SECRET,
        mode="production" if production else "development",
        public_url="https://shop.example",
        **more,
    )


def actions(till: Any, found: Settings) -> PaymentsActions:
    """Payments with other settings, on the same database."""
    return PaymentsActions(till.db, replace(till.shop.ground, settings=found))


# --- ways to pay


async def test_the_ways_to_pay_are_named_in_the_language_of_the_customer(till: Any) -> None:
    for language, names in (
        ("vi", ["Thanh toán khi nhận hàng (COD)", "VNPay: thẻ ATM, mã QR, thẻ quốc tế"]),
        ("en", ["Cash on delivery (COD)", "VNPay: ATM card, QR code, international card"]),
    ):
        found = await till.payments.methods_for(
            market="VN", total=Money(1, VND), cod_fee=None, cod_limit=Money(1, VND), language=language
        )
        assert [method.name for method in found] == names
        assert all(method.available for method in found)


async def test_cash_has_its_fee_and_the_lower_of_two_limits(till: Any) -> None:
    async def cash(total: int, limit: int | None) -> Any:
        found = await till.payments.methods_for(
            market="VN",
            total=Money(total, VND),
            cod_fee=Money(15_000, VND),
            cod_limit=None if limit is None else Money(limit, VND),
        )
        return next(method for method in found if method.code == "cod")

    assert (await cash(100_000, 3_000_000)).fee == Money(15_000, VND)
    assert (await cash(100_000, 3_000_000)).limit == Money(3_000_000, VND)
    assert (await cash(100_000, 90_000_000)).limit == Money(20_000_000, VND)
    assert (await cash(3_000_000, 3_000_000)).available
    assert (await cash(3_000_001, 3_000_000)).reason == "payments.reason.over_limit"
    assert (await cash(20_000_001, 90_000_000)).reason == "payments.reason.over_limit"
    assert (await cash(1, None)).reason == "payments.reason.delivery_takes_no_cash"


async def test_a_market_that_is_not_served_and_another_currency_have_no_ways_to_pay(till: Any) -> None:
    for market, total in (("US", Money(1, VND)), ("VN", Money(1, "USD"))):
        found = await till.payments.methods_for(market=market, total=total, cod_fee=None, cod_limit=None)
        assert found == []


async def test_nothing_to_pay_needs_no_bank(till: Any) -> None:
    found = await till.payments.methods_for(market="VN", total=Money(0, VND), cod_fee=None, cod_limit=Money(1, VND))
    assert [(method.code, method.reason) for method in found] == [
        ("cod", None),
        ("vnpay", "payments.reason.nothing_to_pay"),
    ]
    payment = await till.open(method="cod", amount=Money(0, VND))
    await till.deliver(payment)
    assert (await till.look(payment)).status == "cod_collected"


async def test_a_way_to_pay_that_is_switched_off_takes_no_new_payment_and_finishes_old_ones(
    till: Any, tmp_path: Any
) -> None:
    off = actions(till, settings(tmp_path, PAYMENTS_OFF="vnpay"))
    found = await off.methods_for(market="VN", total=Money(1, VND), cod_fee=None, cod_limit=Money(1, VND))
    assert [(method.code, method.reason) for method in found] == [
        ("cod", None),
        ("vnpay", "payments.reason.switched_off"),
    ]
    with pytest.raises(MethodNotAvailable) as refusal:
        await till.open(by=off)
    assert refusal.value.facts == {"reason": "payments.reason.switched_off"}
    payment = await till.open()
    await off.take_notice(provider="vnpay", raw=till.notice(payment).encode())
    await off.close()
    assert (await till.look(payment)).status == "paid"


async def test_a_muted_copy_of_a_shop_offers_no_payment_with_a_provider(till: Any, tmp_path: Any) -> None:
    muted = actions(till, settings(tmp_path, MUTED="yes"))
    found = await muted.methods_for(market="VN", total=Money(1, VND), cod_fee=None, cod_limit=Money(1, VND))
    assert {method.code: method.available for method in found} == {"cod": True, "vnpay": False}
    with pytest.raises(MethodNotAvailable):
        await till.open(by=muted)


# --- opening


@pytest.mark.parametrize(
    ("method", "amount", "reason"),
    [
        ("momo", Money(1000, VND), "unknown_method"),
        ("", Money(1000, VND), "unknown_method"),
        ("cod", Money(20_000_001, VND), "over_limit"),
        ("cod", Money(1000, "USD"), "other_currency"),
        ("vnpay", Money(10_000_000_000, VND), "over_limit"),
        ("vnpay", Money(1000, "USD"), "other_currency"),
        ("vnpay", Money(0, VND), "nothing_to_pay"),
        ("vnpay", Money(-1, VND), "nothing_to_pay"),
    ],
)
async def test_what_cannot_be_paid_this_way_is_refused_and_leaves_nothing(
    till: Any, method: str, amount: Money, reason: str
) -> None:
    order_id = uuid7()
    with pytest.raises(MethodNotAvailable) as refusal:
        await till.open(order_id=order_id, method=method, amount=amount)
    assert refusal.value.facts == {"reason": f"payments.reason.{reason}"}
    assert await till.payments.find_payment(order_id=order_id) is None


async def test_an_order_whose_time_is_over_is_not_opened(till: Any) -> None:
    with pytest.raises(MethodNotAvailable) as refusal:
        await till.open(minutes=0)
    assert refusal.value.facts == {"reason": "payments.reason.expired"}


@pytest.mark.parametrize("return_url", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
async def test_the_payer_comes_back_to_this_shop_only(till: Any, return_url: str) -> None:
    with pytest.raises(Invalid):
        await till.open(return_url=return_url)


async def test_a_number_that_no_provider_takes_is_refused(till: Any) -> None:
    with pytest.raises(Invalid):
        await till.payments.open(
            order_id=uuid7(),
            order_number="ĐH 1",
            attempt=1,
            method="cod",
            amount=Money(1, VND),
            return_url="/",
            client_ip="",
            language="vi",
            expires_at=datetime(2100, 1, 1, tzinfo=UTC),
        )


@pytest.mark.parametrize("client_ip", ["", "unknown", "2001:db8::/64", "::ffff:203.0.113.9", "203.0.113.7"])
async def test_any_client_address_will_do(till: Any, client_ip: str) -> None:
    payment = await till.open(client_ip=client_ip)
    assert "vnp_IpAddr=" in payment.action.url
    assert (await till.visit(payment)).status_code == 200


async def test_a_paid_order_is_not_paid_again(till: Any) -> None:
    paid, cash = await till.pay(), await till.open(method="cod")
    for payment in (paid, cash):
        with pytest.raises(AlreadyPaid):
            await till.open(order_id=payment.order_id, attempt=2)
        assert await till.open(order_id=payment.order_id, method=payment.method) == payment


async def test_a_payment_without_a_page_has_no_action_any_more(till: Any) -> None:
    payment = await till.open()
    assert payment.action.kind == "redirect"
    await till.tell(till.notice(payment, response_code="24", transaction_status="02"))
    assert (await till.look(payment)).action.kind == "none"
    async with till.db.read() as tx:
        kept = await tx.one(bool, "SELECT action IS NULL FROM payments.attempt WHERE id = $1", payment.id)
    assert kept  # the address holds the payer's own, and is of no use now


# --- finding and asking


async def test_an_order_without_a_payment(till: Any) -> None:
    order_id = uuid7()
    assert await till.payments.find_payment(order_id=order_id) is None
    assert await till.payments.list_refunds(order_id=order_id) == []
    for call in (
        till.payments.ask(order_id=order_id),
        till.payments.refund(order_id=order_id, key="k", amount=Money(1, VND), reason="r"),
    ):
        with pytest.raises(UnknownPayment):
            await call
    assert await till.payments.give_up(order_id=order_id, reason="customer") is None
    with pytest.raises(GivenUp):
        await till.open(order_id=order_id)


async def test_the_bank_is_asked_at_most_every_two_seconds_for_one_payment(till: Any) -> None:
    payment = await till.open()
    calls = till.shop.ground.outbound.stats()["vnpay"].calls if "vnpay" in till.shop.ground.outbound.stats() else 0
    for _ in range(5):
        assert (await till.payments.ask(order_id=payment.order_id)).status == "pending"
    assert till.shop.ground.outbound.stats()["vnpay"].calls == calls + 1


async def test_the_contract_is_kept(till: Any) -> None:
    client = till.shop.client(Payments)
    payment = await till.open()
    assert await client.find_payment(order_id=payment.order_id) == payment


# --- refunds


async def test_a_refund_is_one_for_its_key_and_never_of_another_amount(till: Any) -> None:
    payment = await till.pay()
    amount = Money(1_000, VND)
    first = await till.payments.refund(order_id=payment.order_id, key="k", amount=amount, reason="torn")
    again = await till.payments.refund(order_id=payment.order_id, key="k", amount=amount, reason="torn")
    assert (first, again.reason) == (again, "torn")
    with pytest.raises(Conflict):
        await till.payments.refund(order_id=payment.order_id, key="k", amount=Money(2_000, VND), reason="torn")
    with pytest.raises(Invalid):
        await till.payments.refund(order_id=payment.order_id, key="", amount=amount, reason="torn")
    with pytest.raises(Invalid):
        await till.payments.refund(order_id=payment.order_id, key="usd", amount=Money(1, "USD"), reason="torn")


async def test_cash_is_paid_back_by_a_person(till: Any) -> None:
    payment = await till.open(method="cod")
    await till.deliver(payment)
    await till.payments.give_up(order_id=payment.order_id, reason="customer")
    (refund,) = await till.payments.list_refunds(order_id=payment.order_id)
    assert (refund.status, refund.amount) == ("requested", payment.amount)
    await till.work()
    assert (await till.look(payment)).status == "cod_collected"  # nobody but a person can pay it out
    await till.payments.settle_payout(refund_id=refund.id, reference="FT1")
    assert (await till.look(payment)).status == "refunded"
    with pytest.raises(NotFound):
        await till.payments.settle_payout(refund_id=refund.id, reference="FT1")


async def test_what_nobody_holds_cannot_be_decided(till: Any) -> None:
    with pytest.raises(NotHeld):
        await till.payments.decide(fact_id=uuid7(), decision="accepted", note="x")


# --- the books


async def statement_fails(till: Any, sql: str, *values: Any) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with till.db.begin() as tx:
            await tx.execute(sql, *values)


async def test_the_books_cannot_be_changed_or_emptied(till: Any) -> None:
    await till.pay()
    for table in ("ledger_transaction", "ledger_entry"):
        await statement_fails(till, f"DELETE FROM payments.{table}")
        await statement_fails(till, f"TRUNCATE payments.{table} CASCADE")
    await statement_fails(till, "UPDATE payments.ledger_entry SET amount = amount + 1")


async def test_the_database_refuses_what_does_not_balance(till: Any) -> None:
    payment = await till.pay()
    add = "INSERT INTO payments.ledger_transaction (transaction_id, order_id, kind, subject) VALUES ($1, $2, $3, $4)"
    entry = "INSERT INTO payments.ledger_entry VALUES ($1, $2, 'bank', $3, $4)"

    async def book(*lines: tuple[int, str]) -> None:
        async with till.db.begin() as tx:
            transaction_id = uuid7()
            await tx.execute(add, transaction_id, payment.order_id, "payout", uuid7())
            for number, (amount, currency) in enumerate(lines, 1):
                await tx.execute(entry, transaction_id, number, amount, currency)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="no entries"):
        await book()
    for lines in ([(1, VND)], [(5, VND), (-4, VND)], [(5, VND), (-5, "USD")]):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not balance"):
            await book(*lines)
    await statement_fails(
        till, add, uuid7(), payment.order_id, "capture", payment.id
    )  # the money of an attempt moves once


async def test_the_database_holds_the_bounds(till: Any) -> None:
    payment = await till.pay()
    for change in (
        "captured = authorised + 1",
        "refunded = captured + 1",
        "refunded = -1",
        "returned = 1",
    ):
        await statement_fails(till, f"UPDATE payments.intent SET {change} WHERE order_id = $1", payment.order_id)
    await statement_fails(till, "UPDATE payments.attempt SET refunded = captured + 1 WHERE id = $1", payment.id)


class Undo(Exception):
    """Nothing of what was done in a test stays."""


async def violations_after(till: Any, damage: str, key: Any) -> list[str]:
    """What the checks say of a damage that does not last."""
    found: list[str] = []
    try:
        async with till.db.begin() as tx:
            assert await checks.violations(tx) == []
            await tx.execute(damage, key)
            found = await checks.violations(tx)
            raise Undo
    except Undo:
        return found


REFUND = """
INSERT INTO payments.refund (id, order_id, attempt_id, number, reference, key, amount, currency, status, reason,
                             by_hand, made_at)
SELECT gen_random_uuid(), order_id, id, 9, reference || 'R9', 'x', 1, 'VND', '{}', 'x', false, now() - interval '{}'
  FROM payments.attempt WHERE order_id = $1
"""
INTENT, ATTEMPT = (f"UPDATE payments.{table} SET {{}} WHERE order_id = $1" for table in ("intent", "attempt"))
AN_HOUR_AGO = "changed_at = now() - interval '1 hour'"
# A transaction that nothing stands behind; and one that does not balance.
BOOKED = """
WITH made AS (
    INSERT INTO payments.ledger_transaction (transaction_id, order_id, kind, subject)
    SELECT gen_random_uuid(), $1, '{}', gen_random_uuid() RETURNING transaction_id
)
INSERT INTO payments.ledger_entry (transaction_id, line, account, amount, currency)
SELECT transaction_id, line, account, amount, 'VND'
  FROM made, (VALUES (1, 'provider:vnpay', 5), (2, 'sales', {})) AS e (line, account, amount)
"""


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (BOOKED.format("payout", -4), "does not balance"),
        (BOOKED.format("payout", -4), "do not add up to nothing"),
        (INTENT.format("authorised = authorised + 1"), "are not the sums of its attempts"),
        (INTENT.format("authorised = authorised + 1, captured = captured + 1"), "are not the sums of its attempts"),
        (INTENT.format("refunded = 1"), "are not the sums of its attempts"),
        (INTENT.format("refunded = 1, returned = 1"), "are not the sums of its attempts"),
        *(
            (BOOKED.format(kind, -5), "are not those in the books")
            for kind in ("authorisation", "capture", "cod_collected", "refund", "refund_failed", "refund_settled")
        ),
        (ATTEMPT.format("refunded = 1"), "has not given back what its refunds say"),
        (
            f"WITH granted AS ({ATTEMPT.format('refunded = 1')}) " + REFUND.format("settled", "0"),
            "has not given back what its refunds say",
        ),
        (INTENT.format("status = 'failed'"), "is failed with 259000 captured"),
        (ATTEMPT.format("status = 'review', captured = 0"), "is paid with 259000 captured"),
        (INTENT.format(f"given_up = 'x', {AN_HOUR_AGO}"), "has not been on its way back"),
        (
            f"WITH old AS ({INTENT.format(AN_HOUR_AGO)}) " + ATTEMPT.format("surplus = 'twice'"),
            "has not been on its way back",
        ),
        (ATTEMPT.format("ask_at = now() - interval '2 hours'"), "was to be asked about"),
        (
            "UPDATE payments.fact SET applied_at = NULL, at = now() - interval '1 hour' WHERE order_id = $1",
            "has not been looked at",
        ),
        (REFUND.format("requested", "2 hours"), "has been requested since"),
        (REFUND.format("sent", "8 days"), "has been sent since"),
    ],
)
async def test_what_is_broken_is_named(till: Any, damage: str, sentence: str) -> None:
    payment = await till.pay()
    found = await violations_after(till, damage, payment.order_id)
    assert any(sentence in each for each in found), found


async def test_cash_in_the_books_that_nobody_owes_is_named(till: Any) -> None:
    payment = await till.open(method="cod")
    found = await violations_after(till, "UPDATE payments.attempt SET owed = 0 WHERE id = $1", payment.id)
    assert any("cash to be collected" in each for each in found)


# --- settings


def test_vnpay_without_keys_is_the_stand_in_in_development_and_absent_in_production(tmp_path: Any) -> None:
    made = vnpay_from(settings(tmp_path), Outbound())
    assert made is not None
    assert made._settings.pay_url == "https://shop.example/sandbox/vnpay/paymentv2/vpcpay.html"
    assert made._secret == development_secret(SECRET, "vnpay") != development_secret(SECRET, "momo")
    assert vnpay_from(settings(tmp_path, production=True), Outbound()) is None


def test_a_development_shop_without_a_secret_makes_its_keys_from_that_of_its_home(tmp_path: Any) -> None:
    made = vnpay_from(load({}, home=str(tmp_path), public_url="http://localhost:8000"), Outbound())
    assert made is not None
    assert made._secret == development_secret(home_secret(tmp_path), "vnpay")


def test_vnpay_with_keys_talks_to_vnpay(tmp_path: Any) -> None:
    keys = {"VNPAY_TMN_CODE": "DEMO0001", "VNPAY_HASH_SECRET": "SPECVNPAYSECRET0123456789ABCDEFG"}
    for production, host in ((False, "https://sandbox.vnpayment.vn/"), (True, "https://pay.vnpay.vn/")):
        made = vnpay_from(settings(tmp_path, production=production, **keys), Outbound())
        assert made is not None
        assert made._settings.pay_url.startswith(host)
    own = vnpay_from(settings(tmp_path, VNPAY_API_URL="http://127.0.0.1:9/api", **keys), Outbound())
    assert own is not None
    assert own._settings.api_url == "http://127.0.0.1:9/api"


@pytest.mark.parametrize(
    "values",
    [
        {"VNPAY_TMN_CODE": "DEMO0001"},
        {"VNPAY_HASH_SECRET": "x"},
        {"VNPAY_TMN_CODE": "DEMO", "VNPAY_HASH_SECRET": "x"},
        {"VNPAY_TMN_CODE": "DEMO0001", "VNPAY_HASH_SECRET": "x", "VNPAY_PAY_URL": "ftp://x"},
        {"VNPAY_MINUTES": "0"},
        {"VNPAY_LIMIT": "0"},
        {"VNPAY_LIMIT": "many"},
        {"VNPAY_SERVER_IP": "here"},
    ],
)
def test_a_start_with_half_of_the_keys_or_a_wrong_value_is_refused(tmp_path: Any, values: dict[str, str]) -> None:
    with pytest.raises(BadSetting, match="SAMPAN_VNPAY_"):
        vnpay_from(settings(tmp_path, **values), Outbound())


def test_production_talks_to_vnpay_by_https_only(tmp_path: Any) -> None:
    keys = {"VNPAY_TMN_CODE": "DEMO0001", "VNPAY_HASH_SECRET": "x", "VNPAY_API_URL": "http://pay.example"}
    with pytest.raises(BadSetting, match="SAMPAN_VNPAY_API_URL"):
        vnpay_from(settings(tmp_path, production=True, **keys), Outbound())


async def test_a_shop_without_vnpay_knows_no_notice_of_it(till: Any, tmp_path: Any) -> None:
    without = actions(till, settings(tmp_path, production=True))
    with pytest.raises(NotFound):
        await without.take_notice(provider="vnpay", raw=b"")
    assert await without.way_back(provider="vnpay", raw=b"") == "/"
    found = await without.methods_for(market="VN", total=Money(1, VND), cod_fee=None, cod_limit=Money(1, VND))
    assert [method.code for method in found] == ["cod"]


async def test_an_attempt_of_a_way_to_pay_that_is_gone_is_refused(till: Any, tmp_path: Any) -> None:
    payment = await till.open()
    await till.forget_opening(payment)
    with pytest.raises(MethodNotAvailable):
        await till.open(order_id=payment.order_id, by=actions(till, settings(tmp_path, production=True)))


async def test_settings_of_cash_and_switches_are_checked_at_the_start(till: Any, tmp_path: Any) -> None:
    for values in ({"COD_LIMIT": "-1"}, {"PAYMENTS_OFF": "paypal"}):
        with pytest.raises(BadSetting):
            actions(till, settings(tmp_path, **values))
    lower = actions(till, settings(tmp_path, COD_LIMIT="5000", COD_MARKETS="VN, LA"))
    found = await lower.methods_for(market="LA", total=Money(5_001, VND), cod_fee=None, cod_limit=Money(9_000, VND))
    assert [(method.code, method.reason) for method in found] == [("cod", "payments.reason.over_limit")]


def test_every_reason_has_its_text_in_both_languages(till: Any) -> None:
    folder = Path(next(iter(sampan.services.payments.__path__)))
    keys = {
        key
        for file in folder.rglob("*.py")
        for key in re.findall(r"payments\.(?:reason|refund)\.[a-z_]+", file.read_text())
    }
    assert len(keys) > 30
    for language in ("vi", "en"):
        texts = till.payments.texts.texts(language)
        assert not {key for key in keys if key not in texts}
        assert not [key for key in texts if "!" in texts(key)]
