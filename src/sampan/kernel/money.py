"""Money: whole minor units and an ISO 4217 currency. No float comes near it, and one rule rounds everything.

Percentages, tax and shares are computed in integers. A split into parts always adds up to the whole.
"""

import re
from collections.abc import Iterable, Sequence
from copy import copy
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Final

import msgspec
from babel import Locale
from babel.numbers import NumberPattern

from sampan.kernel.errors import ShopError

MAX_AMOUNT: Final = 2**63 - 1
MIN_AMOUNT: Final = -(2**63)

Minor = Annotated[int, msgspec.Meta(ge=MIN_AMOUNT, le=MAX_AMOUNT)]
CurrencyCode = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]


class CurrencyMismatch(ShopError, code="kernel.currency_mismatch", status=422):
    """Amounts of two currencies were added, subtracted or compared; the facts are `left` and `right`."""


class UnknownCurrency(ShopError, code="kernel.unknown_currency", status=422):
    """No active ISO 4217 code; the fact is `currency`."""


class AmountOutOfRange(ShopError, code="kernel.amount_out_of_range", status=422):
    """More minor units than 64 bits hold."""


class BadAmount(ShopError, code="kernel.bad_amount", status=422):
    """Not an amount of this currency as anyone writes it, or with more decimals than the currency has."""


# ISO 4217 list one, with fund codes, without metals and test codes. A code that is withdrawn later stays: old
# orders still carry it.
_EXPONENTS: Final[dict[str, int]] = {
    code: digits
    for digits, codes in {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
        "CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
        "GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK "
        "LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO "
        "NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS "
        "SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST "
        "XCD XCG YER ZAR ZMW ZWG",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }.items()
    for code in codes.split()
}


