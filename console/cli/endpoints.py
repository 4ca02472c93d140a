"""`ctwa endpoints` and `ctwa notifications`: telling other systems what happens, by signed webhooks."""

import time
from typing import Any
from uuid import UUID

import click

from console import endpoints as use
from console.cli import options
from console.cli.context import Session, open_session, session
from console.cli.render import plain, print_json, print_table
from console.cli.secrets import read_secret
from console.errors import UnavailableError
from shared.db.endpoints import EVENTS, INCLUDES, all_endpoints
from shared.db.notifications import notification_by_id
from shared.domain.reasons import explain
from shared.queue import Work

#: The sweeper looks every two seconds, and a try takes ten at most.
_TEST_SECONDS = 25
_POLL_SECONDS = 0.2
_STATES = ("pending", "sending", "arrived", "failed")

_workspace = click.option("--workspace", metavar="NAME", default="default", show_default=True, help="Its workspace.")
_any_workspace = click.option("--workspace", metavar="NAME", help="Only of this workspace.  [default: all]")
_events = click.option(
    "--event", "events", multiple=True, type=click.Choice(EVENTS), help="Only this event; may be given again."
)
_include = click.option(
    "--include", multiple=True, type=click.Choice(INCLUDES), help="Give more than ids: phone is the phone number."
)
_secret = click.option(
    "--secret-file", metavar="PATH", help="Take the secret from this file (- is standard input) instead of a new one."
)


@click.group()
def endpoints() -> None:
    """Other systems that are told what happens, by webhooks signed as Standard Webhooks has it. See docs/crm.md."""


@endpoints.command()
@click.argument("name")
@click.option("--url", required=True, help="Where to post; https.")
@_events
@_include
@click.option("--allow-private", is_flag=True, help="Let it lead into a private network, also without https.")
@_secret
@_workspace
@session
def add(session: Session, /, name: str, workspace: str, secret_file: str | None, **said: Any) -> None:
    """Add the endpoint NAME; without --event it is told everything. Prints its secret, this once."""
    given = read_secret("The secret", secret_file) if secret_file else None
    with session.database() as conn:
        secret = use.add_endpoint(
            conn, session.secret_ring(), name, workspace=workspace, secret=given, actor=session.actor, **said
        )
    click.echo(f"Added endpoint {name}. Try it: ctwa endpoints test {name}")
    if given is None:
        click.echo("Its secret, shown this once; the receiver checks signatures with it:", err=True)
        click.echo(secret)


@endpoints.command("list")
@_any_workspace
@options.as_json
@session
def list_(session: Session, /, workspace: str | None, as_json: bool) -> None:
    """List the endpoints and how it goes with each.

    JSON: a list of {workspace, name, url, events, include, allow_private, enabled, disabled_at, disabled_reason,
    failing_since, last_problem, words, next_step, last_arrived_at, old_secret_until}.
    """
    with session.database() as conn:
        rows = [use.described(one) for one in all_endpoints(conn, workspace)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NAME", "WORKSPACE", "URL", "EVENTS", "STATE", "LAST ARRIVED"),
        [
            (
                row["name"], row["workspace"], row["url"], ", ".join(row["events"]),
                "enabled" if row["enabled"] else f"disabled: {row['disabled_reason']}", row["last_arrived_at"],
            )
            for row in rows
        ],
        empty="There are no endpoints. Add one: ctwa endpoints add NAME --url URL",
    )  # fmt: skip
    for row in rows:
        if row["words"]:
            click.echo(f"\n{row['name']}: {plain(row['words'])}\nWhat to do: {plain(row['next_step'])}")


@endpoints.command("set")
@click.argument("name")
@click.option("--url", help="Where to post.")
@_events
@_include
@click.option("--no-include", is_flag=True, help="Give ids only.")
@click.option("--allow-private/--no-allow-private", default=None, help="Whether it may lead into a private network.")
@click.option("--enabled/--disabled", "enabled", default=None, help="Whether it is told anything.")
@_workspace
@session
def set_(
    session: Session,
    /,
    name: str,
    workspace: str,
    enabled: bool | None,
    no_include: bool,
    **said: Any,
) -> None:
    """Change the endpoint NAME: only what is said here. Enabling it sends what has waited."""
    changes = {field: list(value) if isinstance(value, tuple) else value for field, value in said.items()}
    changes = {field: value for field, value in changes.items() if value not in (None, [])}
    if no_include:
        changes["include"] = []
    with session.database() as conn:
        changed = use.change_endpoint(conn, workspace, name, changes, enabled=enabled, actor=session.actor)
    session.ring(Work.NOTIFYING)
    if not changed:
        click.echo(f"Nothing to change on {name}.")
    for field, (before, after) in changed.items():
        click.echo(f"{name}: {field} {plain(before)} -> {plain(after)}")


