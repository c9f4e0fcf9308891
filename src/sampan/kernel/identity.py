"""Service identity: a short-lived signed note that says which service calls which, for whom.

HMAC-SHA256 over the claims with a key derived per pair of services from the fleet's secret, so that a note for one
audience is worthless at another. Nothing is trusted for coming from inside.
"""

import base64
import hashlib
import hmac
import time

import msgspec
from msgspec import Struct

from sampan.kernel.context import Actor
from sampan.kernel.errors import Unauthenticated

LIFETIME = 30  # seconds


class Claims(Struct, frozen=True):
    """`caller` calls `audience` on behalf of `actor`; void after `expires` (Unix seconds)."""

    caller: str
    audience: str
    expires: int
    actor: Actor


class Identity:
    """Signs our calls and checks those of others. `secret` is shared by the fleet and never leaves it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def _sign(self, caller: str, audience: str, body: bytes) -> bytes:
        key = hmac.digest(self._secret, f"service-identity\n{caller}\n{audience}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(hmac.digest(key, body, hashlib.sha256)).rstrip(b"=")

    def note(self, *, caller: str, audience: str, actor: Actor) -> str:
        """A signed note for one call."""
        claims = Claims(caller, audience, int(time.time()) + LIFETIME, actor)
        body = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=")
        return (body + b"." + self._sign(caller, audience, body)).decode()

    def check(self, note: str, *, audience: str) -> Claims:
        """The claims of a note made for us.

        Raises:
            Unauthenticated: forged, expired, for somebody else, or no note at all.
        """
        body, _, signature = note.encode().partition(b".")
        try:
            claims = msgspec.json.decode(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)), type=Claims)
        except (ValueError, msgspec.DecodeError):
            raise Unauthenticated("not a service identity") from None
        expected = self._sign(claims.caller, audience, body)
        if claims.audience != audience or not hmac.compare_digest(expected, signature):
            raise Unauthenticated("not a service identity for this service")
        if not time.time() <= claims.expires <= time.time() + 2 * LIFETIME:
            raise Unauthenticated("the service identity has expired")
        return claims
