"""A guest acts by a secret of 256 bits, which only they hold: of it we keep a hash, and compare in constant time.

The secret of an order can be computed again from the shop's own secret, so that whoever holds the cart gets the same
answer when an answer was lost on its way.
"""

import base64
import hashlib
import hmac
import re
from typing import Final
from uuid import UUID

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def digest_for(token: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(token.encode()).digest()


def is_token(token: str, digest: bytes) -> bool:
    """Whether this is the secret that the digest was made of. What is no secret at all never is."""
    if _SHAPE.fullmatch(token) is None:
        return False
    return hmac.compare_digest(digest_for(token), digest)


def order_token_for(order_id: UUID, secret: str) -> str:
    """The secret of an order."""
    mac = hmac.digest(secret.encode(), b"orders/order-token\n" + order_id.bytes, "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
