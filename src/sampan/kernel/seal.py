"""What has to be kept for a while and read by nobody else: sealed with a key derived from the shop's secret.

AES-256-GCM-SIV (RFC 8452): authenticated, and a nonce drawn twice would reveal no more than that two texts are the
same. The key is derived by HKDF-SHA256 (RFC 5869), one for each purpose. What is sealed names its key, so that after
the secret was changed one sees why it cannot be opened any more.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY: Final = 32
_NAME: Final = 8
_NONCE: Final = 12


class Unreadable(Exception):
    """Sealed with another secret, about something else, or not as it was written."""


class Seal:
    """Seals and opens for one `purpose`."""

    def __init__(self, secret: str, purpose: str) -> None:
        info = f"sampan seal v1\n{purpose}".encode()
        derived = HKDF(SHA256(), length=_KEY + _NAME, salt=None, info=info).derive(secret.encode())
        self._cipher = AESGCMSIV(derived[:_KEY])
        self._name = derived[_KEY:]

    def close(self, content: bytes, *, about: bytes) -> bytes:
        """`content` for nobody else's eyes. It opens only with the same `about`, which is not kept in it.

        Eight bytes that name the key, twelve of nonce, then the content and a tag of sixteen.
        """
        nonce = os.urandom(_NONCE)
        return self._name + nonce + self._cipher.encrypt(nonce, content, about)

    def open(self, sealed: bytes, *, about: bytes) -> bytes:
        """What was sealed about this.

        Raises:
            Unreadable: it was not, or the secret is another one by now.
        """
        name, nonce, content = sealed[:_NAME], sealed[_NAME : _NAME + _NONCE], sealed[_NAME + _NONCE :]
        if name != self._name:
            raise Unreadable("sealed with another key")
        try:
            return self._cipher.decrypt(nonce, content, about)
        except (InvalidTag, ValueError):
            raise Unreadable("not as it was sealed") from None
