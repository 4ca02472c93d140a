"""The `audit_log` table: who changed what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


def record(
    conn: psycopg.Connection[Any],
    *,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    workspace: str | None = None,
) -> None:
    """Writes one line of the audit log, in the caller's transaction. `detail` holds no secret and no personal data.

    Owners of the workspace see it; without one, those see it who own everything.
    """
    conn.execute(
        "insert into audit_log (actor, action, subject, detail, workspace) values (%s, %s, %s, %s, %s)",
        [actor, action, subject, Jsonb(dict(detail or {})), workspace],
    )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the log: who did what to what. `actor` is `user:<id>`, `cli:<login>`, `api:<key>` or a process."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    workspace: str | None


def entries(
    conn: psycopg.Connection[Any],
    *,
    workspace: str,
    everything: bool,
    search: str = "",
    before: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """The newest lines of a workspace, or of all with `everything`; older than the id `before`.

    `search` is a piece of the actor, the action or the subject, in any case.
    """
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(
            """
            select id, at, actor, action, subject, detail, workspace from audit_log
            where (%(everything)s or workspace = %(workspace)s)
              and (%(before)s::bigint is null or id < %(before)s)
              and (%(search)s = '' or strpos(lower(actor || ' ' || action || ' ' || subject), lower(%(search)s)) > 0)
            order by id desc limit %(limit)s
            """,
            {
                "workspace": workspace,
                "everything": everything,
                "search": search,
                "before": before,
                "limit": limit,
            },
        ).fetchall()
