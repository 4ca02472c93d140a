"""Deliveries: what became of every event, one event's whole story, and the list as a file."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from console.errors import NotFoundError
from console.preview import preview
from console.sales import conversion_details
from console.team.roles import Role
from console.trace import trace
from console.web.access import least, membership, person
from console.web.csv_download import csv_answer
from console.web.cursors import cursor_of, split_numbered
from console.web.delivery_filters import Asked, asked
from console.web.runtime import database, runtime
from shared.capi.event_names import META_NAMES
from shared.db.delivery_figures import read_delivery_figures
from shared.db.results import DeliveryFilter, DeliveryRow, list_deliveries
from shared.domain.deliveries import State

deliveries = Blueprint("deliveries", __name__, url_prefix="/w/<int:workspace_id>/deliveries")
_PAGE = 50
_CHUNK = 2000
PERIOD_WORDS = {
    "1d": lazy_gettext("Last 24 hours"),
    "7d": lazy_gettext("Last 7 days"),
    "30d": lazy_gettext("Last 30 days"),
    "90d": lazy_gettext("Last 90 days"),
    "all": lazy_gettext("All time"),
}
_COLUMNS = (
    "id", "created_at", "state", "reason", "event_name", "event_id", "event_time", "dataset", "channel", "value",
    "currency", "attempts", "next_attempt_at", "accepted_at", "finished_at", "last_http_status", "last_code",
    "last_subcode", "last_trace_id", "conversion_id", "is_test",
)  # fmt: skip


@deliveries.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """The newest deliveries that the filters name, with how many there are in each state."""
    with database() as conn:
        question = asked(conn)
        found = list_deliveries(conn, question.which, limit=_PAGE + 1, after=_after())
        figures = read_delivery_figures(
            conn, membership().workspace, since=question.since, test=question.with_test, under_way_since=question.since
        )
        return render_template(
            "deliveries.html",
            rows=found[:_PAGE],
            question=question,
            older=cursor_of(found[_PAGE - 1].created_at, found[_PAGE - 1].id) if len(found) > _PAGE else None,
            periods=PERIOD_WORDS,
            events=sorted(META_NAMES),
            states={state: figures.states[state] for state in State if figures.states[state]},
            reasons=[(reason, count) for state, reason, count in figures.reasons if state in question.which.states],
            acceptance=figures.acceptance,
            pace=figures.pace,
            oldest=figures.oldest_waiting,
        )


@deliveries.get("/export.csv")
@least(Role.VIEWER)
def export() -> ResponseReturnValue:
    """All deliveries that the filters name, as CSV."""
    with database() as conn:
        question = asked(conn)
    rows = ([getattr(row, column) for column in _COLUMNS] for row in _all(question))
    return csv_answer("deliveries.csv", _COLUMNS, rows)


@deliveries.get("/<int:delivery_id>")
@least(Role.VIEWER)
def delivery(delivery_id: int) -> ResponseReturnValue:
    """One delivery's whole story."""
    return _story(delivery_id, reveal=False)


@deliveries.post("/<int:delivery_id>/reveal")
@least(Role.OPERATOR)
def reveal(delivery_id: int) -> ResponseReturnValue:
    """The same, with phone and click id in full; the audit log keeps who asked."""
    return _story(delivery_id, reveal=True)


def own_delivery(conn: psycopg.Connection[Any], delivery_id: int) -> DeliveryRow:
    """The delivery of this id in this page's workspace; else there is no such page."""
    which = DeliveryFilter(workspace=membership().workspace, ids=[delivery_id])
    found = list_deliveries(conn, which, limit=1)
    return found[0] if found else abort(404)


def _story(delivery_id: int, *, reveal: bool) -> ResponseReturnValue:
    workspace = membership().workspace
    with database() as conn:
        row = own_delivery(conn, delivery_id)
        story = trace(conn, runtime().ring, str(row.id), reveal=reveal, actor=person().actor, workspace=workspace)
        conversion = None
        with suppress(NotFoundError):
            conversion = conversion_details(conn, str(row.conversion_id), workspace=workspace)
        return render_template(
            "delivery.html",
            row=row,
            story=story,
            told=story["deliveries"][0],
            conversion=conversion,
            preview=preview(conn, str(row.id)),
            revealed=reveal,
            may_retry=row.state in (State.REJECTED, State.SKIPPED, State.PENDING),
        )


def _after() -> tuple[Any, int] | None:
    return split_numbered(request.args.get("before", ""))


def _all(question: Asked) -> Iterator[DeliveryRow]:
    """Every row, a chunk and a short transaction at a time, so that a long download holds nothing."""
    after = None
    while True:
        with database() as conn:
            rows = list_deliveries(conn, question.which, limit=_CHUNK, after=after)
        yield from rows
        if len(rows) < _CHUNK:
            return
        after = (rows[-1].created_at, rows[-1].id)
