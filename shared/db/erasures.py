"""The `erasures` table: requests to erase a person, and how far each has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from shared.db.webhooks import Backlog


@dataclass(frozen=True, kw_only=True, repr=False)
class Erasure:
    """One request; `names` is sealed. The cursor is the webhook up to which bodies have been searched."""

    id: int
    workspace: str
    contact_ids: list[int]
    step: str
    names: bytes | None
    cursor_at: datetime | None
    cursor_id: UUID | None
    webhooks_read: int
    bodies_deleted: int
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None


_COLUMNS = (
    "id, workspace, contact_ids, step, names, cursor_at, cursor_id, webhooks_read, bodies_deleted, requested_by,"
    " requested_at, finished_at"
)


def request_erasure(
    conn: psycopg.Connection[Any], *, workspace: str, contact_ids: Sequence[int], names: bytes, requested_by: str
) -> int:
    """Adds a request to erase the person who is these contacts; its id. `names`, sealed, are what the person asked
    by, over and above what is stored."""
    row = conn.execute(
        "insert into erasures (workspace, contact_ids, names, requested_by) values (%s, %s, %s, %s) returning id",
        [workspace, list(contact_ids), names, requested_by],
    ).fetchone()
    assert row is not None
    return int(row[0])


def erasure_by_id(conn: psycopg.Connection[Any], erasure_id: int) -> Erasure | None:
    """The request with this id."""
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from erasures where id = %s", [erasure_id]).fetchone()


def open_erasure_of(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> Erasure | None:
    """The request about one of these contacts that is not done yet."""
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from erasures where contact_ids && %s::bigint[] and step <> 'done' order by id limit 1",
            [list(contact_ids)],
        ).fetchone()


def take_erasure(conn: psycopg.Connection[Any]) -> Erasure | None:
    """The oldest request that is not done and that nobody works on, locked until the end of the transaction."""
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from erasures where step <> 'done' order by requested_at, id limit 1"
            " for update skip locked"
        ).fetchone()


def next_step(conn: psycopg.Connection[Any], erasure_id: int, step: str, *, names: bytes | None) -> None:
    """Goes on to another step; `done` ends it and forgets the names."""
    conn.execute(
        "update erasures set step = %(step)s, names = %(names)s, cursor_at = null, cursor_id = null,"
        " finished_at = case when %(step)s = 'done' then now() end where id = %(id)s",
        {"step": step, "names": None if step == "done" else names, "id": erasure_id},
    )


def move_cursor(
    conn: psycopg.Connection[Any], erasure_id: int, at: datetime, webhook_id: UUID, *, read: int, deleted: int
) -> None:
    """Writes down up to which webhook the bodies have been searched, and what came of it."""
    conn.execute(
        "update erasures set cursor_at = %s, cursor_id = %s, webhooks_read = webhooks_read + %s,"
        " bodies_deleted = bodies_deleted + %s where id = %s",
        [at, webhook_id, read, deleted, erasure_id],
    )


def count_deleted(conn: psycopg.Connection[Any], erasure_id: int, deleted: int) -> None:
    """Counts bodies that were deleted without a search."""
    conn.execute("update erasures set bodies_deleted = bodies_deleted + %s where id = %s", [deleted, erasure_id])


def erasure_backlog(conn: psycopg.Connection[Any]) -> Backlog:
    """The requests that are not done, and since when the oldest waits."""
    row = conn.execute(
        "select count(*), coalesce(extract(epoch from now() - min(requested_at)), 0)::float8"
        " from erasures where step <> 'done'"
    ).fetchone()
    return Backlog(*row) if row else Backlog(0, 0.0)
