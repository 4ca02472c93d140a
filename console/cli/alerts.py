"""`ctwa alerts`: what needs a person, from where on, and whom it is told to."""

import sys
import time
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from console import alerts as use
from console.cli import options
from console.cli.context import Session, open_session, session
from console.cli.render import print_fields, print_json, print_table
from console.cli.secrets import read_secret
from console.errors import InvalidError, UnavailableError
from shared.db.alerts import list_alerts
from shared.domain.alerts import KINDS

_workspace = click.option("--workspace", metavar="NAME", help="Only of this workspace.  [default: all]")
#: The sweeper looks every two seconds, and a try takes ten at most.
_TEST_SECONDS = 25
_POLL_SECONDS = 0.5


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Resolved ones, too.")
@click.option("--kind", type=click.Choice(list(KINDS)), metavar="KIND", help="Only of this kind.")
@_workspace
@options.limit()
@options.as_json
@click.pass_context
def alerts(
    ctx: click.Context, everything: bool, kind: str | None, workspace: str | None, limit: int, as_json: bool
) -> None:
    """List what needs a person now, newest first. The sweeper looks every half minute.

    JSON: a list of {id, workspace, kind, subject, state, detail, opened_at, last_seen_at, acknowledged_at,
    acknowledged_by, resolved_at, resolved_by, told_at, title, words, next_step}.
    """
    if options.went_to_subcommand(ctx):
        return
    states = ("open", "acknowledged", "resolved") if everything else ("open", "acknowledged")
    with open_session(ctx).database() as conn:
        found = list_alerts(conn, states=states, kind=kind, workspaces=[workspace] if workspace else None, limit=limit)
    rows = [use.described(one) for one in found]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("ID", "SINCE", "STATE", "KIND", "WHAT"),
        [(row["id"], row["opened_at"], row["state"], row["kind"], row["words"]) for row in rows],
        empty="There are no alerts." if everything else "Nothing needs you.",
    )


@alerts.command()
@click.argument("alert_id", metavar="ID", type=int)
@options.as_json
@session
def show(session: Session, alert_id: int, as_json: bool) -> None:
    """Show the alert ID: its numbers, what to do, who did what."""
    with session.database() as conn:
        row = use.described(use.alert_with(conn, alert_id))
    if as_json:
        print_json(row)
    else:
        print_fields({name.replace("_", " "): value for name, value in row.items()})


@alerts.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
@session
def ack(session: Session, ids: tuple[int, ...]) -> None:
    """Acknowledge alerts: you look after them, and nobody is reminded any more."""
    with session.database() as conn:
        for alert_id in ids:
            changed = use.acknowledge(conn, alert_id, actor=session.actor)
            click.echo(
                f"Alert {alert_id} is acknowledged." if changed else f"Alert {alert_id} was so already, or over."
            )


@alerts.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
@session
def resolve(session: Session, ids: tuple[int, ...]) -> None:
    """Resolve alerts by hand. What still holds opens again within a minute."""
    with session.database() as conn:
        for alert_id in ids:
            changed = use.resolve(conn, alert_id, actor=session.actor)
            click.echo(f"Alert {alert_id} {'is resolved' if changed else 'was over already'}.")


@alerts.command()
@_workspace
@options.as_json
@session
def rules(session: Session, workspace: str | None, as_json: bool) -> None:
    """List the kinds of alerts and their thresholds.

    JSON: a list of {kind, title, enabled, threshold, unit, default, changed}.
    """
    with session.database() as conn:
        rows = use.rules(conn, workspace)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("KIND", "WHAT", "ON", "THRESHOLD", "DEFAULT"),
        [(row["kind"], row["title"], row["enabled"], _number(row), _number(row, "default")) for row in rows],
        empty="",
    )


@alerts.command("set")
@click.argument("kind", metavar="KIND", type=click.Choice(list(KINDS)))
@click.option("--threshold", metavar="NUMBER", help="From where on it is an alert; `default` is its own again.")
@click.option("--on/--off", "enabled", default=None, help="Whether it is looked for.")
@_workspace
@session
def set_(session: Session, kind: str, threshold: str | None, enabled: bool | None, workspace: str | None) -> None:
    """Change the kind KIND: its threshold, or whether it is looked for; for one workspace or for all."""
    if threshold is None and enabled is None:
        raise click.UsageError("Say --threshold, --on or --off.")
    number = None if threshold in (None, "default") else _decimal(str(threshold))
    with session.database() as conn:
        use.set_rule(
            conn,
            kind,
            actor=session.actor,
            workspace=workspace,
            enabled=enabled,
            threshold=number,
            default=threshold == "default",
        )
        [row] = [row for row in use.rules(conn, workspace) if row["kind"] == kind]
    click.echo(f"{kind} is {'on' if row['enabled'] else 'off'}, threshold {_number(row)}.")


