"""The `conversion_changes` table: what was learnt of a conversion after its birth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from shared.domain.revenue import Change
from shared.ids import uuid7


@dataclass(frozen=True, kw_only=True)
class NewChange:
    """One change. `business_key` makes it the same one when it is reported again."""

    conversion_id: UUID
    kind: str
    value: Decimal | None
    currency: str | None
    occurred_at: datetime
    source: str
    business_key: str
    submission_id: UUID | None
    is_test: bool
    detail: Mapping[str, Any] = field(default_factory=dict)


def insert_change(conn: psycopg.Connection[Any], change: NewChange) -> bool:
    """Stores a change; whether it is new."""
    return (
        conn.execute(
            """
            insert into conversion_changes (id, conversion_id, kind, value, currency, occurred_at, source, business_key,
                                            detail, submission_id, is_test)
            values (%(id)s, %(conversion_id)s, %(kind)s, %(value)s, %(currency)s, %(occurred_at)s, %(source)s,
                    %(business_key)s, %(detail)s, %(submission_id)s, %(is_test)s)
            on conflict do nothing
            """,
            {**change.__dict__, "id": uuid7(), "detail": Jsonb(dict(change.detail))},
        ).rowcount
        == 1
    )


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """One change as stored."""

    conversion_id: UUID
    kind: str
    value: Decimal | None
    currency: str | None
    occurred_at: datetime
    source: str
    detail: dict[str, Any]
    submission_id: UUID | None
    created_at: datetime

    def change(self) -> Change:
        """As far as it touches the value."""
        return Change(kind=self.kind, value=self.value, currency=self.currency, occurred_at=self.occurred_at)


def changes_of(conn: psycopg.Connection[Any], conversion_ids: list[UUID]) -> dict[UUID, list[ChangeRow]]:
    """The changes of each of these conversions, oldest first; all of them are in the answer."""
    found: dict[UUID, list[ChangeRow]] = {conversion_id: [] for conversion_id in conversion_ids}
    with conn.cursor(row_factory=class_row(ChangeRow)) as cursor:
        for row in cursor.execute(
            """
            select conversion_id, kind, value, currency, occurred_at, source, detail, submission_id, created_at
            from conversion_changes where conversion_id = any(%s) order by occurred_at, created_at
            """,
            [conversion_ids],
        ):
            found[row.conversion_id].append(row)
    return found
