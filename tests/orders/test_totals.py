from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.money import Money, zero
from sampan.services.orders.contract import BrokenQuote, NotRefundable, QuoteChanged, RefundLine
from sampan.services.orders.rules.sale import check_total, merged
from sampan.services.orders.rules.totals import Bought, check_adds_up, is_tax_on_top, refund_for, share_for
from sampan.services.pricing.contract import Quote, QuoteItem, QuoteLine, Totals


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


def quote_of(
    lines: list[tuple[int, int, int]], shipping: int = 0, *, on_top: bool = False
) -> tuple[Quote, list[QuoteItem]]:
    """Lines of (unit, quantity, tax)."""
    quoted = [
        QuoteLine(
            variant_id=uuid4(),
            quantity=quantity,
            unit=vnd(unit),
            compare_at=None,
            discount=zero("VND"),
            total=vnd(unit * quantity),
            tax=vnd(tax),
            tax_rate=800,
            reasons=[],
        )
        for unit, quantity, tax in lines
    ]
    items = sum(unit * quantity for unit, quantity, _ in lines)
    tax = sum(tax for _, _, tax in lines)
    totals = Totals(
        items=vnd(items),
        discount=zero("VND"),
        shipping=vnd(shipping),
        tax=vnd(tax),
        total=vnd(items + shipping + (tax if on_top else 0)),
    )
    quote = Quote(
        market="VN", lines=quoted, totals=totals, shipping_tax=zero("VND"), at=datetime(2026, 11, 22, tzinfo=UTC)
    )
    return quote, [QuoteItem(line.variant_id, line.quantity) for line in quoted]


LINES = st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 999), st.integers(0, 10**6)), min_size=1, max_size=5)


@given(LINES, st.integers(0, 10**6), st.booleans())
def test_a_price_whose_parts_add_up_is_taken(lines, shipping, on_top):
    quote, items = quote_of(lines, shipping, on_top=on_top)
    check_adds_up(quote, items, "VND")
    assert is_tax_on_top(quote.totals) == (on_top and quote.totals.tax.amount > 0)


@given(LINES, st.sampled_from(["items", "discount", "shipping", "tax", "total"]), st.integers(1, 10**6))
def test_a_price_whose_parts_do_not_add_up_is_refused(lines, part, more):
    quote, items = quote_of(lines)
    broken = msgspec.structs.replace(quote.totals, **{part: getattr(quote.totals, part) + vnd(more)})
    if part == "tax" or (part == "total" and vnd(more) == quote.totals.tax):
        return  # tax inside the price, or on top of it, is another price, not a broken one
    with pytest.raises(BrokenQuote):
        check_adds_up(msgspec.structs.replace(quote, totals=broken), items, "VND")


@given(LINES)
def test_a_tax_that_is_not_the_sum_of_its_parts_is_refused(lines):
    quote, items = quote_of(lines)
    totals = msgspec.structs.replace(quote.totals, tax=quote.totals.tax + vnd(1))
    with pytest.raises(BrokenQuote):
        check_adds_up(msgspec.structs.replace(quote, totals=totals), items, "VND")


def test_a_price_for_other_goods_or_in_another_currency_is_refused():
    quote, items = quote_of([(1000, 2, 0)])
    with pytest.raises(BrokenQuote):
        check_adds_up(quote, [QuoteItem(items[0].variant_id, 3)], "VND")
    with pytest.raises(BrokenQuote):
        check_adds_up(quote, items, "USD")


def test_a_negative_part_is_refused():
    quote, items = quote_of([(1000, 1, 0)])
    totals = Totals(items=vnd(1000), discount=vnd(0), shipping=vnd(-500), tax=vnd(0), total=vnd(500))
    with pytest.raises(BrokenQuote):
        check_adds_up(msgspec.structs.replace(quote, totals=totals), items, "VND")


def test_nobody_orders_at_another_total_than_the_one_they_saw():
    quote, _ = quote_of([(1000, 2, 0)], 500)
    check_total(vnd(2500), quote.totals)
    for expected in (vnd(2499), Money(2500, "USD")):
        with pytest.raises(QuoteChanged) as refused:
            check_total(expected, quote.totals)
        assert refused.value.facts["totals"]["total"] == {"amount": 2500, "currency": "VND"}


# --- refunds


@given(st.integers(0, 10**12), st.integers(1, 999), st.data())
def test_the_refunds_of_all_pieces_are_what_was_paid_for_all_pieces(paid, quantity, data):
    line = uuid4()
    refunded = total = 0
    while refunded < quantity:
        pieces = data.draw(st.integers(1, quantity - refunded))
        part = share_for(paid, quantity, refunded + pieces) - share_for(paid, quantity, refunded)
        assert abs(part * quantity - paid * pieces) < quantity * pieces + quantity
        total += part
        refunded += pieces
    assert total == paid
    assert line


def bought(paid: int, quantity: int, refunded: int = 0) -> Bought:
    return Bought(uuid4(), quantity, paid, refunded)


def refund(lines, wanted, *, shipping=False, paid=30_000, sent=0, refundable=10**9):
    return refund_for(
        lines,
        wanted,
        shipping_paid=paid,
        shipping_refunded=sent,
        shipping=shipping,
        currency="VND",
        refundable=refundable,
    )


def test_a_partial_quantity_is_refunded_at_its_exact_share():
    line = bought(100_000, 3)
    amounts = []
    for refunded in range(3):
        known = msgspec.structs.replace(line, refunded=refunded)
        found, freight = refund([known], [RefundLine(line.id, 1)])
        amounts.append(found[line.id])
        assert freight == 0
    assert amounts == [33_334, 33_333, 33_333]


def test_nobody_gets_back_more_pieces_than_were_bought():
    line = bought(100_000, 3, refunded=2)
    with pytest.raises(NotRefundable) as refused:
        refund([line], [RefundLine(line.id, 1), RefundLine(line.id, 1)])
    assert refused.value.facts["reason"] == "too_many"


def test_a_line_of_another_order_is_refused():
    with pytest.raises(NotRefundable):
        refund([bought(100, 1)], [RefundLine(uuid4(), 1)])


@pytest.mark.parametrize(
    ("asked", "sent", "gets"),
    [(True, 0, 30_000), (True, 10_000, 20_000), (False, 0, 0), (Money(7_000, "VND"), 0, 7_000)],
)
def test_shipping_is_refunded_as_far_as_it_is_left(asked, sent, gets):
    line = bought(100, 1)
    assert refund([line], [RefundLine(line.id, 1)], shipping=asked, sent=sent)[1] == gets


@pytest.mark.parametrize("asked", [Money(30_001, "VND"), Money(-1, "VND"), Money(1, "USD")])
def test_no_more_shipping_is_refunded_than_was_paid(asked):
    line = bought(100, 1)
    with pytest.raises(NotRefundable):
        refund([line], [RefundLine(line.id, 1)], shipping=asked)


def test_no_more_is_refunded_than_was_captured():
    line = bought(100_000, 1)
    with pytest.raises(NotRefundable) as refused:
        refund([line], [RefundLine(line.id, 1)], refundable=99_999)
    assert refused.value.facts["reason"] == "too_much"


def test_a_refund_of_nothing_is_refused():
    with pytest.raises(NotRefundable):
        refund([bought(100, 1)], [])
    with pytest.raises(NotRefundable):
        refund([bought(100, 1)], [], shipping=True, paid=0)


def test_the_same_line_asked_for_twice_adds_up():
    line = uuid4()
    assert merged([RefundLine(line, 1), RefundLine(line, 2)]) == [RefundLine(line, 3)]
