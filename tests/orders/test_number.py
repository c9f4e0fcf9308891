import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.services.orders.rules.number import ALPHABET, NUMBERS, is_number, number_for, tidied

DRAWS = st.integers(0, NUMBERS - 1)


@given(DRAWS)
def test_an_order_number_is_short_and_fits_every_payment_provider(draw):
    number = number_for(draw)
    assert number.startswith("SP")
    assert len(number) == 10
    assert number.isascii()
    assert number.isalnum()
    assert is_number(number)


@given(DRAWS, DRAWS)
def test_two_draws_give_two_numbers(one, other):
    assert (number_for(one) == number_for(other)) == (one == other)


@given(DRAWS, st.integers(2, 9), st.sampled_from(ALPHABET))
def test_one_character_heard_wrong_is_noticed(draw, place, wrong):
    number = number_for(draw)
    heard = number[:place] + wrong + number[place + 1 :]
    assert is_number(heard) == (heard == number)


@given(DRAWS, st.integers(2, 8))
def test_two_neighbours_exchanged_are_noticed(draw, place):
    number = number_for(draw)
    heard = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert is_number(heard) == (heard == number)


def test_no_character_looks_like_another_and_none_is_a_vowel():
    assert not set(ALPHABET) & set("01OIL2Z5SB8AEIOUYV") - {"2", "5", "8"}
    assert len(set(ALPHABET)) == len(ALPHABET)


@given(DRAWS)
def test_a_number_is_understood_however_it_is_typed(draw):
    number = number_for(draw)
    assert tidied(f" {number[:2].lower()}-{number[2:6]} {number[6:].lower()} ") == number


@pytest.mark.parametrize(
    "text", ["", "SP", "SP12345678", "XX" + number_for(5)[2:], number_for(5) + "2", "SP" + "Ả" * 8]
)
def test_what_is_no_number_is_none(text):
    assert not is_number(text)


@pytest.mark.parametrize("draw", [-1, NUMBERS])
def test_a_draw_out_of_range_is_refused(draw):
    with pytest.raises(ValueError):
        number_for(draw)
