"""The channels this process knows, with their secrets opened."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from receiver.known import Known
from shared.crypto import CannotDecrypt
from shared.db.channels import DoorChannel, open_secrets
from shared.logs import get_logger
from shared.providers import PROVIDERS
from shared.providers.base import Provider

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class OpenChannel:
    """A channel with its secrets opened; `secrets` is None when no key of SECRET_KEYS opens them."""

    id: int
    key: str
    provider: Provider
    secrets: Sequence[Mapping[str, str]] | None
    #: What must not be kept of a request: every secret long enough to be one.
    secret_values: tuple[str, ...]
    unsigned: bool
    enabled: bool


class Channels(Known[DoorChannel]):
    """The known channels by key."""

    what = "channels"
    copy_name = "channels.sealed"
    _by_key: Mapping[str, OpenChannel] = {}

    def get(self, key: str) -> OpenChannel | None:
        """The channel with this key, as last read. No I/O."""
        return self._by_key.get(key)

    def use(self, rows: Sequence[DoorChannel], before: Sequence[DoorChannel]) -> int:
        """Opens the secrets of the channels that changed."""
        unchanged = {row.id: row for row in before}
        by_key = {}
        for row in rows:
            same = self._by_key.get(row.key) if unchanged.get(row.id) == row else None
            channel = same or self._open(row)
            if channel:
                by_key[channel.key] = channel
        self._by_key = by_key
        return len(by_key)

    def _open(self, row: DoorChannel) -> OpenChannel | None:
        provider = PROVIDERS.get(row.provider)
        if provider is None:
            log.error("channel of an unknown provider left out", channel_id=row.id, provider=row.provider)
            return None
        secrets: list[dict[str, str]] | None
        try:
            secrets = open_secrets(self._ring, row.secrets)
        except (CannotDecrypt, ValueError):
            log.error("channel's secrets can't be opened, its webhooks get a 503", channel_id=row.id)
            secrets = None
        return OpenChannel(
            id=row.id,
            key=row.key,
            provider=provider,
            secrets=secrets,
            secret_values=tuple(value for one in secrets or () for value in one.values() if len(value) >= 8),
            unsigned=row.unsigned,
            enabled=row.enabled,
        )

    def as_json(self, row: DoorChannel) -> dict[str, object]:
        """A channel as it stands in the copy."""
        return {
            "id": row.id,
            "key": row.key,
            "provider": row.provider,
            "secrets": base64.b64encode(row.secrets).decode(),
            "unsigned": row.unsigned,
            "enabled": row.enabled,
        }

    def from_json(self, row: dict[str, Any]) -> DoorChannel:
        """A channel from the copy."""
        return DoorChannel(**{**row, "secrets": base64.b64decode(row["secrets"])})
