"""The rules of prices and quotes, without a database."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import Conflict, Invalid
from sampan.kernel.money import CurrencyMismatch, Money, net_of, percent
from sampan.services.pricing import rules
from sampan.services.pricing.contract import NewPrice, Quote, QuoteItem
from sampan.services.pricing.rules import Candidate, Priced, Taxed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EIGHT = Taxed("taxed", 800)


def candidate(
    amount: int,
    *,
    list: str = "base",
    type: str = "base",
    priority: int = 0,
    starts_at: datetime | None = None,
    valid_from: datetime | None = None,
    compare_at: int | None = None,
) -> Candidate:
    return Candidate(list, type, priority, starts_at, valid_from, amount, compare_at)


def sale(amount: int, **more: object) -> Candidate:
    return candidate(amount, **{"list": "tet", "type": "sale", "priority": 10, **more})  # type: ignore[arg-type]


def test_the_list_with_the_highest_priority_counts() -> None:
    low = candidate(90, list="low", type="override", priority=1, valid_from=NOON)
    high = candidate(95, list="high", type="override", priority=2)
    assert rules.winner_of([candidate(100), high, low]) == high


def test_of_equal_priorities_the_price_that_began_last_counts() -> None:
    early = candidate(90, list="a", type="override", priority=5, starts_at=NOON - timedelta(days=2))
    late = candidate(80, list="b", type="override", priority=5, valid_from=NOON - timedelta(days=1))
    assert rules.winner_of([late, early]) == late
    assert rules.winner_of([early, late]) == late
    newest = candidate(70, list="c", type="override", priority=5, starts_at=NOON)
    assert rules.winner_of([late, newest, early]) == newest


def test_a_dated_price_counts_over_the_undated_one_of_its_list() -> None:
    dated = candidate(80, valid_from=NOON)
    assert rules.winner_of([candidate(100), dated]) == dated


@given(st.permutations(["c", "a", "b"]))
def test_of_wholly_equal_prices_the_first_list_in_the_alphabet_counts(order: list[str]) -> None:
    same = [candidate(100, list=code, type="override", priority=5, starts_at=NOON) for code in order]
    won = rules.winner_of(same)
    assert won is not None
    assert won.list == "a"


def test_without_prices_there_is_no_price() -> None:
    assert rules.price_for(Priced(uuid4(), [], EIGHT), market="VN", currency="VND") is None


def test_a_sale_shows_the_regular_price_beside_its_own() -> None:
    price = rules.price_for(Priced(uuid4(), [candidate(100), sale(80)], EIGHT), market="VN", currency="VND")
    assert price is not None
    assert (price.unit, price.compare_at, price.list) == (Money(80, "VND"), Money(100, "VND"), "tet")


def test_the_regular_price_beside_a_sale_is_the_one_without_sales() -> None:
    regular = candidate(90, list="autumn", type="override", priority=1)
    other = sale(85, list="small", priority=5)
    assert rules.compare_at_for([candidate(100), regular, other, sale(80)]) == 90


def test_a_sale_that_is_not_cheaper_pretends_nothing() -> None:
    assert rules.compare_at_for([candidate(100), sale(100)]) is None
    assert rules.compare_at_for([candidate(100), sale(120)]) is None


def test_what_the_merchant_wrote_is_what_a_price_is_compared_with() -> None:
    assert rules.compare_at_for([candidate(100), sale(80, compare_at=150)]) == 150
    assert rules.compare_at_for([candidate(100, compare_at=130)]) == 130


def test_an_override_is_compared_with_nothing_by_itself() -> None:
    assert rules.compare_at_for([candidate(100), candidate(80, list="b2b", type="override", priority=1)]) is None


def new_price(**more: object) -> NewPrice:
    return NewPrice(**{"variant_id": UUID(int=7), "market": "VN", "amount": 100, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "never",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=7))),
        datetime.max.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    ],
)
def test_an_open_end_is_null_and_not_the_first_or_last_moment_there_is(never: datetime) -> None:
    for field in ("valid_from", "valid_to"):
        with pytest.raises(Invalid) as refused:
            rules.check_prices([new_price(), new_price(**{field: never})])
        assert refused.value.facts["errors"][0]["field"] == f"prices.1.{field}"
    for window in ((never, None), (None, never)):
        with pytest.raises(Invalid):
            rules.check_list_window(*window)
    with pytest.raises(Invalid):
        rules.check_moment("ends_at", never)
    rules.check_prices([new_price(valid_to=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))])


def test_a_price_ends_after_it_begins() -> None:
    rules.check_prices([new_price(valid_from=NOON, valid_to=NOON + timedelta(seconds=1))])
    with pytest.raises(Invalid):
        rules.check_prices([new_price(valid_from=NOON, valid_to=NOON)])


def test_a_price_is_lower_than_what_it_is_compared_with() -> None:
    rules.check_prices([new_price(compare_at=101)])
    for wrong in (100, 99):
        with pytest.raises(Invalid):
            rules.check_prices([new_price(compare_at=wrong)])
    with pytest.raises(Invalid):
        rules.check_prices([new_price(amount=None, compare_at=100)])


def test_a_price_is_set_once_in_a_batch() -> None:
    rules.check_prices([new_price(), new_price(valid_from=NOON), new_price(market="INTL"), new_price(list="tet")])
    with pytest.raises(Invalid) as refusal:
        rules.check_prices([new_price(), new_price(amount=None)])
    assert refusal.value.facts["errors"][0]["field"] == "prices.0"


def test_a_price_list_ends_after_it_starts() -> None:
    rules.check_list_window(NOON, NOON + timedelta(days=1))
    rules.check_list_window(None, NOON)
    with pytest.raises(Invalid):
        rules.check_list_window(NOON, NOON)


def test_the_base_list_cannot_be_changed() -> None:
    rules.check_not_base("tet")
    with pytest.raises(Conflict):
        rules.check_not_base("base")


def test_only_taxed_classes_have_a_rate_above_zero() -> None:
    rules.check_tax_rate("taxed", 800, NOON.date(), NOON.date())
    rules.check_tax_rate("exempt", 0, NOON.date(), None)
    for treatment, rate in (("taxed", 0), ("zero", 800), ("exempt", 500)):
        with pytest.raises(Invalid):
            rules.check_tax_rate(treatment, rate, NOON.date(), None)
    with pytest.raises(Invalid):
        rules.check_tax_rate("taxed", 800, NOON.date(), NOON.date() - timedelta(days=1))


@pytest.mark.parametrize("quantity", [0, -1, 1000])
def test_a_line_has_1_to_999_pieces(quantity: int) -> None:
    with pytest.raises(Invalid):
        rules.check_basket([QuoteItem(uuid4(), quantity)], None, "VND")


def test_shipping_is_not_negative_and_in_the_currency_of_the_market() -> None:
    rules.check_basket([QuoteItem(uuid4(), 999)], Money(0, "VND"), "VND")
    with pytest.raises(Invalid):
        rules.check_basket([], Money(-1, "VND"), "VND")
    with pytest.raises(CurrencyMismatch):
        rules.check_basket([], Money(1, "USD"), "VND")


# --- quotes -----------------------------------------------------------------------------------------------------------

amounts = st.integers(1, 10**12)
TREATMENTS = [("taxed", 800), ("taxed", 1000), ("taxed", 500), ("zero", 0), ("exempt", 0)]
rates = st.sampled_from([Taxed(*each) for each in TREATMENTS])
candidates = st.lists(
    st.builds(
        candidate,
        amounts,
        list=st.sampled_from(["a", "b", "c"]),
        type=st.sampled_from(["sale", "override"]),
        priority=st.integers(1, 3),
        starts_at=st.sampled_from([None, NOON, NOON - timedelta(days=1)]),
        valid_from=st.sampled_from([None, NOON, NOON - timedelta(days=2)]),
    ),
    max_size=3,
)
lines = st.lists(
    st.tuples(
        st.builds(lambda base, more, tax: Priced(uuid4(), [candidate(base), *more], tax), amounts, candidates, rates),
        st.integers(1, 999),
    ),
    max_size=8,
)


def quote(basket: list[tuple[Priced, int]], shipping: int, *, included: bool) -> Quote:
    return rules.quote_of(
        market="VN",
        currency="VND",
        prices_include_tax=included,
        at=NOON,
        lines=basket,
        shipping=Money(shipping, "VND"),
        shipping_taxed=EIGHT,
    )


@given(lines, st.integers(0, 10**9), st.booleans())
def test_the_parts_of_a_quote_always_add_up_to_its_total(
    basket: list[tuple[Priced, int]], shipping: int, included: bool
) -> None:
    found = quote(basket, shipping, included=included)
    totals = found.totals
    assert sum(line.total.amount for line in found.lines) == totals.items.amount - totals.discount.amount
    assert sum(line.tax.amount for line in found.lines) + found.shipping_tax.amount == totals.tax.amount
    plain = totals.items.amount - totals.discount.amount + totals.shipping.amount
    assert totals.total.amount == (plain if included else plain + totals.tax.amount)
    for line in found.lines:
        assert line.total == line.unit * line.quantity - line.discount
        assert 0 <= line.tax.amount <= line.total.amount


@given(lines)
def test_the_reasons_of_a_line_add_up_to_it_and_name_its_tax(basket: list[tuple[Priced, int]]) -> None:
    for line in quote(basket, 0, included=True).lines:
        *steps, tax = line.reasons
        assert sum(step.amount.amount for step in steps) == line.total.amount
        assert tax.amount == line.tax
        assert tax.code.startswith("vat:")


@given(lines, st.integers(0, 10**9), st.booleans())
def test_tax_is_exact_for_the_whole_of_each_rate_and_fair_to_each_line(
    basket: list[tuple[Priced, int]], shipping: int, included: bool
) -> None:
    found = quote(basket, shipping, included=included)
    parts = [(line.total.amount, line.tax.amount, line.tax_rate) for line in found.lines]
    parts.append((shipping, found.shipping_tax.amount, EIGHT.basis_points))
    for rate in {rate for _, _, rate in parts}:
        whole = sum(amount for amount, _, each in parts if each == rate)
        exact = net_of(whole, rate)[1] if included else percent(whole, rate)
        assert sum(tax for _, tax, each in parts if each == rate) == exact
    for amount, tax, rate in parts:
        alone = net_of(amount, rate)[1] if included else percent(amount, rate)
        assert abs(tax - alone) <= 1


def test_three_small_lines_share_the_tax_that_the_invoice_shows() -> None:
    basket = [(Priced(uuid4(), [candidate(10)], EIGHT), 1) for _ in range(3)]
    found = quote(basket, 0, included=True)
    assert found.totals.tax.amount == 2  # 30 / 1.08 = 27.8 → 28; three single lines would have said 3
    assert sorted(line.tax.amount for line in found.lines) == [0, 1, 1]


def test_every_step_to_an_amount_is_named() -> None:
    regular = candidate(90_000, list="autumn", type="override", priority=1)
    priced = Priced(uuid4(), [candidate(100_000), regular, sale(54_000)], EIGHT)
    [line] = quote([(priced, 2)], 0, included=True).lines
    assert [(reason.code, reason.amount.amount) for reason in line.reasons] == [
        ("base", 200_000),
        ("list:autumn", -20_000),
        ("list:tet", -72_000),
        ("vat:800", 8_000),
    ]


def test_exempt_and_zero_are_told_apart() -> None:
    exempt = Priced(uuid4(), [candidate(100)], Taxed("exempt", 0))
    free = Priced(uuid4(), [candidate(100)], Taxed("zero", 0))
    found = quote([(exempt, 1), (free, 1)], 0, included=True)
    assert [line.reasons[-1].code for line in found.lines] == ["vat:exempt", "vat:0"]
    assert found.totals.tax.amount == 0


def test_an_empty_basket_costs_its_shipping() -> None:
    found = quote([], 30_000, included=True)
    assert (found.totals.total.amount, found.shipping_tax.amount) == (30_000, 2_222)
