"""`ctwa users`: who may work in the web console."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
import psycopg

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import print_json, print_table
from console.cli.secrets import read_secret
from console.errors import InvalidError, NotFoundError
from console.team import links, people, second_factor
from console.team.login import normal_email
from console.team.roles import Role
from console.team.throttle import Throttle
from shared.crypto import derive_keys
from shared.db import users as table
from shared.db.memberships import memberships_of
from shared.db.workspaces import all_workspaces

F = TypeVar("F", bound=Callable[..., Any])
_PASSWORD_FILE = click.option(
    "--password-file", metavar="FILE", help="File that holds the password; - is standard input.  [default: ask]"
)


def _place(command: F) -> F:
    """Options that say where somebody is what."""
    role = click.option("--role", type=click.Choice([role.value for role in Role]), help="What they may do there.")
    workspace = click.option("--workspace", metavar="NAME", help="Where.  [default: everywhere, as owner]")
    return workspace(role(command))


@click.group()
def users() -> None:
    """People who may work in the web console, and what they may do."""


@users.command()
@click.argument("email")
@click.option("--name", default="", help="What others know them by.")
@_place
@_PASSWORD_FILE
@session
def create(
    session: Session, email: str, name: str, workspace: str | None, role: str | None, password_file: str | None
) -> None:
    """Add the user EMAIL, with a password that is asked for without echo.

    Without a workspace they own everything: every workspace, those to come, and the installation.
    """
    with session.database() as conn:
        wanted = _role(conn, workspace, role)
    password = read_secret("Password of the user, at least 12 characters", password_file)
    with session.database() as conn:
        people.create_user(
            conn,
            email=email,
            name=name,
            password=password,
            workspace=workspace,
            role=wanted,
            actor=session.actor,
        )
    click.echo(f"Added {normal_email(email)}.")


@users.command()
@click.argument("email")
@_place
@session
def invite(session: Session, email: str, workspace: str | None, role: str | None) -> None:
    """Print a one-time link by which EMAIL makes an account, or comes into another workspace.

    It is good for 7 days. Without a workspace they own everything.
    """
    base = _console_url(session)
    with session.database() as conn:
        wanted = _role(conn, workspace, role)
        token = links.invite(conn, email=email, workspace=workspace, role=wanted, actor=session.actor)
    click.echo(f"{base}/link/{token}")


@users.command("list")
@options.as_json
@session
def list_(session: Session, as_json: bool) -> None:
    """List the users.

    JSON: a list of {email, name, owner_everywhere, workspaces: {name: role}, second_factor, disabled, last_login_at}.
    """
    with session.database() as conn:
        rows: list[dict[str, Any]] = [
            {
                "email": user.email,
                "name": user.name,
                "owner_everywhere": user.owner_everywhere,
                "workspaces": {one.workspace: one.role for one in memberships_of(conn, user.id)},
                "second_factor": user.has_second_factor,
                "disabled": user.disabled_at is not None,
                "last_login_at": user.last_login_at,
            }
            for user in table.all_users(conn)
        ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("E-MAIL", "NAME", "MAY", "SECOND FACTOR", "LAST LOGIN", ""),
        [
            (
                row["email"],
                row["name"],
                "everything" if row["owner_everywhere"] else row["workspaces"],
                row["second_factor"],
                row["last_login_at"],
                "disabled" if row["disabled"] else "",
            )
            for row in rows
        ],
        empty="There are no users. Add the first: ctwa users create EMAIL",
    )


@users.command()
@click.argument("email")
@_place
@session
def role(session: Session, email: str, workspace: str | None, role: str | None) -> None:
    """Give EMAIL a role in a workspace, or without one make them owner of everything. Their sessions end."""
    with session.database() as conn:
        wanted = _role(conn, workspace, role)
        user = _user(conn, email)
        people.grant(conn, user_id=user.id, workspace=workspace, role=wanted, actor=session.actor)
    click.echo(f"{user.email} is {wanted} of {workspace or 'everything'} now.")


@users.command()
@click.argument("email")
@session
def disable(session: Session, email: str) -> None:
    """Shut EMAIL out: their sessions end, and they can't log in."""
    with session.database() as conn:
        people.set_disabled(conn, user_id=_user(conn, email).id, disabled=True, actor=session.actor)
    click.echo("They can't log in any more.")


@users.command()
@click.argument("email")
@session
def enable(session: Session, email: str) -> None:
    """Let EMAIL in again."""
    with session.database() as conn:
        people.set_disabled(conn, user_id=_user(conn, email).id, disabled=False, actor=session.actor)
    click.echo("They can log in again.")


@users.command()
@click.argument("email")
@click.option("--second-factor", "factor", is_flag=True, help="Also switch their second factor off.")
@session
def reset(session: Session, email: str, factor: bool) -> None:
    """Print a one-time link by which EMAIL chooses a new password; their failed tries are forgotten.

    It is good for 24 hours. What they log in with now stays good until they use it.
    """
    base = _console_url(session)
    throttle = Throttle(derive_keys(session.settings("SECRET_KEYS").secret_keys, purpose="login throttle")[0])
    with session.database() as conn:
        user = _user(conn, email)
        token = links.reset_link(conn, user_id=user.id, actor=session.actor)
        if factor:
            second_factor.turn_off(conn, user.id, actor=session.actor)
        throttle.forgive(conn, account=user.email, network="")
    click.echo(f"{base}/link/{token}")


def _user(conn: psycopg.Connection[Any], email: str) -> table.User:
    user = table.user_by_email(conn, normal_email(email))
    if user is None:
        raise NotFoundError("There is no user of this address. `ctwa users list` shows them all.")
    return user


def _role(conn: psycopg.Connection[Any], workspace: str | None, role: str | None) -> Role:
    """The role that was meant. Raises InvalidError or NotFoundError."""
    if workspace is None:
        if role not in (None, Role.OWNER):
            raise InvalidError("Say --workspace NAME with --role: everywhere one is an owner.")
        return Role.OWNER
    if role is None:
        raise InvalidError("Say --role viewer, operator or owner with --workspace.")
    if workspace not in {one.name for one in all_workspaces(conn)}:
        raise NotFoundError(
            f"There is no workspace {workspace}. A channel makes one: ctwa channels add --workspace NAME"
        )
    return Role(role)


def _console_url(session: Session) -> str:
    return session.settings("CONSOLE_URL").console_url
