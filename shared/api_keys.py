"""The secret that lets a program speak for a workspace, as it comes in a request."""

import hashlib
import re

#: What a key begins with, so that whatever looks out for secrets knows one.
PREFIX = "ctwa_"
#: 256 random bits in base64url.
_FORM = re.compile(PREFIX + "[A-Za-z0-9_-]{43}")


def hash_key(key: str) -> bytes:
    """The SHA-256 of a key: all that is kept. A key is random, so nothing slower is needed against guessing."""
    return hashlib.sha256(key.encode("ascii")).digest()


def bearer_key(authorization: str) -> str | None:
    """The key in an Authorization header (RFC 6750, 2.1), or None when it holds none of our form."""
    scheme, _, value = authorization.strip().partition(" ")
    key = value.strip()
    return key if scheme.lower() == "bearer" and _FORM.fullmatch(key) else None
