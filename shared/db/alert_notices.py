"""The `alert_notices` table: what is to be told of alerts, to whom, and whether it arrived."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class News:
    """One thing to tell of one alert: that it `opened`, that it is `resolved`, or that it lasts (`reminded`)."""

    alert_id: int
    workspace: str | None
    what: str


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message to one route, about the alerts of these ids; about none is a test."""

    id: UUID
    route_id: int
    opened: list[int]
    resolved: list[int]
    reminded: list[int]
    state: str
    attempts: int
    reason: str | None
    created_at: datetime


_COLUMNS = "id, route_id, opened, resolved, reminded, state, attempts, reason, created_at"


def untold(conn: psycopg.Connection[Any], *, remind_after: timedelta) -> list[News]:
    """What nobody was told yet, and what has lasted so long since that it is told again."""
    with conn.cursor(row_factory=class_row(News)) as cursor:
        return cursor.execute(
            """
            select id as alert_id, workspace, case when told_at is null then 'opened' else 'reminded' end as what
            from alerts where state <> 'resolved' and (told_at is null or (state = 'open' and told_at < now() - %s))
            union all
            select id, workspace, 'resolved' from alerts
            where state = 'resolved' and told_at is not null and not told_resolved
            order by alert_id
            """,
            [remind_after],
        ).fetchall()


def rounds_of_late(conn: psycopg.Connection[Any], *, within: timedelta) -> int:
    """How many times notices were made of late, however many at a time."""
    row = conn.execute(
        "select count(distinct created_at) from alert_notices"
        " where created_at > now() - %s and cardinality(opened || resolved || reminded) > 0",
        [within],
    ).fetchone()
    return int(row[0]) if row else 0


def mark_told(conn: psycopg.Connection[Any], ids: Collection[int]) -> None:
    """Notes that notices about these alerts were made."""
    conn.execute(
        "update alerts set told_at = now(), told_resolved = (state = 'resolved') where id = any(%s)", [list(ids)]
    )


def insert_notice(
    conn: psycopg.Connection[Any],
    notice_id: UUID,
    route_id: int,
    *,
    opened: Collection[int] = (),
    resolved: Collection[int] = (),
    reminded: Collection[int] = (),
) -> None:
    """Adds a message that is to be sent now."""
    conn.execute(
        "insert into alert_notices (id, route_id, opened, resolved, reminded) values (%s, %s, %s, %s, %s)",
        [notice_id, route_id, list(opened), list(resolved), list(reminded)],
    )


def claim_notice(conn: psycopg.Connection[Any], *, lease_seconds: float) -> Notice | None:
    """The next message that is due, ours for so long; also one whose sender died."""
    with conn.cursor(row_factory=class_row(Notice)) as cursor:
        return cursor.execute(
            f"""
            update alert_notices set state = 'sending', attempts = attempts + 1,
                   lease_until = now() + make_interval(secs => %s)
            where id = (select id from alert_notices
                        where (state = 'pending' and next_attempt_at <= now())
                           or (state = 'sending' and lease_until < now())
                        order by next_attempt_at limit 1 for update skip locked)
            returning {_COLUMNS}
            """.encode(),
            [lease_seconds],
        ).fetchone()


def has_due_notices(conn: psycopg.Connection[Any]) -> bool:
    """Whether `claim_notice` would find one."""
    row = conn.execute(
        "select exists (select from alert_notices where state = 'pending' and next_attempt_at <= now())"
        " or exists (select from alert_notices where state = 'sending' and lease_until < now())"
    ).fetchone()
    return bool(row and row[0])


def settle_notice(
    conn: psycopg.Connection[Any], notice: Notice, *, reason: str | None, retry_seconds: float | None
) -> bool:
    """Writes what came of a try: sent without a reason, else again after so long, or failed for good.

    False if another sender has taken it over meanwhile.
    """
    state = "sent" if reason is None else "failed" if retry_seconds is None else "pending"
    return (
        conn.execute(
            """
            update alert_notices set state = %(state)s, reason = %(reason)s, lease_until = null,
                   finished_at = case when %(state)s <> 'pending' then now() end,
                   next_attempt_at = now() + make_interval(secs => coalesce(%(seconds)s::float8, 0))
            where id = %(id)s and state = 'sending' and attempts = %(attempts)s
            """,
            {"state": state, "reason": reason, "seconds": retry_seconds, "id": notice.id, "attempts": notice.attempts},
        ).rowcount
        == 1
    )


def notice_by_id(conn: psycopg.Connection[Any], notice_id: UUID) -> Notice | None:
    """The message of this id, if it has not been deleted."""
    with conn.cursor(row_factory=class_row(Notice)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from alert_notices where id = %s".encode(), [notice_id]).fetchone()


def last_notices(conn: psycopg.Connection[Any]) -> dict[int, Notice]:
    """The last message to each route, by the route's id."""
    with conn.cursor(row_factory=class_row(Notice)) as cursor:
        rows = cursor.execute(
            f"select distinct on (route_id) {_COLUMNS} from alert_notices"
            " order by route_id, created_at desc, id desc".encode()
        ).fetchall()
    return {row.route_id: row for row in rows}


def delete_old_notices(conn: psycopg.Connection[Any], *, keep_days: int, limit: int) -> int:
    """Deletes messages that were settled so long ago, at most so many; how many."""
    return conn.execute(
        "delete from alert_notices where id in (select id from alert_notices"
        " where created_at < now() - make_interval(days => %s) and finished_at is not null limit %s)",
        [keep_days, limit],
    ).rowcount
