from collections.abc import Callable
from fractions import Fraction
from math import floor
from operator import add, ge, gt, le, lt, sub

import msgspec
import pytest
from babel.numbers import format_currency
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.money import (
    MAX_AMOUNT,
    MIN_AMOUNT,
    AmountOutOfRange,
    BadAmount,
    CurrencyMismatch,
    Money,
    UnknownCurrency,
    allocate,
    currencies,
    exponent,
    format_money,
    net_of,
    parse_minor,
    percent,
    round_half_up,
    total_of,
    zero,
)

amounts = st.integers(-(10**15), 10**15)
codes = st.sampled_from(sorted(currencies()))


@given(amounts, amounts, codes)
def test_money_of_one_currency_adds_subtracts_and_compares_like_its_amounts(a: int, b: int, code: str) -> None:
    one, other = Money(a, code), Money(b, code)
    assert one + other == Money(a + b, code)
    assert one - other == Money(a - b, code)
    assert -one == Money(-a, code)
    assert (one < other, one <= other, one > other, one >= other) == (a < b, a <= b, a > b, a >= b)
    assert one * 3 == 3 * one == one + one + one
    assert total_of([one, other], code) == one + other


@pytest.mark.parametrize("operation", [add, sub, lt, le, gt, ge])
def test_two_currencies_do_not_mix(operation: Callable[[Money, Money], object]) -> None:
    with pytest.raises(CurrencyMismatch) as refused:
        operation(Money(1, "VND"), Money(1, "USD"))
    assert refused.value.status == 422
    assert refused.value.facts == {"left": "VND", "right": "USD"}


def test_a_sum_of_several_currencies_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        total_of([Money(1, "USD")], "VND")


def test_the_same_amount_in_another_currency_is_not_equal() -> None:
    assert Money(1, "VND") != Money(1, "JPY")


def test_nothing_is_zero_in_its_currency() -> None:
    assert zero("VND").is_zero()
    assert not Money(1, "VND").is_zero()
    assert total_of([], "VND") == zero("VND")


def test_money_is_multiplied_by_whole_numbers_only() -> None:
    for factor in (1.5, True, "2"):
        with pytest.raises(TypeError):
            Money(10, "VND") * factor  # type: ignore[operator]
    with pytest.raises(TypeError):
        Money(10, "VND") + 5  # type: ignore[operator]


def test_money_stays_within_64_bits() -> None:
    assert Money(MAX_AMOUNT, "VND").amount == MAX_AMOUNT
    with pytest.raises(AmountOutOfRange):
        Money(MAX_AMOUNT, "VND") + Money(1, "VND")
    with pytest.raises(AmountOutOfRange):
        Money(MIN_AMOUNT, "VND") - Money(1, "VND")
    with pytest.raises(AmountOutOfRange):
        Money(2**62, "VND") * 2
    with pytest.raises(AmountOutOfRange):
        -Money(MIN_AMOUNT, "VND")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"amount": 2**63, "currency": "VND"}, Money)


def test_only_iso_currencies_exist() -> None:
    for code in ("ZZZ", "vnd", "", "VN₫"):
        with pytest.raises(UnknownCurrency):
            Money(1, code)
        with pytest.raises(UnknownCurrency):
            exponent(code)
    with pytest.raises(UnknownCurrency):
        msgspec.json.decode(b'{"amount":1,"currency":"ABC"}', type=Money)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"amount":1.5,"currency":"VND"}', type=Money)


def test_money_travels_as_minor_units_and_a_code() -> None:
    assert msgspec.json.encode(Money(199000, "VND")) == b'{"amount":199000,"currency":"VND"}'


@pytest.mark.parametrize(
    ("code", "digits"),
    [
        ("VND", 0),
        ("JPY", 0),
        ("KRW", 0),
        ("USD", 2),
        ("EUR", 2),
        ("KWD", 3),
        ("TND", 3),
        ("CLF", 4),
        ("LAK", 2),
        ("IDR", 2),
    ],
)
def test_a_currency_has_the_decimals_of_iso_4217(code: str, digits: int) -> None:
    assert exponent(code) == digits


# --- the one rounding rule


@given(st.integers(-(10**24), 10**24), st.integers(1, 10**12))
def test_a_half_is_rounded_away_from_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    expected = floor(abs(exact) + Fraction(1, 2))
    assert round_half_up(numerator, denominator) == (expected if exact >= 0 else -expected)
    assert round_half_up(-numerator, denominator) == round_half_up(numerator, -denominator)
    assert round_half_up(-numerator, denominator) == -round_half_up(numerator, denominator)


def test_rounding_examples() -> None:
    assert [round_half_up(n, 2) for n in (1, 3, -1, -3, 0)] == [1, 2, -1, -2, 0]
    assert [round_half_up(n, 10) for n in (4, 5, 14, 15, -4, -5)] == [0, 1, 1, 2, 0, -1]
    with pytest.raises(ZeroDivisionError):
        round_half_up(1, 0)


def test_percentages_are_in_basis_points() -> None:
    assert percent(199_000, 1_000) == 19_900
    assert percent(199_995, 1_000) == 20_000
    assert percent(-199_995, 1_000) == -20_000
    assert percent(333, 3_333) == 111


# --- shares


