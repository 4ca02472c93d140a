"""`ctwa api-keys`: which programs may report and read, each for one workspace."""

from typing import Any

import click

from console.cli.context import Session, session
from console.cli.render import print_json, print_table
from console.errors import NotFoundError
from console.team.keys import make_key, revoke_key
from shared.db.api_keys import api_keys_of
from shared.db.workspaces import all_workspaces
from shared.domain.api_scopes import Scope

_WORKSPACE = click.option("--workspace", default="default", show_default=True, help="Whose.")


@click.group("api-keys")
def api_keys() -> None:
    """Keys for programs that report conversions or read results, each for one workspace."""


@api_keys.command()
@click.argument("name")
@_WORKSPACE
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    help="What it may do; may be given several times.  [default: all of it]",
)
@click.option("--test", is_flag=True, help="Leave what it reports out of every total.")
@session
def create(session: Session, name: str, workspace: str, scopes: tuple[str, ...], test: bool) -> None:
    """Make the key NAME and print it, this once: only its hash is kept.

    The key alone goes to standard output, so that it can be piped into a file of secrets.
    """
    with session.database() as conn:
        if workspace not in {one.name for one in all_workspaces(conn)}:
            raise NotFoundError(f"There is no workspace {workspace!r}. A channel that names it makes it.")
        wanted = [Scope(text) for text in scopes] or list(Scope)
        made = make_key(conn, workspace=workspace, name=name, scopes=wanted, is_test=test, actor=session.actor)
    click.echo(made.secret)
    click.echo("Keep it now: it is not shown again. Send it as the header Authorization: Bearer KEY.", err=True)


@api_keys.command("list")
@click.option("--workspace", help="Whose.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@session
def list_(session: Session, workspace: str | None, as_json: bool) -> None:
    """List the keys by their first characters, revoked ones too.

    JSON: a list of {id, workspace, name, start, scopes, test, last_used_at, revoked_at, created_by, created_at}.
    """
    with session.database() as conn:
        names = [workspace] if workspace else [one.name for one in all_workspaces(conn)]
        rows: list[dict[str, Any]] = [
            {
                "id": key.id,
                "workspace": key.workspace,
                "name": key.name,
                "start": key.start,
                "scopes": key.scopes,
                "test": key.is_test,
                "last_used_at": key.last_used_at,
                "revoked_at": key.revoked_at,
                "created_by": key.created_by,
                "created_at": key.created_at,
            }
            for name in names
            for key in api_keys_of(conn, name)
        ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("WORKSPACE", "NAME", "KEY", "MAY", "LAST USED", "REVOKED"),
        [
            (
                row["workspace"],
                f"{row['name']} (test)" if row["test"] else row["name"],
                f"{row['start']}…",
                ", ".join(row["scopes"]),
                row["last_used_at"],
                row["revoked_at"],
            )
            for row in rows
        ],
        empty="There are no keys. Make one: ctwa api-keys create NAME",
    )


@api_keys.command()
@click.argument("name")
@_WORKSPACE
@session
def revoke(session: Session, name: str, workspace: str) -> None:
    """End the key NAME for good; receivers refuse it within seconds.

    What it reported before stays, and is still worked on.
    """
    with session.database() as conn:
        found = next((key for key in api_keys_of(conn, workspace) if key.name == name and not key.revoked_at), None)
        if found is None:
            raise NotFoundError(f"There is no key {name!r} in use in {workspace}. `ctwa api-keys list` names them.")
        revoke_key(conn, workspace=workspace, key_id=found.id, actor=session.actor)
    click.echo(f"Revoked {name} of {workspace}.")
