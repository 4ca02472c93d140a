"""Alerts: what needs a person now, what did before, from where on something is one, and who is told."""

from collections.abc import Collection
from typing import Any

import psycopg
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console import alerts as use
from console.errors import InvalidError, NotFoundError
from console.team.roles import Role
from console.team.words import N_
from console.web.access import least, membership, person
from console.web.attention import needs_of_rows
from console.web.cursors import cursor_of, split_numbered
from console.web.errors import back_to
from console.web.own import own_channels
from console.web.runtime import database, runtime
from console.web.typed import typed_number
from shared.db.alert_notices import last_notices
from shared.db.alert_routes import Route, all_routes
from shared.db.alerts import list_alerts

alerts = Blueprint("alerts", __name__, url_prefix="/w/<int:workspace_id>/alerts")
_PAGE = 50
_STATES = {"now": ("open", "acknowledged"), "before": ("resolved",)}
_KINDS = ("email", "webhook", "slack")


@alerts.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """Alerts that hold now, and what needs somebody without being one; with `show=before` those that are over."""
    show = "before" if request.args.get("show") == "before" else "now"
    after = split_numbered(request.args.get("before", ""))
    with database() as conn:
        found = list_alerts(conn, states=_STATES[show], workspaces=_workspaces(), limit=_PAGE + 1, after=after)
        needs = needs_of_rows(conn, own_channels(conn)) if show == "now" and after is None else []
    here = [one for one in found if one.workspace in (None, membership().workspace)]
    return render_template(
        "alerts.html",
        alerts=[use.described(one) for one in found[:_PAGE]],
        needs=[need for need in needs if not need.is_told_by(here)],
        show=show,
        older=cursor_of(found[_PAGE - 1].opened_at, found[_PAGE - 1].id) if len(found) > _PAGE else None,
    )


@alerts.post("/<int:alert_id>/acknowledge")
@least(Role.OPERATOR)
@back_to("alerts.page")
def acknowledge(alert_id: int) -> ResponseReturnValue:
    """Notes that somebody looks after it."""
    with database() as conn:
        changed = use.acknowledge(conn, alert_id, actor=person().actor, workspaces=_workspaces())
    flash(
        gettext("You look after it; nobody is reminded.") if changed else gettext("It was so already, or over."), "ok"
    )
    return redirect(url_for("alerts.page"), 303)


@alerts.post("/<int:alert_id>/resolve")
@least(Role.OPERATOR)
@back_to("alerts.page")
def resolve(alert_id: int) -> ResponseReturnValue:
    """Ends it."""
    with database() as conn:
        changed = use.resolve(conn, alert_id, actor=person().actor, workspaces=_workspaces())
    flash(gettext("Resolved. If it still holds, it opens again.") if changed else gettext("It was over already."), "ok")
    return redirect(url_for("alerts.page"), 303)


@alerts.get("/thresholds")
@least(Role.VIEWER)
def thresholds() -> ResponseReturnValue:
    """Every kind of alert as it counts in this workspace."""
    with database() as conn:
        return render_template("alert_thresholds.html", rules=use.rules(conn, membership().workspace))


@alerts.post("/thresholds/<kind>")
@least(Role.OWNER)
@back_to("alerts.thresholds")
def set_threshold(kind: str) -> ResponseReturnValue:
    """Switches a kind, or moves its threshold, in this workspace."""
    default = request.form.get("default") == "1"
    text = request.form.get("threshold", "").strip()
    with database() as conn:
        use.set_rule(
            conn, kind, actor=person().actor, workspace=membership().workspace, default=default,
            enabled=None if default else request.form.get("enabled") == "1",
            threshold=None if default or not text else typed_number(text),
        )  # fmt: skip
    flash(gettext("Changed for this workspace."), "ok")
    return redirect(url_for("alerts.thresholds"), 303)


@alerts.get("/routes")
@least(Role.OPERATOR)
def routes() -> ResponseReturnValue:
    """Where alerts are sent, and what became of the last message to each."""
    with database() as conn:
        last = last_notices(conn)
        found = [(one, last.get(one.id)) for one in _own_routes(conn)]
    waits = any(notice is not None and notice.state == "pending" for _, notice in found)
    return render_template("alert_routes.html", routes=found, waits=waits, kinds=_KINDS)


@alerts.post("/routes")
@least(Role.OWNER)
@back_to("alerts.routes")
def add_route() -> ResponseReturnValue:
    """Adds a route; a webhook's secret is shown this once."""
    kind = request.form.get("kind", "")
    if kind not in _KINDS:
        raise InvalidError(N_("Choose how to be told: by e-mail, signed webhook or Slack."))
    name = request.form.get("name", "").strip()
    with database() as conn:
        secret = use.add_route(
            conn, runtime().ring, name=name, kind=kind, address=request.form.get("address", "").strip(),
            actor=person().actor, workspace=membership().workspace,
        )  # fmt: skip
    if secret:
        return render_template("alert_route_secret.html", name=name, secret_text=secret)
    flash(gettext("Alerts of this workspace go there as well. Send a test."), "ok")
    return redirect(url_for("alerts.routes"), 303)


@alerts.post("/routes/<int:route_id>/test")
@least(Role.OPERATOR)
@back_to("alerts.routes")
def test_route(route_id: int) -> ResponseReturnValue:
    """Has a test sent."""
    with database() as conn:
        use.test_route(conn, _own_route(conn, route_id).name, actor=person().actor)
    flash(gettext("A test is on its way; what became of it shows here."), "ok")
    return redirect(url_for("alerts.routes"), 303)


@alerts.post("/routes/<int:route_id>/remove")
@least(Role.OWNER)
@back_to("alerts.routes")
def remove_route(route_id: int) -> ResponseReturnValue:
    """Removes a route."""
    with database() as conn:
        use.remove_route(conn, _own_route(conn, route_id).name, actor=person().actor)
    flash(gettext("Nothing is sent there any more."), "ok")
    return redirect(url_for("alerts.routes"), 303)


def _workspaces() -> Collection[str] | None:
    """Whose alerts are shown: this workspace's; all, with the installation's, to who owns everything."""
    return None if person().owner_everywhere else [membership().workspace]


def _own_routes(conn: psycopg.Connection[Any]) -> list[Route]:
    mine = (membership().workspace, None) if person().owner_everywhere else (membership().workspace,)
    return [route for route in all_routes(conn) if route.workspace in mine]


def _own_route(conn: psycopg.Connection[Any], route_id: int) -> Route:
    found = next((route for route in _own_routes(conn) if route.id == route_id), None)
    if found is None:
        raise NotFoundError(N_("There is no such route in this workspace."))
    return found
