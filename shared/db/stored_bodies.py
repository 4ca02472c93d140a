"""Stored webhooks of channels in the order they came, in bounded pieces, for whoever reads them all again."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class StoredBody:
    """One webhook with its sealed body, and the channel it came by."""

    id: UUID
    received_at: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    channel_id: int
    channel: str
    workspace: str
    provider: str
    currency: str | None
    is_test: bool


def count_stored(conn: psycopg.Connection[Any], *, since: datetime, workspace: str) -> int:
    """How many there are."""
    row = conn.execute(
        "select count(*) from webhooks w join channels c on c.id = w.source_id"
        " where w.source = 'channel' and w.received_at >= %s and c.workspace = %s",
        [since, workspace],
    ).fetchone()
    return int(row[0]) if row else 0


def stored_bodies(
    conn: psycopg.Connection[Any], *, since: datetime, workspace: str, after: UUID | None, limit: int
) -> list[StoredBody]:
    """The next `limit` from `since` on, behind the one with the id `after`, whose own time `since` then is."""
    with conn.cursor(row_factory=class_row(StoredBody)) as cursor:
        return cursor.execute(
            """
            select w.id, w.received_at, w.method, w.path, w.query, w.headers, w.body, c.id as channel_id,
                   c.name as channel, c.workspace, c.provider, c.currency, c.is_test
            from webhooks w join channels c on c.id = w.source_id
            where w.source = 'channel' and c.workspace = %(workspace)s and w.received_at >= %(since)s
              and (w.received_at > %(since)s or %(after)s::uuid is null or w.id > %(after)s)
            order by w.received_at, w.id limit %(limit)s
            """,
            {"workspace": workspace, "since": since, "after": after, "limit": limit},
        ).fetchall()
