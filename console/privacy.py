"""What is shown of people and secrets when nobody has asked to see them whole."""

from typing import Any

from shared.capi.payload import shorten_click_id
from shared.crypto import CannotDecrypt, KeyRing

__all__ = ["mask_identity", "named", "open_sealed", "shorten_click_id", "strip_payload"]

_DOTS = "•••"
#: A value under such a name is a secret or a picture, in whichever provider's words.
_SECRET_NAMES = ("token", "secret", "password", "apikey", "api_key", "authorization")
_PICTURE_NAMES = ("thumbnail", "preview", "base64", "waveform")
#: Longer than any text a person needs to see to understand a webhook.
_LONGEST = 2000


def mask_identity(kind: str, value: str) -> str:
    """A phone as +1555•••0123, another name of a person as its first four characters and dots."""
    if kind == "phone":
        return f"+{value[:4]}{_DOTS}{value[-4:]}" if len(value) >= 10 else f"+{value[: len(value) // 4]}{_DOTS}"
    return f"{value[:4]}{_DOTS}"


def open_sealed(ring: KeyRing, ciphertext: bytes | None) -> tuple[str | None, str | None]:
    """A sealed text in clear, or None and why not: one row under a lost key must not cost the page."""
    if ciphertext is None:
        return None, "kept as a keyed hash only, from which nothing leads back"
    try:
        return ring.open(ciphertext).decode("utf-8", "surrogatepass"), None
    except CannotDecrypt:
        return None, "sealed under a key that this process does not have"


def named(ring: KeyRing, kind: str, ciphertext: bytes | None, *, reveal: bool = False) -> dict[str, Any]:
    """{kind, value, key_lost} of one of a person's names, shortened unless `reveal`. Without a value it is either kept
    as a hash only, or sealed under a key that this process does not have."""
    value, _ = open_sealed(ring, ciphertext)
    shown = value if value is None or reveal else mask_identity(kind, value)
    return {"kind": kind, "value": shown, "key_lost": value is None and ciphertext is not None}


def strip_payload(value: Any) -> Any:
    """A webhook's content to show: secrets and pictures taken out, very long text cut, the rest as it came."""
    if isinstance(value, dict):
        return {name: _stripped(name, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [strip_payload(inner) for inner in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:200]}… [{len(value)} characters]"
    return value


def _stripped(name: str, value: Any) -> Any:
    lowered = name.lower()
    if isinstance(value, str) and any(word in lowered for word in _SECRET_NAMES):
        return "[removed]"
    if any(word in lowered for word in _PICTURE_NAMES) and not isinstance(value, bool | dict):
        return f"[{len(value)} characters]" if isinstance(value, str) else "[picture]"
    return strip_payload(value)
