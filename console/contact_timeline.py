"""One person's way in time: messages (never their text), touchpoints, changes, conversions, and what Meta answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from shared.db.persons import held_rows

#: Section of `shared.db.persons` -> the column with the time that something happened.
_TIMES = {
    "messages": "received_at",
    "touchpoints": "occurred_at",
    "changes": "occurred_at",
    "conversions": "occurred_at",
    "corrections": "occurred_at",
    "reported_to_meta": "event_time",
    "erasures": "requested_at",
}
#: What is never shown without being asked for.
_HIDDEN = frozenset({"text", "click_id", "conversion_token", "custom_data"})


@dataclass(frozen=True, kw_only=True, repr=False)
class Step:
    """One thing that happened; `kind` is a section's name, `row` its columns without what is hidden."""

    kind: str
    at: datetime
    row: Mapping[str, Any]


def timeline(conn: psycopg.Connection[Any], contact_ids: Sequence[int], *, limit: int) -> list[Step]:
    """The newest steps of these contacts, the newest first."""
    steps = [
        Step(kind=section, at=row[column], row={name: value for name, value in row.items() if name not in _HIDDEN})
        for section, column in _TIMES.items()
        for row in held_rows(conn, section, contact_ids)
    ]
    return sorted(steps, key=lambda step: step.at, reverse=True)[:limit]
