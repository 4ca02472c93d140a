"""The `conversion_changes` table: what was learnt of a conversion after its birth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from shared.db.recordset import as_recordset
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


def insert_changes(conn: psycopg.Connection[Any], changes: Sequence[NewChange]) -> int:
    """Stores changes that are not known yet; how many were not."""
    if not changes:
        return 0
    columns = ", ".join(["id", *(column.name for column in fields(NewChange))])
    return conn.execute(
        f"insert into conversion_changes ({columns})"
        f" select {columns} from jsonb_populate_recordset(null::conversion_changes, %s) on conflict do nothing",
        [as_recordset({**change.__dict__, "id": uuid7()} for change in changes)],
    ).rowcount


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
