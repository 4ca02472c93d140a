"""Repairs of deliveries by hand: settling unknown outcomes, and sending again what may go. All audited."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psycopg

from console.errors import NotFoundError
from shared.db import audit
from shared.db.repairs import Resolution, hurry, reinstate, resolve_unknown, why_they_stay
from shared.db.results import DeliveryFilter, DeliveryRow, list_deliveries
from shared.domain.deliveries import EXPIRES_AFTER

AGAIN = "again"
HURRIED = "hurried"
STAYS = "stays"

WHY_IT_STAYS: Mapping[str, str] = MappingProxyType(
    {
        "accepted": "Meta has accepted it already.",
        "sending": "It is being sent right now.",
        "unknown": "Its outcome is unknown; settle it with: ctwa deliveries resolve",
        "waiting": "It waits for its value.",
        "due": "It is due already.",
        "dataset_paused": "It is due, and its dataset is paused; see ctwa datasets list.",
        "dry_run": "Sending is a dry run; ctwa datasets set DATASET --sending on lets it go.",
        "dataset_off": "Sending is off for its dataset.",
        "too_old": "It is older than 6 days and 12 hours, too old for Meta.",
        "no_click_id": "It has no click id, or none any more.",
        "another_stands_for_it": "Another delivery stands for the same fact.",
        "consent": "The contact has not agreed to it, or no longer does.",
        "value_missing": "It has no value; report it and it goes by itself.",
        "unattributed": "It belongs to no ad click.",
        "cause_stands": "What it was skipped for still holds.",
        "changed_meanwhile": "It changed a moment ago; look again.",
    }
)
"""Why a retry leaves a delivery alone, by the codes of `shared.db.repairs.why_they_stay`."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """One delivery that was to be resolved: what it was, and what it is now."""

    delivery: DeliveryRow
    was: str
    resolved: bool


@dataclass(frozen=True, kw_only=True)
class Group:
    """Deliveries that were alike before a retry, and what it makes of them: `becomes` is AGAIN, HURRIED, or STAYS with
    a code of WHY_IT_STAYS in `why`."""

    state: str
    reason: str | None
    becomes: str
    why: str | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Retried:
    """What a retry comes to. `limited`: there may be more than were looked at."""

    groups: list[Group]
    moved: int
    limited: bool


def resolve(
    conn: psycopg.Connection[Any],
    ids: Sequence[int],
    resolution: Resolution,
    *,
    actor: str,
    workspace: str | None = None,
) -> list[Resolved]:
    """Settles those of the deliveries whose outcome is unknown, by id. Raises NotFoundError if one doesn't exist.

    The audit log keeps it under `workspace`, which the caller has checked the deliveries to be of.
    """
    before = {row.id: row.state for row in _deliveries(conn, ids)}
    settled = set(resolve_unknown(conn, ids, resolution))
    if settled:
        detail = {"ids": sorted(settled), "resolution": resolution.value}
        audit.record(
            conn, actor=actor, action="deliveries.resolve", subject="deliveries", detail=detail, workspace=workspace
        )
    return [
        Resolved(delivery=row, was="unknown" if row.id in settled else before[row.id], resolved=row.id in settled)
        for row in sorted(_deliveries(conn, ids), key=lambda row: row.id)
    ]


def retry(conn: psycopg.Connection[Any], which: DeliveryFilter, *, limit: int, actor: str) -> Retried:
    """Sends again what may go of the deliveries that `which` names, newest first, `limit` at most.

    Rejected ones go again, and skipped ones whose cause is gone; pending ones that wait for their time are due at
    once. Nothing else moves. Roll it back for a dry run. Raises NotFoundError for an id that doesn't exist.
    """
    if which.ids:
        _deliveries(conn, which.ids)
    rows = list_deliveries(conn, which, limit=limit)
    ids = [row.id for row in rows]
    youngest = EXPIRES_AFTER.total_seconds()
    again = reinstate(conn, ids, youngest_seconds=youngest)
    hurried = hurry(conn, ids)
    if again or hurried:
        detail = {"again": again, "hurried": hurried}
        audit.record(
            conn, actor=actor, action="deliveries.retry", subject="deliveries", detail=detail, workspace=which.workspace
        )
    becomes = {**dict.fromkeys(again, AGAIN), **dict.fromkeys(hurried, HURRIED)}
    why = why_they_stay(conn, [one for one in ids if one not in becomes], youngest_seconds=youngest)
    counts = Counter((row.state, row.reason, becomes.get(row.id, STAYS), why.get(row.id)) for row in rows)
    groups = [
        Group(state=state, reason=reason, becomes=become, why=code, count=count)
        for (state, reason, become, code), count in sorted(counts.items(), key=str)
    ]
    return Retried(groups=groups, moved=len(becomes), limited=len(rows) == limit)


def _deliveries(conn: psycopg.Connection[Any], ids: Sequence[int]) -> list[DeliveryRow]:
    rows = list_deliveries(conn, DeliveryFilter(ids=ids), limit=len(ids))
    if missing := sorted(set(ids) - {row.id for row in rows}):
        raise NotFoundError(
            f"There is no delivery {', '.join(map(str, missing))}. `ctwa deliveries` lists them; nothing was done."
        )
    return rows
