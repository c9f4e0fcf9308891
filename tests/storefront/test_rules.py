"""Addresses, filters and discounts of pages."""

import string
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.money import Money
from sampan.services.storefront.rules import (
    LAST_PAGE,
    SORTS,
    Filters,
    discount_for,
    filters_from,
    is_filtered,
    is_own_path,
    language_of,
    number_of,
    path_for,
    query_for,
    with_attribute,
    without_language,
)

WORDS = st.text(string.ascii_letters + "đăâêôơư0123456789 -&=%#+", min_size=1, max_size=20)
CODES = st.text(string.ascii_lowercase + "_", min_size=1, max_size=20)
AMOUNTS = st.none() | st.integers(0, 10**12 - 1)
FILTERS = st.builds(
    Filters,
    q=WORDS.map(str.strip),
    sort=st.sampled_from(("", *SORTS)),
    page=st.integers(1, LAST_PAGE),
    price_min=AMOUNTS,
    price_max=AMOUNTS,
    in_stock=st.booleans(),
    attributes=st.dictionaries(CODES, st.lists(WORDS, min_size=1, max_size=5, unique=True).map(tuple), max_size=5),
)


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


def read(query: str) -> Filters:
    return filters_from(parse_qsl(query.removeprefix("?"), keep_blank_values=True))


@given(FILTERS)
def test_what_stands_in_the_address_is_read_back_the_same(filters: Filters) -> None:
    back = read(query_for(filters))
    assert {code: set(values) for code, values in back.attributes.items()} == {
        code: set(values) for code, values in filters.attributes.items()
    }
    for name in ("q", "sort", "page", "price_min", "price_max", "in_stock"):
        assert getattr(back, name) == getattr(filters, name)


@given(FILTERS)
def test_the_same_filters_always_give_the_same_address(filters: Filters) -> None:
    once = query_for(filters)
    assert query_for(read(once)) == once


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=80)), max_size=40))
def test_any_address_can_be_read(pairs: list[tuple[str, str]]) -> None:
    filters = filters_from(pairs)
    assert 1 <= filters.page <= LAST_PAGE
    assert filters.sort in ("", *SORTS)
    assert len(filters.attributes) <= 12
    assert query_for(read(query_for(filters))) == query_for(filters)


@pytest.mark.parametrize("name", ["page", "price_min", "price_max", "sort", "in_stock"])
@pytest.mark.parametrize("value", ["", "-1", "x", "1e9", "٣", "9" * 40])
def test_what_makes_no_sense_is_passed_over(name: str, value: str) -> None:
    assert filters_from([(name, value)]) == Filters()


def test_an_address_holds_so_many_attributes_and_no_more() -> None:
    pairs = [(f"attr.a{number}", "x") for number in range(30)] + [("attr.a0", f"v{number}") for number in range(30)]
    filters = filters_from(pairs)
    assert len(filters.attributes) == 12
    assert len(filters.attributes["a0"]) <= 20


@pytest.mark.parametrize(
    ("text", "number"), [("200000", 200000), ("200.000", 200000), ("200,000 ₫", 200000), ("", None), ("hai trăm", None)]
)
def test_amounts_are_read_as_people_type_them(text: str, number: int | None) -> None:
    assert number_of(text) == number


def test_a_page_and_a_sort_can_be_asked_for_in_place_of_those_there() -> None:
    filters = Filters(q="ghế", sort="newest", page=3)
    assert query_for(filters, page=1) == "?q=gh%E1%BA%BF&sort=newest"
    assert query_for(filters, sort="price_asc", page=4) == "?q=gh%E1%BA%BF&sort=price_asc&page=4"
    assert query_for(Filters()) == ""


def test_a_value_is_ticked_once_and_taken_away() -> None:
    red = with_attribute(Filters(), "colour", "red", on=True)
    assert with_attribute(red, "colour", "red", on=True).attributes == {"colour": ("red",)}
    assert with_attribute(red, "colour", "blue", on=True).attributes == {"colour": ("red", "blue")}
    assert with_attribute(red, "colour", "red", on=False).attributes == {}


def test_words_sort_and_page_do_not_filter() -> None:
    assert not is_filtered(Filters(q="ghế", sort="newest", page=2))
    assert is_filtered(Filters(in_stock=True))
    assert is_filtered(Filters(price_min=0))
    assert is_filtered(Filters(price_max=0))
    assert is_filtered(Filters(attributes={"colour": ("red",)}))


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        (85000, 110000, "−22%"),
        (99999, 100000, None),
        (99000, 100000, "−1%"),
        (100, 100, None),
        (110, 100, None),
        (0, 100, "−100%"),
    ],
)
def test_a_discount_is_rounded_down(now: int, before: int, shown: str | None) -> None:
    assert discount_for(vnd(now), vnd(before)) == shown


def test_there_is_no_discount_without_a_price_before_or_in_another_currency() -> None:
    assert discount_for(vnd(1), None) is None
    assert discount_for(vnd(1), Money(100, "USD")) is None


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_discount_never_promises_more_than_the_truth(now: int, before: int) -> None:
    shown = discount_for(vnd(now), vnd(before))
    if shown is not None:
        percent = int(shown.strip("−%"))
        assert 0 < percent <= 100
        assert before * percent <= (before - now) * 100


@given(st.sampled_from(["vi", "en"]), st.sampled_from(["/", "/cart", "/p/en-x", "/english"]))
def test_an_address_tells_its_language_and_can_lose_it(language: str, path: str) -> None:
    found = path_for(language, path)
    assert language_of(found) == language
    assert without_language(found) == path


def test_the_bare_english_home_is_english() -> None:
    assert language_of("/en") == "en"
    assert without_language("/en") == "/"


@pytest.mark.parametrize("path", ["/", "/cart", "/p/ghe?variant=1"])
def test_a_path_of_ours_is_safe(path: str) -> None:
    assert is_own_path(path)


@pytest.mark.parametrize("path", ["", "cart", "//evil.test", "/\\evil.test", "https://evil.test", "/a\nb", "/a\tb"])
def test_any_other_address_is_not(path: str) -> None:
    assert not is_own_path(path)