@given(amounts, st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_parts_always_add_up_to_the_whole(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    assert parts == allocate(total, weights)
    if any(weights):
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - Fraction(total * weight, sum(weights))) < 1
            assert weight or part == 0
            assert part * total >= 0
    assert allocate(-total, weights) == [-part for part in parts]


@given(amounts, st.lists(st.integers(0, 10**6), min_size=2, max_size=20))
def test_the_heavier_part_never_gets_less(total: int, weights: list[int]) -> None:
    pairs = sorted(zip(weights, allocate(abs(total), weights), strict=True))
    assert [part for _, part in pairs] == sorted(part for _, part in pairs)


def test_what_is_left_over_goes_to_the_largest_remainder_then_the_heavier_then_the_earlier_part() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(10, [1, 3]) == [2, 8]
    assert allocate(1, [1, 2]) == [0, 1]
    assert allocate(10_000, [0, 0]) == [5_000, 5_000]
    assert allocate(7, [0, 5, 0]) == [0, 7, 0]
    assert allocate(0, []) == []


def test_impossible_splits_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to split"):
        allocate(1, [])
    with pytest.raises(ValueError, match="negative"):
        allocate(1, [1, -1])


# --- tax


@given(amounts, st.sampled_from([0, 500, 800, 1000, 2000]))
def test_net_and_tax_add_up_to_the_gross_price(gross: int, rate: int) -> None:
    net, tax = net_of(gross, rate)
    assert net + tax == gross
    assert abs(Fraction(gross * 10_000, 10_000 + rate) - net) <= Fraction(1, 2)


def test_the_net_price_is_the_rounded_share_of_the_gross_price() -> None:
    assert net_of(259_000, 800) == (239_815, 19_185)
    assert net_of(110_000, 1_000) == (100_000, 10_000)
    assert net_of(-110_000, 1_000) == (-100_000, -10_000)
    assert net_of(199_000, 0) == (199_000, 0)


# --- writing and reading


def test_money_is_written_as_the_language_writes_it() -> None:
    assert format_money(Money(199_000, "VND"), "vi") == "199.000\u00a0₫"
    assert format_money(Money(199_000, "VND"), "en") == "₫199,000"
    assert format_money(Money(123_450, "USD"), "en") == "$1,234.50"
    assert format_money(Money(123_450, "USD"), "vi") == "1.234,50\u00a0US$"
    assert format_money(Money(1_234_567, "KWD"), "vi") == "1.234,567\u00a0KWD"
    assert format_money(Money(12_345, "LAK"), "en") == "LAK123.45"
    assert format_money(Money(199_000, "VND"), "qps") == "₫199,000"


@given(amounts)
def test_the_short_way_to_write_dong_is_the_way_of_babel(amount: int) -> None:
    assert format_money(Money(amount, "VND"), "vi") == format_currency(amount, "VND", locale="vi")


@given(amounts, st.sampled_from(["VND", "USD", "EUR", "KWD", "CLF", "JPY", "THB"]), st.sampled_from(["vi", "en"]))
def test_what_is_written_can_be_read_again(amount: int, code: str, language: str) -> None:
    assert parse_minor(format_money(Money(amount, code), language), code, language) == amount


@pytest.mark.parametrize(
    "typed",
    [
        "1.200.000",
        "1,200,000",
        "1200000",
        "1.200.000đ",
        "₫1.200.000",
        "1tr2",
        "1,2tr",
        "1.2 triệu",
        "1200k",
        "1.200.000 VND",
    ],
)
def test_dong_is_read_as_people_type_it(typed: str) -> None:
    assert parse_minor(typed, "VND", "vi") == 1_200_000


def test_the_machine_form_is_a_plain_decimal() -> None:
    assert parse_minor("12.50", "USD") == 1250
    assert parse_minor("-3.5", "USD") == -350
    assert parse_minor("199000", "VND") == 199_000
    assert parse_minor("199000.00", "VND") == 199_000


@pytest.mark.parametrize(
    ("text", "code", "language"),
    [
        ("12.505", "USD", None),
        ("0.5", "VND", None),
        ("1,000", "USD", None),
        ("1e5", "VND", None),
        ("", "VND", None),
        ("+5", "VND", None),
        ("١٢", "VND", None),
        ("12.50", "USD", "vi"),
        ("1.23.456", "VND", "vi"),
        ("1tr2k", "VND", "vi"),
        ("1,5tr2", "VND", "vi"),
        ("1.500k", "VND", "vi"),
        ("1.500 triệu", "VND", "vi"),
        ("5 US$", "VND", "vi"),
        ("5đ", "USD", "vi"),
        ("9" * 10_000, "VND", "vi"),
        ("9" * 10_000, "VND", None),
    ],
)
def test_what_is_not_an_amount_is_refused(text: str, code: str, language: str | None) -> None:
    with pytest.raises(BadAmount):
        parse_minor(text, code, language)


def test_an_amount_beyond_64_bits_is_refused() -> None:
    assert parse_minor(str(MAX_AMOUNT), "VND") == MAX_AMOUNT
    with pytest.raises(AmountOutOfRange):
        parse_minor(str(MAX_AMOUNT + 1), "VND")
    with pytest.raises(AmountOutOfRange):
        parse_minor("999999999999999999.99", "USD")
