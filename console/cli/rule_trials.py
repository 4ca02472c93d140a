"""`ctwa rules try`: what rules would have made of what is stored."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_json
from console.cli.rule_options import definition_of
from console.cli.rule_options import workspace as workspace_option
from console.errors import InvalidError
from console.rule_trial import Trial, Tried, try_rules
from console.rule_trial import as_json as trial_as_json
from console.rules import checked_definition, rule_named
from console.rules import rules as all_rules
from console.setup.channels import channel_named
from shared.domain.rule_definitions import read_definition


@click.command("try")
@click.argument("which", metavar="[NAME|FILE]", required=False)
@options.since
@click.option("--channel", metavar="NAME", help="As if the rule in the file were only for this channel.")
@workspace_option
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
        checked = checked_definition(definition_of(Path(which)), what=which)
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
