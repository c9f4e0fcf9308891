"""How staff find an order: by the beginnings of its number, of a name, of a telephone number, of an e-mail address.

Accents and letter case do not matter, and a telephone number may be typed as at home (0912…) or from abroad (+84…).
"""

import re
from typing import Final

from sampan.kernel.text import fold
from sampan.services.orders.contract import Address, Contact
from sampan.services.orders.rules.number import is_number, tidied

MOST_WORDS: Final = 8
_PHONE: Final = re.compile(r"\+?[\d\s().\-]{6,24}")
_HOME: Final = "84"


def words_for(number: str, contact: Contact, address: Address) -> list[str]:
    """The words an order is found by."""
    texts = [number, contact.name, address.name, contact.email or ""]
    found = {word for text in texts for word in fold(text).split()}
    for phone in (contact.phone, address.phone):
        digits = phone.removeprefix("+")
        found.add(digits)
        if digits.startswith(_HOME):
            found.add("0" + digits.removeprefix(_HOME))
    return sorted(found)


def words_of_query(text: str) -> list[str]:
    """The beginnings of words that a search asks for; all of them have to be there."""
    number = tidied(text)
    if is_number(number):
        return [number.lower()]
    if _PHONE.fullmatch(text.strip()):
        return [re.sub(r"\D", "", text)]
    return fold(text).split()[:MOST_WORDS]
