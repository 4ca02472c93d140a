"""JSON Web Tokens signed with HMAC-SHA256 ("HS256" of RFC 7515 and RFC 7519), the only kind read here. Pure."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from shared.providers.base import Json, UnparsableError
from shared.providers.body import mapping, read_json
from shared.providers.proofs import same, secret_bytes


def sign_token(claims: Mapping[str, Json], key: str) -> str:
    """Return a token with these claims."""
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{_signature(signed, key)}"


def read_token(token: str, key: str) -> Mapping[str, Json] | None:
    """Return the claims of a token that was signed with the key, whatever its age; None for any other. Never raises."""
    signed, _, signature = token.rpartition(".")
    # Compared as text: several texts decode to the same bytes, and only one of them is the signature.
    if not same(signature, _signature(signed, key)):
        return None
    head, _, body = signed.partition(".")
    if _decoded(head).get("alg") != "HS256":
        return None
    return _decoded(body) or None


def _signature(signed: str, key: str) -> str:
    return _encoded(hmac.new(secret_bytes(key), secret_bytes(signed), hashlib.sha256).digest())


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _decoded(part: str) -> Mapping[str, Json]:
    try:
        padded = part + "=" * (-len(part) % 4)
        return mapping(read_json(base64.urlsafe_b64decode(padded.encode()).decode()))
    except (ValueError, UnparsableError):
        return {}
