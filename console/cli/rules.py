"""`ctwa rules`: when something happens in a chat, then it is a conversion, a stage or a tag."""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_fields, print_json, print_table
from console.errors import InvalidError
from console.rule_trial import Trial, Tried, try_rules
from console.rule_trial import as_json as trial_as_json
from console.rules import (
    DEFAULT_WORKSPACE,
    Saved,
    add_rule,
    change_rule,
    checked_definition,
    described,
    history,
    remove,
    rule_named,
)
from console.rules import rules as all_rules
from console.setup.channels import channel_named
from console.setup.document import read_file
from shared.capi.event_names import META_NAMES
from shared.db.rules import RuleRow
from shared.domain.amounts import Decimals
from shared.domain.reasons import explain
from shared.domain.rule_definitions import read_definition
from shared.domain.rules import Scope, Trigger

_Command = Callable[..., Any]
#: The option's name -> where its value stands in a definition.
_WHEN = {"on": "on", "keyword": "keywords", "pattern": "pattern", "is_": "is", "by": "by", "number": "number"}
_THEN = {
    "event": "event", "stage": "stage", "add_tag": "add_tags", "remove_tag": "remove_tags",
    "currency": "currency", "delay": "delay", "once": "once", "order_pattern": "order_pattern",
    "confirm_purchase": "confirm_purchase",
}  # fmt: skip
_FIELDS = (
    click.option("--file", type=click.Path(path_type=Path), help="Read when and then from this YAML or JSON file."),
    click.option("--on", type=click.Choice([one.value for one in Trigger]), help="What the rule looks at."),
    click.option("--keyword", multiple=True, metavar="WORD", help="In the text, as a word of its own; any of several."),
    click.option("--pattern", metavar="RE2", help="Instead of keywords: a regular expression, RE2's."),
    click.option(
        "--is", "is_", multiple=True, metavar="NAME", help="The stage, tag, template or event; any of several."
    ),
    click.option("--by", type=click.Choice(["any", "human", "automation"]), help="Who of the business wrote."),
    click.option("--number", type=int, metavar="N", help="Which message of the person, from the ad message on."),
    click.option("--event", type=click.Choice(sorted(META_NAMES)), help="The conversion that it makes."),
    click.option("--stage", metavar="NAME", help="The stage that the contact comes to."),
    click.option("--add-tag", multiple=True, metavar="NAME", help="A tag put on the contact; several may be."),
    click.option("--remove-tag", multiple=True, metavar="NAME", help="A tag taken off the contact."),
    click.option("--value", metavar="AMOUNT", help="Its value, always the same."),
    click.option("--value-pattern", metavar="RE2", help="Its value: what the first group finds in the text."),
    click.option("--value-order", is_flag=True, help="Its value: that of the order message."),
    click.option("--decimals", type=click.Choice([one.value for one in Decimals]), help="The sign before the cents."),
    click.option("--currency", metavar="CODE", help="Of the value.  [default: the order's, else the channel's]"),
    click.option("--delay", metavar="TIME", help="Wait so long before it is sent, such as 30min."),
    click.option("--once", type=click.Choice([one.value for one in Scope]), help="At most one for each."),
    click.option("--order-pattern", metavar="RE2", help="The order's number in the text, for --once order."),
    click.option("--confirm-purchase", is_flag=True, default=None, help="Yes: report sales on words alone."),
    click.option("--channel", metavar="NAME", help="Only in this channel.  [default: all of the workspace]"),
)
_workspace = click.option(
    "--workspace", default=DEFAULT_WORKSPACE, show_default=True, metavar="NAME", help="Its workspace."
)


def _fields(command: _Command) -> _Command:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


@click.group()
def rules() -> None:
    """Rules: when something happens in a chat, then it is a conversion, a stage or a tag.

    A rule looks at messages of people and of the business, stages, tags and labels. `try` shows what it would have made
    of what came already, before it is switched on. docs/rules.md has recipes.
    """


@rules.command()
@click.argument("name")
@_fields
@_workspace
@click.option("--enable", is_flag=True, help="Switch it on at once; try it first.")
@session
def add(session: Session, /, name: str, workspace: str, enable: bool, **given: Any) -> None:
    """Add the rule NAME, switched off unless --enable.

    \b
      ctwa rules add qualified --on outgoing --keyword agendado --by human --event QualifiedLead
      ctwa rules add sale --on outgoing --keyword "pedido confirmado" --event Purchase
          --value-pattern 'total:? R\\$ *([0-9.,]+)' --delay 30min
    """
    values = {"name": name, "workspace": workspace, "enabled": enable, **_said(given, None)}
    with session.database() as conn:
        saved = add_rule(conn, values, actor=session.actor)
    click.echo(f"Added rule {name}.")
    _echo_saved(saved)


@rules.command("set")
@click.argument("name")
@_fields
@_workspace
@click.option("--name", "new_name", metavar="NEW", help="Rename it.")
@session
def set_(session: Session, /, name: str, workspace: str, new_name: str | None, **given: Any) -> None:
    """Change the rule NAME: only what is said here. Another --on begins its `when` anew; --file replaces both.

    A changed rule is a new version, and looks at nothing that came before it.
    """
    with session.database() as conn:
        changes = _said(given, rule_named(conn, name, workspace))
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
@_workspace
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
@_workspace
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
@_workspace
@session
def enable(session: Session, name: str, workspace: str) -> None:
    """Switch the rule NAME on. It works within seconds, on what comes from then on."""
    _switch(session, name, workspace, enabled=True)


