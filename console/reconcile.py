"""Reconciliation: what a channel's provider has and we don't, stored as ordinary webhooks, so that intake reads it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from console.errors import InvalidError
from shared.crypto import KeyRing
from shared.db.channels import Channel
from shared.db.messages import KnownMessage, MessageKey, known_messages
from shared.db.webhook_counts import RECONCILED
from shared.db.webhooks import NewWebhook, insert_webhooks
from shared.domain.messages import Message, MessageClass
from shared.ids import uuid7
from shared.providers import parse_body
from shared.providers.base import UnparsableError

#: Messages in one stored webhook, and its size: so small that it has never more values than an adapter reads.
ENVELOPE = 50
ENVELOPE_BYTES = 300_000
#: What a message is may only become more telling: an ad block that came late is kept, one that is gone isn't missed.
_TELLING = (MessageClass.ORGANIC, MessageClass.POST, MessageClass.AD_WITHOUT_CLICK_ID, MessageClass.AD)


@dataclass
class Missed:
    """What one run found. `read` are messages at the provider, `inbound` those that a live webhook would have counted.

    `missed` are the inbound ones that we don't have, or have without their ad; the adapter refuses the `unreadable`.
    """

    read: int = 0
    inbound: int = 0
    unreadable: int = 0
    missed: list[Message] = field(default_factory=list)
    webhooks: list[UUID] = field(default_factory=list)


@dataclass(frozen=True)
class _Found:
    written: dict[str, Any]
    message: Message


class Reconciliation:
    """One run over one channel, page by page. `ring` is SECRET_KEYS'; a dry run stores nothing."""

    def __init__(self, channel: Channel, ring: KeyRing, *, dry_run: bool) -> None:
        """Raises InvalidError for a provider that keeps no messages to be read again."""
        if channel.provider != "whapi":
            raise InvalidError(
                f"Channel {channel.name!r} is {channel.provider}'s. Only Whapi's messages can be read again;"
                " for others, let the provider repeat the webhooks."
            )
        self._channel = channel
        self._ring = ring
        self._dry_run = dry_run
        self._seen: set[str] = set()
        self.result = Missed()

    def take(self, conn: psycopg.Connection[Any], page: Sequence[Any]) -> int:
        """Stores what is missing of a page; how many of its messages were not in an earlier page.

        Repeating it changes nothing: what intake has read meanwhile isn't missing any more.
        """
        fresh = [written for written in page if self._is_fresh(written)]
        self.result.read += len(fresh)
        found = [one for written in fresh if (one := self._read(written))]
        self.result.inbound += len(found)
        known = known_messages(conn, [self._key(one) for one in found])
        missing = [one for one in found if _is_missing(one.message, known.get(self._key(one)))]
        self.result.missed += [one.message for one in missing]
        if missing and not self._dry_run:
            webhooks = [self._webhook(body) for body in _envelopes([one.written for one in missing])]
            insert_webhooks(conn, webhooks)
            self.result.webhooks += [webhook.id for webhook in webhooks]
        return len(fresh)

    def _is_fresh(self, written: Any) -> bool:
        """Whether it was in no earlier page. What has no id can't be told, and can't be kept."""
        name = written.get("id") if isinstance(written, dict) else None
        if not isinstance(name, str) or name in self._seen:
            return False
        self._seen.add(name)
        return True

    def _read(self, written: dict[str, Any]) -> _Found | None:
        """A message as the webhooks' adapter reads it; None for what it leaves out or can't read."""
        try:
            parsed = parse_body("whapi", _envelope([written]))
        except UnparsableError:
            self.result.unreadable += 1
            return None
        return _Found(written, parsed.messages[0]) if parsed.messages else None

    def _key(self, found: _Found) -> MessageKey:
        return self._channel.id, found.message.message_id

    def _webhook(self, body: bytes) -> NewWebhook:
        return NewWebhook(
            id=uuid7(),
            received_at=datetime.now(UTC),
            source="channel",
            source_id=self._channel.id,
            method="POST",
            path="",
            query="",
            headers={"content-type": "application/json", "user-agent": RECONCILED},
            body=self._ring.seal(body),
            body_bytes=len(body),
        )


def _is_missing(message: Message, known: KnownMessage | None) -> bool:
    if known is None:
        return True
    return _TELLING.index(message.message_class) > _TELLING.index(MessageClass(known.message_class))


def _envelopes(messages: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """Yields webhook bodies that together hold all the messages."""
    batch: list[dict[str, Any]] = []
    size = 0
    for message in messages:
        length = len(_envelope([message]))
        if batch and (len(batch) == ENVELOPE or size + length > ENVELOPE_BYTES):
            yield _envelope(batch)
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield _envelope(batch)


def _envelope(messages: Sequence[Any]) -> bytes:
    """The body that Whapi would have posted; but for `channel_id`, which the list of messages doesn't name."""
    return json.dumps({"messages": list(messages), "event": {"type": "messages", "method": "post"}}).encode()