@alerts.group(invoke_without_command=True)
@options.as_json
@click.pass_context
def routes(ctx: click.Context, as_json: bool) -> None:
    """List where alerts are told, and what became of the last message.

    JSON: a list of {name, kind, workspace, shown, allow_private, enabled, last: {state, at, reason, words} or null}.
    """
    if options.went_to_subcommand(ctx):
        return
    with open_session(ctx).database() as conn:
        rows = use.routes(conn)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NAME", "KIND", "WORKSPACE", "TO", "LAST MESSAGE"),
        [(row["name"], row["kind"], row["workspace"] or "all", row["shown"], _last(row["last"])) for row in rows],
        empty="Alerts are told to nobody yet. Add a route: ctwa alerts routes add NAME --kind email",
    )


@routes.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(["email", "webhook", "slack"]), required=True)
@click.option(
    "--address-file", metavar="FILE", help="File with the mailbox or URL, which may be secret; - is standard input."
)
@click.option("--secret-file", metavar="FILE", help="File with a webhook's own secret, whsec_….  [default: make one]")
@click.option("--allow-private", is_flag=True, help="It is in your own network; then http:// is possible, too.")
@_workspace
@session
def add(
    session: Session,
    name: str,
    kind: str,
    address_file: str | None,
    secret_file: str | None,
    allow_private: bool,
    workspace: str | None,
) -> None:
    """Add the route NAME for alerts: a mailbox, a URL that takes signed webhooks, or a Slack webhook.

    Webhooks are signed as Standard Webhooks has it; their secret is printed once.
    """
    address = read_secret("Mailbox" if kind == "email" else "URL", address_file)
    secret = read_secret("Secret", secret_file) if secret_file else None
    ring = session.secret_ring()
    with session.database() as conn:
        made = use.add_route(
            conn,
            ring,
            name=name,
            kind=kind,
            address=address,
            actor=session.actor,
            workspace=workspace,
            allow_private=allow_private,
            secret=secret,
        )
    if made and not secret:
        click.echo(f"Its secret, shown this once: {made}")
    click.echo(f"Added route {name}. Try it: ctwa alerts routes test {name}")


@routes.command()
@click.argument("name")
@options.yes
@session
def remove(session: Session, name: str, yes: bool) -> None:
    """Remove the route NAME, with what was still to be sent there."""
    with session.database() as conn:
        use.route_named(conn, name)
        options.confirm(f"Remove the route {name}?", yes=yes)
        use.remove_route(conn, name, actor=session.actor)
    click.echo(f"Removed route {name}.")


@routes.command()
@click.argument("name")
@options.as_json
@session
def test(session: Session, name: str, as_json: bool) -> None:
    """Have a test sent to the route NAME, and say whether it arrived. Exit code 1 if not.

    JSON: {arrived, reason, words, next_step}.
    """
    with session.database() as conn:
        notice_id = use.test_route(conn, name, actor=session.actor)
    outcome: dict[str, Any] | None = None
    ends = time.monotonic() + _TEST_SECONDS
    with session.database() as conn:
        while (outcome := use.outcome_of(conn, notice_id)) is None and time.monotonic() < ends:
            conn.rollback()
            time.sleep(_POLL_SECONDS)
    if outcome is None:
        raise UnavailableError("Nobody has sent it yet. Is a sweeper running? ctwa status says so.")
    if as_json:
        print_json(outcome)
    else:
        click.echo(
            outcome["words"] if outcome["arrived"] else f"{outcome['words']}\nWhat to do: {outcome['next_step']}"
        )
    if not outcome["arrived"]:
        sys.exit(1)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidError("A threshold is a number, or `default`.") from None


def _number(row: dict[str, Any], field: str = "threshold") -> str:
    return "-" if row[field] is None else f"{row[field]:g} {row['unit']}"


def _last(last: dict[str, Any] | None) -> str:
    if last is None:
        return "-"
    return last["state"] if last["words"] is None else f"{last['state']}: {last['words']}"
