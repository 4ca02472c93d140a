"""The `heartbeats` table: when each process last finished a round of its work."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True)
class Heartbeat:
    process: str
    seconds_ago: float


def beat(conn: psycopg.Connection[Any], process: str, **detail: Any) -> None:
    """Says that `process` has just finished a round. `detail` is counts and durations."""
    conn.execute(
        """
        insert into heartbeats (process, detail) values (%s, %s)
        on conflict (process) do update set beat_at = now(), detail = excluded.detail
        """,
        [process, Jsonb(detail)],
    )


def heartbeats(conn: psycopg.Connection[Any]) -> list[Heartbeat]:
    """The last sign of life of every process that ever gave one."""
    with conn.cursor(row_factory=class_row(Heartbeat)) as cursor:
        cursor.execute(
            "select process, extract(epoch from now() - beat_at)::float8 as seconds_ago from heartbeats order by 1"
        )
        return cursor.fetchall()
