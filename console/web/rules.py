"""Set-up: the rules of a workspace, written, switched on and off, and what they would have made of the last days."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.errors import ConsoleError, InvalidError
from console.rule_trial import MOST_AT_ONCE, Trial, Tried, try_rules
from console.rules import Saved, add_rule, change_rule, described, remove
from console.rules import rules as rules_of
from console.team.roles import Role
from console.team.words import N_
from console.web.access import least, membership, person
from console.web.errors import back_to, said_error
from console.web.own import own_channels
from console.web.rule_form import LABELS, ONCE, RECIPES, TRIGGERS, form_of, said_of
from console.web.runtime import database, runtime
from console.web.said import said
from shared.capi.event_names import META_NAMES
from shared.db.rules import RuleRow
from shared.db.stored_bodies import count_stored
from shared.domain.rule_definitions import DefinitionError, check_definition, read_definition
from shared.domain.rules import Definition

rules = Blueprint("rules", __name__, url_prefix="/w/<int:workspace_id>/rules")
#: How far back a trial may look: every stored webhook of that time is read once more.
_DAYS = (1, 3, 7)


@rules.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """Every rule, in its own words, with how often it fired."""
    with database() as conn:
        return render_template(
            "rules.html", rules=rules_of(conn, workspace=membership().workspace), days=_DAYS, triggers=TRIGGERS
        )


@rules.get("/new")
@least(Role.OWNER)
def new() -> ResponseReturnValue:
    """An empty form, or one that a recipe has filled."""
    recipe = RECIPES.get(request.args.get("recipe", ""))
    return _form(form_of(recipe[1] if recipe else {"when": {"on": "inbound"}, "then": {"event": "QualifiedLead"}}))


@rules.post("/new")
@least(Role.OWNER)
def add() -> ResponseReturnValue:
    """Adds what the form says, switched off; or only tries it."""
    return _write(None)


@rules.get("/<int:rule_id>/edit")
@least(Role.OWNER)
def edit(rule_id: int) -> ResponseReturnValue:
    """The form, filled by a rule."""
    with database() as conn:
        rule = _own(conn, rule_id)
    return _form(form_of(described(rule)), rule)


@rules.post("/<int:rule_id>/edit")
@least(Role.OWNER)
def change(rule_id: int) -> ResponseReturnValue:
    """Changes a rule to what the form says; or only tries that."""
    with database() as conn:
        rule = _own(conn, rule_id)
    return _write(rule)


@rules.post("/<int:rule_id>/remove")
@least(Role.OWNER)
@back_to("rules.page")
def delete(rule_id: int) -> ResponseReturnValue:
    """Removes a rule; what it made stays."""
    with database() as conn:
        remove(conn, _own(conn, rule_id).name, actor=person().actor, workspace=membership().workspace)
    flash(gettext("The rule is gone. What it made stays."), "ok")
    return redirect(url_for("rules.page"), 303)


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
    with database() as conn:
        rule = _own(conn, rule_id)
        since, found = _try(conn, rule.name, read_definition(rule.definition), rule.channel_id)
    return render_template("rule_trial.html", rule=rule, trial=found, result=found.results[0], since=since)


def _write(rule: RuleRow | None) -> ResponseReturnValue:
    form = request.form
    try:
        values = said_of(form)
        if problems := _problems(values):
            return _form(form, rule, problems=problems), 422
        if form.get("do") == "try":
            return _form(form, rule, **_tried(values))
        saved = _save(rule, values)
    except ConsoleError as error:
        return _form(form, rule, problems=[said_error(error)]), 422
    if rule is None:
        flash(gettext("The rule is there, and off. Try it, then switch it on."), "ok")
    else:
        flash(gettext("Changed.") if saved.changes else gettext("Nothing was different."), "ok")
    for warning in saved.warnings:
        flash(said(warning), "warning")
    return redirect(url_for("rules.page"), 303)


def _save(rule: RuleRow | None, values: dict[str, Any]) -> Saved:
    workspace, actor = membership().workspace, person().actor
    with database() as conn:
        _channel_id(conn, values["channel"])
        if rule is None:
            return add_rule(conn, {**values, "workspace": workspace}, actor=actor)
        return change_rule(conn, rule.name, values, actor=actor, workspace=workspace)


def _tried(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the template shows of a trial of something that isn't saved."""
    definition = check_definition({"when": values["when"], "then": values["then"]}).definition
    with database() as conn:
        since, found = _try(conn, values["name"], definition, _channel_id(conn, values["channel"]))
    return {"trial": found, "result": found.results[0], "since": since}


def _try(
    conn: psycopg.Connection[Any], name: str, definition: Definition, channel_id: int | None
) -> tuple[datetime, Trial]:
    days = request.form.get("days", type=int)
    if days not in _DAYS:
        abort(400)
    workspace, since = membership().workspace, datetime.now(UTC) - timedelta(days=days)
    if count_stored(conn, since=since, workspace=workspace) > MOST_AT_ONCE:
        raise InvalidError(N_("That are too many webhooks to wait for. Choose fewer days, or: ctwa rules try"))
    tried = Tried(name=name, definition=definition, channel_id=channel_id)
    rings = (runtime().ring, runtime().hash_ring)
    return since, try_rules(conn, rings, [tried], workspace=workspace, since=since)


def _problems(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with a definition, each with the name of its field."""
    try:
        check_definition({"when": values["when"], "then": values["then"]})
    except DefinitionError as error:
        return list(_lines(error.problems))
    return []


def _lines(problems: Any, path: str = "") -> list[str]:
    if isinstance(problems, Mapping):
        return [line for name, inner in problems.items() for line in _lines(inner, f"{path}.{name}".strip("."))]
    label = next((label for known, label in LABELS.items() if path == known or path.startswith(f"{known}.")), path)
    texts = " ".join(said(text) for text in (problems if isinstance(problems, list) else [problems]))
    return [f"{label}: {texts}"]


def _form(form: Mapping[str, str], rule: RuleRow | None = None, **shown: Any) -> str:
    with database() as conn:
        channels = own_channels(conn)
    return render_template(
        "rule_form.html", form=form, rule=rule, channels=channels, days=_DAYS, triggers=TRIGGERS, scopes=ONCE,
        events=META_NAMES, recipes=RECIPES, labels=LABELS, **shown,
    )  # fmt: skip


def _channel_id(conn: psycopg.Connection[Any], name: str | None) -> int | None:
    if name is None:
        return None
    found = next((one.id for one in own_channels(conn) if one.name == name), None)
    if found is None:
        raise InvalidError(N_("There is no such channel in this workspace."))
    return found


def _own(conn: psycopg.Connection[Any], rule_id: int) -> RuleRow:
    found = next((rule for rule in rules_of(conn, workspace=membership().workspace) if rule.id == rule_id), None)
    return found or abort(404)
