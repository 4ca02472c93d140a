"""How deliveries of a workspace stand: counts by state and reason, how fast they go, and what has waited longest."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

#: Not yet at their end.
_UNDER_WAY = ["pending", "sending", "waiting", "unknown"]


@dataclass(frozen=True, kw_only=True)
class StateCount:
    """How many deliveries are in a state for a reason."""

    state: str
    reason: str | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Of what Meta accepted: seconds from the conversion's arrival here to Meta's answer, half of them below `median`,
    95 % below `p95`; how many tries it took on average; when the last one was accepted. None without any."""

    median_seconds: float | None
    p95_seconds: float | None
    attempts: float | None
    last_accepted_at: datetime | None


_OF = """
from deliveries d join conversions c on c.id = d.conversion_id
where c.workspace = %(workspace)s and (%(test)s or not d.is_test)
"""


def state_counts(
    conn: psycopg.Connection[Any], workspace: str, *, since: datetime | None, with_test: bool
) -> list[StateCount]:
    """Deliveries made since then, by state and reason, the most frequent first."""
    with conn.cursor(row_factory=class_row(StateCount)) as cursor:
        return cursor.execute(
            f"""
            select d.state, case when d.state in ('skipped', 'rejected') then d.reason end as reason, count(*) as count
            {_OF} and d.created_at >= coalesce(%(since)s::timestamptz, '-infinity') group by 1, 2 order by 3 desc, 1, 2
            """.encode(),
            {"workspace": workspace, "since": since, "test": with_test},
        ).fetchall()


def pace(conn: psycopg.Connection[Any], workspace: str, *, since: datetime | None, with_test: bool) -> Pace:
    """How fast deliveries made since then came to Meta."""
    with conn.cursor(row_factory=class_row(Pace)) as cursor:
        found = cursor.execute(
            f"""
            select percentile_cont(0.5) within group (order by seconds) as median_seconds,
                   percentile_cont(0.95) within group (order by seconds) as p95_seconds,
                   avg(attempts)::float8 as attempts, max(accepted_at) as last_accepted_at
            from (select extract(epoch from d.accepted_at - d.created_at)::float8 as seconds, d.attempts, d.accepted_at
                  {_OF} and d.state = 'accepted' and d.created_at >= coalesce(%(since)s::timestamptz, '-infinity')) a
            """.encode(),
            {"workspace": workspace, "since": since, "test": with_test},
        ).fetchone()
    assert found is not None
    return found


def oldest_waiting(conn: psycopg.Connection[Any], workspace: str, *, with_test: bool) -> datetime | None:
    """When the oldest delivery that has not come to its end was made."""
    row = conn.execute(
        f"select min(d.created_at) {_OF} and d.state = any(%(states)s)".encode(),
        {"workspace": workspace, "test": with_test, "states": _UNDER_WAY},
    ).fetchone()
    return row[0] if row else None
