"""Rules, for programs: add, change, switch, try and remove them. The same use-cases as `ctwa rules`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from flask import abort
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields

from console.api.caller import caller, needs
from console.api.contacts import rings
from console.api.paging import StrictQuery
from console.api.schemas.parts import page_of
from console.api.schemas.rules import RuleSchema, RuleVersionSchema, TrialSchema
from console.errors import NotFoundError
from console.rule_trial import MOST_AT_ONCE, Tried, as_json, try_rules
from console.rules import Saved, add_rule, change_rule, checked_definition, described, history, remove
from console.rules import rules as rules_of
from console.team.roles import Role
from console.web.runtime import database
from shared.db.channels import all_channels
from shared.db.rules import RuleRow
from shared.db.stored_bodies import count_stored
from shared.domain.api_scopes import Scope
from shared.domain.rule_definitions import read_definition

rules = Blueprint("rules", __name__, description="When something happens in a chat, then it is a conversion, or a tag.")
_EXAMPLE = {
    "name": "qualified",
    "when": {"on": "outgoing", "keywords": ["agendado"], "by": "human"},
    "then": {"event": "QualifiedLead", "add_tags": ["qualified"]},
}
_DAYS = timedelta(days=7)


class _Strict(Schema):
    class Meta:
        unknown = RAISE


class TryQuery(StrictQuery):
    """Over what a rule is tried."""

    since = fields.AwareDateTime(metadata={"description": "Webhooks from then on; default: of the last 7 days."})


class TryBody(_Strict):
    """A rule that is only tried."""

    channel = fields.String(allow_none=True, metadata={"description": "As if it were only for this channel."})
    when = fields.Dict(required=True, metadata={"description": "As docs/rules.md has it."})
    then = fields.Dict(required=True, metadata={"description": "As docs/rules.md has it."})


class RuleChange(_Strict):
    """What a rule shall say. `when` and `then` replace the present ones whole, and make another version."""

    name = fields.String()
    channel = fields.String(allow_none=True, metadata={"description": "Only in this channel; null: in all of them."})
    enabled = fields.Boolean(metadata={"description": "Whether it is at work."})
    when = fields.Dict(metadata={"description": "As docs/rules.md has it."})
    then = fields.Dict(metadata={"description": "As docs/rules.md has it."})


class NewRule(RuleChange):
    """A rule; switched off unless it says otherwise, since it is better tried first."""

    name = fields.String(required=True)
    when = fields.Dict(required=True, metadata={"description": "As docs/rules.md has it."})
    then = fields.Dict(required=True, metadata={"description": "As docs/rules.md has it."})


@rules.get("/rules")
@rules.arguments(StrictQuery, location="query", unknown=None)
@rules.response(200, page_of(RuleSchema, "RulePage"))
def index(_query: dict[str, Any]) -> dict[str, Any]:
    """List the rules of the workspace, with how often each fired and failed."""
    with database() as conn:
        return {"data": [_row(one) for one in rules_of(conn, workspace=caller().workspace)], "next_cursor": None}


@rules.post("/rules")
@needs(Scope.RULES_WRITE)
@rules.arguments(NewRule, examples={"qualified": {"value": _EXAMPLE}})
@rules.response(201, RuleSchema)
def add(said: dict[str, Any]) -> dict[str, Any]:
    """Add a rule. What stands out about it is told under `warnings`."""
    with database() as conn:
        _check_channel(conn, said)
        return _saved(add_rule(conn, {**said, "workspace": caller().workspace}, actor=caller().actor))


@rules.get("/rules/<int:rule_id>")
@rules.response(200, RuleSchema)
def show(rule_id: int) -> dict[str, Any]:
    """Show a rule."""
    with database() as conn:
        return _row(_rule(conn, rule_id))


@rules.patch("/rules/<int:rule_id>")
@needs(Scope.RULES_WRITE)
@rules.arguments(RuleChange, examples={"switch on": {"value": {"enabled": True}}})
@rules.response(200, RuleSchema)
def change(said: dict[str, Any], rule_id: int) -> dict[str, Any]:
    """Change what is said here and nothing else; `enabled` switches it on and off."""
    workspace = caller().workspace
    with database() as conn:
        rule = _rule(conn, rule_id)
        _check_channel(conn, said)
        return _saved(change_rule(conn, rule.name, said, actor=caller().actor, workspace=workspace))


@rules.delete("/rules/<int:rule_id>")
@needs(Scope.RULES_WRITE)
@rules.response(204)
def delete(rule_id: int) -> None:
    """Remove a rule. What it made stays, and so do its versions."""
    with database() as conn:
        remove(conn, _rule(conn, rule_id).name, actor=caller().actor, workspace=caller().workspace)


@rules.get("/rules/<int:rule_id>/versions")
@rules.response(200, page_of(RuleVersionSchema, "RuleVersionPage"))
def versions(rule_id: int) -> dict[str, Any]:
    """List everything that a rule ever said, newest first."""
    with database() as conn:
        found = history(conn, _rule(conn, rule_id))
    return {"data": [{**one.__dict__, **one.definition} for one in found], "next_cursor": None}


@rules.get("/rules/<int:rule_id>/trial")
@rules.arguments(TryQuery, location="query", unknown=None)
@rules.response(200, TrialSchema)
def trial(query: dict[str, Any], rule_id: int) -> dict[str, Any]:
    """Show what a rule would have made of the webhooks that are stored. Nothing is written or sent."""
    if caller().role is Role.VIEWER:
        abort(403, "What people wrote is read for this: it takes an operator of the workspace, or a key.")
    with database() as conn:
        rule = _rule(conn, rule_id)
        tried = Tried(name=rule.name, definition=read_definition(rule.definition), channel_id=rule.channel_id)
        return _try(conn, tried, query)


@rules.post("/rules/try")
@rules.arguments(TryQuery, location="query", unknown=None)
@rules.arguments(TryBody, examples={"qualified": {"value": {k: _EXAMPLE[k] for k in ("when", "then")}}})
@rules.response(200, TrialSchema)
def try_one(query: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Show what a rule would have made, before there is such a rule. Nothing is written or sent."""
    with database() as conn:
        channel_id = _check_channel(conn, said)
        checked = checked_definition(said)
        return _try(conn, Tried(name="", definition=checked.definition, channel_id=channel_id), query)


