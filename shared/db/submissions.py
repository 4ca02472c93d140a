"""The `submissions` table: what became of each item that was reported; and whose reports they are."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from shared.db.recordset import as_recordset


@dataclass(frozen=True, kw_only=True)
class NewSubmission:
    """What became of one item. `detail` says in words what the reason's own can't: which field, which other value."""

    id: UUID
    workspace: str
    kind: str
    source: str
    api_key_id: int | None
    webhook_id: UUID
    webhook_received_at: datetime
    state: str
    reason: str | None = None
    detail: str | None = None
    contact_id: int | None = None
    conversion_id: UUID | None = None
    is_test: bool = False


def settled_submissions(conn: psycopg.Connection[Any], webhook_ids: Sequence[UUID]) -> set[UUID]:
    """The items of these requests that came to an end before and need no second look: all that were not refused."""
    rows = conn.execute(
        "select id from submissions where webhook_id = any(%s) and state <> 'refused'", [list(webhook_ids)]
    ).fetchall()
    return {submission_id for (submission_id,) in rows}


def insert_submissions(conn: psycopg.Connection[Any], submissions: Sequence[NewSubmission]) -> None:
    """Writes down what became of items; one that was refused before, and now is not, takes the new word."""
    if not submissions:
        return
    columns = ", ".join(field.name for field in fields(NewSubmission))
    conn.execute(
        f"""
        insert into submissions as s ({columns}) select {columns} from jsonb_populate_recordset(null::submissions, %s)
        on conflict (id) do update set state = excluded.state, reason = excluded.reason, detail = excluded.detail,
            contact_id = excluded.contact_id, conversion_id = excluded.conversion_id
        where s.state = 'refused'
        """,
        [as_recordset(submission.__dict__ for submission in submissions)],
    )


@dataclass(frozen=True, kw_only=True)
class Reporter:
    """Who may report for which workspace: an API key, or the workspace itself by a file."""

    source: str
    source_id: int
    workspace: str
    scopes: tuple[str, ...]
    is_test: bool


def reporters(
    conn: psycopg.Connection[Any], *, keys: Sequence[int], workspaces: Sequence[int]
) -> dict[tuple[str, int], Reporter]:
    """The API keys and workspaces with these ids, by (source, id) of their webhooks. Revoked keys too: what came
    before was acknowledged."""
    rows = conn.execute(
        """
        select 'api_key', id, workspace, scopes, is_test from api_keys where id = any(%s)
        union all
        select 'import', id, name, '{}', false from workspaces where id = any(%s)
        """,
        [list(keys), list(workspaces)],
    ).fetchall()
    return {
        (source, source_id): Reporter(
            source=source, source_id=source_id, workspace=workspace, scopes=tuple(scopes), is_test=is_test
        )
        for source, source_id, workspace, scopes, is_test in rows
    }


def touch_api_keys(conn: psycopg.Connection[Any], used: Sequence[tuple[int, datetime]]) -> None:
    """Notes when keys were last used."""
    if not used:
        return
    conn.execute(
        """
        update api_keys a set last_used_at = u.at
        from (select id, max(at) as at from unnest(%s::bigint[], %s::timestamptz[]) as n (id, at) group by id) u
        where a.id = u.id and (a.last_used_at is null or a.last_used_at < u.at)
        """,
        [[key for key, _ in used], [at for _, at in used]],
    )


def unfinished_requests(conn: psycopg.Connection[Any], webhook_ids: Sequence[UUID]) -> int:
    """How many of these requests intake has not read."""
    row = conn.execute(
        "select count(*) from webhooks where id = any(%s) and state in ('new', 'claimed')", [list(webhook_ids)]
    ).fetchone()
    return int(row[0]) if row else 0


def ends_of_requests(conn: psycopg.Connection[Any], webhook_ids: Sequence[UUID]) -> dict[tuple[str, str | None], int]:
    """What became of the items of these requests: (state, reason) -> how many."""
    rows = conn.execute(
        "select state, reason, count(*) from submissions where webhook_id = any(%s) group by state, reason",
        [list(webhook_ids)],
    ).fetchall()
    return {(state, reason): count for state, reason, count in rows}
