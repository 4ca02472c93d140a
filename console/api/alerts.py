"""Alerts, for programs: what needs a person now or did before; acknowledged and resolved as on the page."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import fields, validate

from console import alerts as use
from console.api.caller import caller, needs
from console.api.paging import PageQuery, page, slice_of
from console.api.schemas.alerts import AlertSchema
from console.api.schemas.parts import page_of
from console.errors import NotFoundError
from console.web.runtime import database
from shared.db.alerts import list_alerts
from shared.domain.alerts import KINDS
from shared.domain.api_scopes import Scope

alerts = Blueprint("alerts", __name__, description="What needs a person, in this workspace.")
_STATES = ("open", "acknowledged", "resolved")


class AlertQuery(PageQuery):
    """Which alerts."""

    state = fields.List(
        fields.String(validate=validate.OneOf(_STATES)),
        load_default=("open", "acknowledged"),
        metadata={"description": "May be given several times; default: those that are not over."},
    )
    kind = fields.String(validate=validate.OneOf(sorted(KINDS)))


@alerts.get("/alerts")
@alerts.arguments(AlertQuery, location="query", unknown=None)
@alerts.response(200, page_of(AlertSchema, "AlertPage"))
def index(query: dict[str, Any]) -> Response | dict[str, Any]:
    """List alerts, newest first."""
    part = slice_of(query, int)
    with database() as conn:
        found = list_alerts(
            conn,
            states=query["state"],
            workspaces=[caller().workspace],
            kind=query.get("kind"),
            limit=part.limit,
            after=part.after,
        )
    rows = [use.described(one) for one in found]
    return page(query, rows, lambda row: (row["opened_at"], row["id"]), AlertSchema())


@alerts.get("/alerts/<int:alert_id>")
@alerts.response(200, AlertSchema)
def show(alert_id: int) -> dict[str, Any]:
    """Show an alert."""
    return _described(alert_id)


@alerts.post("/alerts/<int:alert_id>/acknowledge")
@needs(Scope.ALERTS_WRITE)
@alerts.response(200, AlertSchema)
def acknowledge(alert_id: int) -> dict[str, Any]:
    """Note that somebody looks after an alert: nobody is reminded. Done again, nothing changes."""
    with database() as conn:
        use.acknowledge(conn, _checked(alert_id), actor=caller().actor, workspaces=[caller().workspace])
    return _described(alert_id)


@alerts.post("/alerts/<int:alert_id>/resolve")
@needs(Scope.ALERTS_WRITE)
@alerts.response(200, AlertSchema)
def resolve(alert_id: int) -> dict[str, Any]:
    """End an alert. If it still holds, it opens again within a minute. Done again, nothing changes."""
    with database() as conn:
        use.resolve(conn, _checked(alert_id), actor=caller().actor, workspaces=[caller().workspace])
    return _described(alert_id)


def _described(alert_id: int) -> dict[str, Any]:
    with database() as conn:
        return use.described(use.alert_with(conn, _checked(alert_id), workspaces=[caller().workspace]))


def _checked(alert_id: int) -> int:
    if alert_id >= 2**63:
        raise NotFoundError(f"There is no alert {alert_id}.")
    return alert_id
