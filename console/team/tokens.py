"""Random tokens, of which only the hash is kept: nobody guesses 256 bits, so a fast one will do."""

import hashlib
import secrets


def new_token() -> str:
    """256 random bits, fit for a URL or a cookie."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """What is stored of a token, and what it is found by."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
