"""Conversions as `ctwa conversions` shows them: state, attribution and flags in words, changes, gross and net."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from console.errors import NotFoundError
from shared.db.conversion_changes import ChangeRow, changes_of
from shared.db.reported import (
    ConversionFilter,
    ReportedRow,
    SubmissionRow,
    list_conversions,
    submission_by_id,
    submissions_of,
)
from shared.db.touchpoints import first_touch
from shared.domain.reasons import explain
from shared.domain.revenue import revenue


def conversion_rows(conn: psycopg.Connection[Any], which: ConversionFilter, *, limit: int) -> list[dict[str, Any]]:
    """Conversions, the latest first, JSON-ready; `docs/cli.md` has their form."""
    rows = list_conversions(conn, which, limit=limit)
    changes = changes_of(conn, [row.id for row in rows])
    return [_row(row, changes[row.id]) for row in rows]


def conversion_details(conn: psycopg.Connection[Any], reference: str, *, workspace: str | None) -> dict[str, Any]:
    """One conversion by its id, or by the id of the item that reported it, or by its order's; with all that is known.

    Raises NotFoundError. An item that was refused or not read yet is said to be so.
    """
    found = _find(conn, reference, workspace)
    changes = changes_of(conn, [found.id])[found.id]
    touch = first_touch(conn, found.contact_id)
    others = []
    if found.order_id is not None:
        which = ConversionFilter(workspace=found.workspace, order_id=found.order_id)
        others = [row for row in list_conversions(conn, which, limit=20) if row.id != found.id]
    return {
        **_row(found, changes),
        "first_touch": None
        if touch is None
        else {
            "touchpoint": touch.touchpoint_id,
            "occurred_at": touch.occurred_at,
            "ad_id": touch.ad_id,
            "headline": touch.headline,
            # An older click that came to be known later is shown, and doesn't take the place.
            "older_click": touch.earlier_id,
            "older_click_at": touch.earlier_at,
        },
        "changes": [_change(change) for change in changes],
        "submissions": [submission(one) for one in submissions_of(conn, found.id)],
        "same_order": [{"id": row.id, "event_name": row.event_name, "occurred_at": row.occurred_at} for row in others],
    }


def conversion_story(conn: psycopg.Connection[Any], conversion_id: UUID) -> dict[str, Any]:
    """Where a conversion comes from, and what was learnt of it: rule, flags, reports and changes, for its trace."""
    [row] = list_conversions(conn, ConversionFilter(ids=[conversion_id]), limit=1)
    return {
        "attribution_words": explain(row.attribution).words,
        "rule": row.rule,
        "rule_version": row.rule_version,
        "rule_message": row.rule_message,
        "flags": [{"flag": flag, "words": explain(flag).words} for flag in row.flags],
        "submissions": [submission(one) for one in submissions_of(conn, conversion_id)],
        "changes": [_change(change) for change in changes_of(conn, [conversion_id])[conversion_id]],
    }


def submission(one: SubmissionRow) -> dict[str, Any]:
    """What became of one reported item, in words."""
    return {
        "id": one.id,
        "source": one.source,
        "api_key": one.api_key,
        "state": one.state,
        "reason": one.reason,
        "words": explain(one.reason).words if one.reason else None,
        "detail": one.detail,
        "received_at": one.webhook_received_at,
        "webhook": one.webhook_id,
    }


def _find(conn: psycopg.Connection[Any], reference: str, workspace: str | None) -> ReportedRow:
    item = None
    try:
        which = ConversionFilter(ids=[UUID(reference)], workspace=workspace)
        item = submission_by_id(conn, UUID(reference))
        if item is not None and item.conversion_id is not None:
            which = ConversionFilter(ids=[item.conversion_id], workspace=workspace)
    except ValueError:
        which = ConversionFilter(order_id=reference, workspace=workspace)
    rows: Sequence[ReportedRow] = list_conversions(conn, which, limit=20)
    if not rows and item is not None:
        why = explain(item.reason or item.state)
        raise NotFoundError(f"The item was {item.state}: {why.words} {item.detail or ''} What to do: {why.next_step}")
    if not rows:
        raise NotFoundError(
            "No conversion has that id, nor an order that was reported. What was taken in a moment ago may not be read"
            " yet: `ctwa status` shows what waits."
        )
    return next((row for row in rows if row.event_name == "Purchase"), rows[0])


def _row(row: ReportedRow, changes: Sequence[ChangeRow]) -> dict[str, Any]:
    worth = revenue(row.value, row.currency, [change.change() for change in changes])
    return {
        "id": row.id,
        "workspace": row.workspace,
        "event_name": row.event_name,
        "occurred_at": row.occurred_at,
        "created_at": row.created_at,
        "channel": row.channel,
        "contact": row.contact_id,
        "value": row.value,
        "currency": row.currency,
        "gross": worth and worth.gross,
        "net": worth and worth.net,
        "revenue_currency": worth and worth.currency,
        "cost": row.cost,
        "order_id": row.order_id,
        "source": row.source,
        "rule": row.rule,
        "rule_version": row.rule_version,
        "rule_message": row.rule_message,
        "attribution": row.attribution,
        "attribution_words": explain(row.attribution).words,
        "attributed_at": row.attributed_at,
        "touchpoint": row.touchpoint_id,
        "touched_at": row.touched_at,
        "ad_id": row.ad_id,
        "headline": row.headline,
        "flags": [{"flag": flag, "words": explain(flag).words} for flag in row.flags],
        "deliveries": [
            {"id": number, "state": state, "reason": reason, "words": explain(reason).words if reason else None}
            for number, state, reason in zip(row.delivery_ids, row.states, row.reasons, strict=True)
        ],
        "changed": len(changes),
        "test": row.is_test,
    }


def _change(change: ChangeRow) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "value": change.value,
        "currency": change.currency,
        "occurred_at": change.occurred_at,
        "created_at": change.created_at,
        "source": change.source,
        "submission": change.submission_id,
        "detail": change.detail,
    }
