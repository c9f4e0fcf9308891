from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import Invalid, NotFound
from sampan.kernel.money import Money, zero
from sampan.services.catalog.contract import UnknownVariant, VariantSnapshot
from sampan.services.orders.contract import CartClosed, Contact, Problem
from sampan.services.orders.rules import cart as rules
from sampan.services.orders.rules.cart import MOST_LINES, MOST_OF_ONE, Basket
from sampan.services.pricing.contract import QuoteLine

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def basket(**fields: object) -> Basket:
    empty = Basket(
        id=uuid4(),
        token_hash=b"",
        market="VN",
        currency="VND",
        contact=None,
        shipping_address=None,
        shipping_option_id=None,
        shipping_seen=None,
        order_id=None,
        version=1,
        expires_at=NOW + timedelta(days=30),
        read_at=NOW,
        lines=[],
    )
    return msgspec.structs.replace(empty, **fields)


def snapshot(variant: UUID, *, most: int = 999, published: bool = True) -> VariantSnapshot:
    return VariantSnapshot(
        variant_id=variant,
        product_id=uuid4(),
        slug="ghe",
        sku="GHE-1",
        name={"vi": "Ghế", "en": "Chair"},
        image=None,
        grams=100,
        tax_class="standard",
        published=published,
        max_quantity=most,
    )


def priced(variant: UUID, quantity: int, unit: int) -> QuoteLine:
    money = Money(unit, "VND")
    return QuoteLine(variant, quantity, money, None, zero("VND"), money * quantity, zero("VND"), 800, [])


def add(cart: Basket, variant: UUID, quantity: int) -> Basket:
    return rules.with_more(cart, line_id=uuid4(), variant_id=variant, quantity=quantity)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 200)), max_size=20))
def test_a_variant_stands_in_a_cart_once_and_adding_it_adds_up(adds):
    variants = [uuid4() for _ in range(5)]
    cart, expected = basket(), dict.fromkeys(range(5), 0)
    for place, quantity in adds:
        if expected[place] + quantity > MOST_OF_ONE:
            with pytest.raises(Invalid):
                add(cart, variants[place], quantity)
            continue
        cart = add(cart, variants[place], quantity)
        expected[place] += quantity
    assert {variants[place]: quantity for place, quantity in expected.items() if quantity} == {
        line.variant_id: line.quantity for line in cart.lines
    }
    assert len({line.variant_id for line in cart.lines}) == len(cart.lines)


@pytest.mark.parametrize("quantity", [0, -1, 1000, 10**20, 1.5, True, "1", None])
def test_a_quantity_is_a_whole_number_from_1_to_999(quantity):
    with pytest.raises(Invalid):
        rules.check_quantity(quantity)


def test_a_cart_takes_up_to_a_hundred_different_things():
    cart = basket()
    for _ in range(MOST_LINES):
        cart = add(cart, uuid4(), 1)
    with pytest.raises(Invalid):
        add(cart, uuid4(), 1)
    assert add(cart, cart.lines[0].variant_id, 1).lines[0].quantity == 2


def test_only_what_is_published_is_put_into_a_cart_and_no_more_than_the_variant_allows():
    variant = uuid4()
    line = add(basket(), variant, 5).lines[0]
    rules.check_choice(line, snapshot(variant, most=5), before=0)
    for missing in (None, snapshot(variant, published=False)):
        with pytest.raises(UnknownVariant):
            rules.check_choice(line, missing, before=0)
    with pytest.raises(Invalid):
        rules.check_choice(line, snapshot(variant, most=4), before=0)


def test_less_is_always_possible_even_of_what_is_no_longer_sold():
    line = add(basket(), uuid4(), 5).lines[0]
    rules.check_choice(line, None, before=6)


def test_a_cart_that_became_an_order_or_expired_takes_no_more_changes():
    for closed in (basket(order_id=uuid4()), basket(expires_at=NOW)):
        for change in (
            lambda cart: add(cart, uuid4(), 1),
            lambda cart: rules.with_quantity(cart, line_id=uuid4(), quantity=1),
            lambda cart: rules.without_line(cart, uuid4()),
            rules.check_open,
        ):
            with pytest.raises(CartClosed):
                change(closed)


