"""Telephone numbers in one form, E.164 (`+84912345678`), whatever way they were typed."""

import re
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from sampan.kernel.errors import ShopError

_LONGEST: Final = 40
_NOT_A_NUMBER: Final = re.compile(r"[^\W\d_]")  # any letter: `0912 ABC 345` and `ext. 5` are refused, not guessed
_PERSONAL: Final = frozenset(
    (
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.PERSONAL_NUMBER,
    )
)

# Vietnam shortened its 11-digit mobile numbers in 2018 and people still type the old ones: old → today's.
_VIETNAM: Final = 84
_SHORTENED: Final = {
    "120": "70",
    "121": "79",
    "122": "77",
    "126": "76",
    "128": "78",
    "123": "83",
    "124": "84",
    "125": "85",
    "127": "81",
    "129": "82",
    **{f"16{digit}": f"3{digit}" for digit in range(2, 10)},
    "186": "56",
    "188": "58",
    "199": "59",
}


class BadPhone(ShopError, code="kernel.bad_phone", status=422):
    """Not a number at which a person can be reached."""


def normalise_phone(text: str, region: str = "VN") -> str:
    """The number in E.164. `region` (ISO 3166, two letters) is meant where no country code was typed.

    Accepts dots, spaces, brackets, full-width digits, `+84 (0)9…` and `84…`; the old 11-digit mobile numbers
    of Vietnam become today's. The refusal does not repeat the text, for it may be personal.

    Raises:
        BadPhone: letters, a wrong length, an unknown prefix, a service number (1800, 1900).
    """
    if len(text) > _LONGEST or _NOT_A_NUMBER.search(text):
        raise BadPhone("not a phone number")
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        raise BadPhone("not a phone number") from None
    if number.country_code == _VIETNAM:
        national = str(number.national_number)
        if len(national) == 10 and (today := _SHORTENED.get(national[:3])):
            number.national_number = int(today + national[3:])
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _PERSONAL:
        raise BadPhone("not the number of a person or a household")
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def show_phone(e164: str, region: str = "VN") -> str:
    """The number as people of `region` write it: `0912 345 678` at home, `+44 20 7946 0018` from abroad.

    Raises:
        BadPhone: not in E.164.
    """
    try:
        number = phonenumbers.parse(e164)
    except NumberParseException:
        raise BadPhone("not in E.164") from None
    home = number.country_code == phonenumbers.country_code_for_region(region)
    form = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    return str(phonenumbers.format_number(number, form))