@endpoints.command()
@click.argument("name")
@_workspace
@session
def test(session: Session, /, name: str, workspace: str) -> None:
    """Post a test to the endpoint NAME and say what came of it. Exit code 1: it didn't arrive."""
    with session.database() as conn:
        notification_id = use.test_endpoint(conn, workspace, name, actor=session.actor)
    session.ring(Work.NOTIFYING)
    ends = time.monotonic() + _TEST_SECONDS
    while time.monotonic() < ends:
        with session.database() as conn:
            found = notification_by_id(conn, notification_id)
        if found is not None and found.state == "arrived":
            click.echo(f"It arrived: answered {found.last_status}.")
            return
        if found is not None and found.reason is not None:
            reason = explain(found.reason)
            raise UnavailableError(f"It did not arrive. {reason.words} {reason.next_step}")
        time.sleep(_POLL_SECONDS)
    raise UnavailableError("Nobody has tried yet: are the workers and the sweeper up? See `ctwa status`.")


@endpoints.command()
@click.argument("name")
@_secret
@_workspace
@session
def rotate(session: Session, /, name: str, secret_file: str | None, workspace: str) -> None:
    """Give the endpoint NAME a new secret, and print it. For a day the old one signs as well."""
    given = read_secret("The secret", secret_file) if secret_file else None
    with session.database() as conn:
        secret = use.rotate_secret(conn, session.secret_ring(), workspace, name, secret=given, actor=session.actor)
    click.echo(f"{name} has a new secret. For 24 hours every webhook carries both signatures.", err=True)
    if given is None:
        click.echo(secret)


@endpoints.command()
@click.argument("name")
@options.yes
@_workspace
@session
def remove(session: Session, /, name: str, yes: bool, workspace: str) -> None:
    """Remove the endpoint NAME with its notifications. `set --disabled` keeps them."""
    options.confirm(f"Remove endpoint {name} and what waits for it?", yes=yes)
    with session.database() as conn:
        use.remove_endpoint(conn, workspace, name, actor=session.actor)
    click.echo(f"Removed {name}.")


@click.group(invoke_without_command=True)
@click.option("--endpoint", metavar="NAME", help="Only to this endpoint.")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only in this state.")
@_any_workspace
@options.limit()
@options.as_json
@click.pass_context
def notifications(
    ctx: click.Context, endpoint: str | None, states: tuple[str, ...], workspace: str | None, limit: int, as_json: bool
) -> None:
    """List what endpoints were told, newest first.

    JSON: a list of {id, endpoint, workspace, event, contact, conversion, delivery, occurred_at, state, attempts,
    next_attempt_at, last_status, reason, words, next_step, finished_at}.
    """
    if options.went_to_subcommand(ctx):
        return
    with open_session(ctx).database() as conn:
        rows = use.notifications(conn, workspace=workspace, name=endpoint, states=states, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("ID", "ENDPOINT", "EVENT", "OCCURRED", "STATE", "TRIES", "WHY"),
        [
            (row["id"], row["endpoint"], row["event"], row["occurred_at"], row["state"], row["attempts"], row["words"])
            for row in rows
        ],
        empty="There are no notifications.",
    )


@notifications.command()
@click.argument("ids", metavar="[ID…]", nargs=-1, type=click.UUID)
@click.option("--endpoint", metavar="NAME", help="Only to this endpoint.")
@_any_workspace
@options.limit(1000, verb="Retry")
@session
def retry(session: Session, /, ids: tuple[UUID, ...], endpoint: str | None, workspace: str | None, limit: int) -> None:
    """Try failed notifications again, and those that wait for their next try: these IDs, or all."""
    with session.database() as conn:
        moved = use.tell_again(conn, workspace=workspace, name=endpoint, ids=ids, limit=limit, actor=session.actor)
    session.ring(Work.NOTIFYING)
    click.echo(f"{moved} notifications are tried again.")
