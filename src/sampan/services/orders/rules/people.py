"""What people write about themselves: names, telephone numbers, addresses. It is kept as it was meant.

Text is in Unicode normal form C, without spaces around it, and without characters that nobody can see:
control characters, line separators, and marks that turn the direction of what follows.
"""

import re
import unicodedata
from typing import Final
from uuid import UUID

from sampan.kernel.errors import invalid
from sampan.kernel.phone import BadPhone, normalise_phone
from sampan.kernel.text import nfc
from sampan.services.locations.contract import Place
from sampan.services.orders.contract import Address, Contact, ShippingAddress

_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_UNSEEN: Final = frozenset(("Cc", "Cs", "Co", "Cn", "Zl", "Zp"))
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,63}"
)
_PATH: Final = re.compile(r"/(?![/\\])[!-~]*")
_ON_LOOPBACK: Final = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?(/.*)?")


def clean_text(field: str, text: str, *, most: int, least: int = 1, lines: bool = False) -> str:
    """A text has between `least` and `most` characters and none that cannot be seen; `lines` may be several.

    Raises Invalid naming the field.
    """
    tidy = nfc(text.replace("\r\n", "\n") if lines else text).strip()
    for character in tidy:
        allowed = lines and character == "\n"
        if (unicodedata.category(character) in _UNSEEN and not allowed) or character in _TURNS:
            raise invalid(field, "control_character", "the text has a character that cannot be seen")
    if not least <= len(tidy) <= most:
        raise invalid(field, "length", f"the text has {least} to {most} characters")
    return tidy


def clean_phone(field: str, text: str) -> str:
    """A telephone number at which a person can be reached, kept as +84… (E.164). Raises Invalid."""
    try:
        return normalise_phone(text)
    except BadPhone as failure:
        raise invalid(field, "phone", failure.detail) from None


def clean_email(field: str, text: str | None) -> str | None:
    """An e-mail address is optional; an empty one is none. The part after @ is kept in small letters.
    Raises Invalid.
    """
    tidy = nfc(text or "").strip()
    if not tidy:
        return None
    local, _, domain = tidy.rpartition("@")
    if len(tidy) > 254 or ".." in local or local[:1] == "." or local[-1:] == "." or not _EMAIL.fullmatch(tidy):
        raise invalid(field, "email", "this is not an e-mail address")
    return f"{local}@{domain.lower()}"


def clean_contact(contact: Contact) -> Contact:
    """Who orders has a name and a telephone number, and an e-mail address if they like. Raises Invalid."""
    return Contact(
        name=clean_text("name", contact.name, most=120),
        phone=clean_phone("phone", contact.phone),
        email=clean_email("email", contact.email),
    )


def clean_address(address: ShippingAddress, place: Place) -> Address:
    """An address is kept with the names its places had then, and the version of the reference data. Raises
    Invalid.
    """
    return Address(
        name=clean_text("name", address.name, most=120),
        phone=clean_phone("phone", address.phone),
        province_code=place.province.code,
        ward_code=place.ward.code,
        province=place.province.full_name,
        ward=place.ward.full_name,
        street=clean_text("street", address.street, most=255),
        note=clean_text("note", address.note or "", most=500, least=0, lines=True) or None,
        version=place.version,
    )


def way_back_for(given: str | None, *, order_id: UUID, ours: str, loopback: bool) -> str:
    """After paying, people come back to a page of our own, and nowhere else: to that of their order, unless another one
    is named.

    The answer is a path. `{order_id}` stands for the order's id, which nobody knows before the order is placed; what
    it becomes is judged. `loopback`: this is somebody's own machine, which has several names. Raises Invalid.
    """
    address = (given or "/orders/{order_id}").replace("{order_id}", str(order_id))
    path = address.removeprefix(ours) if address.startswith(f"{ours}/") else address
    found = _ON_LOOPBACK.fullmatch(path) if loopback else None
    if found is not None:
        path = found[1] or "/"
    if len(path) > 255 or _PATH.fullmatch(path) is None:
        raise invalid("return_url", "foreign", "people come back to a page of this shop")
    return path
