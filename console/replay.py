"""Reading stored webhooks again: what today's adapters would make of them, and having intake do it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from console.errors import NotFoundError
from shared.crypto import CannotDecrypt, KeyRing
from shared.db import audit
from shared.db.messages import MessageKey, known_messages
from shared.db.repairs import replay_webhooks
from shared.db.results import WebhookFilter, WebhookRow, list_webhooks, webhook_body
from shared.db.stored_bodies import StoredBody
from shared.domain.messages import MessageClass
from shared.providers import PROVIDERS
from shared.providers.base import Parsed, Request, UnparsableError

#: Only these have been read, and can be read again.
REPLAYABLE = ("rejected", "done")
#: From what says least of an ad to what says most, as intake ranks them.


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a replay would change. `unreadable` is reason -> count; `new` counts messages by class, `upgraded` by the
    class they have now and the one they would get."""

    webhooks: int
    readable_now: int
    unreadable: Mapping[str, int]
    known: int
    new: Mapping[str, int]
    upgraded: Mapping[tuple[str, str], int]


@dataclass
class _Found:
    """The messages of all bodies, each with its class in the one that says most of it."""

    classes: dict[MessageKey, MessageClass] = field(default_factory=dict)

    def add(self, channel_id: int, parsed: Parsed) -> None:
        for message in parsed.messages:
            key = (channel_id, message.message_id)
            best = self.classes.get(key, message.message_class)
            self.classes[key] = max(best, message.message_class, key=lambda cls: cls.rank)


def webhooks_to_replay(conn: psycopg.Connection[Any], which: WebhookFilter, *, limit: int) -> list[WebhookRow]:
    """The webhooks that `which` names, newest first, `limit` at most. Raises NotFoundError for an id that is gone."""
    if which.ids:
        there = {row.id for row in list_webhooks(conn, WebhookFilter(ids=which.ids), limit=len(which.ids))}
        if missing := sorted(set(which.ids) - there):
            raise NotFoundError(
                f"There is no webhook {', '.join(map(str, missing))}, or it was deleted when its time was over."
            )
    return list_webhooks(conn, which, limit=limit)


def forecast(conn: psycopg.Connection[Any], ring: KeyRing, rows: Sequence[WebhookRow]) -> Forecast:
    """Parses stored bodies with today's adapters and compares with what is stored. `ring` is SECRET_KEYS'."""
    found = _Found()
    unreadable: Counter[str] = Counter()
    readable_now = 0
    for row in rows:
        parsed = parse_stored(row, ring, webhook_body(conn, row))
        if isinstance(parsed, str):
            unreadable[parsed] += 1
            continue
        readable_now += row.state == "rejected"
        found.add(row.channel_id, parsed)
    stored = known_messages(conn, found.classes)
    new = Counter(cls.value for key, cls in found.classes.items() if key not in stored)
    upgraded = Counter(
        (stored[key].message_class, cls.value)
        for key, cls in found.classes.items()
        if key in stored and cls.rank > MessageClass(stored[key].message_class).rank
    )
    return Forecast(
        webhooks=len(rows),
        readable_now=readable_now,
        unreadable=dict(sorted(unreadable.items())),
        known=len(found.classes) - new.total() - upgraded.total(),
        new=dict(sorted(new.items())),
        upgraded=dict(sorted(upgraded.items())),
    )


def replay(conn: psycopg.Connection[Any], ids: Sequence[UUID], *, actor: str, workspace: str | None = None) -> int:
    """Has intake read these webhooks again; how many. Those that wait for it already are left alone."""
    replayed = replay_webhooks(conn, ids)
    if replayed:
        detail = {"count": replayed, "ids": [str(one) for one in ids]}
        audit.record(
            conn, actor=actor, action="webhooks.replay", subject="webhooks", detail=detail, workspace=workspace
        )
    return replayed


def parse_stored(row: WebhookRow | StoredBody, ring: KeyRing, sealed: bytes) -> Parsed | str:
    """What the adapter reads, or the reason code why it can't. Never raises, as intake."""
    provider = PROVIDERS.get(row.provider or "")
    if provider is None:
        return "unknown_provider"
    try:
        return provider.parse(
            Request(method=row.method, path=row.path, query=row.query, headers=row.headers, body=ring.open(sealed))
        )
    except CannotDecrypt:
        return "cannot_decrypt"
    except UnparsableError as error:
        return error.reason
    except Exception:  # noqa: BLE001 - a defect of the adapter is one of the answers
        return "adapter_failed"
