"""Conversions, and what became of reported items."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from flask import Response
from flask_smorest import Blueprint
from marshmallow import fields, validate

from console.api.caller import caller
from console.api.paging import TimedQuery, page, slice_of
from console.api.schemas.conversions import ConversionReportSchema, ConversionSchema, SubmissionSchema
from console.api.schemas.parts import page_of
from console.errors import NotFoundError
from console.trace import trace
from console.web.runtime import database, runtime
from shared.capi.event_names import META_NAMES
from shared.db.conversion_changes import changes_of
from shared.db.reports import (
    ConversionFilter,
    ReportedConversion,
    Slice,
    Submission,
    delivery_states,
    list_conversions,
    request_of_item,
    submission_by_id,
    submissions_of,
)
from shared.domain.submissions import KINDS

conversions = Blueprint("conversions", __name__, description="What contacts did, and to which ad it belongs.")


class ConversionQuery(TimedQuery):
    """Which conversions."""

    order_id = fields.String(validate=validate.Length(max=200), metadata={"description": "The shop's order."})
    event_name = fields.String(validate=validate.OneOf(sorted(META_NAMES)))
    contact_id = fields.Integer(strict=False, validate=validate.Range(min=1, max=2**63 - 1))
    test = fields.Boolean(metadata={"description": "true: test rows only; false: without them."})


@conversions.get("/conversions")
@conversions.arguments(ConversionQuery, location="query", unknown=None)
@conversions.response(200, page_of(ConversionSchema, "ConversionPage"))
def index(query: dict[str, Any]) -> Response | dict[str, Any]:
    """List conversions, or those of one order."""
    which = ConversionFilter(
        order_id=query.get("order_id"),
        event_name=query.get("event_name"),
        contact_ids=[query["contact_id"]] if "contact_id" in query else (),
        since=query.get("since"),
        until=query.get("until"),
        test=query.get("test"),
    )
    with database() as conn:
        rows = list_conversions(conn, caller().workspace, which, slice_of(query, UUID))
        shown = with_deliveries(conn, rows)
    return page(query, shown, lambda row: (row["occurred_at"], row["id"]), ConversionSchema())


@conversions.get("/conversions/<uuid:item>")
@conversions.response(200, ConversionReportSchema)
def show(item: UUID) -> dict[str, Any]:
    """Tell what became of a reported conversion, by the id that its report got."""
    workspace = caller().workspace
    with database() as conn:
        conversion = _conversion(conn, workspace, item)
        submission = submission_by_id(conn, workspace, item)
        if conversion is None and submission and submission.conversion_id:
            conversion = _conversion(conn, workspace, submission.conversion_id)
        if conversion is None:
            return {"submission": _state(conn, workspace, item, submission), "conversion": None, **_NOTHING}
        own_id = conversion["id"]
        whole = trace(conn, runtime().ring, str(own_id), reveal=False, actor=caller().actor)
        return {
            "submission": _as_row(submission) if submission else None,
            "conversion": conversion,
            "changes": changes_of(conn, [own_id])[own_id],
            "deliveries": whole["deliveries"],
            "reports": [_as_row(one) for one in submissions_of(conn, workspace, own_id)],
        }


@conversions.get("/submissions/<uuid:item>")
@conversions.response(200, SubmissionSchema)
def submission(item: UUID) -> dict[str, Any]:
    """Tell what became of any reported item, by the id that its report got."""
    workspace = caller().workspace
    with database() as conn:
        return _state(conn, workspace, item, submission_by_id(conn, workspace, item))


def with_deliveries(conn: psycopg.Connection[Any], rows: Sequence[ReportedConversion]) -> list[dict[str, Any]]:
    """The rows, each with where its deliveries are."""
    states = delivery_states(conn, [row.id for row in rows])
    return [{**row.__dict__, "deliveries": states[row.id]} for row in rows]


_NOTHING: dict[str, list[Any]] = {"changes": [], "deliveries": [], "reports": []}


def _conversion(conn: psycopg.Connection[Any], workspace: str, own_id: UUID) -> dict[str, Any] | None:
    rows = list_conversions(conn, workspace, ConversionFilter(ids=[own_id]), Slice(limit=1))
    return with_deliveries(conn, rows)[0] if rows else None


def _state(conn: psycopg.Connection[Any], workspace: str, item: UUID, submission: Submission | None) -> dict[str, Any]:
    """Where an item is that became no conversion of its own. Raises NotFoundError."""
    if submission:
        return _as_row(submission)
    request = request_of_item(conn, workspace, item)
    if request is None or request.state == "done":
        raise NotFoundError("Nothing with this id was reported in this workspace.")
    return {
        "id": item,
        "kind": KINDS.get(request.path),
        "received_at": request.received_at,
        "state": "unreadable" if request.state == "rejected" else "processing",
        "reason": request.reason,
        "detail": None,
        "contact_id": None,
        "conversion_id": None,
    }


def _as_row(submission: Submission) -> dict[str, Any]:
    return submission.__dict__