def exponent(currency: str) -> int:
    """How many decimals the currency has: 0 for VND, 2 for USD, 3 for KWD. Raises `UnknownCurrency`."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency("unknown currency", currency=currency[:16]) from None


def currencies() -> frozenset[str]:
    """Every currency code that money may have."""
    return frozenset(_EXPONENTS)


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount in minor units (199000 VND is 199.000 ₫, 1250 USD is $12.50) of one currency.

    Adding, subtracting and comparing refuse a second currency with `CurrencyMismatch`. A result that 64 bits
    do not hold is refused with `AmountOutOfRange`, a code outside ISO 4217 with `UnknownCurrency`.
    """

    amount: Minor
    currency: CurrencyCode

    def __post_init__(self) -> None:
        if self.currency not in _EXPONENTS:
            raise UnknownCurrency("unknown currency", currency=self.currency[:16])
        if not MIN_AMOUNT <= self.amount <= MAX_AMOUNT:
            raise AmountOutOfRange("the amount does not fit in 64 bits")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._amount_of(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._amount_of(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __mul__(self, times: int) -> "Money":
        if type(times) is not int:
            raise TypeError("money is multiplied by whole numbers only; use percent or round_half_up for shares")
        return Money(self.amount * times, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._amount_of(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._amount_of(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._amount_of(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._amount_of(other)

    def is_zero(self) -> bool:
        return self.amount == 0

    def _amount_of(self, other: "Money") -> int:
        if not isinstance(other, Money):
            raise TypeError(f"money and {type(other).__name__} do not mix")
        if other.currency != self.currency:
            raise CurrencyMismatch("amounts of two currencies", left=self.currency, right=other.currency)
        return other.amount


def zero(currency: str) -> Money:
    """Nothing, in a currency."""
    return Money(0, currency)


def total_of(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of amounts that all have this currency; zero of it when there are none."""
    result = zero(currency)
    for amount in amounts:
        result = result + amount
    return result


def round_half_up(numerator: int, denominator: int) -> int:
    """A fraction is rounded to the nearest whole number; exactly a half goes away from zero.

    The one rounding rule. The sign does not matter: a refund is rounded exactly as the sale was.
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return rounded if numerator >= 0 else -rounded


def percent(amount: int, basis_points: int) -> int:
    """A share of an amount in minor units; 100 basis points are one percent."""
    return round_half_up(amount * basis_points, 10_000)


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split a whole by weights so that the parts add up to it exactly (largest remainder method).

    What rounding leaves over goes, one unit each, to the largest remainders, then to the heavier, then to the
    earlier part. A part of weight zero gets nothing, unless all weights are zero: then the parts are equal.
    Raises ValueError for a negative weight, and when there are no parts but something to split.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("weights are not negative")
    if not weights:
        if total:
            raise ValueError("nothing to split it over")
        return []
    shares = weights if any(weights) else [1] * len(weights)
    whole, size = sum(shares), abs(total)
    parts = [size * share // whole for share in shares]
    by_claim = sorted(range(len(shares)), key=lambda at: (-(size * shares[at] % whole), -shares[at], at))
    for at in by_claim[: size - sum(parts)]:
        parts[at] += 1
    return parts if total >= 0 else [-part for part in parts]


def net_of(gross: int, rate_basis_points: int) -> tuple[int, int]:
    """A price that includes tax is split into net, gross × 100 / (100 + rate) rounded, and tax, the rest."""
    net = round_half_up(gross * 10_000, 10_000 + rate_basis_points)
    return net, gross - net


def format_money(money: Money, language: str) -> str:
    """The amount as the language writes it: `199.000 ₫` with a no-break space in `vi`, `₫199,000` in `en`."""
    if money.currency == "VND" and language == "vi":  # what nearly every price of a shop here is
        return f"{money.amount:,}\u00a0₫".replace(",", ".")
    return _formatted(money.amount, money.currency, language)


@lru_cache(maxsize=8192)
def _formatted(amount: int, currency: str, language: str) -> str:
    digits = exponent(currency)
    locale = _locale(language)
    text: str = _pattern(language, digits).apply(
        Decimal(amount).scaleb(-digits), locale, currency=currency, currency_digits=False
    )
    return text


@lru_cache(maxsize=64)
def _pattern(language: str, digits: int) -> NumberPattern:
    # The decimals are those of ISO 4217, not of CLDR, which hides the minor units of some currencies.
    pattern: NumberPattern = copy(_locale(language).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


def _locale(language: str) -> Locale:
    return Locale.parse("en" if language == "qps" else language)


_MACHINE: Final = re.compile(r"(-?)(\d{1,19})(?:\.(\d{1,6}))?", re.ASCII)
# Three digits after a sign are none of its decimals: `1.500k` is a million and a half to who groups, 1.500 ₫ to nobody.
_SHORT_VND: Final = re.compile(r"(\d{1,6})(?:[.,](\d{1,2}))?(k|nghìn|ngàn|tr|triệu)(\d{1,3})?", re.ASCII)


def parse_minor(text: str, currency: str, language: str | None = None) -> int:
    """The minor units of an amount written in major units; the opposite of `format_money`.

    Without a language the machine form is read (`199000`, `12.50`, `-3.5`), as providers send it. With `vi`
    or `en` also what people type: grouping, the currency's sign, and for đồng `259k`, `1tr2`, `1,5 triệu`.
    More decimals than the currency has are refused unless they are zeros. Raises `BadAmount`,
    `UnknownCurrency`, `AmountOutOfRange`.
    """
    digits = exponent(currency)
    sign, units, fraction = _machine_parts(text) if language is None else _typed_parts(text, currency, language)
    if fraction[digits:].strip("0"):
        raise BadAmount("more decimals than the currency has")
    amount = int(sign + units + fraction[:digits].ljust(digits, "0"))
    if not MIN_AMOUNT <= amount <= MAX_AMOUNT:
        raise AmountOutOfRange("the amount does not fit in 64 bits")
    return amount


def _machine_parts(text: str) -> tuple[str, str, str]:
    found = _MACHINE.fullmatch(text)
    if found is None:
        raise BadAmount("not an amount")
    return found[1], found[2], found[3] or ""


def _typed_parts(text: str, currency: str, language: str) -> tuple[str, str, str]:
    if len(text) > 64:
        raise BadAmount("not an amount")
    bare = "".join(text.split()).lower().replace("\u2212", "-")
    locale = _locale(language)
    for mark in (
        currency.lower(),
        locale.currency_symbols.get(currency, currency).lower(),
        "₫",
        "đồng",
        "đ",
        "vnd",
    ):
        if mark in ("₫", "đồng", "đ", "vnd") and currency != "VND":
            continue
        if bare.removeprefix("-").startswith(mark):
            bare = bare.replace(mark, "", 1)
            break
        if bare.endswith(mark):
            bare = bare.removesuffix(mark)
            break
    if currency == "VND" and (short := _SHORT_VND.fullmatch(bare)):
        return "", _short_vnd(short), ""
    group, point = (".", ",") if locale.language == "vi" else (",", ".")
    if exponent(currency) == 0 and re.fullmatch(r"-?\d{1,3}(,\d{3})+|-?\d{1,3}(\.\d{3})+", bare, re.ASCII):
        return _machine_parts(bare.replace(",", "").replace(".", ""))  # no decimals, so either sign can only group
    if re.fullmatch(rf"-?(\d+|\d{{1,3}}(\{group}\d{{3}})+)(\{point}\d+)?", bare, re.ASCII) is None:
        raise BadAmount("not an amount")
    return _machine_parts(bare.replace(group, "").replace(point, "."))


def _short_vnd(found: re.Match[str]) -> str:
    units, fraction, word, tail = found[1], found[2], found[3], found[4]
    if fraction and tail:
        raise BadAmount("not an amount")
    zeros = 3 if word in ("k", "nghìn", "ngàn") else 6
    return units + (fraction or tail or "").ljust(zeros, "0")
