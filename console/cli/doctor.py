"""`ctwa doctor`: whether a channel is set up right, as far as its settings and its traffic show."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from console.cli.context import Session, session
from console.cli.render import plain, print_json
from console.doctor.examine import examine
from console.doctor.findings import Finding, Severity
from console.doctor.gather import gather, read_refusals
from console.setup.channels import channel_named
from shared.db.channels import all_channels

_MARKS = {Severity.OK: "ok  ", Severity.WARN: "warn", Severity.FAIL: "FAIL"}


@click.command()
@click.option("--channel", "name", metavar="NAME", help="Only this channel (name or URL key).  [default: all]")
@click.option("--metrics", metavar="URL", help="The receiver's metrics page.  [default: the local stack's]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@session
def doctor(session: Session, /, name: str | None, metrics: str | None, as_json: bool) -> None:
    """Say whether channels are set up right, judged by their settings and by what came in.

    Looks at secrets, subscriptions, ad blocks, click ids, doubled webhooks, datasets. Each finding is ok, warn or fail,
    and says what to do and where. Exit code 1 unless all are ok.

    JSON: {ok, channels: [{channel, provider, findings: [{check, severity, words, next_step, where}], traffic:
    {seconds_ago, had_messages, had_ads, webhooks, read, with_messages, messages, duplicates, ignored: {reason: count},
    rejected: {reason: count}, classes: {class: count}, blank, flags: {flag: count}}}], receiver: [finding]}.
    """
    ring = session.secret_ring()
    public_url = session.settings().public_url
    # A week of a busy number's messages takes longer to count than other commands may take.
    with session.database(seconds=120) as conn:
        channels = [channel_named(conn, name)] if name else all_channels(conn)
        facts = gather(conn, ring, channels, public_url=public_url)
    found = [(one, examine(one)) for one in facts]
    page = metrics or (session.stack.urls.get("receiver metrics") if session.stack else None)
    receiver = [read_refusals(page)]
    well = all(finding.severity is Severity.OK for _, findings in found for finding in findings)
    well = well and all(finding.severity is Severity.OK for finding in receiver)
    if as_json:
        print_json(
            {
                "ok": well,
                "channels": [
                    {
                        "channel": one.channel.name,
                        "provider": one.channel.provider,
                        "findings": [finding.as_row() for finding in findings],
                        "traffic": _traffic(asdict(one.traffic)),
                    }
                    for one, findings in found
                ],
                "receiver": [finding.as_row() for finding in receiver],
            }
        )
    else:
        for one, findings in found:
            _echo(f"Channel {one.channel.name} ({one.provider.title})", findings)
        if not found:
            click.echo("There are no channels yet. Add one: ctwa channels add NAME --provider PROVIDER\n")
        _echo("Receiver", receiver)
    if not well:
        sys.exit(1)


def _traffic(counts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in counts.items() if name != "channel_id"}


def _echo(title: str, findings: Sequence[Finding]) -> None:
    click.echo(plain(title))
    for finding in findings:
        click.echo(f"  {_MARKS[finding.severity]}  {plain(finding.words)}")
        if finding.next_step:
            click.echo(f"        What to do: {plain(finding.next_step)}")
        if finding.where:
            click.echo(f"        Where: {plain(finding.where)}")
    click.echo()
