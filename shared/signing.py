"""Signatures on what we post, as Standard Webhooks has them (https://www.standardwebhooks.com).

Whoever receives it verifies it with any of its libraries, and tells a repetition by `webhook-id`.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook


def new_secret() -> str:
    """A fresh secret: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def is_secret(text: str) -> bool:
    """Whether a secret that came from elsewhere has the form, and 24 to 64 bytes as the standard demands."""
    prefix, _, encoded = text.partition("whsec_")
    try:
        return not prefix and 24 <= len(base64.b64decode(encoded, validate=True)) <= 64
    except ValueError:
        return False


def signed_headers(keys: Sequence[str], *, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The three headers of one message, signed by every one of `keys` (two while one is being replaced).

    `at` is the time of this try, which receivers compare with their clock; `message_id` stays the same over all tries.
    """
    moment = at.astimezone(UTC)
    signatures = [Webhook(key).sign(message_id, moment, body.decode("utf-8")) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
