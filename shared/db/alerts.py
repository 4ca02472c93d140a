"""The `alerts` and `alert_rules` tables: what needs a person, and what a person set differently."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from shared.domain.alert_rules import Finding
from shared.domain.alerts import Setting


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert. `shared.domain.alerts.in_words` says what it means; `workspace` None is the installation's."""

    id: int
    workspace: str | None
    kind: str
    subject: str
    state: str
    detail: dict[str, Any]
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    told_at: datetime | None


_COLUMNS = (
    "id, workspace, kind, subject, state, detail, opened_at, last_seen_at, acknowledged_at, acknowledged_by,"
    " resolved_at, resolved_by, told_at"
)


def see(conn: psycopg.Connection[Any], findings: Sequence[tuple[str, Finding]]) -> int:
    """Opens an alert for each (kind, finding) that has none, and brings the others up to date; how many were opened.

    What a person resolved stays so until something newer than that is found.
    """
    opened = 0
    for kind, finding in findings:
        row = conn.execute(
            """
            insert into alerts (workspace, kind, subject, detail)
            select %(workspace)s, %(kind)s, %(subject)s, %(detail)s
            where not exists (
                select from alerts where kind = %(kind)s and subject = %(subject)s and state = 'resolved'
                  and workspace is not distinct from %(workspace)s and resolved_by is not null
                  and resolved_at >= %(at)s::timestamptz)
            on conflict (workspace, kind, subject) where state <> 'resolved'
                do update set last_seen_at = now(), detail = excluded.detail
            returning xmax = 0
            """,
            {
                "workspace": finding.workspace,
                "kind": kind,
                "subject": finding.subject,
                "detail": Jsonb(dict(finding.detail)),
                "at": finding.at,
            },
        ).fetchone()
        opened += bool(row and row[0])
    return opened


def end_unseen(conn: psycopg.Connection[Any], *, after: timedelta) -> int:
    """Resolves what has not been found again for so long; how many. Not at once, since numbers swing about a line."""
    return conn.execute(
        "update alerts set state = 'resolved', resolved_at = now()"
        " where state <> 'resolved' and last_seen_at < now() - %s",
        [after],
    ).rowcount


def list_alerts(
    conn: psycopg.Connection[Any],
    *,
    states: Collection[str] = ("open", "acknowledged"),
    workspaces: Collection[str] | None = None,
    kind: str | None = None,
    limit: int = 100,
    after: tuple[datetime, int] | None = None,
) -> list[Alert]:
    """Up to `limit` alerts, newest first, of these workspaces (None: of all, and the installation's).

    `after` is (opened_at, id) of the last one already seen.
    """
    with conn.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(
            f"""
            select {_COLUMNS} from alerts
            where state = any(%(states)s) and (%(workspaces)s::text[] is null or workspace = any(%(workspaces)s))
              and (%(kind)s::text is null or kind = %(kind)s)
              and (%(time)s::timestamptz is null or (opened_at, id) < (%(time)s, %(id)s))
            order by opened_at desc, id desc limit %(limit)s
            """.encode(),
            {
                "states": list(states),
                "workspaces": None if workspaces is None else list(workspaces),
                "kind": kind,
                "time": after and after[0],
                "id": after and after[1],
                "limit": limit,
            },
        ).fetchall()


def alerts_by_ids(conn: psycopg.Connection[Any], ids: Collection[int]) -> list[Alert]:
    """These alerts, the oldest first."""
    with conn.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from alerts where id = any(%s) order by opened_at, id".encode(), [list(ids)]
        ).fetchall()


def acknowledge(conn: psycopg.Connection[Any], alert_id: int, *, by: str) -> bool:
    """Notes that somebody looks after an alert, which ends its reminders; False unless it was open."""
    return (
        conn.execute(
            "update alerts set state = 'acknowledged', acknowledged_at = now(), acknowledged_by = %s"
            " where id = %s and state = 'open'",
            [by, alert_id],
        ).rowcount
        == 1
    )


def resolve(conn: psycopg.Connection[Any], alert_id: int, *, by: str) -> bool:
    """Ends an alert by hand; False if it was over. What still holds is found again half a minute later."""
    return (
        conn.execute(
            "update alerts set state = 'resolved', resolved_at = now(), resolved_by = %s"
            " where id = %s and state <> 'resolved'",
            [by, alert_id],
        ).rowcount
        == 1
    )


def rule_settings(conn: psycopg.Connection[Any]) -> dict[tuple[str | None, str], Setting]:
    """What differs from the defaults, by (workspace or None for all others, kind)."""
    rows = conn.execute("select workspace, kind, enabled, threshold from alert_rules").fetchall()
    return {(workspace, kind): Setting(enabled, threshold) for workspace, kind, enabled, threshold in rows}


def set_rule(
    conn: psycopg.Connection[Any], *, workspace: str | None, kind: str, enabled: bool, threshold: Decimal | None
) -> None:
    """Sets a kind for one workspace, or for all that have no setting of their own."""
    conn.execute(
        """
        insert into alert_rules (workspace, kind, enabled, threshold) values (%s, %s, %s, %s)
        on conflict (workspace, kind) do update
            set enabled = excluded.enabled, threshold = excluded.threshold, updated_at = now()
        """,
        [workspace, kind, enabled, threshold],
    )
