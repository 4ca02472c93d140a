"""How far intake is with certain webhooks. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class IntakeProgress:
    """How many of the webhooks are read, rejected and neither; and how many messages of those read were new."""

    done: int
    rejected: int
    waiting: int
    new: int


def intake_progress(conn: psycopg.Connection[Any], ids: Sequence[UUID]) -> IntakeProgress:
    """What intake made of the webhooks with these ids."""
    with conn.cursor(row_factory=class_row(IntakeProgress)) as cursor:
        row = cursor.execute(
            """
            select count(*) filter (where state = 'done') as done,
                   count(*) filter (where state = 'rejected') as rejected,
                   count(*) filter (where state in ('new', 'claimed')) as waiting,
                   coalesce(sum(messages - duplicates) filter (where state = 'done'), 0)::bigint as new
            from webhooks where id = any(%s)
            """,
            [list(ids)],
        ).fetchone()
    assert row is not None
    return row
