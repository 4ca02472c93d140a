"""Rules: adding, changing, switching and removing them. One use-case for commands, files, the API and pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError, invalid
from console.setup.channels import channel_named
from console.setup.schemas import RuleSchema, load
from shared.db import audit
from shared.db.rules import (
    RuleRow,
    VersionRow,
    all_rules,
    insert_rule,
    remove_rule,
    rule_by_name,
    update_rule,
    versions_of,
)
from shared.db.workspaces import all_workspaces
from shared.domain.rule_definitions import Checked, DefinitionError, check_definition
from shared.domain.sentences import sentence

DEFAULT_WORKSPACE = "default"


@dataclass(frozen=True)
class Saved:
    """A rule as it is now, what changed (field -> before, after), and what a person should know of it."""

    rule: RuleRow
    changes: Mapping[str, tuple[Any, Any]]
    warnings: tuple[str, ...]


def add_rule(conn: psycopg.Connection[Any], values: Mapping[str, Any], *, actor: str) -> Saved:
    """Adds a rule, switched off unless it says otherwise. `values` are RuleSchema's.

    Raises InvalidError, ConflictError and NotFoundError.
    """
    said = load(RuleSchema, values, what=sentence("This rule"))
    checked = checked_definition(said)
    workspace = _workspace(conn, said["workspace"])
    if rule_by_name(conn, workspace, said["name"]) is not None:
        raise ConflictError(
            sentence("There is a rule {name!r} already. `ctwa rules set` changes it.", name=said["name"])
        )
    insert_rule(
        conn,
        workspace=workspace,
        channel_id=_channel_id(conn, workspace, said["channel"]),
        name=said["name"],
        enabled=said["enabled"],
        definition=checked.written,
        actor=actor,
    )
    rule = rule_named(conn, said["name"], workspace)
    detail = {"rule": described(rule)}
    audit.record(conn, actor=actor, action="rule.add", subject=_subject(rule), workspace=rule.workspace, detail=detail)
    return Saved(rule, {}, checked.warnings)


def change_rule(
    conn: psycopg.Connection[Any],
    name: str,
    changes: Mapping[str, Any],
    *,
    actor: str,
    workspace: str = DEFAULT_WORKSPACE,
) -> Saved:
    """Changes what `changes` says of a rule and nothing else; another `when` or `then` is another version.

    `when` and `then` replace the present ones whole. Raises InvalidError, ConflictError and NotFoundError.
    """
    rule = rule_named(conn, name, workspace)
    said = load(RuleSchema, changes, what=sentence("This change"), partial=True)
    if said.pop("workspace", workspace) != workspace:
        raise InvalidError(sentence("A rule stays in its workspace: add another one there."))
    before = described(rule)
    wanted = {**before, **said}
    checked = checked_definition(wanted)
    wanted |= {"when": checked.written["when"], "then": checked.written["then"]}
    differing = {field: (before[field], wanted[field]) for field in before if before[field] != wanted[field]}
    if not differing:
        return Saved(rule, {}, checked.warnings)
    if wanted["name"] != rule.name and rule_by_name(conn, workspace, wanted["name"]) is not None:
        raise ConflictError(sentence("There is a rule {name!r} already.", name=wanted["name"]))
    update_rule(
        conn,
        rule.id,
        name=wanted["name"],
        channel_id=_channel_id(conn, workspace, wanted["channel"]),
        enabled=wanted["enabled"],
        definition=checked.written,
        actor=actor,
    )
    detail = {"changes": {field: list(pair) for field, pair in differing.items()}}
    audit.record(
        conn, actor=actor, action="rule.change", subject=_subject(rule), workspace=rule.workspace, detail=detail
    )
    return Saved(rule_named(conn, wanted["name"], workspace), differing, checked.warnings)


def remove(conn: psycopg.Connection[Any], name: str, *, actor: str, workspace: str = DEFAULT_WORKSPACE) -> RuleRow:
    """Removes a rule; what it made stays, and its name is free again. Raises NotFoundError."""
    rule = rule_named(conn, name, workspace)
    remove_rule(conn, rule.id)
    audit.record(
        conn,
        actor=actor,
        action="rule.remove",
        subject=_subject(rule),
        workspace=rule.workspace,
        detail={"rule": described(rule)},
    )
    return rule


def rule_named(conn: psycopg.Connection[Any], name: str, workspace: str = DEFAULT_WORKSPACE) -> RuleRow:
    """The rule of that name. Raises NotFoundError."""
    rule = rule_by_name(conn, workspace, name)
    if rule is None:
        raise NotFoundError(
            f"There is no rule {name!r} in workspace {workspace!r}. `ctwa rules list` names those there are."
        )
    return rule


def rules(conn: psycopg.Connection[Any], *, workspace: str | None = None) -> list[RuleRow]:
    """The rules of a workspace, or all."""
    return all_rules(conn, workspace=workspace)


def history(conn: psycopg.Connection[Any], rule: RuleRow) -> list[VersionRow]:
    """Everything a rule ever said, newest first."""
    return versions_of(conn, rule.id)


def checked_definition(values: Mapping[str, Any], *, what: str = sentence("This rule")) -> Checked:
    """The definition in `when` and `then`. Raises InvalidError with all that is wrong, each with its path."""
    try:
        return check_definition({part: values[part] for part in ("when", "then") if part in values})
    except DefinitionError as error:
        raise invalid(what, error.problems) from None


def described(rule: RuleRow) -> dict[str, Any]:
    """A rule in RuleSchema's words."""
    return {
        "name": rule.name,
        "channel": rule.channel,
        "enabled": rule.enabled,
        "when": rule.definition["when"],
        "then": rule.definition["then"],
    }


def _subject(rule: RuleRow) -> str:
    return f"rule:{rule.workspace}/{rule.name}"


def _workspace(conn: psycopg.Connection[Any], name: str) -> str:
    if name not in {one.name for one in all_workspaces(conn)}:
        raise NotFoundError(
            f"There is no workspace {name!r}. A channel makes its own: ctwa channels add --workspace NAME"
        )
    return name


def _channel_id(conn: psycopg.Connection[Any], workspace: str, name: str | None) -> int | None:
    if name is None:
        return None
    channel = channel_named(conn, name)
    if channel.workspace != workspace:
        raise InvalidError(
            sentence(
                "Channel {name!r} is in workspace {other!r}, the rule in {workspace!r}.",
                name=channel.name,
                other=channel.workspace,
                workspace=workspace,
            )
        )
    return channel.id