def test_a_line_that_is_not_there_cannot_be_changed_but_can_be_taken_out():
    cart = add(basket(), uuid4(), 1)
    with pytest.raises(NotFound):
        rules.with_quantity(cart, line_id=uuid4(), quantity=2)
    assert rules.without_line(cart, uuid4()).lines == cart.lines
    assert rules.without_line(cart, cart.lines[0].id).lines == []


def test_lines_remember_the_price_and_name_that_were_shown_when_they_were_chosen():
    variant = uuid4()
    cart = add(basket(), variant, 1)
    seen = rules.seen_now(cart, {variant: snapshot(variant)}, {variant: Money(1000, "VND")})
    assert (seen.lines[0].unit_seen, seen.lines[0].sku) == (1000, "GHE-1")
    later = rules.seen_now(seen, {variant: snapshot(variant)}, {variant: Money(2000, "VND")})
    assert later.lines[0].unit_seen == 1000
    changed = rules.with_quantity(later, line_id=later.lines[0].id, quantity=2)
    assert rules.seen_now(changed, {}, {variant: Money(2000, "VND")}).lines[0].unit_seen == 2000


def test_what_stands_against_a_line_is_told():
    variant = uuid4()
    line = rules.seen_now(add(basket(), variant, 3), {}, {variant: Money(1000, "VND")}).lines[0]

    def problems(found=snapshot(variant), price=priced(variant, 3, 1000), available=3):
        return rules.line_problems(line, snapshot=found, priced=price, available=available)

    assert problems() == []
    assert problems(found=None) == ["not_sold"]
    assert problems(found=snapshot(variant, published=False)) == ["not_sold"]
    assert problems(price=None) == ["not_priced"]
    assert problems(available=2) == ["stock_fell"]
    assert problems(price=priced(variant, 3, 999)) == ["price_changed"]
    assert problems(found=snapshot(variant, most=2)) == ["too_many"]
    assert problems(price=priced(variant, 3, 999), available=0) == ["stock_fell", "price_changed"]


def test_an_order_needs_goods_somebody_to_call_somewhere_to_go_and_a_way_to_get_there():
    needed = ["empty", "missing_contact", "missing_address", "missing_shipping_option"]
    assert rules.cart_problems(basket(), option_offered=False) == needed
    full = add(basket(contact=Contact("Lan", "+84912345678")), uuid4(), 1)
    assert rules.cart_problems(full, option_offered=True) == ["missing_address"]


def test_a_new_price_and_a_low_stock_are_no_obstacles():
    found = [Problem("price_changed"), Problem("stock_fell"), Problem("not_sold"), Problem("empty")]
    assert [problem.code for problem in rules.obstacles(found)] == ["not_sold", "empty"]


def test_a_name_is_shown_in_the_asked_language_or_in_vietnamese():
    assert rules.name_in({"vi": "Ghế", "en": "Chair"}, "en") == "Chair"
    assert rules.name_in({"vi": "Ghế"}, "en") == "Ghế"


def test_what_was_added_under_a_key_a_moment_ago_is_not_added_again():
    variant = uuid4()
    cart = basket()
    for number in range(3):
        for _ in range(2):
            cart = rules.with_more(cart, line_id=uuid4(), variant_id=variant, quantity=2, key=f"key {number}")
    assert [line.quantity for line in cart.lines] == [6]
    for _ in range(2):
        cart = rules.with_more(cart, line_id=uuid4(), variant_id=variant, quantity=2)
    assert [line.quantity for line in cart.lines] == [10]
    for number in range(20):
        cart = rules.with_more(cart, line_id=uuid4(), variant_id=variant, quantity=1, key=f"other {number}")
    assert cart.keys == [f"other {number}" for number in range(10, 20)]
