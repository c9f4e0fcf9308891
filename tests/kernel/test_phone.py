import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.phone import BadPhone, normalise_phone, show_phone


@pytest.mark.parametrize(
    "typed",
    [
        "0912345678",
        "0912 345 678",
        "0912.345.678",
        "0912-345-678",
        " 0912  345 678 ",
        "+84912345678",
        "84912345678",
        "+84 912 345 678",
        "+84 (0)912 345 678",
        "(+84) 912345678",
        "０９１２３４５６７８",
        "+84\u00a0912\u00a0345\u00a0678",
    ],
)
def test_one_number_has_one_form_however_it_is_typed(typed: str) -> None:
    assert normalise_phone(typed) == "+84912345678"


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("01201234567", "+84701234567"),
        ("01211234567", "+84791234567"),
        ("01221234567", "+84771234567"),
        ("01261234567", "+84761234567"),
        ("01281234567", "+84781234567"),
        ("01231234567", "+84831234567"),
        ("01241234567", "+84841234567"),
        ("01251234567", "+84851234567"),
        ("01271234567", "+84811234567"),
        ("01291234567", "+84821234567"),
        ("01621234567", "+84321234567"),
        ("0169.123.4567", "+84391234567"),
        ("+84 168 123 4567", "+84381234567"),
        ("01861234567", "+84561234567"),
        ("01881234567", "+84581234567"),
        ("01991234567", "+84591234567"),
    ],
)
def test_the_old_11_digit_mobiles_become_todays(old: str, today: str) -> None:
    assert normalise_phone(old) == today


def test_landlines_are_numbers_too() -> None:
    assert normalise_phone("028 3829 5678") == "+842838295678"
    assert normalise_phone("(024) 3825 1234") == "+842438251234"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "12",
        "091234567",
        "09123456789",
        "01301234567",
        "1900 1234",
        "1800 1091",
        "19001234",
        "113",
        "0012345678",
        "gọi 0912345678",
        "0912ABC678",
        "0912345678 ext 5",
        "+999912345678",
        "0" * 41,
        "\x00",
        "📞",
        "0912345678\n0987654321",
    ],
)
def test_what_reaches_no_person_is_refused(typed: str) -> None:
    with pytest.raises(BadPhone):
        normalise_phone(typed)


def test_a_refusal_does_not_repeat_what_was_typed() -> None:
    with pytest.raises(BadPhone) as refused:
        normalise_phone("09123456789")
    assert "0912" not in refused.value.detail


def test_other_countries_are_understood() -> None:
    assert normalise_phone("020 7946 0018", region="GB") == "+442079460018"
    assert normalise_phone("+1 650-253-0000") == "+16502530000"


def test_a_number_is_shown_as_people_write_it() -> None:
    assert show_phone("+84912345678") == "0912 345 678"
    assert show_phone("+442079460018") == "+44 20 7946 0018"
    with pytest.raises(BadPhone):
        show_phone("0912345678")


@given(st.text(max_size=60))
def test_any_text_gives_a_number_or_a_refusal_and_a_number_stays_as_it_is(text: str) -> None:
    try:
        number = normalise_phone(text)
    except BadPhone:
        return
    assert normalise_phone(number) == number


@given(st.sampled_from(["32", "39", "56", "70", "86", "91", "96", "98"]), st.integers(0, 9_999_999))
def test_every_mobile_of_today_keeps_its_digits(prefix: str, rest: int) -> None:
    digits = f"{prefix}{rest:07d}"
    assert normalise_phone("0" + digits) == "+84" + digits
    assert normalise_phone("84" + digits) == "+84" + digits
