"""`ctwa rules`: when something happens in a chat, then it is a conversion, a stage or a tag."""

from collections.abc import Mapping
from typing import Any

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_fields, print_json, print_table
from console.cli.rule_options import rule_fields, said_of
from console.cli.rule_options import workspace as workspace_option
from console.cli.rule_trials import try_
from console.rules import (
    Saved,
    add_rule,
    change_rule,
    described,
    history,
    remove,
    rule_named,
)
from console.rules import rules as all_rules
from shared.db.rules import RuleRow
from shared.domain.reasons import explain


@click.group()
def rules() -> None:
    """Rules: when something happens in a chat, then it is a conversion, a stage or a tag.

    A rule looks at messages of people and of the business, stages, tags and labels. `try` shows what it would have made
    of what came already, before it is switched on. docs/rules.md has recipes.
    """


@rules.command()
@click.argument("name")
@rule_fields
@workspace_option
@click.option("--enable", is_flag=True, help="Switch it on at once; try it first.")
@session
def add(session: Session, /, name: str, workspace: str, enable: bool, **given: Any) -> None:
    """Add the rule NAME, switched off unless --enable.

    \b
      ctwa rules add qualified --on outgoing --keyword agendado --by human --event QualifiedLead
      ctwa rules add sale --on outgoing --keyword "pedido confirmado" --event Purchase
          --value-pattern 'total:? R\\$ *([0-9.,]+)' --delay 30min
    """
    values = {"name": name, "workspace": workspace, "enabled": enable, **said_of(given, None)}
    with session.database() as conn:
        saved = add_rule(conn, values, actor=session.actor)
    click.echo(f"Added rule {name}.")
    _echo_saved(saved)


@rules.command("set")
@click.argument("name")
@rule_fields
@workspace_option
@click.option("--name", "new_name", metavar="NEW", help="Rename it.")
@session
def set_(session: Session, /, name: str, workspace: str, new_name: str | None, **given: Any) -> None:
    """Change the rule NAME: only what is said here. Another --on begins its `when` anew; --file replaces both.

    A changed rule is a new version, and looks at nothing that came before it.
    """
    with session.database() as conn:
        changes = said_of(given, rule_named(conn, name, workspace))
        changes |= {"name": new_name} if new_name else {}
        saved = change_rule(conn, name, changes, actor=session.actor, workspace=workspace)
    if not saved.changes:
        click.echo(f"Nothing to change on {name}.")
    for field, (before, after) in saved.changes.items():
        click.echo(f"{name}: {field} {plain(before)} -> {plain(after)}")
    _echo_saved(saved)


@rules.command("list")
@click.option("--workspace", metavar="NAME", help="Only of this workspace.")
@options.as_json
@session
def list_(session: Session, workspace: str | None, as_json: bool) -> None:
    """List the rules, with how often they fired and failed.

    JSON: a list of {name, workspace, channel, enabled, enabled_at, version, when, then, fired, last_fired_at, failures,
    failed_at, failure}.
    """
    with session.database() as conn:
        rows = [_row(rule) for rule in all_rules(conn, workspace=workspace)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NAME", "STATE", "WHEN", "THEN", "CHANNEL", "FIRED", "LAST", "FAILURES"),
        [
            (
                row["name"],
                "on" if row["enabled"] else "off",
                _when(row["when"]),
                _then(row["then"]),
                row["channel"],
                row["fired"],
                row["last_fired_at"],
                row["failures"] or "",
            )
            for row in rows
        ],
        empty="There are no rules. docs/rules.md has recipes: ctwa rules add NAME --on … --event …",
    )


@rules.command()
@click.argument("name")
@workspace_option
@options.as_json
@session
def show(session: Session, name: str, workspace: str, as_json: bool) -> None:
    """Show the rule NAME. JSON: one entry of `ctwa rules list --json`."""
    with session.database() as conn:
        row = _row(rule_named(conn, name, workspace))
    if as_json:
        print_json(row)
        return
    print_fields(row)
    if row["failure"]:
        click.echo(f"\nLast failure: {_failure(row['failure'])}")


@rules.command()
@click.argument("name")
@workspace_option
@options.as_json
@session
def versions(session: Session, name: str, workspace: str, as_json: bool) -> None:
    """Show everything that the rule NAME ever said, newest first.

    JSON: a list of {version, created_at, actor, when, then}.
    """
    with session.database() as conn:
        rows = [
            {"version": one.version, "created_at": one.created_at, "actor": one.actor, **one.definition}
            for one in history(conn, rule_named(conn, name, workspace))
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print_fields(row)
        click.echo()


@rules.command()
@click.argument("name")
@workspace_option
@session
def enable(session: Session, name: str, workspace: str) -> None:
    """Switch the rule NAME on. It works within seconds, on what comes from then on."""
    _switch(session, name, workspace, enabled=True)


@rules.command()
@click.argument("name")
@workspace_option
@session
def disable(session: Session, name: str, workspace: str) -> None:
    """Switch the rule NAME off. What it made stays."""
    _switch(session, name, workspace, enabled=False)


@rules.command("remove")
@click.argument("name")
@workspace_option
@options.yes
@session
def remove_(session: Session, name: str, workspace: str, yes: bool) -> None:
    """Remove the rule NAME. What it made stays, and so do its versions."""
    with session.database() as conn:
        rule_named(conn, name, workspace)
    options.confirm(f"Remove the rule {name}?", yes=yes)
    with session.database() as conn:
        remove(conn, name, actor=session.actor, workspace=workspace)
    click.echo(f"Removed rule {name}.")


rules.add_command(try_)


def _switch(session: Session, name: str, workspace: str, *, enabled: bool) -> None:
    with session.database() as conn:
        saved = change_rule(conn, name, {"enabled": enabled}, actor=session.actor, workspace=workspace)
    state = "on" if enabled else "off"
    click.echo(f"{name} is switched {state}." if saved.changes else f"{name} was switched {state} already.")
    if enabled:
        _echo_warnings(saved)


def _row(rule: RuleRow) -> dict[str, Any]:
    return {
        **described(rule),
        "workspace": rule.workspace,
        "enabled_at": rule.enabled_at,
        "version": rule.version,
        "fired": rule.fired,
        "last_fired_at": rule.last_fired_at,
        "failures": rule.failures,
        "failed_at": rule.failed_at,
        "failure": rule.failure,
    }


def _when(when: Mapping[str, Any]) -> str:
    of = when.get("keywords") or when.get("is") or when.get("pattern") or when.get("number")
    names = ", ".join(map(str, of)) if isinstance(of, list) else of
    return f"{when['on']}: {names}" if names else str(when["on"])


def _then(then: Mapping[str, Any]) -> str:
    said = [then["event"]] if "event" in then else []
    said += [f"stage {then['stage']}"] if "stage" in then else []
    said += [f"+{tag}" for tag in then.get("add_tags", ())] + [f"-{tag}" for tag in then.get("remove_tags", ())]
    return ", ".join(said)


def _failure(reason: str) -> str:
    found = explain(reason)
    return f"{found.words} {found.next_step}"


def _echo_saved(saved: Saved) -> None:
    _echo_warnings(saved)
    if not saved.rule.enabled:
        name = saved.rule.name
        click.echo(f"It is switched off. Try it: ctwa rules try {name} --since 7d. Then: ctwa rules enable {name}")


def _echo_warnings(saved: Saved) -> None:
    for warning in saved.warnings:
        click.echo(f"Warning: {warning}", err=True)
