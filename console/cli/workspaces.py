"""`ctwa workspaces`: what is kept of people, by workspace."""

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_json, print_table
from console.workspaces import add_workspace, change_workspace, forget_names, workspace_named
from shared.db.workspaces import all_workspaces

_FIELDS = ("name", "title", "hash_only", "keep_text", "click_days")


@click.group()
def workspaces() -> None:
    """Workspaces: within one, channels share contacts; and what is kept of people there."""


@workspaces.command("list")
@options.as_json
@session
def list_(session: Session, /, as_json: bool) -> None:
    """List the workspaces. Another one: ctwa workspaces add NAME, or a channel's --workspace.

    JSON: a list of {name, title: null or text, hash_only, keep_text, click_days: null or days}.
    """
    with session.database() as conn:
        rows = all_workspaces(conn)
    default = session.settings().keep_click_days
    if as_json:
        print_json(
            [
                {name: getattr(row, name) for name in ("name", "title", "hash_only", "keep_text", "click_days")}
                for row in rows
            ]
        )
        return
    print_table(
        ("NAME", "NAMES OF PEOPLE", "TEXT OF MESSAGES", "CLICK IDS"),
        [
            (
                row.name,
                "hashes only" if row.hash_only else "hashes and sealed",
                "kept, sealed" if row.keep_text else "not kept",
                f"{row.click_days or default} days",
            )
            for row in rows
        ],
        empty="There are no workspaces.",
    )


@workspaces.command()
@click.argument("name")
@session
def add(session: Session, /, name: str) -> None:
    """Add the workspace NAME: contacts, rules and keys of its own."""
    with session.database() as conn:
        add_workspace(conn, name, actor=session.actor)
    click.echo(f"Added workspace {name}.")


@workspaces.command("set")
@click.argument("name")
@click.option(
    "--hash-only/--no-hash-only",
    default=None,
    help="Keep names of people as keyed hashes only. They are still found; nobody can read, export or send them.",
)
@click.option("--keep-text/--no-keep-text", default=None, help="Keep the text of messages, sealed.")
@click.option("--click-days", metavar="DAYS", help='How long click ids are kept; "" is the default of all again.')
@options.yes
@session
def set_(
    session: Session,
    /,
    name: str,
    hash_only: bool | None,
    keep_text: bool | None,
    click_days: str | None,
    yes: bool,
) -> None:
    """Change the workspace NAME: only what is said here. --hash-only deletes the names that are there for good."""
    changes: dict[str, object] = {
        field: value for field, value in (("hash_only", hash_only), ("keep_text", keep_text)) if value is not None
    }
    if click_days is not None:
        if click_days and not click_days.isdigit():
            raise click.UsageError("--click-days is a number of days.")
        changes["click_days"] = int(click_days) if click_days else None
    if hash_only:
        options.confirm(f"Delete every readable name of {name}'s people for good?", yes=yes)
    with session.database() as conn:
        changed = change_workspace(conn, name, changes, actor=session.actor)
        stands = workspace_named(conn, name).hash_only
    for field, (before, after) in changed.items():
        click.echo(f"{name}: {field} {plain(before)} -> {plain(after)}")
    if hash_only and stands:
        dropped = forget_names(session.database, name, lambda count: click.echo(f"{count} names", err=True))
        click.echo(f"{dropped} names are hashes only now. Raw webhooks hold them, sealed, until their time is over.")
    elif not changed:
        click.echo(f"Nothing to change on {name}.")
