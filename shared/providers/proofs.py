"""What proves that a request is authentic: comparisons in constant time, over every secret set of a channel. Pure.

Nothing here raises, whatever bytes a stranger sends.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.providers.base import Request, SecretField, Secrets

#: How far a signed time may be from ours, either way. Five minutes is what Stripe, Svix and Standard Webhooks allow.
WINDOW_SECONDS = 300
DEFAULT_HEADER = "X-Webhook-Secret"


def same(given: str, expected: str) -> bool:
    """Say whether two texts are equal, in a time that says nothing of where they differ."""
    # On bytes, for compare_digest raises TypeError for text that isn't ASCII, and a header may hold anything.
    return hmac.compare_digest(secret_bytes(given), secret_bytes(expected))


def secret_bytes(text: str) -> bytes:
    """Return a text's bytes in UTF-8, also when it holds lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


def live_secrets(secrets: Sequence[Secrets], field: str) -> list[str]:
    """Return the values that a field has in the channel's secret sets, blank ones left out."""
    values = (secret.get(field, "").strip() for secret in secrets)
    return [value for value in values if value]


def any_of(verdicts: Iterable[bool]) -> bool:
    """Say whether one is True, after reaching all of them: the time taken must not tell which secret matched."""
    return any(list(verdicts))


def hmac_hex(secret: str, signed: bytes) -> str:
    """Return the HMAC-SHA256 in lower-case hexadecimal."""
    return hmac.new(secret_bytes(secret), signed, hashlib.sha256).hexdigest()


def hmac_base64(secret: str, signed: bytes) -> str:
    """Return the HMAC-SHA256 in Base64, padded."""
    return base64.b64encode(hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()).decode()


def is_recent(signed_at: int, request: Request) -> bool:
    """Say whether a signed unix time is within the window around the request's own; True when that is unknown."""
    if request.received_at is None:
        return True
    return abs(request.received_at.timestamp() - signed_at) <= WINDOW_SECONDS


def signing_time(request: Request) -> int:
    """Return the unix time to sign a sample with."""
    return int((request.received_at or datetime.fromtimestamp(0, UTC)).timestamp())


@dataclass(frozen=True)
class StaticToken:
    """The proof of providers that sign nothing: a header of our choice, with a token that only the two of us know.

    The token is also taken as `Authorization: Bearer <token>`, and as the password of `Authorization: Basic`, for
    some providers offer no other header. `header` is the default name; a channel may set its own.
    """

    header: str = DEFAULT_HEADER

    def verify(self, request: Request, secrets: Sequence[Secrets]) -> bool:
        """Say whether the request carries a token of the channel."""
        authorization = request.headers.get("authorization", "")
        scheme, _, credentials = authorization.partition(" ")
        bearer = credentials if scheme.lower() == "bearer" else ""
        password = _password(credentials) if scheme.lower() == "basic" else ""
        return any_of(
            any_of(same(given.strip(), token) for given in (self._header_of(request, secret), bearer, password))
            for secret in secrets
            for token in live_secrets([secret], "token")
        )

    def sign(self, _: Request, secrets: Secrets) -> Mapping[str, str]:
        """Return the header that the provider sends once it is told to."""
        return {self._name(secrets): secrets.get("token", "").strip()}

    def fields(self, where: str) -> tuple[SecretField, ...]:
        """Return the channel's settings; `where` names the place of the header in the provider's own screens."""
        return (
            SecretField("header", f"Name of the header: {where}.", required=False, default=self.header),
            SecretField("token", "Value of that header; make it long and random.", generated=True),
        )

    def _header_of(self, request: Request, secret: Secrets) -> str:
        return request.headers.get(self._name(secret).lower(), "")

    def _name(self, secret: Secrets) -> str:
        return secret.get("header", "").strip() or self.header


def _password(credentials: str) -> str:
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except ValueError:
        return ""
    return decoded.partition(":")[2]
