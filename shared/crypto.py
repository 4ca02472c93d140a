"""Encryption at rest and keyed hashes, under three rings of rotatable keys (design: Settings, secrets, people's data).

A ring is a list of keys. The first one encrypts or hashes what is new, all of them read what is old.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class KeyRingError(ValueError):
    """A key of a ring has the wrong form. The message names the ring and the position, never the key."""


class CannotDecrypt(Exception):
    """No key of the ring opens this ciphertext: the key was removed too early, or the bytes were damaged."""


class KeyRing:
    """Authenticated encryption (Fernet: AES-128-CBC with HMAC-SHA256) under a rotatable list of keys."""

    def __init__(self, keys: Sequence[str], *, name: str) -> None:
        if not keys:
            raise KeyRingError(f"{name}: at least one key is needed; `ctwa keys generate` makes one")
        fernets = []
        for position, key in enumerate(keys, start=1):
            try:
                fernets.append(Fernet(key))
            except (ValueError, binascii.Error) as error:
                raise KeyRingError(
                    f"{name}: key {position} is not 32 url-safe base64 bytes; `ctwa keys generate` makes one"
                ) from error
        self._name = name
        self._newest = fernets[0]
        self._fernet = MultiFernet(fernets)

    def __repr__(self) -> str:
        return f"KeyRing({self._name})"

    def seal(self, plain: bytes) -> bytes:
        """The ciphertext of `plain` under the newest key."""
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """The plain bytes. Raises CannotDecrypt if no key of the ring fits."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise CannotDecrypt(f"no key of {self._name} opens this; was a key removed before rotation?") from error

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def rotate(self, sealed: bytes) -> bytes:
        """The same plain bytes under the newest key. Raises CannotDecrypt if no key of the ring fits."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken as error:
            raise CannotDecrypt(f"no key of {self._name} opens this; was a key removed before rotation?") from error


@dataclass(frozen=True)
class KeyedHash:
    """A keyed hash and the id of the key that made it."""

    key_id: str
    digest: bytes


class HashRing:
    """Keyed hashes (HMAC-SHA256) of people's identities: equal input gives equal output, and nothing leads back."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise KeyRingError("HASH_KEYS: at least one key is needed; `ctwa keys generate` makes one")
        self._keys: list[tuple[str, bytes]] = []
        for position, key in enumerate(keys, start=1):
            try:
                secret = base64.urlsafe_b64decode(key)
            except (ValueError, binascii.Error) as error:
                raise KeyRingError(f"HASH_KEYS: key {position} is not url-safe base64") from error
            if len(secret) < 32:
                raise KeyRingError(f"HASH_KEYS: key {position} is shorter than 32 bytes")
            self._keys.append((hashlib.sha256(b"key-id" + secret).hexdigest()[:8], secret))

    def __repr__(self) -> str:
        return f"HashRing({', '.join(key_id for key_id, _ in self._keys)})"

    @property
    def newest(self) -> str:
        """The id of the key that hashes what is new."""
        return self._keys[0][0]

    def hash(self, kind: str, value: str) -> KeyedHash:
        """The hash of one identity under the newest key."""
        key_id, secret = self._keys[0]
        return KeyedHash(key_id, _digest(secret, kind, value))

    def candidates(self, kind: str, value: str) -> list[KeyedHash]:
        """The hash under every live key, newest first: what a look-up during a rotation has to try."""
        return [KeyedHash(key_id, _digest(secret, kind, value)) for key_id, secret in self._keys]


def derive_keys(keys: Sequence[str], *, purpose: str) -> list[bytes]:
    """A key of 32 bytes for another purpose from each key of a ring, newest first (HKDF, RFC 5869).

    Who has one learns nothing of the ring, nor of what is derived for another purpose.
    """
    info = f"ctwa {purpose}".encode()
    return [HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key.encode()) for key in keys]


def generate_key() -> str:
    """A fresh key that fits any of the three rings: 32 random bytes, url-safe base64."""
    return Fernet.generate_key().decode("ascii")


def _digest(secret: bytes, kind: str, value: str) -> bytes:
    return hmac.new(secret, f"{kind}\x1f{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
