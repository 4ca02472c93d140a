"""Whether a raw body holds a person: by their names and click ids as text, or by what its adapter reads in it.

A number is looked for without the signs people write between digits, an address in any case. What is too short to be
told from chance is looked for in what the adapter reads only, and so are names that are known as hashes only.
"""

import re
import zlib
from urllib.parse import unquote_to_bytes

from shared.crypto import HashRing
from shared.db.wiping import KeptWebhook
from shared.domain.phones import canonical_phone
from shared.naming import name_hashes
from shared.providers import PROVIDERS
from shared.providers.base import Request, UnparsableError
from shared.wanted import Wanted

#: Fewer digits or characters stand in bodies by chance.
SHORTEST_NUMBER = 7
SHORTEST_TEXT = 6
_BETWEEN_DIGITS = b" ()-.+/\t"
_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-fA-F])")
#: A gzipped body is not unpacked further than this.
_MOST_UNPACKED = 64 * 1024 * 1024
_KINDS = ("phone", "bsuid", "parent_bsuid", "lid", "provider_id")


class Search:
    """Looks for one person in bodies."""

    def __init__(self, wanted: Wanted, ring: HashRing) -> None:
        self._ring = ring
        numbers = {form for kind, value in wanted.names if kind == "phone" for form in (value, canonical_phone(value))}
        long = "|".join(re.escape(number) for number in sorted(numbers) if len(number) >= SHORTEST_NUMBER)
        # Not as a part of a longer number: ids of Meta's have 15 digits and more.
        self._number = re.compile(rf"(?<![0-9])(?:00)?(?:{long})(?![0-9])".encode()) if long else None
        texts = [value for kind, value in wanted.names if kind != "phone"] + list(wanted.texts)
        self._texts = [
            text.strip().lower().encode("utf-8", "surrogatepass") for text in texts if len(text) >= SHORTEST_TEXT
        ]
        short = [
            (kind, value)
            for kind, value in wanted.names
            if len(value) < (SHORTEST_NUMBER if kind == "phone" else SHORTEST_TEXT)
        ]
        self._hashes = set(wanted.hashes) | {
            (kind, one.digest.hex()) for kind, value in short for one in name_hashes(ring, kind, value)
        }

    def is_in(self, webhook: KeptWebhook, body: bytes) -> bool:
        """Whether the person is in this webhook; `body` is its body, opened."""
        plain = _plain(body) + b"\n" + webhook.query.encode("utf-8", "replace")
        return self._is_in_text(plain) or (bool(self._hashes) and self._is_read_in(webhook, body))

    def _is_in_text(self, plain: bytes) -> bool:
        if self._number and (self._number.search(plain) or self._number.search(plain.translate(None, _BETWEEN_DIGITS))):
            return True
        lowered = plain.lower()
        return any(text in lowered for text in self._texts)

    def _is_read_in(self, webhook: KeptWebhook, body: bytes) -> bool:
        if webhook.provider not in PROVIDERS:
            return False
        request = Request(webhook.method, webhook.path, webhook.query, webhook.headers, body)
        try:
            messages = PROVIDERS[webhook.provider].parse(request).messages
        except UnparsableError:
            return False
        except Exception:  # noqa: BLE001 - a defect of the adapter, told by intake; the text was searched
            return False
        names = ((kind, getattr(message, kind)) for message in messages for kind in _KINDS)
        return any(self._is_wanted(kind, value) for kind, value in names if value)

    def _is_wanted(self, kind: str, value: str) -> bool:
        return any((kind, one.digest.hex()) in self._hashes for one in name_hashes(self._ring, kind, value))


def _plain(body: bytes) -> bytes:
    """The body with what may stand between a reader and its text undone: gzip, JSON escapes, form encoding."""
    if body.startswith(b"\x1f\x8b"):
        try:
            body = zlib.decompressobj(wbits=31).decompress(body, _MOST_UNPACKED)
        except zlib.error:
            return body
    if b"\\u00" in body:
        body = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), body)
    return body + b"\n" + unquote_to_bytes(body) if b"%" in body else body