@rules.command()
@click.argument("name")
@_workspace
@session
def disable(session: Session, name: str, workspace: str) -> None:
    """Switch the rule NAME off. What it made stays."""
    _switch(session, name, workspace, enabled=False)


@rules.command("remove")
@click.argument("name")
@_workspace
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


@rules.command("try")
@click.argument("which", metavar="[NAME|FILE]", required=False)
@options.since
@click.option("--channel", metavar="NAME", help="As if the rule in the file were only for this channel.")
@_workspace
@options.as_json
@session
def try_(
    session: Session, /, which: str | None, since: datetime | None, channel: str | None, workspace: str, as_json: bool
) -> None:
    """Show what rules would have made of the webhooks that are stored. Nothing is written or sent.

    The rule NAME, the one in FILE (YAML or JSON, with when and then), or all rules of the workspace; since 7 days
    unless said otherwise. Bodies are kept for a time: those without a message of a person, such as what you sent
    yourself, for hours only.

    JSON: {webhooks, unreadable, rules: [{name, fired, new_conversions, unattributed, without_value, values: {currency:
    sum}, marks: {"stage: NAME": contacts}, samples: [{at, person, text, value, currency, new}]}]}.
    """
    start = since or datetime.now(UTC) - timedelta(days=7)
    rings = (session.secret_ring(), session.hash_ring())
    with session.database(seconds=600) as conn:
        tried = _tried(conn, which, workspace, channel)
        if not tried:
            raise InvalidError("There are no rules to try. Give a file, or add one first: ctwa rules add NAME …")
        with click.progressbar(length=1, label="Webhooks", file=sys.stderr) as bar:

            def show_progress(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            trial = try_rules(conn, rings, tried, workspace=workspace, since=start, progress=show_progress)
    if as_json:
        print_json(trial_as_json(trial))
        return
    _echo_trial(trial)


def _tried(conn: Any, which: str | None, workspace: str, channel: str | None) -> list[Tried]:
    if which and Path(which).suffix in (".json", ".yaml", ".yml"):
        checked = checked_definition(_definition_of(Path(which)), what=which)
        channel_id = channel_named(conn, channel).id if channel else None
        return [Tried(name=Path(which).name, definition=checked.definition, channel_id=channel_id)]
    found = [rule_named(conn, which, workspace)] if which else all_rules(conn, workspace=workspace)
    return [
        Tried(name=rule.name, definition=read_definition(rule.definition), channel_id=rule.channel_id) for rule in found
    ]


def _echo_trial(trial: Trial) -> None:
    click.echo(f"Webhooks read: {trial.webhooks}" + (f", not readable: {trial.unreadable}" if trial.unreadable else ""))
    for one in trial.results:
        click.echo(f"\n{plain(one.name)}: fired {one.fired} times, {one.new} new conversions")
        if one.unattributed:
            click.echo(f"  without an ad in 28 days, so never sent: {one.unattributed}")
        if one.without_value:
            click.echo(f"  without a value: {one.without_value}")
        for currency, total in sorted(one.values.items()):
            click.echo(f"  worth {total:f} {plain(currency)}")
        for words, count in sorted(one.marks.items()):
            click.echo(f"  {plain(words)}: {count} contacts")
        for sample in one.samples:
            value = "" if sample["value"] is None else f", {sample['value']:f} {plain(sample['currency'])}"
            known = "" if sample["new"] else " (known already)"
            click.echo(f"  {plain(sample['at'])}  {sample['person']}  {plain(sample['text'])}{value}{known}")


def _switch(session: Session, name: str, workspace: str, *, enabled: bool) -> None:
    with session.database() as conn:
        saved = change_rule(conn, name, {"enabled": enabled}, actor=session.actor, workspace=workspace)
    state = "on" if enabled else "off"
    click.echo(f"{name} is switched {state}." if saved.changes else f"{name} was switched {state} already.")
    if enabled:
        _echo_warnings(saved)


def _said(given: Mapping[str, Any], rule: RuleRow | None) -> dict[str, Any]:
    """What the options say, in RuleSchema's words; merged into what the rule says, where there is one."""
    said: dict[str, Any] = {}
    if given["channel"] is not None:
        said["channel"] = given["channel"] or None
    if given["file"]:
        said |= _definition_of(given["file"])
        return said
    when = {place: _listed(given[name]) for name, place in _WHEN.items() if given[name] not in (None, ())}
    then = {place: _listed(given[name]) for name, place in _THEN.items() if given[name] not in (None, ())}
    if value := _value(given):
        then["value"] = value
    if rule is not None:
        when = when if "on" in when else {**rule.definition["when"], **when} if when else {}
        then = {**rule.definition["then"], **then} if then else {}
    elif "on" not in when or not then:
        raise InvalidError(
            "Say --on, and what follows: --event, --stage, --add-tag or --remove-tag; or give a --file with both."
        )
    return said | ({"when": when} if when else {}) | ({"then": then} if then else {})


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _value(given: Mapping[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    if given["value"] is not None:
        value["fixed"] = given["value"]
    if given["value_pattern"] is not None:
        value["pattern"] = given["value_pattern"]
    if given["value_order"]:
        value["order"] = True
    if given["decimals"] is not None:
        value["decimals"] = given["decimals"]
    return value


def _definition_of(path: Path) -> dict[str, Any]:
    """The when and then of a file. Raises InvalidError."""
    document = read_file(path)
    if not isinstance(document, Mapping) or not {"when", "then"} <= document.keys() <= {"when", "then"}:
        raise InvalidError(f"{path} must be a mapping with when and then, and nothing else.")
    return dict(document)


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
