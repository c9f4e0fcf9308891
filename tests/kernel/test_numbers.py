"""Numbers with a check character, whatever they are of."""

import pytest

from sampan.kernel.numbers import Numbering

SMALL = Numbering("X", "ABCDE", length=3)  # so small that all of it can be tried


def test_every_draw_has_a_number_of_its_own_and_only_those_are_numbers():
    numbers = {SMALL.number_for(draw) for draw in range(SMALL.count)}
    assert len(numbers) == SMALL.count == 125
    texts = {f"X{a}{b}{c}{d}" for a in "ABCDE" for b in "ABCDE" for c in "ABCDE" for d in "ABCDE"}
    assert {text for text in texts if SMALL.is_number(text)} == numbers


def test_one_character_wrong_or_two_exchanged_is_always_noticed():
    for draw in range(SMALL.count):
        number = SMALL.number_for(draw)
        for place in range(1, 5):
            for wrong in set("ABCDE") - {number[place]}:
                assert not SMALL.is_number(number[:place] + wrong + number[place + 1 :])
        for one in range(1, 4):
            for other in range(one + 1, 4):
                text = list(number)
                text[one], text[other] = text[other], text[one]
                assert SMALL.is_number("".join(text)) == (number[one] == number[other])


@pytest.mark.parametrize("text", ["", "X", "XABC", "YAAAA", "xaaaa", "XAAAAA", "XAAAF", "XAAAA\n"])
def test_other_texts_are_no_numbers(text):
    assert not SMALL.is_number(text)


@pytest.mark.parametrize("draw", [-1, 125])
def test_there_are_no_more_numbers(draw):
    with pytest.raises(ValueError, match="out of range"):
        SMALL.number_for(draw)


@pytest.mark.parametrize(
    ("alphabet", "length", "first"),
    [("ABCD", 2, 1), ("AABCD", 2, 1), ("A", 1, 1), ("ABCDE", 5, 1), ("ABCDE", 4, 2), ("ABCDE", 3, 0), ("ABCDE", 0, 1)],
)
def test_a_check_that_would_notice_less_is_refused(alphabet, length, first):
    with pytest.raises(ValueError, match="alphabet"):
        Numbering("X", alphabet, length, first=first)
