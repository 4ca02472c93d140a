"""Set-up: the rules of a workspace, switched on and off, and what they would have made of the last days."""

from datetime import UTC, datetime, timedelta

import psycopg
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.rule_trial import Tried, try_rules
from console.rules import change_rule
from console.rules import rules as rules_of
from console.team.roles import Role
from console.web.access import least, membership, person
from console.web.errors import back_to
from console.web.runtime import database, runtime
from shared.db.rules import RuleRow
from shared.domain.rule_definitions import read_definition

rules = Blueprint("rules", __name__, url_prefix="/w/<int:workspace_id>/rules")
#: How far back a trial may look: every stored webhook of that time is read once more.
_DAYS = (1, 3, 7)


@rules.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """Every rule, in its own words, with how often it fired."""
    with database() as conn:
        return render_template("rules.html", rules=rules_of(conn, workspace=membership().workspace), days=_DAYS)


@rules.post("/<int:rule_id>/switch")
@least(Role.OWNER)
@back_to("rules.page")
def switch(rule_id: int) -> ResponseReturnValue:
    """Switches a rule on or off."""
    enabled = request.form.get("enabled") == "1"
    with database() as conn:
        rule = _own(conn, rule_id)
        change_rule(conn, rule.name, {"enabled": enabled}, actor=person().actor, workspace=rule.workspace)
    flash(gettext("The rule is on, for what happens from now on.") if enabled else gettext("The rule is off."), "ok")
    return redirect(url_for("rules.page"), 303)


@rules.post("/<int:rule_id>/try")
@least(Role.OPERATOR)
@back_to("rules.page")
def trial(rule_id: int) -> ResponseReturnValue:
    """What a rule would have made of the last days. Nothing is written."""
    days = request.form.get("days", type=int)
    if days not in _DAYS:
        abort(400)
    with database() as conn:
        rule = _own(conn, rule_id)
        tried = Tried(name=rule.name, definition=read_definition(rule.definition), channel_id=rule.channel_id)
        since = datetime.now(UTC) - timedelta(days=days)
        found = try_rules(conn, (runtime().ring, runtime().hash_ring), [tried], workspace=rule.workspace, since=since)
    return render_template("rule_trial.html", rule=rule, trial=found, result=found.results[0], since=since)


def _own(conn: psycopg.Connection[tuple[object, ...]], rule_id: int) -> RuleRow:
    found = next((rule for rule in rules_of(conn, workspace=membership().workspace) if rule.id == rule_id), None)
    return found or abort(404)