def _try(conn: psycopg.Connection[Any], tried: Tried, query: dict[str, Any]) -> dict[str, Any]:
    workspace, since = caller().workspace, query.get("since") or datetime.now(UTC) - _DAYS
    known = rings()
    if count_stored(conn, since=since, workspace=workspace) > MOST_AT_ONCE:
        abort(422, f"That is more than {MOST_AT_ONCE} webhooks. Say a later since, or use the command: ctwa rules try")
    found = as_json(try_rules(conn, (known.secrets, known.hashes), [tried], workspace=workspace, since=since))
    return {"webhooks": found["webhooks"], "unreadable": found["unreadable"], **found["rules"][0]}


def _rule(conn: psycopg.Connection[Any], rule_id: int) -> RuleRow:
    found = next((one for one in rules_of(conn, workspace=caller().workspace) if one.id == rule_id), None)
    if found is None:
        raise NotFoundError(f"There is no rule {rule_id}.")
    return found


def _check_channel(conn: psycopg.Connection[Any], said: dict[str, Any]) -> int | None:
    """The channel that is named; only those of the workspace are known to its keys."""
    name = said.get("channel")
    if name is None:
        return None
    found = next((one for one in all_channels(conn) if (one.workspace, one.name) == (caller().workspace, name)), None)
    if found is None:
        abort(422, "The workspace has no channel of this name. GET /api/v1/channels lists them.")
    return found.id


def _saved(saved: Saved) -> dict[str, Any]:
    return {**_row(saved.rule), "warnings": list(saved.warnings)}


def _row(rule: RuleRow) -> dict[str, Any]:
    return {**rule.__dict__, **described(rule), "warnings": []}
