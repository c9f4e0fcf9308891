"""What must be true of credentials."""

import hashlib
import re

from sampan.kernel.errors import invalid

PREFIX = "sampan_"

# Every permission there is. A key or a role holds some of them; an unknown one is refused.
PERMISSIONS = frozenset(
    {
        "catalog.read",
        "catalog.write",
        "fulfillment.write",
        "inventory.read",
        "inventory.write",
        "notifications.read",
        "orders.read",
        "orders.write",
        "payments.read",
        "payments.refund",
        "pricing.read",
        "pricing.write",
        "shipping.read",
        "shipping.write",
    }
)


def check_permissions(permissions: list[str]) -> None:
    """A key holds at least one permission, and only permissions that exist."""
    if not permissions:
        raise invalid("permissions", "missing", "name at least one permission")
    for permission in permissions:
        if permission not in PERMISSIONS:
            known = ", ".join(sorted(PERMISSIONS))
            raise invalid("permissions", "unknown", f"there is no permission {permission}; there are {known}")


def check_key_name(name: str) -> None:
    """A key has a name of 1 to 120 characters, so that people know what to withdraw."""
    if not 1 <= len(name.strip()) <= 120:
        raise invalid("name", "length", "a key has a name of 1 to 120 characters")


def is_key(token: str) -> bool:
    """True for what looks like one of our keys; anything else is not even looked up."""
    return re.fullmatch(PREFIX + r"[A-Za-z0-9_-]{43}", token) is not None


def digest_for(token: str) -> bytes:
    """What is stored of a key. A key is 256 random bits, so a plain hash keeps it."""
    return hashlib.sha256(token.encode()).digest()
